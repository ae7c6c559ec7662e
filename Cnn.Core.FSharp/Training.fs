namespace Cnn

/// <summary>Where a training run is within an epoch.</summary>
/// <remarks>An immutable value.</remarks>
[<Struct>]
type BatchProgress = {
    /// <summary>The epoch, from 1.</summary>
    Epoch: int
    /// <summary>Batches done in this epoch.</summary>
    Batch: int
    /// <summary>Batches of an epoch.</summary>
    Batches: int
    /// <summary>Samples seen in this epoch.</summary>
    Samples: int
    /// <summary>Mean loss over the samples seen in this epoch.</summary>
    Loss: float
    /// <summary>Share of the samples seen in this epoch that were answered right, before the step that learned from them.</summary>
    Accuracy: float
}

/// <summary>What an epoch of training came to.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type EpochResult = {
    /// <summary>The epoch, from 1.</summary>
    Epoch: int
    /// <summary>Mean training loss over the epoch, while it learned.</summary>
    Loss: float
    /// <summary>Share of training samples answered right, while it learned.</summary>
    Accuracy: float
    /// <summary>How the network does on the validation set after the epoch; null where there is none.</summary>
    Validation: Evaluation | null
}

namespace Cnn.FSharp

open System
open System.Numerics
open System.Threading
open Cnn

/// <summary>How to train.</summary>
[<NoEquality; NoComparison>]
type TrainingSettings = {
    /// <summary>Samples of a step; the last batch of an epoch may be smaller. Default 32.</summary>
    BatchSize: int
    /// <summary>Default Adam with η = 1e−3.</summary>
    Optimizer: Optimizer
    /// <summary>Default: what goes with the last layer, see <c>Loss.standard</c>.</summary>
    Loss: Loss option
    /// <summary>Decides shuffling and dropout. Default 0.</summary>
    Seed: int
    /// <summary>Evaluated after each epoch. Default none.</summary>
    Validation: Dataset option
    /// <summary>Called after each batch, on the thread that trains. Default nothing.</summary>
    OnBatch: BatchProgress -> unit
    /// <summary>Ends the sequence of epochs before the next batch; an epoch cut short is not handed out.</summary>
    Cancellation: CancellationToken
} with

    /// <summary>Batches of 32, Adam with η = 1e−3, the loss that goes with the last layer, seed 0.</summary>
    static member Default = {
        BatchSize = 32
        Optimizer = Optimizer.Adam()
        Loss = None
        Seed = 0
        Validation = None
        OnBatch = ignore
        Cancellation = CancellationToken.None
    }

/// <summary>A network in training, after an epoch: owns its memory and never changes.</summary>
[<NoEquality; NoComparison>]
type TrainingState<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Network: Network<'T>
    Optimizer: OptimizerState<'T>
    Result: EpochResult
}

/// <summary>Training as a lazy sequence of states.</summary>
[<RequireQualifiedAccess>]
module Training =

    /// What a step hands to the next; θ, slots and state lie in one of two buffers that take turns.
    [<NoEquality; NoComparison>]
    type private Point<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Parameters: Parameters<'T>
        State: State<'T>
        Optimizer: OptimizerState<'T>
    }

    let private copyTo (workspace: IWorkspace<'T>) (t: Tensor<'T>) =
        let copy = workspace.Tensor t.Shape
        t.Span.CopyTo copy.Destination
        copy

    /// Refuses what cannot be trained on, before any work.
    let private check (settings: TrainingSettings) (network: Network<'T>) (dataset: Dataset) =
        if settings.BatchSize < 1 then
            raise (
                ArgumentOutOfRangeException(nameof settings, settings.BatchSize, "A batch needs at least one sample.")
            )

        if dataset.Count = 0 then
            raise (ArgumentException("The training set is empty: there is nothing to learn from.", nameof dataset))

        for part in dataset :: Option.toList settings.Validation do
            if part.Shape <> network.Input then
                raise (
                    ShapeException(
                        "Training",
                        "pictures of shape " + string network.Input,
                        string part.Shape,
                        "Pad or resize the pictures, or change the network's input."
                    )
                )

        let outputs = (Network.output network).Size

        if dataset.ClassNames.Count > max outputs 2 then
            raise (
                ShapeException(
                    "Training",
                    "a network with an output for each of " + string dataset.ClassNames.Count + " classes",
                    string outputs + " outputs",
                    "Give the last layer as many units as there are classes."
                )
            )

    /// <summary>The states after epochs 1, 2, 3, …, without end: take as many as are wanted.</summary>
    /// <remarks>
    /// Lazy: an epoch is trained when its state is asked for, and enumerating again trains again, with the same result.
    /// The same settings give the same states to the last bit for any scheduler, whatever is evaluated in between.
    /// Gradients are of the loss's reduction over each batch, by default the mean.
    /// </remarks>
    /// <exception cref="T:System.ArgumentException">The data do not fit the network; before any work.</exception>
    let epochs (backend: Backend<'T>) (settings: TrainingSettings) (dataset: Dataset) (network: Network<'T>) =
        check settings network dataset
        let loss = settings.Loss |> Option.defaultWith (fun () -> Network.standardLoss network)
        let layer, fused = Network.fuse loss network.Layer
        let segments = Sharding.segments layer
        let key = Key.ofSeed settings.Seed
        let dropout, shuffle = key.Child Purpose.Dropout, key.Child Purpose.Shuffle
        let batches = Dataset.batches settings.BatchSize dataset.Count

        let train () =
            let memory = StepMemory<'T>()
            let buffers = Array.init 2 (fun _ -> Arena<'T>(PackedWeights<'T>()))

            let step (order: int[]) (labels: int[]) (point: Point<'T>) (struct (first, count)) =
                let t = point.Optimizer.Step

                let batch = {
                    Count = count
                    Read = fun workspace from size -> Dataset.read dataset order workspace (first + from) size
                    Targets = Labels(ReadOnlyMemory(labels, first, count))
                }

                let shards = Sharding.shardCount network.Input layer count

                let found =
                    Sharding.gradient
                        backend
                        memory
                        segments
                        shards
                        fused
                        (dropout.Child(int64 t))
                        point.Parameters
                        point.State
                        batch

                let buffer = buffers[t % 2]
                buffer.Reset()

                let optimizer, θ =
                    Optimizer.updateIn buffer backend settings.Optimizer point.Optimizer point.Parameters found.Gradient

                // What did not change stays where it is.
                let state =
                    List.map2
                        (fun old fresh -> if obj.ReferenceEquals(old, fresh) then old else copyTo buffer fresh)
                        point.State
                        found.State

                memory.Reset()
                { Parameters = θ; State = state; Optimizer = optimizer }, found.Loss, found.Correct

            let epoch (number, start) =
                let turn = shuffle.Child(int64 number)
                let order = turn.Permutation dataset.Count
                let labels = order |> Array.map (fun i -> dataset.LabelMemory.Span[i])

                let rec run batches point done' seen total right =
                    match batches with
                    | [] -> Some(point, total, right)
                    | _ when settings.Cancellation.IsCancellationRequested -> None
                    | (struct (_, count) as batch) :: rest ->
                        let point, value, correct = step order labels point batch
                        let seen, right = seen + count, right + correct
                        // A mean counts as often as its batch has samples.
                        let total = total + (if fused.Reduction = Reduction.Mean then value * float count else value)

                        settings.OnBatch {
                            Epoch = number
                            Batch = done' + 1
                            Batches = done' + 1 + rest.Length
                            Samples = seen
                            Loss = total / float seen
                            Accuracy = float right / float seen
                        }

                        run rest point (done' + 1) seen total right

                run batches start 0 0 0.0 0
                |> Option.map (fun (point, total, right) ->
                    let own = List.map Tensor.copy

                    let trained = { network with Parameters = own point.Parameters; State = own point.State }

                    let validation =
                        settings.Validation |> Option.map (Prediction.evaluate backend settings.Loss trained)

                    let state = {
                        Network = trained
                        Optimizer = { point.Optimizer with Slots = List.map own point.Optimizer.Slots }
                        Result = {
                            Epoch = number
                            Loss = total / float dataset.Count
                            Accuracy = float right / float dataset.Count
                            Validation = Option.toObj validation
                        }
                    }

                    state, (number + 1, point))

            let start = {
                Parameters = network.Parameters
                State = network.State
                Optimizer = Optimizer.start settings.Optimizer network.Parameters
            }

            Seq.unfold epoch (1, start)

        Seq.delay train

    /// <summary>The state after a number of epochs.</summary>
    let run backend settings (count: int) dataset (network: Network<'T>) =
        epochs backend settings dataset network |> Seq.take count |> Seq.last
