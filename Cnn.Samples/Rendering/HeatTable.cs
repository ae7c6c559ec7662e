using System.Globalization;
using Microsoft.FSharp.Collections;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>Validation accuracies of a search for people: tables with shaded cells, or the best candidates where they fill no table.</summary>
internal static class HeatTable
{
    private const int Best = 10;

    public static void Print(IReadOnlyList<SearchTrial> trials)
    {
        var all = ListModule.OfSeq(trials);
        var maps = FSharp.HeatMap.ofTrials(all);
        foreach (var map in maps)
        {
            Print($"Validation accuracy in %, {map.Title}", [map.Corner, .. map.Columns], map.Rows.Zip(map.Cells, Row));
        }

        if (maps.IsEmpty)
        {
            Print($"The best of {all.Length} candidates, by validation accuracy in %", ["learning rate", "l2", "layers", "accuracy"], FSharp.Search.ranked(all).Take(Best).Select(Line));
        }

        IEnumerable<Cell> Row(string name, IReadOnlyList<SearchTrial?> cells) => [new Cell(name, null), .. cells.Select(Accuracy)];

        IEnumerable<Cell> Line(SearchTrial trial) =>
        [
            .. new[] { $"{trial.Candidate.LearningRate:G4}", $"{trial.Candidate.L2:G4}", trial.Candidate.Sizes }.Select(text => new Cell(text, null)),
            Accuracy(trial),
        ];

        Cell Accuracy(SearchTrial? trial) => trial is null ? new Cell("", null)
            : trial.IsDiverged ? new Cell("diverged", 0)
            : new Cell(string.Create(CultureInfo.InvariantCulture, $"{100 * trial.Accuracy:F2}"), FSharp.HeatMap.share(all, trial));
    }

    private static void Print(string title, IReadOnlyList<string> heads, IEnumerable<IEnumerable<Cell>> rows)
    {
        Console.WriteLine(title);
        var lines = rows.Select(row => row.ToArray()).ToArray();
        if (!Terminal.IsLive)
        {
            var widths = heads.Select((head, column) => lines.Select(line => line[column].Text.Length).Append(head.Length).Max()).ToArray();
            foreach (var line in lines.Select(line => line.Select(cell => cell.Text)).Prepend(heads))
            {
                Console.WriteLine(string.Join("  ", line.Select((text, column) => text.PadLeft(widths[column]))));
            }

            return;
        }

        var table = new Table().Border(TableBorder.Rounded);
        foreach (var head in heads)
        {
            table.AddColumn(new TableColumn($"[bold]{Markup.Escape(head)}[/]").RightAligned());
        }

        foreach (var line in lines)
        {
            table.AddRow([.. line.Select(Markdown)]);
        }

        AnsiConsole.Write(table);
    }

    /// <summary>From black to blue, the best in bold.</summary>
    private static string Markdown(Cell cell)
    {
        if (cell.Share is not { } share)
        {
            return Markup.Escape(cell.Text);
        }

        var (red, green, blue) = ((int)(20 * share), (int)(95 * share), (int)(190 * share));
        var style = string.Create(CultureInfo.InvariantCulture, $"white on rgb({red},{green},{blue})");
        return $"[{(share == 1 ? "bold " : "")}{style}]{Markup.Escape(cell.Text)}[/]";
    }

    /// <param name="Text">What it says.</param>
    /// <param name="Share">How dark it is, 0 … 1; null for not at all.</param>
    private sealed record Cell(string Text, double? Share);
}
