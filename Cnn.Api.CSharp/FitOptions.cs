namespace Cnn.Fluent;

/// <summary>The numbers that a model computes with.</summary>
public enum Precision
{
    /// <summary>32-bit floating point.</summary>
    Single,

    /// <summary>64-bit floating point.</summary>
    Double,
}

/// <summary>How to train a model.</summary>
/// <remarks>Immutable.</remarks>
public sealed record FitOptions
{
    private static readonly FSharp.TrainingSettings Default = FSharp.TrainingSettings.Default;

    /// <summary>Times that the training set is gone through.</summary>
    /// <value>Default 1.</value>
    public int Epochs { get; init; } = 1;

    /// <summary>Samples of a step; the last one of an epoch may have fewer.</summary>
    /// <value>Default 32.</value>
    public int BatchSize { get; init; } = Default.BatchSize;

    /// <summary>How gradients become steps.</summary>
    /// <value>Default Adam with a learning rate of 1e−3.</value>
    public Optimizer Optimizer { get; init; } = Default.Optimizer;

    /// <summary>What is made small.</summary>
    /// <value>Default null: cross-entropy after softmax, binary cross-entropy after sigmoid, else ½‖·‖².</value>
    public Loss? Loss { get; init; }

    /// <summary>Decides shuffling and dropout.</summary>
    /// <value>Default 0.</value>
    public int Seed { get; init; } = Default.Seed;

    /// <summary>Evaluated after each epoch.</summary>
    /// <value>Default null: nothing.</value>
    public Dataset? Validation { get; init; }

    /// <summary>Told after each batch.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<BatchProgress>? Progress { get; init; }

    /// <summary>Told after each epoch.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<EpochResult>? EpochProgress { get; init; }
}

/// <summary>What training came to.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Model">The trained model; the one that training began with where no epoch was finished.</param>
/// <param name="History">What each finished epoch came to.</param>
/// <param name="Duration">Time that it took.</param>
/// <param name="IsCanceled">True where training was cancelled before its last epoch.</param>
public sealed record FitResult(Model Model, IReadOnlyList<EpochResult> History, TimeSpan Duration, bool IsCanceled);

/// <summary>What a model says of a picture.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Class">The most probable class, from 0.</param>
/// <param name="ClassName">Its name.</param>
/// <param name="Probabilities">One number for each class; they add up to 1 where the last layer is softmax or one sigmoid.</param>
public sealed record Prediction(int Class, string ClassName, IReadOnlyList<double> Probabilities)
{
    /// <summary>The probability of <see cref="Class"/>.</summary>
    public double Probability => Probabilities[Class];
}
