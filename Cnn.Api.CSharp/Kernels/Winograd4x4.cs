using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The transforms of F(4×4, 3×3), from the points 0, ±1, ±2 and ∞.</summary>
/// <remarks>
/// Lavin and Gray 2016, section 4.3. A matrix is applied to the columns, then to the rows, through a block of 6×6 vectors.
/// Its entries up to 8 and down to 1/24 cost digits: in float results are off by some 1e−5 of their root mean square.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    private readonly struct FourByFour : ITile
    {
        // Vectors of a block, and of a line of its own to begin on a multiple of a vector.
        private const int Block = 37;

        public static int Outputs => 4;

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Taps(T* g, nint tap, T* to, nint part)
        {
            byte* stack = stackalloc byte[Block * sizeof(TVector)];
            T* block = Aligned(stack);
            for (int v = 0; v < 3; v++)
            {
                SpreadTaps(g + (v * tap), 3 * tap, block + (v * TSimd.Width), 6 * TSimd.Width);
            }

            for (int p = 0; p < 6; p++)
            {
                SpreadTaps(block + (6 * p * TSimd.Width), TSimd.Width, to + (6 * p * part), part);
            }
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Input(T* d, int channels, int row, T* parts, int part)
        {
            byte* stack = stackalloc byte[Block * sizeof(TVector)];
            T* block = Aligned(stack);
            for (int c = 0; c < channels; c += TSimd.Width)
            {
                for (int j = 0; j < 6; j++)
                {
                    Differences(d + c + (j * channels), row, block + (j * TSimd.Width), 6 * TSimd.Width);
                }

                for (int p = 0; p < 6; p++)
                {
                    Differences(block + (6 * p * TSimd.Width), TSimd.Width, parts + c + (6 * p * part), part);
                }
            }
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Output(T* m, int part, int filters, T* bias, TVector floor, T* y, int row, int rows, int columns)
        {
            byte* stack = stackalloc byte[Block * sizeof(TVector)];
            T* block = Aligned(stack);
            for (int f = 0; f < filters; f += TSimd.Width)
            {
                for (int q = 0; q < 6; q++)
                {
                    Sums(m + f + (q * part), 6 * part, out TVector s0, out TVector s1, out TVector s2, out TVector s3);
                    TSimd.Store(block + (q * TSimd.Width), s0);
                    TSimd.Store(block + ((6 + q) * TSimd.Width), s1);
                    TSimd.Store(block + ((12 + q) * TSimd.Width), s2);
                    TSimd.Store(block + ((18 + q) * TSimd.Width), s3);
                }

                TVector start = bias == null ? default : TSimd.Load(bias + f);
                T* pixel = y + f;
                for (int i = 0; i < Math.Min(rows, 4); i++, pixel += row)
                {
                    Sums(block + (6 * i * TSimd.Width), TSimd.Width, out TVector s0, out TVector s1, out TVector s2, out TVector s3);
                    TSimd.Store(pixel, TSimd.Max(floor, TSimd.Add(start, s0)));
                    if (columns > 1)
                    {
                        TSimd.Store(pixel + filters, TSimd.Max(floor, TSimd.Add(start, s1)));
                    }

                    if (columns > 2)
                    {
                        TSimd.Store(pixel + (2 * filters), TSimd.Max(floor, TSimd.Add(start, s2)));
                    }

                    if (columns > 3)
                    {
                        TSimd.Store(pixel + (3 * filters), TSimd.Max(floor, TSimd.Add(start, s3)));
                    }
                }
            }
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Slopes(T* y, int row, int filters, int rows, int columns, T* parts, int part)
        {
            byte* stack = stackalloc byte[Block * sizeof(TVector)];
            T* block = Aligned(stack);
            for (int f = 0; f < filters; f += TSimd.Width)
            {
                for (int j = 0; j < 4; j++)
                {
                    T* pixel = y + f + (j * filters);
                    bool isInside = j < columns;
                    SpreadSlopes(
                        isInside ? TSimd.Load(pixel) : default,
                        isInside && rows > 1 ? TSimd.Load(pixel + row) : default,
                        isInside && rows > 2 ? TSimd.Load(pixel + (2 * row)) : default,
                        isInside && rows > 3 ? TSimd.Load(pixel + (3 * row)) : default,
                        block + (j * TSimd.Width),
                        6 * TSimd.Width);
                }

                for (int p = 0; p < 6; p++)
                {
                    T* from = block + (6 * p * TSimd.Width);
                    SpreadSlopes(
                        TSimd.Load(from),
                        TSimd.Load(from + TSimd.Width),
                        TSimd.Load(from + (2 * TSimd.Width)),
                        TSimd.Load(from + (3 * TSimd.Width)),
                        parts + f + (6 * p * part),
                        part);
                }
            }
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Gather(T* m, nint part, T* to)
        {
            byte* stack = stackalloc byte[Block * sizeof(TVector)];
            T* block = Aligned(stack);
            for (int q = 0; q < 6; q++)
            {
                GatherTaps(m + (q * part), 6 * part, block + (q * TSimd.Width), 6 * TSimd.Width);
            }

            for (int u = 0; u < 3; u++)
            {
                GatherTaps(block + (6 * u * TSimd.Width), TSimd.Width, to + (3 * u * part), part);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static T* Aligned(byte* stack) =>
            (T*)(((nuint)stack + (nuint)sizeof(TVector) - 1) & ~((nuint)sizeof(TVector) - 1));

        // The rows of G: g0/4, −(g0 + g2)/6 ∓ g1/6, g0/24 + g2/6 ± g1/12, g2.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void SpreadTaps(T* g, nint apart, T* to, nint part)
        {
            TVector g0 = TSimd.Load(g), g1 = TSimd.Load(g + apart), g2 = TSimd.Load(g + (2 * apart)), sixth = Number(-1.0 / 6);
            TVector outer = TSimd.Multiply(sixth, TSimd.Add(g0, g2)), inner = TSimd.Multiply(sixth, g1);
            TVector far = TSimd.MultiplyAdd(Number(1.0 / 24), g0, TSimd.Multiply(Number(1.0 / 6), g2)), turn = TSimd.Multiply(Number(1.0 / 12), g1);
            TSimd.Store(to, TSimd.Multiply(Number(0.25), g0));
            TSimd.Store(to + part, TSimd.Add(outer, inner));
            TSimd.Store(to + (2 * part), TSimd.Subtract(outer, inner));
            TSimd.Store(to + (3 * part), TSimd.Add(far, turn));
            TSimd.Store(to + (4 * part), TSimd.Subtract(far, turn));
            TSimd.Store(to + (5 * part), g2);
        }

        // The rows of Bᵀ: 4d0 − 5d2 + d4, (d4 − 4d2) ± (d3 − 4d1), (d4 − d2) ± 2(d3 − d1), 4d1 − 5d3 + d5.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Differences(T* d, nint apart, T* to, nint part)
        {
            TVector d0 = TSimd.Load(d), d1 = TSimd.Load(d + apart), d2 = TSimd.Load(d + (2 * apart));
            TVector d3 = TSimd.Load(d + (3 * apart)), d4 = TSimd.Load(d + (4 * apart)), d5 = TSimd.Load(d + (5 * apart));
            TVector four = Number(4), less = Number(-4), five = Number(-5);
            TVector even = TSimd.MultiplyAdd(less, d2, d4), odd = TSimd.MultiplyAdd(less, d1, d3);
            TVector near = TSimd.Subtract(d4, d2), turn = TSimd.Subtract(d3, d1), twice = TSimd.Add(turn, turn);
            TSimd.Store(to, TSimd.MultiplyAdd(four, d0, TSimd.MultiplyAdd(five, d2, d4)));
            TSimd.Store(to + part, TSimd.Add(even, odd));
            TSimd.Store(to + (2 * part), TSimd.Subtract(even, odd));
            TSimd.Store(to + (3 * part), TSimd.Add(near, twice));
            TSimd.Store(to + (4 * part), TSimd.Subtract(near, twice));
            TSimd.Store(to + (5 * part), TSimd.MultiplyAdd(four, d1, TSimd.MultiplyAdd(five, d3, d5)));
        }

        // The rows of Aᵀ: m0 + (m1 + m2) + (m3 + m4), (m1 − m2) + 2(m3 − m4), (m1 + m2) + 4(m3 + m4), (m1 − m2) + 8(m3 − m4) + m5.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Sums(T* m, nint apart, out TVector s0, out TVector s1, out TVector s2, out TVector s3)
        {
            TVector m1 = TSimd.Load(m + apart), m2 = TSimd.Load(m + (2 * apart)), m3 = TSimd.Load(m + (3 * apart)), m4 = TSimd.Load(m + (4 * apart));
            TVector near = TSimd.Add(m1, m2), far = TSimd.Add(m3, m4), nearTurn = TSimd.Subtract(m1, m2), farTurn = TSimd.Subtract(m3, m4);
            s0 = TSimd.Add(TSimd.Load(m), TSimd.Add(near, far));
            s1 = TSimd.MultiplyAdd(Number(2), farTurn, nearTurn);
            s2 = TSimd.MultiplyAdd(Number(4), far, near);
            s3 = TSimd.Add(TSimd.MultiplyAdd(Number(8), farTurn, nearTurn), TSimd.Load(m + (5 * apart)));
        }

        // The rows of A: y0, (y0 + y2) ± (y1 + y3), (y0 + 4y2) ± (2y1 + 8y3), y3.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void SpreadSlopes(TVector y0, TVector y1, TVector y2, TVector y3, T* to, nint part)
        {
            TVector even = TSimd.Add(y0, y2), odd = TSimd.Add(y1, y3);
            TVector far = TSimd.MultiplyAdd(Number(4), y2, y0), turn = TSimd.MultiplyAdd(Number(8), y3, TSimd.Add(y1, y1));
            TSimd.Store(to, y0);
            TSimd.Store(to + part, TSimd.Add(even, odd));
            TSimd.Store(to + (2 * part), TSimd.Subtract(even, odd));
            TSimd.Store(to + (3 * part), TSimd.Add(far, turn));
            TSimd.Store(to + (4 * part), TSimd.Subtract(far, turn));
            TSimd.Store(to + (5 * part), y3);
        }

        // The rows of Gᵀ: m0/4 − (m1 + m2)/6 + (m3 + m4)/24, (m2 − m1)/6 + (m3 − m4)/12, (m3 + m4 − m1 − m2)/6 + m5.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void GatherTaps(T* m, nint apart, T* to, nint part)
        {
            TVector m1 = TSimd.Load(m + apart), m2 = TSimd.Load(m + (2 * apart)), m3 = TSimd.Load(m + (3 * apart)), m4 = TSimd.Load(m + (4 * apart));
            TVector sixth = Number(1.0 / 6), near = TSimd.Add(m1, m2), far = TSimd.Add(m3, m4);
            TVector turn = TSimd.Multiply(Number(1.0 / 12), TSimd.Subtract(m3, m4));
            TVector start = TSimd.MultiplyAdd(Number(-1.0 / 6), near, TSimd.Multiply(Number(1.0 / 24), far));
            TSimd.Store(to, TSimd.MultiplyAdd(Number(0.25), TSimd.Load(m), start));
            TSimd.Store(to + part, TSimd.MultiplyAdd(sixth, TSimd.Subtract(m2, m1), turn));
            TSimd.Store(to + (2 * part), TSimd.MultiplyAdd(sixth, TSimd.Subtract(far, near), TSimd.Load(m + (5 * apart))));
        }
    }
}
