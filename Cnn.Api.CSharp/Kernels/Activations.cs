using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>y = φ(x) and x̄ = ȳ·φ'(x), told from y (SPEC section 6).</summary>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void Activate(Activation activation, ReadOnlySpan<T> x, Span<T> y)
    {
        fixed (T* px = x, py = y)
        {
            if (activation.Kind == ActivationKind.Identity)
            {
                x.CopyTo(y);
            }

            Activate(activation, px, py, x.Length);
        }
    }

    /// <inheritdoc/>
    public void ActivateAdjoint(Activation activation, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx)
    {
        fixed (T* py = y, pd = dy, px = dx)
        {
            switch (activation.Kind)
            {
                case ActivationKind.Identity: dy.CopyTo(dx); break;
                case ActivationKind.ReLU: Map<ReLUAdjoint>(py, pd, px, y.Length, T.Zero); break;
                case ActivationKind.LeakyReLU: Map<ReLUAdjoint>(py, pd, px, y.Length, T.CreateTruncating(activation.Slope)); break;
                case ActivationKind.Sigmoid: Map<SigmoidAdjoint>(py, pd, px, y.Length, T.One); break;
                case ActivationKind.Tanh: Map<TanhAdjoint>(py, pd, px, y.Length, T.One); break;
                default: throw NotElementwise(activation);
            }
        }
    }

    // In place the identity has nothing to do. Bounds: count elements of both.
    private static void Activate(Activation activation, T* x, T* y, int count)
    {
        switch (activation.Kind)
        {
            case ActivationKind.Identity: break;
            case ActivationKind.ReLU: Map<ReLU>(x, x, y, count, T.Zero); break;
            case ActivationKind.LeakyReLU: Map<LeakyReLU>(x, x, y, count, T.CreateTruncating(activation.Slope)); break;
            case ActivationKind.Sigmoid: Map<Sigmoid>(x, x, y, count, T.One); break;
            case ActivationKind.Tanh: Map<Tanh>(x, x, y, count, T.One); break;
            default: throw NotElementwise(activation);
        }
    }

    private static ArgumentOutOfRangeException NotElementwise(Activation activation) =>
        new(nameof(activation), activation.Kind, "This activation is not elementwise.");

    private readonly struct ReLU : IElementwise<TVector>
    {
        // The second operand passes a NaN on.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector zero) => TSimd.Max(zero, x);
    }

    private readonly struct LeakyReLU : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector slope) =>
            TSimd.Select(TSimd.Greater(x, default), x, TSimd.Multiply(slope, x));
    }

    private readonly struct Sigmoid : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector one) => Exponential<T, TVector, TSimd>.Sigmoid(x);
    }

    private readonly struct Tanh : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector one) => Exponential<T, TVector, TSimd>.Tanh(x);
    }

    private readonly struct Quotient : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector divisor) => TSimd.Divide(x, divisor);
    }

    // The slope at 0 is that of the left branch.
    private readonly struct ReLUAdjoint : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector y, TVector dy, TVector slope) =>
            TSimd.Select(TSimd.Greater(y, default), dy, TSimd.Multiply(slope, dy));
    }

    private readonly struct SigmoidAdjoint : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector y, TVector dy, TVector one) =>
            TSimd.Multiply(dy, TSimd.Multiply(y, TSimd.Subtract(one, y)));
    }

    private readonly struct TanhAdjoint : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector y, TVector dy, TVector one) =>
            TSimd.Multiply(dy, TSimd.Subtract(one, TSimd.Multiply(y, y)));
    }
}
