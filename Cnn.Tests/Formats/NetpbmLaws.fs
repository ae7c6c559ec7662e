/// The Netpbm formats: what is read, what is written, and what bad bytes get.
module Cnn.Tests.Formats.NetpbmLaws

open System
open System.Text
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.PngLaws
open Cnn.Tests.Laws.Law

let private decode (bytes: byte[]) = Netpbm.decode "file" (ReadOnlyMemory bytes)
let private ascii (text: string) = Encoding.ASCII.GetBytes text
let private text (file: string) = decode (ascii file)

/// Extents, largest value and samples of a picture of one format, P1 to P6.
let private draw (p: Planes) format =
    let key = Key.ofSeed (p.Seed + format)
    let most = if format % 3 = 1 then 1 else [| 255; 65535; 1; 7; 300; 1000 |][p.Seed % 6]
    let count = p.ImageSize.Height * p.ImageSize.Width * (if format % 3 = 0 then 3 else 1)
    most, Array.init count (fun i -> key.Below(most + 1, int64 i))

/// A file as the formats' descriptions say, with white space and comments that the seed decides.
let private write (p: Planes) format (most: int, samples: int[]) =
    let spaces = [| " "; "\n"; "\t \r\n"; " # a comment\n"; "\n#1 2 3\n\n" |]
    let space i = spaces[(p.Seed / 7 + i) % spaces.Length]

    let header =
        "P" + string format + space 0 + string p.ImageSize.Width + space 1 + string p.ImageSize.Height

    let header = if format % 3 = 1 then header else header + space 2 + string most
    let width = p.ImageSize.Width

    let pixels =
        match format with
        | 1 when p.Seed % 2 = 0 -> ascii (" " + String.Join("", samples))
        | 1
        | 2
        | 3 -> ascii (samples |> Array.mapi (fun i v -> space i + string v) |> String.concat "")
        | 4 ->
            samples
            |> Array.chunkBySize width
            |> Array.collect (Array.chunkBySize 8)
            |> Array.map (fun bits -> byte (Seq.sum (Seq.mapi (fun i bit -> bit <<< (7 - i)) bits)))
            |> Array.append [| 10uy |]
        | _ when most > 255 ->
            samples |> Array.collect (fun v -> [| byte (v / 256); byte v |]) |> Array.append [| 32uy |]
        | _ -> Array.append [| 9uy |] (Array.map byte samples)

    Array.append (ascii header) pixels

let private expected (p: Planes) format (most: int, samples: int[]) =
    let eight (v: int) =
        if format % 3 = 1 then
            byte (255 * (1 - v))
        else
            byte (Math.Floor(255.0 * float v / float most + 0.5))

    let channels = if format % 3 = 0 then 3 else 1
    Image.Of(p.ImageSize.Height, p.ImageSize.Width, channels, ReadOnlySpan(Array.map eight samples))

let tests =
    testList "Netpbm" [
        testProperty "each of the six formats is read as its description says" (fun (p: Planes) ->
            all [
                for format in 1..6 do
                    let picture = draw p format
                    exact (view (expected p format picture)) (view (decode (write p format picture)))
            ])

        testProperty "decode ∘ encode is the identity on grey and RGB" (fun (p: Planes) ->
            all [
                for image in images p do
                    if image.Channels % 2 = 1 then
                        exact (view image) (view (decode (Netpbm.encode image)))
            ])

        testCase "pictures with alpha are not written" (fun () ->
            for channels in [ 2; 4 ] do
                let image = Image.Of(1, 1, channels, ReadOnlySpan(Array.zeroCreate channels))
                Assert.Throws<ShapeException>(fun () -> Netpbm.encode image |> ignore) |> ignore)

        testCase "a comment may stand for the white space before binary pixels" (fun () ->
            Assert.That(view (text "P5 1 1 255# 9\nA"), equalTo (view (Image.Of(1, 1, 1, ReadOnlySpan [| 65uy |])))))

        testTheory
            "what is wrong is refused with its offset"
            [
                "", 0
                "P", 0
                "P7 1 1 1 1", 0
                "P51 1 255 A", 2
                "P5 0 1 255 A", 3
                "P5 1 -1 255 A", 5
                "P5 1 1 0 A", 7
                "P5 1 1 65536 A", 7
                "P5 1x 1 255 A", 4
                "P5 1 1", 6
                "P5 1 1 # ", 9
                "P5 99999999999999999999 1 255 A", 3
                "P5 2147483647 2147483647 255 A", 2
                "P6 2147483647 1 255 A", 2
                "P5 2 1 255 A", 11
                "P5 1 1 256 A", 11
                "P5 1 1 9 A", 9
                "P4 9 1 A", 7
                "P1 2 1 12", 8
                "P1 2 1 1", 8
                "P2 2 1 9 1", 8
                "P2 2 1 9 1 ", 11
                "P2 2 1 9 1 10", 11
                "P3 1 1 9 1 2 x", 13
            ]
            (fun (file: string, offset: int) ->
                let error = Assert.Throws<DataFormatException>(fun () -> text file |> ignore)
                Assert.That(error.Offset, equalTo (int64 offset), error.Message))

        testCase "damaged files of every format give a picture or a DataFormatException" (fun () ->
            let planes seed = {
                ImageSize = { Height = 5 + seed; Width = 11 }
                KernelSize = Size.Square 1
                OtherSize = Size.Square 1
                Seed = seed
            }

            Fuzzing.survives
                [
                    for seed in 0..5 do
                        for format in 1..6 -> write (planes seed) format (draw (planes seed) format)
                ]
                (fun bytes -> decode bytes |> ignore))
    ]
