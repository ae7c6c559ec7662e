using Microsoft.FSharp.Collections;

namespace Cnn.Samples.Rendering;

/// <summary>Pages of a report, from C#.</summary>
internal static class Page
{
    public static string Of(string title, params IEnumerable<FSharp.Html> sections) => FSharp.Report.page(title, ListModule.OfSeq(sections));

    public static FSharp.Html Section(string heading, params IEnumerable<FSharp.Html> children) => FSharp.Report.section(heading, ListModule.OfSeq(children));

    public static FSharp.Html Words(string words) => FSharp.Report.paragraph(words);

    /// <summary>A table of names and values.</summary>
    public static FSharp.Html Facts(string caption, params IEnumerable<(string Name, string Value)> rows) =>
        FSharp.Report.settings(caption, ListModule.OfSeq(rows.Select(row => row.ToTuple())));

    /// <summary>The section that every page ends with.</summary>
    public static FSharp.Html Settings(params IEnumerable<(string Name, string Value)> rows) => Section("Settings", Facts("How it was made", rows));

    public static FSharp.Html Beside(IEnumerable<FSharp.Html> pieces) => FSharp.Report.beside(ListModule.OfSeq(pieces));

    public static FSharp.Html Pictures(IEnumerable<(Image Picture, string Words)> items) =>
        FSharp.Report.pictures(ListModule.OfSeq(items.Select(item => item.ToTuple())));

    public static FSharp.Html Curves(IEnumerable<EpochResult> history) => FSharp.Report.curves(ListModule.OfSeq(history));

    /// <summary>A line for each training: a number after each epoch.</summary>
    public static FSharp.Html Compare(string title, string up, IEnumerable<(string Name, IEnumerable<double> Values)> lines) => FSharp.Chart.line(new FSharp.LineChart(
        title, "epoch", up, ListModule.OfSeq(lines.Select(line => new FSharp.Series(
            line.Name, ListModule.OfSeq(line.Values.Select((value, epoch) => (epoch + 1.0, value))))))));
}
