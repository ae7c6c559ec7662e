using System.CommandLine;
using System.CommandLine.Parsing;
using Cnn.Fluent;

namespace Cnn.Samples.Commands;

/// <summary>What to search, and where.</summary>
/// <param name="Net">Name of the network.</param>
/// <param name="Data">Where the pictures come from.</param>
/// <param name="Search">What is tried, and how it is trained.</param>
/// <param name="Schedule">Name of the learning-rate schedule; null for none.</param>
/// <param name="Threads">Candidates at once.</param>
/// <param name="IsJson">Whether one line of JSON is all that is printed.</param>
internal sealed record SearchSettings(string Net, DataSource Data, SearchOptions Search, string? Schedule, int Threads, bool IsJson);

/// <summary>The options of the command search.</summary>
internal sealed class SearchArguments
{
    private const string Net = "densenet2_20";
    private const int Epochs = 5;
    private const double ValidationShare = 0.2;

    private static readonly double[] Penalties = [0, 1e-4, 1e-3];

    /// <summary>Penalties between which random ones lie: 0 has no logarithm.</summary>
    private static readonly double[] RandomPenalties = [1e-5, 1e-2];

    private readonly Option<string> _net = Arguments.Name("--net", "network", Architectures.Names, Net);
    private readonly Option<DataSource?> _data = DataSources.OptionOrNone("drawn ones of the kind that the network takes");
    private readonly Option<SearchGrid?> _grid = SearchGrid.Option();
    private readonly Option<int?> _random = Arguments.WholeOrNone(
        "--random", "Draw N candidates at random, numbers between the smallest and the largest given, instead of trying the whole grid.", smallest: 1);
    private readonly Option<int> _epochs = Arguments.Whole("--epochs", "Epochs of each candidate.", Epochs, smallest: 1);
    private readonly Option<int> _batch = Arguments.Whole("--batch", "Pictures of a step.", new FitOptions().BatchSize, smallest: 1);
    private readonly Option<string> _optimizer = Arguments.Name("--optimizer", "optimiser", Optimizers.Names, "adam");
    private readonly Option<string?> _schedule = Arguments.NameOrNone(
        "--schedule", "schedule", Schedules.Names, $"How the learning rate changes: {Schedules.Meanings}.");
    private readonly Option<Augmentation> _augment = Augmentations.Option();
    private readonly Option<double?> _validation = Arguments.Fraction(
        "--validation", "Share of the training pictures, class by class, by which candidates are chosen [default: 0.2].");
    private readonly Option<int> _seed = Arguments.Whole("--seed", "Decides first weights, order, who is held back, and random candidates.", 0);
    private readonly Option<int> _threads = Arguments.Threads("Candidates at once, each on one thread; the result is the same for any number.");
    private readonly Option<string?> _out = new("--out")
    {
        HelpName = "DIR",
        Description = "Keep finished candidates there (trials.jsonl), go on from those there are, and write report.html and search.json.",
    };
    private readonly Option<bool> _json = Arguments.Json();

    public void AddTo(Command command)
    {
        Option[] options =
        [
            _net, _data, _grid, _random, _epochs, _batch, _optimizer, _schedule, _augment, _validation, _seed, _threads, _out, _json,
        ];
        Array.ForEach(options, command.Options.Add);
    }

    public SearchSettings Settings(ParseResult line)
    {
        var net = line.GetRequiredValue(_net);
        var grid = line.GetValue(_grid);
        var random = line.GetValue(_random);
        var validation = line.GetValue(_validation) ?? ValidationShare;
        var fit = new FitOptions
        {
            Epochs = line.GetValue(_epochs),
            BatchSize = line.GetValue(_batch),
            Optimizer = Optimizers.Find(line.GetRequiredValue(_optimizer), null),
            Loss = Architectures.LossOf(net),
            Seed = line.GetValue(_seed),
            Augmentation = line.GetRequiredValue(_augment),
            ValidationFraction = validation,
        };
        var schedule = line.GetValue(_schedule);
        var search = new SearchOptions
        {
            LearningRates = grid is null ? null : grid.LearningRates ?? [fit.Optimizer.LearningRate],
            L2 = grid is null ? random is null ? Penalties : RandomPenalties : grid.L2 ?? [0],
            Layers = grid?.Layers ?? [[]],
            Random = random,
            Fit = schedule is null ? fit : Schedules.Find(schedule).Apply(fit),
            Folder = line.GetValue(_out),
            Threads = line.GetValue(_threads),
        };
        var data = line.GetValue(_data) ?? DataSources.Embedded(Architectures.Find(net));
        return new SearchSettings(net, data, search, schedule, line.GetValue(_threads), line.GetValue(_json));
    }
}
