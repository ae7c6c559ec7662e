/// The verification of networks, verified: what is right passes, what is wrong is found and named, and what proves
/// nothing is refused.
module Cnn.Tests.Laws.VerifyLaws

open System
open System.Numerics
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Pictures of noise, of as many classes as are asked for.
let private noise (shape: Shape) classes count =
    let key = Key.ofSeed 12

    Dataset.Create(
        shape,
        Seq.init count (fun i -> i % classes),
        Seq.init classes string,
        PictureReader(fun i destination ->
            for c in 0 .. shape.Size - 1 do
                destination[c] <- float32 (key.Uniform(int64 (i * shape.Size + c))))
    )

let private doubles = Simd.Backend<float> 2

let private settings = { VerificationSettings.Default with Doubles = doubles.Kernels }

let private verdict (verification: Verification) = verification.Verdict

let private isWith verdict (verification: Verification) =
    Assert.That(verification.Verdict, equalTo (verdict: VerificationVerdict), verification.Table())

/// Names of layers that failed, and claims.
let private failures (verification: Verification) =
    verification.Failures |> Seq.map (fun c -> c.Layer, c.Claim) |> Seq.distinct |> List.ofSeq

let private features = 24

/// y = a∘x + b over vectors, with a pullback of the caller's: (a, b, x, ȳ) ↦ (ā, b̄, x̄), each row by row.
let private custom<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> pullback : Layer<'T> =
    let run (_: Context<'T>) (θ: Parameters<'T>) s (x: Tensor<'T>) = {
        Output =
            Tensor.init x.Shape (fun i ->
                let scaled: 'T = θ[0].Span[i % features] * x.Span[i]
                scaled + θ[1].Span[i % features])
        State = s
        Pullback = pullback θ[0] x
    }

    let initial _ _ =
        [
            Tensor.init (Shape.Of features) (fun c -> number (1.0 + float c / 10.0))
            Tensor.init (Shape.Of features) (fun c -> number (float c / 7.0 - 1.0))
        ],
        []

    Layer.create "own" 2 0 0 id initial run

let private column (rows: int) (value: int -> 'T) : Tensor<'T> =
    Tensor.init (Shape.Of features) (fun c ->
        let mutable sum = 'T.Zero

        for n in 0 .. rows - 1 do
            sum <- sum + value (n * features + c)

        sum)

let private product (a: Tensor<'T>) (b: Tensor<'T>) i : 'T = a.Span[i] * b.Span[i]

/// ā = Σ ȳ∘x, b̄ = Σ ȳ, x̄ = a∘ȳ.
let private right (a: Tensor<'T>) (x: Tensor<'T>) (ȳ: Tensor<'T>) =
    let rows = ȳ.Shape[0]

    [ column rows (product ȳ x); column rows (fun i -> ȳ.Span[i]) ],
    Tensor.init ȳ.Shape (fun i ->
        let pulled: 'T = a.Span[i % features] * ȳ.Span[i]
        pulled)

let private around (own: Layer<'T>) : Network<'T> =
    Layer.sequence [ Layers.flatten (); Layers.dense features; own; Layers.dense 3; Layers.softmax () ]
    |> Network.create (Key.ofSeed 3) (Shape.Of(4, 3, 2))

let private pictures = noise (Shape.Of(4, 3, 2)) 3 12

let private verified backend (network: Network<'T>) = Verify.run settings backend pictures network

/// What is wrong with a pullback, where it shows, and the pullback.
let private wrong<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> () =
    let last = ref Tensor<'T>.Empty

    [
        "input", fun a x ȳ -> let θ̄, x̄ = right a x ȳ in θ̄, Tensor.map (fun v -> -v) x̄
        "parameter0", fun a x ȳ -> let θ̄, x̄ = right a x ȳ in [ Tensor.scale (number 2.0) θ̄[0]; θ̄[1] ], x̄
        // Not summed over the batch.
        "parameter1", fun a x ȳ -> let θ̄, x̄ = right a x ȳ in [ θ̄[0]; column 1 (fun i -> ȳ.Span[i]) ], x̄
        // What the layer saw last, not what it saw here.
        "parameter0",
        fun a x ->
            last.Value <- x
            fun ȳ -> right a last.Value ȳ
        "parameter0[7]",
        fun a x ȳ ->
            let θ̄, x̄ = right a x ȳ

            let off =
                Tensor.init (Shape.Of features) (fun c ->
                    let v: 'T = θ̄[0].Span[c]
                    if c = 7 then v + number 0.25 else v)

            [ off; θ̄[1] ], x̄
    ]

let private findsAll (backend: Backend<'T>) =
    for where, pullback in wrong<'T>() do
        let verification = verified backend (around (custom pullback))
        Assert.That(verification.Verdict, equalTo VerificationVerdict.Failed, where)

        let gradients = verification.Failures |> Seq.filter (fun c -> c.Claim = "gradient") |> List.ofSeq

        Assert.That(gradients |> List.map (fun c -> c.Layer) |> List.distinct, equalTo [ "own" ], verification.Table())

        Assert.That(
            gradients |> List.exists (fun c -> c.Worst.StartsWith("own/" + where, StringComparison.Ordinal)),
            verification.Table()
        )

let private architectures = Architectures.all |> List.map (fun a -> a.Name)

/// Kernels of which one gives a result with something added to one entry.
type private Planted<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
    (inner: IKernels<'T>, kernel: string, change: 'T -> 'T) =

    let plant name (result: Span<'T>) =
        if name = kernel then
            result[result.Length / 2] <- change result[result.Length / 2]

    interface IKernels<'T> with
        member _.InstructionSet = "planted"
        member _.PackedLength(g, packing) = inner.PackedLength(g, packing)
        member _.Pack(g, packing, w, d) = inner.Pack(g, packing, w, d)

        member _.Correlate(s, g, x, w, p, b, φ, y) =
            inner.Correlate(s, g, x, w, p, b, φ, y)
            plant "Correlate" y

        member _.CorrelateInputAdjoint(s, g, dy, w, p, dx) =
            inner.CorrelateInputAdjoint(s, g, dy, w, p, dx)
            plant "CorrelateInputAdjoint" dx

        member _.CorrelateFilterAdjoint(s, g, x, dy, dw) =
            inner.CorrelateFilterAdjoint(s, g, x, dy, dw)
            plant "CorrelateFilterAdjoint" dw

        member _.SumRows(x, sums) =
            inner.SumRows(x, sums)
            plant "SumRows" sums

        member _.MaxPool(g, x, y, i) =
            inner.MaxPool(g, x, y, i)
            plant "MaxPool" y

        member _.MaxPoolAdjoint(g, dy, i, dx) =
            inner.MaxPoolAdjoint(g, dy, i, dx)
            plant "MaxPoolAdjoint" dx

        member _.AveragePool(g, x, y) =
            inner.AveragePool(g, x, y)
            plant "AveragePool" y

        member _.AveragePoolAdjoint(g, dy, dx) =
            inner.AveragePoolAdjoint(g, dy, dx)
            plant "AveragePoolAdjoint" dx

        member _.Activate(φ, x, y) =
            inner.Activate(φ, x, y)
            plant "Activate" y

        member _.ActivateAdjoint(φ, y, dy, dx) =
            inner.ActivateAdjoint(φ, y, dy, dx)
            plant "ActivateAdjoint" dx

        member _.BiasAdjoint(φ, y, dy, dx, db) =
            inner.BiasAdjoint(φ, y, dy, dx, db)
            plant "BiasAdjoint, input" dx
            plant "BiasAdjoint, bias" db

        member _.Softmax(width, x, y) =
            inner.Softmax(width, x, y)
            plant "Softmax" y

        member _.SoftmaxAdjoint(width, y, dy, dx) =
            inner.SoftmaxAdjoint(width, y, dy, dx)
            plant "SoftmaxAdjoint" dx

        member _.Moments(x, mean, variance) =
            inner.Moments(x, mean, variance)
            plant "Moments, means" mean
            plant "Moments, variances" variance

        member _.Normalize(x, mean, scale, shift, y) =
            inner.Normalize(x, mean, scale, shift, y)
            plant "Normalize" y

        member _.SumProducts(dy, x, mean, scale, sums) =
            inner.SumProducts(dy, x, mean, scale, sums)
            plant "SumProducts" sums

        member _.Multiply(a, b, y) =
            inner.Multiply(a, b, y)
            plant "Multiply" y

        member _.Accumulate(x, sum) =
            inner.Accumulate(x, sum)
            plant "Accumulate" sum

        member _.Update(update, g, p, s1, s2, np, n1, n2) = inner.Update(update, g, p, s1, s2, np, n1, n2)

/// One layer of each kind, so that every kernel runs.
let private everything: Network<float32> =
    Layers.ofSpecs [
        Conv2D { Conv2D.Default with Filters = 4; Padding = Same }
        BatchNorm BatchNorm.Default
        LayerSpec.Activation Activation.Tanh
        MaxPool(Pool.Square 2)
        AveragePool(Pool.Square 2)
        Dropout(0.25, DropoutKind.Bernoulli)
        Flatten FlattenOrder.RowMajor
        LayerSpec.Dense { Dense.Default with Units = 5; Activation = Activation.Tanh }
        LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
    ]
    |> Network.create (Key.ofSeed 5) (Shape.Of(8, 10, 2))

let private kernels = [
    "Correlate", "conv2d"
    "CorrelateInputAdjoint", "conv2d"
    "CorrelateFilterAdjoint", "conv2d"
    "SumRows", "conv2d"
    "MaxPool", "max_pooling2d"
    "MaxPoolAdjoint", "max_pooling2d"
    "AveragePool", "average_pooling2d"
    "AveragePoolAdjoint", "average_pooling2d"
    "Activate", "activation"
    "ActivateAdjoint", "activation"
    "BiasAdjoint, input", "dense"
    "BiasAdjoint, bias", "dense"
    "Softmax", "dense_1"
    "SoftmaxAdjoint", "dense_1"
    "Moments, means", "batch_normalization"
    "Moments, variances", "batch_normalization"
    "Normalize", "batch_normalization"
    "SumProducts", "batch_normalization"
    "Multiply", "dropout"
    "Accumulate", "batch_normalization"
]

let tests =
    testList "verification" [
        testCase "a layer of a user's own with a right pullback passes, in double and in single precision" (fun () ->
            verified doubles (around (custom right)) |> isWith VerificationVerdict.Passed
            verified (Simd.Backend<float32> 2) (around (custom right)) |> isWith VerificationVerdict.Passed)

        testCase
            "a wrong pullback is found and named: sign, factor, sum over the batch, stale input, one entry of many"
            (fun () -> findsAll doubles)

        testCase "a wrong pullback is found and named in single precision, too" (fun () ->
            findsAll (Simd.Backend<float32> 2))

        testCase "a layer that breaks its shape law is named" (fun () ->
            let own: Layer<float> =
                Layer.create "own" 0 0 0 id (fun _ _ -> [], []) (fun _ _ s x -> {
                    Output = x
                    State = s
                    Pullback = fun ȳ -> [], ȳ.Reshape(Shape.Of ȳ.Size)
                })

            Assert.That(failures (verified doubles (around own)), equalTo [ "own", "shapes" ]))

        // Dead units, saturated units, weights of zero: derivatives that vanish whatever the pullback says.
        testCase "gradients that are zero everywhere are vacuous, not passed" (fun () ->
            let net φ weight bias : Network<float> =
                let network =
                    Network.create
                        (Key.ofSeed 1)
                        (Shape.Of(4, 3, 2))
                        (Layer.sequence [
                            Layers.flatten ()
                            Layers.dense 8
                            Layers.activation φ
                            Layers.dense 3
                            Layers.softmax ()
                        ])

                let fill value (t: Tensor<float>) = Tensor.init t.Shape (fun _ -> value)

                {
                    network with
                        Parameters =
                            fill weight network.Parameters[0]
                            :: fill bias network.Parameters[1]
                            :: network.Parameters[2..]
                }

            for network in
                [ net Activation.ReLU 0.0 -1.0; net Activation.Tanh 40.0 40.0; net Activation.Sigmoid 0.0 100.0 ] do
                let verification = verified doubles network
                verification |> isWith VerificationVerdict.Vacuous

                Assert.That(
                    verification.Checks
                    |> Seq.exists (fun c ->
                        c.Layer = "activation" && c.Claim = "gradient" && c.Verdict = VerificationVerdict.Vacuous),
                    verification.Table()
                ))

        // All windows of a picture of one value have ties.
        testCase "ties and kinks are left out and counted" (fun () ->
            let own = Layer.sequence [ Layers.maxPool 2; Layers.flatten (); Layers.dense 2; Layers.softmax () ]

            let flat =
                Dataset.Create(Shape.Of(4, 4, 1), [ 0; 1; 0; 1 ], [ "a"; "b" ], PictureReader(fun _ d -> d.Fill 0.5f))

            let verification =
                Verify.run settings doubles flat (Network.create (Key.ofSeed 1) (Shape.Of(4, 4, 1)) own)

            let pooling =
                verification.Checks |> Seq.find (fun c -> c.Layer = "max_pooling2d" && c.Claim = "gradient")

            Assert.That(pooling.Verdict, equalTo VerificationVerdict.Vacuous)
            Assert.That(pooling.Checked, equalTo 0L)
            Assert.That(pooling.Total, equalTo 16L)
            Assert.That(pooling.Reason, containing "16 outputs left out at kinks or ties"))

        // Random composites, with a head that can be trained: nothing is wrong with them, though some prove nothing.
        testProperty "no composite fails" (fun (plan: Plan) ->
            let specs =
                plan.Specs
                @ [
                    Flatten FlattenOrder.RowMajor
                    LayerSpec.Dense { Dense.Default with Units = 2; Activation = Activation.Softmax }
                ]

            let input = Plan.shape plan.Input

            let verification =
                Network.create (Key.ofSeed plan.Seed) input (Layers.ofSpecs specs)
                |> Verify.run
                    { settings with Seed = plan.Seed; Samples = plan.Count; Directions = 1 }
                    doubles
                    (noise input 2 8)

            all [ for c in verification.Failures -> same "no failure" (string c) ])

        testTheory "every network of the sources passes" architectures (fun (name: string) ->
            let architecture = (Architectures.tryFind name).Value
            let network: Network<float32> = Architectures.build 1 architecture
            let classes = max 2 (Network.output network).Size

            noise architecture.Input classes 24
            |> fun data ->
                Verify.run { settings with Samples = 2; Directions = 1 } (Simd.Backend<float32> 2) data network
            |> isWith VerificationVerdict.Passed)

        testCase "a kernel that is wrong in one entry is named, with the layer and the entry" (fun () ->
            let simd = Simd.Backend<float32> 2
            let data = noise (Shape.Of(8, 10, 2)) 3 12
            let run backend = Verify.run { settings with Directions = 1 } backend data everything
            run simd |> isWith VerificationVerdict.Passed

            for kernel, layer in kernels do
                let planted = Planted<float32>(simd.Kernels, kernel, (fun v -> v + 0.01f))
                let verification = run { simd with Kernels = planted }

                let found =
                    verification.Failures
                    |> Seq.tryFind (fun c -> c.Layer = layer && c.Claim = "kernels" && c.Subject = kernel)

                match found with
                | Some c -> Assert.That(c.Worst, startingWith (layer + "/"))
                | None -> Assert.Fail(kernel + "\n" + verification.Table()))

        // An error of one unit in the last place lies within every bound, but not twice in the same place.
        testCase "kernels whose bits change from run to run are found" (fun () ->
            let turn = ref 0

            let restless v =
                turn.Value <- turn.Value + 1
                if turn.Value % 7 = 0 then Single.BitIncrement v else v

            let simd = Simd.Backend<float32> 1
            let planted = Planted<float32>(simd.Kernels, "CorrelateFilterAdjoint", restless)

            let verification =
                Verify.run settings { simd with Kernels = planted } (noise (Shape.Of(8, 10, 2)) 3 12) everything

            Assert.That(List.contains ("network", "threads") (failures verification), verification.Table()))

        // Loses the last iteration of every second long loop, as the one that adds up gradients is.
        testCase "a scheduler that does not do the same work each time is found" (fun () ->
            let loops = ref 0

            let forgetful = {
                new IScheduler with
                    member _.Threads = 1

                    member _.For(count, body) =
                        let isLong = count > 4
                        loops.Value <- loops.Value + (if isLong then 1 else 0)

                        for i in 0 .. count - (if isLong && loops.Value % 2 = 0 then 2 else 1) do
                            body.Invoke i
            }

            let data = noise (Shape.Of(8, 10, 2)) 3 12

            let verification =
                Verify.run
                    { settings with Schedulers = [ SequentialScheduler(); forgetful ] }
                    (Simd.Backend<float32> 1)
                    data
                    everything

            Assert.That(failures verification, equalTo [ "network", "threads" ], verification.Table()))

        // Tiles have a bound of their own.
        testCase "windows of 3×3 over many channels pass in tiles of each size" (fun () ->
            let shape = Shape.Of(8, 8, 32)

            let network: Network<float32> =
                Layer.sequence [
                    Layers.ofSpec (
                        Conv2D { Conv2D.Default with Filters = 32; Padding = Same; Activation = Activation.Tanh }
                    )
                    Layers.globalAveragePool ()
                    Layers.dense 2
                    Layers.softmax ()
                ]
                |> Network.create (Key.ofSeed 2) shape

            for tile in Enum.GetValues<WinogradTile>() do
                let fast = { settings with Doubles = Simd.Backend<float>(Nullable 1, tile).Kernels; Directions = 1 }

                Verify.run fast (Simd.Backend<float32>(Nullable 1, tile)) (noise shape 2 8) network
                |> isWith VerificationVerdict.Passed)

        // Nothing was checked where nothing can fail.
        testCase "a verification that passes has no failures, and tells with what it was made" (fun () ->
            let found = Verify.network doubles pictures (around (custom right))

            Assert.That(
                (found.IsPassed, found.Failures.Count),
                equalTo (found.Verdict = VerificationVerdict.Passed, 0)
            )

            Assert.That(found.IsPassed, isTrue)
            Assert.That(found.Samples, between (1, pictures.Count))
            Assert.That(found.Sentence, containing found.InstructionSet))

        // The two doors are one.
        testCase "model.Verify = Verify.run, and the same seed gives the same table" (fun () ->
            let data = noise (Shape.Of(8, 8, 1)) 10 24
            let model = (Cnn.Fluent.Architectures.Find "convnet1_3").Build 1
            let network: Network<float32> = Architectures.build 1 (Architectures.tryFind "convnet1_3").Value
            let table = (model.Verify data).Table()
            Assert.That((Verify.run settings (Simd.Backend<float32>()) data network).Table(), equalTo table)
            Assert.That((model.Verify data).ToString(), equalTo table)
            Assert.That((model.Verify(data, 7)).Table(), differentFrom table))

        testCase "what cannot be verified is refused before any work" (fun () ->
            let network = around (custom right)

            let refuses (expected: Type) (run: unit -> Verification) =
                Assert.That(expected.IsInstanceOfType(Assert.Catch<exn>(fun () -> run () |> ignore)))

            refuses typeof<ShapeException> (fun () -> Verify.network doubles (noise (Shape.Of(5, 3, 2)) 3 12) network)

            refuses typeof<ArgumentException> (fun () ->
                Verify.network doubles (noise (Shape.Of(4, 3, 2)) 1 12) network)

            refuses typeof<ArgumentException> (fun () -> Verify.network doubles (pictures.Take 0) network)

            refuses typeof<ArgumentException> (fun () ->
                Verify.run { settings with Samples = 0 } doubles pictures network))
    ]
