using Cnn.Fluent;

namespace Cnn.Samples;

/// <summary>Settings that belong together; what the user gives comes first.</summary>
/// <param name="Origin">Whose they are, for the record.</param>
/// <param name="Options">How to train.</param>
/// <param name="Schedule">Name of the learning-rate schedule; null where the optimiser has its own.</param>
/// <param name="Network">The network with the first weights that the settings want; null for those of its source.</param>
/// <param name="Recalibrate">Whether the statistics of batch normalisation are taken anew after training.</param>
internal sealed record Preset(
    string Origin, FitOptions Options, string? Schedule = null, NetworkBuilder? Network = null, bool Recalibrate = false);

/// <summary>The presets that the command line knows.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Meaning">What it sets, for the help.</param>
/// <param name="Net">The network that it is for; null for any.</param>
/// <param name="Of">The settings for a network, null where there are none.</param>
internal sealed record Presets(string Name, string Meaning, string? Net, Func<string, Preset?> Of)
{
    /// <summary>Of the networks with batch normalisation, the one whose source trains it too shortly for running averages.</summary>
    private const string RecalibratedSource = "digits";

    private static readonly Presets[] All =
    [
        new("source", "epochs, batch size, optimiser and validation share as the network's source has them", null, net =>
            Architectures.SourceSettingsOf(net) is { } settings
                ? new Preset(settings.Source, settings.Options, Recalibrate: net == RecalibratedSource)
                : null),
        new("best", "the best settings for the network that we know of", null, net =>
            Architectures.BestSettingsOf(net) is { } best
                ? new Preset($"best, chosen on {best.Data}", best.Options, Schedules.NameOf(best.Options), best.Network, best.Recalibrate)
                : null),
        new("mnist-99", "lenet5 to 99 % of MNIST: 15 epochs in batches of 64, nesterov at 0.05, cosine schedule, l2 5e-4", "lenet5", _ =>
            new Preset(
                "mnist-99",
                new FitOptions { Epochs = 15, BatchSize = 64, Optimizer = Optimizer.Nesterov(0.05).WithL2(5e-4) },
                "cosine")),
    ];

    public static IReadOnlyList<string> Names => [.. All.Select(choice => choice.Name)];

    public static string Meanings => string.Join("; ", All.Select(choice => $"{choice.Name} ({choice.Meaning})"));

    public static Presets? Find(string? name) =>
        All.FirstOrDefault(choice => choice.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
