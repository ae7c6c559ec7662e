namespace Cnn.FSharp

open System.IO
open System.IO.Compression
open Cnn

/// Gzip streams, bounded.
module internal Gzip =

    /// Deflate cannot shrink anything below 1/1032 of its size.
    let private ratio = 1032L

    /// True where bytes begin as a gzip stream does.
    let isCompressed (bytes: byte[]) = bytes.Length >= 2 && bytes[0] = 0x1Fuy && bytes[1] = 0x8Buy

    /// The bytes, decompressed if they are gzip; `most` bounds what may come out.
    let expand file (most: int64) (bytes: byte[]) =
        if not (isCompressed bytes) then
            bytes
        else
            let most = min most (int64 bytes.Length * ratio)
            use source = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress)
            use target = new MemoryStream()
            let buffer = Array.zeroCreate 81920

            let rec pump () =
                match source.Read(buffer, 0, buffer.Length) with
                | 0 -> ()
                | n ->
                    target.Write(buffer, 0, n)

                    if target.Length > most then
                        raise (
                            DataFormatException(
                                file,
                                most,
                                "at most " + string most + " bytes once decompressed",
                                "more"
                            )
                        )

                    pump ()

            try
                pump ()
            with :? InvalidDataException as e ->
                raise (DataFormatException(file, target.Length, "a sound gzip stream", e.Message))

            target.ToArray()
