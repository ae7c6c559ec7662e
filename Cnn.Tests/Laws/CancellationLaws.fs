/// What is cancelled: training gives back what it has and says so, everything else raises OperationCanceledException.
module Cnn.Tests.Laws.CancellationLaws

open System
open System.IO
open System.Reflection
open System.Threading
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law
open Cnn.Tests.Formats.Bytes

let private cancelled = CancellationToken true
let private digits = SyntheticDigits.Create(40, 8)
let private glyphs = SyntheticGlyphs.Create 8
let private builder = Fluent.Network.Input(8, 8, 1).Flatten().Dense(10, Cnn.Activation.Softmax)
let private level = lazy (FSharp.Comparison.drawn (SequentialScheduler()) 40).Head
let private settings = { TrainingSettings.Default with Cancellation = cancelled }

/// Nobody listens there, and nobody is asked.
let private nowhere = Uri "http://127.0.0.1:9/"

/// Files of all names that the readers look for, none of which holds what its name says.
let private files = [
    for name in
        [
            "train-images-idx3-ubyte"
            "train-labels-idx1-ubyte"
            "t10k-images-idx3-ubyte"
            "t10k-labels-idx1-ubyte"
            "train.bin"
            "test.bin"
            "train_32x32.mat"
            "test_32x32.mat"
            "file"
        ] -> name, [| 1uy; 2uy; 3uy |]
]

let private stream () = new MemoryStream([| 1uy; 2uy; 3uy |])

/// Members that take a token, named as reflection names them, and that raise; each is given a folder with the files above.
let private raising: (string * (string -> CancellationToken -> unit)) list = [
    "Mnist.Read", (fun _ token -> Mnist.Read("x", stream (), "y", stream (), token) |> ignore)
    "Mnist.Load", (fun folder token -> Mnist.Load(folder, token) |> ignore)
    "Mnist.Download", (fun folder token -> Mnist.Download(folder, nowhere, null, token) |> ignore)
    "Mnist.DownloadAsync",
    (fun folder token -> Mnist.DownloadAsync(folder, nowhere, null, token).GetAwaiter().GetResult() |> ignore)
    "FashionMnist.Read", (fun _ token -> FashionMnist.Read("x", stream (), "y", stream (), token) |> ignore)
    "FashionMnist.Load", (fun folder token -> FashionMnist.Load(folder, token) |> ignore)
    "FashionMnist.Download", (fun folder token -> FashionMnist.Download(folder, nowhere, null, token) |> ignore)
    "FashionMnist.DownloadAsync",
    (fun folder token -> FashionMnist.DownloadAsync(folder, nowhere, null, token).GetAwaiter().GetResult() |> ignore)
    "Cifar10.Read", (fun _ token -> Cifar10.Read("file", stream (), token) |> ignore)
    "Cifar10.Load", (fun folder token -> Cifar10.Load(folder, token) |> ignore)
    "Cifar10.Download", (fun folder token -> Cifar10.Download(folder, nowhere, null, token) |> ignore)
    "Cifar10.DownloadAsync",
    (fun folder token -> Cifar10.DownloadAsync(folder, nowhere, null, token).GetAwaiter().GetResult() |> ignore)
    "Cifar100.Read", (fun _ token -> Cifar100.Read("file", stream (), cancellationToken = token) |> ignore)
    "Cifar100.Load", (fun folder token -> Cifar100.Load(folder, cancellationToken = token) |> ignore)
    "Cifar100.Download",
    (fun folder token -> Cifar100.Download(folder, baseAddress = nowhere, cancellationToken = token) |> ignore)
    "Cifar100.DownloadAsync",
    (fun folder token ->
        Cifar100.DownloadAsync(folder, baseAddress = nowhere, cancellationToken = token).GetAwaiter().GetResult()
        |> ignore)
    "Svhn.Read", (fun _ token -> Svhn.Read("file", stream (), token) |> ignore)
    "Svhn.Load", (fun folder token -> Svhn.Load(folder, cancellationToken = token) |> ignore)
    "Svhn.Download", (fun folder token -> Svhn.Download(folder, nowhere, null, token) |> ignore)
    "Svhn.DownloadAsync",
    (fun folder token -> Svhn.DownloadAsync(folder, nowhere, null, token).GetAwaiter().GetResult() |> ignore)
    "Csv.Read", (fun _ token -> Csv.Read("file", stream (), cancellationToken = token) |> ignore)
    "Csv.Load", (fun folder token -> Csv.Load(Path.Combine(folder, "file"), cancellationToken = token) |> ignore)
    "NumPyData.Load", (fun folder token -> NumPyData.Load(Path.Combine(folder, "file"), token) |> ignore)
    "ImageFolder.load",
    (fun folder token ->
        FSharp.ImageFolder.load (SequentialScheduler()) (ImageFolderOptions(2, 2)) folder token |> ignore)
    "ImageFolder.loadSplit",
    (fun folder token ->
        FSharp.ImageFolder.loadSplit (SequentialScheduler()) (ImageFolderOptions(2, 2)) folder token
        |> ignore)
    "ImageFolder.Load",
    (fun folder token -> Fluent.ImageFolder.Load(folder, ImageFolderOptions(2, 2), cancellationToken = token) |> ignore)
    "ImageFolder.LoadSplit",
    (fun folder token ->
        Fluent.ImageFolder.LoadSplit(folder, ImageFolderOptions(2, 2), cancellationToken = token) |> ignore)
    "Download.files",
    (fun folder token ->
        (Download.files DownloadSettings.Default { Download.mnist with BaseAddress = nowhere } folder token)
            .GetAwaiter()
            .GetResult())
    "Comparison.trial",
    (fun _ token ->
        let struct (train, test) = level.Value.Load 0
        let contestant = (FSharp.Comparison.contestants level.Value).Head

        FSharp.Comparison.trial Backend.reference<float32> TimeProvider.System token 1 train test 0 contestant
        |> ignore)
    "Comparison.run",
    (fun _ token ->
        FSharp.Comparison.run Backend.reference<float32> TimeProvider.System token ignore ignore 1 [ 0 ] level.Value
        |> ignore)
    "Comparison.Run", (fun _ token -> Fluent.Comparison.Run(Fluent.Comparison.Drawn(40)[0], null, token) |> ignore)
    "IOrQStudy.Run", (fun _ token -> IOrQStudy.Run(glyphs, glyphs, 1, cancellationToken = token) |> ignore)
    "Search.Run", (fun _ token -> Fluent.Search.Run(builder, digits, null, token) |> ignore)
]

/// Those that train, and settings that hold a token for who trains.
let private training = [ "Model.Fit"; "Classifier.Train"; "TrainingSettings..ctor"; "TrainingSettings.With" ]

/// Each public member of the library that takes a token.
let private takers () =
    let everything =
        BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.DeclaredOnly

    [
        for assembly in [ typeof<Shape>.Assembly; typeof<Model>.Assembly ] do
            for owner in assembly.GetExportedTypes() do
                for taker in owner.GetMembers everything |> Seq.choose tryUnbox<MethodBase> do
                    if taker.GetParameters() |> Array.exists (fun p -> p.ParameterType = typeof<CancellationToken>) then
                        $"{owner.Name}.{taker.Name}"
    ]

/// A picture a line, without end; cancels after so many bytes.
type private Endless(source: CancellationTokenSource, most: int64) =
    inherit MemoryStream()
    let line = "1,0,0,0,0\n"B
    let mutable at = 0L

    override _.CanSeek = false

    override _.Read(destination: Span<byte>) =
        if at > 8L * most then
            raise (TimeoutException "Nobody listened.")

        for i in 0 .. destination.Length - 1 do
            destination[i] <- line[int ((at + int64 i) % int64 line.Length)]

        at <- at + int64 destination.Length

        if at > most then
            source.Cancel()

        destination.Length

let tests =
    testList "cancellation" [
        testCase "every member that takes a token is among those below" (fun () ->
            Assert.That(takers (), equivalentTo (List.map fst raising @ training)))

        testEach "what has no result worth having raises OperationCanceledException" raising fst (fun (_, call) ->
            inFolder files (fun folder ->
                Directory.CreateDirectory(Path.Combine(folder, "train", "a")) |> ignore
                Directory.CreateDirectory(Path.Combine(folder, "a")) |> ignore
                Assert.Catch<OperationCanceledException>(fun () -> call folder cancelled) |> ignore))

        testCase "a search and a study in F# raise too" (fun () ->
            let study () = IOrQ.run Backend.reference<float32> (fun _ -> settings) 1 0 glyphs glyphs |> ignore
            Assert.Catch<OperationCanceledException> study |> ignore

            let task = {
                Input = digits.Shape
                Specs = [ Flatten FlattenOrder.RowMajor; Dense { Dense.Default with Units = 10 } ]
                Settings = settings
                Epochs = 1
                Train = digits
                Validation = digits
            }

            let candidates = FSharp.Search.grid { LearningRates = [ 0.1 ]; L2 = [ 0.0 ]; Layers = [ [] ] }
            let kernels = ReferenceKernels<float32>()

            let search () =
                FSharp.Search.trials (SequentialScheduler()) kernels task (fun _ _ -> ()) candidates |> ignore

            Assert.Catch<OperationCanceledException> search |> ignore)

        testCase "a reader looks at its token as bytes come in" (fun () ->
            use source = new CancellationTokenSource()
            use endless = new Endless(source, 3_000_000L)

            Assert.Catch<OperationCanceledException>(fun () ->
                Csv.Read("endless", endless, CsvOptions(Shape.Of(2, 2, 1)), source.Token) |> ignore)
            |> ignore)

        testCase "a folder's checks end between two pictures" (fun () ->
            inFolder [] (fun folder ->
                use source = new CancellationTokenSource()
                Directory.CreateDirectory(Path.Combine(folder, "a")) |> ignore

                for i in 1..9 do
                    File.WriteAllBytes(Path.Combine(folder, "a", string i), "O\000"B)

                let mutable decoded = 0

                let codec = {
                    new IImageCodec with
                        member _.Name = "Own"
                        member _.Recognizes start = start.Length > 0 && start[0] = 'O'B

                        member _.Decode(_, bytes) =
                            decoded <- decoded + 1

                            if decoded = 3 then
                                source.Cancel()

                            Cnn.Image.Of(1, 1, 1, bytes.Span.Slice 1)
                }

                let options = ImageFolderOptions(1, 1, 1, codecs = [ codec ])
                let load () = FSharp.ImageFolder.load (SequentialScheduler()) options folder source.Token |> ignore
                Assert.Catch<OperationCanceledException> load |> ignore
                Assert.That(decoded, equalTo 3)))

        testCase "training gives back what it has, and says so" (fun () ->
            let start = builder.Build 1
            let none = start.Fit(digits, FitOptions(Epochs = 3), cancelled)

            Assert.That(
                (none.Reason, none.Epoch, none.Model.WeightHash),
                equalTo (StopReason.Cancelled, 0, start.WeightHash)
            )

            use source = new CancellationTokenSource()

            let first = {
                new IProgress<EpochResult> with
                    member _.Report _ = source.Cancel()
            }

            let one = start.Fit(digits, FitOptions(Epochs = 3, EpochProgress = first), source.Token)
            let whole = start.Fit(digits, FitOptions(Epochs = 1))
            Assert.That((one.Reason, one.Epoch, one.History.Count), equalTo (StopReason.Cancelled, 1, 1))
            Assert.That(one.Model.WeightHash, equalTo whole.Model.WeightHash)

            Assert.That(
                (Fluent.Classifier.Train(digits, cancellationToken = cancelled)).Reason,
                equalTo StopReason.Cancelled
            ))

        testCase "so does Training.run: the state after the last whole epoch" (fun () ->
            let network: Network<float32> =
                Network.create
                    (Key.ofSeed 0)
                    digits.Shape
                    (Layers.ofSpecs [ Flatten FlattenOrder.RowMajor; Dense { Dense.Default with Units = 10 } ])

            let none = Training.run Backend.reference settings 2 digits network
            Assert.That(none.Result.Epoch, equalTo 0)
            Assert.That(Network.weightHash none.Network, equalTo (Network.weightHash network))

            use source = new CancellationTokenSource()

            let cancelSecond (progress: BatchProgress) =
                if progress.Epoch = 2 then
                    source.Cancel()

            let cut = { settings with Cancellation = source.Token; OnBatch = cancelSecond }
            let free = { settings with Cancellation = CancellationToken.None }
            let one = Training.run Backend.reference cut 3 digits network
            let whole = Training.run Backend.reference free 1 digits network
            Assert.That(one.Result.Epoch, equalTo 1)
            Assert.That(Network.weightHash one.Network, equalTo (Network.weightHash whole.Network)))
    ]
