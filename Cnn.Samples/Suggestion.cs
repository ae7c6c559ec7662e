namespace Cnn.Samples;

/// <summary>Guesses what a misspelt word was meant to be.</summary>
internal static class Suggestion
{
    /// <summary>" Did you mean 'x'?" for the nearest of the names, or nothing where all are far off.</summary>
    public static string For(string word, IEnumerable<string> names) =>
        Nearest(word, names) is { } name ? $" Did you mean '{name}'?" : "";

    /// <summary>The nearest of the names, or null where more than half of the letters would have to change.</summary>
    public static string? Nearest(string word, IEnumerable<string> names)
    {
        var (name, distance) = names
            .Select(name => (Name: name, Distance: Distance(Bare(word), Bare(name))))
            .DefaultIfEmpty((Name: "", Distance: int.MaxValue))
            .MinBy(candidate => candidate.Distance);
        return 2 * distance <= Math.Max(Bare(word).Length, Bare(name).Length) ? name : null;
    }

    private static string Bare(string name) => name.TrimStart('-').ToLowerInvariant();

    /// <summary>Letters to insert, delete, replace or swap with their neighbour: Damerau 1964.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                var replaced = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replaced, 1 + Math.Min(d[i - 1, j], d[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
