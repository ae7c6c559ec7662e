namespace Cnn

open System
open System.Runtime.CompilerServices
open Cnn.FSharp

/// <summary>Data sets with other pixels, worked out picture by picture when they are read. Pure.</summary>
[<AbstractClass; Sealed; Extension>]
type DatasetPixels private () =

    /// <summary>Mean and standard deviation of each channel over all pictures, in double precision.</summary>
    [<Extension>]
    static member Statistics(dataset: Dataset) = ChannelStatistics.Of dataset

    /// <summary>The pictures as a preprocessing makes them; the data set knows of it.</summary>
    /// <exception cref="T:Cnn.ShapeException">A step cannot take pictures of this shape.</exception>
    [<Extension>]
    static member Preprocess(dataset: Dataset, preprocessing: Preprocessing) =
        ArgumentNullException.ThrowIfNull(preprocessing, nameof preprocessing)
        let steps = preprocessing.Steps

        if steps.IsEmpty then
            dataset
        else
            let shape, stages = PreprocessingStep.stages dataset.Shape steps
            let bound = List.fold PreprocessingStep.magnitude dataset.Bound steps

            let reader =
                if stages.Length = 0 then
                    PictureReader(fun index destination -> dataset.Read(index, destination))
                else
                    PictureReader(fun index destination -> Stages.run stages dataset index destination)

            dataset.WithPixels(shape, bound, dataset.Steps @ steps, reader)

    /// <summary>The pictures changed at random: picture i as child i of the key decides.</summary>
    /// <exception cref="T:Cnn.ShapeException">They are no pictures of height×width×channels.</exception>
    [<Extension>]
    static member Augment(dataset: Dataset, augmentation: Augmentation, key: Key) =
        ArgumentNullException.ThrowIfNull(augmentation, nameof augmentation)
        AugmentationStep.requirePicture augmentation.Steps dataset.Shape
        let steps = Array.ofList augmentation.Steps

        if steps.Length = 0 then
            dataset
        else
            dataset.WithPixels(
                dataset.Shape,
                infinity,
                dataset.Steps,
                PictureReader(fun index destination ->
                    dataset.Read(index, destination)
                    AugmentationStep.run dataset.Shape steps (key.Child(int64 index)) destination)
            )

    /// <summary>The pictures changed at random: picture i as child i of a seed's key decides.</summary>
    /// <exception cref="T:Cnn.ShapeException">They are no pictures of height×width×channels.</exception>
    [<Extension>]
    static member Augment(dataset: Dataset, augmentation: Augmentation, seed: int) =
        dataset.Augment(augmentation, Key.OfSeed(int64 seed))

    /// <summary>Each pixel as (v − mean)/deviation of its channel; a channel that never varies becomes 0.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="statistics">Usually those of the training set, for the test set too.</param>
    /// <exception cref="T:Cnn.ShapeException">There is not one mean and deviation for each channel.</exception>
    [<Extension>]
    static member Normalize(dataset: Dataset, statistics: ChannelStatistics) =
        ArgumentNullException.ThrowIfNull(statistics, nameof statistics)
        dataset.Preprocess(Preprocessing.Normalize(statistics.Mean, statistics.Deviation))

    /// <summary>The pictures in the middle of larger ones, with zeros around them.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="height">Rows of the larger pictures.</param>
    /// <param name="width">Columns of the larger pictures.</param>
    /// <exception cref="T:Cnn.ShapeException">The pictures are larger than that already.</exception>
    [<Extension>]
    static member Pad(dataset: Dataset, height: int, width: int) = dataset.Preprocess(Preprocessing.Pad(height, width))
