using System.CommandLine;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Prints the layers of a network.</summary>
internal static class SummaryCommand
{
    public static Command Create()
    {
        var net = Arguments.Name("--net", "network", Architectures.Names, "lenet5");
        var json = Arguments.Json();
        var command = new Command("summary", "Prints the layers of a network, their output shapes and parameters.") { net, json };
        command.SetAction(line => Run(line.GetRequiredValue(net), line.GetValue(json)));
        return command;
    }

    private static int Run(string net, bool json)
    {
        var model = Architectures.Find(net).Build();
        if (json)
        {
            PrintJson(net, model.Layers);
        }
        else
        {
            Console.WriteLine(model.Summary(net));
        }

        return 0;
    }

    private static void PrintJson(string net, IReadOnlyList<SummaryRow> layers) => Json.Print(writer =>
    {
        writer.WriteString("net", net);
        writer.WriteStartArray("layers");
        foreach (var layer in layers)
        {
            writer.WriteStartObject();
            writer.WriteString("name", layer.Name);
            writer.WriteString("type", layer.Type);
            writer.WriteStartArray("output");
            foreach (var extent in layer.Output.Extents)
            {
                writer.WriteNumberValue(extent);
            }

            writer.WriteEndArray();
            writer.WriteNumber("parameters", layer.Parameters);
            writer.WriteNumber("trainable", layer.Trainable);
            writer.WriteNumber("nonTrainable", layer.NonTrainable);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteNumber("total", layers.Sum(layer => layer.Parameters));
        writer.WriteNumber("trainable", layers.Sum(layer => layer.Trainable));
        writer.WriteNumber("nonTrainable", layers.Sum(layer => layer.NonTrainable));
    });
}
