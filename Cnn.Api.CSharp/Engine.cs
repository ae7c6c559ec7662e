using System.Diagnostics;
using System.Numerics;
using Cnn.FSharp;
using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>A model's _network in either precision.</summary>
internal interface IEngine
{
    Shape Input { get; }
    Shape Output { get; }
    IReadOnlyList<string> ClassNames { get; }
    Preprocessing Preprocessing { get; }
    int? Seed { get; }
    TrainingRecord? Training { get; }
    string LibraryVersion { get; }
    Precision Precision { get; }
    string InstructionSet { get; }
    IReadOnlyList<SummaryRow> Layers { get; }
    string WeightHash { get; }
    IEngine On(IScheduler scheduler);
    IEngine With(Preprocessing preprocessing);
    byte[] ToBytes();
    void Save(string path);
    FitResult Fit(Model start, Dataset pictures, FitOptions options, CancellationToken cancellationToken);
    Prediction Predict(ReadOnlySpan<float> picture);

    // Data sets as the network sees them.
    IReadOnlyList<Prediction> Predict(Dataset pictures);
    Evaluation Evaluate(Dataset test, Loss? loss, double threshold);
    Inspection Inspect();
    Verification Verify(Dataset data, int seed);
    IEngine Recalibrate(Dataset data);
    IEngine Freeze(Func<string, bool> isFrozen);
    void ExportOnnx(string path, ChannelOrder order);
    void ExportWeights(string path);
    IEngine ImportWeights(string path, WeightSource source, IReadOnlyDictionary<string, string> names);
}

/// <summary>Calls of the core in one precision.</summary>
internal sealed class Engine<T>(SavedModel<T> saved, Backend<T> backend) : IEngine
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // Numbers of threads that must give the same bits.
    private static IScheduler[] Threads => [new ParallelScheduler(1), new ParallelScheduler(2), new ParallelScheduler(3)];

    private readonly Network<T> _network = saved.Network;
    private readonly Predictor<T> _predictor = new(backend, saved.Network);

    public Shape Input => _network.Input;

    public Shape Output => FSharp.Network.output(_network);

    public IReadOnlyList<string> ClassNames => saved.ClassNames;

    public Preprocessing Preprocessing => saved.Preprocessing;

    public int? Seed => saved.Seed?.Value;

    public TrainingRecord? Training => saved.Training?.Value;

    public string LibraryVersion => saved.LibraryVersion;

    public Precision Precision => typeof(T) == typeof(float) ? Precision.Single : Precision.Double;

    public string InstructionSet => backend.Kernels.InstructionSet;

    public IReadOnlyList<SummaryRow> Layers => FSharp.Network.summary(_network);

    public string WeightHash => FSharp.Network.weightHash(_network);

    public IEngine On(IScheduler scheduler) => new Engine<T>(saved, new Backend<T>(backend.Kernels, scheduler));

    public IEngine With(Preprocessing preprocessing) => new Engine<T>(saved.With(preprocessing), backend);

    public byte[] ToBytes() => ModelFile.write(saved);

    public void Save(string path) => ModelFile.save(path, saved);

    public FitResult Fit(Model start, Dataset pictures, FitOptions options, CancellationToken cancellationToken)
    {
        var (train, validation) = options.Split(pictures);
        var model = saved.For(train);
        var data = FSharp.Dataset.prepare(model.Preprocessing, train);
        var settings = options.Settings(validation is null ? null : FSharp.Dataset.prepare(model.Preprocessing, validation), cancellationToken);
        var clock = Stopwatch.StartNew();
        var stopping = Optional.Of(options.EarlyStopping?.Value);
        var onEpoch = FuncConvert.FromAction<FittingState<T>>(state => options.EpochProgress?.Report(state.Last.Result));
        var fitted = options.CheckpointFolder is { } folder
            ? Checkpoint.fit(folder, options.Resume, backend, settings, stopping, onEpoch, options.Epochs, data, model)
            : Fitting.resume(backend, settings, stopping, onEpoch, options.Epochs, data, Fitting.start(settings, _network));
        var record = new TrainingRecord(options.Seed, fitted.Epoch, fitted.History, FSharp.Dataset.hash(data));
        var trained = fitted.Epoch == 0 ? start : new Model(new Engine<T>(model.After(data.ClassNames, record, fitted.Network), backend));
        return new FitResult(trained, fitted.Epoch, [.. fitted.History], clock.Elapsed, fitted.Reason);
    }

    public IEngine Freeze(Func<string, bool> isFrozen) =>
        new Engine<T>(saved.With(FSharp.Network.freeze(FuncConvert.FromFunc(isFrozen), _network)), backend);

    public void ExportOnnx(string path, ChannelOrder order) => Onnx.save(path, order, saved.ClassNames, _network);

    public void ExportWeights(string path) => WeightExport.save(path, _network);

    public IEngine ImportWeights(string path, WeightSource source, IReadOnlyDictionary<string, string> names) =>
        new Engine<T>(saved.With(WeightImport.load(source, names, path, _network)), backend);

    public Inspection Inspect() => new NetworkInspection<T>(backend, saved);

    public Verification Verify(Dataset data, int seed) =>
        FSharp.Verify.run(VerificationSettings.Default.With(seed, Simd.Backend<double>(1).Kernels, Threads), backend, data, _network);

    public IEngine Recalibrate(Dataset data) =>
        new Engine<T>(saved.With(Fitting.recalibrate(backend, data, _network)), backend);

    public Prediction Predict(ReadOnlySpan<float> picture) => Name(_predictor.Run(picture).Span);

    public IReadOnlyList<Prediction> Predict(Dataset pictures)
    {
        var outputs = _predictor.Run(pictures);
        var width = pictures.Count == 0 ? 0 : outputs.Size / pictures.Count;
        var predictions = new Prediction[pictures.Count];
        for (var n = 0; n < predictions.Length; n++)
        {
            predictions[n] = Name(outputs.Span.Slice(n * width, width));
        }

        return predictions;
    }

    public Evaluation Evaluate(Dataset test, Loss? loss, double threshold) =>
        FSharp.Prediction.evaluateAt(threshold, backend, Optional.Of(loss), _network, test);

    /// <summary>The outputs for one picture, as a class with its name; one output is the probability of class 1.</summary>
    private Prediction Name(ReadOnlySpan<T> outputs)
    {
        var probabilities = new double[Math.Max(outputs.Length, 2)];
        for (var c = 0; c < outputs.Length; c++)
        {
            probabilities[c] = double.CreateTruncating(outputs[c]);
        }

        if (outputs.Length == 1)
        {
            (probabilities[0], probabilities[1]) = (1 - probabilities[0], probabilities[0]);
        }

        var best = Array.IndexOf(probabilities, probabilities.Max());
        return new Prediction(best, saved.ClassNames[best], saved.ClassNames, probabilities);
    }
}
