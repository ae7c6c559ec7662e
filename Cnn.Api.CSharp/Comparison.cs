using Cnn.FSharp;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>Pictures of one sort, and the networks that are compared on them.</summary>
/// <remarks>Immutable; made by <see cref="Comparison.Level"/> and <see cref="Comparison.Drawn"/>.</remarks>
public sealed class ComparisonLevel
{
    internal ComparisonLevel(FSharp.ComparisonLevel core) => Core = core;

    /// <summary>As in 8×8 grey.</summary>
    public string Name => Core.Name;

    /// <summary>Where the pictures come from.</summary>
    public string Data => Core.Data;

    /// <summary>Whether left and right may change places without changing the class, as in photographs.</summary>
    public bool IsMirrored => Core.IsMirrored;

    /// <summary>Height×width×channels of a picture.</summary>
    public Shape Input => Core.Input;

    /// <summary>Names of the networks.</summary>
    public IReadOnlyList<string> Networks => [.. Core.Networks];

    internal FSharp.ComparisonLevel Core { get; }

    /// <summary>Pictures to learn from and to test on.</summary>
    /// <param name="seed">Decides who is held back for testing, where that is not given.</param>
    public (Dataset Train, Dataset Test) Load(int seed) => Core.Load.Invoke(seed);

    /// <summary>Name and data.</summary>
    public override string ToString() => $"{Name}: {Data}";
}

/// <summary>What the trainings of a network on a level came to, one for each seed.</summary>
/// <remarks>Immutable; made by <see cref="Comparison.Run"/>.</remarks>
public sealed class ComparisonOutcome
{
    internal ComparisonOutcome(FSharp.ComparisonOutcome core) => Core = core;

    /// <summary>Name of the level.</summary>
    public string Level => Core.Contestant.Level;

    /// <summary>Name of the network.</summary>
    public string Network => Core.Contestant.Architecture.Name;

    /// <summary>Whether the settings are those of the source; else they are the best that we know of.</summary>
    public bool IsSource => Core.Contestant.Settings.IsSource;

    /// <summary>Numbers that the network consists of.</summary>
    public int Parameters => Core.Parameters;

    /// <summary>Pictures that were learned from, and pictures that were tested on.</summary>
    public (int Learned, int Tested) Pictures => (Core.Trials.Head.Learned, Core.Trials.Head.Tested);

    /// <summary>Mean share of the test pictures that was told right; NaN where a training met numbers that are not finite.</summary>
    public double Accuracy => Core.Accuracy;

    /// <summary>Standard deviation of it over the seeds, with n − 1; 0 for one seed.</summary>
    public double Spread => Core.Spread;

    /// <summary>Mean seconds of a training.</summary>
    public double Seconds => Core.Seconds;

    /// <summary>The share that the source printed; null where it printed none, and beside the best settings.</summary>
    public double? PrintedAccuracy => Core.Contestant.Printed?.Value.Accuracy;

    /// <summary>The seconds that the source printed; null where it printed none, and beside the best settings.</summary>
    public double? PrintedSeconds => Core.Contestant.Printed?.Value.Seconds?.Value;

    /// <summary>What explains that the accuracy is more than a point away from the printed one; null where it is not, or training was cut short.</summary>
    public string? Note => Core.Note?.Value;

    internal FSharp.ComparisonOutcome Core { get; }
}

/// <summary>How a comparison is made.</summary>
/// <remarks>Immutable.</remarks>
public sealed record ComparisonOptions
{
    /// <summary>Each network is trained with each of them.</summary>
    /// <value>Default 0 alone.</value>
    public IReadOnlyList<int> Seeds { get; init; } = [0];

    /// <summary>The most epochs of a training: fewer than its settings want show that everything works, and nothing more.</summary>
    /// <value>Default null: as many as the settings want.</value>
    public int? Epochs { get; init; }

    /// <summary>Processors to use; the result is the same for any number.</summary>
    /// <value>Default null: as many as the machine has.</value>
    public int? Threads { get; init; }

    /// <summary>Told the name of each network before it is trained.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<string>? Starting { get; init; }

    /// <summary>Told what each network came to.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<ComparisonOutcome>? Progress { get; init; }
}

/// <summary>Dense networks against convolutional ones, as pixels and variability grow: the study of Fossheim 2022.</summary>
public static class Comparison
{
    /// <summary>A level of the study: 8×8 grey, 28×28 grey or 32×32 in colour, with the networks that belong to it.</summary>
    /// <param name="input">Height×width×channels of a picture.</param>
    /// <param name="data">Where the pictures come from.</param>
    /// <param name="isMirrored">Whether left and right may change places without changing the class.</param>
    /// <param name="load">Pictures to learn from and to test on, for a seed.</param>
    public static ComparisonLevel Level(Shape input, string data, bool isMirrored, Func<int, (Dataset Train, Dataset Test)> load) =>
        new(FSharp.Comparison.level(input, data, isMirrored, FuncConvert.FromFunc(load)));

    /// <summary>The three levels on digits that the library draws: the last one in colour, with clutter around them.</summary>
    /// <param name="pictures">Most pictures to learn from; a quarter of them to test on.</param>
    /// <param name="scheduler">Where drawing runs. Default null: all processors.</param>
    public static IReadOnlyList<ComparisonLevel> Drawn(int pictures, IScheduler? scheduler = null) =>
        [.. FSharp.Comparison.drawn(scheduler ?? new ParallelScheduler(Environment.ProcessorCount), pictures).Select(level => new ComparisonLevel(level))];

    /// <summary>Trains and tests all networks of a level, with the settings of their source and with the best ones.</summary>
    /// <param name="level">The pictures and the networks.</param>
    /// <param name="options">Default: <c>new ComparisonOptions()</c>.</param>
    /// <param name="cancellationToken">Ends the comparison.</param>
    /// <exception cref="ArgumentException">There is no seed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<ComparisonOutcome> Run(
        ComparisonLevel level, ComparisonOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(level);
        options ??= new ComparisonOptions();
        return
        [
            .. FSharp.Comparison.run(
                Simd.Backend<float>(options.Threads),
                TimeProvider.System,
                cancellationToken,
                FuncConvert.FromAction<Contestant>(contestant => options.Starting?.Report(contestant.Architecture.Name)),
                FuncConvert.FromAction<FSharp.ComparisonOutcome>(outcome => options.Progress?.Report(new ComparisonOutcome(outcome))),
                options.Epochs ?? int.MaxValue,
                ListModule.OfSeq(options.Seeds),
                level.Core).Select(outcome => new ComparisonOutcome(outcome)),
        ];
    }

    /// <summary>Heads of the table of a level.</summary>
    public static IReadOnlyList<string> Heads => [.. ComparisonReport.heads];

    /// <summary>The row of a network, under <see cref="Heads"/>: what the source printed, its settings trained again, and the best ones, side by side.</summary>
    /// <param name="outcomes">Of one network on one level, at least one.</param>
    public static IReadOnlyList<string> Row(IEnumerable<ComparisonOutcome> outcomes) => [.. ComparisonReport.cells(Cores(outcomes))];

    /// <summary>What explains differences from printed numbers.</summary>
    /// <param name="outcomes">Of any networks.</param>
    public static IReadOnlyList<string> Notes(IEnumerable<ComparisonOutcome> outcomes) => [.. ComparisonReport.notes(Cores(outcomes))];

    /// <summary>What the numbers say, sentence by sentence: of each level, then of all; nothing where trainings were cut short.</summary>
    /// <param name="outcomes">Of all levels.</param>
    public static IReadOnlyList<string> Conclusions(IEnumerable<ComparisonOutcome> outcomes) => [.. ComparisonReport.conclusions(Cores(outcomes))];

    /// <summary>The study as an HTML page that needs no network.</summary>
    /// <param name="settings">Names and values that say how it was made.</param>
    /// <param name="outcomes">Of all levels.</param>
    public static string Page(IEnumerable<(string Name, string Value)> settings, IEnumerable<ComparisonOutcome> outcomes) =>
        ComparisonReport.page(ListModule.OfSeq(settings.Select(row => row.ToTuple())), Cores(outcomes));

    private static FSharpList<FSharp.ComparisonOutcome> Cores(IEnumerable<ComparisonOutcome> outcomes) =>
        ListModule.OfSeq(outcomes.Select(outcome => outcome.Core));
}
