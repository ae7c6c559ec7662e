/// Downloads: whatever a server does, a file is there as a whole and right, or the error says what to do.
module Cnn.Tests.Formats.DownloadLaws

open System
open System.Formats.Tar
open System.IO
open System.IO.Compression
open System.Net
open System.Net.Sockets
open System.Security.Cryptography
open System.Text
open System.Threading
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Golden
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// What the server does with one request.
type private Behaviour =
    /// Answers as it should.
    | Serve
    /// Says the whole length, sends so many bytes, and hangs up.
    | Truncate of int
    /// Sends so many bytes, and breaks the connection.
    | Reset of int
    /// Sends so many bytes, and then nothing.
    | Stall of int
    /// Changes the last byte.
    | Corrupt
    /// Sends the whole file, whatever part was asked for.
    | IgnoreRange
    /// Says that it sends what was asked for, and sends from elsewhere.
    | WrongRange
    /// Answers with a status.
    | Status of int
    /// Says that the file is elsewhere.
    | Redirect of string
    /// Says nothing at all.
    | Silence

/// A server on the loopback address: files by name; a behaviour for each request in turn, then the last one again.
type private Server(files: Map<string, byte[]>, behaviours: Behaviour list) =
    let listener = new TcpListener(IPAddress.Loopback, 0)
    let ending = new CancellationTokenSource()
    let requests = ResizeArray<string * int64>()
    let mutable rest = behaviours

    let turn () =
        match rest with
        | [ last ] -> last
        | next :: others ->
            rest <- others
            next
        | [] -> Serve

    let answer (client: TcpClient) =
        task {
            use client = client
            let stream = client.GetStream()
            let reader = new StreamReader(stream, Encoding.ASCII)
            let! first = reader.ReadLineAsync()
            let path = (string first).Split(' ')[1]
            let mutable from = 0L
            let mutable isHead = true

            while isHead do
                let! line = reader.ReadLineAsync()
                let line = string line
                isHead <- line <> ""

                if line.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase) then
                    from <- Int64.Parse(line.Substring(13).TrimEnd '-')

            let behaviour =
                lock requests (fun () ->
                    requests.Add((path, from))
                    turn ())

            let send (status: string) (headers: string) (body: byte[]) (length: int) =
                task {
                    let head = $"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"

                    do! stream.WriteAsync(ReadOnlyMemory(Encoding.ASCII.GetBytes head))
                    do! stream.WriteAsync(ReadOnlyMemory body)
                    do! stream.FlushAsync()
                }

            let part (change: byte[] -> byte[]) =
                task {
                    match files.TryFind(path.TrimStart '/') with
                    | None -> do! send "404 Not Found" "" [||] 0
                    | Some file when from >= int64 file.Length && from > 0L ->
                        do! send "416 Range Not Satisfiable" $"Content-Range: bytes */{file.Length}\r\n" [||] 0
                    | Some file when from > 0L ->
                        let body = file[int from ..]
                        let range = $"Content-Range: bytes {from}-{file.Length - 1}/{file.Length}\r\n"
                        do! send "206 Partial Content" range (change body) body.Length
                    | Some file -> do! send "200 OK" "" (change file) file.Length
                }

            match behaviour with
            | Serve -> do! part id
            | Truncate n -> do! part (Array.truncate n)
            | Reset n ->
                do! part (Array.truncate n)
                do! Task.Delay 50
                client.LingerState <- LingerOption(true, 0)
            | Stall n ->
                do! part (Array.truncate n)
                do! Task.Delay(Timeout.Infinite, ending.Token)
            | Corrupt -> do! part (fun body -> Array.append body[.. body.Length - 2] [| ~~~(Array.last body) |])
            | IgnoreRange ->
                from <- 0L
                do! part id
            | WrongRange ->
                from <- from + 1L
                do! part id
            | Status status -> do! send $"{status} As Asked" "" [||] 0
            | Redirect address -> do! send "302 Found" $"Location: {address}\r\n" [||] 0
            | Silence -> do! Task.Delay(Timeout.Infinite, ending.Token)
        }

    do
        listener.Start()

        task {
            while not ending.IsCancellationRequested do
                let! client = listener.AcceptTcpClientAsync ending.Token
                // Clients hang up, and tests end: that is no error of the server's.
                (answer client).ContinueWith(fun (t: Task) -> ignore t.Exception) |> ignore
        }
        |> ignore

    member _.Address = Uri $"http://127.0.0.1:{(listener.LocalEndpoint :?> IPEndPoint).Port}/"

    /// Path and first byte of every request.
    member _.Requests = lock requests (fun () -> List.ofSeq requests)

    interface IDisposable with
        member _.Dispose() =
            ending.Cancel()
            listener.Stop()

let private md5 (bytes: byte[]) = Convert.ToHexStringLower(MD5.HashData bytes)

/// So many bytes in no pattern.
let private content (count: int) =
    let bytes = Array.zeroCreate count
    Random(count).NextBytes bytes
    bytes

let private name = "file.bin"

let private sourceOf (bytes: byte[]) = {
    BaseAddress = Uri "http://127.0.0.1:1/"
    Files = [ { Name = name; Md5 = md5 bytes; Parts = [] } ]
}

let private settings (server: Server) = {
    DownloadSettings.Default with
        BaseAddress = Some server.Address
        Timeout = TimeSpan.FromSeconds 0.4
        Pause = TimeSpan.Zero
}

/// A folder of its own, gone afterwards.
let private inFolder (act: string -> unit) =
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")

    try
        act folder
    finally
        if Directory.Exists folder then
            Directory.Delete(folder, true)

let private fetch settings source folder =
    (Download.files settings source folder CancellationToken.None).GetAwaiter().GetResult()

let private found folder = File.ReadAllBytes(Path.Combine(folder, name))

let private names (folder: string) =
    Directory.GetFileSystemEntries folder
    |> Array.map (fun p -> string (Path.GetFileName p))
    |> Array.sort

/// The file is there, right, and alone, after these behaviours; gives the first bytes that were asked for.
let private comesBy (bytes: byte[]) behaviours folder =
    use server = new Server(Map [ name, bytes ], behaviours)
    fetch (settings server) (sourceOf bytes) folder
    Assert.That(found folder, equalTo bytes)
    Assert.That(names folder, equalTo [| name |])
    [ for _, from in server.Requests -> int from ]

/// No file of that name is left, and the error is one line with the address and the place.
let private fails<'E when 'E :> exn and 'E: not struct and 'E: not null> (words: string list) behaviours =
    inFolder (fun folder ->
        use server = new Server(Map [ name, content 1000 ], behaviours)
        let source = sourceOf (content 1000)
        let error: 'E = Assert.Throws<'E>(fun () -> fetch (settings server) source folder)
        Assert.That(File.Exists(Path.Combine(folder, name)), isFalse)

        for word in (string server.Address + name) :: Path.Combine(folder, name) :: words do
            Assert.That(error.Message, containing word)

        Assert.That(error.Message, lacking "\n"))

/// A .tar.gz of files in a folder.
let private archive (files: (string * byte[]) list) =
    use bytes = new MemoryStream()

    do
        use gzip = new GZipStream(bytes, CompressionLevel.Fastest)
        use tar = new TarWriter(gzip)

        for name, content in files do
            tar.WriteEntry(PaxTarEntry(TarEntryType.RegularFile, name, DataStream = new MemoryStream(content)))

    bytes.ToArray()

/// Each setting of a download, against servers that make it tell.
let settings' =
    let heard = ResizeArray<int64>()

    /// What is said of how it went, of the paths that were asked for, and of the bytes that were heard of.
    let outcome behaviours say (settings: DownloadSettings) =
        let mutable said = ""

        inFolder (fun folder ->
            let bytes = content 1000
            use server = new Server(Map [ name, bytes; "mirror/" + name, bytes ], behaviours)
            heard.Clear()

            // The address of a server is known once it is there.
            let settings = {
                settings with
                    BaseAddress = settings.BaseAddress |> Option.map (fun _ -> Uri(server.Address, "mirror/"))
            }

            let told =
                Setting.outcome (fun () ->
                    fetch settings { sourceOf bytes with BaseAddress = server.Address } folder
                    "fetched")

            let told = told.Replace(folder, "").Replace(string server.Address, "")
            said <- say (told, List.map fst server.Requests))

        said

    let start = { DownloadSettings.Default with Attempts = 1; Pause = TimeSpan.Zero }
    let paths (_, paths: string list) = String.Join(" ", paths)
    let lastHeard _ = if heard.Count = 0 then "" else string (Seq.last heard)
    let kind (told: string, _) = told.Split(':')[0]

    Setting.table<DownloadSettings>
        "DownloadSettings"
        (Setting.rows (outcome [ Serve ] paths) start [ "BaseAddress", Some(Uri "http://127.0.0.1:1/") ]
         @ Setting.rows (outcome [ Serve ] lastHeard) start [
             "OnProgress", box (fun (progress: DownloadProgress) -> heard.Add progress.Received)
         ]
         @ Setting.rows (outcome [ Silence ] fst) { start with Timeout = TimeSpan.FromSeconds 0.2 } [
             "Timeout", TimeSpan.FromSeconds 0.3
         ]
         @ Setting.rows (outcome [ Truncate 0 ] paths) start [ "Attempts", 3 ]
         // A pause that cannot be waited is told where it would be waited.
         @ Setting.rows (outcome [ Truncate 0 ] kind) { start with Attempts = 2 } [ "Pause", TimeSpan.FromDays -1.0 ])

let tests =
    testList "downloads" [
        testCase "a file comes as it is, once: a sound one is not fetched again, another is" (fun () ->
            inFolder (fun folder ->
                let bytes = content 200_000
                use server = new Server(Map [ name, bytes ], [])
                let progress = ResizeArray()
                let settings = { settings server with OnProgress = progress.Add }
                fetch settings (sourceOf bytes) folder
                Assert.That(found folder, equalTo bytes)
                let received = [ for p in progress -> p.Received ]
                Assert.That(received, equalTo (List.sort received))
                let last = Seq.last progress
                Assert.That((last.File, last.Received, last.Total), equalTo ((name, 200_000L, 200_000L)))
                fetch settings (sourceOf bytes) folder
                Assert.That(server.Requests.Length, equalTo 1)
                File.WriteAllBytes(Path.Combine(folder, name), content 10)
                fetch settings (sourceOf bytes) folder
                Assert.That(server.Requests.Length, equalTo 2)
                Assert.That(found folder, equalTo bytes)))

        // Each attempt goes on where the last one ended, however many there are, as long as they get further.
        testCase "a download that is cut off or stalls goes on where it was" (fun () ->
            let bytes = content 300_000

            inFolder (fun folder ->
                Assert.That(comesBy bytes [ Truncate 100_000; Serve ] folder, equalTo [ 0; 100_000 ]))

            inFolder (fun folder -> Assert.That(comesBy bytes [ Stall 100_000; Serve ] folder, equalTo [ 0; 100_000 ]))
            // What had come when the connection broke may be lost on the way.
            inFolder (fun folder -> Assert.That((comesBy bytes [ Reset 100_000; Serve ] folder).Length, equalTo 2))

            inFolder (fun folder ->
                Assert.That(comesBy bytes [ Truncate 40_000 ] folder, equalTo [ 0..40_000..280_000 ]))

            inFolder (fun folder ->
                let behaviours = [
                    Status 503
                    Truncate 0
                    Silence
                    Truncate 7
                    Status 500
                    Status 429
                    Truncate 0
                    Serve
                ]

                Assert.That(comesBy bytes behaviours folder, equalTo [ 0; 0; 0; 0; 7; 7; 7; 7 ])))

        testCase "a server that ignores the range sends all, and all is taken from the beginning" (fun () ->
            inFolder (fun folder ->
                let bytes = content 100_000
                Assert.That(comesBy bytes [ Truncate 60_000; IgnoreRange ] folder, equalTo [ 0; 60_000 ]))

            // What was here is gone, even if it was longer.
            inFolder (fun folder ->
                Directory.CreateDirectory folder |> ignore
                File.WriteAllBytes(Path.Combine(folder, name + ".part"), content 300)
                Assert.That(comesBy (content 200) [ IgnoreRange ] folder, equalTo [ 300 ])))

        testCase "wrong bytes, or a wrong beginning, are fetched once more and wholly" (fun () ->
            let bytes = content 50_000
            inFolder (fun folder -> Assert.That(comesBy bytes [ Corrupt; Serve ] folder, equalTo [ 0; 0 ]))

            for wrong in [ content 20_000; content 50_000 |> Array.rev; content 60_000 ] do
                inFolder (fun folder ->
                    Directory.CreateDirectory folder |> ignore
                    File.WriteAllBytes(Path.Combine(folder, name + ".part"), wrong)
                    Assert.That(comesBy bytes [ Serve ] folder, equalTo [ wrong.Length; 0 ])))

        // Ended between the last byte and the new name.
        testCase "a whole partial file needs but its name" (fun () ->
            inFolder (fun folder ->
                let bytes = content 5000
                Directory.CreateDirectory folder |> ignore
                File.WriteAllBytes(Path.Combine(folder, name + ".part"), bytes)
                Assert.That(comesBy bytes [ Serve ] folder, equalTo [ 5000 ])))

        testCase "redirections are followed" (fun () ->
            inFolder (fun folder ->
                let bytes = content 5000
                use other = new Server(Map [ "moved", bytes ], [])
                Assert.That(comesBy bytes [ Redirect(string other.Address + "moved") ] folder, equalTo [ 0 ])))

        testCase "what cannot be fetched is told with address, reason and place, in one line" (fun () ->
            fails<DownloadException> [ "404"; "by other means" ] [ Status 404 ]
            fails<DownloadException> [ "403" ] [ Status 403 ]
            fails<DownloadException> [ "500" ] [ Status 500 ]
            fails<DownloadException> [ "silent for 0.4 s" ] [ Silence ]
            fails<DownloadException> [] [ Truncate 0 ]
            fails<DownloadException> [] [ Truncate 10; Truncate 0 ]
            fails<DownloadException> [ "another part" ] [ Truncate 10; WrongRange ]
            fails<DataFormatException> [ md5 (content 1000) ] [ Corrupt ])

        testCase "without a network the error says where the file goes" (fun () ->
            inFolder (fun folder ->
                let settings = { DownloadSettings.Default with Attempts = 1 }
                let fetch () = fetch settings (sourceOf [||]) folder
                let error = Assert.Throws<DownloadException>(fun () -> fetch ())
                Assert.That(error.Path, equalTo (Path.Combine(folder, name)))
                Assert.That(error.Message, both (containing (string error.Address)) (containing error.Path))))

        testCase "a download that is cancelled in the middle goes on later" (fun () ->
            inFolder (fun folder ->
                let bytes = content 300_000
                use server = new Server(Map [ name, bytes ], [ Stall 100_000; Serve ])
                use source = new CancellationTokenSource()

                let settings = {
                    settings server with
                        Timeout = TimeSpan.FromSeconds 60.0
                        OnProgress =
                            fun p ->
                                if p.Received = 100_000L then
                                    source.Cancel()
                }

                let run () = (Download.files settings (sourceOf bytes) folder source.Token).GetAwaiter().GetResult()
                Assert.Catch<OperationCanceledException>(fun () -> run ()) |> ignore
                Assert.That(names folder, equalTo [| name + ".part" |])
                fetch settings (sourceOf bytes) folder
                Assert.That(found folder, equalTo bytes)
                Assert.That([ for _, from in server.Requests -> from ], equalTo [ 0L; 100_000L ])))

        testCase "an archive is unpacked beside it, and its other files are left in it" (fun () ->
            inFolder (fun folder ->
                let parts = [ "folder/a.bin", content 100_000; "folder/b.txt", [||] ]

                let packed =
                    archive (("../evil", content 3) :: ("folder/other", content 5) :: ("a.bin", content 7) :: parts)

                let source = sourceOf packed
                let asking names = { source with Files = [ { source.Files.Head with Parts = names } ] }
                use server = new Server(Map [ name, packed ], [])
                let fetch names = fetch (settings server) (asking names) folder
                let unpacked () = names (Path.Combine(folder, "folder"))
                fetch (List.map fst parts)

                for part, bytes in parts do
                    Assert.That(File.ReadAllBytes(Path.Combine(folder, part)), equalTo bytes)

                Assert.That(names folder, equalTo [| name; "folder" |])
                Assert.That(unpacked (), equalTo [| "a.bin"; "b.txt" |])
                // What is missing is unpacked again, from the archive that is there.
                File.Delete(Path.Combine(folder, "folder", "a.bin"))
                fetch (List.map fst parts)
                Assert.That(unpacked (), equalTo [| "a.bin"; "b.txt" |])
                Assert.That(server.Requests.Length, equalTo 1)
                let error = Assert.Throws<DataFormatException>(fun () -> fetch [ "folder/c.bin" ])
                Assert.That(error.Message, containing "folder/c.bin")))

        // The addresses and checksums of all data sets go together: each has an address of its own, over HTTPS.
        testCase "every source is over HTTPS, and no two files have the same checksum" (fun () ->
            let sources = [ Download.mnist; Download.fashionMnist; Download.cifar10; Download.cifar100; Download.svhn ]
            let files = sources |> List.collect (fun s -> s.Files)

            for source in sources do
                Assert.That(source.BaseAddress.Scheme, equalTo "https")
                Assert.That(source.BaseAddress.AbsolutePath, endingWith "/")

            Assert.That((files |> List.distinctBy (fun f -> f.Md5)).Length, equalTo files.Length)

            for file in files do
                Assert.That(file.Md5, matching "^[0-9a-f]{32}$"))

        // The real files, where they are, through both doors; those that are there are taken as they are.
        testCase "MNIST is fetched from a server and loaded; Fashion-MNIST has other checksums" (fun () ->
            let shared = Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", "mnist"))

            if not (shared |> Option.exists Directory.Exists) then
                Assert.Ignore "Set the environment variable CNN_SHARED to a folder that holds `data/mnist`."

            let files =
                Map [
                    for file in Download.mnist.Files ->
                        file.Name, File.ReadAllBytes(Path.Combine(shared.Value, file.Name))
                ]

            inFolder (fun folder ->
                use server = new Server(files, [])
                let progress = ResizeArray()

                let report = {
                    new IProgress<DownloadProgress> with
                        member _.Report p = lock progress (fun () -> progress.Add p)
                }

                let split = Mnist.Download(folder, server.Address, report)
                Assert.That((split.Train.Count, split.Test.Count), equalTo ((60000, 10000)))

                Assert.That(
                    Seq.distinct [ for p in progress -> p.File ],
                    equivalentTo [ for f in Download.mnist.Files -> f.Name ]
                )

                let again = (Mnist.DownloadAsync(folder, server.Address)).GetAwaiter().GetResult()
                Assert.That(again.Test.Count, equalTo 10000)
                Assert.That(server.Requests.Length, equalTo 4)
                // The format is the same: only the names of the classes differ.
                Assert.That((FashionMnist.Load folder).Test.ClassNames[9], equalTo "Ankle boot"))

            inFolder (fun folder ->
                use server = new Server(files, [])
                let wrong () = FashionMnist.Download(folder, server.Address) |> ignore
                let error = Assert.Throws<DataFormatException>(fun () -> wrong ())
                Assert.That(error.Message, containing Download.fashionMnist.Files.Head.Md5)))
    ]
    |> testSequencedGroup "downloads"
