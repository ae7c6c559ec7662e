namespace Cnn.FSharp

open System
open System.IO
open System.IO.Compression
open Cnn

/// Zlib streams, expanded under a bound.
module internal Inflate =

    /// Deflate cannot shrink anything below 1/1032 of its size.
    [<Literal>]
    let private Ratio = 1032L

    /// The most bytes that compressed ones can stand for.
    let mostOf (compressed: int) = int64 compressed * Ratio

    /// The bytes of a zlib stream that must be so many, its checksum verified; the caller has bounded them by `mostOf`.
    let zlibExactly file (size: int) (compressed: MemoryStream) =
        // The runtime calls this an error of input and output.
        if compressed.Length > 1L && compressed.GetBuffer()[1] &&& 0x20uy <> 0uy then
            raise (DataFormatException(file, 1L, "a zlib stream without a preset dictionary", "one with it"))

        // The runtime takes a stream cut within its checksum for a whole one; with these for the rest, the checksum is wrong.
        compressed.Write(Array.zeroCreate 4, 0, 4)
        compressed.Position <- 0L
        use source = new ZLibStream(compressed, CompressionMode.Decompress)
        let target = Array.zeroCreate<byte> size

        let refuse (offset: int) expected actual = raise (DataFormatException(file, int64 offset, expected, actual))
        let wanted = string size + " bytes once decompressed"

        try
            match source.ReadAtLeast(Span target, size, false) with
            | filled when filled < size -> refuse filled wanted (Words.count filled "byte" "bytes")
            | _ when source.ReadByte() >= 0 -> refuse size wanted "more"
            | _ -> target
        with :? InvalidDataException as e ->
            refuse 0 "a sound zlib stream" e.Message
