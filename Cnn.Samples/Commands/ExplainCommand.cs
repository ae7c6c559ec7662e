using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Html = Cnn.FSharp.Html;
using Report = Cnn.FSharp.Report;
using Trial = Cnn.FSharp.IOrQTrial<float>;

namespace Cnn.Samples.Commands;

/// <summary>What <c>explain</c> is to do.</summary>
internal sealed record ExplainSettings(DataSource Data, int Epochs, int Seed, int Threads);

/// <summary>Fan and Yam 11.6.3: what one filter learned, and whether one made by hand does as well.</summary>
internal static class ExplainCommand
{
    private const string Net = "iorq";
    private const string DefaultData = "synthetic-glyphs";
    private const int PicturesOfEach = 4;
    private const int PictureSide = 128;

    public static Command Create(CancellationToken cancellationToken)
    {
        var data = DataSources.Option(DefaultData);
        var epochs = Arguments.Whole("--epochs", "Rounds over the training pictures.", 25, smallest: 1);
        var seed = Arguments.Whole("--seed", "Decides first weights and shuffling.", 0);
        var threads = Arguments.Whole("--threads", "Processors to use.", Environment.ProcessorCount, smallest: 1);
        var folder = new Option<string?>("--out") { HelpName = "DIR", Description = "A folder for PNGs and report.html." };
        var json = Arguments.Json();
        var command = new Command("explain", "Trains one filter to tell I from Q, and explains what it sees (Fan and Yam 11.6.3).")
        {
            data, epochs, seed, threads, folder, json,
        };
        command.SetAction(line => Run(
            new ExplainSettings(line.GetRequiredValue(data), line.GetValue(epochs), line.GetValue(seed), line.GetValue(threads)),
            line.GetValue(folder) is { } path ? new OutputFolder(path) : null,
            line.GetValue(json),
            cancellationToken));
        return command;
    }

    private static void Run(ExplainSettings job, OutputFolder? output, bool isJson, CancellationToken cancellationToken)
    {
        const string message = "Cancelled.";
        var scheduler = new CancellableScheduler(new ParallelScheduler(job.Threads), message, cancellationToken);
        var network = Architectures.Find(Net);
        var (train, test) = job.Data.Load(new Loading(scheduler, job.Seed, network.Input));
        if (train.ClassNames.Count != 2)
        {
            throw new InvalidDataException($"{job.Data.Text} has {train.ClassNames.Count} classes; this network tells two apart.");
        }

        Dataset Fit(Dataset pictures) => DataSources.Fit(pictures, job.Data, Net, network.Input, network.OutputShape);
        var backend = Simd.Backend<float>(job.Threads);
        var clock = Stopwatch.StartNew();
        var settings = FuncConvert.FromFunc<FSharp.TrainingSettings, FSharp.TrainingSettings>(defaults => defaults.With(_ => { }, cancellationToken));
        var trials = FSharp.IOrQ.run(backend, settings, job.Epochs, job.Seed, Fit(train), Fit(test)).ToArray();
        if (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(message, cancellationToken);
        }

        var maps = Maps(backend, trials, Fit(test));
        if (output is not null)
        {
            Write(job, trials, maps, train.ClassNames, clock.Elapsed, output);
        }

        if (isJson)
        {
            PrintJson(job, trials, clock.Elapsed);
            return;
        }

        Print(trials, clock.Elapsed);
        HalfBlocks.Print(maps.Where((_, i) => i % PicturesOfEach == 0).SelectMany(shown => shown));
        if (output is not null)
        {
            Console.WriteLine($"Written: {string.Join(", ", output.Files)}");
        }
    }

    /// <summary>The first pictures of each class, and what each filter makes of them.</summary>
    private static IReadOnlyList<(string Title, Image Picture)[]> Maps(Backend<float> backend, IReadOnlyList<Trial> trials, Dataset test)
    {
        Image Map(Trial trial, int index)
        {
            var pixels = Tensor<float>.Of(test.Shape, test.Picture(index));
            var map = FSharp.Inspect.featureMaps(backend, trial.Network, "conv2d", pixels).Single();
            return FSharp.InspectImages.map(map);
        }

        (string, Image)[] Show(int index)
        {
            var picture = Tensor<double>.Of(test.Shape, Array.ConvertAll(test.Picture(index), pixel => (double)pixel));
            var name = test.ClassNames[test.Labels[index]];
            return
            [
                ($"{name}, picture {index}", InspectImages.Picture(picture)),
                .. trials.Select(trial => ($"{name}, {trial.Name}", Map(trial, index))),
            ];
        }

        var chosen = Enumerable.Range(0, 2).SelectMany(label => Enumerable.Range(0, test.Count).Where(i => test.Labels[i] == label).Take(PicturesOfEach));
        return [.. chosen.Select(Show)];
    }

    private static void Write(
        ExplainSettings job, IReadOnlyList<Trial> trials, IReadOnlyList<(string Title, Image Picture)[]> maps, IReadOnlyList<string> classNames, TimeSpan time, OutputFolder output)
    {
        foreach (var (trial, name) in trials.Zip(["learned", "hand-made-kept", "hand-made-scaled-kept", "hand-made-refitted"]))
        {
            output.Write($"filter-{name}.png", InspectImages.Enlarge(FSharp.InspectImages.filter(trial.Kernel), PictureSide));
        }

        var all = maps.SelectMany(shown => shown).ToArray();
        output.Write("feature-maps.png", InspectImages.Sheet(all.Select(p => InspectImages.Enlarge(p.Picture, PictureSide)), trials.Count + 1));

        static FSharpList<T> List<T>(IEnumerable<T> items) => ListModule.OfSeq(items);
        static Html Table(string caption, IEnumerable<(string Name, string Value)> rows) =>
            Report.settings(caption, List(rows.Select(row => Tuple.Create(row.Name, row.Value))));

        var sections = trials
            .Select(trial => Report.section(trial.Name, List<Html>(
            [
                Report.pictures(List([Tuple.Create(FSharp.InspectImages.filter(trial.Kernel), Formula(trial))])),
                Table("What the filter answers to eight lines", LineProbes.Names.Zip(trial.Probes, (name, answer) => (name, Number(answer)))),
                Table("How the network does", Measures(trial)),
            ])))
            .Append(Report.section($"Feature maps of {PicturesOfEach} pictures of {classNames[0]} and {classNames[1]}", List<Html>(
                [Report.pictures(List(all.Select(p => Tuple.Create(p.Picture, p.Title))))])))
            .Append(Report.section("Settings", List<Html>([Table("Settings",
            [
                ("data", job.Data.Text),
                ("epochs", Number(job.Epochs)),
                ("seed", Number(job.Seed)),
                ("threads", Number(job.Threads)),
                ("seconds", Number(Math.Round(time.TotalSeconds, 1))),
            ])])));
        output.Write("report.html", Report.page("I or Q: what one filter sees", List(sections)));
    }

    private static IEnumerable<(string Name, string Value)> Measures(Trial trial) =>
    [
        ("likeness to the hand-made filter", Number(trial.Likeness)),
        ("training loss", Number(trial.Train.Loss)),
        ("training accuracy", Percent(trial.Train.Accuracy)),
        ("test loss", Number(trial.Test.Loss)),
        ("test accuracy", Percent(trial.Test.Accuracy)),
    ];

    /// <summary>As in "[−0.55 0.04 0.63; …], b = −0.4".</summary>
    private static string Formula(Trial trial)
    {
        var rows = trial.Kernel.ToArray().Chunk(3).Select(row => string.Join(' ', row.Select(weight => Number(weight))));
        return $"K = [{string.Join("; ", rows)}], b = {Number(trial.Bias)}";
    }

    private static void Print(IReadOnlyList<Trial> trials, TimeSpan time)
    {
        foreach (var trial in trials)
        {
            Console.WriteLine(trial.Name);
            Console.WriteLine($"  {Formula(trial)}");
            Console.WriteLine($"  lines {string.Join(", ", LineProbes.Names.Zip(trial.Probes, (name, answer) => $"{name} {Number(answer)}"))}");
            Console.WriteLine($"  {string.Join(", ", Measures(trial).Select(measure => $"{measure.Name} {measure.Value}"))}");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Time {time.TotalSeconds:F1} s"));
    }

    private static void PrintJson(ExplainSettings job, IReadOnlyList<Trial> trials, TimeSpan time) => Json.Print(writer =>
    {
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", job.Epochs);
        writer.WriteNumber("seed", job.Seed);
        writer.WriteNumber("seconds", Math.Round(time.TotalSeconds, 3));
        writer.WriteStartArray("filters");
        foreach (var trial in trials)
        {
            writer.WriteStartObject();
            writer.WriteString("name", trial.Name);
            writer.WriteNumbers("kernel", trial.Kernel.ToArray().Select(weight => (double)weight));
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

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F2} %");
}
