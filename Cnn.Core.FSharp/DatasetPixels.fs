namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.CompilerServices
open Cnn.FSharp

/// <summary>Mean and standard deviation of the pixels of each channel.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type ChannelStatistics = {
    /// <summary>Mean of each channel.</summary>
    Mean: IReadOnlyList<float>
    /// <summary>Standard deviation of each channel, over the whole population of pixels.</summary>
    Deviation: IReadOnlyList<float>
}

/// <summary>Data sets with other pixels, worked out picture by picture when they are read. Pure.</summary>
[<AbstractClass; Sealed; Extension>]
type DatasetPixels private () =

    /// <summary>Mean and standard deviation of each channel over all pictures, in double precision.</summary>
    [<Extension>]
    static member Statistics(dataset: Dataset) : ChannelStatistics =
        let channels = dataset.Shape[dataset.Shape.Rank - 1]
        let picture = Array.zeroCreate<float32> dataset.Shape.Size
        let count = max 1.0 (float dataset.Count * float (dataset.Shape.Size / channels))

        let mean (value: int -> float -> float) =
            let sums = Array.zeroCreate<float> channels

            for i in 0 .. dataset.Count - 1 do
                dataset.Read(i, Span picture)

                for p in 0 .. picture.Length - 1 do
                    let c = p % channels
                    sums[c] <- sums[c] + value c (float picture[p])

            sums |> Array.map (fun sum -> sum / count)

        let means = mean (fun _ x -> x)
        let variances = mean (fun c x -> (x - means[c]) * (x - means[c]))
        { Mean = means; Deviation = Array.map sqrt variances }

    /// <summary>Each pixel as (v − mean)/deviation of its channel; a channel that never varies becomes 0.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="statistics">Usually those of the training set, for the test set too.</param>
    /// <exception cref="T:Cnn.ShapeException">There is not one mean and deviation for each channel.</exception>
    [<Extension>]
    static member Normalize(dataset: Dataset, statistics: ChannelStatistics) =
        ArgumentNullException.ThrowIfNull(statistics, nameof statistics)
        let channels = dataset.Shape[dataset.Shape.Rank - 1]

        if statistics.Mean.Count <> channels || statistics.Deviation.Count <> channels then
            raise (
                ShapeException(
                    "Dataset.Normalize",
                    Words.count channels "mean and deviation" "means and deviations",
                    string statistics.Mean.Count + " and " + string statistics.Deviation.Count,
                    "Take the statistics from pictures of the same number of channels."
                )
            )

        let means = statistics.Mean |> Seq.map float32 |> Array.ofSeq

        let factors =
            statistics.Deviation
            |> Seq.map (fun d -> if d > 0.0 then float32 (1.0 / d) else 0.0f)
            |> Array.ofSeq

        Dataset.Create(
            dataset.Shape,
            dataset.Labels,
            dataset.ClassNames,
            PictureReader(fun i destination ->
                dataset.Read(i, destination)

                for p in 0 .. destination.Length - 1 do
                    destination[p] <- (destination[p] - means[p % channels]) * factors[p % channels])
        )

    /// <summary>The pictures in the middle of larger ones, with zeros around them.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="height">Rows of the larger pictures.</param>
    /// <param name="width">Columns of the larger pictures.</param>
    /// <exception cref="T:Cnn.ShapeException">The pictures are larger than that already.</exception>
    [<Extension>]
    static member Pad(dataset: Dataset, height: int, width: int) =
        if dataset.Shape.Rank <> 3 || height < dataset.Shape[0] || width < dataset.Shape[1] then
            raise (
                ShapeException(
                    "Dataset.Pad",
                    "pictures of at most " + string height + "×" + string width,
                    string dataset.Shape,
                    "Pad to a larger size, or resize the pictures."
                )
            )

        let top, left = (height - dataset.Shape[0]) / 2, (width - dataset.Shape[1]) / 2
        let channels = dataset.Shape[2]
        let rowLength = dataset.Shape[1] * channels

        if height = dataset.Shape[0] && width = dataset.Shape[1] then
            dataset
        else
            let reader' =
                PictureReader(fun index destination ->
                    // The small picture is read to the end of the destination and its rows are moved to their place, first row first.
                    let source = destination.Slice(destination.Length - dataset.Shape.Size)
                    dataset.Read(index, source)

                    for y in 0 .. dataset.Shape[0] - 1 do
                        let target = destination.Slice(((top + y) * width + left) * channels, rowLength)
                        source.Slice(y * rowLength, rowLength).CopyTo target

                    for y in 0 .. height - 1 do
                        let row = destination.Slice(y * width * channels, width * channels)

                        if y < top || y >= top + dataset.Shape[0] then
                            row.Clear()
                        else
                            row.Slice(0, left * channels).Clear()
                            row.Slice(left * channels + rowLength).Clear())

            Dataset.Create(Shape.Of(height, width, channels), dataset.Labels, dataset.ClassNames, reader')
