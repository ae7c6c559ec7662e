using System.CommandLine;
using System.Globalization;
using Cnn.FSharp;
using Cnn.Samples.Rendering;
using Spectre.Console;

namespace Cnn.Samples.Commands;

/// <summary>Fetches a data set from the net.</summary>
internal static class DownloadCommand
{
    private static readonly (string Name, DownloadSource Source)[] Sources =
    [
        ("mnist", Download.mnist),
        ("fashion-mnist", Download.fashionMnist),
        ("cifar10", Download.cifar10),
        ("cifar100", Download.cifar100),
        ("svhn", Download.svhn),
    ];

    private static readonly string[] Names = [.. Sources.Select(source => source.Name)];

    public static Command Create(CancellationToken cancellationToken)
    {
        var name = new Argument<string>("name")
        {
            HelpName = "NAME",
            Description = $"The data set: {string.Join(", ", Names)}.",
            CustomParser = argument =>
            {
                var word = argument.Tokens[0].Value;
                return Names.Contains(word) ? word : Arguments.Refuse<string>(argument, Arguments.Unknown("data set", word, Names));
            },
        };
        var folder = new Argument<string>("folder") { HelpName = "DIR", Description = "Where the files go; those that are there and sound stay." };
        var from = new Option<Uri?>("--from")
        {
            HelpName = "ADDRESS",
            Description = "Another folder on the net with the same files.",
            CustomParser = argument => Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
                ? address
                : Arguments.Refuse<Uri>(argument, $"--from needs an address that begins with https://, not '{argument.Tokens[0].Value}'."),
        };
        var json = Arguments.Json();
        var command = new Command("download", "Fetches a data set, goes on where an earlier call ended, and verifies the checksums.") { name, folder, from, json };
        command.SetAction(line =>
        {
            var source = Sources.First(source => source.Name == line.GetRequiredValue(name)).Source;
            Run(source, line.GetRequiredValue(folder), line.GetValue(from), line.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static void Run(DownloadSource source, string folder, Uri? from, bool isJson, CancellationToken cancellationToken)
    {
        try
        {
            if (Terminal.IsLive && !isJson)
            {
                WithBars(source, folder, from, cancellationToken);
            }
            else
            {
                WithLines(source, folder, from, isJson, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException($"Cancelled: what has come stays in {folder}, and the same command goes on from there.", cancellationToken);
        }
    }

    private static void WithBars(DownloadSource source, string folder, Uri? from, CancellationToken cancellationToken) => AnsiConsole.Progress()
        .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn())
        .Start(context =>
        {
            var bars = source.Files.ToDictionary(file => file.Name, file => context.AddTask(file.Name, autoStart: false));
            Fetch(source, folder, from, progress =>
            {
                var bar = bars[progress.File];
                bar.StartTask();
                bar.MaxValue = Math.Max(progress.Total, progress.Received);
                bar.Value = progress.Received;
            }, cancellationToken);
        });

    private static void WithLines(DownloadSource source, string folder, Uri? from, bool isJson, CancellationToken cancellationToken)
    {
        var sizes = new Dictionary<string, long>();
        Fetch(source, folder, from, progress => sizes[progress.File] = progress.Received, cancellationToken);
        if (isJson)
        {
            Json.Print(writer =>
            {
                writer.WriteString("folder", folder);
                writer.WriteStartObject("files");
                foreach (var (file, size) in sizes)
                {
                    writer.WriteNumber(file, size);
                }

                writer.WriteEndObject();
            });
            return;
        }

        foreach (var (file, size) in sizes)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.Combine(folder, file)}  {size:N0} bytes"));
        }
    }

    private static void Fetch(
        DownloadSource source, string folder, Uri? from, Action<DownloadProgress> show, CancellationToken cancellationToken) =>
        Download.files(DownloadSettings.Default.With(from, show), source, folder, cancellationToken).GetAwaiter().GetResult();
}
