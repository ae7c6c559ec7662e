/// The best settings, and dense networks against convolutional ones: what is compared, and what the numbers say.
module Cnn.Tests.Laws.ComparisonLaws

open System
open System.Net
open System.Threading
open FsCheck
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private named name = Architectures.tryFind name |> Option.get

let private shapes (architecture: Architecture) =
    let layer: Layer<float32> = Layers.ofSpecs architecture.Layers
    Network.describe architecture.Input layer |> List.map string

let private scheduler = SequentialScheduler()
let private drawn = Comparison.drawn scheduler 40
let private contestants = drawn |> List.collect Comparison.contestants

/// Goes on by a second whenever it is looked at.
type private Ticking() =
    inherit TimeProvider()
    let mutable ticks = 0L
    override _.TimestampFrequency = 1L

    override _.GetTimestamp() =
        ticks <- ticks + 1L
        ticks

let private trial (contestant: Contestant) accuracy seconds = {
    Accuracy = accuracy
    Seconds = seconds
    Epochs = contestant.Training.Epochs
    Learned = 100
    Tested = 50
}

/// Outcomes of all contestants, three trials each, with accuracies of whole percents that bytes decide.
let private outcomes (bytes: NonEmptyArray<byte>) =
    let share i = float (bytes.Get[i % bytes.Get.Length] % 101uy) / 100.0

    contestants
    |> List.mapi (fun i contestant ->
        Comparison.outcome contestant [ for k in 0..2 -> trial contestant (share (3 * i + k)) (float (1 + i)) ])

let tests =
    testList "dense against convolutional" [
        testCase "the best settings change the first weights and the loss, never a shape" (fun () ->
            for best in BestTrainings.all do
                let architecture = named best.Network
                let changed = BestTrainings.apply best architecture
                Assert.That(shapes changed, equalTo (shapes architecture))
                Assert.That((changed.Training |> Option.get).Epochs, equalTo best.Training.Epochs))

        testCase "there is one row of best settings for a network, and it was measured" (fun () ->
            let names = BestTrainings.all |> List.map (fun best -> best.Network)
            Assert.That(List.distinct names, equalTo names)

            for best in BestTrainings.all do
                Assert.That(best.ValidationAccuracy, between (0.5, 1.0))
                Assert.That(best.TestAccuracy, between (0.5, 1.0)))

        // Networks of both doors begin with the same weights and are trained alike.
        testCase "best settings of the façade = best settings of the core" (fun () ->
            for architecture in Architectures.all do
                match
                    BestTrainings.tryFind architecture.Name,
                    Option.ofObj (Fluent.Architectures.BestSettingsOf architecture.Name)
                with
                | None, None -> ()
                | Some best, Some found ->
                    let applied = BestTrainings.apply best architecture
                    let network: FSharp.Network<float32> = Architectures.build 1 applied
                    Assert.That(found.Network.Build(1).WeightHash, equalTo (Network.weightHash network))
                    Assert.That(found.Options.Epochs, equalTo best.Training.Epochs)
                    Assert.That(found.Options.BatchSize, equalTo best.Training.BatchSize)
                    Assert.That(found.Options.Optimizer, equalTo best.Training.Optimizer)
                    Assert.That(found.Options.Loss, equalTo (Nullable applied.Loss))
                    Assert.That(found.Options.Augmentation, equalTo best.Augmentation)
                    Assert.That(found.Recalibrate, equalTo best.Recalibrate)
                    Assert.That(found.ValidationAccuracy, equalTo best.ValidationAccuracy)
                    Assert.That(found.TestAccuracy, equalTo best.TestAccuracy)
                | _ -> Assert.Fail architecture.Name)

        testCase
            "every level has dense networks and convolutional ones, with the settings of the source and the best"
            (fun () ->
                for level in drawn do
                    for settings in [ SettingsOrigin.Source; SettingsOrigin.Best ] do
                        for isConvolutional in [ false; true ] do
                            let found =
                                Comparison.contestants level
                                |> List.filter (fun c -> c.Settings = settings && c.IsConvolutional = isConvolutional)

                            Assert.That(found, isNotEmpty))

        // Fossheim's two dense networks are for grey pictures; in colour they see every number of a picture.
        testCase "a network on a level takes the pictures of the level" (fun () ->
            for level in drawn do
                let struct (train, test) = level.Load 0
                Assert.That(train.Shape, equalTo level.Input)
                Assert.That(test.Shape, equalTo level.Input)

                for contestant in Comparison.contestants level do
                    let outcome = Comparison.outcome contestant []
                    let network: FSharp.Network<float32> = Architectures.build 0 contestant.Architecture
                    let struct (trained, others) = Network.parameterCounts network
                    Assert.That(network.Input, equalTo level.Input)
                    Assert.That(outcome.Parameters, equalTo (trained + others)))

        testCase "digits are never mirrored, photographs are" (fun () ->
            let isFlip step =
                match step with
                | FlipHorizontal -> true
                | _ -> false

            let flips (level: ComparisonLevel) =
                Comparison.contestants level
                |> List.exists (fun c -> Augmentation.steps c.Augmentation |> List.exists isFlip)

            for level in drawn do
                Assert.That(flips level, isFalse)

            Assert.That(flips { List.last drawn with IsMirrored = true }))

        // Seconds are those of the training alone: the clock is looked at twice.
        testCase "a trial = training and evaluation of the core" (fun () ->
            let level = drawn.Head
            let struct (train, test) = level.Load 0

            for contestant in Comparison.contestants level |> List.filter (fun c -> c.Architecture.Name <> "vgg8") do
                let found =
                    Comparison.trial
                        Backend.reference<float32>
                        (Ticking())
                        CancellationToken.None
                        2
                        train
                        test
                        5
                        contestant

                let network: FSharp.Network<float32> = Architectures.build 5 contestant.Architecture

                let settings = {
                    TrainingSettings.Default with
                        BatchSize = contestant.Training.BatchSize
                        Optimizer = contestant.Training.Optimizer
                        Loss = Some contestant.Architecture.Loss
                        Augmentation = contestant.Augmentation
                        Seed = 5
                }

                let trained = (Training.run Backend.reference settings 2 train network).Network
                let expected = (Prediction.evaluate Backend.reference None trained test).Accuracy
                Assert.That(found.Accuracy, equalTo expected)
                Assert.That(found.Seconds, equalTo 1.0))

        testCase "a cancelled trial raises" (fun () ->
            let level = drawn.Head
            let struct (train, test) = level.Load 0

            let run () =
                Comparison.trial
                    Backend.reference<float32>
                    TimeProvider.System
                    (CancellationToken true)
                    2
                    train
                    test
                    0
                    contestants.Head
                |> ignore

            Assert.Throws<OperationCanceledException> run |> ignore)

        testProperty
            "mean and spread are those of the trials: n·mean = Σ a, (n − 1)·spread² = Σ a² − n·mean²"
            (fun (bytes: NonEmptyArray<byte>) ->
                all [
                    for outcome in outcomes bytes do
                        let a = outcome.Trials |> List.map (fun trial -> trial.Accuracy)
                        let n = float a.Length
                        same true (abs (n * outcome.Accuracy - List.sum a) < 1e-12)
                        let squares = List.sumBy (fun x -> x * x) a - n * outcome.Accuracy * outcome.Accuracy
                        same true (abs ((n - 1.0) * outcome.Spread * outcome.Spread - squares) < 1e-12)
                ])

        // One trial each, so that nothing is lost in the spread.
        testProperty
            "convolution is said to be ahead exactly where its best network is"
            (fun (bytes: NonEmptyArray<byte>) ->
                let single = outcomes bytes |> List.map (fun o -> { o with Trials = [ o.Trials.Head ] })
                let words = ComparisonReport.conclusions single

                all [
                    for level in drawn do
                        for settings, whose in
                            [
                                SettingsOrigin.Source, "the settings of the source"
                                SettingsOrigin.Best, "the best settings"
                            ] do
                            let top isConvolutional =
                                single
                                |> List.filter (fun o ->
                                    o.Contestant.Level = level.Name
                                    && o.Contestant.Settings = settings
                                    && o.Contestant.IsConvolutional = isConvolutional)
                                |> List.map (fun o -> o.Accuracy)
                                |> List.max

                            let said = words |> List.find (fun w -> w.StartsWith level.Name && w.Contains whose)
                            same (top true > top false) (said.EndsWith "points ahead.")
                            same (top true < top false) (said.EndsWith "points behind.")
                ])

        testProperty
            "a slip is told exactly where an accuracy is more than a point from the printed one, or none is printed"
            (fun (bytes: NonEmptyArray<byte>) ->
                all [
                    for outcome in outcomes bytes do
                        let isFar =
                            match outcome.Contestant.Printed with
                            | Some printed -> abs (outcome.Accuracy - printed.Accuracy) > 0.01
                            | None -> true

                        same (isFar && outcome.Contestant.Slip.IsSome) outcome.Note.IsSome
                ])

        testProperty
            "the page has a row for every network of a level: what was printed, and its accuracy with each of its settings"
            (fun (bytes: NonEmptyArray<byte>) ->
                let found = outcomes bytes
                let page = ComparisonReport.page [ "seed", "0" ] found

                let networks =
                    found |> List.groupBy (fun o -> o.Contestant.Level, o.Contestant.Architecture.Name) |> List.map snd

                all [
                    same
                        networks.Length
                        (page.Split("<th scope=\"row\">")
                         |> Array.filter (fun part ->
                             contestants |> List.exists (fun c -> part.StartsWith(c.Architecture.Name + "</th>")))
                         |> Array.length)

                    for network in networks do
                        let cells = ComparisonReport.cells network

                        same
                            true
                            (List.forall
                                (fun cell -> page.Contains(string (WebUtility.HtmlEncode(cell: string))))
                                cells)

                        for outcome in network do
                            let place = if outcome.Contestant.Settings = SettingsOrigin.Source then 3 else 4
                            same (ComparisonReport.cells [ outcome ] |> List.item place) cells[place]
                            same "–" (ComparisonReport.cells [ outcome ] |> List.item (7 - place))
                ])

        testCase "a training that diverged is called so, and is nobody's best" (fun () ->
            let broken = [
                for contestant in contestants -> Comparison.outcome contestant [ trial contestant nan 1.0 ]
            ]

            Assert.That(ComparisonReport.cells [ broken.Head ] |> List.item 3, equalTo "diverged")

            Assert.That(
                ComparisonReport.conclusions broken |> List.filter (fun words -> words.Contains "best dense"),
                isEmpty
            ))

        testProperty
            "nothing is concluded from trainings that were cut short"
            (fun (bytes: NonEmptyArray<byte>) (place: NonNegativeInt) ->
                let found = outcomes bytes
                let cut = place.Get % found.Length

                let shortened =
                    found
                    |> List.mapi (fun i outcome ->
                        if i = cut then
                            {
                                outcome with
                                    Trials =
                                        outcome.Trials
                                        |> List.map (fun trial -> { trial with Epochs = trial.Epochs - 1 })
                            }
                        else
                            outcome)

                all [
                    same 1 (ComparisonReport.conclusions shortened).Length
                    same None (shortened[cut]).Note
                    same false ((ComparisonReport.conclusions found).Length = 1)
                ])

        // All but the seconds, which no two runs share.
        testCase "a comparison is the same through both doors" (fun () ->
            let small = FSharp.Comparison.drawn scheduler 20 |> List.head

            let facts (o: FSharp.ComparisonOutcome) = [
                for t in o.Trials -> t.Accuracy, t.Epochs, t.Learned, t.Tested
            ]

            let started, told = ResizeArray(), ResizeArray()
            let fast = Fluent.Simd.Backend<float32>()

            let core =
                FSharp.Comparison.run
                    fast
                    TimeProvider.System
                    CancellationToken.None
                    (fun contestant -> started.Add contestant.Architecture.Name)
                    ignore
                    1
                    [ 3; 4 ]
                    small

            let starting = {
                new IProgress<string> with
                    member _.Report name = told.Add name
            }

            let level = Fluent.Comparison.Drawn(20, scheduler)[0]

            let options = Fluent.ComparisonOptions(Seeds = [| 3; 4 |], Epochs = Nullable 1, Starting = starting)

            let door = Fluent.Comparison.Run(level, options)
            Assert.That(List.ofSeq told, equalTo (List.ofSeq started))
            Assert.That(level.Name, equalTo small.Name)
            Assert.That(List.ofSeq level.Networks, equalTo small.Networks)

            for expected, found in Seq.zip core door do
                Assert.That(found.Network, equalTo expected.Contestant.Architecture.Name)
                Assert.That(found.IsSource, equalTo (expected.Contestant.Settings = SettingsOrigin.Source))
                Assert.That(found.Parameters, equalTo expected.Parameters)
                Assert.That(found.Accuracy, equalTo expected.Accuracy)
                Assert.That(found.Spread, equalTo expected.Spread)

                Assert.That(
                    found.PrintedAccuracy,
                    equalTo (expected.Contestant.Printed |> Option.map (fun p -> p.Accuracy) |> Option.toNullable)
                )

                Assert.That(
                    List.ofSeq (Fluent.Comparison.Row [ found ]) |> List.take 5,
                    equalTo (ComparisonReport.cells [ expected ] |> List.take 5)
                )

                Assert.That(
                    found.Pictures,
                    equalTo (struct (expected.Trials.Head.Learned, expected.Trials.Head.Tested))
                )

                Assert.That((facts expected).Length, equalTo 2)

            Assert.That(door.Count, equalTo core.Length)
            Assert.That(List.ofSeq Fluent.Comparison.Heads, equalTo ComparisonReport.heads)
            Assert.That(List.ofSeq (Fluent.Comparison.Conclusions door), equalTo (ComparisonReport.conclusions core))
            Assert.That(List.ofSeq (Fluent.Comparison.Notes door), equalTo (ComparisonReport.notes core))
            Assert.That(Fluent.Comparison.Page([ struct ("seed", "3") ], door), containing "convnet1_3"))

        testCase "what was printed, and what is wrong with it, is the same through both doors" (fun () ->
            for architecture in Architectures.all do
                let rows = architecture.Input[0]
                let door = Fluent.Architectures.PrintedOf architecture.Name |> Option.ofObj
                let core = SourceResults.printed architecture.Name rows

                Assert.That(
                    door |> Option.map (fun p -> p.Accuracy),
                    equalTo (core |> Option.map (fun p -> p.Accuracy))
                )

                Assert.That(
                    door |> Option.map (fun p -> Option.ofNullable p.Seconds),
                    equalTo (core |> Option.map (fun p -> p.Seconds))
                )

                Assert.That(
                    Fluent.Architectures.NoteOf architecture.Name |> Option.ofObj,
                    equalTo (SourceResults.slip architecture.Name rows)
                ))

        // SPEC section 12: where a figure is printed, so is what is wrong with it.
        testCase "every printed result has its note" (fun () ->
            for name in (Architectures.all |> List.map (fun a -> a.Name)) do
                for rows in [ 8; 28; 32 ] do
                    if (SourceResults.printed name rows).IsSome then
                        Assert.That((SourceResults.slip name rows).IsSome, isTrue, name))
    ]
