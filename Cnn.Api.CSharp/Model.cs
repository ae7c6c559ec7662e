using System.Globalization;
using System.Numerics;
using Cnn.FSharp;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>A network with its weights: predicts, evaluates, and trains into a new model.</summary>
/// <remarks>
/// <para>
/// Immutable; every member may be called from any number of threads at once, and predicting
/// takes no lock once the weights are packed, which the first prediction does. Results are
/// the same to the last bit for any number of threads.
/// </para>
/// <para>
/// Members that take pictures, as an <see cref="Image"/> or a <see cref="Dataset"/>, apply <see cref="Preprocessing"/> to
/// them; members that take numbers take what the network sees. A data set that was preprocessed by the first steps already
/// gets the others, so that nothing is done twice; one that was preprocessed otherwise is refused.
/// </para>
/// </remarks>
public sealed class Model
{
    private readonly IEngine _engine;

    internal Model(IEngine engine) => _engine = engine;

    /// <summary>Shape of one input sample.</summary>
    public Shape Input => _engine.Input;

    /// <summary>Shape of one sample of what the last layer gives.</summary>
    public Shape OutputShape => _engine.Output;

    /// <summary>Names of the classes, as in the data set that the model was trained on; numbers before that.</summary>
    public IReadOnlyList<string> ClassNames => _engine.ClassNames;

    /// <summary>What is done to raw pictures before the network sees them; kept in the model's file.</summary>
    /// <remarks>
    /// A model that has none learns it from the pictures that it is trained on, and takes data sets as they are until then.
    /// </remarks>
    public Preprocessing Preprocessing => _engine.Preprocessing;

    /// <summary>Seed of the first weights; null where it is not known.</summary>
    public int? Seed => _engine.Seed;

    /// <summary>What each epoch of the last training came to; empty before that.</summary>
    public IReadOnlyList<EpochResult> History => _engine.Training is { } training ? [.. training.History] : [];

    /// <summary>Seed of the last training; null before that.</summary>
    public int? TrainingSeed => _engine.Training?.Seed;

    /// <summary>The epoch of the last training that the weights are of, from 1; 0 before that.</summary>
    public int Epoch => _engine.Training?.Epoch ?? 0;

    /// <summary>SHA-256 of what the model learned from: labels, class names and at most 1,024 of the pictures; null before that.</summary>
    public string? DataHash => _engine.Training?.DataHash;

    /// <summary>Version of the library that wrote the model's file; of this one where it comes from none.</summary>
    public string LibraryVersion => _engine.LibraryVersion;

    /// <summary>The numbers that the model computes with.</summary>
    public Precision Precision => _engine.Precision;

    /// <summary>What runs the hot loops: "AVX-512", "AVX2", "128-bit" or "scalar".</summary>
    public string InstructionSet => _engine.InstructionSet;

    /// <summary>The layers, with their output shapes and parameters.</summary>
    public IReadOnlyList<SummaryRow> Layers => _engine.Layers;

    /// <summary>All numbers that the model consists of, trainable or not.</summary>
    public int ParameterCount => Layers.Sum(row => row.Parameters);

    /// <summary>SHA-256 over the bytes of all parameters, in hexadecimal digits: equal hashes, equal models.</summary>
    public string WeightHash => _engine.WeightHash;

    /// <summary>The table of layers, output shapes and parameters, with totals.</summary>
    /// <param name="name">Printed above the table.</param>
    public string Summary(string name = "sequential") =>
        FSharp.Summary.format(name, Precision == Precision.Single ? sizeof(float) : sizeof(double), ListModule.OfSeq(Layers));

    /// <summary>The same model on another number of threads.</summary>
    /// <param name="threads">
    /// At least 1; more than <see cref="ParallelScheduler.MostThreads"/> count as that many. A new model uses as many as the
    /// machine has processors.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
    public Model WithThreads(int threads) => new(_engine.On(new ParallelScheduler(threads)));

    /// <summary>The same model with another preprocessing of pictures.</summary>
    /// <param name="preprocessing">
    /// What is done to the pictures that the model learns from. <see cref="Preprocessing.Identity"/> is for data sets of numbers
    /// that were preprocessed elsewhere: they are taken as they are.
    /// </param>
    public Model WithPreprocessing(Preprocessing preprocessing)
    {
        ArgumentNullException.ThrowIfNull(preprocessing);
        return new Model(_engine.With(preprocessing));
    }

    /// <summary>Writes the model to a file: layers, weights, class names, preprocessing and history.</summary>
    /// <remarks>A safetensors file with names as in Keras, so that Python opens it. It is there as a whole or not at all.</remarks>
    /// <param name="path">As in lenet5.safetensors; an existing file is replaced.</param>
    /// <exception cref="ArgumentException">A layer is of a user's own.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _engine.Save(path);
    }

    /// <summary>The bytes of the file that <see cref="Save"/> writes.</summary>
    /// <exception cref="ArgumentException">A layer is of a user's own.</exception>
    public byte[] ToBytes() => _engine.ToBytes();

    /// <summary>The model in a file, equal to the one that was saved to the last bit.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote, in this version of the library or an older one.</param>
    /// <exception cref="DataFormatException">The file is no model, or of a newer format.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Model Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return FromBytes(File.ReadAllBytes(path), path);
    }

    /// <summary>The model in the bytes of a file.</summary>
    /// <param name="bytes">What <see cref="ToBytes"/> gave.</param>
    /// <param name="name">Of the file, for messages.</param>
    /// <exception cref="DataFormatException">The bytes are no model, or of a newer format.</exception>
    public static Model FromBytes(ReadOnlyMemory<byte> bytes, string name = "model")
    {
        var contents = Safetensors.read(name, bytes);
        return new Model(ModelFile.isDouble(contents)
            ? new Engine<double>(ModelFile.unpack<double>(name, contents), Simd.Backend<double>())
            : new Engine<float>(ModelFile.unpack<float>(name, contents), Simd.Backend<float>()));
    }

    /// <summary>Trains on labelled pictures and returns the new model; this one stays as it is.</summary>
    /// <remarks>Augmentation changes what the network sees: pictures that are preprocessed.</remarks>
    /// <param name="train">Raw, or preprocessed as <see cref="Preprocessing"/> says; where the model has none, its own is what was done to them.</param>
    /// <param name="options">Default: <c>new FitOptions()</c>.</param>
    /// <param name="cancellationToken">Ends training before the next batch; the result is the best finished epoch.</param>
    /// <exception cref="ArgumentException">The data do not fit the model, or a checkpoint not the options; before any work.</exception>
    /// <exception cref="DataFormatException">No checkpoint of the folder can be read.</exception>
    /// <exception cref="NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    public FitResult Fit(Dataset train, FitOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(train);
        return options is { Resume: true, CheckpointFolder: null }
            ? throw new ArgumentException($"{nameof(FitOptions.Resume)} needs a {nameof(FitOptions.CheckpointFolder)}.", nameof(options))
            : _engine.Fit(this, train, options ?? new FitOptions(), cancellationToken);
    }

    /// <summary>What the model says of one picture, as the network sees it.</summary>
    /// <param name="picture">Row by row, channels last, as many numbers as <see cref="Input"/> has.</param>
    /// <exception cref="ShapeException">The picture has not the size of the input.</exception>
    public Prediction Predict(ReadOnlySpan<float> picture) => _engine.Predict(picture);

    /// <summary>What the model says of a picture of bytes: v/255 of each, then <see cref="Preprocessing"/>.</summary>
    /// <param name="picture">Of any size that the preprocessing takes.</param>
    /// <exception cref="ShapeException">What comes out has not the shape of the input.</exception>
    public Prediction Predict(Image picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        return Predict(Prepare(picture));
    }

    /// <summary>What the network sees of a picture of bytes: v/255 of each, then <see cref="Preprocessing"/>.</summary>
    /// <param name="picture">Of any size that the preprocessing takes.</param>
    /// <exception cref="ShapeException">What comes out has not the shape of the input.</exception>
    public float[] Prepare(Image picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        var shape = Preprocessing.OutputShape(picture.Shape);
        return shape == Input
            ? Preprocessing.Apply(picture.Shape, Array.ConvertAll(picture.Pixels.ToArray(), value => value / 255f))
            : throw new ShapeException("Predict", $"a picture of shape {Input}", $"{shape}", "Resize the picture, or give the model a preprocessing that does.");
    }

    /// <summary>What the network sees of pictures: <see cref="Preprocessing"/> of them, as far as it was not done yet.</summary>
    /// <param name="pictures">Raw, or preprocessed by the first steps, or by all.</param>
    /// <exception cref="ArgumentException">The pictures were preprocessed otherwise, or a step cannot take their shape.</exception>
    public Dataset Prepare(Dataset pictures)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        return FSharp.Dataset.prepare(Preprocessing, pictures);
    }

    /// <summary>What the model says of every picture of a data set, in its order.</summary>
    /// <param name="pictures">Raw, or preprocessed as <see cref="Prepare(Dataset)"/> does; their labels are not looked at.</param>
    /// <exception cref="ShapeException">The pictures have not the shape of the input.</exception>
    /// <exception cref="ArgumentException">The pictures were preprocessed otherwise.</exception>
    public IReadOnlyList<Prediction> Predict(Dataset pictures) => _engine.Predict(Prepare(pictures));

    /// <summary>What the model says of several pictures, as the network sees them, in their order.</summary>
    /// <param name="pictures">Each row by row, channels last, as many numbers as <see cref="Input"/> has.</param>
    /// <exception cref="ShapeException">A picture has not the size of the input.</exception>
    public IReadOnlyList<Prediction> Predict(IEnumerable<float[]> pictures)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        var all = pictures.ToArray();
        for (var i = 0; i < all.Length; i++)
        {
            if (all[i] is null || all[i].Length != Input.Size)
            {
                throw new ShapeException(
                    "Predict", $"{Input.Size} numbers for each picture of shape {Input}", $"{all[i]?.Length ?? 0} for picture {i}",
                    "Resize the pictures to the input of the model.");
            }
        }

        return _engine.Predict(Dataset.Create(Input, new int[all.Length], ["unknown"], (index, picture) => all[index].CopyTo(picture)));
    }

    /// <summary>Loss, accuracy and confusion matrix over labelled pictures.</summary>
    /// <param name="test">Raw, or preprocessed as <see cref="Prepare(Dataset)"/> does.</param>
    /// <param name="loss">Default: what goes with the last layer, as in <see cref="FitOptions.Loss"/>.</param>
    /// <param name="threshold">With one output: the probability above which it counts as class 1, between 0 and 1. Default ½.</param>
    /// <exception cref="ArgumentException">The data do not fit the model, or the threshold is not between 0 and 1.</exception>
    public Evaluation Evaluate(Dataset test, Loss? loss = null, double threshold = 0.5)
    {
        ArgumentNullException.ThrowIfNull(test);
        return _engine.Evaluate(Prepare(test), loss, threshold);
    }

    /// <summary>What the network looks like inside, and what it looks at in pictures.</summary>
    public Inspection Inspect() => _engine.Inspect();

    /// <summary>Checks the mathematics of the model on its own shapes, weights and pictures, layer by layer.</summary>
    /// <remarks>
    /// Shapes; gradients against differences in double; adjoints; each call of a fast kernel against the textbook within
    /// Higham's bounds; the chain rule; the same bits on 1, 2 and 3 threads. A check that could not have failed is vacuous,
    /// not passed. Takes seconds, on a few of the pictures.
    /// </remarks>
    /// <param name="data">Labelled, of two classes at least, raw or preprocessed as <see cref="Prepare(Dataset)"/> does.</param>
    /// <param name="seed">Decides pictures, directions and cotangents. Default 0.</param>
    /// <exception cref="ShapeException">The pictures have not the shape of the input.</exception>
    /// <exception cref="ArgumentException">There are no pictures, they were preprocessed otherwise, or the model cannot be trained on them.</exception>
    public Verification Verify(Dataset data, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(data);
        return _engine.Verify(Prepare(data), seed);
    }

    /// <summary>The model with the statistics of every batch normalisation taken anew over a data set.</summary>
    /// <remarks>For short trainings, whose running averages lag behind the weights.</remarks>
    /// <param name="data">Usually the training set, raw or preprocessed as <see cref="Prepare(Dataset)"/> does.</param>
    /// <exception cref="ShapeException">The pictures have not the shape of the input.</exception>
    /// <exception cref="ArgumentException">The pictures were preprocessed otherwise.</exception>
    public Model Recalibrate(Dataset data)
    {
        ArgumentNullException.ThrowIfNull(data);
        return new Model(_engine.Recalibrate(Prepare(data)));
    }

    /// <summary>The model with some of its convolutional and dense layers frozen: training leaves them as they are.</summary>
    /// <remarks>
    /// The weights stay the same, but <see cref="WeightHash"/> changes: frozen weights move from the parameters to the
    /// state, and the hash goes over all parameters first and then over the state. Compare models that are frozen alike.
    /// </remarks>
    /// <param name="isFrozen">Told the name of a layer, as in <see cref="SummaryRow.Name"/>: conv2d_1.</param>
    /// <exception cref="ArgumentException">It chooses none of the layers that can be frozen; lists those there are.</exception>
    public Model Freeze(Func<string, bool> isFrozen)
    {
        ArgumentNullException.ThrowIfNull(isFrozen);
        var names = Layers.Where(row => row.Type is "Conv2D" or "Dense").Select(row => row.Name).ToArray();
        if (!names.Any(isFrozen))
        {
            var known = names.Length == 0 ? "There are none in this model." : $"There are: {string.Join(", ", names)}.";
            throw new ArgumentException($"No layer that can be frozen was chosen. {known}", nameof(isFrozen));
        }

        return new Model(_engine.Freeze(isFrozen));
    }

    /// <summary>Writes the model as an ONNX file (opset 13, float32), which other runtimes read; wholly or not at all.</summary>
    /// <remarks>
    /// Input → output, any number of samples. The graph takes what the network sees: <see cref="Preprocessing"/> comes before
    /// it. The metadata hold <see cref="ClassNames"/> under class_names.
    /// </remarks>
    /// <param name="path">Where to; an existing file is replaced.</param>
    /// <param name="order">Where the channels of pictures stand. Default: N×C×H×W, which ONNX tools expect.</param>
    /// <exception cref="ArgumentException">A layer is of a user's own or the model too large; tells which. Or there is no such order.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportOnnx(string path, ChannelOrder order = ChannelOrder.ChannelsFirst)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _engine.ExportOnnx(path, order);
    }

    /// <summary>Writes the weights as a .npz file, laid out as in Keras: conv2d/kernel H×W×in×out, dense/kernel in×out.</summary>
    /// <remarks>For NumPy; <see cref="ImportWeights"/> reads it back. Kernels that are convolved are written rotated, as others correlate.</remarks>
    /// <param name="path">As in weights.npz; an existing file is replaced, as a whole or not at all.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void ExportWeights(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _engine.ExportWeights(path);
    }

    /// <summary>The model with weights that Keras or PyTorch trained, from a .npz or .safetensors file.</summary>
    /// <remarks>
    /// PyTorch: <c>numpy.savez(path, **{k: v.numpy() for k, v in model.state_dict().items()})</c> or
    /// <c>safetensors.torch.save_file(model.state_dict(), path)</c>. Keras:
    /// <c>numpy.savez(path, **{v.path: v.numpy() for v in model.weights})</c>. ε of a batch normalisation is the model's own:
    /// PyTorch's is 1e−5 unless said otherwise.
    /// </remarks>
    /// <param name="path">The file; its bytes tell its format.</param>
    /// <param name="source">Who wrote it: decides names and layouts.</param>
    /// <param name="names">
    /// Names in the file for layers or tensors here, as in conv2d → features.0 or conv2d/kernel → features.0.weight.
    /// Default: none; layers are found by their names or, kind by kind, by their order.
    /// </param>
    /// <exception cref="WeightMismatchException">Lists all names that are missing, unexpected or of another shape.</exception>
    /// <exception cref="ArgumentException">The names in the file tell no order, <paramref name="names"/> names no layer here, or there is no such source.</exception>
    /// <exception cref="DataFormatException">The file is damaged or of another format.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public Model ImportWeights(string path, WeightSource source, IReadOnlyDictionary<string, string>? names = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new Model(_engine.ImportWeights(path, source, names ?? new Dictionary<string, string>()));
    }

    /// <summary>Input, output, parameters and precision, as in 28×28×1 → 10, 61706 parameters, Single.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Input} → {OutputShape}, {ParameterCount} parameters, {Precision}");

    internal static Model Create(Shape input, FSharpList<LayerSpec> layers, int seed, Precision precision) =>
        new(Defined.Of(precision) == Precision.Single ? Start<float>(input, layers, seed) : Start<double>(input, layers, seed));

    internal static Model Of<T>(Network<T> network, int seed)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => new(Start(network, seed));

    private static Engine<T> Start<T>(Shape input, FSharpList<LayerSpec> layers, int seed)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        Start(FSharp.Network.create(Key.OfSeed(seed), input, FSharp.Layers.ofSpecs<T>(layers)), seed);

    private static Engine<T> Start<T>(Network<T> network, int seed)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(ModelFile.create(FSharpOption<int>.Some(seed), [], network), Simd.Backend<T>());
}
