using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Weights as the micro-kernel reads them: panels of two vectors of columns, k after k, padded with zeros.</summary>
/// <remarks>
/// A matrix B of K × F becomes ⌈F/2W⌉ panels of K × 2W, the last one K × W where that is enough; panel p begins at
/// K·p·2W. Forward, B is w itself with k = (u, v, c). Backward it is w rotated and transposed, k = (u', v', f) and columns
/// c, or just transposed, k = (u, f) and columns (v, c), where the result is scattered.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    private static int PanelWidth => 2 * TSimd.Width;

    /// <inheritdoc/>
    public int PackedLength(Geometry geometry, Packing packing)
    {
        int taps = geometry.KernelHeight * geometry.KernelWidth;
        if (packing == Packing.Forward && RunsAlongPixels(geometry))
        {
            return 0;
        }

        taps = TileOf(geometry) switch
        {
            WinogradTile.TwoByTwo => Positions<TwoByTwo>(),
            WinogradTile.FourByFour => Positions<FourByFour>(),
            _ => taps,
        };

        return packing == Packing.Forward ? taps * geometry.Channels * Padded(geometry.OutChannels)
            : Scatters(geometry) ? geometry.KernelHeight * geometry.OutChannels * Padded(geometry.KernelWidth * geometry.Channels)
            : taps * geometry.OutChannels * Padded(geometry.Channels);
    }

    /// <inheritdoc/>
    public void Pack(Geometry geometry, Packing packing, ReadOnlySpan<T> weights, Span<T> destination)
    {
        int taps = geometry.KernelHeight * geometry.KernelWidth;
        int channels = geometry.Channels, filters = geometry.OutChannels;
        fixed (T* w = weights, d = destination)
        {
            if (packing == Packing.Forward && RunsAlongPixels(geometry))
            {
                return;
            }

            WinogradTile tile = TileOf(geometry);
            if (tile == WinogradTile.TwoByTwo)
            {
                PackWinograd<TwoByTwo>(w, channels, filters, packing == Packing.InputAdjoint, d);
            }
            else if (tile == WinogradTile.FourByFour)
            {
                PackWinograd<FourByFour>(w, channels, filters, packing == Packing.InputAdjoint, d);
            }
            else if (packing == Packing.Forward)
            {
                PackRows(w, taps * channels, filters, d);
            }
            else if (Scatters(geometry))
            {
                int columns = geometry.KernelWidth * channels, depth = geometry.KernelHeight * filters;
                for (int u = 0; u < geometry.KernelHeight; u++)
                {
                    PackTransposed(w + u * columns * filters, columns, filters, d, u * filters, depth);
                }
            }
            else
            {
                for (int tap = 0; tap < taps; tap++)
                {
                    T* source = w + (taps - 1 - tap) * channels * filters;
                    PackTransposed(source, channels, filters, d, tap * filters, taps * filters);
                }
            }
        }
    }

    /// <summary>Columns of a packed matrix of F columns.</summary>
    private static int Padded(int columns) => (columns + TSimd.Width - 1) / TSimd.Width * TSimd.Width;

    private static int WidthOfPanel(int columnsLeft) => columnsLeft > TSimd.Width ? PanelWidth : TSimd.Width;

    // Bounds: reads rows × columns elements, writes rows × Padded(columns).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(T* source, int rows, int columns, T* destination)
    {
        for (int first = 0; first < columns; first += PanelWidth)
        {
            int width = WidthOfPanel(columns - first), used = Math.Min(width, columns - first);
            for (int k = 0; k < rows; k++, destination += width)
            {
                T* row = source + (nint)k * columns + first;
                int i = 0;
                for (; i <= used - TSimd.Width; i += TSimd.Width)
                {
                    TSimd.Store(destination + i, TSimd.Load(row + i));
                }

                if (i < width)
                {
                    TSimd.Store(destination + i, i < used ? TSimd.Load(row + i, used - i) : default);
                }
            }
        }
    }

    // Source: columns × rows, row-major. Bounds: reads all of it, writes rows firstRow … firstRow + rows − 1 of the
    // panels of a matrix of allRows × columns.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackTransposed(T* source, int columns, int rows, T* destination, int firstRow, int allRows)
    {
        int width = TSimd.Width;
        TVector* stack = stackalloc TVector[(2 * width) + 1];
        TVector* block = (TVector*)(((nuint)stack + (nuint)sizeof(TVector) - 1) & ~((nuint)sizeof(TVector) - 1));
        for (int first = 0; first < columns; first += width)
        {
            int panelWidth = WidthOfPanel(columns - first / PanelWidth * PanelWidth);
            int used = Math.Min(width, columns - first);
            T* panel = destination + (nint)allRows * (first / PanelWidth * PanelWidth) + first % PanelWidth + (nint)firstRow * panelWidth;
            for (int k = 0; k < rows; k += width)
            {
                int count = Math.Min(width, rows - k);
                for (int i = 0; i < width; i++)
                {
                    block[i] = i < used ? Some(source + (nint)(first + i) * rows + k, count) : default;
                }

                TVector* transposed = Transpose(block, block + width, width);
                for (int i = 0; i < count; i++)
                {
                    TSimd.Store(panel + (nint)(k + i) * panelWidth, transposed[i]);
                }
            }

            // The last panel may end with a whole vector of padding.
            if (first + width >= columns && first % PanelWidth + width < panelWidth)
            {
                for (int k = 0; k < rows; k++)
                {
                    TSimd.Store(panel + (nint)k * panelWidth + width, default);
                }
            }
        }
    }

    // Zipping row i with row i + n/2 into rows 2i and 2i + 1 rotates the bits of an element's position by one; after
    // log₂ n rounds n rows of W elements have become W rows of n. Bounds: n vectors of both; the result is in one of them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector* Transpose(TVector* block, TVector* other, int n)
    {
        int half = n / 2;
        for (int round = 1; round < n; round *= 2)
        {
            for (int i = 0; i < half; i++)
            {
                TVector x = block[i], y = block[i + half];
                other[2 * i] = TSimd.ZipLow(x, y);
                other[(2 * i) + 1] = TSimd.ZipHigh(x, y);
            }

            TVector* swap = block;
            block = other;
            other = swap;
        }

        return block;
    }

    // Copies rows of a picture, shifted by left elements, into longer rows of zeros; what falls outside is cropped.
    // Bounds: all rows of the frame are written.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Frame(T* source, int rows, int length, int left, T* frame, int frameLength)
    {
        if (left == 0 && length == frameLength)
        {
            new ReadOnlySpan<T>(source, rows * length).CopyTo(new Span<T>(frame, rows * length));
            return;
        }

        int from = Math.Clamp(left, 0, frameLength), to = Math.Clamp(left + length, from, frameLength);
        for (int r = 0; r < rows; r++, frame += frameLength, source += length)
        {
            for (int i = 0; i < from; i += TSimd.Width)
            {
                Put(frame + i, default, Math.Min(from - i, TSimd.Width));
            }

            T* inside = source - left;
            for (int i = from; i < to; i += TSimd.Width)
            {
                int count = Math.Min(to - i, TSimd.Width);
                Put(frame + i, Some(inside + i, count), count);
            }

            for (int i = to; i < frameLength; i += TSimd.Width)
            {
                Put(frame + i, default, Math.Min(frameLength - i, TSimd.Width));
            }
        }
    }
}
