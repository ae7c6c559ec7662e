using System.Globalization;
using Microsoft.FSharp.Core;

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

    /// <summary>Whether a last batch that is smaller is left out.</summary>
    /// <value>Default false.</value>
    public bool DropLast { get; init; } = Default.DropLast;

    /// <summary>How gradients become steps.</summary>
    /// <value>Default Adam with a learning rate of 1e−3.</value>
    /// <exception cref="ArgumentNullException">It is null.</exception>
    public Optimizer Optimizer
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Optimizer));
    } = Default.Optimizer;

    /// <summary>What is made small.</summary>
    /// <value>Default null: cross-entropy after softmax, binary cross-entropy after sigmoid, else ½‖·‖².</value>
    public Loss? Loss { get; init; }

    /// <summary>Decides shuffling, dropout and augmentation.</summary>
    /// <value>Default 0.</value>
    public int Seed { get; init; } = Default.Seed;

    /// <summary>Random changes of the training pictures, anew in each epoch: of what the network sees.</summary>
    /// <value>Default none.</value>
    /// <exception cref="ArgumentNullException">It is null.</exception>
    public Augmentation Augmentation
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Augmentation));
    } = Default.Augmentation;

    /// <summary>Evaluated after each epoch; raw, or preprocessed as the training set is.</summary>
    /// <value>Default null: nothing.</value>
    public Dataset? Validation { get; init; }

    /// <summary>Share of the training set that is held back for validation, class by class, where <see cref="Validation"/> is null.</summary>
    /// <value>From 0 to below 1; default 0: nothing is held back.</value>
    public double ValidationFraction { get; init; }

    /// <summary>What a sample of each class counts in the loss.</summary>
    /// <value>Default null: the same for all.</value>
    public IReadOnlyList<double>? ClassWeights { get; init; }

    /// <summary>Ends training when the loss no longer falls.</summary>
    /// <value>Default null: never.</value>
    public EarlyStopping? EarlyStopping { get; init; }

    /// <summary>Lowers the learning rate when the loss no longer falls.</summary>
    /// <value>Default null: never.</value>
    public ReduceOnPlateau? ReduceOnPlateau { get; init; }

    /// <summary>Folder in which training is put aside after each epoch, so that it can be taken up again; the last two epochs are kept.</summary>
    /// <value>Default null: nowhere.</value>
    public string? CheckpointFolder { get; init; }

    /// <summary>Whether training goes on from the latest of <see cref="CheckpointFolder"/>, if there is one: to the bits of training without a break.</summary>
    /// <value>Default false: the folder must hold none.</value>
    public bool Resume { get; init; }

    /// <summary>Told after each batch.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<BatchProgress>? Progress { get; init; }

    /// <summary>Told after each epoch.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<EpochResult>? EpochProgress { get; init; }

    /// <summary>Told of what looks wrong but can be trained on.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<string>? Warnings { get; init; }

    internal FSharp.TrainingSettings Settings(Dataset? validation, CancellationToken cancellationToken) => new(
        BatchSize, DropLast, Optimizer, Optional.Of(Loss), Seed, Augmentation, Optional.Of(validation),
        Optional.Of(ClassWeights?.ToArray()), Optional.Of(ReduceOnPlateau?.Value),
        FuncConvert.FromAction<BatchProgress>(progress => Progress?.Report(progress)),
        FuncConvert.FromAction<string>(warning => Warnings?.Report(warning)),
        cancellationToken);

    internal (Dataset Train, Dataset? Validation) Split(Dataset train)
    {
        if (!(ValidationFraction >= 0 && ValidationFraction < 1))
        {
            throw Refused("The share that is held back must be 0 or more and below 1.");
        }

        // An empty set is refused by what trains on it.
        if (ValidationFraction == 0 || train.Count == 0)
        {
            return (train, Validation);
        }

        if (Validation is not null)
        {
            throw new ArgumentException($"Give either {nameof(Validation)} or {nameof(ValidationFraction)}, not both.", nameof(Validation));
        }

        var split = train.StratifiedSplit(ValidationFraction, Key.OfSeed(Seed));
        if (split.Test.Count == 0 || split.Train.Count == 0)
        {
            var what = split.Test.Count == 0 ? "nothing" : "everything";
            throw Refused($"Of {train}, class by class, this share holds back {what}.");
        }

        return (split.Train, split.Test);

        ArgumentOutOfRangeException Refused(string why) => new(nameof(ValidationFraction), ValidationFraction, why);
    }
}

/// <summary>Ends training when the watched loss no longer falls: the validation loss, or the training loss where there is no validation set.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Patience">Epochs without improvement that are waited for.</param>
public sealed record EarlyStopping(int Patience)
{
    private static readonly FSharp.EarlyStopping Default = FSharp.EarlyStopping.After(0);

    /// <summary>By how much the loss must fall to count.</summary>
    /// <value>Default 0: any fall counts.</value>
    public double MinDelta { get; init; } = Default.MinDelta;

    /// <summary>Whether the best model is given back, not the last.</summary>
    /// <value>Default true.</value>
    public bool RestoreBest { get; init; } = Default.RestoreBest;

    internal FSharp.EarlyStopping Value => new(Patience, MinDelta, RestoreBest);
}

/// <summary>Lowers the learning rate when the watched loss no longer falls.</summary>
/// <remarks>Immutable.</remarks>
public sealed record ReduceOnPlateau
{
    private static readonly FSharp.Plateau Default = FSharp.Plateau.Default;

    /// <summary>What the rate is multiplied by.</summary>
    /// <value>Default 0.1.</value>
    public double Factor { get; init; } = Default.Factor;

    /// <summary>Epochs without improvement that are waited for.</summary>
    /// <value>Default 10.</value>
    public int Patience { get; init; } = Default.Patience;

    /// <summary>By how much the loss must fall to count.</summary>
    /// <value>Default 1e−4.</value>
    public double MinDelta { get; init; } = Default.MinDelta;

    /// <summary>Epochs after a reduction in which nothing is counted.</summary>
    /// <value>Default 0.</value>
    public int Cooldown { get; init; } = Default.Cooldown;

    /// <summary>The rate is not reduced below this.</summary>
    /// <value>Default 0.</value>
    public double MinRate { get; init; } = Default.MinRate;

    internal FSharp.Plateau Value => new(Factor, Patience, MinDelta, Cooldown, MinRate);
}

/// <summary>What training came to.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Model">The trained model; the one that training began with where no epoch was finished.</param>
/// <param name="Epoch">The epoch that the model is of, from 1; 0 where none was finished.</param>
/// <param name="History">What each finished epoch came to.</param>
/// <param name="Duration">Time that it took.</param>
/// <param name="Reason">Why it ended.</param>
public sealed record FitResult(Model Model, int Epoch, IReadOnlyList<EpochResult> History, TimeSpan Duration, StopReason Reason)
{
    /// <summary>Epochs, why it ended, and the result of the epoch that the model is of.</summary>
    public override string ToString()
    {
        var epochs = History.Count == 1 ? "1 epoch" : string.Create(CultureInfo.InvariantCulture, $"{History.Count} epochs");
        var chosen = Epoch > 0 && Epoch <= History.Count ? $"; {History[Epoch - 1]}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{Reason} after {epochs} in {Duration.TotalSeconds:F1} s{chosen}");
    }
}
