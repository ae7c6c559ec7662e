using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>eˣ, 1/(1 + e⁻ˣ) and tanh x by polynomials, monotone and within a few units in the last place.</summary>
/// <remarks>
/// eˣ = 2ⁿ·(1 + p), n = round(x/ln 2), p = eʳ − 1 for r = x − n·ln 2, |r| ≤ ln 2/2, by Taylor's series: seven terms for
/// float, thirteen for double. 1 + e⁻ˣ and e²ˣ − 1 are made of 2ⁿ and p with one rounding, which is what keeps the
/// functions monotone.
/// </remarks>
internal static unsafe class Exponential<T, TVector, TSimd>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TVector : unmanaged
    where TSimd : ISimd<TVector, T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>eˣ; 0 and e to the largest argument beyond the range of normal numbers.</summary>
    [MethodImpl(Inline)]
    public static TVector Exp(TVector x)
    {
        TVector lowest = Number(typeof(T) == typeof(float) ? -87.0 : -708.0);
        TVector p = Split(x, out TVector power);
        return TSimd.Select(TSimd.Greater(lowest, x), default, TSimd.MultiplyAdd(power, p, power));
    }

    /// <summary>1/(1 + e⁻ˣ).</summary>
    [MethodImpl(Inline)]
    public static TVector Sigmoid(TVector x)
    {
        TVector one = Number(1);
        TVector p = Split(TSimd.Subtract(default, x), out TVector power);
        return TSimd.Divide(one, TSimd.MultiplyAdd(power, p, TSimd.Add(one, power)));
    }

    /// <summary>tanh x: 1 − 2/((e²ˣ − 1) + 2), near 0 a polynomial or a quotient (Cephes' coefficients).</summary>
    [MethodImpl(Inline)]
    public static TVector Tanh(TVector x)
    {
        TVector one = Number(1), two = Number(2), size = TSimd.Abs(x);
        TVector p = Split(TSimd.Add(size, size), out TVector power);
        TVector difference = TSimd.MultiplyAdd(power, p, TSimd.Subtract(power, one));
        TVector far = TSimd.Subtract(one, TSimd.Divide(two, TSimd.Add(difference, two)));
        TVector square = TSimd.Multiply(x, x);
        TVector near = TSimd.MultiplyAdd(TSimd.Multiply(size, square), Correction(square), size);
        return TSimd.CopySign(TSimd.Select(TSimd.Greater(size, Number(0.625)), far, near), x);
    }

    [MethodImpl(Inline)]
    private static TVector Number(double x) => TSimd.Broadcast(T.CreateTruncating(x));

    // p = eʳ − 1 and power = 2ⁿ of eˣ = power·(1 + p), x clamped to the normal range; NaN passes.
    [MethodImpl(Inline)]
    private static TVector Split(TVector x, out TVector power)
    {
        bool single = typeof(T) == typeof(float);
        double range = single ? 87 : 708;
        x = TSimd.Max(Number(-range), TSimd.Min(Number(range), x));
        TVector n = TSimd.Round(TSimd.Multiply(x, Number(1.4426950408889634)));

        // ln 2 in two parts, the first with so few bits that its product with n is exact.
        TVector r = TSimd.MultiplyAdd(n, Number(single ? -0.693359375 : -0.693147180369123816490), x);
        r = TSimd.MultiplyAdd(n, Number(single ? 2.12194440e-4 : -1.90821492927058770002e-10), r);
        power = TSimd.PowerOfTwo(n);
        TVector q = Number(1.0 / 5040);
        if (typeof(T) == typeof(double))
        {
            q = Number(1.0 / 6227020800);
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 479001600));
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 39916800));
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 3628800));
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 362880));
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 40320));
            q = TSimd.MultiplyAdd(q, r, Number(1.0 / 5040));
        }

        q = TSimd.MultiplyAdd(q, r, Number(1.0 / 720));
        q = TSimd.MultiplyAdd(q, r, Number(1.0 / 120));
        q = TSimd.MultiplyAdd(q, r, Number(1.0 / 24));
        q = TSimd.MultiplyAdd(q, r, Number(1.0 / 6));
        q = TSimd.MultiplyAdd(q, r, Number(1.0 / 2));
        return TSimd.MultiplyAdd(TSimd.Multiply(r, r), q, r);
    }

    // (tanh x − x)/x³ as a function of x², for |x| ≤ 0.625.
    [MethodImpl(Inline)]
    private static TVector Correction(TVector square)
    {
        if (typeof(T) == typeof(float))
        {
            TVector q = TSimd.MultiplyAdd(Number(-5.70498872745e-3), square, Number(2.06390887954e-2));
            q = TSimd.MultiplyAdd(q, square, Number(-5.37397155531e-2));
            q = TSimd.MultiplyAdd(q, square, Number(1.33314422036e-1));
            return TSimd.MultiplyAdd(q, square, Number(-3.33332819422e-1));
        }

        TVector above = TSimd.MultiplyAdd(Number(-9.64399179425052238628e-1), square, Number(-9.92877231001918586564e1));
        above = TSimd.MultiplyAdd(above, square, Number(-1.61468768441708447952e3));
        TVector below = TSimd.Add(square, Number(1.12811678491632931402e2));
        below = TSimd.MultiplyAdd(below, square, Number(2.23548839060100448583e3));
        below = TSimd.MultiplyAdd(below, square, Number(4.84406305325125486048e3));
        return TSimd.Divide(above, below);
    }
}
