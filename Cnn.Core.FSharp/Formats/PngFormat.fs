namespace Cnn.FSharp

open System

/// What reading and writing PNG have in common (W3C, Portable Network Graphics, third edition, 2025).
module internal PngFormat =

    /// The first eight bytes of every file.
    let signature = [| 0x89uy; 0x50uy; 0x4Euy; 0x47uy; 0x0Duy; 0x0Auy; 0x1Auy; 0x0Auy |]

    /// What chunks are named with.
    let letters =
        System.Buffers.SearchValues.Create(ReadOnlySpan [| yield! [ 'A'B .. 'Z'B ]; yield! [ 'a'B .. 'z'B ] |])

    /// Samples of a pixel by colour type: grey, RGB, palette, grey and alpha, RGBA; 0 where there is no such type.
    let samples colourType =
        match colourType with
        | 0
        | 3 -> 1
        | 2 -> 3
        | 4 -> 2
        | 6 -> 4
        | _ -> 0

    /// The neighbour nearest to left + up − corner; left before up before corner (section 9.4).
    let private paeth left up corner =
        let p = left + up - corner
        let toLeft, toUp, toCorner = abs (p - left), abs (p - up), abs (p - corner)

        if toLeft <= toUp && toLeft <= toCorner then left
        elif toUp <= toCorner then up
        else corner

    /// What a filter expects of a byte; those outside the picture are 0.
    let inline private predict filter left up corner =
        match filter with
        | 0 -> 0
        | 1 -> left
        | 2 -> up
        | 3 -> (left + up) / 2
        | _ -> paeth left up corner

    /// Adds its prediction to each byte of a row; `pixel` is the bytes of a pixel, at least 1.
    let unfilter filter pixel (above: ReadOnlySpan<byte>) (row: Span<byte>) =
        for i in 0 .. row.Length - 1 do
            let left = if i < pixel then 0 else int row[i - pixel]
            let corner = if i < pixel then 0 else int above[i - pixel]
            row[i] <- row[i] + byte (predict filter left (int above[i]) corner)

    /// Takes its prediction from each byte of a row; returns Σ|signed byte|.
    let filter filter pixel (above: ReadOnlySpan<byte>) (row: ReadOnlySpan<byte>) (filtered: Span<byte>) =
        let mutable sum = 0L

        for i in 0 .. row.Length - 1 do
            let left = if i < pixel then 0 else int row[i - pixel]
            let corner = if i < pixel then 0 else int above[i - pixel]
            filtered[i] <- row[i] - byte (predict filter left (int above[i]) corner)
            sum <- sum + int64 (abs (int (sbyte filtered[i])))

        sum

/// A part of the picture's pixels: every dx-th of every dy-th row, from (x, y).
[<Struct; NoEquality; NoComparison>]
type internal PngPass = {
    X: int
    Y: int
    Dx: int
    Dy: int
} with

    /// The whole picture.
    static member All = [| { X = 0; Y = 0; Dx = 1; Dy = 1 } |]

    /// Seven passes, coarse to fine (section 8.2).
    static member Adam7 = [|
        { X = 0; Y = 0; Dx = 8; Dy = 8 }
        { X = 4; Y = 0; Dx = 8; Dy = 8 }
        { X = 0; Y = 4; Dx = 4; Dy = 8 }
        { X = 2; Y = 0; Dx = 4; Dy = 4 }
        { X = 0; Y = 2; Dx = 2; Dy = 4 }
        { X = 1; Y = 0; Dx = 2; Dy = 2 }
        { X = 0; Y = 1; Dx = 1; Dy = 2 }
    |]

    /// Pixels of its rows in a picture of some width.
    member this.Columns(width: int) = max 0 ((width - this.X + this.Dx - 1) / this.Dx)

    /// Its rows in a picture of some height; none where it has no columns.
    member this.Rows(height: int, width: int) =
        if this.Columns width = 0 then
            0
        else
            max 0 ((height - this.Y + this.Dy - 1) / this.Dy)
