using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>What <c>inspect</c> is to look at.</summary>
/// <param name="File">The model.</param>
/// <param name="Picture">A picture of the user's; null for the first one of the data.</param>
/// <param name="Data">Pictures to look at through the model; null for none.</param>
/// <param name="Seed">Decides who is held back for testing.</param>
/// <param name="Threads">Processors to use.</param>
internal sealed record InspectSettings(string File, string? Picture, DataSource? Data, int Seed, int Threads);

/// <summary>Shows what a model looks like inside, and what it looks at.</summary>
internal static class InspectCommand
{
    private const int Shown = 24;

    public static Command Create(CancellationToken cancellationToken)
    {
        var file = Arguments.Model();
        var picture = new Option<string?>("--image")
        {
            HelpName = "FILE",
            Description = "The picture to look at [default: the first test picture of the data].",
        };
        var data = DataSources.Option();
        var seed = new Option<int?>("--seed")
        {
            HelpName = "N",
            Description = "Decides who is tested on, where a source has no test set of its own [default: as in training].",
        };
        var threads = Arguments.Threads("Processors to use.");
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "The folder for PNGs and report.html.", Required = true };
        var json = Arguments.Json();
        var command = new Command(
            "inspect", "Shows filters, feature maps, saliency, Grad-CAM, occlusion, exciting patches, and the surest and the least sure answers.")
        {
            file, picture, data, seed, threads, folder, json,
        };
        command.SetAction(line =>
        {
            var model = Model.Load(line.GetRequiredValue(file)).WithThreads(line.GetValue(threads));
            var own = line.GetValue(picture);

            // A picture of the user's own needs no data, unless they are asked for.
            var isAsked = own is null || line.GetResult(data) is { Implicit: false };
            var job = new InspectSettings(
                line.GetRequiredValue(file), own, isAsked ? line.GetRequiredValue(data) : null,
                line.GetValue(seed) ?? model.TrainingSeed ?? 0, line.GetValue(threads));
            Run(job, model, new OutputFolder(line.GetRequiredValue(folder)), line.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static void Run(InspectSettings job, Model model, OutputFolder output, bool isJson, CancellationToken cancellationToken)
    {
        if (model.Input.Rank != 3 || model.Input[2] is not (1 or 3))
        {
            throw new InvalidDataException($"{job.File} takes inputs of {model.Input}; only grey or RGB pictures can be looked at.");
        }

        var data = job.Data is { } source ? EvaluateCommand.Test(job.File, model, source, job.Seed, job.Threads, cancellationToken) : null;
        var title = job.Picture ?? "First test picture";
        var pixels = job.Picture is { } path ? model.Prepare(PredictCommand.Picture(path, model)) : data!.Picture(0);
        var prediction = model.Predict(pixels);
        var judged = data is null ? [] : model.Inspect().Judge(data);

        var report = new InspectReport(model, output);
        var pictures = report.AddPicture(title, pixels, prediction);
        foreach (var layer in model.Layers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            report.AddLayer(layer, pixels, data);
        }

        if (data is not null)
        {
            report.AddJudged("Least certain", judged.LeastCertain(Shown), data);
            report.AddJudged("Most certain", judged.MostCertain(Shown), data);
            report.AddJudged("Misclassified", judged.Misclassified(Shown), data);
        }

        report.Finish(Path.GetFileName(job.File), Settings(job, model, title));
        if (isJson)
        {
            PrintJson(job, title, prediction, judged, output);
        }
        else
        {
            pictures.Show();
            Print(title, prediction, judged, output);
        }
    }

    private static IEnumerable<(string Name, string Value)> Settings(InspectSettings job, Model model, string title) =>
    [
        ("model", job.File),
        ("picture", title),
        ("data", job.Data?.Text ?? "none"),
        ("seed", job.Seed.ToString(CultureInfo.InvariantCulture)),
        ("instruction set", model.InstructionSet),
        ("weights", model.WeightHash),
    ];

    private static int Wrong(IReadOnlyList<JudgedPicture> judged) => judged.Count(picture => !picture.IsRight);

    private static void Print(string title, Prediction prediction, IReadOnlyList<JudgedPicture> judged, OutputFolder output)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {prediction.ClassName}, {100 * prediction.Probability:F2} %"));
        if (judged.Count > 0)
        {
            Console.WriteLine($"{Wrong(judged)} of {judged.Count} test pictures are taken for what they are not");
        }

        Console.WriteLine($"Written: {string.Join(", ", output.Files)}");
    }

    private static void PrintJson(
        InspectSettings job, string title, Prediction prediction, IReadOnlyList<JudgedPicture> judged, OutputFolder output) => Json.Print(writer =>
    {
        writer.WriteString("model", job.File);
        writer.WriteString("picture", title);
        writer.WriteString("class", prediction.ClassName);
        writer.WriteReal("probability", prediction.Probability);
        writer.WriteString("data", job.Data?.Text);
        writer.WriteNumber("pictures", judged.Count);
        writer.WriteNumber("misclassified", Wrong(judged));
        writer.WriteStartArray("files");
        foreach (var file in output.Files)
        {
            writer.WriteStringValue(file);
        }

        writer.WriteEndArray();
    });
}
