/// What cannot be meant is refused before any work, by the name of what is wrong; what is printed and compared is a value.
module Cnn.Tests.Laws.RefusalLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private refusal<'E when 'E :> exn and 'E: not struct and 'E: not null> (act: unit -> unit) : 'E =
    Assert.Throws<'E>(fun () -> act ())

/// Raises a ShapeException that says all of the words.
let private misfit (words: string list) act =
    let error = refusal<ShapeException> act

    for word in words do
        Assert.That(error.Message, containing word)

/// Raises an ArgumentOutOfRangeException of the given name.
let private outside (name: string) act = Assert.That((refusal<ArgumentOutOfRangeException> act).ParamName, equalTo name)

/// Raises an ArgumentNullException of the given name.
let private missing (name: string) act = Assert.That((refusal<ArgumentNullException> act).ParamName, equalTo name)

let private shape = Shape.Of(2, 2, 1)

let private pictures count (classNames: string list) =
    Dataset.OfFloats(
        shape,
        ReadOnlyMemory(Array.init (4 * count) (fun i -> float32 (i % 7) / 7.0f)),
        Array.init count (fun i -> i % classNames.Length),
        classNames
    )

let private data = pictures 8 [ "a"; "b" ]
let private builder = Fluent.Network.Input(2, 2).Flatten().Dense(2, Activation.Softmax)
let private model = builder.Build()
let private fit (options: FitOptions) (train: Dataset) () = model.Fit(train, options) |> ignore

/// The same refusal through both doors, before a step is taken.
let private refusedByBoth (words: string list) (options: FitOptions) (train: Dataset) =
    let network: Network<float32> =
        Network.create
            (Key.ofSeed 0)
            shape
            (Layers.ofSpecs [
                Flatten FlattenOrder.RowMajor
                Dense { Dense.Default with Units = 2; Activation = Activation.Softmax }
            ])

    let mutable steps = 0

    let settings = {
        TrainingSettings.Default with
            Validation = Option.ofObj options.Validation
            OnBatch = fun _ -> steps <- steps + 1
    }

    let core () = Training.run Backend.reference<float32> settings 1 train network |> ignore

    for act in [ core; fit options train ] do
        let message = (Assert.Catch<ArgumentException>(fun () -> act ())).Message

        for word in words do
            Assert.That(message, containing word)

    Assert.That(steps, equalTo 0)

/// Memory that counts how often it is looked at.
type private Counted(bytes: byte[]) =
    inherit Buffers.MemoryManager<byte>()
    member val Looks = 0 with get, set

    override this.GetSpan() =
        this.Looks <- this.Looks + 1
        Span bytes

    override _.Pin _ = raise (NotSupportedException())
    override _.Unpin() = ()
    override _.Dispose _ = ()

let private none<'A> = Unchecked.defaultof<'A>

let tests =
    testList "refusals" [
        // A validation set is one of the same classes, and neither set is empty.
        testCase "the validation set must go with the training set" (fun () ->
            let validatedBy held = fit (FitOptions(Validation = held))
            misfit [ "a, b"; "b, a" ] (validatedBy (pictures 8 [ "b"; "a" ]) data)
            misfit [ "a, b"; "a, b, c" ] (validatedBy (pictures 8 [ "a"; "b"; "c" ]) data)

            Assert.That(
                (refusal<ArgumentException>(validatedBy (data.Take 0) data)).Message,
                containing "validation set"
            )

            Assert.That(
                (refusal<ArgumentException>(fit (FitOptions()) (data.Take 0))).Message,
                containing "training set"
            ))

        // Whatever the numbers are, they are numbers; where they stand is said.
        testCase "pixels that are NaN or infinite are refused before any work, in either set" (fun () ->
            for wrong in [ nanf; infinityf; -infinityf ] do
                let pixels = Array.init 800 (fun i -> if i = 4 * 150 + 2 then wrong else float32 (i % 5) / 5.0f)
                let labels = Array.init 200 (fun i -> i % 2)
                let bad = Dataset.OfFloats(shape, ReadOnlyMemory pixels, labels, [ "a"; "b" ])
                refusedByBoth [ "Picture 150"; "training set"; "NaN" ] (FitOptions()) bad
                refusedByBoth [ "Picture 150"; "validation set" ] (FitOptions(Validation = bad)) data
                // Those of a preprocessing that makes them.
                let huge = Preprocessing.Scale(1e38).Then(Preprocessing.Scale 10.0)
                refusedByBoth [ "training set"; "NaN" ] (FitOptions()) (data.Preprocess huge))

        // Bytes are finite by construction, whatever is taken, joined, padded or normalised of them.
        testCase "pictures that are finite by construction are not read before the training; others once" (fun () ->
            let memory = new Counted(Array.zeroCreate 32)
            let labels = Array.init 8 (fun i -> i % 2)
            let bytes = Dataset.OfBytes(shape, Memory.op_Implicit memory.Memory, labels, [ "a"; "b" ])
            let made = (bytes.Take 6).Preprocess(Preprocessing.Mnist).Concat(bytes.Preprocess Preprocessing.Mnist)
            let reads = ref 0

            let counted =
                Dataset.Create(
                    shape,
                    data.Labels,
                    data.ClassNames,
                    PictureReader(fun i destination ->
                        reads.Value <- reads.Value + 1
                        data.Read(i, destination))
                )

            let network: Network<float32> =
                Network.create
                    (Key.ofSeed 0)
                    shape
                    (Layers.ofSpecs [ Flatten FlattenOrder.RowMajor; Dense { Dense.Default with Units = 2 } ])

            memory.Looks <- 0

            for set in [ made; counted ] do
                Training.epochs Backend.reference<float32> TrainingSettings.Default set network |> ignore

            Assert.That((memory.Looks, reads.Value), equalTo ((0, data.Count))))

        testCase "what is of one class, empty, or of another size is refused by both doors" (fun () ->
            refusedByBoth [ "'b'"; "two classes" ] (FitOptions()) (data.OfClasses "b")
            refusedByBoth [ "training set"; "empty" ] (FitOptions()) (data.Take 0)
            refusedByBoth [ "validation set"; "empty" ] (FitOptions(Validation = data.Take 0)) data
            refusedByBoth [ "2×2×1"; "3×3×1" ] (FitOptions()) (data.Pad(3, 3))
            refusedByBoth [ "3 classes"; "2 outputs" ] (FitOptions()) (pictures 9 [ "a"; "b"; "c" ]))

        // Classes are told apart by the elements of a vector.
        testCase "a network that gives no vector is not trained" (fun () ->
            let pixelwise = Fluent.Network.Input(2, 2).Conv2D(2, Size.Square 1).Build()
            misfit [ "vector"; "2×2×2"; "Flatten" ] (fun () -> pixelwise.Fit data |> ignore))

        // What is held back is a part, neither nothing nor everything, and there is one validation set only.
        testCase "the fraction that is held back must leave two parts" (fun () ->
            for fraction in [ -0.1; 1.0; 2.0; nan; 0.01; 0.99 ] do
                outside "ValidationFraction" (fit (FitOptions(ValidationFraction = fraction)) data)

            refusal<ArgumentException>(fit (FitOptions(ValidationFraction = 0.5, Validation = data)) data)
            |> ignore

            missing "Optimizer" (fun () -> FitOptions(Optimizer = Unchecked.defaultof<Optimizer>) |> ignore))

        // Labels have outputs, thresholds are probabilities, pictures have the input's shape.
        testCase "what cannot be evaluated is refused" (fun () ->
            misfit [ "label 2"; "picture 2" ] (fun () -> model.Evaluate(pictures 8 [ "a"; "b"; "c" ]) |> ignore)

            for threshold in [ 0.0; 1.0; -1.0; nan ] do
                outside "threshold" (fun () -> model.Evaluate(data, threshold = threshold) |> ignore)

            let large = data.Pad(3, 3)

            for (act: unit -> unit) in
                [ (fun () -> model.Evaluate large |> ignore); (fun () -> model.Predict large |> ignore) ] do
                misfit [ "2×2×1"; "3×3×1" ] act
                Assert.That((refusal<ShapeException> act).Message, lacking "batch")

            misfit [ "4 numbers"; "3 for picture 1" ] (fun () ->
                model.Predict [ Array.zeroCreate 4; Array.zeroCreate 3 ] |> ignore))

        // Several pictures are answered as each by itself.
        testCase "Predict of pictures = Predict of each" (fun () ->
            let several = [ data.Picture 0; data.Picture 3 ]
            let expected = [ for p in several -> List.ofSeq (model.Predict(ReadOnlySpan p)).Probabilities ]
            Assert.That([ for p in model.Predict several -> List.ofSeq p.Probabilities ], equalTo expected)
            Assert.That(model.OutputShape, equalTo (Shape.Of 2)))

        // Null is refused by the name of the parameter.
        testCase "null is refused by name" (fun () ->
            let labels, classNames = [ 0 ], [ "a" ]
            let noBytes, noFloats = ReadOnlyMemory<byte>.Empty, ReadOnlyMemory<float32>.Empty

            for name, (act: unit -> unit) in
                [
                    "picture", (fun () -> Filter.Identity.Apply(none: Tensor<float>) |> ignore)
                    "image", (fun () -> Filter.Identity.Apply(none: Cnn.Image) |> ignore)
                    "picture", (fun () -> Filter.Identity.Convolve none |> ignore)
                    "name", (fun () -> Filter.Create(none, 1, ReadOnlySpan [| 1.0 |]) |> ignore)
                    "statistics", (fun () -> data.Normalize none |> ignore)
                    "indices", (fun () -> data.Select none |> ignore)
                    "classes", (fun () -> data.OfClasses none |> ignore)
                    "other", (fun () -> data.Concat none |> ignore)
                    "shape", (fun () -> Dataset.OfBytes(none, noBytes, labels, classNames) |> ignore)
                    "labels", (fun () -> Dataset.OfBytes(shape, noBytes, none, classNames) |> ignore)
                    "classNames", (fun () -> Dataset.OfBytes(shape, noBytes, [], none) |> ignore)
                    "shape", (fun () -> Dataset.OfFloats(none, noFloats, labels, classNames) |> ignore)
                    "reader", (fun () -> Dataset.Create(shape, labels, classNames, none) |> ignore)
                    "directory", (fun () -> Mnist.Load none |> ignore)
                    "images", (fun () -> Mnist.Parse("images", none, "labels", [||]) |> ignore)
                    "labels", (fun () -> Mnist.Parse("images", [||], "labels", none) |> ignore)
                    "name", (fun () -> Fluent.Architectures.Find none |> ignore)
                    "block", (fun () -> builder.Then(fun _ -> none) |> ignore)
                    "schedule", (fun () -> Optimizer.Adam().WithSchedule none |> ignore)
                    "next", (fun () -> Schedule.LinearWarmup(1.0, none) |> ignore)
                    "shape", (fun () -> Tensor<float>.Of(none, ReadOnlySpan [| 1.0 |]) |> ignore)
                    "extents", (fun () -> Shape.Of none |> ignore)
                ] do
                missing name act)

        // A position outside is told by the name of the parameter.
        testCase "positions outside are refused by name" (fun () ->
            let matrix = (model.Evaluate data).ConfusionMatrix

            for name, (act: unit -> unit) in
                [
                    "trueClass", (fun () -> matrix[2, 0] |> ignore)
                    "predictedClass", (fun () -> matrix[0, -1] |> ignore)
                    "trueClass", (fun () -> matrix.Score 2 |> ignore)
                    "indices", (fun () -> data.Select [ 0; 8 ] |> ignore)
                    "index", (fun () -> data.Picture -1 |> ignore)
                    "index", (fun () -> data.Read(8, Span(Array.zeroCreate 4)) |> ignore)
                    "destination", (fun () -> data.Read(0, Span(Array.zeroCreate 5)) |> ignore)
                    "row", (fun () -> Filter.Identity[3, 0] |> ignore)
                    "column", (fun () -> Filter.Identity[0, 3] |> ignore)
                ] do
                outside name act)

        // The layer names itself, in its own words, at the line that adds it.
        testCase "sizes that no layer has are refused in the layer's words" (fun () ->
            let flat = Fluent.Network.Input(200, 200).Flatten()
            misfit [ "Dense 0"; "unit" ] (fun () -> flat.Dense 0 |> ignore)
            misfit [ "Dense -3"; "unit" ] (fun () -> flat.Dense -3 |> ignore)
            misfit [ "Dense 100000"; "weights that fit into memory" ] (fun () -> flat.Dense 100000 |> ignore)
            misfit [ "Input"; "-1×8×1" ] (fun () -> Fluent.Network.Input(-1, 8) |> ignore)
            misfit [ "Input" ] (fun () -> Fluent.Network.Input(100000, 100000) |> ignore)
            let single = Fluent.Network.Input(2, 2).Flatten().Dense(1).Build()
            misfit [ "1 output." ] (fun () -> single.Fit(pictures 9 [ "a"; "b"; "c" ]) |> ignore)

            for name, (act: unit -> unit) in
                [
                    "beta1", (fun () -> Optimizer.Adam(beta1 = 1.0) |> ignore)
                    "beta2", (fun () -> Optimizer.AdamW(beta2 = -1.0) |> ignore)
                    "weightDecay", (fun () -> Optimizer.AdamW(weightDecay = -1.0) |> ignore)
                    "momentum", (fun () -> Optimizer.Nesterov(momentum = 1.0) |> ignore)
                    "decay", (fun () -> Optimizer.RmsProp(decay = 1.0) |> ignore)
                ] do
                outside name act)

        // A name that is no layer's freezes nothing by mistake.
        testCase "freezing nothing is refused" (fun () ->
            let error = refusal<ArgumentException>(fun () -> model.Freeze(fun name -> name = "dense_1") |> ignore)
            Assert.That(error.Message, containing "dense.")
            Assert.That(model.Freeze(fun name -> name = "dense").Layers[1].Trainable, equalTo 0))

        // A seed is the key of that seed.
        testCase "a seed stands for its key" (fun () ->
            let key = Key.OfSeed 5L
            let labels (part: Dataset) = List.init part.Count (fun i -> List.ofArray (part.Picture i))
            let both (split: DatasetSplit) = labels split.Train, labels split.Test
            Assert.That(labels (data.Shuffle 5), equalTo (labels (data.Shuffle key)))
            Assert.That(both (data.Split(0.25, 5)), equalTo (both (data.Split(0.25, key))))
            Assert.That(both (data.StratifiedSplit(0.5, 5)), equalTo (both (data.StratifiedSplit(0.5, key))))
            Assert.That(both (data.Folds(4, 5)[1]), equalTo (both (data.Folds(4, key)[1]))))

        // The stride beside the padding is the stride of the options.
        testCase "stride = stride of the options" (fun () ->
            let input = Fluent.Network.Input(9, 9)
            let named = input.Conv2D(2, Size.Square 3, stride = Nullable(Size.Square 2))
            let given = input.Conv2D(2, Size.Square 3, Conv2DOptions(Stride = Size.Square 2))
            Assert.That(named.OutputShape, equalTo given.OutputShape))

        // == in C# is equality of values.
        testCase "equal values are ==" (fun () ->
            let tensor (x: float) = Tensor.ofArray (Shape.Of 1) [| x |]
            Assert.That(Shape.op_Equality (Shape.Of(1, 2), Shape.Of(1, 2)))
            Assert.That(Shape.op_Inequality (Shape.Of(1, 2), Shape.Of(2, 1)))
            Assert.That(Shape.op_Equality (null, null))
            Assert.That(Shape.op_Inequality (Shape.Of 1, null))
            Assert.That(Optimizer.op_Equality (Optimizer.Adam(), Optimizer.Adam 1e-3))
            Assert.That(Optimizer.op_Inequality (Optimizer.Adam(), Optimizer.KerasAdam()))
            Assert.That(Schedule.op_Equality (Schedule.Step 2.0, Schedule.Step(2.0, 0.1)))
            Assert.That(Schedule.op_Inequality (Schedule.Constant, Schedule.Exponential 1.0))
            Assert.That(Tensor<float>.op_Equality(tensor 1.0, tensor 1.0))
            Assert.That(Tensor<float>.op_Inequality(tensor 1.0, tensor 2.0))
            Assert.That((Optimizer.Adam() :> IEquatable<Optimizer>).Equals(Optimizer.Adam 1e-3))
            Assert.That((Schedule.Constant :> IEquatable<Schedule>).Equals Schedule.Constant)
            Assert.That(Unchecked.defaultof<Fluent.Padding>, equalTo Fluent.Padding.Valid))

        // There is no smaller and no larger among activations, losses, keys and results.
        testCase "nothing in Cnn has an order but enumerations" (fun () ->
            let ordered =
                typeof<Shape>.Assembly.GetExportedTypes()
                |> Array.filter (fun t ->
                    t.Namespace = "Cnn" && not t.IsEnum && typeof<IComparable>.IsAssignableFrom t)

            Assert.That(ordered, isEmpty))

        // What is printed says what it is.
        testCase "values print as what they are" (fun () ->
            let score = { Precision = 0.5; Recall = 1.0; F1 = 2.0 / 3.0; Support = 1 }

            let epoch = { Epoch = 2; Loss = 0.25; Accuracy = 1.0; LearningRate = 0.1; Validation = null }

            let batch: BatchProgress = {
                Epoch = 1
                Batch = 5
                Batches = 9
                Samples = 160
                Loss = 1.5
                Accuracy = 0.75
            }

            let rich = Optimizer.Sgd(0.1).WithSchedule(Schedule.Cosine 3.0).WithL1(0.01).WithClipNorm 1.0

            let mean, key = Loss.CrossEntropy, Key.OfSeed 1L
            let sum, later = mean.With Reduction.Sum, key.Skip 3

            for (value: obj), printed in
                [
                    box score, "precision 0.5, recall 1, F1 0.666667 of 1 sample"
                    epoch, "epoch 2: loss 0.25, accuracy 1"
                    batch, "epoch 1, batch 5 of 9: loss 1.5, accuracy 0.75"
                    Loss.CrossEntropy, "CrossEntropy"
                    sum, "CrossEntropy (sum)"
                    data, "8 pictures of 2×2×1 in 2 classes"
                    builder, "2×2×1 → Flatten 4 → Dense 2"
                    model, "2×2×1 → 2, 10 parameters, Single"
                    model.Layers[1], "dense (Dense) 2, 10 parameters"
                    later, "Key(910a2dec89025cc1, 3)"
                    Optimizer.Adam(), "Adam(0.001)"
                    rich, "Sgd(0.1), cosine(3, 0), L1 0.01, clip norm 1"
                    Prediction(1, "b", [| "a"; "b" |], [| 0.25; 0.75 |]), "b 0.75 [0.25, 0.75]"
                    FitResult(model, 2, [| epoch; epoch |], TimeSpan.FromSeconds 1.5, StopReason.Completed),
                    "Completed after 2 epochs in 1.5 s; epoch 2: loss 0.25, accuracy 1"
                ] do
                Assert.That(string value, equalTo printed))
    ]
