namespace Cnn.FSharp

open System
open Cnn

/// The inverse discrete cosine transform of 8×8 coefficients to samples. ITU-T T.81, A.3.3:
/// s[y,x] = ¼·Σ_u Σ_v C_u·C_v·S[v,u]·cos((2x+1)uπ/16)·cos((2y+1)vπ/16) + 128, with C_0 = 1/√2 and C_k = 1 otherwise.
module internal JpegTransform =

    /// Fraction bits of the cosines.
    [<Literal>]
    let private Fraction = 13

    /// Bits that are kept between the two passes beyond those of whole numbers.
    [<Literal>]
    let private Guard = 2

    // √2·cos(kπ/16)·2¹³ for k = 1, 2, 3, 5, 6, 7. Each of the two passes gives 2√2 times a cosine transform.
    [<Literal>]
    let private C1 = 11363

    [<Literal>]
    let private C2 = 10703

    [<Literal>]
    let private C3 = 9633

    [<Literal>]
    let private C5 = 6436

    [<Literal>]
    let private C6 = 4433

    [<Literal>]
    let private C7 = 2260

    /// 2√2 times the inverse transform of eight numbers in place, then + bias and ≫ shift: sample 7 − n has the even
    /// frequencies of sample n and the negatives of its odd ones.
    let private transform (values: Span<int>) step bias shift =
        let x0, x1, x2, x3 = values[0], values[step], values[2 * step], values[3 * step]
        let x4, x5, x6, x7 = values[4 * step], values[5 * step], values[6 * step], values[7 * step]
        let sum, difference = ((x0 + x4) <<< Fraction) + bias, ((x0 - x4) <<< Fraction) + bias
        let outer, inner = C2 * x2 + C6 * x6, C6 * x2 - C2 * x6
        let even0, even1, even2, even3 = sum + outer, difference + inner, difference - inner, sum - outer
        let odd0 = C1 * x1 + C3 * x3 + C5 * x5 + C7 * x7
        let odd1 = C3 * x1 - C7 * x3 - C1 * x5 - C5 * x7
        let odd2 = C5 * x1 - C1 * x3 + C7 * x5 + C3 * x7
        let odd3 = C7 * x1 - C5 * x3 + C3 * x5 - C1 * x7
        values[0] <- (even0 + odd0) >>> shift
        values[step] <- (even1 + odd1) >>> shift
        values[2 * step] <- (even2 + odd2) >>> shift
        values[3 * step] <- (even3 + odd3) >>> shift
        values[4 * step] <- (even3 - odd3) >>> shift
        values[5 * step] <- (even2 - odd2) >>> shift
        values[6 * step] <- (even1 - odd1) >>> shift
        values[7 * step] <- (even0 - odd0) >>> shift

    let private clamp value = byte (Math.Clamp(value, 0, 255))

    /// Samples of a block, rows of them `stride` apart; `work` is for 64 numbers.
    let private block
        (coefficients: ReadOnlySpan<int16>)
        (steps: int[])
        (work: Span<int>)
        (samples: Span<byte>)
        stride
        =
        if not (MemoryExtensions.ContainsAnyExcept(coefficients.Slice 1, 0s)) then
            let level = clamp (((int coefficients[0] * steps[0] + 4) >>> 3) + 128)

            for y in 0..7 do
                samples.Slice(y * stride, 8).Fill level
        else
            for i in 0..63 do
                work[i] <- int coefficients[i] * steps[i]

            for x in 0..7 do
                transform (work.Slice x) 8 (1 <<< (Fraction - Guard - 1)) (Fraction - Guard)

            let shift = Fraction + Guard + 3

            for y in 0..7 do
                transform (work.Slice(8 * y)) 1 ((128 <<< shift) + (1 <<< (shift - 1))) shift

            for y in 0..7 do
                let row = samples.Slice(y * stride, 8)

                for x in 0..7 do
                    row[x] <- clamp work[8 * y + x]

    /// Samples of a component, row by row of 8·Across.
    let samples (c: JpegComponent) : byte[] =
        let stride = 8 * c.Across
        let plane = Array.zeroCreate (stride * 8 * c.Down)
        let work = Span(Array.zeroCreate<int> 64)

        for y in 0 .. c.Down - 1 do
            for x in 0 .. c.Across - 1 do
                let coefficients = ReadOnlySpan(c.Coefficients, 64 * (y * c.Across + x), 64)
                block coefficients c.Steps work (Span(plane).Slice(8 * (y * stride + x))) stride

        plane
