using System.Numerics;
using Cnn.FSharp;
using Microsoft.FSharp.Collections;

namespace Cnn.Fluent;

/// <summary>A look inside a model: its filters, its feature maps, and what in a picture speaks for a class.</summary>
/// <remarks>
/// Immutable; every member may be called from any number of threads at once. Layers are told by the names of
/// <see cref="Model.Layers"/>, as in conv2d_1. Pictures as numbers are what the network sees, as <see cref="Model.Prepare(Image)"/>
/// gives it; data sets may be raw. The score of a class is its logit: the output before a last softmax or
/// sigmoid. With one output z, class 1 has the score z and class 0 the score −z.
/// </remarks>
public abstract class Inspection
{
    private protected Inspection()
    {
    }

    /// <summary>The filters of a convolution, as they are stored: k_h×k_w×C_in for each.</summary>
    /// <param name="layer">Name of a convolutional layer.</param>
    /// <exception cref="ArgumentException">There is no such layer, or it has no filters.</exception>
    public abstract IReadOnlyList<Tensor<double>> Filters(string layer);

    /// <summary>The pixels that the units of a layer see.</summary>
    /// <param name="layer">Name of any layer.</param>
    /// <exception cref="ArgumentException">There is no such layer, or the model takes no pictures.</exception>
    public abstract ReceptiveField ReceptiveField(string layer);

    /// <summary>What a layer makes of a picture, channel by channel: maps of h×w×1; of a vector, one of 1×d×1.</summary>
    /// <param name="layer">Name of any layer; its own activation is applied.</param>
    /// <param name="picture">Row by row, channels last, as many numbers as <see cref="Model.Input"/> has.</param>
    /// <exception cref="ArgumentException">There is no such layer, or the picture has another size.</exception>
    public abstract IReadOnlyList<Tensor<double>> FeatureMaps(string layer, ReadOnlySpan<float> picture);

    /// <summary>How much a small change of a pixel changes a class's score: H×W×1. Simonyan, Vedaldi and Zisserman 2013.</summary>
    /// <param name="picture">Row by row, channels last, as many numbers as <see cref="Model.Input"/> has.</param>
    /// <param name="target">The class, from 0.</param>
    /// <exception cref="ArgumentException">The picture has another size, or there is no such class.</exception>
    public abstract Tensor<double> Saliency(ReadOnlySpan<float> picture, int target);

    /// <summary>Where the feature maps of a layer speak for a class, at the size of the picture: H×W×1. Selvaraju et al. 2017.</summary>
    /// <param name="layer">Name of a layer of feature maps; usually the last convolution.</param>
    /// <param name="picture">Row by row, channels last, as many numbers as <see cref="Model.Input"/> has.</param>
    /// <param name="target">The class, from 0.</param>
    /// <exception cref="ArgumentException">There is no such layer or class, it gives no maps, or the picture has another size.</exception>
    public abstract Tensor<double> GradCam(string layer, ReadOnlySpan<float> picture, int target);

    /// <summary>How much of a class's probability hangs on each place of a picture: H×W×1. Zeiler and Fergus 2014.</summary>
    /// <param name="picture">Row by row, channels last, as many numbers as <see cref="Model.Input"/> has.</param>
    /// <param name="target">The class, from 0.</param>
    /// <param name="occlusion">What is laid over the picture. Default <see cref="Cnn.Occlusion.For"/>.</param>
    /// <exception cref="ArgumentException">The picture has another size, there is no such class, or no such window.</exception>
    public abstract Tensor<double> Occlusion(ReadOnlySpan<float> picture, int target, Occlusion? occlusion = null);

    /// <summary>For each filter of a convolution the parts of pictures that excite it most, the most exciting first.</summary>
    /// <param name="layer">Name of a convolutional layer.</param>
    /// <param name="pictures">Raw, or preprocessed as <see cref="Model.Prepare(Dataset)"/> does; at most one part of each, as the network sees it.</param>
    /// <param name="count">How many for each filter. Default 9, as in Zeiler and Fergus 2014.</param>
    /// <exception cref="ArgumentException">There is no such convolution, or the pictures have another shape or were preprocessed otherwise.</exception>
    public abstract IReadOnlyList<IReadOnlyList<ExcitingPatch>> Patches(string layer, Dataset pictures, int count = 9);

    /// <summary>What the model takes each picture for, in the order of the data set.</summary>
    /// <param name="pictures">Labelled, raw, or preprocessed as <see cref="Model.Prepare(Dataset)"/> does.</param>
    /// <exception cref="ArgumentException">The pictures have another shape, or were preprocessed otherwise.</exception>
    public abstract IReadOnlyList<JudgedPicture> Judge(Dataset pictures);
}

/// <summary>Calls of the core in one precision.</summary>
internal sealed class NetworkInspection<T>(Backend<T> backend, SavedModel<T> model) : Inspection
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Network<T> network = model.Network;

    public override IReadOnlyList<Tensor<double>> Filters(string layer) => Reals(Inspect.filters(network, layer));

    public override ReceptiveField ReceptiveField(string layer) => FSharp.ReceptiveField.ofLayer(network, layer);

    public override IReadOnlyList<Tensor<double>> FeatureMaps(string layer, ReadOnlySpan<float> picture) =>
        Reals(Inspect.featureMaps(backend, network, layer, Picture(picture)));

    public override Tensor<double> Saliency(ReadOnlySpan<float> picture, int target) =>
        Real(Inspect.saliency(backend, network, target, Picture(picture)));

    public override Tensor<double> GradCam(string layer, ReadOnlySpan<float> picture, int target) =>
        Real(Inspect.gradCam(backend, network, layer, target, Picture(picture)));

    public override Tensor<double> Occlusion(ReadOnlySpan<float> picture, int target, Occlusion? occlusion) =>
        Real(Inspect.occlusion(backend, network, occlusion ?? Cnn.Occlusion.For(network.Input), target, Picture(picture)));

    public override IReadOnlyList<IReadOnlyList<ExcitingPatch>> Patches(string layer, Dataset pictures, int count) =>
        [.. InspectData.patches(backend, network, layer, count, Seen(pictures))];

    public override IReadOnlyList<JudgedPicture> Judge(Dataset pictures) => [.. InspectData.judge(backend, network, Seen(pictures))];

    private Dataset Seen(Dataset pictures) => FSharp.Dataset.prepare(model.Preprocessing, pictures);

    private static Tensor<double>[] Reals(FSharpList<Tensor<T>> tensors) => [.. tensors.Select(Real)];

    internal static Tensor<double> Real(Tensor<T> tensor) =>
        Tensor<double>.Of(tensor.Shape, Array.ConvertAll(tensor.ToArray(), value => double.CreateTruncating(value)));

    /// <summary>As a tensor of the network's input shape, which refuses another number of pixels.</summary>
    private Tensor<T> Picture(ReadOnlySpan<float> pixels) =>
        Tensor<T>.Of(network.Input, Array.ConvertAll(pixels.ToArray(), T.CreateTruncating));
}

/// <summary>Choices among judged pictures.</summary>
public static class JudgedPictures
{
    extension(IEnumerable<JudgedPicture> judged)
    {
        /// <summary>The pictures of the lowest probability, the least certain first.</summary>
        /// <param name="count">How many at most.</param>
        public IReadOnlyList<JudgedPicture> LeastCertain(int count) => [.. InspectData.leastCertain(count, ListModule.OfSeq(judged))];

        /// <summary>The pictures of the highest probability, the most certain first.</summary>
        /// <param name="count">How many at most.</param>
        public IReadOnlyList<JudgedPicture> MostCertain(int count) => [.. InspectData.mostCertain(count, ListModule.OfSeq(judged))];

        /// <summary>The pictures that were taken for what they are not, the most certain mistake first.</summary>
        /// <param name="count">How many at most.</param>
        public IReadOnlyList<JudgedPicture> Misclassified(int count) => [.. InspectData.misclassified(count, ListModule.OfSeq(judged))];
    }
}

/// <summary>Tensors as pictures that can be looked at and saved.</summary>
public static class InspectImages
{
    /// <summary>Pixels as they are where all lie in 0 … 1, else from the least to the largest: H×W×1 or H×W×3.</summary>
    /// <exception cref="ShapeException">The tensor is no such picture.</exception>
    public static Image Picture(Tensor<double> pixels) => FSharp.InspectImages.picture(pixels);

    /// <summary>A map from its least value, black, to its largest, white: H×W×1.</summary>
    /// <exception cref="ShapeException">The tensor is no such map.</exception>
    public static Image Map(Tensor<double> map) => FSharp.InspectImages.map(map);

    /// <summary>A map with a sign: blue below 0, white at 0, red above: H×W×1 → RGB.</summary>
    /// <exception cref="ShapeException">The tensor is no such map.</exception>
    public static Image Signed(Tensor<double> map) => FSharp.InspectImages.signed(map);

    /// <summary>A map of 0 and more as a red glow over a picture in grey.</summary>
    /// <param name="pixels">H×W×1 or H×W×3.</param>
    /// <param name="map">H×W×1.</param>
    /// <exception cref="ShapeException">The tensors are no such picture and map, or differ in size.</exception>
    public static Image Overlay(Tensor<double> pixels, Tensor<double> map) => FSharp.InspectImages.overlay(pixels, map);

    /// <summary>A filter: red above 0 and blue below, its channels row by row in a square; of three channels in colour, 0 being grey.</summary>
    /// <param name="kernel">k_h×k_w×C, as <see cref="Inspection.Filters"/> gives it.</param>
    /// <exception cref="ShapeException">The tensor has not three axes.</exception>
    public static Image Filter(Tensor<double> kernel) => FSharp.InspectImages.filter(kernel);

    /// <summary>A picture as blocks of pixels, so many times as large that its shorter side has a number of pixels or a little less.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="side">What the shorter side should have; smaller pictures only grow.</param>
    public static Image Enlarge(Image image, int side) => FSharp.InspectImages.enlarge(side, image);
}

/// <summary>What a 3×3 filter answers to eight lines (SPEC section 11; Fan and Yam 11.6.3).</summary>
public static class LineProbes
{
    /// <summary>What the lines are called, in their order X1 … X8.</summary>
    public static IReadOnlyList<string> Names => [.. FSharp.LineProbes.all.Select(probe => probe.Item1)];

    /// <summary>Σ K[u,v]·X_r[u,v] + b, clipped to [0, 1], for the eight lines.</summary>
    /// <param name="kernel">A filter of 3×3 and one channel, as <see cref="Inspection.Filters"/> gives it.</param>
    /// <param name="bias">b.</param>
    /// <exception cref="ShapeException">The filter is not of 3×3 and one channel.</exception>
    public static IReadOnlyList<double> Answers(Tensor<double> kernel, double bias) => [.. FSharp.LineProbes.answers(kernel, bias)];
}
