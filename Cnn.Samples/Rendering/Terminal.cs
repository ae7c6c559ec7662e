using System.Text;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>What standard output can show.</summary>
internal static class Terminal
{
    /// <summary>True where a person looks at a screen that can move its cursor.</summary>
    public static bool IsLive =>
        !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities is { Ansi: true, Interactive: true };

    public static void Prepare()
    {
        if (OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = Encoding.UTF8;
        }
    }

    /// <summary>A line above what a live display shows, if there is one.</summary>
    public static void WriteLine(string line)
    {
        if (IsLive)
        {
            AnsiConsole.WriteLine(line);
        }
        else
        {
            Console.WriteLine(line);
        }
    }

    /// <summary>Brings back what a live display took away.</summary>
    public static void Restore()
    {
        if (IsLive)
        {
            AnsiConsole.Cursor.Show();
        }
    }
}
