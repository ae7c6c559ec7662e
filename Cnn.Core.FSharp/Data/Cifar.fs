namespace Cnn

open System
open System.IO
open System.Runtime.InteropServices
open System.Threading
open System.Threading.Tasks
open Cnn.FSharp

/// The doors that CIFAR-10 and CIFAR-100 have in common.
module private Cifar =

    let private shape = Shape.Of(CifarBinary.Side, CifarBinary.Side, 3)

    /// The pictures of records, with the label at a place of each.
    let dataset (names: string[]) (place: int) (records: CifarRecord seq) =
        let records = Array.ofSeq records
        let plane = CifarBinary.Side * CifarBinary.Side
        let labels = records |> Array.map (fun record -> int record.Labels[place])
        let planes = records |> Array.map _.Planes

        Dataset.Bounded(
            1.0,
            shape,
            labels,
            names,
            Strided.reader shape CifarBinary.Side 1 plane (fun index -> System.ReadOnlyMemory planes[index])
        )

    let readAll (classes: int list) cancellation (paths: string list) =
        paths |> Seq.collect (fun path -> Files.read path cancellation (CifarBinary.read classes))

/// <summary>CIFAR-10: photographs of ten kinds of things, 32×32×3, 50,000 to learn from and 10,000 to test on (Krizhevsky 2009).</summary>
[<AbstractClass; Sealed>]
type Cifar10 private () =

    static let names = [| "airplane"; "automobile"; "bird"; "cat"; "deer"; "dog"; "frog"; "horse"; "ship"; "truck" |]

    static let classes = [ names.Length ]

    /// <summary>The pictures in the bytes of a file of the binary version, gzip-compressed or not. Pure.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    static member Parse(file: string, bytes: byte[]) =
        Files.readBytes file bytes (CifarBinary.read classes) |> Cifar.dataset names 0

    /// <summary>The pictures in a stream of the binary version, gzip-compressed or not; the stream stays open.</summary>
    /// <param name="file">Name of the stream, for messages.</param>
    /// <param name="stream">Read to its end.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:Cnn.DataFormatException">The stream holds no such file.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Read(file: string, stream: Stream, [<Optional>] cancellationToken: CancellationToken) =
        Files.readStream file stream cancellationToken (CifarBinary.read classes) |> Cifar.dataset names 0

    /// <summary>The data set of a folder: data_batch_1.bin to data_batch_5.bin and test_batch.bin, or train.bin and test.bin.</summary>
    /// <remarks>Each with or without the ending .gz, in the folder itself or in cifar-10-batches-bin below it.</remarks>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load(directory: string, [<Optional>] cancellationToken: CancellationToken) =
        System.ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let folders = [ directory; Path.Combine(directory, "cifar-10-batches-bin") ]
        let belongs = "data_batch_1.bin to data_batch_5.bin and test_batch.bin of CIFAR-10's binary version"
        let find = Files.find "CIFAR-10" belongs folders

        let train, test =
            match Files.tryFind folders "train.bin" with
            | Some path -> [ path ], "test.bin"
            | None -> [ for batch in 1..5 -> find ("data_batch_" + string batch + ".bin") ], "test_batch.bin"

        let part paths = Cifar.readAll classes cancellationToken paths |> Cifar.dataset names 0
        let test = find test
        DatasetSplit(part train, part [ test ])

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
            Download.cifar10
            (fun folder token -> Cifar10.Load(folder, token))
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
        Cifar10.DownloadAsync(directory, baseAddress, progress, cancellationToken).GetAwaiter().GetResult()

/// <summary>Which of the two labels of CIFAR-100 is learnt.</summary>
type Cifar100Labels =
    /// <summary>100 classes, such as apple.</summary>
    | Fine = 0
    /// <summary>20 classes, such as fruit_and_vegetables.</summary>
    | Coarse = 1

/// <summary>CIFAR-100: photographs of a hundred kinds of things in twenty groups, 32×32×3, 50,000 to learn from and 10,000 to test on (Krizhevsky 2009).</summary>
[<AbstractClass; Sealed>]
type Cifar100 private () =

    static let coarse =
        "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices \
household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes \
large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees \
vehicles_1 vehicles_2"
            .Split
            ' '

    static let fine =
        "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can \
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant \
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree \
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate \
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider \
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle \
wardrobe whale willow_tree wolf woman worm"
            .Split
            ' '

    static let classes = [ coarse.Length; fine.Length ]

    static let dataset (labels: Cifar100Labels) records =
        match labels with
        | Cifar100Labels.Fine -> Cifar.dataset fine 1 records
        | _ -> Cifar.dataset coarse 0 records

    /// <summary>The pictures in the bytes of a file of the binary version, gzip-compressed or not. Pure.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <param name="labels">Which labels; the fine ones unless told.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no such labels.</exception>
    static member Parse
        (file: string, bytes: byte[], [<Optional; DefaultParameterValue(Cifar100Labels.Fine)>] labels: Cifar100Labels)
        =
        Words.defined (nameof labels) labels
        Files.readBytes file bytes (CifarBinary.read classes) |> dataset labels

    /// <summary>The pictures in a stream of the binary version, gzip-compressed or not; the stream stays open.</summary>
    /// <param name="file">Name of the stream, for messages.</param>
    /// <param name="stream">Read to its end.</param>
    /// <param name="labels">Which labels; the fine ones unless told.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:Cnn.DataFormatException">The stream holds no such file.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no such labels.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Read
        (
            file: string,
            stream: Stream,
            [<Optional; DefaultParameterValue(Cifar100Labels.Fine)>] labels: Cifar100Labels,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        Words.defined (nameof labels) labels
        Files.readStream file stream cancellationToken (CifarBinary.read classes) |> dataset labels

    /// <summary>The data set of a folder: train.bin and test.bin.</summary>
    /// <remarks>Each with or without the ending .gz, in the folder itself or in cifar-100-binary below it.</remarks>
    /// <param name="directory">The folder.</param>
    /// <param name="labels">Which labels; the fine ones unless told.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:System.IO.FileNotFoundException">A file is missing; tells which.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file is not what its name says.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no such labels.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load
        (
            directory: string,
            [<Optional; DefaultParameterValue(Cifar100Labels.Fine)>] labels: Cifar100Labels,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        System.ArgumentNullException.ThrowIfNull(directory, nameof directory)
        Words.defined (nameof labels) labels
        let folders = [ directory; Path.Combine(directory, "cifar-100-binary") ]
        let find = Files.find "CIFAR-100" "train.bin and test.bin of CIFAR-100's binary version" folders
        let train, test = find "train.bin", find "test.bin"
        let part path = Cifar.readAll classes cancellationToken [ path ] |> dataset labels
        DatasetSplit(part train, part test)

    /// <summary>Brings the files into a folder, where they are not there already, and loads them.</summary>
    /// <remarks>A file of the same name with other contents is replaced: give each data set a folder of its own.</remarks>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="labels">Which labels; the fine ones unless told.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' page.</param>
    /// <param name="progress">Told as bytes arrive. Default null: nobody.</param>
    /// <param name="cancellationToken">Ends it; what has come stays, and the next call goes on from there.</param>
    /// <exception cref="T:Cnn.DownloadException">A file cannot be fetched; tells address, reason and where to put it by hand.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file has not the checksum that its publisher gives.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no such labels.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member DownloadAsync
        (
            directory: string,
            [<Optional; DefaultParameterValue(Cifar100Labels.Fine)>] labels: Cifar100Labels,
            [<Optional; DefaultParameterValue(null: Uri | null)>] baseAddress: Uri | null,
            [<Optional; DefaultParameterValue(null: IProgress<DownloadProgress> | null)>] progress:
                IProgress<DownloadProgress> | null,
            [<Optional>] cancellationToken: CancellationToken
        ) : Task<DatasetSplit> =
        Words.defined (nameof labels) labels

        Download.thenLoad
            Download.cifar100
            (fun folder token -> Cifar100.Load(folder, labels, token))
            directory
            baseAddress
            progress
            cancellationToken

    /// <summary><c>DownloadAsync</c>, waited for.</summary>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="labels">Which labels; the fine ones unless told.</param>
    /// <param name="baseAddress">Another folder on the net with the same files. Default null: the authors' page.</param>
    /// <param name="progress">Told as bytes arrive. Default null: nobody.</param>
    /// <param name="cancellationToken">Ends it; what has come stays, and the next call goes on from there.</param>
    /// <exception cref="T:Cnn.DownloadException">A file cannot be fetched; tells address, reason and where to put it by hand.</exception>
    /// <exception cref="T:Cnn.DataFormatException">A file has not the checksum that its publisher gives.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no such labels.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Download
        (
            directory: string,
            [<Optional; DefaultParameterValue(Cifar100Labels.Fine)>] labels: Cifar100Labels,
            [<Optional; DefaultParameterValue(null: Uri | null)>] baseAddress: Uri | null,
            [<Optional; DefaultParameterValue(null: IProgress<DownloadProgress> | null)>] progress:
                IProgress<DownloadProgress> | null,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        Cifar100.DownloadAsync(directory, labels, baseAddress, progress, cancellationToken).GetAwaiter().GetResult()
