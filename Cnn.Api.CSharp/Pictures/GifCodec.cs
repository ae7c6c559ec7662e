using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;

namespace Cnn.Fluent;

/// <summary>GIF 87a and 89a: the first frame, which must fill the screen.</summary>
/// <remarks>
/// Pure and safe to share between threads. 1 channel where all colours of the palette are grey, else 3, and one of alpha where a
/// colour is transparent. Decoded by SixLabors.ImageSharp.
/// </remarks>
public sealed class GifCodec : IImageCodec
{
    private const byte Extension = 0x21, GraphicControl = 0xF9, ImageDescriptor = 0x2C, Trailer = 0x3B, Interlaced = 0x40;

    /// <summary>Of a frame.</summary>
    private const int PackedFields = 9;

    private static readonly GifDecoder Decoder = new() { IgnoreMetadata = true, DecodingMode = FrameDecodingMode.First };

    /// <inheritdoc/>
    public string Name => "GIF";

    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> start) => start.StartsWith("GIF87a"u8) || start.StartsWith("GIF89a"u8);

    /// <inheritdoc/>
    public Image Decode(string file, ReadOnlyMemory<byte> bytes)
    {
        var reader = new FileBytes(file, bytes);
        var (screen, control, frame, isGrey) = Parts(reader);
        // The decoder loses its way in interlaced frames of less than 5 rows: it is shown the rows as they are stored.
        var isInterlaced = (frame[PackedFields] & Interlaced) != 0;
        frame[PackedFields] &= unchecked((byte)~Interlaced);
        var picture = Read([.. screen, .. frame, Trailer], isGrey ? 1 : 3);
        // It leaves out transparent pixels, of which PNG keeps the colours.
        if (control is [_, _, _, var packed, ..] && (packed & 1) == 1)
        {
            picture = WithAlpha(picture, Read([.. screen, .. control, .. frame, Trailer], 4));
        }

        return isInterlaced ? InOrder(picture) : picture;

        Image Read(byte[] still, int channels) => ImageSharpReader.Read<Rgba32>(reader, Name, Decoder, still, pixel => pixel, channels);
    }

    /// <summary>The rows of four passes: every 8th, those between, every 4th and every 2nd. GIF 89a (1990), appendix E.</summary>
    private static Image InOrder(Image stored)
    {
        var length = stored.Width * stored.Channels;
        var pixels = new byte[stored.Height * length];
        var rows = new[] { (0, 8), (4, 8), (2, 4), (1, 2) }
            .SelectMany(pass => Enumerable.Range(0, stored.Height).Where(row => row % pass.Item2 == pass.Item1));
        foreach (var (index, row) in rows.Index())
        {
            stored.Pixels.Span.Slice(index * length, length).CopyTo(pixels.AsSpan(row * length));
        }

        return Image.Of(stored.Height, stored.Width, stored.Channels, pixels);
    }

    /// <summary>The colours of one picture and the last channel of another.</summary>
    private static Image WithAlpha(Image picture, Image alpha)
    {
        var (from, to) = (picture.Channels, picture.Channels + 1);
        var pixels = new byte[picture.Height * picture.Width * to];
        for (var i = 0; i < picture.Height * picture.Width; i++)
        {
            picture.Pixels.Span.Slice(i * from, from).CopyTo(pixels.AsSpan(i * to));
            pixels[(i * to) + from] = alpha.Pixels.Span[((i + 1) * alpha.Channels) - 1];
        }

        return Image.Of(picture.Height, picture.Width, to, pixels);
    }

    /// <summary>The screen with its colours, the graphic control, if any, and the first frame; comments and the like are passed over.</summary>
    private (byte[] Screen, byte[] Control, byte[] Frame, bool IsGrey) Parts(FileBytes file)
    {
        if (!Recognizes(file.At(0, 6, "the signature")))
        {
            throw file.Refusal(0, "GIF87a or GIF89a", Convert.ToHexString(file.At(0, 6, "the signature")));
        }

        var (width, height) = (file.UInt16(6, "the width"), file.UInt16(8, "the height"));
        var colors = Table(file, 13, file.Byte(10, "the packed fields"));
        var at = 13L + colors.Length;
        var screen = file.At(0, at, "the screen").ToArray();
        byte[] control = [];
        for (; file.Byte(at, "a block") != ImageDescriptor; at = AfterBlocks(file, at + 2))
        {
            if (file.Byte(at, "a block") != Extension)
            {
                throw file.Refusal(at, "a frame", file.Byte(at, "a block").ToString("X2"));
            }

            if (file.Byte(at + 1, "an extension") == GraphicControl)
            {
                control = file.At(at, 8, "a graphic control").ToArray();
                if (control is not [_, _, 4, .., 0])
                {
                    throw file.Refusal(at + 2, "a graphic control of 4 bytes", Convert.ToHexString(control));
                }
            }
        }

        var (left, top) = (file.UInt16(at + 1, "a frame"), file.UInt16(at + 3, "a frame"));
        var (wide, high) = (file.UInt16(at + 5, "a frame"), file.UInt16(at + 7, "a frame"));
        if ((left, top, wide, high) != (0, 0, width, height) || wide == 0 || high == 0)
        {
            var found = $"{high}×{wide} pixels from row {top} and column {left} on";
            throw file.Unsupported(at + 1, $"a frame that fills the screen of {height}×{width}", found);
        }

        var own = Table(file, at + 10, file.Byte(at + 9, "the packed fields"));
        var palette = own.IsEmpty ? colors : own;
        var data = at + 10 + own.Length;
        var bits = file.Byte(data, "the size of codes");
        if (palette.IsEmpty || bits is < 2 or > 8)
        {
            throw file.Refusal(data, "a palette, and codes of 2 to 8 bits", $"{palette.Length / 3} colours, and {bits} bits");
        }

        var end = AfterBlocks(file, data + 1);
        return (screen, control, file.At(at, end - at, "a frame").ToArray(), IsGrey(palette));
    }

    /// <summary>Passes over blocks, of which each tells its length and an empty one is the last.</summary>
    private static long AfterBlocks(FileBytes file, long at)
    {
        for (int length; (length = file.Byte(at, "the length of a block")) > 0; at += length + 1)
        {
            file.At(at + 1, length, "a block");
        }

        return at + 1;
    }

    /// <summary>The colours that follow, as the packed fields before them say.</summary>
    private static ReadOnlySpan<byte> Table(FileBytes file, long at, byte packed) =>
        packed >> 7 == 0 ? [] : file.At(at, 3 << ((packed & 7) + 1), "colours");

    private static bool IsGrey(ReadOnlySpan<byte> colors)
    {
        for (var i = 0; i < colors.Length; i += 3)
        {
            if (colors[i] != colors[i + 1] || colors[i] != colors[i + 2])
            {
                return false;
            }
        }

        return true;
    }
}
