using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cnn.Fluent.Kernels;

/// <summary>Vectors of 256 bits.</summary>
internal readonly unsafe struct Simd256<T> : ISimd<Vector256<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static string Name => "AVX2";

    public static int Width => Vector256<T>.Count;

    public static int Rows => 6;

    [MethodImpl(Inline)]
    public static Vector256<T> Load(T* p) => Vector256.Load(p);

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector256<T> x) => Vector256.Store(x, p);

    [MethodImpl(Inline)]
    public static Vector256<T> Load(T* p, int count)
    {
        if (Avx.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? Avx.MaskLoad((float*)p, First(count).AsSingle()).As<float, T>()
                : Avx.MaskLoad((double*)p, First(count).AsDouble()).As<double, T>();
        }

        Vector256<T> x = default;
        Unsafe.CopyBlockUnaligned(&x, p, (uint)(count * sizeof(T)));
        return x;
    }

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector256<T> x, int count)
    {
        if (!Avx.IsSupported)
        {
            Unsafe.CopyBlockUnaligned(p, &x, (uint)(count * sizeof(T)));
        }
        else if (typeof(T) == typeof(float))
        {
            Avx.MaskStore((float*)p, First(count).AsSingle(), x.AsSingle());
        }
        else
        {
            Avx.MaskStore((double*)p, First(count).AsDouble(), x.AsDouble());
        }
    }

    [MethodImpl(Inline)]
    public static Vector256<T> Broadcast(T x) => Vector256.Create(x);

    [MethodImpl(Inline)]
    public static Vector256<T> Add(Vector256<T> x, Vector256<T> y) => x + y;

    [MethodImpl(Inline)]
    public static Vector256<T> Subtract(Vector256<T> x, Vector256<T> y) => x - y;

    [MethodImpl(Inline)]
    public static Vector256<T> Multiply(Vector256<T> x, Vector256<T> y) => x * y;

    [MethodImpl(Inline)]
    public static Vector256<T> Divide(Vector256<T> x, Vector256<T> y) => x / y;

    [MethodImpl(Inline)]
    public static Vector256<T> MultiplyAdd(Vector256<T> x, Vector256<T> y, Vector256<T> z) => typeof(T) == typeof(float)
        ? Vector256.MultiplyAddEstimate(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>()
        : Vector256.MultiplyAddEstimate(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector256<T> Sqrt(Vector256<T> x) => Vector256.Sqrt(x);

    [MethodImpl(Inline)]
    public static Vector256<T> Abs(Vector256<T> x) => Vector256.Abs(x);

    [MethodImpl(Inline)]
    public static Vector256<T> Max(Vector256<T> x, Vector256<T> y) => Vector256.MaxNative(x, y);

    [MethodImpl(Inline)]
    public static Vector256<T> Min(Vector256<T> x, Vector256<T> y) => Vector256.MinNative(x, y);

    [MethodImpl(Inline)]
    public static Vector256<T> Greater(Vector256<T> x, Vector256<T> y) => Vector256.GreaterThan(x, y);

    [MethodImpl(Inline)]
    public static Vector256<T> Exceeds(Vector256<T> x, Vector256<T> y) =>
        Vector256.AndNot(Vector256.Equals(y, y), Vector256.LessThanOrEqual(x, y));

    [MethodImpl(Inline)]
    public static Vector256<T> Select(Vector256<T> mask, Vector256<T> x, Vector256<T> y) => Vector256.ConditionalSelect(mask, x, y);

    [MethodImpl(Inline)]
    public static Vector256<T> CopySign(Vector256<T> x, Vector256<T> y) => Vector256.CopySign(x, y);

    [MethodImpl(Inline)]
    public static Vector256<T> Round(Vector256<T> x) => typeof(T) == typeof(float)
        ? Vector256.Round(x.AsSingle()).As<float, T>()
        : Vector256.Round(x.AsDouble()).As<double, T>();

    // Adding 3·2^(p−2) + bias leaves n + bias in the low bits; the shift moves it to the exponent.
    [MethodImpl(Inline)]
    public static Vector256<T> PowerOfTwo(Vector256<T> n) => typeof(T) == typeof(float)
        ? Vector256.ShiftLeft((n.AsSingle() + Vector256.Create(12582912f + 127f)).AsInt32(), 23).As<int, T>()
        : Vector256.ShiftLeft((n.AsDouble() + Vector256.Create(6755399441055744.0 + 1023.0)).AsInt64(), 52).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector256<T> Index(int n) => typeof(T) == typeof(float)
        ? (Vector256.Create(n) + Vector256<int>.Indices).As<int, T>()
        : (Vector256.Create((long)n) + Vector256<long>.Indices).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector256<T> EqualsIndex(Vector256<T> x, Vector256<T> y) => typeof(T) == typeof(float)
        ? Vector256.Equals(x.AsInt32(), y.AsInt32()).As<int, T>()
        : Vector256.Equals(x.AsInt64(), y.AsInt64()).As<long, T>();

    public static Vector256<T> LoadIndex(int* p, int count)
    {
        if (typeof(T) == typeof(float))
        {
            return Simd256<float>.Load((float*)p, count).As<float, T>();
        }

        Vector256<long> x = default;
        for (int i = 0; i < count; i++)
        {
            ((long*)&x)[i] = p[i];
        }

        return x.As<long, T>();
    }

    public static void StoreIndex(int* p, Vector256<T> index, int count)
    {
        if (typeof(T) == typeof(float))
        {
            Simd256<float>.Store((float*)p, index.AsSingle(), count);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            p[i] = (int)((long*)&index)[i];
        }
    }

    [MethodImpl(Inline)]
    public static Vector256<T> ZipLow(Vector256<T> x, Vector256<T> y) => typeof(T) == typeof(float)
        ? Avx.Permute2x128(Avx.UnpackLow(x.AsSingle(), y.AsSingle()), Avx.UnpackHigh(x.AsSingle(), y.AsSingle()), 0x20).As<float, T>()
        : Avx.Permute2x128(Avx.UnpackLow(x.AsDouble(), y.AsDouble()), Avx.UnpackHigh(x.AsDouble(), y.AsDouble()), 0x20).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector256<T> ZipHigh(Vector256<T> x, Vector256<T> y) => typeof(T) == typeof(float)
        ? Avx.Permute2x128(Avx.UnpackLow(x.AsSingle(), y.AsSingle()), Avx.UnpackHigh(x.AsSingle(), y.AsSingle()), 0x31).As<float, T>()
        : Avx.Permute2x128(Avx.UnpackLow(x.AsDouble(), y.AsDouble()), Avx.UnpackHigh(x.AsDouble(), y.AsDouble()), 0x31).As<double, T>();

    // The mask of the first lanes.
    [MethodImpl(Inline)]
    private static Vector256<T> First(int count) => typeof(T) == typeof(float)
        ? Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).As<int, T>()
        : Vector256.LessThan(Vector256<long>.Indices, Vector256.Create((long)count)).As<long, T>();
}
