using Cnn.FSharp;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>The I-or-Q network with one filter: what the filter answers to lines, and how the network does.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">Whose filter it is, and what became of the dense layer.</param>
/// <param name="Model">The network.</param>
/// <param name="Kernel">The filter, 3×3×1.</param>
/// <param name="Bias">Its bias.</param>
/// <param name="Likeness">⟨K, F⟩/(‖K‖·‖F‖): how much the filter is like the hand-made one; −1 for its opposite.</param>
/// <param name="Probes"><see cref="LineProbes.Answers"/> of the filter.</param>
/// <param name="Train">On the pictures that it learned from.</param>
/// <param name="Test">On pictures that it did not see.</param>
public sealed record IOrQTrial(
    string Name, Model Model, Tensor<double> Kernel, double Bias, double Likeness, IReadOnlyList<double> Probes, Evaluation Train, Evaluation Test);

/// <summary>The experiment of Fan and Yam 11.6.3: can what one filter learned be made by hand?</summary>
/// <remarks>A filter is not identifiable: its sign and scale trade against the dense weights (SPEC section 11).</remarks>
public static class IOrQStudy
{
    /// <summary>What the source prints that its learned filter answers to the eight lines; the rounded K that it prints gives .41 and 0 for its .42 and .02.</summary>
    public static IReadOnlyList<double> PrintedProbes => [.. IOrQ.printedProbes];

    /// <summary>What the source prints that its hand-made filter answers to the eight lines.</summary>
    public static IReadOnlyList<double> PrintedHandMadeProbes => [.. IOrQ.printedHandMadeProbes];

    /// <summary>
    /// The network with the filter that it learned; with the hand-made filter and the dense layer kept, its bias chosen by
    /// the training loss; the same with the hand-made filter as near to the learned one as its scale and sign can be; and
    /// with the hand-made filter and the dense layer learned anew.
    /// </summary>
    /// <remarks>Trained as in the source: Adam, batches of 32, binary cross-entropy.</remarks>
    /// <param name="train">Pictures of 32×32×1 in two classes.</param>
    /// <param name="test">The same, not to be learned from.</param>
    /// <param name="epochs">Default 25, as in the source.</param>
    /// <param name="seed">Decides first weights and shuffling. Default 0.</param>
    /// <param name="threads">Default null: as many as the machine has processors; the result is the same for any number.</param>
    /// <param name="cancellationToken">Ends the trainings.</param>
    /// <exception cref="ArgumentException">The pictures do not fit the network.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<IOrQTrial> Run(
        Dataset train, Dataset test, int epochs = 25, int seed = 0, int? threads = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(test);
        var backend = Simd.Backend<float>(threads);
        var settings = FuncConvert.FromFunc<FSharp.TrainingSettings, FSharp.TrainingSettings>(defaults => defaults.With(_ => { }, cancellationToken));
        var trials = IOrQ.run(backend, settings, epochs, seed, train, test);
        return [.. trials.Select(trial => Trial(backend, train, seed, trial))];
    }

    private static IOrQTrial Trial(Backend<float> backend, Dataset train, int seed, IOrQTrial<float> trial)
    {
        var saved = ModelFile.create(FSharpOption<int>.Some(seed), train.ClassNames, trial.Network).For(train);
        return new(
            trial.Name, new Model(new Engine<float>(saved, backend)), NetworkInspection<float>.Real(trial.Kernel),
            trial.Bias, trial.Likeness, [.. trial.Probes], trial.Train, trial.Test);
    }
}
