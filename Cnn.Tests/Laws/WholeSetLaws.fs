/// Every picture of a set counts, the last one too, wherever the set is cut.
module Cnn.Tests.Laws.WholeSetLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Around the pieces of 8, 64 and 256 pictures that sets are read in.
let private counts = [ 2; 7; 8; 9; 17; 63; 64; 65; 255; 256; 257; 513 ]

/// Pictures of two pixels; the last one is unlike the others.
let private pictures count =
    Dataset.Create(
        Shape.Of(1, 2, 1),
        Seq.init count (fun i -> if i = count - 1 then 1 else i * i / 3 % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination ->
            destination[0] <- if index = count - 1 then 10.0f else float32 (index % 7) / 7.0f
            destination[1] <- if index = count - 1 then -20.0f else float32 (index % 5) / 5.0f)
    )

let private network: Network<float> =
    let dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

    Network.create
        (Key.ofSeed 4)
        (Shape.Of(1, 2, 1))
        (Layers.ofSpecs [
            Flatten FlattenOrder.RowMajor
            dense 2 Activation.Identity
            BatchNorm BatchNorm.Default
            dense 3 Activation.Softmax
        ])

let private backends = [ Backend.reference<float>; Fluent.Simd.Backend<float>(Nullable 2) ]

/// x·W + b for the first dense layer.
let private below (picture: float32[]) =
    let w, b = network.Parameters[0], network.Parameters[1]
    Array.init 2 (fun j -> float picture[0] * w[0, j] + float picture[1] * w[1, j] + b[j])

/// The largest output of a picture and its probabilities, at the statistics that the network starts with: mean 0, variance 1.
let private answer (picture: float32[]) =
    let γ, β, w, b =
        network.Parameters[2], network.Parameters[3], network.Parameters[4], network.Parameters[5]

    let h =
        below picture
        |> Array.mapi (fun j v -> γ.Span[j] * v / sqrt (1.0 + BatchNorm.Default.Epsilon) + β.Span[j])

    let z = Array.init 3 (fun c -> h[0] * w[0, c] + h[1] * w[1, c] + b[c])
    let e = z |> Array.map (fun v -> exp (v - Array.max z))
    e |> Array.map (fun v -> v / Array.sum e)

let private all (dataset: Dataset) = [ for i in 0 .. dataset.Count - 1 -> dataset.Picture i, dataset.Labels[i] ]
let private close expected actual = Assert.That(actual, closeTo expected (1e-10 * (1.0 + abs expected)))

/// Pictures of one pixel; those of the positions hold another number.
let private floats (others: Map<int, float32>) count =
    let pixels = Array.init count (fun i -> defaultArg (others.TryFind i) (float32 (i % 3)))
    Dataset.OfFloats(Shape.Of(1, 1, 1), ReadOnlyMemory pixels, Seq.init count (fun i -> i % 2), [ "a"; "b" ])

let private bytes count =
    let pixels = Array.init count byte
    Dataset.OfBytes(Shape.Of(1, 1, 1), ReadOnlyMemory pixels, Seq.init count (fun i -> i % 2), [ "a"; "b" ])

let private classifier: Network<float> =
    Network.create
        (Key.ofSeed 1)
        (Shape.Of(1, 1, 1))
        (Layers.ofSpecs [
            Flatten FlattenOrder.RowMajor
            LayerSpec.Dense { Dense.Default with Units = 2; Activation = Activation.Softmax }
        ])

let private refusal backend settings dataset =
    (Assert.Throws<ArgumentException>(fun () -> Training.epochs backend settings dataset classifier |> ignore)).Message

let tests =
    testList "whole sets" [
        // SPEC section 12: mean and population variance of all that reaches the layer.
        testCase "recalibration takes mean and variance of all pictures, however many" (fun () ->
            for count in counts do
                let data = pictures count
                let features = all data |> List.map (fst >> below)

                for backend in backends do
                    let state = (Fitting.recalibrate backend data network).State

                    for j in 0..1 do
                        let mean = features |> List.averageBy (fun f -> f[j])
                        close mean state[0].Span[j]
                        close (features |> List.averageBy (fun f -> (f[j] - mean) * (f[j] - mean))) state[1].Span[j])

        testCase "evaluation is the mean over all pictures, however many" (fun () ->
            for count in counts do
                let data = pictures count
                let answers = all data |> List.map (fun (picture, label) -> answer picture, label)

                let isRight (p: float[], label) = Array.findIndex ((=) (Array.max p)) p = label
                let right = answers |> List.filter isRight |> List.length

                for backend in backends do
                    let evaluation = Prediction.evaluate backend None network data
                    close (answers |> List.averageBy (fun (p, label) -> -log p[label])) evaluation.Loss
                    close (float right / float count) evaluation.Accuracy
                    Assert.That(evaluation.ConfusionMatrix.Total, equalTo count)
                    Assert.That(evaluation.ConfusionMatrix.Correct, equalTo right))

        // Nothing but a smaller last batch is left out: a set smaller than a batch is one batch all the same.
        testCase "a set smaller than a batch is one batch, dropping the last or not" (fun () ->
            for count in 1..9 do
                for size in count..10 do
                    Assert.That(Dataset.batches size true count, equalTo [ struct (0, count) ])

            let data = floats Map.empty 5

            let run dropLast size =
                let settings = { TrainingSettings.Default with BatchSize = size; DropLast = dropLast }
                let state = Training.run Backend.reference settings 2 data classifier
                state.Optimizer.Step, Network.weightHash state.Network, state.Result.Loss

            Assert.That(run true 8, equalTo (run false 8))
            Assert.That(run true 8, equalTo (run true 5))
            let step, _, _ = run true 8
            Assert.That(step, equalTo 2))

        // Pictures are looked at 64 at a time.
        testCase "a pixel that is not finite is found wherever it is, in both sets, and its picture told" (fun () ->
            for count in [ 64; 65; 128; 130 ] do
                for position in [ 0; 1; 62; 63; 64; 65; 126; 127; 128; count - 1 ] |> List.filter (fun i -> i < count) do
                    for value in [ nanf; infinityf; -infinityf ] do
                        let damaged = floats (Map [ position, value ]) count

                        for backend in backends do
                            Assert.That(
                                refusal backend TrainingSettings.Default damaged,
                                containing $"Picture {position} of the training set"
                            )

                            Assert.That(
                                refusal
                                    backend
                                    { TrainingSettings.Default with Validation = Some damaged }
                                    (floats Map.empty 4),
                                containing $"Picture {position} of the validation set"
                            )

            let twice = floats (Map [ 63, nanf; 70, nanf ]) 130
            Assert.That(refusal Backend.reference TrainingSettings.Default twice, containing "Picture 63 "))

        // That bytes are finite says nothing of what stands behind them.
        testCase "pictures of bytes and of numbers together are looked at for what is not finite" (fun () ->
            let damaged = floats (Map [ 2, nanf ]) 4
            let told = refusal Backend.reference TrainingSettings.Default
            Assert.That(told (bytes(4).Concat damaged), containing "Picture 6 of the training set")
            Assert.That(told (damaged.Concat(bytes 4)), containing "Picture 2 of the training set")
            Assert.That(told (bytes(4).Concat(damaged).Select [ 0; 1; 6 ]), containing "Picture 2 of the training set"))
    ]
