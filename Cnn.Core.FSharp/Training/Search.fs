namespace Cnn

open System
open System.Collections.Generic

/// <summary>One way to train a network: a value of each hyperparameter that is searched.</summary>
/// <remarks>An immutable value with structural equality.</remarks>
[<NoComparison>]
type Candidate = {
    /// <summary>η, before the schedule.</summary>
    LearningRate: float
    /// <summary>λ of the penalty λ/2·Σ w²; 0 for none.</summary>
    L2: float
    /// <summary>Filters or units of the hidden layers: a number for each, one for all of them, or none, which leaves them as they are.</summary>
    Layers: IReadOnlyList<int>
} with

    /// <summary>The sizes of the hidden layers, as in 20-20.</summary>
    member this.Sizes = if this.Layers.Count = 0 then "unchanged" else String.Join('-', this.Layers)

    /// <summary>All values, as in learning rate 0.01, l2 0.0001, layers 20-20.</summary>
    override this.ToString() =
        "learning rate "
        + Words.number this.LearningRate
        + ", l2 "
        + Words.number this.L2
        + ", layers "
        + this.Sizes

/// <summary>What a candidate came to on the pictures that are held back for the choice.</summary>
/// <remarks>An immutable value with structural equality.</remarks>
[<NoComparison>]
type SearchTrial = {
    /// <summary>What was tried.</summary>
    Candidate: Candidate
    /// <summary>Mean training loss over the last epoch, while it learned; infinite where training diverged.</summary>
    TrainingLoss: float
    /// <summary>Loss on the validation set after the last epoch; infinite where training diverged.</summary>
    Loss: float
    /// <summary>Share of the validation set answered right after the last epoch; 0 where training diverged.</summary>
    Accuracy: float
} with

    /// <summary>Whether training met a NaN or an infinity.</summary>
    member this.IsDiverged = Double.IsInfinity this.Loss

    /// <summary>Values and result, as in learning rate 0.01, l2 0, layers 20-20: loss 0.4, accuracy 0.9.</summary>
    override this.ToString() =
        string this.Candidate
        + (if this.IsDiverged then
               ": diverged"
           else
               ": loss " + Words.number this.Loss + ", accuracy " + Words.number this.Accuracy)

namespace Cnn.FSharp

open System
open System.Collections.Generic
open Cnn

/// <summary>The values that are searched: a grid takes all of them, random draws lie between the smallest and the largest.</summary>
/// <remarks>Immutable.</remarks>
type SearchSpace = {
    /// <summary>η.</summary>
    LearningRates: float list
    /// <summary>λ of the penalty λ/2·Σ w².</summary>
    L2: float list
    /// <summary>Sizes of the hidden layers, each as <c>Candidate.Layers</c>.</summary>
    Layers: int list list
}

/// <summary>What the candidates of a search share.</summary>
/// <remarks>Immutable. There is no test set in it: nothing that chooses can see one.</remarks>
[<NoEquality; NoComparison>]
type SearchTask = {
    /// <summary>Height×width×channels of a picture.</summary>
    Input: Shape
    /// <summary>The layers of the network, whose hidden ones take the sizes of a candidate.</summary>
    Specs: LayerSpec list
    /// <summary>How to train; learning rate and penalty are the candidate's, validation is by the set below.</summary>
    Settings: TrainingSettings
    /// <summary>Epochs of each candidate, at least 1.</summary>
    Epochs: int
    /// <summary>What candidates learn from.</summary>
    Train: Dataset
    /// <summary>What they are chosen by.</summary>
    Validation: Dataset
}

/// <summary>Search for hyperparameters: on a grid, or at random (Bergstra and Bengio 2012).</summary>
/// <remarks>
/// Pure given a scheduler and a key. Each candidate trains on one thread, from the same seed; so its trial depends on the
/// task and itself alone, to the last bit, whatever is tried beside it, in which order, and on how many threads.
/// </remarks>
[<RequireQualifiedAccess>]
module Search =

    /// Refuses a space without candidates, or with ones that mean nothing.
    let private refuse (space: SearchSpace) =
        let isNumber x = x >= 0.0 && Double.IsFinite x

        let require isValid what =
            if not isValid then
                raise (ArgumentException("A search needs " + what + "."))

        let numbers (xs: float list) = not xs.IsEmpty && List.forall isNumber xs
        require (numbers space.LearningRates) "learning rates, one or more, of 0 or more"
        require (numbers space.L2) "penalties, one or more, of 0 or more"

        require
            (not space.Layers.IsEmpty && space.Layers |> List.forall (List.forall (fun size -> size >= 1)))
            "sizes of layers, one list or more, each of 1 or more"

    let private candidate η λ (sizes: int list) : Candidate = { LearningRate = η; L2 = λ; Layers = sizes }

    /// <summary>Layer sizes × penalties × learning rates: every combination once, the learning rates running fastest.</summary>
    /// <exception cref="T:System.ArgumentException">There is nothing to search, or a value means nothing.</exception>
    let grid (space: SearchSpace) : Candidate list =
        refuse space

        [
            for sizes in List.distinct space.Layers do
                for λ in List.distinct space.L2 do
                    for η in List.distinct space.LearningRates do
                        candidate η λ sizes
        ]

    /// low·(high/low)^u, 0 < low ≤ high, by square roots alone, so that it is the same on every machine: for
    /// u = Σ b_k 2⁻ᵏ it is the product of those (high/low)^2⁻ᵏ whose b_k is 1.
    let private between (low: float) (high: float) (u: float) =
        let mutable power = sqrt high / sqrt low
        let mutable rest = u
        let mutable x = low

        for _ in 1..53 do
            rest <- 2.0 * rest

            if rest >= 1.0 then
                rest <- rest - 1.0
                x <- x * power

            power <- sqrt power

        Math.Clamp(x, low, high)

    /// <summary>
    /// Candidates drawn by a key: log η and log λ uniformly between the logarithms of the smallest and the largest value,
    /// layer sizes out of those given, each equally likely.
    /// </summary>
    /// <remarks>Candidate i depends on key, space and i alone: asking for more keeps those there were.</remarks>
    /// <param name="key">Decides the draws.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <param name="space">Between which values.</param>
    /// <exception cref="T:System.ArgumentException">There is nothing to search, or a range of numbers begins at 0, which has no logarithm.</exception>
    let random (key: Key) count (space: SearchSpace) : Candidate list =
        refuse space

        if count < 1 then
            raise (ArgumentOutOfRangeException(nameof count, count, "A search needs at least one candidate."))

        let draw name (values: float list) =
            let low, high = List.min values, List.max values

            if low = high then
                fun _ -> low
            elif low > 0.0 then
                between low high
            else
                raise (
                    ArgumentException(
                        "A range of "
                        + name
                        + " from 0 cannot be drawn from on a scale of logarithms: begin above 0, or give 0 alone."
                    )
                )

        let rate, penalty = draw "learning rates" space.LearningRates, draw "penalties" space.L2
        let sizes = Array.ofList space.Layers
        let purpose = key.Child Purpose.Search

        List.init count (fun i ->
            let key = purpose.Child(int64 i)
            candidate (rate (key.Uniform 0L)) (penalty (key.Uniform 1L)) sizes[key.Below(sizes.Length, 2L)])

    /// <summary>The layers with other sizes of the hidden ones: of all convolutional and dense layers but the last.</summary>
    /// <param name="sizes">Filters or units: a number for each hidden layer, one for all of them, or none, which changes nothing.</param>
    /// <param name="specs">The layers.</param>
    /// <exception cref="T:System.ArgumentException">There are more or fewer sizes than hidden layers.</exception>
    let resize (sizes: int list) (specs: LayerSpec list) : LayerSpec list =
        let hidden = (specs |> List.filter (fun spec -> spec.IsConv2D || spec.IsDense)).Length - 1

        let each =
            match sizes with
            | [] -> []
            | [ size ] -> List.replicate hidden size
            | _ when sizes.Length = hidden -> sizes
            | _ ->
                raise (
                    ArgumentException(
                        "The network has "
                        + Words.count hidden "hidden layer" "hidden layers"
                        + ", but there are "
                        + string sizes.Length
                        + " sizes: "
                        + String.Join('-', sizes)
                        + ". Give one for each, or one for all."
                    )
                )

        specs
        |> List.mapFold
            (fun left spec ->
                match spec, left with
                | Conv2D conv, size :: rest -> Conv2D { conv with Filters = size }, rest
                | Dense dense, size :: rest -> Dense { dense with Units = size }, rest
                | _ -> spec, left)
            each
        |> fst

    /// <summary>The network of a candidate at its start; weights are drawn from the seed of the settings.</summary>
    /// <exception cref="T:System.ArgumentException">The sizes do not fit the network, or the network the pictures.</exception>
    let network (task: SearchTask) (candidate: Candidate) : Network<'T> =
        let specs = resize (List.ofSeq candidate.Layers) task.Specs
        Network.create (Key.ofSeed task.Settings.Seed) task.Input (Layers.ofSpecs specs)

    /// How a candidate is trained.
    let private settings (task: SearchTask) (candidate: Candidate) = {
        task.Settings with
            Optimizer = task.Settings.Optimizer.WithLearningRate(candidate.LearningRate).WithL2 candidate.L2
    }

    /// <summary>Trains a candidate on one thread and asks the validation set.</summary>
    /// <exception cref="T:System.ArgumentException">The candidate does not fit the network, or the data do not.</exception>
    /// <exception cref="T:System.OperationCanceledException">The settings' token says so.</exception>
    let attempt (kernels: IKernels<'T>) (task: SearchTask) (candidate: Candidate) : SearchTrial =
        let backend: Backend<'T> = { Kernels = kernels; Scheduler = SequentialScheduler() }

        let settings = {
            settings task candidate with
                Validation = Some task.Validation
                OnBatch = ignore
                OnWarning = ignore
        }

        let trial trainingLoss loss accuracy : SearchTrial = {
            Candidate = candidate
            TrainingLoss = trainingLoss
            Loss = loss
            Accuracy = accuracy
        }

        let diverged = trial infinity infinity 0.0

        try
            let fitted = Fitting.fit backend settings None ignore task.Epochs task.Train (network task candidate)

            if fitted.Reason = StopReason.Cancelled then
                raise (OperationCanceledException("The search was cancelled.", settings.Cancellation))

            let last = List.last fitted.History

            match last.Validation with
            | null -> diverged
            | validation when not (Double.IsFinite validation.Loss) -> diverged
            | validation -> trial last.Loss validation.Loss validation.Accuracy
        with :? NonFiniteException ->
            diverged

    /// <summary>The trials of candidates, in their order: those that are known, and the others by an attempt each.</summary>
    /// <param name="scheduler">Spreads the attempts, a candidate an iteration.</param>
    /// <param name="attempt">Pure, and callable from several threads at once.</param>
    /// <param name="known">Trials of before.</param>
    /// <param name="onTrial">Told of each new trial, and how many of the candidates are finished; called by one thread at a time.</param>
    /// <param name="candidates">What is tried.</param>
    let run
        (scheduler: IScheduler)
        (attempt: Candidate -> SearchTrial)
        (known: SearchTrial seq)
        (onTrial: int -> SearchTrial -> unit)
        (candidates: Candidate list)
        : SearchTrial list =
        let wanted = List.distinct candidates
        let found = Dictionary<Candidate, SearchTrial>()

        for trial in known do
            if List.contains trial.Candidate wanted then
                found[trial.Candidate] <- trial

        let missing = wanted |> List.filter (found.ContainsKey >> not) |> Array.ofList
        let gate = obj ()

        scheduler.For(
            missing.Length,
            fun i ->
                let trial = attempt missing[i]

                lock gate (fun () ->
                    found[missing[i]] <- trial
                    onTrial found.Count trial)
        )

        candidates |> List.map (fun candidate -> found[candidate])

    /// Refuses, before any work, what no candidate could be trained with.
    let internal requireFit (task: SearchTask) (candidates: Candidate list) =
        if task.Epochs < 1 then
            raise (ArgumentOutOfRangeException(nameof task, task.Epochs, "A candidate needs at least one epoch."))

        for sizes in candidates |> List.map (fun c -> List.ofSeq c.Layers) |> List.distinct do
            let layer: Layer<float32> = resize sizes task.Specs |> Layers.ofSpecs
            Layer.output layer task.Input |> ignore

        for first in List.truncate 1 candidates do
            let start: Network<float32> = network task first
            let settings = task.Settings
            let sets = [ task.Train; task.Validation ]
            TrainingChecks.refuse (SequentialScheduler()) settings.BatchSize settings.ClassWeights start sets

    /// <summary><c>run</c> with an attempt at each candidate of a task.</summary>
    /// <exception cref="T:System.ArgumentException">A candidate does not fit the network, or the data do not; before any work.</exception>
    /// <exception cref="T:System.OperationCanceledException">The settings' token says so.</exception>
    let trials scheduler (kernels: IKernels<'T>) (task: SearchTask) onTrial (candidates: Candidate list) =
        requireFit task candidates
        run scheduler (attempt kernels task) [] onTrial candidates

    /// <summary>The trials, the highest accuracy first; equals by the lowest loss, then by the smallest values.</summary>
    let ranked (trials: SearchTrial list) =
        trials
        |> List.sortBy (fun t ->
            -t.Accuracy, t.Loss, t.Candidate.LearningRate, t.Candidate.L2, List.ofSeq t.Candidate.Layers)

    /// <summary>The first of the ranked trials.</summary>
    /// <exception cref="T:System.ArgumentException">There is none that did not diverge.</exception>
    let best (trials: SearchTrial list) =
        match ranked trials |> List.tryFind (fun trial -> not trial.IsDiverged) with
        | Some trial -> trial
        | None ->
            raise (ArgumentException("Training diverged with each of the candidates: search smaller learning rates."))

    /// <summary>Trains the chosen candidate anew, on training and validation pictures together: what is tested, once.</summary>
    /// <exception cref="T:System.ArgumentException">The candidate does not fit the network, or the data do not.</exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let refit (backend: Backend<'T>) (task: SearchTask) (candidate: Candidate) : Fitted<'T> =
        let settings = { settings task candidate with Validation = None }
        let pictures = task.Train.Concat task.Validation
        Fitting.fit backend settings None ignore task.Epochs pictures (network task candidate)
