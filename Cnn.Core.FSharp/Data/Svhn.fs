namespace Cnn

open System
open System.IO
open System.Runtime.InteropServices
open System.Threading
open System.Threading.Tasks
open Cnn.FSharp

/// <summary>
/// Street View House Numbers, format 2 (cropped digits): 32×32×3, 73,257 to learn from, 26,032 to test on, 531,131 more
/// (Netzer et al. 2011; not for commercial use).
/// </summary>
[<AbstractClass; Sealed>]
type Svhn private () =

    static let digits = Array.init 10 string

    static let dataset (source: ByteSource) =
        let arrays = MatFile.read [ "X"; "y" ] source

        let find name =
            match arrays |> List.tryFind (fun array -> array.Name = name) with
            | Some array -> array
            | None -> source.Refuse("a variable " + name, "none of that name")

        let refuse (array: MatArray) at expected actual =
            raise (DataFormatException(array.File, array.Offset + at, expected, actual))

        let pictures, labels = find "X", find "y"

        // MATLAB drops a last extent of 1.
        let height, width, channels, count =
            match pictures.Extents with
            | [| height; width; channels |] -> height, width, channels, 1
            | [| height; width; channels; count |] -> height, width, channels, count
            | extents -> refuse pictures 0L "X of rows×columns×channels×pictures" (String.Join("×", extents))

        if pictures.Stored <> MatType.UInt8 then
            refuse pictures 0L "X of unsigned bytes" (string (int pictures.Stored) + " as type of the elements")

        if pictures.Data.Length = 0 then
            refuse pictures 0L "at least one picture with at least one pixel" (String.Join("×", pictures.Extents))

        let numbers = MatFile.numbers labels

        if numbers.Length <> count then
            refuse
                labels
                0L
                (Words.count count "label" "labels" + " in y, one for each picture of X")
                (string numbers.Length)

        let size = int64 (labels.Data.Length / numbers.Length)

        let classes =
            numbers
            |> Array.mapi (fun i number ->
                if number >= 1.0 && number <= 10.0 && Math.Floor number = number then
                    int number % 10
                else
                    refuse labels (int64 i * size) "a label of 1 to 10, where 10 is the digit 0" (Words.number number))

        let picture = height * width * channels

        Dataset.Bounded(
            1.0,
            Shape.Of(height, width, channels),
            classes,
            digits,
            Strided.reader (Shape.Of(height, width, channels)) 1 height (height * width) (fun index ->
                ReadOnlyMemory(pictures.Data, index * picture, picture))
        )

    /// <summary>The pictures in the bytes of a file of format 2: X of pixels, y of labels, where 10 is the digit 0. Pure.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    static member Parse(file: string, bytes: byte[]) = Files.readBytes file bytes dataset

    /// <summary>The pictures in a stream of format 2; the stream stays open.</summary>
    /// <param name="file">Name of the stream, for messages.</param>
    /// <param name="stream">Read to its end.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:Cnn.DataFormatException">The stream holds no such file.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Read(file: string, stream: Stream, [<Optional>] cancellationToken: CancellationToken) =
        Files.readStream file stream cancellationToken dataset

    /// <summary>The files train_32x32.mat and test_32x32.mat of a folder.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="extra">Whether to learn from extra_32x32.mat too; not unless told.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load
        (
            directory: string,
            [<Optional; DefaultParameterValue(false)>] extra: bool,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let find part = Files.find "SVHN" "the .mat files of its format 2" [ directory ] (part + "_32x32.mat")
        let names = if extra then [ "train"; "extra" ] else [ "train" ]
        let train, test = List.map find names, find "test"
        let read path = Files.read path cancellationToken dataset
        DatasetSplit(train |> List.map read |> List.reduce (fun all more -> all.Concat more), read test)

    /// <summary>Brings the files into a folder, where they are not there already, and loads them.</summary>
    /// <remarks>A file of the same name with other contents is replaced: give each data set a folder of its own.</remarks>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' page.</param>
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
            Download.svhn
            (fun folder token -> Svhn.Load(folder, false, token))
            directory
            baseAddress
            progress
            cancellationToken

    /// <summary><c>DownloadAsync</c>, waited for.</summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' page.</param>
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
        Svhn.DownloadAsync(directory, baseAddress, progress, cancellationToken).GetAwaiter().GetResult()
