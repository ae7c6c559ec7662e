/// Memory is recycled: predicting keeps none, and a training step allocates no array.
module Cnn.Tests.Laws.MemoryLaws

open System
open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Fluent

let private conv mode filters =
    LayerSpec.Conv2D {
        Conv2D.Default with
            Filters = filters
            Padding = Same
            Activation = Activation.ReLU
            Mode = mode
    }

let private network mode : FSharp.Network<float32> =
    let specs = [
        conv mode 16
        conv mode 32
        MaxPool(Pool.Square 2)
        Flatten FlattenOrder.RowMajor
        LayerSpec.Dense { Dense.Default with Units = 10; Activation = Activation.Softmax }
    ]

    Network.create (Key.ofSeed 1) (Shape.Of(12, 10, 1)) (Layers.ofSpecs specs)

let private modes = Enum.GetValues<ConvolutionMode>()
let private backend = Simd.Backend<float32> 1

/// Weights are packed once for a predictor: what it keeps does not grow with the number of answers.
[<TestCaseSource(nameof modes)>]
let ``a predictor keeps no memory from answer to answer`` (mode: ConvolutionMode) =
    let predictor = Predictor(backend, network mode)
    let x = Tensor.zeros (Shape.Of(1, 12, 10, 1))

    let keptAfter answers =
        for _ in 1..answers do
            predictor.Run x |> ignore

        GC.GetTotalMemory true

    let before = keptAfter 20
    let grown = keptAfter 200 - before
    GC.KeepAlive predictor
    Assert.That(grown, Is.LessThan 100000L)

/// What a training step allocates on its thread. Epochs of 40 steps and of 20 differ by 20 steps.
let private perStep mode height width filters =
    let batch = 8

    let specs = [
        conv mode filters
        MaxPool(Pool.Square 2)
        Flatten FlattenOrder.RowMajor
        LayerSpec.Dense { Dense.Default with Units = 10; Activation = Activation.Softmax }
    ]

    let allocated count =
        let dataset =
            Dataset.Create(
                Shape.Of(height, width, 2),
                Array.init count (fun i -> i % 10),
                Seq.init 10 string,
                PictureReader(fun index destination -> destination.Fill(float32 (index % 7)))
            )

        let network = Network.create (Key.ofSeed 1) dataset.Shape (Layers.ofSpecs specs)
        let states = Training.epochs backend { TrainingSettings.Default with BatchSize = batch } dataset network
        use epochs = states.GetEnumerator()
        epochs.MoveNext() |> ignore
        let before = GC.GetAllocatedBytesForCurrentThread()
        epochs.MoveNext() |> ignore
        GC.GetAllocatedBytesForCurrentThread() - before

    float (allocated (40 * batch) - allocated (20 * batch)) / 20.0

/// ARCHITECTURE: no array is allocated per step after warm-up. Larger pictures and more filters have larger arrays, and
/// yet a step allocates no more; what it does allocate are small objects.
[<TestCaseSource(nameof modes)>]
let ``what a training step allocates does not grow with pictures and filters`` (mode: ConvolutionMode) =
    let small = perStep mode 6 8 2
    let large = perStep mode 18 16 16
    Assert.That(large - small, Is.LessThan 1024.0)
