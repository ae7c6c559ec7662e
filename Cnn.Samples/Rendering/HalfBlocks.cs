using Cnn.Fluent;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cnn.Samples.Rendering;

/// <summary>A picture in a terminal: each cell is a half block of one colour over another, and so shows two pixels.</summary>
internal sealed class HalfBlocks : Renderable
{
    private const int Smallest = 16;
    private const int Widest = 32;

    private readonly Image _picture;

    /// <summary>Small pictures are enlarged, wide ones shrunk to <see cref="Widest"/> columns.</summary>
    public HalfBlocks(Image picture) => _picture = Fit(InspectImages.Enlarge(picture, Smallest).ToRgb(), Widest);

    protected override Measurement Measure(RenderOptions options, int maxWidth)
    {
        var width = Math.Min(_picture.Width, maxWidth);
        return new Measurement(width, width);
    }

    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        var picture = Fit(_picture, maxWidth);
        for (var row = 0; row < picture.Height; row += 2)
        {
            for (var column = 0; column < picture.Width; column++)
            {
                // An odd last row has nothing below it.
                var below = row + 1 < picture.Height ? Pixel(picture, row + 1, column) : (Color?)null;
                yield return new Segment("▀", new Style(Pixel(picture, row, column), below));
            }

            yield return Segment.LineBreak;
        }
    }

    private static Image Fit(Image picture, int width) =>
        picture.Width <= width ? picture : picture.Resize(Math.Max(1, picture.Height * width / picture.Width), width);

    private static Color Pixel(Image picture, int row, int column)
    {
        var rgb = picture.Pixels.Span.Slice(((row * picture.Width) + column) * 3, 3);
        return new Color(rgb[0], rgb[1], rgb[2]);
    }
}
