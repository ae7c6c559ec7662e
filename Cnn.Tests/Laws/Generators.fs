namespace Cnn.Tests.Laws

open System
open FsCheck
open FsCheck.FSharp
open FsCheck.NUnit
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

/// Tensors as pure functions of a seed, so that a case shrinks by its extents and prints as a line.
module Draw =
    let private draw seed (shape: Shape) (value: Random -> float) =
        let random = Random(seed: int)
        Tensor.init shape (fun _ -> number (value random))

    /// Integers, |v| ≤ 9: sums of their products are exact in both precisions.
    let integers seed shape = draw seed shape (fun random -> float (random.Next(-9, 10)))

    /// U(−1, 1).
    let reals seed shape = draw seed shape (fun random -> 2.0 * random.NextDouble() - 1.0)

    /// 0.1 ≤ |v| ≤ 2: away from the kink of ReLU.
    let awayFromZero seed shape =
        draw seed shape (fun random ->
            let v = 0.1 + 1.9 * random.NextDouble()
            if random.Next 2 = 0 then -v else v)

    /// Pairwise distinct multiples of 1/8: every window has one maximum, by a margin.
    let distinct seed (shape: Shape) =
        let values = Array.init shape.Size (fun i -> float (i - shape.Size / 2) / 8.0)
        Random(seed: int).Shuffle values
        Tensor.init shape (fun i -> number values[i])

/// A window sliding over a batch of pictures, as the integers that make it.
[<NoComparison>]
type Sliding = {
    Samples: int
    Height: int
    Width: int
    Channels: int
    Filters: int
    Kernel: Size
    Stride: Size
    Dilation: Size
    Padding: Padding
    Seed: int
} with

    member this.Picture = Shape.Of(this.Height, this.Width, this.Channels)
    member this.Weights = Shape.Of(this.Kernel.Height, this.Kernel.Width, this.Channels, this.Filters)

    member this.Geometry =
        Geometry.Correlation("law", this.Picture, this.Filters, this.Kernel, this.Stride, this.Dilation, this.Padding)

    member this.Pooling = Geometry.Pooling("law", this.Picture, this.Kernel, this.Stride, this.Padding)

    member this.Pool: Pool = { Window = this.Kernel; Stride = this.Stride; Padding = this.Padding }

    /// The layer as data, without bias or activation.
    member this.Conv2D = {
        Conv2D.Default with
            Filters = this.Filters
            Kernel = this.Kernel
            Stride = this.Stride
            Dilation = this.Dilation
            Padding = this.Padding
            UseBias = false
    }

    /// Cells before and after, rows then columns.
    member this.Pads =
        let axis isRows n (f: int) s d =
            let struct (before, after) = Window.pad this.Padding isRows n f d s
            before, after

        axis true this.Height this.Kernel.Height this.Stride.Height this.Dilation.Height,
        axis false this.Width this.Kernel.Width this.Stride.Width this.Dilation.Width

/// A pooling window over a batch of pictures.
[<NoComparison>]
type Pooled = Pooled of Sliding

/// Rows of features.
type Rows = { Count: int; Features: int; Seed: int }

/// Two planes for convolution theory: a kernel and an image at least as large.
[<NoComparison>]
type Planes = { ImageSize: Size; KernelSize: Size; OtherSize: Size; Seed: int }

/// A row of layers, the pictures or vectors that enter, and a seed for everything else.
[<NoComparison>]
type Plan = { Count: int; Input: int list; Specs: LayerSpec list; Seed: int }

module Plan =
    let shape (extents: int list) = Shape.Of(List.toArray extents)

    /// True where every layer accepts what the one before it gives.
    let fits plan =
        try
            Layer.output (Layers.ofSpecs plan.Specs: Layer<float>) (shape plan.Input) |> ignore
            true
        with :? ShapeException ->
            false

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

/// Views of a case, so that a law names what it speaks of in its parameter.
[<AutoOpen>]
module Views =
    /// Geometry, input, kernel and output cotangent of small integers.
    let (|Integers|) (s: Sliding) =
        let g = s.Geometry
        let x: Tensor<float> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
        let w: Tensor<float> = Draw.integers (s.Seed + 1) s.Weights
        let ȳ: Tensor<float> = Draw.integers (s.Seed + 2) (g.Output.Batch s.Samples)
        g, x, w, ȳ

    /// As Integers, in float32.
    let (|Integers32|) (s: Sliding) =
        let g = s.Geometry
        let x: Tensor<float32> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
        let w: Tensor<float32> = Draw.integers (s.Seed + 1) s.Weights
        let ȳ: Tensor<float32> = Draw.integers (s.Seed + 2) (g.Output.Batch s.Samples)
        g, x, w, ȳ

    /// Kernel, image and a third plane of small integers.
    let (|KernelAndImage|) (p: Planes) =
        let plane seed (size: Size) : Tensor<float> = Draw.integers seed (Shape.Of(size.Height, size.Width))
        plane p.Seed p.KernelSize, plane (p.Seed + 1) p.ImageSize, plane (p.Seed + 2) p.OtherSize

    /// A composite that learns, with the key of its draws.
    let (|Learning|) plan = Point.away Training plan

    /// A composite that predicts.
    let (|Predicting|) plan = Point.away (fun _ -> Inference) plan

type Arbitraries =
    static member Sliding() = Arb.fromGenShrink (Generate.sliding 9 3 4 3, Generate.shrinkSliding Generate.isWindow)

    static member Pooled() =
        Arb.fromGenShrink (
            Gen.map Pooled (Generate.pooled 9 3),
            fun (Pooled s) -> Generate.shrinkSliding Generate.isPooling s |> Seq.map Pooled
        )

    static member Rows() = Arb.fromGenShrink (Generate.rows 6 9, Generate.shrinkRows)
    static member Planes() = Arb.fromGenShrink (Generate.planes, Generate.shrinkPlanes)
    static member Plan() = Arb.fromGenShrink (Generate.plan 1 6, Generate.shrinkPlan)

/// A property over the cases above, a hundred of them or as many as the environment variable CNN_CASES says: the same
/// ones in each run, or others where CNN_SEED is "random". A failure prints the case, shrunk, and its replay seed.
[<AttributeUsage(AttributeTargets.Method)>]
type LawAttribute() as this =
    inherit PropertyAttribute(Arbitrary = [| typeof<Arbitraries> |], QuietOnSuccess = true)

    do
        this.MaxTest <-
            match Int32.TryParse(Environment.GetEnvironmentVariable "CNN_CASES") with
            | true, cases when cases > 0 -> cases
            | _ -> 100

        // What one run proves, every run proves: a gate that draws anew fails those who changed nothing.
        if Environment.GetEnvironmentVariable "CNN_SEED" <> "random" then
            this.Replay <- "20022,12023"
