using System.Globalization;

namespace Cnn.Samples;

/// <summary>The optimisers that the command line knows, each with a learning rate that suits the networks here.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="LearningRate">Taken where none is given.</param>
/// <param name="Create">The optimiser with a learning rate.</param>
internal sealed record Optimizers(string Name, double LearningRate, Func<double, Optimizer> Create)
{
    private static readonly Optimizers[] All =
    [
        new("sgd", 0.1, rate => Optimizer.Sgd(rate)),
        new("momentum", 0.1, rate => Optimizer.Momentum(rate)),
        new("adam", 0.001, rate => Optimizer.Adam(rate)),
    ];

    public static IReadOnlyList<string> Names => [.. All.Select(choice => choice.Name)];

    public static string LearningRates =>
        string.Join(", ", All.Select(choice => string.Create(CultureInfo.InvariantCulture, $"{choice.LearningRate} for {choice.Name}")));

    public static Optimizer Find(string name, double? learningRate)
    {
        var choice = All.First(choice => choice.Name == name);
        return choice.Create(learningRate ?? choice.LearningRate);
    }
}
