using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Correlations of pictures of one channel, which channels last leaves with nothing to fill a vector.</summary>
/// <remarks>
/// Forward, with a few filters, vectors run along pixels: a matrix product of filters × taps by taps × pixels, whose rows
/// of B are the framed picture shifted by a tap, over all rows of the picture in one. For the filter adjoint the rows that a
/// window reads are interleaved, so that its taps lie side by side, column after column.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Pixels, or interleaved elements, at a time: with what is made of them they stay in the first level of cache.
    private const int SingleBlock = 1024;

    private static bool RunsAlongPixels(Geometry g) =>
        !IsProduct(g) && g.Channels == 1 && g.StrideY == 1 && g.StrideX == 1 && 2 * g.OutChannels <= TSimd.Width && g.OutWidth > NarrowImage;

    private static bool Interleaves(in Windows g) =>
        g.Channels == 1 && g.DilationX == 1 && g.OutWidth > NarrowImage && g.KernelHeight * g.KernelWidth > 1;

    // Bounds: images of x and y, weights and bias as g says.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CorrelateAlongPixels(
        IWorkspace<T> workspace, in Windows g, T* x, int images, T* weights, T* bias, Activation activation, T* y)
    {
        int filters = g.OutChannels, row = g.FrameWidth, rows = Math.Clamp(SingleBlock / row, 1, g.OutHeight);
        int frameRows = g.OutHeight + (g.KernelHeight - 1) * g.DilationY;
        int stride = (rows * row + PanelWidth - 1) / PanelWidth * PanelWidth;

        // Vectors may read past the last pixel, into results that nobody wants.
        int frameSize = frameRows * row + 2 * PanelWidth;
        Memory<T> scratch = workspace.Scratch(frameSize + filters * stride);
        fixed (T* frame = scratch.Span)
        {
            T* planes = frame + frameSize;
            for (int n = 0; n < images; n++, x += g.InputSize)
            {
                FrameAll(x, g.Height, g.Width, g.Top, g.Left, frame, frameRows, row);
                for (int i = 0; i < g.OutHeight; i += rows)
                {
                    int height = Math.Min(rows, g.OutHeight - i), pixels = (height - 1) * row + g.OutWidth;
                    for (int f = 0; f < filters && bias != null; f++)
                    {
                        new Span<T>(planes + f * stride, stride).Fill(bias[f]);
                    }

                    for (int p = 0; p < pixels; p += PanelWidth)
                    {
                        Panel<T> panel = new()
                        {
                            A = weights,
                            RowStride = 1,
                            Y = new Loop(g.KernelHeight, g.KernelWidth * filters, g.DilationY * row),
                            X = Loop.Once,
                            K = new Loop(g.KernelWidth, filters, g.DilationX),
                            B = frame + i * row + p,
                            StrideB = 1,
                            C = planes + p,
                            StrideC = stride,
                            Columns = PanelWidth,
                            Continues = bias != null,
                        };
                        Gemm<T, TVector, TSimd>.Run(in panel, filters);
                    }

                    T* start = y;
                    for (int r = 0; r < height; r++, y += g.OutWidth * filters)
                    {
                        Interleave(planes + r * row, stride, filters, g.OutWidth, y);
                    }

                    Activate(activation, start, start, height * g.OutWidth * filters);
                }
            }
        }
    }

    // Bounds: images of x and dy, all of dw as g says.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FilterAdjointInterleaved(IWorkspace<T> workspace, in Windows g, T* x, T* dy, int images, T* dw)
    {
        int filters = g.OutChannels, taps = g.KernelHeight * g.KernelWidth, row = g.FrameWidth, strip = row * g.KernelHeight;
        bool alongTaps = 2 * filters <= TSimd.Width, packs = !alongTaps && filters % TSimd.Width != 0;
        int rows = Math.Clamp(8 * SingleBlock / strip, 1, g.OutHeight);
        int frameRows = (g.OutHeight - 1) * g.StrideY + (g.KernelHeight - 1) * g.DilationY + 1;
        int frameSize = frameRows * row, stripSize = rows * strip + PanelWidth;
        int stride = alongTaps ? (taps + PanelWidth - 1) / PanelWidth * PanelWidth : filters;
        int sumSize = (alongTaps ? filters : taps) * stride, packedSize = packs ? rows * g.OutWidth * Padded(filters) : 0;
        Memory<T> scratch = workspace.Scratch(frameSize + stripSize + sumSize + packedSize);
        fixed (T* frame = scratch.Span)
        {
            T* strips = frame + frameSize, sums = strips + stripSize, packed = sums + sumSize;
            for (int n = 0; n < images; n++, x += g.InputSize)
            {
                FrameAll(x, g.Height, g.Width, g.Top, g.Left, frame, frameRows, row);
                for (int i = 0; i < g.OutHeight; i += rows)
                {
                    int height = Math.Min(rows, g.OutHeight - i);
                    for (int r = 0; r < height; r++)
                    {
                        T* from = frame + (i + r) * g.StrideY * row;
                        Interleave(from, g.DilationY * row, g.KernelHeight, row, strips + r * strip);
                    }

                    if (packs)
                    {
                        PackRows(dy, height * g.OutWidth, filters, packed);
                    }

                    nint step = g.StrideX * g.KernelHeight;
                    Panel<T> panel = new() { RowStride = 1, X = Loop.Once, StrideC = stride, Continues = n + i > 0 };
                    if (alongTaps)
                    {
                        panel.A = dy;
                        panel.Y = new Loop(height, g.OutWidth * filters, strip);
                        panel.K = new Loop(g.OutWidth, filters, step);
                        panel.StrideB = 1;
                        panel.Columns = PanelWidth;
                        for (int t = 0; t < taps; t += PanelWidth)
                        {
                            panel.B = strips + t;
                            panel.C = sums + t;
                            Gemm<T, TVector, TSimd>.Run(in panel, filters);
                        }
                    }
                    else
                    {
                        panel.A = strips;
                        panel.Y = new Loop(height, strip, g.OutWidth);
                        panel.K = new Loop(g.OutWidth, step, 1);
                        for (int f = 0; f < filters; f += PanelWidth)
                        {
                            int width = WidthOfPanel(filters - f);
                            panel.B = packs ? packed + (nint)height * g.OutWidth * f : dy + f;
                            panel.StrideB = packs ? width : filters;
                            panel.C = sums + f;
                            panel.Columns = Math.Min(width, filters - f);
                            Gemm<T, TVector, TSimd>.Run(in panel, taps);
                        }
                    }

                    dy += height * g.OutWidth * filters;
                }
            }

            // The sums have taps column by column.
            for (int t = 0; t < taps; t++)
            {
                int at = t % g.KernelWidth * g.KernelHeight + t / g.KernelWidth;
                for (int f = 0; f < filters; f++)
                {
                    dw[t * filters + f] = alongTaps ? sums[f * stride + at] : sums[at * stride + f];
                }
            }
        }
    }

    // to[p·count + i] = planes[i·stride + p]. Bounds: pixels elements of count planes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Interleave(T* planes, int stride, int count, int pixels, T* to)
    {
        for (int i = 0; i < count; i++, planes += stride)
        {
            T* from = planes, last = planes + pixels, target = to + i;
            for (; from <= last - 4; from += 4, target += 4 * count)
            {
                T* third = target + 2 * count;
                target[0] = from[0];
                target[count] = from[1];
                third[0] = from[2];
                third[count] = from[3];
            }

            for (; from < last; from++, target += count)
            {
                *target = *from;
            }
        }
    }
}
