using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The filter adjoint of F(2×2, 3×3): w̄ = Gᵀ[Σ_tiles (Bᵀ d B) ∘ (A ȳ Aᵀ)]G, the transpose of the forward formula.</summary>
/// <remarks>Each of the 16 positions is a matrix product C × tiles by tiles × F; sums run over tiles in order.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Bounds: images of input and output as g says; dw holds 9 × channels × filters elements, both multiples of W.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FilterAdjointWinograd(IWorkspace<T> workspace, in Windows g, T* x, T* dy, int images, T* dw)
    {
        int channels = g.Channels, filters = g.OutChannels, size = channels * filters;
        int across = (g.OutWidth + 1) / 2, tiles = (g.OutHeight + 1) / 2 * across;
        int frameRow = (2 * across + 2) * channels, frameSize = ((g.OutHeight + 1) / 2 * 2 + 2) * frameRow;
        int most = TilesAtOnce(images * tiles, channels, filters);
        int partIn = most * channels + 64 / sizeof(T), partOut = most * filters + 64 / sizeof(T);
        Memory<T> scratch = workspace.Scratch(frameSize + 16 * (partIn + partOut + size));
        fixed (T* frame = scratch.Span)
        {
            T* parts = frame + frameSize, slopes = parts + 16 * partIn, sums = slopes + 16 * partOut;
            int waiting = 0;
            bool continues = false;
            for (int n = 0; n < images; n++)
            {
                FrameAll(x + (nint)n * g.InputSize, g.Height, g.Width * channels, g.Top, g.Left * channels, frame, frameSize / frameRow, frameRow);
                for (int tile = 0; tile < tiles; tile++)
                {
                    int i = tile / across * 2, j = tile % across * 2;
                    T* pixel = dy + (nint)n * g.OutputSize + ((nint)i * g.OutWidth + j) * filters;
                    TransformInput(frame + i * frameRow + j * channels, channels, frameRow, parts + waiting * channels, partIn);
                    TransformSlopes(pixel, g.OutWidth * filters, filters, i + 1 < g.OutHeight, j + 1 < g.OutWidth, slopes + waiting * filters, partOut);
                    if (++waiting == most || (n == images - 1 && tile == tiles - 1))
                    {
                        AddParts(parts, partIn, channels, slopes, partOut, filters, waiting, sums, continues);
                        continues = true;
                        waiting = 0;
                    }
                }
            }

            for (int k = 0; k < size; k += TSimd.Width)
            {
                GatherTaps(sums + k, size, dw + k);
            }
        }
    }

    // Sixteen products of channels × waiting by waiting × filters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddParts(
        T* parts, int partIn, int channels, T* slopes, int partOut, int filters, int waiting, T* sums, bool continues)
    {
        for (int p = 0; p < 16; p++)
        {
            for (int f = 0; f < filters; f += PanelWidth)
            {
                Panel<T> panel = new()
                {
                    A = parts + p * partIn,
                    RowStride = 1,
                    Y = Loop.Once,
                    X = Loop.Once,
                    K = new Loop(waiting, channels, 1),
                    B = slopes + p * partOut + f,
                    StrideB = filters,
                    C = sums + (nint)p * channels * filters + f,
                    StrideC = filters,
                    Columns = Math.Min(PanelWidth, filters - f),
                    Continues = continues,
                };
                Gemm<T, TVector, TSimd>.Run(in panel, channels);
            }
        }
    }

    // A ȳ Aᵀ of one tile of 2×2 outputs, those that do not exist being 0. Bounds: the pixels that exist; filters elements
    // of each of 16 parts.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransformSlopes(T* y, int row, int filters, bool hasBelow, bool hasRight, T* parts, int part)
    {
        for (int f = 0; f < filters; f += TSimd.Width, y += TSimd.Width, parts += TSimd.Width)
        {
            TVector y00 = TSimd.Load(y), y01 = hasRight ? TSimd.Load(y + filters) : default;
            TVector y10 = hasBelow ? TSimd.Load(y + row) : default, y11 = hasBelow && hasRight ? TSimd.Load(y + row + filters) : default;
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
    private static void GatherTaps(T* m, nint part, T* to)
    {
        TVector half = Number(0.5);
        Gather(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector a0, out TVector a1, out TVector a2);
        m += part;
        Gather(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector b0, out TVector b1, out TVector b2);
        m += part;
        Gather(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector c0, out TVector c1, out TVector c2);
        m += part;
        Gather(half, TSimd.Load(m), TSimd.Load(m + (4 * part)), TSimd.Load(m + (8 * part)), TSimd.Load(m + (12 * part)), out TVector d0, out TVector d1, out TVector d2);
        StoreGathered(half, a0, b0, c0, d0, to, part);
        StoreGathered(half, a1, b1, c1, d1, to + (3 * part), part);
        StoreGathered(half, a2, b2, c2, d2, to + (6 * part), part);
    }

    // (m0 + (m1 + m2)/2, (m1 − m2)/2, (m1 + m2)/2 + m3), the rows of Gᵀ.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Gather(TVector half, TVector m0, TVector m1, TVector m2, TVector m3, out TVector t0, out TVector t1, out TVector t2)
    {
        TVector middle = TSimd.Multiply(half, TSimd.Add(m1, m2));
        t0 = TSimd.Add(m0, middle);
        t1 = TSimd.Multiply(half, TSimd.Subtract(m1, m2));
        t2 = TSimd.Add(middle, m3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreGathered(TVector half, TVector m0, TVector m1, TVector m2, TVector m3, T* to, nint tap)
    {
        Gather(half, m0, m1, m2, m3, out TVector t0, out TVector t1, out TVector t2);
        TSimd.Store(to, t0);
        TSimd.Store(to + tap, t1);
        TSimd.Store(to + (2 * tap), t2);
    }
}
