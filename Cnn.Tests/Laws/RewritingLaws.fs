/// Rewriting is algebra: each rule is an equation between networks, and a row of rules is their composition.
module Cnn.Tests.Laws.RewritingLaws

open System
open System.Threading.Tasks
open Expecto
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private monotone = [
    Activation.ReLU
    Activation.LeakyReLU 0.01
    Activation.LeakyReLU 0.3
    Activation.Sigmoid
    Activation.Tanh
]

let private learning kernels seed : Context<float> = {
    Context.reference (Training(Key.ofSeed seed)) with
        Kernels = kernels
}

let private predicting kernels : Context<float> = { Context.reference Inference with Kernels = kernels }

/// A network of layers, its weights, biases and statistics drawn at random.
let private networkOf seed input (layer: Layer<float>) : Network<float> =
    let start = Network.create (Key.ofSeed seed) input layer
    let draw i (t: Tensor<float>) : Tensor<float> = Draw.awayFromZero (seed + 31 * i) t.Shape

    {
        start with
            Parameters = List.mapi draw start.Parameters
            // Variances are positive.
            State = start.State |> List.mapi (fun i t -> draw (100 + i) t |> Tensor.map abs)
    }

let private ofPlan (plan: Plan) = networkOf plan.Seed (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)

let private pictures (plan: Plan) : Tensor<float> =
    Draw.reals (plan.Seed + 1) ((Plan.shape plan.Input).Batch plan.Count)

let private bits (step: Step<float>) ȳ =
    let θ̄, x̄ = step.Pullback ȳ
    step.Output :: step.State @ θ̄ @ [ x̄ ]

let private specs (network: Network<'T>) = Layer.specs network.Layer

/// The float32 of a place in their order, 0 at 0.
let private single place =
    if place < 0 then
        -(BitConverter.Int32BitsToSingle -place)
    else
        BitConverter.Int32BitsToSingle place

/// The float of a place in their order, 0 at 0.
let private double place =
    if place < 0L then
        -(BitConverter.Int64BitsToDouble -place)
    else
        BitConverter.Int64BitsToDouble place

/// The first of ascending numbers after which φ falls; y is room for φ(x).
let private falls (kernels: IKernels<'T>) φ (x: 'T[]) (y: 'T[]) =
    kernels.Activate(φ, ReadOnlySpan x, Span y)
    let mutable i = 1

    while i < y.Length && 'T.op_LessThanOrEqual (y[i - 1], y[i]) do
        i <- i + 1

    if i < y.Length then Some x[i - 1] else None

/// Half of the places anywhere, half where activations bend.
let private start (random: Random) exponents bias =
    let exponent = if random.Next 2 = 0 then random.Next exponents else bias + random.Next(-20, 8)
    let sign = if random.Next 2 = 0 then -1L else 1L
    sign, exponent, random.NextInt64()


let tests =
    testList "rewriting" [
        // Same outputs and next state to the last bit, in training and at inference, with every set of kernels.
        testProperty "optimise f = f, bit for bit, on any composite" (fun (plan: Plan) ->
            let network, x = ofPlan plan, pictures plan
            let other = Network.optimise network

            all [
                for kernels in AllKernels.float do
                    for context in [ learning kernels plan.Seed; predicting kernels ] do
                        let expected, actual = Network.run context network x, Network.run context other x
                        exactly (expected.Output :: expected.State) (actual.Output :: actual.State)
            ])

        // Hence what a user sees of a trained network does not change: counts, hash and slots are of θ and the state.
        testProperty "optimise leaves θ and the state as they are" (fun (plan: Plan) ->
            let network = ofPlan plan
            let other = Network.optimise network

            all [
                exactly network.Parameters other.Parameters
                exactly network.State other.State
                same (Network.output network) (Network.output other)
            ])

        // θ̄ and x̄ of a composite away from ties; θ̄ comes in the same order.
        testProperty "gradients of optimise f = gradients of f away from ties" (fun (Learning point) ->
            let network = {
                Layer = point.Layer
                Input = point.X.Shape.Sample
                Parameters = point.Parameters
                State = point.State
            }

            let other = Network.optimise network

            all [
                for kernels in AllKernels.float do
                    let context = { point.Context with Kernels = kernels }
                    let run (n: Network<float>) = Network.run context n point.X
                    let expected = run network
                    let ȳ: Tensor<float> = Draw.reals 3 expected.Output.Shape
                    List.map2 (near 1e-10) (bits expected ȳ) (bits (run other) ȳ) |> all
            ])

        // Nothing is left to do: no rule applies to what rewriting gives.
        testProperty "rewriting twice = rewriting once" (fun (plan: Plan) ->
            let network = ofPlan plan

            all [
                for rewrite in [ Network.optimise; Network.forInference ] do
                    same (specs (rewrite network)) (specs (rewrite (rewrite network)))
            ])

        // Inference only, up to rounding: batch normalisation, rotations and dropout are in the weights or gone.
        testProperty "forInference f ≈ f on any composite" (fun (plan: Plan) ->
            let network, x = ofPlan plan, pictures plan
            let other = Network.forInference network

            all [
                for kernels in AllKernels.float do
                    let run n = (Network.run (predicting kernels) n x).Output
                    near 1e-9 (run network) (run other)
            ])

        // A φ that keeps order commutes with the largest element of each window, to the last bit, whatever ties.
        testProperty "φ ; max = max ; φ for monotone φ" (fun (Pooled s) ->
            let x: Tensor<float> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
            let max: Layer<float> = Layers.ofSpec (MaxPool s.Pool)

            all [
                for kernels in AllKernels.float do
                    for φ in monotone do
                        for scale in [ 0.01; 1.0; 20.0 ] do
                            let y layer = (Layer.run (predicting kernels) layer [] [] (Tensor.scale scale x)).Output
                            let φ = Layers.activation φ
                            exact (y (Layer.compose φ max)) (y (Layer.compose max φ))
            ])

        // Windows that overlap add before or after φ', hence a rounding. Pairwise distinct numbers that no φ makes equal.
        testProperty "gradients of φ ; max = gradients of max ; φ away from ties" (fun (Pooled s) ->
            let x: Tensor<float> = Draw.distinct s.Seed (s.Picture.Batch s.Samples) |> Tensor.scale (1.0 / 16.0)
            let max: Layer<float> = Layers.ofSpec (MaxPool s.Pool)
            let ȳ: Tensor<float> = Draw.reals (s.Seed + 1) (s.Pooling.Output.Batch s.Samples)

            all [
                for kernels in AllKernels.float do
                    for φ in monotone do
                        let x̄ layer = snd ((Layer.run (predicting kernels) layer [] [] x).Pullback ȳ)
                        let φ = Layers.activation φ
                        near 1e-14 (x̄ (Layer.compose φ max)) (x̄ (Layer.compose max φ))
            ])

        // ReLU's slope is 0 on all that it makes equal: its law holds with ties. Integers.
        testProperty "gradients of ReLU ; max = gradients of max ; ReLU everywhere" (fun (Pooled s) ->
            let x: Tensor<float> =
                Draw.integers s.Seed (s.Picture.Batch s.Samples) |> Tensor.map (fun v -> round (v / 4.0))

            let max: Layer<float> = Layers.ofSpec (MaxPool s.Pool)
            let ȳ: Tensor<float> = Draw.integers (s.Seed + 1) (s.Pooling.Output.Batch s.Samples)

            all [
                for kernels in AllKernels.float do
                    let x̄ layer = snd ((Layer.run (predicting kernels) layer [] [] x).Pullback ȳ)
                    exact (x̄ (Layer.compose (Layers.relu ()) max)) (x̄ (Layer.compose max (Layers.relu ())))
            ])

        // (x ⋆ K + b) ; φ = φ(x ⋆ K + b), forward and backward, to the last bit, with every set of kernels.
        testProperty "fuseActivation: a layer ; φ = the layer with φ" (fun (s: Sliding) ->
            let conv φ : Layer<float> =
                Layers.ofSpec (LayerSpec.Conv2D { s.Conv2D with UseBias = true; Activation = φ })

            let x: Tensor<float> = Draw.reals s.Seed (s.Picture.Batch s.Samples)

            all [
                for φ in Activation.Softmax :: monotone do
                    let network =
                        networkOf s.Seed s.Picture (Layer.compose (conv Activation.Identity) (Layers.activation φ))

                    let other = Network.rewrite [ Rewriting.fuseActivation ] network
                    same 1 other.Layer.Parts.Length

                    for kernels in AllKernels.float do
                        let run n = Network.run (learning kernels s.Seed) n x
                        let ȳ: Tensor<float> = Draw.reals (s.Seed + 2) (s.Geometry.Output.Batch s.Samples)
                        exactly (bits (run network) ȳ) (bits (run other) ȳ)
            ])

        // Sums of n products, with K·s and (b − μ)·s + β rounded beside them: γ_{n+8} of the magnitudes on either side.
        // Higham 2002, lemma 3.1 and eq. 3.5.
        testProperty "foldBatchNorm: |a − b| ≤ 2γₙ₊₈·(|s|·(Σ|x||K| + |b| + |μ|) + |β|)" (fun (s: Sliding) ->
            let check useBias trainable =
                let conv = { s.Conv2D with UseBias = useBias; Trainable = trainable }
                let norm = { Epsilon = 0.01; Momentum = 0.9 }

                let network =
                    networkOf
                        s.Seed
                        s.Picture
                        (Layer.compose (Layers.ofSpec (LayerSpec.Conv2D conv)) (Layers.ofSpec (BatchNorm norm)))

                let x: Tensor<float> = Draw.reals s.Seed (s.Picture.Batch s.Samples)
                let other = Network.rewrite [ Rewriting.foldBatchNorm ] network
                let weights = if trainable then network.Parameters else network.State
                let kernel = weights.Head
                let bias c = if useBias then abs weights[1].Span[c] else 0.0
                let skip = if useBias then 2 else 1

                let γ, β =
                    (if trainable then List.skip skip network.Parameters else network.Parameters)
                    |> fun l -> l[0], l[1]

                let mean, variance =
                    (if trainable then network.State else List.skip skip network.State) |> fun l -> l[0], l[1]

                let plain: Layer<float> = Layers.ofSpec (LayerSpec.Conv2D { s.Conv2D with Trainable = true })

                let magnitudes =
                    (Layer.run (Context.reference Inference) plain [ Tensor.map abs kernel ] [] (Tensor.map abs x))
                        .Output

                let terms = s.Kernel.Height * s.Kernel.Width * s.Channels

                let bound i =
                    let c = i % s.Filters
                    let scale = abs (γ.Span[c] / sqrt (variance.Span[c] + norm.Epsilon))

                    2.0
                    * Rounding.gamma<float>(terms + 8)
                    * (scale * (magnitudes.Span[i] + bias c + abs mean.Span[c]) + abs β.Span[c])

                all [
                    same [ "Conv2D" ] (specs other |> List.map LayerSpec.typeName)

                    for kernels in AllKernels.float do
                        let run n = (Network.run (predicting kernels) n x).Output
                        within bound (run network) (run other)
                ]

            all [ check true true; check false true; check true false ])

        // A scale that is not finite would make NaN of 0·∞ where the formula has none.
        testCase "batch normalisation without variance and ε is not folded" (fun () ->
            let layer =
                Layer.compose (Layers.conv2d 2 3) (Layers.ofSpec (BatchNorm { Epsilon = 0.0; Momentum = 0.9 }))

            let network = networkOf 1 (Shape.Of(5, 5, 1)) layer
            let still = { network with State = [ network.State[0]; Tensor.zeros (Shape.Of 2) ] }
            Assert.That((Network.forInference still).Layer.Parts.Length, equalTo 2)
            Assert.That((Network.forInference network).Layer.Parts.Length, equalTo 1))

        // Fan & Yam 11.5.1, exact on integers with every set of kernels.
        testProperty "rotateKernel: K * x = rot180 K ⋆ x" (fun (s: Sliding) ->
            let conv = LayerSpec.Conv2D { s.Conv2D with Mode = ConvolutionMode.Convolution }
            let x: Tensor<float> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
            let start = Network.create (Key.ofSeed s.Seed) s.Picture (Layers.ofSpec conv)
            let network = { start with Parameters = [ Draw.integers (s.Seed + 1) s.Weights ] }
            let other = Network.rewrite [ Rewriting.rotateKernel ] network

            all [
                exactly [ Tensor.rot180 network.Parameters.Head ] other.Parameters

                for kernels in AllKernels.float do
                    let run n = (Network.run (predicting kernels) n x).Output
                    exact (run network) (run other)
            ])

        // What each rule makes of a row, and what it leaves alone.
        testCase "rules rewrite what they name and nothing else" (fun () ->
            let conv φ = LayerSpec.Conv2D { Conv2D.Default with Filters = 2; Activation = φ }
            let dense φ = LayerSpec.Dense { Dense.Default with Units = 3; Activation = φ }
            let act φ = LayerSpec.Activation φ
            let flat = Flatten FlattenOrder.RowMajor
            let pool n = MaxPool(Pool.Square n)
            let overlapping = MaxPool { Pool.Square 3 with Stride = Size.Square 1; Padding = Same }
            let id, relu, tanh, softmax = Activation.Identity, Activation.ReLU, Activation.Tanh, Activation.Softmax
            let norm, drop = BatchNorm BatchNorm.Default, Dropout(0.5, DropoutKind.Bernoulli)

            let check rewrite before after =
                let network: Network<float> = Network.create (Key.ofSeed 0) (Shape.Of(8, 8, 2)) (Layers.ofSpecs before)
                let found = specs (rewrite network)
                Assert.That((found = after), $"%A{before} became %A{found}")

            for before, after in
                [
                    [ act id; flat; flat; dense id; act id ], [ flat; dense id ]
                    [ pool 1; AveragePool(Pool.Square 1); pool 2 ], [ pool 2 ]
                    [ conv id; act relu; act tanh ], [ conv relu; act tanh ]
                    [ flat; dense id; act softmax ], [ flat; dense softmax ]
                    [ conv tanh; pool 2 ], [ conv id; pool 2; act tanh ]
                    [ conv id; act relu; pool 2; pool 3 ], [ conv id; pool 2; pool 3; act relu ]
                    [ conv relu; GlobalMaxPool; dense id ], [ conv id; GlobalMaxPool; act relu; dense id ]
                    [ norm; act relu; pool 2 ], [ norm; pool 2; act relu ]
                    // Kept: softmax is not elementwise, a mean is not a maximum, and there is nothing to gain.
                    [ conv softmax; pool 2 ], [ conv softmax; pool 2 ]
                    [ conv tanh; AveragePool(Pool.Square 2) ], [ conv tanh; AveragePool(Pool.Square 2) ]
                    [ conv tanh; overlapping ], [ conv tanh; overlapping ]
                    [ conv id; norm; drop; flat ], [ conv id; norm; drop; flat ]
                ] do
                check Network.optimise before after

            for before, after in
                [
                    [ conv id; norm; act relu; drop; pool 2 ], [ conv relu; pool 2 ]
                    [ conv id; norm; act tanh; pool 2; drop ], [ conv id; pool 2; act tanh ]
                    [ drop; flat; dense id; norm; act softmax ], [ flat; dense softmax ]
                    [ conv relu; norm ], [ conv relu; norm ]
                ] do
                check Network.forInference before after)

        // Training runs the rewritten layers and shows the user's: one step of descent is θ − η·θ̄ by the formulas of the
        // layers as they were given, and the summary stays.
        testProperty "a step of training, rewritten = θ − ηθ̄ of the layers as given" (fun (r: Rows) ->
            let conv φ = LayerSpec.Conv2D { Conv2D.Default with Filters = 3; Activation = φ }
            let φ = monotone[r.Seed % monotone.Length]

            let layer: Layer<float> =
                Layers.ofSpecs [
                    conv φ
                    MaxPool(Pool.Square 2)
                    Flatten FlattenOrder.RowMajor
                    LayerSpec.Dense { Dense.Default with Units = 3 }
                    LayerSpec.Activation Activation.Softmax
                ]

            let input, count = Shape.Of(6, 8, 2), 5
            let network = networkOf r.Seed input layer
            let picture i : Tensor<float32> = Draw.distinct (r.Seed + i) input |> Tensor.scale (1.0f / 16.0f)
            let labels = Array.init count (fun i -> (r.Seed + i) % 3)

            let data =
                Dataset.Create(
                    input,
                    labels,
                    [ "a"; "b"; "c" ],
                    PictureReader(fun i destination -> (picture i).Span.CopyTo destination)
                )

            let η = 0.01

            let settings = { TrainingSettings.Default with BatchSize = count; Optimizer = Optimizer.Sgd η }

            let x = Dataset.tensor data [| 0 .. count - 1 |]
            let _, θ̄ = Network.gradient Loss.CrossEntropy Inference network x (Labels(ReadOnlyMemory labels))
            let expected = List.map2 (Tensor.map2 (fun θ g -> θ - η * g)) network.Parameters θ̄

            all [
                for kernels in AllKernels.float do
                    let backend = { Backend.reference<float> with Kernels = kernels }
                    let trained = (Training.run backend settings 1 data network).Network
                    same (specs network) (specs trained)
                    List.map2 (near 1e-11) expected trained.Parameters |> all
            ])

        // Neighbours in both precisions: rules with max pooling rest on this. All float32 numbers under CNN_EXHAUSTIVE.
        testProperty "x ≤ x' ⇒ φ(x) ≤ φ(x') as implemented" (fun (r: Rows) ->
            let random = Random r.Seed
            let length = 500

            let singles =
                let sign, exponent, mantissa = start random 254 127
                let first = int sign * ((exponent <<< 23) + int (mantissa &&& 0x7FFFFFL))
                Array.init length (fun i -> single (first + i))

            let doubles =
                let sign, exponent, mantissa = start random 2046 1023
                let first = sign * ((int64 exponent <<< 52) + (mantissa &&& 0xFFFFFFFFFFFFFL))
                Array.init length (fun i -> double (first + int64 i))

            let check (all': IKernels<'T> list) (x: 'T[]) =
                all [
                    for kernels in all' do
                        for φ in monotone do
                            same None (falls kernels φ x (Array.zeroCreate x.Length) |> Option.map real)
                            |> Prop.label (string φ + " with " + kernels.InstructionSet)
                ]

            all [ check AllKernels.float32 singles; check AllKernels.float doubles ])

        // Infinities included; about a minute for each set of kernels.
        testEach "x ≤ x' ⇒ φ(x) ≤ φ(x') for all float32 numbers" AllKernels.float32 _.InstructionSet (fun kernels ->
            if isNull (Environment.GetEnvironmentVariable "CNN_EXHAUSTIVE") then
                Assert.Ignore "All float32 numbers take minutes: set CNN_EXHAUSTIVE."

            // Pieces that stay in cache; each ends where the next one begins.
            let last, piece = 0x7F800000L, 1 <<< 12
            let room () = Array.zeroCreate<float32>(piece + 1)

            let check p _ (struct (x: float32[], y)) =
                let first = int (p * int64 piece - last)

                for i in 0..piece do
                    x[i] <- single (first + i)

                for φ in monotone do
                    match falls kernels φ x y with
                    | Some place -> Assert.Fail $"{φ} falls after {place:R}."
                    | None -> ()

                struct (x, y)

            Parallel.For(0L, 2L * last / int64 piece, (fun () -> struct (room (), room ())), check, ignore)
            |> ignore)
    ]
