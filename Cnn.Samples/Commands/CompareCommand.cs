using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cnn.Fluent;
using Cnn.FSharp;
using Cnn.Samples.Rendering;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
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
        var threads = Arguments.Whole("--threads", "Processors to use.", Environment.ProcessorCount, smallest: 1);
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
        var output = job.Folder is null ? null : new OutputFolder(job.Folder);
        var backend = Simd.Backend<float>(job.Threads);
        var outcomes = new List<ComparisonOutcome>();
        foreach (var level in Levels(job, backend.Scheduler))
        {
            outcomes.AddRange(Measure(job, backend, level, cancellationToken));
        }

        var all = ListModule.OfSeq(outcomes);
        var conclusions = ComparisonReport.conclusions(all);
        output?.Write("comparison.json", Json.Text(writer => Write(writer, job, outcomes, conclusions), isIndented: true) + "\n");
        output?.Write("report.html", ComparisonReport.page(ListModule.OfSeq(job.Settings), all));
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
    private static IEnumerable<ComparisonLevel> Levels(Job job, IScheduler scheduler)
    {
        (string Name, string? Path, bool IsMirrored)[][] given =
        [
            [("digits8x8", job.Digits, false)],
            [("mnist", job.Mnist, false)],
            [("svhn", job.Svhn, false), ("cifar10", job.Cifar, true)],
        ];
        return Comparison.drawn(scheduler, job.IsQuick ? QuickPictures : Drawn).Zip(given, (drawn, choices) =>
        {
            if (choices.FirstOrDefault(choice => choice.Path is not null) is not { Path: { } path } choice)
            {
                return drawn;
            }

            var source = DataSources.Of(choice.Name, path);
            return Comparison.level(drawn.Input, source.Text, choice.IsMirrored, FuncConvert.FromFunc<int, (Dataset, Dataset)>(seed =>
            {
                var (train, test) = source.Load(new Loading(scheduler, seed, drawn.Input));
                return job.IsQuick ? (train.Take(QuickPictures), test.Take(QuickPictures)) : (train, test);
            }));
        });
    }

    private static List<ComparisonOutcome> Measure(Job job, Backend<float> backend, ComparisonLevel level, CancellationToken cancellationToken)
    {
        var data = Enumerable.Range(job.Seed, job.Seeds).Select(seed => (Seed: seed, Pictures: level.Load.Invoke(seed))).ToArray();
        if (!job.IsJson)
        {
            var (train, test) = data[0].Pictures;
            Console.WriteLine($"{level.Name}: {level.Data}, {train.Count} pictures to learn from, {test.Count} to test on");
            Console.WriteLine(Line(ComparisonReport.heads));
        }

        var outcomes = new List<ComparisonOutcome>();
        foreach (var contestant in Comparison.contestants(level))
        {
            var outcome = Live(job, contestant, () => Comparison.outcome(contestant, ListModule.OfSeq(data.Select(trial => Comparison.trial(
                backend, TimeProvider.System, cancellationToken, job.IsQuick ? QuickEpochs : int.MaxValue,
                trial.Pictures.Item1, trial.Pictures.Item2, trial.Seed, contestant)))));
            outcomes.Add(outcome);
            if (!job.IsJson)
            {
                Console.WriteLine(Line(ComparisonReport.cells(outcome)));
            }
        }

        if (!job.IsJson)
        {
            foreach (var note in ComparisonReport.notes(ListModule.OfSeq(outcomes)))
            {
                Console.WriteLine(note);
            }

            Console.WriteLine();
        }

        return outcomes;
    }

    /// <summary>On a terminal, tells what is being trained while it is.</summary>
    private static ComparisonOutcome Live(Job job, Contestant contestant, Func<ComparisonOutcome> measure) => job.IsJson || !Terminal.IsLive
        ? measure()
        : AnsiConsole.Status().Start($"training {Markup.Escape(contestant.Architecture.Name)}", _ => measure());

    private static string Line(IEnumerable<string> cells) =>
        string.Join("  ", cells.Zip([16, 8, 10, 14, 8, 8, 15], (cell, width) => width == 16 ? cell.PadRight(width) : cell.PadLeft(width)));

    private static void Write(Utf8JsonWriter writer, Job job, List<ComparisonOutcome> outcomes, IEnumerable<string> conclusions)
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
        var contestant = outcome.Contestant;
        writer.WriteStartObject();
        writer.WriteString("level", contestant.Level);
        writer.WriteString("net", contestant.Architecture.Name);
        writer.WriteString("settings", contestant.Settings.IsSource ? "source" : "best");
        writer.WriteNumber("parameters", outcome.Parameters);
        writer.WriteReal("testAccuracy", outcome.Accuracy);
        writer.WriteReal("spread", outcome.Spread);
        writer.WriteNumber("trainSeconds", Math.Round(outcome.Seconds, 3));
        writer.WriteReal("printedAccuracy", contestant.Printed?.Value.Accuracy);
        writer.WriteReal("printedSeconds", contestant.Printed?.Value.Seconds?.Value);
        writer.WriteString("note", outcome.Note?.Value);
        writer.WriteEndObject();
    }

    /// <summary>What to compare on, and how.</summary>
    private sealed record Job(
        string? Digits, string? Mnist, string? Svhn, string? Cifar, int Seed, int Seeds, int Threads, bool IsQuick, string? Folder, bool IsJson)
    {
        /// <summary>Names and values, for the record.</summary>
        public IEnumerable<Tuple<string, string>> Settings =>
        [
            Tuple.Create("8×8", Digits ?? "drawn"),
            Tuple.Create("28×28", Mnist ?? "drawn"),
            Tuple.Create("32×32", Svhn ?? Cifar ?? "drawn"),
            Tuple.Create("seed", Seed.ToString(CultureInfo.InvariantCulture)),
            Tuple.Create("seeds", Seeds.ToString(CultureInfo.InvariantCulture)),
            Tuple.Create("quick", IsQuick ? "yes: nothing can be concluded from it" : "no"),
        ];
    }
}
