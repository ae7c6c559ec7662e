namespace Cnn

open System.Runtime.CompilerServices

/// <summary>What a loss measures (SPEC section 6), per sample.</summary>
type LossKind =
    /// −Σ_c y[c]·log a[c] of probabilities a, kept at 1e−25 or more. Fan and Yam 11.5.2.
    | CrossEntropy = 0
    /// −Σ_c y[c]·log softmax(z)[c] of logits z; its gradient is a − y.
    | SoftmaxCrossEntropy = 1
    /// −mean_c (y·log a + (1−y)·log(1−a)) of probabilities a, both kept at 1e−25 or more. Fan and Yam 11.5.2–4.
    | BinaryCrossEntropy = 2
    /// The same of a = sigmoid(z); its gradient is (a − y)/d for d outputs.
    | SigmoidBinaryCrossEntropy = 3
    /// Binary cross-entropy of probabilities as a sum over the outputs. Fan and Yam 11.6.1 trains softmax with it.
    | SummedBinaryCrossEntropy = 6
    /// ½‖a − y‖². Vu 2018, eq. 26.
    | HalfSquaredError = 4
    /// mean_c (a − y)².
    | MeanSquaredError = 5

/// <summary>How the losses of a batch's samples become one number.</summary>
type Reduction =
    /// Their mean. Fan and Yam 11.5.3.
    | Mean = 0
    /// Their sum. Fossheim 2022, on which his learning rates rely.
    | Sum = 1

/// <summary>A loss: what is measured, and how samples are put together.</summary>
/// <remarks>An immutable value.</remarks>
[<Struct; IsReadOnly; NoComparison>]
type Loss =
    /// <summary>What is measured for one sample.</summary>
    val Kind: LossKind

    /// <summary>Mean (default) or sum over the samples.</summary>
    val Reduction: Reduction

    /// <summary>The loss of a kind.</summary>
    /// <param name="kind">What is measured for one sample.</param>
    /// <param name="reduction">Mean or sum over the samples.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such kind, or no such reduction.</exception>
    new(kind: LossKind, reduction: Reduction) =
        Words.defined (nameof kind) kind
        Words.defined (nameof reduction) reduction
        { Kind = kind; Reduction = reduction }

    /// <summary>The same measure under another reduction.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such reduction.</exception>
    member this.With(reduction: Reduction) = Loss(this.Kind, reduction)

    static member private Mean kind = Loss(kind, Reduction.Mean)
    /// <summary>−Σ y·log a of probabilities, mean over the samples.</summary>
    static member CrossEntropy = Loss.Mean LossKind.CrossEntropy
    /// <summary>−Σ y·log softmax(z) of logits, mean over the samples.</summary>
    static member SoftmaxCrossEntropy = Loss.Mean LossKind.SoftmaxCrossEntropy
    /// <summary>−mean (y·log a + (1−y)·log(1−a)) of probabilities, mean over the samples.</summary>
    static member BinaryCrossEntropy = Loss.Mean LossKind.BinaryCrossEntropy
    /// <summary>Binary cross-entropy of sigmoid(z), from logits, mean over the samples.</summary>
    static member SigmoidBinaryCrossEntropy = Loss.Mean LossKind.SigmoidBinaryCrossEntropy
    /// <summary>−Σ_c (y·log a + (1−y)·log(1−a)) of probabilities, mean over the samples.</summary>
    static member SummedBinaryCrossEntropy = Loss.Mean LossKind.SummedBinaryCrossEntropy
    /// <summary>½‖a − y‖², mean over the samples.</summary>
    static member HalfSquaredError = Loss.Mean LossKind.HalfSquaredError
    /// <summary>Mean of (a − y)² over outputs and samples.</summary>
    static member MeanSquaredError = Loss.Mean LossKind.MeanSquaredError

    /// <summary>What is measured, and whether it is added up, as in CrossEntropy or CrossEntropy (sum).</summary>
    override this.ToString() =
        string (System.Enum.GetName this.Kind) + (if this.Reduction = Reduction.Sum then " (sum)" else "")

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>What a network should have answered.</summary>
[<NoEquality; NoComparison>]
type Targets<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> =
    /// The class of each sample, from 0; with one output, 0 or 1.
    | Labels of ReadOnlyMemory<int>
    /// N × outputs: one-hot rows, or any values.
    | Values of Tensor<'T>

/// <summary>Losses and their gradients with respect to what the network answered.</summary>
[<RequireQualifiedAccess>]
module Loss =

    /// Samples first … first + count − 1.
    let internal slice first count (targets: Targets<'T>) =
        match targets with
        | Labels labels -> Labels(labels.Slice(first, count))
        | Values values -> Values(values.Slice(first, count))

    let private floor = 1e-25

    /// log(1 + eˣ) without overflow.
    let private softplus x = max x 0.0 + Math.Log(1.0 + exp (-(abs x)))

    let private sigmoid x = if x >= 0.0 then 1.0 / (1.0 + exp -x) else exp x / (1.0 + exp x)

    /// The target of sample n and output c, as a number.
    let private targetOf width (targets: Targets<'T>) =
        match targets with
        | Values values -> fun n c -> Number.toFloat values.Span[n * width + c]
        | Labels labels ->
            fun n c ->
                let label = labels.Span[n]

                if uint label >= uint (max width 2) then
                    raise (
                        ArgumentOutOfRangeException(
                            nameof targets,
                            label,
                            "A label lies outside the classes 0 … "
                            + string (max width 2 - 1)
                            + " that the network's outputs stand for."
                        )
                    )

                if width = 1 then float label
                elif label = c then 1.0
                else 0.0

    /// −Σ_c t[c]·log a[c] for probabilities a: outputs without a target do not count.
    let private crossEntropy (p: Span<float>) (y: Span<float>) =
        let mutable sum = 0.0

        for c in 0 .. p.Length - 1 do
            if y[c] <> 0.0 then
                sum <- sum - y[c] * log (max p[c] floor)

        sum

    /// Σ_c t[c]·(logsumexp z − z[c]).
    let private logitCrossEntropy (z: Span<float>) (y: Span<float>) largest total =
        let mutable sum = 0.0

        for c in 0 .. z.Length - 1 do
            if y[c] <> 0.0 then
                sum <- sum + y[c] * (largest + log total - z[c])

        sum

    /// One row: loss of its outputs p against targets y, with the gradient written to d.
    let private row kind (p: Span<float>) (y: Span<float>) (d: Span<float>) =
        let outputs = float p.Length

        match kind with
        | LossKind.CrossEntropy ->
            for c in 0 .. p.Length - 1 do
                d[c] <- -y[c] / max p[c] floor

            crossEntropy p y
        | LossKind.SoftmaxCrossEntropy ->
            let mutable largest = p[0]
            let mutable mass = 0.0

            for c in 0 .. p.Length - 1 do
                largest <- max largest p[c]
                mass <- mass + y[c]

            let mutable total = 0.0

            for c in 0 .. p.Length - 1 do
                d[c] <- exp (p[c] - largest)
                total <- total + d[c]

            for c in 0 .. p.Length - 1 do
                d[c] <- mass * d[c] / total - y[c]

            logitCrossEntropy p y largest total
        | LossKind.BinaryCrossEntropy
        | LossKind.SummedBinaryCrossEntropy ->
            let outputs = if kind = LossKind.BinaryCrossEntropy then outputs else 1.0
            let mutable sum = 0.0

            for c in 0 .. p.Length - 1 do
                let a, b = max p[c] floor, max (1.0 - p[c]) floor
                sum <- sum - (y[c] * log a + (1.0 - y[c]) * log b)
                d[c] <- ((1.0 - y[c]) / b - y[c] / a) / outputs

            sum / outputs
        | LossKind.SigmoidBinaryCrossEntropy ->
            let mutable sum = 0.0

            for c in 0 .. p.Length - 1 do
                sum <- sum + softplus p[c] - y[c] * p[c]
                d[c] <- (sigmoid p[c] - y[c]) / outputs

            sum / outputs
        | LossKind.HalfSquaredError
        | LossKind.MeanSquaredError ->
            let share = if kind = LossKind.MeanSquaredError then 2.0 / outputs else 1.0
            let mutable sum = 0.0

            for c in 0 .. p.Length - 1 do
                let e = p[c] - y[c]
                sum <- sum + 0.5 * share * e * e
                d[c] <- share * e

            sum
        | kind -> raise (ArgumentOutOfRangeException(nameof kind, kind, "This loss is not known."))

    /// The part of a batch of `whole` samples that `prediction` holds: its share of the loss, and the gradient.
    let internal share
        (workspace: IWorkspace<'T>)
        (loss: Loss)
        (classWeights: float[] option)
        (whole: int)
        (prediction: Tensor<'T>)
        (targets: Targets<'T>)
        : struct (float * Tensor<'T>) =
        let rows = prediction.Shape[0]
        let width = if rows = 0 then 0 else prediction.Size / rows

        let found =
            match targets with
            | Labels labels -> labels.Length
            | Values values -> if values.Size = prediction.Size then values.Shape[0] else values.Size

        if found <> rows then
            raise (
                ShapeException(
                    "Loss",
                    "targets for predictions of shape " + string prediction.Shape,
                    Words.count found "row" "rows",
                    "Give one label, or one row of values, for each sample."
                )
            )

        let scale = if loss.Reduction = Reduction.Mean then 1.0 / float whole else 1.0
        let gradient = workspace.Tensor prediction.Shape
        let target = targetOf width targets

        // Softmax is over the last axis: where a sample has several rows of it, their losses add up.
        let span =
            if loss.Kind = LossKind.SoftmaxCrossEntropy && rows > 0 then
                prediction.Shape[prediction.Shape.Rank - 1]
            else
                width

        use rented = new Rented<float>(3 * span)
        let work = rented.Array
        let p = Span(work, 0, span)
        let y = Span(work, span, span)
        let d = Span(work, 2 * span, span)
        let mutable total = 0.0

        for n in 0 .. rows - 1 do
            let weight =
                match classWeights, targets with
                | Some weights, Labels labels -> weights[labels.Span[n]]
                | _ -> 1.0

            for first in 0..span .. width - 1 do
                for c in 0 .. span - 1 do
                    p[c] <- Number.toFloat prediction.Span[n * width + first + c]
                    y[c] <- target n (first + c)

                total <- total + weight * row loss.Kind p y d

                for c in 0 .. span - 1 do
                    gradient.Destination[n * width + first + c] <- Number.ofFloat (scale * weight * d[c])

        struct (scale * total, gradient)

    /// <summary>(L, ∂L/∂prediction) for a batch, mean or sum over the samples as the loss says.</summary>
    /// <remarks>N×outputs → a number and N×outputs. Computed in double precision.</remarks>
    /// <exception cref="T:Cnn.ShapeException">Targets and predictions do not go together.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">A label lies outside the classes.</exception>
    let evaluate (loss: Loss) (prediction: Tensor<'T>) (targets: Targets<'T>) =
        share (FreshWorkspace<'T>()) loss None prediction.Shape[0] prediction targets

    /// <summary>The loss for a network whose last layer is given: softmax → cross-entropy, sigmoid → binary, else ½‖·‖².</summary>
    let standard last =
        match last with
        | Some(Dense { Activation = φ })
        | Some(Conv2D { Activation = φ })
        | Some(LayerSpec.Activation φ) when φ.Kind = ActivationKind.Softmax -> Loss.CrossEntropy
        | Some(Dense { Activation = φ })
        | Some(Conv2D { Activation = φ })
        | Some(LayerSpec.Activation φ) when φ.Kind = ActivationKind.Sigmoid -> Loss.BinaryCrossEntropy
        | _ -> Loss.HalfSquaredError

    /// <summary>Softmax then cross-entropy, and sigmoid then binary cross-entropy, as one loss of the logits.</summary>
    /// <remarks>Returns the last layer without its activation, if it can go, and the loss to train with.</remarks>
    let fuse (loss: Loss) (last: LayerSpec) : (LayerSpec option * Loss) option =
        let logits φ =
            match (φ: Activation).Kind, loss.Kind with
            | ActivationKind.Softmax, LossKind.CrossEntropy -> Some(Loss(LossKind.SoftmaxCrossEntropy, loss.Reduction))
            | ActivationKind.Sigmoid, LossKind.BinaryCrossEntropy ->
                Some(Loss(LossKind.SigmoidBinaryCrossEntropy, loss.Reduction))
            | _ -> None

        match last with
        | Dense dense ->
            logits dense.Activation
            |> Option.map (fun fused -> Some(Dense { dense with Activation = Cnn.Activation.Identity }), fused)
        | Conv2D conv ->
            logits conv.Activation
            |> Option.map (fun fused -> Some(Conv2D { conv with Activation = Cnn.Activation.Identity }), fused)
        | LayerSpec.Activation φ -> logits φ |> Option.map (fun fused -> None, fused)
        | _ -> None
