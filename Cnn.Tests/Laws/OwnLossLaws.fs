/// A loss of one's own is what is learned, validated, evaluated and watched: SPEC section 6.
module Cnn.Tests.Laws.OwnLossLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// The loss of one row of outputs, its target being one-hot, or the label where there is one output.
let private lossOf kind (label: int) (a: float[]) =
    let y =
        a
        |> Array.mapi (fun c _ ->
            if a.Length = 1 then float label
            elif c = label then 1.0
            else 0.0)

    let sum f = Array.sum (Array.map2 f y a)
    let width = float a.Length
    let binary y p = -(y * log (max p 1e-25) + (1.0 - y) * log (max (1.0 - p) 1e-25))

    match kind with
    | LossKind.CrossEntropy -> sum (fun y p -> if y = 0.0 then 0.0 else -y * log (max p 1e-25))
    | LossKind.SoftmaxCrossEntropy -> log (a |> Array.sumBy exp) - sum (*)
    | LossKind.BinaryCrossEntropy -> sum binary / width
    | LossKind.SigmoidBinaryCrossEntropy -> sum (fun y z -> binary y (1.0 / (1.0 + exp -z))) / width
    | LossKind.SummedBinaryCrossEntropy -> sum binary
    | LossKind.HalfSquaredError -> sum (fun y a -> 0.5 * (a - y) * (a - y))
    | LossKind.MeanSquaredError -> sum (fun y a -> (a - y) * (a - y)) / width
    | kind -> failwith $"{kind} has no formula here"

/// The last layer, and the losses that take what it gives.
let private heads = [
    3,
    Activation.Softmax,
    [
        LossKind.CrossEntropy
        LossKind.BinaryCrossEntropy
        LossKind.SummedBinaryCrossEntropy
        LossKind.HalfSquaredError
        LossKind.MeanSquaredError
    ]
    3,
    Activation.Sigmoid,
    [
        LossKind.CrossEntropy
        LossKind.BinaryCrossEntropy
        LossKind.SummedBinaryCrossEntropy
        LossKind.HalfSquaredError
        LossKind.MeanSquaredError
    ]
    1,
    Activation.Sigmoid,
    [
        LossKind.BinaryCrossEntropy
        LossKind.SummedBinaryCrossEntropy
        LossKind.HalfSquaredError
        LossKind.MeanSquaredError
    ]
    3,
    Activation.Identity,
    [
        LossKind.SoftmaxCrossEntropy
        LossKind.SigmoidBinaryCrossEntropy
        LossKind.HalfSquaredError
        LossKind.MeanSquaredError
    ]
]

let private cases = [
    for units, φ, kinds in heads do
        for kind in kinds do
            for reduction in Enum.GetValues<Reduction>() do
                units, φ, Loss(kind, reduction)
]

let private pictures units seed count =
    let picture index : Tensor<float32> = Draw.reals (seed + index) (Shape.Of(2, 2, 1))

    Dataset.Create(
        Shape.Of(2, 2, 1),
        Seq.init count (fun i -> (i + i / 3) % max 2 units),
        [ for c in 1 .. max 2 units -> string c ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private train units = pictures units 1 12
let private held units = pictures units 50 9

let private mean kind (network: Network<float>) (dataset: Dataset) =
    let outputs = Network.predict network (Dataset.tensor dataset [| 0 .. dataset.Count - 1 |])

    outputs.ToArray()
    |> Array.chunkBySize (outputs.Size / dataset.Count)
    |> Array.mapi (fun n row -> lossOf kind dataset.Labels[n] row)
    |> Array.average

let private specs units φ = [
    Flatten FlattenOrder.RowMajor
    LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }
]

let private network units φ : Network<float> =
    Network.create (Key.ofSeed 2) (Shape.Of(2, 2, 1)) (Layers.ofSpecs (specs units φ))

let private settings units (loss: Loss) = {
    TrainingSettings.Default with
        BatchSize = 4
        Loss = Some loss
        Validation = Some(held units)
        Optimizer = Optimizer.Sgd(if loss.Reduction = Reduction.Sum then 0.5 else 2.0)
}

let private close what expected actual =
    Assert.That(actual, fun told found -> closeTo expected (1e-10 * (1.0 + abs expected)) $"{what}: {told}" found)

let tests =
    testList "losses of one's own" [
        testCase "every kind of loss is here, under both reductions" (fun () ->
            Assert.That(
                cases |> List.map (fun (_, _, loss) -> loss.Kind, loss.Reduction) |> List.distinct,
                equivalentTo (Seq.allPairs (Enum.GetValues<LossKind>()) (Enum.GetValues<Reduction>()))
            ))

        // The mean over the pictures, whatever the reduction in training.
        testCase "evaluation is under the loss that is given: the mean of its formula over the pictures" (fun () ->
            for units, φ, loss in cases do
                let network = network units φ
                let expected = mean loss.Kind network (held units)

                for backend in [ Backend.reference; Fluent.Simd.Backend<float>() ] do
                    close (loss, φ) expected (Prediction.evaluate backend (Some loss) network (held units)).Loss

                let model = Fluent.Network.Input(2, 2).Flatten().Dense(units, φ).Build(2, Fluent.Precision.Double)

                close (loss, φ) expected (model.Evaluate(held units, Nullable loss)).Loss)

        // Of the network after each epoch; the training loss is the mean over the pictures while it learned: at η = 0, of the start.
        testCase "validation and the loss of an epoch are under the loss that is given" (fun () ->
            for units, φ, loss in cases do
                for state in
                    Training.epochs Backend.reference (settings units loss) (train units) (network units φ)
                    |> Seq.take 2 do
                    close (loss, φ) (mean loss.Kind state.Network (held units)) (nonNull state.Result.Validation).Loss

                let still = { settings units loss with Optimizer = Optimizer.Sgd 0.0 }
                let state = Training.run Backend.reference still 1 (train units) (network units φ)
                close (loss, φ) (mean loss.Kind (network units φ) (train units)) state.Result.Loss)

        // The best epoch is that of the least mean of the formula over the pictures held back; the façade tells the same loss.
        testCase "early stopping watches the loss that is given" (fun () ->
            for units, φ, loss in cases do
                let states = ResizeArray()

                let fitted =
                    Fitting.fit
                        Backend.reference
                        (settings units loss)
                        (Some(EarlyStopping.After 2))
                        states.Add
                        8
                        (train units)
                        (network units φ)

                let losses = [ for state in states -> mean loss.Kind state.Network (held units) ]
                let best = 1 + List.findIndex (fun l -> l <= List.min losses + 1e-12) losses
                Assert.That((loss, fitted.Epoch), equalTo ((loss, best)))
                Assert.That(fitted.History.Length, equalTo (min 8 (best + 2)))

                let model = Fluent.Network.Input(2, 2).Flatten().Dense(units, φ).Build(2, Fluent.Precision.Double)

                let result =
                    model.Fit(
                        train units,
                        Fluent.FitOptions(
                            Epochs = 8,
                            BatchSize = 4,
                            Loss = Nullable loss,
                            Optimizer = (settings units loss).Optimizer,
                            Validation = held units,
                            EarlyStopping = Fluent.EarlyStopping 2
                        )
                    )

                Assert.That(result.Epoch, equalTo best)
                close (loss, φ) losses[best - 1] (nonNull result.History[best - 1].Validation).Loss)
    ]
