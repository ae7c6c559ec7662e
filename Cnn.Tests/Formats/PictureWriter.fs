/// BMP and GIF as their formats say, written plainly.
module Cnn.Tests.Formats.PictureWriter

open System
open Cnn

/// Numbers from 0 to below, the same for the same seed.
let noise (seed: int) count (below: int) =
    let random = Random seed
    Array.init count (fun _ -> random.Next below)

/// The bytes of a number.
let bytesOf isBigEndian length (value: int) =
    let bytes = Array.init length (fun i -> byte (int64 (uint32 value) >>> (8 * i)))
    if isBigEndian then Array.rev bytes else bytes

let little length value = bytesOf false length value

/// Values of so many bits in bytes, the first in the highest bits; a row fills whole bytes.
let pack bits (row: int[]) =
    let perByte = 8 / bits

    row
    |> Array.chunkBySize perByte
    |> Array.map (fun values -> values |> Seq.mapi (fun i v -> v <<< (8 - bits * (i + 1))) |> Seq.sum |> byte)

/// Runs of up to five values: whether all are equal, and the values.
let runs (row: int[]) = row |> Array.chunkBySize 5 |> Array.map (fun run -> Seq.forall ((=) run[0]) run, run)

/// Colours of 8 bits each, all grey or not.
let palette seed count isGrey = [|
    for colour in Array.chunkBySize 3 (noise seed (3 * count) 256) ->
        if isGrey then Array.create 3 (byte colour[0]) else Array.map byte colour
|]

type Bmp = {
    Size: int * int
    Header: int
    Bits: int
    /// 0 plain, 1 RLE8, 2 RLE4, 3 bit fields.
    Coding: int
    IsTopDown: bool
    Palette: byte[][]
    /// Row by row from the top: indices, or 0xAARRGGBB; of 16 bits five for each colour.
    Values: int[]
}

module Bmp =
    let kinds = [
        for bits in [ 1; 4; 8; 24 ] do
            for header in [ 12; 40; 64; 108; 124 ] do
                yield header, bits, 0
        for header in [ 40; 108; 124 ] do
            yield! [ header, 8, 1; header, 4, 2; header, 16, 0; header, 32, 0 ]
        yield! [ 108, 32, 3; 124, 32, 3 ]
    ]

    let draw seed size isGrey isTopDown (header, bits, coding) =
        let height, width = size

        {
            Size = size
            Header = header
            Bits = bits
            Coding = coding
            IsTopDown = isTopDown && header <> 12 && coding <> 1 && coding <> 2
            Palette = if bits <= 8 then palette seed (1 <<< bits) isGrey else [||]
            Values =
                if bits < 16 then
                    // Few of the colours, so that there are runs.
                    noise seed (height * width) (min 3 (1 <<< bits))
                elif bits = 16 then
                    noise seed (height * width) 32768
                else
                    noise seed (height * width) Int32.MaxValue
        }

    let private rle bits (row: int[]) =
        let paired values = if bits = 4 then pack 4 values else Array.map byte values
        let repeated n v = [| byte n; (if bits = 4 then byte (17 * v) else byte v) |]

        [|
            for isPlain, run in runs row do
                if isPlain then
                    yield! repeated run.Length run[0]
                elif run.Length < 3 then
                    for v in run do
                        yield! repeated 1 v
                else
                    let packed = paired run
                    yield! [| 0uy; byte run.Length |]
                    yield! packed

                    if packed.Length % 2 = 1 then
                        0uy
            yield! [| 0uy; 0uy |]
        |]

    let write (b: Bmp) =
        let height, width = b.Size

        let row (values: int[]) =
            let bytes =
                if b.Bits < 8 then
                    pack b.Bits values
                else
                    Array.collect (little (b.Bits / 8)) values

            Array.append bytes (Array.zeroCreate ((4 - bytes.Length % 4) % 4))

        let rows = Array.chunkBySize width b.Values
        let upwards = if b.IsTopDown then rows else Array.rev rows

        let data =
            if b.Coding = 1 || b.Coding = 2 then
                Array.append (Array.collect (rle b.Bits) upwards) [| 0uy; 1uy |]
            else
                Array.collect row upwards

        let colours =
            b.Palette
            |> Array.collect (fun rgb ->
                if b.Header = 12 then Array.rev rgb else Array.append (Array.rev rgb) [| 0uy |])

        let header =
            if b.Header = 12 then
                Array.concat [ little 4 12; little 2 width; little 2 height; little 2 1; little 2 b.Bits ]
            else
                let masks = if b.Coding = 3 then [ 0xFF0000; 0xFF00; 0xFF; 0xFF000000 ] else [ 0; 0; 0; 0 ]

                Array.concat [
                    little 4 b.Header
                    little 4 width
                    little 4 (if b.IsTopDown then -height else height)
                    little 2 1
                    little 2 b.Bits
                    little 4 b.Coding
                    little 4 data.Length
                    Array.zeroCreate 8
                    little 4 b.Palette.Length
                    little 4 0
                    Array.collect (little 4) (Array.ofList masks)
                    Array.zeroCreate 84
                ]
                |> Array.truncate b.Header

        let start = 14 + header.Length + colours.Length
        Array.concat [ "BM"B; little 4 (start + data.Length); little 4 0; little 4 start; header; colours; data ]

    let expected (b: Bmp) =
        let height, width = b.Size
        let isGrey = b.Palette |> Array.forall (fun rgb -> rgb[0] = rgb[1] && rgb[0] = rgb[2])

        let pixel value =
            if b.Bits <= 8 then
                if isGrey then [| b.Palette[value][0] |] else b.Palette[value]
            elif b.Bits = 16 then
                [| for shift in [ 10; 5; 0 ] -> (let v = value >>> shift &&& 31 in byte (v <<< 3 ||| (v >>> 2))) |]
            else
                [| for shift in [ 16; 8; 0 ] @ (if b.Coding = 3 then [ 24 ] else []) -> byte (value >>> shift) |]

        let pixels = Array.map pixel b.Values
        Image.Of(height, width, pixels[0].Length, ReadOnlySpan(Array.concat pixels))

type Gif = {
    Screen: int * int
    Colours: byte[][]
    IsLocal: bool
    IsInterlaced: bool
    /// None, or the index that is transparent.
    Transparent: int option
    Indices: int[]
}

module Gif =
    let kinds = [
        for colours in [ 2; 4; 16; 256 ] do
            for isLocal in [ false; true ] do
                for isInterlaced in [ false; true ] -> colours, isLocal, isInterlaced
    ]

    let draw seed size isGrey transparent (colours, isLocal, isInterlaced) = {
        Screen = size
        Colours = palette seed colours isGrey
        IsLocal = isLocal
        IsInterlaced = isInterlaced
        Transparent = transparent
        Indices = noise seed (fst size * snd size) colours
    }

    let private bits (g: Gif) = Math.ILogB(float g.Colours.Length)

    /// Codes of one length, the first in the lowest bits; cleared before they would grow.
    let private lzw size (indices: int[]) =
        let codes = [|
            for block in Array.chunkBySize ((1 <<< size) - 2) indices do
                1 <<< size
                yield! block
            (1 <<< size) + 1
        |]

        let bits = codes |> Array.collect (fun code -> Array.init (size + 1) (fun i -> code >>> i &&& 1))

        let bytes =
            bits
            |> Array.chunkBySize 8
            |> Array.map (fun eight -> eight |> Seq.mapi (fun i b -> b <<< i) |> Seq.sum |> byte)

        [|
            byte size
            for block in Array.chunkBySize 255 bytes do
                byte block.Length
                yield! block
            0uy
        |]

    let private frame (g: Gif) =
        let height, width = g.Screen
        let rows = Array.chunkBySize width g.Indices

        let order =
            if g.IsInterlaced then
                [
                    for start, step in [ 0, 8; 4, 8; 2, 4; 1, 2 ] do
                        yield! [ start..step .. height - 1 ]
                ]
            else
                [ 0 .. height - 1 ]

        let packed = (if g.IsLocal then 128 + bits g - 1 else 0) + (if g.IsInterlaced then 64 else 0)

        Array.concat [
            (match g.Transparent with
             | Some index -> [| 0x21uy; 0xF9uy; 4uy; 1uy; 0uy; 0uy; byte index; 0uy |]
             | None -> [||])
            [| 0x2Cuy; 0uy; 0uy; 0uy; 0uy |]
            little 2 width
            little 2 height
            [| byte packed |]
            (if g.IsLocal then Array.concat g.Colours else [||])
            lzw (max 2 (bits g)) (order |> Seq.map (fun y -> rows[y]) |> Array.concat)
        ]

    /// An animation of several frames.
    let animation (frames: Gif list) =
        let first = frames.Head
        let height, width = first.Screen

        Array.concat [
            "GIF89a"B
            little 2 width
            little 2 height
            [| byte ((if first.IsLocal then 0 else 128) + bits first - 1); 0uy; 0uy |]
            (if first.IsLocal then [||] else Array.concat first.Colours)
            [| 0x21uy; 0xFEuy; 5uy |]
            "words"B
            [| 0uy |]
            Array.concat (List.map frame frames)
            [| 0x3Buy |]
        ]

    let write g = animation [ g ]

    let expected (g: Gif) =
        let isGrey = g.Colours |> Array.forall (fun rgb -> rgb[0] = rgb[1] && rgb[0] = rgb[2])

        let pixels =
            g.Indices
            |> Array.map (fun i -> [|
                yield! if isGrey then g.Colours[i][..0] else g.Colours[i]

                if g.Transparent.IsSome then
                    if g.Transparent = Some i then 0uy else 255uy
            |])

        Image.Of(fst g.Screen, snd g.Screen, pixels[0].Length, ReadOnlySpan(Array.concat pixels))
