namespace Cnn

/// <summary>What is laid over a picture to see what its class depends on.</summary>
/// <remarks>An immutable value.</remarks>
[<NoComparison>]
type Occlusion = {
    /// <summary>Rows and columns of the square that is laid over the picture; 0 covers nothing.</summary>
    Window: int
    /// <summary>Pixels from one place to the next, at least 1.</summary>
    Stride: int
    /// <summary>What the covered pixels become.</summary>
    Grey: float
} with

    /// <summary>A quarter of the shorter side, moved by half of itself, of grey ½.</summary>
    static member For(picture: Shape) =
        System.ArgumentNullException.ThrowIfNull(picture, nameof picture)
        let window = max 1 (min picture[0] picture[1] / 4)
        { Window = window; Stride = max 1 (window / 2); Grey = 0.5 }

namespace Cnn.FSharp

open System
open Cnn

/// <summary>Looking inside a network: its filters, its feature maps, and what in a picture speaks for a class.</summary>
/// <remarks>
/// Pure. Layers are told by the names of the summary, as in conv2d_1. The score S_c of a class is its logit: the output
/// before a last softmax or sigmoid, or the output itself where there is neither. With one output z, S₁ = z and S₀ = −z.
/// </remarks>
[<RequireQualifiedAccess>]
module Inspect =

    let private refuse what expected actual cure = raise (ShapeException(what, expected, actual, cure))

    /// A batch of the one picture.
    let private batch (network: Network<'T>) (picture: Tensor<'T>) =
        if network.Input.Rank <> 3 then
            refuse "Inspect" "a network for height×width×channels" (string network.Input) "Give the input three axes."

        if picture.Shape <> network.Input then
            let expected = "a picture of shape " + string network.Input
            refuse "Inspect" expected (string picture.Shape) "Bring the picture to the input of the network."

        picture.Reshape(network.Input.Batch 1)

    let private context (backend: Backend<'T>) = { Context.reference Inference with Kernels = backend.Kernels }

    /// The network's layers up to a named one.
    let internal upTo (network: Network<'T>) name : Network<'T> =
        let parts =
            Layer.weigh network.Layer network.Parameters network.State
            |> List.truncate (ReceptiveField.indexOf network name + 1)

        {
            network with
                Layer = { Parts = parts |> List.map (fun here -> here.Part) }
                Parameters = parts |> List.collect (fun here -> here.Parameters)
                State = parts |> List.collect (fun here -> here.State)
        }

    /// <summary>K[·,·,·,f] of each filter f of a convolution, as it is stored: k_h×k_w×C_in for each.</summary>
    /// <param name="network">The network.</param>
    /// <param name="name">A convolutional layer, as the summary names it: conv2d_1.</param>
    /// <exception cref="T:System.ArgumentException">There is no such layer, or it has no filters.</exception>
    let filters (network: Network<'T>) (name: string) : Tensor<'T> list =
        let here =
            (Layer.weigh network.Layer network.Parameters network.State)[ReceptiveField.indexOf network name]

        match here.Part.Spec with
        | Conv2D conv ->
            let kernel = (here.Parameters @ here.State).Head
            let shape = Shape.Of(kernel.Shape[0], kernel.Shape[1], kernel.Shape[2])
            List.init conv.Filters (fun f -> Tensor.init shape (fun i -> kernel.Span[i * conv.Filters + f]))
        | other ->
            let text = name + " is of type " + LayerSpec.typeName other + "; only Conv2D has filters."
            raise (ArgumentException(text, nameof name))

    /// <summary>What a layer makes of a picture, channel by channel: H×W×C → C maps of h×w×1; of a vector, one map of 1×d×1.</summary>
    /// <param name="backend">What computes.</param>
    /// <param name="network">The network.</param>
    /// <param name="name">Any layer, as the summary names it; its own activation is applied.</param>
    /// <param name="picture">H×W×C, as the network's input.</param>
    /// <exception cref="T:System.ArgumentException">There is no such layer, or the picture has another shape.</exception>
    let featureMaps
        (backend: Backend<'T>)
        (network: Network<'T>)
        (name: string)
        (picture: Tensor<'T>)
        : Tensor<'T> list =
        let y = (Network.run (context backend) (upTo network name) (batch network picture)).Output

        if y.Shape.Rank = 4 then
            let channels = y.Shape[3]
            let map = Shape.Of(y.Shape[1], y.Shape[2], 1)
            List.init channels (fun c -> Tensor.init map (fun p -> y.Span[p * channels + c]))
        else
            [ y.Reshape(Shape.Of(1, y.Size, 1)) ]

    /// The layers up to the scores.
    let private scores (network: Network<'T>) =
        let layer, _ = Network.fuse (Network.standardLoss network) network.Layer
        Layer.weigh layer network.Parameters network.State

    /// ∂S_c/∂logits.
    let private cotangent (logits: Tensor<'T>) target : Tensor<'T> =
        Words.within (nameof target) target (max 2 logits.Size) "Classes"

        Tensor.init logits.Shape (fun i ->
            if logits.Size = 1 && target = 0 then Number.ofFloat -1.0
            elif logits.Size = 1 || i = target then 'T.One
            else 'T.Zero)

    /// ∂S_c/∂x at the input of some layers that end with the scores.
    let private gradient (backend: Backend<'T>) (parts: Weighted<'T> list) target (x: Tensor<'T>) =
        let struct (logits, _, pullbacks) = Layer.forward (context backend) parts x
        let struct (_, x̄) = Layer.backward (fun () _ _ -> ()) () pullbacks (cotangent logits target)
        x̄

    /// max |x[first … first + count − 1]|.
    let private largest (x: Tensor<'T>) first count =
        let mutable largest = 'T.Zero

        for value in x.Span.Slice(first, count) do
            largest <- 'T.Max(largest, 'T.Abs value)

        largest

    /// The probability of a class for sample n; one output p is that of class 1.
    let internal probability (outputs: Tensor<'T>) n target =
        let classes = outputs.Size / outputs.Shape[0]
        Words.within (nameof target) target (max 2 classes) "Classes"

        if classes > 1 then Number.toFloat outputs.Span[n * classes + target]
        elif target = 1 then Number.toFloat outputs.Span[n]
        else 1.0 - Number.toFloat outputs.Span[n]

    /// <summary>
    /// s[i,j] = max_c |∂S/∂x[i,j,c]|: how much a small change of a pixel changes a class's score. H×W×C → H×W×1.
    /// Simonyan, Vedaldi and Zisserman 2013, section 3.
    /// </summary>
    /// <param name="backend">What computes.</param>
    /// <param name="network">The network.</param>
    /// <param name="target">The class, from 0.</param>
    /// <param name="picture">H×W×C, as the network's input.</param>
    /// <exception cref="T:Cnn.ShapeException">The picture has another shape.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such class.</exception>
    let saliency (backend: Backend<'T>) (network: Network<'T>) (target: int) (picture: Tensor<'T>) : Tensor<'T> =
        let x̄ = gradient backend (scores network) target (batch network picture)
        let channels = network.Input[2]

        Tensor.init (Shape.Of(network.Input[0], network.Input[1], 1)) (fun pixel ->
            largest x̄ (pixel * channels) channels)

    /// A map of h×w numbers at the size of the network's pictures, between the centres of its cells.
    let private enlarge (network: Network<'T>) height width (map: float[]) : Tensor<'T> =
        let resampler =
            Resampler.Create(Resampling.Bilinear, Shape.Of(height, width, 1), network.Input[0], network.Input[1])

        let values = Array.zeroCreate<float32> resampler.Target.Size
        resampler.Resample(ReadOnlySpan map, Span values)
        Tensor.init resampler.Target (fun i -> Number.ofFloat (float values[i]))

    /// <summary>
    /// ReLU(Σ_k α_k·A_k) with α_k the mean of ∂S_c/∂A_k over the positions: where the maps A of a layer speak for a class.
    /// Brought to the size of the picture: H×W×C → H×W×1. Selvaraju et al. 2017, eq. 1–2.
    /// </summary>
    /// <param name="backend">What computes.</param>
    /// <param name="network">The network.</param>
    /// <param name="name">A layer of feature maps, as the summary names it; usually the last convolution.</param>
    /// <param name="target">The class, from 0.</param>
    /// <param name="picture">H×W×C, as the network's input.</param>
    /// <exception cref="T:System.ArgumentException">There is no such layer, it gives no maps, or the picture has another shape.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such class.</exception>
    let gradCam
        (backend: Backend<'T>)
        (network: Network<'T>)
        (name: string)
        (target: int)
        (picture: Tensor<'T>)
        : Tensor<'T> =
        let parts = scores network
        let below, above = parts |> List.splitAt (min parts.Length (ReceptiveField.indexOf network name + 1))
        let maps = Layer.answer ignore (context backend) below (batch network picture)

        if maps.Shape.Rank <> 4 then
            refuse
                name
                "feature maps of height×width×channels"
                (string maps.Shape.Sample)
                "Choose a layer before Flatten."

        let height, width, channels = maps.Shape[1], maps.Shape[2], maps.Shape[3]
        let slopes = gradient backend above target maps
        let α = Array.zeroCreate<float> channels

        for i in 0 .. slopes.Size - 1 do
            α[i % channels] <- α[i % channels] + Number.toFloat slopes.Span[i] / float (height * width)

        let evidence =
            Array.init (height * width) (fun p ->
                let mutable sum = 0.0

                for k in 0 .. channels - 1 do
                    sum <- sum + α[k] * Number.toFloat maps.Span[p * channels + k]

                max 0.0 sum)

        enlarge network height width evidence

    /// <summary>
    /// p_c(x) − p_c(x with a square around (i, j) in grey): how much of a class's probability hangs on each place.
    /// H×W×C → H×W×1, between the places where it was measured. Zeiler and Fergus 2014, section 4.2.
    /// </summary>
    /// <remarks>
    /// ⌈H/s⌉×⌈W/s⌉ places for a stride of s, evenly over the picture; at stride 1 every pixel. A square of w pixels begins
    /// ⌊w/2⌋ before its place; what lies outside the picture is left out. With one output p, p₁ = p and p₀ = 1 − p.
    /// </remarks>
    /// <param name="backend">What computes.</param>
    /// <param name="network">The network.</param>
    /// <param name="occlusion">What is laid over the picture.</param>
    /// <param name="target">The class, from 0.</param>
    /// <param name="picture">H×W×C, as the network's input.</param>
    /// <exception cref="T:Cnn.ShapeException">The picture has another shape.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">
    /// There is no such class, the window is below 0, the stride below 1, or the grey not finite.
    /// </exception>
    let occlusion
        (backend: Backend<'T>)
        (network: Network<'T>)
        (occlusion: Occlusion)
        (target: int)
        (picture: Tensor<'T>)
        : Tensor<'T> =
        let window, stride = occlusion.Window, occlusion.Stride

        if window < 0 || stride < 1 then
            let text = "A window covers 0 pixels or more, and moves by at least 1."
            raise (ArgumentOutOfRangeException(nameof occlusion, string window + " by " + string stride, text))

        if not (Double.IsFinite occlusion.Grey) then
            raise (ArgumentOutOfRangeException(nameof occlusion, occlusion.Grey, "Covered pixels need a finite grey."))

        let x = batch network picture
        let predictor = Predictor(backend, network)
        let height, width, channels = network.Input[0], network.Input[1], network.Input[2]
        let grey: 'T = Number.ofFloat occlusion.Grey

        let rows, columns = (height + stride - 1) / stride, (width + stride - 1) / stride

        /// First pixel of the square at a place: the middle of its share of the axis, half a window back.
        let first place places extent = (2 * place + 1) * extent / (2 * places) - window / 2

        let isCovered at first = at >= first && at < first + window
        let whole = probability (predictor.Run x) 0 target

        let drops row =
            let top = first row rows height

            let covered =
                Tensor.init (network.Input.Batch columns) (fun i ->
                    let column, pixel = i / picture.Size, i % picture.Size / channels

                    if isCovered (pixel / width) top && isCovered (pixel % width) (first column columns width) then
                        grey
                    else
                        picture.Span[i % picture.Size])

            let outputs = predictor.Run covered
            Array.init columns (fun column -> whole - probability outputs column target)

        enlarge network rows columns (Array.collect drops [| 0 .. rows - 1 |])
