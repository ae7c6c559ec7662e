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
            Normalize(px, x.Length / mean.Length, mean.Length, pm, pc, ps, py);
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
