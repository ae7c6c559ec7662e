/// Vu's network: the shapes of her paper, and the steps of the study.
module Cnn.Tests.Laws.VanillaLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private settings (step: VanillaStep) =
    let training = Option.get step.Architecture.Training
    step.IsParallel, step.Architecture.Loss, training.Optimizer.Kind, training.Optimizer.Schedule

let tests =
    testList "Vu's network" [
        // Vu 2018, section 4.
        testCase "the layers give the shapes that the paper prints" (fun () ->
            let network: Network<float32> = Architectures.build 0 Architectures.vanilla
            Assert.That(VanillaStudy.measuredShapes network, equalTo VanillaStudy.paperShapes)
            Assert.That(Fluent.VanillaStudy.MeasuredShapes(), equalTo Fluent.VanillaStudy.PaperShapes))

        // What runs is what the shape laws promise, layer by layer.
        testProperty "measured shapes = shapes of the summary" (fun (plan: Plan) ->
            let network: Network<float> =
                Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)

            same (Network.summary network |> List.map (fun row -> row.Output)) (VanillaStudy.measuredShapes network))

        // Each step keeps what the steps before it switched on.
        testCase "threads, then softmax, then momentum, then a falling rate, one added after the other" (fun () ->
            let steps = VanillaStudy.steps 4
            let constant, falling = Schedule.Constant, Schedule.Exponential 0.9
            let squared, entropy = Loss.HalfSquaredError, Loss.CrossEntropy

            Assert.That(
                steps |> List.map settings,
                equalTo [
                    false, squared, OptimizerKind.Sgd, constant
                    true, squared, OptimizerKind.Sgd, constant
                    true, entropy, OptimizerKind.Sgd, constant
                    true, entropy, OptimizerKind.Momentum, constant
                    true, entropy, OptimizerKind.Momentum, falling
                ]
            )

            for step in steps do
                let training = Option.get step.Architecture.Training

                let rows =
                    Network.describe step.Architecture.Input (Layers.ofSpecs step.Architecture.Layers: Layer<float32>)

                Assert.That((training.Epochs, training.BatchSize), equalTo (4, 30))
                Assert.That(rows |> List.sumBy (fun row -> row.Parameters), equalTo 3898))

        // Fan & Yam's momentum sums (1−γ)·γᵏ over the past, which adds up to 1: the rate keeps its meaning.
        testCase "momentum is switched on at the same learning rate" (fun () ->
            let rates =
                VanillaStudy.steps 2
                |> List.map (fun step -> (Option.get step.Architecture.Training).Optimizer.LearningRate)
                |> List.distinct

            Assert.That(rates.Length, equalTo 1))

        testCase "both doors have the same steps" (fun () ->
            for core, facade in Seq.zip (VanillaStudy.steps 3) (Fluent.VanillaStudy.Steps 3) do
                let training = Option.get core.Architecture.Training
                let network: Network<float32> = Architectures.build 5 core.Architecture
                Assert.That(facade.Name, equalTo core.Name)
                Assert.That(facade.IsParallel, equalTo core.IsParallel)
                Assert.That((facade.Network.Build 5).WeightHash, equalTo (Network.weightHash network))
                Assert.That(facade.Options.Epochs, equalTo training.Epochs)
                Assert.That(facade.Options.Optimizer, equalTo training.Optimizer)
                Assert.That(facade.Options.Loss, equalTo core.Architecture.Loss))
    ]
