/// Winograd's F(2×2, 3×3), and F(4×4, 3×3) on request only: equal to the reference within Higham's bound for the way the
/// sums are taken (Lavin and Gray 2016, section 4; Barabasz et al. 2020).
module Cnn.Tests.Laws.WinogradLaws

open System
open System.Numerics
open Expecto
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Y = Aᵀ[Σ_c (G K Gᵀ) ∘ (Bᵀ d B)]A over tiles of m×m outputs, the matrices written as they stand in the source.
[<NoComparison>]
type private Transform = { Bᵀ: float[,]; G: float[,]; Aᵀ: float[,] }

/// Points 0, ±1, ∞.
let private twoByTwo = {
    Bᵀ =
        array2D [
            [ 1.0; 0.0; -1.0; 0.0 ]
            [ 0.0; 1.0; 1.0; 0.0 ]
            [ 0.0; -1.0; 1.0; 0.0 ]
            [ 0.0; 1.0; 0.0; -1.0 ]
        ]
    G = array2D [ [ 1.0; 0.0; 0.0 ]; [ 0.5; 0.5; 0.5 ]; [ 0.5; -0.5; 0.5 ]; [ 0.0; 0.0; 1.0 ] ]
    Aᵀ = array2D [ [ 1.0; 1.0; 1.0; 0.0 ]; [ 0.0; 1.0; -1.0; -1.0 ] ]
}

/// Points 0, ±1, ±2, ∞.
let private fourByFour = {
    Bᵀ =
        array2D [
            [ 4.0; 0.0; -5.0; 0.0; 1.0; 0.0 ]
            [ 0.0; -4.0; -4.0; 1.0; 1.0; 0.0 ]
            [ 0.0; 4.0; -4.0; -1.0; 1.0; 0.0 ]
            [ 0.0; -2.0; -1.0; 2.0; 1.0; 0.0 ]
            [ 0.0; 2.0; -1.0; -2.0; 1.0; 0.0 ]
            [ 0.0; 4.0; 0.0; -5.0; 0.0; 1.0 ]
        ]
    G =
        array2D [
            [ 1.0 / 4.0; 0.0; 0.0 ]
            [ -1.0 / 6.0; -1.0 / 6.0; -1.0 / 6.0 ]
            [ -1.0 / 6.0; 1.0 / 6.0; -1.0 / 6.0 ]
            [ 1.0 / 24.0; 1.0 / 12.0; 1.0 / 6.0 ]
            [ 1.0 / 24.0; -1.0 / 12.0; 1.0 / 6.0 ]
            [ 0.0; 0.0; 1.0 ]
        ]
    Aᵀ =
        array2D [
            [ 1.0; 1.0; 1.0; 1.0; 1.0; 0.0 ]
            [ 0.0; 1.0; -1.0; 2.0; -2.0; 0.0 ]
            [ 0.0; 1.0; 1.0; 4.0; 4.0; 0.0 ]
            [ 0.0; 1.0; -1.0; 8.0; -8.0; 1.0 ]
        ]
}

/// Tiles of 4×4 with each width of vectors, none included.
let private tiled<'T
    when 'T: unmanaged
    and 'T: (new: unit -> 'T)
    and 'T: struct
    and 'T :> ValueType
    and 'T :> IBinaryFloatingPointIeee754<'T>>
    ()
    : IKernels<'T> list =
    [ 512; 256; 128; 0 ]
    |> List.map (fun bits -> SimdKernels<'T>(bits, WinogradTile.FourByFour) :> IKernels<'T>)
    |> List.distinctBy (fun kernels -> kernels.InstructionSet)

let private doubles, singles = tiled<float>(), tiled<float32>()

/// Pictures that tiles of 4×4 suit, edges cutting some of them short.
let private cases =
    gen {
        let! height = Gen.elements [ 4; 7; 8 ]
        let! width = Gen.elements [ 4; 7; 8; 11 ]
        // The filter adjoint takes tiles where there are many.
        let! samples = Gen.elements [ 1; 1; 2; 7 ]
        let! channels, filters = Gen.elements [ 16, 48; 32, 32; 48, 16; 64, 16 ]
        let! padding = Gen.elements [ Same; Same; Explicit(1, 0, 1, 2); Explicit(0, 2, 2, 1); Valid; Full ]
        let! seed = Generate.seed

        return {
            Samples = samples
            Height = height
            Width = width
            Channels = channels
            Filters = filters
            Kernel = Size.Square 3
            Stride = Size.Square 1
            Dilation = Size.Square 1
            Padding = padding
            Seed = seed
        }
    }

type TiledArbitraries =
    static member Deep() =
        Arb.fromGenShrink (
            Gen.map RefinementLaws.Deep cases,
            fun (RefinementLaws.Deep s) -> Generate.shrinkSliding Generate.isWindow s |> Seq.map RefinementLaws.Deep
        )

/// A law over windows of 3×3, of a tenth of the cases: each is millions of textbook products.
let private testTiled name property =
    testPropertyWithConfig
        {
            configuration with
                arbitrary = [ typeof<TiledArbitraries> ]
                maxTest = max 1 (configuration.maxTest / 10)
        }
        name
        property

/// x, K, ȳ: float32 numbers in either precision.
let private draw (s: Sliding) : Tensor<'T> * Tensor<'T> * Tensor<'T> =
    let reals k shape =
        (Draw.reals (s.Seed + k) shape: Tensor<float32>).ToArray()
        |> Array.map (float >> number<'T>)
        |> Tensor.ofArray shape

    reals 0 (s.Picture.Batch s.Samples), reals 1 s.Weights, reals 2 (s.Geometry.Output.Batch s.Samples)

/// y, x̄ and w̄.
let private passes (kernels: IKernels<'T>) (s: Sliding) (x: Tensor<'T>, w: Tensor<'T>, ȳ: Tensor<'T>) =
    let g = s.Geometry
    let workspace = FreshWorkspace<'T>() :> IWorkspace<'T>
    let y, x̄, w̄ = Array.zeroCreate<'T> ȳ.Size, Array.zeroCreate<'T> x.Size, Array.zeroCreate<'T> w.Size
    let packed packing = workspace.Packed(kernels, g, packing, w)

    kernels.Correlate(
        workspace,
        g,
        x.Span,
        w.Span,
        (packed Packing.Forward).Span,
        ReadOnlySpan.Empty,
        Activation.Identity,
        Span y
    )

    kernels.CorrelateInputAdjoint(workspace, g, ȳ.Span, w.Span, (packed Packing.InputAdjoint).Span, Span x̄)
    kernels.CorrelateFilterAdjoint(workspace, g, x.Span, ȳ.Span, Span w̄)
    [ Tensor.ofArray ȳ.Shape y; Tensor.ofArray x.Shape x̄; Tensor.ofArray w.Shape w̄ ]

let private real' (t: Tensor<'T>) : Tensor<float> = Tensor.ofArray t.Shape (t.ToArray() |> Array.map real)

let private transposed (m: float[,]) = Array2D.init (Array2D.length2 m) (Array2D.length1 m) (fun i j -> m[j, i])

/// How much one dimension of a transform enlarges: κ = max over outputs j of Σ_p |Aᵀ|[j,p]·(Σ_u |G|[p,u])·(Σ_i |Bᵀ|[p,i]);
/// the other way, κ' = max over taps u of Σ_p |G|[p,u]·(Σ_i |Bᵀ|[p,i])·(Σ_j |Aᵀ|[j,p]).
let private growths (t: Transform) =
    let row (m: float[,]) p = Seq.sum (seq { for i in 0 .. Array2D.length2 m - 1 -> abs m[p, i] })

    let most (m: float[,]) (weight: int -> float) =
        let of' j = Seq.sum (seq { for p in 0 .. Array2D.length2 m - 1 -> abs m[j, p] * weight p })
        Seq.max (Seq.init (Array2D.length1 m) of')

    most t.Aᵀ (fun p -> row t.G p * row t.Bᵀ p), most (transposed t.G) (fun p -> row t.Bᵀ p * row (transposed t.Aᵀ) p)

/// |M| V |M|ᵀ, for V of inner×inner vectors of numbers.
let private sandwich (m: float[,]) (v: float[][,]) : float[][,] =
    let outer, inner, width = Array2D.length1 m, Array2D.length2 m, v[0, 0].Length

    let fold (terms: (float * float[]) seq) =
        let sum = Array.zeroCreate width

        for weight, values in terms do
            if weight <> 0.0 then
                for k in 0 .. width - 1 do
                    sum[k] <- sum[k] + weight * values[k]

        sum

    let half =
        Array2D.init outer inner (fun p j -> fold (seq { for i in 0 .. inner - 1 -> abs m[p, i], v[i, j] }))

    Array2D.init outer outer (fun p q -> fold (seq { for j in 0 .. inner - 1 -> abs m[q, j], half[p, j] }))

/// |t| of sample n, size×size cells from row y and column x on, 0 outside; a vector of channels for each.
let private patch size (t: Tensor<float>) n y x =
    let channels = t.Shape[3]

    Array2D.init size size (fun i j ->
        if y + i < 0 || x + j < 0 || y + i >= t.Shape[1] || x + j >= t.Shape[2] then
            Array.zeroCreate channels
        else
            let at = ((n * t.Shape[1] + y + i) * t.Shape[2] + x + j) * channels
            Array.init channels (fun c -> abs t.Span[at + c]))

/// Σ|addends| as the tiles add them up, output by output: |Aᵀ|[Σ_c (|G||K||Gᵀ|) ∘ (|Bᵀ||d||B|)]|A|.
let private tiledMagnitudes (t: Transform) top left (x: Tensor<float>) (k: Tensor<float>) (output: Shape) =
    let parts, m, filters, channels = Array2D.length1 t.Bᵀ, Array2D.length1 t.Aᵀ, output[3], x.Shape[3]
    let sum = Array.zeroCreate<float> output.Size

    let kernel =
        sandwich
            t.G
            (Array2D.init 3 3 (fun u v ->
                let at = (u * 3 + v) * channels * filters
                Array.init (channels * filters) (fun i -> abs k.Span[at + i])))

    for n in 0 .. output[0] - 1 do
        for y in 0..m .. output[1] - 1 do
            for x' in 0..m .. output[2] - 1 do
                let d = sandwich t.Bᵀ (patch parts x n (y - top) (x' - left))

                let products =
                    Array2D.init parts parts (fun p q ->
                        Array.init filters (fun f ->
                            let mutable s = 0.0

                            for c in 0 .. channels - 1 do
                                s <- s + kernel[p, q].[c * filters + f] * d[p, q].[c]

                            s))

                sandwich t.Aᵀ products
                |> Array2D.iteri (fun i j values ->
                    if y + i < output[1] && x' + j < output[2] then
                        values.CopyTo(sum, ((n * output[1] + y + i) * output[2] + x' + j) * filters))

    Tensor.ofArray output sum

/// The other way: |Gᵀ|[Σ_tiles (|Bᵀ||d||B|) ∘ (|A||ȳ||Aᵀ|)]|G|.
let private gatheredMagnitudes (t: Transform) top left (x: Tensor<float>) (ȳ: Tensor<float>) (weights: Shape) =
    let parts, m, filters, channels = Array2D.length1 t.Bᵀ, Array2D.length1 t.Aᵀ, weights[3], weights[2]
    let products = Array2D.init parts parts (fun _ _ -> Array.zeroCreate<float>(channels * filters))

    for n in 0 .. ȳ.Shape[0] - 1 do
        for y in 0..m .. ȳ.Shape[1] - 1 do
            for x' in 0..m .. ȳ.Shape[2] - 1 do
                let d = sandwich t.Bᵀ (patch parts x n (y - top) (x' - left))
                let slopes = sandwich (transposed t.Aᵀ) (patch m ȳ n y x')

                products
                |> Array2D.iteri (fun p q sum ->
                    for c in 0 .. channels - 1 do
                        for f in 0 .. filters - 1 do
                            sum[c * filters + f] <- sum[c * filters + f] + d[p, q].[c] * slopes[p, q].[f])

    let taps = sandwich (transposed t.G) products

    Tensor.ofArray
        weights
        (Array.concat [
            for u in 0..2 do
                for v in 0..2 -> taps[u, v]
        ])

/// Roundings beside those of the sum over channels or tiles: a number passes three transforms of two dimensions, with five
/// roundings each at most, those of the constants included.
let private rounds = 32

/// |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K|: M, the magnitudes, as the tiles add up n channels, filters or tiles; beside it the
/// textbook sum's own error, and as much again where a shape is not tiled. Higham 2002, lemma 3.1 and eq. 3.5.
let private bounded transform fast64 fast32 (s: Sliding) =
    let g = s.Geometry

    let check (fast: IKernels<'T> list) =
        let (x: Tensor<'T>), w, ȳ = draw s
        let point = x, w, ȳ
        let expected = passes (ReferenceKernels<'T>()) s point
        let x, w, ȳ = Tensor.map abs (real' x), Tensor.map abs (real' w), Tensor.map abs (real' ȳ)

        let turned =
            Tensor.init (Shape.Of(3, 3, s.Filters, s.Channels)) (fun i ->
                let tap, f, c = i / (s.Filters * s.Channels), i / s.Channels % s.Filters, i % s.Channels
                w.Span[((8 - tap) * s.Channels + c) * s.Filters + f])

        let tiled = [
            tiledMagnitudes transform g.PadTop g.PadLeft x w ȳ.Shape
            tiledMagnitudes transform (2 - g.PadTop) (2 - g.PadLeft) ȳ turned x.Shape
            gatheredMagnitudes transform g.PadTop g.PadLeft x ȳ w.Shape
        ]

        let m = Array2D.length1 transform.Aᵀ
        let tiles extent = (extent + m - 1) / m
        let terms = [ s.Channels; s.Filters; s.Samples * tiles g.OutHeight * tiles g.OutWidth ]
        let most = [ 9 * s.Channels; 9 * s.Filters; s.Samples * g.OutHeight * g.OutWidth ]
        let plain = passes (ReferenceKernels<float>()) s (x, w, ȳ)

        let bounds =
            List.map2 (fun n (m: Tensor<float>) i -> Rounding.gamma<'T>(n + rounds) * m.Span[i]) terms tiled
            |> List.map3
                (fun n (m: Tensor<float>) first i -> first i + 2.0 * Rounding.gamma<'T> n * m.Span[i])
                most
                plain

        all [
            for kernels in fast do
                List.map3
                    (fun bound e a -> within bound e a |> Prop.label kernels.InstructionSet)
                    bounds
                    expected
                    (passes kernels s point)
                |> all
        ]

    all [ check fast64; check fast32 ]

let tests =
    testList "Winograd" [
        // The constants of the library's bounds, from the matrices of both tiles.
        testCase "κ of F(2×2, 3×3) is 8, of F(4×4, 3×3) it is 48" (fun () ->
            for (κ, κ'), tile in [ growths twoByTwo, Rounding.tile2; growths fourByFour, Rounding.tile4 ] do
                Assert.That(tile.Growth, closeTo (κ) 1e-12)
                Assert.That(tile.FilterGrowth, closeTo (κ') 1e-12)

            Assert.That((Rounding.tile2.Growth, Rounding.tile4.Growth), equalTo (8.0, 48.0)))

        // Both precisions, every width.
        testTiled "tiles of 2×2: |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K| in all three passes" (fun (RefinementLaws.Deep s) ->
            bounded twoByTwo AllKernels.fast AllKernels.fast32 s)

        // Both precisions, every width.
        testTiled "tiles of 4×4: |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K| in all three passes" (fun (RefinementLaws.Deep s) ->
            bounded fourByFour doubles singles s)

        // The filter adjoint takes tiles where there are 24 of them or more; elsewhere, it is the same for tiles or none.
        testTiled "many tiles: |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K| in all three passes" (fun (RefinementLaws.Deep s) ->
            let many = {
                s with
                    Samples = 7
                    Height = 8
                    Width = 7 + s.Seed % 2
                    Padding = Same
                    Channels = 16
                    Filters = 48
            }

            bounded fourByFour doubles singles many)

        // What the documentation promises of float: 1e−4 of the results' root mean square.
        testTiled "tiles of 4×4 in float32: |a − b| ≤ 1e−4·rms in all three passes" (fun (RefinementLaws.Deep s) ->
            let (x: Tensor<float32>), w, ȳ = draw s
            let expected = passes (ReferenceKernels<float>()) s (real' x, real' w, real' ȳ)

            let bounds =
                expected |> List.map (fun t -> 1e-4 * sqrt (Array.averageBy (fun v -> v * v) (t.ToArray())))

            all [
                for kernels in singles do
                    List.map3
                        (fun bound e a -> within (fun _ -> bound) e (real' a) |> Prop.label kernels.InstructionSet)
                        bounds
                        expected
                        (passes kernels s (x, w, ȳ))
                    |> all
            ])

        // The passes are adjoint to each other, whatever computes them. In double, up to rounding.
        testTiled "tiles of 4×4: ⟨ȳ, x ⋆ w⟩ = ⟨x̄, x⟩ = ⟨w̄, w⟩" (fun (RefinementLaws.Deep s) ->
            let (x: Tensor<float>), w, ȳ = draw s

            let dot (a: Tensor<float>) (b: Tensor<float>) = Array.map2 (*) (a.ToArray()) (b.ToArray()) |> Array.sum

            all [
                for kernels in doubles do
                    match passes kernels s (x, w, ȳ) with
                    | [ y; x̄; w̄ ] ->
                        let forward = dot ȳ y
                        let bound = 1e-9 * float ȳ.Size

                        for backward in [ dot x̄ x; dot w̄ w ] do
                            (abs (forward - backward) <= bound) |> Prop.label $"{forward} against {backward}"
                    | _ -> same 3 0
            ])

        // Tiles are asked for, never chosen: the default differs from none by F(2×2, 3×3) only.
        testCase "tiles of 4×4 come on request only" (fun () ->
            let g =
                Geometry.Correlation(
                    "law",
                    Shape.Of(16, 16, 32),
                    32,
                    Size.Square 3,
                    Size.Square 1,
                    Size.Square 1,
                    Same
                )

            let positions winograd = SimdKernels<float32>(512, winograd).PackedLength(g, Packing.Forward) / (32 * 32)

            Assert.That(SimdKernels<float32>().PackedLength(g, Packing.Forward) / (32 * 32), equalTo 16)
            Assert.That(positions WinogradTile.None, equalTo 9)
            Assert.That(positions WinogradTile.TwoByTwo, equalTo 16)
            Assert.That(positions WinogradTile.FourByFour, equalTo 36)
            let backend = Simd.Backend<float32>(Nullable 1, WinogradTile.FourByFour)
            Assert.That(backend.Kernels.PackedLength(g, Packing.Forward) / (32 * 32), equalTo 36)

            Assert.Throws<ArgumentOutOfRangeException>(fun () -> SimdKernels<float>(512, enum 9) |> ignore)
            |> ignore)

        // A sample's result does not depend on the samples beside it, to the last bit: tiles may belong to several pictures.
        testTiled "tiles of 4×4 over a batch = over its samples, bit for bit" (fun (RefinementLaws.Deep s) ->
            let (x: Tensor<float32>), w, ȳ = draw s

            all [
                for kernels in singles do
                    let whole = passes kernels s (x, w, ȳ)

                    for n in 0 .. s.Samples - 1 do
                        let one = passes kernels { s with Samples = 1 } (x.Slice(n, 1), w, ȳ.Slice(n, 1))
                        exactly [ whole[0].Slice(n, 1); whole[1].Slice(n, 1) ] [ one[0]; one[1] ]
            ])
    ]
