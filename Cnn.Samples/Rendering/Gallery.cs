using Cnn.Fluent;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>Pictures with words under them: on a terminal, on a contact sheet, in a report.</summary>
internal sealed record Gallery(IReadOnlyList<(Image Picture, string Words)> Items)
{
    private const int Columns = 5;
    private const int ReportSide = 384;

    public Image Sheet() => Image.ContactSheet(Columns, Items);

    public FSharp.Html ToHtml() => Page.Pictures(Items.Select(item => (item.Picture.Shrink(ReportSide), item.Words)));

    /// <summary>Shows the pictures beside each other, as far as the line reaches; nothing where no terminal shows them.</summary>
    public void Show()
    {
        if (!Terminal.IsLive)
        {
            return;
        }

        var panels = Items.Select(item => new Panel(new HalfBlocks(item.Picture)).Header(Markup.Escape(item.Words)).Border(BoxBorder.Rounded));
        AnsiConsole.Write(new Columns(panels).Collapse());
    }
}
