using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.PixelFormats;

namespace Cnn.Fluent;

/// <summary>BMP, the bitmaps of Windows and OS/2: 1 to 32 bits, RLE4 and RLE8, rows upwards or downwards.</summary>
/// <remarks>
/// Pure and safe to share between threads. 1 channel where all colours of a palette are grey, 4 where a mask of alpha is given,
/// else 3. Pixels that RLE passes over have the first colour. Decoded by SixLabors.ImageSharp.
/// </remarks>
public sealed class BmpCodec : IImageCodec
{
    private const int FileHeader = 14;

    /// <summary>Of OS/2, whose header is the shortest.</summary>
    private const int CoreHeader = 12;

    private static readonly int[] Headers = [CoreHeader, 40, 52, 56, 64, 108, 124];

    /// <summary>Codes of compression, each with the bits of a pixel that it is for.</summary>
    private static readonly Dictionary<uint, int[]> Codings = new()
    {
        [0] = [1, 2, 4, 8, 16, 24, 32],
        [1] = [8],
        [2] = [4],
        [3] = [16, 32],
        [6] = [32],
    };

    private static readonly BmpDecoder Decoder = new() { RleSkippedPixelHandling = RleSkippedPixelHandling.FirstColorOfPalette };

    /// <inheritdoc/>
    public string Name => "BMP";

    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> start) =>
        start.StartsWith("BM"u8) && start.Length > FileHeader + 1 && start[FileHeader + 1] == 0 && Headers.Contains(start[FileHeader]);

    /// <inheritdoc/>
    public Image Decode(string file, ReadOnlyMemory<byte> bytes)
    {
        var reader = new FileBytes(file, bytes);
        var channels = Channels(reader);
        return ImageSharpReader.Read<Rgba32>(reader, Name, Decoder, bytes.ToArray(), pixel => pixel, channels);
    }

    /// <summary>The channels of the picture; refuses a file that ends before its pixels do.</summary>
    private static int Channels(FileBytes file)
    {
        var header = (int)file.UInt32(FileHeader, "the size of the header");
        if (file.At(0, 2, "the start") is not [(byte)'B', (byte)'M'] || !Headers.Contains(header))
        {
            throw file.Refusal(FileHeader, $"BM and a header of {string.Join(", ", Headers)} bytes", $"{header} bytes");
        }

        var isCore = header == CoreHeader;
        file.At(FileHeader, header, "the header");
        var width = isCore ? file.UInt16(18, "the width") : (int)file.UInt32(18, "the width");
        var height = Math.Abs(isCore ? file.UInt16(20, "the height") : (long)(int)file.UInt32(22, "the height"));
        int bits = file.UInt16(isCore ? 24 : 28, "bits of a pixel");
        var coding = isCore ? 0 : file.UInt32(30, "the compression");
        if (!Codings.TryGetValue(coding, out var allowed) || !allowed.Contains(bits) || (header == 64 && coding > 2))
        {
            throw file.Unsupported(isCore ? 24 : 28, "plain pixels, RLE4, RLE8 or bit fields", $"compression {coding} with {bits} bits");
        }

        long start = file.UInt32(10, "the offset of the pixels");
        var size = coding is 1 or 2 ? file.UInt32(34, "the size of the pixels") : ((long)width * bits + 31) / 32 * 4 * height;
        if (width < 1 || height < 1 || size < 1)
        {
            throw file.Refusal(18, "a picture of one pixel or more", $"{height}×{width} pixels in {size} bytes");
        }

        file.At(start, size, "pixels");
        return bits <= 8 ? ChannelsOfPalette(file, header, bits, start) : HasAlpha(file, header, bits, coding) ? 4 : 3;
    }

    /// <summary>Colours are blue, green, red, and a byte of nothing but in the shortest header.</summary>
    private static int ChannelsOfPalette(FileBytes file, int header, int bits, long end)
    {
        var isCore = header == CoreHeader;
        var entry = isCore ? 3 : 4;
        var told = isCore ? 0 : file.UInt32(46, "the number of colours");
        var count = told == 0 ? 1L << bits : told;
        var start = FileHeader + header;
        // Where their number is not told, the decoder divides the room that there is by it.
        if (count > 256 || start + count * entry > end || (told == 0 && (end - start) / count != entry))
        {
            throw file.Refusal(10, $"{count} colours of {entry} bytes before the pixels", $"{end - start} bytes");
        }

        var colors = file.At(start, count * entry, "colours");
        for (var i = 0; i < colors.Length; i += entry)
        {
            if (colors[i] != colors[i + 1] || colors[i] != colors[i + 2])
            {
                return 3;
            }
        }

        return 1;
    }

    private static bool HasAlpha(FileBytes file, int header, int bits, uint coding) =>
        bits == 32 && (coding == 6 || (coding == 3 && header >= 56)) && file.UInt32(66, "the mask of alpha") != 0;
}
