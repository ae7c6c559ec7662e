using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;

namespace Cnn.Fluent;

/// <summary>TIFF: the first picture, in strips, uncompressed or of PackBits, LZW or Deflate; grey, palette, RGB and RGBA.</summary>
/// <remarks>
/// Pure and safe to share between threads. 1 channel of grey, 3 of a palette or RGB, 4 of RGBA; of 16 bits the high byte stays;
/// turned upright as the file says. Tiles, BigTIFF, CCITT and JPEG coding, CMYK and YCbCr are refused by name. Decoded by
/// SixLabors.ImageSharp, which sees no tag but those that this reader has checked.
/// </remarks>
public sealed class TiffCodec : IImageCodec
{
    private const ushort Width = 256, Height = 257, Bits = 258, Coding = 259, Photometric = 262, Offsets = 273, Samples = 277,
        RowsPerStrip = 278, Counts = 279, Planes = 284, Predictor = 317, Colors = 320, ExtraSamples = 338, SampleFormat = 339;

    private const uint Lzw = 5, Deflate = 8, OldDeflate = 32946;

    private static readonly ushort[] Seen =
        [Width, Height, Bits, Coding, Photometric, Offsets, Samples, RowsPerStrip, Counts, Planes, Predictor, Colors, ExtraSamples, SampleFormat];

    /// <summary>Those that may be of 32 bits.</summary>
    private static readonly ushort[] Wide = [Width, Height, Offsets, RowsPerStrip, Counts];

    private static readonly uint[] Codings = [1, Lzw, Deflate, OldDeflate, 32773];

    /// <summary>Photometric interpretation and samples of a pixel, with the bits of a sample that are read.</summary>
    private static readonly Dictionary<(uint, uint), uint[]> Kinds = new()
    {
        [(0, 1)] = [1, 4, 8, 16],
        [(1, 1)] = [1, 4, 8, 16],
        [(2, 3)] = [8, 16],
        [(2, 4)] = [8, 16],
        [(3, 1)] = [4, 8],
    };

    private static readonly TiffDecoder Decoder = new() { IgnoreMetadata = true, DecodingMode = FrameDecodingMode.First };

    /// <inheritdoc/>
    public string Name => "TIFF";

    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> start) =>
        start.StartsWith("II*\0"u8) || start.StartsWith("MM\0*"u8) || start.StartsWith("II+\0"u8) || start.StartsWith("MM\0+"u8);

    /// <inheritdoc/>
    public Image Decode(string file, ReadOnlyMemory<byte> bytes)
    {
        var directory = new TiffDirectory(file, bytes);
        var samples = CheckPixels(directory);
        var rows = CheckStrips(directory, samples);
        var seen = Checked(directory, bytes.ToArray(), rows, samples);
        var channels = directory.Value(Photometric) < 2 ? 1 : Math.Max(samples, 3);
        return ImageSharpReader.Read<Rgba64>(directory.File, Name, Decoder, seen, HighBytes, channels, directory.UprightBy);
    }

    private static Rgba32 HighBytes(Rgba64 pixel) => new((byte)(pixel.R >> 8), (byte)(pixel.G >> 8), (byte)(pixel.B >> 8), (byte)(pixel.A >> 8));

    /// <summary>Refuses pixels of a kind that is not read; the samples of each.</summary>
    private static int CheckPixels(TiffDirectory tags)
    {
        void Require(ushort tag, bool holds, string expected)
        {
            if (!holds)
            {
                throw tags.File.Unsupported(tags.Place(tag) ?? tags.End, expected, $"tag {tag} {string.Join(", ", tags.Values(tag).Take(4))}");
            }
        }

        foreach (var tag in Seen.Except(Wide).Where(tag => tags.IsWide(tag)))
        {
            throw tags.File.Refusal(tags.Place(tag)!.Value, $"tag {tag} of type 3", "type 4");
        }

        var coding = tags.Value(Coding, 1);
        Require(Coding, Codings.Contains(coding), "no compression, PackBits, LZW or Deflate");
        Require(322, tags.Place(322) is null && tags.Place(324) is null, "strips");
        var (photometric, samples) = (tags.Value(Photometric), tags.Value(Samples, 1));
        Require(Photometric, Kinds.TryGetValue((photometric, samples), out var allowed), "grey, a palette, RGB or RGBA");
        var bits = tags.Values(Bits);
        var areEqual = bits.Length == samples && bits.All(b => b == bits[0]);
        Require(Bits, areEqual && allowed!.Contains(bits[0]), $"{samples} samples of {string.Join(" or ", allowed!)} bits");
        Require(SampleFormat, tags.Values(SampleFormat, 1).All(format => format == 1), "whole numbers");
        Require(ExtraSamples, samples == 4 ? tags.Values(ExtraSamples) is [1 or 2] : tags.Values(ExtraSamples) is [], "no extra sample but alpha");
        Require(Colors, photometric != 3 || tags.Values(Colors).Length == 3 << (int)bits[0], "a palette of all colours");
        var planes = tags.Value(Planes, 1);
        Require(Planes, planes is 1 or 2, "samples side by side or in planes");
        var predictor = tags.Value(Predictor, 1);
        var canPredict = coding is Lzw or Deflate or OldDeflate && bits[0] >= 8 && (planes == 1 || samples == 1);
        Require(Predictor, predictor == 1 || (predictor == 2 && canPredict), "no predictor, or differences of samples side by side");
        return (int)samples;
    }

    /// <summary>Refuses strips that are not those of the picture or lie outside the file; the rows of each.</summary>
    private static uint CheckStrips(TiffDirectory tags, int samples)
    {
        var (width, height) = (tags.Value(Width), tags.Value(Height));
        var rows = Math.Min(tags.Value(RowsPerStrip, uint.MaxValue), height);
        if (width is 0 or > int.MaxValue || height is 0 or > int.MaxValue || rows == 0)
        {
            throw tags.File.Refusal(tags.End, "a picture of one pixel or more", $"{height}×{width} pixels in strips of {rows} rows");
        }

        var (offsets, counts) = (tags.Values(Offsets), tags.Values(Counts));
        var strips = (height + (long)rows - 1) / rows * (samples > 1 && tags.Value(Planes, 1) == 2 ? samples : 1);
        if (offsets.Length != strips || counts.Length != strips || counts.Sum(count => (long)count) > tags.File.Length)
        {
            var found = $"{offsets.Length} offsets and {counts.Length} lengths";
            throw tags.File.Refusal(tags.Place(Offsets) ?? tags.End, $"{strips} strips within the file", found);
        }

        foreach (var (offset, count) in offsets.Zip(counts))
        {
            tags.File.At(offset, count, "a strip");
        }

        return rows;
    }

    /// <summary>The file with no tag but those that are checked, and no second picture.</summary>
    private static byte[] Checked(TiffDirectory tags, byte[] file, uint rows, int samples)
    {
        foreach (var entry in tags.Entries)
        {
            var tag = tags.TagAt(entry);
            var type = file.AsSpan((int)entry + 2, 2);
            // Planes of one sample are none. An entry of type 0 is passed over.
            if (!Seen.Contains(tag) || entry != tags.Place(tag) || (tag == Planes && samples == 1))
            {
                type.Clear();
            }
            else if (tag == RowsPerStrip)
            {
                var length = type.Contains((byte)4) ? 4 : 2;
                for (var i = 0; i < length; i++)
                {
                    file[entry + 8 + (file[0] == 'M' ? length - 1 - i : i)] = (byte)(rows >> (8 * i));
                }
            }
        }

        file.AsSpan((int)tags.End, 4).Clear();
        return file;
    }
}
