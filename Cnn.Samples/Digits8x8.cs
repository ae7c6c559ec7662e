using System.Globalization;
using System.IO.Compression;
using System.Text;
using Cnn.FSharp;

namespace Cnn.Samples;

/// <summary>Digits of 8×8 pixels as lines of text: 64 whole numbers 0 … 16, then the label 0 … 9, with commas between.</summary>
internal static class Digits8x8
{
    private const int Side = 8;
    private const int Pixels = Side * Side;
    private const int Brightest = 16;
    private const int Classes = 10;
    private const double TestShare = 0.2;

    /// <summary>Larger files than this are something else: the original has a quarter of a mebibyte.</summary>
    private const int LargestFile = 16 << 20;

    /// <summary>The pictures of a file, gzip-compressed or not: four fifths of each class to learn from, the others to test on.</summary>
    /// <exception cref="InvalidDataException">The file is something else; tells where.</exception>
    public static (Dataset Train, Dataset Test) Load(string path, int seed)
    {
        var split = Parse(path, Read(path)).StratifiedSplit(TestShare, Key.OfSeed(seed));
        return split.Train.Count > 0 && split.Test.Count > 0
            ? (split.Train, split.Test)
            : throw new InvalidDataException($"{path} has too few pictures to learn from some and test on others.");
    }

    private static Dataset Parse(string path, string text)
    {
        var (pixels, labels) = (new List<byte>(), new List<int>());
        var lines = text.Split('\n');
        var count = lines[^1] == "" ? lines.Length - 1 : lines.Length;
        for (var i = 0; i < count; i++)
        {
            var values = lines[i].TrimEnd('\r').Split(',', Pixels + 2);
            if (values.Length != Pixels + 1)
            {
                var found = values.Length > Pixels + 1 ? "more" : values.Length.ToString(CultureInfo.InvariantCulture);
                throw new InvalidDataException($"{path}, line {i + 1}: expected {Pixels} pixels and a label with commas between, found {found} values.");
            }

            for (var column = 0; column < Pixels; column++)
            {
                pixels.Add((byte)Whole(values, column, Brightest, $"{path}, line {i + 1}"));
            }

            labels.Add(Whole(values, Pixels, Classes - 1, $"{path}, line {i + 1}"));
        }

        var all = pixels.ToArray();
        return Dataset.Create(
            Shape.Of(Side, Side, 1),
            labels,
            Enumerable.Range(0, Classes).Select(c => c.ToString(CultureInfo.InvariantCulture)),
            (index, destination) =>
            {
                for (var i = 0; i < Pixels; i++)
                {
                    destination[i] = all[index * Pixels + i] / (float)Brightest;
                }
            });
    }

    private static int Whole(string[] values, int column, int largest, string where)
    {
        var word = values[column];
        return int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= largest
            ? value
            : throw new InvalidDataException(
                $"{where}, column {column + 1}: expected a {(column < Pixels ? "pixel" : "label")} of 0 to {largest}, found '{(word.Length > 20 ? word[..20] + "…" : word)}'.");
    }

    private static string Read(string path)
    {
        using var file = File.OpenRead(path);
        var isCompressed = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b;
        file.Position = 0;
        using Stream content = isCompressed ? new GZipStream(file, CompressionMode.Decompress) : file;
        var bytes = new byte[LargestFile + 1];
        int length;
        try
        {
            length = content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path} is damaged: {error.Message}", error);
        }

        return length <= LargestFile
            ? Encoding.UTF8.GetString(bytes, 0, length)
            : throw new InvalidDataException($"{path} is larger than {LargestFile >> 20} MiB: that is no file of 8×8 digits.");
    }
}
