using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>x̄[r,c] = ȳ[r,c]·φ'(x[r,c] + b[c]), told from y = φ(x + b), and b̄[c] = Σ_r x̄[r,c]: a sum whose addends are kept.</summary>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void BiasAdjoint(Activation activation, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx, Span<T> db)
    {
        int columns = db.Length, rows = y.Length / columns;
        fixed (T* py = y, pd = dy, px = dx, ps = db)
        {
            switch (activation.Kind)
            {
                case ActivationKind.Identity: Sum<Kept<Second>>(py, pd, rows, columns, null, null, ps, px); break;
                case ActivationKind.ReLU: Sum<Kept<ReLUAdjoint>>(py, pd, rows, columns, null, null, ps, px); break;
                case ActivationKind.LeakyReLU:
                    Sum<Kept<ReLUAdjoint>>(py, pd, rows, columns, null, null, ps, px, T.CreateTruncating(activation.Slope));
                    break;
                case ActivationKind.Sigmoid: Sum<Kept<SigmoidAdjoint>>(py, pd, rows, columns, null, null, ps, px, T.One); break;
                case ActivationKind.Tanh: Sum<Kept<TanhAdjoint>>(py, pd, rows, columns, null, null, ps, px, T.One); break;
                default: throw NotElementwise(activation);
            }
        }
    }

    // An elementwise function as an addend.
    private readonly struct Kept<TFunction> : IAddend<TVector>
        where TFunction : IElementwise<TVector>
    {
        public static bool IsKept => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Of(TVector x, TVector z, TVector centre, TVector scale) => TFunction.Invoke(x, z, centre);
    }

    private readonly struct Second : IElementwise<TVector>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Invoke(TVector x, TVector z, TVector constant) => z;
    }
}
