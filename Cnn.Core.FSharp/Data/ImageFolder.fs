namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.InteropServices

/// <summary>How the pictures of a folder are read.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="height">Rows of every picture.</param>
/// <param name="width">Columns of every picture.</param>
/// <param name="channels">3 for RGB, the default, or 1 for grey; alpha is dropped, not blended.</param>
/// <param name="method">How pictures of other sizes are brought to this one; default area averaging.</param>
/// <param name="checks">
/// True, the default: every picture is decoded once at opening, so that an unreadable one is told before any training, at the
/// cost of one epoch's reading, of which the cache keeps what it can. False: only the names are read; an unreadable picture
/// is told when it is needed.
/// </param>
/// <param name="onUnreadable">
/// Null, the default: an unreadable picture is an error. Otherwise it is called with each of them, in their order, and they are
/// left out; needs <paramref name="checks"/>.
/// </param>
/// <param name="cacheBytes">
/// The first so many bytes of decoded pictures stay in memory, a byte for each value; default 256 MiB, 0 for none.
/// </param>
/// <param name="codecs">
/// The formats that there can be; default null: all that the door reads, which is <see cref="P:Cnn.ImageCodecs.Default"/> for
/// this half of the library.
/// </param>
/// <exception cref="T:System.ArgumentException">
/// No picture has such a shape, channels other than 1 or 3, no such method, a negative cache, or pictures to be left out that
/// are not checked.
/// </exception>
[<Sealed>]
type ImageFolderOptions
    (
        height: int,
        width: int,
        [<Optional; DefaultParameterValue(3)>] channels: int,
        [<Optional; DefaultParameterValue(Resampling.Area)>] method: Resampling,
        [<Optional; DefaultParameterValue(true)>] checks: bool,
        [<Optional; DefaultParameterValue(null: Action<DataFormatException> | null)>] onUnreadable:
            Action<DataFormatException> | null,
        [<Optional; DefaultParameterValue(268435456L)>] cacheBytes: int64,
        [<Optional; DefaultParameterValue(null: IEnumerable<IImageCodec> | null)>] codecs:
            IEnumerable<IImageCodec> | null
    ) =
    do
        if height <= 0 || width <= 0 || (channels <> 1 && channels <> 3) then
            let found = string height + "×" + string width + "×" + string channels
            let cure = "Give a size above 0, and 1 channel for grey or 3 for RGB."
            raise (ShapeException("ImageFolderOptions", "height×width×1 or height×width×3", found, cure))

        Words.defined (nameof method) method
        ArgumentOutOfRangeException.ThrowIfNegative(cacheBytes, nameof cacheBytes)

        if not (isNull onUnreadable) && not checks then
            raise (
                ArgumentException("Unreadable pictures can only be left out if they are checked.", nameof onUnreadable)
            )

    let codecs: IReadOnlyList<IImageCodec> | null =
        match codecs with
        | null -> null
        | codecs -> Array.AsReadOnly(Array.ofSeq codecs)

    /// <summary>Height×width×channels of every picture.</summary>
    member val Shape = Shape.Of(height, width, channels)

    /// <summary>How pictures of other sizes are brought to this one.</summary>
    member _.Method = method

    /// <summary>Whether every picture is decoded at opening.</summary>
    member _.Checks = checks

    /// <summary>What is told of each picture that is left out, or null where it is an error.</summary>
    member _.OnUnreadable = onUnreadable

    /// <summary>Most bytes of decoded pictures that stay in memory.</summary>
    member _.CacheBytes = cacheBytes

    /// <summary>The formats that there can be, or null for all that the door reads.</summary>
    member _.Codecs = codecs

    /// <summary>The same, for these formats where none are given.</summary>
    member this.WithDefault(others: IEnumerable<IImageCodec>) =
        ArgumentNullException.ThrowIfNull(others, nameof others)

        let codecs: IEnumerable<IImageCodec> =
            match codecs with
            | null -> others
            | codecs -> codecs

        ImageFolderOptions(height, width, channels, method, checks, onUnreadable, cacheBytes, codecs)

namespace Cnn.FSharp

open System
open System.IO
open System.Threading
open Cnn

/// <summary>Folders of pictures with a sub-folder for each class, decoded when they are read.</summary>
/// <remarks>
/// The classes are the sub-folders, in the order of their names' code units, and the pictures of each are its files, likewise.
/// A file's ending says nothing: its first bytes tell the format. Hidden files and folders (whose names begin with a dot), files
/// beside the sub-folders and folders below them are not looked at; every other file must be a picture. Links are followed.
/// </remarks>
[<RequireQualifiedAccess>]
module ImageFolder =

    let private visible =
        EnumerationOptions(RecurseSubdirectories = false, IgnoreInaccessible = false, MatchType = MatchType.Simple)

    let private sorted (paths: string[]) = Array.sortWith (fun a b -> String.CompareOrdinal(a, b)) paths

    /// A picture of the file in the size and the colours of the options.
    let private decode (options: ImageFolderOptions) path =
        let codecs =
            match options.Codecs with
            | null -> ImageCodecs.Default
            | codecs -> codecs

        let image = Image.loadWith codecs path
        let colours = if options.Shape[2] = 1 then Image.toGrey image else Image.toRgb image
        (Image.resize options.Method options.Shape[0] options.Shape[1] colours).Pixels

    /// <summary>The pictures of a folder; pixels become v/255, after resampling to whole bytes.</summary>
    /// <remarks>
    /// What memory holds is the names and the cache, so that a folder larger than memory can be trained on. The same pixels
    /// come out whether they are cached or not, for any scheduler.
    /// </remarks>
    /// <param name="scheduler">Where the pictures are checked.</param>
    /// <param name="options">Size, colours, checks and cache.</param>
    /// <param name="directory">Holds a sub-folder for each class.</param>
    /// <param name="cancellation">Ends the listing and the checks; what is decoded later is not under it.</param>
    /// <exception cref="T:System.IO.IOException">
    /// The folder is missing, has no sub-folders or no pictures in them, or a file cannot be read, now or later, when it is needed.
    /// </exception>
    /// <exception cref="T:Cnn.DataFormatException">The first picture that is unreadable, now or later, when it is needed.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    let load
        (scheduler: IScheduler)
        (options: ImageFolderOptions)
        (directory: string)
        (cancellation: CancellationToken)
        : Dataset =
        ArgumentNullException.ThrowIfNull(scheduler, nameof scheduler)
        ArgumentNullException.ThrowIfNull(options, nameof options)
        ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let folders = sorted (Directory.GetDirectories(directory, "*", visible))

        if folders.Length = 0 then
            raise (
                DirectoryNotFoundException(directory + " has no sub-folders. Give each class one, with its pictures.")
            )

        let files, labels =
            folders
            |> Seq.indexed
            |> Seq.collect (fun (label, folder) ->
                cancellation.ThrowIfCancellationRequested()
                sorted (Directory.GetFiles(folder, "*", visible)) |> Seq.map (fun file -> file, label))
            |> Array.ofSeq
            |> Array.unzip

        let size = options.Shape.Size

        let cache =
            Array.zeroCreate<byte[] | null>(int (min (int64 files.Length) (options.CacheBytes / int64 size)))

        let pixels i =
            let cached = if i < cache.Length then Volatile.Read(&cache[i]) else null

            match cached with
            | null ->
                let decoded = (decode options files[i]).ToArray()

                if i < cache.Length then
                    Volatile.Write(&cache[i], decoded)

                decoded
            | known -> known

        let failures = Array.zeroCreate<DataFormatException | null> files.Length

        if options.Checks then
            scheduler.For(
                files.Length,
                fun i ->
                    cancellation.ThrowIfCancellationRequested()

                    try
                        pixels i |> ignore
                    with :? DataFormatException as e ->
                        failures[i] <- e
            )

            for failure in failures do
                match failure, options.OnUnreadable with
                | null, _ -> ()
                | failure, null -> raise failure
                | failure, report -> report.Invoke failure

        let readable = [|
            for i in 0 .. files.Length - 1 do
                if isNull failures[i] then
                    i
        |]

        if readable.Length = 0 then
            raise (FileNotFoundException("The sub-folders of " + directory + " have no pictures.", directory))

        Dataset.Bounded(
            1.0,
            options.Shape,
            readable |> Array.map (fun i -> labels[i]),
            folders |> Array.map (fun folder -> string (Path.GetFileName folder)),
            fun index destination ->
                let pixels = pixels readable[index]

                for i in 0 .. pixels.Length - 1 do
                    destination[i] <- float32 pixels[i] / 255.0f
        )

    /// <summary>The pictures of a folder's sub-folders train and test, each a folder with a sub-folder for each class.</summary>
    /// <param name="scheduler">Where the pictures are checked.</param>
    /// <param name="options">Size, colours, checks and cache, which both parts have by themselves.</param>
    /// <param name="directory">Holds train and test.</param>
    /// <param name="cancellation">As of <c>load</c>.</param>
    /// <exception cref="T:System.IO.IOException">As of <c>load</c>.</exception>
    /// <exception cref="T:Cnn.DataFormatException">As of <c>load</c>.</exception>
    /// <exception cref="T:System.ArgumentException">The parts have different classes.</exception>
    let loadSplit
        (scheduler: IScheduler)
        (options: ImageFolderOptions)
        (directory: string)
        (cancellation: CancellationToken)
        : DatasetSplit =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)
        let train = load scheduler options (Path.Combine(directory, "train")) cancellation
        let test = load scheduler options (Path.Combine(directory, "test")) cancellation

        if not (Seq.forall2 (=) train.ClassNames test.ClassNames && train.ClassNames.Count = test.ClassNames.Count) then
            let names (part: Dataset) = String.Join(", ", part.ClassNames)

            raise (
                ArgumentException(
                    directory + " has the classes " + names train + " to learn from, but " + names test + " to test on."
                )
            )

        DatasetSplit(train, test)
