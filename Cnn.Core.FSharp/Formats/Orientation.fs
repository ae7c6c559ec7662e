namespace Cnn.FSharp

open System
open Cnn

/// How the rows and columns of a stored picture lie in the upright one.
[<Struct; NoEquality; NoComparison>]
type internal Orientation = {
    /// Rows of the upright picture.
    Height: int
    /// Columns of the upright picture.
    Width: int
    /// Upright position, row·Width + column, of the first stored pixel.
    Origin: int
    /// Positions from one stored pixel to the next of its row.
    Right: int
    /// Positions from one stored row to the next.
    Down: int
}

/// EXIF orientation. CIPA DC-008 (Exif 2.32), section 4.6.4 A: tag 0112.
module internal Orientation =

    /// The way a stored picture of height×width is turned upright; value is 1 (as stored) to 8.
    let place value height width =
        let isTurned = value >= 5
        let uprightHeight, uprightWidth = if isTurned then width, height else height, width
        let fromRight = value = 2 || value = 3 || value = 6 || value = 7
        let fromBottom = value = 3 || value = 4 || value = 7 || value = 8
        let row, column = (if fromBottom then -uprightWidth else uprightWidth), (if fromRight then -1 else 1)

        {
            Height = uprightHeight
            Width = uprightWidth
            Origin =
                (if fromBottom then (uprightHeight - 1) * uprightWidth else 0)
                + (if fromRight then uprightWidth - 1 else 0)
            Right = if isTurned then row else column
            Down = if isTurned then column else row
        }

    [<Literal>]
    let private Tag = 0x0112us

    let private search (tiff: ByteReader) isLittleEndian =
        let short what =
            if isLittleEndian then
                tiff.UInt16LittleEndian what
            else
                tiff.UInt16BigEndian what

        let long what =
            if isLittleEndian then
                tiff.UInt32LittleEndian what
            else
                tiff.UInt32BigEndian what

        tiff.Take(2L, "byte order") |> ignore
        short "magic" |> ignore
        let directory = int64 (long "offset")
        tiff.Take(directory - int64 tiff.Position, "offset") |> ignore
        let entries = int (short "entries")

        let rec look entry =
            if entry = entries then
                1
            else
                let tag = short "tag"
                tiff.Take(6L, "type and count") |> ignore
                let value = int (short "value")
                tiff.Take(2L, "padding") |> ignore

                if tag <> Tag then look (entry + 1)
                elif value >= 1 && value <= 8 then value
                else 1

        look 0

    /// The orientation in an EXIF segment; 1 where it says nothing, or nothing that can be read: what a camera notes
    /// beside a picture does not spoil it.
    let ofExif (segment: ReadOnlyMemory<byte>) =
        let name = "Exif\000\000"B

        if segment.Length < name.Length + 8 || not (segment.Span.StartsWith(ReadOnlySpan name)) then
            1
        else
            try
                let tiff = segment.Slice name.Length
                search (ByteReader("", tiff)) (tiff.Span[0] = byte 'I')
            with :? DataFormatException ->
                1
