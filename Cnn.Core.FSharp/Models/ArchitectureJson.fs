namespace Cnn.FSharp

open System
open System.Text.Json
open Cnn

/// The layers of a network as JSON: a list of objects, each with a type and what its spec says.
[<RequireQualifiedAccess>]
module internal ArchitectureJson =

    /// More than any network has, and few enough for functions that call themselves once for each layer.
    [<Literal>]
    let private MostLayers = 2000

    [<Literal>]
    let private MostAxes = 8

    // The words are part of the format: they stay when names in the code change.
    let private activations = [
        "identity", ActivationKind.Identity
        "relu", ActivationKind.ReLU
        "leaky_relu", ActivationKind.LeakyReLU
        "sigmoid", ActivationKind.Sigmoid
        "tanh", ActivationKind.Tanh
        "softmax", ActivationKind.Softmax
    ]

    let private initializers = [
        "glorot_uniform", Initializer.GlorotUniform
        "glorot_normal", Initializer.GlorotNormal
        "he_uniform", Initializer.HeUniform
        "he_normal", Initializer.HeNormal
        "lecun_normal", Initializer.LeCunNormal
        "standard_normal", Initializer.StandardNormal
        "xavier_nodes", Initializer.XavierNodes
        "he_nodes", Initializer.HeNodes
    ]

    let private modes = [
        "cross_correlation", ConvolutionMode.CrossCorrelation
        "convolution", ConvolutionMode.Convolution
    ]

    let private orders = [ "row_major", FlattenOrder.RowMajor; "channel_major", FlattenOrder.ChannelMajor ]

    let private writeSize (writer: Utf8JsonWriter) name (size: Size) =
        Json.writeWholes writer name [ size.Height; size.Width ]

    let private writePadding (writer: Utf8JsonWriter) padding =
        match padding with
        | Valid -> writer.WriteString("padding", "valid")
        | Same -> writer.WriteString("padding", "same")
        | Full -> writer.WriteString("padding", "full")
        | Cover -> writer.WriteString("padding", "cover")
        | Explicit(top, bottom, left, right) -> Json.writeWholes writer "padding" [ top; bottom; left; right ]

    let private writeActivation (writer: Utf8JsonWriter) (φ: Activation) =
        writer.WriteString("activation", Json.wordOf activations φ.Kind)

        if φ.Kind = ActivationKind.LeakyReLU then
            Json.writeNumber writer "slope" φ.Slope

    let private writePool writer (pool: Pool) =
        writeSize writer "window" pool.Window
        writeSize writer "stride" pool.Stride
        writePadding writer pool.Padding

    let private writeWeights (writer: Utf8JsonWriter) (initializer: Initializer) (useBias: bool) (trainable: bool) =
        writer.WriteBoolean("use_bias", useBias)
        writer.WriteString("initializer", Json.wordOf initializers initializer)
        writer.WriteBoolean("trainable", trainable)

    let private writeLayer (writer: Utf8JsonWriter) spec =
        writer.WriteStartObject()
        writer.WriteString("type", LayerSpec.baseName spec)

        match spec with
        | Conv2D conv ->
            writer.WriteNumber("filters", conv.Filters)
            writeSize writer "kernel" conv.Kernel
            writeSize writer "stride" conv.Stride
            writeSize writer "dilation" conv.Dilation
            writePadding writer conv.Padding
            writer.WriteString("mode", Json.wordOf modes conv.Mode)
            writeActivation writer conv.Activation
            writeWeights writer conv.Initializer conv.UseBias conv.Trainable
        | Dense dense ->
            writer.WriteNumber("units", dense.Units)
            writeActivation writer dense.Activation
            writeWeights writer dense.Initializer dense.UseBias dense.Trainable
        | MaxPool pool
        | AveragePool pool -> writePool writer pool
        | GlobalMaxPool
        | GlobalAveragePool -> ()
        | Flatten order -> writer.WriteString("order", Json.wordOf orders order)
        | LayerSpec.Activation φ -> writeActivation writer φ
        | BatchNorm norm ->
            Json.writeNumber writer "epsilon" norm.Epsilon
            Json.writeNumber writer "momentum" norm.Momentum
        | Dropout(rate, _) -> Json.writeNumber writer "rate" rate
        | Custom name ->
            raise (
                ArgumentException(
                    "The layer "
                    + name
                    + " is of your own making and cannot be saved: a file could not say what it does. Save the layers around it."
                )
            )

        writer.WriteEndObject()

    /// The input's shape and the layers.
    let write (input: Shape) specs =
        Json.write (fun writer ->
            writer.WriteStartObject()
            Json.writeWholes writer "input" (input.Extents.ToArray())
            Json.writeList writer "layers" (writeLayer writer) specs
            writer.WriteEndObject())

    let private readSize json : Size =
        match Json.items 2 json |> List.map (Json.atLeast 1) with
        | [ height; width ] -> { Height = height; Width = width }
        | _ -> Json.refuse json "height and width" "one number or none"

    let private readPadding json =
        let json = Json.get "padding" json

        match json.Element.ValueKind with
        | JsonValueKind.Array ->
            match Json.items 4 json |> List.map (Json.atLeast 0) with
            | [ top; bottom; left; right ] -> Explicit(top, bottom, left, right)
            | _ -> Json.refuse json "four numbers" "fewer"
        | _ -> Json.choice [ "valid", Valid; "same", Same; "full", Full; "cover", Cover ] json

    let private readActivation json : Activation =
        match Json.choice activations (Json.get "activation" json) with
        | ActivationKind.LeakyReLU -> Activation.LeakyReLU(Json.number (Json.get "slope" json))
        | kind -> Activation(kind, 0.0)

    let private readPool json : Pool = {
        Window = readSize (Json.get "window" json)
        Stride = readSize (Json.get "stride" json)
        Padding = readPadding json
    }

    let private layers: (string * (Json -> LayerSpec)) list = [
        "conv2d",
        fun json ->
            Conv2D {
                Filters = Json.atLeast 1 (Json.get "filters" json)
                Kernel = readSize (Json.get "kernel" json)
                Stride = readSize (Json.get "stride" json)
                Dilation = readSize (Json.get "dilation" json)
                Padding = readPadding json
                Mode = Json.choice modes (Json.get "mode" json)
                Activation = readActivation json
                UseBias = Json.flag (Json.get "use_bias" json)
                Initializer = Json.choice initializers (Json.get "initializer" json)
                Trainable = Json.flag (Json.get "trainable" json)
            }
        "dense",
        fun json ->
            Dense {
                Units = Json.atLeast 1 (Json.get "units" json)
                Activation = readActivation json
                UseBias = Json.flag (Json.get "use_bias" json)
                Initializer = Json.choice initializers (Json.get "initializer" json)
                Trainable = Json.flag (Json.get "trainable" json)
            }
        "max_pooling2d", (fun json -> MaxPool(readPool json))
        "average_pooling2d", (fun json -> AveragePool(readPool json))
        "global_max_pooling2d", (fun _ -> GlobalMaxPool)
        "global_average_pooling2d", (fun _ -> GlobalAveragePool)
        "flatten", (fun json -> Flatten(Json.choice orders (Json.get "order" json)))
        "activation", (fun json -> LayerSpec.Activation(readActivation json))
        "batch_normalization",
        fun json ->
            BatchNorm {
                Epsilon = Json.number (Json.get "epsilon" json)
                Momentum = Json.number (Json.get "momentum" json)
            }
        "dropout", (fun json -> Dropout(Json.number (Json.get "rate" json), DropoutKind.Bernoulli))
        "gaussian_dropout", (fun json -> Dropout(Json.number (Json.get "rate" json), DropoutKind.Gaussian))
    ]

    let private readLayer json = Json.choice layers (Json.get "type" json) json

    /// The input's shape and the layers that fit it and each other; nothing is allocated for them.
    let read json : Shape * Layer<'T> =
        let extents = Json.get "input" json |> Json.items MostAxes |> List.map (Json.atLeast 1)
        let layers = Json.get "layers" json

        try
            let input = Shape.Of(Array.ofList extents)
            let layer = layers |> Json.items MostLayers |> List.map readLayer |> Layers.ofSpecs
            Weights.shapes input layer |> ignore
            input, layer
        with :? ArgumentException as e ->
            Json.refuse layers "layers that fit the input and each other" (e.Message.TrimEnd '.')
