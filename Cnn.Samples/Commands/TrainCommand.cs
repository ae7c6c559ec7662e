using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Trains a network and tests it: the main job.</summary>
internal static class TrainCommand
{
    public static Command Create(CancellationToken cancellationToken)
    {
        var command = new Command("train", "Trains a network and tests it on pictures that it has not seen.");
        var options = new TrainOptions();
        options.AddTo(command);
        command.SetAction(line => Run(options.Settings(line), cancellationToken));
        return command;
    }

    private static void Run(TrainSettings job, CancellationToken cancellationToken)
    {
        var report = job.Folder is null ? null : new TrainingReport(job.Folder);
        RequireFolderOf(job.ModelFile);
        var (train, test, preprocessing) = Load(job, job.Network, cancellationToken);
        var model = job.Network.Build(job.Fit.Seed, job.Precision).WithThreads(job.Threads).WithPreprocessing(preprocessing);
        if (!job.IsJson)
        {
            Announce(job, model, train, test);
        }

        using var page = job.Port is { } port ? LiveReport.Start($"{job.Net} on {job.Data}", port) : null;
        if (page is not null)
        {
            Console.Error.WriteLine($"The training is shown at {page.Address}");
        }

        var options = job.Fit with { Warnings = new Reporter<string>(warning => Console.Error.WriteLine("Warning: " + warning)), EpochProgress = page };
        var result = TrainingDisplay.Run(model, train, options, job.IsJson, cancellationToken);
        if (job.Recalibrate)
        {
            result = result with { Model = result.Model.Recalibrate(train) };
        }

        if (job.ModelFile is not null)
        {
            result.Model.Save(job.ModelFile);
        }

        var evaluation = result.Model.Evaluate(test, job.Fit.Loss);
        report?.Write(job, result, evaluation, test);
        page?.End(Invariant($"Done: test accuracy {100 * evaluation.Accuracy:F2} %"));
        if (job.IsJson)
        {
            PrintJson(job, result, evaluation);
        }
        else
        {
            Print(job, result, evaluation);
        }
    }

    /// <summary>Fails before the training, if it must.</summary>
    private static void RequireFolderOf(string? file)
    {
        if (file is not null && Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder && !Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"There is no folder {folder} to save the model in.");
        }
    }

    private static (Dataset Train, Dataset Test, Preprocessing Preprocessing) Load(
        TrainSettings job, NetworkBuilder network, CancellationToken cancellationToken)
    {
        var (train, test) = job.Data.Bring(
            job.Threads, job.Fit.Seed, network.Input, "Cancelled before the training began.", cancellationToken);
        var preprocessing = DataSources.Preprocessing(train.Shape, network.Input);
        return (Fit(train), Fit(test), preprocessing);

        Dataset Fit(Dataset pictures) => DataSources.Fit(pictures, job.Data, job.Net, network.Input, network.OutputShape, preprocessing);
    }

    private static void Announce(TrainSettings job, Model model, Dataset train, Dataset test)
    {
        Console.WriteLine(model.Summary(job.Net));
        Console.WriteLine();
        Console.WriteLine($"Data      {job.Data}: {train.Count} pictures to learn from, {test.Count} to test on");
        if (job.Fit.ValidationFraction > 0)
        {
            Console.WriteLine(Invariant($"          {100 * job.Fit.ValidationFraction:0.##} % of the first are held back for validation"));
        }

        if (job.Fit.Augmentation != Augmentation.None)
        {
            Console.WriteLine($"Augment   {job.Fit.Augmentation}");
        }

        if (job.Choices.Preset is { } source)
        {
            Console.WriteLine($"Preset    {source}");
        }

        // A schedule of the optimiser's own is printed with it.
        var isOwn = job.Fit.Optimizer.Schedule != Schedule.Constant;
        var schedule = job.Choices.Schedule is { } name && !isOwn ? $", {name} schedule" : "";
        Console.WriteLine($"Training  {job.Fit.Optimizer}{schedule}, batches of {job.Fit.BatchSize}, {job.Threads} × {model.InstructionSet}");
    }

    private static void Print(TrainSettings job, FitResult result, Evaluation evaluation)
    {
        Console.WriteLine();
        Curves.Print(result.History);
        if (job.Fit.EarlyStopping is not null)
        {
            var reason = result.Reason == StopReason.EarlyStopped ? $"Stopped early after epoch {result.History.Count}" : "All epochs done";
            Console.WriteLine($"{reason}: these are the weights of epoch {result.Epoch}");
        }

        if (job.Recalibrate)
        {
            Console.WriteLine("Statistics of batch normalisation taken anew over the training pictures");
        }

        ConfusionTable.Print(evaluation.ConfusionMatrix);
        Console.WriteLine();
        Console.WriteLine(Invariant($"Test accuracy {100 * evaluation.Accuracy:F2} % of {evaluation.ConfusionMatrix.Total} pictures, loss {evaluation.Loss:F4}"));
        Console.WriteLine(Invariant($"Training time {result.Duration.TotalSeconds:F1} s"));
        if (job.Printed is { } printed)
        {
            Console.WriteLine(printed);
        }

        Console.WriteLine($"Weights {result.Model.InstructionSet} {result.Model.WeightHash}");
        if (job.ModelFile is not null)
        {
            Console.WriteLine($"Saved as {job.ModelFile}");
        }
    }

    private static void PrintJson(TrainSettings job, FitResult result, Evaluation evaluation) => Json.Print(writer =>
    {
        writer.WriteString("net", job.Net);
        writer.WriteString("data", job.Data.Text);
        writer.WriteNumber("epochs", result.History.Count);
        writer.WriteNumber("testAccuracy", evaluation.Accuracy);
        writer.WriteReal("testLoss", evaluation.Loss);
        writer.WriteNumber("trainSeconds", Math.Round(result.Duration.TotalSeconds, 3));
        if (job.Choices.Preset is { } preset)
        {
            writer.WriteString("preset", preset);
            writer.WriteReal("printedAccuracy", Architectures.PrintedOf(job.Net)?.Accuracy);
            writer.WriteReal("printedSeconds", Architectures.PrintedOf(job.Net)?.Seconds);
            writer.WriteString("note", Architectures.NoteOf(job.Net));
        }

        writer.WriteNumber("parameters", result.Model.ParameterCount);
        writer.WriteString("instructionSet", result.Model.InstructionSet);
        writer.WriteString("weightHash", result.Model.WeightHash);
    });

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
