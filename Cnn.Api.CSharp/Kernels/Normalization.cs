using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>y[r,c] = (x[r,c] − mean[c])·scale[c] + shift[c].</summary>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void Normalize(ReadOnlySpan<T> x, ReadOnlySpan<T> mean, ReadOnlySpan<T> scale, ReadOnlySpan<T> shift, Span<T> y)
    {
        fixed (T* px = x, pm = mean, pc = scale, ps = shift, py = y)
        {
            int columns = mean.Length, rows = x.Length / columns;
            int together = RowsTogether(rows, columns), wide = together * columns;
            if (together == 1)
            {
                Normalize(px, rows, columns, pm, pc, ps, py);
                return;
            }

            // Several rows as one.
            T* means = stackalloc T[wide], scales = stackalloc T[wide], shifts = stackalloc T[wide];
            Repeat(pm, columns, means, wide);
            Repeat(pc, columns, scales, wide);
            Repeat(ps, columns, shifts, wide);
            int whole = rows / together, rest = whole * wide;
            Normalize(px, whole, wide, means, scales, shifts, py);
            Normalize(px + rest, rows % together, columns, pm, pc, ps, py + rest);
        }
    }

    // Bounds: rows × columns elements of x and y, columns of the others.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalize(T* x, int rows, int columns, T* mean, T* scale, T* shift, T* y)
    {
        for (int first = 0; first < columns; first += TSimd.Width)
        {
            int count = Math.Min(columns - first, TSimd.Width);
            TVector m = Some(mean + first, count), c = Some(scale + first, count), s = Some(shift + first, count);
            T* from = x + first, to = y + first;
            for (int r = 0; r < rows; r++, from += columns, to += columns)
            {
                Put(to, TSimd.MultiplyAdd(TSimd.Subtract(Some(from, count), m), c, s), count);
            }
        }
    }
}
