using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Maxima and means of windows, channel by channel, and their adjoints; cells outside the picture do not count.</summary>
/// <remarks>
/// Vectors run along channels. One loop clips each window to the picture and hands its cells, row by row, to what is to
/// be done with them, which is a type; 2×2 cells, the usual case, are unrolled. Results that lie side by side may be
/// written in whole vectors, since the window to come overwrites what is not its own.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <summary>What a vector of channels of one window goes through.</summary>
    private interface IPool
    {
        /// <summary>Whether windows are read from the picture, or written to it.</summary>
        static abstract bool Reads { get; }

        /// <summary>The first cell of the window, of so many.</summary>
        void First(in Pooled p, int cell, int cells);

        /// <summary>One cell more.</summary>
        void Next(in Pooled p, int cell);

        /// <summary>All cells are through.</summary>
        void Last(in Pooled p, int cells);
    }

    /// <inheritdoc/>
    public void MaxPool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y, Span<int> indices)
    {
        fixed (T* px = x, py = y)
        fixed (int* pi = indices)
        {
            Slide<Maximum>(geometry, px, x.Length / geometry.InputSize, py, pi);
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

        int images = dy.Length / geometry.OutputSize;
        fixed (T* px = dx, py = dy)
        fixed (int* pi = indices)
        {
            if (apart)
            {
                Slide<MaximumAdjoint>(geometry, px, images, py, pi);
            }
            else
            {
                for (int n = 0; n < images; n++)
                {
                    nint at = (nint)n * geometry.OutputSize;
                    ScatterMaxima(py + at, pi + at, geometry.OutputSize, px + (nint)n * geometry.InputSize);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void AveragePool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y)
    {
        fixed (T* px = x, py = y)
        {
            Slide<Mean>(geometry, px, x.Length / geometry.InputSize, py, null);
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

        int images = dy.Length / geometry.OutputSize;
        fixed (T* px = dx, py = dy)
        {
            if (apart)
            {
                Slide<MeanAdjoint>(geometry, px, images, py, null);
            }
            else
            {
                Slide<OverlappingMeanAdjoint>(geometry, px, images, py, null);
            }
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

    // Bounds: images × InputSize elements of x, images × OutputSize of y and, unless null, indices; windows are clipped,
    // vectors cut at the last channel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Slide<TPool>(Geometry g, T* x, int images, T* y, int* indices)
        where TPool : struct, IPool
    {
        int channels = g.Channels, row = g.Width * channels;
        int outHeight = g.OutHeight, outWidth = g.OutWidth, strideX = g.StrideX, padLeft = g.PadLeft, across = g.KernelWidth, columns = g.Width;
        T* endX = x + ((nint)images * g.InputSize), endY = y + ((nint)images * g.OutputSize);
        for (int n = 0; n < images; n++, x += g.InputSize)
        {
            for (int i = 0; i < outHeight; i++)
            {
                (int top, int bottom) = Clip(i, g.StrideY, g.PadTop, g.KernelHeight, g.Height);
                if (channels <= TSimd.Width)
                {
                    int results = outWidth * channels;
                    bool isWhole = TPool.Reads && x + (bottom * row) + TSimd.Width <= endX && y + results + TSimd.Width <= endY;
                    SlideAlong<TPool>(g, x, top, bottom, y, indices, isWhole ? TSimd.Width : channels);
                    y += results;
                    indices += results;
                    continue;
                }

                for (int j = 0; j < outWidth; j++, y += channels, indices += channels)
                {
                    (int left, int right) = Clip(j, strideX, padLeft, across, columns);
                    int first = (top * row) + (left * channels);
                    for (int c = 0; c < channels; c += TSimd.Width)
                    {
                        Pooled p = new(x, y + c, indices + c, Math.Min(channels - c, TSimd.Width));
                        Window<TPool>(in p, first + c, right - left, bottom - top, channels, row);
                    }
                }
            }
        }
    }

    // A row of windows of few channels. Bounds: windows are clipped; of each cell and result, as many elements as said.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SlideAlong<TPool>(Geometry g, T* x, int top, int bottom, T* y, int* indices, int elements)
        where TPool : struct, IPool
    {
        int channels = g.Channels, columns = g.Width, row = columns * channels, across = g.KernelWidth, stride = g.StrideX;
        int first = top * row, height = bottom - top;
        T* end = y + (g.OutWidth * channels);
        for (int at = -g.PadLeft; y < end; at += stride, y += channels, indices += channels)
        {
            int left = Math.Max(at, 0), width = Math.Min(at + across, columns) - left;
            Pooled p = new(x, y, indices, elements);
            Window<TPool>(in p, first + (left * channels), width, height, channels, row);
        }
    }

    // Bounds: width × height cells, a column and a row apart as said.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Window<TPool>(in Pooled p, int cell, int width, int height, int column, int row)
        where TPool : struct, IPool
    {
        TPool pool = default;
        pool.First(in p, cell, width * height);
        if (width == 2 && height == 2)
        {
            pool.Next(in p, cell + column);
            pool.Next(in p, cell + row);
            pool.Next(in p, cell + row + column);
        }
        else
        {
            for (int u = 0, v = 1; u < height; u++, cell += row, v = 0)
            {
                for (; v < width; v++)
                {
                    pool.Next(in p, cell + (v * column));
                }
            }
        }

        pool.Last(in p, width * height);
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

    /// <summary>x/cells, as a product where that gives the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Average(TVector sum, int cells) =>
        cells == 4 ? TSimd.Multiply(sum, Number(0.25)) : TSimd.Divide(sum, Number(cells));

    /// <summary>The picture, a window's result and its index, and how many channels to take. The JIT keeps no more in registers.</summary>
    private readonly struct Pooled(T* x, T* y, int* index, int count)
    {
        public readonly T* X = x;

        public readonly T* Y = y;

        public readonly int* Index = index;

        public readonly int Count = count;
    }

    private struct Maximum : IPool
    {
        private TVector best, where;

        public static bool Reads => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void First(in Pooled p, int cell, int cells)
        {
            best = Some(p.X + cell, p.Count);
            where = TSimd.Index(cell);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Next(in Pooled p, int cell)
        {
            TVector candidate = Some(p.X + cell, p.Count), wins = TSimd.Exceeds(candidate, best);
            best = TSimd.Select(wins, candidate, best);
            where = TSimd.Select(wins, TSimd.Index(cell), where);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Last(in Pooled p, int cells)
        {
            Put(p.Y, best, p.Count);
            TSimd.StoreIndex(p.Index, where, p.Count);
        }
    }

    // Windows apart: every cell is asked whether it was the maximum.
    private struct MaximumAdjoint : IPool
    {
        private TVector slope, where;

        public static bool Reads => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void First(in Pooled p, int cell, int cells)
        {
            slope = Some(p.Y, p.Count);
            where = TSimd.LoadIndex(p.Index, p.Count);
            Next(in p, cell);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Next(in Pooled p, int cell) =>
            Put(p.X + cell, TSimd.Select(TSimd.EqualsIndex(where, TSimd.Index(cell)), slope, default), p.Count);

        public readonly void Last(in Pooled p, int cells)
        {
        }
    }

    private struct Mean : IPool
    {
        private TVector sum;

        public static bool Reads => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void First(in Pooled p, int cell, int cells) => sum = Some(p.X + cell, p.Count);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Next(in Pooled p, int cell) => sum = TSimd.Add(sum, Some(p.X + cell, p.Count));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Last(in Pooled p, int cells) => Put(p.Y, Average(sum, cells), p.Count);
    }

    private struct MeanAdjoint : IPool
    {
        private TVector share;

        public static bool Reads => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void First(in Pooled p, int cell, int cells)
        {
            share = Average(Some(p.Y, p.Count), cells);
            Next(in p, cell);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Next(in Pooled p, int cell) => Put(p.X + cell, share, p.Count);

        public readonly void Last(in Pooled p, int cells)
        {
        }
    }

    private struct OverlappingMeanAdjoint : IPool
    {
        private TVector share;

        public static bool Reads => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void First(in Pooled p, int cell, int cells)
        {
            share = Average(Some(p.Y, p.Count), cells);
            Next(in p, cell);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Next(in Pooled p, int cell) =>
            Put(p.X + cell, TSimd.Add(Some(p.X + cell, p.Count), share), p.Count);

        public readonly void Last(in Pooled p, int cells)
        {
        }
    }
}
