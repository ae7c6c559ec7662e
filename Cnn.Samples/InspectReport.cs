using System.Globalization;
using Cnn.Fluent;
using Microsoft.FSharp.Collections;
using Html = Cnn.FSharp.Html;
using Report = Cnn.FSharp.Report;

namespace Cnn.Samples;

/// <summary>What a look inside a model shows: pictures in a folder, and a page with all of them.</summary>
internal sealed class InspectReport(Model model, OutputFolder output)
{
    private const int TileSide = 64;
    private const int PictureSide = 256;
    private const int MostMaps = 64;
    private const int MostPatches = 16;
    private const int Columns = 8;

    /// <summary>Pictures that are searched for what excites a filter.</summary>
    private const int MostSearched = 2_000;

    private readonly Inspection _inside = model.Inspect();
    private readonly List<Html> _sections = [];

    /// <summary>A picture, and what in it speaks for its most probable class.</summary>
    public IReadOnlyList<(string Title, Image Picture)> AddPicture(string title, float[] pixels, Prediction prediction)
    {
        var shape = model.Input;
        var picture = Tensor<double>.Of(shape, Array.ConvertAll(pixels, pixel => (double)pixel));
        var target = prediction.Class;
        var pictures = new List<(string Title, Image Picture)>
        {
            ("picture", InspectImages.Picture(picture)),
            ("saliency", InspectImages.Overlay(picture, _inside.Saliency(pixels, target))),
        };
        if (model.Layers.LastOrDefault(layer => layer.Type == "Conv2D") is { } last)
        {
            pictures.Add(("grad-cam", InspectImages.Overlay(picture, _inside.GradCam(last.Name, pixels, target))));
        }

        pictures.Add(("occlusion", InspectImages.Signed(_inside.Occlusion(pixels, target))));
        foreach (var (name, image) in pictures)
        {
            output.Write($"{name}.png", InspectImages.Enlarge(image, PictureSide));
        }

        var words = Invariant(
            $"{title}: {prediction.ClassName}, {100 * prediction.Probability:F2} %. Saliency and Grad-CAM glow where that class comes from; occlusion is red where covering a place lowers its probability, blue where it raises it.");
        Add("Picture", Report.paragraph(words), Pictures(pictures.Select(p => (p.Picture, p.Title))));
        return pictures;
    }

    /// <summary>A layer's filters, what it makes of a picture, and what excites it most.</summary>
    public void AddLayer(SummaryRow layer, float[] pixels, Dataset? data)
    {
        // At inference these only pass on what the layer before them gives.
        if (layer.Type is "Flatten" or "Dropout" or "GaussianDropout")
        {
            return;
        }

        var parts = new List<Html> { Report.paragraph($"{layer}. A unit sees {_inside.ReceptiveField(layer.Name)} pixels.") };
        if (layer.Type == "Conv2D")
        {
            var filters = _inside.Filters(layer.Name).Select(InspectImages.Filter).ToArray();
            AddSheet(parts, $"{layer.Name}-filters", "Filters: red above 0, blue below", filters, "filter");
        }

        var maps = _inside.FeatureMaps(layer.Name, pixels).Select(InspectImages.Map).ToArray();
        AddSheet(parts, $"{layer.Name}-maps", "Feature maps of the picture", maps, "channel");
        if (layer.Type == "Conv2D" && data is not null)
        {
            var patches = _inside.Patches(layer.Name, data.Take(MostSearched)).Select(Row).ToArray();
            AddSheet(parts, $"{layer.Name}-patches", "What excites each filter most", patches, "filter", MostPatches, columns: 1);
        }

        Add(layer.Name, [.. parts]);
    }

    /// <summary>Pictures of the data with what they are, what they are taken for, and how surely.</summary>
    public void AddJudged(string title, IReadOnlyList<JudgedPicture> judged, Dataset data)
    {
        if (judged.Count == 0)
        {
            Add(title, Report.paragraph("None."));
            return;
        }

        var pictures = judged.Select(j => (InspectImages.Picture(Pixels(data, j.Picture)), Words(j, data))).ToArray();
        output.Write($"{title.ToLowerInvariant().Replace(' ', '-')}.png", Sheet(pictures.Select(p => p.Item1), Columns));
        Add(title, Pictures(pictures));
    }

    /// <summary>Writes the page.</summary>
    public void Finish(string name, IEnumerable<(string Name, string Value)> settings)
    {
        Add(
            "Settings",
            Report.settings("Settings", ListModule.OfSeq(settings.Select(s => Tuple.Create(s.Name, s.Value)))),
            Report.preformatted(model.Summary(name)));
        output.Write("report.html", Report.page($"A look inside {name}", ListModule.OfSeq(_sections)));
    }

    private static string Words(JudgedPicture judged, Dataset data) => Invariant(
        $"{data.ClassNames[judged.Label]}, taken for {Name(judged.Predicted, data)} at {100 * judged.Probability:F2} % (picture {judged.Picture})");

    private static string Name(int label, Dataset data) => label < data.ClassNames.Count ? data.ClassNames[label] : Invariant($"{label}");

    private static Tensor<double> Pixels(Dataset data, int index) =>
        Tensor<double>.Of(data.Shape, Array.ConvertAll(data.Picture(index), pixel => (double)pixel));

    private static Image Row(IReadOnlyList<ExcitingPatch> patches) => InspectImages.Sheet(
        patches.Select(p => InspectImages.Picture(Tensor<double>.Of(p.Patch.Shape, Array.ConvertAll(p.Patch.ToArray(), v => (double)v)))), patches.Count);

    private static Image Sheet(IEnumerable<Image> images, int columns) =>
        InspectImages.Sheet(images.Select(image => InspectImages.Enlarge(image, TileSide)), columns);

    private static Html Pictures(IEnumerable<(Image Picture, string Words)> pictures) =>
        Report.pictures(ListModule.OfSeq(pictures.Select(p => Tuple.Create(p.Picture, p.Words))));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>The first of some pictures, as a file and in the page.</summary>
    private void AddSheet(List<Html> parts, string file, string words, Image[] images, string each, int most = MostMaps, int columns = Columns)
    {
        var shown = images.Take(most).ToArray();
        output.Write($"{file}.png", Sheet(shown, columns));
        parts.Add(Report.paragraph(shown.Length < images.Length ? $"{words}, the first {most} of {images.Length}" : words));
        parts.Add(Pictures(shown.Select((image, i) => (image, Invariant($"{each} {i}")))));
    }

    private void Add(string heading, params Html[] parts) => _sections.Add(Report.section(heading, ListModule.OfSeq(parts)));
}
