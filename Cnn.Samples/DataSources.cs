using System.CommandLine;
using Cnn.Fluent;
using Cnn.FSharp;

namespace Cnn.Samples;

/// <summary>Where pictures come from, as in "synthetic" or "mnist:DIR".</summary>
/// <param name="Text">As the user gave it.</param>
/// <param name="Load">Reads or draws pictures to learn from and pictures to test on.</param>
internal sealed record DataSource(string Text, Func<IScheduler, (Dataset Train, Dataset Test)> Load)
{
    public override string ToString() => Text;
}

/// <summary>The data sources of the command line.</summary>
internal static class DataSources
{
    private const int TrainPictures = 20_000;
    private const int TestPictures = 5_000;

    private static readonly Kind[] Kinds =
    [
        new("synthetic", null, (_, scheduler) => (Digits(scheduler, 0, TrainPictures), Digits(scheduler, 1, TestPictures))),
        new("mnist", "DIR", (folder, _) =>
        {
            var (train, test) = Mnist.Load(folder);
            return (train, test);
        }),
    ];

    private static string[] Forms => [.. Kinds.Select(kind => kind.Form)];

    public static Option<DataSource> Option() => new("--data")
    {
        HelpName = "SOURCE",
        Description = $"The pictures: {string.Join(", ", Forms)}.",
        DefaultValueFactory = _ => Kinds[0].Source(""),
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

            return kind.Parameter is null == (words is [_]) && words[^1] != ""
                ? kind.Source(words is [_, var parameter] ? parameter : "")
                : Arguments.Refuse<DataSource>(argument, $"Write the data source '{kind.Name}' as {kind.Form}, not '{text}'.");
        },
    };

    /// <summary>The pictures in the size that a network takes: smaller ones get zeros around them.</summary>
    /// <exception cref="InvalidDataException">The pictures cannot be made to fit.</exception>
    public static Dataset Fit(Dataset pictures, DataSource source, string net, NetworkBuilder network)
    {
        var (found, wanted) = (pictures.Shape, network.Input);
        if (found[0] > wanted[0] || found[1] > wanted[1] || found[2] != wanted[2])
        {
            throw new InvalidDataException($"{net} takes pictures of at most {wanted}, but those of {source.Text} are {found}.");
        }

        if (pictures.ClassNames.Count > Math.Max(network.OutputShape.Size, 2))
        {
            throw new InvalidDataException(
                $"{net} tells at most {Math.Max(network.OutputShape.Size, 2)} classes apart, but {source.Text} has {pictures.ClassNames.Count}.");
        }

        return pictures.Pad(wanted[0], wanted[1]);
    }

    private static Dataset Digits(IScheduler scheduler, int seed, int count) =>
        FSharp.SyntheticDigits.dataset(scheduler, Key.OfSeed(seed), 28, count);

    private sealed record Kind(string Name, string? Parameter, Func<string, IScheduler, (Dataset, Dataset)> Load)
    {
        public string Form => Parameter is null ? Name : $"{Name}:{Parameter}";

        public DataSource Source(string parameter) =>
            new(Parameter is null ? Name : $"{Name}:{parameter}", scheduler => Load(parameter, scheduler));
    }
}
