using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Cnn.Fluent;

namespace Cnn.Samples.Commands;

/// <summary>What to train, and how.</summary>
/// <param name="Net">Name of the network.</param>
/// <param name="Network">Its layers.</param>
/// <param name="Data">Where the pictures come from.</param>
/// <param name="Fit">How to train.</param>
/// <param name="Choices">What the user chose of it, for the record.</param>
/// <param name="Precision">The numbers to compute with.</param>
/// <param name="Threads">Processors to use.</param>
/// <param name="Recalibrate">Whether the statistics of batch normalisation are taken anew after training.</param>
/// <param name="ModelFile">Where the model is written; null for nowhere.</param>
/// <param name="Port">Where a page shows the training while it goes on, 0 for any port that is free; null for nowhere.</param>
/// <param name="Folder">Where the results are written; null for nowhere.</param>
/// <param name="IsJson">Whether one line of JSON is all that is printed.</param>
internal sealed record TrainSettings(
    string Net, NetworkBuilder Network, DataSource Data, FitOptions Fit, TrainChoices Choices, Precision Precision, int Threads, bool Recalibrate, string? ModelFile, int? Port, string? Folder, bool IsJson)
{
    private const int SecondsOfHour = 3600;

    /// <summary>What the source printed of a network that is trained with a preset, and what is wrong with it; null where there is nothing.</summary>
    public string? Printed
    {
        get
        {
            if (Choices.Preset is null || Architectures.PrintedOf(Net) is not { } printed)
            {
                return null;
            }

            var time = printed.Seconds switch
            {
                null => "",
                < SecondsOfHour => Invariant($" after {printed.Seconds:0.#} s"),
                _ => Invariant($" after {printed.Seconds / SecondsOfHour:0.#} h"),
            };
            return Invariant($"The source printed {100 * printed.Accuracy:0.##} %{time}, with its settings and on its data. {Architectures.NoteOf(Net)}").TrimEnd();

            static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
        }
    }
}

/// <summary>Choices that a finished optimiser does not tell; null where none was made.</summary>
/// <param name="Preset">Whose settings were taken.</param>
/// <param name="Schedule">Name of the learning-rate schedule.</param>
/// <param name="WeightDecay">λ of the decay beside the gradient.</param>
/// <param name="L2">λ of the penalty in the loss.</param>
internal sealed record TrainChoices(string? Preset, string? Schedule, double? WeightDecay, double? L2);

/// <summary>The options of the command train.</summary>
internal sealed class TrainOptions
{
    private const string Net = "lenet5";
    private const int Epochs = 5;

    private readonly Option<string> _net = Arguments.Name("--net", "network", Architectures.Names, Net);
    private readonly Option<DataSource?> _data = DataSources.OptionOrNone("drawn ones of the kind that the network takes");
    private readonly Option<string?> _preset = Arguments.NameOrNone(
        "--preset", "preset", Presets.Names, $"Settings taken together, other options coming first: {Presets.Meanings}.");
    private readonly Option<int> _epochs = Arguments.Whole("--epochs", "Times that the training pictures are gone through.", Epochs, smallest: 1);
    private readonly Option<int> _batch = Arguments.Whole("--batch", "Pictures of a step.", new FitOptions().BatchSize, smallest: 1);
    private readonly Option<string> _optimizer = Arguments.Name("--optimizer", "optimiser", Optimizers.Names, "adam");
    private readonly Option<double?> _rate = Arguments.Positive("--learning-rate", $"Length of the steps [default: {Optimizers.LearningRates}].");
    private readonly Option<string?> _schedule = Arguments.NameOrNone(
        "--schedule", "schedule", Schedules.Names, $"How the learning rate changes: {Schedules.Meanings}.");
    private readonly Option<double?> _weightDecay = Arguments.NotNegative("--weight-decay", "Decay of the weights beside the gradient, as in AdamW.");
    private readonly Option<double?> _l2 = Arguments.NotNegative("--l2", "Penalty X/2·Σw² in the loss.");
    private readonly Option<Augmentation> _augment = Augmentations.Option();
    private readonly Option<double?> _validation = Arguments.Fraction(
        "--validation", "Share of the training pictures, class by class, that is only looked at after each epoch.");
    private readonly Option<int?> _earlyStopping = Arguments.WholeOrNone(
        "--early-stopping", "Stop after N epochs without a lower loss, of validation if there is any, and keep the best weights.", smallest: 1);
    private readonly Option<bool?> _recalibrate = new("--recalibrate")
    {
        Description = "Take the statistics of batch normalisation anew over the training pictures after training.",
    };
    private readonly Option<string> _precision = Arguments.Name("--precision", "precision", ["float", "double"], "float");
    private readonly Option<int> _seed = Arguments.Whole("--seed", "Decides the first weights, the order of the pictures and who is held back.", 0);
    private readonly Option<int> _threads = Arguments.Threads();
    private readonly Option<string?> _checkpoint = new("--checkpoint")
    {
        HelpName = "DIR",
        Description = "Put training aside there after each epoch; the last two are kept.",
    };
    private readonly Option<bool> _resume = new("--resume")
    {
        Description = "Go on from the latest checkpoint, if there is one; the settings must be the same.",
    };
    private readonly Option<string?> _save = new("--save")
    {
        HelpName = "FILE",
        Description = "Write the model there, as in lenet5.safetensors.",
    };
    private readonly Option<string?> _out = new("--out")
    {
        HelpName = "DIR",
        Description = "Write report.html, history.csv, history.json and metrics.json there.",
    };

    private readonly Option<int?> _serve = new("--serve")
    {
        HelpName = "PORT",
        Arity = ArgumentArity.ZeroOrOne,
        Description = "Show the training on a page of this machine, renewed after each epoch; without PORT, any that is free.",
        CustomParser = argument => argument.Tokens is [] ? 0
            : int.TryParse(argument.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= 65535 ? port
            : Arguments.Refuse<int?>(argument, $"A port is a whole number from 0 to 65535, not '{argument.Tokens[0].Value}'."),
    };
    private readonly Option<bool> _json = Arguments.Json();

    public void AddTo(Command command)
    {
        Option[] options =
        [
            _net, _data, _preset, _epochs, _batch, _optimizer, _rate, _schedule, _weightDecay, _l2, _augment, _validation, _earlyStopping,
            _recalibrate, _precision, _seed, _threads, _checkpoint, _resume, _save, _serve, _out, _json,
        ];
        Array.ForEach(options, command.Options.Add);
        command.Validators.Add(RefusePresetOfNobody);
        command.Validators.Add(line =>
        {
            if (line.GetResult(_resume) is { Implicit: false } && line.GetResult(_checkpoint) is null)
            {
                line.AddError("--resume needs --checkpoint DIR.");
            }
        });
    }

    public TrainSettings Settings(ParseResult line)
    {
        var choice = Presets.Find(line.GetValue(_preset));
        var net = choice?.Net is { } own && !IsGiven(line, _net) ? own : line.GetRequiredValue(_net);
        var preset = choice?.Of(net);
        var fit = new FitOptions
        {
            Epochs = Given(line, _epochs, preset?.Options.Epochs),
            BatchSize = Given(line, _batch, preset?.Options.BatchSize),
            Optimizer = OptimizerOf(line, preset),
            Loss = preset?.Options.Loss ?? Architectures.LossOf(net),
            Seed = line.GetValue(_seed),
            Augmentation = preset is null || IsGiven(line, _augment) ? line.GetRequiredValue(_augment) : preset.Options.Augmentation,
            ValidationFraction = line.GetValue(_validation) ?? preset?.Options.ValidationFraction ?? 0,
            CheckpointFolder = line.GetValue(_checkpoint),
            Resume = line.GetValue(_resume),
            EarlyStopping = line.GetValue(_earlyStopping) is { } patience ? new EarlyStopping(patience) : null,
        };
        var schedule = line.GetValue(_schedule) ?? preset?.Schedule;
        return new TrainSettings(
            net,
            preset?.Network ?? Architectures.Find(net),
            line.GetValue(_data) ?? DataSources.Embedded(Architectures.Find(net)),
            schedule is null ? fit : Schedules.Find(schedule).Apply(fit),
            new TrainChoices(preset?.Origin, schedule, line.GetValue(_weightDecay), line.GetValue(_l2)),
            line.GetRequiredValue(_precision) == "float" ? Precision.Single : Precision.Double,
            line.GetValue(_threads),
            line.GetValue(_recalibrate) ?? preset?.Recalibrate ?? false,
            line.GetValue(_save),
            line.GetValue(_serve),
            line.GetValue(_out),
            line.GetValue(_json));
    }

    private Optimizer OptimizerOf(ParseResult line, Preset? preset)
    {
        var rate = line.GetValue(_rate);
        var optimizer = preset is null || IsGiven(line, _optimizer) ? Optimizers.Find(line.GetRequiredValue(_optimizer), rate)
            : rate is { } own ? preset.Options.Optimizer.WithLearningRate(own)
            : preset.Options.Optimizer;
        optimizer = line.GetValue(_weightDecay) is { } decay ? optimizer.WithWeightDecay(decay) : optimizer;
        return line.GetValue(_l2) is { } l2 ? optimizer.WithL2(l2) : optimizer;
    }

    /// <summary>Goes by the words of the line: wrong values have not been found yet.</summary>
    private void RefusePresetOfNobody(CommandResult line)
    {
        var word = line.GetResult(_net)?.Tokens is [var token, ..] ? token.Value : Net;
        if (line.GetResult(_preset)?.Tokens is [{ Value: var wanted }, ..] && Presets.Find(wanted) is { } preset
            && Architectures.Names.FirstOrDefault(name => name.Equals(word, StringComparison.OrdinalIgnoreCase)) is { } net
            && preset.Of(net) is null)
        {
            line.AddError(preset.Name == "source"
                ? $"The source of {net} gives no settings: leave out --preset."
                : $"There is no preset '{preset.Name}' for {net}: leave out --preset.");
        }
    }

    private static int Given(ParseResult line, Option<int> option, int? preset) =>
        IsGiven(line, option) ? line.GetValue(option) : preset ?? line.GetValue(option);

    private static bool IsGiven(ParseResult line, Option option) => line.GetResult(option) is { Implicit: false };
}
