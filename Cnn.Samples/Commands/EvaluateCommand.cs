using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Tests a saved model.</summary>
internal static class EvaluateCommand
{
    public static Command Create(CancellationToken cancellationToken)
    {
        var file = Arguments.Model();
        var data = DataSources.Option();
        var seed = new Option<int?>("--seed")
        {
            HelpName = "N",
            Description = "Decides who is tested on, where a source has no test set of its own [default: as in training].",
        };
        var threads = Arguments.Threads("Processors to use.");
        var json = Arguments.Json();
        var command = new Command("evaluate", "Tests a saved model on the test pictures of a source.") { file, data, seed, threads, json };
        command.SetAction(line =>
        {
            var model = Model.Load(line.GetRequiredValue(file)).WithThreads(line.GetValue(threads));
            var source = line.GetRequiredValue(data);
            var test = Test(line.GetRequiredValue(file), model, source, line.GetValue(seed), line.GetValue(threads), cancellationToken);
            var evaluation = model.Evaluate(test);
            if (line.GetValue(json))
            {
                PrintJson(line.GetRequiredValue(file), source, model, evaluation);
            }
            else
            {
                Print(source, model, evaluation);
            }
        });
        return command;
    }

    /// <summary>The test pictures of a source, brought to a model's input.</summary>
    /// <exception cref="InvalidDataException">They are of other classes, or cannot be made to fit.</exception>
    internal static Dataset Test(string file, Model model, DataSource source, int? seed, int threads, CancellationToken cancellationToken)
    {
        var (_, test) = source.Bring(threads, seed ?? model.TrainingSeed ?? 0, model.Input, "Cancelled.", cancellationToken);
        return test.ClassNames.SequenceEqual(model.ClassNames.Take(test.ClassNames.Count))
            ? DataSources.Fit(test, source, file, model.Input, model.OutputShape, model.Preprocessing)
            : throw new InvalidDataException(
                $"{file} tells {Names(model.ClassNames)} apart, but {source.Text} has the classes {Names(test.ClassNames)}.");
    }

    private static string Names(IReadOnlyList<string> names) => string.Join(", ", names.Take(12)) + (names.Count > 12 ? ", …" : "");

    private static void Print(DataSource source, Model model, Evaluation evaluation)
    {
        ConfusionTable.Print(evaluation.ConfusionMatrix);
        Console.WriteLine();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Test accuracy {100 * evaluation.Accuracy:F2} % of {evaluation.ConfusionMatrix.Total} pictures of {source}, loss {evaluation.Loss:F4}"));
        Console.WriteLine($"Weights {model.InstructionSet} {model.WeightHash}");
    }

    private static void PrintJson(string file, DataSource source, Model model, Evaluation evaluation) => Json.Print(writer =>
    {
        writer.WriteString("model", file);
        writer.WriteString("data", source.Text);
        writer.WriteNumber("pictures", evaluation.ConfusionMatrix.Total);
        writer.WriteNumber("testAccuracy", evaluation.Accuracy);
        writer.WriteReal("testLoss", evaluation.Loss);
        writer.WriteString("instructionSet", model.InstructionSet);
        writer.WriteString("weightHash", model.WeightHash);
    });
}
