/// Settings of searches, checks, comparisons and files: every field changes something, or fails, where it says so.
module Cnn.Tests.Laws.StudySettings

open System
open System.IO
open Cnn
open Cnn.FSharp
open Cnn.Tests.Formats
open Cnn.Tests.Formats.ImageLaws
open Cnn.Tests.Laws.LearningSettings
open Cnn.Tests.Laws.Setting

let private trials (trials: SearchTrial seq) = [ for t in trials -> $"{t} {text t.TrainingLoss} {text t.Loss}" ]

let private search =
    let heard = ResizeArray<string>()
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")
    let data = pictures small.Shape 12 1.0f

    let outcome (options: Fluent.SearchOptions) =
        try
            heard.Clear()

            outcome (fun () ->
                let found = Fluent.Search.Run(builder, data, options)

                let files =
                    if Directory.Exists folder then
                        [ for path in Directory.GetFiles folder -> string (Path.GetFileName path) ]
                    else
                        []

                String.Join("\n", found.Model.WeightHash :: trials found.Trials @ files @ List.ofSeq heard))
        finally
            if Directory.Exists folder then
                Directory.Delete(folder, true)

    table<Fluent.SearchOptions>
        "SearchOptions"
        (rows outcome (Fluent.SearchOptions(LearningRates = [| 0.1; 0.2 |], Threads = Nullable 1)) [
            "LearningRates", [| 0.1; 0.3 |]
            "L2", [| 0.1 |]
            "Layers", [| [| 4 |] |]
            "Random", 3
            "Fit", Fluent.FitOptions(Epochs = 2)
            "Folder", folder
            "Threads", 0
            "Progress", (told heard.Add: IProgress<Fluent.SearchProgress>)
        ])

let private space =
    let outcome space = String.Join("\n", Search.grid space @ Search.random (Key.ofSeed 1) 3 space)

    table<SearchSpace>
        "SearchSpace"
        (rows outcome { LearningRates = [ 0.1; 0.2 ]; L2 = [ 0.01; 0.02 ]; Layers = [ [ 3 ]; [ 4 ] ] } [
            "LearningRates", [ 0.1; 0.3 ]
            "L2", [ 0.01; 0.03 ]
            "Layers", [ [ 3 ]; [ 5 ] ]
        ])

let private task =
    let outcome task =
        let candidates = [ { LearningRate = 0.1; L2 = 0.01; Layers = [] } ]

        outcome (fun () ->
            Search.trials (SequentialScheduler()) (ReferenceKernels<float32>()) task (fun _ _ -> ()) candidates
            |> trials
            |> String.concat "\n")

    let start = {
        Input = small.Shape
        Specs = [ flat; dense 3 Activation.Tanh; dense 2 Activation.Softmax ]
        Settings = TrainingSettings.Default
        Epochs = 1
        Train = small
        Validation = small.Take 4
    }

    table<SearchTask>
        "SearchTask"
        (rows outcome start [
            "Input", Shape.Of(3, 2, 1)
            "Specs", [ flat; dense 2 Activation.Softmax ]
            "Settings", { TrainingSettings.Default with Seed = 1 }
            "Epochs", 2
            "Train", small.Take 5
            "Validation", small.Take 3
        ])

/// Says that it was asked.
type private Listening(say: string -> unit) =
    interface IScheduler with
        member _.Threads = 1

        member _.For(count, body) =
            say "asked"

            for i in 0 .. count - 1 do
                body.Invoke i

let private verification =
    let heard = Collections.Concurrent.ConcurrentDictionary<string, bool>()
    let data = pictures (Shape.Of(4, 5, 2)) 12 1.0f

    let network: FSharp.Network<float32> =
        Network.create
            (Key.ofSeed 1)
            data.Shape
            (Layers.ofSpecs [
                LayerSpec.Conv2D { Conv2D.Default with Filters = 3; Activation = Activation.Tanh }
                flat
                dense 2 Activation.Softmax
            ])

    let outcome settings =
        heard.Clear()
        let found = Verify.run settings (Fluent.Simd.Backend<float32>(Nullable 1)) data network
        let checks = [ for c in found.Checks -> $"{c} {text c.Error} {text c.Bound} {c.Checked} {c.Total}" ]
        String.Join("\n", found.Sentence :: checks @ List.ofSeq heard.Keys)

    table<VerificationSettings>
        "VerificationSettings"
        (rows outcome VerificationSettings.Default [
            "Seed", 1
            "Samples", 3
            "Directions", 3
            "Doubles", Fluent.SimdKernels<float>()
            "Schedulers", [ Listening(fun word -> heard[word] <- true) :> IScheduler ]
        ])

let private comparison =
    let heard = ResizeArray<string>()

    let level =
        let shape = Shape.Of(8, 8, 1)
        let train, test = pictures shape 24 1.0f, (pictures shape 100 1.0f).Select(seq { 24..99 })
        Fluent.Comparison.Level(shape, "drawn", false, Func<int, struct (Dataset * Dataset)>(fun _ -> train, test))

    let outcome (options: Fluent.ComparisonOptions) =
        heard.Clear()

        outcome (fun () ->
            String.Join(
                "\n",
                [
                    for o in Fluent.Comparison.Run(level, options) ->
                        $"{o.Network} {o.IsSource} {text o.Accuracy} {text o.Spread}"
                ]
                @ List.ofSeq heard
            ))

    table<Fluent.ComparisonOptions>
        "ComparisonOptions"
        (rows outcome (Fluent.ComparisonOptions(Epochs = Nullable 1)) [
            "Seeds", [| 1 |]
            "Epochs", 2
            "Threads", 0
            "Starting", (told heard.Add: IProgress<string>)
            "Progress",
            {
                new IProgress<Fluent.ComparisonOutcome> with
                    member _.Report found = heard.Add(found.Network + " done")
            }
        ])

let private occlusion =
    let data = pictures (Shape.Of(5, 6, 1)) 2 1.0f

    let model =
        Fluent.Network.Input(5, 6).Flatten().Dense(2, Activation.Softmax).Build(1, Fluent.Precision.Double)

    let outcome occlusion =
        let map = model.Inspect().Occlusion(ReadOnlySpan(data.Picture 0), 1, occlusion)
        String.Join(" ", map.ToArray() |> Array.map text)

    table<Occlusion>
        "Occlusion"
        (rows outcome { Window = 2; Stride = 1; Grey = 0.5 } [ "Window", 3; "Stride", 2; "Grey", 0.25 ])

let private csv =
    let outcome (options: CsvOptions) =
        outcome (fun () ->
            let set = Csv.Parse("file", Text.Encoding.UTF8.GetBytes "0,10,20,30,1\n1,50,60,70,0\n", options)

            String.Join(
                " ",
                [ string set; String.Join("/", set.ClassNames); String.Join("/", set.Labels) ]
                @ [
                    for i in 0 .. set.Count - 1 do
                        for pixel in set.Picture i -> string pixel
                ]
            ))

    let start = CsvOptions()

    table<CsvOptions> "CsvOptions" [
        tells outcome "Shape" start (CsvOptions(shape = Shape.Of(1, 4, 1)))
        tells outcome "Label" start (CsvOptions(label = CsvLabel.Last))
        tells outcome "Header" start (CsvOptions(header = CsvHeader.Present))
        tells outcome "Separator" start (CsvOptions(separator = ';'))
        tells outcome "Divisor" start (CsvOptions(divisor = 100.0))
        tells outcome "ClassNames" start (CsvOptions(classNames = [ "1"; "0" ]))
    ]

let private folder =
    let heard = ResizeArray<string>()

    /// Two sound files, and one that is none where it says so; they are gone once the set is open.
    let outcome isSound (options: ImageFolderOptions) =
        inFolder (fun folder ->
            heard.Clear()

            for i, name in List.indexed [ "a/1"; "b/2" ] do
                let path = Path.Combine(folder, name)
                Directory.CreateDirectory(nonNull (Path.GetDirectoryName path)) |> ignore
                let picture = Image.Of(5, 5, 1, ReadOnlySpan(Bytes.random i 25))
                File.WriteAllBytes(path, Png.encode picture)

            if not isSound then
                File.WriteAllBytes(Path.Combine(folder, "b/3"), [| 1uy |])

            // The folder has another name each time.
            (outcome (fun () ->
                let data = ImageFolder.load (SequentialScheduler()) options folder Threading.CancellationToken.None

                for name in [ "a"; "b" ] do
                    Directory.Delete(Path.Combine(folder, name), true)

                heard.Add(string data)

                String.Join(
                    " ",
                    List.ofSeq heard
                    @ [
                        for i in 0 .. data.Count - 1 do
                            for pixel in data.Picture i -> string pixel
                    ]
                ))
             + String.Join(" ", heard))
                .Replace(folder, ""))

    let start = ImageFolderOptions(2, 2, 1)
    let leaveOut = Action<DataFormatException>(fun e -> heard.Add("left out at " + string e.Offset))

    let own = {
        new IImageCodec with
            member _.Name = "Own"
            member _.Recognizes _ = true
            member _.Decode(_, _) = Image.Of(1, 1, 1, ReadOnlySpan [| 9uy |])
    }

    table<ImageFolderOptions> "ImageFolderOptions" [
        tells (outcome true) "Shape" start (ImageFolderOptions(2, 3, 1))
        tells (outcome true) "Method" start (ImageFolderOptions(2, 2, 1, Resampling.Bilinear))
        tells (outcome false) "Checks" start (ImageFolderOptions(2, 2, 1, checks = false))
        tells (outcome false) "OnUnreadable" start (ImageFolderOptions(2, 2, 1, onUnreadable = leaveOut))
        tells (outcome true) "CacheBytes" start (ImageFolderOptions(2, 2, 1, cacheBytes = 0L))
        tells (outcome true) "Codecs" start (ImageFolderOptions(2, 2, 1, codecs = [ own ]))
    ]

let tables = [ search; space; task; verification; comparison; occlusion; csv; folder; DownloadLaws.settings' ]
