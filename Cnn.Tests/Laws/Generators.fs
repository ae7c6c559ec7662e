/// How cases are drawn and shrunk: conditions of laws live here.
namespace Cnn.Tests.Laws

open System
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness

/// A layer at a point: where laws about layers are stated.
[<NoEquality; NoComparison>]
type Point = {
    Layer: Layer<float>
    Context: Context<float>
    Parameters: Parameters<float>
    State: State<float>
    X: Tensor<float>
} with

    member this.Run = Layer.run this.Context this.Layer this.Parameters this.State this.X

module Generate =
    let private shrinkInt least n =
        seq {
            if n > least then
                yield! Seq.distinct [ least; n / 2; n - 1 ] |> Seq.filter (fun m -> m >= least && m < n)
        }

    let size low high =
        gen {
            let! height = Gen.choose (low, high)
            let! width = Gen.choose (low, high)
            return { Height = height; Width = width }
        }

    let seed = Gen.choose (0, 1000000)

    /// Extents that differ, so that rows and columns cannot be confused unnoticed.
    let oblong low high =
        gen {
            let! height = Gen.choose (low, high)
            let! more = Gen.choose (1, high - low)
            return { Height = height; Width = low + (height - low + more) % (high - low + 1) }
        }

    let padding most =
        let cells = Gen.choose (0, most)

        Gen.frequency [
            5, Gen.map4 (fun t b l r -> Explicit(t, b, l, r)) cells cells cells cells
            2, Gen.constant Valid
            3, Gen.constant Same
            1, Gen.constant Full
            2, Gen.constant Cover
        ]

    /// Taps of a window that fits: mostly few, sometimes as many as the padded axis holds.
    let private taps padding isRows n d =
        let room =
            match padding with
            | Explicit(top, bottom, left, right) -> n + (if isRows then top + bottom else left + right)
            | Cover -> n + 1
            | _ -> n

        let most = (room - 1) / d + 1
        Gen.frequency [ 4, Gen.choose (1, min 3 most); 2, Gen.choose (1, most); 1, Gen.constant most ]

    let isWindow (s: Sliding) =
        try
            s.Geometry |> ignore
            true
        with :? ShapeException ->
            false

    let isPooling (s: Sliding) =
        try
            s.Pooling |> ignore
            true
        with :? ShapeException ->
            false

    let sliding largest channels filters dilations =
        gen {
            let! samples = Gen.choose (2, 3)
            let! extents = oblong 2 largest
            let! channels = Gen.choose (1, channels)
            let! filters = Gen.choose (1, filters)
            let! dilation = size 1 dilations
            let! stride = size 1 3
            let! padding = padding 3
            let! rows = taps padding true extents.Height dilation.Height
            let! columns = taps padding false extents.Width dilation.Width
            let! seed = seed

            return {
                Samples = samples
                Height = extents.Height
                Width = extents.Width
                Channels = channels
                Filters = filters
                Kernel = { Height = rows; Width = columns }
                Stride = stride
                Dilation = dilation
                Padding = padding
                Seed = seed
            }
        }

    let private shrinkSize (s: Size) =
        seq {
            for h in shrinkInt 1 s.Height -> { s with Height = h }
            for w in shrinkInt 1 s.Width -> { s with Width = w }
        }

    let shrinkSliding isValid (s: Sliding) =
        seq {
            for n in shrinkInt 1 s.Samples do
                yield { s with Samples = n }

            for n in shrinkInt 2 s.Height do
                yield { s with Height = n }

            for n in shrinkInt 2 s.Width do
                yield { s with Width = n }

            for n in shrinkInt 1 s.Channels do
                yield { s with Channels = n }

            for n in shrinkInt 1 s.Filters do
                yield { s with Filters = n }

            for k in shrinkSize s.Kernel do
                yield { s with Kernel = k }

            for k in shrinkSize s.Stride do
                yield { s with Stride = k }

            for k in shrinkSize s.Dilation do
                yield { s with Dilation = k }

            match s.Padding with
            | Explicit(t, b, l, r) ->
                for n in shrinkInt 0 t do
                    yield { s with Padding = Explicit(n, b, l, r) }

                for n in shrinkInt 0 b do
                    yield { s with Padding = Explicit(t, n, l, r) }

                for n in shrinkInt 0 l do
                    yield { s with Padding = Explicit(t, b, n, r) }

                for n in shrinkInt 0 r do
                    yield { s with Padding = Explicit(t, b, l, n) }
            | Valid -> ()
            | _ -> yield { s with Padding = Valid }
        }
        |> Seq.filter isValid

    let pooled largest channels = sliding largest channels 1 1 |> Gen.filter isPooling

    let rows most features =
        gen {
            let! count = Gen.choose (2, most)
            let! features = Gen.choose (2, features)
            let! seed = seed
            return { Count = count; Features = features; Seed = seed }: Rows
        }

    let shrinkRows (r: Rows) =
        seq {
            for n in shrinkInt 1 r.Count -> { r with Count = n }
            for n in shrinkInt 1 r.Features -> { r with Features = n }
        }

    let planes =
        gen {
            let! kernel = oblong 1 4
            let! more = size 0 5
            let! other = size 1 4
            let! seed = seed

            return {
                ImageSize = { Height = kernel.Height + more.Height + 1; Width = kernel.Width + more.Width }
                KernelSize = kernel
                OtherSize = other
                Seed = seed
            }
        }

    let shrinkPlanes (p: Planes) =
        seq {
            for k in shrinkSize p.KernelSize -> { p with KernelSize = k }
            for k in shrinkSize p.OtherSize -> { p with OtherSize = k }
            for i in shrinkSize p.ImageSize -> { p with ImageSize = i }
        }
        |> Seq.filter (fun p -> p.ImageSize.Height >= p.KernelSize.Height && p.ImageSize.Width >= p.KernelSize.Width)

    let activation =
        Gen.elements [
            Cnn.Activation.Identity
            Cnn.Activation.ReLU
            Cnn.Activation.LeakyReLU 0.01
            Cnn.Activation.Sigmoid
            Cnn.Activation.Tanh
            Cnn.Activation.Softmax
        ]

    let private bool = Gen.elements [ true; false ]

    let private conv (shape: Shape) =
        gen {
            let! filters = Gen.choose (1, 3)
            let! kernel = size 1 (min 3 (min shape[0] shape[1]))
            let! stride = size 1 2
            let! dilation = Gen.frequency [ 3, Gen.constant (Size.Square 1); 1, size 1 2 ]
            let! padding = padding 1
            let! isConvolution = bool
            let! activation = activation
            let! bias = bool
            let! trainable = Gen.frequency [ 4, Gen.constant true; 1, Gen.constant false ]

            return
                LayerSpec.Conv2D {
                    Filters = filters
                    Kernel = kernel
                    Stride = stride
                    Dilation = dilation
                    Padding = padding
                    Mode =
                        (if isConvolution then
                             ConvolutionMode.Convolution
                         else
                             ConvolutionMode.CrossCorrelation)
                    Activation = activation
                    UseBias = bias
                    Initializer = Initializer.GlorotUniform
                    Trainable = trainable
                }
        }

    let private pool (shape: Shape) =
        gen {
            let! window = size 1 (min 3 (min shape[0] shape[1]))
            let! stride = size 1 2
            let! padding = Gen.elements [ Valid; Same; Cover ]
            return { Window = window; Stride = stride; Padding = padding }
        }

    let private anywhere =
        Gen.frequency [
            3, Gen.map LayerSpec.Activation activation
            2, Gen.constant (BatchNorm { Epsilon = 0.1; Momentum = 0.9 })
            1, Gen.constant (Dropout(0.3, DropoutKind.Bernoulli))
            1, Gen.constant (Dropout(0.2, DropoutKind.Gaussian))
        ]

    /// A layer that accepts pictures or vectors of the shape, or is refused for want of room.
    let spec (shape: Shape) =
        if shape.Rank = 3 then
            Gen.frequency [
                5, conv shape
                2, Gen.map MaxPool (pool shape)
                2, Gen.map AveragePool (pool shape)
                4, anywhere
                1, Gen.elements [ GlobalMaxPool; GlobalAveragePool ]
                1, Gen.elements [ Flatten FlattenOrder.RowMajor; Flatten FlattenOrder.ChannelMajor ]
            ]
        else
            Gen.frequency [
                3,
                gen {
                    let! units = Gen.choose (1, 5)
                    let! activation = activation
                    let! bias = bool
                    let! trainable = Gen.frequency [ 4, Gen.constant true; 1, Gen.constant false ]

                    return
                        LayerSpec.Dense {
                            Units = units
                            Activation = activation
                            UseBias = bias
                            Initializer = Initializer.HeNormal
                            Trainable = trainable
                        }
                }
                3, anywhere
                1, Gen.constant (Flatten FlattenOrder.RowMajor)
            ]

    let private specs count input =
        let rec add count (shape: Shape) made =
            if count = 0 then
                Gen.constant (List.rev made)
            else
                gen {
                    let! next = spec shape

                    match
                        (try
                            Some((Layer.output (Layers.ofSpec next: Layer<float>) shape))
                         with :? ShapeException ->
                             None)
                    with
                    | Some after -> return! add (count - 1) after (next :: made)
                    | None -> return! add count shape made
                }

        add count (Plan.shape input) []

    let plan low high =
        gen {
            let! count = Gen.choose (2, 3)
            let! extents = oblong 3 6
            let! channels = Gen.choose (1, 3)
            let input = [ extents.Height; extents.Width; channels ]
            let! length = Gen.choose (low, high)
            let! specs = specs length input
            let! seed = seed
            return { Count = count; Input = input; Specs = specs; Seed = seed }
        }

    let shrinkPlan (p: Plan) =
        seq {
            for i in 0 .. p.Specs.Length - 1 -> { p with Specs = List.removeAt i p.Specs }

            for axis in 0 .. p.Input.Length - 1 do
                for n in shrinkInt 1 p.Input[axis] -> { p with Input = List.updateAt axis n p.Input }

            for n in shrinkInt 2 p.Count -> { p with Count = n }
        }
        |> Seq.filter Plan.fits

/// Points of composites that keep their distance from every kink.
module Point =
    let private margin = 0.01

    let private weights seed (layer: Layer<float>) input =
        let θ, s = Layer.initial (Key.ofSeed seed) input layer
        θ |> List.mapi (fun i t -> Draw.reals (seed + 17 * i + 1) t.Shape), s

    /// Largest and second largest of each window differ by the margin.
    let private hasClearMaxima (g: Geometry) (x: Tensor<float>) =
        let kernels = ReferenceKernels<float>() :> IKernels<float>
        let y = Array.zeroCreate<float>(x.Shape[0] * g.OutputSize)
        let indices = Array.zeroCreate<int> y.Length
        kernels.MaxPool(g, x.Span, Span y, Span indices)

        Seq.forall
            (fun k ->
                let n = k / g.OutputSize
                let others = x.ToArray()
                others[n * g.InputSize + indices[k]] <- -infinity
                let second = Array.zeroCreate<float> y.Length
                kernels.MaxPool(g, ReadOnlySpan others, Span second, Span(Array.zeroCreate<int> y.Length))
                y[k] - second[k] >= margin)
            (seq { 0 .. y.Length - 1 })

    let private isKinked (φ: Activation) = φ.Kind = ActivationKind.ReLU || φ.Kind = ActivationKind.LeakyReLU

    let private isClear (context: Context<float>) seed spec (x: Tensor<float>) =
        let preactivation spec =
            let layer: Layer<float> = Layers.ofSpec spec
            let θ, s = weights seed layer x.Shape.Sample
            (Layer.run context layer θ s x).Output

        let awayFromZero (t: Tensor<float>) = t.ToArray() |> Array.forall (fun v -> abs v >= margin)

        match spec with
        | LayerSpec.Activation φ when isKinked φ -> awayFromZero x
        | LayerSpec.Conv2D c when isKinked c.Activation ->
            awayFromZero (preactivation (LayerSpec.Conv2D { c with Activation = Cnn.Activation.Identity }))
        | LayerSpec.Dense d when isKinked d.Activation ->
            awayFromZero (preactivation (LayerSpec.Dense { d with Activation = Cnn.Activation.Identity }))
        | MaxPool p -> hasClearMaxima (Geometry.Pooling("law", x.Shape.Sample, p.Window, p.Stride, p.Padding)) x
        | GlobalMaxPool ->
            let window = { Height = x.Shape[1]; Width = x.Shape[2] }
            hasClearMaxima (Geometry.Pooling("law", x.Shape.Sample, window, Size.Square 1, Valid)) x
        | _ -> true

    let private smooth spec =
        match spec with
        | LayerSpec.Activation _ -> LayerSpec.Activation Cnn.Activation.Tanh
        | LayerSpec.Conv2D c -> LayerSpec.Conv2D { c with Activation = Cnn.Activation.Tanh }
        | LayerSpec.Dense d -> LayerSpec.Dense { d with Activation = Cnn.Activation.Tanh }
        | MaxPool p -> AveragePool p
        | _ -> GlobalAveragePool

    /// The layers at random weights and input; a layer that would come too near a kink gives way to a smooth one.
    let away mode plan =
        let x: Tensor<float> = Draw.awayFromZero plan.Seed ((Plan.shape plan.Input).Batch plan.Count)

        let rec build (key: Key) i specs (x: Tensor<float>) =
            match specs with
            | [] -> [], [], []
            | spec :: rest ->
                let context = Context.reference (mode key)
                let seed = plan.Seed + 1000 * i
                let spec = if isClear context seed spec x then spec else smooth spec
                let layer: Layer<float> = Layers.ofSpec spec
                let θ, s = weights seed layer x.Shape.Sample
                let y = (Layer.run context layer θ s x).Output
                let layers, θs, ss = build (key.Skip layer.Parts.Head.Draws) (i + 1) rest y
                layer :: layers, θ @ θs, s @ ss

        let key = Key.ofSeed plan.Seed
        let layers, θ, s = build key 1 plan.Specs x

        {
            Layer = Layer.sequence layers
            Context = Context.reference (mode key)
            Parameters = θ
            State = s
            X = x
        }
