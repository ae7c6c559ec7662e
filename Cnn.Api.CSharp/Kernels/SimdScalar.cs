using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Vectors of one element, for hardware without any.</summary>
/// <remarks>A mask is 1 or 0. x·y + z is rounded twice, so that results do not depend on the hardware.</remarks>
internal readonly unsafe struct SimdScalar<T> : ISimd<T, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static string Name => "scalar";

    public static int Width => 1;

    public static int Rows => 4;

    [MethodImpl(Inline)]
    public static T Load(T* p) => *p;

    [MethodImpl(Inline)]
    public static T Load(T* p, int count) => *p;

    [MethodImpl(Inline)]
    public static void Store(T* p, T x) => *p = x;

    [MethodImpl(Inline)]
    public static void Store(T* p, T x, int count) => *p = x;

    [MethodImpl(Inline)]
    public static T Broadcast(T x) => x;

    [MethodImpl(Inline)]
    public static T Add(T x, T y) => x + y;

    [MethodImpl(Inline)]
    public static T Subtract(T x, T y) => x - y;

    [MethodImpl(Inline)]
    public static T Multiply(T x, T y) => x * y;

    [MethodImpl(Inline)]
    public static T Divide(T x, T y) => x / y;

    [MethodImpl(Inline)]
    public static T MultiplyAdd(T x, T y, T z) => x * y + z;

    [MethodImpl(Inline)]
    public static T Sqrt(T x) => T.Sqrt(x);

    [MethodImpl(Inline)]
    public static T Abs(T x) => T.Abs(x);

    [MethodImpl(Inline)]
    public static T Max(T x, T y) => x > y ? x : y;

    [MethodImpl(Inline)]
    public static T Min(T x, T y) => x < y ? x : y;

    [MethodImpl(Inline)]
    public static T Greater(T x, T y) => x > y ? T.One : T.Zero;

    [MethodImpl(Inline)]
    public static T Exceeds(T x, T y) => !(x <= y) && !T.IsNaN(y) ? T.One : T.Zero;

    [MethodImpl(Inline)]
    public static T Select(T mask, T x, T y) => mask > T.Zero ? x : y;

    [MethodImpl(Inline)]
    public static T CopySign(T x, T y) => T.CopySign(x, y);

    [MethodImpl(Inline)]
    public static T Round(T x) => T.Round(x);

    [MethodImpl(Inline)]
    public static T PowerOfTwo(T n)
    {
        if (typeof(T) == typeof(float))
        {
            float power = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(Unsafe.BitCast<T, float>(n) + (12582912f + 127f)) << 23);
            return Unsafe.BitCast<float, T>(power);
        }

        double wide = BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(Unsafe.BitCast<T, double>(n) + (6755399441055744.0 + 1023.0)) << 52);
        return Unsafe.BitCast<double, T>(wide);
    }

    [MethodImpl(Inline)]
    public static T Index(int n) => typeof(T) == typeof(float) ? Unsafe.BitCast<int, T>(n) : Unsafe.BitCast<long, T>(n);

    [MethodImpl(Inline)]
    public static T EqualsIndex(T x, T y) => typeof(T) == typeof(float)
        ? (Unsafe.BitCast<T, int>(x) == Unsafe.BitCast<T, int>(y) ? T.One : T.Zero)
        : (Unsafe.BitCast<T, long>(x) == Unsafe.BitCast<T, long>(y) ? T.One : T.Zero);

    [MethodImpl(Inline)]
    public static T LoadIndex(int* p, int count) => Index(*p);

    [MethodImpl(Inline)]
    public static void StoreIndex(int* p, T index, int count) => *p = typeof(T) == typeof(float) ? Unsafe.BitCast<T, int>(index) : (int)Unsafe.BitCast<T, long>(index);

    [MethodImpl(Inline)]
    public static T ZipLow(T x, T y) => x;

    [MethodImpl(Inline)]
    public static T ZipHigh(T x, T y) => y;
}
