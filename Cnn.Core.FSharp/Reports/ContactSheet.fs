namespace Cnn.FSharp

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

    /// Words as black on white, as wide as a cell.
    let private lettered width words =
        let ink = Lettering.line Lettered (fitted width words)
        let across = ink.Length / Lettered

        let pixel p = if p % width < across then 1.0f - ink[p / width * across + p % width] else 1.0f

        Image.ofPixels (Shape.Of(Lettered, width, 1)) (Array.init (Lettered * width) pixel)

    /// <summary>The pictures row by row on white paper: grey where all are, else RGB; alpha is dropped.</summary>
    /// <param name="columns">Pictures in a row, at least 1.</param>
    /// <param name="items">Pictures with their words, at least one. Small ones are enlarged, those of more than 256 rows or columns shrunk.</param>
    /// <exception cref="T:System.ArgumentException">There are no pictures, or less than one column.</exception>
    /// <exception cref="T:Cnn.ShapeException">The sheet would not fit into memory.</exception>
    let draw (columns: int) (items: (Image * string) list) : Image =
        let items = items |> List.map (fun (image, words) -> sized image, words)
        let high = items |> List.fold (fun most (image, _) -> max most image.Height) 1
        let wide = items |> List.fold (fun most (image, _) -> max most image.Width) 1

        let cell (image: Image, words) =
            let ofCell = if image.Channels < 3 then Image.toGrey else Image.toRgb
            let image = ofCell image
            let line = ofCell (lettered wide words)

            Image.lay (high + Margin / 2 + Lettered) wide image.Channels 255uy [
                struct (0, 0, image)
                struct (high + Margin / 2, 0, line)
            ]

        Image.tile Margin 255uy columns (List.map cell items)
