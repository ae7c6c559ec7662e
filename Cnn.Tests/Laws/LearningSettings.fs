/// Settings of training and of layers: every field changes what is learned, or what is told of it.
module Cnn.Tests.Laws.LearningSettings

open System
open System.IO
open System.Threading
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Setting

let text (x: float) = x.ToString "R"

let told add = {
    new IProgress<'A> with
        member _.Report value = add (string (box value))
}

/// Pictures of two classes; a pixel that may be large.
let pictures (shape: Shape) count (largest: float32) =
    let picture index : Tensor<float32> = Draw.reals index shape

    Dataset.Create(
        shape,
        Seq.init count (fun i -> i % 2),
        [ "a"; "b" ],
        PictureReader(fun index destination ->
            (picture index).Span.CopyTo destination
            destination[0] <- if index % 2 = 0 then largest else -1.0f)
    )

let flat = Flatten FlattenOrder.RowMajor
let dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }
let small = pictures (Shape.Of(2, 3, 1)) 7 3.0f
let private backend = Backend.reference<float>

let private network specs (shape: Shape) : FSharp.Network<float> =
    Network.create (Key.ofSeed 1) shape (Layers.ofSpecs specs)

let private classifier =
    network [ flat; dense 3 Activation.Tanh; dense 2 Activation.Softmax ] small.Shape

let private result (r: EpochResult) =
    let validation =
        match r.Validation with
        | null -> "none"
        | v -> text v.Loss

    $"{r.Epoch} {text r.Loss} {text r.Accuracy} {text r.LearningRate} {validation}"

let private training =
    let heard = ResizeArray<string>()

    let outcome settings =
        heard.Clear()

        let states = [
            for state in Training.epochs backend settings small classifier |> Seq.truncate 4 ->
                Network.weightHash state.Network + " " + result state.Result
        ]

        String.Join("\n", states @ List.ofSeq heard)

    table<TrainingSettings>
        "TrainingSettings"
        (rows outcome { TrainingSettings.Default with BatchSize = 3; Optimizer = Optimizer.Sgd 0.1 } [
            "BatchSize", 4
            "DropLast", true
            "Optimizer", Optimizer.Sgd 0.2
            "Loss", Some Loss.HalfSquaredError
            "Seed", 1
            "Augmentation", Augmentation.FlipHorizontal
            "Validation", Some(small.Take 3)
            "ClassWeights", Some [| 1.0; 2.0 |]
            "Plateau", Some { Plateau.Default with Patience = 1; MinDelta = 10.0 }
            "OnBatch", box (fun (progress: BatchProgress) -> heard.Add(string progress))
            "OnWarning", box (fun (warning: string) -> heard.Add warning)
            "Cancellation", CancellationToken true
        ])

/// Loss falls, but never by 10.
let private falling = { TrainingSettings.Default with BatchSize = 7; Optimizer = Optimizer.Sgd 0.01 }

let private plateau =
    let outcome plateau =
        Training.epochs backend { falling with Plateau = Some plateau } small classifier
        |> Seq.take 9
        |> Seq.map (fun state -> text state.Result.LearningRate)
        |> String.concat " "

    table<Plateau>
        "Plateau"
        (rows outcome { Plateau.Default with Factor = 0.5; Patience = 2; MinDelta = 10.0 } [
            "Factor", 0.25
            "Patience", 1
            "MinDelta", 0.0
            "Cooldown", 3
            "MinRate", 0.004
        ])

let builder =
    Fluent.Network.Input(2, 3).Flatten().Dense(3, Activation.Tanh).Dense(2, Activation.Softmax)

let private model = builder.Build(1, Fluent.Precision.Double)

let private fitted (options: Fluent.FitOptions) =
    let found = model.Fit(small, options)

    String.Join(
        "\n",
        found.Model.WeightHash
        :: string found.Epoch
        :: string found.Reason
        :: [ for r in found.History -> result r ]
    )

let private reduceOnPlateau =
    let outcome (plateau: Fluent.ReduceOnPlateau) =
        fitted (Fluent.FitOptions(Epochs = 9, BatchSize = 7, Optimizer = falling.Optimizer, ReduceOnPlateau = plateau))

    table<Fluent.ReduceOnPlateau>
        "ReduceOnPlateau"
        (rows outcome (Fluent.ReduceOnPlateau(Factor = 0.5, Patience = 2, MinDelta = 10.0)) [
            "Factor", 0.25
            "Patience", 1
            "MinDelta", 0.0
            "Cooldown", 3
            "MinRate", 0.004
        ])

let private stopping =
    let outcome stopping =
        let found = Fitting.fit backend falling (Some stopping) ignore 6 small classifier
        $"{found.History.Length} {found.Epoch} {Network.weightHash found.Network}"

    table<EarlyStopping>
        "EarlyStopping of the core"
        (rows outcome { Patience = 2; MinDelta = 10.0; RestoreBest = true } [
            "Patience", 3
            "MinDelta", 0.0
            "RestoreBest", false
        ])

let private stoppingOfFacade =
    let outcome (stopping: Fluent.EarlyStopping) =
        fitted (Fluent.FitOptions(Epochs = 6, BatchSize = 7, Optimizer = falling.Optimizer, EarlyStopping = stopping))

    table<Fluent.EarlyStopping>
        "EarlyStopping of the façade"
        (rows outcome (Fluent.EarlyStopping(2, MinDelta = 10.0)) [
            "Patience", 3
            "MinDelta", 0.0
            "RestoreBest", false
        ])

let private fit =
    let heard = ResizeArray<string>()
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")
    let optimizer = Optimizer.Sgd 0.1

    let remove () =
        if Directory.Exists folder then
            Directory.Delete(folder, true)

    /// A folder holds the checkpoint of an epoch at first.
    let outcome (options: Fluent.FitOptions) =
        try
            outcome (fun () ->
                if not (isNull options.CheckpointFolder) then
                    model.Fit(
                        small,
                        Fluent.FitOptions(Epochs = 1, BatchSize = 3, Optimizer = optimizer, CheckpointFolder = folder)
                    )
                    |> ignore

                heard.Clear()
                fitted options + String.Join("\n", heard))
        finally
            remove ()

    let start = Fluent.FitOptions(Epochs = 4, BatchSize = 3, Optimizer = optimizer)

    table<Fluent.FitOptions>
        "FitOptions"
        (rows outcome start [
            "Epochs", 3
            "BatchSize", 4
            "DropLast", true
            "Optimizer", Optimizer.Sgd 0.2
            "Loss", Loss.HalfSquaredError
            "Seed", 1
            "Augmentation", Augmentation.FlipHorizontal
            "Validation", small.Take 3
            "ValidationFraction", 0.25
            "ClassWeights", [| 1.0; 2.0 |]
            "EarlyStopping", Fluent.EarlyStopping(1, MinDelta = 10.0)
            "ReduceOnPlateau", Fluent.ReduceOnPlateau(Patience = 1, MinDelta = 10.0)
            "CheckpointFolder", folder
            "Progress", (told heard.Add: IProgress<BatchProgress>)
            "EpochProgress", (told heard.Add: IProgress<EpochResult>)
            "Warnings", (told heard.Add: IProgress<string>)
         ]
         @ rows outcome (change "CheckpointFolder" folder start) [ "Resume", true ])

/// What a row of layers learns in an epoch.
let learned specs =
    let data = pictures (Shape.Of(7, 6, 2)) 8 1.0f

    outcome (fun () ->
        let start = network (specs @ [ dense 2 Activation.Softmax ]) data.Shape
        let settings = { TrainingSettings.Default with BatchSize = 4; Optimizer = Optimizer.Sgd 0.1 }
        Network.weightHash (Training.run backend settings 1 data start).Network)

let private convolution =
    table<Conv2D>
        "Conv2D"
        (rows (fun conv -> learned [ LayerSpec.Conv2D conv; flat ]) { Conv2D.Default with Filters = 2 } [
            "Filters", 3
            "Kernel", Size.Square 2
            "Stride", Size.Square 2
            "Dilation", Size.Square 2
            "Padding", Padding.Same
            "Mode", ConvolutionMode.Convolution
            "Activation", Activation.Tanh
            "UseBias", false
            "Initializer", Initializer.HeNormal
            "Trainable", false
        ])

let private connection =
    table<Dense>
        "Dense"
        (rows (fun dense -> learned [ flat; LayerSpec.Dense dense ]) { Dense.Default with Units = 3 } [
            "Units", 4
            "Activation", Activation.Tanh
            "UseBias", false
            "Initializer", Initializer.HeNormal
            "Trainable", false
        ])

let private poolings = [
    for title, layer in [ "Pool, of maxima", MaxPool; "Pool, of means", AveragePool ] do
        table<Pool>
            title
            (rows (fun pool -> learned [ layer pool; flat ]) (Pool.Square 2) [
                "Window", Size.Square 1
                "Stride", Size.Square 1
                "Padding", Padding.Same
            ])
]

let private normalisation =
    table<BatchNorm>
        "BatchNorm"
        (rows (fun norm -> learned [ BatchNorm norm; flat ]) BatchNorm.Default [ "Epsilon", 0.1; "Momentum", 0.5 ])

/// What a builder's network learns in an epoch.
let private builds (layers: Fluent.NetworkBuilder -> Fluent.NetworkBuilder) =
    let data = pictures (Shape.Of(7, 6, 2)) 8 1.0f

    let model =
        (layers (Fluent.Network.Input data.Shape)).Dense(2, Activation.Softmax).Build(1, Fluent.Precision.Double)

    let options = Fluent.FitOptions(BatchSize = 4, Optimizer = Optimizer.Sgd 0.1)
    model.Fit(data, options).Model.WeightHash

let private convolutionOfFacade =
    let outcome (options: Fluent.Conv2DOptions) =
        builds (fun start -> start.Conv2D(2, Size.Square 3, options).Flatten())

    table<Fluent.Conv2DOptions>
        "Conv2DOptions"
        (rows outcome (Fluent.Conv2DOptions()) [
            "Stride", Size.Square 2
            "Dilation", Size.Square 2
            "Padding", Fluent.Padding.Same
            "Mode", ConvolutionMode.Convolution
            "Activation", Activation.Tanh
            "UseBias", false
            "Initializer", Initializer.HeNormal
            "Trainable", false
        ])

let private connectionOfFacade =
    let outcome (options: Fluent.DenseOptions) = builds (fun start -> start.Flatten().Dense(3, options))

    table<Fluent.DenseOptions>
        "DenseOptions"
        (rows outcome (Fluent.DenseOptions()) [
            "Activation", Activation.Tanh
            "UseBias", false
            "Initializer", Initializer.HeNormal
            "Trainable", false
        ])

let tables =
    [
        training
        plateau
        reduceOnPlateau
        stopping
        stoppingOfFacade
        fit
        convolution
        connection
        normalisation
        convolutionOfFacade
        connectionOfFacade
    ]
    @ poolings
