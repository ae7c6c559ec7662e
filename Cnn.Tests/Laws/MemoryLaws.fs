/// Memory is recycled: predicting keeps none, and a training step allocates no array.
module Cnn.Tests.Laws.MemoryLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

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

let private architectures = [
    for architecture in Architectures.all do
        // Too much work for the textbook path; their layers are like those of the others.
        if not (List.contains architecture.Name [ "catdog"; "vgg28"; "vgg32" ]) then
            architecture.Name
]

/// A training of an architecture on random pictures, on this thread, in batches of four: always four shards.
let private train name steps onBatch =
    let architecture = Architectures.tryFind name |> Option.get
    let network: FSharp.Network<float32> = Architectures.build 1 architecture
    let classes = max 2 (Network.output network).Size

    let dataset =
        Dataset.Create(
            network.Input,
            Array.init (4 * steps) (fun i -> i % classes),
            Seq.init classes string,
            PictureReader(fun index destination ->
                for i in 0 .. destination.Length - 1 do
                    destination[i] <- float32 ((index + i) % 7))
        )

    let settings = { TrainingSettings.Default with BatchSize = 4; OnBatch = onBatch }
    Training.run backend settings 1 dataset network |> ignore
    architecture.Layers.Length

/// What a training of one step on a network with a wide layer allocates, for batches of as many shards as samples.
let private ofOneStep (inputs: int) (units: int) count =
    let network: FSharp.Network<float32> =
        [ LayerSpec.Dense { Dense.Default with Units = units } ]
        |> Layers.ofSpecs
        |> Network.create (Key.ofSeed 1) (Shape.Of inputs)

    let dataset =
        Dataset.Create(
            network.Input,
            Array.init count (fun i -> i % units),
            Seq.init units string,
            PictureReader(fun index destination -> destination.Fill(float32 index))
        )

    let before = GC.GetAllocatedBytesForCurrentThread()
    Training.run backend { TrainingSettings.Default with BatchSize = count } 1 dataset network |> ignore
    GC.GetAllocatedBytesForCurrentThread() - before

let tests =
    testList "memory" [
        // Weights are packed once for a predictor: what it keeps does not grow with the number of answers.
        testTheory "a predictor keeps no memory from answer to answer" modes (fun (mode: ConvolutionMode) ->
            let predictor = Predictor(backend, network mode)
            let x = Tensor.zeros (Shape.Of(1, 12, 10, 1))

            let keptAfter answers =
                for _ in 1..answers do
                    predictor.Run x |> ignore

                GC.GetTotalMemory true

            let before = keptAfter 20
            let grown = keptAfter 200 - before
            GC.KeepAlive predictor
            Assert.That(grown, lessThan 100000L))

        // ARCHITECTURE: no array is allocated per step after warm-up. Larger pictures and more filters have larger arrays, and
        // yet a step allocates no more; what it does allocate are small objects.
        testTheory
            "what a training step allocates does not grow with pictures and filters"
            modes
            (fun (mode: ConvolutionMode) ->
                let small = perStep mode 6 8 2
                let large = perStep mode 18 16 16
                Assert.That(large - small, lessThan 1024.0))

        // Measured once all that is allocated once has been.
        testTheory
            "a training step allocates at most 512 bytes for each layer and shard, and 4 KB"
            architectures
            (fun (name: string) ->
                let steps, shards = 20, 4
                let allocated = Array.zeroCreate<int64> steps

                let layers =
                    train name steps (fun p -> allocated[p.Batch - 1] <- GC.GetAllocatedBytesForCurrentThread())

                let perStep = Array.pairwise allocated |> Array.map (fun (before, after) -> after - before)
                Assert.That(Array.min perStep, atMost (int64 (512 * layers * shards + 4096))))

        // What a step allocates dies in the youngest generation. The runtime's first collection takes an older one along,
        // so the warm-up is long enough to meet it.
        testCase "a thousand training steps collect no older generation" (fun () ->
            let warmUp, steps = 4000, 1000
            let before, after = ref 0, ref 0

            train "densenet2_20" (warmUp + steps) (fun p ->
                if p.Batch = warmUp then
                    before.Value <- GC.CollectionCount 1

                after.Value <- GC.CollectionCount 1)
            |> ignore

            Assert.That(after.Value, equalTo before.Value))

        // Each is added to the sum while it is in cache, and its memory passes on to the next shard.
        testCase "the gradients of all shards take the memory of one" (fun () ->
            let inputs, units = 400, 500
            let two, four = ofOneStep inputs units 2, ofOneStep inputs units 4
            Assert.That(four - two, lessThan (int64 (inputs * units * sizeof<float32>))))

        // m and v are 0 everywhere at first: each is one array, as large as the largest tensor of θ.
        testCase "the memory of an optimiser starts as large as the largest tensor" (fun () ->
            let count, size = 50, 1000
            let θ: Parameters<float32> = List.init count (fun _ -> Tensor.zeros (Shape.Of [| size |]))
            Optimizer.start (Optimizer.Adam()) θ |> ignore
            let before = GC.GetAllocatedBytesForCurrentThread()
            let state = Optimizer.start (Optimizer.Adam()) θ
            let allocated = GC.GetAllocatedBytesForCurrentThread() - before
            GC.KeepAlive state
            Assert.That(allocated, lessThan (int64 (2 * (size * sizeof<float32> + count * 100) + 1000))))

        // A prediction allocates its answer and small objects: no array, whatever the size of the pictures.
        testTheory
            "what an answer allocates does not grow with pictures and filters"
            modes
            (fun (mode: ConvolutionMode) ->
                let perAnswer height width filters =
                    let specs = [
                        conv mode filters
                        MaxPool(Pool.Square 2)
                        GlobalAveragePool
                        LayerSpec.Dense { Dense.Default with Units = 3 }
                    ]

                    let network: FSharp.Network<float32> =
                        Network.create (Key.ofSeed 1) (Shape.Of(height, width, 2)) (Layers.ofSpecs specs)

                    let predictor = Predictor(backend, network)
                    let x = Tensor.zeros (Shape.Of(1, height, width, 2))

                    let allocated () =
                        let before = GC.GetAllocatedBytesForCurrentThread()
                        predictor.Run x |> ignore
                        GC.GetAllocatedBytesForCurrentThread() - before

                    [ for _ in 1..20 -> allocated () ] |> List.min

                let small, large = perAnswer 6 8 2, perAnswer 18 16 16
                Assert.That(large, equalTo small)
                Assert.That(large, atMost 2048L))
    ]
    |> testSequenced
