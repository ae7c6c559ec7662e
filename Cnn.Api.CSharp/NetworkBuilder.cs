using System.Collections.Immutable;
using Cnn.FSharp;
using Microsoft.FSharp.Collections;

namespace Cnn.Fluent;

/// <summary>Where a network begins.</summary>
public static class Network
{
    /// <summary>A builder for networks that look at pictures of the given size.</summary>
    /// <param name="height">Rows of a picture.</param>
    /// <param name="width">Columns of a picture.</param>
    /// <param name="channels">1 for grey, 3 for colour.</param>
    /// <exception cref="ShapeException">A size is not positive.</exception>
    public static NetworkBuilder Input(int height, int width, int channels = 1) =>
        Math.Min(Math.Min(height, width), channels) > 0 && (double)height * width * channels <= Array.MaxLength
            ? Input(Shape.Of(height, width, channels))
            : throw Refused($"{height}×{width}×{channels}");

    /// <summary>A builder for networks whose input samples have the given shape.</summary>
    /// <param name="shape">Shape of one sample, without the batch axis.</param>
    /// <exception cref="ShapeException">The shape has no elements.</exception>
    public static NetworkBuilder Input(Shape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return shape.Size > 0
            ? new NetworkBuilder(shape, shape, [])
            : throw Refused(shape.ToString());
    }

    private static ShapeException Refused(string found) =>
        new("Input", "positive extents that fit into memory", found, "Give height, width and channels of a picture.");
}

/// <summary>A network in the making: each call returns a new builder with one layer more.</summary>
/// <remarks>
/// Immutable, so that a trunk can be shared, and safe to share between threads. A layer that does not fit what comes
/// before it raises a <see cref="ShapeException"/> at the call that adds it.
/// </remarks>
public sealed class NetworkBuilder
{
    private readonly ImmutableList<LayerSpec> _layers;

    internal NetworkBuilder(Shape input, Shape output, ImmutableList<LayerSpec> layers) =>
        (Input, OutputShape, _layers) = (input, output, layers);

    /// <summary>Shape of one input sample.</summary>
    public Shape Input { get; }

    /// <summary>Shape of one sample of what the last layer gives.</summary>
    public Shape OutputShape { get; }

    internal FSharpList<LayerSpec> Specs => ListModule.OfSeq(_layers);

    /// <summary>
    /// A convolutional layer: each filter slides over the picture and tells how well it matches, place by place.
    /// y[n,i,j,f] = φ(b[f] + Σ_{u,v,c} K[u,v,c,f]·x[n, i·s+u−p, j·s+v−p, c]): H×W×C → H'×W'×filters.
    /// Fossheim 2022, eq. 4–5.
    /// </summary>
    /// <param name="filters">Number of filters, the channels of the output.</param>
    /// <param name="kernel">Height and width of the kernel.</param>
    /// <param name="activation">φ, default the identity.</param>
    /// <param name="padding">Default <see cref="Padding.Valid"/>.</param>
    /// <param name="stride">Pixels from one window to the next, default 1.</param>
    /// <exception cref="ShapeException">The kernel does not fit, or the input is no picture.</exception>
    public NetworkBuilder Conv2D(
        int filters, Size kernel, Activation activation = default, Padding padding = default, Size? stride = null) =>
        Conv2D(filters, kernel, new Conv2DOptions { Activation = activation, Padding = padding, Stride = stride ?? 1 });

    /// <summary>A convolutional layer with every choice open.</summary>
    /// <param name="filters">Number of filters, the channels of the output.</param>
    /// <param name="kernel">Height and width of the kernel.</param>
    /// <param name="options">Stride, dilation, padding and the rest.</param>
    /// <exception cref="ShapeException">The kernel does not fit, or the input is no picture.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode or initialiser.</exception>
    public NetworkBuilder Conv2D(int filters, Size kernel, Conv2DOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Add(LayerSpec.NewConv2D(new Conv2D(
            filters, kernel, options.Stride, options.Dilation, options.Padding.Value, options.Mode,
            options.Activation, options.UseBias, options.Initializer, options.Trainable)));
    }

    /// <summary>A dense layer: every output is a weighted sum of all inputs. φ(A·W + b): D → units. Fossheim 2022, eq. 46–49.</summary>
    /// <param name="units">Number of outputs.</param>
    /// <param name="activation">φ, default the identity.</param>
    /// <exception cref="ShapeException">The input is no vector: put <see cref="Flatten"/> before it.</exception>
    public NetworkBuilder Dense(int units, Activation activation = default) =>
        Dense(units, new DenseOptions { Activation = activation });

    /// <summary>A dense layer with every choice open.</summary>
    /// <param name="units">Number of outputs.</param>
    /// <param name="options">Activation, bias, start of the weights.</param>
    /// <exception cref="ShapeException">The input is no vector: put <see cref="Flatten"/> before it.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such initialiser.</exception>
    public NetworkBuilder Dense(int units, DenseOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Add(LayerSpec.NewDense(new Dense(units, options.Activation, options.UseBias, options.Initializer, options.Trainable)));
    }

    /// <summary>A pooling layer: the maximum of each window; the first one takes the gradient on a tie. Wichmann 2018, 5.5.</summary>
    /// <param name="window">Height and width of the window.</param>
    /// <param name="stride">Default: the window.</param>
    /// <param name="padding">Default <see cref="Padding.Valid"/>; padded cells never win.</param>
    /// <exception cref="ShapeException">The window does not fit, or the input is no picture.</exception>
    public NetworkBuilder MaxPool(Size window, Size? stride = null, Padding padding = default) =>
        Add(LayerSpec.NewMaxPool(new Pool(window, stride ?? window, padding.Value)));

    /// <summary>A pooling layer: the mean of each window. Wichmann 2018, 5.8; Vu 2018, eq. 34, 39.</summary>
    /// <param name="window">Height and width of the window.</param>
    /// <param name="stride">Default: the window.</param>
    /// <param name="padding">Default <see cref="Padding.Valid"/>; padded cells do not count.</param>
    /// <exception cref="ShapeException">The window does not fit, or the input is no picture.</exception>
    public NetworkBuilder AveragePool(Size window, Size? stride = null, Padding padding = default) =>
        Add(LayerSpec.NewAveragePool(new Pool(window, stride ?? window, padding.Value)));

    /// <summary>A pooling layer over the whole picture: the maximum of each channel. H×W×C → C.</summary>
    /// <exception cref="ShapeException">The input is no picture.</exception>
    public NetworkBuilder GlobalMaxPool() => Add(LayerSpec.GlobalMaxPool);

    /// <summary>A pooling layer over the whole picture: the mean of each channel. H×W×C → C. Fan and Yam 11.3.2.</summary>
    /// <exception cref="ShapeException">The input is no picture.</exception>
    public NetworkBuilder GlobalAveragePool() => Add(LayerSpec.GlobalAveragePool);

    /// <summary>A layer without weights that makes a vector of a picture. H×W×C → H·W·C.</summary>
    /// <param name="order">Default row by row, channels last; or channel by channel, as in Vu 2018, eq. 22.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such order.</exception>
    public NetworkBuilder Flatten(FlattenOrder order = FlattenOrder.RowMajor) => Add(LayerSpec.NewFlatten(order));

    /// <summary>An activation layer: φ on each element, or softmax over the last axis.</summary>
    /// <param name="activation">φ.</param>
    public NetworkBuilder Activation(Activation activation) => Add(LayerSpec.NewActivation(activation));

    /// <summary>The rectifier: numbers below 0 become 0. max(x, 0); the derivative at 0 is 0.</summary>
    public NetworkBuilder ReLU() => Activation(Cnn.Activation.ReLU);

    /// <summary>The hyperbolic tangent: an S between −1 and 1. tanh x.</summary>
    public NetworkBuilder Tanh() => Activation(Cnn.Activation.Tanh);

    /// <summary>The logistic function: an S between 0 and 1. 1/(1 + e⁻ˣ).</summary>
    public NetworkBuilder Sigmoid() => Activation(Cnn.Activation.Sigmoid);

    /// <summary>Softmax: numbers become probabilities that add up to 1. exp x_c / Σ_d exp x_d over the last axis.</summary>
    public NetworkBuilder Softmax() => Activation(Cnn.Activation.Softmax);

    /// <summary>Batch normalisation: each feature or channel gets mean 0 and variance 1, then a scale and a shift that are learned. x̂ = (x − μ)/√(σ² + ε), y = γ x̂ + β over the batch, for each feature or channel; running averages at inference.</summary>
    /// <param name="epsilon">ε, default 1e−3.</param>
    /// <param name="momentum">Share of the running averages that a step keeps, default 0.99.</param>
    public NetworkBuilder BatchNormalization(double? epsilon = null, double? momentum = null) =>
        Add(LayerSpec.NewBatchNorm(new BatchNorm(epsilon ?? BatchNorm.Default.Epsilon, momentum ?? BatchNorm.Default.Momentum)));

    /// <summary>A dropout layer, against learning by heart: drops each value with a probability in training, and multiplies the others by 1/(1−rate).</summary>
    /// <param name="rate">Probability of a drop, in [0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">The rate is not in [0, 1).</exception>
    public NetworkBuilder Dropout(double rate) => Add(LayerSpec.NewDropout(rate, DropoutKind.Bernoulli));

    /// <summary>A dropout layer with Gaussian noise: multiplies each value by a draw of N(1, rate/(1−rate)) in training. Fan and Yam 11.6.1.</summary>
    /// <param name="rate">Strength, as the probability of a drop, in [0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">The rate is not in [0, 1).</exception>
    public NetworkBuilder GaussianDropout(double rate) => Add(LayerSpec.NewDropout(rate, DropoutKind.Gaussian));

    /// <summary>What a function of your own adds: blocks of layers that occur more than once.</summary>
    /// <param name="block">Adds layers to the builder it is given.</param>
    /// <exception cref="ArgumentNullException">There is no function, or it gives back no builder.</exception>
    public NetworkBuilder Then(Func<NetworkBuilder, NetworkBuilder> block)
    {
        ArgumentNullException.ThrowIfNull(block);
        return block(this) ?? throw new ArgumentNullException(nameof(block), "The function must give back the builder with its layers.");
    }

    /// <summary>A model with weights drawn from a seed: the same seed gives the same model on every machine.</summary>
    /// <param name="seed">Default 0.</param>
    /// <param name="precision">Default <see cref="Precision.Single"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such precision.</exception>
    public Model Build(int seed = 0, Precision precision = Precision.Single) =>
        Model.Create(Input, Specs, seed, precision);

    internal static NetworkBuilder Of(Architecture architecture) =>
        architecture.Layers.Aggregate(Network.Input(architecture.Input), (builder, spec) => builder.Add(spec));

    /// <summary>The input and what each layer makes of it, as in 28×28×1 → Conv2D 24×24×6 → Flatten 3456.</summary>
    public override string ToString() =>
        string.Join(" → ", [$"{Input}", .. FSharp.Network.describe(Input, Layers.ofSpecs<float>(Specs)).Select(row => $"{row.Type} {row.Output}")]);

    private NetworkBuilder Add(LayerSpec spec) =>
        new(Input, Layer.output(Layers.ofSpec<float>(spec), OutputShape), _layers.Add(spec));
}
