namespace Cnn

open System
open System.IO
open System.Runtime.InteropServices
open System.Threading
open System.Threading.Tasks
open Cnn.FSharp

/// <summary>Fashion-MNIST: clothes, 28×28×1, 60,000 to learn from and 10,000 to test on (Xiao, Rasul and Vollgraf 2017).</summary>
[<AbstractClass; Sealed>]
type FashionMnist private () =

    static let clothes = [|
        "T-shirt/top"
        "Trouser"
        "Pullover"
        "Dress"
        "Coat"
        "Sandal"
        "Shirt"
        "Sneaker"
        "Bag"
        "Ankle boot"
    |]

    /// <summary>Pictures and labels from the bytes of two IDX files, gzip-compressed or not. Pure.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such files, or do not go together.</exception>
    static member Parse(imagesFile: string, images: byte[], labelsFile: string, labels: byte[]) =
        FourFiles.parse clothes imagesFile images labelsFile labels

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
        FourFiles.read clothes imagesFile images labelsFile labels cancellationToken

    /// <summary>The four files of Fashion-MNIST in a folder, named as those of MNIST, with or without the ending .gz.</summary>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load(directory: string, [<Optional>] cancellationToken: CancellationToken) =
        FourFiles.load "Fashion-MNIST" clothes directory cancellationToken

    /// <summary>Brings the files into a folder, where they are not there already, and loads them.</summary>
    /// <remarks>A file of the same name with other contents is replaced: give each data set a folder of its own.</remarks>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' repository.</param>
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
            Download.fashionMnist
            (fun folder token -> FashionMnist.Load(folder, token))
            directory
            baseAddress
            progress
            cancellationToken

    /// <summary><c>DownloadAsync</c>, waited for.</summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' repository.</param>
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
        FashionMnist.DownloadAsync(directory, baseAddress, progress, cancellationToken).GetAwaiter().GetResult()
