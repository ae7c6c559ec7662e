using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Cnn.Samples;

/// <summary>Values to search, as in "learning-rate=0.1,0.01 l2=0,1e-4 layers=20-20,50"; null where none are given.</summary>
internal sealed record SearchGrid(IReadOnlyList<double>? LearningRates, IReadOnlyList<double>? L2, IReadOnlyList<IReadOnlyList<int>>? Layers)
{
    private const string Rate = "learning-rate";
    private const string Penalty = "l2";
    private const string Sizes = "layers";

    private static readonly string[] Names = [Rate, Penalty, Sizes];

    public static Option<SearchGrid?> Option() => new("--grid")
    {
        HelpName = "LISTS",
        Description =
            $"What is searched: {Rate}=X,…, {Penalty}=X,… and {Sizes}=N-N,… (a size for each hidden layer, or one for all), one list or more; what is "
            + "not listed stays as it is [default: 0.1 to 30 times the optimiser's learning rate, and penalties of 0, 1e-4 and 1e-3].",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = true,
        CustomParser = argument =>
        {
            try
            {
                return argument.Tokens.Select(token => token.Value).Aggregate(new SearchGrid(null, null, null), (grid, word) => grid.With(word));
            }
            catch (FormatException error)
            {
                return Arguments.Refuse<SearchGrid>(argument, $"--grid: {error.Message}");
            }
        },
    };

    private SearchGrid With(string word)
    {
        var (name, values) = word.Split('=', 2) is [var left, var right] ? (left, right.Split(',')) : (word, []);
        return name switch
        {
            _ when !Names.Contains(name) => throw new FormatException(Arguments.Unknown("hyperparameter", name, Names)),
            _ when values.Length == 0 => throw new FormatException($"Write '{name}' as {name}=VALUE,VALUE."),
            _ when (name == Rate ? LearningRates : name == Penalty ? L2 : (object?)Layers) is not null => throw new FormatException($"There are two lists of {name}."),
            Rate => this with { LearningRates = [.. values.Select(value => Number(name, value))] },
            Penalty => this with { L2 = [.. values.Select(value => Number(name, value))] },
            _ => this with { Layers = [.. values.Select(LayerSizes)] },
        };
    }

    private static double Number(string name, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && double.IsFinite(number)
            ? number
            : throw new FormatException($"{name} needs numbers of 0 or more, not '{value}'.");

    private static int[] LayerSizes(string value) =>
        [.. value.Split('-').Select(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0
            ? size
            : throw new FormatException($"{Sizes} needs whole numbers above 0 with hyphens between them, as in 300-128, not '{value}'."))];
}
