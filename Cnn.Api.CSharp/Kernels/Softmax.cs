using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>y[r,c] = exp(x[r,c] − max_d x[r,d]) / Σ_d exp(x[r,d] − max) and x̄[r,c] = y[r,c]·(ȳ[r,c] − Σ_d ȳ[r,d]·y[r,d]).</summary>
/// <remarks>Vectors run along a row; their lanes are folded into one number, which is then in every lane.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void Softmax(int width, ReadOnlySpan<T> x, Span<T> y)
    {
        // What is added to the last vector of a row: −∞, whose exponential is 0, beyond the row's end.
        T* floor = stackalloc T[TSimd.Width];
        for (int k = 0; k < TSimd.Width; k++)
        {
            floor[k] = k <= (width - 1) % TSimd.Width ? T.Zero : T.NegativeInfinity;
        }

        fixed (T* px = x, py = y)
        {
            SoftmaxRows(px, py, x.Length, width, TSimd.Load(floor));
        }
    }

    /// <inheritdoc/>
    public void SoftmaxAdjoint(int width, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx)
    {
        fixed (T* py = y, pd = dy, px = dx)
        {
            SoftmaxAdjointRows(py, pd, px, y.Length, width);
        }
    }

    // Bounds: length elements of both, which may be the same; whole rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxRows(T* x, T* y, int length, int width, TVector floor)
    {
        for (T* end = x + length; x < end; x += width, y += width)
        {
            TVector largest = TSimd.Broadcast(T.NegativeInfinity), sum = default;
            for (int c = 0; c < width; c += TSimd.Width)
            {
                largest = TSimd.Max(largest, Logits(x + c, width - c, floor));
            }

            largest = Fold<Larger>(largest);
            for (int c = 0; c < width; c += TSimd.Width)
            {
                TVector power = Exponential<T, TVector, TSimd>.Exp(TSimd.Subtract(Logits(x + c, width - c, floor), largest));
                Put(y + c, power, Math.Min(width - c, TSimd.Width));
                sum = TSimd.Add(sum, power);
            }

            sum = Fold<Plus>(sum);
            for (int c = 0; c < width; c += TSimd.Width)
            {
                int count = Math.Min(width - c, TSimd.Width);
                Put(y + c, TSimd.Divide(Some(y + c, count), sum), count);
            }
        }
    }

    // Bounds: length elements of each; whole rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxAdjointRows(T* y, T* dy, T* dx, int length, int width)
    {
        for (T* end = y + length; y < end; y += width, dy += width, dx += width)
        {
            TVector inner = default;
            for (int c = 0; c < width; c += TSimd.Width)
            {
                int count = Math.Min(width - c, TSimd.Width);
                inner = TSimd.MultiplyAdd(Some(y + c, count), Some(dy + c, count), inner);
            }

            inner = Fold<Plus>(inner);
            for (int c = 0; c < width; c += TSimd.Width)
            {
                int count = Math.Min(width - c, TSimd.Width);
                Put(dx + c, TSimd.Multiply(Some(y + c, count), TSimd.Subtract(Some(dy + c, count), inner)), count);
            }
        }
    }

    // A vector of a row, of which so many elements are left. Bounds: these.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Logits(T* x, int left, TVector floor) =>
        left > TSimd.Width ? TSimd.Load(x) : TSimd.Add(Some(x, left), floor);

    // f over all lanes, in every lane: each round joins the lower half with the upper.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Fold<TFunction>(TVector x)
        where TFunction : IElementwise<TVector>
    {
        for (int joined = 1; joined < TSimd.Width; joined *= 2)
        {
            x = TFunction.Invoke(TSimd.ZipLow(x, x), TSimd.ZipHigh(x, x), default);
        }

        return x;
    }

    private readonly struct Larger : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector constant) => TSimd.Max(x, z);
    }
}
