namespace Cnn.FSharp

open System
open Cnn

/// <summary>The JPEG format (ITU-T T.81, 1992, and T.871, JFIF, 2011).</summary>
[<RequireQualifiedAccess>]
module Jpeg =

    /// What application segments tell beside the picture. Belongs to one decode.
    [<Sealed>]
    type private Notes() =
        member val IsJfif = false with get, set
        member val AdobeTransform = -1 with get, set
        member val Orientation = 1 with get, set

    let private application (reader: ByteReader) number (notes: Notes) =
        JpegSegments.within reader "an application segment" (fun finish ->
            let segment = reader.Take(int64 (finish - reader.Position), "an application segment")
            let isNamed (name: byte[]) = segment.Span.StartsWith(ReadOnlySpan name)

            match number with
            | 0 when isNamed "JFIF\000"B -> notes.IsJfif <- true
            | 1 when isNamed "Exif\000\000"B -> notes.Orientation <- Orientation.ofExif segment
            | 14 when isNamed "Adobe"B && segment.Length >= 12 -> notes.AdobeTransform <- int segment.Span[11]
            | _ -> ())

    /// Three components are RGB where the Adobe segment says so; without JFIF and Adobe, where they are named R, G, B.
    let private isYCbCr (notes: Notes) (frame: JpegFrame) =
        if notes.IsJfif then true
        elif notes.AdobeTransform >= 0 then notes.AdobeTransform <> 0
        else frame.Components |> Array.map _.Identifier <> "RGB"B

    let private unsupported code =
        match code with
        | 0xC3uy -> Some "lossless coding"
        | 0xC5uy
        | 0xC6uy
        | 0xDEuy
        | 0xDFuy -> Some "hierarchical coding"
        | 0xC7uy -> Some "lossless hierarchical coding"
        | 0xC9uy
        | 0xCAuy
        | 0xCCuy -> Some "arithmetic coding"
        | 0xCBuy -> Some "lossless arithmetic coding"
        | 0xCDuy
        | 0xCEuy
        | 0xCFuy -> Some "hierarchical arithmetic coding"
        | 0xDCuy -> Some "a height told by DNL"
        | _ -> None

    /// The code of the next marker, fill bytes before it skipped.
    let private marker (reader: ByteReader) =
        let at = int64 reader.Position
        let start = reader.Byte "a marker"

        if start <> 0xFFuy then
            reader.RefuseAt(at, "a marker, which begins with FF", start.ToString "X2")

        let mutable code = reader.Byte "a marker"

        while code = 0xFFuy do
            code <- reader.Byte "a marker"

        code

    /// <summary>
    /// The picture in the bytes of a JPEG file, turned upright as EXIF says: 1 channel of grey or 3 of RGB.
    /// </summary>
    /// <remarks>
    /// Pure. Sequential and progressive Huffman coding of 8 bits, any sampling factors: chroma is enlarged linearly between
    /// the centres of its samples. Arithmetic, lossless and hierarchical coding, 12 bits, CMYK and DNL are refused by name,
    /// and so are a file that ends before its picture does and one whose scans visit over 128 blocks for each of its bytes.
    /// Bytes between a scan and the next marker are skipped, and so is all that follows the end.
    /// </remarks>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound JPEG file of these kinds.</exception>
    let decode (file: string) (bytes: ReadOnlyMemory<byte>) : Image =
        let reader = ByteReader(file, bytes)

        if bytes.Length < 2 || bytes.Span[0] <> 0xFFuy || bytes.Span[1] <> 0xD8uy then
            let found = Convert.ToHexString(bytes.Span.Slice(0, min 2 bytes.Length))
            reader.Refuse("FFD8, as every JPEG file begins with", (if found = "" then "nothing" else found))

        reader.Take(2L, "the start") |> ignore
        let tables, notes = JpegTables(), Notes()
        let mutable visits = 0L

        let readScan frame =
            let at = int64 reader.Position
            let scan = JpegSegments.scan reader tables frame
            visits <- visits + JpegScans.visits frame scan

            if visits > JpegScans.MostVisits * int64 bytes.Length then
                let wanted = "scans of at most " + string JpegScans.MostVisits + " blocks for each byte of the file"
                reader.RefuseAt(at, wanted, "more")

            let finish = JpegScans.read file bytes reader.Position tables.RestartInterval frame scan
            reader.Take(int64 (finish - reader.Position), "a scan") |> ignore

        let rec segments (frame: JpegFrame option) =
            let at = int64 reader.Position
            let code = marker reader

            match code, frame with
            | (0xC0uy | 0xC1uy | 0xC2uy), None -> segments (Some(JpegSegments.frame reader (code = 0xC2uy)))
            | (0xC0uy | 0xC1uy | 0xC2uy), Some _ -> reader.RefuseAt(at, "one frame", "another")
            | 0xC4uy, _ ->
                JpegSegments.huffman reader tables
                segments frame
            | 0xDBuy, _ ->
                JpegSegments.quantization reader tables
                segments frame
            | 0xDDuy, _ ->
                JpegSegments.restartInterval reader tables
                segments frame
            | 0xDAuy, Some f ->
                readScan f
                segments frame
            | 0xD9uy, Some f ->
                for c in f.Components do
                    if c.Lowest[0] = JpegComponent.Unseen then
                        reader.RefuseAt(at, "a scan of component " + string c.Identifier, "the end of the picture")

                f
            | (0xDAuy | 0xD9uy), None -> reader.RefuseAt(at, "a frame header", "FF" + code.ToString "X2")
            | _ when code >= 0xE0uy && code <= 0xEFuy ->
                application reader (int code - 0xE0) notes
                segments frame
            | 0xFEuy, _ ->
                JpegSegments.within reader "a comment" (fun finish ->
                    reader.Take(int64 (finish - reader.Position), "a comment") |> ignore)

                segments frame
            | _ ->
                match unsupported code with
                | Some name ->
                    reader.RefuseAt(at, "sequential or progressive Huffman coding", name + " (not supported)")
                | None -> reader.RefuseAt(at, "the marker of a segment", "FF" + code.ToString "X2")

        let frame = segments None
        JpegColor.assemble frame (isYCbCr notes frame) notes.Orientation

namespace Cnn

open System
open Cnn.FSharp

/// <summary>JPEG: sequential and progressive, grey, YCbCr and RGB, any sampling factors, EXIF orientation.</summary>
/// <remarks>Pure and safe to share between threads.</remarks>
[<Sealed>]
type JpegCodec() =
    interface IImageCodec with
        member _.Name = "JPEG"
        member _.Recognizes start = start.StartsWith(ReadOnlySpan [| 0xFFuy; 0xD8uy; 0xFFuy |])
        member _.Decode(file, bytes) = Jpeg.decode file bytes
