namespace Cnn.FSharp

open System
open Cnn

/// <summary>Tensors as pictures that can be looked at and saved.</summary>
/// <remarks>Pure. NaN is shown as 0.</remarks>
[<RequireQualifiedAccess>]
module InspectImages =

    /// 0 … 1 → 0 … 255.
    let private shade (share: float) =
        if Double.IsNaN share then
            0uy
        else
            byte (Math.Clamp(share, 0.0, 1.0) * 255.0 + 0.5)

    let private ratio part whole = if whole > 0.0 then part / whole else 0.0

    let private values (tensor: Tensor<'T>) = tensor.ToArray() |> Array.map Number.toFloat

    let private finite = Array.filter Double.IsFinite

    let private require what channels (tensor: Tensor<'T>) =
        let shape = tensor.Shape

        if shape.Rank <> 3 || not (List.contains shape[2] channels) || shape.Size = 0 then
            let expected = "height×width×" + String.Join(" or ", channels)

            raise (
                ShapeException("InspectImages", what + " of " + expected, string shape, "Show its channels one by one.")
            )

    /// <summary>Pixels as they are where all lie in 0 … 1, else from the least to the largest: H×W×1 or H×W×3.</summary>
    /// <exception cref="T:Cnn.ShapeException">The tensor is no such picture.</exception>
    let picture (pixels: Tensor<'T>) : Image =
        require "a picture" [ 1; 3 ] pixels
        let numbers = values pixels
        let known = finite numbers
        let low, high = Array.fold min 0.0 known, Array.fold max 0.0 known
        let isPlain = low >= 0.0 && high <= 1.0
        let show value = if isPlain then value else ratio (value - low) (high - low)
        let shape = pixels.Shape
        Image.Owning(shape[0], shape[1], shape[2], numbers |> Array.map (show >> shade))

    /// <summary>A map from its least value, black, to its largest, white: H×W×1. A constant is black.</summary>
    /// <exception cref="T:Cnn.ShapeException">The tensor is no such map.</exception>
    let map (map: Tensor<'T>) : Image =
        require "a map" [ 1 ] map
        let numbers = values map
        let known = finite numbers
        let low = if known.Length = 0 then 0.0 else Array.min known
        let span = if known.Length = 0 then 0.0 else Array.max known - low

        Image.Owning(
            map.Shape[0],
            map.Shape[1],
            1,
            numbers |> Array.map (fun value -> shade (ratio (value - low) span))
        )

    /// <summary>A map with a sign: blue below 0, white at 0, red above, full at the largest magnitude: H×W×1 → RGB.</summary>
    /// <exception cref="T:Cnn.ShapeException">The tensor is no such map.</exception>
    let signed (map: Tensor<'T>) : Image =
        require "a map" [ 1 ] map
        let numbers = values map
        let largest = finite numbers |> Array.fold (fun largest value -> max largest (abs value)) 0.0

        let colour value =
            let share = ratio value largest
            [| shade (1.0 + min 0.0 share); shade (1.0 - abs share); shade (1.0 - max 0.0 share) |]

        Image.Owning(map.Shape[0], map.Shape[1], 3, Array.collect colour numbers)

    /// <summary>A map of 0 and more as a red glow over a picture in grey: the brighter, the larger. Both H×W.</summary>
    /// <param name="pixels">H×W×1 or H×W×3.</param>
    /// <param name="map">H×W×1; what is below 0 does not glow.</param>
    /// <exception cref="T:Cnn.ShapeException">The tensors are no such picture and map, or differ in size.</exception>
    let overlay (pixels: Tensor<'T>) (map: Tensor<'T>) : Image =
        require "a map" [ 1 ] map
        let grey = Image.toGrey (picture pixels)

        if (grey.Height, grey.Width) <> (map.Shape[0], map.Shape[1]) then
            let expected = "a map of " + string grey.Height + "×" + string grey.Width
            raise (ShapeException("InspectImages", expected, string map.Shape, "Resample the map to the picture."))

        let numbers = values map
        let largest = finite numbers |> Array.fold max 0.0

        let colour i value =
            let heat = ratio (max 0.0 value) largest
            let tone = 0.7 * float grey.Pixels.Span[i] / 255.0

            [| tone + heat * (1.0 - tone); tone * (1.0 - heat) + 0.2 * heat; tone * (1.0 - heat) |]
            |> Array.map shade

        Image.Owning(grey.Height, grey.Width, 3, Array.mapi colour numbers |> Array.concat)

    /// <summary>A filter: red above 0 and blue below, its channels row by row in a square; of three channels in colour, 0 being grey.</summary>
    /// <param name="kernel">k_h×k_w×C.</param>
    /// <exception cref="T:Cnn.ShapeException">The tensor has not three axes.</exception>
    let filter (kernel: Tensor<'T>) : Image =
        if kernel.Shape.Rank <> 3 || kernel.Size = 0 then
            let cure = "Take one filter of the kernel."
            raise (ShapeException("InspectImages", "a filter of height×width×channels", string kernel.Shape, cure))

        let height, width, channels = kernel.Shape[0], kernel.Shape[1], kernel.Shape[2]

        if channels = 3 then
            let numbers = values kernel
            let largest = finite numbers |> Array.fold (fun largest value -> max largest (abs value)) 0.0
            let show value = shade (0.5 + 0.5 * ratio value largest)
            Image.Owning(height, width, 3, Array.map show numbers)
        else
            let columns = int (ceil (sqrt (float channels)))
            let rows = (channels + columns - 1) / columns

            signed (
                Tensor.init (Shape.Of(rows * height, columns * width, 1)) (fun i ->
                    let row, column = i / (columns * width), i % (columns * width)
                    let channel = row / height * columns + column / width

                    if channel < channels then
                        kernel.Span[(row % height * width + column % width) * channels + channel]
                    else
                        'T.Zero)
            )

    /// <summary>A picture as blocks of pixels, so many times as large that its shorter side has a number of pixels or a little less.</summary>
    /// <param name="side">What the shorter side should have; smaller pictures only grow.</param>
    /// <param name="image">The picture.</param>
    let enlarge (side: int) (image: Image) : Image =
        let times = max 1 (side / min image.Height image.Width)
        Image.resize Resampling.Area (image.Height * times) (image.Width * times) image
