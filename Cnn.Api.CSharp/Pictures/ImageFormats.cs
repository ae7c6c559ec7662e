namespace Cnn.Fluent;

/// <summary>The formats of pictures that this half of the library reads.</summary>
public static class ImageFormats
{
    /// <summary>
    /// JPEG, PNG and Netpbm of <see cref="ImageCodecs.Default"/>, and GIF, BMP, TIFF and WebP, in the order in which they are asked.
    /// </summary>
    public static IReadOnlyList<IImageCodec> All { get; } =
        Array.AsReadOnly<IImageCodec>([.. ImageCodecs.Default, new GifCodec(), new BmpCodec(), new TiffCodec(), new WebpCodec()]);
}
