using System.CommandLine;
using System.CommandLine.Parsing;
using Cnn.Samples.Commands;
using Cnn.Samples.Rendering;

namespace Cnn.Samples;

/// <summary>The commands, and what becomes of their errors.</summary>
internal static class CommandLine
{
    private const int Failed = 1;
    private const int WrongArguments = 2;

    public static int Run(string[] arguments)
    {
        Terminal.Prepare();
        using var interruption = new Interruption();
        var verbose = new Option<bool>("--verbose") { Description = "Show where an error comes from.", Recursive = true };
        var root = new RootCommand("Trains and inspects convolutional networks. Without a command: train.")
        {
            verbose,
            TrainCommand.Create(interruption.Token),
            EvaluateCommand.Create(interruption.Token),
            VerifyCommand.Create(interruption.Token),
            PredictCommand.Create(),
            SearchCommand.Create(interruption.Token),
            InspectCommand.Create(interruption.Token),
            ExplainCommand.Create(interruption.Token),
            SummaryCommand.Create(),
            BenchCommand.Create(),
            DownloadCommand.Create(interruption.Token),
            ConvertCommand.Create(),
            FiltersCommand.Create(),
            CatDogCommand.Create(interruption.Token),
            VanillaCommand.Create(interruption.Token),
            FixedFiltersCommand.Create(interruption.Token),
            CompareCommand.Create(interruption.Token),
        };

        // The main job needs no words, and takes its options without its name.
        var first = arguments.FirstOrDefault(argument => argument != verbose.Name);
        var isTrain = first is null || (first.StartsWith("--", StringComparison.Ordinal) && root.Options.All(option => option.Name != first));
        var line = root.Parse(isTrain ? ["train", .. arguments] : arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (line.Errors.Count > 0)
        {
            Console.Error.WriteLine(Explain(line));
            Console.Error.WriteLine(Usage(line.CommandResult.Command));
            return WrongArguments;
        }

        try
        {
            // Signals and exceptions are this program's own business.
            return line.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (OperationCanceledException cancellation) when (interruption.Token.IsCancellationRequested)
        {
            Console.Error.WriteLine(cancellation.Message);
            return interruption.ExitCode;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(line.GetValue(verbose) ? error.ToString() : "Error: " + OneLine(error.Message));
            return Failed;
        }
    }

    /// <summary>What is wrong with the first word that is, and what was probably meant.</summary>
    private static string Explain(ParseResult line)
    {
        if (line.UnmatchedTokens is not [var word, ..])
        {
            return OneLine(line.Errors[0].Message);
        }

        var command = line.CommandResult.Command;
        var names = command.Subcommands.Select(c => c.Name).Concat(Options(command).Select(o => o.Name));
        var problem = word.StartsWith('-') ? $"There is no option '{word}'."
            : command.Subcommands.Count > 0 ? $"There is no command '{word}'."
            : $"The command '{command.Name}' does not take '{word}'.";
        return problem + Suggestion.For(word, names);
    }

    private static string Usage(Command command)
    {
        var words = new List<string> { "Usage:", RootCommand.ExecutableName };
        if (command is RootCommand)
        {
            words.Add($"[{string.Join(" | ", command.Subcommands.Select(c => c.Name))}]");
        }
        else
        {
            words.Add(command.Name);
            words.AddRange(command.Arguments.Select(argument => argument.HelpName ?? argument.Name));
        }

        words.AddRange(Options(command).Select(option => $"[{option.Name}{(option.HelpName is { } value ? " " + value : "")}]"));
        return string.Join(' ', words);
    }

    private static IEnumerable<Option> Options(Command command) =>
        command.Options.Concat(command.Parents.OfType<Command>().SelectMany(parent => parent.Options.Where(o => o.Recursive)));

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
