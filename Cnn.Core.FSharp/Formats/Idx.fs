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

    /// <summary>The unsigned bytes in an IDX file of the given rank, gzip-compressed or not.</summary>
    /// <remarks>Pure. <paramref name="file"/> is used in messages only.</remarks>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    let parse (file: string) (rank: int) (bytes: byte[]) : IdxArray =
        let bytes = Inflate.gzip file (int64 Array.MaxLength) bytes
        let header = 4 + 4 * rank

        let refuse (offset: int) expected actual = raise (DataFormatException(file, int64 offset, expected, actual))

        if bytes.Length < 4 then
            refuse 0 "an IDX file of at least 4 bytes" (Words.count bytes.Length "byte" "bytes")

        if bytes[0] <> 0uy || bytes[1] <> 0uy then
            refuse 0 "two zero bytes, as every IDX file begins with" (Convert.ToHexString(bytes, 0, 2))

        if bytes[2] <> 8uy then
            refuse 2 "element type 08, unsigned bytes" (Convert.ToHexString(bytes, 2, 1))

        if int bytes[3] <> rank then
            refuse
                3
                (string rank + (if rank = 1 then " axis, as labels have" else " axes, as pictures have"))
                (string bytes[3])

        if bytes.Length < header then
            refuse bytes.Length ("a header of " + string header + " bytes") "the end of the file"

        let sizes =
            Array.init rank (fun axis -> BinaryPrimitives.ReadUInt32BigEndian(ReadOnlySpan(bytes, 4 + 4 * axis, 4)))

        // Each size fits 32 bits and the running product stays below 2³¹, so 64 bits cannot overflow.
        let elements =
            sizes
            |> Array.fold
                (fun product size ->
                    let product = product * int64 size

                    if product > int64 Array.MaxLength then
                        refuse 4 "an array that fits into memory" (string product + " elements or more")

                    product)
                1L

        if int64 (bytes.Length - header) <> elements then
            refuse
                header
                (Words.count (int elements) "element" "elements" + ", as the header says")
                (Words.count (bytes.Length - header) "byte" "bytes")

        { Extents = sizes |> Array.map int; Data = ReadOnlyMemory(bytes, header, int elements) }
