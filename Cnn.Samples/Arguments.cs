using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Cnn.Samples;

/// <summary>Options whose values are checked while the line is read, with errors that say what would be right.</summary>
internal static class Arguments
{
    /// <summary>One of a list of names, whatever the case of its letters.</summary>
    public static Option<string> Name(string option, string what, IReadOnlyList<string> names, string standard)
    {
        var result = new Option<string>(option)
        {
            HelpName = "NAME",
            Description = $"The {what}: {string.Join(", ", names)}.",
            DefaultValueFactory = _ => standard,
            CustomParser = argument =>
            {
                var word = argument.Tokens[0].Value;
                var name = names.FirstOrDefault(name => name.Equals(word, StringComparison.OrdinalIgnoreCase));
                return name ?? Refuse<string>(argument, Unknown(what, word, names));
            },
        };
        result.CompletionSources.Add([.. names]);
        return result;
    }

    /// <summary>A whole number that is not too small.</summary>
    public static Option<int> Whole(string option, string description, int standard, int smallest = int.MinValue) => new(option)
    {
        HelpName = "N",
        Description = description,
        DefaultValueFactory = _ => standard,
        CustomParser = argument =>
        {
            var word = argument.Tokens[0].Value;
            var wanted = smallest == int.MinValue ? "a whole number" : $"a whole number from {smallest} to {int.MaxValue}";
            return int.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= smallest
                ? value
                : Refuse<int>(argument, $"{option} needs {wanted}, not '{word}'.");
        },
    };

    /// <summary>A number above 0, or null where none is given.</summary>
    public static Option<double?> Positive(string option, string description) => new(option)
    {
        HelpName = "X",
        Description = description,
        CustomParser = argument =>
        {
            var word = argument.Tokens[0].Value;
            return double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value > 0 && double.IsFinite(value)
                ? value
                : Refuse<double?>(argument, $"{option} needs a number above 0, not '{word}'.");
        },
    };

    /// <summary>JSON instead of text.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print one line of JSON and nothing else." };

    /// <summary>What to say of a name that is not in the list.</summary>
    public static string Unknown(string what, string word, IReadOnlyList<string> names) =>
        $"There is no {what} '{word}'.{Suggestion.For(word, names)} There are: {string.Join(", ", names)}.";

    /// <summary>Marks an argument as wrong.</summary>
    public static T? Refuse<T>(ArgumentResult argument, string reason)
    {
        argument.AddError(reason);
        return default;
    }
}
