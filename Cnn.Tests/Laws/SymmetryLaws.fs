/// What happens to a picture happens to its maps: rotations, reflections, shifts, permutations. On integers, hence exact.
module Cnn.Tests.Laws.SymmetryLaws

open System
open System.Numerics
open Expecto
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A symmetry of the rectangle: reflections of rows and columns after the exchange of both, or not. All eight.
type private Symmetry = { Swaps: bool; FlipsRows: bool; FlipsColumns: bool }

let private transposition = { Swaps = true; FlipsRows = false; FlipsColumns = false }

let private drawn seed = { Swaps = seed % 2 = 0; FlipsRows = seed / 2 % 2 = 0; FlipsColumns = seed / 4 % 2 = 0 }

let private product extents = Array.fold (*) 1 extents

/// Turns the plane of an axis and the next one.
let private turn axis g (t: Tensor<'T>) =
    let extents = t.Shape.Extents.ToArray()
    let height, width, inner = extents[axis], extents[axis + 1], product extents[axis + 2 ..]
    let rows, columns = if g.Swaps then width, height else height, width

    let turned = Array.concat [ extents[.. axis - 1]; [| rows; columns |]; extents[axis + 2 ..] ]

    Tensor.init (Shape.Of turned) (fun k ->
        let outer, i, j = k / (rows * columns * inner), k / (columns * inner) % rows, k / inner % columns
        let i = if g.FlipsRows then rows - 1 - i else i
        let j = if g.FlipsColumns then columns - 1 - j else j
        let i, j = if g.Swaps then j, i else i, j
        t.Span[((outer * height + i) * width + j) * inner + k % inner])

let private picture g t = turn 1 g t
let private kernel g t = turn 0 g t

/// Takes along an axis what stands at the places of a list.
let private take axis (places: int list) (t: Tensor<'T>) =
    let places = Array.ofList places
    let extents = t.Shape.Extents.ToArray()
    let inner = product extents[axis + 1 ..]

    Tensor.init (Shape.Of(Array.updateAt axis places.Length extents)) (fun k ->
        let outer, at = k / (places.Length * inner), places[k / inner % places.Length]
        t.Span[(outer * extents[axis] + at) * inner + k % inner])

/// Zeros in the place of the first line along an axis.
let private withoutFirst axis (t: Tensor<'T>) =
    let extents = t.Shape.Extents.ToArray()
    let line = product extents[axis + 1 ..]
    Tensor.init t.Shape (fun i -> if i / line % extents[axis] = 0 then 'T.Zero else t.Span[i])

/// The window over the turned picture.
let private turned g (s: Sliding) =
    let swap (size: Size) = if g.Swaps then { Height = size.Width; Width = size.Height } else size
    let flip isFlipped (before, after) = if isFlipped then after, before else before, after
    let rows, columns = s.Pads
    let rows, columns = if g.Swaps then columns, rows else rows, columns
    let top, bottom = flip g.FlipsRows rows
    let left, right = flip g.FlipsColumns columns
    let size = swap { Height = s.Height; Width = s.Width }

    {
        s with
            Height = size.Height
            Width = size.Width
            Kernel = swap s.Kernel
            Stride = swap s.Stride
            Dilation = swap s.Dilation
            Padding = Explicit(top, bottom, left, right)
    }

/// Windows that move by 1 end where the picture ends, from either side.
let private byOne isValid (s: Sliding) =
    let s = { s with Stride = Size.Square 1 }

    if isValid s then
        s
    else
        { s with Padding = Valid; Kernel = Size.Square 1; Dilation = Size.Square 1 }

/// y, x̄ and θ̄ of a layer with a set of kernels.
let private passes (kernels: IKernels<'T>) spec θ (x: Tensor<'T>) (ȳ: Shape -> Tensor<'T>) =
    let context = { Context.reference Inference with Kernels = kernels }
    let step = Layer.run context (Layers.ofSpec spec) θ [] x
    let θ̄, x̄ = step.Pullback(ȳ step.Output.Shape)
    step.Output, x̄, θ̄

let private everywhere (inFloat: IKernels<float> -> Property) (inFloat32: IKernels<float32> -> Property) =
    all [
        for kernels in AllKernels.float -> inFloat kernels |> Prop.label kernels.InstructionSet
        for kernels in AllKernels.float32 -> inFloat32 kernels |> Prop.label (kernels.InstructionSet + ", float32")
    ]

/// Equal y, x̄ and θ̄.
let private agree (y, x̄, θ̄) (y', x̄', θ̄') = all [ exact y y'; exact x̄ x̄'; exactly θ̄ θ̄' ]

let private convolves g (s: Sliding) (kernels: IKernels<'T>) =
    let x, w = Draw.integers s.Seed (s.Picture.Batch s.Samples), Draw.integers (s.Seed + 1) s.Weights
    let ȳ shape = Draw.integers (s.Seed + 2) shape
    let y, x̄, w̄ = passes kernels (LayerSpec.Conv2D s.Conv2D) [ w ] x ȳ

    let y', x̄', w̄' =
        passes kernels (LayerSpec.Conv2D (turned g s).Conv2D) [ kernel g w ] (picture g x) (fun _ ->
            picture g (ȳ y.Shape))

    agree (picture g y, picture g x̄, List.map (kernel g) w̄) (y', x̄', w̄')

let private pools (spec: Pool -> LayerSpec) g (s: Sliding) (kernels: IKernels<'T>) =
    let x: Tensor<'T> = Draw.distinct s.Seed (s.Picture.Batch s.Samples)
    let ȳ shape = Draw.integers (s.Seed + 1) shape
    let y, x̄, _ = passes kernels (spec s.Pool) [] x ȳ

    let y', x̄', _ =
        passes kernels (spec (turned g s).Pool) [] (picture g x) (fun _ -> picture g (ȳ y.Shape))

    let rounded = 40.0 * unitRoundoff<'T>

    match spec s.Pool with
    | MaxPool _ -> all [ exact (picture g y) y'; exact (picture g x̄) x̄' ]
    // Sums of eighths are exact; shares of ȳ are not.
    | _ -> all [ exact (picture g y) y'; near rounded (picture g x̄) x̄' ]

/// The layer over the turned picture.
let private turnedLayer g (shape: Shape) spec =
    let over kernel stride dilation padding =
        turned g {
            Samples = 1
            Height = shape[0]
            Width = shape[1]
            Channels = shape[2]
            Filters = 1
            Kernel = kernel
            Stride = stride
            Dilation = dilation
            Padding = padding
            Seed = 0
        }

    match spec with
    | LayerSpec.Conv2D c ->
        let s = over c.Kernel c.Stride c.Dilation c.Padding

        LayerSpec.Conv2D {
            c with
                Kernel = s.Kernel
                Stride = s.Stride
                Dilation = s.Dilation
                Padding = s.Padding
        }
    | MaxPool p -> MaxPool (over p.Window p.Stride (Size.Square 1) p.Padding).Pool
    | AveragePool p -> AveragePool (over p.Window p.Stride (Size.Square 1) p.Padding).Pool
    | spec -> spec

/// The layer with windows that move by 1.
let private layerByOne spec =
    match spec with
    | LayerSpec.Conv2D c -> LayerSpec.Conv2D { c with Stride = Size.Square 1 }
    | MaxPool p -> MaxPool { p with Stride = Size.Square 1 }
    | AveragePool p -> AveragePool { p with Stride = Size.Square 1 }
    | spec -> spec

/// A shuffled list of the numbers below n.
let private shuffled seed n =
    let places = [| 0 .. n - 1 |]
    Random(seed: int).Shuffle places
    List.ofArray places

let tests =
    testList "symmetry" [
        // Wichmann 2018, 1.7, for a quarter turn instead of two; the same for reflections and transposition.
        testProperty
            "g(K ⋆ x) = gK ⋆ gx, and x̄ and K̄ likewise, for every rotation and reflection g"
            (fun (s: Sliding) ->
                let s, g = byOne Generate.isWindow s, drawn s.Seed
                everywhere (convolves g s) (convolves g s))

        testProperty "(K ⋆ x)ᵀ = Kᵀ ⋆ xᵀ, and x̄ and K̄ likewise, for any stride" (fun (s: Sliding) ->
            everywhere (convolves transposition s) (convolves transposition s))

        testProperty "pooling a turned picture = turning the pooled one, and x̄ likewise" (fun (Pooled s) ->
            let s, g = byOne Generate.isPooling s, drawn s.Seed

            all [ for spec in [ MaxPool; AveragePool ] -> everywhere (pools spec g s) (pools spec g s) ])

        testProperty "pooling a transposed picture = transposing the pooled one, for any stride" (fun (Pooled s) ->
            all [
                for spec in [ MaxPool; AveragePool ] ->
                    everywhere (pools spec transposition s) (pools spec transposition s)
            ])

        testProperty "what is pooled over the whole picture does not turn" (fun (Pooled s) ->
            let pools spec (kernels: IKernels<'T>) =
                let x: Tensor<'T> = Draw.distinct s.Seed (s.Picture.Batch s.Samples)
                let g = drawn s.Seed
                let ȳ shape = Draw.integers (s.Seed + 1) shape
                let y, x̄, _ = passes kernels spec [] x ȳ
                let y', x̄', _ = passes kernels spec [] (picture g x) ȳ
                all [ exact y y'; exact (picture g x̄) x̄' ]

            all [ for spec in [ GlobalMaxPool; GlobalAveragePool ] -> everywhere (pools spec) (pools spec) ])

        testProperty "a network with turned kernels answers for a turned picture as before" (fun (seed: int) ->
            let seed = abs (seed % 100000)
            let g = drawn seed

            let answers (kernels: IKernels<float>) =
                let conv filters (height, width) =
                    LayerSpec.Conv2D {
                        Conv2D.Default with
                            Filters = filters
                            Kernel = { Height = height; Width = width }
                            Activation = Cnn.Activation.ReLU
                    }

                let pool = MaxPool { Pool.Square 2 with Stride = Size.Square 1 }
                let swap (height, width) = if g.Swaps then width, height else height, width

                let network shape =
                    Layers.ofSpecs [ conv 4 (shape (3, 2)); pool; conv 3 (shape (1, 3)); GlobalAveragePool ]

                let θ = [
                    for i, shape in List.indexed [ [ 3; 2; 2; 4 ]; [ 4 ]; [ 1; 3; 4; 3 ]; [ 3 ] ] ->
                        Draw.integers (seed + i) (Shape.Of(List.toArray shape))
                ]

                let turn (t: Tensor<float>) = if t.Shape.Rank = 4 then kernel g t else t
                let x: Tensor<float> = Draw.integers (seed + 9) (Shape.Of(2, 7, 9, 2))
                let context = { Context.reference Inference with Kernels = kernels }

                exact
                    (Layer.run context (network id) θ [] x).Output
                    (Layer.run context (network swap) (List.map turn θ) [] (picture g x)).Output

            all [ for kernels in AllKernels.float -> answers kernels ])

        // Layers of any kind, at inference, in double: the turned sums run in another order. What flattens a picture does not
        // turn with it.
        testProperty
            "a network of any layers with turned kernels: y, x̄ and θ̄ of a turned picture are the turned ones"
            (fun (plan: Plan) ->
                let g = if plan.Seed % 3 = 0 then transposition else drawn plan.Seed
                let input = Plan.shape plan.Input

                let shapes specs =
                    specs |> List.scan (fun shape spec -> Layer.output (Layers.ofSpec spec: Layer<float>) shape) input

                let specs =
                    List.zip plan.Specs (List.take plan.Specs.Length (shapes plan.Specs))
                    |> List.map (fun (spec, shape) ->
                        match spec with
                        | Flatten _ when shape.Rank = 3 -> GlobalAveragePool
                        | spec when g = transposition -> spec
                        | spec -> layerByOne spec)

                let turnedSpecs =
                    List.zip specs (List.take specs.Length (shapes specs))
                    |> List.map (fun (spec, shape) -> turnedLayer g shape spec)

                let layer: Layer<float> = Layers.ofSpecs specs
                let θ, s = Layer.initial (Key.ofSeed plan.Seed) input layer
                let θ = θ |> List.mapi (fun i t -> Draw.reals (plan.Seed + i) t.Shape)
                let x: Tensor<float> = Draw.reals (plan.Seed + 100) (input.Batch plan.Count)

                let turn (t: Tensor<float>) = if t.Shape.Rank = 4 then kernel g t else t
                let turnOutput (t: Tensor<float>) = if t.Shape.Rank = 4 then picture g t else t

                let turns kernels =
                    let context = { Context.reference Inference with Kernels = kernels }
                    let step = Layer.run context layer θ s x
                    let ȳ: Tensor<float> = Draw.reals (plan.Seed + 101) step.Output.Shape
                    let θ̄, x̄ = step.Pullback ȳ

                    let step' =
                        Layer.run
                            context
                            (Layers.ofSpecs turnedSpecs)
                            (List.map turn θ)
                            (List.map turn s)
                            (picture g x)

                    let θ̄', x̄' = step'.Pullback(turnOutput ȳ)

                    all [
                        near 1e-11 (turnOutput step.Output) step'.Output
                        near 1e-11 (picture g x̄) x̄'
                        List.map2 (near 1e-11) (List.map turn θ̄) θ̄' |> all
                    ]

                all [ for kernels in AllKernels.float -> turns kernels |> Prop.label kernels.InstructionSet ])

        // Away from the border, at stride 1; the line that leaves the picture has no part in x̄ and K̄.
        testProperty "K ⋆ x shifted = (K ⋆ x) shifted, and x̄ and K̄ likewise" (fun (s: Sliding) ->
            let s = byOne Generate.isWindow { s with Padding = Valid }
            let output = s.Geometry.Output.Batch s.Samples

            let shifts (kernels: IKernels<'T>) =
                let x: Tensor<'T> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
                let w = Draw.integers (s.Seed + 1) s.Weights
                let pass x ȳ = passes kernels (LayerSpec.Conv2D s.Conv2D) [ w ] x (fun _ -> ȳ)

                all [
                    for axis in [ 1; 2 ] do
                        if output[axis] > 1 then
                            let shift (t: Tensor<'T>) = take axis [ 1 .. t.Shape[axis] - 1 ] t
                            let ȳ = Draw.integers (s.Seed + 2) output |> withoutFirst axis
                            let y, x̄, w̄ = pass x ȳ
                            agree (shift y, shift x̄, w̄) (pass (shift x) (shift ȳ))
                ]

            everywhere shifts shifts)

        testProperty
            "permuted channels with permuted kernels, filters and samples permute what comes out, and x̄ and K̄ likewise"
            (fun (s: Sliding) ->
                let permutes (kernels: IKernels<'T>) =
                    let x: Tensor<'T> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
                    let w = Draw.integers (s.Seed + 1) s.Weights
                    let ȳ = Draw.integers (s.Seed + 2) (s.Geometry.Output.Batch s.Samples)
                    let pass w x ȳ = passes kernels (LayerSpec.Conv2D s.Conv2D) [ w ] x (fun _ -> ȳ)
                    let y, x̄, w̄ = pass w x ȳ

                    let permute axis n = take axis (shuffled s.Seed n)
                    let channels axis (t: Tensor<'T>) = permute axis s.Channels t
                    let filters (t: Tensor<'T>) = permute 3 s.Filters t
                    let samples (t: Tensor<'T>) = permute 0 s.Samples t

                    all [
                        agree (y, channels 3 x̄, List.map (channels 2) w̄) (pass (channels 2 w) (channels 3 x) ȳ)
                        agree (filters y, x̄, List.map filters w̄) (pass (filters w) x (filters ȳ))
                        agree (samples y, samples x̄, w̄) (pass w (samples x) (samples ȳ))
                    ]

                everywhere permutes permutes)

        testProperty "permuted channels and samples permute what is pooled, and x̄ likewise" (fun (Pooled s) ->
            let permutes spec (kernels: IKernels<'T>) =
                let x: Tensor<'T> = Draw.distinct s.Seed (s.Picture.Batch s.Samples)
                let ȳ shape = Draw.integers (s.Seed + 1) shape
                let y, x̄, _ = passes kernels spec [] x ȳ

                let permute (t: Tensor<'T>) =
                    t |> take 0 (shuffled s.Seed s.Samples) |> take (t.Shape.Rank - 1) (shuffled s.Seed s.Channels)

                let y', x̄', _ = passes kernels spec [] (permute x) (fun _ -> permute (ȳ y.Shape))
                all [ exact (permute y) y'; near (40.0 * unitRoundoff<'T>) (permute x̄) x̄' ]

            all [
                for spec in [ MaxPool s.Pool; AveragePool s.Pool; GlobalMaxPool; GlobalAveragePool ] ->
                    everywhere (permutes spec) (permutes spec)
            ])
    ]
