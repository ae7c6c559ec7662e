using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Cnn.Fluent.Kernels;

/// <summary>Vectors of 128 bits.</summary>
internal readonly unsafe struct Simd128<T> : ISimd<Vector128<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static string Name => Fma.IsSupported || AdvSimd.IsSupported ? "128-bit FMA" : "128-bit";

    public static int Width => Vector128<T>.Count;

    public static int Rows => AdvSimd.IsSupported ? 14 : 6;

    [MethodImpl(Inline)]
    public static Vector128<T> Load(T* p) => Vector128.Load(p);

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector128<T> x) => Vector128.Store(x, p);

    [MethodImpl(Inline)]
    public static Vector128<T> Load(T* p, int count)
    {
        if (Avx.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? Avx.MaskLoad((float*)p, First(count).AsSingle()).As<float, T>()
                : Avx.MaskLoad((double*)p, First(count).AsDouble()).As<double, T>();
        }

        Vector128<T> x = default;
        Unsafe.CopyBlockUnaligned(&x, p, (uint)(count * sizeof(T)));
        return x;
    }

    [MethodImpl(Inline)]
    public static void Store(T* p, Vector128<T> x, int count)
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
    public static Vector128<T> Broadcast(T x) => Vector128.Create(x);

    [MethodImpl(Inline)]
    public static Vector128<T> Add(Vector128<T> x, Vector128<T> y) => x + y;

    [MethodImpl(Inline)]
    public static Vector128<T> Subtract(Vector128<T> x, Vector128<T> y) => x - y;

    [MethodImpl(Inline)]
    public static Vector128<T> Multiply(Vector128<T> x, Vector128<T> y) => x * y;

    [MethodImpl(Inline)]
    public static Vector128<T> Divide(Vector128<T> x, Vector128<T> y) => x / y;

    [MethodImpl(Inline)]
    public static Vector128<T> MultiplyAdd(Vector128<T> x, Vector128<T> y, Vector128<T> z) => typeof(T) == typeof(float)
        ? Vector128.MultiplyAddEstimate(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>()
        : Vector128.MultiplyAddEstimate(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector128<T> Sqrt(Vector128<T> x) => Vector128.Sqrt(x);

    [MethodImpl(Inline)]
    public static Vector128<T> Abs(Vector128<T> x) => Vector128.Abs(x);

    [MethodImpl(Inline)]
    public static Vector128<T> Max(Vector128<T> x, Vector128<T> y) => Vector128.MaxNative(x, y);

    [MethodImpl(Inline)]
    public static Vector128<T> Min(Vector128<T> x, Vector128<T> y) => Vector128.MinNative(x, y);

    [MethodImpl(Inline)]
    public static Vector128<T> Greater(Vector128<T> x, Vector128<T> y) => Vector128.GreaterThan(x, y);

    [MethodImpl(Inline)]
    public static Vector128<T> Exceeds(Vector128<T> x, Vector128<T> y) =>
        Vector128.AndNot(Vector128.Equals(y, y), Vector128.LessThanOrEqual(x, y));

    [MethodImpl(Inline)]
    public static Vector128<T> Select(Vector128<T> mask, Vector128<T> x, Vector128<T> y) => Vector128.ConditionalSelect(mask, x, y);

    [MethodImpl(Inline)]
    public static Vector128<T> CopySign(Vector128<T> x, Vector128<T> y) => Vector128.CopySign(x, y);

    [MethodImpl(Inline)]
    public static Vector128<T> Round(Vector128<T> x) => typeof(T) == typeof(float)
        ? Vector128.Round(x.AsSingle()).As<float, T>()
        : Vector128.Round(x.AsDouble()).As<double, T>();

    // Adding 3·2^(p−2) + bias leaves n + bias in the low bits; the shift moves it to the exponent.
    [MethodImpl(Inline)]
    public static Vector128<T> PowerOfTwo(Vector128<T> n) => typeof(T) == typeof(float)
        ? Vector128.ShiftLeft((n.AsSingle() + Vector128.Create(12582912f + 127f)).AsInt32(), 23).As<int, T>()
        : Vector128.ShiftLeft((n.AsDouble() + Vector128.Create(6755399441055744.0 + 1023.0)).AsInt64(), 52).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector128<T> Index(int n) => typeof(T) == typeof(float)
        ? (Vector128.Create(n) + Vector128<int>.Indices).As<int, T>()
        : (Vector128.Create((long)n) + Vector128<long>.Indices).As<long, T>();

    [MethodImpl(Inline)]
    public static Vector128<T> EqualsIndex(Vector128<T> x, Vector128<T> y) => typeof(T) == typeof(float)
        ? Vector128.Equals(x.AsInt32(), y.AsInt32()).As<int, T>()
        : Vector128.Equals(x.AsInt64(), y.AsInt64()).As<long, T>();

    public static Vector128<T> LoadIndex(int* p, int count)
    {
        if (typeof(T) == typeof(float))
        {
            return Simd128<float>.Load((float*)p, count).As<float, T>();
        }

        Vector128<long> x = default;
        for (int i = 0; i < count; i++)
        {
            ((long*)&x)[i] = p[i];
        }

        return x.As<long, T>();
    }

    public static void StoreIndex(int* p, Vector128<T> index, int count)
    {
        if (typeof(T) == typeof(float))
        {
            Simd128<float>.Store((float*)p, index.AsSingle(), count);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            p[i] = (int)((long*)&index)[i];
        }
    }

    [MethodImpl(Inline)]
    public static Vector128<T> ZipLow(Vector128<T> x, Vector128<T> y) => typeof(T) == typeof(float)
        ? (Sse.IsSupported ? Sse.UnpackLow(x.AsSingle(), y.AsSingle()) : AdvSimd.Arm64.ZipLow(x.AsSingle(), y.AsSingle())).As<float, T>()
        : (Sse2.IsSupported ? Sse2.UnpackLow(x.AsDouble(), y.AsDouble()) : AdvSimd.Arm64.ZipLow(x.AsDouble(), y.AsDouble())).As<double, T>();

    [MethodImpl(Inline)]
    public static Vector128<T> ZipHigh(Vector128<T> x, Vector128<T> y) => typeof(T) == typeof(float)
        ? (Sse.IsSupported ? Sse.UnpackHigh(x.AsSingle(), y.AsSingle()) : AdvSimd.Arm64.ZipHigh(x.AsSingle(), y.AsSingle())).As<float, T>()
        : (Sse2.IsSupported ? Sse2.UnpackHigh(x.AsDouble(), y.AsDouble()) : AdvSimd.Arm64.ZipHigh(x.AsDouble(), y.AsDouble())).As<double, T>();

    // The mask of the first lanes.
    [MethodImpl(Inline)]
    private static Vector128<T> First(int count) => typeof(T) == typeof(float)
        ? Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).As<int, T>()
        : Vector128.LessThan(Vector128<long>.Indices, Vector128.Create((long)count)).As<long, T>();
}
