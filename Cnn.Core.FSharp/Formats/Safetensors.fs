namespace Cnn.FSharp

open System
open System.Buffers
open System.Buffers.Binary
open System.Collections.Generic
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open System.Text.Unicode
open Cnn

/// <summary>What a safetensors file holds.</summary>
[<NoEquality; NoComparison>]
type SafetensorsFile = {
    /// <summary>Texts by key.</summary>
    Metadata: Map<string, string>
    /// <summary>In the order of their data; no two of one name.</summary>
    Arrays: NamedArray list
}

/// <summary>The safetensors format: u64 N, little-endian; N bytes of JSON that name, type, shape and place the arrays; their data.</summary>
/// <remarks>Pure. Hugging Face, safetensors 0.5, README and reference implementation.</remarks>
[<RequireQualifiedAccess>]
module Safetensors =

    [<Literal>]
    let private LongestHeader = 100_000_000UL

    /// Bytes before the JSON.
    [<Literal>]
    let private Start = 8

    [<Literal>]
    let private MetadataName = "__metadata__"

    /// A header nests an object, an array's object, and a list; what is skipped may nest a little deeper.
    let private options = JsonReaderOptions(MaxDepth = 8)

    let private typeNames = [
        "BOOL", ElementType.Boolean
        "F4", ElementType.Float4
        "F6_E2M3", ElementType.Float6E2M3
        "F6_E3M2", ElementType.Float6E3M2
        "U8", ElementType.UInt8
        "I8", ElementType.Int8
        "F8_E5M2", ElementType.Float8E5M2
        "F8_E4M3", ElementType.Float8E4M3
        "F8_E8M0", ElementType.Float8E8M0
        "F8_E4M3FNUZ", ElementType.Float8E4M3Fnuz
        "F8_E5M2FNUZ", ElementType.Float8E5M2Fnuz
        "I16", ElementType.Int16
        "U16", ElementType.UInt16
        "F16", ElementType.Float16
        "BF16", ElementType.BFloat16
        "I32", ElementType.Int32
        "U32", ElementType.UInt32
        "F32", ElementType.Float32
        "C64", ElementType.Complex64
        "F64", ElementType.Float64
        "I64", ElementType.Int64
        "U64", ElementType.UInt64
    ]

    let private typeOfName = dict typeNames
    let private nameOfType = dict [ for name, elementType in typeNames -> elementType, name ]

    /// What the header says of an array; End and Begin count from the end of the header.
    [<NoComparison>]
    type private Entry = { Name: string; Shape: Shape; Type: ElementType; Begin: int64; End: int64 }

    let private refuse file offset expected actual : 'R = raise (DataFormatException(file, offset, expected, actual))

    /// Offset in the file of the token at hand.
    let private offset (json: byref<Utf8JsonReader>) = int64 Start + json.TokenStartIndex

    /// The token at hand, for messages.
    let private found (json: byref<Utf8JsonReader>) =
        let text = Encoding.UTF8.GetString(json.ValueSpan.Slice(0, min 40 json.ValueSpan.Length))
        if json.ValueSpan.Length > 40 then text + "…" else text

    let private refuseToken file (json: byref<Utf8JsonReader>) expected : 'R =
        refuse file (offset &json) expected (found &json)

    /// The next token, which must be of a kind.
    let private expect file (json: byref<Utf8JsonReader>) token expected =
        json.Read() |> ignore

        if json.TokenType <> token then
            refuseToken file &json expected

    /// The text of the token at hand.
    let private text file (json: byref<Utf8JsonReader>) : string =
        try
            nonNull (json.GetString())
        with :? InvalidOperationException ->
            refuseToken file &json "text in UTF-8"

    /// Whole numbers of 0 or more in brackets.
    let private numbers file (json: byref<Utf8JsonReader>) =
        expect file &json JsonTokenType.StartArray "a list of numbers"
        let values = ResizeArray<int64>()

        while json.Read() && json.TokenType <> JsonTokenType.EndArray do
            let mutable value = 0L

            let isWhole = json.TokenType = JsonTokenType.Number && json.TryGetInt64 &value && value >= 0L

            if not isWhole then
                refuseToken file &json "a whole number from 0 to 2^63 - 1"

            values.Add value

        values

    /// The shape of the extents, checked before any memory is taken for it.
    let private shapeOf file at (extents: ResizeArray<int64>) =
        let most = int64 Array.MaxLength
        let mutable product = 1L

        for n in extents do
            // Both factors are below 2³¹.
            product <- if n > most then most + 1L else product * n

            if product > most then
                refuse file at ("at most " + string most + " elements") "a shape of more"

        Shape.Of [| for n in extents -> int n |]

    /// What the header says of one array; the reader stands before its object.
    let private entry file name (json: byref<Utf8JsonReader>) =
        expect file &json JsonTokenType.StartObject "an object that describes an array"
        let start = offset &json
        let mutable elementType = ValueNone
        let mutable shape = ValueNone
        let mutable place = ValueNone

        let once isNew json' =
            if not isNew then
                refuse file json' "each member once" "one twice"

        while json.Read() && json.TokenType <> JsonTokenType.EndObject do
            let at = offset &json

            match text file &json with
            | "dtype" ->
                once elementType.IsNone at
                expect file &json JsonTokenType.String "the name of an element type"

                match typeOfName.TryGetValue(text file &json) with
                | true, known -> elementType <- ValueSome known
                | _ -> refuseToken file &json "a known element type, as in F32"
            | "shape" ->
                once shape.IsNone at
                shape <- ValueSome(shapeOf file at (numbers file &json))
            | "data_offsets" ->
                once place.IsNone at
                let values = numbers file &json

                if values.Count <> 2 || values[0] > values[1] then
                    refuse file at "data_offsets of a begin and an end" (String.Join(", ", Seq.truncate 4 values))

                place <- ValueSome struct (values[0], values[1])
            | _ -> json.Skip()

        match elementType, shape, place with
        | ValueSome elementType, ValueSome shape, ValueSome struct (first, last) ->
            // At most 2³¹ elements of 64 bits.
            let bits = int64 shape.Size * int64 (NamedArray.bits elementType)

            if bits % 8L <> 0L || bits / 8L <> last - first then
                let wanted = string shape + " elements of " + string (NamedArray.bits elementType) + " bits"
                refuse file start wanted (string (last - first) + " bytes")

            { Name = name; Shape = shape; Type = elementType; Begin = first; End = last }
        | _ -> refuse file start "the members dtype, shape and data_offsets" "an object without one of them"

    let private metadata file (json: byref<Utf8JsonReader>) =
        expect file &json JsonTokenType.StartObject "an object of texts"
        let texts = Dictionary<string, string>()

        while json.Read() && json.TokenType <> JsonTokenType.EndObject do
            let key = text file &json
            let at = offset &json
            expect file &json JsonTokenType.String "a text"

            if not (texts.TryAdd(key, text file &json)) then
                refuse file at "each key of the metadata once" key

        Map [ for pair in texts -> pair.Key, pair.Value ]

    /// Texts and entries of the header.
    let private header file (bytes: ReadOnlyMemory<byte>) =
        if not (Utf8.IsValid bytes.Span) then
            refuse file (int64 Start) "a header in UTF-8" "bytes that are not"

        let mutable json = Utf8JsonReader(bytes.Span, options)
        let entries, names = ResizeArray<Entry>(), HashSet<string>()
        let mutable texts = Map.empty

        try
            expect file &json JsonTokenType.StartObject "a JSON object"

            while json.Read() && json.TokenType <> JsonTokenType.EndObject do
                let at, name = offset &json, text file &json

                if not (names.Add name) then
                    refuse file at "each name once" (name + " twice")

                if name = MetadataName then
                    texts <- metadata file &json
                else
                    entries.Add(entry file name &json)

            // Whatever follows the object is refused.
            json.Read() |> ignore
        with :? JsonException as e ->
            refuse file (int64 Start + json.BytesConsumed) "sound JSON" (Json.reason e)

        texts, entries

    /// <summary>The texts and arrays of a safetensors file.</summary>
    /// <remarks>The arrays are parts of the bytes, which are not copied: leave them as they are.</remarks>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    let read (file: string) (bytes: ReadOnlyMemory<byte>) : SafetensorsFile =
        let reader = ByteReader(file, bytes)
        let length = reader.UInt64LittleEndian "the header's length"

        if length > LongestHeader then
            reader.RefuseAt(0L, "a header of at most " + string LongestHeader + " bytes", string length)

        let texts, entries = header file (reader.Take(int64 length, "the header"))
        let first = int64 reader.Position
        let data = reader.Take(int64 reader.Remaining, "data")
        let sorted = entries |> Seq.sortBy (fun entry -> struct (entry.Begin, entry.End)) |> List.ofSeq

        let last =
            (0L, sorted)
            ||> List.fold (fun before entry ->
                if entry.Begin <> before then
                    refuse
                        file
                        (first + before)
                        ("the data of " + entry.Name + " right after the data before")
                        ("begin " + string entry.Begin + " after " + string before)

                entry.End)

        if last <> int64 data.Length then
            refuse file (first + min last (int64 data.Length)) (string last + " bytes of data") (string data.Length)

        {
            Metadata = texts
            Arrays = [
                for entry in sorted ->
                    {
                        Name = entry.Name
                        Shape = entry.Shape
                        Type = entry.Type
                        Data = data.Slice(int entry.Begin, int (entry.End - entry.Begin))
                        Offset = first + entry.Begin
                    }
            ]
        }

    let private check (arrays: NamedArray list) =
        let names = HashSet<string>()

        for array in arrays do
            if array.Name = MetadataName || not (names.Add array.Name) then
                raise (ArgumentException("No two arrays can be named " + array.Name + ".", nameof arrays))

            let bits = int64 array.Shape.Size * int64 (NamedArray.bits array.Type)

            if int64 array.Data.Length * 8L <> bits then
                raise (
                    ShapeException(
                        "Safetensors",
                        string bits + " bits for " + array.Name + " of shape " + string array.Shape,
                        string array.Data.Length + " bytes",
                        "Give the elements of the array without gaps."
                    )
                )

    let private headerOf metadata (arrays: NamedArray list) =
        let buffer = ArrayBufferWriter<byte>()
        let relaxed = JsonWriterOptions(Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping)
        use json = new Utf8JsonWriter(buffer, relaxed)
        json.WriteStartObject()

        if not (Map.isEmpty metadata) then
            json.WriteStartObject MetadataName
            metadata |> Map.iter (fun (key: string) (value: string) -> json.WriteString(key, value))
            json.WriteEndObject()

        let list (name: string) (numbers: int64 seq) =
            json.WriteStartArray name
            Seq.iter (fun (n: int64) -> json.WriteNumberValue n) numbers
            json.WriteEndArray()

        let write start (array: NamedArray) =
            let last = start + int64 array.Data.Length
            json.WriteStartObject array.Name
            json.WriteString("dtype", nameOfType[array.Type])
            list "shape" [ for axis in 0 .. array.Shape.Rank - 1 -> int64 array.Shape[axis] ]
            list "data_offsets" [ start; last ]
            json.WriteEndObject()
            last

        List.fold write 0L arrays |> ignore
        json.WriteEndObject()
        json.Flush()
        // Spaces up to a multiple of 8, so that the data are aligned.
        buffer.Write(ReadOnlySpan(Array.create ((8 - buffer.WrittenCount % 8) % 8) (byte ' ')))
        buffer.WrittenMemory

    /// <summary>The bytes of a file of texts and arrays: widest elements first, then by name; equal contents, equal bytes.</summary>
    /// <exception cref="T:System.ArgumentException">Two arrays have one name, data do not fill a shape, or the file exceeds 2 GiB.</exception>
    let write (metadata: Map<string, string>) (arrays: NamedArray list) : byte[] =
        check arrays

        let sorted =
            arrays
            |> List.sortWith (fun a b ->
                match compare b.Type a.Type with
                | 0 -> String.CompareOrdinal(a.Name, b.Name)
                | order -> order)

        let header = headerOf metadata sorted

        let length =
            int64 Start + int64 header.Length + (sorted |> List.sumBy (fun array -> int64 array.Data.Length))

        if length > int64 Array.MaxLength || uint64 header.Length > LongestHeader then
            raise (ArgumentException("The arrays are too many or too large for one file.", nameof arrays))

        let bytes = Array.zeroCreate (int length)
        BinaryPrimitives.WriteUInt64LittleEndian(Span bytes, uint64 header.Length)
        header.CopyTo(Memory(bytes, Start, header.Length))

        (Start + header.Length, sorted)
        ||> List.fold (fun at array ->
            array.Data.CopyTo(Memory(bytes, at, array.Data.Length))
            at + array.Data.Length)
        |> ignore

        bytes
