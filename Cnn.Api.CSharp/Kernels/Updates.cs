using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The numbers of an optimiser step, each in every lane.</summary>
internal struct Shares<TVector>
{
    public TVector Scale, Clip, L1, L2, Keep1, Gain1, Keep2, Gain2, Slot, Gradient, Root, Inside, Outside, Shrink;
}

/// <summary>Which of its parts an optimiser step has: a type, so that the loop compiles without the others.</summary>
internal interface IStepParts
{
    /// <summary>Whether there is a first slot m.</summary>
    static abstract bool HasMoment { get; }

    /// <summary>Whether there is a second slot v.</summary>
    static abstract bool HasSquares { get; }
}

/// <summary>One optimiser step, element by element: the formula of <see cref="Update"/>.</summary>
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
        Shares<TVector> shares = new()
        {
            Scale = Number(update.GradientScale),
            Clip = Number(update.ClipValue),
            L1 = Number(update.L1),
            L2 = Number(update.L2),
            Keep1 = Number(update.Keep1),
            Gain1 = Number(update.Gain1),
            Keep2 = Number(update.Keep2),
            Gain2 = Number(update.Gain2),
            Slot = Number(update.SlotShare),
            Gradient = Number(update.GradientShare),
            Root = Number(update.RootScale),
            Inside = Number(update.EpsilonInside),
            Outside = Number(update.EpsilonOutside),
            Shrink = Number(update.Shrink),
        };
        bool isClipped = !double.IsInfinity(update.ClipValue), isPenalised = update.L1 != 0 || update.L2 != 0;
        fixed (T* g = gradient, p = parameter, m = slot1, v = slot2, nextP = nextParameter, nextM = nextSlot1, nextV = nextSlot2)
        {
            switch (slot1.IsEmpty, slot2.IsEmpty)
            {
                case (true, true): Steps<Bare>(shares, g, p, m, v, nextP, nextM, nextV, gradient.Length, isClipped, isPenalised); break;
                case (false, true): Steps<Moment>(shares, g, p, m, v, nextP, nextM, nextV, gradient.Length, isClipped, isPenalised); break;
                case (true, false): Steps<Squares>(shares, g, p, m, v, nextP, nextM, nextV, gradient.Length, isClipped, isPenalised); break;
                default: Steps<Both>(shares, g, p, m, v, nextP, nextM, nextV, gradient.Length, isClipped, isPenalised); break;
            }
        }
    }

    // Bounds: count elements of each, but of the slots that the rule has not.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Steps<TParts>(
        Shares<TVector> k, T* gradient, T* parameter, T* slot1, T* slot2, T* nextParameter, T* nextSlot1, T* nextSlot2, int length, bool isClipped, bool isPenalised)
        where TParts : IStepParts
    {
        TVector zero = Number(0);
        for (int i = 0; i < length; i += TSimd.Width)
        {
            int count = Math.Min(length - i, TSimd.Width);
            TVector p = Some(parameter + i, count);
            TVector g = TSimd.Multiply(k.Scale, Some(gradient + i, count));
            if (isClipped)
            {
                // A NaN stays one.
                TVector low = TSimd.Subtract(zero, k.Clip);
                g = TSimd.Select(TSimd.Greater(g, k.Clip), k.Clip, TSimd.Select(TSimd.Greater(low, g), low, g));
            }

            if (isPenalised)
            {
                TVector pull = TSimd.Select(TSimd.Greater(TSimd.Abs(p), zero), TSimd.CopySign(k.L1, p), zero);
                g = TSimd.Add(g, TSimd.MultiplyAdd(k.L2, p, pull));
            }

            TVector step = TSimd.Multiply(k.Gradient, g);
            if (TParts.HasMoment)
            {
                TVector m = TSimd.MultiplyAdd(k.Keep1, Some(slot1 + i, count), TSimd.Multiply(k.Gain1, g));
                Put(nextSlot1 + i, m, count);
                step = TSimd.MultiplyAdd(k.Slot, m, step);
            }

            if (TParts.HasSquares)
            {
                TVector v = TSimd.MultiplyAdd(k.Keep2, Some(slot2 + i, count), TSimd.Multiply(TSimd.Multiply(k.Gain2, g), g));
                Put(nextSlot2 + i, v, count);
                step = TSimd.Divide(step, TSimd.Add(TSimd.Sqrt(TSimd.MultiplyAdd(k.Root, v, k.Inside)), k.Outside));
            }

            Put(nextParameter + i, TSimd.MultiplyAdd(k.Shrink, p, step), count);
        }
    }

    private readonly struct Bare : IStepParts
    {
        public static bool HasMoment => false;

        public static bool HasSquares => false;
    }

    private readonly struct Moment : IStepParts
    {
        public static bool HasMoment => true;

        public static bool HasSquares => false;
    }

    private readonly struct Squares : IStepParts
    {
        public static bool HasMoment => false;

        public static bool HasSquares => true;
    }

    private readonly struct Both : IStepParts
    {
        public static bool HasMoment => true;

        public static bool HasSquares => true;
    }
}
