/// Losses (SPEC section 6).
module Cnn.Tests.Laws.LossLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private losses: Loss list = [
    for reduction in [ Reduction.Mean; Reduction.Sum ] do
        for kind in Enum.GetValues<LossKind>() do
            Loss(kind, reduction)
]

/// Logits in (−4, 4), probabilities in (0.05, 0.95), labels and any targets in (0, 1).
[<NoComparison>]
type private Case = {
    Logits: Tensor<float>
    Probabilities: Tensor<float>
    Classes: int[]
    Targets: Tensor<float>
}

let private caseOf (r: Rows) =
    let shape = Shape.Of(r.Count, r.Features)
    let unit seed = Draw.reals seed shape |> Tensor.map (fun v -> (v + 1.0) / 2.0)

    {
        Logits = Draw.reals r.Seed shape |> Tensor.scale 4.0
        Probabilities = unit (r.Seed + 1) |> Tensor.map (fun v -> 0.05 + 0.9 * v)
        Classes = Array.init r.Count (fun n -> (r.Seed + n * n) % r.Features)
        Targets = unit (r.Seed + 2)
    }

let private (|Case|) r = caseOf r
let private labels classes : Targets<float> = Labels(ReadOnlyMemory classes)

let private oneHot (r: Rows) (classes: int[]) =
    Tensor.init (Shape.Of(r.Count, r.Features)) (fun k -> if classes[k / r.Features] = k % r.Features then 1.0 else 0.0)

let private isLogit kind = kind = LossKind.SoftmaxCrossEntropy || kind = LossKind.SigmoidBinaryCrossEntropy

let private arguments (loss: Loss) case =
    match loss.Kind with
    | LossKind.CrossEntropy
    | LossKind.BinaryCrossEntropy
    | LossKind.SummedBinaryCrossEntropy -> case.Probabilities
    | _ -> case.Logits

let private value loss prediction targets = let struct (l, _) = Loss.evaluate loss prediction targets in l

let private gradient loss prediction targets = let struct (_, d) = Loss.evaluate loss prediction targets in d

let private activate φ (x: Tensor<float>) = Layer.run (Context.reference Inference) (Layers.activation φ) [] [] x

let private rows (t: Tensor<float>) = t.ToArray() |> Array.chunkBySize (t.Size / t.Shape[0])

let private scalar v = Tensor.ofArray (Shape.Of 1) [| v |]

let tests =
    testList "losses" [
        // Each loss of one sample by its own formula. Fan & Yam 11.5.2–4; Vu 2018, eq. 26.
        testProperty "L = the mean of the samples' losses" (fun (Case case) ->
            let sample kind (p: float[]) (y: float[]) =
                let d = float p.Length
                let softmax = let e = Array.map exp p in Array.map (fun v -> v / Array.sum e) e
                let crossEntropy a = -(Array.map2 (fun a y -> y * log a) a y |> Array.sum)
                let binary a = -(Array.map2 (fun a y -> y * log a + (1.0 - y) * log (1.0 - a)) a y |> Array.sum) / d
                let squared = Array.map2 (fun a y -> (a - y) * (a - y)) p y |> Array.sum

                match kind with
                | LossKind.CrossEntropy -> crossEntropy p
                | LossKind.SoftmaxCrossEntropy -> crossEntropy softmax
                | LossKind.BinaryCrossEntropy -> binary p
                | LossKind.SummedBinaryCrossEntropy -> d * binary p
                | LossKind.SigmoidBinaryCrossEntropy -> binary (Array.map (fun z -> 1.0 / (1.0 + exp -z)) p)
                | LossKind.HalfSquaredError -> squared / 2.0
                | _ -> squared / d

            all [
                for loss in losses do
                    let x = arguments loss case
                    let each = Array.map2 (sample loss.Kind) (rows x) (rows case.Targets)
                    let expected = if loss.Reduction = Reduction.Mean then Array.average each else Array.sum each
                    near 1e-12 (scalar expected) (scalar (value loss x (Values case.Targets)))
            ])

        // ⟨∂L∕∂x, d⟩ = dL along d, for targets of any values.
        testProperty "∂L∕∂x is the derivative of L" (fun (Case case) ->
            all [
                for loss in losses do
                    let x = arguments loss case
                    let d: Tensor<float> = Draw.reals 5 x.Shape
                    let targets = Values case.Targets
                    let along t = value loss (Tensor.add x (Tensor.scale t d)) targets
                    truncation (GradientLaws.derivative along) (Tensor.dot (gradient loss x targets) d)
            ])

        // SPEC section 6: softmax with cross-entropy gives δ = a − y, divided by N where the mean is taken.
        testProperty "softmax with cross-entropy: δ = a − y" (fun (r: Rows) ->
            let (Case case) = r
            let a = (activate Activation.Softmax case.Logits).Output
            let y = oneHot r case.Classes

            let δ = gradient (Loss(LossKind.SoftmaxCrossEntropy, Reduction.Sum)) case.Logits (labels case.Classes)

            near 1e-14 (Tensor.map2 (fun a y -> a - y) a y) δ)

        // Fan & Yam 11.5.2–4: sigmoid with binary cross-entropy gives δ = (a − y) ∕ d_L.
        testProperty "sigmoid with binary cross-entropy: δ = (a − y) ∕ d" (fun (r: Rows) ->
            let (Case case) = r
            let a = (activate Activation.Sigmoid case.Logits).Output

            let δ =
                gradient (Loss(LossKind.SigmoidBinaryCrossEntropy, Reduction.Sum)) case.Logits (Values case.Targets)

            near 1e-14 (Tensor.map2 (fun a y -> (a - y) / float r.Features) a case.Targets) δ)

        // From the logits, or through the activation and its pullback: the same loss and gradient.
        testProperty "fused = composed" (fun (Case case) ->
            all [
                for φ, composed, fused in
                    [
                        Activation.Softmax, Loss.CrossEntropy, Loss.SoftmaxCrossEntropy
                        Activation.Sigmoid, Loss.BinaryCrossEntropy, Loss.SigmoidBinaryCrossEntropy
                    ] do
                    let step = activate φ case.Logits
                    let targets = Values case.Targets
                    let struct (l, ā) = Loss.evaluate composed step.Output targets
                    let struct (l', z̄) = Loss.evaluate fused case.Logits targets
                    near 1e-12 (scalar l) (scalar l')
                    near 1e-11 (snd (step.Pullback ā)) z̄
            ])

        // logsumexp(z) − z[t] of shifted logits.
        testProperty "softmax cross-entropy of z + k = that of z" (fun (r: Rows) ->
            let (Case case) = r
            let shifted = Tensor.map (fun v -> v + float (r.Seed % 2000 - 1000)) case.Logits
            let targets = labels case.Classes

            all [
                near
                    1e-11
                    (scalar (value Loss.SoftmaxCrossEntropy case.Logits targets))
                    (scalar (value Loss.SoftmaxCrossEntropy shifted targets))
                near
                    1e-11
                    (gradient Loss.SoftmaxCrossEntropy case.Logits targets)
                    (gradient Loss.SoftmaxCrossEntropy shifted targets)
            ])

        // Probabilities of a row sum to 1, and so do its targets.
        testProperty "rows of the gradient of softmax cross-entropy sum to 0" (fun (r: Rows) ->
            let (Case case) = r

            let sums =
                rows (gradient Loss.SoftmaxCrossEntropy case.Logits (labels case.Classes)) |> Array.map Array.sum

            near 1e-14 (Tensor.zeros (Shape.Of r.Count)) (Tensor.ofArray (Shape.Of r.Count) sums))

        // Fossheim 2022 sums over the samples, Fan & Yam 11.5.3 take the mean.
        testProperty "Sum = N · Mean, loss and gradient" (fun (r: Rows) ->
            let (Case case) = r
            let n = float r.Count

            all [
                for kind in Enum.GetValues<LossKind>() do
                    let mean, sum = Loss(kind, Reduction.Mean), Loss(kind, Reduction.Sum)
                    let x = arguments mean case
                    let targets = Values case.Targets

                    near 1e-13 (scalar (n * value mean x targets)) (scalar (value sum x targets))

                    near 1e-13 (Tensor.scale n (gradient mean x targets)) (gradient sum x targets)
            ])

        // A label stands for its one-hot row; with one output, for 0 or 1.
        testProperty "labels = one-hot rows" (fun (r: Rows) ->
            let (Case case) = r

            all [
                for loss in losses do
                    let x = arguments loss case
                    let hot = Values(oneHot r case.Classes)
                    near 0.0 (scalar (value loss x hot)) (scalar (value loss x (labels case.Classes)))
                    exact (gradient loss x hot) (gradient loss x (labels case.Classes))

                let one = case.Probabilities.Reshape(Shape.Of(r.Count * r.Features, 1))
                let bits = Array.init one.Size (fun k -> k % 2)
                let column = Values(Tensor.init one.Shape (fun k -> float (k % 2)))

                exact
                    (gradient Loss.BinaryCrossEntropy one column)
                    (gradient Loss.BinaryCrossEntropy one (labels bits))
            ])

        // SPEC section 6: from the logits nothing overflows, and arguments of logarithms are kept away from 0.
        testCase "losses of extreme answers are finite" (fun () ->
            let logits = Tensor.ofArray (Shape.Of(2, 2)) [| 1e4; -1e4; -1e4; 1e4 |]
            let certain = Tensor.ofArray (Shape.Of(2, 2)) [| 1.0; 0.0; 0.0; 1.0 |]

            for classes in [ [| 0; 1 |]; [| 1; 0 |] ] do
                for loss in losses do
                    let x = if isLogit loss.Kind then logits else certain
                    let struct (l, d) = Loss.evaluate loss x (labels classes)
                    Assert.That(Double.IsFinite l, string loss.Kind)
                    Assert.That(d.ToArray() |> Array.forall Double.IsFinite, string loss.Kind)

            Assert.That(value Loss.SoftmaxCrossEntropy logits (labels [| 0; 1 |]), equalTo 0.0)
            Assert.That(value Loss.SoftmaxCrossEntropy logits (labels [| 1; 0 |]), equalTo 2e4)
            Assert.That(value Loss.SigmoidBinaryCrossEntropy logits (labels [| 1; 0 |]), equalTo 1e4))

        // SPEC section 6, of four outputs of 0, for the first class and for targets of 0: log 0 and 1 ∕ 0 are log ε and 1 ∕ ε.
        // Of the gradient the first element, that of the class, and the others.
        testCase
            "at exactly 0, L and ∂L∕∂x are those of the formula with ε = 1e−25 for 0 in log and quotient"
            (fun () ->
                let large, log2 = 25.0 * log 10.0, log 2.0
                let zero: Tensor<float> = Tensor.zeros (Shape.Of(1, 4))
                let row first others = Tensor.init zero.Shape (fun c -> if c = 0 then first else others)

                for kind, ofClass, ofNone in
                    [
                        LossKind.CrossEntropy, (large, -1e25, 0.0), (0.0, 0.0, 0.0)
                        LossKind.SoftmaxCrossEntropy, (2.0 * log2, -0.75, 0.25), (0.0, 0.0, 0.0)
                        LossKind.BinaryCrossEntropy, (large / 4.0, -0.25e25, 0.25), (0.0, 0.25, 0.25)
                        LossKind.SummedBinaryCrossEntropy, (large, -1e25, 1.0), (0.0, 1.0, 1.0)
                        LossKind.SigmoidBinaryCrossEntropy, (log2, -0.125, 0.125), (log2, 0.125, 0.125)
                        LossKind.HalfSquaredError, (0.5, -1.0, 0.0), (0.0, 0.0, 0.0)
                        LossKind.MeanSquaredError, (0.25, -0.5, 0.0), (0.0, 0.0, 0.0)
                    ] do
                    for target, (l, first, others) in [ 1.0, ofClass; 0.0, ofNone ] do
                        let struct (l', d) = Loss.evaluate (Loss(kind, Reduction.Mean)) zero (Values(row target 0.0))
                        Assert.That(l', closeTo l 1e-13, string kind)
                        holds (near 1e-15 (row first others) d))

        // Computed in double precision: float32 logits give the loss of those logits, rounded once.
        testProperty "float32 losses are float losses of the same answers" (fun (Case case) ->
            all [
                for loss in losses do
                    let x = arguments loss case |> Tensor.map float32
                    let targets = case.Targets |> Tensor.map float32
                    let struct (l, d) = Loss.evaluate loss x (Values targets)
                    let struct (l', d') = Loss.evaluate loss (Tensor.map float x) (Values(Tensor.map float targets))
                    same l' l
                    exact (Tensor.map float32 d') d
            ])

        // SPEC: the loss by default.
        testCase "softmax → cross-entropy, sigmoid → binary cross-entropy, else ½‖·‖²" (fun () ->
            let dense φ = LayerSpec.Dense { Dense.Default with Activation = φ }

            for last, loss in
                [
                    Some(dense Activation.Softmax), Loss.CrossEntropy
                    Some(LayerSpec.Activation Activation.Softmax), Loss.CrossEntropy
                    Some(dense Activation.Sigmoid), Loss.BinaryCrossEntropy
                    Some(LayerSpec.Conv2D { Conv2D.Default with Activation = Activation.Sigmoid }),
                    Loss.BinaryCrossEntropy
                    Some(dense Activation.Tanh), Loss.HalfSquaredError
                    Some GlobalAveragePool, Loss.HalfSquaredError
                    None, Loss.HalfSquaredError
                ] do
                Assert.That(Loss.standard last, equalTo loss))

        // A network with its last activation in the loss has the same loss and the same gradient.
        testProperty "fusing the loss changes neither L nor θ̄" (fun (r: Rows) ->
            let (Case case) = r

            all [
                for φ, loss in [ Activation.Softmax, Loss.CrossEntropy; Activation.Sigmoid, Loss.BinaryCrossEntropy ] do
                    for last in
                        [
                            [ LayerSpec.Dense { Dense.Default with Units = r.Features; Activation = φ } ]
                            [ LayerSpec.Dense { Dense.Default with Units = r.Features }; LayerSpec.Activation φ ]
                        ] do
                        let layer: Layer<float> = Layers.ofSpecs last
                        let network = Network.create (Key.ofSeed r.Seed) (Shape.Of r.Features) layer
                        let l, θ̄ = Network.gradient loss Inference network case.Logits (labels case.Classes)
                        let step = Layer.run (Context.reference Inference) layer network.Parameters [] case.Logits
                        let struct (l', ȳ) = Loss.evaluate loss step.Output (labels case.Classes)
                        near 1e-12 (scalar l') (scalar l)
                        List.map2 (near 1e-11) (fst (step.Pullback ȳ)) θ̄ |> all
            ])

        // Wrong labels and wrong numbers of rows are refused.
        testCase "labels outside the classes and missing rows are refused" (fun () ->
            let x = Tensor.init (Shape.Of(2, 3)) (fun _ -> 0.5)

            for classes in [ [| 0; 3 |]; [| -1; 0 |] ] do
                Assert.Throws<ArgumentOutOfRangeException>(fun () ->
                    value Loss.SoftmaxCrossEntropy x (labels classes) |> ignore)
                |> ignore

            Assert.Throws<ShapeException>(fun () -> value Loss.SoftmaxCrossEntropy x (labels [| 0 |]) |> ignore)
            |> ignore)
    ]
