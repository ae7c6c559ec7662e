/// Sliding windows are counted, not only computed (SPEC section 3).
module Cnn.Tests.Laws.ShapeLaws

open Expecto
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Definitions
open Cnn.Tests.Laws.Law

let private axes (s: Sliding) = [
    s.Height, s.Kernel.Height, s.Dilation.Height, s.Stride.Height, true
    s.Width, s.Kernel.Width, s.Dilation.Width, s.Stride.Width, false
]

let tests =
    testList "shapes" [
        // Wichmann 2018, 2.3 and 3.1; Fan & Yam 11.2.7; Fossheim 2022, eq. 73–74. Any padding, stride and dilation.
        testProperty "⌊(n + p − ((f−1)d + 1)) ∕ s⌋ + 1 counts the positions of the window" (fun (s: Sliding) ->
            let (top, bottom), (left, right) = s.Pads
            let g = s.Geometry

            same
                (countPositions (s.Height + top + bottom) s.Kernel.Height s.Dilation.Height s.Stride.Height,
                 countPositions (s.Width + left + right) s.Kernel.Width s.Dilation.Width s.Stride.Width,
                 top,
                 left)
                (g.OutHeight, g.OutWidth, g.PadTop, g.PadLeft))

        // SPEC section 3: p = 0.
        testProperty "Valid pads nothing" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, d, step, isRows) -> same (struct (0, 0)) (Window.pad Valid isRows n f d step))
            |> all)

        // Wichmann 2018, 2.1; Fan & Yam 11.2.6; Keras. The least padding that yields ⌈n ∕ s⌉, the odd cell after.
        testProperty "Same is the least padding with ⌈n ∕ s⌉ positions, the odd cell after" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, d, step, isRows) ->
                let struct (before, after) = Window.pad Same isRows n f d step
                let wanted = Seq.length (seq { 0..step .. n - 1 })
                let least = Seq.initInfinite id |> Seq.find (fun p -> countPositions (n + p) f d step >= wanted)

                same (wanted, least, least / 2) (Window.positions n before after f d step, before + after, before))
            |> all)

        // Wichmann 2018, 2.1; Fan & Yam 11.2.6: for s = 1, d = 1 and odd f.
        testProperty "Same is (f−1)∕2 on each side for odd windows that move by 1" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, _, _, isRows) ->
                same (struct (f - 1, f - 1)) (Window.pad Same isRows n (2 * f - 1) 1 1))
            |> all)

        // Vu 2018, eq. 5: with stride 1, every position in which a tap meets the image or lies between such taps.
        testProperty "Full has n + (f−1)d positions at stride 1" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, d, _, isRows) ->
                let struct (before, after) = Window.pad Full isRows n f d 1
                let touching = seq { -(f - 1) * d .. n - 1 } |> Seq.length
                same (touching, before) (Window.positions n before after f d 1, after))
            |> all)

        // Fossheim 2022, eq. 85 and its two caveats: windows are laid until the image is covered, never one beyond the image.
        testProperty "Cover lays windows until every cell is pooled and none outside the image" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, d, step, isRows) ->
                let ω = (f - 1) * d + 1
                let isLaid i = i = 0 || ((i - 1) * step + ω < n && i * step < n)
                let windows = Seq.initInfinite id |> Seq.takeWhile isLaid |> Seq.length
                let struct (before, after) = Window.pad Cover isRows n f d step
                let isTight = after = 0 || (windows - 1) * step + ω = n + after
                same (0, windows, true) (before, Window.positions n before after f d step, isTight))
            |> all)

        // SPEC section 3: the four numbers are rows above and below, columns left and right.
        testProperty "Explicit pads rows above and below, columns left and right" (fun (s: Sliding) ->
            let padding = Explicit(1, 2, 3, 4)

            same
                (struct (1, 2), struct (3, 4))
                (Window.pad padding true s.Height 1 1 s.Stride.Height,
                 Window.pad padding false s.Width 1 1 s.Stride.Width))

        // Fossheim 2022, eq. 84 and 86: χ = R − ⌊R ∕ s⌋·s is dropped, R = n − ω.
        testProperty "a valid pooling has 1 + (n − ω − χ) ∕ s positions" (fun (s: Sliding) ->
            axes s
            |> List.map (fun (n, f, _, step, _) ->
                let ω = min f n
                let χ = (n - ω) - (n - ω) / step * step
                same (1 + (n - ω - χ) / step) (Window.positions n 0 0 ω 1 step))
            |> all)

        // SPEC section 3: every window of a pooling holds a picture cell; explicit padding that breaks this is refused.
        testProperty "a pooling is accepted just when each of its windows holds a cell" (fun (s: Sliding) ->
            let s = { s with Dilation = Size.Square 1 }
            let (top, bottom), (left, right) = s.Pads

            let isFull n before after f step =
                let positions = countPositions (n + before + after) f 1 step

                positions > 0
                && Seq.forall
                    (fun i ->
                        Seq.exists (fun u -> let y = i * step + u - before in y >= 0 && y < n) (seq { 0 .. f - 1 }))
                    (seq { 0 .. positions - 1 })

            same
                (isFull s.Height top bottom s.Kernel.Height s.Stride.Height
                 && isFull s.Width left right s.Kernel.Width s.Stride.Width)
                (Generate.isPooling s))

        // SPEC section 3: Same and Cover agree for 2×2 windows with stride 2, and differ for n = 7, ω = 3, s = 2.
        testProperty "Same and Cover agree for windows of 2 that move by 2" (fun (s: Sliding) ->
            same (Window.pad Same true s.Height 2 1 2) (Window.pad Cover true s.Height 2 1 2))

        testCase "Same and Cover differ for n = 7, ω = 3, s = 2: 4 against 3" (fun () ->
            let positions padding =
                let struct (before, after) = Window.pad padding true 7 3 1 2
                Window.positions 7 before after 3 1 2

            Assert.That((positions Same, positions Cover), equalTo ((4, 3))))

        // Fan & Yam 11.6.2: F·(k_h·k_w·C_in + 1) of a convolution, (D_in + 1)·D_out of a dense layer, 4·d of batch normalisation.
        testProperty "parameters are counted as F(k_h k_w C + 1), (D + 1)U and 4d" (fun (s: Sliding) ->
            let count spec input =
                let θ, state = Layer.initial (Key.ofSeed 1) input (Layers.ofSpec spec: Layer<float>)
                List.sumBy (fun (t: Tensor<float>) -> t.Size) θ, List.sumBy (fun (t: Tensor<float>) -> t.Size) state

            let taps = s.Kernel.Height * s.Kernel.Width
            let conv = LayerSpec.Conv2D { s.Conv2D with UseBias = true }
            let dense = LayerSpec.Dense { Dense.Default with Units = s.Filters }

            all [
                same (s.Filters * (taps * s.Channels + 1), 0) (count conv s.Picture)
                same ((s.Width + 1) * s.Filters, 0) (count dense (Shape.Of s.Width))
                same (2 * s.Channels, 2 * s.Channels) (count (BatchNorm BatchNorm.Default) s.Picture)
            ])

        // The shape law of every layer is the shape of what it computes, whatever the batch.
        testProperty "Output shape = shape of Run's output" (fun (Learning point) ->
            let promised = Layer.output point.Layer point.X.Shape.Sample
            same (string (promised.Batch point.X.Shape[0])) (string point.Run.Output.Shape))

        // A shape may be shared between threads that ask it for batches of different sizes.
        testCase "Batch n is a batch of n, also for many threads at once" (fun () ->
            let shape = Shape.Of(3, 2)
            let wrong = ref 0

            System.Threading.Tasks.Parallel.For(
                0,
                400000,
                System.Threading.Tasks.ParallelOptions(MaxDegreeOfParallelism = 8),
                fun i ->
                    let batch = shape.Batch(i % 3)

                    if batch[0] <> i % 3 || batch.Sample <> shape then
                        System.Threading.Interlocked.Increment(&wrong.contents) |> ignore
            )
            |> ignore

            Assert.That(wrong.Value, equalTo 0))
    ]
