/// What does not fit is refused by the function itself, which says what it expected and what it found.
module Cnn.Tests.Laws.MisfitLaws

open System
open Expecto
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private refusal<'E when 'E :> exn and 'E: not struct and 'E: not null> (act: unit -> unit) : 'E =
    Assert.Throws<'E>(fun () -> act ())

/// Raises a ShapeException that expected and found these.
let private misfit (expected: string) (found: string) act =
    let error = refusal<ShapeException> act
    same (expected, found, false) (error.Expected, error.Actual, error.Layer = "" || error.Cure = "")

/// Raises an ArgumentException that says the words.
let private refused (words: string) act =
    Assert.That((Assert.Catch<ArgumentException>(fun () -> act ())).Message, containing words)

/// Raises an ArgumentOutOfRangeException of the given name.
let private outside (name: string) act = Assert.That((refusal<ArgumentOutOfRangeException> act).ParamName, equalTo name)

let private shapeOf (s: Sliding) = Shape.Of(s.Height, s.Width, s.Channels)

let private count n one many = string n + " " + (if n = 1 then one else many)

let private floats (shape: Shape) = Array.init shape.Size float

let private square = Shape.Of(2, 2, 1)

let private pictures count (classNames: string list) =
    Dataset.OfFloats(
        square,
        ReadOnlyMemory(Array.init (4 * count) (fun i -> float32 (i % 7) / 7.0f)),
        Array.init count (fun i -> i % classNames.Length),
        classNames
    )

let private data = pictures 8 [ "a"; "b" ]
let private key = Key.ofSeed 0

let private layers: Layer<float> =
    Layers.ofSpecs [
        Flatten FlattenOrder.RowMajor
        Dense { Dense.Default with Units = 2; Activation = Activation.Softmax }
    ]

let private network = Network.create key square layers

let tests =
    testList "misfits" [
        testProperty "a tensor has one value for each element of its shape" (fun (s: Sliding) (NonNegativeInt n) ->
            let shape = shapeOf s
            let values = Array.create (if n = shape.Size then n + 1 else n) 0.0

            misfit (count shape.Size "value" "values" + " for shape " + string shape) (string values.Length) (fun () ->
                Tensor.ofArray shape values |> ignore))

        // Row-major: [i, j, c] is the (i·W + j)·C + c-th value.
        testProperty
            "t[i, j, c] = value (i·W + j)·C + c, and any other position is refused"
            (fun (s: Sliding) (i: int) (j: int) (c: int) ->
                let shape = shapeOf s
                let t = Tensor.ofArray shape (floats shape)
                let isInside = i >= 0 && i < s.Height && j >= 0 && j < s.Width && c >= 0 && c < s.Channels
                let i', j', c' = abs i % s.Height, abs j % s.Width, abs c % s.Channels

                if not isInside then
                    outside "indices" (fun () -> t[[| i; j; c |]] |> ignore)

                all [
                    same (float ((i' * s.Width + j') * s.Channels + c')) t[[| i'; j'; c' |]]
                    misfit "3 indices" "2" (fun () -> t[[| i'; j' |]] |> ignore)
                ])

        testProperty "reshaping keeps the values, and refuses another number of them" (fun (s: Sliding) ->
            let shape = shapeOf s
            let t = Tensor.ofArray shape (floats shape)
            let turned = Shape.Of(s.Channels, s.Width, s.Height)

            all [
                exact (Tensor.ofArray turned (floats shape)) (t.Reshape turned)
                misfit
                    ("a shape of " + count shape.Size "element" "elements")
                    (string (shapeOf { s with Height = s.Height + 1 }))
                    (fun () -> t.Reshape(shapeOf { s with Height = s.Height + 1 }) |> ignore)
            ])

        // z[i] = f(x[i], y[i]) is said of equal shapes only; batches are joined of samples of one shape.
        testProperty "tensors of different shapes are neither added nor joined" (fun (s: Sliding) ->
            let shape, larger = shapeOf s, shapeOf { s with Width = s.Width + 1 }
            let x, y = Tensor.init shape float, Tensor.init larger float

            all [
                misfit (string shape) (string larger) (fun () -> Tensor.add x y |> ignore)
                misfit "batches of samples of one shape" (string shape.Sample + ", " + string larger.Sample) (fun () ->
                    Tensor.concat [ x; y ] |> ignore)
                misfit "batches of samples of one shape" "no batch" (fun () ->
                    Tensor.concat ([]: Tensor<float> list) |> ignore)
                exact (Tensor.map (fun v -> 2.0 * v) x) (Tensor.add x x)
            ])

        testProperty "an extent is 0 or more, their product an array's length; a scalar has no samples" (fun () ->
            all [
                misfit "extents ≥ 0" "-3" (fun () -> Shape.Of(2, -3) |> ignore)

                misfit ("at most " + string Array.MaxLength + " elements") "more" (fun () ->
                    Shape.Of(65536, 65536) |> ignore)

                misfit "a batch axis" "a scalar" (fun () -> (Shape.Of()).Sample |> ignore)
            ])

        testCase "parts of a data set are shares of it, folds, and classes that it has" (fun () ->
            for fraction in [ -0.1; 1.1; nan ] do
                outside "fraction" (fun () -> data.Split(fraction, key) |> ignore)
                outside "fraction" (fun () -> data.StratifiedSplit(fraction, key) |> ignore)

            for folds in [ 1; 9 ] do
                outside "folds" (fun () -> data.Folds(folds, key) |> ignore)

            refused "no class 'c'. There are: a, b." (fun () -> data.OfClasses "c" |> ignore)

            for other in [ pictures 3 [ "b"; "a" ]; pictures 3 [ "a"; "b"; "c" ]; data.Pad(3, 3) ] do
                refused "2×2×1 and the classes a, b" (fun () -> data.Concat other |> ignore)

            for label in [ -1; 3 ] do
                outside "labels" (fun () -> (Dataset.oneHot 3 [| 0; label |]: Tensor<float>) |> ignore)

            for shape in [ Shape.Of(0, 2, 1); Shape.Of() ] do
                refused "at least one pixel" (fun () ->
                    Dataset.OfFloats(shape, ReadOnlyMemory.Empty, [], []) |> ignore))

        // n/(k·n_c); 0 where there is no picture.
        testProperty
            "balanced weights give each class that has pictures the same sum"
            (fun (PositiveInt n) (PositiveInt k) ->
                let classes = 1 + k % 5
                let set = pictures n [ for c in 0..classes -> string c ]
                let weights = set.BalancedWeights()

                all [
                    for c in 0..classes do
                        let members = set.Labels |> Seq.filter ((=) c) |> Seq.length
                        let wanted = if members = 0 then 0.0 else float n / float (classes + 1)

                        (abs (weights[c] * float members - wanted) < 1e-9 && (members > 0 || weights[c] = 0.0))
                        |> Prop.ofTestable
                ])

        testCase "a network takes batches of its input, one sample at least" (fun () ->
            let predictor = Predictor(Backend.reference<float>, network)
            refused "Put the batch axis first" (fun () -> Network.predict network (Tensor.zeros square) |> ignore)
            refused "Resize or pad" (fun () -> Network.predict network (Tensor.zeros (Shape.Of(1, 3, 3, 1))) |> ignore)
            refused "a batch of at least one sample" (fun () -> predictor.Run(Tensor.zeros (square.Batch 0)) |> ignore)
            refused "a batch of at least one sample" (fun () -> predictor.Run(Tensor.zeros (Shape.Of())) |> ignore)

            refused "4 numbers for a picture of shape 2×2×1" (fun () ->
                predictor.Run(ReadOnlySpan [| 0.0f |]) |> ignore)

            refused "nothing to evaluate" (fun () ->
                Prediction.evaluate Backend.reference None network (data.Take 0) |> ignore)

            Assert.That(obj.ReferenceEquals(predictor.Network, network))

            let half = Prediction.evaluateAt 0.5 Backend.reference None network data
            let evaluation = Prediction.evaluate Backend.reference None network data

            Assert.That(
                (evaluation.Loss, string evaluation.ConfusionMatrix),
                equalTo (half.Loss, string half.ConfusionMatrix)
            ))

        testCase "settings of training that cannot be meant are refused before any work" (fun () ->
            let run settings () = Training.run Backend.reference<float> settings 1 data network |> ignore
            let plateau change = { TrainingSettings.Default with Plateau = Some(change Plateau.Default) }

            for change in
                [
                    fun (p: Plateau) -> { p with Factor = 0.0 }
                    fun p -> { p with Factor = 1.0 }
                    fun p -> { p with Patience = -1 }
                    fun p -> { p with MinDelta = nan }
                    fun p -> { p with Cooldown = -1 }
                    fun p -> { p with MinRate = -1.0 }
                ] do
                refused "A plateau needs" (run (plateau change))

            for weights in [ [| 1.0 |]; [| 1.0; -1.0 |]; [| 1.0; nan |]; [| 1.0; infinity |] ] do
                refused "2 classes" (run { TrainingSettings.Default with ClassWeights = Some weights })

            outside "batchSize" (run { TrainingSettings.Default with BatchSize = 0 })

            let fit stopping epochs =
                Fitting.start TrainingSettings.Default network
                |> Fitting.resume Backend.reference<float> TrainingSettings.Default stopping ignore epochs data
                |> ignore

            let rule = { Patience = 1; MinDelta = 0.0; RestoreBest = true }: EarlyStopping

            for rule in [ { rule with Patience = -1 }; { rule with MinDelta = nan } ] do
                refused "Early stopping needs" (fun () -> fit (Some rule) 1)

            outside "epochs" (fun () -> fit None -1))

        testCase "layers refuse numbers that they cannot have" (fun () ->
            let norm change () =
                (Layers.ofSpec (LayerSpec.BatchNorm(change BatchNorm.Default)): Layer<float>) |> ignore

            for epsilon in [ -1.0; nan; infinity ] do
                outside "epsilon" (norm (fun n -> { n with Epsilon = epsilon }))

            for momentum in [ -0.1; 1.0; nan ] do
                outside "momentum" (norm (fun n -> { n with Momentum = momentum }))

            let create input (layer: Layer<float>) () = Network.create key input layer |> ignore
            refused "features or channels" (create (Shape.Of()) (Layers.batchNorm ()))
            refused "FlattenOrder.RowMajor" (create (Shape.Of 4) (Layers.ofSpec (Flatten FlattenOrder.ChannelMajor)))
            refused "at least 1 filter" (create (Shape.Of(5, 5, 1)) (Layers.conv2d 0 3))
            refused "of your own making" (fun () -> (Layers.ofSpec (LayerSpec.Custom "mine"): Layer<float>) |> ignore)

            refused "γ, β and two statistics, found 0 and 0 tensors" (fun () ->
                Layer.run
                    (Context.reference Inference)
                    (Layers.batchNorm (): Layer<float>)
                    []
                    []
                    (Tensor.zeros (Shape.Of(1, 2)))
                |> ignore)

            refused "three axes" (fun () ->
                ReceptiveField.ofLayer (Network.create key (Shape.Of 4) (Layers.dense 2: Layer<float>)) "dense"
                |> ignore))

        testCase "a filter has odd size, size² weights, and works on pictures" (fun () ->
            for size in [ 0; 2; -3 ] do
                outside "size" (fun () -> Filter.Box size |> ignore)
                outside "size" (fun () -> Filter.Gaussian size |> ignore)
                outside "size" (fun () -> Filter.GaussianOf(1.0, size) |> ignore)
                outside "size" (fun () -> Filter.Create("mine", size, ReadOnlySpan [| 1.0 |]) |> ignore)

            for sigma in [ 0.0; -1.0; nan ] do
                outside "sigma" (fun () -> Filter.GaussianOf sigma |> ignore)

            refused "9 weights, found 1" (fun () -> Filter.Create("mine", 3, ReadOnlySpan [| 1.0 |]) |> ignore)

            refused "Filter box: expected a picture" (fun () ->
                Filter.Box().Convolve(Tensor.zeros (Shape.Of(1, 2, 2, 1))) |> ignore)

            let mine = Filter.Create("mine", 1, ReadOnlySpan [| 2.0 |])
            let picture: Tensor<float> = Draw.integers 1 (Shape.Of(3, 2, 2))
            Assert.That(mine.Convolve picture, equalTo (Tensor.map (fun x -> 2.0 * x) picture)))

        testProperty "as many predictions as labels" (fun (PositiveInt n) (PositiveInt m) ->
            let m = if m = n then m + 1 else m
            let labels, predicted = Array.zeroCreate<int> n, Array.zeroCreate<int> m

            all [
                misfit (count n "prediction" "predictions" + ", one for each label") (string m) (fun () ->
                    Metrics.accuracy labels predicted |> ignore)
                misfit (count n "prediction" "predictions" + ", one for each label") (string m) (fun () ->
                    Metrics.confusion [ "a" ] labels predicted |> ignore)
                same 0.0 (Metrics.logLoss [||] (Tensor.zeros (Shape.Of(0, 2)): Tensor<float>))
                same (-log 0.75) (Metrics.logLoss [| 0; 1 |] (Tensor.ofArray (Shape.Of(2, 1)) [| 0.25; 0.75 |]))
            ])

        testCase "pictures to look at have the channels that are shown" (fun () ->
            let tensor (extents: int list) : Tensor<float> = Tensor.zeros (Shape.Of(Array.ofList extents))
            refused "a picture of height×width×1 or 3" (fun () -> InspectImages.picture (tensor [ 2; 2; 2 ]) |> ignore)
            refused "a map of height×width×1" (fun () -> InspectImages.map (tensor [ 2; 2 ]) |> ignore)
            refused "a map of height×width×1" (fun () -> InspectImages.signed (tensor [ 0; 2; 1 ]) |> ignore)

            refused "a map of 2×2" (fun () ->
                InspectImages.overlay (tensor [ 2; 2; 1 ]) (tensor [ 2; 3; 1 ]) |> ignore)

            refused "a filter of height×width×channels" (fun () ->
                InspectImages.filter (tensor [ 3; 3; 1; 1 ]) |> ignore))

        testCase "a picture has one byte for each channel, of which there are 1 to 4" (fun () ->
            let image height width channels length () =
                Image.Of(height, width, channels, ReadOnlySpan(Array.zeroCreate<byte> length)) |> ignore

            for height, width, channels, length in
                [ 0, 2, 1, 0; 2, 0, 1, 0; 2, 2, 5, 20; 2, 2, 0, 0; 2, 2, 1, 5; 65536, 65536, 1, 0 ] do
                refused $"1 to 4 channels, for {height}×{width}×{channels}" (image height width channels length)

            let small = Image.Of(1, 1, 1, ReadOnlySpan [| 0uy |])
            outside "side" (fun () -> Image.shrink 0 small |> ignore)
            refused "a sheet that fits into memory" (fun () -> Image.tile 100000 255uy 1 [ small ] |> ignore))

        testCase "schedules and optimisers have the numbers that they were given, and refuse others" (fun () ->
            for name, (act: unit -> unit) in
                [
                    "every", (fun () -> Schedule.Step 0.0 |> ignore)
                    "factor", (fun () -> Schedule.Step(1.0, -1.0) |> ignore)
                    "factor", (fun () -> Schedule.Exponential infinity |> ignore)
                    "epochs", (fun () -> Schedule.Cosine nan |> ignore)
                    "floor", (fun () -> Schedule.Cosine(1.0, 1.5) |> ignore)
                    "start", (fun () -> Schedule.LinearWarmup(1.0, Schedule.Constant, -0.5) |> ignore)
                    "lambda", (fun () -> Optimizer.Adam().WithL1 -1.0 |> ignore)
                    "lambda", (fun () -> Optimizer.Adam().WithL2 nan |> ignore)
                    "lambda", (fun () -> Optimizer.Adam().WithWeightDecay infinity |> ignore)
                    "norm", (fun () -> Optimizer.Adam().WithClipNorm 0.0 |> ignore)
                    "value", (fun () -> Optimizer.Adam().WithClipValue nan |> ignore)
                ] do
                outside name act

            let rule =
                Optimizer.Sgd(0.5).WithL1(1.0).WithL2(2.0).WithWeightDecay(3.0).WithClipNorm(4.0).WithClipValue 5.0

            Assert.That(
                [ rule.LearningRate; rule.L1; rule.L2; rule.WeightDecay; rule.ClipNorm; rule.ClipValue ],
                equalTo [ 0.5; 1.0; 2.0; 3.0; 4.0; 5.0 ]
            )

            Assert.That((rule.FirstSquares, Optimizer.KerasAdagrad().FirstSquares), equalTo (0.0, 0.1)))
    ]
