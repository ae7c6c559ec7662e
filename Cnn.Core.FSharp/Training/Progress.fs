namespace Cnn

/// <summary>Where a training run is within an epoch.</summary>
/// <remarks>An immutable value.</remarks>
[<Struct; NoComparison>]
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
} with

    /// <summary>Where it is and how it goes, as in epoch 1, batch 5 of 100: loss 0.51, accuracy 0.84.</summary>
    override this.ToString() =
        "epoch "
        + string this.Epoch
        + ", batch "
        + string this.Batch
        + " of "
        + string this.Batches
        + ": loss "
        + Words.number this.Loss
        + ", accuracy "
        + Words.number this.Accuracy

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
    /// <summary>The learning rate of the epoch's last step.</summary>
    LearningRate: float
    /// <summary>How the network does on the validation set after the epoch; null where there is none.</summary>
    Validation: Evaluation | null
} with

    /// <summary>What it came to, as in epoch 1: loss 0.51, accuracy 0.84, validation loss 0.4, validation accuracy 0.88.</summary>
    override this.ToString() =
        let measures = "loss " + Words.number this.Loss + ", accuracy " + Words.number this.Accuracy

        "epoch "
        + string this.Epoch
        + ": "
        + measures
        + (match this.Validation with
           | null -> ""
           | held ->
               ", validation loss "
               + Words.number held.Loss
               + ", validation accuracy "
               + Words.number held.Accuracy)

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// What is looked at before and during training, so that it fails early and says why.
[<RequireQualifiedAccess>]
module internal TrainingChecks =

    /// Pictures that one iteration of a parallel loop looks at.
    [<Literal>]
    let private Portion = 64

    /// Refuses NaN and infinity among the pixels. Every picture is read once, unless its pixels are finite by
    /// construction, as those of bytes are.
    let private refusePixels (scheduler: IScheduler) which (dataset: Dataset) =
        if not (dataset.Bound < float Single.MaxValue) then
            let pieces = (dataset.Count + Portion - 1) / Portion
            let found = Array.create pieces -1

            scheduler.For(
                pieces,
                fun piece ->
                    let picture = Array.zeroCreate dataset.Shape.Size
                    let mutable i = piece * Portion

                    while found[piece] < 0 && i < min dataset.Count ((piece + 1) * Portion) do
                        dataset.Read(i, Span picture)

                        if not (Array.forall Single.IsFinite picture) then
                            found[piece] <- i

                        i <- i + 1
            )

            match Array.tryFind (fun i -> i >= 0) found with
            | Some i ->
                raise (
                    ArgumentException(
                        "Picture "
                        + string i
                        + " of the "
                        + which
                        + " set has a pixel that is NaN or infinite. Leave such pictures out, or look for a division by zero."
                    )
                )
            | None -> ()

    /// Refuses what cannot be trained on, before any work.
    let refuse
        (scheduler: IScheduler)
        batchSize
        (classWeights: float[] option)
        (network: Network<'T>)
        (datasets: Dataset list)
        =
        if batchSize < 1 then
            raise (ArgumentOutOfRangeException(nameof batchSize, batchSize, "A batch needs at least one sample."))

        let train = datasets.Head
        let classes = train.ClassNames.Count

        for which, dataset in Seq.zip [ "training"; "validation" ] datasets do
            if dataset.Count = 0 then
                raise (ArgumentException("The " + which + " set is empty: give it at least one picture."))

            if not (Seq.forall2 (=) dataset.ClassNames train.ClassNames && dataset.ClassNames.Count = classes) then
                let names (dataset: Dataset) = "the classes " + String.Join(", ", dataset.ClassNames)

                raise (
                    ShapeException(
                        "Training",
                        "a validation set with " + names train + ", as the training set has",
                        names dataset,
                        "Number and name the classes alike, or hold back a part of the training set."
                    )
                )

        for validation in datasets.Tail do
            PreprocessingStep.requireAlike "pictures of the validation set" train.Steps validation.Steps

        let first = train.Labels[0]

        if Seq.forall ((=) first) train.Labels then
            raise (
                ArgumentException(
                    "All pictures of the training set are of the class '"
                    + train.ClassNames[first]
                    + "': there is nothing to tell apart. Give pictures of two classes at least."
                )
            )

        match classWeights with
        | Some weights when
            weights.Length <> classes || weights |> Array.exists (fun w -> not (w >= 0.0 && Double.IsFinite w))
            ->
            raise (
                ArgumentException(
                    "Class weights must be numbers of 0 or more, one for each of the "
                    + Words.count classes "class" "classes"
                    + "."
                )
            )
        | _ -> ()

        for dataset in datasets do
            if dataset.Shape <> network.Input then
                raise (
                    ShapeException(
                        "Training",
                        "pictures of shape " + string network.Input,
                        string dataset.Shape,
                        "Pad or resize the pictures, or change the network's input."
                    )
                )

        let output = Network.output network

        if output.Rank <> 1 then
            raise (
                ShapeException(
                    "Training",
                    "a network whose output is a vector",
                    string output,
                    "Put Flatten or a global pooling before the last layer."
                )
            )

        let outputs = output.Size

        if classes > max outputs 2 then
            raise (
                ShapeException(
                    "Training",
                    "a network with an output for each of " + string classes + " classes",
                    Words.count outputs "output" "outputs",
                    "Give the last layer as many units as there are classes."
                )
            )

        for which, dataset in Seq.zip [ "training"; "validation" ] datasets do
            refusePixels scheduler which dataset

    /// Says once what looks like an oversight.
    let warn (say: string -> unit) (dataset: Dataset) =
        let largest = Seq.init (min 64 dataset.Count) (fun i -> Array.max (dataset.Picture i)) |> Seq.max

        if largest > 2.0f then
            say (
                "Pixels reach up to "
                + largest.ToString Globalization.CultureInfo.InvariantCulture
                + "; networks learn best from numbers between 0 and 1. Divide them, by 255 if they are bytes."
            )

    let private isFinite (t: Tensor<'T>) =
        let mutable finite = true

        for x in t.Span do
            finite <- finite && 'T.IsFinite x

        finite

    let private largest (tensors: Tensor<'T> list) =
        tensors
        |> Seq.collect (fun t -> t.ToArray() |> Seq.map (fun x -> abs (Number.toFloat x)))
        |> Seq.filter Double.IsFinite
        |> Seq.fold max 0.0

    /// Names the first layer whose output is not finite, or the loss.
    let raiseNonFinite (backend: Backend<'T>) (layer: Layer<'T>) θ s (x: Tensor<'T>) step =
        let context = { Context.reference Inference with Kernels = backend.Kernels; NeedsInputGradient = false }

        let rec find position (parts: Primitive<'T> list) θ s (x: Tensor<'T>) =
            match parts with
            | [] -> "the loss"
            | part :: rest ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s
                let y = (part.Run context θf sf x).Output

                if isFinite y then
                    find (position + 1) rest θg sg y
                else
                    "layer " + string position + " (" + LayerSpec.typeName part.Spec + ")"

        let where = if isFinite x then find 1 layer.Parts θ s x else "the pictures"
        raise (NonFiniteException(where, step, largest θ))

    /// Refuses weights that the last step of an epoch has made infinite or NaN.
    let refuseNonFinite (network: Network<'T>) step =
        if not (List.forall isFinite network.Parameters) then
            raise (NonFiniteException("the weights", step, largest network.Parameters))
