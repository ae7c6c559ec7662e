using System.Globalization;
using Microsoft.FSharp.Collections;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>A table of words, for the terminal and for a report.</summary>
/// <param name="Caption">What is shown.</param>
/// <param name="Heads">Names of the columns.</param>
/// <param name="Rows">Cells, the first of which names the row.</param>
internal sealed record Words(string Caption, IReadOnlyList<string> Heads, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    /// <summary>As in "98.76 %".</summary>
    public static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F2} %");

    /// <summary>As in "1.2 s".</summary>
    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F1} s");

    /// <summary>As in "1 epoch" or "3 epochs".</summary>
    public static string Epochs(int number) => number == 1 ? "1 epoch" : $"{Count(number)} epochs";

    /// <summary>As in "1,234".</summary>
    public static string Count(int number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public FSharp.Html ToHtml() => FSharp.Report.table(Caption, ListModule.OfSeq(Heads), ListModule.OfSeq(Rows.Select(row => ListModule.OfSeq(row))));

    public void Print()
    {
        Console.WriteLine();
        Console.WriteLine(Caption);
        if (Terminal.IsLive)
        {
            PrintLive();
            return;
        }

        var widths = Enumerable.Range(0, Heads.Count).Select(column => Rows.Append(Heads).Max(row => row[column].Length)).ToArray();
        foreach (var row in Rows.Prepend(Heads))
        {
            var cells = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            Console.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private void PrintLive()
    {
        var table = new Table().Border(TableBorder.Rounded);
        for (var column = 0; column < Heads.Count; column++)
        {
            var head = new TableColumn($"[bold]{Markup.Escape(Heads[column])}[/]");
            table.AddColumn(column == 0 ? head : head.RightAligned());
        }

        foreach (var row in Rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        AnsiConsole.Write(table);
    }
}
