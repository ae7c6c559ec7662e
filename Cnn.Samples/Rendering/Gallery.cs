using Cnn.Fluent;
using Microsoft.FSharp.Collections;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cnn.Samples.Rendering;

/// <summary>Pictures with words under them: on a terminal, on a contact sheet, in a report.</summary>
internal sealed record Gallery(IReadOnlyList<(Image Picture, string Words)> Items)
{
    private const int Columns = 5;
    private const int CellWidth = 24;
    private const int ReportSide = 384;

    public Image Sheet() => Image.ContactSheet(Columns, Items);

    public FSharp.Html ToHtml() => FSharp.Report.pictures(ListModule.OfSeq(Items.Select(item => Tuple.Create(item.Picture.Shrink(ReportSide), item.Words))));

    /// <summary>Shows the pictures in cells of half blocks, if a person looks at a screen.</summary>
    public void Show()
    {
        if (!Terminal.IsLive)
        {
            return;
        }

        var across = Math.Clamp(AnsiConsole.Profile.Width / (CellWidth + 2), 1, Columns);
        var grid = new Grid();
        for (var column = 0; column < across; column++)
        {
            grid.AddColumn(new GridColumn { Padding = new Spectre.Console.Padding(0, 0, 2, 1) });
        }

        foreach (var row in Items.Chunk(across))
        {
            grid.AddRow([.. row.Select(item => new Rows(new HalfBlocks(item.Picture.Shrink(CellWidth)), new Text(item.Words)))]);
        }

        AnsiConsole.Write(grid);
    }

    /// <summary>A picture as cells of a terminal, each of two pixels, one above the other.</summary>
    private sealed class HalfBlocks(Image picture) : Renderable
    {
        private readonly Image _picture = picture.ToRgb();

        protected override Measurement Measure(RenderOptions options, int maxWidth) => new(_picture.Width, _picture.Width);

        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
        {
            for (var row = 0; row < _picture.Height; row += 2)
            {
                for (var column = 0; column < Math.Min(_picture.Width, maxWidth); column++)
                {
                    var below = row + 1 < _picture.Height ? Colour(row + 1, column) : Color.Default;
                    yield return new Segment("▀", new Style(Colour(row, column), below));
                }

                yield return Segment.LineBreak;
            }
        }

        private Color Colour(int row, int column)
        {
            var pixel = _picture.Pixels.Span.Slice(3 * ((row * _picture.Width) + column), 3);
            return new Color(pixel[0], pixel[1], pixel[2]);
        }
    }
}
