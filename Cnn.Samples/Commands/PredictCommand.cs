using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Says what pictures show.</summary>
internal static class PredictCommand
{
    private const int Shown = 5;

    public static Command Create()
    {
        var file = Arguments.Model();
        var pictures = new Argument<string[]>("PICTURE")
        {
            HelpName = "PICTURE",
            Arity = ArgumentArity.OneOrMore,
            Description = $"Files of pictures: {string.Join(", ", ImageFormats.All.Select(codec => codec.Name))}.",
        };
        var json = Arguments.Json();
        var command = new Command("predict", "Says what pictures show, the most probable class first.") { pictures, file, json };
        command.SetAction(line =>
        {
            var model = Model.Load(line.GetRequiredValue(file));
            var predictions = line.GetRequiredValue(pictures).Select(path => (Path: path, Prediction: model.Predict(Picture(path, model)))).ToArray();
            if (line.GetValue(json))
            {
                PrintJson(line.GetRequiredValue(file), predictions);
            }
            else
            {
                Array.ForEach(predictions, Print);
            }
        });
        return command;
    }

    /// <summary>In the colours that the model takes; its preprocessing does the rest.</summary>
    internal static Image Picture(string path, Model model)
    {
        var picture = Image.Load(path);
        return model.Input.Rank == 3 && model.Input[2] == 1 ? picture.ToGrey() : picture.ToRgb();
    }

    private static void Print((string Path, Prediction Prediction) picture)
    {
        Console.WriteLine(picture.Path);
        foreach (var ranked in picture.Prediction.Ranked.Take(Shown))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {100 * ranked.Probability,6:F2} %  {ranked.Name}"));
        }
    }

    private static void PrintJson(string file, (string Path, Prediction Prediction)[] pictures) => Json.Print(writer =>
    {
        writer.WriteString("model", file);
        writer.WriteStartArray("predictions");
        foreach (var (path, prediction) in pictures)
        {
            writer.WriteStartObject();
            writer.WriteString("picture", path);
            writer.WriteStartArray("classes");
            foreach (var ranked in prediction.Ranked)
            {
                writer.WriteStartObject();
                writer.WriteString("name", ranked.Name);
                writer.WriteReal("probability", ranked.Probability);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });
}
