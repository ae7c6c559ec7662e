/// Threads change no bit of what vector kernels compute: they have scratch, packed weights and tiles.
module Cnn.Tests.Laws.ThreadLaws

open System.Numerics
open Expecto
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A tenth of the cases: each is trained many times.
let private testFew name property =
    testPropertyWithConfig { configuration with maxTest = max 1 (configuration.maxTest / 10) } name property

let private on threads kernels : Backend<'T> = { Kernels = kernels; Scheduler = ParallelScheduler threads }

/// The layers of a plan, a classifier of three classes behind them, at the start.
let private network (plan: Plan) : Network<'T> =
    let dense = LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }

    plan.Specs @ [ Flatten FlattenOrder.RowMajor; dense ]
    |> Layers.ofSpecs
    |> Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input)

/// Pictures of three classes.
let private pictures count (plan: Plan) =
    let shape = Plan.shape plan.Input
    let drawn: Tensor<float32>[] = Array.init count (fun index -> Draw.reals (plan.Seed + index) shape)

    Dataset.Create(
        shape,
        Array.init count (fun i -> (plan.Seed + i * i) % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> drawn[index].Span.CopyTo destination)
    )

/// The weights, statistics and moments after three steps, the last one of a short batch.
let private trained (kernels: IKernels<'T>) (plan: Plan) data threads =
    let settings = {
        TrainingSettings.Default with
            BatchSize = 6
            Optimizer = Optimizer.Adam 0.01
            Seed = plan.Seed
    }

    let state = Training.run (on threads kernels) settings 1 data (network plan)

    state.Network.Parameters @ state.Network.State @ state.Optimizer.Moments @ state.Optimizer.Squares

/// One thread again, and more threads than shards.
let private anyThreads = [ 1; 2; 3; 8 ]

let private trainsAlike (plan: Plan) (kernels: IKernels<'T>) =
    let data = pictures 14 plan
    let expected = trained kernels plan data 1

    all [
        for threads in anyThreads ->
            exactly expected (trained kernels plan data threads) |> Prop.label $"{threads} threads"
    ]

let private answersAlike (plan: Plan) (kernels: IKernels<'T>) =
    let count = 19
    let network: Network<'T> = network plan
    let x: Tensor<'T> = Dataset.tensor (pictures count plan) [| 0 .. count - 1 |]
    let answers threads (x: Tensor<'T>) = Predictor(on threads kernels, network).Run x
    let expected = answers 1 x

    all [
        for threads in anyThreads do
            exact expected (answers threads x) |> Prop.label $"{threads} threads"

        for first, some in [ 0, 1; 7, 2; 18, 1 ] do
            exact (expected.Slice(first, some)) (answers 1 (x.Slice(first, some)))
            |> Prop.label $"{some} from {first}"
    ]

let private onVectors (inFloat: IKernels<float> -> _) (inFloat32: IKernels<float32> -> _) =
    all [
        for kernels in AllKernels.fast -> inFloat kernels |> Prop.label kernels.InstructionSet
        for kernels in AllKernels.fast32 -> inFloat32 kernels |> Prop.label (kernels.InstructionSet + ", float32")
    ]

/// Tiles forward, backward and for the filters; a matrix product over pixels; one channel; a normalisation.
let private wide: Plan =
    let conv filters kernel =
        LayerSpec.Conv2D {
            Conv2D.Default with
                Filters = filters
                Kernel = Size.Square kernel
                Padding = Same
                Activation = Cnn.Activation.ReLU
        }

    {
        Count = 1
        Input = [ 8; 8; 1 ]
        Specs = [ conv 5 3; conv 32 1; BatchNorm BatchNorm.Default; conv 32 3; MaxPool(Pool.Square 2); conv 7 3 ]
        Seed = 3
    }

let tests =
    testList "on threads" [
        // SimdKernels: the order of a sum depends neither on the threads nor on the number of samples.
        testFew "vector kernels train to the same bits on 1, 2, 3 and 8 threads, and again" (fun (plan: Plan) ->
            onVectors (trainsAlike plan) (trainsAlike plan))

        testFew
            "an answer of vector kernels does not depend on the samples beside it or the threads"
            (fun (plan: Plan) -> onVectors (answersAlike plan) (answersAlike plan))

        testCase "tiles and packed weights give the same bits on 1, 2, 3 and 8 threads, whatever the batch" (fun () ->
            holds (onVectors (trainsAlike wide) (trainsAlike wide))
            holds (onVectors (answersAlike wide) (answersAlike wide)))
    ]
