/// Losses, optimisers and a small network in training against the oracle's vectors.
module Cnn.Tests.Golden.TrainingVectors

open System
open System.Numerics
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Golden.Vectors
open Cnn.Tests.Laws.Law

/// losses.json: means over the batch.
let private checkLoss<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> tolerance =
    for case in cases "losses.json" do
        let kind = text case?loss

        let loss, prediction, gradient =
            match kind with
            | "softmaxCrossEntropy" -> Loss.SoftmaxCrossEntropy, "logits", "dlogits"
            | "sigmoidBinaryCrossEntropy" -> Loss.SigmoidBinaryCrossEntropy, "logits", "dlogits"
            | "halfSquaredError" -> Loss.HalfSquaredError, "predictions", "dpredictions"
            | "meanSquaredError" -> Loss.MeanSquaredError, "predictions", "dpredictions"
            | other -> failwith other

        let targets: Targets<'T> =
            match case.TryGetProperty "labels" with
            | true, labels -> Labels(ReadOnlyMemory(integers labels))
            | _ -> Values(tensor case?targets)

        let struct (value, d) = Loss.evaluate loss (tensor<'T>(case.GetProperty prediction)) targets
        Assert.That(value, closeTo (number case?value) (tolerance * number case?value), kind)
        close gradient (case.GetProperty gradient) d

let private optimizer (case: System.Text.Json.JsonElement) =
    let setting (name: string) = number (case?settings.GetProperty name)
    let η () = setting "eta"
    let γ () = setting "gamma"
    let ε () = setting "epsilon"

    match text case?optimizer with
    | "sgd" -> Optimizer.Sgd(η ())
    | "momentumClassic" -> Optimizer.ClassicMomentum(η (), γ ())
    | "nesterov" -> Optimizer.Nesterov(η (), γ ())
    | "adagrad" -> Optimizer.Adagrad(η (), ε ())
    | "rmsprop" -> Optimizer.RmsProp(η (), γ (), ε ())
    | "adam" -> Optimizer.Adam(η (), setting "beta1", setting "beta2", ε ())
    | "adamw" -> Optimizer.AdamW(η (), setting "weightDecay", setting "beta1", setting "beta2", ε ())
    | other -> failwith other

/// A row of one matrix, so that it counts as a weight and decays.
let private asWeight (t: Tensor<'T>) = t.Reshape(Shape.Of(1, t.Size))

let private checkOptimizers (kernels: IKernels<'T>) =
    let backend = { Kernels = kernels; Scheduler = SequentialScheduler() }

    for case in cases "optimizers.json" do
        let optimizer = optimizer case
        let parameters = list case?parameters
        let start = [ asWeight (tensor<'T> parameters.Head) ]

        List.zip (list case?gradients) parameters.Tail
        |> List.fold
            (fun (state, θ) (gradient, expected) ->
                let state, θ = Optimizer.update backend optimizer state θ [ asWeight (tensor gradient) ]
                close (string optimizer) expected (θ.Head.Reshape(Shape.Of θ.Head.Size))
                state, θ)
            (Optimizer.start optimizer start, start)
        |> ignore

let private checkNetworks (kernels: IKernels<'T>) =
    let backend = { Kernels = kernels; Scheduler = SequentialScheduler() }

    for case in cases "networks.json" do
        let φ =
            match text case?activation with
            | "relu" -> Activation.ReLU
            | "tanh" -> Activation.Tanh
            | _ -> Activation.Sigmoid

        let conv filters padding =
            LayerSpec.Conv2D { Conv2D.Default with Filters = filters; Padding = padding; Activation = φ }

        let layer: Layer<'T> =
            Layers.ofSpecs [
                conv 4 Same
                MaxPool(Pool.Square 2)
                conv 5 Valid
                AveragePool { Window = Size.Square 2; Stride = Size.Square 1; Padding = Valid }
                Flatten FlattenOrder.RowMajor
                LayerSpec.Dense { Dense.Default with Units = 3 }
            ]

        let x = tensor<'T> case?x
        let labels = Labels(ReadOnlyMemory(integers case?labels))
        let names = list case?parameterNames |> List.map text
        let sgd = Optimizer.Sgd 0.5

        let step (state, θ) (expected: System.Text.Json.JsonElement) =
            let context = {
                Context.reference (Training(Key.ofSeed 1)) with
                    Kernels = kernels
                    NeedsInputGradient = false
            }

            let run = Layer.run context layer θ [] x
            close "logits" expected?logits run.Output
            let struct (value, ȳ) = Loss.evaluate Loss.SoftmaxCrossEntropy run.Output labels
            let tolerance = if typeof<'T> = typeof<float32> then 1e-4 else 1e-10
            Assert.That(value, closeTo (number expected?loss) tolerance)
            let θ̄ = fst (run.Pullback ȳ)

            List.zip3 names (list expected?gradients) θ̄
            |> List.iter (fun (name, g, t) -> close ("gradient of " + name) g t)

            Optimizer.update backend sgd state θ θ̄

        let start = list case?parameters |> List.map tensor
        let _, θ = List.fold step (Optimizer.start sgd start, start) (list case?steps)
        List.zip3 names (list case?parametersAfter) θ |> List.iter (fun (name, p, t) -> close name p t)

let tests =
    testList "training vectors" [
        testCase "losses: value and gradient" (fun () ->
            checkLoss<float> 1e-10
            checkLoss<float32> 1e-4)

        // optimizers.json: six steps of each.
        testCase "optimizers: six steps" (fun () ->
            List.iter checkOptimizers AllKernels.float
            List.iter checkOptimizers AllKernels.float32)

        // networks.json: four SGD steps of a small network, every gradient at every step.
        testCase "networks: logits, loss and gradients of four steps, and the parameters after" (fun () ->
            List.iter checkNetworks AllKernels.float
            List.iter checkNetworks AllKernels.float32)
    ]
