namespace Cnn

/// <summary>Why training ended.</summary>
type StopReason =
    /// All epochs are done.
    | Completed = 0
    /// The watched loss no longer fell.
    | EarlyStopped = 1
    /// The caller asked for it.
    | Cancelled = 2

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>Ends training when the watched loss no longer falls: Keras' EarlyStopping.</summary>
/// <remarks>Watched is the validation loss, or the training loss where there is no validation set.</remarks>
type EarlyStopping = {
    /// <summary>Epochs without improvement that are waited for.</summary>
    Patience: int
    /// <summary>By how much the loss must fall to count. Default 0: any fall counts.</summary>
    MinDelta: float
    /// <summary>Whether the best network is given back, not the last. Default true.</summary>
    RestoreBest: bool
} with

    /// <summary>Waits for a number of epochs, counts any fall, gives back the best network.</summary>
    static member After patience = { Patience = patience; MinDelta = 0.0; RestoreBest = true }

/// <summary>What training came to.</summary>
[<NoEquality; NoComparison>]
type Fitted<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The trained network.</summary>
    Network: Network<'T>
    /// <summary>The epoch that the network is of, from 1; 0 where none was finished, or none was finite.</summary>
    Epoch: int
    /// <summary>What each finished epoch came to, the first one first.</summary>
    History: EpochResult list
    /// <summary>Why training ended.</summary>
    Reason: StopReason
}

/// <summary>How far training to an end has got: all that it goes on from.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type FittingState<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>After the last epoch.</summary>
    Last: TrainingState<'T>
    /// <summary>The network of the lowest watched loss.</summary>
    Best: Network<'T>
    /// <summary>The epoch that it is of, from 1; 0 where none was finished.</summary>
    BestEpoch: int
    /// <summary>Its watched loss; infinite where no epoch was finished.</summary>
    BestLoss: float
    /// <summary>What each finished epoch came to, the first one first.</summary>
    History: EpochResult list
}

/// <summary>Training to an end.</summary>
[<RequireQualifiedAccess>]
module Fitting =

    /// <summary>The loss that decides what is best: on the validation set, or in training where there is none.</summary>
    let watched (result: EpochResult) =
        match result.Validation with
        | null -> result.Loss
        | validation -> validation.Loss

    /// <summary>Before the first epoch.</summary>
    let start settings (network: Network<'T>) : FittingState<'T> = {
        Last = Training.start settings network
        Best = network
        BestEpoch = 0
        BestLoss = infinity
        History = []
    }

    /// <summary>Goes on training until a number of epochs is done at most, and tells how it went from the first epoch on.</summary>
    /// <remarks>
    /// Going on after n epochs gives what training without a break gives, to the last bit. Gives back the network after
    /// the last epoch; after the best one where early stopping says so, or where training was cancelled; the network that
    /// it began with where no epoch was finished.
    /// </remarks>
    /// <param name="backend">What computes.</param>
    /// <param name="settings">How to train.</param>
    /// <param name="stopping">When to stop early; none: never.</param>
    /// <param name="onEpoch">Called with the state after each epoch.</param>
    /// <param name="epochs">The most epochs, those that are done included.</param>
    /// <param name="dataset">What to learn from.</param>
    /// <param name="state">Where to go on.</param>
    /// <exception cref="T:System.ArgumentException">The data do not fit the network; before any work.</exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let resume
        (backend: Backend<'T>)
        (settings: TrainingSettings)
        (stopping: EarlyStopping option)
        (onEpoch: FittingState<'T> -> unit)
        epochs
        dataset
        (state: FittingState<'T>)
        : Fitted<'T> =
        if epochs < 0 then
            raise (ArgumentOutOfRangeException(nameof epochs, epochs, "The number of epochs must be 0 or more."))

        match stopping with
        | Some rule when rule.Patience < 0 || not (rule.MinDelta >= 0.0) ->
            raise (
                ArgumentException(
                    "Early stopping needs a patience and a least improvement of 0 or more.",
                    nameof stopping
                )
            )
        | _ -> ()

        let minDelta = stopping |> Option.map (fun s -> s.MinDelta) |> Option.defaultValue 0.0

        let isOver (run: FittingState<'T>) =
            match stopping with
            | Some rule -> run.History.Length - run.BestEpoch >= max 1 rule.Patience && run.BestEpoch > 0
            | None -> false

        let advance (run: FittingState<'T>) (last: TrainingState<'T>) =
            let loss = watched last.Result
            let run = { run with Last = last; History = run.History @ [ last.Result ] }

            let run =
                if run.BestLoss - loss > minDelta then
                    { run with Best = last.Network; BestEpoch = last.Result.Epoch; BestLoss = loss }
                else
                    run

            onEpoch run
            run

        // Epochs are asked for one at a time, and not once training is over.
        let run =
            let left = max 0 (epochs - state.History.Length)
            use states = (Training.resume backend settings dataset state.Last |> Seq.truncate left).GetEnumerator()

            let rec go run =
                if isOver run || not (states.MoveNext()) then
                    run
                else
                    go (advance run states.Current)

            go state

        let reason =
            if isOver run && run.History.Length < epochs then StopReason.EarlyStopped
            elif run.History.Length < epochs then StopReason.Cancelled
            else StopReason.Completed

        let restoresBest = stopping |> Option.exists (fun s -> s.RestoreBest)

        let chosen, epoch =
            if restoresBest || reason = StopReason.Cancelled then
                run.Best, run.BestEpoch
            else
                run.Last.Network, run.History.Length

        { Network = chosen; Epoch = epoch; History = run.History; Reason = reason }

    /// <summary>Trains for a number of epochs at most, and tells how it went: <c>resume</c> from the start.</summary>
    /// <remarks>
    /// The same settings begin with the same order and the same draws, so to go on after a training give another seed, or
    /// <c>resume</c>.
    /// </remarks>
    /// <param name="backend">What computes.</param>
    /// <param name="settings">How to train.</param>
    /// <param name="stopping">When to stop early; none: never.</param>
    /// <param name="onEpoch">Called with the state after each epoch.</param>
    /// <param name="epochs">The most epochs.</param>
    /// <param name="dataset">What to learn from.</param>
    /// <param name="network">What to train; it stays as it is.</param>
    /// <exception cref="T:System.ArgumentException">The data do not fit the network; before any work.</exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let fit backend settings stopping (onEpoch: TrainingState<'T> -> unit) epochs dataset (network: Network<'T>) =
        resume backend settings stopping (fun state -> onEpoch state.Last) epochs dataset (start settings network)

    /// <summary>The network with every batch normalisation's statistics taken anew over a data set.</summary>
    /// <remarks>
    /// Layer by layer: mean and population variance of what reaches it, over all samples (and pixels), the statistics
    /// of the layers below being the new ones already. Use it where running averages lag behind (SPEC section 12).
    /// </remarks>
    let recalibrate (backend: Backend<'T>) (dataset: Dataset) (network: Network<'T>) : Network<'T> =
        if dataset.Count = 0 then
            raise (ArgumentException("Statistics need at least one picture.", nameof dataset))

        // The sum over the data set of a function of what a network gives, per feature, in double precision.
        let total (predictor: Predictor<'T>) features (value: int -> float -> float) =
            let sums = Array.zeroCreate<float> features

            for struct (first, size) in Dataset.batches 256 false dataset.Count do
                let outputs = predictor.Run(dataset.Select(seq { first .. first + size - 1 }))

                for i in 0 .. outputs.Size - 1 do
                    let c = i % features
                    sums[c] <- sums[c] + value c (Number.toFloat outputs.Span[i])

            sums

        let moments (below: Network<'T>) features =
            let predictor = Predictor(backend, below)
            let n = float dataset.Count * float ((Network.output below).Size / features)
            let means = total predictor features (fun _ x -> x) |> Array.map (fun sum -> sum / n)
            let squares = total predictor features (fun c x -> (x - means[c]) * (x - means[c]))
            means, squares |> Array.map (fun sum -> sum / n)

        let rec renew done' (s: State<'T>) fresh parts =
            match parts with
            | [] -> fresh
            | part :: rest ->
                let sf, sg = List.splitAt part.States s

                let renewed =
                    match part.Spec with
                    | LayerSpec.BatchNorm _ ->
                        let taken = List.sumBy (fun (p: Primitive<'T>) -> p.Parameters) done'

                        let below = {
                            network with
                                Layer = { Parts = done' }
                                Parameters = List.take taken network.Parameters
                                State = fresh
                        }

                        let means, variances = moments below sf.Head.Size

                        [ means; variances ]
                        |> List.map (fun values -> Tensor.init sf.Head.Shape (fun c -> Number.ofFloat values[c]))
                    | _ -> sf

                renew (done' @ [ part ]) sg (fresh @ renewed) rest

        { network with State = renew [] network.State [] network.Layer.Parts }
