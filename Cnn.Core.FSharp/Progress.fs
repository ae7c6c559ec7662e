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
    /// <summary>The learning rate of the epoch's last step.</summary>
    LearningRate: float
    /// <summary>How the network does on the validation set after the epoch; null where there is none.</summary>
    Validation: Evaluation | null
}

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// What is looked at before and during training, so that it fails early and says why.
[<RequireQualifiedAccess>]
module internal TrainingChecks =

    /// Refuses what cannot be trained on, before any work.
    let refuse batchSize (classWeights: float[] option) (network: Network<'T>) (datasets: Dataset list) =
        if batchSize < 1 then
            raise (ArgumentOutOfRangeException(nameof batchSize, batchSize, "A batch needs at least one sample."))

        let classes = datasets.Head.ClassNames.Count

        match classWeights with
        | Some weights when
            weights.Length <> classes || weights |> Array.exists (fun w -> not (w >= 0.0 && Double.IsFinite w))
            ->
            raise (
                ArgumentException(
                    "Class weights must be numbers of 0 or more, one for each of the " + string classes + " classes."
                )
            )
        | _ -> ()

        for dataset in datasets do
            if dataset.Count = 0 then
                raise (ArgumentException("The training or validation set is empty: there is nothing to learn from."))

            if dataset.Shape <> network.Input then
                raise (
                    ShapeException(
                        "Training",
                        "pictures of shape " + string network.Input,
                        string dataset.Shape,
                        "Pad or resize the pictures, or change the network's input."
                    )
                )

        let outputs = (Network.output network).Size

        if classes > max outputs 2 then
            raise (
                ShapeException(
                    "Training",
                    "a network with an output for each of " + string classes + " classes",
                    string outputs + " outputs",
                    "Give the last layer as many units as there are classes."
                )
            )

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
