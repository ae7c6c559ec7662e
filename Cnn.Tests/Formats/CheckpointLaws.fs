/// Training that is put aside and taken up again: no bit differs, and nothing is lost whenever the process dies.
module Cnn.Tests.Formats.CheckpointLaws

open System
open System.Diagnostics
open System.IO
open System.Threading
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private backend = Backend.reference<float>

/// Layers of a plan with dropout and batch normalisation behind them, and a classifier of three classes.
let private network (plan: Plan) : Network<float> =
    let dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

    let specs =
        plan.Specs
        @ [
            Flatten FlattenOrder.RowMajor
            dense 4 Activation.Tanh
            BatchNorm BatchNorm.Default
            Dropout(0.3, DropoutKind.Bernoulli)
            dense 3 Activation.Softmax
        ]

    Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs specs)

let private pictures first count (plan: Plan) =
    let shape = Plan.shape plan.Input
    let picture index : Tensor<float32> = Draw.reals (plan.Seed + first + index) shape

    Dataset.Create(
        shape,
        Array.init count (fun i -> i % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private optimizers = [
    Optimizer.Sgd 0.05
    Optimizer.Momentum(0.05, 0.5)
    Optimizer.ClassicMomentum(0.01, 0.5)
    Optimizer.KerasMomentum(0.01, 0.5)
    Optimizer.Nesterov(0.01, 0.5)
    Optimizer.KerasNesterov(0.01, 0.5)
    Optimizer.Adagrad 0.01
    Optimizer.KerasAdagrad 0.01
    Optimizer.RmsProp 0.01
    Optimizer.KerasRmsProp 0.01
    Optimizer.Adam 0.01
    Optimizer.KerasAdam 0.01
    (Optimizer.AdamW 0.01).WithSchedule(Schedule.LinearWarmup(1.5, Schedule.Cosine 4.0))
]

/// Settings that reduce the rate soon, so that the counters of the plateau matter.
let private settings (plan: Plan) = {
    TrainingSettings.Default with
        BatchSize = 5
        Optimizer = optimizers[plan.Seed % optimizers.Length]
        Seed = plan.Seed
        Validation = Some(pictures 100 4 plan)
        Plateau =
            Some {
                Plateau.Default with
                    Patience = 1
                    Factor = 0.5
                    Cooldown = plan.Count - 1
                    MinDelta = 0.05
            }
}

let private stopping = Some { EarlyStopping.After 2 with MinDelta = 0.01 }

let private inFolder (body: string -> 'R) =
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")

    try
        body folder
    finally
        if Directory.Exists folder then
            Directory.Delete(folder, true)

let private hex (tensors: Tensor<'T> list) =
    tensors
    |> List.map (fun t -> string t.Shape, Convert.ToHexString((NamedArray.ofTensor "" t).Data.Span))

let private results (history: EpochResult list) =
    history
    |> List.map (fun r ->
        let validation =
            match r.Validation with
            | null -> None
            | v -> Some(v.Loss, v.Accuracy, string v.ConfusionMatrix)

        r.Epoch, r.Loss, r.Accuracy, r.LearningRate, validation)

/// All that a fitting state consists of.
let private sameState (expected: FittingState<float>) (actual: FittingState<float>) =
    let bits (state: FittingState<float>) =
        let last = state.Last
        let slots = last.Optimizer.Moments @ last.Optimizer.Squares
        hex (last.Network.Parameters @ last.Network.State @ slots @ state.Best.Parameters @ state.Best.State)

    all [
        same (bits expected) (bits actual)
        same expected.Last.Optimizer.Step actual.Last.Optimizer.Step
        same expected.Last.Plateau actual.Last.Plateau
        same (results [ expected.Last.Result ]) (results [ actual.Last.Result ])
        same (expected.BestEpoch, expected.BestLoss) (actual.BestEpoch, actual.BestLoss)
        same (results expected.History) (results actual.History)
    ]

let private samples = 12

let private fit folder isResumed onEpoch epochs (plan: Plan) =
    let model = ModelFile.create None [] (network plan)
    Checkpoint.fit folder isResumed backend (settings plan) stopping onEpoch epochs (pictures 0 samples plan) model

let private latest folder : (string * Checkpoint<float>) option = Checkpoint.latest folder

let private read (bytes: byte[]) : Checkpoint<float> = Checkpoint.read "file" (ReadOnlyMemory bytes)

let private sameFitted (expected: Fitted<float>) (actual: Fitted<float>) =
    all [
        same (Network.weightHash expected.Network) (Network.weightHash actual.Network)
        same (expected.Epoch, expected.Reason) (actual.Epoch, actual.Reason)
        same (results expected.History) (results actual.History)
    ]

let private somePlan: Plan = {
    Count = 2
    Input = [ 5; 4; 2 ]
    Specs = [ LayerSpec.Conv2D { Conv2D.Default with Filters = 3; Kernel = Size.Square 2 } ]
    Seed = 5
}

/// What a child process does until it is killed: trains for ever and puts each epoch aside, a line for each.
let trainForEver (folder: string) =
    let plan = {
        somePlan with
            Specs =
                Flatten FlattenOrder.RowMajor
                :: List.replicate 3 (LayerSpec.Dense { Dense.Default with Units = 200 })
    }

    let data = pictures 0 samples plan
    let settings = { settings plan with Optimizer = Optimizer.Adam 1e-6; Plateau = None; Validation = None }
    let say (state: FittingState<float>) = Console.Out.WriteLine state.History.Length
    let model = ModelFile.create None [] (network plan)
    Checkpoint.fit folder true backend settings None say Int32.MaxValue data model |> ignore

let tests =
    testList "checkpoints" [
        // With dropout, batch normalisation, a plateau, early stopping, and any optimiser.
        testProperty "2n epochs = n epochs, save, load, n epochs, to the last bit" (fun (plan: Plan) ->
            let n = 1 + plan.Seed % 2

            inFolder (fun folder ->
                let dataset = pictures 0 samples plan
                let states = ResizeArray()

                let without =
                    Fitting.resume
                        backend
                        (settings plan)
                        stopping
                        states.Add
                        (2 * n)
                        dataset
                        (Fitting.start (settings plan) (network plan))

                let again = ResizeArray()
                fit folder false ignore n plan |> ignore
                let resumed = fit folder true again.Add (2 * n) plan

                all [
                    sameFitted without resumed

                    for before, after in Seq.zip (states |> Seq.skip (min n states.Count)) again do
                        sameState before after
                ]))

        testProperty "read ∘ write is the identity" (fun (plan: Plan) ->
            let last = ref None
            let dataset = pictures 0 samples plan

            Fitting.resume
                backend
                (settings plan)
                None
                (fun state -> last.Value <- Some state)
                2
                dataset
                (Fitting.start (settings plan) (network plan))
            |> ignore

            let training: TrainingRecord = { Seed = 3; Epoch = 0; History = []; DataHash = "x" }

            let model =
                (ModelFile.create (Some 4) [] (network plan))
                    .After([ "a"; "b"; "c" ], training, last.Value.Value.Last.Network)

            let checkpoint = {
                Model = model
                State = last.Value.Value
                Settings = Checkpoint.describe (settings plan) stopping dataset (network plan)
            }

            let bytes = Checkpoint.write checkpoint
            let read = read bytes

            all [
                sameState checkpoint.State read.State
                same checkpoint.Settings read.Settings
                same bytes (Checkpoint.write read)
                same
                    (Network.weightHash checkpoint.State.Last.Network)
                    (Network.weightHash (ModelFile.read "file" (ReadOnlyMemory bytes): SavedModel<float>).Network)
            ])

        testCase "a folder keeps the last two" (fun () ->
            inFolder (fun folder ->
                let kept () = Directory.GetFiles folder |> Array.map Path.GetFileName |> Array.sort
                let seen = ResizeArray()
                fit folder false (fun _ -> seen.Add((kept ()).Length)) 2 somePlan |> ignore
                Assert.That(seen, equalTo [| 1; 2 |])
                let last = (fit folder true ignore 4 somePlan).History.Length
                Assert.That(last, greaterThan 2)
                Assert.That(kept (), equalTo [| for epoch in last - 1 .. last -> $"epoch-00000{epoch}.safetensors" |])))

        testCase "where the latest is damaged, the one before is taken" (fun () ->
            inFolder (fun folder ->
                fit folder false ignore 2 somePlan |> ignore
                let file = Path.Combine(folder, "epoch-000002.safetensors")
                File.WriteAllBytes(file, Array.truncate 1000 (File.ReadAllBytes file))
                let path, checkpoint = (latest folder).Value
                Assert.That(Path.GetFileName path, equalTo "epoch-000001.safetensors")
                Assert.That(checkpoint.State.History.Length, equalTo 1)
                let other = Path.Combine(folder, "epoch-000001.safetensors")
                File.WriteAllText(other, "no checkpoint")
                let error = Assert.Throws<DataFormatException>(fun () -> latest folder |> ignore)
                Assert.That(error.File, equalTo file)))

        testCase "other settings are refused, and told by name" (fun () ->
            inFolder (fun folder ->
                fit folder false ignore 1 somePlan |> ignore
                let model = ModelFile.create None [] (network somePlan)
                let data = pictures 0 samples somePlan

                let refusal settings stopping data model =
                    ((Assert.Throws<ArgumentException>(fun () ->
                        Checkpoint.fit folder true backend settings stopping ignore 2 data model |> ignore)))
                        .Message

                let asBefore = settings somePlan
                let tells (name: string) (message: string) = Assert.That(message, containing ("another " + name))

                tells
                    "optimizer"
                    (refusal { asBefore with Optimizer = Optimizer.Adam(0.01, 0.8) } stopping data model)

                tells "batch size" (refusal { asBefore with BatchSize = 6 } stopping data model)
                tells "seed" (refusal { asBefore with Seed = 6 } stopping data model)
                tells "plateau" (refusal { asBefore with Plateau = None } stopping data model)
                tells "validation set" (refusal { asBefore with Validation = None } stopping data model)
                tells "early stopping" (refusal asBefore None data model)
                tells "training set" (refusal asBefore stopping (pictures 1 samples somePlan) model)
                let other = network { somePlan with Seed = 6 }
                tells "first weights" (refusal asBefore stopping data (ModelFile.create None [] other))

                let deeper =
                    network { somePlan with Specs = somePlan.Specs @ [ LayerSpec.Activation Activation.ReLU ] }

                tells "network" (refusal asBefore stopping data (ModelFile.create None [] deeper))

                Assert.Throws<ArgumentException>(fun () -> fit folder false ignore 2 somePlan |> ignore) |> ignore))

        testCase "damaged checkpoints give a checkpoint or a DataFormatException" (fun () ->
            let samples =
                inFolder (fun folder ->
                    fit folder false ignore 4 { somePlan with Seed = 10 } |> ignore
                    [ for file in Directory.GetFiles folder -> File.ReadAllBytes file ])

            Fuzzing.survives samples (read >> ignore))

        // A process that puts an epoch aside again and again is killed at any moment, again and again, and always goes on from
        // the last epoch that it told of, or a later one; every file is whole.
        testSequencedGroup "processes"
        <| testCase "killed at any moment, training goes on from the last epoch put aside" (fun () ->
            inFolder (fun folder ->
                let mutable told = 0

                for kill in 1..8 do
                    let start =
                        ProcessStartInfo("dotnet", [ typeof<Plan>.Assembly.Location; "train-for-ever"; folder ])

                    start.RedirectStandardOutput <- true
                    use child = nonNull (Process.Start start)
                    let mutable lines = 0

                    while lines < kill do
                        match child.StandardOutput.ReadLine() with
                        | null -> Assert.Fail "The child process ended by itself."
                        | line ->
                            told <- Int32.Parse line
                            lines <- lines + 1

                    // Somewhere within the next epochs.
                    Thread.Sleep(7 * kill % 23)
                    child.Kill()
                    child.WaitForExit()

                    for file in Directory.GetFiles(folder, "epoch-*.safetensors") do
                        read (File.ReadAllBytes file) |> ignore

                    let _, checkpoint = (latest folder).Value
                    Assert.That(checkpoint.State.History.Length, atLeast told)
                    Assert.That(checkpoint.State.Last.Optimizer.Step, equalTo (3 * checkpoint.State.History.Length))))

        // The façade's options lead to the same, in both precisions.
        testCase "the façade goes on where it was" (fun () ->
            let data = Fluent.SyntheticDigits.Create(60, seed = 3)

            for precision in [ Fluent.Precision.Single; Fluent.Precision.Double ] do
                inFolder (fun folder ->
                    let start =
                        Fluent.Network
                            .Input(28, 28, 1)
                            .MaxPool(4)
                            .Flatten()
                            .Dropout(0.2)
                            .Dense(10, Activation.Softmax)
                            .Build(seed = 2, precision = precision)

                    let options epochs isResumed =
                        Fluent.FitOptions(
                            Epochs = epochs,
                            ValidationFraction = 0.2,
                            CheckpointFolder = folder,
                            Resume = isResumed
                        )

                    let without = start.Fit(data, Fluent.FitOptions(Epochs = 4, ValidationFraction = 0.2))
                    start.Fit(data, options 2 false) |> ignore
                    let resumed = start.Fit(data, options 4 true)
                    Assert.That(resumed.Model.WeightHash, equalTo without.Model.WeightHash)
                    Assert.That(resumed.History.Count, equalTo 4)
                    Assert.That(resumed.Model.History.Count, equalTo 4)
                    let stored = Fluent.Model.Load(Path.Combine(folder, "epoch-000004.safetensors"))
                    Assert.That(stored.WeightHash, equalTo without.Model.WeightHash))

            Assert.Throws<ArgumentException>(fun () ->
                Fluent.Network
                    .Input(28, 28, 1)
                    .Flatten()
                    .Dense(10)
                    .Build()
                    .Fit(data, Fluent.FitOptions(Resume = true))
                |> ignore)
            |> ignore)
    ]
