using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.PixelFormats;

namespace Cnn.Fluent;

/// <summary>What the readers that rest on SixLabors.ImageSharp have in common: bounds, errors, and how pixels are laid out.</summary>
internal static class ImageSharpReader
{
    /// <summary>Any file may have so many pixels, and so many more for each of its bytes: as many as a JPEG of the shortest blocks.</summary>
    private const long FreePixels = 1 << 20;

    private const long PixelsPerByte = 256;

    /// <summary>Bytes for each pixel that a decoder may hold at a time: the picture, twice, in 16 bits, and what it unpacks.</summary>
    private const long BytesPerPixel = 24;

    /// <summary>The picture that one decoder finds.</summary>
    /// <param name="file">The file, as the user gave it.</param>
    /// <param name="format">Its name, for messages.</param>
    /// <param name="decoder">The only one that sees the bytes.</param>
    /// <param name="bytes">What it sees.</param>
    /// <param name="color">8 bits for each colour of a pixel.</param>
    /// <param name="channels">1 grey, 3 RGB, 4 RGBA.</param>
    /// <param name="orientation">1 to 8, as in EXIF.</param>
    public static Image Read<TPixel>(
        FileBytes file, string format, IImageDecoder decoder, byte[] bytes, Func<TPixel, Rgba32> color, int channels, int orientation = 1)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var allocator = new BoundedAllocator { Budget = bytes.Length + FreePixels };
        var configuration = new Configuration { MemoryAllocator = allocator, MaxDegreeOfParallelism = 1 };
        try
        {
            var info = ((IImageInfoDetector)decoder).Identify(configuration, new MemoryStream(bytes), CancellationToken.None);
            var pixels = (long)info.Width * info.Height;
            if (info.Width < 1 || info.Height < 1 || pixels > FreePixels + PixelsPerByte * file.Length || pixels * channels > Array.MaxLength)
            {
                throw file.Refusal(0, $"a {format} picture that {file.Length} bytes can hold", $"{info.Height}×{info.Width} pixels");
            }

            allocator.Budget += BytesPerPixel * pixels;
            using var picture = decoder.Decode<TPixel>(configuration, new MemoryStream(bytes), CancellationToken.None);
            return Upright(picture.Frames.RootFrame, color, channels, orientation);
        }
        // Whatever the decoder stumbles on, down to a null reference, is a fault of the bytes.
        catch (Exception error) when (error is not DataFormatException)
        {
            throw file.Refusal(0, $"a sound {format} picture", $"one that cannot be decoded: {error.Message.TrimEnd('.')}");
        }
    }

    /// <summary>Orientation: CIPA DC-008 (Exif 2.32), section 4.6.4 A, tag 0112.</summary>
    private static Image Upright<TPixel>(ImageFrame<TPixel> frame, Func<TPixel, Rgba32> color, int channels, int orientation)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var isTurned = orientation >= 5;
        var (height, width) = isTurned ? (frame.Width, frame.Height) : (frame.Height, frame.Width);
        var pixels = new byte[height * width * channels];
        for (var y = 0; y < frame.Height; y++)
        {
            var row = frame.PixelBuffer.DangerousGetRowSpan(y);
            for (var x = 0; x < row.Length; x++)
            {
                var (down, right) = isTurned ? (x, y) : (y, x);
                down = orientation is 3 or 4 or 7 or 8 ? height - 1 - down : down;
                right = orientation is 2 or 3 or 6 or 7 ? width - 1 - right : right;
                var pixel = color(row[x]);
                var place = pixels.AsSpan((down * width + right) * channels, channels);
                place[0] = pixel.R;
                if (channels > 1)
                {
                    (place[1], place[2]) = (pixel.G, pixel.B);
                }

                if (channels > 3)
                {
                    place[3] = pixel.A;
                }
            }
        }

        return Image.Of(height, width, channels, pixels);
    }
}
