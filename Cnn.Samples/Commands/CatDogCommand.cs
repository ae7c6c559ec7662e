using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Fan and Yam 11.6.2 from end to end: a folder of pictures, training, a saved model, and what it says of a handful.</summary>
internal static class CatDogCommand
{
    private const string Net = "catdog";
    private const string ModelName = "catdog.safetensors";
    private const int DrawnPictures = 2_000;
    private const int Handful = 15;

    public static Command Create(CancellationToken cancellationToken)
    {
        var source = Architectures.SourceSettingsOf(Net)!.Options;
        var pictures = Arguments.WholeOrNone(
            "--pictures", $"At most so many pictures to learn from, validation included [default: all; {DrawnPictures} where the library draws them].", smallest: 10);
        var recalibrate = new Option<bool>("--recalibrate")
        {
            Description = "Take the statistics of batch normalisation anew over the training pictures after training.",
        };
        return new Experiment.Options("synthetic-glyphs", source.Epochs, $"{ModelName}, predictions.png and report.html").Command(
            Net,
            "Trains the cats-and-dogs network on two classes of pictures, saves and loads it, and shows what it says.",
            (experiment, line) =>
            {
                var isDrawn = experiment.Data.Text.StartsWith("synthetic", StringComparison.Ordinal);
                Run(
                    new Job(
                        experiment,
                        line.GetValue(pictures) ?? (isDrawn ? DrawnPictures : int.MaxValue),
                        source with { Epochs = experiment.Epochs, Seed = experiment.Seed },
                        line.GetValue(recalibrate)),
                    cancellationToken);
            },
            pictures,
            recalibrate);
    }

    private static void Run(Job job, CancellationToken cancellationToken)
    {
        var (folder, isJson) = (job.Experiment.Folder, job.Experiment.IsJson);
        var network = Architectures.CatDog;
        var (train, test) = Load(job, network.Input, cancellationToken);
        var toInput = DataSources.Preprocessing(network.Input, network.Input);
        var start = network.Build(job.Options.Seed).WithThreads(job.Experiment.Threads).WithPreprocessing(toInput);
        if (!isJson)
        {
            Console.WriteLine(start.Summary(Net));
            Console.WriteLine();
            Console.WriteLine($"Data      {job.Experiment.Data}: {train.Count} pictures to learn from, {Words.Percent(job.Options.ValidationFraction)} of them held back for validation, {test.Count} to test on");
        }

        var result = TrainingDisplay.Run(start, train, job.Options, isJson, cancellationToken);
        var trained = job.Recalibrate ? result.Model.Recalibrate(train) : result.Model;
        var model = SaveAndLoad(trained, folder).WithThreads(job.Experiment.Threads);
        var evaluation = model.Evaluate(test);
        var shown = test.Shuffle(job.Options.Seed).Take(Handful);
        var predictions = model.Predict(shown);
        var gallery = new Gallery([.. predictions.Select((prediction, i) => (PictureOf(shown, i), Title(prediction, shown, i)))]);
        if (isJson)
        {
            PrintJson(job, result, model, evaluation, shown, predictions);
        }
        else
        {
            ConfusionTable.Print(evaluation.ConfusionMatrix);
            gallery.Show();
            Console.WriteLine();
            Console.WriteLine($"Saved and loaded: weights {model.WeightHash}");
            Console.WriteLine($"Said of {shown.Count} pictures: {string.Join(", ", gallery.Items.Select(item => item.Words))}");
            Console.WriteLine($"Test accuracy {Words.Percent(evaluation.Accuracy)} of {evaluation.ConfusionMatrix.Total} pictures after {Words.Seconds(result.Duration)} of training");
        }

        if (folder is not null)
        {
            Write(folder, job, result, model, evaluation, gallery);
        }
    }

    /// <summary>Two classes of grey pictures in the size of the network.</summary>
    private static (Dataset Train, Dataset Test) Load(Job job, Shape input, CancellationToken cancellationToken)
    {
        var (train, test) = job.Experiment.Load(input, cancellationToken);
        return train.ClassNames.Count == 2
            ? (Fit(train.Shuffle(job.Options.Seed).Take(job.Pictures)), Fit(test))
            : throw new InvalidDataException($"{Net} tells 2 classes apart, but {job.Experiment.Data} has {train.ClassNames.Count}.");

        Dataset Fit(Dataset pictures) =>
            pictures.Shape == input ? pictures : pictures.Preprocess(DataSources.Preprocessing(input, input));
    }

    /// <summary>The model as its file gives it back, which is checked to be the same to the last bit.</summary>
    private static Model SaveAndLoad(Model trained, OutputFolder? folder)
    {
        Model loaded;
        if (folder is null)
        {
            loaded = Model.FromBytes(trained.ToBytes(), ModelName);
        }
        else
        {
            trained.Save(folder.PathOf(ModelName));
            loaded = Model.Load(folder.PathOf(ModelName));
        }

        return loaded.WeightHash == trained.WeightHash
            ? loaded
            : throw new InvalidDataException($"{ModelName} gives weights {loaded.WeightHash}, but {trained.WeightHash} were saved.");
    }

    private static Image PictureOf(Dataset pictures, int index) => FSharp.Image.ofPixels(pictures.Shape, pictures.Picture(index));

    /// <summary>As in "cat 0.93", with the true class where that is another one.</summary>
    private static string Title(Prediction prediction, Dataset shown, int index)
    {
        var truth = shown.ClassNames[shown.Labels[index]];
        var words = string.Create(CultureInfo.InvariantCulture, $"{prediction.ClassName} {prediction.Probability:F2}");
        return truth == prediction.ClassName ? words : $"{words} ({truth})";
    }

    private static void Write(OutputFolder folder, Job job, FitResult result, Model model, Evaluation evaluation, Gallery gallery)
    {
        folder.Write("predictions.png", gallery.Sheet());
        folder.Write("report.html", Page.Of(
            "Cats and dogs",
            Page.Section("Result", Page.Facts(
                "What it came to",
                ("test accuracy", Words.Percent(evaluation.Accuracy)),
                ("training time", Words.Seconds(result.Duration)),
                ("weights", $"{model.InstructionSet} {model.WeightHash}"))),
            Page.Section("Learning", Page.Curves(result.History)),
            Page.Section("What it says", gallery.ToHtml()),
            Page.Section("Test pictures", FSharp.Report.confusion(evaluation.ConfusionMatrix), FSharp.Report.classes(evaluation.ConfusionMatrix)),
            Page.Section("Network", FSharp.Report.preformatted(model.Summary(Net))),
            Page.Settings(
            [
                .. job.Experiment.Settings,
                ("batch size", $"{job.Options.BatchSize}"),
                ("optimiser", $"{job.Options.Optimizer}"),
                ("held back for validation", Words.Percent(job.Options.ValidationFraction)),
                ("statistics taken anew", job.Recalibrate ? "yes" : "no"),
            ])));
    }

    private static void PrintJson(
        Job job, FitResult result, Model model, Evaluation evaluation, Dataset shown, IReadOnlyList<Prediction> predictions) => Json.Print(writer =>
    {
        writer.WriteString("net", Net);
        writer.WriteString("data", job.Experiment.Data.Text);
        writer.WriteNumber("epochs", result.History.Count);
        writer.WriteNumber("parameters", model.ParameterCount);
        writer.WriteNumber("trainable", model.Layers.Sum(layer => layer.Trainable));
        writer.WriteNumber("nonTrainable", model.Layers.Sum(layer => layer.NonTrainable));
        writer.WriteReal("validationAccuracy", result.History[^1].Validation?.Accuracy);
        writer.WriteNumber("testAccuracy", evaluation.Accuracy);
        writer.WriteReal("testLoss", evaluation.Loss);
        writer.WriteNumber("trainSeconds", Math.Round(result.Duration.TotalSeconds, 3));
        writer.WriteStartArray("predictions");
        for (var i = 0; i < predictions.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteString("name", predictions[i].ClassName);
            writer.WriteReal("probability", predictions[i].Probability);
            writer.WriteString("truth", shown.ClassNames[shown.Labels[i]]);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteString("instructionSet", model.InstructionSet);
        writer.WriteString("weightHash", model.WeightHash);
    });

    private sealed record Job(Experiment Experiment, int Pictures, FitOptions Options, bool Recalibrate);
}
