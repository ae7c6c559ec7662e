namespace Cnn

open System
open System.Collections.Generic

/// <summary>Mean and standard deviation of the pixels of each channel.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type ChannelStatistics = {
    /// <summary>Mean of each channel.</summary>
    Mean: IReadOnlyList<float>
    /// <summary>Standard deviation of each channel, over the whole population of pixels.</summary>
    Deviation: IReadOnlyList<float>
} with

    /// Over all pictures, in double precision.
    static member internal Of(dataset: Dataset) : ChannelStatistics =
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
