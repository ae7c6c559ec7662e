/// Tensors as pictures: bytes, maps in colour, filters.
module Cnn.Tests.Laws.InspectImageLaws

open Expecto
open FsCheck
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let tests =
    testList "pictures of what is inside" [
        testProperty "pixels of 0 to 1 become the bytes that they came from" (fun (r: Rows) ->
            let height, width, channels = r.Count, r.Features, 1 + 2 * (r.Seed % 2)
            let source = Array.init (height * width * channels) (fun i -> byte (r.Seed + 37 * i))
            let pixels = Tensor.init (Shape.Of(height, width, channels)) (fun i -> float source[i] / 255.0)
            same source ((InspectImages.Picture pixels).Pixels.ToArray()))

        testProperty
            "maps in colour: white at 0, red above, blue below; a glow where the map is largest only"
            (fun (r: Rows) ->
                let shape = Shape.Of(r.Count, r.Features, 1)
                let map: Tensor<float> = Draw.integers r.Seed shape
                let signed = InspectImages.Signed map
                let largest = map.ToArray() |> Array.map abs |> Array.max

                let isRight i =
                    let red, green, blue =
                        signed.Pixels.Span[3 * i], signed.Pixels.Span[3 * i + 1], signed.Pixels.Span[3 * i + 2]

                    match map.Span[i] with
                    | 0.0 -> (red, green, blue) = (255uy, 255uy, 255uy)
                    | v when v > 0.0 -> red = 255uy && green = blue && (abs v < largest || blue = 0uy) && blue < 255uy
                    | v -> blue = 255uy && green = red && (abs v < largest || red = 0uy) && red < 255uy

                let plain = InspectImages.Overlay(Tensor.zeros shape, Tensor.zeros shape)

                let glow =
                    InspectImages.Overlay(Tensor.zeros shape, Tensor.init shape (fun i -> if i = 0 then 1.0 else -1.0))

                all [
                    same true (Seq.forall isRight (seq { 0 .. map.Size - 1 }))
                    same true (plain.Pixels.ToArray() |> Array.forall ((=) 0uy))
                    same 255uy glow.Pixels.Span[0]
                    same true (glow.Pixels.ToArray() |> Array.skip 3 |> Array.forall ((=) 0uy))
                ])

        // Of 1 or of 5 to 13 channels, ⌈√C⌉ in a row.
        testProperty
            "a filter in colour: red where K > 0, blue where K < 0, channel by channel in a square"
            (fun (s: Sliding) ->
                let channels = if s.Channels = 1 then 1 else 4 + 3 * s.Channels + s.Filters
                let shape = Shape.Of(s.Kernel.Height, s.Kernel.Width, channels)
                let K: Tensor<float> = Draw.integers s.Seed shape
                let image = InspectImages.Filter K
                let columns = int (ceil (sqrt (float channels)))

                let isRight i =
                    let pixel, c = i / channels, i % channels
                    let row = c / columns * s.Kernel.Height + pixel / s.Kernel.Width
                    let column = c % columns * s.Kernel.Width + pixel % s.Kernel.Width
                    let rgb = image.Pixels.Slice((row * image.Width + column) * 3, 3).ToArray()
                    sign K.Span[i] = sign (int rgb[0] - int rgb[2])

                same true (Seq.forall isRight (seq { 0 .. K.Size - 1 })))

        // Of three channels in colour: 0 is grey, the largest magnitude full.
        testProperty "a filter of three channels is a picture: K ↦ ½ + ½·K ∕ max |K|" (fun (s: Sliding) ->
            let K: Tensor<float> = Draw.integers s.Seed (Shape.Of(s.Kernel.Height, s.Kernel.Width, 3))
            let largest = K.ToArray() |> Array.map abs |> Array.max
            let image = InspectImages.Filter K
            let share v = if largest = 0.0 then 0.5 else 0.5 + 0.5 * v / largest

            all [
                same (s.Kernel.Height, s.Kernel.Width, 3) (image.Height, image.Width, image.Channels)
                same (K.ToArray() |> Array.map (fun v -> byte (255.0 * share v + 0.5))) (image.Pixels.ToArray())
            ])

        // Affine, so that order and ratios of differences are kept; a constant is black, and so is NaN.
        testProperty "a map goes from black at its least value to white at its largest" (fun (r: Rows) ->
            let shape = Shape.Of(r.Count, r.Features, 1)
            let map: Tensor<float> = Draw.integers r.Seed shape
            let low, high = Array.min (map.ToArray()), Array.max (map.ToArray())
            let shown (t: Tensor<float>) = (InspectImages.Map t).Pixels.ToArray()
            let expected v = if high > low then byte (255.0 * (v - low) / (high - low) + 0.5) else 0uy

            all [
                same (Array.map expected (map.ToArray())) (shown map)
                same (Array.zeroCreate map.Size) (shown (Tensor.init shape (fun _ -> 3.0)))
                same (Array.zeroCreate map.Size) (shown (Tensor.init shape (fun _ -> nan)))
            ])

        // ⌊side ∕ shorter side⌋ times as large, never smaller: each pixel becomes a block.
        testProperty "enlarging repeats each pixel in a block" (fun (r: Rows) (side: FsCheck.PositiveInt) ->
            let height, width = r.Count, r.Features
            let times = max 1 (side.Get / min height width)

            let image =
                Image.Of(
                    height,
                    width,
                    1,
                    System.ReadOnlySpan(Array.init (height * width) (fun i -> byte (r.Seed + 37 * i)))
                )

            let large = InspectImages.Enlarge(image, side.Get)

            let expected =
                Array.init (height * times * width * times) (fun i ->
                    image.Pixels.Span[i / (width * times) / times * width + i % (width * times) / times])

            all [
                same (height * times, width * times) (large.Height, large.Width)
                same expected (large.Pixels.ToArray())
            ])
    ]
