namespace Cnn

/// <summary>How the weights of a layer start (SPEC section 7). Biases start at 0.</summary>
type Initializer =
    /// U(±√(6/(fan_in + fan_out))), fan = channels·k_h·k_w. Glorot and Bengio 2010; Vu 2018, eq. 7, 9, 11.
    | GlorotUniform = 0
    /// N(0, 2/(fan_in + fan_out)), the second number being the variance. Glorot and Bengio 2010.
    | GlorotNormal = 1
    /// U(±√(6/fan_in)). He et al. 2015.
    | HeUniform = 2
    /// N(0, 2/fan_in). He et al. 2015.
    | HeNormal = 3
    /// N(0, 1/fan_in). LeCun et al. 1998.
    | LeCunNormal = 4
    /// N(0, 1). Fossheim 2022, his default.
    | StandardNormal = 5
    /// N(0, 1/n) for n nodes (H·W·C) of the layer before. Fossheim 2022, III.
    | XavierNodes = 6
    /// N(0, 2/n) for n nodes (H·W·C) of the layer before. Fossheim 2022, III.
    | HeNodes = 7

/// <summary>What a convolutional layer does with its kernel.</summary>
type ConvolutionMode =
    /// Slides it as it is: K ⋆ x. Fossheim 2022, eq. 4–5.
    | CrossCorrelation = 0
    /// Rotates it by π first: K * x. Fan and Yam 11.5.1.
    | Convolution = 1

/// <summary>The order in which a picture becomes a vector.</summary>
type FlattenOrder =
    /// Row by row, channels last: position (h·W + w)·C + c. Fan and Yam g_F.
    | RowMajor = 0
    /// Channel by channel: position (c·H + h)·W + w. Vu 2018, eq. 22.
    | ChannelMajor = 1

/// <summary>The noise of a dropout layer; r is the probability of a drop.</summary>
type DropoutKind =
    /// Each value is dropped with probability r, or else multiplied by 1/(1−r).
    | Bernoulli = 0
    /// Each value is multiplied by a draw of N(1, r/(1−r)). Fan and Yam 11.6.1.
    | Gaussian = 1

namespace Cnn.FSharp

open Cnn

/// <summary>A convolutional layer as data. SPEC section 4.</summary>
[<NoComparison>]
type Conv2D = {
    /// <summary>Number of filters: the channels of the output.</summary>
    Filters: int
    /// <summary>k_h×k_w.</summary>
    Kernel: Size
    /// <summary>s: rows and columns from one window to the next.</summary>
    Stride: Size
    /// <summary>d: rows and columns from one tap of the kernel to the next.</summary>
    Dilation: Size
    /// <summary>Zeros around the picture.</summary>
    Padding: Padding
    /// <summary>⋆ or *.</summary>
    Mode: ConvolutionMode
    /// <summary>φ, applied to the sums.</summary>
    Activation: Activation
    /// <summary>Whether b is there.</summary>
    UseBias: bool
    /// <summary>How the kernel starts.</summary>
    Initializer: Initializer
    /// <summary>Whether kernel and bias are learned; else they belong to the state.</summary>
    Trainable: bool
} with

    /// <summary>Stride 1, dilation 1, valid, cross-correlation, no activation, Glorot uniform, with bias, trainable.</summary>
    static member Default = {
        Filters = 1
        Kernel = Size.Square 3
        Stride = Size.Square 1
        Dilation = Size.Square 1
        Padding = Valid
        Mode = ConvolutionMode.CrossCorrelation
        Activation = Activation.Identity
        UseBias = true
        Initializer = Initializer.GlorotUniform
        Trainable = true
    }

/// <summary>A dense layer as data. SPEC section 6.</summary>
[<NoComparison>]
type Dense = {
    /// <summary>D_out.</summary>
    Units: int
    /// <summary>φ, applied to the sums.</summary>
    Activation: Activation
    /// <summary>Whether b is there.</summary>
    UseBias: bool
    /// <summary>How W starts.</summary>
    Initializer: Initializer
    /// <summary>Whether W and b are learned; else they belong to the state.</summary>
    Trainable: bool
} with

    /// <summary>No activation, Glorot uniform, with bias, trainable.</summary>
    static member Default = {
        Units = 1
        Activation = Activation.Identity
        UseBias = true
        Initializer = Initializer.GlorotUniform
        Trainable = true
    }

/// <summary>A pooling layer as data. SPEC section 5.</summary>
[<NoComparison>]
type Pool = {
    /// <summary>ω: rows and columns of the window.</summary>
    Window: Size
    /// <summary>s: rows and columns from one window to the next.</summary>
    Stride: Size
    /// <summary>Cells around the picture; they count for nothing.</summary>
    Padding: Padding
} with

    /// <summary>A square window that moves by its own size, valid.</summary>
    static member Square window = { Window = Size.Square window; Stride = Size.Square window; Padding = Valid }

/// <summary>Batch normalisation as data. SPEC section 6.</summary>
type BatchNorm = {
    /// <summary>ε under the root.</summary>
    Epsilon: float
    /// <summary>ρ, the share of the running statistics that a step keeps.</summary>
    Momentum: float
} with

    /// <summary>ε = 1e−3, ρ = 0.99, as in Keras.</summary>
    static member Default = { Epsilon = 1e-3; Momentum = 0.99 }

/// <summary>A layer as data: printable, serialisable, equal where its data are. Its meaning is <c>Layers.ofSpec</c>.</summary>
[<NoComparison>]
type LayerSpec =
    /// Z = x ⋆ K + b, A = φ(Z).
    | Conv2D of Conv2D
    /// Z = A·W + b, then φ.
    | Dense of Dense
    /// The maximum of each window.
    | MaxPool of Pool
    /// The mean of each window.
    | AveragePool of Pool
    /// The maximum of each channel.
    | GlobalMaxPool
    /// The mean of each channel.
    | GlobalAveragePool
    /// A picture as a vector.
    | Flatten of FlattenOrder
    /// φ, element by element, or softmax over the last axis.
    | Activation of Activation
    /// Mean 0 and variance 1 over the batch, then a scale and a shift that are learned.
    | BatchNorm of BatchNorm
    /// Random noise while learning; rate is the probability of a drop.
    | Dropout of rate: float * kind: DropoutKind
    /// A layer of the user's own, known by name only.
    | Custom of name: string

/// <summary>What can be told of a layer from its data alone.</summary>
[<RequireQualifiedAccess>]
module LayerSpec =

    /// <summary>The layer's type as Keras names it, as in Conv2D.</summary>
    let typeName spec =
        match spec with
        | Conv2D _ -> "Conv2D"
        | Dense _ -> "Dense"
        | MaxPool _ -> "MaxPooling2D"
        | AveragePool _ -> "AveragePooling2D"
        | GlobalMaxPool -> "GlobalMaxPooling2D"
        | GlobalAveragePool -> "GlobalAveragePooling2D"
        | Flatten _ -> "Flatten"
        | Activation _ -> "Activation"
        | BatchNorm _ -> "BatchNormalization"
        | Dropout(_, DropoutKind.Gaussian) -> "GaussianDropout"
        | Dropout _ -> "Dropout"
        | Custom name -> name

    /// <summary>The layer's name before it is numbered, in Keras' snake case, as in conv2d.</summary>
    let baseName spec =
        match spec with
        | MaxPool _ -> "max_pooling2d"
        | AveragePool _ -> "average_pooling2d"
        | GlobalMaxPool -> "global_max_pooling2d"
        | GlobalAveragePool -> "global_average_pooling2d"
        | BatchNorm _ -> "batch_normalization"
        | Dropout(_, DropoutKind.Gaussian) -> "gaussian_dropout"
        | _ -> (typeName spec).ToLowerInvariant()

    /// <summary>Names of the tensors of a layer, θ first, then state, as Keras users expect them.</summary>
    let tensorNames spec =
        match spec with
        | Conv2D { UseBias = bias }
        | Dense { UseBias = bias } -> if bias then [ "kernel"; "bias" ] else [ "kernel" ]
        | BatchNorm _ -> [ "gamma"; "beta"; "moving_mean"; "moving_variance" ]
        | _ -> []

    /// Whether running the layer, not only starting it, may take draws.
    let internal draws spec =
        match spec with
        | Dropout _
        | Custom _ -> true
        | _ -> false

    /// <summary>Shapes of the tensors of a layer, as <c>tensorNames</c> orders them, for an input of the given sample shape.</summary>
    /// <exception cref="T:Cnn.ShapeException">A tensor would not fit into memory.</exception>
    let tensorShapes (input: Shape) spec =
        match spec with
        | Conv2D conv ->
            let kernel = Shape.Of(conv.Kernel.Height, conv.Kernel.Width, input[2], conv.Filters)
            if conv.UseBias then [ kernel; Shape.Of conv.Filters ] else [ kernel ]
        | Dense dense ->
            let kernel = Shape.Of(input.Size, dense.Units)
            if dense.UseBias then [ kernel; Shape.Of dense.Units ] else [ kernel ]
        | BatchNorm _ -> List.replicate 4 (Shape.Of input[input.Rank - 1])
        | _ -> []

    /// <summary>Numbers that a layer consists of, for an input of the given sample shape; none for a layer of the user's own.</summary>
    /// <remarks>F·(k_h·k_w·C_in + 1), (D_in + 1)·D_out, 4·d; without the 1 where there is no bias. SPEC section 3.</remarks>
    let parameterCount (input: Shape) spec =
        let bias isUsed = if isUsed then 1 else 0

        match spec with
        | Conv2D conv -> Some(conv.Filters * (conv.Kernel.Height * conv.Kernel.Width * input[2] + bias conv.UseBias))
        | Dense dense -> Some((input.Size + bias dense.UseBias) * dense.Units)
        | BatchNorm _ -> Some(4 * input[input.Rank - 1])
        | Custom _ -> None
        | _ -> Some 0
