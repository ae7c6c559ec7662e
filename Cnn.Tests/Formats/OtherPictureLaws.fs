/// BMP, GIF, TIFF and WebP: what is read, and what bad bytes get.
module Cnn.Tests.Formats.OtherPictureLaws

open System
open System.Buffers.Binary
open System.IO
open System.Threading
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.PngLaws
open Cnn.Tests.Formats.ImageLaws
open Cnn.Tests.Formats.PictureWriter
open Cnn.Tests.Formats.TiffWriter
open Cnn.Tests.Laws.Law

let private decode (bytes: byte[]) = ImageCodecs.Decode("file", ReadOnlyMemory bytes, ImageFormats.All)
let private refusal (bytes: byte[]) = Assert.Throws<DataFormatException>(fun () -> decode bytes |> ignore)

/// A WebP file of the image, of lossy or lossless coding.
let private webp isLossless (image: Image) =
    use target = new MemoryStream()
    let format = SixLabors.ImageSharp.Formats.Webp.WebpFileFormatType.Lossy

    let encoder =
        SixLabors.ImageSharp.Formats.Webp.WebpEncoder(
            FileFormat =
                (if isLossless then
                     SixLabors.ImageSharp.Formats.Webp.WebpFileFormatType.Lossless
                 else
                     format),
            Quality = 60
        )

    use picture =
        SixLabors.ImageSharp.Image.LoadPixelData<SixLabors.ImageSharp.PixelFormats.Rgb24>(
            (Images.ToRgb image).Pixels.ToArray(),
            image.Width,
            image.Height
        )

    picture.Save(target, encoder)
    target.ToArray()

let private size (p: Planes) = p.ImageSize.Height, p.ImageSize.Width

let private number (value: int) =
    (let bytes = Array.zeroCreate 4 in
     BinaryPrimitives.WriteInt32LittleEndian(Span bytes, value)
     bytes)

/// The chunk of colours of a WebP file, among others.
let private extended (before: (string * byte[]) list) (file: byte[]) (after: (string * byte[]) list) =
    let chunk (name: string, data: byte[]) =
        Array.concat [ Text.Encoding.ASCII.GetBytes name; number data.Length; data; Array.zeroCreate (data.Length % 2) ]

    let chunks =
        Array.concat [
            Array.collect chunk (Array.ofList before)
            Array.skip 12 file
            Array.collect chunk (Array.ofList after)
        ]

    Array.concat [ "RIFF"B; number (chunks.Length + 4); "WEBP"B; chunks ]

/// The upright picture of a stored one. Exif 2.32, 4.6.4 A: the 0th row and column of the stored one lie at its …
let private upright orientation (image: Image) =
    let channels = image.Channels
    let at (pixels: Image) y x = pixels.Pixels.Span.Slice((y * image.Width + x) * channels, channels).ToArray()
    let height, width = image.Height, image.Width

    let rows, columns, stored =
        match orientation with
        | 1 -> height, width, (fun y x -> y, x) // top, left
        | 2 -> height, width, (fun y x -> y, width - 1 - x) // top, right
        | 3 -> height, width, (fun y x -> height - 1 - y, width - 1 - x) // bottom, right
        | 4 -> height, width, (fun y x -> height - 1 - y, x) // bottom, left
        | 5 -> width, height, (fun y x -> x, y) // left, top
        | 6 -> width, height, (fun y x -> height - 1 - x, y) // right, top
        | 7 -> width, height, (fun y x -> height - 1 - x, width - 1 - y) // right, bottom
        | _ -> width, height, (fun y x -> x, width - 1 - y) // left, bottom

    let pixels = [|
        for y in 0 .. rows - 1 do
            for x in 0 .. columns - 1 do
                yield! stored y x ||> at image
    |]

    Image.Of(rows, columns, channels, ReadOnlySpan pixels)

let private plain height width (colour: byte[]) =
    Image.Of(height, width, 3, ReadOnlySpan(Array.concat (Array.replicate (height * width) colour)))

let private drawn seed (height, width) =
    Image.Of(height, width, 3, ReadOnlySpan(noise seed (3 * height * width) 256 |> Array.map byte))

/// The file with bytes written over some of its own.
let private patched (changes: (int * byte[]) list) (file: byte[]) =
    let copy = Array.copy file

    for at, bytes in changes do
        Array.blit bytes 0 copy at bytes.Length

    copy

let private bmps = [
    for kind in Bmp.kinds do
        Bmp.write (Bmp.draw 3 (7, 9) false false kind)
        Bmp.write (Bmp.draw 4 (7, 9) true true kind)
    // None of its pixels is given.
    patched [ 18, number 1024; 22, number 1024 ] (Bmp.write (Bmp.draw 3 (1, 1) false false (40, 8, 1)))
]

let private gifs = [
    for kind in Gif.kinds do
        Gif.write (Gif.draw 3 (9, 7) false None kind)
        Gif.write (Gif.draw 3 (9, 7) true (Some 1) kind)
    Gif.animation [ for seed in 1..3 -> Gif.draw seed (5, 6) false None (16, seed = 2, false) ]
]

let private tiffs = [
    for seed, kind in Seq.indexed Tiff.kinds do
        Tiff.write { Tiff.draw seed (7, 9) kind with Orientation = 1 + seed % 8 }
    // As large as a small file may claim to be.
    Tiff.write { Tiff.draw 1 (1024, 1024) (8, 1, 1, 8) with Numbers = Array.zeroCreate (1024 * 1024) }
]

let private webps = [
    webp false (drawn 1 (19, 33))
    webp false (plain 1024 1024 [| 1uy; 2uy; 3uy |])
    extended
        [ "VP8X", [| 16uy; 0uy; 0uy; 0uy; 4uy; 0uy; 0uy; 3uy; 0uy; 0uy |]; "ALPH", Array.zeroCreate 21 ]
        (webp false (drawn 2 (4, 5)))
        []
]

let private samples = [ "BMP", bmps; "GIF", gifs; "TIFF", tiffs; "WebP", webps ]

let private bmp = Bmp.write (Bmp.draw 3 (7, 9) false false (40, 24, 0))
let private gif = Gif.write (Gif.draw 3 (7, 9) false None (16, false, false))
let private tiff = Tiff.draw 2 (7, 9) (1, 2, 3, 8)
let private short value = number value |> Array.truncate 2

/// A file with a tag's one number of 16 bits changed, or with the tag made another.
let private tagged tag (change: int -> (int * byte[]) list) (file: byte[]) =
    let directory = BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(file, 4, 4))

    let entry =
        [ directory + 2 .. 12 .. file.Length - 12 ] |> List.find (fun at -> file[at .. at + 1] = short tag)

    patched (change entry) file

let private value v entry = [ entry + 8, short v ]
let private grey = Tiff.write { Tiff.draw 2 (7, 9) (1, 1, 1, 8) with Rows = 7 }

/// What the formats allow and nobody here reads, by the word that a refusal has.
let private refused = [
    "compression 4 ", patched [ 30, number 4 ] bmp
    "compression 0 with 5 bits", patched [ 28, short 5 ] bmp
    "fills the screen", patched [ 6, short 10 ] gif
    "BigTIFF", patched [ 2, short 43 ] (Tiff.write { tiff with IsBigEndian = false })
    "tag 259 7", tagged 259 (value 7) grey
    "tag 259 3", tagged 259 (value 3) grey
    "tag 262 5", tagged 262 (value 5) grey
    "tag 262 6", tagged 262 (value 6) grey
    "tag 258 2", tagged 258 (value 2) grey
    "strips", tagged 274 (fun entry -> [ entry, short 322 ]) grey
    "whole numbers", tagged 274 (fun entry -> [ entry, short 339; entry + 8, short 3 ]) grey
    "extra sample", tagged 274 (fun entry -> [ entry, short 338; entry + 8, short 1 ]) grey
    "predictor", tagged 274 (fun entry -> [ entry, short 317; entry + 8, short 2 ]) grey
    "lossless coding", webp true (drawn 1 (5, 6))
    "an animation", extended [ "VP8X", Array.zeroCreate 10; "ANIM", Array.zeroCreate 6 ] webps.Head []
]

/// What no file of the formats has.
let private impossible = [
    "BMP without rows", patched [ 22, number 0 ] bmp
    "BMP with less pixels than it claims", patched [ 22, number 8 ] bmp
    "BMP of another header", patched [ 14, number 41 ] bmp
    "BMP with a palette of 257 colours",
    patched [ 46, number 257 ] (Bmp.write (Bmp.draw 3 (7, 9) false false (40, 8, 0)))
    "GIF without a frame", patched [ 13 + 48 + 9, [| 0x3Buy |] ] gif
    "GIF with codes of 9 bits", patched [ 13 + 48 + 9 + 10, [| 9uy |] ] gif
    "GIF without colours",
    Gif.write (Gif.draw 3 (7, 9) false None (16, true, false)) |> patched [ 13 + 9 + 9, [| 0uy |] ]
    "TIFF with strips of no rows", tagged 278 (value 0) grey
    "TIFF with a tag of another type", tagged 259 (fun entry -> [ entry + 2, short 4 ]) grey
    "TIFF with a strip outside the file", tagged 273 (fun entry -> [ entry + 8, number 100000 ]) grey
    "TIFF with two directories of no end", patched [ 4, number 1000000 ] grey
    "WebP without a picture", extended [ "VP8X", Array.zeroCreate 10 ] (Array.zeroCreate 12) []
    "WebP with a chunk outside the file", patched [ 16, number 100000 ] webps.Head
]

let private huge = [
    "BMP", patched [ 18, number 30000; 22, number 30000 ] (Bmp.write (Bmp.draw 3 (1, 1) false false (40, 8, 1)))
    "GIF", patched [ 6, Array.create 4 255uy; 13 + 48 + 9 + 5, Array.create 4 255uy ] gif
    "TIFF", tagged 256 (value 65535) grey |> tagged 257 (value 65535) |> tagged 278 (value 65535)
    // Width and height of 14 bits in the frame header.
    "WebP", patched [ 26, Array.create 4 255uy ] webps.Head
]

let tests =
    testList "other pictures" [
        testProperty "BMP of every header, depth and coding is read as the format says" (fun (p: Planes) ->
            all [
                for kind in Bmp.kinds do
                    let bmp = Bmp.draw p.Seed (size p) (p.Seed % 3 = 0) (p.Seed % 2 = 0) kind
                    exact (view (Bmp.expected bmp)) (view (decode (Bmp.write bmp)))
            ])

        testProperty "GIF of every palette and order of rows is read as the format says" (fun (p: Planes) ->
            all [
                for kind in Gif.kinds do
                    for transparent in [ None; Some 1 ] do
                        let gif = Gif.draw p.Seed (size p) (p.Seed % 3 = 0) transparent kind
                        exact (view (Gif.expected gif)) (view (decode (Gif.write gif)))
            ])

        testProperty "of an animation the first frame is read" (fun (p: Planes) ->
            let frames = [ for i in 0..2 -> Gif.draw (p.Seed + i) (size p) false None (16, i = 2, false) ]
            exact (view (Gif.expected frames.Head)) (view (decode (Gif.animation frames))))

        testProperty
            "TIFF of every kind of pixel, coding, byte order and strip is read as the format says"
            (fun (p: Planes) ->
                all [
                    for kind in Tiff.kinds do
                        let tiff = Tiff.draw p.Seed (size p) kind
                        exact (view (Tiff.expected tiff)) (view (decode (Tiff.write tiff)))
                ])

        testProperty "a TIFF file is turned upright as its tag 274 says" (fun (p: Planes) ->
            all [
                for orientation in 1..8 do
                    let tiff = Tiff.draw p.Seed (size p) (5, 2, 3, 8)
                    let turned = decode (Tiff.write { tiff with Orientation = orientation })
                    exact (view (upright orientation (Tiff.expected tiff))) (view turned)
            ])

        testProperty "a WebP file is turned upright as its EXIF says, and its alpha is dropped" (fun (p: Planes) ->
            let file = webp false (drawn p.Seed (size p))
            let stored = decode file

            all [
                for orientation in 1..8 do
                    let exif = Tiff.write { Tiff.draw 1 (1, 1) (1, 1, 1, 8) with Orientation = orientation }
                    let alpha = [ "VP8X", Array.zeroCreate 10; "ALPH", Array.create 7 255uy ]
                    let turned = view (upright orientation stored)
                    exact turned (view (decode (extended alpha file [ "EXIF", exif ])))
                    exact turned (view (decode (extended [] file [ "EXIF", Array.append "Exif\000\000"B exif ])))
            ])

        // Two roundings of colours, and one of a coefficient at a step of quality 60.
        testProperty "WebP of one colour has it, within 8" (fun (p: Planes) ->
            let colour = noise p.Seed 3 256 |> Array.map byte
            let read = decode (webp false (plain (fst (size p)) (snd (size p)) colour))
            let expected = view (plain read.Height read.Width colour)
            same (size p) (read.Height, read.Width) .&. within (fun _ -> 8.0) expected (view read))

        testEach "a file that ends early is refused, or has the whole picture" samples fst (fun (_, files) ->
            for file in files do
                let whole = (decode file).Pixels.ToArray()

                for length in 0 .. 1 + file.Length / 200 .. file.Length - 1 do
                    try
                        Assert.That((decode file[.. length - 1]).Pixels.ToArray() = whole, string length)
                    with :? DataFormatException ->
                        ())

        testEach "what is not read is refused by name" refused fst (fun (name, file) ->
            let error = refusal file
            Assert.That(error.Message, both (containing name) (containing "not supported")))

        testEach "what cannot be is refused" impossible fst (fun (_, file) ->
            Assert.That((refusal file).File, equalTo "file"))

        testSequenced (
            testCase "sizes are checked before memory is taken" (fun () ->
                for name, file in huge do
                    let before = GC.GetAllocatedBytesForCurrentThread()
                    refusal file |> ignore
                    Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, lessThan 1000000L, name))
        )

        testEach "damaged files give a picture or a DataFormatException" samples fst (fun (_, files) ->
            Fuzzing.survives files (fun bytes -> decode bytes |> ignore))

        testCase "the C# half reads every format, the F# half those of its own" (fun () ->
            inFolder (fun folder ->
                let files = [ for _, files in samples -> List.head files ]
                Directory.CreateDirectory(Path.Combine(folder, "class")) |> ignore

                for i, file in Seq.indexed files do
                    let path = Path.Combine(folder, "class", string i)
                    File.WriteAllBytes(path, file)
                    Assert.That(view (Images.Load path) = view (decode file), path)
                    Assert.Throws<DataFormatException>(fun () -> Cnn.FSharp.Image.load path |> ignore) |> ignore

                let options = ImageFolderOptions(3, 3)
                Assert.That(ImageFolder.Load(folder, options).Count, equalTo files.Length)

                let error =
                    Assert.Throws<DataFormatException>(fun () ->
                        Cnn.FSharp.ImageFolder.load (SequentialScheduler()) options folder CancellationToken.None
                        |> ignore)

                Assert.That(error.Expected, endingWith "JPEG, PNG, Netpbm")
                let own = ImageFolderOptions(3, 3, codecs = ImageCodecs.Default)
                Assert.Throws<DataFormatException>(fun () -> ImageFolder.Load(folder, own) |> ignore) |> ignore
                let unknown = refusal [| 0uy |]
                Assert.That(unknown.Expected, endingWith "JPEG, PNG, Netpbm, GIF, BMP, TIFF, WebP")))

        // Pillow reads RLE4 and planes of 16 bits otherwise than their specifications say, and widens 5 bits by truncation.
        testCase "pictures are as Pillow reads them, its own files and ours" (fun () ->
            let ours = [
                for header, bits, coding in Bmp.kinds do
                    if coding <> 2 && bits <> 16 then
                        Bmp.write (Bmp.draw 5 (7, 9) false false (header, bits, coding))
                for kind in Gif.kinds do
                    Gif.write (Gif.draw 5 (9, 7) false None kind)
                    Gif.write (Gif.draw 5 (9, 7) false (Some 1) kind)
                for seed, kind in Seq.indexed Tiff.kinds do
                    let tiff = Tiff.draw seed (7, 9) kind

                    if not tiff.IsPlanar || tiff.Depth = 8 then
                        Tiff.write tiff
                yield! List.truncate 2 webps
            ]

            Python.script
                [ "PIL" ]
                "pillow_pictures.py"
                (fun folder ->
                    for i, file in Seq.indexed ours do
                        File.WriteAllBytes(Path.Combine(folder, "ours-" + string i), file))
                (fun folder _ ->
                    let judged = Directory.GetFiles(folder, "*.channels-*")
                    // White as zero of 16 bits is none of Pillow's kinds.
                    Assert.That(judged.Length, atLeast (ours.Length - 4 + 40))

                    let wrong = [
                        for path in judged do
                            let found = Images.Load path[.. path.Length - 12]
                            let pixels = if path.EndsWith '3' then found.ToRgb().Pixels else found.Pixels

                            if pixels.ToArray() <> File.ReadAllBytes path then
                                Path.GetFileName path
                    ]

                    Assert.That(wrong, isEmpty, String.Join(", ", wrong))))
    ]
