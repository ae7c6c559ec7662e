using Cnn.Fluent;

namespace Cnn.Samples;

/// <summary>The learning-rate schedules that the command line knows, fitted to a number of epochs.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Meaning">What it does, for the help.</param>
/// <param name="Apply">The options with the schedule.</param>
internal sealed record Schedules(string Name, string Meaning, Func<FitOptions, FitOptions> Apply)
{
    private const double EpochFactor = 0.9;
    private const int Patience = 2;

    private static readonly Schedules[] All =
    [
        new("constant", "always the same", options => With(options, Schedule.Constant)),
        new("step", "×0.1 after each third of the epochs", options => With(options, Schedule.Step(options.Epochs / 3.0))),
        new("exponential", "×0.9 an epoch", options => With(options, Schedule.Exponential(EpochFactor))),
        new("cosine", "down to 0 over all epochs", options => With(options, Schedule.Cosine(options.Epochs))),
        new("warmup", "one epoch up, then cosine", options => With(options, Schedule.LinearWarmup(1, Schedule.Cosine(Math.Max(1, options.Epochs - 1))))),
        new("plateau", "×0.1 after 2 epochs without improvement", options =>
            With(options, Schedule.Constant) with { ReduceOnPlateau = new ReduceOnPlateau { Patience = Patience } }),
    ];

    public static IReadOnlyList<string> Names => [.. All.Select(choice => choice.Name)];

    public static string Meanings => string.Join("; ", All.Select(choice => $"{choice.Name} ({choice.Meaning})"));

    public static Schedules Find(string name) => All.First(choice => choice.Name == name);

    /// <summary>The schedule that the optimiser of the options follows, fitted to their epochs; null where it is none of these.</summary>
    public static string? NameOf(FitOptions options) =>
        All.FirstOrDefault(choice => choice.Apply(options).Optimizer.Schedule == options.Optimizer.Schedule)?.Name;

    private static FitOptions With(FitOptions options, Schedule schedule) =>
        options with { Optimizer = options.Optimizer.WithSchedule(schedule) };
}
