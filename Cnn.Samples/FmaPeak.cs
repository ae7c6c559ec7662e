using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Cnn.Samples;

/// <summary>The most that one thread can do: fused multiply-adds on registers, nothing else.</summary>
internal static class FmaPeak
{
    private const int Chains = 12;
    private const int Rounds = 200_000;

    /// <summary>A vector of floats, so that the loop is written once for every width.</summary>
    private interface IVector<TSelf>
    {
        static abstract int Width { get; }

        static abstract TSelf Of(float x);

        static abstract TSelf MultiplyAdd(TSelf x, TSelf y, TSelf z);

        static abstract float First(TSelf x);
    }

    /// <summary>Floating-point operations a second, two for each multiply-add, with the widest vectors of this machine.</summary>
    /// <remarks>The best of several short runs: a busy machine only makes them slower.</remarks>
    public static double Measure() =>
        Vector512.IsHardwareAccelerated ? Best<Wide>()
        : Vector256.IsHardwareAccelerated ? Best<Half>()
        : Vector128.IsHardwareAccelerated ? Best<Quarter>()
        : Best<One>();

    private static double Best<TVector>()
        where TVector : struct, IVector<TVector>
    {
        var best = 0.0;
        for (var run = 0; run < 20; run++)
        {
            var start = Stopwatch.GetTimestamp();
            var end = Chain<TVector>(1 - 1e-6f, 1e-6f);
            var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

            // The result is looked at, lest it be left out.
            best = float.IsNaN(end) ? best : Math.Max(best, 2.0 * Chains * Rounds * TVector.Width / seconds);
        }

        return best;
    }

    // Twelve chains: more than latency × multiply-adds a cycle, fewer than there are registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chain<TVector>(float factor, float term)
        where TVector : struct, IVector<TVector>
    {
        TVector x = TVector.Of(factor), y = TVector.Of(term);
        TVector a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var round = 0; round < Rounds; round++)
        {
            a = TVector.MultiplyAdd(a, x, y);
            b = TVector.MultiplyAdd(b, x, y);
            c = TVector.MultiplyAdd(c, x, y);
            d = TVector.MultiplyAdd(d, x, y);
            e = TVector.MultiplyAdd(e, x, y);
            f = TVector.MultiplyAdd(f, x, y);
            g = TVector.MultiplyAdd(g, x, y);
            h = TVector.MultiplyAdd(h, x, y);
            i = TVector.MultiplyAdd(i, x, y);
            j = TVector.MultiplyAdd(j, x, y);
            k = TVector.MultiplyAdd(k, x, y);
            l = TVector.MultiplyAdd(l, x, y);
        }

        return TVector.First(a) + TVector.First(b) + TVector.First(c) + TVector.First(d) + TVector.First(e) + TVector.First(f)
            + TVector.First(g) + TVector.First(h) + TVector.First(i) + TVector.First(j) + TVector.First(k) + TVector.First(l);
    }

    private readonly record struct Wide(Vector512<float> Value) : IVector<Wide>
    {
        public static int Width => Vector512<float>.Count;

        public static Wide Of(float x) => new(Vector512.Create(x));

        public static Wide MultiplyAdd(Wide x, Wide y, Wide z) => new(Vector512.FusedMultiplyAdd(x.Value, y.Value, z.Value));

        public static float First(Wide x) => x.Value.ToScalar();
    }

    private readonly record struct Half(Vector256<float> Value) : IVector<Half>
    {
        public static int Width => Vector256<float>.Count;

        public static Half Of(float x) => new(Vector256.Create(x));

        public static Half MultiplyAdd(Half x, Half y, Half z) => new(Vector256.FusedMultiplyAdd(x.Value, y.Value, z.Value));

        public static float First(Half x) => x.Value.ToScalar();
    }

    // Not every machine with these vectors fuses: a product and a sum do.
    private readonly record struct Quarter(Vector128<float> Value) : IVector<Quarter>
    {
        public static int Width => Vector128<float>.Count;

        public static Quarter Of(float x) => new(Vector128.Create(x));

        public static Quarter MultiplyAdd(Quarter x, Quarter y, Quarter z) => new(Vector128.MultiplyAddEstimate(x.Value, y.Value, z.Value));

        public static float First(Quarter x) => x.Value.ToScalar();
    }

    private readonly record struct One(float Value) : IVector<One>
    {
        public static int Width => 1;

        public static One Of(float x) => new(x);

        public static One MultiplyAdd(One x, One y, One z) => new(x.Value * y.Value + z.Value);

        public static float First(One x) => x.Value;
    }
}
