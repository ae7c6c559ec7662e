using System.CommandLine;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Fan and Yam 11.4: filters that stay as they are before a dense layer that learns, against filters that learn too.</summary>
internal static class FixedFiltersCommand
{
    private const string Name = "fixed-filters";
    private const int Epochs = 3;
    private const int WarmUp = 1_000;

    public static Command Create(CancellationToken cancellationToken) =>
        new Experiment.Options("synthetic", Epochs, "filters.png and report.html").Command(
            Name,
            "Trains a dense layer on a bank of fixed filters, and the same network with learned filters.",
            (job, _) => Run(job, cancellationToken));

    private static void Run(Experiment job, CancellationToken cancellationToken)
    {
        var (train, test) = job.Load(Shape.Of(28, 28, 1), cancellationToken);
        var (shape, classes, seed) = (train.Shape, train.ClassNames.Count, job.Seed);
        var options = new FitOptions { Epochs = job.Epochs, Seed = seed };
        if (!job.IsJson)
        {
            Console.WriteLine($"Data      {job.Data}: {train.Count} pictures to learn from, {test.Count} to test on");
            Console.WriteLine($"Filters   {string.Join(", ", Filter.All)}");
        }

        (string Name, Model Model)[] models =
        [
            ("fixed", FixedFilters.Frozen(shape, classes, seed: seed)),
            ("fixed, then learned", FixedFilters.Tuned(shape, classes, seed: seed)),
            ("learned from noise", FixedFilters.Learned(shape, classes, seed: seed)),
        ];

        // Compiles the code, which the first network should not pay for.
        _ = models[^1].Model.Fit(train.Take(WarmUp), cancellationToken: cancellationToken);
        var results = models.Select(start =>
        {
            var fit = TrainingDisplay.Run(start.Model.WithThreads(job.Threads), train, options, job.IsJson, cancellationToken);
            var result = new Result(start.Name, fit, fit.Model.Evaluate(test));
            if (!job.IsJson)
            {
                Console.WriteLine($"{start.Name}: {Words.Percent(result.Evaluation.Accuracy)} after {Words.Seconds(fit.Duration)}");
            }

            return result;
        }).ToArray();

        var table = Table(job, options, results);
        if (job.IsJson)
        {
            PrintJson(job, results);
        }
        else
        {
            table.Print();
        }

        if (job.Folder is { } folder)
        {
            Write(folder, job, train, results, table);
        }
    }

    private static Words Table(Experiment job, FitOptions options, Result[] results) => new(
        $"After {Words.Epochs(job.Epochs)} of {options.Optimizer}",
        ["filters", "test accuracy", "test loss", "seconds", "trainable", "not trainable"],
        [.. results.Select(result => new[]
        {
            result.Name,
            Words.Percent(result.Evaluation.Accuracy),
            FormattableString.Invariant($"{result.Evaluation.Loss:F4}"),
            Words.Seconds(result.Fit.Duration),
            Words.Count(result.Trainable),
            Words.Count(result.Fit.Model.ParameterCount - result.Trainable),
        })]);

    /// <summary>What the network with fixed filters sees of the first picture.</summary>
    private static Gallery Seen(Dataset train)
    {
        var picture = FSharp.Image.ofPixels(train.Shape, train.Picture(0));
        return new([(picture, "original"), .. Filter.All.Select(filter => (filter.Apply(picture), $"{filter}"))]);
    }

    private static void Write(OutputFolder folder, Experiment job, Dataset train, Result[] results, Words table)
    {
        var seen = Seen(train);
        folder.Write("filters.png", seen.Sheet());
        folder.Write("report.html", Page.Of(
            "Fixed filters against learned ones",
            Page.Section("Result", table.ToHtml()),
            Page.Section("Learning", Page.Compare(
                "Share of the training pictures told right while training",
                "accuracy",
                results.Select(result => (result.Name, result.Fit.History.Select(epoch => epoch.Accuracy))))),
            Page.Section("What the fixed filters make of a picture", seen.ToHtml()),
            Page.Section("Network", FSharp.Report.preformatted(results[0].Fit.Model.Summary(Name))),
            Page.Settings([.. job.Settings, ("batch size", $"{new FitOptions().BatchSize}")])));
    }

    private static void PrintJson(Experiment job, Result[] results) => Json.Print(writer =>
    {
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", job.Epochs);
        writer.WriteStartArray("networks");
        foreach (var result in results)
        {
            writer.WriteStartObject();
            writer.WriteString("filters", result.Name);
            writer.WriteNumber("testAccuracy", result.Evaluation.Accuracy);
            writer.WriteReal("testLoss", result.Evaluation.Loss);
            writer.WriteNumber("trainSeconds", Math.Round(result.Fit.Duration.TotalSeconds, 3));
            writer.WriteNumber("trainable", result.Trainable);
            writer.WriteNumber("parameters", result.Fit.Model.ParameterCount);
            writer.WriteString("weightHash", result.Fit.Model.WeightHash);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteString("instructionSet", results[0].Fit.Model.InstructionSet);
    });

    private sealed record Result(string Name, FitResult Fit, Evaluation Evaluation)
    {
        public int Trainable => Fit.Model.Layers.Sum(layer => layer.Trainable);
    }
}
