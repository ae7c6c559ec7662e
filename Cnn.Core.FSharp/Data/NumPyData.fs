namespace Cnn

open System
open System.IO
open System.Runtime.InteropServices
open System.Threading
open Cnn.FSharp

/// <summary>Labelled pictures in NumPy's files, as in mnist.npz with x_train, y_train, x_test and y_test.</summary>
/// <remarks>
/// Pictures are N×height×width or N×height×width×channels: bytes become v/255, other numbers stay as they are. Labels are
/// N or N×1 whole numbers from 0.
/// </remarks>
[<AbstractClass; Sealed>]
type NumPyData private () =

    static let dataset (file: string) (pictures: NamedArray) (labels: NamedArray) =
        let refuse (array: NamedArray) expected actual =
            raise (DataFormatException(file, array.Offset, expected + " in the array " + array.Name, actual))

        let shape =
            match pictures.Shape.Extents.ToArray() with
            | [| _; height; width |] -> [| height; width; 1 |]
            | [| _; height; width; channels |] -> [| height; width; channels |]
            | _ -> refuse pictures "N×height×width or N×height×width×channels" (string pictures.Shape)

        if pictures.Shape.Size = 0 then
            refuse pictures "at least one picture with at least one pixel" (string pictures.Shape)

        let count = pictures.Shape[0]

        if labels.Shape.Size <> count || labels.Shape.Rank < 1 || labels.Shape[0] <> count then
            refuse labels (Words.count count "label" "labels" + ", one for each picture,") (string labels.Shape)

        let numbers: Tensor<float> = NamedArray.toTensor file labels

        // As many classes as the pictures can have, so that no number takes memory for itself.
        let classes =
            numbers.ToArray()
            |> Array.map (fun number ->
                if number >= 0.0 && number < 65536.0 && Math.Floor number = number then
                    int number
                else
                    refuse labels "whole numbers from 0 to 65535" (Words.number number))

        let names = Array.init (1 + Array.max classes) string
        let picture = Shape.Of shape

        match pictures.Type with
        | ElementType.UInt8 -> Dataset.OfBytes(picture, pictures.Data, classes, names)
        | _ ->
            let values: Tensor<float32> = NamedArray.toTensor file pictures
            Dataset.OfFloats(picture, values.Memory, classes, names)

    static let named (file: string) (arrays: NamedArray list) (name: string) =
        match arrays |> List.tryFind (fun array -> array.Name = name) with
        | Some array -> array
        | None ->
            let names = String.Join(", ", arrays |> List.map (fun array -> array.Name))
            raise (DataFormatException(file, 0L, "an array " + name, (if names = "" then "no arrays" else names)))

    /// <summary>The pictures in the bytes of a .npz file. Pure.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file, its arrays compressed or not.</param>
    /// <param name="pictures">Name of the array of pictures. Default x_train.</param>
    /// <param name="labels">Name of the array of labels. Default y_train.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file, or the arrays do not go together.</exception>
    static member Parse
        (
            file: string,
            bytes: byte[],
            [<Optional; DefaultParameterValue("x_train")>] pictures: string,
            [<Optional; DefaultParameterValue("y_train")>] labels: string
        ) =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        ArgumentNullException.ThrowIfNull(bytes, nameof bytes)
        let arrays = NumPy.readNpz file bytes
        dataset file (named file arrays pictures) (named file arrays labels)

    /// <summary>The pictures in the bytes of two .npy files. Pure.</summary>
    /// <param name="picturesFile">Name of the first file, for messages.</param>
    /// <param name="pictures">The whole file of pictures.</param>
    /// <param name="labelsFile">Name of the second file, for messages.</param>
    /// <param name="labels">The whole file of labels.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such files, or do not go together.</exception>
    static member ParseArrays(picturesFile: string, pictures: byte[], labelsFile: string, labels: byte[]) =
        ArgumentNullException.ThrowIfNull(picturesFile, nameof picturesFile)
        ArgumentNullException.ThrowIfNull(pictures, nameof pictures)
        ArgumentNullException.ThrowIfNull(labelsFile, nameof labelsFile)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)
        let x = NumPy.readNpy picturesFile "pictures" (ReadOnlyMemory pictures)
        dataset picturesFile x (NumPy.readNpy labelsFile "labels" (ReadOnlyMemory labels))

    /// <summary>The pictures to learn from, x_train and y_train, and to test on, x_test and y_test, of a .npz file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:System.IO.FileNotFoundException">There is no such file.</exception>
    /// <exception cref="T:Cnn.DataFormatException">It is another one, or its arrays do not go together.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load(path: string, [<Optional>] cancellationToken: CancellationToken) =
        ArgumentNullException.ThrowIfNull(path, nameof path)
        let bytes = File.ReadAllBytesAsync(path, cancellationToken).GetAwaiter().GetResult()
        let array = NumPy.readNpzUntil cancellationToken path bytes |> named path
        DatasetSplit(dataset path (array "x_train") (array "y_train"), dataset path (array "x_test") (array "y_test"))
