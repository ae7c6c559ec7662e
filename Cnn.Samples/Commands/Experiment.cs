using System.CommandLine;
using Cnn.Fluent;

namespace Cnn.Samples.Commands;

/// <summary>What every experiment is told.</summary>
/// <param name="Data">Where the pictures come from.</param>
/// <param name="Epochs">Times that the training pictures are gone through.</param>
/// <param name="Seed">Decides the first weights and the order of the pictures.</param>
/// <param name="Threads">Processors to use.</param>
/// <param name="Folder">Where results are written; null for nowhere.</param>
/// <param name="IsJson">Whether one line of JSON is all that is printed.</param>
internal sealed record Experiment(DataSource Data, int Epochs, int Seed, int Threads, OutputFolder? Folder, bool IsJson)
{
    /// <summary>The settings that all experiments have, for the record.</summary>
    public IEnumerable<(string Name, string Value)> Settings =>
        [("data", $"{Data}"), ("epochs", $"{Epochs}"), ("seed", $"{Seed}"), ("threads", $"{Threads}")];

    /// <summary>Pictures to learn from and pictures to test on.</summary>
    /// <param name="input">Height×width×channels, to which photographs are brought.</param>
    /// <param name="cancellationToken">Ends the reading or drawing of pictures.</param>
    public (Dataset Train, Dataset Test) Load(Shape input, CancellationToken cancellationToken) =>
        Data.Bring(Threads, Seed, input, "Cancelled before the training began.", cancellationToken);

    /// <summary>The same in the size of a network; what does not fit it is refused.</summary>
    public (Dataset Train, Dataset Test) Load(string net, NetworkBuilder network, CancellationToken cancellationToken)
    {
        var (train, test) = Load(network.Input, cancellationToken);
        return (Fit(train), Fit(test));

        Dataset Fit(Dataset pictures) => DataSources.Fit(pictures, Data, net, network.Input, network.OutputShape);
    }

    /// <summary>The options that experiments share.</summary>
    /// <param name="data">The drawn pictures that are taken where none are given.</param>
    /// <param name="epochs">Epochs where none are given.</param>
    /// <param name="files">What is written to the folder.</param>
    internal sealed class Options(string data, int epochs, string files)
    {
        private readonly Option<DataSource> _data = DataSources.Option(data);
        private readonly Option<int> _epochs = Arguments.Whole("--epochs", "Times that the training pictures are gone through.", epochs, smallest: 1);
        private readonly Option<int> _seed = Arguments.Whole("--seed", "Decides the first weights, the order of the pictures and who is held back.", 0);
        private readonly Option<int> _threads = Arguments.Threads();
        private readonly Option<string?> _folder = OutputFolder.Option($"Write {files} there.");
        private readonly Option<bool> _json = Arguments.Json();

        /// <summary>A command with these options and those of its own.</summary>
        public Command Command(string name, string description, Action<Experiment, ParseResult> run, params IEnumerable<Option> own)
        {
            var command = new Command(name, description);
            foreach (var option in (Option[])[_data, _epochs, .. own, _seed, _threads, _folder, _json])
            {
                command.Options.Add(option);
            }

            command.SetAction(line => run(
                new Experiment(
                    line.GetRequiredValue(_data), line.GetValue(_epochs), line.GetValue(_seed), line.GetValue(_threads),
                    OutputFolder.Of(line.GetValue(_folder)), line.GetValue(_json)),
                line));
            return command;
        }
    }
}
