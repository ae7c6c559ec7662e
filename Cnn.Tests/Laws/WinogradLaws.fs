/// F(4×4, 3×3), on request only: equal to the reference within a bound of its own (Lavin and Gray 2016, section 4.3).
module Cnn.Tests.Laws.WinogradLaws

open System
open System.Numerics
open NUnit.Framework
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness

/// Points 0, ±1, ±2, ∞, written as the matrices stand in the source.
let private Bᵀ =
    array2D [
        [ 4.0; 0.0; -5.0; 0.0; 1.0; 0.0 ]
        [ 0.0; -4.0; -4.0; 1.0; 1.0; 0.0 ]
        [ 0.0; 4.0; -4.0; -1.0; 1.0; 0.0 ]
        [ 0.0; -2.0; -1.0; 2.0; 1.0; 0.0 ]
        [ 0.0; 2.0; -1.0; -2.0; 1.0; 0.0 ]
        [ 0.0; 4.0; 0.0; -5.0; 0.0; 1.0 ]
    ]

let private G =
    array2D [
        [ 1.0 / 4.0; 0.0; 0.0 ]
        [ -1.0 / 6.0; -1.0 / 6.0; -1.0 / 6.0 ]
        [ -1.0 / 6.0; 1.0 / 6.0; -1.0 / 6.0 ]
        [ 1.0 / 24.0; 1.0 / 12.0; 1.0 / 6.0 ]
        [ 1.0 / 24.0; -1.0 / 12.0; 1.0 / 6.0 ]
        [ 0.0; 0.0; 1.0 ]
    ]

let private Aᵀ =
    array2D [
        [ 1.0; 1.0; 1.0; 1.0; 1.0; 0.0 ]
        [ 0.0; 1.0; -1.0; 2.0; -2.0; 0.0 ]
        [ 0.0; 1.0; 1.0; 4.0; 4.0; 0.0 ]
        [ 0.0; 1.0; -1.0; 8.0; -8.0; 1.0 ]
    ]

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
[<AttributeUsage(AttributeTargets.Method)>]
type TiledLawAttribute() as this =
    inherit LawAttribute()

    do
        this.Arbitrary <- [| typeof<TiledArbitraries> |]
        this.MaxTest <- max 1 (this.MaxTest / 10)

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

/// Sums of magnitudes along the rows of a matrix.
let private rows (m: float[,]) = [|
    for p in 0 .. Array2D.length1 m - 1 -> Seq.sum (seq { for i in 0 .. Array2D.length2 m - 1 -> abs m[p, i] })
|]

let private transposed (m: float[,]) = Array2D.init (Array2D.length2 m) (Array2D.length1 m) (fun i j -> m[j, i])

/// A weight, scaled so that Σ over positions of the magnitudes that meet in one result is κ²·max|x|·max|K| for each channel:
/// κ = max over outputs j of Σ_p |Aᵀ|[j,p]·(Σ_u |G|[p,u])·(Σ_i |Bᵀ|[p,i]).
/// The other way: κ' = max over taps u of Σ_p |G|[p,u]·(Σ_i |Bᵀ|[p,i])·(Σ_j |Aᵀ|[j,p]), for each tile.
let private growths (Bᵀ: float[,]) (G: float[,]) (Aᵀ: float[,]) =
    let most (m: float[,]) (weight: int -> float) =
        Seq.max (
            seq {
                for j in 0 .. Array2D.length1 m - 1 ->
                    Seq.sum (seq { for p in 0 .. Array2D.length2 m - 1 -> abs m[j, p] * weight p })
            }
        )

    let b, g, a = rows Bᵀ, rows G, rows (transposed Aᵀ)
    most Aᵀ (fun p -> g[p] * b[p]), most (transposed G) (fun p -> b[p] * a[p])

/// The constants of the library's bounds, from the matrices of both tiles.
[<Test>]
let ``κ of F(2×2, 3×3) is 8, κ of F(4×4, 3×3) is 48`` () =
    let two =
        growths
            (array2D [
                [ 1.0; 0.0; -1.0; 0.0 ]
                [ 0.0; 1.0; 1.0; 0.0 ]
                [ 0.0; -1.0; 1.0; 0.0 ]
                [ 0.0; 1.0; 0.0; -1.0 ]
            ])
            (array2D [ [ 1.0; 0.0; 0.0 ]; [ 0.5; 0.5; 0.5 ]; [ 0.5; -0.5; 0.5 ]; [ 0.0; 0.0; 1.0 ] ])
            (array2D [ [ 1.0; 1.0; 1.0; 0.0 ]; [ 0.0; 1.0; -1.0; -1.0 ] ])

    for (κ, κ'), tile in [ two, Rounding.tile2; growths Bᵀ G Aᵀ, Rounding.tile4 ] do
        Assert.That(tile.Growth, Is.EqualTo(κ).Within 1e-12)
        Assert.That(tile.FilterGrowth, Is.EqualTo(κ').Within 1e-12)

/// A chain of n products and some thirty roundings of the three transforms: γ_{n+32}·κ²·n for numbers up to 1, beside the
/// reference's own γ. Higham 2002, lemma 3.1 and eq. 3.5, applied to |A|ᵀ(|G||g||G|ᵀ ∘ |B|ᵀ|d||B|)|A|; as in Barabasz et
/// al. 2020. Both precisions, every width.
[<TiledLaw>]
let ``tiles of 4×4: |a − b| ≤ 2γₙ₊₃₂·κ²·n in all three passes`` (RefinementLaws.Deep s) =
    let check (fast: IKernels<'T> list) =
        let point = draw s
        let expected = passes (ReferenceKernels<'T>()) s point

        let tiles extent = (extent + 3) / 4
        let pixels = s.Samples * tiles s.Geometry.OutHeight * tiles s.Geometry.OutWidth

        let bounds = [
            Rounding.tiled<'T> Rounding.tile4 s.Channels
            Rounding.tiled<'T> Rounding.tile4 s.Filters
            Rounding.tiledFilter<'T> Rounding.tile4 pixels
        ]

        all [
            for kernels in fast do
                List.map3
                    (fun bound e a -> within (fun _ -> bound) e a |> Prop.label kernels.InstructionSet)
                    bounds
                    expected
                    (passes kernels s point)
                |> all
        ]

    all [ check doubles; check singles ]

/// What the documentation promises of float: 1e−4 of the results' root mean square.
[<TiledLaw>]
let ``tiles of 4×4 in float32: |a − b| ≤ 1e−4·rms in all three passes`` (RefinementLaws.Deep s) =
    let (x: Tensor<float32>), w, ȳ = draw s
    let expected = passes (ReferenceKernels<float>()) s (real' x, real' w, real' ȳ)

    let rms (t: Tensor<float>) = sqrt (Array.averageBy (fun v -> v * v) (t.ToArray()))

    all [
        for kernels in singles do
            List.map2
                (fun e a -> within (fun _ -> 1e-4 * rms e) e (real' a) |> Prop.label kernels.InstructionSet)
                expected
                (passes kernels s (x, w, ȳ))
            |> all
    ]

/// The passes are adjoint to each other, whatever computes them. In double, up to rounding.
[<TiledLaw>]
let ``tiles of 4×4: ⟨ȳ, x ⋆ w⟩ = ⟨x̄, x⟩ = ⟨w̄, w⟩`` (RefinementLaws.Deep s) =
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
    ]

/// Tiles are asked for, never chosen: the default differs from none by F(2×2, 3×3) only.
[<Test>]
let ``tiles of 4×4 come on request only`` () =
    let g =
        Geometry.Correlation("law", Shape.Of(16, 16, 32), 32, Size.Square 3, Size.Square 1, Size.Square 1, Same)

    let positions winograd = SimdKernels<float32>(512, winograd).PackedLength(g, Packing.Forward) / (32 * 32)

    Assert.That(SimdKernels<float32>().PackedLength(g, Packing.Forward) / (32 * 32), Is.EqualTo 16)
    Assert.That(positions WinogradTile.None, Is.EqualTo 9)
    Assert.That(positions WinogradTile.TwoByTwo, Is.EqualTo 16)
    Assert.That(positions WinogradTile.FourByFour, Is.EqualTo 36)
    let backend = Simd.Backend<float32>(Nullable 1, WinogradTile.FourByFour)
    Assert.That(backend.Kernels.PackedLength(g, Packing.Forward) / (32 * 32), Is.EqualTo 36)

    Assert.Throws<ArgumentOutOfRangeException>(fun () -> SimdKernels<float>(512, enum 9) |> ignore)
    |> ignore

/// A sample's result does not depend on the samples beside it, to the last bit: tiles may belong to several pictures.
[<TiledLaw>]
let ``tiles of 4×4 over a batch = over its samples, bit for bit`` (RefinementLaws.Deep s) =
    let (x: Tensor<float32>), w, ȳ = draw s

    all [
        for kernels in singles do
            let whole = passes kernels s (x, w, ȳ)

            for n in 0 .. s.Samples - 1 do
                let one = passes kernels { s with Samples = 1 } (x.Slice(n, 1), w, ȳ.Slice(n, 1))
                exactly [ whole[0].Slice(n, 1); whole[1].Slice(n, 1) ] [ one[0]; one[1] ]
    ]
