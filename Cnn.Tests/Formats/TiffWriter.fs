/// TIFF as its format says, written plainly.
module Cnn.Tests.Formats.TiffWriter

open System
open System.IO
open System.IO.Compression
open Cnn
open Cnn.Tests.Formats.PictureWriter

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
