namespace Cnn.FSharp

open System
open System.Buffers.Binary
open System.IO
open System.IO.Compression
open System.Text
open Cnn

/// What IHDR, PLTE and tRNS say of the samples; PLTE and tRNS are empty where they are absent.
[<NoEquality; NoComparison>]
type internal PngHeader = {
    Width: int
    Height: int
    Depth: int
    ColourType: int
    Passes: PngPass[]
    Palette: ReadOnlyMemory<byte>
    Transparency: ReadOnlyMemory<byte>
} with

    /// Bits of a pixel in the file.
    member this.Bits = this.Depth * PngFormat.samples this.ColourType

    /// Bytes of so many pixels in a row.
    member this.RowBytes(columns: int) = (int64 columns * int64 this.Bits + 7L) / 8L

    /// Bytes of all filtered rows.
    member this.FilteredBytes =
        this.Passes
        |> Array.sumBy (fun pass ->
            int64 (pass.Rows(this.Height, this.Width)) * (1L + this.RowBytes(pass.Columns this.Width)))

    /// Channels of the decoded picture.
    member this.Channels =
        let colours = if this.ColourType = 3 then 3 else PngFormat.samples this.ColourType
        if this.Transparency.IsEmpty then colours else colours + 1

module private PngReader =

    let private oneOf (values: int[]) what (found: int) (reader: ByteReader) (offset: int64) =
        if not (Array.contains found values) then
            reader.RefuseAt(offset, what + " " + String.Join(" or ", values), string found)

    let private header (reader: ByteReader) (start: int64) (data: ReadOnlySpan<byte>) =
        if data.Length <> 13 then
            reader.RefuseAt(start - 8L, "an IHDR chunk of 13 bytes", Words.count data.Length "byte" "bytes")

        let size at name =
            fun (bytes: uint32) ->
                if bytes = 0u || bytes > uint32 Int32.MaxValue then
                    reader.RefuseAt(start + at, "a " + name + " of 1 to 2147483647", string bytes)

                int bytes

        let width = BinaryPrimitives.ReadUInt32BigEndian data |> size 0L "width"
        let height = BinaryPrimitives.ReadUInt32BigEndian(data.Slice 4) |> size 4L "height"
        let depth, colourType, interlace = int data[8], int data[9], int data[12]
        oneOf [| 0; 2; 3; 4; 6 |] "colour type" colourType reader (start + 9L)

        let depths =
            match colourType with
            | 0 -> [| 1; 2; 4; 8; 16 |]
            | 3 -> [| 1; 2; 4; 8 |]
            | _ -> [| 8; 16 |]

        oneOf depths ("for colour type " + string colourType + " bit depth") depth reader (start + 8L)
        oneOf [| 0 |] "compression method" (int data[10]) reader (start + 10L)
        oneOf [| 0 |] "filter method" (int data[11]) reader (start + 11L)
        oneOf [| 0; 1 |] "interlace method" interlace reader (start + 12L)

        {
            Width = width
            Height = height
            Depth = depth
            ColourType = colourType
            Passes = if interlace = 1 then PngPass.Adam7 else PngPass.All
            Palette = ReadOnlyMemory.Empty
            Transparency = ReadOnlyMemory.Empty
        }

    let private palette (reader: ByteReader) start (header: PngHeader) (data: ReadOnlyMemory<byte>) =
        let most = if header.ColourType = 3 then 1 <<< header.Depth else 256

        if data.Length % 3 <> 0 || data.IsEmpty || data.Length > 3 * most then
            let wanted = "a palette of 1 to " + string most + " colours of 3 bytes"
            reader.RefuseAt(start, wanted, Words.count data.Length "byte" "bytes")

        match header.ColourType with
        | 3 when header.Palette.IsEmpty -> { header with Palette = data }
        | 2
        | 6 -> header
        | 3 -> reader.RefuseAt(start - 4L, "one palette", "a second one")
        | _ -> reader.RefuseAt(start - 4L, "no palette in a grey picture", "PLTE")

    let private transparency (reader: ByteReader) start (header: PngHeader) (data: ReadOnlyMemory<byte>) =
        let refuse wanted = reader.RefuseAt(start, wanted, Words.count data.Length "byte" "bytes")

        match header.ColourType with
        | 0 when data.Length <> 2 -> refuse "a transparent grey of 2 bytes"
        | 2 when data.Length <> 6 -> refuse "a transparent colour of 6 bytes"
        | 3 when data.IsEmpty || data.Length > header.Palette.Length / 3 ->
            refuse ("an alpha for each of at most " + Words.count (header.Palette.Length / 3) "colour" "colours")
        | 4
        | 6 -> reader.RefuseAt(start - 4L, "no tRNS chunk in a picture with alpha", "tRNS")
        | _ -> { header with Transparency = data }

    /// The header and the compressed bytes of all IDAT chunks, every checksum verified.
    let chunks (reader: ByteReader) =
        let compressed = new MemoryStream()

        let rec next (header': PngHeader voption) isAfterData =
            let offset = int64 reader.Position
            let length = reader.UInt32BigEndian "a chunk's length"

            if length > uint32 Int32.MaxValue then
                reader.RefuseAt(offset, "a chunk of at most 2147483647 bytes", string length)

            // Letters, data and checksum at once, so that a cut file is told by the chunk that it cuts.
            let chunk = reader.Take(int64 length + 8L, "a chunk with its checksum")
            let covered = chunk.Slice(0, int length + 4)
            let letters = covered.Span.Slice(0, 4)

            if letters.ContainsAnyExcept(PngFormat.letters) then
                reader.RefuseAt(offset + 4L, "a chunk's name of 4 letters", Convert.ToHexString letters)

            let name = Encoding.ASCII.GetString letters
            let stored = BinaryPrimitives.ReadUInt32BigEndian(chunk.Span.Slice covered.Length)
            let computed = Crc32.compute covered.Span

            if stored <> computed then
                let wanted = "checksum " + computed.ToString "X8" + " of the chunk " + name
                reader.RefuseAt(offset + 4L + int64 covered.Length, wanted, stored.ToString "X8")

            let data, start = covered.Slice 4, offset + 8L
            let refuse wanted = reader.RefuseAt(offset + 4L, wanted, name)
            let hasData = compressed.Length > 0L

            match name, header' with
            | "IHDR", ValueNone -> next (ValueSome(header reader start data.Span)) false
            | _, ValueNone -> refuse "the chunk IHDR first"
            | "IHDR", _ -> refuse "one IHDR"
            | ("PLTE" | "tRNS"), _ when hasData -> refuse "no PLTE or tRNS after IDAT"
            | "PLTE", ValueSome known when not known.Transparency.IsEmpty -> refuse "PLTE before tRNS"
            | "PLTE", ValueSome known -> next (ValueSome(palette reader start known data)) false
            | "tRNS", ValueSome known -> next (ValueSome(transparency reader start known data)) false
            | "IDAT", _ when isAfterData -> refuse "IDAT chunks that follow one another"
            | "IDAT", ValueSome known when known.ColourType = 3 && known.Palette.IsEmpty -> refuse "PLTE before IDAT"
            | "IDAT", known ->
                compressed.Write data.Span
                next known false
            | "IEND", ValueSome known ->
                if not hasData then
                    refuse "an IDAT chunk"

                known
            | _ when Char.IsAsciiLetterUpper name[0] -> refuse "chunks that this reader knows, or that may be skipped"
            | _, known -> next known hasData

        let header = next ValueNone false
        header, compressed

    /// The filtered rows: as many bytes as the header says, and no more.
    let inflate (reader: ByteReader) (header: PngHeader) (compressed: MemoryStream) =
        let pixels = int64 header.Width * int64 header.Height

        if pixels > int64 (Array.MaxLength / header.Channels) then
            let wanted = "at most " + string Array.MaxLength + " bytes of pixels"
            reader.RefuseAt(16L, wanted, string header.Width + "×" + string header.Height + " pixels")

        let size = header.FilteredBytes

        if size > min (int64 Array.MaxLength) (Inflate.mostOf (int compressed.Length)) then
            let wanted = "compressed pixels enough for " + string header.Width + "×" + string header.Height
            reader.RefuseAt(16L, wanted, Words.count (int compressed.Length) "byte" "bytes")

        Inflate.zlibExactly reader.File (int size) compressed

    /// The pixels, 8 bits to a channel, of the filtered rows; overwrites the rows.
    let pixels file (header: PngHeader) (rows: byte[]) =
        let channels, depth = header.Channels, header.Depth
        let samples = PngFormat.samples header.ColourType
        let pixel = max 1 (header.Bits / 8)
        let largest = (1 <<< min depth 8) - 1
        let image = Array.zeroCreate<byte>(header.Width * header.Height * channels)
        let isCopied = depth = 8 && channels = samples
        let palette, transparency = header.Palette, header.Transparency

        let perByte = max 1 (8 / depth)

        // The value of a sample of the row from some byte on, in the file's own depth.
        let sample row index =
            match depth with
            | 16 -> int rows[row + 2 * index] <<< 8 ||| int rows[row + 2 * index + 1]
            | 8 -> int rows[row + index]
            | _ -> int rows[row + index / perByte] >>> (8 - depth - index % perByte * depth) &&& largest

        let eight value = if depth = 16 then byte (value >>> 8) else byte (value * 255 / largest)

        let transparent =
            if header.ColourType = 3 || transparency.IsEmpty then
                [||]
            else
                Array.init samples (fun s ->
                    int (BinaryPrimitives.ReadUInt16BigEndian(transparency.Span.Slice(2 * s))) &&& ((1 <<< depth) - 1))

        let rec isTransparent row column s =
            s = samples
            || (sample row (column * samples + s) = transparent[s] && isTransparent row column (s + 1))

        let expand row column place =
            if header.ColourType = 3 then
                let index = sample row column

                if 3 * index >= palette.Length then
                    let wanted = "one of the " + Words.count (palette.Length / 3) "colour" "colours" + " of the palette"
                    raise (DataFormatException(file, int64 row, wanted, "colour " + string index))

                palette.Span.Slice(3 * index, 3).CopyTo(Span(image, place, 3))

                if channels = 4 then
                    image[place + 3] <- if index < transparency.Length then transparency.Span[index] else 255uy
            else
                for s in 0 .. samples - 1 do
                    image[place + s] <- eight (sample row (column * samples + s))

                if channels > samples then
                    image[place + samples] <- if isTransparent row column 0 then 0uy else 255uy

        let mutable start = 0

        for pass in header.Passes do
            let columns = pass.Columns header.Width
            let length = int (header.RowBytes columns)
            let mutable above = ReadOnlySpan(Array.zeroCreate<byte> length)

            for i in 0 .. pass.Rows(header.Height, header.Width) - 1 do
                let filter, row = int rows[start], start + 1

                if filter > 4 then
                    raise (DataFormatException(file, int64 start, "a row filter of 0 to 4", string filter))

                if filter > 0 then
                    PngFormat.unfilter filter pixel above (Span(rows, row, length))

                let place = (pass.Y + i * pass.Dy) * header.Width * channels

                if isCopied && pass.Dx = 1 then
                    Array.blit rows row image place length
                else
                    for column in 0 .. columns - 1 do
                        expand row column (place + (pass.X + column * pass.Dx) * channels)

                above <- ReadOnlySpan(rows, row, length)
                start <- row + length

        Image.Owning(header.Height, header.Width, channels, image)

/// <summary>The PNG format (W3C, Portable Network Graphics, third edition, 2025).</summary>
[<RequireQualifiedAccess>]
module Png =

    /// <summary>
    /// The picture in the bytes of a PNG file: 1 channel of grey, 2 of grey and alpha, 3 of RGB, 4 of RGBA, a palette as RGB;
    /// alpha too where tRNS makes colours transparent. Below 8 bits v becomes v·255/(2^d − 1), of 16 bits the high byte stays.
    /// </summary>
    /// <remarks>Pure. All colour types, depths and Adam7; every checksum is verified; gamma and colour profiles are not applied.</remarks>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file; bytes after its end chunk are skipped.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound PNG file.</exception>
    let decode (file: string) (bytes: ReadOnlyMemory<byte>) : Image =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        let reader = ByteReader(file, bytes)

        if not (bytes.Span.StartsWith(ReadOnlySpan PngFormat.signature)) then
            let start = bytes.Span.Slice(0, min 8 bytes.Length)
            let found = if start.IsEmpty then "no bytes" else Convert.ToHexString start
            reader.Refuse(Convert.ToHexString PngFormat.signature + ", as every PNG file begins", found)

        reader.Take(8L, "the signature") |> ignore
        let header, compressed = PngReader.chunks reader
        PngReader.inflate reader header compressed |> PngReader.pixels file header

    let private chunk (target: Stream) (name: string) (data: ReadOnlySpan<byte>) =
        let bytes = Array.zeroCreate<byte>(data.Length + 12)
        BinaryPrimitives.WriteInt32BigEndian(Span bytes, data.Length)
        Encoding.ASCII.GetBytes(name, 0, 4, bytes, 4) |> ignore
        data.CopyTo(Span(bytes, 8, data.Length))
        let covered = ReadOnlySpan(bytes, 4, data.Length + 4)
        BinaryPrimitives.WriteUInt32BigEndian(Span(bytes, data.Length + 8, 4), Crc32.compute covered)
        target.Write(bytes, 0, bytes.Length)

    /// <summary>The bytes of a PNG file: 8 bits to a channel, one IDAT, each row with the filter of least Σ|signed byte|.</summary>
    /// <remarks>Pure; <c>decode ∘ encode</c> is the identity.</remarks>
    let encode (image: Image) : byte[] =
        ArgumentNullException.ThrowIfNull(image, nameof image)
        let length = image.Width * image.Channels
        let candidates = Array.init 5 (fun _ -> Array.zeroCreate<byte> length)
        let mutable above = ReadOnlySpan(Array.zeroCreate<byte> length)
        use compressed = new MemoryStream()
        use zlib = new ZLibStream(compressed, CompressionLevel.Optimal, true)

        for y in 0 .. image.Height - 1 do
            let row = image.Pixels.Span.Slice(y * length, length)
            let mutable best, least = 0, Int64.MaxValue

            for filter in 0..4 do
                let sum = PngFormat.filter filter image.Channels above row (Span candidates[filter])

                if sum < least then
                    best <- filter
                    least <- sum

            zlib.WriteByte(byte best)
            zlib.Write(candidates[best], 0, length)
            above <- row

        zlib.Dispose()
        let header = Array.zeroCreate<byte> 13
        BinaryPrimitives.WriteInt32BigEndian(Span header, image.Width)
        BinaryPrimitives.WriteInt32BigEndian(Span(header, 4, 4), image.Height)
        header[8] <- 8uy
        header[9] <- [| 0uy; 4uy; 2uy; 6uy |][image.Channels - 1]
        use file = new MemoryStream()
        file.Write(PngFormat.signature, 0, 8)
        chunk file "IHDR" (ReadOnlySpan header)
        chunk file "IDAT" (ReadOnlySpan(compressed.GetBuffer(), 0, int compressed.Length))
        chunk file "IEND" ReadOnlySpan.Empty
        file.ToArray()

namespace Cnn

open System
open Cnn.FSharp

/// <summary>PNG: all colour types, depths and Adam7.</summary>
/// <remarks>Pure and safe to share between threads.</remarks>
[<Sealed>]
type PngCodec() =
    interface IImageCodec with
        member _.Name = "PNG"
        member _.Recognizes start = start.StartsWith(ReadOnlySpan PngFormat.signature)
        member _.Decode(file, bytes) = Png.decode file bytes
