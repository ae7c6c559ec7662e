using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>The fixed filters of Fan and Yam 11.2.3 on a picture.</summary>
internal static class FiltersCommand
{
    private const int DrawnSide = 176;
    private const int DrawnDigit = 5;
    private const int NoiseSide = 512;

    public static Command Create()
    {
        var file = new Option<string?>("--image") { HelpName = "FILE", Description = "The picture [default: one that the library draws]." };
        var seed = Arguments.Whole("--seed", "Decides the drawn picture and the noise.", 0);
        var folder = OutputFolder.Option("Write a picture for each filter, contact-sheet.png and report.html there.");
        var json = Arguments.Json();
        var command = new Command("filters", "Applies the fixed filters to a picture, and measures how they smooth noise.") { file, seed, folder, json };
        command.SetAction(line =>
        {
            var key = Key.OfSeed(line.GetValue(seed));
            var picture = line.GetValue(file) is { } path ? Image.Load(path) : Drawn(key);
            Run(picture, line.GetValue(file) ?? "drawn", key, OutputFolder.Of(line.GetValue(folder)), line.GetValue(json));
        });
        return command;
    }

    private static Image Drawn(Key key) => FSharp.Image.ofPixels(
        Shape.Of(DrawnSide, DrawnSide, 3), FSharp.SyntheticDigits.drawColor(key, DrawnSide, DrawnDigit));

    private static void Run(Image picture, string source, Key key, OutputFolder? folder, bool isJson)
    {
        var filtered = Filter.All.Select(filter => (Filter: filter, Picture: filter.Apply(picture))).ToArray();
        var noise = Filter.All.Where(filter => filter.IsSmoothing).Append(Filter.Box(5)).Append(Filter.Gaussian(7))
            .Select(filter => (Filter: filter, Measured: filter.MeasureNoiseGain(key, NoiseSide))).ToArray();
        var gallery = new Gallery([(picture, "original"), .. filtered.Select(item => (item.Picture, Title(item.Filter)))]);
        var table = Table(noise);
        if (isJson)
        {
            PrintJson(source, picture, filtered.Select(item => item.Filter), noise);
        }
        else
        {
            Console.WriteLine($"{source} {picture}");
            gallery.Show();
            table.Print();
        }

        if (folder is not null)
        {
            Write(folder, source, picture, filtered, gallery, table);
        }
    }

    private static Words Table((Filter Filter, double Measured)[] noise) => new(
        $"Variance of independent noise after smoothing, measured on {NoiseSide}×{NoiseSide} pixels",
        ["filter", "measured", "Σ F²", "measured / Σ F²"],
        [.. noise.Select(row => new[] { $"{row.Filter}", Number(row.Measured), Number(row.Filter.NoiseGain), Number(row.Measured / row.Filter.NoiseGain) })]);

    private static string Number(double value) => value.ToString("F5", CultureInfo.InvariantCulture);

    /// <summary>Short, as most filters are 3×3.</summary>
    private static string Title(Filter filter) => filter.Size == 3 ? filter.Name : $"{filter}";

    private static string FileName(Filter filter) => $"{filter.Name}-{filter.Size}x{filter.Size}.png";

    private static void Write(
        OutputFolder folder, string source, Image picture, (Filter Filter, Image Picture)[] filtered, Gallery gallery, Words table)
    {
        folder.Write("original.png", picture);
        foreach (var (filter, result) in filtered)
        {
            folder.Write(FileName(filter), result);
        }

        folder.Write("contact-sheet.png", gallery.Sheet());
        folder.Write("report.html", Page.Of(
            "Fixed filters",
            Page.Section("Picture", Page.Facts("What is filtered", ("picture", source), ("shape", $"{picture}"))),
            Page.Section("Filtered", gallery.ToHtml()),
            Page.Section("Noise", table.ToHtml()),
            Page.Section("Weights", Page.Beside(Filter.All.Select(filter => Weights(filter).ToHtml())))));
    }

    private static Words Weights(Filter filter)
    {
        var places = Enumerable.Range(0, filter.Size).ToArray();
        return new(
            $"{filter}",
            ["row", .. places.Select(column => $"{column}")],
            [.. places.Select(row => (string[])[$"{row}", .. places.Select(column => Weight(filter[row, column]))])]);
    }

    /// <summary>A weight of −0 is told as 0.</summary>
    private static string Weight(double weight) => (weight + 0.0).ToString("0.####", CultureInfo.InvariantCulture);

    private static void PrintJson(string source, Image picture, IEnumerable<Filter> filters, (Filter Filter, double Measured)[] noise) => Json.Print(writer =>
    {
        writer.WriteString("image", source);
        writer.WriteString("shape", $"{picture}");
        writer.WriteStartArray("filters");
        foreach (var filter in filters)
        {
            writer.WriteStringValue($"{filter}");
        }

        writer.WriteEndArray();
        writer.WriteStartArray("noise");
        foreach (var (filter, measured) in noise)
        {
            writer.WriteStartObject();
            writer.WriteString("filter", $"{filter}");
            writer.WriteNumber("measured", measured);
            writer.WriteNumber("sumOfSquares", filter.NoiseGain);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });
}
