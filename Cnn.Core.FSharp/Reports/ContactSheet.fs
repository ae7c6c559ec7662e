namespace Cnn.FSharp

open System
open Cnn

/// <summary>Many pictures on one, each with a line of words under it.</summary>
/// <remarks>Pure. Words are drawn in capitals, digits and the commonest signs; a box stands for any other.</remarks>
[<RequireQualifiedAccess>]
module ContactSheet =

    /// White around pictures and words, in pixels.
    [<Literal>]
    let private Margin = 8

    /// Rows of a line of words.
    [<Literal>]
    let private Lettered = 14

    /// Smaller pictures are enlarged, pixels becoming blocks, to have about as many rows or columns.
    [<Literal>]
    let private Small = 112

    /// Larger pictures are shrunk to this.
    [<Literal>]
    let private Large = 256

    let private sized (image: Image) =
        let times = max 1 (Small / max image.Height image.Width)
        let enlarged = Image.resize Resampling.Area (image.Height * times) (image.Width * times) image
        Image.shrink Large enlarged

    /// The words, or as many of them as find room.
    let private fitted width (words: string) =
        let room = max 1 (width / Lettering.advance Lettered)
        if words.Length <= room then words else words.Substring(0, room - 1) + "…"

    /// <summary>The pictures row by row on white paper: grey where all are, else RGB; alpha is dropped.</summary>
    /// <param name="columns">Pictures in a row, at least 1.</param>
    /// <param name="items">Pictures with their words, at least one. Small ones are enlarged, those of more than 256 rows or columns shrunk.</param>
    /// <exception cref="T:System.ArgumentException">There are no pictures, or less than one column.</exception>
    /// <exception cref="T:Cnn.ShapeException">The sheet would not fit into memory.</exception>
    let draw (columns: int) (items: (Image * string) list) : Image =
        if columns < 1 then
            raise (ArgumentOutOfRangeException(nameof columns, columns, "There must be at least one column."))

        if items.IsEmpty then
            raise (ArgumentException("A contact sheet needs at least one picture.", nameof items))

        let isGrey = items |> List.forall (fun (image, _) -> image.Channels < 3)
        let channels = if isGrey then 1 else 3
        let ofSheet = if isGrey then Image.toGrey else Image.toRgb
        let items = items |> List.map (fun (image, words) -> sized (ofSheet image), words)
        let most size = items |> List.map (fun (image: Image, _) -> size image) |> List.max
        let wide, high = most (fun image -> image.Width), most (fun image -> image.Height)
        let columns = min columns items.Length
        let rows = (items.Length + columns - 1) / columns
        let extent count cell = int64 Margin + int64 count * int64 (cell + Margin)
        let width, height = extent columns wide, extent rows (high + Margin / 2 + Lettered)

        if float width * float height * float channels > float Array.MaxLength then
            let found = string height + "×" + string width + "×" + string channels

            raise (
                ShapeException(
                    "ContactSheet",
                    "a sheet that fits into memory",
                    found,
                    "Draw fewer or smaller pictures."
                )
            )

        let width, height = int width, int height
        let paper = Array.create (width * height * channels) 255uy

        items
        |> List.iteri (fun i (image, words) ->
            let left = Margin + i % columns * (wide + Margin)
            let top = Margin + i / columns * (high + Margin / 2 + Lettered + Margin)
            let at row column = ((top + row) * width + left + column) * channels
            let length = image.Width * channels

            for row in 0 .. image.Height - 1 do
                image.Pixels.Span.Slice(row * length, length).CopyTo(Span(paper, at row 0, length))

            let words = fitted wide words
            let ink = Lettering.line Lettered words
            let across = ink.Length / Lettered

            for p in 0 .. ink.Length - 1 do
                if p % across < wide then
                    Array.fill
                        paper
                        (at (high + Margin / 2 + p / across) (p % across))
                        channels
                        (byte (255.0f * (1.0f - ink[p]) + 0.5f)))

        Cnn.Image.Owning(height, width, channels, paper)
