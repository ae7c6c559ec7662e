using System.Globalization;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>A confusion matrix for people.</summary>
internal static class ConfusionTable
{
    public static void Print(ConfusionMatrix matrix)
    {
        Console.WriteLine("Confusion matrix (row: true class, column: predicted class)");
        if (!Terminal.IsLive)
        {
            Console.WriteLine(matrix);
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).AddColumn("");
        foreach (var name in matrix.ClassNames)
        {
            table.AddColumn(new TableColumn($"[bold]{Markup.Escape(name)}[/]").RightAligned());
        }

        for (var row = 0; row < matrix.ClassCount; row++)
        {
            var counts = Enumerable.Range(0, matrix.ClassCount).Select(column => Cell(matrix[row, column], row == column));
            table.AddRow([$"[bold]{Markup.Escape(matrix.ClassNames[row])}[/]", .. counts]);
        }

        AnsiConsole.Write(table);
    }

    private static string Cell(int count, bool isRight)
    {
        var style = isRight ? "green" : count == 0 ? "grey" : "red";
        return $"[{style}]{count.ToString(CultureInfo.InvariantCulture)}[/]";
    }
}
