namespace Cnn.FSharp

open System
open System.Buffers.Text
open System.Runtime.InteropServices
open System.Text
open Cnn

/// A line of a text file, valid while it is looked at.
[<NoEquality; NoComparison>]
type internal TextLine = {
    /// From 1.
    Number: int
    /// Where the line begins.
    Offset: int64
    /// Without its end.
    Bytes: ReadOnlyMemory<byte>
}

/// Lines of separated values.
module internal CsvText =

    /// Calls a function with each line that is not empty; no line may be longer than told.
    let iterate (longest: int) (source: ByteSource) (visit: TextLine -> unit) =
        let mutable buffer = Array.zeroCreate<byte> 65536

        let rec pump first last offset number isOver =
            let feed = Array.IndexOf(buffer, '\n'B, first, last - first)

            if feed >= 0 || (isOver && first < last) then
                let stop = if feed >= 0 then feed else last
                let line = ReadOnlyMemory(buffer, first, stop - first).TrimEnd '\r'B

                if line.Length > 0 then
                    visit { Number = number; Offset = offset; Bytes = line }

                let next = if feed >= 0 then feed + 1 else last
                pump next last (offset + int64 (next - first)) (number + 1) isOver
            elif not isOver then
                let there = last - first

                if there > longest then
                    let wanted = "line " + string number + " of at most " + Words.count longest "byte" "bytes"
                    source.RefuseAt(offset, wanted, "a longer one")

                Array.Copy(buffer, first, buffer, 0, there)

                if there = buffer.Length then
                    Array.Resize(&buffer, 2 * there)

                let taken = source.ReadUpTo(buffer.AsSpan there)
                pump 0 (there + taken) offset number (there + taken < buffer.Length)

        pump 0 0 0L 1 false

    /// Where the fields of a line stand, without the spaces around them; separators between quotes do not count.
    let split (separator: byte) (line: ReadOnlyMemory<byte>) (fields: ResizeArray<struct (int * int)>) =
        fields.Clear()
        let bytes = line.Span
        let mutable start, isQuoted = 0, false

        for i in 0 .. bytes.Length do
            if i = bytes.Length || (bytes[i] = separator && not isQuoted) then
                let mutable first, last = start, i

                while first < last && bytes[first] = ' 'B do
                    first <- first + 1

                while last > first && bytes[last - 1] = ' 'B do
                    last <- last - 1

                fields.Add(struct (first, last - first))
                start <- i + 1
            elif bytes[i] = '"'B then
                isQuoted <- not isQuoted

    /// The text of a field, without the quotes around it.
    let text (field: ReadOnlySpan<byte>) =
        let text = Encoding.UTF8.GetString field

        if text.Length > 1 && text[0] = '"' && text[text.Length - 1] = '"' then
            text.Substring(1, text.Length - 2).Replace("\"\"", "\"")
        else
            text

    /// The number of a field, or NaN.
    let number (field: ReadOnlySpan<byte>) =
        let quoted = field.Length > 1 && field[0] = '"'B && field[field.Length - 1] = '"'B
        let field = if quoted then field.Slice(1, field.Length - 2) else field
        let mutable whole, real, length = 0, 0.0, 0

        if Utf8Parser.TryParse(field, &whole, &length) && length = field.Length then
            float whole
        elif Utf8Parser.TryParse(field, &real, &length) && length = field.Length then
            real
        else
            nan
