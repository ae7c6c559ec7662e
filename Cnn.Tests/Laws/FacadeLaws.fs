/// The façade is the core under other names: the same parameters, the same outputs, the same defaults.
module Cnn.Tests.Laws.FacadeLaws

open System
open System.Reflection
open Expecto
open FsCheck
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private padding (p: FSharp.Padding) =
    match p with
    | FSharp.Padding.Valid -> Fluent.Padding.Valid
    | FSharp.Padding.Same -> Fluent.Padding.Same
    | FSharp.Padding.Full -> Fluent.Padding.Full
    | FSharp.Padding.Cover -> Fluent.Padding.Cover
    | FSharp.Padding.Explicit(t, b, l, r) -> Fluent.Padding.Explicit(t, b, l, r)

/// The call of the builder that says what a layer's data say.
let private add (builder: NetworkBuilder) spec =
    match spec with
    | LayerSpec.Conv2D c ->
        builder.Conv2D(
            c.Filters,
            c.Kernel,
            Conv2DOptions(
                Stride = c.Stride,
                Dilation = c.Dilation,
                Padding = padding c.Padding,
                Mode = c.Mode,
                Activation = c.Activation,
                UseBias = c.UseBias,
                Initializer = c.Initializer,
                Trainable = c.Trainable
            )
        )
    | LayerSpec.Dense d ->
        builder.Dense(
            d.Units,
            DenseOptions(
                Activation = d.Activation,
                UseBias = d.UseBias,
                Initializer = d.Initializer,
                Trainable = d.Trainable
            )
        )
    | MaxPool p -> builder.MaxPool(p.Window, Nullable p.Stride, padding p.Padding)
    | AveragePool p -> builder.AveragePool(p.Window, Nullable p.Stride, padding p.Padding)
    | GlobalMaxPool -> builder.GlobalMaxPool()
    | GlobalAveragePool -> builder.GlobalAveragePool()
    | Flatten order -> builder.Flatten order
    | LayerSpec.Activation φ -> builder.Activation φ
    | BatchNorm n -> builder.BatchNormalization(Nullable n.Epsilon, Nullable n.Momentum)
    | Dropout(rate, DropoutKind.Gaussian) -> builder.GaussianDropout rate
    | Dropout(rate, _) -> builder.Dropout rate
    | Custom name -> failwith name

let private classifier (plan: Plan) = {
    plan with
        Specs =
            plan.Specs
            @ [
                Flatten FlattenOrder.RowMajor
                LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
            ]
}

let private built (plan: Plan) = plan.Specs |> List.fold add (Fluent.Network.Input(Plan.shape plan.Input))

let private core (plan: Plan) : FSharp.Network<'T> =
    Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)

let private pictures (plan: Plan) =
    let picture index : Tensor<float32> = Draw.reals (plan.Seed + index) (Plan.shape plan.Input)

    Dataset.Create(
        Plan.shape plan.Input,
        Array.init 11 (fun i -> (plan.Seed + i * i) % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let tests =
    testList "façade" [
        // Same shapes, same summary, same weights from the same seed, in both precisions.
        testProperty "builder = composition: shapes, summary and weights" (fun (plan: Plan) ->
            let builder = built plan
            let network: FSharp.Network<float32> = core plan

            let rows (rows: SummaryRow seq) = [
                for r in rows -> r.Name, r.Type, string r.Output, r.Trainable, r.NonTrainable
            ]

            let model = builder.Build plan.Seed

            all [
                same (string (Network.output network)) (string builder.OutputShape)
                same (rows (Network.summary network)) (rows model.Layers)
                same (Network.weightHash network) model.WeightHash
                same
                    (Network.weightHash (core plan: FSharp.Network<float>))
                    (builder.Build(plan.Seed, Precision.Double)).WeightHash
            ])

        // Same answers from the same kernels, to the last bit.
        testProperty "Predict = run of the same network" (fun plan ->
            let plan = classifier plan
            let data = pictures plan
            let backend = Simd.Backend<float>()
            let outputs = (Predictor(backend, core plan).Run data).ToArray() |> Array.chunkBySize 3
            let predictions = (built plan).Build(plan.Seed, Precision.Double).Predict data
            let one = (built plan).Build(plan.Seed, Precision.Double).Predict(ReadOnlySpan(data.Picture 4))

            all [
                same (List.ofArray outputs) [ for p in predictions -> Array.ofSeq p.Probabilities ]
                same [ for row in outputs -> Array.findIndex ((=) (Array.max row)) row ] [
                    for p in predictions -> p.Class
                ]
                same outputs[4] (Array.ofSeq one.Probabilities)
                same (string one.Class) one.ClassName
            ])

        // Fit is Training with the same settings: same weights, same history, the model itself unchanged.
        testProperty "Fit = training the same network with the same settings" (fun plan ->
            let plan = classifier plan
            let data = pictures plan
            let optimizer = Optimizer.Sgd(0.05).WithSchedule(Schedule.Exponential 0.9)
            let model = (built plan).Build(plan.Seed, Precision.Double)
            let hash = model.WeightHash

            let options =
                FitOptions(
                    Epochs = 2,
                    BatchSize = 4,
                    Optimizer = optimizer,
                    Seed = plan.Seed + 1,
                    Validation = data.Take 3,
                    DropLast = true
                )

            let result = model.Fit(data, options)

            let settings = {
                TrainingSettings.Default with
                    BatchSize = 4
                    DropLast = true
                    Optimizer = optimizer
                    Seed = plan.Seed + 1
                    Validation = Some(data.Take 3)
            }

            let state = Training.run (Simd.Backend<float>()) settings 2 data (core plan)
            let last = result.History[1]

            all [
                same (Network.weightHash state.Network) result.Model.WeightHash
                same (state.Result.Loss, state.Result.Accuracy) (last.Loss, last.Accuracy)
                same hash model.WeightHash
                same (Network.weightHash state.Network) (model.WithThreads(1).Fit(data, options)).Model.WeightHash
                same [ "a"; "b"; "c" ] (List.ofSeq result.Model.ClassNames)
            ])

        // A builder is a value: a trunk can be shared.
        testProperty "adding a layer leaves the builder as it was" (fun (plan: Plan) ->
            let trunk = built plan
            let before = string trunk.OutputShape
            let hash = trunk.Build(1).WeightHash
            let branch = trunk.Flatten().Dense(5)

            all [
                same before (string trunk.OutputShape)
                same hash (trunk.Build(1).WeightHash)
                same "5" (string branch.OutputShape)
            ])

        // What the façade fills in is what the core fills in.
        testCase "defaults of the façade = defaults of the core" (fun () ->
            let input = Shape.Of(12, 11, 2)

            let hash (builder: NetworkBuilder) =
                builder.Build(3).WeightHash, [ for row in builder.Build(3).Layers -> string row ]

            let ofSpecs specs =
                let network: FSharp.Network<float32> = Network.create (Key.ofSeed 3) input (Layers.ofSpecs specs)
                Network.weightHash network, [ for row in Network.summary network -> string row ]

            let start = Fluent.Network.Input input
            let flat = Flatten FlattenOrder.RowMajor

            for builder, specs in
                [
                    start.Conv2D(4, Size.Square 3), [ LayerSpec.Conv2D { Conv2D.Default with Filters = 4 } ]
                    start.Conv2D(4, Size.Square 3, Conv2DOptions()),
                    [ LayerSpec.Conv2D { Conv2D.Default with Filters = 4 } ]
                    start.MaxPool(Size.Square 2), [ MaxPool(Pool.Square 2) ]
                    start.AveragePool(Size.Square 3), [ AveragePool(Pool.Square 3) ]
                    start.Flatten(), [ flat ]
                    start.Flatten().Dense(4), [ flat; LayerSpec.Dense { Dense.Default with Units = 4 } ]
                    start.Flatten().Dense(4, DenseOptions()),
                    [ flat; LayerSpec.Dense { Dense.Default with Units = 4 } ]
                    start.BatchNormalization(), [ BatchNorm BatchNorm.Default ]
                ] do
                Assert.That(hash builder, equalTo (ofSpecs specs))

            let options, settings = FitOptions(), TrainingSettings.Default
            Assert.That(options.BatchSize, equalTo settings.BatchSize)
            Assert.That(options.Optimizer, equalTo settings.Optimizer)
            Assert.That(options.Seed, equalTo settings.Seed)
            Assert.That(options.DropLast, equalTo settings.DropLast)
            Assert.That(options.Loss.HasValue, equalTo settings.Loss.IsSome)
            Assert.That(Fluent.EarlyStopping(3).RestoreBest, equalTo (FSharp.EarlyStopping.After 3).RestoreBest)
            Assert.That(ReduceOnPlateau().Factor, equalTo Plateau.Default.Factor)
            Assert.That(ReduceOnPlateau().Patience, equalTo Plateau.Default.Patience))

        // A layer that does not fit raises at the call that adds it, and names itself.
        testCase "a layer that does not fit is refused where it is added" (fun () ->
            let start = Fluent.Network.Input(6, 5)

            let refused (name: string) (add: unit -> NetworkBuilder) =
                let error = Assert.Throws<ShapeException>(fun () -> add () |> ignore)
                Assert.That(error.Layer, startingWith name)

            refused "Conv2D" (fun () -> start.Conv2D(4, Size.Square 7))
            refused "Dense" (fun () -> start.Dense 4)
            refused "MaxPooling2D" (fun () -> start.Flatten().MaxPool(Size.Square 2))
            refused "MaxPooling2D" (fun () -> start.MaxPool(Size.Square 6)))

        // The architectures of both doors are the same networks.
        testCase "architectures of the façade = architectures of the core" (fun () ->
            for architecture in Architectures.all do
                if architecture.Input.Size < 5000 then
                    let network: FSharp.Network<float32> = Architectures.build 1 architecture

                    Assert.That(
                        Fluent.Architectures.Find(architecture.Name).Build(1).WeightHash,
                        equalTo (Network.weightHash network)
                    )

                    Assert.That(Fluent.Architectures.LossOf architecture.Name, equalTo architecture.Loss))

        // The façade keeps its word not to change: no public field or setter but init.
        testCase "nothing public can be set after it is made" (fun () ->
            let declared = BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.DeclaredOnly

            let offences = [
                for assembly in [ typeof<Shape>.Assembly; typeof<NetworkBuilder>.Assembly ] do
                    for t in assembly.GetExportedTypes() do
                        for p in t.GetProperties declared do
                            match p.GetSetMethod() with
                            | null -> ()
                            | setter ->
                                let isInit =
                                    setter.ReturnParameter.GetRequiredCustomModifiers()
                                    |> Array.exists (fun m -> m.Name = "IsExternalInit")

                                if not isInit then
                                    $"{t.FullName}.{p.Name}"

                        for f in t.GetFields declared do
                            if not f.IsInitOnly && not t.IsEnum then
                                $"{t.FullName}.{f.Name}"
            ]

            Assert.That(offences, isEmpty))

        // Strings, sorted by their code units, and one-hot rows of the same numbers.
        testProperty "Labels = the core's encoding and one-hot rows" (fun (r: Rows) ->
            let words = [ for i in 0 .. r.Count -> "word " + string ((i * i + r.Seed) % 4) ]
            let numbers, classes = FSharp.Dataset.encode words
            let encoded = Labels.Encode words

            all [
                same (List.ofArray numbers) (List.ofSeq encoded.Numbers)
                same (List.ofArray classes) (List.ofSeq encoded.Classes)
                exact (FSharp.Dataset.oneHot classes.Length numbers) (Labels.OneHot(encoded.Numbers, classes.Length))
            ])

        // What a model says of pictures, measured: the same from both doors.
        testProperty "Metrics and rankings = those of the core" (fun plan ->
            let plan = classifier plan
            let model, data = (built plan).Build plan.Seed, pictures plan
            let predictions = model.Predict data
            let outputs = Predictor(Backend.reference, (core plan: FSharp.Network<float>)).Run data
            let labels = Array.ofSeq data.Labels
            let close (a: float) b = same true (abs (a - b) < 1e-3)

            all [
                close (FSharp.Metrics.logLoss labels outputs) (Metrics.LogLoss(predictions, data.Labels))
                same 1.0 (Metrics.TopKAccuracy(predictions, data.Labels, 3))

                for p in predictions do
                    same p.ClassName p.Ranked[0].Name
                    same (p.Probabilities |> Seq.sortDescending |> List.ofSeq) [ for c in p.Ranked -> c.Probability ]
            ])
    ]
