namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.CompilerServices
open Cnn.FSharp

/// <summary>Data sets in parts and together. Pure: a key or a seed decides all that is drawn.</summary>
[<AbstractClass; Sealed; Extension>]
type DatasetParts private () =

    /// <summary>The pictures in an order that the key decides.</summary>
    [<Extension>]
    static member Shuffle(dataset: Dataset, key: Key) =
        let purpose = key.Child Purpose.Shuffle
        dataset.Select(purpose.Permutation dataset.Count)

    /// <summary>The pictures in an order that a seed decides.</summary>
    [<Extension>]
    static member Shuffle(dataset: Dataset, seed: int) = dataset.Shuffle(Key.OfSeed(int64 seed))

    /// <summary>Two parts drawn at random: all but a fraction of the pictures, and that fraction.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    [<Extension>]
    static member Split(dataset: Dataset, fraction: float, key: Key) =
        if not (fraction >= 0.0 && fraction <= 1.0) then
            raise (ArgumentOutOfRangeException(nameof fraction, fraction, "The fraction must be in [0, 1]."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation dataset.Count
        let held = int (Math.Round(fraction * float dataset.Count))
        let kept = dataset.Count - held
        DatasetSplit(dataset.Select(Array.take kept order), dataset.Select(Array.skip kept order))

    /// <summary>Two parts drawn at random: all but a fraction of the pictures, and that fraction.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    [<Extension>]
    static member Split(dataset: Dataset, fraction: float, seed: int) = dataset.Split(fraction, Key.OfSeed(int64 seed))

    /// <summary>The same two parts, drawn from each class by itself, so that both have its share of every class.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures class by class.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    [<Extension>]
    static member StratifiedSplit(dataset: Dataset, fraction: float, key: Key) =
        if not (fraction >= 0.0 && fraction <= 1.0) then
            raise (ArgumentOutOfRangeException(nameof fraction, fraction, "The fraction must be in [0, 1]."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation dataset.Count

        let held =
            order
            |> Array.groupBy (fun i -> dataset.Labels[i])
            |> Array.collect (fun (_, members) ->
                Array.take (int (Math.Round(fraction * float members.Length))) members)
            |> HashSet

        DatasetSplit(
            dataset.Select(Array.filter (held.Contains >> not) order),
            dataset.Select(Array.filter held.Contains order)
        )

    /// <summary>The same two parts, drawn from each class by itself, so that both have its share of every class.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures class by class.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    [<Extension>]
    static member StratifiedSplit(dataset: Dataset, fraction: float, seed: int) =
        dataset.StratifiedSplit(fraction, Key.OfSeed(int64 seed))

    /// <summary>k ways to hold back a part: the parts are disjoint, together they are the whole, and differ by at most one picture.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="folds">k, from 2 to the number of pictures.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Fewer than two folds, or more than pictures.</exception>
    [<Extension>]
    static member Folds(dataset: Dataset, folds: int, key: Key) : IReadOnlyList<DatasetSplit> =
        if folds < 2 || folds > dataset.Count then
            raise (ArgumentOutOfRangeException(nameof folds, folds, "From 2 folds to as many as there are pictures."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation dataset.Count

        Array.init folds (fun fold ->
            let isHeld i = i % folds = fold
            let pick keep = order |> Seq.indexed |> Seq.filter (fst >> keep) |> Seq.map snd
            DatasetSplit(dataset.Select(pick (isHeld >> not)), dataset.Select(pick isHeld)))

    /// <summary>k ways to hold back a part: the parts are disjoint, together they are the whole, and differ by at most one picture.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="folds">k, from 2 to the number of pictures.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Fewer than two folds, or more than pictures.</exception>
    [<Extension>]
    static member Folds(dataset: Dataset, folds: int, seed: int) : IReadOnlyList<DatasetSplit> =
        dataset.Folds(folds, Key.OfSeed(int64 seed))

    /// <summary>These pictures, then those of another data set of the same shape and classes, preprocessed alike.</summary>
    /// <exception cref="T:Cnn.ShapeException">Shapes or class names differ.</exception>
    /// <exception cref="T:System.ArgumentException">The ones were preprocessed, the others not, or otherwise.</exception>
    [<Extension>]
    static member Concat(dataset: Dataset, other: Dataset) =
        ArgumentNullException.ThrowIfNull(other, nameof other)

        if
            other.Shape <> dataset.Shape
            || not (
                Seq.forall2 (=) other.ClassNames dataset.ClassNames
                && other.ClassNames.Count = dataset.ClassNames.Count
            )
        then
            raise (
                ShapeException(
                    "Dataset.Concat",
                    "pictures of shape "
                    + string dataset.Shape
                    + " and the classes "
                    + String.Join(", ", dataset.ClassNames),
                    string other.Shape + " and " + String.Join(", ", other.ClassNames),
                    "Pad or resize the pictures, and number the classes alike."
                )
            )

        PreprocessingStep.requireAlike "other pictures" dataset.Steps other.Steps
        let count, bound = dataset.Count, max dataset.Bound other.Bound

        let reader =
            PictureReader(fun i destination ->
                if i < count then
                    dataset.Read(i, destination)
                else
                    other.Read(i - count, destination))

        Dataset
            .Bounded(bound, dataset.Shape, Seq.append dataset.Labels other.Labels, dataset.ClassNames, reader)
            .WithPixels(dataset.Shape, bound, dataset.Steps, reader)

    /// <summary>The pictures of some classes only; the numbers and names of all classes stay.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="classes">Names of the classes to keep.</param>
    /// <exception cref="T:System.ArgumentException">There is no class of such a name; lists those there are.</exception>
    [<Extension>]
    static member OfClasses(dataset: Dataset, [<ParamArray>] classes: string[]) =
        ArgumentNullException.ThrowIfNull(classes, nameof classes)

        let known = Array.ofSeq dataset.ClassNames

        let numbers =
            classes
            |> Array.map (fun name ->
                match Array.IndexOf(known, name) with
                | -1 ->
                    raise (
                        ArgumentException(
                            "There is no class '"
                            + name
                            + "'. There are: "
                            + String.Join(", ", dataset.ClassNames)
                            + "."
                        )
                    )
                | number -> number)
            |> HashSet

        dataset.Select(Seq.filter (fun i -> numbers.Contains dataset.Labels[i]) (seq { 0 .. dataset.Count - 1 }))

    /// <summary>Weights n/(k·n_c) for n pictures of k classes, n_c of class c: rare classes count as much as frequent ones.</summary>
    /// <remarks>A class without pictures weighs 0. As scikit-learn's "balanced".</remarks>
    [<Extension>]
    static member BalancedWeights(dataset: Dataset) : IReadOnlyList<float> =
        let counts = Array.zeroCreate<int> dataset.ClassNames.Count

        for label in dataset.Labels do
            counts[label] <- counts[label] + 1

        counts
        |> Array.map (fun n ->
            if n = 0 then
                0.0
            else
                float dataset.Count / (float dataset.ClassNames.Count * float n))
        :> IReadOnlyList<float>
