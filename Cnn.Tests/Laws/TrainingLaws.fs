/// Training and prediction: the production path — shards, threads, recycled memory — against the formulas.
module Cnn.Tests.Laws.TrainingLaws

open System
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

let private on scheduler : Backend<float> = { Kernels = ReferenceKernels<float>(); Scheduler = scheduler }

let private backend = Backend.reference<float>

/// The layers of a plan, a classifier of three classes behind them, at the start.
let private network (plan: Plan) : Network<float> =
    let input = Plan.shape plan.Input
    let dense φ = LayerSpec.Dense { Dense.Default with Units = 3; Activation = φ }
    let specs = plan.Specs @ [ Flatten FlattenOrder.RowMajor; dense Activation.Softmax ]
    Network.create (Key.ofSeed plan.Seed) input (Layers.ofSpecs specs)

/// Pictures of three classes.
let private pictures count (plan: Plan) =
    let shape = Plan.shape plan.Input

    let picture index : Tensor<float32> = Draw.reals (plan.Seed + index) shape

    Dataset.Create(
        shape,
        Array.init count (fun i -> (plan.Seed + i * i) % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private settings (plan: Plan) = {
    TrainingSettings.Default with
        BatchSize = 6
        Optimizer = Optimizer.Momentum(0.05, 0.5)
        Seed = plan.Seed
}

let private samples = 14

let private states backend settings plan count =
    Training.epochs backend settings (pictures samples plan) (network plan)
    |> Seq.take count
    |> List.ofSeq

/// All tensors that a state consists of.
let private tensors (state: TrainingState<float>) =
    state.Network.Parameters @ state.Network.State @ state.Optimizer.Moments @ state.Optimizer.Squares

let private bits (states: TrainingState<float> list) =
    states |> List.map (fun s -> tensors s |> List.map Tensor.copy, s.Result.Loss, s.Result.Accuracy)

let private sameBits expected actual =
    List.map2
        (fun (ts, loss: float, accuracy: float) (ts', loss', accuracy') ->
            all [ exactly ts ts'; same (loss, accuracy) (loss', accuracy') ])
        expected
        actual
    |> all

/// Training as the formulas say it: no shards, no threads, no recycled memory.
let private byFormula (settings: TrainingSettings) (dataset: Dataset) (network: Network<float>) epochs =
    let layer, loss = Network.fuse (Network.standardLoss network) network.Layer
    let key = Key.ofSeed settings.Seed
    let dropout, shuffle = Key.child Purpose.Dropout key, Key.child Purpose.Shuffle key

    let step (order: int[]) (θ, s, (state: OptimizerState<float>)) (struct (first, count)) =
        let indices = order[first .. first + count - 1]
        let mode = Training(Key.child (int64 state.Step) dropout)
        let run = Layer.run (Context.reference mode) layer θ s (Dataset.tensor dataset indices)
        let labels = indices |> Array.map (fun i -> dataset.Labels[i])
        let struct (_, ȳ) = Loss.evaluate loss run.Output (Labels(ReadOnlyMemory labels))
        let state, θ = Optimizer.update backend settings.Optimizer state θ (fst (run.Pullback ȳ))
        θ, run.State, state

    let epoch point number =
        let turn = Key.child (int64 number) shuffle

        Dataset.batches settings.BatchSize settings.DropLast dataset.Count
        |> List.fold (step (turn.Permutation dataset.Count)) point

    let start = network.Parameters, network.State, Optimizer.start settings.Optimizer network.Parameters
    let θ, s, state = List.fold epoch start [ 1..epochs ]
    θ @ s @ state.Moments @ state.Squares

/// The layer, each pullback called three times: as asked, with another cotangent, and as asked. Failures are counted.
let private threefold (failures: int ref) (layer: Layer<float>) : Layer<float> = {
    Parts =
        layer.Parts
        |> List.map (fun part -> {
            part with
                Run =
                    fun context θ s x ->
                        let step = part.Run context θ s x

                        let pullback (ȳ: Tensor<float>) =
                            let θ̄, x̄ = step.Pullback ȳ
                            let kept = ȳ :: x̄ :: θ̄ |> List.map Tensor.copy
                            step.Pullback(Draw.reals 3 ȳ.Shape) |> ignore
                            let θ̄, x̄ = step.Pullback ȳ

                            if not (List.forall2 (fun (a: Tensor<float>) b -> a.Equals b) kept (ȳ :: x̄ :: θ̄)) then
                                Interlocked.Increment(&failures.contents) |> ignore

                            θ̄, x̄

                        { step with Pullback = pullback }
        })
}

let private somePlan = {
    Count = 2
    Input = [ 5; 4; 2 ]
    Specs = [
        LayerSpec.Conv2D { Conv2D.Default with Filters = 3; Kernel = Size.Square 2; Activation = Activation.Tanh }
        BatchNorm BatchNorm.Default
        Dropout(0.3, DropoutKind.Bernoulli)
    ]
    Seed = 5
}

let tests =
    testList "training" [
        // ARCHITECTURE: the production path and the reference path differ in memory, shards and threads only; shards add
        // up in another order, hence rounding.
        testProperty "production path = reference path" (fun (plan: Plan) ->
            let expected = byFormula (settings plan) (pictures samples plan) (network plan) 2
            let actual = tensors (states (on (Threads 2)) (settings plan) plan 2 |> List.last)
            List.map2 (near 1e-9) expected actual |> all)

        // Results are the same to the last bit for 1, 2, 3 or 8 threads, and for any order of the shards.
        testProperty "training is the same to the last bit on 1, 2, 3 and 8 threads" (fun (plan: Plan) ->
            let reference = bits (states backend (settings plan) plan 2)

            all [
                let schedulers: IScheduler list = [ Threads 2; Threads 3; Threads 8; Backwards() ]

                for scheduler in schedulers do
                    sameBits reference (bits (states (on scheduler) (settings plan) plan 2))
            ])

        // A state owns its memory: what was handed out stays as it was while training goes on.
        testProperty "states that were handed out never change" (fun (plan: Plan) ->
            let handed =
                Training.epochs backend (settings plan) (pictures samples plan) (network plan)
                |> Seq.map (fun state -> state, bits [ state ])
                |> Seq.take 3
                |> List.ofSeq

            all [ for state, copy in handed -> sameBits copy (bits [ state ]) ])

        // Training is a function of settings, data and network; enumerating again trains again.
        testProperty "the same seed gives the same bits, and the network stays as it was" (fun (plan: Plan) ->
            let start = network plan
            let kept = start.Parameters @ start.State |> List.map Tensor.copy
            let epochs = Training.epochs backend (settings plan) (pictures samples plan) start
            let first = epochs |> Seq.take 2 |> List.ofSeq |> bits

            all [
                sameBits first (epochs |> Seq.take 2 |> List.ofSeq |> bits)
                exactly kept (start.Parameters @ start.State)
            ])

        // What is evaluated in between changes no draw.
        testProperty "validating and reporting change no bit" (fun (plan: Plan) ->
            let quiet = states backend (settings plan) plan 2
            let dataset = pictures samples plan
            let evaluate _ = Prediction.evaluate backend None (network plan) dataset |> ignore

            let watched = { settings plan with Validation = Some(dataset.Take 4); OnBatch = evaluate }
            sameBits (bits quiet) (bits (states backend watched plan 2)))

        // Fan & Yam 11.4: fixed filters stay as they are, whatever surrounds them learns.
        testProperty "training leaves frozen layers alone" (fun (plan: Plan) ->
            let trained = (states backend (settings plan) plan 1).Head.Network
            let start = network plan

            let rec frozen (parts: Primitive<float> list) (s: State<float>) =
                match parts with
                | [] -> []
                | part :: rest ->
                    let own, others = List.splitAt part.States s

                    let isNorm =
                        match part.Spec with
                        | BatchNorm _ -> true
                        | _ -> false

                    (if isNorm then [] else own) @ frozen rest others

            all [
                exactly (frozen start.Layer.Parts start.State) (frozen trained.Layer.Parts trained.State)
                same
                    true
                    (List.exists2 (fun (a: Tensor<float>) b -> not (a.Equals b)) start.Parameters trained.Parameters)
            ])

        // With recycled memory, too, a pullback may be called again: it writes neither into ȳ nor into what forward saved.
        testProperty "a pullback called again in training gives the same bits" (fun (plan: Plan) ->
            let start = network plan
            let body, head = List.splitAt (start.Layer.Parts.Length - 1) start.Layer.Parts
            let failures = ref 0

            let watched = {
                start with
                    Layer = Layer.compose (threefold failures { Parts = body }) { Parts = head }
            }

            let trained = Training.epochs (on (Threads 2)) (settings plan) (pictures samples plan) watched

            all [
                sameBits (bits (states backend (settings plan) plan 1)) (bits [ Seq.head trained ])
                same 0 failures.Value
            ])

        // A sample's answer depends neither on the samples beside it nor on the threads, to the last bit. It is that of the
        // rewritten network, to the last bit, and that of the formulas up to rounding.
        testProperty "an answer does not depend on the batch or the threads" (fun (plan: Plan) ->
            let network = network plan
            let many = 70
            let dataset = pictures many plan
            let x: Tensor<float> = Dataset.tensor dataset [| 0 .. many - 1 |]
            let predictor = Predictor(on (Threads 3), network)
            let answers = predictor.Run x

            all [
                exact answers (predictor.Run dataset)
                exact answers (Predictor(backend, network).Run x)
                exact answers (Network.predict (Network.forInference network) x)
                near 1e-12 (Network.predict network x) answers

                for n in [ 0; 31; 32; 69 ] do
                    exact (answers.Slice(n, 1)) (predictor.Run(x.Slice(n, 1)))
            ])

        // Each epoch sees every sample once, in an order of its own; reports count batches and samples.
        testProperty "an epoch reads every sample once" (fun (plan: Plan) ->
            let seen = ResizeArray()
            let inner = pictures samples plan

            let dataset =
                Dataset.Create(
                    inner.Shape,
                    inner.Labels,
                    inner.ClassNames,
                    PictureReader(fun index destination ->
                        seen.Add index
                        inner.Read(index, destination))
                )

            let reports = ResizeArray()

            let settings = {
                settings plan with
                    OnBatch = fun p -> reports.Add((p.Epoch, p.Batch, p.Batches, p.Samples))
            }

            Training.run backend settings 2 dataset (network plan) |> ignore
            // What comes before are looks at the pictures, for warnings.
            let orders = seen |> Seq.skip (seen.Count - 2 * samples) |> Array.ofSeq |> Array.chunkBySize samples

            all [
                same 2 orders.Length
                same [| 0 .. samples - 1 |] (Array.sort orders[0])
                same [| 0 .. samples - 1 |] (Array.sort orders[1])
                same false (orders[0] = orders[1])
                same
                    [
                        for epoch in 1..2 do
                            for batch, samples in [ 1, 6; 2, 12; 3, 14 ] -> epoch, batch, 3, samples
                    ]
                    (List.ofSeq reports)
            ])

        // The loss of an epoch is the mean over its samples of what they cost when they were seen: with η = 0, the loss of the
        // network at inference, where nothing is drawn and no batch statistics are used.
        testProperty "with η = 0 the loss of an epoch is the loss of the network" (fun (plan: Plan) ->
            let plain = {
                plan with
                    Specs =
                        plan.Specs
                        |> List.filter (fun spec ->
                            match spec with
                            | BatchNorm _
                            | Dropout _ -> false
                            | _ -> true)
            }

            let network = network plain
            let dataset = pictures samples plain
            let settings = { settings plain with Optimizer = Optimizer.Sgd 0.0; Validation = Some dataset }
            let result = (Training.run backend settings 1 dataset network).Result
            let evaluation = Prediction.evaluate backend None network dataset
            let pair a b = Tensor.ofArray (Shape.Of 2) [| a; b |]

            all [
                near 1e-12 (pair evaluation.Loss evaluation.Accuracy) (pair result.Loss result.Accuracy)
                match result.Validation with
                | null -> same "a validation" "none"
                | validation -> same (evaluation.Loss, evaluation.Accuracy) (validation.Loss, validation.Accuracy)
            ])

        // Shuffling and dropout follow the seed.
        testCase "another seed gives other bits" (fun () ->
            let weights seed =
                (states backend { settings somePlan with Seed = seed } somePlan 1).Head.Network
                |> Network.weightHash

            Assert.That(weights 1, equalTo (weights 1))
            Assert.That(weights 2 = weights 1, isFalse))

        // A cancelled epoch is not handed out.
        testCase "cancelling ends the sequence after the last whole epoch" (fun () ->
            use source = new CancellationTokenSource()

            let settings = {
                settings somePlan with
                    Cancellation = source.Token
                    OnBatch =
                        fun p ->
                            if p.Epoch = 2 && p.Batch = 2 then
                                source.Cancel()
            }

            let handed =
                Training.epochs backend settings (pictures samples somePlan) (network somePlan) |> List.ofSeq

            Assert.That(handed.Length, equalTo 1)
            Assert.That(handed.Head.Result.Epoch, equalTo 1))

        // What cannot be trained on is refused before any work, when the sequence is made.
        testCase "data that do not fit are refused at once" (fun () ->
            let start = network somePlan
            let other = { somePlan with Input = [ 4; 5; 2 ] }

            let begin' settings data () = Training.epochs backend settings data start |> ignore
            Assert.Throws<ShapeException>(begin' (settings somePlan) (pictures 3 other)) |> ignore
            Assert.Throws<ArgumentException>(begin' (settings somePlan) (pictures 0 somePlan)) |> ignore

            Assert.Throws<ArgumentOutOfRangeException>(
                begin' { settings somePlan with BatchSize = 0 } (pictures 3 somePlan)
            )
            |> ignore)

        // Three classes that a line parts are learned.
        testCase "training learns what can be learned" (fun () ->
            let dataset =
                Dataset.Create(
                    Shape.Of(2, 3, 1),
                    Array.init 60 (fun i -> i % 3),
                    [ "a"; "b"; "c" ],
                    PictureReader(fun index destination ->
                        let noise: Tensor<float32> = Draw.reals index (Shape.Of 6)
                        noise.Span.CopyTo destination
                        destination[index % 3] <- destination[index % 3] + 3.0f)
                )

            let layer =
                Layers.ofSpecs [
                    Flatten FlattenOrder.RowMajor
                    LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
                ]

            let network = Network.create (Key.ofSeed 1) dataset.Shape layer
            let settings = { TrainingSettings.Default with Optimizer = Optimizer.Adam 0.05 }
            let trained = Training.run backend settings 30 dataset network
            Assert.That((Prediction.evaluate backend None trained.Network dataset).Accuracy, greaterThan 0.95))
    ]
