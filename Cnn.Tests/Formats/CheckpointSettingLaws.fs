/// Each setting that decides the numbers of a training: a checkpoint made with another one is refused, by its name.
module Cnn.Tests.Formats.CheckpointSettingLaws

open System
open System.IO
open System.Reflection
open System.Threading
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Setting

let private pictures first count =
    let picture index : Tensor<float32> = Draw.reals (first + index) (Shape.Of(2, 2, 1))

    Dataset.Create(
        Shape.Of(2, 2, 1),
        Seq.init count (fun i -> i % 2),
        [ "a"; "b" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private data = pictures 0 6

let private model =
    let specs = [
        Flatten FlattenOrder.RowMajor
        LayerSpec.Dense { Dense.Default with Units = 2; Activation = Activation.Softmax }
    ]

    let network: Network<float> = Network.create (Key.ofSeed 1) data.Shape (Layers.ofSpecs specs)
    ModelFile.create None [] network

let private plateau = { Plateau.Default with Patience = 3 }
let private stopping = { EarlyStopping.After 3 with MinDelta = 0.01 }
let private start = { TrainingSettings.Default with BatchSize = 4; Plateau = Some plateau }

/// Training that begins with some settings and goes on with others: what is refused, or nothing.
let private goingOn (settings, stopping) (settings', stopping') =
    ImageLaws.inFolder (fun folder ->
        let fit isResumed settings stopping =
            Checkpoint.fit folder isResumed Backend.reference settings (Some stopping) ignore 1 data model
            |> ignore

        fit false settings stopping

        try
            fit true settings' stopping'
            ""
        with :? ArgumentException as e ->
            e.Message)

let private names (t: Type) =
    t.GetProperties(BindingFlags.Public ||| BindingFlags.Instance)
    |> Array.map (fun p -> p.Name)
    |> List.ofArray

/// Another value of the field is refused by the name, or accepted where there is none.
let private asks (field: string) message (name: string option) =
    match name with
    | Some name -> Expect.stringContains message ("another " + name + ":") field
    | None -> Expect.equal message "" field

let private optimizers =
    let rest = [
        Optimizer.Sgd 0.1
        Optimizer.Momentum(0.1, 0.9)
        Optimizer.ClassicMomentum(0.1, 0.9)
        Optimizer.KerasMomentum(0.1, 0.9)
        Optimizer.Nesterov(0.1, 0.9)
        Optimizer.KerasNesterov(0.1, 0.9)
        Optimizer.Adagrad(0.1, 1e-7)
        Optimizer.KerasAdagrad(0.1, 1e-7)
        Optimizer.RmsProp(0.1, 0.9, 1e-7)
        Optimizer.KerasRmsProp(0.1, 0.9, 1e-7)
        Optimizer.Adam(0.1, 0.9, 0.999, 1e-7)
        Optimizer.KerasAdam(0.1, 0.9, 0.999, 1e-7)
        Optimizer.AdamW(0.1, 0.0, 0.9, 0.999, 1e-7)
    ]

    let start = Optimizer.Adam(0.1, 0.9, 0.999, 1e-7)
    let scheduled schedule = start.WithSchedule schedule
    let next x = Math.BitIncrement(x: float)

    // Pairs that differ in one number, be it by one bit.
    let pairs = [
        start, Optimizer.Adam(next 0.1, 0.9, 0.999, 1e-7)
        start, Optimizer.Adam(0.1, next 0.9, 0.999, 1e-7)
        start, Optimizer.Adam(0.1, 0.9, next 0.999, 1e-7)
        start, Optimizer.Adam(0.1, 0.9, 0.999, next 1e-7)
        start.WithL1 0.1, start.WithL1(next 0.1)
        start.WithL2 0.1, start.WithL2(next 0.1)
        start.WithL1 0.1, start.WithL2 0.1
        start.WithWeightDecay 0.1, start.WithWeightDecay(next 0.1)
        start.WithClipNorm 0.1, start.WithClipNorm(next 0.1)
        start.WithClipValue 0.1, start.WithClipValue(next 0.1)
        start, scheduled (Schedule.Exponential 0.9)
        scheduled (Schedule.Exponential 0.9), scheduled (Schedule.Exponential(next 0.9))
        scheduled (Schedule.Step(2.0, 0.1)), scheduled (Schedule.Step(next 2.0, 0.1))
        scheduled (Schedule.Step(2.0, 0.1)), scheduled (Schedule.Step(2.0, next 0.1))
        scheduled (Schedule.Cosine(2.0, 0.1)), scheduled (Schedule.Cosine(next 2.0, 0.1))
        scheduled (Schedule.Cosine(2.0, 0.1)), scheduled (Schedule.Cosine(2.0, next 0.1))
        scheduled (Schedule.LinearWarmup(2.0, Schedule.Constant, 0.1)),
        scheduled (Schedule.LinearWarmup(2.0, Schedule.Constant, next 0.1))
        scheduled (Schedule.LinearWarmup(2.0, Schedule.Constant, 0.1)),
        scheduled (Schedule.LinearWarmup(next 2.0, Schedule.Constant, 0.1))
        scheduled (Schedule.LinearWarmup(2.0, Schedule.Constant, 0.1)),
        scheduled (Schedule.LinearWarmup(2.0, Schedule.Exponential 0.9, 0.1))
    ]

    List.allPairs rest rest |> List.filter (fun (a, b) -> a.Kind <> b.Kind), pairs

let private augmentations =
    let next x = Math.BitIncrement(x: float)

    [
        Augmentation.None, Augmentation.FlipHorizontal
        Augmentation.FlipHorizontal, Augmentation.FlipVertical
        Augmentation.Shift 1, Augmentation.Shift 2
        Augmentation.Rotate 10.0, Augmentation.Rotate(next 10.0)
        Augmentation.Zoom 0.1, Augmentation.Zoom(next 0.1)
        Augmentation.Elastic(1.0, 7.0), Augmentation.Elastic(next 1.0, 7.0)
        Augmentation.Elastic(1.0, 7.0), Augmentation.Elastic(1.0, next 7.0)
        Augmentation.Noise 0.1, Augmentation.Noise(next 0.1)
        Augmentation.Erase(0.5, 0.02, 0.4), Augmentation.Erase(next 0.5, 0.02, 0.4)
        Augmentation.Erase(0.5, 0.02, 0.4), Augmentation.Erase(0.5, next 0.02, 0.4)
        Augmentation.Erase(0.5, 0.02, 0.4), Augmentation.Erase(0.5, 0.02, next 0.4)
        (Augmentation.Shift 1).Then Augmentation.FlipHorizontal, Augmentation.FlipHorizontal.Then(Augmentation.Shift 1)
    ]

let private describe settings = Checkpoint.describe settings (Some stopping) data model.Network

/// The names of what is told otherwise of two settings.
let private differences a b =
    let a, b = describe a, describe b

    [
        for KeyValue(name, value) in a do
            if b[name] <> value then
                name
    ]

let tests =
    testList "settings of checkpoints" [
        // By reflection, so that a new field asks for its row. What listens decides no number.
        testCase
            "every field of TrainingSettings that decides numbers is refused by name where it differs, and no other"
            (fun () ->
                let table: (string * (obj | null) * string option) list = [
                    "BatchSize", 5, Some "batch size"
                    "DropLast", true, Some "drop last"
                    "Optimizer", Optimizer.Adam 0.01, Some "optimizer"
                    "Loss", Some Loss.HalfSquaredError, Some "loss"
                    "Seed", 1, Some "seed"
                    "Augmentation", Augmentation.FlipHorizontal, Some "augmentation"
                    "Validation", Some(pictures 20 3), Some "validation set"
                    "ClassWeights", Some [| 1.0; 2.0 |], Some "class weights"
                    "Plateau", None, Some "plateau"
                    "OnBatch", box (fun (_: BatchProgress) -> ()), None
                    "OnWarning", box (fun (_: string) -> ()), None
                    "Cancellation", (new CancellationTokenSource()).Token, None
                ]

                Assert.That([ for field, _, _ in table -> field ], equivalentTo (names typeof<TrainingSettings>))

                for field, value, name in table do
                    asks field (goingOn (start, stopping) (change field value start, stopping)) name)

        testCase
            "every field of Plateau and EarlyStopping that decides numbers is refused by name where it differs"
            (fun () ->
                let fields: (string * obj) list = [
                    "Factor", 0.2
                    "Patience", 4
                    "MinDelta", Math.BitIncrement plateau.MinDelta
                    "Cooldown", 1
                    "MinRate", 1e-9
                ]

                Assert.That(List.map fst fields, equivalentTo (names typeof<Plateau>))

                for field, value in fields do
                    let other = { start with Plateau = Some(change field value plateau) }
                    asks field (goingOn (start, stopping) (other, stopping)) (Some "plateau")

                // Which network is given back decides no number of the training.
                let fields: (string * obj * string option) list = [
                    "Patience", 4, Some "early stopping"
                    "MinDelta", Math.BitIncrement stopping.MinDelta, Some "early stopping"
                    "RestoreBest", false, None
                ]

                Assert.That([ for field, _, _ in fields -> field ], equivalentTo (names typeof<EarlyStopping>))

                for field, value, name in fields do
                    asks field (goingOn (start, stopping) (start, change field value stopping)) name)

        testCase "optimisers and augmentations that differ in one number, be it by one bit, are told apart" (fun () ->
            let kinds, pairs = optimizers

            for a, b in kinds @ pairs do
                let told = differences { start with Optimizer = a } { start with Optimizer = b }
                Assert.That((string a, string b, told), equalTo (string a, string b, [ "optimizer" ]))

            for a, b in augmentations do
                let told = differences { start with Augmentation = a } { start with Augmentation = b }
                Assert.That((string a, string b, told), equalTo (string a, string b, [ "augmentation" ]))

            for kind in Enum.GetValues<LossKind>() do
                for reduction in Enum.GetValues<Reduction>() do
                    let loss = Loss(kind, reduction)

                    if loss.Kind <> LossKind.CrossEntropy || reduction <> Reduction.Mean then
                        let other = { start with Loss = Some loss }
                        let told = differences { start with Loss = Some Loss.CrossEntropy } other
                        Assert.That(told, equalTo [ "loss" ])

            let weighted w = { start with ClassWeights = Some [| 1.0; w |] }
            Assert.That(differences (weighted 0.1) (weighted (Math.BitIncrement 0.1)), equalTo [ "class weights" ]))
    ]
