using System.CommandLine;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Vu's network and loss, and the four things that her paper leaves to do, switched on one by one.</summary>
internal static class VanillaCommand
{
    private const string Net = "vanilla";
    private const int WarmUp = 1_000;
    private const string Printed = "The source prints 14 h an epoch and 76.7 % of MNIST after three days, and 88 % after 10 epochs for its Keras program.";

    private static readonly string Note = Architectures.NoteOf(Net)!;

    public static Command Create(CancellationToken cancellationToken) =>
        new Experiment.Options("synthetic", Architectures.SourceSettingsOf(Net)!.Options.Epochs, "report.html").Command(
            Net,
            "Trains Vu's network as her paper does, then with threads, softmax, momentum and learning-rate decay.",
            (job, _) => Run(job, cancellationToken));

    private static void Run(Experiment job, CancellationToken cancellationToken)
    {
        var shapes = Shapes();
        var (train, test) = job.Load(Net, Architectures.Vanilla, cancellationToken);
        if (!job.IsJson)
        {
            shapes.Print();
            Console.WriteLine();
            Console.WriteLine($"Data      {job.Data}: {train.Count} pictures to learn from, {test.Count} to test on");
        }

        var steps = VanillaStudy.Steps(job.Epochs);

        // Compiles the code, which the first step should not pay for.
        _ = steps[0].Network.Build().Fit(train.Take(WarmUp), cancellationToken: cancellationToken);
        var results = steps.Select(step =>
        {
            var model = step.Network.Build(job.Seed).WithThreads(step.IsParallel ? job.Threads : 1);
            var fit = TrainingDisplay.Run(model, train, step.Options with { Seed = job.Seed }, job.IsJson, cancellationToken);
            var result = new Result(step, fit, fit.Model.Evaluate(test));
            if (!job.IsJson)
            {
                Console.WriteLine($"{step.Name}: {Words.Percent(result.Evaluation.Accuracy)} after {Words.Seconds(fit.Duration)}");
            }

            return result;
        }).ToArray();

        var table = Table(job, results);
        if (job.IsJson)
        {
            PrintJson(job, results);
        }
        else
        {
            table.Print();
            Console.WriteLine();
            Console.WriteLine(Threads(results));
            Console.WriteLine(Printed);
            Console.WriteLine(Note);
        }

        job.Folder?.Write("report.html", Page.Of(
            "Vu's network, step by step",
            Page.Section("Shapes", shapes.ToHtml()),
            Page.Section("Steps", table.ToHtml(), Page.Words(Threads(results)), Page.Words(Printed), Page.Words(Note)),
            Page.Section("Learning", Page.Compare(
                "Share of the training pictures told right while training",
                "accuracy",
                results.Select(result => (result.Step.Name, result.Fit.History.Select(epoch => epoch.Accuracy))))),
            Page.Settings(job.Settings)));
    }

    private static Words Shapes()
    {
        var layers = Architectures.Vanilla.Build().Layers;
        return new(
            "Shape of what each layer gives",
            ["layer", "paper", "measured"],
            [.. layers.Zip(VanillaStudy.PaperShapes, VanillaStudy.MeasuredShapes()).Select(row => new[] { row.First.Name, $"{row.Second}", $"{row.Third}" })]);
    }

    private static Words Table(Experiment job, Result[] results) => new(
        $"After {Words.Epochs(job.Epochs)}, each step with all that came before it",
        ["step", "test accuracy", "test loss", "seconds", "loss", "optimiser"],
        [.. results.Select(result => new[]
        {
            result.Step.Name,
            Words.Percent(result.Evaluation.Accuracy),
            FormattableString.Invariant($"{result.Evaluation.Loss:F4}"),
            Words.Seconds(result.Fit.Duration),
            $"{result.Step.Options.Loss}",
            $"{result.Step.Options.Optimizer}",
        })]);

    private static string Threads(Result[] results) =>
        results[0].Fit.Model.WeightHash == results[1].Fit.Model.WeightHash
            ? FormattableString.Invariant(
                $"Threads change no bit of the weights; they are {results[0].Fit.Duration / results[1].Fit.Duration:F2} times as fast.")
            : "Threads changed the weights, which they must not.";

    private static void PrintJson(Experiment job, Result[] results) => Json.Print(writer =>
    {
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", job.Epochs);
        writer.WriteStartArray("steps");
        foreach (var (step, fit, evaluation) in results)
        {
            writer.WriteStartObject();
            writer.WriteString("name", step.Name);
            writer.WriteNumber("testAccuracy", evaluation.Accuracy);
            writer.WriteReal("testLoss", evaluation.Loss);
            writer.WriteNumber("trainSeconds", Math.Round(fit.Duration.TotalSeconds, 3));
            writer.WriteString("weightHash", fit.Model.WeightHash);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteReal("printedAccuracy", Architectures.PrintedOf(Net)?.Accuracy);
        writer.WriteString("note", Note);
        writer.WriteBoolean("shapesAsInThePaper", VanillaStudy.PaperShapes.SequenceEqual(VanillaStudy.MeasuredShapes()));
        writer.WriteString("instructionSet", results[0].Fit.Model.InstructionSet);
    });

    private sealed record Result(VanillaStep Step, FitResult Fit, Evaluation Evaluation);
}
