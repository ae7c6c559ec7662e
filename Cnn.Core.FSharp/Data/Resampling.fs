namespace Cnn

/// <summary>How a picture is brought to another size.</summary>
type Resampling =
    /// The mean of the area that a new pixel covers: any ratio, no aliasing; pixels are blocks when they get more.
    | Area = 0
    /// Between the four pixels around the new pixel's centre, as in OpenCV, and in PyTorch with align_corners=False.
    | Bilinear = 1

namespace Cnn.FSharp

open System
open Cnn

/// One axis of a resampling: new cell j is Σ_k Weights[j][k]·old[First[j] + k], and Σ_k Weights[j][k] = 1.
[<NoEquality; NoComparison>]
type internal AxisWeights = { First: int[]; Weights: float[][] }

module internal AxisWeights =

    /// Old cell i is [i·m, (i+1)·m) and new cell j is [j·n, (j+1)·n): whole numbers, hence exact overlaps.
    let private area (n: int64) (m: int64) (j: int64) =
        let first, last = j * n / m, ((j + 1L) * n - 1L) / m

        int first,
        [|
            for i in first..last -> float (min ((i + 1L) * m) ((j + 1L) * n) - max (i * m) (j * n)) / float n
        |]

    /// The centre (j + ½)·n/m − ½ between old centres; beyond the first or last of them, that one.
    let private bilinear (n: int64) (m: int64) (j: int64) =
        let centre = max 0L ((2L * j + 1L) * n - m)
        let first, rest = centre / (2L * m), centre % (2L * m)

        if rest = 0L || first >= n - 1L then
            int (min first (n - 1L)), [| 1.0 |]
        else
            let right = float rest / float (2L * m)
            int first, [| 1.0 - right; right |]

    let create (method: Resampling) (n: int) (m: int) =
        Words.defined (nameof method) method
        let weigh = if method = Resampling.Area then area else bilinear
        let first, weights = Array.init m (fun j -> weigh (int64 n) (int64 m) (int64 j)) |> Array.unzip
        { First = first; Weights = weights }

namespace Cnn

open System
open System.Numerics
open Cnn.FSharp

/// <summary>
/// Brings pictures of one size to another: y[i,j,c] = Σ_a Σ_b R[i,a]·S[j,b]·x[a,b,c], rows and columns by themselves;
/// the weights of R and of S sum to 1 in each row.
/// </summary>
/// <remarks>
/// Sums are in double precision: a constant picture stays that constant, and one that has the size already stays as it is.
/// Immutable and safe to share between threads; make it once for many pictures.
/// </remarks>
[<Sealed>]
type Resampler private (method, source: Shape, target: Shape) =
    let rows = AxisWeights.create method source[0] target[0]
    let columns = AxisWeights.create method source[1] target[1]

    /// <summary>From H×W×C to height×width×C.</summary>
    /// <param name="method">How the new pixels are computed.</param>
    /// <param name="source">H×W×C of the pictures that come in.</param>
    /// <param name="height">Rows of those that go out.</param>
    /// <param name="width">Columns of those that go out.</param>
    /// <exception cref="T:Cnn.ShapeException">A size is not positive, or the source is no picture's shape.</exception>
    static member Create(method: Resampling, source: Shape, height: int, width: int) =
        ArgumentNullException.ThrowIfNull(source, nameof source)

        let refuse actual =
            let cure = "Give pictures at least one row, one column and one channel."
            raise (ShapeException("Resampler", "height×width×channels without zeros", actual, cure))

        if source.Rank <> 3 || source.Size = 0 then
            refuse (string source)

        if height <= 0 || width <= 0 then
            refuse (string height + "×" + string width)

        Resampler(method, source, Shape.Of(height, width, source[2]))

    /// <summary>Shape of the pictures that come in.</summary>
    member _.Source = source

    /// <summary>Shape of the pictures that go out.</summary>
    member _.Target = target

    /// <summary>Resamples one picture, row by row, channels last: <see cref="P:Cnn.Resampler.Source"/> → <see cref="P:Cnn.Resampler.Target"/>.</summary>
    /// <typeparam name="T">Bytes or float32; values are taken as they are.</typeparam>
    /// <exception cref="T:Cnn.ShapeException">A span has not the size of its shape.</exception>
    member _.Resample<'T when 'T: struct and 'T :> INumberBase<'T>>
        (pixels: ReadOnlySpan<'T>, destination: Span<float32>)
        : unit =
        let require what (shape: Shape) length =
            if length <> shape.Size then
                let cure = "Give whole pictures of the shapes that the resampler was made for."

                raise (
                    ShapeException("Resampler", what + " of shape " + string shape, string length + " numbers", cure)
                )

        require "a picture" source pixels.Length
        require "a destination" target destination.Length
        let channels = source[2]
        let length = source[1] * channels
        use blend = new Rented<float>(length)

        for i in 0 .. target[0] - 1 do
            // One new row at the old width, then its columns.
            let row = Span(blend.Array, 0, length)
            row.Clear()
            let weights = rows.Weights[i]

            for a in 0 .. weights.Length - 1 do
                let weight = weights[a]
                let old = pixels.Slice((rows.First[i] + a) * length, length)

                for x in 0 .. row.Length - 1 do
                    row[x] <- row[x] + weight * Double.CreateTruncating old[x]

            for j in 0 .. target[1] - 1 do
                let weights, first = columns.Weights[j], columns.First[j] * channels

                for c in 0 .. channels - 1 do
                    let mutable sum = 0.0

                    for b in 0 .. weights.Length - 1 do
                        sum <- sum + weights[b] * row[first + b * channels + c]

                    destination[(i * target[1] + j) * channels + c] <- float32 sum
