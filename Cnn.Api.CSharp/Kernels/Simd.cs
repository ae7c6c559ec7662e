using System.Numerics;

namespace Cnn.Fluent.Kernels;

/// <summary>What the kernels ask of a vector, so that each is written once for every width and element type.</summary>
/// <remarks>
/// The implementations are empty structs: the JIT compiles a kernel anew for each and inlines these members.
/// A mask is a vector whose lanes are all ones or all zeros. Pointers need no alignment.
/// </remarks>
internal unsafe interface ISimd<TVector, T>
    where TVector : unmanaged
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The name of the instruction set.</summary>
    static abstract string Name { get; }

    /// <summary>Elements in a vector.</summary>
    static abstract int Width { get; }

    /// <summary>Rows of the micro-kernel's tile: what the registers hold beside two columns of vectors.</summary>
    static abstract int Rows { get; }

    /// <summary>Reads <see cref="Width"/> elements.</summary>
    static abstract TVector Load(T* p);

    /// <summary>Reads the first <paramref name="count"/> elements only, the other lanes are 0.</summary>
    static abstract TVector Load(T* p, int count);

    /// <summary>Writes <see cref="Width"/> elements.</summary>
    static abstract void Store(T* p, TVector x);

    /// <summary>Writes the first <paramref name="count"/> elements only.</summary>
    static abstract void Store(T* p, TVector x, int count);

    /// <summary>x in every lane.</summary>
    static abstract TVector Broadcast(T x);

    /// <summary>x + y.</summary>
    static abstract TVector Add(TVector x, TVector y);

    /// <summary>x − y.</summary>
    static abstract TVector Subtract(TVector x, TVector y);

    /// <summary>x·y.</summary>
    static abstract TVector Multiply(TVector x, TVector y);

    /// <summary>x/y.</summary>
    static abstract TVector Divide(TVector x, TVector y);

    /// <summary>x·y + z: rounded once where the hardware can, else twice.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y, TVector z);

    /// <summary>√x.</summary>
    static abstract TVector Sqrt(TVector x);

    /// <summary>|x|.</summary>
    static abstract TVector Abs(TVector x);

    /// <summary>The larger one; NaN or y where either is NaN.</summary>
    static abstract TVector Max(TVector x, TVector y);

    /// <summary>The smaller one; NaN or y where either is NaN.</summary>
    static abstract TVector Min(TVector x, TVector y);

    /// <summary>The mask of x &gt; y, false for NaN.</summary>
    static abstract TVector Greater(TVector x, TVector y);

    /// <summary>The mask of x &gt; y, and of a NaN above a number.</summary>
    static abstract TVector Exceeds(TVector x, TVector y);

    /// <summary>x where the mask is set, else y.</summary>
    static abstract TVector Select(TVector mask, TVector x, TVector y);

    /// <summary>|x| with the sign of y.</summary>
    static abstract TVector CopySign(TVector x, TVector y);

    /// <summary>The nearest integer.</summary>
    static abstract TVector Round(TVector x);

    /// <summary>2ⁿ for an integer n in the normal range.</summary>
    static abstract TVector PowerOfTwo(TVector n);

    /// <summary>The integers n, n + 1, … as the bits of the lanes.</summary>
    static abstract TVector Index(int n);

    /// <summary>The mask of equal integers.</summary>
    static abstract TVector EqualsIndex(TVector x, TVector y);

    /// <summary>Reads the first <paramref name="count"/> integers.</summary>
    static abstract TVector LoadIndex(int* p, int count);

    /// <summary>Writes the first <paramref name="count"/> integers.</summary>
    static abstract void StoreIndex(int* p, TVector index, int count);

    /// <summary>x₀, y₀, x₁, y₁, … of the lower halves.</summary>
    static abstract TVector ZipLow(TVector x, TVector y);

    /// <summary>The same of the upper halves; of vectors of one element, y.</summary>
    static abstract TVector ZipHigh(TVector x, TVector y);
}
