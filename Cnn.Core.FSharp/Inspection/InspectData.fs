namespace Cnn

/// <summary>A part of a picture that excites a filter.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type ExcitingPatch = {
    /// <summary>Position of the picture in its data set.</summary>
    Picture: int
    /// <summary>First row of the part, in pixels; negative where it begins in the padding.</summary>
    Top: int
    /// <summary>First column of the part, in pixels; negative where it begins in the padding.</summary>
    Left: int
    /// <summary>What the filter's unit there gives.</summary>
    Activation: float
    /// <summary>The pixels that the unit sees, zeros outside the picture.</summary>
    Patch: Tensor<float32>
}

/// <summary>A labelled picture and what a network takes it for.</summary>
/// <remarks>An immutable value.</remarks>
[<NoComparison>]
type JudgedPicture = {
    /// <summary>Position of the picture in its data set.</summary>
    Picture: int
    /// <summary>The class that it is of.</summary>
    Label: int
    /// <summary>The class that it is taken for.</summary>
    Predicted: int
    /// <summary>The probability of that class.</summary>
    Probability: float
} with

    /// <summary>Whether it is taken for what it is.</summary>
    member this.IsRight = this.Label = this.Predicted

namespace Cnn.FSharp

open System
open Cnn

/// <summary>Looking at a data set through a network.</summary>
/// <remarks>Pure.</remarks>
[<RequireQualifiedAccess>]
module InspectData =

    /// Pictures that run at once.
    [<Literal>]
    let private Together = 64

    /// Where a channel of sample n of a batch of maps is largest, the first such place, and how large.
    let private summit (maps: Tensor<'T>) n channel =
        let channels = maps.Shape[3]
        let size = maps.Shape[1] * maps.Shape[2]
        let values = maps.Span.Slice(n * size * channels, size * channels)
        let mutable best = 0

        for p in 1 .. size - 1 do
            if 'T.op_GreaterThan (values[p * channels + channel], values[best * channels + channel]) then
                best <- p

        struct (best, Number.toFloat values[best * channels + channel])

    /// Part of a picture, zeros outside.
    let private crop (picture: float32[]) (shape: Shape) top left (size: Size) : Tensor<float32> =
        let channels = shape[2]

        Tensor.init (Shape.Of(size.Height, size.Width, channels)) (fun i ->
            let row, column = top + i / channels / size.Width, left + i / channels % size.Width

            if uint row < uint shape[0] && uint column < uint shape[1] then
                picture[(row * shape[1] + column) * channels + i % channels]
            else
                0.0f)

    /// <summary>
    /// For each filter of a convolution the parts of pictures that excite it most, the most exciting first, at most one of
    /// each picture. Zeiler and Fergus 2014, section 4; Wang 2025.
    /// </summary>
    /// <param name="backend">What computes.</param>
    /// <param name="network">The network.</param>
    /// <param name="name">A convolutional layer, as the summary names it; its own activation is applied.</param>
    /// <param name="count">How many for each filter, at least 1; equal ones in the order of the pictures.</param>
    /// <param name="dataset">Pictures of the network's input shape.</param>
    /// <returns>One list for each filter.</returns>
    /// <exception cref="T:System.ArgumentException">There is no such convolution, or the pictures have another shape.</exception>
    let patches
        (backend: Backend<'T>)
        (network: Network<'T>)
        (name: string)
        (count: int)
        (dataset: Dataset)
        : ExcitingPatch list list =
        if count < 1 then
            raise (ArgumentOutOfRangeException(nameof count, count, "Ask for at least one patch of each filter."))

        let filters = (Inspect.filters network name).Length
        let field = ReceptiveField.ofLayer network name
        let below = Inspect.upTo network name
        let columns = (Network.output below)[1]
        let predictor = Predictor(backend, below)

        let take best (struct (first, size)) =
            let maps = predictor.Run(dataset.Select(seq { first .. first + size - 1 }))

            best
            |> List.mapi (fun f known ->
                let fresh =
                    List.init size (fun n ->
                        let struct (place, activation) = summit maps n f
                        struct (activation, first + n, place))

                known @ fresh
                |> List.sortByDescending (fun struct (activation, _, _) -> activation)
                |> List.truncate count)

        let patch (struct (activation, picture, place)) =
            let top, left = field.FirstRow(place / columns), field.FirstColumn(place % columns)

            {
                Picture = picture
                Top = top
                Left = left
                Activation = activation
                Patch = crop (dataset.Picture picture) dataset.Shape top left field.Size
            }

        Dataset.batches Together false dataset.Count
        |> List.fold take (List.replicate filters [])
        |> List.map (List.map patch)

    /// <summary>What a network takes each picture of a data set for, in its order.</summary>
    /// <param name="backend">What computes.</param>
    /// <param name="network">A network whose outputs are probabilities.</param>
    /// <param name="dataset">Labelled pictures of the network's input shape.</param>
    /// <exception cref="T:Cnn.ShapeException">The pictures have another shape.</exception>
    let judge (backend: Backend<'T>) (network: Network<'T>) (dataset: Dataset) : JudgedPicture list =
        let outputs = Predictor(backend, network).Run dataset

        Metrics.predicted 0.5 outputs
        |> Seq.mapi (fun n predicted -> {
            Picture = n
            Label = dataset.Labels[n]
            Predicted = predicted
            Probability = Inspect.probability outputs n predicted
        })
        |> List.ofSeq

    /// <summary>The pictures of the lowest probability, the least certain first.</summary>
    let leastCertain count (judged: JudgedPicture list) =
        judged |> List.sortBy (fun picture -> picture.Probability) |> List.truncate count

    /// <summary>The pictures of the highest probability, the most certain first.</summary>
    let mostCertain count (judged: JudgedPicture list) =
        judged |> List.sortByDescending (fun picture -> picture.Probability) |> List.truncate count

    /// <summary>The pictures that were taken for what they are not, the most certain mistake first.</summary>
    let misclassified count (judged: JudgedPicture list) =
        judged |> List.filter (fun picture -> not picture.IsRight) |> mostCertain count
