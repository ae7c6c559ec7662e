namespace Cnn.FSharp

open System

/// The checksum of ZIP and PNG: the reflected polynomial EDB88320, begun and ended by inverting all bits.
module internal Crc32 =

    let private table =
        Array.init 256 (fun n ->
            Seq.fold
                (fun c _ -> if c &&& 1u = 0u then c >>> 1 else (c >>> 1) ^^^ 0xEDB88320u)
                (uint32 n)
                (seq { 1..8 }))

    /// The checksum of the bytes.
    let compute (bytes: ReadOnlySpan<byte>) =
        let mutable c = UInt32.MaxValue

        for b in bytes do
            c <- table[int (byte c ^^^ b)] ^^^ (c >>> 8)

        ~~~c
