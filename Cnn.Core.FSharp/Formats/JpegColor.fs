namespace Cnn.FSharp

open System
open Cnn

/// Rows of a component at the size of the picture: linear between the centres of samples (the triangle filter), the
/// outermost samples repeated. Belongs to one decode.
[<Sealed>]
type internal JpegRows(frame: JpegFrame, c: JpegComponent) =

    /// Fractions are of 2⁸.
    static let place most factor samples index =
        let at = (((2 * index + 1) * factor - most) * 256 + most) / (2 * most)
        let first, fraction = at >>> 8, at &&& 255

        if first < 0 then struct (0, 0)
        elif first >= samples - 1 then struct (samples - 1, 0)
        else struct (first, fraction)

    let plane = JpegTransform.samples c
    let stride = 8 * c.Across
    let mostAcross, mostDown = frame.Horizontal, frame.Vertical
    let isWhole = c.Horizontal = mostAcross && c.Vertical = mostDown

    let columns =
        if isWhole then
            [||]
        else
            Array.init frame.Width (place mostAcross c.Horizontal c.Width)

    let mixed: int[] = Array.zeroCreate (c.Width + 1)
    let row: byte[] = Array.zeroCreate frame.Width

    /// Samples of a row of the picture; overwritten by the next call.
    member _.Row(y: int) : ReadOnlySpan<byte> =
        if isWhole then
            ReadOnlySpan(plane, y * stride, frame.Width)
        else
            let struct (above, down) = place mostDown c.Vertical c.Height y
            let upper = ReadOnlySpan(plane, above * stride, c.Width)
            let lower = ReadOnlySpan(plane, min (above + 1) (c.Height - 1) * stride, c.Width)

            for x in 0 .. upper.Length - 1 do
                mixed[x] <- (256 - down) * int upper[x] + down * int lower[x]

            mixed[c.Width] <- mixed[c.Width - 1]

            for x in 0 .. row.Length - 1 do
                let struct (left, right) = columns[x]
                row[x] <- byte (((256 - right) * mixed[left] + right * mixed[left + 1] + 32768) >>> 16)

            ReadOnlySpan row

/// Components to an upright picture.
module internal JpegColor =

    let private clamp value = byte (Math.Clamp(value, 0, 255))

    let private fixedPoint x = int (Math.Round(x * 65536.0: float))

    // R = Y + 1.402·Cr, G = Y − 0.344136·Cb − 0.714136·Cr, B = Y + 1.772·Cb. ITU-T T.871 (JFIF, 2011), section 7.
    let private redOfCr, private greenOfCb = fixedPoint 1.402, fixedPoint 0.344136286
    let private greenOfCr, private blueOfCb = fixedPoint 0.714136286, fixedPoint 1.772

    /// The picture of a frame; `isYCbCr` tells whether three components are that, or RGB.
    let assemble (frame: JpegFrame) isYCbCr orientation : Image =
        let upright = Orientation.place orientation frame.Height frame.Width
        let channels = frame.Components.Length
        let pixels: byte[] = Array.zeroCreate (upright.Height * upright.Width * channels)
        let rows = frame.Components |> Array.map (fun c -> JpegRows(frame, c))
        let right = channels * upright.Right

        for y in 0 .. frame.Height - 1 do
            let mutable at = channels * (upright.Origin + y * upright.Down)
            let first = rows[0].Row y

            if channels = 1 then
                for x in 0 .. first.Length - 1 do
                    pixels[at] <- first[x]
                    at <- at + right
            else
                let second = rows[1].Row y
                let third = rows[2].Row y

                for x in 0 .. first.Length - 1 do
                    if isYCbCr then
                        let level = (int first[x] <<< 16) + 32768
                        let cb, cr = int second[x] - 128, int third[x] - 128
                        pixels[at] <- clamp ((level + redOfCr * cr) >>> 16)
                        pixels[at + 1] <- clamp ((level - greenOfCb * cb - greenOfCr * cr) >>> 16)
                        pixels[at + 2] <- clamp ((level + blueOfCb * cb) >>> 16)
                    else
                        pixels[at] <- first[x]
                        pixels[at + 1] <- second[x]
                        pixels[at + 2] <- third[x]

                    at <- at + right

        Image.Owning(upright.Height, upright.Width, channels, pixels)
