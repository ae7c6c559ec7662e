/// Pooling and flattening (SPEC section 5).
module Cnn.Tests.Laws.PoolingLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private run spec (x: Tensor<float>) = Layer.run (Context.reference Inference) (Layers.ofSpec spec) [] [] x

let private pullback spec x ȳ = snd ((run spec x).Pullback ȳ)

/// Cells (row, column) of window (i, j) that lie in the picture.
let private cells (s: Sliding) i j = [
    let (top, _), (left, _) = s.Pads

    for u in 0 .. s.Kernel.Height - 1 do
        for v in 0 .. s.Kernel.Width - 1 do
            let y, x = i * s.Stride.Height + u - top, j * s.Stride.Width + v - left

            if y >= 0 && y < s.Height && x >= 0 && x < s.Width then
                y, x
]

let private positions (s: Sliding) = [
    let g = s.Pooling

    for n in 0 .. s.Samples - 1 do
        for i in 0 .. g.OutHeight - 1 do
            for j in 0 .. g.OutWidth - 1 do
                for c in 0 .. s.Channels - 1 do
                    n, i, j, c
]

let private integers (s: Sliding) : Tensor<float> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
let private cotangent (s: Sliding) : Tensor<float> = Draw.integers (s.Seed + 1) (s.Pooling.Output.Batch s.Samples)

let tests =
    testList "pooling" [
        // Fossheim 2022, II; Wichmann 2018, 5.5. Padded cells never win: windows of negative values stay negative.
        testProperty "A[i,j] = the maximum over the picture cells of the window" (fun (Pooled s) ->
            let x = Tensor.map (fun v -> v - 10.0) (integers s)
            let y = (run (MaxPool s.Pool) x).Output

            positions s
            |> List.map (fun (n, i, j, c) -> cells s i j |> List.map (fun (y, x') -> x[n, y, x', c]) |> List.max)
            |> fun maxima -> same maxima (List.ofArray (y.ToArray())))

        // Wichmann 2018, 5.8; Vu 2018, eq. 34. Padded cells never count.
        testProperty "A[i,j] = the mean over the picture cells of the window" (fun (Pooled s) ->
            let x = integers s
            let y = (run (AveragePool s.Pool) x).Output

            positions s
            |> List.map (fun (n, i, j, c) -> cells s i j |> List.averageBy (fun (y, x') -> x[n, y, x', c]))
            |> fun means -> near 1e-14 (Tensor.ofArray y.Shape (Array.ofList means)) y)

        // SPEC section 5, choice: δ goes to the first maximum in row-major order; where windows overlap it adds up.
        // Few distinct integers, so that ties abound. Fossheim 2022, fig. 4; Wichmann 2018, 5.5; Fan & Yam 11.5.2(4a).
        testProperty "δ goes to the first maximum of each window, and overlaps add up" (fun (Pooled s) ->
            let x = integers s |> Tensor.map (fun v -> round (v / 6.0))
            let ȳ = cotangent s
            let expected = Array.zeroCreate<float> x.Size

            for n, i, j, c in positions s do
                let y, x' = cells s i j |> List.maxBy (fun (y, x') -> x[n, y, x', c])
                let k = ((n * s.Height + y) * s.Width + x') * s.Channels + c
                expected[k] <- expected[k] + ȳ[n, i, j, c]

            exact (Tensor.ofArray x.Shape expected) (pullback (MaxPool s.Pool) x ȳ))

        // Wichmann 2018, 5.8; Vu 2018, eq. 39: δ divided by the number of picture cells, to each of them; overlaps add up.
        testProperty "each picture cell gets δ ∕ cells from each of its windows" (fun (Pooled s) ->
            let ȳ = cotangent s
            let expected = Array.zeroCreate<float>(s.Picture.Size * s.Samples)

            for n, i, j, c in positions s do
                let cells = cells s i j

                for y, x' in cells do
                    let k = ((n * s.Height + y) * s.Width + x') * s.Channels + c
                    expected[k] <- expected[k] + ȳ[n, i, j, c] / float cells.Length

            near
                1e-13
                (Tensor.ofArray (s.Picture.Batch s.Samples) expected)
                (pullback (AveragePool s.Pool) (integers s) ȳ))

        // Wang 2025: for s = ω, δ_A = δ_Z ⊗ M with M filled with 1 ∕ ω². Exact: windows of 1, 2, 4 or 8 cells.
        testProperty "δ_A = δ_Z ⊗ M for windows that move by their own size" (fun (r: Rows) ->
            let window = { Height = 1 <<< r.Seed % 3; Width = 1 <<< r.Seed / 3 % 2 }
            let pool = { Window = window; Stride = window; Padding = Valid }
            let δ: Tensor<float> = Draw.integers r.Seed (Shape.Of(r.Count, r.Features))
            let image = Shape.Of(1, r.Count * window.Height, r.Features * window.Width, 1)
            let m = Array2D.create window.Height window.Width (1.0 / float (window.Height * window.Width))

            exact
                (Definitions.kronecker (Definitions.ofTensor δ) m |> Definitions.tensor)
                ((pullback (AveragePool pool) (Tensor.zeros image) (δ.Reshape(Shape.Of(1, r.Count, r.Features, 1))))
                    .Reshape(Shape.Of(image[1], image[2]))))

        // Both pullbacks hand on all that they get: Σ x̄ = Σ ȳ.
        testProperty "Σ x̄ = Σ ȳ" (fun (Pooled s) ->
            let ȳ = cotangent s
            let x = integers s
            let sum (t: Tensor<float>) = Array.sum (t.ToArray())

            all [
                same (sum ȳ) (sum (pullback (MaxPool s.Pool) x ȳ))
                near
                    1e-12
                    (Tensor.ofArray (Shape.Of 1) [| sum ȳ |])
                    (Tensor.ofArray (Shape.Of 1) [| sum (pullback (AveragePool s.Pool) x ȳ) |])
            ])

        // Fan & Yam 11.3.2: a window as large as the picture, forward and backward.
        testProperty "global pooling = pooling with ω = n" (fun (Pooled s) ->
            let x = integers s

            let whole: Pool = {
                Window = { Height = s.Height; Width = s.Width }
                Stride = Size.Square 1
                Padding = Valid
            }

            let vector = (Shape.Of s.Channels).Batch s.Samples
            let ȳ: Tensor<float> = Draw.integers (s.Seed + 1) vector
            let picture = (Shape.Of(1, 1, s.Channels)).Batch s.Samples

            all [
                for all', one in [ GlobalMaxPool, MaxPool whole; GlobalAveragePool, AveragePool whole ] do
                    exact ((run one x).Output.Reshape vector) (run all' x).Output
                    exact (pullback one x (ȳ.Reshape picture)) (pullback all' x ȳ)
            ])

        // SPEC section 5: the mean over H×W per channel; backward repeats δ ∕ (H·W).
        testProperty "global average pooling repeats δ ∕ HW" (fun (Pooled s) ->
            let ȳ: Tensor<float> = Draw.integers (s.Seed + 1) ((Shape.Of s.Channels).Batch s.Samples)
            let share k = ȳ.Span[k / s.Picture.Size * s.Channels + k % s.Channels] / float (s.Height * s.Width)
            exact (Tensor.init (s.Picture.Batch s.Samples) share) (pullback GlobalAveragePool (integers s) ȳ))

        // ARCHITECTURE, rewriting: a monotone activation commutes with max pooling.
        testProperty "max pool (φ x) = φ (max pool x) for monotone φ" (fun (Pooled s) ->
            let x = Draw.reals s.Seed (s.Picture.Batch s.Samples)

            all [
                for φ in [ Activation.ReLU; Activation.LeakyReLU 0.01; Activation.Sigmoid; Activation.Tanh ] do
                    let φ x = (run (LayerSpec.Activation φ) x).Output
                    let pool x = (run (MaxPool s.Pool) x).Output
                    exact (pool (φ x)) (φ (pool x))
            ])

        // Fan & Yam, g_F: the row-major order of the picture, and its inverse backward.
        testProperty "flatten keeps the order, and its pullback restores the picture" (fun (s: Sliding) ->
            let (Integers(_, x, _, _)) = s
            let vectors = (Shape.Of s.Picture.Size).Batch s.Samples
            let step = run (Flatten FlattenOrder.RowMajor) x
            all [ exact (x.Reshape vectors) step.Output; exact x (snd (step.Pullback step.Output)) ])

        // Vu 2018, eq. 22: position (c·H + h)·W + w instead of (h·W + w)·C + c.
        testProperty "the two orders of flattening differ by a fixed permutation" (fun (s: Sliding) ->
            let (Integers(_, x, _, _)) = s
            let rows = (run (Flatten FlattenOrder.RowMajor) x).Output
            let step = run (Flatten FlattenOrder.ChannelMajor) x
            let pixels = s.Height * s.Width
            let source k = (k % pixels) * s.Channels + k / pixels
            let size = s.Picture.Size

            all [
                exact (Tensor.init rows.Shape (fun k -> rows.Span[k / size * size + source (k % size)])) step.Output
                exact x (snd (step.Pullback step.Output))
            ])
    ]
