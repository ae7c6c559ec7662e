/// Search for hyperparameters: what is tried, what is chosen, and that nothing else decides it.
module Cnn.Tests.Laws.SearchLaws

open System
open System.Collections.Concurrent
open System.IO
open System.Threading
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Any number of threads, in no particular order.
type private Threads(count: int) =
    interface IScheduler with
        member _.Threads = count

        member _.For(n, body) = Parallel.For(0, n, ParallelOptions(MaxDegreeOfParallelism = count), body) |> ignore

/// One thread, last iteration first.
type private Backwards() =
    interface IScheduler with
        member _.Threads = 1

        member _.For(n, body) =
            for i in n - 1 .. -1 .. 0 do
                body.Invoke i

let private schedulers: IScheduler list = [ SequentialScheduler(); Backwards(); Threads 3 ]

let private kernels: IKernels<float> = ReferenceKernels<float>()

/// Up to three of each hyperparameter; the network below has two hidden layers.
let private space seed : SearchSpace =
    let key = Key.ofSeed seed
    let some first draw = List.init (1 + key.Below(3, first)) (fun i -> draw (key.Uniform(first + 1L + int64 i)))

    {
        LearningRates = some 0L (fun u -> 0.01 + 0.2 * u)
        L2 = some 10L (fun u -> 0.001 + 0.1 * u)
        Layers = [ []; [ 3 ]; [ 2; 4 ] ] |> List.truncate (1 + key.Below(3, 20L))
    }

let private pictures seed count =
    let key = Key.ofSeed seed

    Dataset.OfFloats(
        Shape.Of(3, 2, 1),
        ReadOnlyMemory(Array.init (6 * count) (fun i -> float32 (key.Uniform(int64 i)))),
        Array.init count (fun i -> i % 2),
        [ "a"; "b" ]
    )

let private dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

let private task seed : SearchTask = {
    Input = Shape.Of(3, 2, 1)
    Specs = [
        LayerSpec.Conv2D { Conv2D.Default with Filters = 2; Kernel = Size.Square 2 }
        Flatten FlattenOrder.RowMajor
        dense 3 Activation.Tanh
        Dropout(0.3, DropoutKind.Bernoulli)
        dense 2 Activation.Identity
    ]
    Settings = {
        TrainingSettings.Default with
            BatchSize = 3
            Optimizer = Optimizer.Momentum(0.05, 0.5)
            Seed = seed
    }
    Epochs = 2
    Train = pictures seed 7
    Validation = pictures (seed + 1) 4
}

let private trials scheduler task candidates = Search.trials scheduler kernels task (fun _ _ -> ()) candidates

/// A trial without training; of some candidates the results are equal.
let private pretend (candidate: Candidate) : SearchTrial =
    let ofRate = Key.OfSeed(BitConverter.DoubleToInt64Bits candidate.LearningRate)
    let ofPenalty = ofRate.Child(BitConverter.DoubleToInt64Bits candidate.L2)
    let key = ofPenalty.Child(int64 (Seq.sum candidate.Layers))

    {
        Candidate = candidate
        TrainingLoss = key.Uniform 0L
        Loss = float (key.Below(2, 1L))
        Accuracy = float (key.Below(3, 2L)) / 2.0
    }

let private shuffle (seed: int) (items: 'A list) =
    let key = Key.ofSeed seed
    key.Permutation items.Length |> Array.map (fun i -> items[i]) |> List.ofArray

/// A number as tables have it.
let private words (x: float) = x.ToString("G6", Globalization.CultureInfo.InvariantCulture)

let private values (candidate: Candidate) = candidate.LearningRate, candidate.L2, List.ofSeq candidate.Layers

/// Two decades and more, and what is given alone stays as it is.
let private wide seed =
    let key = Key.ofSeed seed
    let low = Math.Pow(10.0, -6.0 + 4.0 * key.Uniform 0L)

    {
        space seed with
            LearningRates = [ low * Math.Pow(10.0, 2.0 + 2.0 * key.Uniform 1L); low ]
            L2 = [ (if seed % 2 = 0 then 0.0 else 0.5) ]
    }

let private inFolder (body: string -> 'R) =
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")

    try
        body folder
    finally
        if Directory.Exists folder then
            Directory.Delete(folder, true)

/// The trials, those that were run for them, and how many were said to be finished after each.
let private searchIn folder scheduler task candidates =
    let tried = ConcurrentQueue<Candidate>()
    let counts = ConcurrentQueue<int>()

    let note finished (trial: SearchTrial) =
        tried.Enqueue trial.Candidate
        counts.Enqueue finished

    let found = SearchLog.run folder scheduler kernels task note candidates
    found, List.ofSeq tried, List.ofSeq counts

let tests =
    testList "search" [
        testProperty "a grid is the product of its lists, each combination once" (fun seed ->
            let space = space seed

            let product =
                List.allPairs space.LearningRates (List.allPairs space.L2 space.Layers)
                |> List.map (fun (η, (λ, sizes)) -> η, λ, sizes)

            let twice xs = xs @ xs

            let doubled = {
                LearningRates = twice space.LearningRates
                L2 = twice space.L2
                Layers = twice space.Layers
            }

            all [
                same (List.sort product) (Search.grid space |> List.map values |> List.sort)
                same (Search.grid space) (Search.grid doubled)
            ])

        testProperty
            "random candidates lie within what was given, and one seed gives the same ones, however many"
            (fun seed ->
                let space = wide seed
                let draw = Search.random (Key.ofSeed seed)
                let candidates = draw 20 space
                let low, high = List.min space.LearningRates, List.max space.LearningRates

                all [
                    same 20 candidates.Length
                    same (List.truncate 12 candidates) (draw 12 space)
                    same true (candidates <> Search.random (Key.ofSeed (seed + 1)) 20 space)
                    same true (candidates |> List.forall (fun c -> low <= c.LearningRate && c.LearningRate <= high))
                    same true (candidates |> List.forall (fun c -> c.L2 = space.L2.Head))
                    same true (candidates |> List.forall (fun c -> List.contains (List.ofSeq c.Layers) space.Layers))
                ])

        // The mean of 400 logarithms lies within six of its standard deviations, 1/√(12·400), of the middle; a range of twice
        // the decades stretches each.
        testProperty "logarithms of random rates are uniform" (fun seed ->
            let space = wide seed
            let low, high = List.min space.LearningRates, List.max space.LearningRates

            let places low high =
                { space with LearningRates = [ low; high ] }
                |> Search.random (Key.ofSeed seed) 400
                |> List.map (fun c -> Math.Log(c.LearningRate / low) / Math.Log(high / low))

            let narrow, double = places low high, places (low / (high / low)) high

            all [
                same true (abs (List.average narrow - 0.5) < 6.0 / sqrt (12.0 * 400.0))
                same true (List.max narrow > 0.95 && List.min narrow < 0.05)
                same true (List.forall2 (fun a b -> abs (a - b) < 1e-12) narrow double)
            ])

        testProperty "candidates in another order: the same trials in that order, ranked alike" (fun seed (turn: int) ->
            let candidates = Search.grid (space seed)
            let run = Search.run (SequentialScheduler()) pretend [] (fun _ _ -> ())
            let trials, turned = run candidates, run (shuffle turn candidates)

            all [
                same (List.map pretend candidates) trials
                same (shuffle turn trials) turned
                same (Search.ranked trials) (Search.ranked turned)
            ])

        testProperty "the best trial has no better one beside it" (fun seed ->
            let trials = Search.grid (space seed) |> List.map pretend
            let best = Search.best trials

            all [
                same true (trials |> List.forall (fun t -> t.Accuracy <= best.Accuracy))
                same true (trials |> List.forall (fun t -> t.Accuracy < best.Accuracy || t.Loss >= best.Loss))
            ])

        testProperty "trials are the same for any number of threads, and those of each candidate alone" (fun seed ->
            let task, candidates = task seed, Search.grid (space seed)
            let alone = candidates |> List.map (Search.attempt kernels task)

            all [
                for scheduler in schedulers do
                    same alone (trials scheduler task candidates)
            ])

        // By the formulas: Training itself, on the network of the candidate.
        testProperty "a trial is the last epoch of training with its values" (fun seed ->
            let task = task seed
            let candidate = (Search.grid (space seed)).Head
            let trial = Search.attempt kernels task candidate

            let settings = {
                task.Settings with
                    Optimizer = Optimizer.Momentum(candidate.LearningRate, 0.5).WithL2 candidate.L2
                    Validation = Some task.Validation
            }

            let start: Network<float> = Search.network task candidate
            let last = (Training.run Backend.reference settings task.Epochs task.Train start).Result

            match last.Validation with
            | null -> same "validation" "none"
            | validation ->
                all [
                    same
                        (last.Loss, validation.Loss, validation.Accuracy)
                        (trial.TrainingLoss, trial.Loss, trial.Accuracy)
                    same candidate trial.Candidate
                ])

        testProperty "what is held back teaches nothing: another validation set, the same training loss" (fun seed ->
            let task, candidates = task seed, Search.grid (space seed)
            let losses task = trials (SequentialScheduler()) task candidates |> List.map (fun t -> t.TrainingLoss)
            same (losses task) (losses { task with Validation = pictures (seed + 2) 5 }))

        testProperty "the chosen candidate is trained anew on training and validation pictures together" (fun seed ->
            let task = task seed
            let candidate = List.last (Search.grid (space seed))

            let settings = {
                task.Settings with
                    Optimizer = Optimizer.Momentum(candidate.LearningRate, 0.5).WithL2 candidate.L2
            }

            let start: Network<float> = Search.network task candidate
            let whole = task.Train.Concat task.Validation
            let trained = (Training.run Backend.reference settings task.Epochs whole start).Network
            let fitted: Fitted<float> = Search.refit Backend.reference task candidate
            same (Network.weightHash trained) (Network.weightHash fitted.Network))

        testProperty "sizes are those of the hidden layers, and the last layer keeps its own" (fun (seed: int) ->
            let key = Key.ofSeed seed
            let a, b = 1 + key.Below(9, 0L), 1 + key.Below(9, 1L)
            let specs = (task seed).Specs

            let sizes specs =
                specs
                |> List.choose (function
                    | LayerSpec.Conv2D c -> Some c.Filters
                    | LayerSpec.Dense d -> Some d.Units
                    | _ -> None)

            let kinds = List.map LayerSpec.typeName

            all [
                same [ a; b; 2 ] (sizes (Search.resize [ a; b ] specs))
                same [ a; a; 2 ] (sizes (Search.resize [ a ] specs))
                same (sizes specs) (sizes (Search.resize [] specs))
                same (kinds specs) (kinds (Search.resize [ a; b ] specs))
            ])

        // Weights of 1e200 squared are no number any more.
        testCase "a candidate that diverges is a trial all the same, and never the best" (fun () ->
            let task = task 5
            let space = { space 5 with LearningRates = [ 1e200; 0.05 ] }
            let found = trials (SequentialScheduler()) task (Search.grid space)
            Assert.That((Search.best found).Candidate.LearningRate, equalTo 0.05)

            for trial in found do
                Assert.That(trial.IsDiverged, equalTo (trial.Candidate.LearningRate > 1.0))
                Assert.That(HeatMap.share found trial, between (0.0, 1.0))

            let diverged = found |> List.filter (fun t -> t.IsDiverged)
            Assert.Throws<ArgumentException>(fun () -> Search.best diverged |> ignore) |> ignore)

        // A line is torn wherever the process dies: the file is cut after any byte.
        testProperty
            "resumed = uninterrupted, wherever the file was torn, and nothing is run twice"
            (fun seed (cut: int) ->
                let task, candidates = task seed, Search.grid (space seed)

                inFolder (fun folder ->
                    let path = Path.Combine(folder, SearchLog.FileName)
                    let whole, _, _ = searchIn folder (Threads 3) task candidates
                    let bytes = File.ReadAllBytes path
                    let key = Key.ofSeed cut
                    let kept = bytes |> Array.truncate (key.Below(bytes.Length + 1, 0L))
                    File.WriteAllBytes(path, kept)
                    let lines = kept |> Array.filter ((=) 10uy) |> Array.length
                    let finished = max 0 (lines - 1)
                    let resumed, tried, counts = searchIn folder (Threads 3) task candidates
                    let _, again, _ = searchIn folder (SequentialScheduler()) task candidates

                    all [
                        same (trials (SequentialScheduler()) task candidates) whole
                        same whole resumed
                        same (candidates.Length - finished) tried.Length
                        same [ finished + 1 .. candidates.Length ] counts
                        same [] again
                        same bytes.Length (File.ReadAllBytes path).Length
                    ]))

        // Everything that the trials' numbers depend on.
        testCase
            "another search in the same folder is refused by the name of what differs, and the file stays as it is"
            (fun () ->
                let task, candidates = task 3, Search.grid (space 3)
                let settings = task.Settings

                let changed = [
                    "number of epochs", { task with Epochs = 3 }, candidates
                    "batch size", { task with Settings = { settings with BatchSize = 4 } }, candidates
                    "optimizer",
                    { task with Settings = { settings with Optimizer = Optimizer.Momentum(0.05, 0.6) } },
                    candidates
                    "training set", { task with Train = pictures 9 7 }, candidates
                    "validation set", { task with Validation = pictures 9 4 }, candidates
                    "set of candidates", task, candidates.Tail
                    "set of candidates", task, Search.grid { space 3 with L2 = [ 0.3 ] }
                    "seed", { task with Settings = { settings with Seed = 4 } }, candidates
                    "network", { task with Specs = Search.resize [ 2; 2 ] task.Specs }, candidates
                ]

                inFolder (fun folder ->
                    searchIn folder (SequentialScheduler()) task candidates |> ignore
                    let path = Path.Combine(folder, SearchLog.FileName)
                    let bytes = File.ReadAllBytes path

                    for name, task, candidates in changed do
                        let error =
                            Assert.Throws<ArgumentException>(fun () ->
                                searchIn folder (SequentialScheduler()) task candidates |> ignore)


                        Assert.That(error.Message, both (containing ("another " + name + ":")) (containing (path)))
                        Assert.That(File.ReadAllBytes path, equalTo bytes)

                    // The rate of the optimiser is no part of the search: candidates have their own.
                    let other = { settings with Optimizer = Optimizer.Momentum(0.7, 0.5) }

                    let _, tried, _ =
                        searchIn folder (SequentialScheduler()) { task with Settings = other } candidates

                    Assert.That(tried, isEmpty)))

        testCase "two searches do not write to one folder at the same time" (fun () ->
            let task, candidates = task 3, Search.grid (space 3)

            inFolder (fun folder ->
                let second _ _ =
                    Assert.Throws<IOException>(fun () ->
                        searchIn folder (SequentialScheduler()) task candidates |> ignore)
                    |> ignore

                SearchLog.run folder (SequentialScheduler()) kernels task second candidates |> ignore))

        testCase "a search that is cancelled keeps what is finished and goes on from there" (fun () ->
            let task, candidates = task 3, Search.grid { space 3 with LearningRates = [ 0.1; 0.2; 0.3 ] }
            use source = new CancellationTokenSource()
            let cancelled = { task with Settings = { task.Settings with Cancellation = source.Token } }

            let cancel finished _ =
                if finished = 2 then
                    source.Cancel()

            inFolder (fun folder ->
                Assert.Throws<OperationCanceledException>(fun () ->
                    SearchLog.run folder (SequentialScheduler()) kernels cancelled cancel candidates |> ignore)
                |> ignore

                let found, tried, _ = searchIn folder (SequentialScheduler()) task candidates
                Assert.That(tried.Length, equalTo (candidates.Length - 2))
                Assert.That(found, equalTo (trials (SequentialScheduler()) task candidates))))

        testCase "what cannot be searched is refused before any work" (fun () ->
            let task, space = task 1, space 1

            let refused (act: unit -> unit) = Assert.Catch<ArgumentException>(fun () -> act ()) |> ignore

            refused (fun () -> Search.grid { space with LearningRates = [] } |> ignore)
            refused (fun () -> Search.grid { space with L2 = [ -1.0 ] } |> ignore)
            refused (fun () -> Search.grid { space with LearningRates = [ nan ] } |> ignore)
            refused (fun () -> Search.grid { space with Layers = [ [ 3; 0 ] ] } |> ignore)
            refused (fun () -> Search.random (Key.ofSeed 1) 0 space |> ignore)
            refused (fun () -> Search.random (Key.ofSeed 1) 3 { space with L2 = [ 0.0; 0.1 ] } |> ignore)
            refused (fun () -> Search.resize [ 1; 2; 3 ] task.Specs |> ignore)

            inFolder (fun folder ->
                let search task candidates () = searchIn folder (SequentialScheduler()) task candidates |> ignore
                refused (search task (Search.grid { space with Layers = [ [ 1; 2; 3 ] ] }))
                refused (search { task with Epochs = 0 } (Search.grid space))
                refused (search { task with Train = pictures 1 0 } (Search.grid space))
                refused (search { task with Input = Shape.Of(4, 2, 1) } (Search.grid space))
                Assert.That(Directory.Exists folder, isFalse)))

        testProperty "the heat maps of a grid show each trial once, in the row and column of its values" (fun seed ->
            let trials = Search.grid (space seed) |> List.map pretend
            let maps = HeatMap.ofTrials trials

            let shown = [
                for map in maps do
                    for row, cells in Seq.zip map.Rows map.Cells do
                        for column, cell in Seq.zip map.Columns cells do
                            match cell with
                            | null -> ()
                            | trial ->
                                let candidate = trial.Candidate
                                let wanted = [ "l2 " + words candidate.L2; "layers " + candidate.Sizes ]
                                let place = [ map.Title; "l2 " + column; "layers " + column ]

                                trial,
                                (row = words candidate.LearningRate),
                                List.forall (fun w -> List.contains w place) wanted
            ]

            let sort trials = trials |> List.sortBy (fun (t: SearchTrial) -> values t.Candidate)

            all [
                same (sort trials) (shown |> List.map (fun (t, _, _) -> t) |> sort)
                same true (shown |> List.forall (fun (_, isRow, isColumn) -> isRow && isColumn))
                same 1.0 (trials |> List.map (HeatMap.share trials) |> List.max)
            ])

        // Once in a map, once in the ranking.
        testProperty "a page of a search shows the accuracy of each trial twice, the best one in full" (fun seed ->
            let trials = Search.grid (space seed) |> List.map pretend
            let page = Html.render (SearchReport.ranking trials :: SearchReport.heatMaps trials)
            let count (words: string) = page.Split(words).Length - 1
            let accuracies = trials |> List.countBy (fun t -> (100.0 * t.Accuracy).ToString "0.00" + " %")
            let best = trials |> List.filter (fun t -> HeatMap.share trials t = 1.0)

            all [
                for words, times in accuracies do
                    same (2 * times) (count (">" + words + "<"))
                same (2 * best.Length) (count "--share:100%")
            ])

        testCase "trials that fill no table give none" (fun () ->
            let scattered =
                Search.random (Key.ofSeed 1) 12 { space 1 with LearningRates = [ 0.001; 0.1 ]; L2 = [ 0.001; 0.1 ] }

            Assert.That(HeatMap.ofTrials (List.map pretend scattered), isEmpty))

        // The same search through the builder.
        testCase "the façade searches as the core does" (fun () ->
            let data = pictures 4 40

            let network =
                Fluent.Network.Input(3, 2).Flatten().Dense(4, Activation.Tanh).Dense(2, Activation.Softmax)

            let fit =
                Fluent.FitOptions(
                    Epochs = 3,
                    BatchSize = 8,
                    Seed = 6,
                    Optimizer = Optimizer.Adam 0.02,
                    ValidationFraction = 0.25
                )

            let options =
                Fluent.SearchOptions(
                    L2 = [| 0.0; 0.01 |],
                    Layers = [| [||]; [| 7 |] |],
                    Fit = fit,
                    Threads = Nullable 2
                )

            let found = Fluent.Search.Run(network, data, options)
            let parts = data.StratifiedSplit(0.25, 6)

            let task = {
                Input = data.Shape
                Specs = [ Flatten FlattenOrder.RowMajor; dense 4 Activation.Tanh; dense 2 Activation.Softmax ]
                Settings = { TrainingSettings.Default with BatchSize = 8; Seed = 6; Optimizer = Optimizer.Adam 0.02 }
                Epochs = 3
                Train = parts.Train
                Validation = parts.Test
            }

            let space = {
                LearningRates = [ 0.1; 0.3; 1.0; 3.0; 10.0; 30.0 ] |> List.map (fun factor -> factor * 0.02)
                L2 = [ 0.0; 0.01 ]
                Layers = [ []; [ 7 ] ]
            }

            let backend = Fluent.Simd.Backend<float32>()
            let expected = Search.trials backend.Scheduler backend.Kernels task (fun _ _ -> ()) (Search.grid space)
            let best = Search.best expected
            Assert.That(List.ofSeq found.Trials, equalTo expected)
            Assert.That(found.Best, equalTo best)
            Assert.That(found.Resumed, equalTo 0)

            Assert.That(
                found.Model.WeightHash,
                equalTo (Network.weightHash (Search.refit backend task best.Candidate).Network)
            )

            let drawn = Fluent.Search.Run(network, data, Fluent.SearchOptions(Fit = fit, Random = Nullable 3))
            let candidates = Search.random (Key.ofSeed 6) 3 { space with L2 = [ 0.0 ]; Layers = [ [] ] }
            Assert.That([ for trial in drawn.Trials -> trial.Candidate ], equalTo candidates))
    ]
