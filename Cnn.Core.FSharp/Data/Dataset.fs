namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open Cnn.FSharp

/// <summary>Writes picture <paramref name="index"/> to the destination, row by row, channels last.</summary>
/// <remarks>Must be pure but for the destination, and callable from several threads at once.</remarks>
type PictureReader = delegate of index: int * destination: Span<float32> -> unit

/// <summary>Labelled pictures of one shape, each read when it is needed.</summary>
/// <remarks>
/// Immutable and safe to share between threads, as its reader is. Pixels are usually in [0, 1]. A data set knows what
/// <c>Preprocess</c> has done to its pictures; as they were made or loaded they count as raw.
/// </remarks>
[<Sealed>]
type Dataset
    private
    (
        shape: Shape,
        labels: int[],
        classNames: string[],
        bound: float,
        steps: PreprocessingStep list,
        reader: PictureReader
    ) =

    /// <summary>Pictures of the given shape, one for each label, read through a function.</summary>
    /// <param name="shape">Height×width×channels of every picture.</param>
    /// <param name="labels">The class of each picture, from 0.</param>
    /// <param name="classNames">Names of the classes; every label must have one.</param>
    /// <param name="reader">Writes a picture by its position.</param>
    /// <exception cref="T:System.ArgumentException">The shape is no picture's, or a label has no class name.</exception>
    static member Create
        (shape: Shape, labels: IEnumerable<int>, classNames: IEnumerable<string>, reader: PictureReader)
        =
        Dataset.Bounded(infinity, shape, labels, classNames, reader)

    /// Pictures whose pixels are known to be numbers of at most a magnitude, whatever is read.
    static member internal Bounded
        (bound: float, shape: Shape, labels: IEnumerable<int>, classNames: IEnumerable<string>, reader: PictureReader)
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

        Dataset(shape, labels, classNames, bound, [], reader)

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

        Dataset.Bounded(
            1.0,
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

    /// No pixel is NaN, nor larger in magnitude than this; ∞ where nothing is known.
    member internal _.Bound = bound

    /// What was done to the pictures since they were raw.
    member internal _.Steps = steps

    /// The same labels and classes, other pixels, which these steps have made.
    member internal _.WithPixels(shape: Shape, bound: float, steps: PreprocessingStep list, reader: PictureReader) =
        Dataset(shape, labels, classNames, bound, steps, reader)

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
        let reader' = PictureReader(fun i destination -> reader.Invoke(indices[i], destination))
        Dataset(shape, chosen, classNames, bound, steps, reader')

    /// <summary>The first <paramref name="count"/> pictures, or all if there are fewer.</summary>
    member this.Take(count: int) = this.Select(seq { 0 .. min count labels.Length - 1 })

    /// <summary>Number, shape and classes, as in 60000 pictures of 28×28×1 in 10 classes.</summary>
    override _.ToString() =
        Words.count labels.Length "picture" "pictures"
        + " of "
        + string shape
        + " in "
        + Words.count classNames.Length "class" "classes"

/// <summary>Pictures to learn from and pictures to test on.</summary>
/// <remarks>Immutable.</remarks>
[<Sealed>]
type DatasetSplit internal (train: Dataset, test: Dataset) =

    /// <summary>To learn from.</summary>
    member _.Train = train

    /// <summary>To test on.</summary>
    member _.Test = test

    /// <summary>Both, for <c>var (train, test) = …</c>.</summary>
    member _.Deconstruct([<Out>] trainPart: byref<Dataset>, [<Out>] testPart: byref<Dataset>) =
        trainPart <- train
        testPart <- test
