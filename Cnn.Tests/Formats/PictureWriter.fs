/// BMP, GIF and TIFF as their formats say, written plainly.
module Cnn.Tests.Formats.PictureWriter

open System
open System.IO
open System.IO.Compression
open Cnn

/// Numbers from 0 to below, the same for the same seed.
let noise (seed: int) count (below: int) =
    let random = Random seed
    Array.init count (fun _ -> random.Next below)

let private bytesOf isBigEndian length (value: int) =
    let bytes = Array.init length (fun i -> byte (int64 (uint32 value) >>> (8 * i)))
    if isBigEndian then Array.rev bytes else bytes

let private little length value = bytesOf false length value

/// Values of so many bits in bytes, the first in the highest bits; a row fills whole bytes.
let private pack bits (row: int[]) =
    let perByte = 8 / bits

    row
    |> Array.chunkBySize perByte
    |> Array.map (fun values -> values |> Seq.mapi (fun i v -> v <<< (8 - bits * (i + 1))) |> Seq.sum |> byte)

/// Runs of up to five values: whether all are equal, and the values.
let private runs (row: int[]) = row |> Array.chunkBySize 5 |> Array.map (fun run -> Seq.forall ((=) run[0]) run, run)

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

type Tiff = {
    Extent: int * int
    IsBigEndian: bool
    Depth: int
    /// 0 white is zero, 1 black is zero, 2 RGB, 3 palette.
    Photometric: int
    /// 1, 3 or 4 of a pixel.
    Samples: int
    IsPlanar: bool
    Rows: int
    /// 1 none, 5 LZW, 8 Deflate, 32773 PackBits.
    Compression: int
    Predicts: bool
    Orientation: int
    Map: byte[][]
    /// Row by row, samples of a pixel side by side.
    Numbers: int[]
}

module Tiff =
    let kinds = [
        for compression in [ 1; 5; 8; 32773 ] do
            for photometric, samples, depths in
                [ 0, 1, [ 1; 4; 8; 16 ]; 1, 1, [ 1; 4; 8; 16 ]; 2, 3, [ 8; 16 ]; 2, 4, [ 8; 16 ]; 3, 1, [ 4; 8 ] ] do
                for depth in depths -> compression, photometric, samples, depth
    ]

    let draw seed size (compression, photometric, samples, depth) =
        let height, width = size

        {
            Extent = size
            IsBigEndian = seed % 2 = 1
            Depth = depth
            Photometric = photometric
            Samples = samples
            IsPlanar = seed / 2 % 2 = 1 && samples > 1
            Rows = 1 + seed % (height + 1)
            Compression = compression
            Predicts = seed / 4 % 2 = 1 && depth >= 8 && (compression = 5 || compression = 8)
            Orientation = 1
            Map = if photometric = 3 then palette seed (1 <<< depth) false else [||]
            Numbers = noise seed (height * width * samples) (1 <<< depth)
        }
        |> fun t -> { t with Predicts = t.Predicts && not t.IsPlanar }

    /// Codes of 9 bits, the first in the highest; cleared before they would grow.
    let private lzw (data: byte[]) =
        let codes = [|
            for block in Array.chunkBySize 250 data do
                256
                yield! Array.map int block
            257
        |]

        codes |> Array.collect (fun code -> Array.init 9 (fun i -> code >>> (8 - i) &&& 1)) |> pack 1

    let private deflate (data: byte[]) =
        use target = new MemoryStream()

        (use zlib = new ZLibStream(target, CompressionLevel.Optimal, true)
         zlib.Write(data, 0, data.Length))

        target.ToArray()

    let private packBits (data: byte[]) = [|
        for isPlain, run in runs (Array.map int data) do
            if isPlain && run.Length > 1 then
                byte (257 - run.Length)
                byte run[0]
            else
                byte (run.Length - 1)
                yield! Array.map byte run
    |]

    let private encode (t: Tiff) (samples: int) (row: int[]) =
        let differences =
            if t.Predicts then
                row
                |> Array.mapi (fun i v -> if i < samples then v else (v - row[i - samples]) &&& ((1 <<< t.Depth) - 1))
            else
                row

        if t.Depth = 16 then
            Array.collect (bytesOf t.IsBigEndian 2) differences
        else
            pack t.Depth differences

    let write (t: Tiff) =
        let height, width = t.Extent
        let rows = Array.chunkBySize (width * t.Samples) t.Numbers

        let planes =
            if t.IsPlanar then
                [
                    for s in 0 .. t.Samples - 1 ->
                        1, [| for row in rows -> [| for x in 0 .. width - 1 -> row[x * t.Samples + s] |] |]
                ]
            else
                [ t.Samples, rows ]

        let strips = [|
            for samples, rows in planes do
                for strip in Array.chunkBySize t.Rows rows do
                    let data = Array.collect (encode t samples) strip

                    match t.Compression with
                    | 5 -> lzw data
                    | 8 -> deflate data
                    | 32773 -> packBits data
                    | _ -> data
        |]

        let offsets = strips |> Array.scan (fun at strip -> at + strip.Length) 8
        let short, long = 3, 4

        let tags = [
            256, long, [| width |]
            257, short, [| height |]
            258, short, Array.create t.Samples t.Depth
            259, short, [| t.Compression |]
            262, short, [| t.Photometric |]
            273, long, Array.truncate strips.Length offsets
            274, short, [| t.Orientation |]
            277, short, [| t.Samples |]
            278, short, [| t.Rows |]
            279, long, strips |> Array.map _.Length
            284, short, [| (if t.IsPlanar then 2 else 1) |]
            if t.Predicts then
                317, short, [| 2 |]
            if t.Photometric = 3 then
                320,
                short,
                [|
                    for c in 0..2 do
                        for colour in t.Map -> 257 * int colour[c]
                |]
            if t.Samples = 4 then
                338, short, [| 2 |]
        ]

        let number = bytesOf t.IsBigEndian
        let directory = Array.last offsets
        let mutable place = directory + 2 + 12 * tags.Length + 4
        let mutable behind = []

        let entries = [|
            for tag, kind, values in tags do
                let bytes = values |> Array.collect (number (if kind = short then 2 else 4))
                yield! number 2 tag
                yield! number 2 kind
                yield! number 4 values.Length

                if bytes.Length <= 4 then
                    yield! Array.append bytes (Array.zeroCreate (4 - bytes.Length))
                else
                    yield! number 4 place
                    place <- place + bytes.Length
                    behind <- behind @ [ bytes ]
        |]

        Array.concat [
            (if t.IsBigEndian then "MM"B else "II"B)
            number 2 42
            number 4 directory
            Array.concat strips
            number 2 tags.Length
            entries
            number 4 0
            Array.concat behind
        ]

    /// As stored.
    let expected (t: Tiff) =
        let eight v = if t.Depth = 16 then byte (v >>> 8) else byte (v * 255 / ((1 <<< t.Depth) - 1))

        let pixel v =
            match t.Photometric with
            | 0 -> [| 255uy - eight v |]
            | 3 -> t.Map[v]
            | _ -> [| eight v |]

        let channels = if t.Photometric = 3 then 3 else t.Samples
        Image.Of(fst t.Extent, snd t.Extent, channels, ReadOnlySpan(Array.collect pixel t.Numbers))
