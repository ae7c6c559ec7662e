using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Fan and Yam 11.6.3: what one filter learned, and whether one made by hand does as well.</summary>
internal static class ExplainCommand
{
    private const string Net = "iorq";
    private const int PicturesOfEach = 4;
    private const int FilterSide = 128;

    /// <summary>The filters in the order of the study, in few words.</summary>
    private static readonly string[] Names = ["learned", "hand-made", "hand-made, scaled", "hand-made, refitted"];

    private const string Meaning =
        "Learned with the dense layer; made by hand, the dense layer kept; the same at the scale of the learned one; made by hand, the dense layer learned anew.";

    public static Command Create(CancellationToken cancellationToken) =>
        new Experiment.Options("synthetic-glyphs", Architectures.SourceSettingsOf(Net)!.Options.Epochs, "PNGs and report.html").Command(
            "explain",
            "Trains one filter to tell I from Q, and explains what it sees (Fan and Yam 11.6.3).",
            (job, _) => Run(job, cancellationToken));

    private static void Run(Experiment job, CancellationToken cancellationToken)
    {
        var (train, test) = job.Load(Net, Architectures.IOrQ, cancellationToken);
        if (train.ClassNames.Count != 2)
        {
            throw new InvalidDataException($"{job.Data} has {train.ClassNames.Count} classes; this network tells two apart.");
        }

        var clock = Stopwatch.StartNew();
        var trials = IOrQStudy.Run(train, test, job.Epochs, job.Seed, job.Threads, cancellationToken);
        var time = clock.Elapsed;
        var maps = Maps(trials, test);
        if (job.Folder is { } folder)
        {
            Write(folder, job, trials, maps, train.ClassNames, time);
        }

        if (job.IsJson)
        {
            PrintJson(job, trials, time);
            return;
        }

        Console.WriteLine(Meaning);
        Filters(trials).Print();
        Lines(trials).Print();
        Measures(trials).Print();
        Console.WriteLine();
        Console.WriteLine(Architectures.NoteOf(Net));
        Console.WriteLine($"Time {Words.Seconds(time)}");
        new Gallery([.. maps.Chunk(trials.Count + 1).Where((_, i) => i % PicturesOfEach == 0).SelectMany(shown => shown)]).Show();
        if (job.Folder is { } written)
        {
            Console.WriteLine($"Written: {string.Join(", ", written.Files)}");
        }
    }

    /// <summary>The first pictures of each class, each followed by what the filters make of it.</summary>
    private static (Image Picture, string Words)[] Maps(IReadOnlyList<IOrQTrial> trials, Dataset test)
    {
        var chosen = Enumerable.Range(0, 2).SelectMany(label => Enumerable.Range(0, test.Count).Where(i => test.Labels[i] == label).Take(PicturesOfEach));
        return [.. chosen.SelectMany(Show)];

        IEnumerable<(Image, string)> Show(int index)
        {
            var pixels = test.Picture(index);
            var name = test.ClassNames[test.Labels[index]];
            yield return (FSharp.Image.ofPixels(test.Shape, pixels), $"{name}, picture {index}");
            foreach (var (trial, filter) in trials.Zip(Names))
            {
                yield return (InspectImages.Map(trial.Model.Inspect().FeatureMaps("conv2d", pixels)[0]), filter);
            }
        }
    }

    private static void Write(
        OutputFolder folder, Experiment job, IReadOnlyList<IOrQTrial> trials, (Image Picture, string Words)[] maps, IReadOnlyList<string> classNames, TimeSpan time)
    {
        var filters = new Gallery([.. trials.Zip(Names, (trial, name) => (InspectImages.Filter(trial.Kernel), name))]);
        foreach (var (picture, name) in filters.Items)
        {
            folder.Write($"filter-{name.Replace(", ", "-", StringComparison.Ordinal)}.png", InspectImages.Enlarge(picture, FilterSide));
        }

        folder.Write("feature-maps.png", Image.ContactSheet(trials.Count + 1, maps));
        folder.Write("report.html", Page.Of(
            "I or Q: what one filter sees",
            Page.Section("Filters", Page.Words($"{Meaning} Red above 0, blue below."), filters.ToHtml(), Filters(trials).ToHtml()),
            Page.Section("Lines", Lines(trials).ToHtml()),
            Page.Section("How the network does", Measures(trials).ToHtml(), Page.Words(Architectures.NoteOf(Net)!)),
            Page.Section(
                $"Feature maps of {PicturesOfEach} pictures of {classNames[0]} and {classNames[1]}", maps.Chunk(trials.Count + 1).Select(shown => Page.Pictures(shown))),
            Page.Settings([.. job.Settings, ("time", Words.Seconds(time))])));
    }

    private static Words Filters(IReadOnlyList<IOrQTrial> trials) => new(
        "Weights, bias, and likeness to the filter made by hand",
        ["filter", "K", "b", "likeness"],
        [.. trials.Zip(Names, (trial, name) => new[] { name, Weights(trial), Number(trial.Bias), Number(trial.Likeness) })]);

    /// <summary>The answers side by side with those that the source prints.</summary>
    private static Words Lines(IReadOnlyList<IOrQTrial> trials) => new(
        "What the filters answer to eight lines",
        ["line", "printed, learned", "printed, hand-made", .. Names],
        [.. LineProbes.Names.Select((name, i) => (string[])
        [
            name, Number(IOrQStudy.PrintedProbes[i]), Number(IOrQStudy.PrintedHandMadeProbes[i]), .. trials.Select(trial => Number(trial.Probes[i])),
        ])]);

    private static Words Measures(IReadOnlyList<IOrQTrial> trials) => new(
        "Loss, and share of the pictures told right",
        ["filter", "training loss", "training accuracy", "test loss", "test accuracy"],
        [
            ["printed, learned", "–", "–", "–", Words.Percent(Architectures.PrintedOf(Net)!.Accuracy)],
            .. trials.Zip(Names, (trial, name) => new[]
            {
                name, Number(trial.Train.Loss), Words.Percent(trial.Train.Accuracy), Number(trial.Test.Loss), Words.Percent(trial.Test.Accuracy),
            }),
        ]);

    /// <summary>As in "−0.55 0.04 0.63; …", row by row.</summary>
    private static string Weights(IOrQTrial trial) =>
        string.Join("; ", trial.Kernel.ToArray().Chunk(3).Select(row => string.Join(' ', row.Select(Number))));

    private static void PrintJson(Experiment job, IReadOnlyList<IOrQTrial> trials, TimeSpan time) => Json.Print(writer =>
    {
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", job.Epochs);
        writer.WriteNumber("seed", job.Seed);
        writer.WriteNumber("seconds", Math.Round(time.TotalSeconds, 3));
        writer.WriteReal("printedAccuracy", Architectures.PrintedOf(Net)?.Accuracy);
        writer.WriteString("note", Architectures.NoteOf(Net));
        writer.WriteStartArray("filters");
        foreach (var trial in trials)
        {
            writer.WriteStartObject();
            writer.WriteString("name", trial.Name);
            writer.WriteNumbers("kernel", trial.Kernel.ToArray());
            writer.WriteReal("bias", trial.Bias);
            writer.WriteReal("likeness", trial.Likeness);
            writer.WriteNumbers("lines", trial.Probes);
            writer.WriteReal("trainLoss", trial.Train.Loss);
            writer.WriteReal("trainAccuracy", trial.Train.Accuracy);
            writer.WriteReal("testLoss", trial.Test.Loss);
            writer.WriteReal("testAccuracy", trial.Test.Accuracy);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
