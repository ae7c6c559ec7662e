/// Learning rates over time, early stopping, and statistics taken anew (SPEC sections 8 and 12).
module Cnn.Tests.Laws.ScheduleLaws

open System
open System.Threading
open Expecto
open FsCheck
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private close expected actual =
    near 1e-13 (Tensor.ofArray (Shape.Of 1) [| expected |]) (Tensor.ofArray (Shape.Of 1) [| actual |])

let private (|Epoch|) (i: int) = float (abs (i % 400)) / 16.0

let private dataset labels : Dataset =
    Dataset.Create(
        Shape.Of(2, 2, 1),
        labels,
        [ "a"; "b" ],
        PictureReader(fun index destination ->
            let picture: Tensor<float32> = Draw.reals index (Shape.Of 4)
            picture.Span.CopyTo destination)
    )

let private network specs : Network<float> =
    Network.create (Key.ofSeed 3) (Shape.Of(2, 2, 1)) (Layers.ofSpecs ([ Flatten FlattenOrder.RowMajor ] @ specs))

let private classifier =
    network [ LayerSpec.Dense { Dense.Default with Units = 2; Activation = Activation.Softmax } ]

let private backend = Backend.reference<float>
let private tenPictures = dataset (Array.init 10 (fun i -> i % 2))

let tests =
    testList "schedules" [
        // SPEC section 8: factor ^ ⌊e ∕ every⌋.
        testProperty "step: factor(e) = f ^ ⌊e ∕ k⌋" (fun (Epoch e) ->
            close (pown 0.5 (int (floor (e / 3.0)))) ((Schedule.Step(3.0, 0.5)).Factor e))

        // SPEC section 8.
        testProperty "exponential: factor(a + b) = factor(a)·factor(b), factor(1) = f" (fun (Epoch a) (Epoch b) ->
            let schedule = Schedule.Exponential 0.9

            all [
                close (schedule.Factor a * schedule.Factor b) (schedule.Factor(a + b))
                close 0.9 (schedule.Factor 1.0)
            ])

        // Loshchilov and Hutter 2017: from 1 to the floor along half a cosine, then the floor.
        testProperty "cosine: factor(e) − floor + factor(T − e) − floor = 1 − floor, then the floor" (fun (Epoch e) ->
            let T, low = 25.0, 0.2
            let schedule = Schedule.Cosine(T, low)

            all [
                close (1.0 + low) (schedule.Factor e + schedule.Factor(T - e))
                close 1.0 (schedule.Factor 0.0)
                close (low + 0.75 * (1.0 - low)) (schedule.Factor(T / 3.0))
                close low (schedule.Factor(T + e))
            ])

        // A straight line from the start, then what follows, its clock beginning anew.
        testProperty "warm-up rises on a line, then the next schedule begins at 0" (fun (Epoch e) ->
            let next = Schedule.Exponential 0.8
            let schedule = Schedule.LinearWarmup(5.0, next, 0.2)

            all [
                close (if e < 5.0 then 0.2 + 0.16 * e else next.Factor(e - 5.0)) (schedule.Factor e)
                close 1.0 (Schedule.Constant.Factor e)
            ])

        // Each step takes the rate of its place in time, the clock running within the epoch, too.
        testCase "each step runs at η·factor(time)" (fun () ->
            let schedule = Schedule.Exponential 0.5

            let settings = {
                TrainingSettings.Default with
                    BatchSize = 4
                    Optimizer = (Optimizer.Sgd 0.5).WithSchedule schedule
                    Seed = 2
            }

            let states = Training.epochs backend settings tenPictures classifier |> Seq.take 2 |> List.ofSeq
            let layer, loss = Network.fuse Loss.CrossEntropy classifier.Layer
            let shuffle = Key.child Purpose.Shuffle (Key.ofSeed 2)

            let mutable θ = classifier.Parameters

            for epoch in 1..2 do
                let turn = Key.child (int64 epoch) shuffle
                let order = turn.Permutation 10

                for batch, (first, count) in List.indexed [ 0, 4; 4, 4; 8, 2 ] do
                    let chosen = order[first .. first + count - 1]
                    let run = Layer.run (Context.reference Inference) layer θ [] (Dataset.tensor tenPictures chosen)
                    let labels = Labels(ReadOnlyMemory(chosen |> Array.map (fun i -> tenPictures.Labels[i])))
                    let struct (_, ȳ) = Loss.evaluate loss run.Output labels
                    let rate = 0.5 * 0.5 ** (float (epoch - 1) + float batch / 3.0)
                    θ <- List.map2 (Tensor.map2 (fun w g -> w - rate * g)) θ (fst (run.Pullback ȳ))

                Assert.That(
                    states[epoch - 1].Result.LearningRate,
                    closeTo (0.5 * 0.5 ** (float (epoch - 1) + 2.0 / 3.0)) 1e-15
                )

            for expected, actual in List.zip θ states[1].Network.Parameters do
                for i in 0 .. expected.Size - 1 do
                    Assert.That(actual.Span[i], closeTo (expected.Span[i]) 1e-12))

        // With η = 0 the loss never falls: each wait of `patience` epochs ends in a reduction, down to the lowest rate.
        testCase "a plateau multiplies the rate after each wait, down to the lowest" (fun () ->
            let flat = { Plateau.Default with Factor = 0.5; Patience = 2; MinDelta = 10.0; MinRate = 0.3 * 1e-9 }

            let settings = {
                TrainingSettings.Default with
                    Optimizer = Optimizer.Sgd 1e-9
                    Plateau = Some flat
                    BatchSize = 10
            }

            let rates =
                Training.epochs backend settings tenPictures classifier
                |> Seq.take 9
                |> Seq.map (fun state -> state.Result.LearningRate / 1e-9)
                |> List.ofSeq

            // The first epoch sets the mark; two more wait, and the reduction is felt in the epoch after.
            for expected, rate in List.zip [ 1.0; 1.0; 1.0; 0.5; 0.5; 0.3; 0.3; 0.3; 0.3 ] rates do
                Assert.That(rate, closeTo (expected) 1e-12))

        // Class weights weigh samples in the loss: weights (1, 3) count class 1 as if it were there three times.
        testCase "class weights multiply the losses and gradients of their samples" (fun () ->
            let data = dataset [| 0; 1; 1; 0 |]

            let settings = {
                TrainingSettings.Default with
                    BatchSize = 4
                    Optimizer = Optimizer.Sgd 0.5
                    ClassWeights = Some [| 1.0; 3.0 |]
            }

            let trained = (Training.run backend settings 1 data classifier).Network.Parameters
            let layer, loss = Network.fuse Loss.CrossEntropy classifier.Layer

            let gradient n =
                let run =
                    Layer.run
                        (Context.reference Inference)
                        layer
                        classifier.Parameters
                        []
                        (Dataset.tensor data [| n |])

                let struct (_, ȳ) = Loss.evaluate loss run.Output (Labels(ReadOnlyMemory [| data.Labels[n] |]))
                fst (run.Pullback(Tensor.scale (if data.Labels[n] = 1 then 0.75 else 0.25) ȳ))

            let expected =
                [ 0..3 ]
                |> List.map gradient
                |> List.fold (List.map2 (Tensor.map2 (fun w g -> w - 0.5 * g))) classifier.Parameters

            for e, a in List.zip expected trained do
                for i in 0 .. e.Size - 1 do
                    Assert.That(a.Span[i], closeTo (e.Span[i]) 1e-12))

        // The best network comes back when nothing has improved for `patience` epochs.
        testCase "early stopping waits, then gives back the best" (fun () ->
            let settings = {
                TrainingSettings.Default with
                    Optimizer = Optimizer.Sgd 300.0
                    Validation = Some tenPictures
                    BatchSize = 5
            }

            let fitted =
                Fitting.fit backend settings (Some(EarlyStopping.After 3)) ignore 200 tenPictures classifier

            let losses = fitted.History |> List.map Fitting.watched
            let best = 1 + List.findIndex ((=) (List.min losses)) losses
            Assert.That(fitted.Reason, equalTo StopReason.EarlyStopped)
            Assert.That(fitted.Epoch, equalTo best)
            Assert.That(losses.Length, equalTo (best + 3))
            Assert.That((Prediction.evaluate backend None fitted.Network tenPictures).Loss, equalTo (List.min losses)))

        // SPEC section 12: after recalibration each normalisation gives mean 0 and variance σ² ∕ (σ² + ε) over the data set,
        // at inference, the ones below already being anew.
        testCase "recalibrated statistics are those of the data set" (fun () ->
            let dense = LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Tanh }
            let norm = BatchNorm { Epsilon = 0.0; Momentum = 0.99 }
            let two = network [ dense; norm; dense; norm ]
            let fresh = Fitting.recalibrate backend tenPictures two
            let x: Tensor<float> = Dataset.tensor tenPictures [| 0..9 |]

            for parts in [ 3; 5 ] do
                let below = { fresh with Layer = { Parts = List.truncate parts fresh.Layer.Parts } }
                let taken = below.Layer.Parts |> List.sumBy (fun p -> p.Parameters)
                let states = below.Layer.Parts |> List.sumBy (fun p -> p.States)

                let y =
                    (Layer.run
                        (Context.reference Inference)
                        below.Layer
                        (List.take taken fresh.Parameters)
                        (List.take states fresh.State)
                        x)
                        .Output

                for c in 0..2 do
                    let column = [ for n in 0..9 -> y[n, c] ]
                    Assert.That(List.average column, closeTo (0.0) 1e-10)
                    Assert.That(List.averageBy (fun v -> v * v) column, closeTo (1.0) 1e-9))

        // A loss or a weight that is not finite ends training with its place.
        testCase "training that overflows says where" (fun () ->
            let settings = {
                TrainingSettings.Default with
                    Optimizer = Optimizer.Sgd 1e200
                    Loss = Some Loss.HalfSquaredError
            }

            let linear = network [ LayerSpec.Dense { Dense.Default with Units = 2 } ]

            Assert.Throws<NonFiniteException>(fun () -> Training.run backend settings 10 tenPictures linear |> ignore)
            |> ignore)

        // Cancelled while epoch n + 1 runs: the network is that of the best finished epoch, and the result says which.
        testCase "cancelling gives back the epoch that the result claims" (fun () ->
            use source = new CancellationTokenSource()

            let settings = {
                TrainingSettings.Default with
                    BatchSize = 5
                    Optimizer = Optimizer.Sgd 0.1
                    Cancellation = source.Token
            }

            let stop (state: TrainingState<float>) =
                if state.Result.Epoch = 3 then
                    source.Cancel()

            let fitted = Fitting.fit Backend.reference settings None stop 10 tenPictures classifier
            let whole = { settings with Cancellation = CancellationToken.None }
            let claimed = Training.run Backend.reference whole fitted.Epoch tenPictures classifier
            Assert.That(fitted.Reason, equalTo StopReason.Cancelled)
            Assert.That(fitted.History.Length, equalTo 3)
            Assert.That(fitted.Epoch, equalTo (fitted.History |> List.minBy (fun e -> e.Loss)).Epoch)
            Assert.That(fitted.Network.Parameters, equalTo claimed.Network.Parameters))
    ]
