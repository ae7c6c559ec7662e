using System.Globalization;
using System.Text;
using System.Text.Json;
using Cnn.Fluent;
using Cnn.FSharp;
using Cnn.Samples.Commands;
using Cnn.Samples.Rendering;
using Microsoft.FSharp.Collections;

namespace Cnn.Samples;

/// <summary>What training came to, as files of a folder.</summary>
internal sealed class TrainingReport
{
    private const int CalibrationBins = 15;
    private const int PicturesShown = 24;

    private static readonly int[] TopRanks = [2, 3, 5];

    private readonly OutputFolder _folder;

    /// <summary>Makes the folder, so that it fails before the training, if it must.</summary>
    public TrainingReport(string folder) => _folder = new OutputFolder(folder);

    public void Write(TrainSettings job, FitResult result, Evaluation evaluation, Dataset test)
    {
        _folder.Write("report.html", Page(job, result, evaluation, test));
        _folder.Write("history.csv", Csv(result.History));
        _folder.Write("history.json", Json.Text(writer => WriteHistory(writer, result.History), isIndented: true) + "\n");
        _folder.Write("metrics.json", Json.Text(writer => WriteMetrics(writer, job, result, evaluation, test), isIndented: true) + "\n");
    }

    private static string Page(TrainSettings job, FitResult result, Evaluation evaluation, Dataset test)
    {
        var matrix = evaluation.ConfusionMatrix;
        var predictions = result.Model.Predict(test);
        var wrong = Enumerable.Range(0, test.Count)
            .Where(i => predictions[i].Class != test.Labels[i])
            .OrderByDescending(i => predictions[i].Probabilities[predictions[i].Class])
            .Take(PicturesShown);
        (string, string)[] settings =
        [
            ("network", job.Net), ("data", job.Data.Text), ("preset", job.Choices.Preset ?? "none"), ("optimiser", $"{job.Fit.Optimizer}"),
            ("schedule", job.Choices.Schedule ?? "constant"), ("batch size", $"{job.Fit.BatchSize}"), ("epochs", $"{result.History.Count}"),
            ("augmentation", $"{job.Fit.Augmentation}"), ("validation share", Invariant($"{job.Fit.ValidationFraction}")),
            ("seed", $"{job.Fit.Seed}"), ("training time", Invariant($"{result.Duration.TotalSeconds:F1} s on {job.Threads} × {result.Model.InstructionSet}")),
            ("weights", result.Model.WeightHash),
        ];
        return FSharp.Report.page(
            $"{job.Net} on {job.Data}",
            ListModule.OfSeq(
            [
                FSharp.Report.paragraph(Invariant($"Test accuracy {100 * evaluation.Accuracy:F2} % of {matrix.Total} pictures, loss {evaluation.Loss:F4}.")),
                .. job.Printed is { } printed ? new[] { FSharp.Report.paragraph(printed) } : [],
                FSharp.Report.section("Learning curves", [FSharp.Report.curves(ListModule.OfSeq(result.History))]),
                FSharp.Report.section("Classes", [FSharp.Report.confusion(matrix), FSharp.Report.classes(matrix)]),
                FSharp.Report.section("Samples", [Pictures(test, Enumerable.Range(0, Math.Min(PicturesShown, test.Count)), i => test.ClassNames[test.Labels[i]])]),
                FSharp.Report.section("Taken for another class, the surest first", [Pictures(test, wrong, i => Invariant($"{test.ClassNames[test.Labels[i]]} taken for {predictions[i].ClassName}, {100 * predictions[i].Probabilities[predictions[i].Class]:F0} %"))]),
                .. Inside(result.Model, test),
                FSharp.Report.section("Network", [FSharp.Report.preformatted(result.Model.Summary(job.Net))]),
                Rendering.Page.Settings(settings),
            ]));
    }

    /// <summary>The first convolution: its filters, and what it makes of the first picture.</summary>
    private static IEnumerable<Html> Inside(Model model, Dataset test)
    {
        if (model.Layers.FirstOrDefault(row => row.Type == "Conv2D") is { } layer)
        {
            var inside = model.Inspect();
            yield return FSharp.Report.section($"Filters of {layer.Name}", [Pictures(inside.Filters(layer.Name).Select(Fluent.InspectImages.Filter), "filter")]);
            yield return FSharp.Report.section(
                $"Feature maps of {layer.Name} for the first sample",
                [Pictures(inside.FeatureMaps(layer.Name, test.Picture(0)).Select(Fluent.InspectImages.Map), "map")]);
        }
    }

    private static Html Pictures(IEnumerable<Image> images, string words) =>
        FSharp.Report.pictures(ListModule.OfSeq(images.Take(PicturesShown).Select((image, i) => Tuple.Create(image, $"{words} {i + 1}"))));

    private static Html Pictures(Dataset pictures, IEnumerable<int> positions, Func<int, string> words) => FSharp.Report.pictures(
        ListModule.OfSeq(positions.Select(i => Tuple.Create(FSharp.Image.ofPixels(pictures.Shape, pictures.Picture(i)), words(i)))));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Csv(IReadOnlyList<EpochResult> history)
    {
        var text = new StringBuilder("epoch,loss,accuracy,learningRate,validationLoss,validationAccuracy\n");
        foreach (var epoch in history)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{epoch.Epoch},{epoch.Loss},{epoch.Accuracy},{epoch.LearningRate},{epoch.Validation?.Loss},{epoch.Validation?.Accuracy}\n");
        }

        return text.ToString();
    }

    private static void WriteHistory(Utf8JsonWriter writer, IReadOnlyList<EpochResult> history) => WriteArray(writer, "history", history, epoch =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("epoch", epoch.Epoch);
        writer.WriteReal("loss", epoch.Loss);
        writer.WriteNumber("accuracy", epoch.Accuracy);
        writer.WriteNumber("learningRate", epoch.LearningRate);
        writer.WriteReal("validationLoss", epoch.Validation?.Loss);
        writer.WriteReal("validationAccuracy", epoch.Validation?.Accuracy);
        writer.WriteEndObject();
    });

    private static void WriteMetrics(Utf8JsonWriter writer, TrainSettings job, FitResult result, Evaluation evaluation, Dataset test)
    {
        var predictions = result.Model.Predict(test);
        var labels = test.Labels.ToArray();
        var outputs = predictions[0].Probabilities.Count;
        writer.WriteNumber("accuracy", evaluation.Accuracy);
        writer.WriteReal("loss", evaluation.Loss);
        writer.WriteReal("logLoss", Fluent.Metrics.LogLoss(predictions, labels));
        writer.WriteReal("calibrationError", Fluent.Metrics.CalibrationError(predictions, labels, CalibrationBins));
        writer.WriteStartObject("topK");
        foreach (var rank in TopRanks.Where(rank => rank < outputs))
        {
            writer.WriteNumber(rank.ToString(CultureInfo.InvariantCulture), Fluent.Metrics.TopKAccuracy(predictions, labels, rank));
        }

        writer.WriteEndObject();
        WriteScores(writer, evaluation.ConfusionMatrix);
        WriteSettings(writer, job, result);
    }

    private static void WriteScores(Utf8JsonWriter writer, ConfusionMatrix matrix)
    {
        var classes = Enumerable.Range(0, matrix.ClassCount);
        WriteArray(writer, "classes", classes, c =>
        {
            writer.WriteStartObject();
            writer.WriteString("name", matrix.ClassNames[c]);
            WriteScore(writer, matrix.Score(c));
            writer.WriteEndObject();
        });
        writer.WriteStartObject("averages");
        foreach (var average in Enum.GetValues<Average>())
        {
            writer.WriteStartObject(average.ToString().ToLowerInvariant());
            WriteScore(writer, matrix.Score(average));
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        WriteArray(writer, "confusionMatrix", classes, row =>
            writer.WriteRawValue($"\n    [{string.Join(", ", classes.Select(column => matrix[row, column].ToString(CultureInfo.InvariantCulture)))}]"));
    }

    private static void WriteScore(Utf8JsonWriter writer, ClassScore score)
    {
        writer.WriteNumber("precision", score.Precision);
        writer.WriteNumber("recall", score.Recall);
        writer.WriteNumber("f1", score.F1);
        writer.WriteNumber("support", score.Support);
    }

    private static void WriteSettings(Utf8JsonWriter writer, TrainSettings job, FitResult result)
    {
        writer.WriteStartObject("settings");
        writer.WriteString("net", job.Net);
        writer.WriteString("data", job.Data.Text);
        writer.WriteString("preset", job.Choices.Preset);
        writer.WriteNumber("epochs", job.Fit.Epochs);
        writer.WriteNumber("batchSize", job.Fit.BatchSize);
        writer.WriteString("optimizer", job.Fit.Optimizer.Kind.ToString());
        writer.WriteNumber("learningRate", job.Fit.Optimizer.LearningRate);
        writer.WriteString("schedule", job.Choices.Schedule);
        writer.WriteNumber("weightDecay", job.Fit.Optimizer.WeightDecay);
        writer.WriteNumber("l2", job.Fit.Optimizer.L2);
        writer.WriteString("loss", $"{job.Fit.Loss?.Kind}");
        writer.WriteString("reduction", $"{job.Fit.Loss?.Reduction}");
        writer.WriteString("augmentation", job.Fit.Augmentation.ToString());
        writer.WriteNumber("validation", job.Fit.ValidationFraction);
        writer.WriteReal("earlyStopping", job.Fit.EarlyStopping?.Patience);
        writer.WriteBoolean("recalibrate", job.Recalibrate);
        writer.WriteString("precision", job.Precision == Precision.Single ? "float" : "double");
        writer.WriteEndObject();
        writer.WriteNumber("seed", job.Fit.Seed);
        writer.WriteNumber("epochsDone", result.History.Count);
        writer.WriteNumber("epoch", result.Epoch);
        writer.WriteString("stopReason", result.Reason.ToString());
        writer.WriteNumber("parameters", result.Model.ParameterCount);
        writer.WriteString("instructionSet", result.Model.InstructionSet);
        writer.WriteString("weightHash", result.Model.WeightHash);
    }

    private static void WriteArray<T>(Utf8JsonWriter writer, string name, IEnumerable<T> items, Action<T> write)
    {
        writer.WriteStartArray(name);
        foreach (var item in items)
        {
            write(item);
        }

        writer.WriteEndArray();
    }
}
