namespace Cnn

open System
open System.IO
open System.Runtime.InteropServices
open System.Threading
open System.Threading.Tasks
open Cnn.FSharp

/// What data sets in the four files of MNIST have in common; only the names of the classes differ.
module internal FourFiles =

    let private dataset
        (names: string[])
        (imagesFile: string)
        (pictures: IdxArray)
        (labelsFile: string)
        (classes: IdxArray)
        =
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

        Dataset.OfBytes(Shape.Of(pictures.Extents[1], pictures.Extents[2], 1), pictures.Data, labels, names)

    let private requireAll (imagesFile: string) (images: obj) (labelsFile: string) (labels: obj) =
        ArgumentNullException.ThrowIfNull(imagesFile, nameof imagesFile)
        ArgumentNullException.ThrowIfNull(images, nameof images)
        ArgumentNullException.ThrowIfNull(labelsFile, nameof labelsFile)
        ArgumentNullException.ThrowIfNull(labels, nameof labels)

    let parse names (imagesFile: string) (images: byte[]) (labelsFile: string) (labels: byte[]) =
        requireAll imagesFile images labelsFile labels
        let classes = Files.readBytes labelsFile labels (Idx.read 1)
        dataset names imagesFile (Files.readBytes imagesFile images (Idx.read 3)) labelsFile classes

    let read names (imagesFile: string) (images: Stream) (labelsFile: string) (labels: Stream) cancellation =
        requireAll imagesFile images labelsFile labels
        let classes = Files.readStream labelsFile labels cancellation (Idx.read 1)
        dataset names imagesFile (Files.readStream imagesFile images cancellation (Idx.read 3)) labelsFile classes

    let load title names (directory: string) cancellation =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let find = Files.find title "the four files of the data set" [ directory ]
        let pair name = find (name + "-images-idx3-ubyte"), find (name + "-labels-idx1-ubyte")
        let train, test = pair "train", pair "t10k"

        let part (images, labels) =
            let pictures = Files.read images cancellation (Idx.read 3)
            dataset names images pictures labels (Files.read labels cancellation (Idx.read 1))

        DatasetSplit(part train, part test)

/// <summary>MNIST: handwritten digits, 28×28×1, 60,000 to learn from and 10,000 to test on (LeCun, Cortes, Burges).</summary>
[<AbstractClass; Sealed>]
type Mnist private () =

    static let digits = Array.init 10 string

    /// <summary>Pictures and labels from the bytes of two IDX files, gzip-compressed or not. Pure.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such files, or do not go together.</exception>
    static member Parse(imagesFile: string, images: byte[], labelsFile: string, labels: byte[]) =
        FourFiles.parse digits imagesFile images labelsFile labels

    /// <summary>Pictures and labels from two streams of IDX files, gzip-compressed or not; the streams stay open.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The streams hold no such files, or do not go together.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Read
        (
            imagesFile: string,
            images: Stream,
            labelsFile: string,
            labels: Stream,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        FourFiles.read digits imagesFile images labelsFile labels cancellationToken

    /// <summary>The four files of MNIST in a folder, with or without the ending .gz.</summary>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load(directory: string, [<Optional>] cancellationToken: CancellationToken) =
        FourFiles.load "MNIST" digits directory cancellationToken

    /// <summary>Brings the files into a folder, where they are not there already, and loads them.</summary>
    /// <remarks>A file of the same name with other contents is replaced: give each data set a folder of its own.</remarks>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: a public copy of the originals.</param>
    /// <param name="progress">Told as bytes arrive. Default null: nobody.</param>
    /// <param name="cancellationToken">Ends it; what has come stays, and the next call goes on from there.</param>
    /// <exception cref="T:Cnn.DownloadException">A file cannot be fetched; tells address, reason and where to put it by hand.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file has not the checksum that its publisher gives.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member DownloadAsync
        (
            directory: string,
            [<Optional; DefaultParameterValue(null: Uri | null)>] baseAddress: Uri | null,
            [<Optional; DefaultParameterValue(null: IProgress<DownloadProgress> | null)>] progress:
                IProgress<DownloadProgress> | null,
            [<Optional>] cancellationToken: CancellationToken
        ) : Task<DatasetSplit> =
        Download.thenLoad
            Download.mnist
            (fun folder token -> Mnist.Load(folder, token))
            directory
            baseAddress
            progress
            cancellationToken

    /// <summary><c>DownloadAsync</c>, waited for.</summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: a public copy of the originals.</param>
    /// <param name="progress">Told as bytes arrive. Default null: nobody.</param>
    /// <param name="cancellationToken">Ends it; what has come stays, and the next call goes on from there.</param>
    /// <exception cref="T:Cnn.DownloadException">A file cannot be fetched; tells address, reason and where to put it by hand.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file has not the checksum that its publisher gives.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Download
        (
            directory: string,
            [<Optional; DefaultParameterValue(null: Uri | null)>] baseAddress: Uri | null,
            [<Optional; DefaultParameterValue(null: IProgress<DownloadProgress> | null)>] progress:
                IProgress<DownloadProgress> | null,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        Mnist.DownloadAsync(directory, baseAddress, progress, cancellationToken).GetAwaiter().GetResult()
