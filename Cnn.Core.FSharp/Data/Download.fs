namespace Cnn

open System
open System.IO

/// <summary>How far the download of a file is.</summary>
/// <remarks>An immutable value.</remarks>
[<Struct; NoEquality; NoComparison>]
type DownloadProgress = {
    /// <summary>Name of the file.</summary>
    File: string
    /// <summary>Bytes that are here.</summary>
    Received: int64
    /// <summary>Bytes of the whole file; 0 where the server does not say.</summary>
    Total: int64
}

/// <summary>A file could not be fetched: tells from where, why, and where to put it by hand.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type DownloadException(address: Uri, path: string, reason: string, inner: exn | null) =
    inherit
        IOException(
            String.Concat("Cannot fetch ", string address, ": ", reason)
            + ". Fetch it by other means and put it at "
            + path
            + ".",
            inner
        )

    /// <summary>Where the file is on the net.</summary>
    member _.Address = address

    /// <summary>Where the file belongs.</summary>
    member _.Path = path

    /// <summary>Why it could not be fetched, in words.</summary>
    member _.Reason = reason

namespace Cnn.FSharp

open System
open System.Formats.Tar
open System.IO
open System.IO.Compression
open System.Net
open System.Net.Http
open System.Net.Http.Headers
open System.Security.Cryptography
open System.Threading
open System.Threading.Tasks
open Cnn

/// <summary>A file of a data set on the net.</summary>
type DownloadFile = {
    /// <summary>Its name, there and here.</summary>
    Name: string
    /// <summary>The MD5 that its publisher gives, in small hexadecimal digits.</summary>
    Md5: string
    /// <summary>Files that are unpacked from it, as it names them, where it is a .tar.gz; empty where it is none.</summary>
    Parts: string list
}

/// <summary>Where a data set is on the net.</summary>
[<NoComparison>]
type DownloadSource = {
    /// <summary>The folder of the files, ending in a slash.</summary>
    BaseAddress: Uri
    /// <summary>What lies in it.</summary>
    Files: DownloadFile list
}

/// <summary>How to download.</summary>
[<NoEquality; NoComparison>]
type DownloadSettings = {
    /// <summary>Another folder with the same files, such as a mirror. Default: the one that the source names.</summary>
    BaseAddress: Uri option
    /// <summary>Called as bytes arrive, on the thread that fetches. Default nothing.</summary>
    OnProgress: DownloadProgress -> unit
    /// <summary>How long a server may be silent. Default 30 seconds.</summary>
    Timeout: TimeSpan
    /// <summary>How often a file is asked for without getting further before it is given up. Default 4.</summary>
    Attempts: int
    /// <summary>What is waited before a server that did not get further is asked again. Default one second.</summary>
    Pause: TimeSpan
} with

    /// <summary>The source's own address, 30 seconds of silence, four attempts a second apart.</summary>
    static member Default = {
        BaseAddress = None
        OnProgress = ignore
        Timeout = TimeSpan.FromSeconds 30.0
        Attempts = 4
        Pause = TimeSpan.FromSeconds 1.0
    }

    /// <summary>The same settings with another folder, or the source's own where it is null, and told as bytes arrive.</summary>
    member this.With(baseAddress: Uri | null, onProgress: Action<DownloadProgress>) = {
        this with
            BaseAddress = Option.ofObj baseAddress
            OnProgress = onProgress.Invoke
    }

/// <summary>Data sets fetched from the net: resumed, verified, and there as a whole or not at all.</summary>
/// <remarks>
/// A file that is there and sound is not fetched again. Bytes go to a file that ends in .part, from which a later call
/// goes on; once its checksum is right it is flushed to disk and renamed.
/// </remarks>
[<RequireQualifiedAccess>]
module Download =

    let private file name md5 = { Name = name; Md5 = md5; Parts = [] }

    /// <summary>MNIST, four files, 12 MB.</summary>
    let mnist = {
        BaseAddress = Uri "https://ossci-datasets.s3.amazonaws.com/mnist/"
        Files = [
            file "train-images-idx3-ubyte.gz" "f68b3c2dcbeaaa9fbdd348bbdeb94873"
            file "train-labels-idx1-ubyte.gz" "d53e105ee54ea40749a09fcbcd1e9432"
            file "t10k-images-idx3-ubyte.gz" "9fb629c4189551a2d022fa330f9573f3"
            file "t10k-labels-idx1-ubyte.gz" "ec29112dd5afa0611ce80d1b7f02629c"
        ]
    }

    /// <summary>Fashion-MNIST, four files, 31 MB.</summary>
    let fashionMnist = {
        BaseAddress = Uri "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
        Files = [
            file "train-images-idx3-ubyte.gz" "8d4fb7e6c68d591d4c3dfef9ec88bf0d"
            file "train-labels-idx1-ubyte.gz" "25c81989df183df01b3e8a0aad5dffbe"
            file "t10k-images-idx3-ubyte.gz" "bef4ecab320f06d8554ea6380940ec79"
            file "t10k-labels-idx1-ubyte.gz" "bb300cfdad3c16e7a12a480ee83cd310"
        ]
    }

    /// <summary>CIFAR-10, binary version: an archive of 170 MB, unpacked beside it into cifar-10-batches-bin.</summary>
    let cifar10 = {
        BaseAddress = Uri "https://www.cs.toronto.edu/~kriz/"
        Files = [
            {
                Name = "cifar-10-binary.tar.gz"
                Md5 = "c32a1d4ab5d03f1284b67883e8d87530"
                Parts =
                    [ for i in 1..5 -> "data_batch_" + string i + ".bin" ] @ [ "test_batch.bin"; "batches.meta.txt" ]
                    |> List.map (fun name -> "cifar-10-batches-bin/" + name)
            }
        ]
    }

    /// <summary>CIFAR-100, binary version: an archive of 169 MB, unpacked beside it into cifar-100-binary.</summary>
    let cifar100 = {
        BaseAddress = Uri "https://www.cs.toronto.edu/~kriz/"
        Files = [
            {
                Name = "cifar-100-binary.tar.gz"
                Md5 = "03b5dce01913d631647c71ecec9e9cb8"
                Parts =
                    [ "train.bin"; "test.bin"; "coarse_label_names.txt"; "fine_label_names.txt" ]
                    |> List.map (fun name -> "cifar-100-binary/" + name)
            }
        ]
    }

    /// <summary>SVHN, format 2, train and test: two files, 246 MB. For non-commercial use.</summary>
    let svhn = {
        BaseAddress = Uri "https://ufldl.stanford.edu/housenumbers/"
        Files = [
            file "train_32x32.mat" "e26dedcc434d2e4c54c9b2d4a06d8373"
            file "test_32x32.mat" "eb5a983be6a315427106f1b164d9cef3"
        ]
    }

    /// More than any of these files has: what a server without end is stopped at.
    [<Literal>]
    let private Most = 4294967296L

    let private md5 path (cancellation: CancellationToken) =
        task {
            use stream = File.OpenRead path
            let! hash = MD5.HashDataAsync(stream, cancellation)
            return Convert.ToHexStringLower hash
        }

    /// Bytes that are there already.
    let private length path =
        let info = FileInfo path
        if info.Exists then info.Length else 0L

    /// Work of the network that has to be done within a time of silence. What goes wrong with it is a TimeoutException or
    /// an HttpRequestException, so that it is not taken for an error of the disk.
    let private within (time: TimeSpan) (cancellation: CancellationToken) (work: CancellationToken -> Task<'R>) =
        task {
            use limited = CancellationTokenSource.CreateLinkedTokenSource cancellation
            limited.CancelAfter time

            try
                return! work limited.Token
            with
            | :? OperationCanceledException as e when not cancellation.IsCancellationRequested ->
                let seconds = time.TotalSeconds.ToString("0.###", Globalization.CultureInfo.InvariantCulture)
                return raise (TimeoutException("the server was silent for " + seconds + " s", e))
            | :? IOException as e -> return raise (HttpRequestException(e.Message, e))
        }

    /// What a server said that asking again does not change.
    exception private Refusal of reason: string

    /// Goes on with the partial file as far as the server sends.
    let private receive (client: HttpClient) settings (address: Uri) name partial (cancellation: CancellationToken) =
        task {
            let here = length partial
            use request = new HttpRequestMessage(HttpMethod.Get, address)

            if here > 0L then
                request.Headers.Range <- RangeHeaderValue(Nullable here, Nullable())

            let ask token = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token)
            use! response = within settings.Timeout cancellation ask

            match response.StatusCode with
            | HttpStatusCode.RequestedRangeNotSatisfiable when here > 0L ->
                // There is nothing behind what is here: it is whole, or of another file, as its checksum will show.
                ()
            | HttpStatusCode.OK
            | HttpStatusCode.PartialContent ->
                let from =
                    match response.Content.Headers.ContentRange with
                    | NonNull range when response.StatusCode = HttpStatusCode.PartialContent && range.From.HasValue ->
                        range.From.Value
                    | _ -> 0L

                if from <> 0L && from <> here then
                    raise (Refusal "the server sent another part than was asked for")

                let total =
                    match response.Content.Headers.ContentLength with
                    | left when left.HasValue -> from + left.Value
                    | _ -> 0L

                use target = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None)
                target.SetLength from
                target.Position <- from
                use! source = response.Content.ReadAsStreamAsync cancellation
                let buffer = Array.zeroCreate<byte> 81920
                let mutable isOver = false

                while not isOver do
                    let read (token: CancellationToken) = source.ReadAsync(buffer.AsMemory(), token).AsTask()
                    let! count = within settings.Timeout cancellation read

                    if count = 0 then
                        isOver <- true
                    else
                        target.Write(buffer, 0, count)

                        if target.Position > Most then
                            raise (Refusal "the server sends more than any such file has")

                        settings.OnProgress { File = name; Received = target.Position; Total = total }

                target.Flush true
            | status when int status >= 500 || status = HttpStatusCode.TooManyRequests ->
                raise (HttpRequestException("the server answered " + string (int status)))
            | status -> raise (Refusal("the server answered " + string (int status)))
        }

    /// Fetches a file, again and again while it gets further.
    let private fetch (client: HttpClient) settings (address: Uri) (file: DownloadFile) target cancellation =
        task {
            let partial: string = target + ".part"
            // The most bytes that an attempt has come to, and attempts since then.
            let mutable furthest = length partial
            let mutable failures = 0
            let mutable isCorrupt = false
            let mutable isDone = false

            let giveUp (reason: string) inner =
                raise (DownloadException(address, target, reason.TrimEnd('.').ReplaceLineEndings " ", inner))

            while not isDone do
                try
                    do! receive client settings address file.Name partial cancellation
                    let! found = md5 partial cancellation

                    if found = file.Md5 then
                        File.Move(partial, target, overwrite = true)
                        isDone <- true
                    else
                        // What was here already may have been wrong: once more from the beginning.
                        File.Delete partial

                        if isCorrupt then
                            let wanted = "a file of MD5 " + file.Md5
                            raise (DataFormatException(target, 0L, wanted, found + " from " + string address))

                        isCorrupt <- true
                        furthest <- 0L
                with
                | Refusal reason -> giveUp reason null
                | :? HttpRequestException
                | :? TimeoutException as e ->
                    let here = length partial
                    failures <- if here > furthest then 0 else failures + 1
                    furthest <- max furthest here

                    if failures >= settings.Attempts then
                        giveUp e.Message e

                    if failures > 0 then
                        do! Task.Delay(settings.Pause, cancellation)
        }

    /// Unpacks the parts that are not there; each is there as a whole or not at all.
    let private unpack archive (parts: string list) directory (cancellation: CancellationToken) =
        let isMissing part = not (File.Exists(Path.Combine(directory, part)))
        let missing = parts |> List.filter isMissing

        if not missing.IsEmpty then
            use source = new GZipStream(File.OpenRead archive, CompressionMode.Decompress)
            use tar = new TarReader(source)

            let rec next () =
                cancellation.ThrowIfCancellationRequested()

                match tar.GetNextEntry() with
                | NonNull entry ->
                    if List.contains entry.Name missing && entry.EntryType = TarEntryType.RegularFile then
                        let target = Path.Combine(directory, entry.Name)
                        let temporary = target + ".part"
                        Directory.CreateDirectory(string (Path.GetDirectoryName target)) |> ignore

                        match entry.DataStream with
                        | NonNull content ->
                            use output = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None)
                            content.CopyTo output
                            output.Flush true
                        | Null -> File.WriteAllBytes(temporary, [||])

                        File.Move(temporary, target, overwrite = true)

                    next ()
                | Null -> ()

            try
                next ()
            with :? InvalidDataException as e ->
                raise (DataFormatException(archive, 0L, "a .tar.gz archive", e.Message.TrimEnd '.'))

            match List.tryFind isMissing parts with
            | Some part -> raise (DataFormatException(archive, 0L, "an archive with " + part, "none in it"))
            | None -> ()

    /// <summary>Brings the files of a data set into a folder, one after the other.</summary>
    /// <param name="settings">How.</param>
    /// <param name="source">Which files, and where they are.</param>
    /// <param name="directory">Made if it is not there.</param>
    /// <param name="cancellation">Ends it; what has come stays, and the next call goes on from there.</param>
    /// <exception cref="T:Cnn.DownloadException">A file cannot be fetched; tells address, reason and where to put it by hand.</exception>
    /// <exception cref="T:Cnn.DataFormatException">The server's file has not the publisher's checksum, twice.</exception>
    let files (settings: DownloadSettings) (source: DownloadSource) (directory: string) cancellation : Task =
        task {
            let folder = settings.BaseAddress |> Option.defaultValue source.BaseAddress
            // A folder's address ends in a slash: without one, the last name would be replaced.
            let folder =
                if folder.AbsolutePath.EndsWith '/' then
                    folder
                else
                    Uri(folder.AbsoluteUri + "/")

            Directory.CreateDirectory directory |> ignore

            use handler =
                new SocketsHttpHandler(ConnectTimeout = settings.Timeout, UseProxy = not folder.IsLoopback)

            use client = new HttpClient(handler, Timeout = Timeout.InfiniteTimeSpan)
            client.DefaultRequestHeaders.UserAgent.Add(ProductInfoHeaderValue("Cnn", "1"))

            for file in source.Files do
                let target = Path.GetFullPath(Path.Combine(directory, file.Name))

                let! found = if File.Exists target then md5 target cancellation else Task.FromResult ""

                if found = file.Md5 then
                    settings.OnProgress { File = file.Name; Received = length target; Total = length target }
                else
                    do! fetch client settings (Uri(folder, file.Name)) file target cancellation

                unpack target file.Parts directory cancellation
        }

    /// What the doors of the data sets do: fetch, then load.
    let internal thenLoad
        source
        (load: string -> CancellationToken -> 'R)
        (directory: string)
        (baseAddress: Uri | null)
        (progress: IProgress<DownloadProgress> | null)
        (cancellation: CancellationToken)
        =
        ArgumentNullException.ThrowIfNull(directory, nameof directory)

        let report (step: DownloadProgress) =
            match progress with
            | NonNull progress -> progress.Report step
            | Null -> ()

        let settings = DownloadSettings.Default.With(baseAddress, Action<DownloadProgress> report)

        let work () : Task<'R> | null =
            task {
                do! files settings source directory cancellation
                return load directory cancellation
            }

        // Away from the caller's context: nothing here needs it, and a caller that waits may hold it.
        Task.Run<'R>(Func<Task<'R> | null> work, cancellation)
