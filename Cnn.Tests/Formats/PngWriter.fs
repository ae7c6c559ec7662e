/// PNG files of every colour type, depth and order of rows, written from the format's description.
module Cnn.Tests.Formats.PngWriter

open System
open System.Buffers.Binary
open System.IO
open System.IO.Compression
open System.Text
open Cnn
open Cnn.FSharp

/// A picture in the samples of a PNG file.
[<NoComparison>]
type Png = {
    Height: int
    Width: int
    ColourType: int
    Depth: int
    IsInterlaced: bool
    /// Colours of three bytes; at most 2^Depth.
    Palette: byte[][]
    /// Alphas of the first colours, or samples of the transparent colour; empty without tRNS.
    Transparency: int[]
    /// Rows of pixels of samples.
    Samples: int[][][]
    Seed: int
}

let samplesOf colourType =
    match colourType with
    | 0
    | 3 -> 1
    | 2 -> 3
    | 4 -> 2
    | _ -> 4

/// All pairs that the format allows.
let kinds = [
    for depth in [ 1; 2; 4; 8; 16 ] do
        0, depth

        if depth <= 8 then
            3, depth

        if depth >= 8 then
            yield! [ 2, depth; 4, depth; 6, depth ]
]

/// A picture of such a kind; everything else is drawn.
let draw seed height width (colourType, depth) : Png =
    let root = Key.ofSeed seed
    let key = root.Child(int64 (16 * colourType + depth))
    let mutable draws = 0L

    let below n =
        draws <- draws + 1L
        key.Below(n, draws)

    let palette =
        Array.init (1 + below (1 <<< min depth 8)) (fun _ -> Array.init 3 (fun _ -> byte (below 256)))

    let most = if colourType = 3 then palette.Length else 1 <<< depth
    let hasTransparency = below 2 = 0

    let samples =
        Array.init height (fun _ -> Array.init width (fun _ -> Array.init (samplesOf colourType) (fun _ -> below most)))

    {
        Height = height
        Width = width
        ColourType = colourType
        Depth = depth
        IsInterlaced = below 2 = 0
        Palette = palette
        Transparency =
            match colourType with
            | 3 when hasTransparency -> Array.init (1 + below palette.Length) (fun _ -> below 256)
            | 0
            | 2 when hasTransparency -> samples[below height][below width]
            | _ -> [||]
        Samples = samples
        Seed = seed
    }

/// CRC-32, bit by bit.
let crc (bytes: byte seq) =
    (0xFFFFFFFFu, bytes)
    ||> Seq.fold (fun r b ->
        (r ^^^ uint32 b, seq { 1..8 })
        ||> Seq.fold (fun r _ -> if r % 2u = 1u then (r >>> 1) ^^^ 0xEDB88320u else r >>> 1))
    |> (~~~)

let private u32 (value: uint32) =
    let bytes = Array.zeroCreate 4
    BinaryPrimitives.WriteUInt32BigEndian(Span bytes, value)
    bytes

let chunk (name: string) (data: byte[]) =
    let covered = Array.append (Encoding.ASCII.GetBytes name) data
    Array.concat [ u32 (uint32 data.Length); covered; u32 (crc covered) ]

let signature = [| 137uy; 80uy; 78uy; 71uy; 13uy; 10uy; 26uy; 10uy |]

/// The same chunks with true checksums, as far as there are whole ones.
let repair (file: byte[]) =
    let file = Array.copy file

    let rec next at =
        if at + 12L <= int64 file.Length then
            let length = BinaryPrimitives.ReadUInt32BigEndian(ReadOnlySpan(file, int at, 4))
            let stop = at + 8L + int64 length

            if stop + 4L <= int64 file.Length then
                let covered = file[int at + 4 .. int stop - 1]
                BinaryPrimitives.WriteUInt32BigEndian(Span(file, int stop, 4), crc covered)
                next (stop + 4L)

    next 8L
    file

let unzlib (bytes: byte[]) =
    use source = new ZLibStream(new MemoryStream(bytes), CompressionMode.Decompress)
    use target = new MemoryStream()
    source.CopyTo target
    target.ToArray()

let zlib (bytes: byte[]) =
    use target = new MemoryStream()

    (use zip = new ZLibStream(target, CompressionLevel.Fastest)
     zip.Write(bytes, 0, bytes.Length))

    target.ToArray()

/// Bits of the samples, high bit first, the last byte filled with zeros.
let private pack depth (samples: int[]) =
    let bits = [|
        for v in samples do
            for bit in depth - 1 .. -1 .. 0 -> v >>> bit &&& 1
    |]

    bits
    |> Array.chunkBySize 8
    |> Array.map (fun bits ->
        let filled = Array.append bits (Array.zeroCreate (8 - bits.Length))
        byte (Array.fold (fun value bit -> 2 * value + bit) 0 filled))

let private paeth a b c =
    let p = a + b - c
    List.minBy (fun v -> abs (p - v)) [ a; b; c ]

/// A row with a filter's predictions taken away.
let filterRow pixel filter (above: byte[]) (row: byte[]) =
    let at (bytes: byte[]) i = if i < 0 then 0 else int bytes[i]

    Array.init row.Length (fun i ->
        let a, b, c = at row (i - pixel), at above i, at above (i - pixel)
        byte (int row[i] - [ 0; a; b; (a + b) / 2; paeth a b c ][filter] &&& 255))

/// Filtered rows of the pixels at the given rows and columns; the filters are drawn.
let private rows (png: Png) (ys: int list) (xs: int list) =
    let pixel = max 1 (png.Depth * samplesOf png.ColourType / 8)
    let packed = [ for y in ys -> pack png.Depth (Array.concat [ for x in xs -> png.Samples[y][x] ]) ]
    let key = Key.ofSeed png.Seed

    (Array.zeroCreate packed.Head.Length :: packed, packed)
    ||> Seq.zip
    |> Seq.mapi (fun i (above, row) ->
        let filter = key.Below(5, int64 i)
        Array.append [| byte filter |] (filterRow pixel filter above row))
    |> Array.concat

let private passes (png: Png) =
    let every first step size = [ first..step .. size - 1 ]

    if png.IsInterlaced then
        [ 0, 0, 8, 8; 4, 0, 8, 8; 0, 4, 4, 8; 2, 0, 4, 4; 0, 2, 2, 4; 1, 0, 2, 2; 0, 1, 1, 2 ]
    else
        [ 0, 0, 1, 1 ]
    |> List.map (fun (x, y, dx, dy) -> every y dy png.Height, every x dx png.Width)
    |> List.filter (fun (ys, xs) -> not ys.IsEmpty && not xs.IsEmpty)

/// Filtered rows of all passes.
let filtered png = Array.concat [ for ys, xs in passes png -> rows png ys xs ]

let header (png: Png) =
    Array.concat [
        u32 (uint32 png.Width)
        u32 (uint32 png.Height)
        [| byte png.Depth; byte png.ColourType; 0uy; 0uy; (if png.IsInterlaced then 1uy else 0uy) |]
    ]

/// The chunks between the signature and IEND.
let chunks (png: Png) (compressed: byte[]) = [
    chunk "IHDR" (header png)
    chunk "teSt" [| 1uy; 2uy |]

    if png.ColourType = 3 then
        chunk "PLTE" (Array.concat png.Palette)

    if png.Transparency.Length > 0 then
        chunk
            "tRNS"
            (if png.ColourType = 3 then
                 Array.map byte png.Transparency
             else
                 Array.collect (fun v -> [| byte (v >>> 8); byte v |]) png.Transparency)

    for part in Array.splitInto (1 + png.Seed % 3) compressed do
        chunk "IDAT" part

    chunk "tEXt" (Encoding.ASCII.GetBytes "Comment\000none")
]

let file parts = Array.concat [ signature; Array.concat (parts: byte[] list); chunk "IEND" [||] ]

/// The file, in one IDAT chunk or several, with chunks that may be skipped.
let write png = file (chunks png (zlib (filtered png)))

/// What a reader must find: channels, and the channels of each pixel in 8 bits.
let expected (png: Png) =
    let eight v = if png.Depth = 16 then v / 256 else v * 255 / ((1 <<< png.Depth) - 1)

    let colours (pixel: int[]) =
        if png.ColourType = 3 then
            Array.map int png.Palette[pixel[0]]
        else
            Array.map eight pixel

    let alpha (pixel: int[]) =
        match png.ColourType with
        | _ when png.Transparency.Length = 0 -> [||]
        | 3 -> [| (if pixel[0] < png.Transparency.Length then png.Transparency[pixel[0]] else 255) |]
        | _ -> [| (if pixel = png.Transparency then 0 else 255) |]

    let pixels = [|
        for row in png.Samples do
            for pixel in row -> Array.append (colours pixel) (alpha pixel)
    |]

    Image.Of(png.Height, png.Width, pixels[0].Length, ReadOnlySpan(pixels |> Array.concat |> Array.map byte))
