using System.CommandLine;
using System.Globalization;

namespace Cnn.Samples;

/// <summary>The random changes of training pictures that the command line knows.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Meaning">What its number is, for the help; null where it takes none.</param>
/// <param name="Standard">Taken where no number is given; null where one must be.</param>
/// <param name="Create">The augmentation with a number.</param>
internal sealed record Augmentations(string Name, string? Meaning, double? Standard, Func<double, Augmentation> Create)
{
    private static readonly Augmentations[] All =
    [
        new("shift", "pixels", null, pixels => Augmentation.Shift(Whole(pixels))),
        new("rotate", "degrees", null, Augmentation.Rotate),
        new("zoom", "share", null, Augmentation.Zoom),
        new("flip", null, 0, _ => Augmentation.FlipHorizontal),
        new("flip-vertical", null, 0, _ => Augmentation.FlipVertical),
        new("elastic", "pixels", 1, pixels => Augmentation.Elastic(pixels)),
        new("noise", "deviation", null, Augmentation.Noise),
        new("erase", "probability", 0.5, probability => Augmentation.Erase(probability)),
    ];

    private string Form => Meaning is null ? Name : Standard is null ? $"{Name}={Meaning}" : $"{Name}[={Meaning}]";

    public static Option<Augmentation> Option() => new("--augment")
    {
        HelpName = "LIST",
        Description = $"Change the training pictures at random in each epoch: a list with commas of {string.Join(", ", All.Select(choice => choice.Form))}.",
        DefaultValueFactory = _ => Augmentation.None,
        CustomParser = argument =>
        {
            try
            {
                return argument.Tokens[0].Value.Split(',').Select(Parse).Aggregate(Augmentation.None, (all, next) => all.Then(next));
            }
            catch (ArgumentException error)
            {
                return Arguments.Refuse<Augmentation>(argument, $"--augment: {error.Message}");
            }
        },
    };

    private static Augmentation Parse(string word)
    {
        var parts = word.Split('=', 2);
        var names = All.Select(choice => choice.Name).ToArray();
        var choice = All.FirstOrDefault(choice => choice.Name == parts[0]) ?? throw new ArgumentException(Arguments.Unknown("augmentation", parts[0], names));
        if (parts is [_])
        {
            return choice.Create(choice.Standard ?? throw new ArgumentException($"Write '{choice.Name}' as {choice.Form}."));
        }

        return choice.Meaning is not null && double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? choice.Create(value)
            : throw new ArgumentException($"Write '{choice.Name}' as {choice.Form}, not '{word}'.");
    }

    private static int Whole(double pixels) =>
        pixels == Math.Truncate(pixels) && Math.Abs(pixels) <= int.MaxValue ? (int)pixels : throw new ArgumentException("A shift is of whole pixels.");
}
