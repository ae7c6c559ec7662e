/// Layers of a user's own in the sharded training: what they give back is theirs, whatever memory it lies in.
module Cnn.Tests.Laws.CustomLayerLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A layer of vectors of three with the given parameters and state, and how it runs.
let private layer parameters states run : Layer<float> =
    let vectors count = List.init count (fun i -> Tensor.init (Shape.Of 3) (fun c -> 0.1 * float (i + c + 1)))
    Layer.create "own" parameters states 0 id (fun _ _ -> vectors parameters, vectors states) run

let private rowSum (ȳ: Tensor<float>) =
    Tensor.init (Shape.Of 3) (fun c -> Seq.sum (Seq.init ȳ.Shape[0] (fun n -> ȳ[n, c])))

let private add (x: Tensor<float>) (shift: Tensor<float>) = Tensor.init x.Shape (fun i -> x.Span[i] + shift.Span[i % 3])

/// Twelve vectors, pictures of 1×1×3 flattened, of three classes.
let private data =
    Dataset.Create(
        Shape.Of(1, 1, 3),
        Seq.init 12 (fun i -> i % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun i destination ->
            for c in 0..2 do
                destination[c] <- float32 (i * (c + 1) % 5) / 5.0f)
    )

let private network own =
    Network.create (Key.ofSeed 1) (Shape.Of(1, 1, 3)) (Layer.sequence [ Layers.flatten (); own; Layers.softmax () ])

let private settings = { TrainingSettings.Default with BatchSize = 8; Optimizer = Optimizer.Sgd 1.0 }

let private trained own = Training.run Backend.reference settings 2 data (network own)

/// The gradient of one step over all twelve, as the formulas say it.
let private formula own =
    let start = network own
    let x = Dataset.tensor data [| 0..11 |]

    let θ̄ =
        snd (
            Network.gradient
                Loss.CrossEntropy
                (Training(Key.ofSeed 0))
                start
                x
                (Labels(ReadOnlyMemory(Array.ofSeq data.Labels)))
        )

    List.map2 (Tensor.map2 (-)) start.Parameters θ̄

let tests =
    testList "layers of one's own" [
        // y = x + a + b: both parameters have the same gradient, and the pullback gives one tensor for both.
        testCase "one tensor as the gradient of two parameters: θ' = θ − ηθ̄ for each" (fun () ->
            let own =
                layer 2 0 (fun _ θ s x ->
                    let pullback ȳ =
                        let sum = rowSum ȳ
                        [ sum; sum ], ȳ

                    { Output = add (add x θ[0]) θ[1]; State = s; Pullback = pullback })

            let step = { settings with BatchSize = 12 }

            // Alone in its stretch of layers, and below a layer that couples the samples.
            for own in [ own; Layer.compose own (Layers.batchNorm ()) ] do
                let found = Training.run Backend.reference step 1 data (network own)

                for expected, actual in List.zip (formula own) found.Network.Parameters do
                    for a, e in Seq.zip (actual.ToArray()) (expected.ToArray()) do
                        Assert.That(a, closeTo e 1e-9))

        // A pullback that gives back what is not its own leaves it as it was.
        testCase "training writes into no tensor that it was given" (fun () ->
            let own = layer 1 0 (fun _ θ s x -> { Output = add x θ[0]; State = s; Pullback = fun ȳ -> [ θ[0] ], ȳ })

            let start = network own
            let before = Tensor.copy start.Parameters.Head
            Training.run Backend.reference settings 2 data start |> ignore
            Assert.That(start.Parameters.Head, equalTo before))

        testCase "a gradient may be a view of ȳ or of the workspace" (fun () ->
            let views = [
                fun (_: Context<float>) (ȳ: Tensor<float>) -> ȳ.Slice(0, 1).Reshape(Shape.Of 3)
                fun context ȳ ->
                    let lent = (Layers.relu ()).Parts.Head.Run context [] [] (rowSum ȳ)
                    lent.Output
            ]

            for view in views do
                let own =
                    layer 1 0 (fun context θ s x -> {
                        Output = add x θ[0]
                        State = s
                        Pullback = fun ȳ -> [ view context ȳ ], ȳ
                    })

                Assert.That((trained own).Network.Parameters.Head.ToArray() |> Array.forall Double.IsFinite, isTrue))

        // Changed in the first step, left alone in the others.
        testCase "a state that rests keeps its value" (fun () ->
            let own =
                layer 0 1 (fun _ _ s x ->
                    let next = if s.Head.Span[0] < 5.0 then Tensor.map (fun v -> v + 7.0) s.Head else s.Head
                    { Output = x; State = [ next ]; Pullback = fun ȳ -> [], ȳ })

            let start = (network own).State.Head
            Assert.That((trained own).Network.State.Head, equalTo (Tensor.map (fun v -> v + 7.0) start)))

        // Softmax is over the last axis; a sample with several rows of it has the sum of their losses.
        testProperty "fused = composed, for samples of several pixels too" (fun (r: Rows) ->
            let shape = Shape.Of(r.Count, 2, 3, r.Features)
            let z: Tensor<float> = Draw.reals r.Seed shape

            let targets =
                Values(
                    Tensor.init shape (fun i ->
                        if i % r.Features = (i / r.Features + r.Seed) % r.Features then 1.0 else 0.0)
                )

            let softmax = Layer.run (Context.reference Inference) (Layers.softmax ()) [] [] z
            let struct (composed, ȳ) = Loss.evaluate Loss.CrossEntropy softmax.Output targets
            let struct (fused, gradient) = Loss.evaluate Loss.SoftmaxCrossEntropy z targets
            let one value = Tensor.ofArray (Shape.Of 1) [| value |]
            all [ near 1e-12 (one composed) (one fused); near 1e-10 (snd (softmax.Pullback ȳ)) gradient ])

        testCase "windows whose sizes overflow are refused, not believed" (fun () ->
            for dilation, padding in [ 1 <<< 30, Valid; 1, Explicit(Int32.MaxValue, Int32.MaxValue, 0, 0) ] do
                let spec = {
                    Conv2D.Default with
                        Kernel = Size.Square 5
                        Dilation = Size.Square dilation
                        Padding = padding
                }

                Assert.Throws<ShapeException>(fun () ->
                    Layer.output (Layers.ofSpec (LayerSpec.Conv2D spec): Layer<float>) (Shape.Of(8, 8, 1)) |> ignore)
                |> ignore)

        testCase "batches of different samples, and none at all, are not concatenated" (fun () ->
            let zeros (extents: int[]) : Tensor<float> = Tensor.zeros (Shape.Of extents)

            Assert.Throws<ShapeException>(fun () -> Tensor.concat [ zeros [| 1; 2 |]; zeros [| 1; 3 |] ] |> ignore)
            |> ignore

            Assert.Throws<ShapeException>(fun () -> Tensor.concat ([]: Tensor<float> list) |> ignore) |> ignore)

        // A mean far from zero over a million rows: the error of a sum must not grow with the rows.
        testCase "moments of many rows keep their digits in single precision" (fun () ->
            let rows, columns = 400_000, 3
            let key = Key.ofSeed 3
            let x = Array.init (rows * columns) (fun i -> 100.0f + 0.01f * float32 (key.Uniform(int64 i)))
            let mean, variance = Array.zeroCreate<float32> columns, Array.zeroCreate<float32> columns
            let kernels = Cnn.Fluent.Simd.Backend<float32>().Kernels
            kernels.Moments(ReadOnlySpan x, Span mean, Span variance)

            for c in 0 .. columns - 1 do
                let column = Array.init rows (fun r -> float x[r * columns + c])
                let exact = Array.average column
                let spread = column |> Array.averageBy (fun v -> (v - exact) * (v - exact))
                Assert.That(abs (float mean[c] - exact), lessThan 1e-3)
                Assert.That(abs (float variance[c] - spread), lessThan (0.1 * spread)))
    ]
