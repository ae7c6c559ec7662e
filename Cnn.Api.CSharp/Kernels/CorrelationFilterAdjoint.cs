using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>w̄[u,v,c,f] = Σ_{n,i,j} ȳ[n,i,j,f]·x[n, i·s+u·d−p, j·s+v·d−p, c].</summary>
/// <remarks>
/// A matrix product over pixels: rows c (of one tap, or of a row of taps where channels are few) lie side by side in x,
/// columns f in ȳ. A tile of w̄ stays in registers while some pixels pass, as many as keep ȳ in cache; then it goes on
/// where it stopped. So each sum runs over pixels in order.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Elements of ȳ that pass before the next tile: they stay in the second level of cache.
    private const int PixelBlock = 32 * 1024;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CorrelateFilterAdjoint(IWorkspace<T> workspace, Geometry geometry, ReadOnlySpan<T> x, ReadOnlySpan<T> dy, Span<T> dw)
    {
        int images = dy.Length / geometry.OutputSize;
        if (images == 0)
        {
            dw.Clear();
            return;
        }

        Windows g = Windows.Of(geometry);

        fixed (T* px = x, py = dy, pw = dw)
        {
            // Its last step, over all of w̄, wants enough tiles to pay.
            WinogradTile tile = TileOf(geometry);
            if (tile == WinogradTile.TwoByTwo && images * Tiles<TwoByTwo>(g.OutHeight) * Tiles<TwoByTwo>(g.OutWidth) >= 24)
            {
                FilterAdjointWinograd<TwoByTwo>(workspace, in g, px, py, images, pw);
                return;
            }

            if (tile == WinogradTile.FourByFour && images * Tiles<FourByFour>(g.OutHeight) * Tiles<FourByFour>(g.OutWidth) >= 24)
            {
                FilterAdjointWinograd<FourByFour>(workspace, in g, px, py, images, pw);
                return;
            }
        }

        if (Interleaves(in g))
        {
            fixed (T* px = x, py = dy, pw = dw)
            {
                FilterAdjointInterleaved(workspace, in g, px, py, images, pw);
            }

            return;
        }

        if (IsProduct(geometry))
        {
            // All pixels of all pictures are one column of one picture.
            int pixels = images * geometry.Height * geometry.Width;
            g = g with { Height = pixels, OutHeight = pixels, Width = 1, OutWidth = 1 };
            images = 1;
        }

        // With few channels the taps of a row of the window are the rows of a tile: all their columns must be there.
        bool merges = g.Run > 1 && 4 * g.Channels < 3 * TSimd.Rows;
        bool frames = merges && g.NeedsFrame;
        bool packs = g.OutChannels % TSimd.Width != 0;
        int rows = Math.Clamp(PixelBlock / (g.OutWidth * g.OutChannels), 1, g.OutHeight);
        int group = frames ? 1 : Math.Clamp(PixelBlock / g.OutputSize, 1, images);
        int packed = packs ? group * rows * g.OutWidth * Padded(g.OutChannels) : 0;
        Memory<T> scratch = workspace.Scratch(packed + (frames ? g.FrameSize : 0));
        fixed (T* px = x, py = dy, pw = dw, copy = scratch.Span)
        {
            T* frame = copy + packed;
            for (int n = 0; n < images; n += group)
            {
                int count = Math.Min(group, images - n);
                T* pictures = px + (nint)n * g.InputSize;
                if (frames)
                {
                    Frame(pictures, g.Height, g.Width * g.Channels, g.Left * g.Channels, frame, g.FrameWidth * g.Channels);
                }

                for (int i = 0; i < g.OutHeight; i += rows)
                {
                    int height = Math.Min(rows, g.OutHeight - i);
                    T* y = py + ((nint)n * g.OutHeight + i) * g.OutWidth * g.OutChannels;
                    if (packs)
                    {
                        // A group of several images has all their rows in one block.
                        PackRows(y, count * height * g.OutWidth, g.OutChannels, copy);
                    }

                    FilterAdjoint(
                        frames ? g.Framed : g, frames ? frame : pictures, packs ? copy : y, packs, count, i, height, merges, pw, n + i > 0);
                }
            }
        }
    }

    // Adds the products of output rows first … first + height − 1 of some images. Bounds: the images x; ȳ from the first
    // of these rows on, as it is or packed; all of w̄.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FilterAdjoint(
        in Windows g, T* x, T* y, bool packed, int images, int first, int height, bool merges, T* w, bool continues)
    {
        int filters = g.OutChannels, taps = merges ? g.Run : 1, row = g.Width * g.Channels;
        int pixels = height == g.OutHeight ? images * height * g.OutWidth : height * g.OutWidth;
        Panel<T> panel = new() { RowStride = 1, StrideC = filters, Continues = continues };
        for (int f = 0; f < filters; f += PanelWidth)
        {
            int width = WidthOfPanel(filters - f);
            T* b = packed ? y + (nint)pixels * f : y + f;
            panel.StrideB = packed ? width : filters;
            panel.Columns = Math.Min(width, filters - f);
            for (int u = 0; u < g.KernelHeight; u++)
            {
                int atY = first * g.StrideY + u * g.DilationY - g.Top;
                (int top, int bottom) = Windows.Inside(atY, g.StrideY, height, g.Height);
                for (int v = 0; v < g.KernelWidth; v += taps)
                {
                    int atX = v * g.DilationX - g.Left;
                    (int left, int right) = merges ? (0, g.OutWidth) : Windows.Inside(atX, g.StrideX, g.OutWidth, g.Width);
                    panel.A = x + (nint)(atY + top * g.StrideY) * row + (nint)(atX + left * g.StrideX) * g.Channels;
                    panel.B = b + ((nint)top * g.OutWidth + left) * panel.StrideB;
                    panel.C = w + ((nint)u * g.KernelWidth + v) * g.Channels * filters + f;
                    panel.Y = new Loop(images, g.InputSize, g.OutHeight * g.OutWidth);
                    panel.X = new Loop(bottom - top, g.StrideY * row, g.OutWidth);
                    panel.K = new Loop(right - left, g.StrideX * g.Channels, 1);
                    panel.Collapse();
                    Gemm<T, TVector, TSimd>.Run(in panel, taps * g.Channels);
                }
            }
        }
    }
}
