using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Maxima and means of windows, channel by channel, and their adjoints; cells outside the picture do not count.</summary>
/// <remarks>Vectors run along channels. Each window is clipped to the picture once.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void MaxPool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y, Span<int> indices)
    {
        fixed (T* px = x, py = y)
        fixed (int* pi = indices)
        {
            MaxPool(geometry, px, x.Length / geometry.InputSize, py, pi);
        }
    }

    /// <inheritdoc/>
    public void MaxPoolAdjoint(Geometry geometry, ReadOnlySpan<T> dy, ReadOnlySpan<int> indices, Span<T> dx)
    {
        bool apart = AreApart(geometry);
        if (!apart || LeavesCells(geometry))
        {
            dx.Clear();
        }

        fixed (T* py = dy, px = dx)
        fixed (int* pi = indices)
        {
            int images = dy.Length / geometry.OutputSize;
            if (apart)
            {
                MaxPoolAdjointApart(geometry, py, pi, images, px);
            }
            else
            {
                for (int n = 0; n < images; n++)
                {
                    ScatterMaxima(py + (nint)n * geometry.OutputSize, pi + (nint)n * geometry.OutputSize, geometry.OutputSize, px + (nint)n * geometry.InputSize);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void AveragePool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y)
    {
        fixed (T* px = x, py = y)
        {
            AveragePool(geometry, px, x.Length / geometry.InputSize, py);
        }
    }

    /// <inheritdoc/>
    public void AveragePoolAdjoint(Geometry geometry, ReadOnlySpan<T> dy, Span<T> dx)
    {
        bool apart = AreApart(geometry);
        if (!apart || LeavesCells(geometry))
        {
            dx.Clear();
        }

        fixed (T* py = dy, px = dx)
        {
            AveragePoolAdjoint(geometry, py, dy.Length / geometry.OutputSize, !apart, px);
        }
    }

    /// <summary>True where no cell belongs to two windows.</summary>
    private static bool AreApart(Geometry g) => g.StrideY >= g.KernelHeight && g.StrideX >= g.KernelWidth;

    /// <summary>True unless windows side by side cover every cell.</summary>
    private static bool LeavesCells(Geometry g) =>
        g.StrideY != g.KernelHeight || g.StrideX != g.KernelWidth
        || (g.OutHeight * g.StrideY) - g.PadTop < g.Height || (g.OutWidth * g.StrideX) - g.PadLeft < g.Width;

    // The cells from … to − 1 of a window that lie in the picture, along one axis.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int From, int To) Clip(int window, int stride, int pad, int size, int cells)
    {
        int at = (window * stride) - pad;
        return (Math.Max(at, 0), Math.Min(at + size, cells));
    }

    // Bounds of these four: images × InputSize and images × OutputSize elements; windows are clipped, channels masked.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MaxPool(Geometry g, T* x, int images, T* y, int* indices)
    {
        int channels = g.Channels, width = g.Width;
        for (int n = 0; n < images; n++, x += g.InputSize)
        {
            for (int i = 0; i < g.OutHeight; i++)
            {
                (int top, int bottom) = Clip(i, g.StrideY, g.PadTop, g.KernelHeight, g.Height);
                for (int j = 0; j < g.OutWidth; j++, y += channels, indices += channels)
                {
                    (int left, int right) = Clip(j, g.StrideX, g.PadLeft, g.KernelWidth, width);
                    for (int c = 0; c < channels; c += TSimd.Width)
                    {
                        int count = Math.Min(channels - c, TSimd.Width);
                        int cell = (((top * width) + left) * channels) + c;
                        TVector best = Some(x + cell, count), where = TSimd.Index(cell);
                        for (int r = top; r < bottom; r++)
                        {
                            cell = (((r * width) + left) * channels) + c;
                            for (int v = left; v < right; v++, cell += channels)
                            {
                                TVector candidate = Some(x + cell, count);
                                TVector wins = TSimd.Exceeds(candidate, best);
                                best = TSimd.Select(wins, candidate, best);
                                where = TSimd.Select(wins, TSimd.Index(cell), where);
                            }
                        }

                        Put(y + c, best, count);
                        TSimd.StoreIndex(indices + c, where, count);
                    }
                }
            }
        }
    }

    // Windows apart: every cell is asked whether it is the maximum of its window.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MaxPoolAdjointApart(Geometry g, T* dy, int* indices, int images, T* dx)
    {
        int channels = g.Channels, width = g.Width;
        for (int n = 0; n < images; n++, dx += g.InputSize)
        {
            for (int i = 0; i < g.OutHeight; i++)
            {
                (int top, int bottom) = Clip(i, g.StrideY, g.PadTop, g.KernelHeight, g.Height);
                for (int j = 0; j < g.OutWidth; j++, dy += channels, indices += channels)
                {
                    (int left, int right) = Clip(j, g.StrideX, g.PadLeft, g.KernelWidth, width);
                    for (int c = 0; c < channels; c += TSimd.Width)
                    {
                        int count = Math.Min(channels - c, TSimd.Width);
                        TVector slope = Some(dy + c, count), where = TSimd.LoadIndex(indices + c, count);
                        for (int r = top; r < bottom; r++)
                        {
                            int cell = (((r * width) + left) * channels) + c;
                            for (int v = left; v < right; v++, cell += channels)
                            {
                                TVector wins = TSimd.EqualsIndex(where, TSimd.Index(cell));
                                Put(dx + cell, TSimd.Select(wins, slope, default), count);
                            }
                        }
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AveragePool(Geometry g, T* x, int images, T* y)
    {
        int channels = g.Channels, width = g.Width;
        for (int n = 0; n < images; n++, x += g.InputSize)
        {
            for (int i = 0; i < g.OutHeight; i++)
            {
                (int top, int bottom) = Clip(i, g.StrideY, g.PadTop, g.KernelHeight, g.Height);
                for (int j = 0; j < g.OutWidth; j++, y += channels)
                {
                    (int left, int right) = Clip(j, g.StrideX, g.PadLeft, g.KernelWidth, width);
                    TVector cells = Number((bottom - top) * (right - left));
                    for (int c = 0; c < channels; c += TSimd.Width)
                    {
                        int count = Math.Min(channels - c, TSimd.Width);
                        TVector sum = default;
                        for (int r = top; r < bottom; r++)
                        {
                            int cell = (((r * width) + left) * channels) + c;
                            for (int v = left; v < right; v++, cell += channels)
                            {
                                sum = TSimd.Add(sum, Some(x + cell, count));
                            }
                        }

                        Put(y + c, TSimd.Divide(sum, cells), count);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AveragePoolAdjoint(Geometry g, T* dy, int images, bool overlaps, T* dx)
    {
        int channels = g.Channels, width = g.Width;
        for (int n = 0; n < images; n++, dx += g.InputSize)
        {
            for (int i = 0; i < g.OutHeight; i++)
            {
                (int top, int bottom) = Clip(i, g.StrideY, g.PadTop, g.KernelHeight, g.Height);
                for (int j = 0; j < g.OutWidth; j++, dy += channels)
                {
                    (int left, int right) = Clip(j, g.StrideX, g.PadLeft, g.KernelWidth, width);
                    TVector cells = Number((bottom - top) * (right - left));
                    for (int c = 0; c < channels; c += TSimd.Width)
                    {
                        int count = Math.Min(channels - c, TSimd.Width);
                        TVector share = TSimd.Divide(Some(dy + c, count), cells);
                        for (int r = top; r < bottom; r++)
                        {
                            int cell = (((r * width) + left) * channels) + c;
                            for (int v = left; v < right; v++, cell += channels)
                            {
                                Put(dx + cell, overlaps ? TSimd.Add(Some(dx + cell, count), share) : share, count);
                            }
                        }
                    }
                }
            }
        }
    }

    // Bounds: count elements of dy and indices; indices lie in the picture dx.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScatterMaxima(T* dy, int* indices, int count, T* dx)
    {
        for (int k = 0; k < count; k++)
        {
            dx[indices[k]] += dy[k];
        }
    }
}
