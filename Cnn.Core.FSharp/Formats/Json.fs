namespace Cnn.FSharp

open System
open System.Buffers
open System.Globalization
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open Cnn

/// JSON of a file at hand: a value, and where it stands, for messages.
[<NoEquality; NoComparison>]
type internal Json = {
    File: string
    /// Offset in the file of the whole text.
    Offset: int64
    /// As in architecture.layers[2].kernel.
    Path: string
    Element: JsonElement
}

/// JSON read member by member: what is not as it should be is refused.
[<RequireQualifiedAccess>]
module internal Json =

    /// Deeper than any text that the library writes.
    [<Literal>]
    let private Depth = 16

    let private options = JsonDocumentOptions(MaxDepth = Depth, AllowDuplicateProperties = false)

    /// Why a text is no JSON, without the place in its line.
    let reason (error: JsonException) =
        let message = error.Message
        let place = message.IndexOf(" LineNumber:", StringComparison.Ordinal)
        (if place < 0 then message else message[.. place - 1]).TrimEnd '.'

    let private cut (text: string) = if text.Length <= 60 then text else text[..59] + "…"

    let refuse (json: Json) expected found : 'R =
        raise (DataFormatException(json.File, json.Offset, expected + " as " + json.Path, found))

    let private refuseIt json expected : 'R = refuse json expected (cut (json.Element.GetRawText()))

    /// The value of a text, at an offset of the file.
    let parse file offset path (text: string) : Json =
        let refuse (why: string) = raise (DataFormatException(file, offset, "sound JSON as " + path, why))

        try
            { File = file; Offset = offset; Path = path; Element = JsonElement.Parse(text, options) }
        with
        | :? JsonException as e -> refuse (reason e)
        // Half of a surrogate pair.
        | :? ArgumentException as e -> refuse e.Message

    let private guarded json expected (read: unit -> 'R) =
        try
            read ()
        with :? InvalidOperationException ->
            refuseIt json expected

    /// The member of a name, if it is there.
    let tryGet (name: string) json =
        guarded json "an object" (fun () ->
            match json.Element.TryGetProperty name with
            | true, element -> Some { json with Path = json.Path + "." + name; Element = element }
            | _ -> None)

    /// The member of a name.
    let get name json =
        match tryGet name json with
        | Some value -> value
        | None -> refuse json ("an object with the member " + name) (cut (json.Element.GetRawText()))

    /// The items of a list of at most so many.
    let items most json =
        guarded json "a list" (fun () ->
            let length = json.Element.GetArrayLength()

            if length > most then
                refuse json ("at most " + string most + " items") (string length)

            json.Element.EnumerateArray()
            |> Seq.mapi (fun i element -> { json with Path = json.Path + "[" + string i + "]"; Element = element })
            |> List.ofSeq)

    /// A text.
    let text json : string =
        guarded json "text" (fun () ->
            match json.Element.GetString() with
            | null -> refuseIt json "text"
            | text -> text)

    /// True or false.
    let flag json = guarded json "true or false" (fun () -> json.Element.GetBoolean())

    /// A whole number of 32 bits.
    let whole json =
        guarded json "a whole number" (fun () ->
            match json.Element.TryGetInt32() with
            | true, n -> n
            | _ -> refuseIt json "a whole number of 32 bits")

    /// A whole number from a least one on.
    let atLeast least json =
        let n = whole json

        if n < least then
            refuseIt json ("a whole number from " + string least + " on")
        else
            n

    /// A number, infinite ones and NaN as text.
    let number json : float =
        match json.Element.ValueKind with
        | JsonValueKind.String ->
            match text json with
            | "Infinity" -> infinity
            | "-Infinity" -> -infinity
            | "NaN" -> nan
            | _ -> refuseIt json "a number"
        | _ ->
            guarded json "a number" (fun () ->
                match json.Element.TryGetDouble() with
                | true, x when Double.IsFinite x -> x
                | _ -> refuseIt json "a number of 64 bits")

    /// What a word of a table stands for.
    let choice (table: (string * 'A) list) json =
        let word = text json

        match table |> List.tryFind (fun (name, _) -> name = word) with
        | Some(_, value) -> value
        | None -> refuseIt json ("one of " + String.Join(", ", List.map fst table))

    /// The word of a table that stands for a value.
    let wordOf (table: (string * 'A) list) value = table |> List.find (fun (_, known) -> known = value) |> fst

    /// The text of JSON that is written piece by piece.
    let write (pieces: Utf8JsonWriter -> unit) =
        let buffer = ArrayBufferWriter<byte>()
        let relaxed = JsonWriterOptions(Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping)

        (use writer = new Utf8JsonWriter(buffer, relaxed)
         pieces writer)

        Encoding.UTF8.GetString buffer.WrittenSpan

    /// A member that is a number; infinite ones and NaN become text.
    let writeNumber (writer: Utf8JsonWriter) (name: string) (x: float) =
        if Double.IsFinite x then
            writer.WriteNumber(name, x)
        else
            writer.WriteString(name, x.ToString CultureInfo.InvariantCulture)

    /// A member that is a list.
    let writeList (writer: Utf8JsonWriter) (name: string) (write: 'A -> unit) (items: 'A seq) =
        writer.WriteStartArray name
        Seq.iter write items
        writer.WriteEndArray()

    /// A member that is a list of whole numbers.
    let writeWholes (writer: Utf8JsonWriter) name (numbers: int seq) =
        writeList writer name (fun (n: int) -> writer.WriteNumberValue n) numbers
