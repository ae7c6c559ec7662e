using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>One addend of a sum over rows, a type so that one loop runs all sums.</summary>
internal interface IAddend<TVector>
{
    /// <summary>Whether somebody reads the addends, and not their sum alone.</summary>
    static abstract bool IsKept { get; }

    /// <summary>f(x[r,c], z[r,c]), with the constants of column c.</summary>
    static abstract TVector Of(TVector x, TVector z, TVector centre, TVector scale);
}

/// <summary>Sums over rows: sums[c] = Σ_r f(x[r,c], z[r,c]), and the moments and gradients made of them.</summary>
/// <remarks>
/// Blocks of rows are summed by themselves and then added, four sums side by side, of four vectors of a row or of four rows:
/// a fixed order, whose error grows with the rows of a block and the number of blocks, not with their product.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    private const int RowsOfBlock = 512;

    /// <inheritdoc/>
    public void SumRows(ReadOnlySpan<T> x, Span<T> sums)
    {
        fixed (T* px = x, ps = sums)
        {
            Sum<Plain>(px, px, x.Length / sums.Length, sums.Length, null, null, ps);
        }
    }

    /// <inheritdoc/>
    public void SumProducts(ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> mean, ReadOnlySpan<T> scale, Span<T> sums)
    {
        fixed (T* py = dy, px = x, pm = mean, pc = scale, ps = sums)
        {
            Sum<CentredProduct>(px, py, x.Length / sums.Length, sums.Length, pm, pc, ps);
        }
    }

    /// <inheritdoc/>
    public void Moments(ReadOnlySpan<T> x, Span<T> mean, Span<T> variance)
    {
        int columns = mean.Length, rows = x.Length / columns;
        T count = T.CreateTruncating(rows);
        fixed (T* px = x, pm = mean, pv = variance)
        {
            Sum<Plain>(px, px, rows, columns, null, null, pm);
            Map<Quotient>(pm, pm, pm, columns, count);
            Sum<CentredSquare>(px, px, rows, columns, pm, null, pv);
            Map<Quotient>(pv, pv, pv, columns, count);
        }
    }

    // Short rows are taken several at a time, as one row whose halves are added at the end.
    // Bounds: rows × columns elements of x, z and, where they are kept, addends; columns elements of sums and, unless
    // null, of centre, which else is a constant, and scale.
    private static void Sum<TAddend>(
        T* x,
        T* z,
        int rows,
        int columns,
        T* centre,
        T* scale,
        T* sums,
        T* addends = null,
        T constant = default)
        where TAddend : IAddend<TVector>
    {
        int together = RowsTogether(rows, columns), wide = together * columns;
        if (together == 1)
        {
            Reduce<TAddend>(x, z, rows, columns, centre, scale, sums, addends, constant);
            return;
        }

        T* centres = stackalloc T[wide], scales = stackalloc T[wide], parts = stackalloc T[wide];
        Repeat(centre, columns, centres, wide);
        Repeat(scale, columns, scales, wide);
        int whole = rows / together, rest = whole * wide;
        Reduce<TAddend>(x, z, whole, wide, centre == null ? null : centres, scale == null ? null : scales, parts, addends, constant);
        Reduce<TAddend>(x + rest, z + rest, rows % together, columns, centre, scale, sums, addends + rest, constant);
        while (wide > columns)
        {
            wide /= 2;
            Accumulate(parts + wide, parts, wide);
        }

        Accumulate(parts, sums, columns);
    }

    /// <summary>How many rows fill four vectors, or part of them if there are few: a power of two; 1 where rows are long.</summary>
    private static int RowsTogether(int rows, int columns)
    {
        int four = 4 * TSimd.Width;
        int together = columns > four ? 1 : four / Math.Min(columns & -columns, four);
        while (together > 1 && rows < 8 * together)
        {
            together /= 2;
        }

        return together;
    }

    // Bounds: columns elements of source, unless null, and length of destination.
    private static void Repeat(T* source, int columns, T* destination, int length)
    {
        for (int k = 0; k < length && source != null; k++)
        {
            destination[k] = source[k % columns];
        }
    }

    // Bounds: as of Sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Reduce<TAddend>(
        T* x,
        T* z,
        int rows,
        int columns,
        T* centre,
        T* scale,
        T* sums,
        T* addends,
        T constant)
        where TAddend : IAddend<TVector>
    {
        int width = TSimd.Width;
        for (int first = 0, count; first < columns; first += count)
        {
            // Four vectors of each row, or one vector of four rows.
            bool isWide = columns - first >= 4 * width;
            int next = isWide ? width : columns, step = isWide ? columns : 4 * columns, steps = isWide ? rows : rows / 4;
            count = Math.Min(columns - first, width);
            TVector m0 = Constant(centre, first, count, constant), s0 = Constant(scale, first, count, default);
            TVector m1 = m0, m2 = m0, m3 = m0, s1 = s0, s2 = s0, s3 = s0;
            if (isWide)
            {
                m1 = Constant(centre, first + width, width, constant);
                m2 = Constant(centre, first + (2 * width), width, constant);
                m3 = Constant(centre, first + (3 * width), width, constant);
                s1 = Constant(scale, first + width, width, default);
                s2 = Constant(scale, first + (2 * width), width, default);
                s3 = Constant(scale, first + (3 * width), width, default);
            }

            TVector total0 = default, total1 = default, total2 = default, total3 = default;
            T* a = x + first, b = z + first, y = addends + first;
            for (int begin = 0; begin < steps; begin += RowsOfBlock)
            {
                TVector sum0 = default, sum1 = default, sum2 = default, sum3 = default;
                for (int end = Math.Min(steps, begin + RowsOfBlock), r = begin; r < end; r++)
                {
                    sum0 = TSimd.Add(sum0, Addend<TAddend>(a, b, y, count, m0, s0));
                    sum1 = TSimd.Add(sum1, Addend<TAddend>(a + next, b + next, y + next, count, m1, s1));
                    sum2 = TSimd.Add(sum2, Addend<TAddend>(a + (2 * next), b + (2 * next), y + (2 * next), count, m2, s2));
                    sum3 = TSimd.Add(sum3, Addend<TAddend>(a + (3 * next), b + (3 * next), y + (3 * next), count, m3, s3));
                    a += step;
                    b += step;
                    y += step;
                }

                total0 = TSimd.Add(total0, sum0);
                total1 = TSimd.Add(total1, sum1);
                total2 = TSimd.Add(total2, sum2);
                total3 = TSimd.Add(total3, sum3);
            }

            if (isWide)
            {
                TSimd.Store(sums + first, total0);
                TSimd.Store(sums + first + width, total1);
                TSimd.Store(sums + first + (2 * width), total2);
                TSimd.Store(sums + first + (3 * width), total3);
                count = 4 * width;
                continue;
            }

            TVector total = TSimd.Add(TSimd.Add(total0, total1), TSimd.Add(total2, total3));
            for (int r = 4 * steps; r < rows; r++, a += columns, b += columns, y += columns)
            {
                total = TSimd.Add(total, Addend<TAddend>(a, b, y, count, m0, s0));
            }

            Put(sums + first, total, count);
        }
    }

    // Bounds: first + count elements, unless null.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Constant(T* values, int first, int count, T otherwise) =>
        values == null ? TSimd.Broadcast(otherwise) : Some(values + first, count);

    // Bounds: count elements of x, z and, where they are kept, addends.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Addend<TAddend>(T* x, T* z, T* addends, int count, TVector centre, TVector scale)
        where TAddend : IAddend<TVector>
    {
        TVector addend = TAddend.Of(Some(x, count), Some(z, count), centre, scale);
        if (TAddend.IsKept)
        {
            Put(addends, addend, count);
        }

        return addend;
    }

    private readonly struct Plain : IAddend<TVector>
    {
        public static bool IsKept => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Of(TVector x, TVector z, TVector centre, TVector scale) => x;
    }

    private readonly struct CentredSquare : IAddend<TVector>
    {
        public static bool IsKept => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Of(TVector x, TVector z, TVector centre, TVector scale)
        {
            TVector d = TSimd.Subtract(x, centre);
            return TSimd.Multiply(d, d);
        }
    }

    private readonly struct CentredProduct : IAddend<TVector>
    {
        public static bool IsKept => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Of(TVector x, TVector z, TVector centre, TVector scale) =>
            TSimd.Multiply(z, TSimd.Multiply(TSimd.Subtract(x, centre), scale));
    }
}
