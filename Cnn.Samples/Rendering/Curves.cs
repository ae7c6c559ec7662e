using System.Globalization;
using System.Text;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>Loss and accuracy over the epochs as lines of Braille dots, two across and four down in each character.</summary>
internal static class Curves
{
    private const int Height = 8;
    private const int WidestChart = 72;
    private const int NarrowestChart = 16;
    private const int LabelWidth = 8;
    private const char Blank = '\u2800';

    private static readonly string[] Styles = ["deepskyblue1", "orange1"];

    /// <summary>The bit of each dot, row by row.</summary>
    private static readonly int[,] Bits = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

    /// <summary>Prints both charts, unless there is no screen for them or no line to draw.</summary>
    public static void Print(IReadOnlyList<EpochResult> history)
    {
        var width = Math.Min(WidestChart, AnsiConsole.Profile.Width - LabelWidth - 2);
        if (!Terminal.IsLive || !AnsiConsole.Profile.Capabilities.Unicode || history.Count < 2 || width < NarrowestChart)
        {
            return;
        }

        Print("Loss", width, history, epoch => epoch.Loss, validation => validation.Loss);
        Print("Accuracy in %", width, history, epoch => 100 * epoch.Accuracy, validation => 100 * validation.Accuracy);
    }

    private static void Print(
        string title, int width, IReadOnlyList<EpochResult> history, Func<EpochResult, double> ofTraining, Func<Evaluation, double> ofValidation)
    {
        var training = history.Select(ofTraining).ToArray();
        var validation = history.Select(epoch => epoch.Validation is { } held ? ofValidation(held) : double.NaN).ToArray();
        var finite = training.Concat(validation).Where(double.IsFinite).ToArray();
        if (finite.Length == 0)
        {
            return;
        }

        var ticks = FSharp.Chart.ticks(finite.Min(), finite.Max());
        var (low, high) = (ticks[0], ticks[^1]);
        var series = validation.Any(double.IsFinite) ? new[] { training, validation } : [training];
        string[] names = ["training", "validation"];
        var legend = series.Select((_, i) => $"[{Styles[i]}]⠶ {names[i]}[/]");
        AnsiConsole.MarkupLine($"{new string(' ', LabelWidth + 1)}[bold]{Markup.Escape(title)}[/]  {string.Join("  ", legend)}");
        var dots = new Cell[Height, width];
        for (var i = 0; i < series.Length; i++)
        {
            Draw(dots, [.. series[i].Select(value => (high - value) / (high - low))], i);
        }

        for (var row = 0; row < Height; row++)
        {
            var label = row == 0 ? Label(high) : row == Height - 1 ? Label(low) : "";
            AnsiConsole.MarkupLine($"{label.PadLeft(LabelWidth)}│{Line(dots, row)}");
        }

        AnsiConsole.MarkupLine($"{new string(' ', LabelWidth)}└{new string('─', width)}");
        var last = history[^1].Epoch.ToString(CultureInfo.InvariantCulture);
        var first = $"epoch {history[0].Epoch}";
        AnsiConsole.MarkupLine($"{new string(' ', LabelWidth + 1)}{first}{last.PadLeft(width - first.Length)}");
    }

    /// <summary>A line from epoch to epoch; depths go from 0 at the top to 1 at the bottom, and what is not finite leaves a gap.</summary>
    private static void Draw(Cell[,] dots, double[] depths, int series)
    {
        var (right, bottom) = (2 * dots.GetLength(1) - 1, 4 * dots.GetLength(0) - 1);
        for (var i = 1; i < depths.Length; i++)
        {
            if (!double.IsFinite(depths[i - 1]) || !double.IsFinite(depths[i]))
            {
                continue;
            }

            var (x, nextX) = ((double)(i - 1) / (depths.Length - 1) * right, (double)i / (depths.Length - 1) * right);
            var (y, nextY) = (depths[i - 1] * bottom, depths[i] * bottom);
            var steps = 1 + (int)Math.Max(nextX - x, Math.Abs(nextY - y));
            for (var step = 0; step <= steps; step++)
            {
                var share = (double)step / steps;
                var (across, down) = ((int)Math.Round(x + share * (nextX - x)), (int)Math.Round(y + share * (nextY - y)));
                ref var cell = ref dots[down / 4, across / 2];
                cell = new Cell(cell.Bits | Bits[down % 4, across % 2], series);
            }
        }
    }

    private static string Line(Cell[,] dots, int row)
    {
        var line = new StringBuilder();
        for (var column = 0; column < dots.GetLength(1); column++)
        {
            var cell = dots[row, column];
            line.Append(cell.Bits == 0 ? " " : $"[{Styles[cell.Series]}]{(char)(Blank + cell.Bits)}[/]");
        }

        return line.ToString();
    }

    private static string Label(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

    /// <param name="Bits">Dots of the character.</param>
    /// <param name="Series">Whose colour it has.</param>
    private readonly record struct Cell(int Bits, int Series);
}
