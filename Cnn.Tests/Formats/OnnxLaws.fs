/// ONNX files mean what the network means, says ONNX Runtime.
module Cnn.Tests.Formats.OnnxLaws

open System
open System.Text.Json
open System.Text.RegularExpressions
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.OnnxRuntime
open Cnn.Tests.Laws.Law

let private orders = [ ChannelOrder.ChannelsFirst; ChannelOrder.ChannelsLast ]

/// Weights of any sign, variances above 0; all of them numbers of float32, so that export rounds nothing.
let private build seed input specs : Network<float> =
    let network = Network.create (Key.ofSeed seed) input (Layers.ofSpecs specs)

    let single (t: Tensor<float>) = Tensor.map (fun v -> float (float32 v)) t

    let state =
        network.State
        |> List.mapi (fun i t -> single (Tensor.map (fun v -> abs v + 0.5) (Draw.reals (seed + 31 * i) t.Shape)))

    {
        network with
            Parameters = network.Parameters |> List.mapi (fun i t -> single (Draw.reals (seed + 17 * i + 1) t.Shape))
            State = state
    }

/// The plan with windows, strides, dilations, paddings, slopes, ε and ρ of its own, drawn by its seed, where the layers still
/// fit: what equals the default of an operator would not be missed in the file.
let private attributed (plan: Plan) =
    let redrawn (key: Key) spec =
        let size most i = { Height = 1 + key.Below(most, i); Width = 1 + key.Below(most, i + 1L) }

        let cells i = key.Below(3, i)

        let padding kept =
            if key.Below(2, 10L) = 0 then
                kept
            else
                Explicit(cells 11L, cells 12L, cells 13L, cells 14L)

        let sloped (φ: Activation) =
            if φ.Kind = ActivationKind.LeakyReLU then
                Cnn.Activation.LeakyReLU(2.0 * key.Uniform 0L)
            else
                φ

        let pool (p: Pool) : Pool = { Window = size 4 1L; Stride = size 3 3L; Padding = padding p.Padding }

        match spec with
        | LayerSpec.Activation φ -> LayerSpec.Activation(sloped φ)
        | Dense d -> Dense { d with Activation = sloped d.Activation }
        | Conv2D c ->
            Conv2D {
                c with
                    Kernel = size 3 1L
                    Stride = size 3 3L
                    Dilation = size 3 5L
                    Padding = padding c.Padding
                    Activation = sloped c.Activation
            }
        | MaxPool p -> MaxPool(pool p)
        | AveragePool p -> AveragePool(pool p)
        | BatchNorm _ -> BatchNorm { Epsilon = key.Uniform 0L; Momentum = key.Uniform 1L }
        | other -> other

    (plan, List.indexed plan.Specs)
    ||> List.fold (fun plan (i, spec) ->
        let own = redrawn (Key.ofSeed plan.Seed |> Key.child (int64 i)) spec
        let changed = { plan with Specs = List.updateAt i own plan.Specs }
        if Plan.fits changed then changed else plan)

/// A network with weights of its own and pictures for it.
let private (|Net|) (plan: Plan) =
    let plan = attributed plan
    let network = build plan.Seed (Plan.shape plan.Input) plan.Specs
    network, (Draw.reals plan.Seed (network.Input.Batch plan.Count): Tensor<float>)

/// The values of a batch as an ONNX file of that order has them.
let private outside order (t: Tensor<float>) =
    match List.ofArray (t.Shape.Extents.ToArray()) with
    | [ n; h; w; c ] when order = ChannelOrder.ChannelsFirst ->
        let source = t.ToArray()

        {
            Dims = [ n; c; h; w ]
            Data = [|
                for s in 0 .. n - 1 do
                    for k in 0 .. c - 1 do
                        for i in 0 .. h - 1 do
                            for j in 0 .. w - 1 -> source[((s * h + i) * w + j) * c + k]
            |]
        }
    | dims -> { Dims = dims; Data = t.ToArray() }

/// Each layer with its own parameters and state.
let private parts (network: Network<'T>) =
    ((network.Parameters, network.State), network.Layer.Parts)
    ||> List.mapFold (fun (θ, s) part ->
        let own, θ = List.splitAt part.Parameters θ
        let state, s = List.splitAt part.States s
        (part, own, state), (θ, s))
    |> fst

/// The largest number that the network meets on the way from x to its answer.
let private largest (network: Network<'T>) (x: Tensor<'T>) =
    let size (t: Tensor<'T>) = t.ToArray() |> Seq.map (real >> abs) |> Seq.max

    ((x, size x), parts network)
    ||> List.fold (fun (x, most) (part, own, state) ->
        let y = (Layer.run (Context.reference Inference) (Layer.ofPrimitive part) own state x).Output
        y, max most (size y))
    |> snd

/// A layer's tensor as ONNX has it: W[f,c,u,v] = K[u,v,c,f], or that of K rotated by π where the layer convolves; Wᵀ for a
/// matrix W, a row for each unit; b.
let private turned spec (t: Tensor<'T>) =
    match spec, List.ofArray (t.Shape.Extents.ToArray()) with
    | Conv2D conv, [ height; width; channels; filters ] ->
        let tap u v =
            if conv.Mode = ConvolutionMode.Convolution then
                height - 1 - u, width - 1 - v
            else
                u, v

        [ filters; channels; height; width ],
        [|
            for f in 0 .. filters - 1 do
                for c in 0 .. channels - 1 do
                    for u in 0 .. height - 1 do
                        for v in 0 .. width - 1 do
                            let u, v = tap u v
                            t[u, v, c, f]
        |]
    | Dense _, [ inputs; units ] ->
        [ units; inputs ],
        [|
            for j in 0 .. units - 1 do
                for i in 0 .. inputs - 1 -> t[i, j]
        |]
    | _, dims -> dims, t.ToArray()

/// How far ONNX Runtime's numbers for a file are from ours, in each order, in units of that number: it computes in float32,
/// and what cancels on the way has been rounded before.
let private errors (network: Network<'T>) (x: Tensor<'T>) =
    let expected, unit = Network.predict network x, largest network x

    [
        for order in orders ->
            let outside t = outside order (Tensor.map real t)
            let expected = outside expected
            let found = OnnxRuntime.run (Onnx.encode order [] network) (outside x)
            Assert.That(found.Dims, equalTo expected.Dims)
            (Seq.map2 (fun a b -> abs (a - b)) expected.Data found.Data |> Seq.max) / unit
    ]

let private agrees network x =
    let errors = errors network x
    List.max errors <= 1e-5 |> Prop.label $"%A{errors}"

let tests =
    testList "ONNX" [
        testProperty "evaluating the file is predicting, channels first or last" (fun (Net(network, x)) ->
            agrees network x)

        testProperty "a network over vectors is the same in either order" (fun (rows: Rows) ->
            let dense = { Dense.Default with Units = 3; Activation = Cnn.Activation.Softmax }

            let network = build rows.Seed (Shape.Of rows.Features) [ BatchNorm BatchNorm.Default; Dense dense ]

            let x = Draw.reals rows.Seed (network.Input.Batch rows.Count)

            all [
                yield agrees network x
                yield same (Onnx.encode orders[0] [] network) (Onnx.encode orders[1] [] network)
            ])

        testProperty
            "names are C identifiers, made once, before they are used; constants are no inputs; shapes are told"
            (fun (Net(network, x)) ->
                let identifier = Regex "^[A-Za-z_][A-Za-z0-9_]*$"

                all [
                    for order in orders do
                        let file = Onnx.encode order [] network
                        let model, told = OnnxReader.read file, OnnxRuntime.told file
                        let constants = model.Constants |> List.map _.Name
                        let made = [ "input" ] @ constants @ (model.Nodes |> List.collect (fun node -> node.Outputs))
                        let dims (t: Tensor<float>) = "N" :: List.map string (outside order t).Dims.Tail

                        yield same (7L, 13L) (model.Version, model.Opset)
                        yield same (List.distinct made) made
                        yield same [] (made |> List.filter (fun name -> not (identifier.IsMatch name)))
                        yield same [ "input", dims x ] told.Inputs
                        yield same [ "output", dims (Network.predict network x) ] told.Outputs

                        for name in constants do
                            yield same true (model.Nodes |> List.exists (fun node -> List.contains name node.Inputs))

                        let known (node: OnnxReader.Node) = List.takeWhile ((<>) (List.head node.Outputs)) made

                        for node in model.Nodes do
                            yield same [] (node.Inputs |> List.except (known node))
                ])

        testProperty "slopes, ε and ρ are in the file, layer by layer" (fun (Net(network, _)) ->
            let specs = [ for part in network.Layer.Parts -> part.Spec ]
            let model = OnnxReader.read (Onnx.encode ChannelOrder.ChannelsFirst [] network)

            let reals operator name = [
                for node in model.Nodes do
                    if node.Operator = operator then
                        node.Reals[name]
            ]

            let single = List.map (fun (v: float) -> float32 v)

            let slopes =
                specs
                |> List.choose (fun spec ->
                    match spec with
                    | Conv2D { Activation = φ }
                    | Dense { Activation = φ }
                    | LayerSpec.Activation φ when φ.Kind = ActivationKind.LeakyReLU -> Some φ.Slope
                    | _ -> None)

            let norms =
                specs
                |> List.choose (fun spec ->
                    match spec with
                    | BatchNorm norm -> Some norm
                    | _ -> None)

            all [
                same (single slopes) (reals "LeakyRelu" "alpha")
                same (single [ for norm in norms -> norm.Epsilon ]) (reals "BatchNormalization" "epsilon")
                same (single [ for norm in norms -> norm.Momentum ]) (reals "BatchNormalization" "momentum")
            ])

        testProperty "float32 weights are in the file bit for bit" (fun (Net(network, _)) ->
            let single: Network<float32> = {
                Layer = Layers.ofSpecs (network.Layer.Parts |> List.map (fun part -> part.Spec))
                Input = network.Input
                Parameters = network.Parameters |> List.map (Tensor.map float32)
                State = network.State |> List.map (Tensor.map float32)
            }

            let bits (dims: int list, values) = dims, Array.map BitConverter.SingleToUInt32Bits values

            let expected = [
                for part, own, state in parts single do
                    for weights in own @ state -> bits (turned part.Spec weights)
            ]

            let written file = [
                for constant in (OnnxReader.read file).Constants -> bits (constant.Dims, constant.Data)
            ]

            all [
                for order in orders do
                    yield same expected (written (Onnx.encode order [] single))
                    yield same expected (written (Onnx.encode order [] network))
            ])

        testProperty
            "class names stand in the metadata as a JSON array"
            (fun (Net(network, _)) (names: NonEmptyString list) ->
                let names =
                    [ for name in names -> String.filter (Char.IsSurrogate >> not) name.Get ] @ [ "Größe \"π\"\n"; "" ]

                let metadata = (OnnxRuntime.told (Onnx.encode ChannelOrder.ChannelsFirst names network)).Metadata

                use json = JsonDocument.Parse metadata["class_names"]
                same names [ for name in json.RootElement.EnumerateArray() -> nonNull (name.GetString()) ])

        testCase "what ONNX has no operator for is named" (fun () ->
            let custom: Layer<float32> =
                Layer.create "Sobel" 0 0 0 id (fun _ _ -> [], []) (fun _ _ _ x -> {
                    Output = x
                    State = []
                    Pullback = fun ȳ -> [], ȳ
                })

            let encode (layer: Layer<float32>) input =
                Onnx.encode ChannelOrder.ChannelsFirst [] (Network.create (Key.ofSeed 0) input layer) |> ignore

            let unknown = Assert.Throws<ArgumentException>(fun () -> encode custom (Shape.Of(4, 5, 1)))
            Assert.That(unknown.Message, containing "Sobel")
            Assert.Throws<ShapeException>(fun () -> encode (Layers.flatten ()) (Shape.Of(4, 5))) |> ignore)

        testCase "a weight beyond float32 is named" (fun () ->
            let network: Network<float> = Network.create (Key.ofSeed 0) (Shape.Of 2) (Layers.dense 1)

            let large = { network with Parameters = network.Parameters |> List.map (Tensor.map (fun _ -> 1e300)) }

            let error =
                Assert.Throws<ArgumentException>(fun () -> Onnx.encode ChannelOrder.ChannelsFirst [] large |> ignore)

            Assert.That(error.Message, containing "dense_kernel"))

        testEach "ONNX Runtime predicts the same for every architecture" Architectures.all _.Name (fun architecture ->
            let network: Network<float32> = Architectures.build 7 architecture
            let x = Draw.reals 3 (network.Input.Batch 3)
            Assert.That(List.max (errors network x), atMost 1e-5))
    ]
