/// Fixed filters (SPEC section 9; Fan & Yam 11.2.3).
module Cnn.Tests.Laws.FilterLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

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

let tests =
    testList "filters" [
        testCase "smoothing and sharpening filters sum to 1, edge filters to 0" (fun () ->
            for f in smoothing @ sharpening do
                Assert.That(sum f, closeTo (1.0) 1e-14, f.Name)

            for f in edges do
                Assert.That(sum f, equalTo 0.0, f.Name))

        // SPEC section 9, weight by weight.
        testCase "the filters of the source" (fun () ->
            Assert.That(rows Filter.Identity, equalTo [ [ 0.0; 0.0; 0.0 ]; [ 0.0; 1.0; 0.0 ]; [ 0.0; 0.0; 0.0 ] ])
            Assert.That(rows Filter.FirstOrder, equalTo [ [ 1.0; 0.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ -1.0; 0.0; 1.0 ] ])

            Assert.That(
                rows Filter.PrewittHorizontal,
                equalTo [ [ -1.0; -1.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ 1.0; 1.0; 1.0 ] ]
            )

            Assert.That(
                rows Filter.SobelHorizontal,
                equalTo [ [ -1.0; -2.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ 1.0; 2.0; 1.0 ] ]
            )

            Assert.That(rows Filter.PrewittVertical, equalTo (List.transpose (rows Filter.PrewittHorizontal)))
            Assert.That(rows Filter.SobelVertical, equalTo (List.transpose (rows Filter.SobelHorizontal)))

            Assert.That(
                rows Filter.Laplacian4,
                equalTo [ [ 0.0; -1.0; 0.0 ]; [ -1.0; 4.0; -1.0 ]; [ 0.0; -1.0; 0.0 ] ]
            )

            Assert.That(
                rows Filter.Laplacian8,
                equalTo [ [ -1.0; -1.0; -1.0 ]; [ -1.0; 8.0; -1.0 ]; [ -1.0; -1.0; -1.0 ] ]
            )

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
            ))

        // Fan & Yam's numbers for σ = 1.
        testCase "the Gaussian of σ = 1 is .07511, .12384, .20418" (fun () ->
            let f = Filter.GaussianOf 1.0

            for expected, actual in [ 0.07511, f[0, 0]; 0.12384, f[0, 1]; 0.20418, f[1, 1] ] do
                Assert.That(actual, closeTo (expected) 5e-6))

        // Rank 1: every 2×2 minor vanishes.
        testCase "Gaussian, Prewitt and Sobel are products of two vectors" (fun () ->
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
                        Assert.That(minor, closeTo (0.0) 1e-16, f.Name))

        // Each channel by itself, true convolution, zero padding of (f−1) ∕ 2.
        testProperty "Convolve = the valid part of F * I framed by zeros, channel by channel" (fun (s: Sliding) ->
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
            ])

        // Results are clipped to 0 … 255.
        testProperty "Apply = Convolve, clipped to 0 … 255" (fun (s: Sliding) ->
            let (Integers(_, x, _, _)) = s
            let picture = x.Slice(0, 1).Reshape s.Picture |> Tensor.scale 30.0

            all [
                for f in Filter.All ->
                    exact (Tensor.map (fun v -> max 0.0 (min 255.0 v)) (f.Convolve picture)) (f.Apply picture)
            ])

        // Independent noise of variance 1 leaves a filter with variance Σ F²; 250,000 pixels from a fixed key, inside the frame.
        testCase "box and Gaussian reduce the variance of noise by Σ F²" (fun () ->
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
                Assert.That(inside |> Array.averageBy (fun v -> v * v), closeTo (expected) (6.0 * error), f.Name))

        // Σ_i C(m,i)² = C(2m,m), for rows and columns.
        testCase "Σ F² is 1 ∕ f² for the box and (C(2m,m) ∕ 4ᵐ)² for the Gaussian of f = m + 1" (fun () ->
            let rec choose n k = if k = 0 then 1.0 else choose (n - 1) (k - 1) * float n / float k

            for f in [ 1; 3; 5; 7; 9 ] do
                let m = f - 1
                Assert.That((Filter.Box f).NoiseGain, closeTo (1.0 / float (f * f)) 1e-15)
                Assert.That((Filter.Gaussian f).NoiseGain, closeTo ((choose (2 * m) m / 4.0 ** float m) ** 2.0) 1e-15))

        testCase "smoothing filters smooth, edge and sharpening filters do not" (fun () ->
            for f in smoothing do
                Assert.That(f.IsSmoothing, isTrue, string f)

            for f in edges @ sharpening do
                Assert.That(f.IsSmoothing, isFalse, string f))

        // Within six standard deviations: at most f² neighbours count as one sample.
        testProperty "measured noise gain = Σ F², and exactly 1 for the identity" (fun (seed: int) ->
            let side = 64

            all [
                same 1.0 (Filter.Identity.MeasureNoiseGain(Key.ofSeed seed, side))
                for f in [ Filter.Box(); Filter.Gaussian(); Filter.Box 5; Filter.SobelVertical; Filter.Laplacian9 ] do
                    let error = f.NoiseGain * sqrt (2.0 * float (f.Size * f.Size)) / float side
                    same true (abs (f.MeasureNoiseGain(Key.ofSeed seed, side) - f.NoiseGain) <= 6.0 * error)
            ])

        testCase "noise is not measured on no pixels" (fun () ->
            Assert.Throws<ArgumentOutOfRangeException>(fun () ->
                Filter.Identity.MeasureNoiseGain(Key.ofSeed 0, 0) |> ignore)
            |> ignore)

        // Colour by colour, whatever stands beside it.
        testProperty "Apply of a picture = Apply of each colour's numbers, rounded; alpha stays" (fun (p: Planes) ->
            let height, width = p.ImageSize.Height, p.ImageSize.Width

            all [
                for channels in 1..4 do
                    let bytes = Array.zeroCreate<byte>(height * width * channels)
                    Random(p.Seed).NextBytes bytes
                    let image = Cnn.Image.Of(height, width, channels, ReadOnlySpan bytes)

                    for f in [ Filter.Identity; Filter.Gaussian 5; Filter.SobelVertical; Filter.Laplacian9 ] do
                        let filtered: Cnn.Image = f.Apply image
                        same image.Shape filtered.Shape

                        for c in 0 .. channels - 1 do
                            let plane (image: Cnn.Image) =
                                Tensor.init (Shape.Of(height, width, 1)) (fun i ->
                                    float image.Pixels.Span[i * channels + c])

                            if channels % 2 = 0 && c = channels - 1 then
                                exact (plane image) (plane filtered)
                            else
                                let expected: Tensor<float> = f.Apply(plane image)
                                exact (expected |> Tensor.map (fun v -> floor (v + 0.5))) (plane filtered)
            ])
    ]
