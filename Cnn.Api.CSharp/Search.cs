using Cnn.FSharp;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>What to search for, and how to train what is tried.</summary>
/// <remarks>Immutable.</remarks>
public sealed record SearchOptions
{
    private const double ValidationFraction = 0.2;

    private static readonly double[] Factors = [0.1, 0.3, 1, 3, 10, 30];

    /// <summary>Learning rates.</summary>
    /// <value>Default null: 0.1, 0.3, 1, 3, 10 and 30 times the optimiser's own.</value>
    public IReadOnlyList<double>? LearningRates { get; init; }

    /// <summary>λ of the penalty λ/2·Σ w² over the weights.</summary>
    /// <value>Default 0 alone: none.</value>
    public IReadOnlyList<double> L2 { get; init; } = [0];

    /// <summary>Filters or units of the hidden layers: a number for each, one for all of them, or none, which leaves them as they are.</summary>
    /// <value>Default as they are.</value>
    public IReadOnlyList<IReadOnlyList<int>> Layers { get; init; } = [[]];

    /// <summary>
    /// How many candidates are drawn at random: numbers between the smallest and the largest given, uniformly on a scale of
    /// logarithms, layer sizes out of those given.
    /// </summary>
    /// <value>Default null: the grid, every combination of the values given.</value>
    public int? Random { get; init; }

    /// <summary>
    /// How each candidate is trained; learning rate and penalty are its own. The seed decides first weights and random
    /// candidates too, and a fifth of the pictures is held back where nothing else is said of validation.
    /// </summary>
    /// <value>Default <c>new FitOptions()</c>. Early stopping and checkpoints are not for searches.</value>
    public FitOptions Fit { get; init; } = new();

    /// <summary>Where finished trials are kept, so that a search that was broken off goes on where it was.</summary>
    /// <value>Default null: nowhere.</value>
    public string? Folder { get; init; }

    /// <summary>Candidates that are trained at once, each on one thread; trials do not depend on it.</summary>
    /// <value>Default null: as many as the machine has processors.</value>
    public int? Threads { get; init; }

    /// <summary>Told of each new trial.</summary>
    /// <value>Default null: nobody.</value>
    public IProgress<SearchProgress>? Progress { get; init; }

    internal FSharpList<Candidate> Candidates()
    {
        var space = new SearchSpace(
            ListModule.OfSeq(LearningRates ?? [.. Factors.Select(factor => factor * Fit.Optimizer.LearningRate)]),
            ListModule.OfSeq(L2),
            ListModule.OfSeq(Layers.Select(sizes => ListModule.OfSeq(sizes))));
        return Random is { } count ? FSharp.Search.random(Key.OfSeed(Fit.Seed), count, space) : FSharp.Search.grid(space);
    }

    internal SearchTask Task(NetworkBuilder network, Dataset pictures, CancellationToken cancellationToken)
    {
        if (Fit.EarlyStopping is not null || Fit.CheckpointFolder is not null)
        {
            throw new ArgumentException(
                $"A search trains each candidate for all epochs: leave out {nameof(FitOptions.EarlyStopping)} and {nameof(FitOptions.CheckpointFolder)}.");
        }

        var isTold = Fit.Validation is not null || Fit.ValidationFraction != 0;
        var (train, validation) = (isTold ? Fit : Fit with { ValidationFraction = ValidationFraction }).Split(pictures);
        return validation is null
            ? throw new ArgumentException($"There is nothing to choose by: of {pictures}, nothing was held back.", nameof(pictures))
            : new SearchTask(network.Input, network.Specs, Fit.Settings(null, cancellationToken), Fit.Epochs, train, validation);
    }
}

/// <summary>A trial that has just finished.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Trial">What it came to.</param>
/// <param name="Finished">Candidates that are finished, those of an earlier run among them.</param>
/// <param name="Candidates">All that are tried.</param>
public sealed record SearchProgress(SearchTrial Trial, int Finished, int Candidates);

/// <summary>What a search came to.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Trials">Of all candidates, in the order of the grid, or of the draws.</param>
/// <param name="Best">The one of the highest validation accuracy; among equals of the lowest validation loss.</param>
/// <param name="Model">The chosen candidate, trained anew on all pictures, those held back included: evaluate it once, on a test set.</param>
/// <param name="Resumed">Trials that were found in the folder, and so were not run again.</param>
public sealed record SearchResult(IReadOnlyList<SearchTrial> Trials, SearchTrial Best, Model Model, int Resumed);

/// <summary>Search for learning rate, penalty and layer sizes: on a grid, or at random (Bergstra and Bengio 2012).</summary>
public static class Search
{
    /// <summary>Trains each candidate on some of the pictures, compares them on the others, and trains the best one anew on all.</summary>
    /// <param name="network">Its hidden layers, all convolutional and dense ones but the last, take the sizes of a candidate.</param>
    /// <param name="pictures">To learn from and to choose by; the test set stays out of it.</param>
    /// <param name="options">Default: <c>new SearchOptions()</c>.</param>
    /// <param name="cancellationToken">Ends the search; trials that are finished stay in the folder.</param>
    /// <exception cref="ArgumentException">
    /// A value means nothing, a candidate does not fit the network, or the folder holds another search: before any work. Or
    /// training diverged with all candidates.
    /// </exception>
    /// <exception cref="DataFormatException">The file in the folder is none of trials.</exception>
    /// <exception cref="IOException">The folder cannot be written, or another search is at it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SearchResult Run(
        NetworkBuilder network, Dataset pictures, SearchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(pictures);
        options ??= new SearchOptions();
        var backend = Simd.Backend<float>(options.Threads);
        var task = options.Task(network, pictures, cancellationToken);
        var candidates = options.Candidates();
        var fresh = 0;
        var onTrial = FuncConvert.FromAction<int, SearchTrial>((finished, trial) =>
        {
            fresh++;
            options.Progress?.Report(new SearchProgress(trial, finished, candidates.Length));
        });
        var trials = options.Folder is { } folder
            ? SearchLog.run(folder, backend.Scheduler, backend.Kernels, task, onTrial, candidates)
            : FSharp.Search.trials(backend.Scheduler, backend.Kernels, task, onTrial, candidates);
        var best = FSharp.Search.best(trials);
        return new SearchResult([.. trials], best, Refit(backend, task, best.Candidate), candidates.Length - fresh);
    }

    private static Model Refit(Backend<float> backend, SearchTask task, Candidate candidate)
    {
        var fitted = FSharp.Search.refit(backend, task, candidate);
        if (fitted.Reason == StopReason.Cancelled)
        {
            throw new OperationCanceledException("The search was cancelled.", task.Settings.Cancellation);
        }

        var pictures = task.Train.Concat(task.Validation);
        var saved = ModelFile.create(FSharpOption<int>.Some(task.Settings.Seed), pictures.ClassNames, fitted.Network);
        var training = new TrainingRecord(task.Settings.Seed, fitted.Epoch, fitted.History, FSharp.Dataset.hash(pictures));
        return new Model(new Engine<float>(saved.For(pictures).After(pictures.ClassNames, training, fitted.Network), backend));
    }
}
