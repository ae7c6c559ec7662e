using Cnn.FSharp;

namespace Cnn.Fluent;

/// <summary>What a convolutional layer does beyond filters and kernel.</summary>
/// <remarks>Immutable.</remarks>
public sealed record Conv2DOptions
{
    private static readonly Conv2D Default = Conv2D.Default;

    /// <summary>Pixels from one window to the next.</summary>
    /// <value>Default 1.</value>
    public Size Stride { get; init; } = Default.Stride;

    /// <summary>Pixels from one tap of the kernel to the next.</summary>
    /// <value>Default 1.</value>
    public Size Dilation { get; init; } = Default.Dilation;

    /// <summary>What is put around the picture.</summary>
    /// <value>Default <see cref="Padding.Valid"/>.</value>
    public Padding Padding { get; init; } = Padding.Valid;

    /// <summary>Whether the kernel slides as it is, or rotated by π.</summary>
    /// <value>Default <see cref="ConvolutionMode.CrossCorrelation"/>.</value>
    public ConvolutionMode Mode { get; init; } = Default.Mode;

    /// <summary>Applied to each output.</summary>
    /// <value>Default <see cref="Activation.Identity"/>.</value>
    public Activation Activation { get; init; } = Default.Activation;

    /// <summary>Whether a bias is added to each output channel.</summary>
    /// <value>Default true.</value>
    public bool UseBias { get; init; } = Default.UseBias;

    /// <summary>How the weights start.</summary>
    /// <value>Default <see cref="Initializer.GlorotUniform"/>.</value>
    public Initializer Initializer { get; init; } = Default.Initializer;

    /// <summary>False for fixed filters: training leaves them as they are.</summary>
    /// <value>Default true.</value>
    public bool Trainable { get; init; } = Default.Trainable;
}

/// <summary>What a dense layer does beyond its units.</summary>
/// <remarks>Immutable.</remarks>
public sealed record DenseOptions
{
    private static readonly Dense Default = Dense.Default;

    /// <summary>Applied to each output.</summary>
    /// <value>Default <see cref="Activation.Identity"/>.</value>
    public Activation Activation { get; init; } = Default.Activation;

    /// <summary>Whether a bias is added to each output.</summary>
    /// <value>Default true.</value>
    public bool UseBias { get; init; } = Default.UseBias;

    /// <summary>How the weights start.</summary>
    /// <value>Default <see cref="Initializer.GlorotUniform"/>.</value>
    public Initializer Initializer { get; init; } = Default.Initializer;

    /// <summary>False to leave the weights as they are in training.</summary>
    /// <value>Default true.</value>
    public bool Trainable { get; init; } = Default.Trainable;
}
