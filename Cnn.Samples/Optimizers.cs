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
        new("classic-momentum", 0.01, rate => Optimizer.ClassicMomentum(rate)),
        new("keras-momentum", 0.01, rate => Optimizer.KerasMomentum(rate)),
        new("nesterov", 0.01, rate => Optimizer.Nesterov(rate)),
        new("keras-nesterov", 0.01, rate => Optimizer.KerasNesterov(rate)),
        new("adagrad", 0.01, rate => Optimizer.Adagrad(rate)),
        new("keras-adagrad", 0.01, rate => Optimizer.KerasAdagrad(rate)),
        new("rmsprop", 0.001, rate => Optimizer.RmsProp(rate)),
        new("keras-rmsprop", 0.001, rate => Optimizer.KerasRmsProp(rate)),
        new("adam", 0.001, rate => Optimizer.Adam(rate)),
        new("keras-adam", 0.001, rate => Optimizer.KerasAdam(rate)),
        new("adamw", 0.001, rate => Optimizer.AdamW(rate)),
    ];

    public static IReadOnlyList<string> Names => [.. All.Select(choice => choice.Name)];

    public static string LearningRates => string.Join("; ", All
        .GroupBy(choice => choice.LearningRate)
        .Select(group => string.Create(
            CultureInfo.InvariantCulture, $"{group.Key} for {string.Join(", ", group.Select(choice => choice.Name))}")));

    public static Optimizer Find(string name, double? learningRate)
    {
        var choice = All.First(choice => choice.Name == name);
        return choice.Create(learningRate ?? choice.LearningRate);
    }
}
