using System.Buffers.Binary;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace Cnn.Fluent;

/// <summary>WebP, lossy: 3 channels, turned upright as EXIF says; alpha is dropped.</summary>
/// <remarks>
/// Pure and safe to share between threads. Lossless and animated files are refused by name. Decoded by SixLabors.ImageSharp,
/// which for lossless coding, that of alpha too, can be made to take memory out of all proportion.
/// </remarks>
public sealed class WebpCodec : IImageCodec
{
    private const int FirstChunk = 12;

    private static readonly WebpDecoder Decoder = new() { IgnoreMetadata = true };

    /// <inheritdoc/>
    public string Name => "WebP";

    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> start) => start.StartsWith("RIFF"u8) && start.Length >= FirstChunk && start[8..].StartsWith("WEBP"u8);

    /// <inheritdoc/>
    public Image Decode(string file, ReadOnlyMemory<byte> bytes)
    {
        var reader = new FileBytes(file, bytes);
        if (!Recognizes(reader.At(0, FirstChunk, "the start")))
        {
            throw reader.Refusal(0, "RIFF and WEBP", Convert.ToHexString(reader.At(0, FirstChunk, "the start")));
        }

        var (picture, orientation) = Chunks(reader);
        return ImageSharpReader.Read<Rgba32>(reader, Name, Decoder, picture, pixel => pixel, 3, orientation);
    }

    /// <summary>A file of the one chunk that holds the colours, and the orientation.</summary>
    private static (byte[] Picture, int Orientation) Chunks(FileBytes file)
    {
        var end = 8L + file.UInt32(4, "the size");
        file.At(0, end, "chunks");
        byte[]? picture = null;
        var orientation = 1;
        for (long at = FirstChunk, next; at < end; at = next)
        {
            var name = file.At(at, 4, "a chunk");
            long length = file.UInt32(at + 4, "the length of a chunk");
            var chunk = file.At(at + 8, length, "a chunk");
            next = at + 8 + length + length % 2;
            if (name.SequenceEqual("VP8L"u8) || name.SequenceEqual("ANIM"u8) || name.SequenceEqual("ANMF"u8))
            {
                throw file.Unsupported(at, "a still picture of lossy coding", name.SequenceEqual("VP8L"u8) ? "lossless coding" : "an animation");
            }

            if (name.SequenceEqual("VP8 "u8))
            {
                picture ??= Alone(chunk);
            }
            else if (name.SequenceEqual("EXIF"u8))
            {
                orientation = TiffDirectory.OrientationOf(chunk.StartsWith("Exif\0\0"u8) ? chunk[6..].ToArray() : chunk.ToArray());
            }
        }

        return (picture ?? throw file.Refusal(FirstChunk, "a chunk VP8", "none"), orientation);
    }

    private static byte[] Alone(ReadOnlySpan<byte> chunk)
    {
        var padded = chunk.Length + chunk.Length % 2;
        var file = new byte[FirstChunk + 8 + padded];
        "RIFF"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        "WEBPVP8 "u8.CopyTo(file.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(16), chunk.Length);
        chunk.CopyTo(file.AsSpan(20));
        return file;
    }
}
