namespace Cnn

/// <summary>How a picture of one size becomes one of another.</summary>
type Resampling =
    /// Each new pixel is the mean of the area that it covers: right for making pictures smaller; keeps their mean.
    | Area = 0
    /// Each new pixel lies between the four old ones around its centre, the border repeated outside.
    | Bilinear = 1

namespace Cnn.FSharp

open System
open System.Buffers
open Cnn

/// Resizing as two sparse matrices: Y = R·X·Cᵀ for each channel by itself.
[<RequireQualifiedAccess>]
module internal Resizing =

    /// Row i of a sparse matrix: y[i] = Σ_k Weights[i][k]·x[First[i] + k].
    [<NoEquality; NoComparison>]
    type Matrix = { First: int[]; Weights: float32[][] }

    /// Weight of cell j in cell i: the share of [i·n/m, (i+1)·n/m) that lies in [j, j+1), for n cells that become m.
    let private area (n: int) (m: int) i =
        let n, m = int64 n, int64 m
        let from, until = int64 i * n, (int64 i + 1L) * n
        let first, last = from / m, (until - 1L) / m

        struct (int first,
                [|
                    for j in first..last -> float32 (float (min until ((j + 1L) * m) - max from (j * m)) / float n)
                |])

    /// Weights 1 − t and t at j and j + 1 for the centre j + t = (i + ½)·n/m − ½, kept within 0 … n − 1.
    let private bilinear (n: int) (m: int) i =
        let n, m = int64 n, int64 m
        let centre = (2L * int64 i + 1L) * n - m |> max 0L |> min (2L * m * (n - 1L))
        let t = float32 (float (centre % (2L * m)) / float (2L * m))
        struct (int (centre / (2L * m)), (if t = 0.0f then [| 1.0f |] else [| 1.0f - t; t |]))

    /// The matrix that makes m cells of n.
    let matrix method n m =
        let row = if method = Resampling.Area then area n m else bilinear n m
        let rows = Array.init m row

        {
            First = rows |> Array.map (fun struct (first, _) -> first)
            Weights = rows |> Array.map (fun struct (_, weights) -> weights)
        }

    /// Y = R·X·Cᵀ, row by row of Y; a row of X has `width` pixels.
    let apply
        (rows: Matrix)
        (columns: Matrix)
        width
        channels
        (source: ReadOnlySpan<float32>)
        (destination: Span<float32>)
        =
        let length = width * channels
        let outputs = columns.First.Length
        let buffer = ArrayPool.Shared.Rent length
        let blend = Span(buffer, 0, length)

        for y in 0 .. rows.First.Length - 1 do
            blend.Clear()

            for k in 0 .. rows.Weights[y].Length - 1 do
                let weight = rows.Weights[y][k]
                let line = source.Slice((rows.First[y] + k) * length, length)

                for i in 0 .. length - 1 do
                    blend[i] <- blend[i] + weight * line[i]

            for x in 0 .. outputs - 1 do
                let weights = columns.Weights[x]

                for c in 0 .. channels - 1 do
                    let mutable sum = 0.0f

                    for k in 0 .. weights.Length - 1 do
                        sum <- sum + weights[k] * blend[(columns.First[x] + k) * channels + c]

                    destination[(y * outputs + x) * channels + c] <- sum

        ArrayPool.Shared.Return buffer
