/// The PNG format: what is read, what is written, and what bad bytes get.
module Cnn.Tests.Formats.PngLaws

open System
open System.Buffers.Binary
open System.IO
open System.Security.Cryptography
open System.Text.Json
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Golden
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private decode (bytes: byte[]) = Png.decode "file" (ReadOnlyMemory bytes)

/// A picture as numbers.
let view (image: Image) : Tensor<float32> = Tensor.init image.Shape (fun i -> float32 image.Pixels.Span[i])

/// 1 to 9 rows and columns of each number of channels; smooth, so that the filters matter.
let images (p: Planes) = [
    for channels in 1..4 do
        let shape = Shape.Of(p.ImageSize.Height, p.ImageSize.Width, channels)
        let noise: Tensor<float> = Draw.integers p.Seed shape
        let slope = p.Seed % 40

        Image.Of(
            shape[0],
            shape[1],
            channels,
            ReadOnlySpan(Array.init shape.Size (fun i -> byte (slope * (i / channels) + int noise.Span[i])))
        )
]

let private refusal (bytes: byte[]) = Assert.Throws<DataFormatException>(fun () -> decode bytes |> ignore)

/// A picture of 5×6 palette colours, in which one thing is put wrong.
let private wrong: (string * byte[]) list =
    let png = PngWriter.draw 8 5 6 (3, 4)
    let data = PngWriter.filtered png
    let compressed = PngWriter.zlib data
    let parts = PngWriter.chunks { png with Seed = 0; Transparency = [||] } compressed
    let replace index part = PngWriter.file (List.updateAt index part parts)
    let insert index part = PngWriter.file (List.insertAt index part parts)
    let header at value = PngWriter.header png |> Array.mapi (fun i b -> if i = at then value else b)
    let withData bytes = replace 3 (PngWriter.chunk "IDAT" bytes)

    [
        "no IHDR first", insert 0 (PngWriter.chunk "tEXt" [||])
        "two IHDR", insert 1 parts.Head
        "width 0",
        replace 0 (PngWriter.chunk "IHDR" (Array.append (Array.zeroCreate 4) (Array.skip 4 (PngWriter.header png))))
        "a width beyond 31 bits", replace 0 (PngWriter.chunk "IHDR" (header 0 0x80uy))
        "a large width", replace 0 (PngWriter.chunk "IHDR" (header 0 0x10uy))
        "depth 3", replace 0 (PngWriter.chunk "IHDR" (header 8 3uy))
        "depth 16 of a palette", replace 0 (PngWriter.chunk "IHDR" (header 8 16uy))
        "colour type 5", replace 0 (PngWriter.chunk "IHDR" (header 9 5uy))
        "compression 1", replace 0 (PngWriter.chunk "IHDR" (header 10 1uy))
        "filter method 1", replace 0 (PngWriter.chunk "IHDR" (header 11 1uy))
        "interlace 2", replace 0 (PngWriter.chunk "IHDR" (header 12 2uy))
        "no palette", PngWriter.file (List.removeAt 2 parts)
        "two palettes", insert 3 parts[2]
        "a palette of half colours", replace 2 (PngWriter.chunk "PLTE" (Array.zeroCreate 4))
        "a palette of 17 colours for 4 bits", replace 2 (PngWriter.chunk "PLTE" (Array.zeroCreate 51))
        "an empty palette", replace 2 (PngWriter.chunk "PLTE" [||])
        "a colour outside the palette", replace 2 (PngWriter.chunk "PLTE" (Array.zeroCreate 3))
        "more alphas than colours", insert 3 (PngWriter.chunk "tRNS" (Array.zeroCreate 17))
        "tRNS before the palette", insert 2 (PngWriter.chunk "tRNS" [| 0uy |])
        "tRNS after the pixels", insert 4 (PngWriter.chunk "tRNS" [| 0uy |])
        "tRNS beside alpha",
        PngWriter.file (
            let alpha = PngWriter.draw 1 2 2 (6, 8)

            PngWriter.chunks alpha (PngWriter.zlib (PngWriter.filtered alpha))
            |> List.insertAt 2 (PngWriter.chunk "tRNS" [| 0uy; 0uy |])
        )
        "a palette of grey",
        PngWriter.file (
            let grey = PngWriter.draw 1 2 2 (0, 8)

            PngWriter.chunks grey (PngWriter.zlib (PngWriter.filtered grey))
            |> List.insertAt 1 (PngWriter.chunk "PLTE" [| 0uy; 0uy; 0uy |])
        )
        "parted IDAT", PngWriter.file (parts @ [ parts[3] ])
        "an unknown critical chunk", insert 1 (PngWriter.chunk "TeSt" [||])
        "a chunk without a name", insert 1 (PngWriter.chunk "te1t" [||])
        "no IDAT", PngWriter.file (List.removeAt 3 parts)
        "an empty IDAT", withData [||]
        "too few pixels", withData (PngWriter.zlib (Array.truncate (data.Length - 1) data))
        "too many pixels", withData (PngWriter.zlib (Array.append data [| 0uy |]))
        "filter 5", withData (PngWriter.zlib (Array.updateAt 0 5uy data))
        "a preset dictionary", withData (Array.append [| 0x78uy; 0xBBuy; 0uy; 0uy; 0uy; 1uy |] compressed)
        "no checksum of the pixels", withData (Array.truncate (compressed.Length - 4) compressed)
        "a wrong checksum of the pixels", withData (Array.updateAt (compressed.Length - 1) 0x5Auy compressed)
        "no IEND", Array.concat (PngWriter.signature :: parts)
    ]

/// The folder of sample data of that name; the test is skipped where it is absent.
let samples name =
    match Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", name)) with
    | Some folder when Directory.Exists folder -> folder
    | _ ->
        Assert.Ignore("Set the environment variable CNN_SHARED to a folder that holds `data/" + name + "`.")
        ""

/// Three channels, or four, as expected.json counts them: grey repeated, alpha dropped or added.
let private colours channels (image: Image) = [|
    let pixels = image.Pixels.ToArray()
    let hasAlpha = image.Channels % 2 = 0

    for p in 0 .. image.Height * image.Width - 1 do
        let pixel = pixels[p * image.Channels .. (p + 1) * image.Channels - 1]

        if image.Channels <= 2 then
            yield! Array.replicate 3 pixel[0]
        else
            yield! Array.truncate 3 pixel

        if channels = 4 then
            if hasAlpha then Array.last pixel else 255uy
|]

let private survives files =
    // As they are, and with true checksums, without which hardly anything behind them is reached.
    Fuzzing.survives files (fun bytes -> decode bytes |> ignore)
    Fuzzing.survives files (fun bytes -> decode (PngWriter.repair bytes) |> ignore)

let tests =
    testList "PNG" [
        testProperty "decode ∘ encode is the identity" (fun (p: Planes) ->
            all [ for image in images p -> exact (view image) (view (decode (Png.encode image))) ])

        testProperty "every colour type, depth and order of rows is read as the format says" (fun (p: Planes) ->
            all [
                for kind in PngWriter.kinds do
                    let png = PngWriter.draw p.Seed p.ImageSize.Height p.ImageSize.Width kind
                    exact (view (PngWriter.expected png)) (view (decode (PngWriter.write png)))
            ])

        testProperty "a picture that is larger than a pass of Adam7 is read as it is without" (fun (p: Planes) ->
            let png = PngWriter.draw p.Seed (8 + p.ImageSize.Height) (8 + p.ImageSize.Width) (2, 8)
            let read isInterlaced = decode (PngWriter.write { png with IsInterlaced = isInterlaced })
            exact (view (read false)) (view (read true)))

        // Signature and IHDR are 33 bytes; then comes the only IDAT.
        testProperty "each row is written with the first filter of least Σ|signed byte|" (fun (p: Planes) ->
            all [
                for image in images p do
                    let file = Png.encode image
                    let size = BinaryPrimitives.ReadInt32BigEndian(ReadOnlySpan(file, 33, 4))
                    let written = PngWriter.unzlib file[41 .. 40 + size]
                    let length = image.Width * image.Channels
                    let rows = image.Pixels.ToArray() |> Array.chunkBySize length

                    for y, row in Seq.indexed rows do
                        let above = if y = 0 then Array.zeroCreate length else rows[y - 1]

                        let sum filter =
                            PngWriter.filterRow image.Channels filter above row
                            |> Seq.sumBy (fun b -> abs (int (sbyte b)))

                        same (List.minBy sum [ 0..4 ]) (int written[y * (length + 1)])
            ])

        testProperty "a changed byte of a chunk is noticed by its checksum" (fun (p: Planes) ->
            let png = PngWriter.draw p.Seed p.ImageSize.Height p.ImageSize.Width (0, 8)
            let file = PngWriter.write png
            let at = 12 + p.Seed % (file.Length - 24)
            let changed = Array.mapi (fun i b -> if i = at then b ^^^ 0x20uy else b) file
            same "file" (refusal changed).File)

        testCase "each thing that can be wrong with a chunk is refused" (fun () ->
            let accepted = [
                for name, file in wrong do
                    try
                        decode file |> ignore
                        name
                    with :? DataFormatException ->
                        ()
            ]

            Assert.That(accepted, isEmpty))

        testCase "bytes after the end chunk are skipped" (fun () ->
            let png = PngWriter.draw 3 4 5 (2, 8)
            let read = decode (Array.append (PngWriter.write png) [| 1uy; 2uy; 3uy |])
            Assert.That((view read).Equals(view (PngWriter.expected png))))

        testCase "the sound sample pictures have the pixels that two other readers found" (fun () ->
            let folder = samples "pictures"
            use description = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")))

            for picture in description.RootElement.GetProperty("good").EnumerateObject() do
                let path = Path.Combine(folder, picture.Name)
                let image = Png.decode path (ReadOnlyMemory(File.ReadAllBytes path))
                let size (name: string) = picture.Value.GetProperty(name).GetInt32()
                Assert.That((image.Height, image.Width), equalTo (size "height", size "width"), path)

                for channels in [ 3; 4 ] do
                    match picture.Value.TryGetProperty("sha256_rgb" + (if channels = 4 then "a8" else "8")) with
                    | true, hash ->
                        let found = Convert.ToHexStringLower(SHA256.HashData(colours channels image))
                        Assert.That(found, equalTo (hash.GetString()), path)
                    | _ -> ())

        testCase "the bad sample pictures are refused" (fun () ->
            let bad = Directory.GetFiles(Path.Combine(samples "pictures", "bad"))
            Assert.That(bad.Length, equalTo 10)

            for path in bad do
                let read () = Png.decode path (ReadOnlyMemory(File.ReadAllBytes path)) |> ignore
                Assert.That((Assert.Throws<DataFormatException> read).File, equalTo path))

        testCase "damaged files of every kind give a picture or a DataFormatException" (fun () ->
            survives [
                for seed in 1..4 do
                    for kind in PngWriter.kinds -> PngWriter.write (PngWriter.draw seed 9 10 kind)
            ])

        testCase "damaged sample pictures give a picture or a DataFormatException" (fun () ->
            survives [ for path in Directory.GetFiles(samples "pictures", "*.png") -> File.ReadAllBytes path ])
    ]
