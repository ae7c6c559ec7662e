/// Every set of kernels refines the reference: the same numbers on integers, within Higham's bound on reals, in float
/// and float32. Destinations come filled with NaN, inputs and destinations lie amid NaN at odd offsets, scratch is NaN.
module Cnn.Tests.Laws.RefinementLaws

open System
open System.Numerics
open Expecto
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Memory of NaN, so that reading before writing shows.
type private Poisoned<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    interface IWorkspace<'T> with
        member _.Tensor shape = Tensor.init shape (fun _ -> 'T.NaN)
        member _.Gradient shape = Tensor.init shape (fun _ -> 'T.NaN)
        member _.Indices length = Memory(Array.create length Int32.MinValue)
        member _.Scratch length = Memory(Array.create length 'T.NaN)

        member _.Packed(kernels, geometry, packing, weights) =
            match kernels.PackedLength(geometry, packing) with
            | 0 -> ReadOnlyMemory.Empty
            | length ->
                let packed = Array.create length 'T.NaN
                kernels.Pack(geometry, packing, weights.Span, Span packed)
                ReadOnlyMemory packed

/// Values amid NaN, at an offset that no vector is aligned to.
type private Amid<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(values: 'T[], offset: int) =
    let margin = 70 + offset

    let memory =
        Array.init (values.Length + 2 * margin) (fun i ->
            if i >= margin && i < margin + values.Length then values[i - margin] else 'T.NaN)

    member _.Span = Span(memory, margin, values.Length)
    member this.Read: ReadOnlySpan<'T> = Span.op_Implicit this.Span
    member _.Values = Array.sub memory margin values.Length

    member _.IsMarginKept =
        Seq.forall
            (fun i -> 'T.IsNaN memory[i])
            (Seq.append (seq { 0 .. margin - 1 }) (seq { margin + values.Length .. memory.Length - 1 }))

/// A call of one kernel: inputs and result sizes in, results out.
type private Call<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> =
    IKernels<'T> -> IWorkspace<'T> -> Amid<'T>[] -> Amid<'T>[] -> unit

/// The results of a call on inputs amid NaN, into destinations of NaN; fails where a margin was written to.
let private results (call: Call<'T>) (inputs: 'T[] list) (sizes: int list) offset kernels =
    let inputs = inputs |> List.map (fun values -> Amid(values, offset)) |> Array.ofList
    let outputs = sizes |> List.map (fun size -> Amid(Array.create size 'T.NaN, offset)) |> Array.ofList
    let before = inputs |> Array.map (fun i -> i.Values)
    call kernels (Poisoned<'T>()) inputs outputs

    if not (Array.forall (fun (o: Amid<'T>) -> o.IsMarginKept) outputs) then
        failwith "A kernel wrote beside its destination."

    Array.iter2
        (fun (b: 'T[]) (i: Amid<'T>) ->
            if not (Seq.forall2 (fun (x: 'T) (y: 'T) -> x.Equals y) b i.Values) then
                failwith "A kernel wrote into its input.")
        before
        inputs

    outputs |> Array.map (fun o -> Tensor.ofArray (Shape.Of o.Values.Length) o.Values) |> List.ofArray

/// A statement about a call on given inputs: how far the results of two sets of kernels may be apart.
[<AbstractClass>]
type private Refinement(sizes: int list) =
    abstract Call<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> :
        IKernels<'T> * IWorkspace<'T> * Amid<'T>[] * Amid<'T>[] -> unit

    /// Reference, then actual.
    abstract Agree<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> :
        Tensor<'T> list * Tensor<'T> list -> Property

    member private this.Check(fast: IKernels<'T> list, inputs: float[] list, offset) =
        let inputs = inputs |> List.map (Array.map number<'T>)
        let call kernels workspace i o = this.Call(kernels, workspace, i, o)
        let expected = results call inputs sizes 0 (ReferenceKernels<'T>())

        all [
            for kernels in fast do
                let actual = results call inputs sizes offset kernels

                this.Agree(expected, actual) |> Prop.label (kernels.InstructionSet + " in " + typeof<'T>.Name)
                // The same bits wherever the numbers lie.
                exactly actual (results call inputs sizes (offset + 1) kernels)
        ]

    member this.Holds(seed, inputs) =
        let offset = seed % 7
        all [ this.Check(AllKernels.fast, inputs, offset); this.Check(AllKernels.fast32, inputs, offset) ]

/// Below it exponentials may stop short of 0.
let private tiny<'T when 'T: struct> = Rounding.smallest<'T>

/// Results that agree to the last bit.
[<AbstractClass>]
type private Exactly(sizes) =
    inherit Refinement(sizes)
    override _.Agree(expected, actual) = exactly expected actual

/// Results that agree within a bound for each element, in units of the roundoff.
[<AbstractClass>]
type private Within(sizes, bounds: (int -> float) list) =
    inherit Refinement(sizes)

    override _.Agree<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
        (expected: Tensor<'T> list, actual: Tensor<'T> list)
        =
        let smallest = tiny<'T>

        List.map3 (fun bound -> within (fun i -> unitRoundoff<'T> * bound i + smallest)) bounds expected actual
        |> all

let private integers seed size = (Draw.integers seed (Shape.Of(size: int)): Tensor<float>).ToArray()

/// float32 numbers, so that both precisions compute with the same.
let private reals seed size =
    (Draw.reals seed (Shape.Of(size: int)): Tensor<float>).ToArray() |> Array.map (float32 >> float)

/// Windows with many channels and filters, of up to two million products.
[<NoComparison>]
type Wide = Wide of Sliding

/// Windows of 3×3 at stride 1 with channels and filters in sixteens.
[<NoComparison>]
type Deep = Deep of Sliding

/// Matrix products with many rows, columns and summands.
type Product = { Rows: int; Inputs: int; Units: int; Seed: int }

type WideArbitraries =
    static member Wide() =
        let products (s: Sliding) = s.Samples * s.Geometry.OutHeight * s.Geometry.OutWidth * s.Geometry.WeightSize

        let many (s: Sliding) =
            gen {
                let! channels = Gen.frequency [ 2, Gen.choose (1, 4); 2, Gen.choose (5, 40) ]
                let! filters = Gen.frequency [ 2, Gen.choose (1, 4); 2, Gen.choose (5, 70) ]
                return { s with Channels = channels; Filters = filters }
            }

        Arb.fromGenShrink (
            Generate.sliding 14 1 1 3
            |> Gen.bind many
            |> Gen.filter (fun s -> products s < 2000000)
            |> Gen.map Wide,
            fun (Wide s) -> Generate.shrinkSliding Generate.isWindow s |> Seq.map Wide
        )

    static member Deep() =
        let cases =
            gen {
                let! extents = Generate.oblong 4 11
                let! samples = Gen.choose (1, 2)
                let! channels, filters = Gen.elements [ 16, 48; 32, 32; 48, 16; 64, 16; 17, 47 ]
                let! padding = Gen.oneof [ Gen.elements [ Valid; Same; Full ]; Generate.padding 2 ]
                let! seed = Generate.seed

                return {
                    Samples = samples
                    Height = extents.Height
                    Width = extents.Width
                    Channels = channels
                    Filters = filters
                    Kernel = Size.Square 3
                    Stride = Size.Square 1
                    Dilation = Size.Square 1
                    Padding = padding
                    Seed = seed
                }
            }

        Arb.fromGenShrink (
            Gen.map Deep cases,
            fun (Deep s) -> Generate.shrinkSliding Generate.isWindow s |> Seq.map Deep
        )

    static member Product() =
        let extent most = Gen.frequency [ 2, Gen.choose (1, 8); 2, Gen.choose (9, 40); 1, Gen.choose (41, most) ]

        let shrink (p: Product) =
            seq {
                for n in [ 1; p.Rows / 2; p.Rows - 1 ] do
                    if n > 0 && n < p.Rows then
                        { p with Rows = n }

                for n in [ 1; p.Inputs / 2; p.Inputs - 1 ] do
                    if n > 0 && n < p.Inputs then
                        { p with Inputs = n }

                for n in [ 1; p.Units / 2; p.Units - 1 ] do
                    if n > 0 && n < p.Units then
                        { p with Units = n }
            }

        let cases =
            gen {
                let! rows = extent 150
                let! inputs = extent 900
                let! units = extent 200
                let! seed = Generate.seed
                return { Rows = rows; Inputs = inputs; Units = units; Seed = seed }
            }

        Arb.fromGenShrink (cases |> Gen.filter (fun p -> p.Rows * p.Inputs * p.Units < 2000000), shrink)

/// A law whose cases are wide, too.
let private testWide name property =
    testPropertyWithConfig
        { configuration with arbitrary = [ typeof<Arbitraries>; typeof<WideArbitraries> ] }
        name
        property

/// Correlation and its adjoints over one geometry.
[<NoEquality; NoComparison>]
type Window = { Geometry: Geometry; Samples: int; Seed: int }

let windowOf (s: Sliding) = { Geometry = s.Geometry; Samples = s.Samples; Seed = s.Seed }

let productOf (p: Product) = { Geometry = Geometry.Product("law", p.Inputs, p.Units); Samples = p.Rows; Seed = p.Seed }

let private sizes w =
    w.Samples * w.Geometry.InputSize, w.Geometry.WeightSize, w.Geometry.OutChannels, w.Samples * w.Geometry.OutputSize

/// y, x̄ and w̄ of one call each. Inputs: x, w, b, ȳ; without bias, b is not read.
let private correlations
    hasBias
    φ
    (w: Window)
    (k: IKernels<'T>)
    (workspace: IWorkspace<'T>)
    (i: Amid<'T>[])
    (o: Amid<'T>[])
    =
    let g = w.Geometry

    let weights =
        Tensor.ofArray (Shape.Of(g.KernelHeight, g.KernelWidth, g.Channels, g.OutChannels)) i[1].Values

    let forward = workspace.Packed(k, g, Packing.Forward, weights)
    let backward = workspace.Packed(k, g, Packing.InputAdjoint, weights)
    let bias = if hasBias then i[2].Read else ReadOnlySpan.Empty
    k.Correlate(workspace, g, i[0].Read, i[1].Read, forward.Span, bias, φ, o[0].Span)
    k.CorrelateInputAdjoint(workspace, g, i[3].Read, i[1].Read, backward.Span, o[1].Span)
    k.CorrelateFilterAdjoint(workspace, g, i[0].Read, i[3].Read, o[2].Span)

let exactCorrelations (w: Window) =
    let x, weights, filters, y = sizes w

    let inputs = [
        integers w.Seed x
        integers (w.Seed + 1) weights
        integers (w.Seed + 2) filters
        integers (w.Seed + 3) y
    ]

    all [
        for hasBias, φ in [ true, Activation.Identity; false, Activation.ReLU; true, Activation.LeakyReLU 0.5 ] do
            {
                new Exactly([ y; x; weights ]) with
                    member _.Call(k, workspace, i, o) = correlations hasBias φ w k workspace i o
            }
                .Holds(w.Seed, inputs)
    ]

/// Sums over columns, products and accumulation of rows.
let exactSums rows columns seed =
    let n = rows * columns

    {
        new Exactly([ columns; n; n; n; columns ]) with
            member _.Call(k, _, i, o) =
                k.BiasAdjoint(Activation.LeakyReLU 0.5, i[0].Read, i[1].Read, o[3].Span, o[4].Span)
                k.SumRows(i[0].Read, o[0].Span)
                k.Multiply(i[0].Read, i[1].Read, o[1].Span)
                i[1].Read.CopyTo o[2].Span
                k.Accumulate(i[0].Read, o[2].Span)
    }
        .Holds(seed, [ integers seed n; integers (seed + 1) n ])

let private boundedCorrelations (w: Window) =
    let x, weights, filters, y = sizes w
    let g = w.Geometry
    let inputs = [ reals w.Seed x; reals (w.Seed + 1) weights; reals (w.Seed + 2) filters; reals (w.Seed + 3) y ]

    // Σ|x||w| from the same operations on absolute values; 2.02·n·u ≥ 2γₙ while n·u is below 1/101.
    let magnitudes =
        results
            (fun k workspace i o -> correlations true Activation.Identity w k workspace i o)
            (inputs |> List.map (Array.map abs))
            [ y; x; weights ]
            0
            (ReferenceKernels<float>())

    let taps = g.KernelHeight * g.KernelWidth
    let terms = [ taps * g.Channels + 1; taps * g.OutChannels; w.Samples * g.OutHeight * g.OutWidth ]

    let higham extra =
        List.map2 (fun n (m: Tensor<float>) i -> 2.02 * float (n + 1) * m.Span[i] + extra) terms magnitudes

    all [
        for φ in
            [
                Activation.Identity
                Activation.ReLU
                Activation.LeakyReLU 0.1
                Activation.Sigmoid
                Activation.Tanh
            ] do
            // Each φ has slopes up to 1, and errs by a few units in the last place of results up to 1.
            {
                new Within([ y; x; weights ], higham 16.0) with
                    member _.Call(k, workspace, i, o) = correlations true φ w k workspace i o
            }
                .Holds(w.Seed, inputs)
    ]

let private sampleBySample (w: Window) =
    let g = w.Geometry
    let x, weights, filters, y = sizes w
    let inputs = [| reals w.Seed x; reals (w.Seed + 1) weights; reals (w.Seed + 2) filters; reals (w.Seed + 3) y |]

    let check (fast: IKernels<'T> list) =
        all [
            for kernels in fast do
                let run samples (x: float[]) (ȳ: float[]) =
                    results
                        (fun k workspace i o ->
                            correlations true Activation.Tanh { w with Samples = samples } k workspace i o)
                        ([ x; inputs[1]; inputs[2]; ȳ ] |> List.map (Array.map number<'T>))
                        [ samples * g.OutputSize; samples * g.InputSize; weights ]
                        0
                        kernels

                let whole = run w.Samples inputs[0] inputs[3]

                for n in 0 .. w.Samples - 1 do
                    let one =
                        run
                            1
                            (Array.sub inputs[0] (n * g.InputSize) g.InputSize)
                            (Array.sub inputs[3] (n * g.OutputSize) g.OutputSize)

                    let part (t: Tensor<'T>) size = t.Slice(n * size, size)
                    exact (part whole[0] g.OutputSize) one[0]
                    exact (part whole[1] g.InputSize) one[1]
        ]

    all [ check AllKernels.fast; check AllKernels.fast32 ]

let private withChannels seed (s: Sliding) = { s with Channels = 1 + seed % 37 }

/// Lengths around every width of vectors.
let private (|Length|) (r: Rows) = 1 + (r.Seed % 300)

let tests =
    testList "refinement" [
        // Exact: |v| ≤ 9, sums below 2²⁴. Any geometry; with and without bias; fused activations.
        testWide "simd correlation and adjoints = reference on integers" (fun (Wide s) ->
            exactCorrelations (windowOf s))

        // |a − b| ≤ 2γₙ Σ|x||w|. Higham 2002, eq. 3.5.
        testWide "simd correlation and adjoints ≈ reference on reals" (fun (Wide s) -> boundedCorrelations (windowOf s))

        // The dense layer is the 1×1 window over pictures of one pixel.
        testWide "simd matrix products = reference on integers" (fun (p: Product) -> exactCorrelations (productOf p))

        // |a − b| ≤ 2γₙ Σ|x||w|. Higham 2002, eq. 3.5.
        testWide "simd matrix products ≈ reference on reals" (fun (p: Product) -> boundedCorrelations (productOf p))

        // A sample's result does not depend on the other samples of its batch, to the last bit.
        testWide "simd correlation of a batch = of its samples, bit for bit" (fun (Wide s) ->
            sampleBySample (windowOf s))

        // Transformed tiles may belong to several pictures, and do not show it.
        testWide "simd 3×3 windows over a batch = over its samples, bit for bit" (fun (Deep s) ->
            sampleBySample (windowOf s))

        // Rows of a product are samples.
        testWide "simd products of rows = of each row, bit for bit" (fun (p: Product) ->
            sampleBySample (productOf { p with Rows = min p.Rows 40 }))

        // Maxima, their positions (the first on a tie) and the scatter of gradients, on few integers, so that ties abound.
        testWide "simd max pooling = reference" (fun (Pooled s) ->
            let s = withChannels s.Seed s
            let g = s.Pooling
            let x, y = s.Samples * g.InputSize, s.Samples * g.OutputSize

            {
                new Exactly([ y; y; x ]) with
                    member _.Call(k, _, i, o) =
                        let indices = Array.create y Int32.MinValue
                        k.MaxPool(g, i[0].Read, o[0].Span, Span indices)
                        indices |> Array.map (float >> number) |> fun positions -> Span(positions).CopyTo o[1].Span
                        k.MaxPoolAdjoint(g, i[1].Read, ReadOnlySpan indices, o[2].Span)
            }
                .Holds(s.Seed, [ integers s.Seed x |> Array.map (fun v -> round (v / 5.0)); integers (s.Seed + 1) y ]))

        // A NaN wins, so that it is seen; infinities are numbers like others.
        testWide "simd max pooling = reference with NaN and infinities" (fun (Pooled s) ->
            let s = withChannels s.Seed s
            let g = s.Pooling
            let x, y = s.Samples * g.InputSize, s.Samples * g.OutputSize

            let special v =
                if v = 9.0 then nan
                elif v = 8.0 then infinity
                elif v < -6.0 then -infinity
                else v

            {
                new Exactly([ y; y ]) with
                    member _.Call(k, _, i, o) =
                        let indices = Array.create y Int32.MinValue
                        k.MaxPool(g, i[0].Read, o[0].Span, Span indices)
                        indices |> Array.map (float >> number) |> fun positions -> Span(positions).CopyTo o[1].Span
            }
                .Holds(s.Seed, [ integers s.Seed x |> Array.map special ]))

        // Means over the picture cells, and their adjoint: 2γₙ₊₁·M. A window has n cells at most, whose mean is up to 1; a cell
        // has n windows at most, whose shares add up to n.
        testWide "simd average pooling ≈ reference" (fun (Pooled s) ->
            let s = withChannels s.Seed s
            let g = s.Pooling
            let x, y = s.Samples * g.InputSize, s.Samples * g.OutputSize
            let bound _ = 2.02 * float (g.KernelHeight * g.KernelWidth + 1)

            {
                new Within([ y; x ], [ bound; (fun i -> bound i * float (g.KernelHeight * g.KernelWidth)) ]) with
                    member _.Call(k, _, i, o) =
                        k.AveragePool(g, i[0].Read, o[0].Span)
                        k.AveragePoolAdjoint(g, i[1].Read, o[1].Span)
            }
                .Holds(s.Seed, [ reals s.Seed x; reals (s.Seed + 1) y ]))

        // Piecewise linear functions round alike.
        testWide "simd identity, ReLU and leaky ReLU = reference, forward and backward" (fun (r: Rows) ->
            let (Length n) = r

            all [
                for φ in [ Activation.Identity; Activation.ReLU; Activation.LeakyReLU 0.1 ] do
                    {
                        new Exactly([ n; n ]) with
                            member _.Call(k, _, i, o) =
                                k.Activate(φ, i[0].Read, o[0].Span)
                                k.ActivateAdjoint(φ, i[0].Read, i[1].Read, o[1].Span)
                    }
                        .Holds(r.Seed, [ integers r.Seed n; reals (r.Seed + 1) n ])
            ])

        // Polynomials and the platform's functions err by up to 4 units in the last place each, 8u, over the whole range of
        // float32. Backwards 2u on either side: 1 − y² rounds y² and the difference, which together are 1, and the product is up
        // to 1 − y².
        testWide "simd sigmoid and tanh ≈ reference" (fun (r: Rows) ->
            let (Length n) = r

            all [
                for scale in [ 1e-3; 1.0; 20.0; 1e4 ] do
                    for φ in [ Activation.Sigmoid; Activation.Tanh ] do
                        let x = reals r.Seed n |> Array.map (fun v -> float (float32 (scale * v)))
                        let f v = if φ.Kind = ActivationKind.Tanh then abs (tanh v) else 1.0 / (1.0 + exp -v)

                        {
                            new Within([ n ], [ fun i -> 16.0 * f x[i] + 1.0 ]) with
                                member _.Call(k, _, i, o) = k.Activate(φ, i[0].Read, o[0].Span)
                        }
                            .Holds(r.Seed, [ x ])

                        {
                            new Within([ n ], [ fun _ -> 4.0 ]) with
                                member _.Call(k, _, i, o) = k.ActivateAdjoint(φ, i[0].Read, i[1].Read, o[0].Span)
                        }
                            .Holds(r.Seed, [ x |> Array.map (fun v -> float (float32 (f v))); reals (r.Seed + 1) n ])
            ])

        // Values where formulas break: the same NaN, infinities and limits as the reference.
        testCase "simd activations of NaN, infinities and huge numbers are those of the reference" (fun () ->
            let check (fast: IKernels<'T> list) =
                let values =
                    [|
                        nan
                        infinity
                        -infinity
                        1e30
                        -1e30
                        88.0
                        -88.0
                        89.0
                        -89.0
                        104.0
                        -104.0
                        710.0
                        -710.0
                        745.0
                        -745.0
                        0.0
                        -0.0
                        1e-30
                        -1e-30
                    |]
                    |> Array.map number<'T>

                for kernels in fast do
                    for φ in
                        [
                            Activation.Identity
                            Activation.ReLU
                            Activation.LeakyReLU 0.1
                            Activation.Sigmoid
                            Activation.Tanh
                        ] do
                        let run k =
                            (results
                                (fun (k: IKernels<'T>) _ i o -> k.Activate(φ, i[0].Read, o[0].Span))
                                [ values ]
                                [ values.Length ]
                                0
                                k)
                                .Head

                        let expected, actual = run (ReferenceKernels<'T>()), run kernels

                        for i in 0 .. values.Length - 1 do
                            let e, a = real expected.Span[i], real actual.Span[i]
                            let isClose = e.Equals a || abs (e - a) <= 16.0 * unitRoundoff<'T> * abs e + tiny<'T>

                            Assert.That(
                                isClose,
                                $"{φ} of {values[i]} with {kernels.InstructionSet} in {typeof<'T>.Name}: {a} instead of {e}"
                            )

            check AllKernels.fast
            check AllKernels.fast32)

        // Each kernel that says so may write over its input.
        testWide "simd activations and softmax in place = into another place" (fun (r: Rows) ->
            let (Length n) = r
            let x = reals r.Seed (n * 3)

            let check (fast: IKernels<'T> list) =
                let x = Array.map number<'T> x

                all [
                    for k in fast do
                        for φ in
                            [
                                Activation.Identity
                                Activation.ReLU
                                Activation.LeakyReLU 0.1
                                Activation.Sigmoid
                                Activation.Tanh
                            ] do
                            let own, other = Array.copy x, Array.zeroCreate x.Length
                            k.Activate(φ, ReadOnlySpan own, Span own)
                            k.Activate(φ, ReadOnlySpan x, Span other)
                            exact (Tensor.ofArray (Shape.Of x.Length) other) (Tensor.ofArray (Shape.Of x.Length) own)

                        let own, other = Array.copy x, Array.zeroCreate x.Length
                        k.Softmax(n, ReadOnlySpan own, Span own)
                        k.Softmax(n, ReadOnlySpan x, Span other)
                        exact (Tensor.ofArray (Shape.Of x.Length) other) (Tensor.ofArray (Shape.Of x.Length) own)
                ]

            all [ check AllKernels.fast; check AllKernels.fast32 ])

        // Of n exponentials, positive and 8u off on either side as above, quotients by the sum: 4·8u + 2γₙ₊₁, relative. Backwards
        // y·(ȳ − Σ ȳy) with |ȳ| ≤ 1 and Σy = 1: γₙ of the sum, and two roundings of up to 2y, on either side.
        testWide "simd softmax ≈ reference, forward and backward" (fun (r: Rows) ->
            let (Length width) = r
            let rows = r.Count
            let n = rows * width
            let x = reals r.Seed n |> Array.map (fun v -> 8.0 * v)

            let y =
                (results
                    (fun k _ i o -> k.Softmax(width, i[0].Read, o[0].Span))
                    [ x ]
                    [ n ]
                    0
                    (ReferenceKernels<float>()))
                    .Head

            let ȳ = reals (r.Seed + 1) n
            let single = y.ToArray() |> Array.map (float32 >> float)

            all [
                {
                    new Within([ n ], [ fun i -> (2.02 * float (width + 1) + 32.0) * y.Span[i] ]) with
                        member _.Call(k, _, i, o) = k.Softmax(width, i[0].Read, o[0].Span)
                }
                    .Holds(r.Seed, [ x ])

                {
                    new Within([ n ], [ fun i -> 2.02 * float (width + 4) * y.Span[i] ]) with
                        member _.Call(k, _, i, o) = k.SoftmaxAdjoint(width, i[0].Read, i[1].Read, o[0].Span)
                }
                    .Holds(r.Seed, [ single; ȳ ])
            ])

        // Column sums, moments, normalisation and its sums of products over n rows: 2γₖ·M, with |x|, |ȳ|, |mean|, |scale|, |shift| ≤ 1.
        // Sums add n terms, means divide too. A square (x − μ)² ≤ 4 has γₙ of the mean twice over, and three roundings of its own,
        // before γₙ of their mean. Normalising rounds numbers up to 2, 2 and 3; products of up to 2 have three roundings each.
        testWide "simd reductions over rows ≈ reference" (fun (r: Rows) ->
            let columns = 1 + r.Seed % 70
            // Some with more rows than a block has.
            let rows = 1 + r.Seed / 70 % 60 + (if r.Seed % 10 = 0 then 520 else 0)
            let n = rows * columns
            let γ k m _ = 2.02 * float (k: int) * float (m: int)

            let inputs = [
                reals r.Seed n
                reals (r.Seed + 1) n
                reals (r.Seed + 2) columns
                reals (r.Seed + 3) columns
                reals (r.Seed + 4) columns
            ]

            {
                new Within([ columns; columns; columns; n; columns ],
                           [ γ rows rows; γ rows 1; γ (2 * rows + 3) 4; γ 7 1; γ (rows + 3) (2 * rows) ]) with
                    member _.Call(k, _, i, o) =
                        k.SumRows(i[0].Read, o[0].Span)
                        k.Moments(i[0].Read, o[1].Span, o[2].Span)
                        k.Normalize(i[0].Read, i[2].Read, i[3].Read, i[4].Read, o[3].Span)
                        k.SumProducts(i[1].Read, i[0].Read, i[2].Read, i[3].Read, o[4].Span)
            }
                .Holds(r.Seed, inputs))

        // The adjoint of (x, b) ↦ φ(x + b). The same bits as φ' alone; sums within Higham's bound.
        testWide "simd x̄ = ȳ·φ'(x + b) and b̄ = Σ x̄ in one pass" (fun (r: Rows) ->
            let columns = 1 + r.Seed % 70
            // Some with more rows than a block has.
            let rows = r.Seed / 70 % 60 + (if r.Seed % 10 = 0 then 520 else 0)
            let n = rows * columns
            let y, ȳ = reals r.Seed n |> Array.map abs, reals (r.Seed + 1) n

            let check (fast: IKernels<'T> list) =
                all [
                    for kernels in fast do
                        for φ in
                            [
                                Activation.Identity
                                Activation.ReLU
                                Activation.LeakyReLU 0.1
                                Activation.Sigmoid
                                Activation.Tanh
                            ] do
                            let run call =
                                results
                                    call
                                    [ Array.map number<'T> y; Array.map number<'T> ȳ ]
                                    [ n; columns ]
                                    (r.Seed % 7)
                                    kernels

                            let once =
                                run (fun k _ i o -> k.BiasAdjoint(φ, i[0].Read, i[1].Read, o[0].Span, o[1].Span))

                            let alone = run (fun k _ i o -> k.ActivateAdjoint(φ, i[0].Read, i[1].Read, o[0].Span))

                            let x̄ row c = real once.Head.Span[row * columns + c]

                            let sum f =
                                Tensor.init (Shape.Of columns) (fun c ->
                                    Seq.sum (seq { for row in 0 .. rows - 1 -> f row c }))

                            exact alone.Head once.Head
                            rounding rows (sum (fun row c -> abs (x̄ row c))) (Tensor.map number<'T> (sum x̄)) once[1]
                ]

            all [ check AllKernels.fast; check AllKernels.fast32 ])

        // Integers add exactly in any order.
        testWide "simd column sums, products and accumulation = reference on integers" (fun (r: Rows) ->
            exactSums (1 + r.Seed / 70 % 60) (1 + r.Seed % 70) r.Seed)

        // Every rule, with penalties, decay and clipping: sixteen roundings, on either side, of numbers up to 2.
        testWide "simd optimiser steps ≈ reference" (fun (r: Rows) ->
            let (Length n) = r

            let plain = [
                Optimizer.Sgd 0.1
                Optimizer.Nesterov 0.1
                Optimizer.RmsProp(0.1, 0.9, 0.1)
                Optimizer.Adam(0.1, 0.9, 0.9, 0.1)
            ]

            let full (o: Optimizer) = o.WithL1(0.1).WithL2(0.2).WithWeightDecay(0.3).WithClipValue(0.5)

            all [
                for optimizer in plain @ List.map full plain do
                    let update = { optimizer.Update(2, 0.1, true) with GradientScale = 0.75 }
                    let slots used = if used then n else 0
                    let m, v = slots optimizer.UsesMoment, slots optimizer.UsesSquares

                    {
                        new Within([ n; m; v ], List.replicate 3 (fun _ -> 64.0)) with
                            member _.Call(k, _, i, o) =
                                k.Update(
                                    update,
                                    i[0].Read,
                                    i[1].Read,
                                    i[2].Read,
                                    i[3].Read,
                                    o[0].Span,
                                    o[1].Span,
                                    o[2].Span
                                )
                    }
                        .Holds(
                            r.Seed,
                            [
                                reals r.Seed n
                                reals (r.Seed + 1) n
                                reals (r.Seed + 2) m
                                reals (r.Seed + 3) v |> Array.map abs
                            ]
                        )
            ])

        // A step may write over what it reads.
        testWide "simd optimiser steps in place = into another place" (fun (r: Rows) ->
            let (Length n) = r
            let update = (Optimizer.Adam 0.1).Update(1, 0.1, true)
            let draw k = reals (r.Seed + k) n

            let check (fast: IKernels<'T> list) =
                all [
                    for k in fast do
                        let arrays =
                            [| draw 0; draw 1; draw 2; Array.map abs (draw 3) |] |> Array.map (Array.map number<'T>)

                        let fresh = Array.init 3 (fun _ -> Array.zeroCreate<'T> n)

                        let step (next: 'T[][]) =
                            k.Update(
                                update,
                                ReadOnlySpan arrays[0],
                                ReadOnlySpan arrays[1],
                                ReadOnlySpan arrays[2],
                                ReadOnlySpan arrays[3],
                                Span next[0],
                                Span next[1],
                                Span next[2]
                            )

                        step fresh
                        step arrays[1..3]

                        for i in 0..2 do
                            exact (Tensor.ofArray (Shape.Of n) fresh[i]) (Tensor.ofArray (Shape.Of n) arrays[i + 1])
                ]

            all [ check AllKernels.fast; check AllKernels.fast32 ])

        // Whole composites, forward and backward, in float, from memory full of NaN: every layer writes all that it hands on.
        testProperty
            "layers ≈ reference with every set of kernels, and read nothing that they did not write"
            (fun (Learning point) ->
                let bits kernels workspace =
                    let step =
                        { point with Context = { point.Context with Kernels = kernels; Workspace = workspace } }.Run

                    let θ̄, x̄ = step.Pullback(Draw.reals 3 step.Output.Shape)
                    step.Output :: step.State @ θ̄ @ [ x̄ ]

                let expected = bits (ReferenceKernels<float>()) (FreshWorkspace<float>())

                all [
                    exactly expected (bits (ReferenceKernels<float>()) (Poisoned<float>()))

                    for kernels in AllKernels.fast do
                        List.map2 (near 1e-9) expected (bits kernels (Poisoned<float>())) |> all
                ])

        // Windows of 3×3 at stride 1 over many channels, where transforms pay: integers stay exact, since the transforms of
        // F(2×2, 3×3) only halve and quarter.
        testWide "simd 3×3 windows at stride 1 = reference on integers" (fun (Deep s) -> exactCorrelations (windowOf s))
    ]
