using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cnn.Fluent;
using Cnn.Samples.Rendering;
using Spectre.Console;

namespace Cnn.Samples.Commands;

/// <summary>Fossheim's study: dense networks against convolutional ones, as pixels and variability grow.</summary>
internal static class CompareCommand
{
    /// <summary>Pictures of a level that the library draws.</summary>
    private const int Drawn = 10_000;
    private const int QuickPictures = 400;
    private const int QuickEpochs = 2;

    public static Command Create(CancellationToken cancellationToken)
    {
        var digits = Path("--digits8x8", "FILE", "8×8 digits of UCI, instead of drawn ones.");
        var mnist = Path("--mnist", "DIR", "MNIST, instead of drawn digits.");
        var svhn = Path("--svhn", "DIR", "House numbers of SVHN, instead of drawn ones.");
        var cifar = Path("--cifar10", "DIR", "CIFAR-10, instead of drawn house numbers.");
        var seed = Arguments.Whole("--seed", "Decides the first weights, the order of the pictures and who is held back.", 0);
        var seeds = Arguments.Whole("--seeds", "Train each network with so many seeds, and tell mean and spread.", 1, smallest: 1);
        var threads = Arguments.Threads("Processors to use.");
        var quick = new Option<bool>("--quick")
        {
            Description = $"At most {QuickEpochs} epochs of {QuickPictures} pictures: shows that everything works, and nothing more.",
        };
        var folder = Path("--out", "DIR", "Write report.html and comparison.json there.");
        var json = Arguments.Json();
        var command = new Command("compare", "Compares dense and convolutional networks as pixels and variability grow.")
        {
            digits, mnist, svhn, cifar, seed, seeds, threads, quick, folder, json,
        };
        command.Validators.Add(line =>
        {
            if (line.GetResult(svhn) is not null && line.GetResult(cifar) is not null)
            {
                line.AddError("Give --svhn or --cifar10, not both.");
            }
        });
        command.SetAction(line =>
        {
            var job = new Job(
                line.GetValue(digits), line.GetValue(mnist), line.GetValue(svhn), line.GetValue(cifar), line.GetValue(seed),
                line.GetValue(seeds), line.GetValue(threads), line.GetValue(quick), line.GetValue(folder), line.GetValue(json));
            Run(job, cancellationToken);
        });
        return command;
    }

    private static Option<string?> Path(string name, string helpName, string description) => new(name) { HelpName = helpName, Description = description };

    private static void Run(Job job, CancellationToken cancellationToken)
    {
        var output = OutputFolder.Of(job.Folder);
        var outcomes = Levels(job, cancellationToken).SelectMany(level => Measure(job, level, cancellationToken)).ToArray();
        var conclusions = Comparison.Conclusions(outcomes);
        output?.Write("comparison.json", Json.Text(writer => Write(writer, job, outcomes, conclusions), isIndented: true) + "\n");
        output?.Write("report.html", Comparison.Page(job.Settings, outcomes));
        if (job.IsJson)
        {
            Json.Print(writer => Write(writer, job, outcomes, conclusions));
            return;
        }

        foreach (var words in conclusions)
        {
            Console.WriteLine(words);
        }
    }

    /// <summary>The three levels, on the pictures that the user gives or on drawn ones.</summary>
    private static IEnumerable<ComparisonLevel> Levels(Job job, CancellationToken cancellationToken)
    {
        var scheduler = new CancellableScheduler(new ParallelScheduler(job.Threads), cancellationToken);
        (string Name, string? Path, bool IsMirrored)[][] given =
        [
            [("digits8x8", job.Digits, false)],
            [("mnist", job.Mnist, false)],
            [("svhn", job.Svhn, false), ("cifar10", job.Cifar, true)],
        ];
        return Comparison.Drawn(job.IsQuick ? QuickPictures : Drawn, scheduler).Zip(given, (drawn, choices) =>
        {
            if (choices.FirstOrDefault(choice => choice.Path is not null) is not { Path: { } path } choice)
            {
                return drawn;
            }

            var source = DataSources.Of(choice.Name, path);
            return Comparison.Level(drawn.Input, source.Text, choice.IsMirrored, seed =>
            {
                var (train, test) = source.Bring(job.Threads, seed, drawn.Input, "Cancelled.", cancellationToken);
                return job.IsQuick ? (train.Take(QuickPictures), test.Take(QuickPictures)) : (train, test);
            });
        });
    }

    private static IReadOnlyList<ComparisonOutcome> Measure(Job job, ComparisonLevel level, CancellationToken cancellationToken)
    {
        var options = new ComparisonOptions
        {
            Seeds = [.. Enumerable.Range(job.Seed, job.Seeds)],
            Epochs = job.IsQuick ? QuickEpochs : null,
            Threads = job.Threads,
        };
        if (job.IsJson)
        {
            return Comparison.Run(level, options, cancellationToken);
        }

        var printed = new List<ComparisonOutcome>();

        // A row is whole as soon as another network starts.
        void PrintRow(string? next)
        {
            if (printed is [.., var last] && last.Network != next)
            {
                if (printed.TrueForAll(outcome => outcome.Network == last.Network))
                {
                    Terminal.WriteLine($"{level}, {last.Pictures.Learned} pictures to learn from, {last.Pictures.Tested} to test on");
                    Terminal.WriteLine(Line(Comparison.Heads));
                }

                Terminal.WriteLine(Line(Comparison.Row(printed.Where(outcome => outcome.Network == last.Network))));
            }
        }

        var outcomes = Live(status => Comparison.Run(
            level,
            options with
            {
                Starting = new Reporter<string>(name =>
                {
                    PrintRow(name);
                    status($"training {name}");
                }),
                Progress = new Reporter<ComparisonOutcome>(printed.Add),
            },
            cancellationToken));
        PrintRow(null);
        foreach (var note in Comparison.Notes(outcomes))
        {
            Console.WriteLine(note);
        }

        Console.WriteLine();
        return outcomes;
    }

    /// <summary>On a terminal, tells what is being done while it is.</summary>
    private static IReadOnlyList<ComparisonOutcome> Live(Func<Action<string>, IReadOnlyList<ComparisonOutcome>> measure) => Terminal.IsLive
        ? AnsiConsole.Status().Start("training", status => measure(words => status.Status(Markup.Escape(words))))
        : measure(_ => { });

    private static string Line(IEnumerable<string> cells) =>
        string.Join("  ", cells.Zip([14, 10, 7, 17, 13, 15, 16, 12], (cell, width) => width == 14 ? cell.PadRight(width) : cell.PadLeft(width)));

    private static void Write(Utf8JsonWriter writer, Job job, IEnumerable<ComparisonOutcome> outcomes, IEnumerable<string> conclusions)
    {
        writer.WriteStartObject("settings");
        foreach (var (name, value) in job.Settings)
        {
            writer.WriteString(name, value);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("outcomes");
        foreach (var outcome in outcomes)
        {
            Write(writer, outcome);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("conclusions");
        foreach (var words in conclusions)
        {
            writer.WriteStringValue(words);
        }

        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, ComparisonOutcome outcome)
    {
        writer.WriteStartObject();
        writer.WriteString("level", outcome.Level);
        writer.WriteString("net", outcome.Network);
        writer.WriteString("settings", outcome.IsSource ? "source" : "best");
        writer.WriteNumber("parameters", outcome.Parameters);
        writer.WriteNumber("learned", outcome.Pictures.Learned);
        writer.WriteNumber("tested", outcome.Pictures.Tested);
        writer.WriteReal("testAccuracy", outcome.Accuracy);
        writer.WriteReal("spread", outcome.Spread);
        writer.WriteNumber("trainSeconds", Math.Round(outcome.Seconds, 3));
        writer.WriteReal("printedAccuracy", outcome.PrintedAccuracy);
        writer.WriteReal("printedSeconds", outcome.PrintedSeconds);
        writer.WriteString("note", outcome.Note);
        writer.WriteEndObject();
    }

    /// <summary>What to compare on, and how.</summary>
    private sealed record Job(
        string? Digits, string? Mnist, string? Svhn, string? Cifar, int Seed, int Seeds, int Threads, bool IsQuick, string? Folder, bool IsJson)
    {
        /// <summary>Names and values, for the record.</summary>
        public IEnumerable<(string Name, string Value)> Settings =>
        [
            ("8×8", Digits ?? "drawn"),
            ("28×28", Mnist ?? "drawn"),
            ("32×32", Svhn ?? Cifar ?? "drawn"),
            ("seed", Seed.ToString(CultureInfo.InvariantCulture)),
            ("seeds", Seeds.ToString(CultureInfo.InvariantCulture)),
            ("quick", IsQuick ? "yes: nothing can be concluded from it" : "no"),
        ];
    }
}
