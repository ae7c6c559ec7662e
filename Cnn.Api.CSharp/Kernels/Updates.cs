using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The numbers of an optimiser step, each in every lane.</summary>
internal struct Rates<TVector>
{
    public TVector Rate, Decay1, Gain1, Decay2, Gain2, Epsilon, Correction1, Correction2;
}

/// <summary>An optimiser's rule (SPEC section 8), a type so that one loop runs all rules.</summary>
internal interface IRule<TVector>
{
    /// <summary>Slots that the rule reads and writes: 0, 1 or 2.</summary>
    static abstract int Slots { get; }

    /// <summary>One step from gradient g: θ and the slots m and v take their next values.</summary>
    static abstract void Step(in Rates<TVector> k, TVector g, ref TVector parameter, ref TVector m, ref TVector v);
}

/// <summary>One optimiser step, element by element.</summary>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    public void Update(
        Update update,
        ReadOnlySpan<T> gradient,
        ReadOnlySpan<T> parameter,
        ReadOnlySpan<T> slot1,
        ReadOnlySpan<T> slot2,
        Span<T> nextParameter,
        Span<T> nextSlot1,
        Span<T> nextSlot2)
    {
        Rates<TVector> rates = new()
        {
            Rate = Number(update.Rate),
            Decay1 = Number(update.Decay1),
            Gain1 = Number(1 - update.Decay1),
            Decay2 = Number(update.Decay2),
            Gain2 = Number(1 - update.Decay2),
            Epsilon = Number(update.Epsilon),
            Correction1 = Number(1 / update.Correction1),
            Correction2 = Number(1 / update.Correction2),
        };
        fixed (T* g = gradient, p = parameter, m = slot1, v = slot2, nextP = nextParameter, nextM = nextSlot1, nextV = nextSlot2)
        {
            switch (update.Kind)
            {
                case UpdateKind.Sgd: Steps<Sgd>(rates, g, p, m, v, nextP, nextM, nextV, gradient.Length); break;
                case UpdateKind.Momentum: Steps<Momentum>(rates, g, p, m, v, nextP, nextM, nextV, gradient.Length); break;
                case UpdateKind.Adam: Steps<Adam>(rates, g, p, m, v, nextP, nextM, nextV, gradient.Length); break;
                default: throw new ArgumentOutOfRangeException(nameof(update), update.Kind, "This optimiser rule is not known.");
            }
        }
    }

    // Bounds: count elements of each, but of the slots that the rule does not use.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Steps<TRule>(
        Rates<TVector> rates, T* gradient, T* parameter, T* slot1, T* slot2, T* nextParameter, T* nextSlot1, T* nextSlot2, int length)
        where TRule : IRule<TVector>
    {
        for (int i = 0; i < length; i += TSimd.Width)
        {
            int count = Math.Min(length - i, TSimd.Width);
            TVector p = Some(parameter + i, count);
            TVector m = TRule.Slots > 0 ? Some(slot1 + i, count) : default;
            TVector v = TRule.Slots > 1 ? Some(slot2 + i, count) : default;
            TRule.Step(in rates, Some(gradient + i, count), ref p, ref m, ref v);
            Put(nextParameter + i, p, count);
            if (TRule.Slots > 0)
            {
                Put(nextSlot1 + i, m, count);
            }

            if (TRule.Slots > 1)
            {
                Put(nextSlot2 + i, v, count);
            }
        }
    }

    // Δ = −η g
    private readonly struct Sgd : IRule<TVector>
    {
        public static int Slots => 0;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Step(in Rates<TVector> k, TVector g, ref TVector parameter, ref TVector m, ref TVector v) =>
            parameter = TSimd.Subtract(parameter, TSimd.Multiply(k.Rate, g));
    }

    // m ← γ m − (1−γ) g; Δ = η m
    private readonly struct Momentum : IRule<TVector>
    {
        public static int Slots => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Step(in Rates<TVector> k, TVector g, ref TVector parameter, ref TVector m, ref TVector v)
        {
            m = TSimd.Subtract(TSimd.Multiply(k.Decay1, m), TSimd.Multiply(k.Gain1, g));
            parameter = TSimd.MultiplyAdd(k.Rate, m, parameter);
        }
    }

    // m ← β₁ m − (1−β₁) g; v ← β₂ v + (1−β₂) g²; Δ = η m̂/(√v̂ + ε)
    private readonly struct Adam : IRule<TVector>
    {
        public static int Slots => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Step(in Rates<TVector> k, TVector g, ref TVector parameter, ref TVector m, ref TVector v)
        {
            m = TSimd.Subtract(TSimd.Multiply(k.Decay1, m), TSimd.Multiply(k.Gain1, g));
            v = TSimd.MultiplyAdd(TSimd.Multiply(k.Gain2, g), g, TSimd.Multiply(k.Decay2, v));
            TVector spread = TSimd.Add(TSimd.Sqrt(TSimd.Multiply(v, k.Correction2)), k.Epsilon);
            parameter = TSimd.MultiplyAdd(k.Rate, TSimd.Divide(TSimd.Multiply(m, k.Correction1), spread), parameter);
        }
    }
}
