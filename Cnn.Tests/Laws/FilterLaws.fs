/// Fixed filters (SPEC section 9; Fan & Yam 11.2.3).
module Cnn.Tests.Laws.FilterLaws

open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

let private sum (f: Filter) = Array.sum (f.Weights.ToArray())

let private smoothing = [
    Filter.Identity
    Filter.Box()
    Filter.Box 5
    Filter.Gaussian()
    Filter.Gaussian 5
    Filter.Gaussian 7
    Filter.GaussianOf 1.0
    Filter.GaussianOf(2.0, 5)
]

let private edges = [
    Filter.FirstOrder
    Filter.PrewittHorizontal
    Filter.PrewittVertical
    Filter.SobelHorizontal
    Filter.SobelVertical
    Filter.Laplacian4
    Filter.Laplacian8
]

let private sharpening = [ Filter.Laplacian5; Filter.Laplacian9 ]

let private rows (f: Filter) = [ for i in 0 .. f.Size - 1 -> [ for j in 0 .. f.Size - 1 -> f[i, j] ] ]

[<Test>]
let ``smoothing and sharpening filters sum to 1, edge filters to 0`` () =
    for f in smoothing @ sharpening do
        Assert.That(sum f, Is.EqualTo(1.0).Within 1e-14, f.Name)

    for f in edges do
        Assert.That(sum f, equalTo 0.0, f.Name)

/// SPEC section 9, weight by weight.
[<Test>]
let ``the filters of the source`` () =
    Assert.That(rows Filter.Identity, equalTo [ [ 0.0; 0.0; 0.0 ]; [ 0.0; 1.0; 0.0 ]; [ 0.0; 0.0; 0.0 ] ])
    Assert.That(rows Filter.FirstOrder, equalTo [ [ 1.0; 0.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ -1.0; 0.0; 1.0 ] ])
    Assert.That(rows Filter.PrewittHorizontal, equalTo [ [ -1.0; -1.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ 1.0; 1.0; 1.0 ] ])
    Assert.That(rows Filter.SobelHorizontal, equalTo [ [ -1.0; -2.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ 1.0; 2.0; 1.0 ] ])
    Assert.That(rows Filter.PrewittVertical, equalTo (List.transpose (rows Filter.PrewittHorizontal)))
    Assert.That(rows Filter.SobelVertical, equalTo (List.transpose (rows Filter.SobelHorizontal)))
    Assert.That(rows Filter.Laplacian4, equalTo [ [ 0.0; -1.0; 0.0 ]; [ -1.0; 4.0; -1.0 ]; [ 0.0; -1.0; 0.0 ] ])
    Assert.That(rows Filter.Laplacian8, equalTo [ [ -1.0; -1.0; -1.0 ]; [ -1.0; 8.0; -1.0 ]; [ -1.0; -1.0; -1.0 ] ])
    let plusIdentity f = List.map2 (List.map2 (+)) (rows Filter.Identity) (rows f)
    Assert.That(rows Filter.Laplacian5, equalTo (plusIdentity Filter.Laplacian4))
    Assert.That(rows Filter.Laplacian9, equalTo (plusIdentity Filter.Laplacian8))

    Assert.That(
        rows (Filter.Gaussian()),
        equalTo [ for a in [ 1.0; 2.0; 1.0 ] -> [ for b in [ 1.0; 2.0; 1.0 ] -> a * b / 16.0 ] ]
    )

    Assert.That(
        rows (Filter.Gaussian 5),
        equalTo [
            for a in [ 1.0; 4.0; 6.0; 4.0; 1.0 ] -> [ for b in [ 1.0; 4.0; 6.0; 4.0; 1.0 ] -> a * b / 256.0 ]
        ]
    )

/// Fan & Yam's numbers for σ = 1.
[<Test>]
let ``the Gaussian of σ = 1 is .07511, .12384, .20418`` () =
    let f = Filter.GaussianOf 1.0

    for expected, actual in [ 0.07511, f[0, 0]; 0.12384, f[0, 1]; 0.20418, f[1, 1] ] do
        Assert.That(actual, Is.EqualTo(expected).Within 5e-6)

/// Rank 1: every 2×2 minor vanishes.
[<Test>]
let ``Gaussian, Prewitt and Sobel are products of two vectors`` () =
    for f in
        [
            Filter.Gaussian()
            Filter.Gaussian 5
            Filter.GaussianOf 1.5
            Filter.PrewittHorizontal
            Filter.PrewittVertical
            Filter.SobelHorizontal
            Filter.SobelVertical
        ] do
        for i in 1 .. f.Size - 1 do
            for j in 1 .. f.Size - 1 do
                let minor = f[i, j] * f[i - 1, j - 1] - f[i, j - 1] * f[i - 1, j]
                Assert.That(minor, Is.EqualTo(0.0).Within 1e-16, f.Name)

/// Each channel by itself, true convolution, zero padding of (f−1) ∕ 2.
[<Law>]
let ``Convolve = the valid part of F * I framed by zeros, channel by channel`` (s: Sliding) =
    let (Integers(_, x, _, _)) = s
    let picture = x.Slice(0, 1).Reshape s.Picture

    all [
        for f in Filter.All do
            let y = f.Convolve picture
            let kernel = Array2D.init f.Size f.Size (fun i j -> f[i, j])

            for c in 0 .. s.Channels - 1 do
                let expected =
                    Definitions.convolve kernel (Definitions.plane x 0 c)
                    |> Definitions.crop (f.Size / 2) (f.Size / 2) s.Height s.Width

                near
                    1e-13
                    (Definitions.tensor expected)
                    (Definitions.tensor (Definitions.plane (y.Reshape((y.Shape).Batch 1)) 0 c))
    ]

/// Results are clipped to 0 … 255.
[<Law>]
let ``Apply = Convolve, clipped to 0 … 255`` (s: Sliding) =
    let (Integers(_, x, _, _)) = s
    let picture = x.Slice(0, 1).Reshape s.Picture |> Tensor.scale 30.0

    all [
        for f in Filter.All ->
            exact (Tensor.map (fun v -> max 0.0 (min 255.0 v)) (f.Convolve picture)) (f.Apply picture)
    ]

/// Independent noise of variance 1 leaves a filter with variance Σ F²; 250,000 pixels from a fixed key, inside the frame.
[<Test>]
let ``box and Gaussian reduce the variance of noise by Σ F²`` () =
    let key = Key.ofSeed 21
    let size = 500
    let noise = Tensor.init (Shape.Of(size, size, 1)) (fun i -> key.Normal(int64 i))

    for f in [ Filter.Box(); Filter.Gaussian(); Filter.Gaussian 5 ] do
        let y = f.Convolve noise

        let inside = [|
            for i in 4 .. size - 5 do
                for j in 4 .. size - 5 -> y[i, j, 0]
        |]

        let expected = f.Weights.ToArray() |> Array.sumBy (fun w -> w * w)
        let n = float inside.Length
        // Neighbours share cells: at most f² samples count as one.
        let error = expected * sqrt (2.0 * float (f.Size * f.Size) / n)
        Assert.That(inside |> Array.averageBy (fun v -> v * v), Is.EqualTo(expected).Within(6.0 * error), f.Name)
