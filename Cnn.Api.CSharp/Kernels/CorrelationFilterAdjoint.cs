using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>w̄[u,v,c,f] = Σ_{n,i,j} ȳ[n,i,j,f]·x̃[n, i·s+u·d, j·s+v·d, c].</summary>
/// <remarks>
/// A matrix product over pixels: rows (v, c) lie side by side in x̃, the framed picture, columns f in ȳ. A tile of w̄
/// stays in registers while the pixels of some rows of the picture pass, as many as keep ȳ in cache; then it goes on
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
        if (IsProduct(geometry))
        {
            // All pixels of all pictures are one row of one picture.
            int pixels = images * geometry.Height * geometry.Width;
            g = g with { Height = pixels, OutHeight = pixels, Width = 1, OutWidth = 1 };
            images = 1;
        }

        int columns = g.OutChannels;
        bool copies = columns % TSimd.Width != 0;
        int rows = Math.Clamp(PixelBlock / (g.OutWidth * columns), 1, g.OutHeight), pixelsAtOnce = rows * g.OutWidth;
        int copied = copies ? pixelsAtOnce * Padded(columns) : 0;
        Memory<T> scratch = workspace.Scratch((g.NeedsFrame ? g.FrameSize : 0) + copied);
        fixed (T* px = x, py = dy, pw = dw, frame = scratch.Span)
        {
            for (int n = 0; n < images; n++)
            {
                T* picture = px + (nint)n * g.InputSize;
                if (g.NeedsFrame)
                {
                    Frame(picture, g.Height, g.Width, g.Channels, g.Top, g.Left, frame + copied, g.FrameHeight, g.FrameWidth);
                    picture = frame + copied;
                }

                for (int i = 0; i < g.OutHeight; i += rows)
                {
                    int height = Math.Min(rows, g.OutHeight - i);
                    T* y = py + ((nint)n * g.OutHeight + i) * g.OutWidth * columns;
                    if (copies)
                    {
                        PackRows(y, height * g.OutWidth, columns, frame);
                    }

                    FilterAdjoint(in g, picture + (nint)i * g.StrideY * g.FrameRow, copies ? frame : y, copies, height, pw, n + i > 0);
                }
            }
        }
    }

    // Adds the products of some rows of outputs. Bounds: the rows of x̃ that their windows touch, height × OutWidth pixels
    // of ȳ (as they are, or packed), all of w̄.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FilterAdjoint(in Windows g, T* x, T* y, bool packed, int height, T* w, bool continues)
    {
        int columns = g.OutChannels;
        Panel<T> panel = new()
        {
            RowStride = 1,
            StepsY = height,
            StrideY = g.StrideY * g.FrameRow,
            StepsX = 1,
            Length = g.OutWidth,
            StrideK = g.StrideX * g.Channels,
            StrideC = columns,
            Continues = continues,
        };

        // One long sum instead of many short ones.
        if (g.OutWidth == 1)
        {
            panel.StepsY = 1;
            panel.Length = height;
            panel.StrideK = panel.StrideY;
        }

        for (int first = 0; first < columns; first += PanelWidth)
        {
            int width = WidthOfPanel(columns - first);
            panel.B = packed ? y + (nint)height * g.OutWidth * first : y + first;
            panel.StrideB = packed ? width : columns;
            panel.Columns = Math.Min(width, columns - first);
            for (int u = 0; u < g.KernelHeight; u++)
            {
                for (int step = 0; step < g.StepsX; step++)
                {
                    panel.A = x + (nint)u * g.DilationY * g.FrameRow + step * g.DilationX * g.Channels;
                    panel.C = w + ((nint)u * g.KernelWidth + step) * g.Channels * columns + first;
                    Gemm<T, TVector, TSimd>.Run(in panel, g.Run);
                }
            }
        }
    }
}
