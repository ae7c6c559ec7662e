namespace Cnn

open System
open System.Collections.Generic

/// <summary>The formats of pictures that the library reads, and which of them some bytes are of.</summary>
/// <remarks>Pure and safe to share between threads.</remarks>
[<AbstractClass; Sealed>]
type ImageCodecs private () =
    static let standard: IReadOnlyList<IImageCodec> =
        Array.AsReadOnly<IImageCodec> [| JpegCodec(); PngCodec(); NetpbmCodec() |]

    /// <summary>The library's own: JPEG, PNG and Netpbm, in the order in which they are asked.</summary>
    static member Default = standard

    /// <summary>The first codec that knows the first bytes of a file; the file's ending says nothing.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The file, or its first 16 bytes.</param>
    /// <param name="codecs">Asked in their order.</param>
    /// <exception cref="T:Cnn.DataFormatException">None knows them; tells the first bytes.</exception>
    static member Recognize(file: string, bytes: ReadOnlyMemory<byte>, codecs: IEnumerable<IImageCodec>) : IImageCodec =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        ArgumentNullException.ThrowIfNull(codecs, nameof codecs)
        let start = bytes.Slice(0, min 16 bytes.Length)

        match codecs |> Seq.tryFind (fun codec -> codec.Recognizes start.Span) with
        | Some codec -> codec
        | None ->
            let names = codecs |> Seq.map (fun codec -> codec.Name)
            let wanted = "a picture of the formats " + String.Join(", ", names)

            let found =
                if start.IsEmpty then
                    "no bytes"
                else
                    "the first bytes " + Convert.ToHexString start.Span

            raise (DataFormatException(file, 0L, wanted, found))

    /// <summary>The picture in the bytes of a file of any of the formats.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <param name="codecs">Asked in their order.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound picture of any of the formats.</exception>
    static member Decode(file: string, bytes: ReadOnlyMemory<byte>, codecs: IEnumerable<IImageCodec>) : Image =
        ImageCodecs.Recognize(file, bytes, codecs).Decode(file, bytes)

    /// <summary>The picture in the bytes of a file of any of the library's own formats.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound picture of any of the formats.</exception>
    static member Decode(file: string, bytes: ReadOnlyMemory<byte>) : Image = ImageCodecs.Decode(file, bytes, standard)
