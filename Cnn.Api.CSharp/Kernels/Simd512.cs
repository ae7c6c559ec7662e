using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cnn.Fluent.Kernels;

/// <summary>Vectors of 512 bits.</summary>
internal readonly unsafe struct Simd512<T> : ISimd<Vector512<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static string Name => "AVX-512";

    public static int Width => Vector512<T>.Count;

    public static int Rows => 14;

    [MethodImpl(Inline)]
    public static Vector512<T> Load(T* p) => Vector512.Load(p);

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector512<T> x) => Vector512.Store(x, p);

    [MethodImpl(Inline)]
    public static Vector512<T> Load(T* p, int count)
    {
        if (Avx512F.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? Avx512F.MaskLoad((float*)p, First(count).AsSingle(), Vector512<float>.Zero).As<float, T>()
                : Avx512F.MaskLoad((double*)p, First(count).AsDouble(), Vector512<double>.Zero).As<double, T>();
        }

        Vector512<T> x = default;
        Unsafe.CopyBlockUnaligned(&x, p, (uint)(count * sizeof(T)));
        return x;
    }

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector512<T> x, int count)
    {
        if (!Avx512F.IsSupported)
        {
            Unsafe.CopyBlockUnaligned(p, &x, (uint)(count * sizeof(T)));
        }
        else if (typeof(T) == typeof(float))
        {
            Avx512F.MaskStore((float*)p, First(count).AsSingle(), x.AsSingle());
        }
        else
        {
            Avx512F.MaskStore((double*)p, First(count).AsDouble(), x.AsDouble());
        }
    }

    [MethodImpl(Inline)]
    public static Vector512<T> Broadcast(T x) => Vector512.Create(x);

    [MethodImpl(Inline)]
    public static Vector512<T> Add(Vector512<T> x, Vector512<T> y) => x + y;

    [MethodImpl(Inline)]
    public static Vector512<T> Subtract(Vector512<T> x, Vector512<T> y) => x - y;

    [MethodImpl(Inline)]
    public static Vector512<T> Multiply(Vector512<T> x, Vector512<T> y) => x * y;

    [MethodImpl(Inline)]
    public static Vector512<T> Divide(Vector512<T> x, Vector512<T> y) => x / y;

    [MethodImpl(Inline)]
    public static Vector512<T> MultiplyAdd(Vector512<T> x, Vector512<T> y, Vector512<T> z) => typeof(T) == typeof(float)
        ? Vector512.MultiplyAddEstimate(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>()
        : Vector512.MultiplyAddEstimate(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector512<T> Sqrt(Vector512<T> x) => Vector512.Sqrt(x);

    [MethodImpl(Inline)]
    public static Vector512<T> Abs(Vector512<T> x) => Vector512.Abs(x);

    [MethodImpl(Inline)]
    public static Vector512<T> Max(Vector512<T> x, Vector512<T> y) => Vector512.MaxNative(x, y);

    [MethodImpl(Inline)]
    public static Vector512<T> Min(Vector512<T> x, Vector512<T> y) => Vector512.MinNative(x, y);

    [MethodImpl(Inline)]
    public static Vector512<T> Greater(Vector512<T> x, Vector512<T> y) => Vector512.GreaterThan(x, y);

    [MethodImpl(Inline)]
    public static Vector512<T> Exceeds(Vector512<T> x, Vector512<T> y) =>
        Vector512.AndNot(Vector512.Equals(y, y), Vector512.LessThanOrEqual(x, y));

    [MethodImpl(Inline)]
    public static Vector512<T> Select(Vector512<T> mask, Vector512<T> x, Vector512<T> y) => Vector512.ConditionalSelect(mask, x, y);

    [MethodImpl(Inline)]
    public static Vector512<T> CopySign(Vector512<T> x, Vector512<T> y) => Vector512.CopySign(x, y);

    [MethodImpl(Inline)]
    public static Vector512<T> Round(Vector512<T> x) => typeof(T) == typeof(float)
        ? Vector512.Round(x.AsSingle()).As<float, T>()
        : Vector512.Round(x.AsDouble()).As<double, T>();

    // Adding 3·2^(p−2) + bias leaves n + bias in the low bits; the shift moves it to the exponent.
    [MethodImpl(Inline)]
    public static Vector512<T> PowerOfTwo(Vector512<T> n) => typeof(T) == typeof(float)
        ? Vector512.ShiftLeft((n.AsSingle() + Vector512.Create(12582912f + 127f)).AsInt32(), 23).As<int, T>()
        : Vector512.ShiftLeft((n.AsDouble() + Vector512.Create(6755399441055744.0 + 1023.0)).AsInt64(), 52).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector512<T> Index(int n) => typeof(T) == typeof(float)
        ? (Vector512.Create(n) + Vector512<int>.Indices).As<int, T>()
        : (Vector512.Create((long)n) + Vector512<long>.Indices).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector512<T> EqualsIndex(Vector512<T> x, Vector512<T> y) => typeof(T) == typeof(float)
        ? Vector512.Equals(x.AsInt32(), y.AsInt32()).As<int, T>()
        : Vector512.Equals(x.AsInt64(), y.AsInt64()).As<long, T>();

    public static Vector512<T> LoadIndex(int* p, int count)
    {
        if (typeof(T) == typeof(float))
        {
            return Simd512<float>.Load((float*)p, count).As<float, T>();
        }

        Vector512<long> x = default;
        for (int i = 0; i < count; i++)
        {
            ((long*)&x)[i] = p[i];
        }

        return x.As<long, T>();
    }

    public static void StoreIndex(int* p, Vector512<T> index, int count)
    {
        if (typeof(T) == typeof(float))
        {
            Simd512<float>.Store((float*)p, index.AsSingle(), count);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            p[i] = (int)((long*)&index)[i];
        }
    }

    [MethodImpl(Inline)]
    public static Vector512<T> ZipLow(Vector512<T> x, Vector512<T> y) => typeof(T) == typeof(float)
        ? Avx512F.PermuteVar16x32x2(x.AsSingle(), Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), y.AsSingle()).As<float, T>()
        : Avx512F.PermuteVar8x64x2(x.AsDouble(), Vector512.Create(0, 8, 1, 9, 2, 10, 3, 11), y.AsDouble()).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector512<T> ZipHigh(Vector512<T> x, Vector512<T> y) => typeof(T) == typeof(float)
        ? Avx512F.PermuteVar16x32x2(x.AsSingle(), Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), y.AsSingle()).As<float, T>()
        : Avx512F.PermuteVar8x64x2(x.AsDouble(), Vector512.Create(4, 12, 5, 13, 6, 14, 7, 15), y.AsDouble()).As<double, T>();

    // The mask of the first lanes.
    [MethodImpl(Inline)]
    private static Vector512<T> First(int count) => typeof(T) == typeof(float)
        ? Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).As<int, T>()
        : Vector512.LessThan(Vector512<long>.Indices, Vector512.Create((long)count)).As<long, T>();
}
