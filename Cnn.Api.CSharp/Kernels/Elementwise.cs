using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>y[i] = f(x[i], z[i]): one loop for every elementwise function, which is a type.</summary>
internal unsafe interface IElementwise<TVector>
{
    /// <summary>f, with a constant in every lane.</summary>
    static abstract TVector Invoke(TVector x, TVector z, TVector constant);
}

/// <summary>Elementwise products and sums, and the loop that runs them.</summary>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void Multiply(ReadOnlySpan<T> a, ReadOnlySpan<T> b, Span<T> y)
    {
        fixed (T* pa = a, pb = b, py = y)
        {
            Map<Times>(pa, pb, py, a.Length, T.Zero);
        }
    }

    /// <inheritdoc/>
    public void Accumulate(ReadOnlySpan<T> x, Span<T> sum)
    {
        fixed (T* px = x, ps = sum)
        {
            Accumulate(px, ps, x.Length);
        }
    }

    // Bounds: count elements of each.
    private static void Accumulate(T* x, T* sum, int count) => Map<Plus>(sum, x, sum, count, T.Zero);

    // Bounds: count elements of each; y may be x or z.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Map<TFunction>(T* x, T* z, T* y, int count, T constant)
        where TFunction : IElementwise<TVector>
    {
        TVector constants = TSimd.Broadcast(constant);
        int i = 0;
        for (; i <= count - TSimd.Width; i += TSimd.Width)
        {
            TSimd.Store(y + i, TFunction.Invoke(TSimd.Load(x + i), TSimd.Load(z + i), constants));
        }

        if (i < count)
        {
            TSimd.Store(y + i, TFunction.Invoke(TSimd.Load(x + i, count - i), TSimd.Load(z + i, count - i), constants), count - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Number(double x) => TSimd.Broadcast(T.CreateTruncating(x));

    // A vector, or the part of one that is there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Some(T* p, int count) => count == TSimd.Width ? TSimd.Load(p) : TSimd.Load(p, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(T* p, TVector x, int count)
    {
        if (count == TSimd.Width)
        {
            TSimd.Store(p, x);
        }
        else
        {
            TSimd.Store(p, x, count);
        }
    }

    private readonly struct Times : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector constant) => TSimd.Multiply(x, z);
    }

    private readonly struct Plus : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector constant) => TSimd.Add(x, z);
    }
}
