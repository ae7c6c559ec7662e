using System.CommandLine;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Checks the mathematics of a network on pictures.</summary>
internal static class VerifyCommand
{
    private const int NotPassed = 1;

    public static Command Create(CancellationToken cancellationToken)
    {
        var net = Arguments.Name("--net", "network, at its first weights", Architectures.Names, "lenet5");
        var file = new Option<string?>("--model") { HelpName = "FILE", Description = "A trained model instead, as train --save wrote it." };
        var data = DataSources.OptionOrNone("drawn pictures that fit the network");
        var seed = Arguments.Whole("--seed", "Decides weights, pictures, directions and cotangents.", 0);
        var json = Arguments.Json();
        var command = new Command(
            "verify", "Checks gradients, adjoints, kernels, shapes and threads of a network; fails where one is wrong or nothing was proved.")
        {
            net, file, data, seed, json,
        };
        command.SetAction(line =>
        {
            var draw = line.GetValue(seed);
            var path = line.GetValue(file);
            var name = path ?? line.GetRequiredValue(net);
            var model = path is null ? Architectures.Find(name).Build(draw) : Model.Load(path);
            var source = line.GetValue(data);
            var pictures = Pictures(name, model, source, draw, cancellationToken);

            // Drawn pictures are made as the network sees them.
            var verification = (source is null ? model.WithPreprocessing(Preprocessing.Identity) : model).Verify(pictures, draw);
            if (line.GetValue(json))
            {
                PrintJson(name, (source ?? DataSources.Embedded(model.Input, model.OutputShape)).Text, verification);
            }
            else
            {
                Console.WriteLine(verification.Table());
            }

            return verification.IsPassed ? 0 : NotPassed;
        });
        return command;
    }

    /// <summary>The pictures to learn from, of a source or drawn in the size and with as many classes as the network takes.</summary>
    private static Dataset Pictures(string name, Model model, DataSource? source, int seed, CancellationToken cancellationToken)
    {
        var (pictures, _) = (source ?? DataSources.Embedded(model.Input, model.OutputShape)).Bring(
            Environment.ProcessorCount, seed, model.Input, "Cancelled.", cancellationToken);
        if (source is not null)
        {
            return DataSources.Fit(pictures, source, name, model.Input, model.OutputShape, model.Preprocessing);
        }

        var sized = pictures.Preprocess(Preprocessing.Resize(model.Input[0], model.Input[1]));
        var classes = Math.Min(Math.Max(model.OutputShape.Size, 2), sized.ClassNames.Count);
        return Dataset.Create(sized.Shape, sized.Labels.Select(label => label % classes), sized.ClassNames.Take(classes), sized.Read);
    }

    private static void PrintJson(string name, string source, Verification verification) => Json.Print(writer =>
    {
        writer.WriteString("network", name);
        writer.WriteString("data", source);
        writer.WriteString("instructionSet", verification.InstructionSet);
        writer.WriteNumber("pictures", verification.Samples);
        writer.WriteString("verdict", Word(verification.Verdict));
        writer.WriteNumber("share", verification.Share);
        writer.WriteStartArray("checks");
        foreach (var check in verification.Checks)
        {
            writer.WriteStartObject();
            writer.WriteString("layer", check.Layer);
            writer.WriteString("claim", check.Claim);
            writer.WriteString("subject", check.Subject);
            writer.WriteNumber("checked", check.Checked);
            writer.WriteNumber("total", check.Total);
            writer.WriteString("worst", check.Worst);
            writer.WriteReal("error", check.Error);
            writer.WriteReal("bound", check.Bound);
            writer.WriteString("verdict", Word(check.Verdict));
            writer.WriteString("reason", check.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static string Word(VerificationVerdict verdict) => $"{verdict}".ToLowerInvariant();
}
