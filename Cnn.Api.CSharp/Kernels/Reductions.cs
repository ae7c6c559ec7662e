using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>One addend of a sum over rows, a type so that one loop runs all sums.</summary>
internal interface IAddend<TVector>
{
    /// <summary>The addend of x[r,c] and z[r,c], with the constants of column c.</summary>
    static abstract TVector Add(TVector sum, TVector x, TVector z, TVector centre, TVector scale);
}

/// <summary>Sums over rows: sums[c] = Σ_r f(x[r,c], z[r,c]), and the moments made of them.</summary>
/// <remarks>
/// Blocks of rows are summed by themselves, four sums side by side over rows r mod 4, and then added: a fixed order, whose
/// error grows with the rows of a block and the number of blocks, not with their product.
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

    // Rows that do not fill whole vectors are taken several at a time, as one row whose parts are added at the end.
    // Bounds: rows × columns elements of x and z, columns elements of sums and, unless null, of centre and scale.
    private static void Sum<TAddend>(T* x, T* z, int rows, int columns, T* centre, T* scale, T* sums)
        where TAddend : IAddend<TVector>
    {
        int together = RowsTogether(columns), wide = together * columns;
        if (together == 1 || rows < 8 * together)
        {
            Reduce<TAddend>(x, z, rows, columns, centre, scale, sums);
            return;
        }

        T* centres = stackalloc T[wide], scales = stackalloc T[wide], parts = stackalloc T[wide];
        Repeat(centre, columns, centres, wide);
        Repeat(scale, columns, scales, wide);
        int whole = rows / together, rest = whole * wide;
        Reduce<TAddend>(x, z, whole, wide, centre == null ? null : centres, scale == null ? null : scales, parts);
        Reduce<TAddend>(x + rest, z + rest, rows % together, columns, centre, scale, sums);
        for (int k = 0; k < wide; k++)
        {
            sums[k % columns] += parts[k];
        }
    }

    /// <summary>How many rows of so many columns fill whole vectors; 1 where that would not pay.</summary>
    private static int RowsTogether(int columns)
    {
        int width = TSimd.Width;
        int common = Math.Min(columns & -columns, width);
        return columns % width == 0 || columns > 4 * width ? 1 : width / common;
    }

    // Bounds: columns elements of source, unless null, and length of destination.
    private static void Repeat(T* source, int columns, T* destination, int length)
    {
        for (int k = 0; k < length && source != null; k++)
        {
            destination[k] = source[k % columns];
        }
    }

    // Bounds: rows × columns elements of x and z, columns elements of sums and, unless null, of centre and scale.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Reduce<TAddend>(T* x, T* z, int rows, int columns, T* centre, T* scale, T* sums)
        where TAddend : IAddend<TVector>
    {
        for (int first = 0; first < columns; first += TSimd.Width)
        {
            int count = Math.Min(columns - first, TSimd.Width);
            TVector m = centre == null ? default : Some(centre + first, count);
            TVector s = scale == null ? default : Some(scale + first, count);
            TVector total = default;
            T* a = x + first, b = z + first;
            int r = 0;
            while (r <= rows - 4)
            {
                TVector sum0 = default, sum1 = default, sum2 = default, sum3 = default;
                for (int end = Math.Min(rows - 3, r + RowsOfBlock); r < end; r += 4)
                {
                    sum0 = TAddend.Add(sum0, Some(a, count), Some(b, count), m, s);
                    sum1 = TAddend.Add(sum1, Some(a + columns, count), Some(b + columns, count), m, s);
                    sum2 = TAddend.Add(sum2, Some(a + (2 * columns), count), Some(b + (2 * columns), count), m, s);
                    sum3 = TAddend.Add(sum3, Some(a + (3 * columns), count), Some(b + (3 * columns), count), m, s);
                    a += 4 * columns;
                    b += 4 * columns;
                }

                total = TSimd.Add(total, TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3)));
            }

            for (; r < rows; r++, a += columns, b += columns)
            {
                total = TAddend.Add(total, Some(a, count), Some(b, count), m, s);
            }

            Put(sums + first, total, count);
        }
    }

    private readonly struct Plain : IAddend<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Add(TVector sum, TVector x, TVector z, TVector centre, TVector scale) => TSimd.Add(sum, x);
    }

    private readonly struct CentredSquare : IAddend<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Add(TVector sum, TVector x, TVector z, TVector centre, TVector scale)
        {
            TVector d = TSimd.Subtract(x, centre);
            return TSimd.MultiplyAdd(d, d, sum);
        }
    }

    private readonly struct CentredProduct : IAddend<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Add(TVector sum, TVector x, TVector z, TVector centre, TVector scale) =>
            TSimd.MultiplyAdd(z, TSimd.Multiply(TSimd.Subtract(x, centre), scale), sum);
    }
}
