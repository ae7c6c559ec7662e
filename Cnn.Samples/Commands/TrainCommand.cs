using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Trains a network and tests it: the main job.</summary>
internal static class TrainCommand
{
    private const int Epochs = 5;

    public static Command Create(CancellationToken cancellationToken)
    {
        var net = Arguments.Name("--net", "network", Architectures.Names, "lenet5");
        var data = DataSources.Option();
        var epochs = Arguments.Whole("--epochs", "Times that the training pictures are gone through.", Epochs, smallest: 1);
        var batch = Arguments.Whole("--batch", "Pictures of a step.", new FitOptions().BatchSize, smallest: 1);
        var optimizer = Arguments.Name("--optimizer", "optimiser", Optimizers.Names, "adam");
        var rate = Arguments.Positive("--learning-rate", $"Length of the steps [default: {Optimizers.LearningRates}].");
        var seed = Arguments.Whole("--seed", "Decides the first weights and the order of the pictures.", 0);
        var threads = Arguments.Whole(
            "--threads", "Processors to use; the result is the same for any number.", Environment.ProcessorCount, smallest: 1);
        var json = Arguments.Json();
        var command = new Command("train", "Trains a network and tests it on pictures that it has not seen.")
        {
            net, data, epochs, batch, optimizer, rate, seed, threads, json,
        };
        command.SetAction(line =>
        {
            var job = new Job(
                line.GetRequiredValue(net),
                line.GetRequiredValue(data),
                new FitOptions
                {
                    Epochs = line.GetValue(epochs),
                    BatchSize = line.GetValue(batch),
                    Optimizer = Optimizers.Find(line.GetRequiredValue(optimizer), line.GetValue(rate)),
                    Loss = Architectures.LossOf(line.GetRequiredValue(net)),
                    Seed = line.GetValue(seed),
                },
                line.GetValue(threads));
            Run(job, line.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static void Run(Job job, bool json, CancellationToken cancellationToken)
    {
        var network = Architectures.Find(job.Net);
        var model = network.Build(job.Options.Seed).WithThreads(job.Threads);
        var (train, test) = job.Data.Load(new ParallelScheduler(job.Threads));
        (train, test) = (DataSources.Fit(train, job.Data, job.Net, network), DataSources.Fit(test, job.Data, job.Net, network));
        if (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("Cancelled before the training began.", cancellationToken);
        }

        if (!json)
        {
            Console.WriteLine(model.Summary(job.Net));
            Console.WriteLine();
            Console.WriteLine($"Data      {job.Data}: {train.Count} pictures to learn from, {test.Count} to test on");
            Console.WriteLine($"Training  {job.Options.Optimizer}, batches of {job.Options.BatchSize}, {job.Threads} × {model.InstructionSet}");
        }

        var result = TrainingDisplay.Run(model, train, job.Options, isQuiet: json, cancellationToken);
        var evaluation = result.Model.Evaluate(test, job.Options.Loss);
        if (json)
        {
            PrintJson(job, result, evaluation);
        }
        else
        {
            Print(result, evaluation);
        }
    }

    private static void Print(FitResult result, Evaluation evaluation)
    {
        Console.WriteLine();
        ConfusionTable.Print(evaluation.ConfusionMatrix);
        Console.WriteLine();
        Console.WriteLine(Invariant($"Test accuracy {100 * evaluation.Accuracy:F2} % of {evaluation.ConfusionMatrix.Total} pictures, loss {evaluation.Loss:F4}"));
        Console.WriteLine(Invariant($"Training time {result.Duration.TotalSeconds:F1} s"));
        Console.WriteLine($"Weights {result.Model.InstructionSet} {result.Model.WeightHash}");
    }

    private static void PrintJson(Job job, FitResult result, Evaluation evaluation) => Json.Print(writer =>
    {
        writer.WriteString("net", job.Net);
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", job.Options.Epochs);
        writer.WriteNumber("testAccuracy", evaluation.Accuracy);
        writer.WriteReal("testLoss", evaluation.Loss);
        writer.WriteNumber("trainSeconds", Math.Round(result.Duration.TotalSeconds, 3));
        writer.WriteNumber("parameters", result.Model.ParameterCount);
        writer.WriteString("instructionSet", result.Model.InstructionSet);
        writer.WriteString("weightHash", result.Model.WeightHash);
    });

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Job(string Net, DataSource Data, FitOptions Options, int Threads);
}
