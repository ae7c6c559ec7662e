/// Pictures of other sizes: area averaging and bilinear method.
module Cnn.Tests.Laws.ResamplingLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private resample method height width (x: Tensor<float32>) =
    let resampler = Resampler.Create(method, x.Shape, height, width)
    let y = Array.zeroCreate<float32> resampler.Target.Size
    resampler.Resample(x.Span, Span y)
    Tensor.init resampler.Target (fun i -> y[i])

let private both = [ Resampling.Area; Resampling.Bilinear ]

/// A picture of 1 to 9 rows and columns and 1 to 4 channels, and a size from 1 to 13.
let private (|Resized|) (p: Planes) =
    let shape = Shape.Of(p.ImageSize.Height, p.ImageSize.Width, 1 + p.Seed % 4)
    let x: Tensor<float32> = Draw.reals p.Seed shape
    x, 1 + p.Seed % 13, 1 + p.Seed / 13 % 13

/// At most one unit in the last place: sums in double on either side of where float32 rounds.
let private rounded (expected: Tensor<float32>) (actual: Tensor<float32>) =
    within (fun i -> 2.0 * unitRoundoff<float32> * (1e-6 + abs (real expected.Span[i]))) expected actual

let tests =
    testList "resampling" [
        testProperty "constant pictures stay constant" (fun (Resized(x, height, width)) ->
            let constant = Tensor.init x.Shape (fun _ -> x.Span[0])

            all [
                for method in both do
                    let y = resample method height width constant
                    exact (Tensor.init y.Shape (fun _ -> x.Span[0])) y
            ])

        testProperty "the same size is the identity" (fun (Resized(x, _, _)) ->
            all [ for method in both -> exact x (resample method x.Shape[0] x.Shape[1] x) ])

        // In double and over the channels by themselves; each new pixel is rounded to float32 once.
        testProperty
            "area averaging keeps the mean of each channel, whatever the ratio"
            (fun (Resized(x, height, width)) ->
                let mean c (t: Tensor<float32>) =
                    Seq.averageBy (fun i -> float t.Span[i * x.Shape[2] + c]) (seq { 0 .. t.Size / x.Shape[2] - 1 })

                let y = resample Resampling.Area height width x

                all [
                    for c in 0 .. x.Shape[2] - 1 do
                        let error = abs (mean c x - mean c y)
                        same true (error <= unitRoundoff<float32>)
                ])

        testProperty "area averaging by a whole number is average pooling" (fun (p: Planes) ->
            let window = p.OtherSize

            let shape =
                Shape.Of(p.KernelSize.Height * window.Height, p.KernelSize.Width * window.Width, 1 + p.Seed % 4)

            let x: Tensor<float> = Draw.integers p.Seed shape

            let pooled =
                let layer: Layer<float> =
                    Layers.ofSpec (AveragePool { Window = window; Stride = window; Padding = Valid })

                let y =
                    (Layer.run
                        (Context.reference Inference)
                        layer
                        []
                        []
                        (Tensor.init (shape.Batch 1) (fun i -> x.Span[i])))
                        .Output

                Tensor.init y.Shape.Sample (fun i -> float32 y.Span[i])

            let narrow = Tensor.init shape (fun i -> float32 x.Span[i])
            rounded pooled (resample Resampling.Area p.KernelSize.Height p.KernelSize.Width narrow))

        // Rows first or columns first: both, up to the rounding of the picture between them.
        testProperty "resampling is separable" (fun (Resized(x, height, width)) ->
            all [
                for method in both do
                    let y = resample method height width x
                    let rowsFirst = x |> resample method height x.Shape[1] |> resample method height width
                    let columnsFirst = x |> resample method x.Shape[0] width |> resample method height width
                    within (fun _ -> 3.0 * unitRoundoff<float32>) y rowsFirst
                    within (fun _ -> 3.0 * unitRoundoff<float32>) y columnsFirst
            ])

        // y(j) = x(⌊s⌋)·(1 − frac s) + x(⌊s⌋ + 1)·frac s at s = (j + ½)·n/m − ½, edges repeated: the definition, in reals.
        testProperty "bilinear method is that of half-pixel centres" (fun (Resized(x, height, width)) ->
            let n, m = x.Shape[0], x.Shape[1]
            let clamp most i = max 0 (min (most - 1) i)

            let expected =
                Tensor.init (Shape.Of(height, width, x.Shape[2])) (fun index ->
                    let c, j, i = index % x.Shape[2], index / x.Shape[2] % width, index / x.Shape[2] / width
                    let s = (float i + 0.5) * float n / float height - 0.5
                    let t = (float j + 0.5) * float m / float width - 0.5
                    let row, column = int (floor s), int (floor t)
                    let at a b = float x[clamp n (row + a), clamp m (column + b), c]
                    let v, u = s - floor s, t - floor t
                    let across a = (1.0 - u) * at a 0 + u * at a 1
                    float32 ((1.0 - v) * across 0 + v * across 1))

            rounded expected (resample Resampling.Bilinear height width x))

        // ∫ over the new pixel's area, by a grid that both sizes divide.
        testProperty
            "area averaging is the mean of the old picture over the new pixel"
            (fun (Resized(x, height, width)) ->
                let n, m = x.Shape[0], x.Shape[1]

                let expected =
                    Tensor.init (Shape.Of(height, width, x.Shape[2])) (fun index ->
                        let c, j, i = index % x.Shape[2], index / x.Shape[2] % width, index / x.Shape[2] / width

                        let cells =
                            seq {
                                for a in i * n .. (i + 1) * n - 1 do
                                    for b in j * m .. (j + 1) * m - 1 -> float x[a / height, b / width, c]
                            }

                        float32 (Seq.average cells))

                rounded expected (resample Resampling.Area height width x))

        testProperty "bytes are resampled as the numbers that they are" (fun (Resized(x, height, width)) ->
            let bytes = x.ToArray() |> Array.map (fun v -> byte (127.5f + 127.0f * v))
            let numbers = Tensor.init x.Shape (fun i -> float32 bytes[i])

            all [
                for method in both do
                    let resampler = Resampler.Create(method, x.Shape, height, width)
                    let y = Array.zeroCreate<float32> resampler.Target.Size
                    resampler.Resample(ReadOnlySpan bytes, Span y)
                    exact (resample method height width numbers) (Tensor.init resampler.Target (fun i -> y[i]))
            ])

        testCase "sizes that are no picture's are refused" (fun () ->
            let refused (shape: Shape) height width =
                Assert.Throws<ShapeException>(fun () ->
                    Resampler.Create(Resampling.Area, shape, height, width) |> ignore)
                |> ignore

            refused (Shape.Of(3, 4, 1)) 0 4
            refused (Shape.Of(3, 4, 1)) 4 -1
            refused (Shape.Of(3, 0, 1)) 4 4
            refused (Shape.Of(3, 4)) 4 4)
    ]
