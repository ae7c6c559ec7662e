using System.CommandLine;
using Cnn.Fluent;
using Cnn.FSharp;

namespace Cnn.Samples;

/// <summary>Where pictures come from, as in "synthetic" or "mnist:DIR".</summary>
/// <param name="Text">As the user gave it.</param>
/// <param name="Load">Reads or draws pictures to learn from and pictures to test on.</param>
internal sealed record DataSource(string Text, Func<Loading, (Dataset Train, Dataset Test)> Load)
{
    /// <summary>Reads or draws the pictures on a number of threads.</summary>
    /// <param name="threads">Draw, or check.</param>
    /// <param name="seed">Decides who is held back for testing, where a source has no test set of its own.</param>
    /// <param name="input">Height×width×channels that the network takes, to which photographs are brought.</param>
    /// <param name="message">Of the exception where it is cancelled.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public (Dataset Train, Dataset Test) Bring(int threads, int seed, Shape input, string message, CancellationToken cancellationToken)
    {
        try
        {
            var scheduler = new CancellableScheduler(new ParallelScheduler(threads), cancellationToken);
            var parts = Load(new Loading(scheduler, seed, input, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            return parts;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(message, cancellationToken);
        }
    }

    public override string ToString() => Text;
}

/// <summary>How pictures are brought in.</summary>
/// <param name="Scheduler">Where drawing runs.</param>
/// <param name="Seed">Decides who is held back for testing, where a source has no test set of its own.</param>
/// <param name="Input">Height×width×channels that the network takes, to which photographs are brought.</param>
/// <param name="Token">Ends it.</param>
internal sealed record Loading(IScheduler Scheduler, int Seed, Shape Input, CancellationToken Token);

/// <summary>The data sources of the command line.</summary>
internal static class DataSources
{
    private const int TrainPictures = 20_000;
    private const int TestPictures = 5_000;

    /// <summary>Who is held back for testing, where a source has no test set of its own.</summary>
    private const double TestShare = 0.2;

    private static readonly CsvOptions Digits8x8 = new(
        Shape.Of(8, 8, 1), CsvLabel.Last, CsvHeader.Absent, divisor: 16, classNames: Enumerable.Range(0, 10).Select(digit => $"{digit}"));

    private static readonly Kind[] Kinds =
    [
        Drawn("synthetic", (scheduler, key, count) => FSharp.SyntheticDigits.dataset(scheduler, key, 28, count)),
        Drawn("synthetic-8x8", (scheduler, key, count) => FSharp.SyntheticDigits.dataset(scheduler, key, 8, count)),
        Drawn("synthetic-color", (scheduler, key, count) => FSharp.SyntheticDigits.colorDataset(scheduler, key, 32, count)),
        Drawn("synthetic-glyphs", (scheduler, key, count) => FSharp.SyntheticGlyphs.dataset(scheduler, key, 32, count)),
        new("mnist", "DIR", (folder, loading) => Both(Mnist.Load(folder, loading.Token))),
        new("fashion-mnist", "DIR", (folder, loading) => Both(FashionMnist.Load(folder, loading.Token))),
        new("digits8x8", "FILE", (file, loading) => HoldBack(file, Csv.Load(file, Digits8x8, loading.Token), loading)),
        new("cifar10", "DIR", (folder, loading) => Both(Cifar10.Load(folder, loading.Token))),
        new("cifar100", "DIR", (folder, loading) => Both(Cifar100.Load(folder, cancellationToken: loading.Token))),
        new("svhn", "DIR", (folder, loading) => Both(Svhn.Load(folder, cancellationToken: loading.Token))),
        new("csv", CsvSource.Form, (text, loading) =>
        {
            var source = CsvSource.Parse(text);
            return HoldBack(source.File, Csv.Load(source.File, source.Options, loading.Token), loading);
        }, text => CsvSource.Parse(text)),
        new("npz", "FILE", (file, loading) => Both(NumPyData.Load(file, loading.Token))),
        new("folder", "DIR", Folder),
    ];

    private static string[] Forms => [.. Kinds.Select(kind => kind.Form)];

    /// <param name="standard">The drawn pictures that are taken where none are given.</param>
    public static Option<DataSource> Option(string standard = "synthetic") => new("--data")
    {
        HelpName = "SOURCE",
        Description = $"The pictures: {string.Join(", ", Forms)}.",
        DefaultValueFactory = _ => Kinds.First(kind => kind.Name == standard).Source(""),
        CustomParser = argument =>
        {
            var text = argument.Tokens[0].Value;
            var words = text.Split(':', 2);
            if (Kinds.FirstOrDefault(kind => kind.Name == words[0]) is not { } kind)
            {
                var names = Kinds.Select(kind => kind.Name);
                return Arguments.Refuse<DataSource>(
                    argument, $"There is no data source '{words[0]}'.{Suggestion.For(words[0], names)} There are: {string.Join(", ", Forms)}.");
            }

            if (kind.Parameter is null != (words is [_]) || words[^1] == "")
            {
                return Arguments.Refuse<DataSource>(argument, $"Write the data source '{kind.Name}' as {kind.Form}, not '{text}'.");
            }

            var parameter = words is [_, var given] ? given : "";
            try
            {
                kind.Check?.Invoke(parameter);
                return kind.Source(parameter);
            }
            catch (FormatException error)
            {
                return Arguments.Refuse<DataSource>(argument, error.Message);
            }
        },
    };

    /// <summary>The same, or null where none is given.</summary>
    public static Option<DataSource?> OptionOrNone(string standard)
    {
        Option<DataSource?> option = Option()!;
        option.DefaultValueFactory = null;
        option.Description += $" [default: {standard}]";
        return option;
    }

    /// <summary>The drawn pictures that come nearest to what a network takes.</summary>
    public static DataSource Embedded(NetworkBuilder network) => Embedded(network.Input, network.OutputShape);

    /// <summary>The drawn pictures that come nearest to what a network of these shapes takes.</summary>
    public static DataSource Embedded(Shape input, Shape output)
    {
        var name = output.Size <= 2 ? "synthetic-glyphs" : input[2] == 3 ? "synthetic-color" : Math.Min(input[0], input[1]) < 28 ? "synthetic-8x8" : "synthetic";
        return Kinds.First(kind => kind.Name == name).Source("");
    }

    /// <summary>The source of a name, with its file or folder.</summary>
    public static DataSource Of(string name, string path) => Kinds.First(kind => kind.Name == name).Source(path);

    /// <summary>The pictures as a network takes them: by its preprocessing, or else smaller ones get zeros around them.</summary>
    /// <exception cref="InvalidDataException">The pictures cannot be made to fit.</exception>
    public static Dataset Fit(Dataset pictures, DataSource source, string net, Shape wanted, Shape output, Preprocessing? preprocessing = null)
    {
        var found = pictures.Shape;
        if (found[0] > wanted[0] || found[1] > wanted[1] || found[2] != wanted[2])
        {
            throw new InvalidDataException($"{net} takes pictures of at most {wanted}, but those of {source.Text} are {found}.");
        }

        if (pictures.ClassNames.Count > Math.Max(output.Size, 2))
        {
            throw new InvalidDataException(
                $"{net} tells at most {Math.Max(output.Size, 2)} classes apart, but {source.Text} has {pictures.ClassNames.Count}.");
        }

        return preprocessing is null || preprocessing == Cnn.Preprocessing.Identity
            ? pictures.Pad(wanted[0], wanted[1])
            : pictures.Preprocess(preprocessing);
    }

    /// <summary>What makes any picture one like those of a shape that <see cref="Fit"/> has brought to a network's input.</summary>
    public static Preprocessing Preprocessing(Shape found, Shape wanted)
    {
        var grey = wanted[2] == 1 ? Cnn.Preprocessing.Grey : Cnn.Preprocessing.Identity;
        var sized = grey.Then(Cnn.Preprocessing.Resize(found[0], found[1]));
        return (found[0], found[1]) == (wanted[0], wanted[1]) ? sized : sized.Then(Cnn.Preprocessing.Pad(wanted[0], wanted[1]));
    }

    /// <summary>Pictures that the library draws itself, the same in every run.</summary>
    private static Kind Drawn(string name, Func<IScheduler, Key, int, Dataset> draw) => new(name, null, (_, loading) =>
        (draw(loading.Scheduler, Key.OfSeed(0), TrainPictures), draw(loading.Scheduler, Key.OfSeed(1), TestPictures)));

    /// <summary>
    /// Pictures of sub-folders, one for each class, in the size and the colours that the network takes: those of train and
    /// of test, or else four fifths of each class to learn from and the others to test on.
    /// </summary>
    private static (Dataset Train, Dataset Test) Folder(string directory, Loading loading)
    {
        var options = new ImageFolderOptions(loading.Input[0], loading.Input[1], loading.Input[2], codecs: ImageFormats.All);
        var hasParts = new[] { "train", "test" }.All(part => Directory.Exists(Path.Combine(directory, part)));
        return hasParts
            ? Both(FSharp.ImageFolder.loadSplit(loading.Scheduler, options, directory, loading.Token))
            : HoldBack(directory, FSharp.ImageFolder.load(loading.Scheduler, options, directory, loading.Token), loading);
    }

    /// <summary>Pictures of a file without a test set: four fifths of each class to learn from, the others to test on.</summary>
    private static (Dataset Train, Dataset Test) HoldBack(string path, Dataset pictures, Loading loading)
    {
        var split = pictures.StratifiedSplit(TestShare, Key.OfSeed(loading.Seed));
        return split.Train.Count > 0 && split.Test.Count > 0
            ? Both(split)
            : throw new InvalidDataException($"{path} has too few pictures to learn from some and test on others.");
    }

    private static (Dataset Train, Dataset Test) Both(DatasetSplit split) => (split.Train, split.Test);

    /// <summary>One sort of source; where its parameter is more than a path, <paramref name="Check"/> refuses what is wrong with it.</summary>
    private sealed record Kind(
        string Name, string? Parameter, Func<string, Loading, (Dataset, Dataset)> Load, Action<string>? Check = null)
    {
        public string Form => Parameter is null ? Name : $"{Name}:{Parameter}";

        public DataSource Source(string parameter) =>
            new(Parameter is null ? Name : $"{Name}:{parameter}", loading => Load(parameter, loading));
    }
}
