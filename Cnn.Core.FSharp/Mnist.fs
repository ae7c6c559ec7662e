namespace Cnn

open System
open Cnn.FSharp

/// <summary>MNIST: handwritten digits, 28×28×1, 60,000 to learn from and 10,000 to test on (LeCun, Cortes, Burges).</summary>
[<AbstractClass; Sealed>]
type Mnist private () =

    static let digits = Array.init 10 string

    /// <summary>Pictures and labels from the bytes of two IDX files, gzip-compressed or not. Pure.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such files, or do not go together.</exception>
    static member Parse(imagesFile: string, images: byte[], labelsFile: string, labels: byte[]) =
        ArgumentNullException.ThrowIfNull(imagesFile, nameof imagesFile)
        ArgumentNullException.ThrowIfNull(images, nameof images)
        ArgumentNullException.ThrowIfNull(labelsFile, nameof labelsFile)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)
        let pictures = Idx.parse imagesFile 3 images
        let classes = Idx.parse labelsFile 1 labels

        if classes.Data.Length <> pictures.Extents[0] then
            raise (
                DataFormatException(
                    labelsFile,
                    4L,
                    Words.count pictures.Extents[0] "label" "labels" + ", one for each picture of " + imagesFile,
                    string classes.Data.Length
                )
            )

        let labels = classes.Data.ToArray() |> Array.map int

        match labels |> Array.tryFindIndex (fun label -> label > 9) with
        | Some i -> raise (DataFormatException(labelsFile, int64 (8 + i), "a label of 0 to 9", string labels[i]))
        | None -> ()

        Dataset.OfBytes(Shape.Of(pictures.Extents[1], pictures.Extents[2], 1), pictures.Data, labels, digits)

    /// <summary>The four files of MNIST in a folder, with or without the ending .gz.</summary>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    static member Load(directory: string) =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)

        let read name =
            let plain = IO.Path.Combine(directory, name)
            let path = [ plain; plain + ".gz" ] |> List.tryFind IO.File.Exists

            match path with
            | Some path -> path, IO.File.ReadAllBytes path
            | None ->
                raise (
                    IO.FileNotFoundException(
                        "MNIST needs "
                        + plain
                        + " (or the same with .gz). Put the four files of the data set into that folder.",
                        plain
                    )
                )

        let part name =
            let imagesFile, images = read (name + "-images-idx3-ubyte")
            let labelsFile, labels = read (name + "-labels-idx1-ubyte")
            Mnist.Parse(imagesFile, images, labelsFile, labels)

        DatasetSplit(part "train", part "t10k")
