using System.Globalization;

namespace Cnn.Samples;

/// <summary>A file of separated values and how it is read, as in "digits.csv,shape=8x8x1,label=last,divisor=16".</summary>
internal sealed record CsvSource(string File, CsvOptions Options)
{
    public const string Form = "FILE[,shape=HxWxC][,label=first|last][,header=auto|present|absent][,divisor=X]";

    private static readonly string[] Settings = ["shape", "label", "header", "divisor"];

    /// <exception cref="FormatException">A setting is unknown or has no such value; says what would be right.</exception>
    public static CsvSource Parse(string text)
    {
        // Commas may stand in the name of the file too: settings are what follows the last of its parts without "=".
        var parts = text.Split(',');
        var name = parts.Length - parts.Reverse().TakeWhile(part => part.Contains('=')).Count();
        var (shape, label, header, divisor) = ((Shape?)null, CsvLabel.First, CsvHeader.Auto, 255.0);
        foreach (var words in parts[Math.Max(name, 1)..].Select(part => part.Split('=', 2)))
        {
            var (setting, value) = (words[0], words[1]);
            switch (setting)
            {
                case "shape": shape = ShapeOf(value); break;
                case "label": label = Among<CsvLabel>(setting, value); break;
                case "header": header = Among<CsvHeader>(setting, value); break;
                case "divisor": divisor = Positive(setting, value); break;
                default: throw new FormatException(Arguments.Unknown("setting of csv", setting, Settings));
            }
        }

        return new(string.Join(',', parts[..Math.Max(name, 1)]), new CsvOptions(shape, label, header, divisor: divisor));
    }

    private static Shape ShapeOf(string value)
    {
        var extents = value.Split('x', '×').Select(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0).ToArray();
        return extents.Length == 3 && extents.All(n => n > 0) && extents.Aggregate(1.0, (product, n) => product * n) <= Array.MaxLength
            ? Shape.Of(extents)
            : throw new FormatException($"Write the shape of csv as HxWxC, as in shape=28x28x1, not '{value}'.");
    }

    private static T Among<T>(string setting, string value)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(name => name.ToLowerInvariant()).ToArray();
        var index = Array.IndexOf(names, value);
        return index >= 0 ? Enum.GetValues<T>()[index] : throw new FormatException(Arguments.Unknown($"{setting} of csv", value, names));
    }

    private static double Positive(string setting, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > 0 && double.IsFinite(number)
            ? number
            : throw new FormatException($"The {setting} of csv must be a number above 0, not '{value}'.");
}
