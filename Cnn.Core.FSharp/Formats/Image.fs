namespace Cnn

open System

/// <summary>A picture of bytes: row by row from the top, channels last (1 grey, 2 grey and alpha, 3 RGB, 4 RGBA).</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type Image private (height: int, width: int, channels: int, pixels: byte[]) =

    static member private Check(height: int, width: int, channels: int, length: int) =
        let fits =
            height > 0
            && width > 0
            && channels >= 1
            && channels <= 4
            && int64 height * int64 width <= int64 Array.MaxLength
            && int64 height * int64 width * int64 channels = int64 length

        if not fits then
            let wanted =
                "height×width×channels bytes, of 1 to 4 channels, for "
                + string height
                + "×"
                + string width
                + "×"
                + string channels

            raise (
                ShapeException("Image", wanted, Words.count length "byte" "bytes", "Give one byte for each channel.")
            )

    /// <summary>A picture with a copy of the pixels.</summary>
    /// <exception cref="T:Cnn.ShapeException">The pixels are not height·width·channels, or the channels not 1 to 4.</exception>
    static member Of(height: int, width: int, channels: int, pixels: ReadOnlySpan<byte>) =
        Image.Check(height, width, channels, pixels.Length)
        Image(height, width, channels, pixels.ToArray())

    /// A picture of an array that nobody else writes to.
    static member internal Owning(height: int, width: int, channels: int, pixels: byte[]) =
        Image.Check(height, width, channels, pixels.Length)
        Image(height, width, channels, pixels)

    /// <summary>Rows.</summary>
    member _.Height = height

    /// <summary>Pixels of a row.</summary>
    member _.Width = width

    /// <summary>1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.</summary>
    member _.Channels = channels

    /// <summary>Bytes of the pixels, row by row, channels last.</summary>
    member _.Pixels: ReadOnlyMemory<byte> = ReadOnlyMemory pixels

    /// <summary>Shape height×width×channels.</summary>
    member _.Shape = Shape.Of(height, width, channels)

    /// <summary>The shape, as in 48×64×3.</summary>
    override this.ToString() = string this.Shape

/// <summary>Reads one format of pictures; replace or extend the library's own with any imaging library.</summary>
/// <remarks>Must be pure and callable from several threads at once.</remarks>
type IImageCodec =

    /// <summary>Name of the format, for messages.</summary>
    abstract Name: string

    /// <summary>True where the first bytes of a file are those of the format.</summary>
    /// <param name="start">Up to 16 bytes.</param>
    abstract Recognizes: start: ReadOnlySpan<byte> -> bool

    /// <summary>The picture in the bytes of a file, orientation applied.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no sound picture of the format.</exception>
    abstract Decode: file: string * bytes: ReadOnlyMemory<byte> -> Image
