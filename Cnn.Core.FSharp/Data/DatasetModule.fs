namespace Cnn.FSharp

open System
open System.Runtime.InteropServices
open System.Security.Cryptography
open System.Text
open Cnn

/// <summary>Data sets as arguments of functions.</summary>
[<RequireQualifiedAccess>]
module Dataset =

    /// <summary>The first n pictures.</summary>
    let take n (dataset: Dataset) = dataset.Take n

    /// <summary>The pictures in the middle of height×width ones.</summary>
    let pad height width (dataset: Dataset) = dataset.Pad(height, width)

    /// <summary>The pictures as a preprocessing makes them.</summary>
    let preprocess (preprocessing: Preprocessing) (dataset: Dataset) = dataset.Preprocess preprocessing

    /// <summary>The pictures as a network with a preprocessing sees them: what is left of it is applied.</summary>
    /// <remarks>
    /// Where the data set was taken through p already, and the preprocessing is p and then q, that is q: all of it for raw
    /// pictures, nothing for those that are preprocessed. The identity takes any pictures as they are.
    /// </remarks>
    /// <exception cref="T:System.ArgumentException">The pictures were preprocessed otherwise.</exception>
    /// <exception cref="T:Cnn.ShapeException">A step cannot take pictures of this shape.</exception>
    let prepare (preprocessing: Preprocessing) (dataset: Dataset) =
        match preprocessing.Steps with
        | [] -> dataset
        | steps -> dataset.Preprocess(Preprocessing(PreprocessingStep.remaining steps dataset.Steps))

    /// <summary>The pictures changed at random: picture i as child i of the key decides.</summary>
    let augment (augmentation: Augmentation) (key: Key) (dataset: Dataset) = dataset.Augment(augmentation, key)

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

    /// Pictures order first … order (first + count − 1), into memory of a workspace, in the network's precision.
    let internal read (dataset: Dataset) (order: int -> int) (workspace: IWorkspace<'T>) first count : Tensor<'T> =
        let x = workspace.Tensor(dataset.Shape.Batch count)
        let size = dataset.Shape.Size

        match box x with
        | :? Tensor<float32> as pixels ->
            for n in 0 .. count - 1 do
                dataset.Read(order (first + n), pixels.Destination.Slice(n * size, size))
        | _ ->
            use rented = new Rented<float32>(size)
            let pixels = rented.Array

            for n in 0 .. count - 1 do
                dataset.Read(order (first + n), System.Span(pixels, 0, size))
                let destination = x.Destination.Slice(n * size, size)

                for i in 0 .. size - 1 do
                    destination[i] <- 'T.CreateTruncating pixels[i]

        x

    /// <summary>Pictures at the given positions as a batch.</summary>
    let tensor (dataset: Dataset) (indices: int[]) : Tensor<'T> =
        read dataset (Array.get indices) (FreshWorkspace<'T>()) 0 indices.Length

    /// Pictures that a hash looks at: enough to tell sets apart, few enough to read at once.
    [<Literal>]
    let private HashedPictures = 1024

    /// <summary>
    /// SHA-256 over shape, class names, all labels, and the pixels of at most 1,024 pictures, evenly spaced from the first
    /// one on, as lower-case hexadecimal digits: sets of equal hashes are, but for the pictures not looked at, equal.
    /// </summary>
    let hash (dataset: Dataset) =
        use sum = IncrementalHash.CreateHash HashAlgorithmName.SHA256
        let add (numbers: int[]) = sum.AppendData(MemoryMarshal.AsBytes(ReadOnlySpan numbers))
        add [| dataset.Shape.Rank; yield! dataset.Shape.Extents.ToArray(); dataset.ClassNames.Count |]

        for name in dataset.ClassNames do
            let bytes = Encoding.UTF8.GetBytes name
            add [| bytes.Length |]
            sum.AppendData bytes

        add [| dataset.Count; yield! dataset.Labels |]
        let looked = min HashedPictures dataset.Count
        let picture = Array.zeroCreate<float32> dataset.Shape.Size

        for i in 0 .. looked - 1 do
            dataset.Read(int (int64 i * int64 dataset.Count / int64 looked), Span picture)
            sum.AppendData(MemoryMarshal.AsBytes(ReadOnlySpan picture))

        Convert.ToHexStringLower(sum.GetHashAndReset())
