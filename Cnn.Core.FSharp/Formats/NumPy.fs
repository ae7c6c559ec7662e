namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Globalization
open System.IO
open System.IO.Compression
open System.Text
open System.Text.RegularExpressions
open System.Threading
open Cnn

/// <summary>NumPy's files: .npy holds one array, .npz is a ZIP archive of them.</summary>
/// <remarks>Pure. NumPy, lib/format.py: versions 1.0 to 3.0.</remarks>
[<RequireQualifiedAccess>]
module NumPy =

    let private magic = Array.append [| 0x93uy |] "NUMPY"B

    /// NumPy's own cap.
    [<Literal>]
    let private LongestHeader = 10_000L

    /// A whole preamble is a multiple of this.
    [<Literal>]
    let private Alignment = 64

    /// Archives that stand for less than this are not looked at for bombs.
    [<Literal>]
    let private Large = 67_108_864L

    /// Weights do not shrink to less than a hundredth.
    [<Literal>]
    let private MostExpansion = 100L

    [<Literal>]
    let private Extension = ".npy"

    let private kinds = [
        "b1", ElementType.Boolean
        "u1", ElementType.UInt8
        "i1", ElementType.Int8
        "u2", ElementType.UInt16
        "i2", ElementType.Int16
        "u4", ElementType.UInt32
        "i4", ElementType.Int32
        "u8", ElementType.UInt64
        "i8", ElementType.Int64
        "f2", ElementType.Float16
        "f4", ElementType.Float32
        "f8", ElementType.Float64
        "c8", ElementType.Complex64
    ]

    let private typeOfKind = dict kinds
    let private kindOfType = dict [ for kind, elementType in kinds -> elementType, kind ]

    let private bytesOf elementType = NamedArray.bits elementType / 8

    /// Bytes that are reversed between the two byte orders.
    let private wordOf elementType = if elementType = ElementType.Complex64 then 4 else bytesOf elementType

    let private refuse file (offset: int64) expected actual : 'R =
        raise (DataFormatException(file, offset, expected, actual))

    /// What a header says.
    [<NoComparison>]
    type private Header = { Descr: string; IsFortran: bool; Shape: Shape }

    // A Python dictionary of three members, whose atomic groups keep every match linear.
    let private key = Regex @"\G\s*(['""])(?<value>\w*)\1\s*:\s*"
    let private text = Regex @"\G(?:'(?<value>[^'\\]*)'|""(?<value>[^""\\]*)"")"
    let private truth = Regex @"\G(?<value>True|False)\b"
    let private tuple = Regex @"\G\((?<value>\s*|(?>\s*[0-9]+L?\s*,)+(?>\s*[0-9]+L?)?\s*)\)"
    let private separator = Regex @"\G(?>\s*)(?:,|(?=\}))"
    let private ending = Regex @"\G\s*\}\s*\z"

    /// The shape of a tuple, checked before any memory is taken for it.
    let private shapeOf file at (value: string) =
        let extents =
            value.Split(',', StringSplitOptions.TrimEntries ||| StringSplitOptions.RemoveEmptyEntries)
            |> Array.map (fun extent ->
                match Int64.TryParse(extent.TrimEnd 'L', NumberStyles.None, CultureInfo.InvariantCulture) with
                | true, n when n <= int64 Array.MaxLength -> n
                | _ -> refuse file at ("extents of at most " + string Array.MaxLength) extent)

        (1L, extents)
        ||> Array.fold (fun product n ->
            // Both factors are below 2³¹.
            if product * n > int64 Array.MaxLength then
                refuse file at ("at most " + string Array.MaxLength + " elements") ("the shape (" + value + ")")

            product * n)
        |> ignore

        Shape.Of(Array.map int extents)

    /// The members of a header, which begins at an offset of the file.
    let private parse file (start: int64) (header: string) =
        let mutable at = 0
        let mutable descr, isFortran, shape = ValueNone, ValueNone, ValueNone

        let here () = start + int64 at
        let rest () = header.Substring(at, min 40 (header.Length - at)).TrimEnd()

        let expect (pattern: Regex) expected =
            let found = pattern.Match(header, at)

            if not found.Success then
                refuse file (here ()) expected (if at < header.Length then rest () else "the end of the header")

            at <- at + found.Length
            found.Groups["value"].Value

        let once (member': 'V voption) name =
            if member'.IsSome then
                refuse file (here ()) "each member once" (name + " twice")

        expect (Regex @"\G\s*\{") "a dictionary, as in {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"
        |> ignore

        while not (ending.IsMatch(header, at)) do
            match expect key "a member descr, fortran_order or shape" with
            | "descr" ->
                once descr "descr"

                if at < header.Length && header[at] = '[' then
                    refuse file (here ()) "an array of numbers" "a structured array"

                descr <- ValueSome(expect text "an element type, as in '<f4'")
            | "fortran_order" ->
                once isFortran "fortran_order"
                isFortran <- ValueSome(expect truth "True or False" = "True")
            | "shape" ->
                once shape "shape"
                let place = here ()
                shape <- ValueSome(shapeOf file place (expect tuple "a tuple of extents, as in (3, 4)"))
            | other -> refuse file (here ()) "no members but descr, fortran_order and shape" other

            expect separator "a comma or the end of the dictionary" |> ignore

        match descr, isFortran, shape with
        | ValueSome descr, ValueSome isFortran, ValueSome shape -> {
            Descr = descr
            IsFortran = isFortran
            Shape = shape
          }
        | _ -> refuse file start "the members descr, fortran_order and shape" "a header without one of them"

    /// Element type and whether the larger byte comes first.
    let private elementType file (start: int64) (descr: string) =
        let known = "an element type among " + String.Join(", ", kinds |> List.map fst)

        if descr.Contains 'O' then
            refuse file start "an array of numbers" "an array of pickled objects, which can run programs"

        match
            (if descr = "" then
                 (false, ElementType.Boolean)
             else
                 typeOfKind.TryGetValue(descr.Substring 1))
        with
        | true, elementType ->
            match descr[0] with
            | '<' -> elementType, false
            | '>' -> elementType, wordOf elementType > 1
            | '|' when wordOf elementType = 1 -> elementType, false
            | _ -> refuse file start "a byte order < or >" descr
        | _ -> refuse file start known descr

    /// Position in column-major order of each position in row-major order.
    let private fortranPosition (shape: Shape) : int -> int =
        let strides = Array.scan (*) 1 (shape.Extents.ToArray())

        let rec walk axis position offset =
            if axis < 0 then
                offset
            else
                walk (axis - 1) (position / shape[axis]) (offset + position % shape[axis] * strides[axis])

        fun position -> walk (shape.Rank - 1) position 0

    /// The elements row-major and little-endian.
    let private normal (header: Header) elementType isBigEndian (data: ReadOnlyMemory<byte>) =
        let width, word = bytesOf elementType, wordOf elementType
        let isColumnMajor = header.IsFortran && header.Shape.Rank > 1

        if not isColumnMajor && not isBigEndian then
            data
        else
            let target = Array.zeroCreate data.Length
            let source = if isColumnMajor then fortranPosition header.Shape else id

            for i in 0 .. header.Shape.Size - 1 do
                data.Span.Slice(source i * width, width).CopyTo(Span(target, i * width, width))

            if isBigEndian then
                for at in 0..word .. target.Length - 1 do
                    Array.Reverse(target, at, word)

            ReadOnlyMemory target

    /// <summary>The array in a .npy file, row-major and little-endian whatever the file's order.</summary>
    /// <remarks>Bytes that are so already are not copied: leave them as they are. What follows the array is not looked at.</remarks>
    /// <param name="file">Used in messages only.</param>
    /// <param name="name">The array's name from now on.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file, or hold structured or pickled elements.</exception>
    let readNpy (file: string) (name: string) (bytes: ReadOnlyMemory<byte>) : NamedArray =
        let reader = ByteReader(file, bytes)

        if not (reader.Take(6L, "the magic string").Span.SequenceEqual(ReadOnlySpan magic)) then
            reader.RefuseAt(0L, "a NumPy array, which begins with 93 and NUMPY", "other bytes")

        let length =
            match reader.Byte "the version", reader.Byte "the version" with
            | 1uy, 0uy -> int64 (reader.UInt16LittleEndian "the header's length")
            | (2uy | 3uy), 0uy -> int64 (reader.UInt32LittleEndian "the header's length")
            | major, minor -> reader.RefuseAt(6L, "version 1.0, 2.0 or 3.0", string major + "." + string minor)

        if length > LongestHeader then
            reader.Refuse("a header of at most " + string LongestHeader + " bytes", string length)

        let start = int64 reader.Position
        let header = parse file start (Encoding.Latin1.GetString(reader.Take(length, "the header").Span))
        let elementType, isBigEndian = elementType file start header.Descr
        let offset = int64 reader.Position
        let size = int64 header.Shape.Size * int64 (bytesOf elementType)

        {
            Name = name
            Shape = header.Shape
            Type = elementType
            Data = normal header elementType isBigEndian (reader.Take(size, "elements of the array"))
            Offset = offset
        }

    /// <summary>The bytes of a .npy file of version 1.0, the very ones that NumPy 1.24 writes; the name is not among them.</summary>
    /// <exception cref="T:System.ArgumentException">NumPy has no such elements, data do not fill the shape, or the file exceeds 2 GiB.</exception>
    let writeNpy (array: NamedArray) : byte[] =
        Words.defined "type" array.Type

        if not (kindOfType.ContainsKey array.Type) then
            let name = string (Enum.GetName array.Type)
            raise (ArgumentException("NumPy has no elements of type " + name + ".", nameof array))

        if int64 array.Data.Length <> int64 array.Shape.Size * int64 (bytesOf array.Type) then
            raise (
                ShapeException(
                    "NumPy",
                    string array.Shape + " elements of " + string (bytesOf array.Type) + " bytes for " + array.Name,
                    string array.Data.Length + " bytes",
                    "Give the elements of the array without gaps."
                )
            )

        let extents = array.Shape.Extents.ToArray() |> Array.map string

        let shape =
            match extents with
            | [| n |] -> "(" + n + ",)"
            | _ -> "(" + String.Join(", ", extents) + ")"

        let order = if wordOf array.Type = 1 then "|" else "<"

        // Room for the first extent to grow to 21 digits in place, as NumPy leaves it.
        let room = if extents.Length = 0 then 0 else max 0 (21 - extents[0].Length)

        let header =
            "{'descr': '"
            + order
            + kindOfType[array.Type]
            + "', 'fortran_order': False, 'shape': "
            + shape
            + ", }"
            + String(' ', room)

        let before = magic.Length + 4
        let padded = header + String(' ', Alignment - (before + header.Length + 1) % Alignment) + "\n"

        if int64 (before + padded.Length) + int64 array.Data.Length > int64 Array.MaxLength then
            raise (ArgumentException("The array " + array.Name + " is too large for one file.", nameof array))

        Array.concat [
            magic
            [| 1uy; 0uy; byte padded.Length; byte (padded.Length >>> 8) |]
            Encoding.Latin1.GetBytes padded
            array.Data.ToArray()
        ]

    /// All bytes of an entry, its length and checksum verified.
    let private expand file (entry: ZipArchiveEntry) =
        use source = entry.Open()
        let bytes = Array.zeroCreate (int entry.Length)
        let read = source.ReadAtLeast(Span bytes, bytes.Length, false)

        if read < bytes.Length || source.ReadByte() >= 0 then
            let found = if read < bytes.Length then Words.count read "byte" "bytes" else "more"
            refuse file (int64 read) (Words.count bytes.Length "byte" "bytes" + ", as the directory says") found

        if Crc32.compute (ReadOnlySpan bytes) <> entry.Crc32 then
            refuse file 0L ("bytes of checksum " + entry.Crc32.ToString "X8") "others"

        bytes

    /// The arrays of a .npz file, as long as nobody cancels.
    let internal readNpzUntil (cancellation: CancellationToken) (file: string) (bytes: byte[]) : NamedArray list =
        try
            use archive = new ZipArchive(new MemoryStream(bytes, false), ZipArchiveMode.Read)

            let entries =
                archive.Entries |> Seq.filter (fun entry -> entry.FullName.EndsWith Extension) |> List.ofSeq

            let names = HashSet<string>()

            for entry in entries do
                if not (names.Add entry.FullName) then
                    refuse file 0L "each array once" (entry.FullName + " twice")

                if entry.Length > int64 Array.MaxLength then
                    refuse file 0L ("arrays of at most " + string Array.MaxLength + " bytes") entry.FullName

            // Entries can share their bytes, so that only the sum tells a bomb; no length exceeds 2³¹, no file has as many entries.
            let total = entries |> List.sumBy (fun entry -> entry.Length)

            if total > max Large (MostExpansion * int64 bytes.Length) || total > Inflate.mostOf bytes.Length then
                let wanted = "an archive of at most " + string MostExpansion + " times its size"
                refuse file 0L wanted (string total + " bytes in " + string bytes.Length)

            [
                for entry in entries do
                    cancellation.ThrowIfCancellationRequested()
                    let inside = file + "/" + entry.FullName
                    let name = entry.FullName.Substring(0, entry.FullName.Length - Extension.Length)
                    readNpy inside name (ReadOnlyMemory(expand inside entry))
            ]
        with
        | :? InvalidDataException
        | :? EndOfStreamException as e -> refuse file 0L "a sound ZIP archive" e.Message

    /// <summary>The arrays of a .npz file, in its order, named as their entries without .npy; other entries are left alone.</summary>
    /// <param name="file">Used in messages only, followed by the entry.</param>
    /// <param name="bytes">The whole file, compressed or not.</param>
    /// <exception cref="T:Cnn.DataFormatException">
    /// The bytes are no such file, two arrays have one name, or the archive claims to expand more than weights do.
    /// </exception>
    let readNpz (file: string) (bytes: byte[]) : NamedArray list = readNpzUntil CancellationToken.None file bytes

    /// <summary>The bytes of a .npz file of arrays, uncompressed; equal contents, equal bytes.</summary>
    /// <exception cref="T:System.ArgumentException">Two arrays have one name, one cannot be written, or the file exceeds 2 GiB.</exception>
    let writeNpz (arrays: NamedArray list) : byte[] =
        let names = HashSet<string>()

        for array in arrays do
            if not (names.Add array.Name) then
                raise (ArgumentException("Two arrays are named " + array.Name + ".", nameof arrays))

        // An entry's name stands in the file twice; 512 bytes are more than all else around it.
        let length =
            arrays |> List.sumBy (fun array -> int64 array.Data.Length + 6L * int64 array.Name.Length + 512L)

        if length > int64 Array.MaxLength then
            raise (ArgumentException("The arrays are too large for one file.", nameof arrays))

        use target = new MemoryStream()

        (use archive = new ZipArchive(target, ZipArchiveMode.Create, true)

         for array in arrays do
             let entry = archive.CreateEntry(array.Name + Extension, CompressionLevel.NoCompression)
             entry.LastWriteTime <- DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero)
             use stream = entry.Open()
             stream.Write(ReadOnlySpan(writeNpy array)))

        target.ToArray()
