/// Weights of Keras and PyTorch: the same numbers in other places, under other names.
module Cnn.Tests.Formats.WeightImportLaws

open System
open System.Collections.Generic
open System.IO
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private noNames: IReadOnlyDictionary<string, string> = Dictionary<string, string>()

let private names (pairs: (string * string) list) : IReadOnlyDictionary<string, string> =
    Dictionary<string, string>(dict pairs)

let private single (t: Tensor<float>) = Tensor.map (fun v -> float (float32 v)) t

/// A network with weights of its own, numbers of float32 all of them, and one of the same layers with others.
let private build seed (specs: LayerSpec list) input : Network<float> =
    let network = Network.create (Key.ofSeed seed) input (Layers.ofSpecs specs)
    let drawn i (t: Tensor<float>) = single (Draw.reals (seed + 17 * i + 1) t.Shape)

    {
        network with
            Parameters = List.mapi drawn network.Parameters
            State =
                network.State
                |> List.mapi (fun i t -> single (Tensor.map (fun v -> abs v + 0.5) (drawn (100 + i) t)))
    }

let private (|Nets|) (plan: Plan) =
    let input = Plan.shape plan.Input
    build plan.Seed plan.Specs input, build (plan.Seed + 1) plan.Specs input

let private tensors (network: Network<float>) = network.Parameters @ network.State

let private import source isOrdered arrays network = WeightImport.assign source noNames isOrdered "file" arrays network

/// conv2d → model/conv2d_7, conv2d_1 → model/conv2d_8: as in the second model of a Keras session.
let private renumbered (name: string) =
    let layer, tensor = name.Split('/')[0], name.Split('/')[1]

    let layer =
        match layer.LastIndexOf '_' with
        | at when at > 0 && Char.IsDigit layer[at + 1] -> layer[..at] + string (7 + int layer[at + 1 ..])
        | _ -> layer + "_7"

    "model/" + layer + "/" + tensor + ":0"

/// The same layers, pictures flattened in the given order.
let private flattening order specs =
    specs
    |> List.map (fun spec ->
        match spec with
        | Flatten _ -> Flatten order
        | other -> other)

/// A network's weights as PyTorch's state_dict has them: an ONNX file holds the same arrays under other names.
let private stateDict (network: Network<float>) =
    let torchName (name: string) =
        [
            "_kernel", ".weight"
            "_bias", ".bias"
            "_gamma", ".weight"
            "_beta", ".bias"
            "_moving_mean", ".running_mean"
            "_moving_variance", ".running_var"
        ]
        |> List.pick (fun (ours, theirs) ->
            if name.EndsWith ours then
                Some(name.Substring(0, name.Length - ours.Length) + theirs)
            else
                None)

    [
        for array in (OnnxReader.read (Onnx.encode ChannelOrder.ChannelsFirst [] network)).Constants ->
            NamedArray.ofTensor (torchName array.Name) (Tensor.ofArray (Shape.Of(List.toArray array.Dims)) array.Data)
    ]

let private small = [
    Conv2D { Conv2D.Default with Filters = 2 }
    BatchNorm BatchNorm.Default
    Conv2D { Conv2D.Default with Filters = 3 }
    Flatten FlattenOrder.ChannelMajor
    Dense { Dense.Default with Units = 4 }
]

let private smallNet seed = build seed small (Shape.Of(6, 7, 2))

let private mismatch source arrays =
    Assert.Throws<WeightMismatchException>(fun () -> import source true arrays (smallNet 1) |> ignore)

/// PyTorch's models of the script, in this library's words.
let private torchModels: (string * Shape * LayerSpec list) list =
    let conv filters height width = {
        Conv2D.Default with
            Filters = filters
            Kernel = { Height = height; Width = width }
    }

    let norm = BatchNorm { BatchNorm.Default with Epsilon = 1e-5 }
    let same = Explicit(1, 1, 1, 1)
    let wide = { Height = 1; Width = 2 }

    [
        "sequential",
        Shape.Of(9, 10, 2),
        [
            Conv2D { conv 4 3 3 with Padding = same }
            norm
            Activation Cnn.Activation.ReLU
            MaxPool(Pool.Square 2)
            Conv2D { conv 5 3 2 with Activation = Cnn.Activation.LeakyReLU 0.2 }
            AveragePool { Window = { Height = 1; Width = 2 }; Stride = wide; Padding = Valid }
            Flatten FlattenOrder.RowMajor
            norm
            Dropout(0.3, DropoutKind.Bernoulli)
            Dense { Dense.Default with Units = 7; Activation = Cnn.Activation.ReLU }
            Dense { Dense.Default with Units = 3; Activation = Cnn.Activation.Softmax }
        ]

        "named",
        Shape.Of(9, 5, 3),
        [
            Conv2D { conv 4 3 2 with Stride = { Height = 2; Width = 1 }; UseBias = false }
            norm
            Activation Cnn.Activation.ReLU
            Conv2D { conv 6 3 3 with Padding = same; Dilation = wide; Activation = Cnn.Activation.Tanh }
            Flatten FlattenOrder.RowMajor
            Dense { Dense.Default with Units = 10; Activation = Cnn.Activation.Sigmoid }
            norm
            Dense { Dense.Default with Units = 5 }
        ]
    ]

let tests =
    testList "weight import" [
        testProperty "import ∘ export is the identity, whatever the order in the file" (fun (Nets(network, other)) ->
            let arrays = WeightExport.arrays network

            all [
                for arrays in [ arrays; List.rev arrays ] do
                    exactly (tensors network) (tensors (import WeightSource.Keras false arrays other))
            ])

        testProperty "the file may be .npz or safetensors" (fun (Nets(network, other)) ->
            let arrays = WeightExport.arrays network

            all [
                for bytes in [ NumPy.writeNpz arrays; Safetensors.write Map.empty arrays ] do
                    let path = Path.GetTempFileName()

                    try
                        File.WriteAllBytes(path, bytes)
                        exactly (tensors network) (tensors (WeightImport.load WeightSource.Keras noNames path other))
                    finally
                        File.Delete path
            ])

        testProperty "Keras' numbers, prefixes and :0 do not matter" (fun (Nets(network, other)) ->
            let arrays =
                WeightExport.arrays network |> List.map (fun array -> { array with Name = renumbered array.Name })

            all [
                for isOrdered in [ true; false ] do
                    exactly (tensors network) (tensors (import WeightSource.Keras isOrdered arrays other))
            ])

        testProperty
            "a network that flattens channels last predicts what PyTorch's weights predict channels first"
            (fun (plan: Plan) ->
                let input = Plan.shape plan.Input

                // Only pictures can be flattened channels first.
                let ofShape (shape: Shape) spec =
                    let spec =
                        match spec with
                        | Flatten _ when shape.Rank = 3 -> Flatten FlattenOrder.ChannelMajor
                        | Flatten _ -> Flatten FlattenOrder.RowMajor
                        | other -> other

                    spec, Layer.output (Layers.ofSpec spec: Layer<float>) shape

                let specs = plan.Specs |> List.mapFold ofShape input |> fst
                let isPicture = (Layer.output (Layers.ofSpecs specs: Layer<float>) input).Rank = 3
                let flatten = if isPicture then [ Flatten FlattenOrder.ChannelMajor ] else []
                let torch = build plan.Seed (specs @ flatten @ [ Dense { Dense.Default with Units = 3 } ]) input
                let specs = torch.Layer.Parts |> List.map (fun part -> part.Spec)
                let ours = build (plan.Seed + 1) (flattening FlattenOrder.RowMajor specs) input
                let x: Tensor<float> = Draw.reals plan.Seed (input.Batch plan.Count)
                let count = NamedArray.ofTensor "norm.num_batches_tracked" (Tensor.ofArray (Shape.Of()) [| 7.0 |])

                all [
                    for isOrdered in [ true; false ] do
                        let imported = import WeightSource.PyTorch isOrdered (count :: stateDict torch) ours
                        near 1e-12 (Network.predict torch x) (Network.predict imported x)
                ])

        testCase "all that is missing, unexpected or of another shape is told at once" (fun () ->
            let arrays =
                WeightExport.arrays (smallNet 0)
                |> List.choose (fun array ->
                    match array.Name with
                    | "conv2d/bias"
                    | "batch_normalization/moving_mean" -> None
                    | "conv2d_1/kernel" -> Some { array with Shape = Shape.Of(3, 3, 3, 2) }
                    | "dense/bias" -> Some { array with Name = "dense/offset" }
                    | _ -> Some array)

            let error = mismatch WeightSource.Keras arrays

            Assert.That(
                error.Missing,
                equalTo [| "conv2d/bias of 2"; "batch_normalization/moving_mean of 2"; "dense/bias of 4" |]
            )

            Assert.That(error.Unexpected, equalTo [| "dense/offset" |])
            Assert.That(error.Misshapen, equalTo [| "conv2d_1/kernel (expected 3×3×2×3, found 3×3×3×2)" |])

            for part in [ "file"; "conv2d/bias of 2"; "dense/offset"; "found 3×3×3×2" ] do
                Assert.That(error.Message, containing part))

        testCase "layers that are too many or too few are told by their names" (fun () ->
            let arrays = stateDict (smallNet 0)
            let more = { arrays.Head with Name = "head.weight"; Shape = Shape.Of(4, 9) }
            Assert.That((mismatch WeightSource.PyTorch (arrays @ [ more ])).Unexpected, equalTo [| "head.weight" |])

            let fewer = arrays |> List.filter (fun array -> not (array.Name.StartsWith "conv2d_1"))

            Assert.That(
                (mismatch WeightSource.PyTorch fewer).Missing,
                equalTo [| "conv2d_1/kernel of 3×2×3×3"; "conv2d_1/bias of 3" |]
            ))

        testCase "names that tell no order need a map, of layers or of tensors" (fun () ->
            let network = smallNet 0

            let rename (array: NamedArray) = {
                array with
                    Name = array.Name.Replace("conv2d_1", "decoder").Replace("conv2d", "encoder")
            }

            let arrays = stateDict network |> List.map rename

            let error =
                Assert.Throws<ArgumentException>(fun () ->
                    import WeightSource.PyTorch false arrays (smallNet 1) |> ignore)

            Assert.That(error.Message, containing "encoder, decoder")

            for map in
                [
                    [ "conv2d", "encoder"; "conv2d_1", "decoder" ]
                    [ "conv2d", "encoder" ]
                    [ "conv2d_1/kernel", "decoder.weight"; "conv2d_1/bias", "decoder.bias" ]
                ] do
                let imported = WeightImport.assign WeightSource.PyTorch (names map) false "file" arrays (smallNet 1)

                Assert.That(tensors imported, equalTo (tensors network))

            Assert.Throws<ArgumentException>(fun () ->
                WeightImport.assign WeightSource.PyTorch (names [ "conv", "x" ]) false "file" arrays (smallNet 1)
                |> ignore)
            |> ignore)

        testCase "damaged files give weights, a list of what is wrong, or a DataFormatException" (fun () ->
            let arrays = WeightExport.arrays (smallNet 0)

            Fuzzing.survives [ NumPy.writeNpz arrays; Safetensors.write Map.empty arrays ] (fun bytes ->
                try
                    let arrays, isOrdered = WeightImport.parse "file" bytes
                    import WeightSource.Keras isOrdered arrays (smallNet 1) |> ignore
                with :? ArgumentException as e when not (e :? ArgumentOutOfRangeException) ->
                    ()))

        testSequencedGroup "processes"
        <| testCase "with PyTorch's weights the library predicts what PyTorch predicts" (fun () ->
            Python.script [ "torch"; "numpy" ] "torch_weights.py" ignore (fun folder _ ->
                for name, input, specs in torchModels do
                    let read (file: string) = NumPy.readNpz file (File.ReadAllBytes(Path.Combine(folder, file)))

                    let data: Map<string, Tensor<float32>> =
                        Map [ for array in read (name + ".data.npz") -> array.Name, NamedArray.toTensor name array ]

                    for extension in [ ".npz"; ".safetensors" ] do
                        let start: Network<float32> = Network.create (Key.ofSeed 0) input (Layers.ofSpecs specs)
                        let path = Path.Combine(folder, name + extension)
                        let network = WeightImport.load WeightSource.PyTorch noNames path start
                        let y = Network.predict network data["x"]
                        Assert.That(y.Shape, equalTo data["y"].Shape)

                        for found, expected in Seq.zip (y.ToArray()) (data["y"].ToArray()) do
                            // Whatever is not near is refused, NaN too.
                            Assert.That(abs (found - expected) <= 1e-5f, $"{path}: {found} against {expected}")))

        testCase "a model's weights go through a .npz file and come back, and its ONNX file is the network's" (fun () ->
            let folder = Directory.CreateTempSubdirectory "cnn"

            try
                let architecture = Cnn.Fluent.Architectures.Find "vanilla"
                let model, other = architecture.Build 1, architecture.Build 2
                let path = Path.Combine(folder.FullName, "weights.npz")
                model.ExportWeights path
                let back = other.ImportWeights(path, WeightSource.Keras)
                Assert.That(back.WeightHash, equalTo model.WeightHash)
                Assert.That(other.WeightHash, differentFrom model.WeightHash)

                for order in [ ChannelOrder.ChannelsFirst; ChannelOrder.ChannelsLast ] do
                    let file = Path.Combine(folder.FullName, "model.onnx")
                    model.ExportOnnx(file, order)
                    let network: Network<float32> = Architectures.build 1 Architectures.vanilla
                    Assert.That(File.ReadAllBytes file, equalTo (Onnx.encode order model.ClassNames network))
            finally
                folder.Delete true)
    ]
