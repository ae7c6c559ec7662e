namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open Cnn.FSharp

/// <summary>Writes picture <paramref name="index"/> to the destination, row by row, channels last.</summary>
/// <remarks>Must be pure but for the destination, and callable from several threads at once.</remarks>
type PictureReader = delegate of index: int * destination: Span<float32> -> unit

/// <summary>Mean and standard deviation of the pixels of each channel.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type ChannelStatistics = {
    /// <summary>Mean of each channel.</summary>
    Mean: IReadOnlyList<float>
    /// <summary>Standard deviation of each channel, over the whole population of pixels.</summary>
    Deviation: IReadOnlyList<float>
}

/// <summary>Labelled pictures of one shape, each read when it is needed.</summary>
/// <remarks>Immutable and safe to share between threads, as its reader is. Pixels are usually in [0, 1].</remarks>
[<Sealed>]
type Dataset private (shape: Shape, labels: int[], classNames: string[], reader: PictureReader) =

    /// <summary>Pictures of the given shape, one for each label, read through a function.</summary>
    /// <param name="shape">Height×width×channels of every picture.</param>
    /// <param name="labels">The class of each picture, from 0.</param>
    /// <param name="classNames">Names of the classes; every label must have one.</param>
    /// <param name="reader">Writes a picture by its position.</param>
    /// <exception cref="T:System.ArgumentException">The shape is no picture's, or a label has no class name.</exception>
    static member Create
        (shape: Shape, labels: IEnumerable<int>, classNames: IEnumerable<string>, reader: PictureReader)
        =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)
        ArgumentNullException.ThrowIfNull(classNames, nameof classNames)
        ArgumentNullException.ThrowIfNull(reader, nameof reader)
        let labels, classNames = Array.ofSeq labels, Array.ofSeq classNames

        if shape.Size = 0 || shape.Rank = 0 then
            raise (
                ShapeException(
                    "Dataset",
                    "pictures with at least one pixel",
                    string shape,
                    "Give a shape without zeros."
                )
            )

        labels
        |> Array.iteri (fun i label ->
            if uint label >= uint classNames.Length then
                raise (
                    ArgumentException(
                        "Label "
                        + string label
                        + " of picture "
                        + string i
                        + " lies outside the "
                        + Words.count classNames.Length "class" "classes"
                        + ". Number the classes from 0."
                    )
                ))

        Dataset(shape, labels, classNames, reader)

    static member private RequirePictures(caller: string, shape: Shape, count: int, length: int, unit: string) =
        if int64 length <> int64 count * int64 shape.Size then
            raise (
                ShapeException(
                    caller,
                    Words.count count "picture" "pictures" + " of shape " + string shape,
                    Words.count length unit (unit + "s"),
                    "Give one picture for each label."
                )
            )

    /// <summary>Pictures of bytes, one after the other, row by row, channels last; pixels become v/255.</summary>
    /// <exception cref="T:System.ArgumentException">The bytes are not one picture for each label.</exception>
    static member OfBytes
        (shape: Shape, pixels: ReadOnlyMemory<byte>, labels: IEnumerable<int>, classNames: IEnumerable<string>)
        =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)
        let labels = Array.ofSeq labels
        Dataset.RequirePictures("Dataset.OfBytes", shape, labels.Length, pixels.Length, "byte")

        Dataset.Create(
            shape,
            labels,
            classNames,
            fun index destination ->
                let source = pixels.Span.Slice(index * shape.Size, shape.Size)

                for i in 0 .. source.Length - 1 do
                    destination[i] <- float32 source[i] / 255.0f
        )

    /// <summary>Pictures of numbers, one after the other, row by row, channels last; pixels are taken as they are.</summary>
    /// <remarks>The memory is not copied: leave it as it is.</remarks>
    /// <exception cref="T:System.ArgumentException">The numbers are not one picture for each label.</exception>
    static member OfFloats
        (shape: Shape, pixels: ReadOnlyMemory<float32>, labels: IEnumerable<int>, classNames: IEnumerable<string>)
        =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)
        let labels = Array.ofSeq labels
        Dataset.RequirePictures("Dataset.OfFloats", shape, labels.Length, pixels.Length, "number")

        Dataset.Create(
            shape,
            labels,
            classNames,
            fun index destination -> pixels.Span.Slice(index * shape.Size, shape.Size).CopyTo destination
        )

    /// <summary>Number of pictures.</summary>
    member _.Count = labels.Length

    /// <summary>Shape of each picture: height×width×channels.</summary>
    member _.Shape = shape

    /// <summary>The class of each picture, from 0.</summary>
    member _.Labels: IReadOnlyList<int> = labels

    /// <summary>Names of the classes.</summary>
    member _.ClassNames: IReadOnlyList<string> = classNames

    member internal _.LabelMemory: ReadOnlyMemory<int> = ReadOnlyMemory labels

    /// <summary>Writes picture <paramref name="index"/> to the destination, which must have its size.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such picture, or the destination has another size.</exception>
    member _.Read(index: int, destination: Span<float32>) =
        Words.within (nameof index) index labels.Length "Pictures"

        if destination.Length <> shape.Size then
            let wanted =
                "A picture of shape " + string shape + " needs " + Words.count shape.Size "number" "numbers" + "."

            raise (ArgumentOutOfRangeException(nameof destination, destination.Length, wanted))

        reader.Invoke(index, destination)

    /// <summary>Picture <paramref name="index"/>, row by row, channels last.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such picture.</exception>
    member _.Picture(index: int) =
        Words.within (nameof index) index labels.Length "Pictures"
        let picture = Array.zeroCreate shape.Size
        reader.Invoke(index, Span picture)
        picture

    /// <summary>The pictures at the given positions, in that order.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no picture at one of the positions.</exception>
    member _.Select(indices: IEnumerable<int>) =
        ArgumentNullException.ThrowIfNull(indices, nameof indices)
        let indices = Array.ofSeq indices

        for i in indices do
            Words.within (nameof indices) i labels.Length "Pictures"

        let chosen = indices |> Array.map (fun i -> labels[i])
        Dataset(shape, chosen, classNames, PictureReader(fun i destination -> reader.Invoke(indices[i], destination)))

    /// <summary>The first <paramref name="count"/> pictures, or all if there are fewer.</summary>
    member this.Take(count: int) = this.Select(seq { 0 .. min count labels.Length - 1 })

    /// <summary>The pictures in an order that the key decides.</summary>
    member this.Shuffle(key: Key) =
        let purpose = key.Child Purpose.Shuffle
        this.Select(purpose.Permutation labels.Length)

    /// <summary>The pictures in an order that a seed decides.</summary>
    member this.Shuffle(seed: int) = this.Shuffle(Key.OfSeed(int64 seed))

    /// <summary>Two parts drawn at random: all but a fraction of the pictures, and that fraction.</summary>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    member this.Split(fraction: float, key: Key) =
        if not (fraction >= 0.0 && fraction <= 1.0) then
            raise (ArgumentOutOfRangeException(nameof fraction, fraction, "The fraction must be in [0, 1]."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation labels.Length
        let held = int (Math.Round(fraction * float labels.Length))
        let kept = labels.Length - held
        DatasetSplit(this.Select(Array.take kept order), this.Select(Array.skip kept order))

    /// <summary>Two parts drawn at random: all but a fraction of the pictures, and that fraction.</summary>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    member this.Split(fraction: float, seed: int) = this.Split(fraction, Key.OfSeed(int64 seed))

    /// <summary>The same two parts, drawn from each class by itself, so that both have its share of every class.</summary>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures class by class.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    member this.StratifiedSplit(fraction: float, key: Key) =
        if not (fraction >= 0.0 && fraction <= 1.0) then
            raise (ArgumentOutOfRangeException(nameof fraction, fraction, "The fraction must be in [0, 1]."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation labels.Length

        let held =
            order
            |> Array.groupBy (fun i -> labels[i])
            |> Array.collect (fun (_, members) ->
                Array.take (int (Math.Round(fraction * float members.Length))) members)
            |> HashSet

        DatasetSplit(
            this.Select(Array.filter (held.Contains >> not) order),
            this.Select(Array.filter held.Contains order)
        )

    /// <summary>The same two parts, drawn from each class by itself, so that both have its share of every class.</summary>
    /// <param name="fraction">Share of the second part, in [0, 1]; rounded to whole pictures class by class.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The fraction is not in [0, 1].</exception>
    member this.StratifiedSplit(fraction: float, seed: int) = this.StratifiedSplit(fraction, Key.OfSeed(int64 seed))

    /// <summary>k ways to hold back a part: the parts are disjoint, together they are the whole, and differ by at most one picture.</summary>
    /// <param name="folds">k, from 2 to the number of pictures.</param>
    /// <param name="key">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Fewer than two folds, or more than pictures.</exception>
    member this.Folds(folds: int, key: Key) : IReadOnlyList<DatasetSplit> =
        if folds < 2 || folds > labels.Length then
            raise (ArgumentOutOfRangeException(nameof folds, folds, "From 2 folds to as many as there are pictures."))

        let purpose = key.Child Purpose.Split
        let order = purpose.Permutation labels.Length

        Array.init folds (fun fold ->
            let isHeld i = i % folds = fold
            let pick keep = order |> Seq.indexed |> Seq.filter (fst >> keep) |> Seq.map snd
            DatasetSplit(this.Select(pick (isHeld >> not)), this.Select(pick isHeld)))

    /// <summary>k ways to hold back a part: the parts are disjoint, together they are the whole, and differ by at most one picture.</summary>
    /// <param name="folds">k, from 2 to the number of pictures.</param>
    /// <param name="seed">Decides who goes where.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Fewer than two folds, or more than pictures.</exception>
    member this.Folds(folds: int, seed: int) : IReadOnlyList<DatasetSplit> = this.Folds(folds, Key.OfSeed(int64 seed))

    /// <summary>These pictures, then those of another data set of the same shape and classes.</summary>
    /// <exception cref="T:Cnn.ShapeException">Shapes or class names differ.</exception>
    member this.Concat(other: Dataset) =
        ArgumentNullException.ThrowIfNull(other, nameof other)

        if other.Shape <> shape || Seq.toArray other.ClassNames <> classNames then
            raise (
                ShapeException(
                    "Dataset.Concat",
                    "pictures of shape " + string shape + " and the classes " + String.Join(", ", classNames),
                    string other.Shape + " and " + String.Join(", ", other.ClassNames),
                    "Pad or resize the pictures, and number the classes alike."
                )
            )

        let count = labels.Length

        Dataset(
            shape,
            Array.append labels (Array.ofSeq other.Labels),
            classNames,
            PictureReader(fun i destination ->
                if i < count then
                    reader.Invoke(i, destination)
                else
                    other.Read(i - count, destination))
        )

    /// <summary>The pictures of some classes only; the numbers and names of all classes stay.</summary>
    /// <param name="classes">Names of the classes to keep.</param>
    /// <exception cref="T:System.ArgumentException">There is no class of such a name; lists those there are.</exception>
    member this.OfClasses([<ParamArray>] classes: string[]) =
        ArgumentNullException.ThrowIfNull(classes, nameof classes)

        let numbers =
            classes
            |> Array.map (fun name ->
                match Array.IndexOf(classNames, name) with
                | -1 ->
                    raise (
                        ArgumentException(
                            "There is no class '" + name + "'. There are: " + String.Join(", ", classNames) + "."
                        )
                    )
                | number -> number)
            |> HashSet

        this.Select(Seq.filter (fun i -> numbers.Contains labels[i]) (seq { 0 .. labels.Length - 1 }))

    /// <summary>Weights n/(k·n_c) for n pictures of k classes, n_c of class c: rare classes count as much as frequent ones.</summary>
    /// <remarks>A class without pictures weighs 0. As scikit-learn's "balanced".</remarks>
    member _.BalancedWeights() : IReadOnlyList<float> =
        let counts = Array.zeroCreate<int> classNames.Length

        for label in labels do
            counts[label] <- counts[label] + 1

        counts
        |> Array.map (fun n -> if n = 0 then 0.0 else float labels.Length / (float classNames.Length * float n))
        :> IReadOnlyList<float>

    /// <summary>Mean and standard deviation of each channel over all pictures, in double precision.</summary>
    member _.Statistics() : ChannelStatistics =
        let channels = shape[shape.Rank - 1]
        let picture = Array.zeroCreate<float32> shape.Size
        let count = max 1.0 (float labels.Length * float (shape.Size / channels))

        let mean (value: int -> float -> float) =
            let sums = Array.zeroCreate<float> channels

            for i in 0 .. labels.Length - 1 do
                reader.Invoke(i, Span picture)

                for p in 0 .. picture.Length - 1 do
                    let c = p % channels
                    sums[c] <- sums[c] + value c (float picture[p])

            sums |> Array.map (fun sum -> sum / count)

        let means = mean (fun _ x -> x)
        let variances = mean (fun c x -> (x - means[c]) * (x - means[c]))
        { Mean = means; Deviation = Array.map sqrt variances }

    /// <summary>Each pixel as (v − mean)/deviation of its channel; a channel that never varies becomes 0.</summary>
    /// <param name="statistics">Usually those of the training set, for the test set too.</param>
    /// <exception cref="T:Cnn.ShapeException">There is not one mean and deviation for each channel.</exception>
    member _.Normalize(statistics: ChannelStatistics) =
        ArgumentNullException.ThrowIfNull(statistics, nameof statistics)
        let channels = shape[shape.Rank - 1]

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

        Dataset(
            shape,
            labels,
            classNames,
            PictureReader(fun i destination ->
                reader.Invoke(i, destination)

                for p in 0 .. destination.Length - 1 do
                    destination[p] <- (destination[p] - means[p % channels]) * factors[p % channels])
        )

    /// <summary>The pictures in the middle of larger ones, with zeros around them.</summary>
    /// <param name="height">Rows of the larger pictures.</param>
    /// <param name="width">Columns of the larger pictures.</param>
    /// <exception cref="T:Cnn.ShapeException">The pictures are larger than that already.</exception>
    member this.Pad(height: int, width: int) =
        if shape.Rank <> 3 || height < shape[0] || width < shape[1] then
            raise (
                ShapeException(
                    "Dataset.Pad",
                    "pictures of at most " + string height + "×" + string width,
                    string shape,
                    "Pad to a larger size, or resize the pictures."
                )
            )

        let top, left = (height - shape[0]) / 2, (width - shape[1]) / 2
        let channels = shape[2]
        let rowLength = shape[1] * channels

        if height = shape[0] && width = shape[1] then
            this
        else
            let reader' =
                PictureReader(fun index destination ->
                    // The small picture is read to the end of the destination and its rows are moved to their place, first row first.
                    let source = destination.Slice(destination.Length - shape.Size)
                    reader.Invoke(index, source)

                    for y in 0 .. shape[0] - 1 do
                        let target = destination.Slice(((top + y) * width + left) * channels, rowLength)
                        source.Slice(y * rowLength, rowLength).CopyTo target

                    for y in 0 .. height - 1 do
                        let row = destination.Slice(y * width * channels, width * channels)

                        if y < top || y >= top + shape[0] then
                            row.Clear()
                        else
                            row.Slice(0, left * channels).Clear()
                            row.Slice(left * channels + rowLength).Clear())

            Dataset(Shape.Of(height, width, channels), labels, classNames, reader')

    /// <summary>Number, shape and classes, as in 60000 pictures of 28×28×1 in 10 classes.</summary>
    override _.ToString() =
        Words.count labels.Length "picture" "pictures"
        + " of "
        + string shape
        + " in "
        + Words.count classNames.Length "class" "classes"

/// <summary>Pictures to learn from and pictures to test on.</summary>
/// <remarks>Immutable.</remarks>
and [<Sealed>] DatasetSplit internal (train: Dataset, test: Dataset) =

    /// <summary>To learn from.</summary>
    member _.Train = train

    /// <summary>To test on.</summary>
    member _.Test = test

    /// <summary>Both, for <c>var (train, test) = …</c>.</summary>
    member _.Deconstruct([<Out>] trainPart: byref<Dataset>, [<Out>] testPart: byref<Dataset>) =
        trainPart <- train
        testPart <- test

namespace Cnn.FSharp

open Cnn

/// <summary>Data sets as arguments of functions.</summary>
[<RequireQualifiedAccess>]
module Dataset =

    /// <summary>The first n pictures.</summary>
    let take n (dataset: Dataset) = dataset.Take n

    /// <summary>The pictures in the middle of height×width ones.</summary>
    let pad height width (dataset: Dataset) = dataset.Pad(height, width)

    /// <summary>All but a fraction of the pictures, and that fraction, drawn by the key.</summary>
    let split fraction (key: Key) (dataset: Dataset) =
        let parts = dataset.Split(fraction, key)
        parts.Train, parts.Test

    /// <summary>The pictures in an order that the key decides.</summary>
    let shuffle (key: Key) (dataset: Dataset) = dataset.Shuffle key

    /// <summary>Numbers for labels of any kind, and the names of the classes: the distinct labels, sorted.</summary>
    let encode (labels: 'Label seq when 'Label: comparison) : int[] * 'Label[] =
        let labels = Array.ofSeq labels
        let classes = Array.distinct labels |> Array.sort
        let number = classes |> Seq.mapi (fun i label -> label, i) |> Map
        labels |> Array.map (fun label -> number[label]), classes

    /// <summary>y[n,c] = 1 where label n is c, else 0: N labels → N×classes.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">A label lies outside the classes.</exception>
    let oneHot classes (labels: int[]) : Tensor<'T> =
        for label in labels do
            if uint label >= uint classes then
                raise (
                    System.ArgumentOutOfRangeException(
                        nameof labels,
                        label,
                        "Labels go from 0 to " + string (classes - 1) + "."
                    )
                )

        Tensor.init (Shape.Of(labels.Length, classes)) (fun i ->
            if labels[i / classes] = i % classes then 'T.One else 'T.Zero)

    /// <summary>(first, count) of each batch of the positions 0 … count − 1; the last one is smaller, or dropped.</summary>
    let batches size dropLast count =
        // A set smaller than a batch is one batch all the same.
        let number = if dropLast && count >= size then count / size else (count + size - 1) / size
        List.init number (fun b -> struct (b * size, min size (count - b * size)))

    /// Pictures at the given positions of an order, into memory of a workspace, in the network's precision.
    let internal read (dataset: Dataset) (order: int[]) (workspace: IWorkspace<'T>) first count : Tensor<'T> =
        let x = workspace.Tensor(dataset.Shape.Batch count)
        let size = dataset.Shape.Size

        match box (x.DestinationPart(0, x.Size)) with
        | :? System.Memory<float32> as pixels ->
            for n in 0 .. count - 1 do
                dataset.Read(order[first + n], pixels.Span.Slice(n * size, size))
        | _ ->
            let pixels = System.Buffers.ArrayPool.Shared.Rent size

            for n in 0 .. count - 1 do
                dataset.Read(order[first + n], System.Span(pixels, 0, size))
                let destination = x.Destination.Slice(n * size, size)

                for i in 0 .. size - 1 do
                    destination[i] <- 'T.CreateTruncating pixels[i]

            System.Buffers.ArrayPool.Shared.Return pixels

        x

    /// <summary>Pictures at the given positions as a batch.</summary>
    let tensor (dataset: Dataset) (indices: int[]) : Tensor<'T> =
        read dataset indices (FreshWorkspace<'T>()) 0 indices.Length
