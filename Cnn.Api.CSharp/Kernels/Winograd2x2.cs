using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The transforms of F(2×2, 3×3): only halves and signs, so that small integers stay exact.</summary>
/// <remarks>Lavin and Gray 2016, section 4.1. In float results are off by a few 1e−6 of their root mean square.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    private readonly struct TwoByTwo : ITile
    {
        public static int Outputs => 2;

        // G g Gᵀ for a vector of filters. Bounds: 9 vectors, tap elements apart; writes 16, part elements apart.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Taps(T* g, nint tap, T* to, nint part)
        {
            TVector half = Number(0.5);
            Spread(half, TSimd.Load(g), TSimd.Load(g + (3 * tap)), TSimd.Load(g + (6 * tap)), out TVector a0, out TVector a1, out TVector a2, out TVector a3);
            g += tap;
            Spread(half, TSimd.Load(g), TSimd.Load(g + (3 * tap)), TSimd.Load(g + (6 * tap)), out TVector b0, out TVector b1, out TVector b2, out TVector b3);
            g += tap;
            Spread(half, TSimd.Load(g), TSimd.Load(g + (3 * tap)), TSimd.Load(g + (6 * tap)), out TVector c0, out TVector c1, out TVector c2, out TVector c3);
            StoreSpread(half, a0, b0, c0, to, part);
            StoreSpread(half, a1, b1, c1, to + (4 * part), part);
            StoreSpread(half, a2, b2, c2, to + (8 * part), part);
            StoreSpread(half, a3, b3, c3, to + (12 * part), part);
        }

        // (g0, (g0 + g1 + g2)/2, (g0 − g1 + g2)/2, g2), the rows of G.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Spread(
            TVector half, TVector g0, TVector g1, TVector g2, out TVector t0, out TVector t1, out TVector t2, out TVector t3)
        {
            TVector outer = TSimd.Add(g0, g2);
            t0 = g0;
            t1 = TSimd.Multiply(half, TSimd.Add(outer, g1));
            t2 = TSimd.Multiply(half, TSimd.Subtract(outer, g1));
            t3 = g2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void StoreSpread(TVector half, TVector g0, TVector g1, TVector g2, T* to, nint part)
        {
            Spread(half, g0, g1, g2, out TVector t0, out TVector t1, out TVector t2, out TVector t3);
            TSimd.Store(to, t0);
            TSimd.Store(to + part, t1);
            TSimd.Store(to + (2 * part), t2);
            TSimd.Store(to + (3 * part), t3);
        }

        // Bᵀ d B of one tile, d = 4×4 pixels. Bounds: 4 rows of 4 pixels; channels elements of each of 16 parts.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Input(T* d, int channels, int row, T* parts, int part)
        {
            for (int c = 0; c < channels; c += TSimd.Width, d += TSimd.Width, parts += TSimd.Width)
            {
                Differences(d, row, out TVector a0, out TVector a1, out TVector a2, out TVector a3);
                Differences(d + channels, row, out TVector b0, out TVector b1, out TVector b2, out TVector b3);
                Differences(d + 2 * channels, row, out TVector c0, out TVector c1, out TVector c2, out TVector c3);
                Differences(d + 3 * channels, row, out TVector d0, out TVector d1, out TVector d2, out TVector d3);
                StoreDifferences(parts, part, a0, b0, c0, d0);
                StoreDifferences(parts + 4 * part, part, a1, b1, c1, d1);
                StoreDifferences(parts + 8 * part, part, a2, b2, c2, d2);
                StoreDifferences(parts + 12 * part, part, a3, b3, c3, d3);
            }
        }

        // (d0 − d2, d1 + d2, d2 − d1, d1 − d3), the rows of Bᵀ.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Differences(T* d, int stride, out TVector t0, out TVector t1, out TVector t2, out TVector t3)
        {
            TVector d0 = TSimd.Load(d), d1 = TSimd.Load(d + stride), d2 = TSimd.Load(d + (2 * stride)), d3 = TSimd.Load(d + (3 * stride));
            t0 = TSimd.Subtract(d0, d2);
            t1 = TSimd.Add(d1, d2);
            t2 = TSimd.Subtract(d2, d1);
            t3 = TSimd.Subtract(d1, d3);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void StoreDifferences(T* to, int stride, TVector d0, TVector d1, TVector d2, TVector d3)
        {
            TSimd.Store(to, TSimd.Subtract(d0, d2));
            TSimd.Store(to + stride, TSimd.Add(d1, d2));
            TSimd.Store(to + (2 * stride), TSimd.Subtract(d2, d1));
            TSimd.Store(to + (3 * stride), TSimd.Subtract(d1, d3));
        }

        // y = max(floor, b + Aᵀ m A) of one tile. Bounds: filters elements of each of 16 parts; the pixels of y that exist.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Output(
            T* m, int part, int filters, T* bias, TVector floor, T* y, int row, int rows, int columns)
        {
            for (int f = 0; f < filters; f += TSimd.Width, m += TSimd.Width, y += TSimd.Width)
            {
                Sums(m, 4 * part, out TVector a0, out TVector a1);
                Sums(m + part, 4 * part, out TVector b0, out TVector b1);
                Sums(m + 2 * part, 4 * part, out TVector c0, out TVector c1);
                Sums(m + 3 * part, 4 * part, out TVector d0, out TVector d1);
                TVector start = bias == null ? default : TSimd.Load(bias + f);
                TVector left = TSimd.Add(b0, c0), right = TSimd.Subtract(b0, c0);
                TSimd.Store(y, TSimd.Max(floor, TSimd.Add(start, TSimd.Add(a0, left))));
                if (columns > 1)
                {
                    TSimd.Store(y + filters, TSimd.Max(floor, TSimd.Add(start, TSimd.Subtract(right, d0))));
                }

                if (rows > 1)
                {
                    left = TSimd.Add(b1, c1);
                    TSimd.Store(y + row, TSimd.Max(floor, TSimd.Add(start, TSimd.Add(a1, left))));
                    if (columns > 1)
                    {
                        right = TSimd.Subtract(b1, c1);
                        TSimd.Store(y + row + filters, TSimd.Max(floor, TSimd.Add(start, TSimd.Subtract(right, d1))));
                    }
                }
            }
        }

        // (m0 + m1 + m2, m1 − m2 − m3), the rows of Aᵀ.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Sums(T* m, int stride, out TVector s0, out TVector s1)
        {
            TVector m1 = TSimd.Load(m + stride), m2 = TSimd.Load(m + (2 * stride));
            s0 = TSimd.Add(TSimd.Load(m), TSimd.Add(m1, m2));
            s1 = TSimd.Subtract(TSimd.Subtract(m1, m2), TSimd.Load(m + (3 * stride)));
        }

        // A ȳ Aᵀ of one tile of 2×2 outputs, those that do not exist being 0. Bounds: the pixels that exist; filters elements
        // of each of 16 parts.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Slopes(T* y, int row, int filters, int rows, int columns, T* parts, int part)
        {
            for (int f = 0; f < filters; f += TSimd.Width, y += TSimd.Width, parts += TSimd.Width)
            {
                TVector y00 = TSimd.Load(y), y01 = columns > 1 ? TSimd.Load(y + filters) : default;
                TVector y10 = rows > 1 ? TSimd.Load(y + row) : default, y11 = rows > 1 && columns > 1 ? TSimd.Load(y + row + filters) : default;
                StoreSlopes(parts, part, y00, y01);
                StoreSlopes(parts + (4 * part), part, TSimd.Add(y00, y10), TSimd.Add(y01, y11));
                StoreSlopes(parts + (8 * part), part, TSimd.Subtract(y00, y10), TSimd.Subtract(y01, y11));
                StoreSlopes(parts + (12 * part), part, TSimd.Subtract(default, y10), TSimd.Subtract(default, y11));
            }
        }

        // (y0, y0 + y1, y0 − y1, −y1), the rows of A.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void StoreSlopes(T* to, int stride, TVector y0, TVector y1)
        {
            TSimd.Store(to, y0);
            TSimd.Store(to + stride, TSimd.Add(y0, y1));
            TSimd.Store(to + (2 * stride), TSimd.Subtract(y0, y1));
            TSimd.Store(to + (3 * stride), TSimd.Subtract(default, y1));
        }

        // Gᵀ m G for a vector of filters. Bounds: 16 vectors, part elements apart; writes 9, as far apart.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Gather(T* m, nint part, T* to)
        {
            TVector half = Number(0.5);
            Fold(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector a0, out TVector a1, out TVector a2);
            m += part;
            Fold(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector b0, out TVector b1, out TVector b2);
            m += part;
            Fold(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector c0, out TVector c1, out TVector c2);
            m += part;
            Fold(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector d0, out TVector d1, out TVector d2);
            StoreFolded(half, a0, b0, c0, d0, to, part);
            StoreFolded(half, a1, b1, c1, d1, to + (3 * part), part);
            StoreFolded(half, a2, b2, c2, d2, to + (6 * part), part);
        }

        // (m0 + (m1 + m2)/2, (m1 − m2)/2, (m1 + m2)/2 + m3), the rows of Gᵀ.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Fold(TVector half, TVector m0, TVector m1, TVector m2, TVector m3, out TVector t0, out TVector t1, out TVector t2)
        {
            TVector middle = TSimd.Multiply(half, TSimd.Add(m1, m2));
            t0 = TSimd.Add(m0, middle);
            t1 = TSimd.Multiply(half, TSimd.Subtract(m1, m2));
            t2 = TSimd.Add(middle, m3);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void StoreFolded(TVector half, TVector m0, TVector m1, TVector m2, TVector m3, T* to, nint tap)
        {
            Fold(half, m0, m1, m2, m3, out TVector t0, out TVector t1, out TVector t2);
            TSimd.Store(to, t0);
            TSimd.Store(to + tap, t1);
            TSimd.Store(to + (2 * tap), t2);
        }
    }
}
