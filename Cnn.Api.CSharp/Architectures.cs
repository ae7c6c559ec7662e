using Cnn.FSharp;

namespace Cnn.Fluent;

/// <summary>How a source trains its network.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Options">Epochs, batch size, optimiser, loss and validation fraction, ready for <see cref="Model.Fit"/>.</param>
/// <param name="Source">Where they come from.</param>
public sealed record SourceSettings(FitOptions Options, string Source);

/// <summary>What a source printed of a training.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Accuracy">Share of the test pictures that was told right.</param>
/// <param name="Seconds">Time that training took; null where it does not say.</param>
public sealed record PrintedResult(double Accuracy, double? Seconds);

/// <summary>The best way to train a network that we know of, and what it came to with seed 0.</summary>
/// <remarks>Immutable. Settings were chosen on a tenth of the training pictures, held back; test pictures chose nothing.</remarks>
/// <param name="Network">The network with the first weights that the settings want.</param>
/// <param name="Options">Epochs, batch size, optimiser, loss and augmentation, ready for <see cref="Model.Fit"/>.</param>
/// <param name="Recalibrate">Whether <see cref="Model.Recalibrate"/> comes after training.</param>
/// <param name="Data">The pictures that the settings were chosen on.</param>
/// <param name="ValidationAccuracy">Share of a tenth of the training pictures that was told right, after training on nine tenths.</param>
/// <param name="TestAccuracy">Share of the test pictures that the same network told right.</param>
public sealed record BestSettings(
    NetworkBuilder Network, FitOptions Options, bool Recalibrate, string Data, double ValidationAccuracy, double TestAccuracy);

/// <summary>The networks of the sources (SPEC section 10) and three of our own, each as a builder.</summary>
public static class Architectures
{
    /// <summary>LeNet-5 for 32×32×1 pictures: 61,706 parameters. Wichmann 2018, 6.1.</summary>
    public static NetworkBuilder LeNet5 => NetworkBuilder.Of(FSharp.Architectures.lenet5);

    /// <summary>VanillaCNN for 28×28×1 pictures: 3,898 parameters. Vu 2018, section 4.</summary>
    public static NetworkBuilder Vanilla => NetworkBuilder.Of(FSharp.Architectures.vanilla);

    /// <summary>Two dense layers of 20 for 8×8×1 pictures: 1,930 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder DenseNet2With20 => NetworkBuilder.Of(FSharp.Architectures.densenet2_20);

    /// <summary>One convolution of 3 filters for 8×8×1 pictures: 4,100 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder ConvNet1With3 => NetworkBuilder.Of(FSharp.Architectures.convnet1_3);

    /// <summary>Four hidden dense layers for 28×28×1 pictures: 299,446 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder DenseNet4With300 => NetworkBuilder.Of(FSharp.Architectures.densenet4_300);

    /// <summary>Two convolutions of 20 filters for 28×28×1 pictures: 97,398 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder ConvKeras4With20 => NetworkBuilder.Of(FSharp.Architectures.convkeras4_20);

    /// <summary>Four convolutions with tanh for 32×32×3 pictures: 160,738 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder LeNet2 => NetworkBuilder.Of(FSharp.Architectures.lenet2);

    /// <summary>Six convolutions with ReLU for 32×32×3 pictures: 304,810 parameters. Fossheim 2022.</summary>
    public static NetworkBuilder ConvKeras12With32 => NetworkBuilder.Of(FSharp.Architectures.convkeras12_32);

    /// <summary>Digits with global average pooling for 28×28×1 pictures: 11,082 parameters. Fan and Yam 11.6.1.</summary>
    public static NetworkBuilder Digits => NetworkBuilder.Of(FSharp.Architectures.digits);

    /// <summary>Digits with dense layers and Gaussian dropout for 28×28×1 pictures: 51,146 parameters. Fan and Yam 11.6.6.</summary>
    public static NetworkBuilder DenseDigits => NetworkBuilder.Of(FSharp.Architectures.dense_digits);

    /// <summary>Cats and dogs for 100×100×1 pictures: 1,274,881 parameters. Fan and Yam 11.6.2.</summary>
    public static NetworkBuilder CatDog => NetworkBuilder.Of(FSharp.Architectures.catdog);

    /// <summary>I or Q for 32×32×1 pictures: 911 parameters. Fan and Yam 11.6.3.</summary>
    public static NetworkBuilder IOrQ => NetworkBuilder.Of(FSharp.Architectures.iorq);

    /// <summary>Three normalised convolutions for 8×8×1 pictures: 33,882 parameters. After Simonyan and Zisserman 2015.</summary>
    public static NetworkBuilder Vgg8 => NetworkBuilder.Of(FSharp.Architectures.vgg8);

    /// <summary>Three pairs of normalised convolutions for 28×28×1 pictures: 78,234 parameters. After Simonyan and Zisserman 2015.</summary>
    public static NetworkBuilder Vgg28 => NetworkBuilder.Of(FSharp.Architectures.vgg28);

    /// <summary>Five normalised convolutions for 32×32×3 pictures: 280,298 parameters. After Simonyan and Zisserman 2015.</summary>
    public static NetworkBuilder Vgg32 => NetworkBuilder.Of(FSharp.Architectures.vgg32);

    /// <summary>The names that <see cref="Find"/> knows.</summary>
    public static IReadOnlyList<string> Names => [.. FSharp.Architectures.all.Select(a => a.Name)];

    /// <summary>The network of a name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static NetworkBuilder Find(string name) => NetworkBuilder.Of(Named(name));

    /// <summary>The loss that the source of a network trains it with.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static Loss LossOf(string name) => Named(name).Loss;

    /// <summary>How the source of a network trains it; null where it does not say.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static SourceSettings? SourceSettingsOf(string name) => SettingsOf(Named(name));

    /// <summary>What the source of a network printed of it, with its own settings; null where it printed nothing.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static PrintedResult? PrintedOf(string name) =>
        SourceResults.printed(name, Named(name).Input[0])?.Value is { } printed
            ? new PrintedResult(printed.Accuracy, printed.Seconds?.Value)
            : null;

    /// <summary>What is wrong with what the source of a network printed; null where we know of nothing.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static string? NoteOf(string name) => SourceResults.slip(name, Named(name).Input[0])?.Value;

    internal static SourceSettings? SettingsOf(Architecture architecture) =>
        architecture.Training?.Value is { } training
            ? new SourceSettings(
                new FitOptions
                {
                    Epochs = training.Epochs,
                    BatchSize = training.BatchSize,
                    Optimizer = training.Optimizer,
                    Loss = architecture.Loss,
                    ValidationFraction = training.ValidationFraction,
                },
                architecture.Source)
            : null;

    /// <summary>The best way to train a network that we know of; null where there is none for it.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static BestSettings? BestSettingsOf(string name)
    {
        var architecture = Named(name);
        if (BestTrainings.tryFind(name)?.Value is not { } best)
        {
            return null;
        }

        var network = BestTrainings.apply(best, architecture);
        var options = new FitOptions
        {
            Epochs = best.Training.Epochs,
            BatchSize = best.Training.BatchSize,
            Optimizer = best.Training.Optimizer,
            Loss = network.Loss,
            Augmentation = best.Augmentation,
        };
        return new BestSettings(NetworkBuilder.Of(network), options, best.Recalibrate, best.Data, best.ValidationAccuracy, best.TestAccuracy);
    }

    private static Architecture Named(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return FSharp.Architectures.all.FirstOrDefault(a => a.Name == name)
            ?? throw new ArgumentException($"There is no network '{name}'. There are: {string.Join(", ", Names)}.", nameof(name));
    }
}
