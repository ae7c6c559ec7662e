namespace Cnn.FSharp

open System
open Cnn

/// Colours a picture of coverage: ink on a wall with clouds and joints, in uneven light, seen with noise.
[<RequireQualifiedAccess>]
module internal Scene =

    /// Red, green and blue of a luminance, off grey by about ±½·strength, at the same luminance (BT.601).
    let private colour (key: Key) first strength luminance =
        let tint = Array.init 3 (fun channel -> strength * (key.Uniform(first + int64 channel) - 0.5))
        let own = 0.299 * tint[0] + 0.587 * tint[1] + 0.114 * tint[2]
        tint |> Array.map (fun t -> luminance + t - own)

    /// 1 on a joint, 0 in the middle between two; period 1.
    let private joint t =
        let place = t - floor t
        1.0 - Drawing.smoothStep (4.0 * min place (1.0 - place))

    /// From size² values of coverage at the head of a picture to its 3·size² values, channels last.
    let develop (key: Key) size (picture: Span<float32>) =
        let inline between low high i = low + (high - low) * key.Uniform i
        let low = between 0.1 0.5 0L
        let high = low + between 0.28 0.45 1L
        let isNegative = key.Below(2, 2L) = 1
        let paper = colour key 3L 0.35 (if isNegative then low else high)
        let ink = colour key 6L 0.45 (if isNegative then high else low)
        let struct (cos, sin) = Drawing.turn (between -1.0 1.0 9L)
        let frequency, phase, depth = between 0.5 7.0 10L, key.Uniform 11L, between -0.2 0.2 12L
        let clouds, cloudiness = Drawing.field (key.Child 0L), between 0.0 0.1 13L
        let lightX, lightY = between -0.8 0.8 14L, between -0.8 0.8 15L
        let grain, noise = key.Child 1L, between 0.01 0.06 16L

        // From the last pixel to the first, so that no coverage is overwritten before it is read.
        for i in size * size - 1 .. -1 .. 0 do
            let x, y = (float (i % size) + 0.5) / float size, (float (i / size) + 0.5) / float size
            let coverage = float picture[i]
            let struct (red, green, blue) = Drawing.bend clouds { X = x; Y = y }
            let wall = depth * joint (phase + frequency * (cos * x + sin * y))
            let light = 1.0 + lightX * (x - 0.5) + lightY * (y - 0.5)

            for channel in 0..2 do
                let cloud =
                    if channel = 0 then red
                    elif channel = 1 then green
                    else blue

                let behind = paper[channel] + wall + cloudiness * cloud
                let tone = light * (behind + coverage * (ink[channel] - behind))
                let at = 3 * i + channel
                let seen = tone + noise * Drawing.nearlyNormal (grain.Bits(int64 at))
                picture[at] <- float32 (max 0.0 (min 1.0 seen))
