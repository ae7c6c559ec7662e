namespace Cnn.FSharp

open System
open System.Buffers.Binary
open Cnn

/// <summary>An array of an IDX file: its extents and its elements, row-major, as they stand in the file.</summary>
[<NoEquality; NoComparison>]
type IdxArray = {
    /// <summary>Extents, first axis first.</summary>
    Extents: int[]
    /// <summary>Bytes of the elements.</summary>
    Data: ReadOnlyMemory<byte>
}

/// <summary>
/// The IDX format of MNIST: two zero bytes, element type, rank, one big-endian size for each axis, then the elements.
/// </summary>
[<RequireQualifiedAccess>]
module Idx =

    /// The unsigned bytes of an IDX file of the given rank; no more is decompressed than its header says.
    let internal read (rank: int) (source: ByteSource) : IdxArray =
        let magic = Array.zeroCreate 4
        let there = source.ReadUpTo(Span magic)

        if there < 4 then
            source.RefuseAt(0L, "an IDX file of at least 4 bytes", Words.count there "byte" "bytes")

        if magic[0] <> 0uy || magic[1] <> 0uy then
            source.RefuseAt(0L, "two zero bytes, as every IDX file begins with", Convert.ToHexString(magic, 0, 2))

        if magic[2] <> 8uy then
            source.RefuseAt(2L, "element type 08, unsigned bytes", Convert.ToHexString(magic, 2, 1))

        if int magic[3] <> rank then
            let wanted = string rank + (if rank = 1 then " axis, as labels have" else " axes, as pictures have")
            source.RefuseAt(3L, wanted, string magic[3])

        let sizes = source.Take(4L * int64 rank, "sizes of the axes")

        let extents =
            Array.init rank (fun axis -> BinaryPrimitives.ReadUInt32BigEndian(ReadOnlySpan(sizes, 4 * axis, 4)))

        // Each size fits 32 bits and the running product stays below 2³¹, so 64 bits cannot overflow.
        let elements =
            extents
            |> Array.fold
                (fun product size ->
                    let product = product * int64 size

                    if product > int64 Array.MaxLength then
                        source.RefuseAt(4L, "an array that fits into memory", string product + " elements or more")

                    product)
                1L

        // A size of zero leaves the others unbounded.
        if extents |> Array.exists (fun size -> size > uint32 Array.MaxLength) then
            source.RefuseAt(4L, "sizes that fit into memory", string (Array.max extents))

        let data = source.Take(elements, "elements, as the header says")
        source.RequireEnd(Words.count (int elements) "element" "elements" + ", as the header says")
        { Extents = Array.map int extents; Data = ReadOnlyMemory data }

    /// <summary>The unsigned bytes in an IDX file of the given rank, gzip-compressed or not.</summary>
    /// <remarks>Pure. <paramref name="file"/> is used in messages only.</remarks>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    let parse (file: string) (rank: int) (bytes: byte[]) : IdxArray =
        use source = new ByteSource(file, bytes)
        read rank source
