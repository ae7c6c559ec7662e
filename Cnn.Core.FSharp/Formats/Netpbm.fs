namespace Cnn.FSharp

open System
open System.Buffers.Binary
open System.Text
open Cnn

/// One of the six Netpbm formats.
[<Struct; NoEquality; NoComparison>]
type private NetpbmKind = { IsBits: bool; IsPlain: bool; Samples: int }

module private NetpbmReader =

    let private isSpace (b: byte) = b = 32uy || (b >= 9uy && b <= 13uy)

    /// Skips white space, and comments from # to the end of their line.
    let rec private skip (bytes: ReadOnlyMemory<byte>) at =
        if at >= bytes.Length then
            at
        elif isSpace bytes.Span[at] then
            skip bytes (at + 1)
        elif bytes.Span[at] = '#'B then
            match bytes.Span.Slice(at).IndexOfAny(10uy, 13uy) with
            | -1 -> bytes.Length
            | length -> skip bytes (at + length)
        else
            at

    let private refuse file (offset: int) expected actual : 'R =
        raise (DataFormatException(file, int64 offset, expected, actual))

    let private found (bytes: ReadOnlyMemory<byte>) at =
        if at >= bytes.Length then
            "the end of the file"
        else
            "byte " + bytes.Span[at].ToString "X2"

    /// A whole number of at most `most`, and where the bytes go on behind it.
    let private number file (bytes: ReadOnlyMemory<byte>) start least most what =
        let first = skip bytes start
        let mutable at, value = first, 0L

        while at < bytes.Length && Char.IsAsciiDigit(char bytes.Span[at]) && value <= int64 most do
            value <- 10L * value + int64 (bytes.Span[at] - '0'B)
            at <- at + 1

        if at = first || value < int64 least || value > int64 most then
            let actual = if at = first then found bytes at else string value
            refuse file first (what + " of " + string least + " to " + string most) actual

        if at < bytes.Length && not (isSpace bytes.Span[at]) && bytes.Span[at] <> '#'B then
            refuse file at ("white space after " + what) (found bytes at)

        struct (int value, at)

    let private kind file (bytes: ReadOnlyMemory<byte>) =
        let letter = if bytes.Length > 1 && bytes.Span[0] = 'P'B then bytes.Span[1] else 0uy

        if letter < '1'B || letter > '6'B then
            let start = bytes.Span.Slice(0, min 2 bytes.Length)
            let actual = if start.IsEmpty then "no bytes" else Convert.ToHexString start
            refuse file 0 "P1 to P6, as every Netpbm file begins" actual

        let format = int (letter - '1'B)

        {
            IsBits = format % 3 = 0
            IsPlain = format < 3
            Samples = (if format % 3 = 2 then 3 else 1)
        }

    let decode file (bytes: ReadOnlyMemory<byte>) =
        let kind = kind file bytes

        if bytes.Length > 2 && not (isSpace bytes.Span[2]) && bytes.Span[2] <> '#'B then
            refuse file 2 "white space after the format" (found bytes 2)

        let struct (width, at) = number file bytes 2 1 Int32.MaxValue "a width"
        let struct (height, at) = number file bytes at 1 Int32.MaxValue "a height"

        let struct (brightest, at) =
            if kind.IsBits then
                struct (1, at)
            else
                number file bytes at 1 65535 "a largest value"

        let pixels = int64 width * int64 height

        // One white space ends the header of binary pixels; a comment that stands in its place ends with its line.
        let start =
            if kind.IsPlain then
                at
            elif at < bytes.Length && bytes.Span[at] = '#'B then
                match bytes.Span.Slice(at).IndexOfAny(10uy, 13uy) with
                | -1 -> bytes.Length
                | length -> at + length + 1
            else
                at + 1

        if pixels > int64 (Array.MaxLength / kind.Samples) then
            let wanted = "at most " + string Array.MaxLength + " bytes of pixels"
            refuse file 2 wanted (string width + "×" + string height + " pixels")

        let count = int pixels * kind.Samples
        let rowBytes = (int64 width + 7L) / 8L
        let sampleBytes = if brightest > 255 then 2 else 1

        let least =
            match kind with
            | { IsBits = true; IsPlain = true } -> int64 count
            | { IsPlain = true } -> 2L * int64 count - 1L
            | { IsBits = true } -> int64 height * rowBytes
            | _ -> int64 count * int64 sampleBytes

        let left = int64 (max 0 (bytes.Length - start))

        if left < least then
            let wanted = string least + " bytes of pixels, for " + string width + "×" + string height
            refuse file start wanted (Words.count (int left) "byte" "bytes")

        let eight value = byte ((255 * value + brightest / 2) / brightest)
        let image = Array.zeroCreate<byte> count

        if kind.IsBits && kind.IsPlain then
            let mutable at = start

            for i in 0 .. count - 1 do
                at <- skip bytes at

                if at >= bytes.Length || (bytes.Span[at] <> '0'B && bytes.Span[at] <> '1'B) then
                    refuse file at "a pixel of 0 or 1" (found bytes at)

                image[i] <- if bytes.Span[at] = '0'B then 255uy else 0uy
                at <- at + 1
        elif kind.IsPlain then
            let mutable at = start

            for i in 0 .. count - 1 do
                let struct (value, after) = number file bytes at 0 brightest "a pixel"
                image[i] <- eight value
                at <- after
        elif kind.IsBits then
            for i in 0 .. count - 1 do
                let y, x = i / width, i % width
                let bits = bytes.Span[start + y * int rowBytes + x / 8]
                image[i] <- if bits >>> (7 - x % 8) &&& 1uy = 0uy then 255uy else 0uy
        else
            let pixels = bytes.Slice start

            for i in 0 .. count - 1 do
                let value =
                    if sampleBytes = 2 then
                        int (BinaryPrimitives.ReadUInt16BigEndian(pixels.Span.Slice(2 * i)))
                    else
                        int pixels.Span[i]

                if value > brightest then
                    refuse file (start + i * sampleBytes) ("a pixel of 0 to " + string brightest) (string value)

                image[i] <- eight value

        Image.Owning(height, width, kind.Samples, image)

/// <summary>The Netpbm formats: bits, grey and RGB, each as text (P1, P2, P3) and binary (P4, P5, P6).</summary>
[<RequireQualifiedAccess>]
module Netpbm =

    /// <summary>
    /// The first picture in the bytes of a file of one of the formats: 1 channel of grey or 3 of RGB; v of the largest value m
    /// becomes 255·v/m, rounded; a bit of 1 is black.
    /// </summary>
    /// <remarks>Pure. Comments are allowed wherever white space is; bytes after the picture are skipped.</remarks>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound file of these formats.</exception>
    let decode (file: string) (bytes: ReadOnlyMemory<byte>) : Image =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        NetpbmReader.decode file bytes

    /// <summary>The bytes of a binary file of 8 bits to a channel: PGM (P5) of grey, PPM (P6) of RGB.</summary>
    /// <remarks>Pure; <c>decode ∘ encode</c> is the identity.</remarks>
    /// <exception cref="T:Cnn.ShapeException">The picture has alpha, which the formats have not.</exception>
    let encode (image: Image) : byte[] =
        ArgumentNullException.ThrowIfNull(image, nameof image)

        let magic =
            match image.Channels with
            | 1 -> "P5"
            | 3 -> "P6"
            | channels ->
                let cure = "Write a PNG file, or take the alpha away."
                raise (ShapeException("Netpbm", "1 channel of grey or 3 of RGB", string channels + " channels", cure))

        let header = magic + "\n" + string image.Width + " " + string image.Height + "\n255\n"
        Array.append (Encoding.ASCII.GetBytes header) (image.Pixels.ToArray())

namespace Cnn

open Cnn.FSharp

/// <summary>Netpbm: PBM, PGM and PPM (P1 to P6).</summary>
/// <remarks>Pure and safe to share between threads.</remarks>
[<Sealed>]
type NetpbmCodec() =
    interface IImageCodec with
        member _.Name = "Netpbm"
        member _.Recognizes start = start.Length > 1 && start[0] = 'P'B && start[1] >= '1'B && start[1] <= '6'B
        member _.Decode(file, bytes) = Netpbm.decode file bytes
