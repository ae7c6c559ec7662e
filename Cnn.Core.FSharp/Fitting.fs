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
    Network: Network<'T>
    /// <summary>The epoch that the network is of, from 1; 0 where none was finished, or none was finite.</summary>
    Epoch: int
    /// <summary>What each finished epoch came to, the first one first.</summary>
    History: EpochResult list
    Reason: StopReason
}

/// <summary>Training to an end.</summary>
[<RequireQualifiedAccess>]
module Fitting =

    /// <summary>The loss that decides what is best: on the validation set, or in training where there is none.</summary>
    let watched (result: EpochResult) =
        match result.Validation with
        | null -> result.Loss
        | validation -> validation.Loss

    [<NoEquality; NoComparison>]
    type private Run<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Last: Network<'T>
        Best: Network<'T>
        BestEpoch: int
        BestLoss: float
        Results: EpochResult list
    }

    /// <summary>Trains for a number of epochs at most, and tells how it went.</summary>
    /// <remarks>
    /// Gives back the network after the last epoch; after the best one where early stopping says so, or where training
    /// was cancelled; the network that it began with where no epoch was finished. The same settings begin with the same
    /// order and the same draws, so to go on after a training give another seed.
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
    let fit
        (backend: Backend<'T>)
        (settings: TrainingSettings)
        (stopping: EarlyStopping option)
        (onEpoch: TrainingState<'T> -> unit)
        epochs
        dataset
        (network: Network<'T>)
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

        let isOver (run: Run<'T>) =
            match stopping with
            | Some rule -> run.Results.Length - run.BestEpoch >= max 1 rule.Patience && run.BestEpoch > 0
            | None -> false

        let advance (run: Run<'T>) (state: TrainingState<'T>) =
            onEpoch state
            let loss = watched state.Result
            let run = { run with Last = state.Network; Results = state.Result :: run.Results }

            if run.BestLoss - loss > minDelta then
                { run with Best = state.Network; BestEpoch = state.Result.Epoch; BestLoss = loss }
            else
                run

        let start = { Last = network; Best = network; BestEpoch = 0; BestLoss = infinity; Results = [] }

        // Epochs are asked for one at a time, and not once training is over.
        let run =
            use states = (Training.epochs backend settings dataset network |> Seq.truncate epochs).GetEnumerator()

            let rec go run =
                if isOver run || not (states.MoveNext()) then
                    run
                else
                    go (advance run states.Current)

            go start

        let reason =
            if isOver run && run.Results.Length < epochs then StopReason.EarlyStopped
            elif run.Results.Length < epochs then StopReason.Cancelled
            else StopReason.Completed

        let restoresBest = stopping |> Option.exists (fun s -> s.RestoreBest)

        let chosen, epoch =
            if restoresBest || reason = StopReason.Cancelled then
                run.Best, run.BestEpoch
            else
                run.Last, run.Results.Length

        { Network = chosen; Epoch = epoch; History = List.rev run.Results; Reason = reason }

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
