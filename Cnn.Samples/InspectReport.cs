using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;
using Html = Cnn.FSharp.Html;

namespace Cnn.Samples;

/// <summary>What a look inside a model shows: pictures in a folder, and a page with all of them.</summary>
internal sealed class InspectReport(Model model, OutputFolder output)
{
    private const int PictureSide = 256;
    private const int MostMaps = 64;
    private const int MostPatches = 16;

    /// <summary>The nine patches of a filter stand in a square.</summary>
    private const int PatchColumns = 3;
    private const int PatchSide = 32;
    private const int PatchGap = 2;
    private const byte PatchPaper = 128;

    /// <summary>Pictures that are searched for what excites a filter.</summary>
    private const int MostSearched = 2_000;

    private readonly Inspection _inside = model.Inspect();
    private readonly List<Html> _sections = [];

    /// <summary>A picture, and what in it speaks for its most probable class.</summary>
    public Gallery AddPicture(string title, float[] pixels, Prediction prediction)
    {
        var picture = Pixels(model.Input, pixels);
        var target = prediction.Class;
        var pictures = new List<(Image Picture, string Words)>
        {
            (InspectImages.Picture(picture), "picture"),
            (InspectImages.Overlay(picture, _inside.Saliency(pixels, target)), "saliency"),
        };
        if (model.Layers.LastOrDefault(layer => layer.Type == "Conv2D") is { } last)
        {
            pictures.Add((InspectImages.Overlay(picture, _inside.GradCam(last.Name, pixels, target)), "grad-cam"));
        }

        pictures.Add((InspectImages.Signed(_inside.Occlusion(pixels, target)), "occlusion"));
        foreach (var (image, name) in pictures)
        {
            output.Write($"{name}.png", InspectImages.Enlarge(image, PictureSide));
        }

        var words = Invariant(
            $"{title}: {prediction.ClassName}, {100 * prediction.Probability:F2} %. Saliency and Grad-CAM glow where that class comes from; occlusion is red where covering a place lowers its probability, blue where it raises it.");
        var gallery = new Gallery(pictures);
        Add("Picture", Page.Words(words), gallery.ToHtml());
        return gallery;
    }

    /// <summary>A layer's filters, what it makes of a picture, and what excites it most.</summary>
    public void AddLayer(SummaryRow layer, float[] pixels, Dataset? data)
    {
        // At inference these only pass on what the layer before them gives.
        if (layer.Type is "Flatten" or "Dropout" or "GaussianDropout")
        {
            return;
        }

        var parts = new List<Html> { Page.Words($"{layer}. A unit sees {_inside.ReceptiveField(layer.Name)} pixels.") };
        if (layer.Type == "Conv2D")
        {
            var filters = _inside.Filters(layer.Name).Select(InspectImages.Filter).ToArray();
            AddSheet(parts, $"{layer.Name}-filters", "Filters: red above 0, blue below", filters, "filter");
        }

        var maps = _inside.FeatureMaps(layer.Name, pixels).Select(InspectImages.Map).ToArray();
        AddSheet(parts, $"{layer.Name}-maps", "Feature maps of the picture", maps, "channel");
        if (layer.Type == "Conv2D" && data is not null)
        {
            var patches = _inside.Patches(layer.Name, data.Take(MostSearched)).Select(Square).ToArray();
            AddSheet(parts, $"{layer.Name}-patches", "What excites each filter most, row by row", patches, "filter", MostPatches);
        }

        Add(layer.Name, [.. parts]);
    }

    /// <summary>Pictures of the data with what they are, what they are taken for, and how surely.</summary>
    public void AddJudged(string title, IReadOnlyList<JudgedPicture> judged, Dataset data)
    {
        if (judged.Count == 0)
        {
            Add(title, Page.Words("None."));
            return;
        }

        (Image Picture, JudgedPicture Of)[] pictures = [.. judged.Select(j => (InspectImages.Picture(Pixels(data.Shape, data.Picture(j.Picture))), j))];
        output.Write($"{title.ToLowerInvariant().Replace(' ', '-')}.png", new Gallery([.. pictures.Select(p => (p.Picture, Short(p.Of, data)))]).Sheet());
        Add(title, new Gallery([.. pictures.Select(p => (p.Picture, Long(p.Of, data)))]).ToHtml());
    }

    /// <summary>Writes the page.</summary>
    public void Finish(string name, IEnumerable<(string Name, string Value)> settings)
    {
        Add("Network", FSharp.Report.preformatted(model.Summary(name)));
        output.Write("report.html", Page.Of($"A look inside {name}", [.. _sections, Page.Settings(settings)]));
    }

    private static string Long(JudgedPicture judged, Dataset data) => Invariant(
        $"{data.ClassNames[judged.Label]}, taken for {Name(judged.Predicted, data)} at {100 * judged.Probability:F2} % (picture {judged.Picture})");

    /// <summary>As in "cat 93 %", with the true class where that is another one.</summary>
    private static string Short(JudgedPicture judged, Dataset data) => Invariant(
        $"{Name(judged.Predicted, data)} {100 * judged.Probability:F0} %{(judged.IsRight ? "" : $" ({data.ClassNames[judged.Label]})")}");

    private static string Name(int label, Dataset data) => label < data.ClassNames.Count ? data.ClassNames[label] : Invariant($"{label}");

    private static Tensor<double> Pixels(Shape shape, float[] pixels) => Tensor<double>.Of(shape, Array.ConvertAll(pixels, pixel => (double)pixel));

    private static Image Square(IReadOnlyList<ExcitingPatch> patches) => Image.Tile(
        PatchColumns, patches.Select(p => InspectImages.Enlarge(InspectImages.Picture(Pixels(p.Patch.Shape, p.Patch.ToArray())), PatchSide)), PatchGap, PatchPaper);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>The first of some pictures, as a file and in the page.</summary>
    private void AddSheet(List<Html> parts, string file, string words, Image[] images, string each, int most = MostMaps)
    {
        var shown = new Gallery([.. images.Take(most).Select((image, i) => (image, Invariant($"{each} {i}")))]);
        output.Write($"{file}.png", shown.Sheet());
        parts.Add(Page.Words(shown.Items.Count < images.Length ? $"{words}, the first {most} of {images.Length}" : words));
        parts.Add(shown.ToHtml());
    }

    private void Add(string heading, params Html[] parts) => _sections.Add(Page.Section(heading, parts));
}
