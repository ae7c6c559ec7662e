using Microsoft.FSharp.Collections;

namespace Cnn.Fluent;

/// <summary>Pictures of bytes: files, sizes and colours.</summary>
public static class Images
{
    extension(Image)
    {
        /// <summary>The picture in a file, whatever its ending: its first bytes tell the format.</summary>
        /// <param name="path">The file.</param>
        /// <param name="codecs">The formats that there can be; default null: <see cref="ImageFormats.All"/>.</param>
        /// <exception cref="IOException">The file is missing or cannot be read.</exception>
        /// <exception cref="DataFormatException">The file is no sound picture of any of the formats.</exception>
        public static Image Load(string path, IEnumerable<IImageCodec>? codecs = null) =>
            FSharp.Image.loadWith(codecs ?? ImageFormats.All, path);

        /// <summary>Many pictures on one, row by row on white paper, each with a line of words under it, in capitals.</summary>
        /// <param name="columns">Pictures in a row, at least 1.</param>
        /// <param name="items">Pictures with their words, at least one. Small ones are enlarged, those of more than 256 rows or columns shrunk.</param>
        /// <exception cref="ArgumentException">There are no pictures, or less than one column.</exception>
        /// <exception cref="ShapeException">The sheet would not fit into memory.</exception>
        public static Image ContactSheet(int columns, IEnumerable<(Image Picture, string Words)> items)
        {
            ArgumentNullException.ThrowIfNull(items);
            return FSharp.ContactSheet.draw(columns, ListModule.OfSeq(items.Select(item => item.ToTuple())));
        }

        /// <summary>Pictures row by row, in cells as large as the largest of them, on paper that shows around each.</summary>
        /// <param name="columns">Cells in a row, at least 1.</param>
        /// <param name="images">At least one; each lies at the top left of its cell. Grey where all are, else RGB; alpha is dropped.</param>
        /// <param name="gap">Pixels of paper around each cell, 0 or more.</param>
        /// <param name="paper">Its brightness, from 0, black, to 255, white.</param>
        /// <exception cref="ArgumentException">There are no pictures, less than one column, or a gap below 0.</exception>
        /// <exception cref="ShapeException">The sheet would not fit into memory.</exception>
        public static Image Tile(int columns, IEnumerable<Image> images, int gap, byte paper) =>
            FSharp.Image.tile(gap, paper, columns, ListModule.OfSeq(images));
    }

    extension(Image image)
    {
        /// <summary>Writes the picture in the format of the ending: .png, .pgm (grey), .ppm (RGB) or .pnm (either).</summary>
        /// <remarks>The file is there as a whole or not at all.</remarks>
        /// <exception cref="ArgumentException">Another ending, or channels that the format has not.</exception>
        /// <exception cref="IOException">The file cannot be written.</exception>
        public void Save(string path) => FSharp.Image.save(path, image);

        /// <summary>The picture in another size: H×W×C → height×width×C, each value rounded to a byte.</summary>
        /// <exception cref="ShapeException">A size is not positive.</exception>
        public Image Resize(int height, int width, Resampling method = Resampling.Area) =>
            FSharp.Image.resize(method, height, width, image);

        /// <summary>The picture with no side longer than so many pixels, by area; as it is where it has that already.</summary>
        /// <exception cref="ArgumentOutOfRangeException">Less than one pixel.</exception>
        public Image Shrink(int side) => FSharp.Image.shrink(side, image);

        /// <summary>One channel: (299·R + 587·G + 114·B)/1000 rounded, the luma of ITU-R BT.601-7, 2.5.1; alpha is dropped.</summary>
        public Image ToGrey() => FSharp.Image.toGrey(image);

        /// <summary>Three channels: grey is repeated, alpha is dropped.</summary>
        public Image ToRgb() => FSharp.Image.toRgb(image);
    }
}
