namespace Cnn

open System
open System.IO
open Cnn.FSharp

/// <summary>MNIST: handwritten digits, 28×28×1, 60,000 to learn from and 10,000 to test on (LeCun, Cortes, Burges).</summary>
[<AbstractClass; Sealed>]
type Mnist private () =

    static let digits = Array.init 10 string

    static let dataset (imagesFile: string) (pictures: IdxArray) (labelsFile: string) (classes: IdxArray) =
        if classes.Data.Length <> pictures.Extents[0] then
            raise (
                DataFormatException(
                    labelsFile,
                    4L,
                    Words.count pictures.Extents[0] "label" "labels" + ", one for each picture of " + imagesFile,
                    string classes.Data.Length
                )
            )

        if pictures.Extents[1] = 0 || pictures.Extents[2] = 0 then
            raise (DataFormatException(imagesFile, 8L, "pictures with at least one pixel", "none"))

        let labels = classes.Data.ToArray() |> Array.map int

        match labels |> Array.tryFindIndex (fun label -> label > 9) with
        | Some i -> raise (DataFormatException(labelsFile, int64 (8 + i), "a label of 0 to 9", string labels[i]))
        | None -> ()

        Dataset.OfBytes(Shape.Of(pictures.Extents[1], pictures.Extents[2], 1), pictures.Data, labels, digits)

    /// <summary>Pictures and labels from the bytes of two IDX files, gzip-compressed or not. Pure.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such files, or do not go together.</exception>
    static member Parse(imagesFile: string, images: byte[], labelsFile: string, labels: byte[]) =
        let classes = Files.readBytes labelsFile labels (Idx.read 1)
        dataset imagesFile (Files.readBytes imagesFile images (Idx.read 3)) labelsFile classes

    /// <summary>Pictures and labels from two streams of IDX files, gzip-compressed or not; the streams stay open.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The streams hold no such files, or do not go together.</exception>
    static member Read(imagesFile: string, images: Stream, labelsFile: string, labels: Stream) =
        let classes = Files.readStream labelsFile labels (Idx.read 1)
        dataset imagesFile (Files.readStream imagesFile images (Idx.read 3)) labelsFile classes

    /// <summary>The four files of MNIST in a folder, with or without the ending .gz.</summary>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    static member Load(directory: string) =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let find = Files.find "MNIST" "the four files of the data set" [ directory ]
        let pair name = find (name + "-images-idx3-ubyte"), find (name + "-labels-idx1-ubyte")
        let train, test = pair "train", pair "t10k"

        let part (images, labels) =
            dataset images (Files.read images (Idx.read 3)) labels (Files.read labels (Idx.read 1))

        DatasetSplit(part train, part test)
