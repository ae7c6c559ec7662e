namespace Cnn

/// <summary>Where the channels of a batch of pictures stand.</summary>
type ChannelOrder =
    /// N×C×H×W, as in PyTorch and most ONNX files.
    | ChannelsFirst = 0
    /// N×H×W×C, as in this library and in Keras.
    | ChannelsLast = 1

namespace Cnn.FSharp

open System
open System.Buffers
open System.Buffers.Binary
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open Cnn

/// <summary>Networks as ONNX files: opset 13 in float32, which every runtime since ONNX 1.8 reads.</summary>
[<RequireQualifiedAccess>]
module Onnx =

    open Protobuf

    let private intermediateRepresentation, operatorSet = 7L, 13L

    /// An operator with one output, which bears the node's name.
    [<NoEquality; NoComparison>]
    type private Node = { Name: string; Operator: string; Inputs: string list; Attributes: Field list }

    /// What is written so far, last first, and the value that comes out of it.
    [<NoEquality; NoComparison>]
    type private Graph = {
        Nodes: Node list
        Tensors: Field list
        Value: string
        /// Sample shape, channels last.
        Shape: Shape
        /// Where the channels of a picture stand in the file.
        Order: ChannelOrder
    }

    let private integer name (value: int) = Message(5, [ text 1 name; Varint(3, int64 value); Varint(20, 2L) ])

    let private real name (value: float) = Message(5, [ text 1 name; Single(2, float32 value); Varint(20, 1L) ])

    let private integers name (values: int list) =
        Message(5, [ yield text 1 name; yield! [ for v in values -> Varint(8, int64 v) ]; yield Varint(20, 7L) ])

    /// A constant: values of a tensor, rearranged by `source`, which tells the position that position i takes its value from.
    let private tensor name (dimensions: int list) (source: int -> int) (weights: Tensor<'T>) =
        let values = weights.ToArray()
        let raw = Array.zeroCreate<byte>(4 * values.Length)

        for i in 0 .. values.Length - 1 do
            let value = Number.toFloat values[source i]
            let single = float32 value

            if Double.IsFinite value && not (Single.IsFinite single) then
                raise (ArgumentException(name + " holds " + Words.number value + ", which is too large for float32."))

            BinaryPrimitives.WriteSingleLittleEndian(Span(raw, 4 * i, 4), single)

        Message(
            5,
            [
                yield! [ for d in dimensions -> Varint(1, int64 d) ]
                yield Varint(2, 1L)
                yield text 8 name
                yield Bytes(9, raw)
            ]
        )

    let private vector name (weights: Tensor<'T>) = tensor name [ weights.Size ] id weights

    /// Wᵀ, one row for each unit.
    let private transposed name (kernel: Tensor<'T>) =
        let inputs, units = kernel.Shape[0], kernel.Shape[1]
        kernel |> tensor name [ units; inputs ] (fun i -> i % inputs * units + i / inputs)

    /// W_onnx[f,c,u,v] = K[u,v,c,f].
    let private filters name (kernel: Tensor<'T>) =
        let height, width, channels, filters =
            kernel.Shape[0], kernel.Shape[1], kernel.Shape[2], kernel.Shape[3]

        let taps = height * width

        kernel
        |> tensor name [ filters; channels; height; width ] (fun i ->
            (i % taps * channels + i / taps % channels) * filters + i / (taps * channels))

    /// Appends an operator on the value so far; the constants are its further inputs.
    let private append operator name constants attributes graph =
        let names = constants |> List.map fst

        let node = {
            Name = name
            Operator = operator
            Inputs = graph.Value :: names
            Attributes = attributes
        }

        {
            graph with
                Nodes = node :: graph.Nodes
                Tensors = List.rev (constants |> List.map snd) @ graph.Tensors
                Value = name
        }

    /// Puts the channels of a picture where an operator wants them.
    let private arrange order name graph =
        if graph.Shape.Rank <> 3 || graph.Order = order then
            graph
        else
            let permutation = if order = ChannelOrder.ChannelsFirst then [ 0; 3; 1; 2 ] else [ 0; 2; 3; 1 ]

            {
                append "Transpose" (name + "_transpose") [] [ integers "perm" permutation ] graph with
                    Order = order
            }

    let private activate (φ: Activation) name graph =
        match φ.Kind with
        | ActivationKind.Identity -> graph
        | ActivationKind.ReLU -> graph |> append "Relu" name [] []
        | ActivationKind.LeakyReLU -> graph |> append "LeakyRelu" name [] [ real "alpha" φ.Slope ]
        | ActivationKind.Sigmoid -> graph |> append "Sigmoid" name [] []
        | ActivationKind.Tanh -> graph |> append "Tanh" name [] []
        | ActivationKind.Softmax ->
            let channels = if graph.Shape.Rank = 3 && graph.Order = ChannelOrder.ChannelsLast then 3 else 1
            graph |> append "Softmax" name [] [ integer "axis" channels ]
        | other -> raise (ArgumentException(name + ": ONNX export knows no activation " + string (int other) + "."))

    let private window (g: Geometry) =
        // Only padding that a window reaches is written: runtimes refuse a pooling padded by more than its window.
        let after n before positions stride span = max 0 ((positions - 1) * stride + span - before - n)

        let bottom = after g.Height g.PadTop g.OutHeight g.StrideY (Window.span g.KernelHeight g.DilationY)
        let right = after g.Width g.PadLeft g.OutWidth g.StrideX (Window.span g.KernelWidth g.DilationX)

        [
            integers "kernel_shape" [ g.KernelHeight; g.KernelWidth ]
            integers "strides" [ g.StrideY; g.StrideX ]
            integers "pads" [ g.PadTop; g.PadLeft; bottom; right ]
        ]

    let private pool operator name (spec: Pool) graph =
        let g = Geometry.Pooling(name, graph.Shape, spec.Window, spec.Stride, spec.Padding)
        graph |> arrange ChannelOrder.ChannelsFirst name |> append operator name [] (window g)

    /// A picture as a vector, in the order in which its values stand.
    let private flatten name graph = graph |> append "Flatten" name [] [ integer "axis" 1 ]

    let private poolWhole operator name graph =
        graph
        |> arrange ChannelOrder.ChannelsFirst name
        |> append operator name [] []
        |> flatten (name + "_flatten")

    /// The operators of one layer, given its tensors: θ first, then state.
    let private layer name spec (weights: Tensor<'T> list) graph =
        let named =
            List.zip (LayerSpec.tensorNames spec |> List.map (fun tensor -> name + "_" + tensor)) weights

        let vectors = List.map (fun (name, weights) -> name, vector name weights)

        match spec with
        | Conv2D conv ->
            let g =
                Geometry.Correlation(
                    name,
                    graph.Shape,
                    conv.Filters,
                    conv.Kernel,
                    conv.Stride,
                    conv.Dilation,
                    conv.Padding
                )

            let kernel, weights = named.Head
            let constants = (kernel, filters kernel weights) :: vectors named.Tail
            let dilations = integers "dilations" [ g.DilationY; g.DilationX ]

            graph
            |> arrange ChannelOrder.ChannelsFirst name
            |> append "Conv" name constants (dilations :: window g)
            |> activate conv.Activation (name + "_activation")
        | Dense dense ->
            let kernel, weights = named.Head
            let constants = (kernel, transposed kernel weights) :: vectors named.Tail

            // Transposed as PyTorch writes it: OpenCV 4.6 misreads Gemm without transB.
            graph
            |> append "Gemm" name constants [ integer "transB" 1 ]
            |> activate dense.Activation (name + "_activation")
        | MaxPool spec -> pool "MaxPool" name spec graph
        | AveragePool spec -> pool "AveragePool" name spec graph
        | GlobalMaxPool -> poolWhole "GlobalMaxPool" name graph
        | GlobalAveragePool -> poolWhole "GlobalAveragePool" name graph
        | Flatten _ when graph.Shape.Rank = 1 -> graph
        | Flatten order ->
            let channels = graph.Shape[2]
            let isSameEitherWay = channels = 1 || channels = graph.Shape.Size

            let wanted =
                if isSameEitherWay then graph.Order
                elif order = FlattenOrder.RowMajor then ChannelOrder.ChannelsLast
                else ChannelOrder.ChannelsFirst

            graph |> arrange wanted name |> flatten name
        | Activation φ -> graph |> activate φ name
        | BatchNorm norm ->
            graph
            |> arrange ChannelOrder.ChannelsFirst name
            |> append "BatchNormalization" name (vectors named) [
                real "epsilon" norm.Epsilon
                real "momentum" norm.Momentum
            ]
        | Dropout _ -> graph
        | Custom layer ->
            raise (ArgumentException("The layer " + layer + " is of your own making: ONNX has no operator for it."))

    /// The name and the dimensions of an input or output; the number of samples is left open as N.
    let private valueInfo number name order (sample: Shape) =
        let extents =
            match List.ofArray (sample.Extents.ToArray()) with
            | [ height; width; channels ] when order = ChannelOrder.ChannelsFirst -> [ channels; height; width ]
            | extents -> extents

        let dimensions =
            Message(1, [ text 2 "N" ]) :: [ for n in extents -> Message(1, [ Varint(1, int64 n) ]) ]

        let tensor = Message(1, [ Varint(1, 1L); Message(2, dimensions) ])
        Message(number, [ text 1 name; Message(2, [ tensor ]) ])

    let private nodeMessage node output =
        Message(
            1,
            [
                yield! node.Inputs |> List.map (text 1)
                yield text 2 output
                yield text 3 node.Name
                yield text 4 node.Operator
                yield! node.Attributes
            ]
        )

    /// As in ["cat","dog"].
    let private jsonArray (names: string seq) =
        let buffer = ArrayBufferWriter<byte>()

        (use writer =
            new Utf8JsonWriter(buffer, JsonWriterOptions(Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping))

         writer.WriteStartArray()

         for name in names do
             writer.WriteStringValue name

         writer.WriteEndArray())

        Encoding.UTF8.GetString buffer.WrittenSpan

    let private inputName, outputName = "input", "output"

    /// <summary>The network as an ONNX file: input → output, N samples → N outputs, in float32.</summary>
    /// <remarks>
    /// Dropout vanishes, as at inference; kernels that are convolved are rotated once. The names of the classes stand in the
    /// metadata under class_names, as a JSON array. ONNX 1.8: opset 13, IR 7.
    /// </remarks>
    /// <param name="order">Where the channels of pictures stand, in the input as in the output.</param>
    /// <param name="classNames">Names of the classes, in the order of the outputs.</param>
    /// <param name="network">Takes pictures or vectors; weights of float are rounded to float32.</param>
    /// <exception cref="T:System.ArgumentException">
    /// A layer is of a user's own, the input is neither pictures nor vectors, a weight is too large for float32, the file
    /// would exceed 2 GiB, or there is no such order.
    /// </exception>
    let encode (order: ChannelOrder) (classNames: string seq) (network: Network<'T>) : byte[] =
        Words.defined (nameof order) order
        let network = Network.correlating network

        if network.Input.Rank <> 1 && network.Input.Rank <> 3 then
            raise (
                ShapeException(
                    "ONNX",
                    "an input of height×width×channels, or of features",
                    string network.Input,
                    "Build the network over pictures or vectors."
                )
            )

        let rec walk (rows: SummaryRow list) (parts: Primitive<'T> list) θ s graph =
            match rows, parts with
            | row :: rows, part :: parts ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s

                let graph = layer row.Name part.Spec (θf @ sf) graph
                walk rows parts θg sg { graph with Shape = row.Output }
            | _ -> graph

        let graph =
            { Nodes = []; Tensors = []; Value = inputName; Shape = network.Input; Order = order }
            |> walk (Network.summary network) network.Layer.Parts network.Parameters network.State
            |> arrange order outputName

        let last, before =
            match graph.Nodes with
            | last :: before -> last, before
            | [] -> { Name = "identity"; Operator = "Identity"; Inputs = [ inputName ]; Attributes = [] }, []

        let model = [
            Varint(1, intermediateRepresentation)
            text 2 "Cnn"
            Message(8, [ Varint(2, operatorSet) ])
            Message(
                7,
                [
                    yield! List.rev [ for node in before -> nodeMessage node node.Name ]
                    yield nodeMessage last outputName
                    yield text 2 "network"
                    yield! List.rev graph.Tensors
                    yield valueInfo 11 inputName order network.Input
                    yield valueInfo 12 outputName order graph.Shape
                ]
            )
            Message(14, [ text 1 "class_names"; text 2 (jsonArray classNames) ])
        ]

        let bytes = size model

        if bytes > int64 Int32.MaxValue then
            raise (
                ArgumentException(
                    "The network has " + string bytes + " bytes as an ONNX file; such files end at 2 GiB."
                )
            )

        encode model

    /// <summary>Writes the network as an ONNX file, wholly or not at all; see <c>encode</c>.</summary>
    /// <exception cref="T:System.ArgumentException">The network cannot be exported: as for <c>encode</c>.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be written.</exception>
    let save (path: string) order classNames (network: Network<'T>) =
        AtomicFile.write path (ReadOnlySpan(encode order classNames network))
