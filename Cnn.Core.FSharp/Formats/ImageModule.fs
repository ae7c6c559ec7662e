namespace Cnn.FSharp

open System
open System.IO
open Cnn

/// <summary>Pictures of bytes: files, sizes and colours.</summary>
[<RequireQualifiedAccess>]
module Image =

    /// <summary>The picture in a file, of whichever format of the codecs its first bytes are.</summary>
    /// <exception cref="T:System.IO.IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="T:Cnn.DataFormatException">The file is no sound picture of any of the formats.</exception>
    let loadWith (codecs: IImageCodec seq) (path: string) : Image =
        ArgumentNullException.ThrowIfNull(path, nameof path)

        // A pipe has no length either, and would be waited for.
        let file = FileInfo path

        if file.Exists && file.Length = 0L then
            raise (DataFormatException(path, 0L, "a picture", "no bytes"))

        // A large file that is no picture is not read.
        let codec =
            use stream = File.OpenRead path
            let start = Array.zeroCreate 16
            let length = stream.ReadAtLeast(Span start, start.Length, false)
            ImageCodecs.Recognize(path, ReadOnlyMemory(start, 0, length), codecs)

        codec.Decode(path, ReadOnlyMemory(File.ReadAllBytes path))

    /// <summary>The picture in a file of one of the library's own formats, whatever its ending.</summary>
    /// <exception cref="T:System.IO.IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="T:Cnn.DataFormatException">The file is no sound picture of any of the formats.</exception>
    let load path = loadWith ImageCodecs.Default path

    /// <summary>Writes a picture in the format of the file's ending: .png, .pgm (grey), .ppm (RGB) or .pnm (either).</summary>
    /// <remarks>The file is there as a whole or not at all.</remarks>
    /// <exception cref="T:System.ArgumentException">Another ending, or channels that the format has not.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be written.</exception>
    let save (path: string) (image: Image) : unit =
        ArgumentNullException.ThrowIfNull(path, nameof path)
        ArgumentNullException.ThrowIfNull(image, nameof image)

        let encode =
            match (nonNull (Path.GetExtension path)).ToLowerInvariant(), image.Channels with
            | ".png", _ -> Png.encode
            | ".pgm", 1
            | ".ppm", 3
            | ".pnm", _ -> Netpbm.encode
            | (".pgm" | ".ppm") as ending, channels ->
                let wanted = if ending = ".pgm" then "1 channel of grey" else "3 channels of RGB"

                raise (
                    ShapeException("A " + ending + " file", wanted, string channels + " channels", "Write a .png file.")
                )
            | ending, _ ->
                let text = "Pictures are written as .png, .pgm, .ppm or .pnm, not as '" + ending + "'."
                raise (ArgumentException(text, nameof path))

        AtomicFile.write path (ReadOnlySpan(encode image))

    /// <summary>The picture in another size: H×W×C → height×width×C, each value rounded to a byte.</summary>
    /// <exception cref="T:Cnn.ShapeException">A size is not positive.</exception>
    let resize (method: Resampling) height width (image: Image) : Image =
        ArgumentNullException.ThrowIfNull(image, nameof image)

        if height = image.Height && width = image.Width then
            image
        else
            let resampler = Resampler.Create(method, image.Shape, height, width)
            let values = Array.zeroCreate<float32> resampler.Target.Size
            resampler.Resample(image.Pixels.Span, Span values)
            Image.Owning(height, width, image.Channels, values |> Array.map (fun v -> byte (v + 0.5f)))

    /// <summary>The picture with no side longer than so many pixels, by area; as it is where it has that already.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Less than one pixel.</exception>
    let shrink (side: int) (image: Image) : Image =
        ArgumentNullException.ThrowIfNull(image, nameof image)

        if side < 1 then
            raise (ArgumentOutOfRangeException(nameof side, side, "A picture has at least one pixel."))

        let longest = max image.Height image.Width

        if longest <= side then
            image
        else
            let scaled extent = max 1 (int (int64 extent * int64 side / int64 longest))
            resize Resampling.Area (scaled image.Height) (scaled image.Width) image

    let private map channels (write: byte[] -> int -> byte[] -> int -> unit) (image: Image) =
        let source = image.Pixels.ToArray()
        let target = Array.zeroCreate (image.Height * image.Width * channels)

        for p in 0 .. image.Height * image.Width - 1 do
            write source (p * image.Channels) target (p * channels)

        Image.Owning(image.Height, image.Width, channels, target)

    /// <summary>One channel: (299·R + 587·G + 114·B)/1000 rounded, the luma of ITU-R BT.601-7, 2.5.1; alpha is dropped.</summary>
    let toGrey (image: Image) : Image =
        ArgumentNullException.ThrowIfNull(image, nameof image)

        match image.Channels with
        | 1 -> image
        | 2 -> image |> map 1 (fun source p target q -> target[q] <- source[p])
        | _ ->
            image
            |> map 1 (fun source p target q ->
                let luma = 299 * int source[p] + 587 * int source[p + 1] + 114 * int source[p + 2]
                target[q] <- byte ((luma + 500) / 1000))

    /// <summary>Three channels: grey is repeated, alpha is dropped.</summary>
    let toRgb (image: Image) : Image =
        ArgumentNullException.ThrowIfNull(image, nameof image)

        match image.Channels with
        | 3 -> image
        | 4 -> image |> map 3 (fun source p target q -> Array.blit source p target q 3)
        | _ -> image |> map 3 (fun source p target q -> Array.fill target q 3 source[p])

    /// <summary>Numbers of [0, 1], row by row, channels last, as bytes: 255·v rounded, what lies outside clipped.</summary>
    /// <exception cref="T:Cnn.ShapeException">The shape is no picture's of 1 to 4 channels, or has not as many numbers.</exception>
    let ofPixels (shape: Shape) (pixels: float32[]) : Image =
        let toByte (v: float32) = byte (MathF.Round(255.0f * Math.Clamp(v, 0.0f, 1.0f)))
        Image.Owning(shape[0], shape[1], shape[2], Array.map toByte pixels)

    /// Pictures of so many channels on paper, each with its top left pixel at a row and a column.
    let internal lay height width channels (paper: byte) (items: struct (int * int * Image) list) : Image =
        let sheet = Array.create (height * width * channels) paper

        for struct (top, left, image) in items do
            let length = image.Width * channels

            for row in 0 .. image.Height - 1 do
                let target = Span(sheet, ((top + row) * width + left) * channels, length)
                image.Pixels.Span.Slice(row * length, length).CopyTo target

        Image.Owning(height, width, channels, sheet)

    /// <summary>Pictures row by row, in cells as large as the largest of them, on paper that shows around each.</summary>
    /// <param name="gap">Pixels of paper around each cell, 0 or more.</param>
    /// <param name="paper">Its brightness, from 0, black, to 255, white.</param>
    /// <param name="columns">Cells in a row, at least 1.</param>
    /// <param name="images">At least one; each lies at the top left of its cell. Grey where all are, else RGB; alpha is dropped.</param>
    /// <exception cref="T:System.ArgumentException">There are no pictures, less than one column, or a gap below 0.</exception>
    /// <exception cref="T:Cnn.ShapeException">The sheet would not fit into memory.</exception>
    let tile (gap: int) (paper: byte) (columns: int) (images: Image list) : Image =
        ArgumentOutOfRangeException.ThrowIfNegative(gap, nameof gap)

        if columns < 1 then
            raise (ArgumentOutOfRangeException(nameof columns, columns, "There must be at least one column."))

        if images.IsEmpty then
            raise (ArgumentException("A sheet needs at least one picture.", nameof images))

        let channels, ofSheet =
            if images |> List.forall (fun image -> image.Channels < 3) then
                1, toGrey
            else
                3, toRgb

        let images = images |> List.map ofSheet
        let most size = images |> List.map (fun (image: Image) -> size image) |> List.max
        let high, wide = most (fun image -> image.Height), most (fun image -> image.Width)
        let columns = min columns images.Length
        let rows = (images.Length + columns - 1) / columns
        let extent count cell = int64 gap + int64 count * (int64 cell + int64 gap)
        let height, width = extent rows high, extent columns wide

        if float height * float width * float channels > float Array.MaxLength then
            let found = string height + "×" + string width + "×" + string channels
            let cure = "Take fewer or smaller pictures."
            raise (ShapeException("Image.tile", "a sheet that fits into memory", found, cure))

        images
        |> List.mapi (fun i image -> struct (gap + i / columns * (high + gap), gap + i % columns * (wide + gap), image))
        |> lay (int height) (int width) channels paper
