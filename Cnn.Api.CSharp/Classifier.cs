using Cnn.FSharp;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>What <see cref="Classifier.Train"/> gives.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Model">The best model.</param>
/// <param name="Epoch">The epoch that the model is of, from 1; 0 where none was finished.</param>
/// <param name="History">What each epoch came to.</param>
/// <param name="Reason">Why training ended.</param>
/// <param name="Validation">How the model does on the fifth of the pictures that it did not learn from.</param>
public sealed record ClassifierResult(
    Model Model, int Epoch, IReadOnlyList<EpochResult> History, StopReason Reason, Evaluation Validation);

/// <summary>For the impatient: a sensible network for any set of pictures, trained sensibly.</summary>
public static class Classifier
{
    /// <summary>Picks a network for the size of the pictures, holds back a fifth of them, and trains until that fifth gets no better.</summary>
    /// <param name="dataset">Labelled pictures of at least two classes.</param>
    /// <param name="seed">Decides first weights, shuffling, dropout and who is held back. Default 0.</param>
    /// <param name="progress">Told after each batch. Default nobody.</param>
    /// <param name="cancellationToken">Ends training before the next batch; the result is the best finished epoch.</param>
    /// <exception cref="ArgumentException">There are too few pictures, or fewer than two classes.</exception>
    public static ClassifierResult Train(
        Dataset dataset, int seed = 0, IProgress<BatchProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        var backend = Simd.Backend<float>();
        var settings = FuncConvert.FromFunc<TrainingSettings, TrainingSettings>(
            defaults => defaults.With(batch => progress?.Report(batch), cancellationToken));
        var result = FSharp.Classifier.train(backend, settings, seed, dataset);
        var saved = ModelFile.create(FSharpOption<int>.Some(seed), dataset.ClassNames, result.Fitted.Network);
        var training = new TrainingRecord(seed, result.Fitted.Epoch, result.Fitted.History, FSharp.Dataset.hash(dataset));
        var model = new Model(new Engine<float>(saved.For(dataset).After(dataset.ClassNames, training, result.Fitted.Network), backend));
        return new ClassifierResult(model, result.Fitted.Epoch, [.. result.Fitted.History], result.Fitted.Reason, result.Validation);
    }
}
