/// The JPEG format: what bad bytes get, and files of other programs.
module Cnn.Tests.Formats.JpegRefusalLaws

open System
open System.IO
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Golden
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.JpegWriter
open Cnn.Tests.Formats.JpegLaws
open Cnn.Tests.Laws.Law

let private refusal (file: byte[]) = Assert.Throws<DataFormatException>(fun () -> decode file |> ignore)

/// A file of a small picture.
let private small coding components =
    let below = drawing 5

    let sketch = {
        sequential with
            Height = 19
            Width = 21
            Coding = coding
            Restart = if coding = Separate then 2 else 0
            Components =
                List.init components (fun i -> {
                    Horizontal = (if i = 0 then 2 else 1)
                    Vertical = (if i = 0 then 2 else 1)
                    Steps = Array.create 64 3
                    Blocks = [||]
                })
    }

    let filled c =
        let down, across = blocks sketch c
        { c with Blocks = Array.init (down * across) (fun _ -> block below c.Steps) }

    { sketch with Components = List.map filled sketch.Components }

let private codings = [ Interleaved; Separate; Progressive ]

/// The file with the bytes behind a marker changed; offset 0 is the code of the marker.
let private patch (file: byte[]) (code: byte) changes =
    let at =
        1 + (seq { 0 .. file.Length - 2 } |> Seq.find (fun i -> file[i] = 0xFFuy && file[i + 1] = code))

    let patched = Array.copy file

    for offset, value in changes do
        patched[at + offset] <- value

    patched, int64 at

/// The folder of sample files; the test is skipped where it is absent.
let private folder () =
    match Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", "jpeg")) with
    | Some folder when Directory.Exists folder -> folder
    | _ ->
        Assert.Ignore "Set the environment variable CNN_SHARED to a folder that holds `data/jpeg`."
        ""

let private sound () = Directory.GetFiles(folder (), "*.jpg")

let tests =
    testList "JPEG refusal" [
        testTheory "every file that ends early is refused, where it ends or before" codings (fun (coding: Coding) ->
            let file = write (small coding 3)

            for length in 0 .. file.Length - 1 do
                let error = refusal file[.. length - 1]
                Assert.That(error.File, equalTo "file")
                Assert.That(error.Offset, between (0L, int64 length)))

        testCase "what follows the end, and bytes between a scan and the next marker, are skipped" (fun () ->
            let sketch = small Separate 3
            let file = write sketch
            let padded = scans sketch |> List.map (fun scan -> Array.append scan [| 0uy; 1uy; 2uy; 0xFFuy; 0uy |])
            Assert.That(pixels (decode (Array.append file [| 1uy; 2uy; 3uy |])), equalTo (pixels (decode file)))
            Assert.That(pixels (decode (writeWith padded sketch)), equalTo (pixels (decode file))))

        testTheory
            "other codings are refused by name"
            [
                0xC3, "lossless"
                0xC5, "hierarchical"
                0xC7, "hierarchical"
                0xC9, "arithmetic"
                0xCA, "arithmetic"
                0xCB, "arithmetic"
                0xCC, "arithmetic"
                0xCF, "arithmetic"
                0xDC, "DNL"
                0xDE, "hierarchical"
            ]
            (fun (code: int, name: string) ->
                let file, at = patch (write (small Interleaved 3)) 0xC0uy [ 0, byte code ]
                let error = refusal file
                Assert.That(error.Actual, containing name)
                Assert.That(error.Offset, equalTo (at - 1L)))

        testCase "12 bits, no rows, no columns, CMYK and odd factors are refused by name" (fun () ->
            let refused changes (word: string) =
                let file, at = patch (write (small Interleaved 3)) 0xC0uy changes
                let error = refusal file
                Assert.That(error.Message, containing word)
                Assert.That(error.Offset, between (at, at + 20L))

            refused [ 3, 12uy ] "12 bits"
            refused [ 4, 0uy; 5, 0uy ] "DNL"
            refused [ 6, 0uy; 7, 0uy ] "width"
            refused [ 8, 4uy ] "CMYK"
            refused [ 8, 2uy ] "component"
            refused [ 10, 0x51uy ] "sampling factors"
            refused [ 10, 0x20uy ] "sampling factors"
            refused [ 11, 4uy ] "quantisation table"
            refused [ 2, 18uy ] "frame header"
            refused [ 2, 1uy ] "frame header")

        testCase "sizes are checked before memory is taken" (fun () ->
            for coding, code in [ Interleaved, 0xC0uy; Progressive, 0xC2uy ] do
                let file, at = patch (write (small coding 3)) code [ for i in 4..7 -> i, 0xFFuy ]
                let before = GC.GetAllocatedBytesForCurrentThread()
                Assert.That((refusal file).Offset, equalTo (at + 4L))
                Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, lessThan 100000L))

        testCase "codes that are none, and words that are none, are refused" (fun () ->
            let file = write (small Interleaved 1)
            // Seventeen words of four bits.
            let full, at = patch file 0xC4uy [ 7, 17uy ]
            Assert.That((refusal full).Offset, equalTo (at + 4L))
            Assert.That((refusal full).Expected, containing "Huffman")

            let refused (bits: string) (word: string) =
                let data =
                    bits.PadRight((bits.Length + 7) / 8 * 8, '1')
                    |> Seq.chunkBySize 8
                    |> Seq.map (fun eight -> Convert.ToByte(String eight, 2))

                let sketch = small Interleaved 1
                let header = Array.truncate 10 (List.head (scans sketch))

                Assert.That(
                    (refusal (writeWith [ Array.append header (Array.ofSeq data) ] sketch)).Message,
                    containing word
                )

            refused "110111011101110111011101" "Huffman code"
            // No difference in DC, then four times fifteen zeros and a coefficient: the last is number 64.
            refused ("0000" + String.replicate 4 "0110110011011" + String.replicate 32 "0") "coefficients up to 63")

        testCase "tables, frames and components that are missing are told" (fun () ->
            let told code change (word: string) =
                let file, _ = patch (write (small Interleaved 3)) code [ change ]
                Assert.That((refusal file).Message, containing word)

            told 0xC4uy (0, 0xFEuy) "Huffman table 0"
            told 0xDBuy (0, 0xFEuy) "quantisation table 0"
            told 0xC0uy (0, 0xFEuy) "frame header"
            told 0xDAuy (4, 9uy) "component 9"
            told 0xDBuy (3, 0x20uy) "8 or 16 bits"
            told 0xDBuy (4, 0uy) "quantisation steps of 1 or more"
            told 0xC4uy (3, 4uy) "Huffman table 0 to 3"
            told 0xC4uy (20, 16uy) "at most 15 bits"
            told 0xC4uy (2, 1uy) "Huffman tables, as long as what it holds"
            let sketch = small Separate 3
            let error = refusal (writeWith (List.take 2 (scans sketch)) sketch)
            Assert.That(error.Message, containing "component 3"))

        testCase "restart markers that are missing or out of order are refused" (fun () ->
            let file, at = patch (write (small Separate 3)) 0xD0uy [ 0, 0xD1uy ]
            let error = refusal file
            Assert.That(error.Offset, equalTo (at - 1L))
            Assert.That(error.Message, containing "FFD0"))

        testCase "scans that code a coefficient again, or a bit too early, are refused" (fun () ->
            let sketch = small Progressive 1

            let refused scans =
                Assert.That((refusal (writeWith scans sketch)).Message, containing "again or too early")

            let dc, ac = scan sketch [ 0 ] (0, 0, 0, 1), scan sketch [ 0 ] (1, 63, 0, 1)
            refused [ dc; dc ]
            refused [ dc; ac; scan sketch [ 0 ] (5, 5, 0, 1) ]
            refused [ scan sketch [ 0 ] (0, 0, 1, 0) ]
            refused [ dc; scan sketch [ 0 ] (1, 63, 1, 0) ])

        testCase "bands and bits that no progression has are refused" (fun () ->
            let refused components changes (word: string) =
                let file, _ = patch (write (small Progressive components)) 0xDAuy changes
                Assert.That((refusal file).Message, containing word)

            refused 1 [ 7, 5uy ] "coefficient 0 alone"
            refused 1 [ 6, 5uy; 7, 4uy ] "some of 1 to 63"
            refused 1 [ 6, 5uy; 7, 64uy ] "some of 1 to 63"
            refused 1 [ 8, 0x0Euy ] "bits from 13 down"
            refused 1 [ 8, 0x20uy ] "one at a time"
            refused 3 [ 10, 1uy; 11, 5uy ] "one component")

        testCase "a run of blocks that goes on behind the last is refused" (fun () ->
            let sketch = { small Progressive 1 with Height = 8; Width = 8 }
            let scans = scans sketch
            let header = Array.truncate 10 scans[1]
            // Symbol 10 and a bit 0: this block and the next.
            let tooLong = Array.append header [| 0b00010000uy; 0b01111111uy |]
            Assert.That((refusal (writeWith [ scans[0]; tooLong ] sketch)).Message, containing "one that goes on"))

        testCase "any number of segments is read without recursion" (fun () ->
            let comment = segment 0xFEuy [||]
            let sketch = { small Interleaved 1 with Before = [ Array.replicate 200000 comment |> Array.concat ] }
            Assert.That((decode (write sketch)).Width, equalTo 21))

        testCase "scans that cost more time than the bytes of the file are worth are refused" (fun () ->
            let sketch = {
                sequential with
                    Height = 800
                    Width = 800
                    Coding = Progressive
                    Components = [
                        {
                            Horizontal = 1
                            Vertical = 1
                            Steps = Array.create 64 1
                            Blocks = Array.create 10000 (Array.zeroCreate 64)
                        }
                    ]
            }

            let dc, ac = scan sketch [ 0 ] (0, 0, 0, 0), scan sketch [ 0 ] (1, 1, 0, 13)

            // Of nothing, scans differ in their headers alone.
            let scanOf (k, high, low) =
                Array.concat [ ac[..6]; [| byte k; byte k; byte (16 * high + low) |]; ac[10..] ]

            let bits = (0, 13) :: [ for low in 12..-1..0 -> low + 1, low ]

            let all = [
                for high, low in bits do
                    for k in 1..63 -> scanOf (k, high, low)
            ]

            Assert.That(pixels (decode (writeWith (dc :: List.take 60 all) sketch)) |> Seq.forall ((=) 128uy))
            Assert.That((refusal (writeWith (dc :: all) sketch)).Message, containing "blocks for each byte"))

        testCase "EXIF that cannot be read does not spoil the picture" (fun () ->
            let sketch = small Interleaved 3
            let expected = pixels (decode (write sketch))
            let whole = exif true 6

            for length in 4 .. whole.Length - 21 do
                let cut = segment 0xE1uy whole[4 .. length - 1]
                Assert.That(pixels (decode (write { sketch with Before = [ cut ] })), equalTo expected))

        testCase "damaged JPEG files give a picture or a DataFormatException" (fun () ->
            let samples = [
                for coding in codings do
                    write (small coding 1)
                    write { small coding 3 with Before = [ jfif; exif true 6 ] }
                    write { small coding 3 with Restart = 1; IsWide = true }
            ]

            Fuzzing.survives samples (fun bytes -> decode bytes |> ignore))

        testCase "sample files are as libjpeg reads them, within 3" (fun () ->
            for path in sound () do
                let expected = path[.. path.Length - 5] + ".expected.png"
                let wanted = (PngCodec() :> IImageCodec).Decode(expected, ReadOnlyMemory(File.ReadAllBytes expected))
                let found = decode (File.ReadAllBytes path)
                Assert.That(found.Shape, equalTo wanted.Shape, path)

                for a, b in Seq.zip (pixels wanted) (pixels found) do
                    Assert.That(float b, closeTo (float a) 3.0, path))

        testCase "bad sample files are refused" (fun () ->
            let bad = Directory.GetFiles(Path.Combine(folder (), "bad"), "*.jpg")
            Assert.That(bad, havingLength 13)

            for path in bad do
                Assert.That(refusal(File.ReadAllBytes path).Message, startingWith "file at byte "))

        testCase "damaged sample files give a picture or a DataFormatException" (fun () ->
            Fuzzing.survives (sound () |> Array.map File.ReadAllBytes) (fun bytes -> decode bytes |> ignore))
    ]
