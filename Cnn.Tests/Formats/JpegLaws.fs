/// The JPEG format: what is read, and what bad bytes get.
module Cnn.Tests.Formats.JpegLaws

open System
open System.IO
open FsCheck.FSharp
open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Tests.Golden
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.JpegWriter

let private decode (file: byte[]) = (JpegCodec() :> IImageCodec).Decode("file", ReadOnlyMemory file)

let private pixels (image: Image) = image.Pixels.ToArray()

/// Numbers below a bound, one after the other.
let private drawing seed =
    let key = Key.ofSeed seed
    let mutable draws = 0L

    fun bound ->
        draws <- draws + 1L
        key.Below(bound, draws)

let private sequential = {
    Height = 8
    Width = 8
    Components = []
    Names = [| 1uy; 2uy; 3uy |]
    Coding = Interleaved
    Restart = 0
    Fill = 0
    IsWide = false
    Before = []
}

/// A block of which one half of all have nothing but DC, and the others up to eight frequencies.
let private block below (steps: int[]) =
    let coefficients = Array.zeroCreate 64
    let value most step = (below (2 * most + 1) - most) / step
    coefficients[0] <- value 1000 steps[0]

    if below 2 = 0 then
        for _ in 1 .. 1 + below 8 do
            let i = 1 + below 63
            coefficients[i] <- value 300 steps[i]

    coefficients

/// A sketch of random coefficients; any size up to 40×40 and any sampling factors.
let private (|Sketch|) (r: Rows) =
    let below = drawing r.Seed
    let factor () = if below 2 = 0 then 1 + below 2 else 1 + below 4

    let components =
        List.init (if below 3 = 0 then 1 else 3) (fun _ -> {
            Horizontal = factor ()
            Vertical = factor ()
            Steps = Array.init 64 (fun _ -> 1 + below 12)
            Blocks = [||]
        })

    let sketch = {
        sequential with
            Height = 1 + below (8 * r.Count)
            Width = 1 + below (5 * r.Features)
            Components = components
    }

    let filled (c: Component) =
        let down, across = blocks sketch c
        { c with Blocks = Array.init (down * across) (fun _ -> block below c.Steps) }

    { sketch with Components = components |> List.map filled }

let private cosine (n: int) (k: int) =
    cos (float ((2 * n + 1) * k) * Math.PI / 16.0) * (if k = 0 then sqrt 0.5 else 1.0)

/// cosine n k at 8·n + k.
let private cosines = Array.init 64 (fun i -> cosine (i / 8) (i % 8))

/// ITU-T T.81, A.3.3, before the level shift.
let private inverse (coefficients: float[]) =
    Array.init 64 (fun i ->
        let y, x = i / 8, i % 8
        let term j = coefficients[j] * cosines[8 * y + j / 8] * cosines[8 * x + j % 8]
        Seq.sumBy term (seq { 0..63 }) / 4.0)

/// Its transpose, which is its inverse.
let private forward (samples: float[]) =
    Array.init 64 (fun j ->
        let term i = samples[i] * cosines[8 * (i / 8) + j / 8] * cosines[8 * (i % 8) + j % 8]
        Seq.sumBy term (seq { 0..63 }) / 4.0)

let private clamp x = max 0.0 (min 255.0 x)

/// The first component alone, as a grey picture.
let private alone sketch (c: Component) =
    let height, width = size sketch c
    { sketch with Height = height; Width = width; Components = [ c ]; Before = [] }

/// |a − b| ≤ bound for all bytes.
let private close (bound: float) (expected: float[]) (image: Image) =
    let actual = pixels image

    if expected.Length <> actual.Length then
        same expected.Length actual.Length
    else
        match
            Seq.tryFindIndex (fun i -> abs (expected[i] - float actual[i]) > bound) (seq { 0 .. actual.Length - 1 })
        with
        | None -> Prop.ofTestable true
        | Some i -> false |> Prop.label $"at {i}: {expected[i]} against {actual[i]}, allowed {bound}"

[<Law>]
let ``samples are the inverse cosine transform of the coefficients, within 1`` (Sketch sketch) =
    let c = sketch.Components.Head
    let grey = alone sketch c
    let _, across = blocks grey c
    let transformed = c.Blocks |> Array.map (Array.map2 (fun step v -> float (step * v)) c.Steps >> inverse)

    let expected =
        Array.init (grey.Height * grey.Width) (fun i ->
            let y, x = i / grey.Width, i % grey.Width
            let samples = transformed[(y / 8) * across + x / 8]
            clamp (Math.Round(128.0 + samples[8 * (y % 8) + x % 8])))

    close 1.0 expected (decode (write grey))

[<Law>]
let ``decode ∘ encode is the identity up to quantisation: ‖error of a block‖ ≤ ½·‖steps‖``
    (Sketch sketch)
    (isWide: bool)
    =
    let below = drawing sketch.Height
    let count = sketch.Components.Length
    let height, width = sketch.Height, sketch.Width
    let picture = Array.init (height * width * count) (fun i -> byte (below 64 + (i * 7) % 190))
    let sample channel y x = picture[((min y (height - 1)) * width + min x (width - 1)) * count + channel]

    let encoded channel (c: Component) =
        let c = { c with Horizontal = 1; Vertical = 1 }
        let across = (width + 7) / 8

        let block b =
            let row, column = 8 * (b / across), 8 * (b % across)

            Array.init 64 (fun i -> float (sample channel (row + i / 8) (column + i % 8)) - 128.0)
            |> forward
            |> Array.map2 (fun step v -> int (Math.Round(v / float step))) c.Steps

        { c with Blocks = Array.init (((height + 7) / 8) * across) block }

    let file =
        write {
            sketch with
                Components = List.mapi encoded sketch.Components
                IsWide = isWide
                Before = [ adobe 0 ]
        }

    let norm =
        sketch.Components
        |> Seq.map (fun c -> sqrt (float (Array.sumBy (fun q -> q * q) c.Steps)))
        |> Seq.max

    close (0.5 * norm + 1.0) (Array.map float picture) (decode file)

/// A component at the size of the picture: linear between the centres of samples, the outermost repeated.
let private enlarge sketch (c: Component) (image: Image) y x =
    let samples = image.Pixels

    let place (factor: int) (most: int) (count: int) (at: int) =
        let position = (float at + 0.5) * float factor / float most - 0.5
        max 0.0 (min (float (count - 1)) position)

    let y = place c.Vertical (most _.Vertical sketch) image.Height y
    let x = place c.Horizontal (most _.Horizontal sketch) image.Width x

    let at row column =
        float samples.Span[min row (image.Height - 1) * image.Width + min column (image.Width - 1)]

    let top, left = int y, int x
    let mix a b t = (1.0 - t) * a + t * b

    mix
        (mix (at top left) (at top (left + 1)) (x - float left))
        (mix (at (top + 1) left) (at (top + 1) (left + 1)) (x - float left))
        (y - float top)

/// ITU-T T.871 (JFIF), section 7.
let private toRgb (y: float) (cb: float) (cr: float) = [|
    y + 1.402 * (cr - 128.0)
    y - (0.114 * 1.772 * (cb - 128.0) + 0.299 * 1.402 * (cr - 128.0)) / 0.587
    y + 1.772 * (cb - 128.0)
|]

/// What tells colours, and whether it means YCbCr.
let private colours = [
    [ jfif ], [| 1uy; 2uy; 3uy |], true
    [ jfif; adobe 0 ], [| 1uy; 2uy; 3uy |], true
    [ adobe 0 ], [| 1uy; 2uy; 3uy |], false
    [ adobe 1 ], [| 0uy; 1uy; 2uy |], true
    [], [| 7uy; 8uy; 9uy |], true
    [], "RGB"B, false
]

[<Law>]
let ``a picture is its components, each enlarged linearly, in RGB`` (Sketch sketch) =
    let before, names, isYCbCr = colours[(sketch.Height + sketch.Width) % colours.Length]
    let image = decode (write { sketch with Before = before; Names = names })
    let parts = sketch.Components |> List.map (fun c -> enlarge sketch c (decode (write (alone sketch c))))

    let expected = [|
        for y in 0 .. sketch.Height - 1 do
            for x in 0 .. sketch.Width - 1 do
                match parts with
                | [ a; b; c ] when isYCbCr -> yield! toRgb (a y x) (b y x) (c y x) |> Array.map clamp
                | parts -> yield! parts |> List.map (fun part -> part y x)
    |]

    // Each component is rounded to a byte, and the sum in fixed point. Thirds are rounded to 2⁻⁸ in both directions.
    let hasThirds = most _.Horizontal sketch = 3 || most _.Vertical sketch = 3
    let rounding = if hasThirds then 0.5 + 2.0 * 255.0 / 512.0 else 0.5
    close (rounding * (1.0 + 1.772) + 0.6) expected image

[<Law>]
let ``scans, restart markers, fill bytes, wide tables and other segments do not change the picture``
    (Sketch sketch)
    (restart: byte)
    =
    let comment = segment 0xFEuy [| 0xFFuy; 0xD9uy |]
    let expected = pixels (decode (write sketch))

    all [
        for coding in [ Interleaved; Separate; Progressive ] do
            for interval in [ 0; 1 + int restart % 5; 40 ] do
                let sketch = {
                    sketch with
                        Coding = coding
                        Restart = interval
                        Fill = interval % 3
                        IsWide = interval > 0
                        Before = [ comment; segment 0xEBuy [||]; exif false 1 ]
                }

                same expected (pixels (decode (write sketch)))
    ]

/// Where orientation puts row r, column c of a stored picture of h×w: CIPA DC-008 (Exif 2.32), section 4.6.4 A.
let private upright orientation h w r c =
    match orientation with
    | 2 -> r, w - 1 - c
    | 3 -> h - 1 - r, w - 1 - c
    | 4 -> h - 1 - r, c
    | 5 -> c, r
    | 6 -> c, h - 1 - r
    | 7 -> w - 1 - c, h - 1 - r
    | 8 -> w - 1 - c, r
    | _ -> r, c

[<Law>]
let ``pictures are turned upright as EXIF says, in both byte orders`` (Sketch sketch) (isLittleEndian: bool) =
    let stored = decode (write sketch)
    let pixel (image: Image) y x = image.Pixels.Slice((y * image.Width + x) * image.Channels, image.Channels).ToArray()

    all [
        for orientation in 0..9 do
            let image = decode (write { sketch with Before = [ exif isLittleEndian orientation ] })
            let isTurned = orientation >= 5 && orientation <= 8
            let h, w = stored.Height, stored.Width
            same (if isTurned then w, h else h, w) (image.Height, image.Width)

            same
                true
                (Seq.allPairs (seq { 0 .. h - 1 }) (seq { 0 .. w - 1 })
                 |> Seq.forall (fun (r, c) ->
                     let y, x = upright orientation h w r c
                     pixel stored r c = pixel image y x))
    ]

let private refusal (file: byte[]) = nonNull (Assert.Throws<DataFormatException>(fun () -> decode file |> ignore))

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

[<TestCaseSource(nameof codings)>]
let ``every file that ends early is refused, where it ends or before`` (coding: Coding) =
    let file = write (small coding 3)

    for length in 0 .. file.Length - 1 do
        let error = refusal file[.. length - 1]
        Assert.That(error.File, Is.EqualTo "file")
        Assert.That(error.Offset, Is.InRange(0L, int64 length))

[<Test>]
let ``what follows the end, and bytes between a scan and the next marker, are skipped`` () =
    let sketch = small Separate 3
    let file = write sketch
    let padded = scans sketch |> List.map (fun scan -> Array.append scan [| 0uy; 1uy; 2uy; 0xFFuy; 0uy |])
    Assert.That(pixels (decode (Array.append file [| 1uy; 2uy; 3uy |])), equalTo (pixels (decode file)))
    Assert.That(pixels (decode (writeWith padded sketch)), equalTo (pixels (decode file)))

/// The file with the bytes behind a marker changed; offset 0 is the code of the marker.
let private patch (file: byte[]) (code: byte) changes =
    let at =
        1 + (seq { 0 .. file.Length - 2 } |> Seq.find (fun i -> file[i] = 0xFFuy && file[i + 1] = code))

    let patched = Array.copy file

    for offset, value in changes do
        patched[at + offset] <- value

    patched, int64 at

[<TestCase(0xC3, "lossless")>]
[<TestCase(0xC5, "hierarchical")>]
[<TestCase(0xC7, "hierarchical")>]
[<TestCase(0xC9, "arithmetic")>]
[<TestCase(0xCA, "arithmetic")>]
[<TestCase(0xCB, "arithmetic")>]
[<TestCase(0xCC, "arithmetic")>]
[<TestCase(0xCF, "arithmetic")>]
[<TestCase(0xDC, "DNL")>]
[<TestCase(0xDE, "hierarchical")>]
let ``other codings are refused by name`` (code: int) (name: string) =
    let file, at = patch (write (small Interleaved 3)) 0xC0uy [ 0, byte code ]
    let error = refusal file
    Assert.That(error.Actual, Does.Contain name)
    Assert.That(error.Offset, Is.EqualTo(at - 1L))

[<Test>]
let ``12 bits, no rows, no columns, CMYK and odd factors are refused by name`` () =
    let refused changes (word: string) =
        let file, at = patch (write (small Interleaved 3)) 0xC0uy changes
        let error = refusal file
        Assert.That(error.Message, Does.Contain word)
        Assert.That(error.Offset, Is.InRange(at, at + 20L))

    refused [ 3, 12uy ] "12 bits"
    refused [ 4, 0uy; 5, 0uy ] "DNL"
    refused [ 6, 0uy; 7, 0uy ] "width"
    refused [ 8, 4uy ] "CMYK"
    refused [ 8, 2uy ] "component"
    refused [ 10, 0x51uy ] "sampling factors"
    refused [ 10, 0x20uy ] "sampling factors"
    refused [ 11, 4uy ] "quantisation table"
    refused [ 2, 18uy ] "frame header"
    refused [ 2, 1uy ] "frame header"

[<Test>]
let ``sizes are checked before memory is taken`` () =
    for coding, code in [ Interleaved, 0xC0uy; Progressive, 0xC2uy ] do
        let file, at = patch (write (small coding 3)) code [ for i in 4..7 -> i, 0xFFuy ]
        let before = GC.GetAllocatedBytesForCurrentThread()
        Assert.That((refusal file).Offset, Is.EqualTo(at + 4L))
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan 100000L)

[<Test>]
let ``codes that are none, and words that are none, are refused`` () =
    let file = write (small Interleaved 1)
    // Seventeen words of four bits.
    let full, at = patch file 0xC4uy [ 7, 17uy ]
    Assert.That((refusal full).Offset, Is.EqualTo(at + 4L))
    Assert.That((refusal full).Expected, Does.Contain "Huffman")

    let refused (bits: string) (word: string) =
        let data =
            bits.PadRight((bits.Length + 7) / 8 * 8, '1')
            |> Seq.chunkBySize 8
            |> Seq.map (fun eight -> Convert.ToByte(String eight, 2))

        let sketch = small Interleaved 1
        let header = Array.truncate 10 (List.head (scans sketch))
        Assert.That((refusal (writeWith [ Array.append header (Array.ofSeq data) ] sketch)).Message, Does.Contain word)

    refused "110111011101110111011101" "Huffman code"
    // No difference in DC, then four times fifteen zeros and a coefficient: the last is number 64.
    refused ("0000" + String.replicate 4 "0110110011011" + String.replicate 32 "0") "coefficients up to 63"

[<Test>]
let ``tables, frames and components that are missing are told`` () =
    let told code change (word: string) =
        let file, _ = patch (write (small Interleaved 3)) code [ change ]
        Assert.That((refusal file).Message, Does.Contain word)

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
    Assert.That(error.Message, Does.Contain "component 3")

[<Test>]
let ``restart markers that are missing or out of order are refused`` () =
    let file, at = patch (write (small Separate 3)) 0xD0uy [ 0, 0xD1uy ]
    let error = refusal file
    Assert.That(error.Offset, Is.EqualTo(at - 1L))
    Assert.That(error.Message, Does.Contain "FFD0")

[<Test>]
let ``scans that code a coefficient again, or a bit too early, are refused`` () =
    let sketch = small Progressive 1

    let refused scans =
        Assert.That((refusal (writeWith scans sketch)).Message, Does.Contain "again or too early")

    let dc, ac = scan sketch [ 0 ] (0, 0, 0, 1), scan sketch [ 0 ] (1, 63, 0, 1)
    refused [ dc; dc ]
    refused [ dc; ac; scan sketch [ 0 ] (5, 5, 0, 1) ]
    refused [ scan sketch [ 0 ] (0, 0, 1, 0) ]
    refused [ dc; scan sketch [ 0 ] (1, 63, 1, 0) ]

[<Test>]
let ``bands and bits that no progression has are refused`` () =
    let refused components changes (word: string) =
        let file, _ = patch (write (small Progressive components)) 0xDAuy changes
        Assert.That((refusal file).Message, Does.Contain word)

    refused 1 [ 7, 5uy ] "coefficient 0 alone"
    refused 1 [ 6, 5uy; 7, 4uy ] "some of 1 to 63"
    refused 1 [ 6, 5uy; 7, 64uy ] "some of 1 to 63"
    refused 1 [ 8, 0x0Euy ] "bits from 13 down"
    refused 1 [ 8, 0x20uy ] "one at a time"
    refused 3 [ 10, 1uy; 11, 5uy ] "one component"

[<Test>]
let ``a run of blocks that goes on behind the last is refused`` () =
    let sketch = { small Progressive 1 with Height = 8; Width = 8 }
    let scans = scans sketch
    let header = Array.truncate 10 scans[1]
    // Symbol 10 and a bit 0: this block and the next.
    let tooLong = Array.append header [| 0b00010000uy; 0b01111111uy |]
    Assert.That((refusal (writeWith [ scans[0]; tooLong ] sketch)).Message, Does.Contain "one that goes on")

[<Test>]
let ``any number of segments is read without recursion`` () =
    let comment = segment 0xFEuy [||]
    let sketch = { small Interleaved 1 with Before = [ Array.replicate 200000 comment |> Array.concat ] }
    Assert.That((decode (write sketch)).Width, Is.EqualTo 21)

[<Test>]
let ``scans that cost more time than the bytes of the file are worth are refused`` () =
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
    let scanOf (k, high, low) = Array.concat [ ac[..6]; [| byte k; byte k; byte (16 * high + low) |]; ac[10..] ]

    let bits = (0, 13) :: [ for low in 12..-1..0 -> low + 1, low ]

    let all = [
        for high, low in bits do
            for k in 1..63 -> scanOf (k, high, low)
    ]

    Assert.That(pixels (decode (writeWith (dc :: List.take 60 all) sketch)), Is.All.EqualTo 128uy)
    Assert.That((refusal (writeWith (dc :: all) sketch)).Message, Does.Contain "blocks for each byte")

[<Test>]
let ``EXIF that cannot be read does not spoil the picture`` () =
    let sketch = small Interleaved 3
    let expected = pixels (decode (write sketch))
    let whole = exif true 6

    for length in 4 .. whole.Length - 21 do
        let cut = segment 0xE1uy whole[4 .. length - 1]
        Assert.That(pixels (decode (write { sketch with Before = [ cut ] })), equalTo expected)

[<Test>]
let ``damaged JPEG files give a picture or a DataFormatException`` () =
    let samples = [
        for coding in codings do
            write (small coding 1)
            write { small coding 3 with Before = [ jfif; exif true 6 ] }
            write { small coding 3 with Restart = 1; IsWide = true }
    ]

    Fuzzing.survives samples (fun bytes -> decode bytes |> ignore)

/// The folder of sample files; the test is skipped where it is absent.
let private folder () =
    match Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", "jpeg")) with
    | Some folder when Directory.Exists folder -> folder
    | _ ->
        Assert.Ignore "Set the environment variable CNN_SHARED to a folder that holds `data/jpeg`."
        ""

let private sound () = Directory.GetFiles(folder (), "*.jpg")

[<Test>]
let ``sample files are as libjpeg reads them, within 3`` () =
    for path in sound () do
        let expected = path[.. path.Length - 5] + ".expected.png"
        let wanted = (PngCodec() :> IImageCodec).Decode(expected, ReadOnlyMemory(File.ReadAllBytes expected))
        let found = decode (File.ReadAllBytes path)
        Assert.That(found.Shape, equalTo wanted.Shape, path)

        for a, b in Seq.zip (pixels wanted) (pixels found) do
            Assert.That(int b, Is.EqualTo(int a).Within 3, path)

[<Test>]
let ``bad sample files are refused`` () =
    let bad = Directory.GetFiles(Path.Combine(folder (), "bad"), "*.jpg")
    Assert.That(bad, Has.Length.EqualTo 13)

    for path in bad do
        Assert.That(refusal(File.ReadAllBytes path).Message, Does.StartWith "file at byte ")

[<Test>]
let ``damaged sample files give a picture or a DataFormatException`` () =
    Fuzzing.survives (sound () |> Array.map File.ReadAllBytes) (fun bytes -> decode bytes |> ignore)
