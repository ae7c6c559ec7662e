/// Pictures of any format, in files, of other sizes and colours.
module Cnn.Tests.Formats.ImageLaws

open System
open System.IO
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.PngLaws
open Cnn.Tests.Laws.Law

/// Does something in a new folder, and takes the folder away.
let inFolder (body: string -> 'A) : 'A =
    let folder = Directory.CreateTempSubdirectory "cnn"

    try
        body folder.FullName
    finally
        folder.Delete true

/// One byte of grey, for a format that the library does not know.
let private own = {
    new IImageCodec with
        member _.Name = "Own"
        member _.Recognizes start = start.Length = 2 && start[0] = 'O'B
        member _.Decode(_, bytes) = Cnn.Image.Of(1, 1, 1, bytes.Span.Slice 1)
}

let tests =
    testList "images" [
        testProperty "load ∘ save is the identity for every ending that takes the picture" (fun (p: Planes) ->
            inFolder (fun folder ->
                all [
                    for image in images p do
                        for ending in [ ".png"; ".PNG"; ".pgm"; ".ppm"; ".pnm" ] do
                            let isTaken =
                                match ending, image.Channels with
                                | (".png" | ".PNG"), _
                                | (".pgm" | ".pnm"), 1
                                | (".ppm" | ".pnm"), 3 -> true
                                | _ -> false

                            let path = Path.Combine(folder, "picture" + ending)

                            if isTaken then
                                Cnn.FSharp.Image.save path image
                                exact (view image) (view (Cnn.FSharp.Image.load path))
                                exact (view image) (view (Images.Load path))
                                same 1 (Directory.GetFiles(folder).Length)
                                File.Delete path
                            else
                                Assert.Throws<ShapeException>(fun () -> Images.Save(image, path)) |> ignore
                                same 0 (Directory.GetFiles(folder).Length)
                ]))

        testCase "an ending that is no format's is refused, with those there are" (fun () ->
            let image = Cnn.Image.Of(1, 1, 1, ReadOnlySpan [| 0uy |])

            let error = Assert.Throws<ArgumentException>(fun () -> Cnn.FSharp.Image.save "picture.gif" image)

            Assert.That(error.Message, both (containing ("'.gif'")) (containing (".png, .pgm, .ppm or .pnm"))))

        testCase "an unknown format is told by its first bytes" (fun () ->
            let decode (bytes: byte[]) () = ImageCodecs.Decode("file", ReadOnlyMemory bytes) |> ignore
            let error = Assert.Throws<DataFormatException>(decode [| 0x47uy; 0x49uy; 0x46uy |])
            Assert.That(error.Message, both (containing ("PNG, Netpbm")) (containing ("474946")))
            Assert.Throws<DataFormatException>(decode [||]) |> ignore)

        testCase "a codec of the user's own is asked in its turn" (fun () ->
            let codecs = Seq.append [ own ] ImageCodecs.Default
            let decode bytes = ImageCodecs.Decode("file", ReadOnlyMemory bytes, codecs)
            let image = Cnn.Image.Of(1, 1, 1, ReadOnlySpan [| 7uy |])
            Assert.That(view (decode [| 'O'B; 7uy |]), equalTo (view image))
            Assert.That(view (decode (Png.encode image)), equalTo (view image)))

        // Area averaging keeps the mean, and rounding moves each byte by at most a half.
        testProperty "resized bytes are the resampled numbers, rounded" (fun (p: Planes) ->
            all [
                for image in images p do
                    for method in [ Resampling.Area; Resampling.Bilinear ] do
                        let height, width = 1 + p.Seed % 7, 1 + p.Seed % 11
                        let resampler = Resampler.Create(method, image.Shape, height, width)
                        let values = Array.zeroCreate<float32> resampler.Target.Size
                        resampler.Resample(image.Pixels.Span, Span values)
                        let resized = Images.Resize(image, height, width, method)
                        same resampler.Target resized.Shape

                        for i in 0 .. values.Length - 1 do
                            same true (abs (values[i] - float32 resized.Pixels.Span[i]) <= 0.5f)
            ])

        testProperty "grey is the luma of the colours, RGB of grey repeats it, and alpha is dropped" (fun (p: Planes) ->
            all [
                for image in images p do
                    let grey, rgb = Images.ToGrey image, Images.ToRgb image
                    same (1, 3) (grey.Channels, rgb.Channels)
                    exact (view grey) (view (Cnn.FSharp.Image.toGrey rgb))

                    for i in 0 .. image.Height * image.Width - 1 do
                        let colour = image.Pixels.Span.Slice(i * image.Channels, image.Channels).ToArray()

                        let r, g, b =
                            if image.Channels < 3 then
                                colour[0], colour[0], colour[0]
                            else
                                colour[0], colour[1], colour[2]

                        same [| r; g; b |] (rgb.Pixels.Span.Slice(3 * i, 3).ToArray())
                        let luma = 0.299 * float r + 0.587 * float g + 0.114 * float b
                        same true (abs (luma - float grey.Pixels.Span[i]) <= 0.5 + 1e-9)
            ])

        // 255·v to the nearest byte.
        testProperty "ofPixels ∘ v ∕ 255 is the identity, and what is beyond 0 … 1 is clipped" (fun (p: Planes) ->
            all [
                for image in images p do
                    let values = image.Pixels.ToArray() |> Array.map (fun v -> float32 v / 255.0f)
                    exact (view image) (view (Cnn.FSharp.Image.ofPixels image.Shape values))
                    let beyond = values |> Array.map (fun v -> if v > 0.5f then v + 1.0f else v - 1.0f)
                    let clipped = view (Cnn.FSharp.Image.ofPixels image.Shape beyond)
                    exact (view image |> Tensor.map (fun v -> if v > 127.0f then 255.0f else 0.0f)) clipped
            ])

        testProperty
            "no side of a shrunk picture is longer, and one that is short enough stays as it is"
            (fun (p: Planes) (side: byte) ->
                let side = 1 + int side % 12

                all [
                    for image in images p do
                        let shrunk = Images.Shrink(image, side)
                        let longest = max image.Height image.Width
                        same (min side longest) (max shrunk.Height shrunk.Width)

                        same
                            true
                            (abs (float shrunk.Height * float image.Width - float shrunk.Width * float image.Height)
                             <= float longest)

                        if longest <= side then
                            exact (view image) (view shrunk)
                ])
    ]
