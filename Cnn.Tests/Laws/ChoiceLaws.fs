/// What is chosen out of a list is in it: every door that takes a member of an enumeration refuses other numbers.
module Cnn.Tests.Laws.ChoiceLaws

open System
open System.Collections.Generic
open System.IO
open System.Reflection
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// No enumeration has so many members.
let private unknown<'E when 'E: enum<int>> : 'E = enum 99

let private square = Shape.Of(2, 2, 1)
let private builder = Fluent.Network.Input square
let private model = builder.Flatten().Dense(2).Build()
let private pixels = Image.Of(2, 2, 1, ReadOnlySpan [| 0uy; 1uy; 2uy; 3uy |])
let private network: Network<float32> = Architectures.build 0 Architectures.digits
let private noNames = Dictionary<string, string>()
let private geometry = Geometry.Product("Dense", 4, 2)

let private named elementType = {
    NamedArray.ofTensor "x" (Tensor.zeros square: Tensor<float32>) with
        Type = elementType
}

let private made (spec: LayerSpec) = (Layers.ofSpec spec: Layer<float32>) |> ignore
let private nowhere = Path.Combine(Path.GetTempPath(), "cnn-no-such-file")

let private matArray stored : MatArray = {
    Name = "x"
    Extents = [| 1; 1 |]
    Stored = stored
    Data = Array.zeroCreate 8
    IsBigEndian = false
    File = "x"
    Offset = 0L
}

/// Members that take an enumeration, named as reflection names them, with the parameter; and a call with a number of none.
/// What only holds a choice, as a layer's data do, is called by what gives it a meaning.
let private doors: (string * (unit -> unit)) list = [
    "Activation..ctor kind", (fun () -> Cnn.Activation(unknown, 0.0) |> ignore)
    "Loss..ctor kind", (fun () -> Loss(unknown, Reduction.Mean) |> ignore)
    "Loss..ctor reduction", (fun () -> Loss(LossKind.CrossEntropy, unknown) |> ignore)
    "Loss.With reduction",
    (fun () ->
        let loss = Loss.CrossEntropy
        loss.With unknown |> ignore)
    "Conv2D..ctor mode", (fun () -> made (Conv2D { Conv2D.Default with Mode = unknown }))
    "Conv2D..ctor initializer", (fun () -> made (Conv2D { Conv2D.Default with Initializer = unknown }))
    "Dense..ctor initializer", (fun () -> made (Dense { Dense.Default with Initializer = unknown }))
    "LayerSpec.NewFlatten item", (fun () -> made (Flatten unknown))
    "LayerSpec.NewDropout _kind", (fun () -> made (Dropout(0.5, unknown)))
    "Conv2DOptions.set_Mode value",
    (fun () -> builder.Conv2D(1, Size.Square 1, Conv2DOptions(Mode = unknown)) |> ignore)
    "Conv2DOptions.set_Initializer value",
    (fun () -> builder.Conv2D(1, Size.Square 1, Conv2DOptions(Initializer = unknown)) |> ignore)
    "DenseOptions.set_Initializer value",
    (fun () -> builder.Flatten().Dense(1, DenseOptions(Initializer = unknown)) |> ignore)
    "NetworkBuilder.Flatten order", (fun () -> builder.Flatten unknown |> ignore)
    "NetworkBuilder.Build precision", (fun () -> builder.Flatten().Dense(2).Build(0, unknown) |> ignore)
    "Initializer.draw initializer",
    (fun () -> (Initializer.draw unknown (Key.ofSeed 0) 1 1 1 square: Tensor<float32>) |> ignore)
    "ConfusionMatrix.Score average",
    (fun () -> (Metrics.confusion [ "a"; "b" ] [| 0 |] [| 1 |]).Score(unknown: Average) |> ignore)
    "Resampler.Create method", (fun () -> Resampler.Create(unknown, square, 1, 1) |> ignore)
    "PreprocessingStep.NewResize _method", (fun () -> Preprocessing.ofSteps [ Resize(1, 1, unknown) ] |> ignore)
    "Preprocessing.Resize method", (fun () -> Preprocessing.Resize(1, 1, unknown) |> ignore)
    "Image.resize method", (fun () -> FSharp.Image.resize unknown 1 1 pixels |> ignore)
    "Images.Resize method", (fun () -> pixels.Resize(1, 1, unknown) |> ignore)
    "ImageFolderOptions..ctor method", (fun () -> ImageFolderOptions(2, 2, 1, unknown) |> ignore)
    "CsvOptions..ctor label", (fun () -> CsvOptions(label = unknown) |> ignore)
    "CsvOptions..ctor header", (fun () -> CsvOptions(header = unknown) |> ignore)
    "Cifar100.Parse labels", (fun () -> Cifar100.Parse("file", [||], unknown) |> ignore)
    "Cifar100.Read labels", (fun () -> Cifar100.Read("file", new MemoryStream(), unknown) |> ignore)
    "Cifar100.Load labels", (fun () -> Cifar100.Load(nowhere, unknown) |> ignore)
    "Cifar100.Download labels", (fun () -> Cifar100.Download(nowhere, unknown) |> ignore)
    "Cifar100.DownloadAsync labels", (fun () -> Cifar100.DownloadAsync(nowhere, unknown) |> ignore)
    "NamedArray..ctor type", (fun () -> Safetensors.write Map.empty [ named unknown ] |> ignore)
    "NamedArrayModule.bits elementType", (fun () -> NamedArray.bits unknown |> ignore)
    "MatArray..ctor stored", (fun () -> MatFile.numbers (matArray unknown) |> ignore)
    "Onnx.encode order", (fun () -> Onnx.encode unknown [] network |> ignore)
    "Onnx.save order", (fun () -> Onnx.save nowhere unknown [] network |> ignore)
    "Model.ExportOnnx order", (fun () -> model.ExportOnnx(nowhere, unknown))
    "WeightImport.assign source", (fun () -> WeightImport.assign unknown noNames true "file" [] network |> ignore)
    "WeightImport.load source", (fun () -> WeightImport.load unknown noNames nowhere network |> ignore)
    "Model.ImportWeights source", (fun () -> model.ImportWeights(nowhere, unknown) |> ignore)
    "SimdKernels`1..ctor winograd", (fun () -> SimdKernels<float>(512, unknown) |> ignore)
    "SimdKernels`1.PackedLength packing", (fun () -> SimdKernels<float>().PackedLength(geometry, unknown) |> ignore)
    "SimdKernels`1.Pack packing",
    (fun () -> SimdKernels<float>().Pack(geometry, unknown, ReadOnlySpan.Empty, Span.Empty))
    "Simd.Backend winograd", (fun () -> Simd.Backend<float>(1, unknown) |> ignore)
]

/// Doors of interfaces, whose implementations are named, and results, which the library gives and never takes.
let private others = [
    "IWorkspace`1.Packed packing"
    "IKernels`1.PackedLength packing"
    "IKernels`1.Pack packing"
    "Fitted`1..ctor reason"
    "VerificationCheck..ctor verdict"
    "ClassifierResult..ctor Reason"
    "ClassifierResult.set_Reason value"
    "FitResult..ctor Reason"
    "FitResult.set_Reason value"
]

/// Each public member of the library that takes an enumeration of the library's.
let private takers () =
    let assemblies = [ typeof<Shape>.Assembly; typeof<Model>.Assembly ]

    let everything =
        BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.DeclaredOnly

    [
        for owner in assemblies |> Seq.collect (fun assembly -> assembly.GetExportedTypes()) do
            // Compilers write groups of extensions as types of their own.
            if not (owner.Name.StartsWith '<') then
                for taker in owner.GetMembers everything |> Seq.choose tryUnbox<MethodBase> do
                    for parameter in taker.GetParameters() do
                        if
                            parameter.ParameterType.IsEnum && List.contains parameter.ParameterType.Assembly assemblies
                        then
                            $"{owner.Name}.{taker.Name} {parameter.Name}"
    ]

/// Any float, those that are no numbers and the largest ones among them.
let private (|AnyFloat|) (r: Rows) =
    let key = Key.ofSeed r.Seed

    match key.Below(6, 0L) with
    | 0 -> nan
    | 1 -> infinity
    | 2 -> -infinity
    | 3 -> 1e300 * key.Uniform 1L
    | _ -> key.Normal 1L

let tests =
    testList "choice" [
        testCase "every door that takes a choice is among those below" (fun () ->
            Assert.That(List.distinct (takers ()), equivalentTo (List.map fst doors @ others)))

        testEach "a number that no choice has is refused, with the choices" doors fst (fun (_, call) ->
            let error = Assert.Throws<ArgumentOutOfRangeException> call
            Assert.That(error.ActualValue |> string, equalTo "99")
            Assert.That(error.Message, both (containing "Choose one of ") (lacking nowhere)))

        testProperty "an activation has a slope that is monotone and finite, or is refused" (fun (AnyFloat slope) ->
            let isSlope = slope >= 0.0 && Double.IsFinite(float (float32 slope))

            let tries f =
                try
                    Some(f ())
                with :? ArgumentOutOfRangeException ->
                    None

            let leaky = tries (fun () -> Cnn.Activation.LeakyReLU slope)

            all [
                same isSlope leaky.IsSome
                same leaky (tries (fun () -> Cnn.Activation(ActivationKind.LeakyReLU, slope)))
                same (slope = 0.0) (tries (fun () -> Cnn.Activation(ActivationKind.Tanh, slope))).IsSome

                for φ in Option.toList leaky do
                    let y = Array.zeroCreate<float32> 5

                    (SimdKernels<float32>() :> IKernels<float32>)
                        .Activate(φ, ReadOnlySpan [| -1f; -0.5f; 0f; 0.5f; 1f |], Span y)

                    same (Array.sort y) y
            ])
    ]
