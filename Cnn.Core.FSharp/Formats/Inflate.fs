namespace Cnn.FSharp

open System.IO
open System.IO.Compression
open Cnn

/// Gzip and zlib streams, expanded under a bound.
module internal Inflate =

    /// Deflate cannot shrink anything below 1/1032 of its size.
    [<Literal>]
    let private Ratio = 1032L

    /// The most bytes that compressed ones can stand for.
    let mostOf (compressed: int) = int64 compressed * Ratio

    let private expand file (most: int64) name (open': Stream -> Stream) (bytes: byte[]) =
        let most = min most (mostOf bytes.Length)
        use source = open' (new MemoryStream(bytes))
        use target = new MemoryStream()
        let buffer = Array.zeroCreate 81920

        let rec pump () =
            match source.Read(buffer, 0, buffer.Length) with
            | 0 -> ()
            | n ->
                if target.Length + int64 n > most then
                    let wanted = "at most " + string most + " bytes once decompressed"
                    raise (DataFormatException(file, most, wanted, "more"))

                target.Write(buffer, 0, n)
                pump ()

        try
            pump ()
        with :? InvalidDataException as e ->
            raise (DataFormatException(file, target.Length, "a sound " + name + " stream", e.Message))

        target.ToArray()

    /// True where bytes begin as a gzip stream does.
    let isGzip (bytes: byte[]) = bytes.Length >= 2 && bytes[0] = 0x1Fuy && bytes[1] = 0x8Buy

    /// The bytes, decompressed if they are gzip; `most` bounds what may come out.
    let gzip file most bytes =
        if isGzip bytes then
            expand file most "gzip" (fun s -> new GZipStream(s, CompressionMode.Decompress)) bytes
        else
            bytes

    /// The bytes of a zlib stream, its checksum verified; `most` bounds what may come out.
    let zlib file most bytes = expand file most "zlib" (fun s -> new ZLibStream(s, CompressionMode.Decompress)) bytes
