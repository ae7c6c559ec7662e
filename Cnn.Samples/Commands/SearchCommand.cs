using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Cnn.Fluent;
using Cnn.Samples.Rendering;
using Microsoft.FSharp.Collections;

namespace Cnn.Samples.Commands;

/// <summary>Searches for learning rate, penalty and layer sizes: Fossheim's "gridsearch".</summary>
internal static class SearchCommand
{
    public static Command Create(CancellationToken cancellationToken)
    {
        var command = new Command("search", "Searches for learning rate, penalty and layer sizes, on a grid or at random; the test set is asked once, for the chosen ones.");
        var arguments = new SearchArguments();
        arguments.AddTo(command);
        command.SetAction(line => Run(arguments.Settings(line), cancellationToken));
        return command;
    }

    private static void Run(SearchSettings job, CancellationToken cancellationToken)
    {
        var folder = job.Search.Folder is { } path ? new OutputFolder(path) : null;
        var network = Architectures.Find(job.Net);
        var (train, test) = Load(job, network, cancellationToken);
        if (!job.IsJson)
        {
            Announce(job, network, train, test);
        }

        var clock = Stopwatch.StartNew();
        var result = SearchDisplay.Run(network, train, job.Search, job.IsJson, cancellationToken);
        var evaluation = result.Model.Evaluate(test, job.Search.Fit.Loss);
        var outcome = new SearchOutcome(job, result, evaluation, clock.Elapsed);
        if (folder is not null)
        {
            folder.Write("report.html", Page(outcome));
            folder.Write("search.json", Json.Text(writer => Write(writer, outcome), isIndented: true) + "\n");
        }

        if (job.IsJson)
        {
            Json.Print(writer => Write(writer, outcome));
        }
        else
        {
            Print(outcome);
        }
    }

    private static (Dataset Train, Dataset Test) Load(SearchSettings job, NetworkBuilder network, CancellationToken cancellationToken)
    {
        var (train, test) = job.Data.Bring(
            job.Threads, job.Search.Fit.Seed, network.Input, "Cancelled before the search began.", cancellationToken);
        return (Fit(train), Fit(test));

        Dataset Fit(Dataset pictures) => DataSources.Fit(pictures, job.Data, job.Net, network.Input, network.OutputShape);
    }

    private static void Announce(SearchSettings job, NetworkBuilder network, Dataset train, Dataset test)
    {
        Console.WriteLine($"Network   {job.Net}: {network}");
        Console.WriteLine($"Data      {job.Data}: {train.Count} pictures to learn from and to choose by, {test.Count} to test the chosen candidate on");
        Console.WriteLine(Invariant($"          {100 * job.Search.Fit.ValidationFraction:0.##} % of the first are held back for the choice"));
        Console.WriteLine($"Training  {job.Search.Fit.Optimizer.Kind}, {job.Search.Fit.Epochs} epochs in batches of {job.Search.Fit.BatchSize}, candidates at once: {job.Threads}");
        Console.WriteLine();
    }

    private static void Print(SearchOutcome outcome)
    {
        var (_, result, evaluation, time) = outcome;
        Console.WriteLine();
        HeatTable.Print(result.Trials);
        Console.WriteLine();
        Console.WriteLine($"Chosen    {result.Best.Candidate}");
        Console.WriteLine(Invariant($"          validation accuracy {100 * result.Best.Accuracy:F2} %, loss {result.Best.Loss:F4}"));
        Console.WriteLine(Invariant($"          trained anew on all pictures: test accuracy {100 * evaluation.Accuracy:F2} % of {evaluation.ConfusionMatrix.Total} pictures, loss {evaluation.Loss:F4}"));
        if (Edges(result) is { Length: > 0 } edges)
        {
            Console.WriteLine($"          at the edge of what was searched: look beyond it in {string.Join(" and ", edges)}");
        }

        Console.WriteLine(Invariant($"Time      {time.TotalSeconds:F1} s for {result.Trials.Count - result.Resumed} of {result.Trials.Count} candidates and the chosen one"));
        Console.WriteLine($"Weights   {result.Model.InstructionSet} {result.Model.WeightHash}");
    }

    /// <summary>The numbers whose best value is the smallest or the largest tried, 0 being the smallest there is.</summary>
    private static string[] Edges(SearchResult result)
    {
        (string Name, Func<Candidate, double> Value)[] numbers = [("learning rate", candidate => candidate.LearningRate), ("l2", candidate => candidate.L2)];
        return [.. numbers.Where(number => IsEdge(result.Trials.Select(trial => number.Value(trial.Candidate)), number.Value(result.Best.Candidate))).Select(number => number.Name)];

        static bool IsEdge(IEnumerable<double> tried, double best) =>
            tried.Min() < tried.Max() && best > 0 && (best == tried.Min() || best == tried.Max());
    }

    private static string Page(SearchOutcome outcome)
    {
        var (job, result, evaluation, time) = outcome;
        var trials = ListModule.OfSeq(result.Trials);
        var maps = FSharp.SearchReport.heatMaps(trials);
        var fit = job.Search.Fit;
        (string, string)[] settings =
        [
            ("network", job.Net), ("data", job.Data.Text), ("optimiser", $"{fit.Optimizer.Kind}"), ("schedule", job.Schedule ?? "constant"),
            ("epochs", $"{fit.Epochs}"), ("batch size", $"{fit.BatchSize}"), ("augmentation", $"{fit.Augmentation}"),
            ("validation share", Invariant($"{fit.ValidationFraction}")), ("candidates", $"{result.Trials.Count}, {(job.Search.Random is null ? "a grid" : "drawn at random")}"),
            ("seed", $"{fit.Seed}"), ("time", Invariant($"{time.TotalSeconds:F1} s on {job.Threads} × {result.Model.InstructionSet}")), ("weights", result.Model.WeightHash),
        ];
        return FSharp.Report.page(
            $"Search for {job.Net} on {job.Data}",
            ListModule.OfSeq(
            [
                FSharp.Report.paragraph(Invariant($"Chosen: {result.Best.Candidate}, for a validation accuracy of {100 * result.Best.Accuracy:F2} %.")),
                FSharp.Report.paragraph(Invariant($"Trained anew on all pictures but the test set, it has {100 * evaluation.Accuracy:F2} % of {evaluation.ConfusionMatrix.Total} test pictures right, loss {evaluation.Loss:F4}. No other candidate was tested.")),
                .. maps.IsEmpty ? Array.Empty<FSharp.Html>() : [FSharp.Report.section("Heat map", maps)],
                FSharp.Report.section("Candidates", [FSharp.SearchReport.ranking(trials)]),
                FSharp.Report.section("Classes of the test set", [FSharp.Report.confusion(evaluation.ConfusionMatrix), FSharp.Report.classes(evaluation.ConfusionMatrix)]),
                FSharp.Report.section("Network", [FSharp.Report.preformatted(result.Model.Summary(job.Net))]),
                Rendering.Page.Settings(settings),
            ]));
    }

    private static void Write(Utf8JsonWriter writer, SearchOutcome outcome)
    {
        var (job, result, evaluation, time) = outcome;
        writer.WriteString("net", job.Net);
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("seed", job.Search.Fit.Seed);
        writer.WriteNumber("candidates", result.Trials.Count);
        writer.WriteNumber("resumed", result.Resumed);
        writer.WriteStartArray("trials");
        foreach (var trial in result.Trials)
        {
            writer.WriteStartObject();
            Write(writer, trial);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("best");
        Write(writer, result.Best);
        writer.WriteEndObject();
        writer.WriteNumber("testAccuracy", evaluation.Accuracy);
        writer.WriteReal("testLoss", evaluation.Loss);
        writer.WriteNumber("seconds", Math.Round(time.TotalSeconds, 3));
        writer.WriteNumber("parameters", result.Model.ParameterCount);
        writer.WriteString("instructionSet", result.Model.InstructionSet);
        writer.WriteString("weightHash", result.Model.WeightHash);
    }

    private static void Write(Utf8JsonWriter writer, SearchTrial trial)
    {
        writer.WriteNumber("learningRate", trial.Candidate.LearningRate);
        writer.WriteNumber("l2", trial.Candidate.L2);
        writer.WriteStartArray("layers");
        foreach (var size in trial.Candidate.Layers)
        {
            writer.WriteNumberValue(size);
        }

        writer.WriteEndArray();
        writer.WriteReal("trainingLoss", trial.TrainingLoss);
        writer.WriteReal("validationLoss", trial.Loss);
        writer.WriteNumber("validationAccuracy", trial.Accuracy);
        writer.WriteBoolean("diverged", trial.IsDiverged);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record SearchOutcome(SearchSettings Job, SearchResult Result, Evaluation Evaluation, TimeSpan Time);
}
