using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Cnn.Fluent;

namespace Cnn.Samples;

/// <summary>Options whose values are checked while the line is read, with errors that say what would be right.</summary>
internal static class Arguments
{
    /// <summary>One of a list of names, whatever the case of its letters.</summary>
    public static Option<string> Name(string option, string what, IReadOnlyList<string> names, string standard)
    {
        var result = new Option<string>(option) { Description = $"The {what}: {string.Join(", ", names)}.", DefaultValueFactory = _ => standard };
        return Among(result, what, names);
    }

    /// <summary>One of a list of names, or null where none is given.</summary>
    public static Option<string?> NameOrNone(string option, string what, IReadOnlyList<string> names, string description) =>
        Among(new Option<string?>(option) { Description = description }, what, names);

    /// <summary>A whole number that is not too small.</summary>
    public static Option<int> Whole(string option, string description, int standard, int smallest = int.MinValue) => new(option)
    {
        HelpName = "N",
        Description = description,
        DefaultValueFactory = _ => standard,
        CustomParser = argument => WholeOf(argument, option, smallest) ?? 0,
    };

    /// <summary>A whole number that is not too small, or null where none is given.</summary>
    public static Option<int?> WholeOrNone(string option, string description, int smallest) => new(option)
    {
        HelpName = "N",
        Description = description,
        CustomParser = argument => WholeOf(argument, option, smallest),
    };

    /// <summary>A number above 0, or null where none is given.</summary>
    public static Option<double?> Positive(string option, string description) =>
        Number(option, "X", description, "a number above 0", value => value > 0 && double.IsFinite(value));

    /// <summary>A number of 0 or more, or null where none is given.</summary>
    public static Option<double?> NotNegative(string option, string description) =>
        Number(option, "X", description, "a number of 0 or more", value => value >= 0 && double.IsFinite(value));

    /// <summary>A share below 1, or null where none is given.</summary>
    public static Option<double?> Fraction(string option, string description) =>
        Number(option, "F", description, "a share from 0 to below 1", value => value is >= 0 and < 1);

    /// <summary>The file of a model.</summary>
    public static Option<string> Model() => new("--model") { HelpName = "FILE", Description = "The model, as train --save wrote it.", Required = true };

    /// <summary>JSON instead of text.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print one line of JSON and nothing else." };

    /// <summary>Threads, no more of them than a scheduler uses.</summary>
    public static Option<int> Threads(string description = "Processors to use; the result is the same for any number.")
    {
        const string option = "--threads";
        var threads = Whole(option, description, Environment.ProcessorCount);
        threads.CustomParser = argument => Math.Min(WholeOf(argument, option, smallest: 1) ?? 0, ParallelScheduler.MostThreads);
        return threads;
    }

    /// <summary>What to say of a name that is not in the list.</summary>
    public static string Unknown(string what, string word, IReadOnlyList<string> names) =>
        $"There is no {what} '{word}'.{Suggestion.For(word, names)} There are: {string.Join(", ", names)}.";

    /// <summary>Marks an argument as wrong.</summary>
    public static T? Refuse<T>(ArgumentResult argument, string reason)
    {
        argument.AddError(reason);
        return default;
    }

    private static Option<T> Among<T>(Option<T> option, string what, IReadOnlyList<string> names)
        where T : class?
    {
        option.HelpName = "NAME";
        option.CustomParser = argument =>
        {
            var word = argument.Tokens[0].Value;
            var name = names.FirstOrDefault(name => name.Equals(word, StringComparison.OrdinalIgnoreCase));
            return name as T ?? Refuse<T>(argument, Unknown(what, word, names));
        };
        option.CompletionSources.Add([.. names]);
        return option;
    }

    private static int? WholeOf(ArgumentResult argument, string option, int smallest)
    {
        var word = argument.Tokens[0].Value;
        var wanted = smallest == int.MinValue ? "a whole number" : $"a whole number from {smallest} to {int.MaxValue}";
        return int.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= smallest
            ? value
            : Refuse<int?>(argument, $"{option} needs {wanted}, not '{word}'.");
    }

    private static Option<double?> Number(string option, string helpName, string description, string wanted, Func<double, bool> isValid) => new(option)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = argument =>
        {
            var word = argument.Tokens[0].Value;
            return double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && isValid(value)
                ? value
                : Refuse<double?>(argument, $"{option} needs {wanted}, not '{word}'.");
        },
    };
}
