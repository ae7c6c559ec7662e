using System.CommandLine;
using System.Globalization;
using Cnn.Fluent;
using Cnn.Samples.Rendering;

namespace Cnn.Samples.Commands;

/// <summary>Writes a saved model in another format.</summary>
internal static class ConvertCommand
{
    private const string Onnx = "onnx";
    private const string NumPy = "npz";
    private const string ChannelsFirst = "nchw";
    private const string ChannelsLast = "nhwc";

    public static Command Create()
    {
        var file = Arguments.Model();
        var format = Arguments.NameOrNone("--to", "format", [Onnx, NumPy], $"The format: {Onnx}, or {NumPy} for the weights alone.");
        format.Required = true;
        var layout = Arguments.NameOrNone(
            "--layout", "layout", [ChannelsFirst, ChannelsLast], $"Where {Onnx} has the channels of pictures: {ChannelsFirst} or {ChannelsLast} [default: {ChannelsFirst}].");
        var target = new Option<string?>("--out") { HelpName = "FILE", Description = "The file to write [default: the model's name with the format's ending]." };
        var json = Arguments.Json();
        var command = new Command("convert", "Writes a saved model for other programs.") { file, format, layout, target, json };
        command.Validators.Add(line =>
        {
            // Words, not values: a wrong value has an error of its own.
            if (line.GetResult(layout) is { Implicit: false }
                && line.GetResult(format)?.Tokens is [var word] && word.Value.Equals(NumPy, StringComparison.OrdinalIgnoreCase))
            {
                line.AddError($"--layout is for --to {Onnx}: weights alone have none.");
            }
        });
        command.SetAction(line => Run(
            line.GetRequiredValue(file), line.GetRequiredValue(format)!, line.GetValue(layout), line.GetValue(target), line.GetValue(json)));
        return command;
    }

    private static void Run(string file, string format, string? layout, string? target, bool isJson)
    {
        var model = Model.Load(file);
        var path = target ?? Path.ChangeExtension(file, format);
        if (Path.GetFullPath(path) == Path.GetFullPath(file))
        {
            throw new InvalidDataException($"{path} is the model itself. Choose another file with --out.");
        }

        if (format == Onnx)
        {
            model.ExportOnnx(path, layout == ChannelsLast ? ChannelOrder.ChannelsLast : ChannelOrder.ChannelsFirst);
        }
        else
        {
            model.ExportWeights(path);
        }

        var bytes = new FileInfo(path).Length;
        if (isJson)
        {
            Json.Print(writer =>
            {
                writer.WriteString("file", path);
                writer.WriteString("format", format);
                writer.WriteNumber("bytes", bytes);
                writer.WriteString("weightHash", model.WeightHash);
            });
        }
        else
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: {bytes:N0} bytes of {model}"));
        }
    }
}
