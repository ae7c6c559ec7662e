namespace Cnn.FSharp

open System
open System.Buffers.Binary
open System.Runtime.InteropServices
open System.Text
open Cnn

/// <summary>How the numbers of an array are stored, which may be narrower than the class that MATLAB shows.</summary>
type MatType =
    /// <summary>miINT8.</summary>
    | Int8 = 1
    /// <summary>miUINT8.</summary>
    | UInt8 = 2
    /// <summary>miINT16.</summary>
    | Int16 = 3
    /// <summary>miUINT16.</summary>
    | UInt16 = 4
    /// <summary>miINT32.</summary>
    | Int32 = 5
    /// <summary>miUINT32.</summary>
    | UInt32 = 6
    /// <summary>miSINGLE.</summary>
    | Single = 7
    /// <summary>miDOUBLE.</summary>
    | Double = 9
    /// <summary>miINT64.</summary>
    | Int64 = 12
    /// <summary>miUINT64.</summary>
    | UInt64 = 13

/// <summary>A numeric array of a MAT-file: its elements stand column-major, the first index fastest.</summary>
[<NoEquality; NoComparison>]
type MatArray = {
    /// <summary>Name of the variable.</summary>
    Name: string
    /// <summary>Extents, first axis first; at least two.</summary>
    Extents: int[]
    /// <summary>How the elements are stored.</summary>
    Stored: MatType
    /// <summary>Bytes of the elements as they stand in the file.</summary>
    Data: byte[]
    /// <summary>True where the first byte of an element is its highest.</summary>
    IsBigEndian: bool
    /// <summary>The file, or the variable in it where that is compressed by itself: what offsets count in.</summary>
    File: string
    /// <summary>Where the elements begin.</summary>
    Offset: int64
}

/// <summary>Arrays of numbers in MATLAB's MAT-files of level 5 (versions 5 to 7.2), compressed or not.</summary>
[<RequireQualifiedAccess>]
module MatFile =

    let private matrix, compressed = 14, 15

    /// Bytes of an element, or 0 for a type that holds no numbers.
    let private width (stored: int) =
        match enum stored with
        | MatType.Int8
        | MatType.UInt8 -> 1
        | MatType.Int16
        | MatType.UInt16 -> 2
        | MatType.Int32
        | MatType.UInt32
        | MatType.Single -> 4
        | MatType.Double
        | MatType.Int64
        | MatType.UInt64 -> 8
        | _ -> 0

    /// <summary>The elements as numbers, in the order in which they are stored.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such type of elements.</exception>
    let numbers (array: MatArray) : float[] =
        Words.defined "stored" array.Stored
        let size = width (int array.Stored)
        let bytes = Array.copy array.Data

        if array.IsBigEndian = BitConverter.IsLittleEndian then
            for i in 0 .. bytes.Length / size - 1 do
                Array.Reverse(bytes, i * size, size)

        let elements convert = Array.init (bytes.Length / size) (fun i -> convert (i * size))

        match array.Stored with
        | MatType.Int8 -> elements (fun at -> float (sbyte bytes[at]))
        | MatType.UInt8 -> elements (fun at -> float bytes[at])
        | MatType.Int16 -> elements (fun at -> float (BitConverter.ToInt16(bytes, at)))
        | MatType.UInt16 -> elements (fun at -> float (BitConverter.ToUInt16(bytes, at)))
        | MatType.Int32 -> elements (fun at -> float (BitConverter.ToInt32(bytes, at)))
        | MatType.UInt32 -> elements (fun at -> float (BitConverter.ToUInt32(bytes, at)))
        | MatType.Single -> elements (fun at -> float (BitConverter.ToSingle(bytes, at)))
        | MatType.Double -> elements (fun at -> BitConverter.ToDouble(bytes, at))
        | MatType.Int64 -> elements (fun at -> float (BitConverter.ToInt64(bytes, at)))
        | _ -> elements (fun at -> float (BitConverter.ToUInt64(bytes, at)))

    /// The byte order of a file, from its header of 128 bytes.
    let private isBigEndian (source: ByteSource) =
        let level5 = "a MAT-file of level 5 (MATLAB 5 to 7.2)"
        let header = Array.zeroCreate 128
        let there = source.ReadUpTo(Span header)
        let refuse offset actual = source.RefuseAt(offset, level5, actual)

        if Encoding.Latin1.GetString(header, 0, 4) = "\u0089HDF" then
            refuse 0L "an HDF5 file"

        if there >= 4 && Array.IndexOf(header, 0uy, 0, 4) >= 0 then
            refuse 0L "one of level 4, or none; save it with -v7"

        if there < header.Length then
            refuse 0L (Words.count there "byte" "bytes")

        let isBig =
            match Encoding.Latin1.GetString(header, 126, 2) with
            | "IM" -> false
            | "MI" -> true
            | _ -> refuse 126L ("the byte order " + Convert.ToHexString(header, 126, 2) + " instead of IM or MI")

        match header[if isBig then 124 else 125] with
        | 1uy -> isBig
        | 2uy -> refuse 124L "one of version 7.3 (HDF5); save it with -v7"
        | _ -> refuse 124L ("version " + Convert.ToHexString(header, 124, 2))

    let private uint32 isBig (bytes: byte[]) at =
        let field = ReadOnlySpan(bytes, at, 4)

        if isBig then
            BinaryPrimitives.ReadUInt32BigEndian field
        else
            BinaryPrimitives.ReadUInt32LittleEndian field

    /// Type of the next element, bytes of its payload, and bytes of padding after it; nothing at the end of the file.
    let private tryTag isBig (source: ByteSource) =
        let start = source.Position
        let word = Array.zeroCreate 4

        match source.ReadUpTo(Span word) with
        | 0 -> None
        | there when there < 4 ->
            source.RefuseAt(start, "the tag of an element", Words.count there "byte" "bytes" + " before the end")
        | _ ->
            let first = uint32 isBig word 0
            let small = int64 (first >>> 16)

            if small = 0L then
                let count = int64 (uint32 isBig (source.Take(4L, "the size of an element")) 0)
                let padding = if int first = compressed then 0L else -count &&& 7L
                Some struct (int first, count, padding)
            elif small <= 4L then
                Some struct (int (first &&& 0xFFFFu), small, 4L - small)
            else
                source.RefuseAt(start, "a small element of at most 4 bytes", string small)

    let private tag isBig (source: ByteSource) =
        match tryTag isBig source with
        | Some tag -> tag
        | None -> source.Refuse("the tag of an element", "the end of the file")

    /// Payload of a part of an array, of one of the given types and of bounded size.
    let private part isBig (source: ByteSource) (what: string) (types: int list) (most: int64) =
        let start = source.Position
        let struct (found, count, padding) = tag isBig source

        if not (List.contains found types) then
            source.RefuseAt(start, what + " as type " + String.Join(" or ", types), "type " + string found)

        if count > most then
            source.RefuseAt(start, what + " of at most " + string most + " bytes", string count)

        let payload = source.Take(count, what)
        source.Skip(padding, "padding")
        payload

    /// The array of an element, if it is one of those that are looked for; else its first parts only are read.
    let private array isBig (wanted: string list) (source: ByteSource) =
        let start = source.Position
        let flags = part isBig source "array flags" [ 6 ] 8L

        if flags.Length < 8 then
            source.RefuseAt(start, "array flags of 8 bytes", string flags.Length)

        let kind, isComplex = int (uint32 isBig flags 0 &&& 0xFFu), uint32 isBig flags 0 &&& 0x800u <> 0u

        // Functions and opaque objects (16, 17) have no extents and no name here.
        if kind > 15 then
            None
        else
            let offset = source.Position
            let sizes = part isBig source "extents" [ 5; 6 ] 256L

            if sizes.Length < 8 || sizes.Length % 4 <> 0 then
                source.RefuseAt(offset, "two extents or more", Words.count sizes.Length "byte" "bytes")

            let name = Encoding.UTF8.GetString(part isBig source "a name" [ 1; 16 ] 1024L)

            if not (List.contains name wanted) then
                None
            else
                if kind < 6 || isComplex then
                    source.RefuseAt(
                        start,
                        "real numbers in the variable " + name,
                        if isComplex then "complex ones" else "class " + string kind
                    )

                let offset = source.Position
                let struct (stored, count, padding) = tag isBig source

                if width stored = 0 then
                    source.RefuseAt(offset, "numbers in the variable " + name, "type " + string stored)

                let extents = Array.init (sizes.Length / 4) (fun i -> uint32 isBig sizes (4 * i))

                // Beyond what memory holds the product is no longer of interest, so 64 bits cannot overflow.
                let elements =
                    extents |> Array.fold (fun product n -> min (int64 Array.MaxLength + 1L) (product * int64 n)) 1L

                if elements * int64 (width stored) <> count || Array.exists (fun n -> n > 0x7FFFFFFFu) extents then
                    let wanted = String.Join("×", extents) + " elements of " + Words.count (width stored) "byte" "bytes"
                    source.RefuseAt(offset, wanted, Words.count64 count "byte" "bytes")

                let place = source.Position
                let data = source.Take(count, "the variable " + name)
                source.Skip(padding, "padding")

                Some {
                    Name = name
                    Extents = Array.map int extents
                    Stored = enum stored
                    Data = data
                    IsBigEndian = isBig
                    File = source.File
                    Offset = place
                }

    /// Passes over what is left of an element.
    let private finish (source: ByteSource) (start: int64) (size: int64) =
        let left = start + size - source.Position

        if left < 0L then
            source.RefuseAt(start, "an array of " + string size + " bytes", string (size - left))

        source.Skip(left, "an array")

    /// The arrays of the given names, in the order of the file; whatever else there is, is passed over.
    let internal read (names: string list) (source: ByteSource) : MatArray list =
        let isBig = isBigEndian source

        let next () =
            tryTag isBig source
            |> Option.map (fun (struct (kind, count, padding)) ->
                let found =
                    if kind = compressed then
                        source.Zlib(
                            count,
                            "a compressed variable",
                            fun inner ->
                                let struct (kind, count, _) = tag isBig inner

                                if kind = matrix && count > 0L then
                                    let start = inner.Position
                                    let found = array isBig names inner

                                    if found.IsSome then
                                        finish inner start count
                                        inner.RequireEnd "the variable"

                                    found
                                else
                                    None
                        )
                    elif kind = matrix && count > 0L then
                        let start = source.Position
                        let found = array isBig names source
                        finish source start count
                        found
                    else
                        source.Skip(count, "an element")
                        None

                source.Skip(padding, "padding")
                found, ())

        List.unfold next () |> List.choose id

    /// <summary>The arrays of the given names, in the order of the file; whatever else there is, is passed over.</summary>
    /// <remarks>Pure. <paramref name="file"/> is used in messages only.</remarks>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file; files of level 4 and of version 7.3 are told apart.</exception>
    let parse (file: string) (names: string list) (bytes: byte[]) : MatArray list =
        use source = new ByteSource(file, bytes)
        read names source
