/// The JPEG format: pictures that are read.
module Cnn.Tests.Formats.JpegLaws

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
open Cnn.Tests.Laws.Law

let decode (file: byte[]) = (JpegCodec() :> IImageCodec).Decode("file", ReadOnlyMemory file)

let pixels (image: Image) = image.Pixels.ToArray()

/// Numbers below a bound, one after the other.
let drawing seed =
    let key = Key.ofSeed seed
    let mutable draws = 0L

    fun bound ->
        draws <- draws + 1L
        key.Below(bound, draws)

let sequential = {
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
let block below (steps: int[]) =
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
let alone sketch (c: Component) =
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

let tests =
    testList "JPEG" [
        testProperty "samples are the inverse cosine transform of the coefficients, within 1" (fun (Sketch sketch) ->
            let c = sketch.Components.Head
            let grey = alone sketch c
            let _, across = blocks grey c
            let transformed = c.Blocks |> Array.map (Array.map2 (fun step v -> float (step * v)) c.Steps >> inverse)

            let expected =
                Array.init (grey.Height * grey.Width) (fun i ->
                    let y, x = i / grey.Width, i % grey.Width
                    let samples = transformed[(y / 8) * across + x / 8]
                    clamp (Math.Round(128.0 + samples[8 * (y % 8) + x % 8])))

            close 1.0 expected (decode (write grey)))

        testProperty
            "decode ∘ encode is the identity up to quantisation: ‖error of a block‖ ≤ ½·‖steps‖"
            (fun (Sketch sketch) (isWide: bool) ->
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

                close (0.5 * norm + 1.0) (Array.map float picture) (decode file))

        testProperty "a picture is its components, each enlarged linearly, in RGB" (fun (Sketch sketch) ->
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
            close (rounding * (1.0 + 1.772) + 0.6) expected image)

        testProperty
            "scans, restart markers, fill bytes, wide tables and other segments do not change the picture"
            (fun (Sketch sketch) (restart: byte) ->
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
                ])

        testProperty
            "pictures are turned upright as EXIF says, in both byte orders"
            (fun (Sketch sketch) (isLittleEndian: bool) ->
                let stored = decode (write sketch)

                let pixel (image: Image) y x =
                    image.Pixels.Slice((y * image.Width + x) * image.Channels, image.Channels).ToArray()

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
                ])
    ]
