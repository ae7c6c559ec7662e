/// What formulas mean at their ends: at ties, at exactly 0, below every floor, and at thresholds.
module Cnn.Tests.Laws.EdgeLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private labels classes : Targets<float> = Targets.Labels(ReadOnlyMemory classes)
let private rows count width (values: float[]) = Tensor.ofArray (Shape.Of(count, width)) values

/// Few whole numbers, many of them alike: outputs, and labels of as many classes.
let private (|Ties|) (r: Rows) =
    let key = Key.ofSeed r.Seed
    let count, classes = 3 * r.Count, r.Features
    let outputs = Array.init (count * classes) (fun i -> float (key.Below(3, int64 i)))
    let labels = Array.init count (fun n -> key.Below(classes, int64 (10000 + n)))
    rows count classes outputs, labels

/// A network of one output, pictures of two classes for it, and its logits.
let private binary (r: Rows) φ =
    let count, features = 4 * r.Count, r.Features
    let x: Tensor<float32> = Draw.reals r.Seed (Shape.Of(count, features))
    let last = LayerSpec.Dense { Dense.Default with Units = 1; Activation = φ }

    let network: Network<float> =
        Network.create (Key.ofSeed r.Seed) (Shape.Of features) (Layers.ofSpec last)

    let classes = Array.init count (fun i -> (r.Seed + i * i) % 2)
    let data = Dataset.OfFloats(Shape.Of features, ReadOnlyMemory(x.ToArray()), classes, [ "no"; "yes" ])
    let weights = network.Parameters.Head.ToArray()

    let logits =
        Array.init count (fun n -> Seq.sum (Seq.init features (fun i -> float x[n, i] * weights[i])))

    network, data, logits

let private sigmoid z = 1.0 / (1.0 + exp -z)

let tests =
    testList "edges" [
        // Equal outputs rank by class, the first one first.
        testProperty
            "top k = share of labels among the first k classes, sorted by output and then by class"
            (fun (Ties(outputs, labels)) ->
                let row n = [ for c in 0 .. outputs.Shape[1] - 1 -> c, outputs[n, c] ]

                all [
                    for k in 0 .. outputs.Shape[1] + 1 do
                        let isAmong n label =
                            row n
                            |> List.sortBy (fun (c, p) -> -p, c)
                            |> List.truncate k
                            |> List.exists (fun (c, _) -> c = label)

                        let expected = labels |> Array.mapi isAmong |> Array.filter id |> Array.length
                        same (float expected / float labels.Length) (Metrics.topK k labels outputs)
                ])

        testProperty "a prediction ranks classes by probability, equal ones by number" (fun (Ties(outputs, _)) ->
            let names = Array.init outputs.Shape[1] (fun c -> "class " + string c)

            all [
                for n in 0 .. outputs.Shape[0] - 1 do
                    let p = Array.init names.Length (fun c -> outputs[n, c] / 2.0)
                    let expected = Array.zip p names |> Array.indexed |> Array.sortBy (fun (c, (p, _)) -> -p, c)
                    let found = (Fluent.Prediction(0, names[0], names, p)).Ranked
                    same [ for _, (p, name) in expected -> p, name ] [ for c in found -> c.Probability, c.Name ]
            ])

        // One output p stands for (1 − p, p); at p = ½ class 0 comes first.
        testCase "top 1 of one output p is class 1 where p > ½, class 0 at ½" (fun () ->
            for p, expected in [ 0.25, 0; 0.5, 0; 0.75, 1 ] do
                for label in 0..1 do
                    let share = Metrics.topK 1 [| label |] (rows 1 1 [| p |])
                    Assert.That(share, equalTo (if label = expected then 1.0 else 0.0), string p))

        // SPEC section 6: a and 1 − a are kept at 1e−25 or more, in the loss and in its gradient −y∕a + (1 − y)∕(1 − a).
        testTheory
            "below every floor: −log a = −log 1e−25 and −1∕a = −1e25, for a = 0 too"
            [ 0.0; 1e-300; 1e-26; 0.99e-25; 1e-25; 1.01e-25; 1e-20; 1e-12 ]
            (fun p ->
                let kept = max p 1e-25

                let agree told (expected: float) (actual: float) =
                    Assert.That(actual, closeTo expected (1e-14 * abs expected), told)

                for loss, outputs in
                    [ Loss.CrossEntropy, 1.0; Loss.BinaryCrossEntropy, 2.0; Loss.SummedBinaryCrossEntropy, 1.0 ] do
                    let struct (value, d) = Loss.evaluate loss (rows 1 2 [| p; 0.0 |]) (labels [| 0 |])
                    agree $"{loss}" (-log kept / outputs) value
                    agree $"∂{loss}" (-1.0 / kept / outputs) d[0, 0]

                // The other side: 1 − a = 0 at a = 1.
                for loss, outputs in [ Loss.BinaryCrossEntropy, 2.0; Loss.SummedBinaryCrossEntropy, 1.0 ] do
                    let struct (value, d) = Loss.evaluate loss (rows 1 2 [| 1.0; 1.0 |]) (labels [| 0 |])
                    agree $"{loss}" (-log 1e-25 / outputs) value
                    agree $"∂{loss}" (1e25 / outputs) d[0, 1]

                agree "log loss" (-log kept) (Metrics.logLoss [| 0 |] (rows 1 2 [| p; 1.0 - p |])))

        // 0·log 0 = 0: what is not asked for does not count, not even where it is impossible.
        testCase "a class of target 0 and probability 0 counts for nothing, nor does a logit of −∞" (fun () ->
            for loss in [ Loss.CrossEntropy; Loss.BinaryCrossEntropy; Loss.SummedBinaryCrossEntropy ] do
                let struct (value, _) = Loss.evaluate loss (rows 1 3 [| 1.0; 0.0; 0.0 |]) (labels [| 0 |])
                Assert.That(value, closeTo 0.0 1e-300, string loss)

            let struct (value, d) =
                Loss.evaluate Loss.SoftmaxCrossEntropy (rows 1 3 [| 1.0; -infinity; 1.0 |]) (labels [| 0 |])

            Assert.That(value, closeTo (log 2.0) 1e-15)
            Assert.That(d.ToArray(), equalTo [ -0.5; 0.0; 0.5 ]))

        testProperty "an answer that is the target has squared errors and gradients of 0" (fun (r: Rows) ->
            let y: Tensor<float> = Draw.reals r.Seed (Shape.Of(r.Count, r.Features))

            all [
                for loss in [ Loss.HalfSquaredError; Loss.MeanSquaredError ] do
                    let struct (value, d) = Loss.evaluate loss y (Values y)
                    same 0.0 value
                    exact (Tensor.zeros y.Shape) d
            ])

        // SPEC section 6: φ'(0) = 0 for ReLU, the slope for leaky ReLU, and −0 is 0.
        testProperty "at exactly 0 and −0: φ(0) = 0, φ'(0) = 0 or the slope, for all kernels" (fun (r: Rows) ->
            let values =
                Array.init (40 + r.Seed % 40) (fun i -> [| 0.0; -0.0; 1.0; -1.0 |][(r.Seed >>> (i % 16)) % 4])

            let ȳ = Array.create values.Length 3.0

            all [
                for kernels in AllKernels.float do
                    for φ in [ Activation.ReLU; Activation.LeakyReLU 0.25; Activation.LeakyReLU 2.0 ] do
                        let y, x̄ = Array.zeroCreate values.Length, Array.zeroCreate values.Length
                        kernels.Activate(φ, ReadOnlySpan values, Span y)
                        kernels.ActivateAdjoint(φ, ReadOnlySpan y, ReadOnlySpan ȳ, Span x̄)
                        same (values |> Array.map (fun v -> if v > 0.0 then v else φ.Slope * v)) y
                        same (values |> Array.map (fun v -> if v > 0.0 then 3.0 else 3.0 * φ.Slope)) x̄
            ])

        // Fused into a loss of logits, by another loss, and from a network of logits.
        testProperty "evaluating at t counts p > t as class 1, of probabilities and of logits" (fun (r: Rows) ->
            all [
                for φ, loss in
                    [
                        Activation.Sigmoid, None
                        Activation.Sigmoid, Some Loss.HalfSquaredError
                        Activation.Identity, Some Loss.SigmoidBinaryCrossEntropy
                    ] do
                    let network, data, logits = binary r φ
                    let p = Array.map sigmoid logits
                    let sorted = Array.sort p
                    // Halfway between two answers, so that rounding decides none.
                    for lower in [ 0; p.Length / 3; 2 * p.Length / 3; p.Length - 2 ] do
                        let t = (sorted[lower] + sorted[lower + 1]) / 2.0
                        let taken = p |> Array.map (fun p -> if p > t then 1 else 0)
                        let found = Prediction.evaluateAt t Backend.reference loss network data
                        let pairs = Seq.zip data.Labels taken |> List.ofSeq

                        for truth in 0..1 do
                            for answer in 0..1 do
                                same
                                    (pairs |> List.filter ((=) (truth, answer)) |> List.length)
                                    found.ConfusionMatrix[truth, answer]

                        same (Metrics.accuracy (Array.ofSeq data.Labels) taken) found.Accuracy
            ])

        testCase "a probability that is the threshold, p = t = ½, is class 0: p > t" (fun () ->
            let network, data, _ = binary { Count = 3; Features = 2; Seed = 1 } Activation.Sigmoid

            let undecided = {
                network with
                    Parameters = network.Parameters |> List.map (fun w -> Tensor.zeros w.Shape)
            }

            for loss in [ None; Some Loss.HalfSquaredError ] do
                let found = Prediction.evaluateAt 0.5 Backend.reference loss undecided data
                Assert.That((found.ConfusionMatrix[0, 1], found.ConfusionMatrix[1, 1]), equalTo (0, 0)))

        testProperty "the façade evaluates at the threshold that it is given" (fun (r: Rows) ->
            let _, data, _ = binary r Activation.Sigmoid
            let model = (Fluent.Network.Input data.Shape).Dense(1, Activation.Sigmoid).Build r.Seed
            let p = Array.init data.Count (fun i -> (model.Predict(ReadOnlySpan(data.Picture i))).Probabilities[1])
            let sorted = Array.sort p
            let lower = data.Count / 4
            let t = (sorted[lower] + sorted[lower + 1]) / 2.0
            let taken = p |> Array.map (fun p -> if p > t then 1 else 0)
            same (Metrics.accuracy (Array.ofSeq data.Labels) taken) (model.Evaluate(data, threshold = t)).Accuracy)

        // At η = 0 all batches see the same network: their measures, put together, are those of the whole. Validation has the
        // training's loss.
        testProperty
            "at η = 0 an epoch's loss and accuracy, and those of validation, are those of evaluation under the same loss"
            (fun (r: Rows) ->
                all [
                    for φ, loss in
                        [
                            Activation.Sigmoid, None
                            Activation.Sigmoid, Some Loss.HalfSquaredError
                            Activation.Identity, Some Loss.SigmoidBinaryCrossEntropy
                        ] do
                        let network, data, _ = binary r φ

                        let settings = {
                            TrainingSettings.Default with
                                Optimizer = Optimizer.Sgd 0.0
                                Loss = loss
                                BatchSize = 3
                                Validation = Some data
                        }

                        let epoch = (Training.run Backend.reference settings 1 data network).Result
                        let found = Prediction.evaluate Backend.reference loss network data
                        same found.Accuracy epoch.Accuracy
                        truncation found.Loss epoch.Loss
                        let validation = nonNull epoch.Validation
                        same (found.Loss, found.Accuracy) (validation.Loss, validation.Accuracy)
                ])
    ]
