// Writes the fixture of the model format that the library has now: a file of each layer, to be read for ever after.
// Build first: dotnet build -c Release; then: dotnet fsi Cnn.Tests/Formats/Fixtures/write.fsx VERSION

#r "../../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Core.FSharp.dll"

open System.IO
open Cnn
open Cnn.FSharp

let specs = [
    Conv2D {
        Conv2D.Default with
            Filters = 3
            Kernel = { Height = 2; Width = 3 }
            Padding = Explicit(1, 0, 1, 0)
            Mode = ConvolutionMode.Convolution
            Activation = Activation.LeakyReLU 0.1
            Initializer = Initializer.HeNormal
    }
    BatchNorm BatchNorm.Default
    Conv2D { Conv2D.Default with Filters = 4; Padding = Same; UseBias = false; Trainable = false }
    MaxPool { Pool.Square 2 with Padding = Cover }
    AveragePool { Window = Size.Square 2; Stride = Size.Square 1; Padding = Same }
    LayerSpec.Activation Activation.Tanh
    Dropout(0.25, DropoutKind.Gaussian)
    Flatten FlattenOrder.ChannelMajor
    Dropout(0.25, DropoutKind.Bernoulli)
    Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
]

let pictures seed count =
    let key = Key.ofSeed seed
    let pixel index i = float32 (key.Uniform(int64 (30 * index + i)))

    Dataset.Create(
        Shape.Of(6, 5, 1),
        Array.init count (fun i -> i % 3),
        [ "none"; "one"; "many" ],
        PictureReader(fun index destination ->
            for i in 0..29 do
                destination[i] <- pixel index i)
    )

let train = pictures 1 30
let settings = { TrainingSettings.Default with Seed = 8; Validation = Some(pictures 2 9) }
let network = Network.create (Key.ofSeed 5) train.Shape (Layers.ofSpecs specs)
let fitted = Fitting.fit Backend.reference<float32> settings None ignore 2 train network

let model =
    (ModelFile.create (Some 5) [] network)
        .After(
            train.ClassNames,
            { Seed = 8; Epoch = 2; History = fitted.History; DataHash = Dataset.hash train },
            fitted.Network
        )
        .With(Preprocessing.Grey.Then(Preprocessing.Resize(6, 5)))

let path = Path.Combine(__SOURCE_DIRECTORY__, "model-" + Array.last fsi.CommandLineArgs)
ModelFile.save (path + ".safetensors") model
File.WriteAllText(path + ".sha256", Network.weightHash model.Network + "\n")
