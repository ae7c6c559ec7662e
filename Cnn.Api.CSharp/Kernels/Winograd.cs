using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Windows 3×3 at stride 1 by Winograd's F(2×2, 3×3): y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A on tiles of 2×2 outputs.</summary>
/// <remarks>
/// Lavin and Gray 2016, section 4.1: 16 products for four outputs instead of 36. Summed over channels, each of the 16
/// positions of a tile is a matrix product, tiles × C by C × F. Some tiles at a time are transformed, multiplied and
/// transformed back, as many as stay in the second level of cache; they may belong to several images. In float the
/// result is off by a few 1e−6 of its root mean square.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Elements of transformed inputs and outputs at a time.
    private const int TransformedBlock = 160 * 1024;

    /// <summary>True where the transforms cost less than they save.</summary>
    private static bool UsesWinograd(Geometry g) =>
        g.KernelHeight == 3 && g.KernelWidth == 3 && g.StrideY == 1 && g.StrideX == 1 && g.DilationY == 1 && g.DilationX == 1
        && g.Channels % 16 == 0 && g.OutChannels % 16 == 0 && g.Channels + g.OutChannels >= 64
        && SavesProducts(g.OutHeight, g.OutWidth) && SavesProducts(g.Height, g.Width);

    // 16 products for a tile against 9 for a pixel, where edges do not cut the tiles short.
    private static bool SavesProducts(int height, int width) =>
        height > 3 && width > 3 && 16 * ((height + 1) / 2) * ((width + 1) / 2) * 3 < 9 * height * width * 2;

    /// <summary>Tiles at a time, a multiple of the rows of the micro-kernel.</summary>
    private static int TilesAtOnce(int tiles, int channels, int filters)
    {
        int most = Math.Clamp(TransformedBlock / (16 * (channels + filters)) / TSimd.Rows, 1, 8) * TSimd.Rows;
        return Math.Min(tiles, most);
    }

    // U = G g Gᵀ, sixteen matrices of channels × filters in panels, or of filters × channels for rotated g.
    // Bounds: reads 9, writes 16 × channels × filters elements, both multiples of W.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackWinograd(T* weights, int channels, int filters, bool adjoint, T* destination)
    {
        int width = TSimd.Width, size = channels * filters;
        if (!adjoint)
        {
            for (int f = 0; f < filters; f += width)
            {
                int first = f / PanelWidth * PanelWidth, panelWidth = WidthOfPanel(filters - first);
                T* to = destination + (nint)channels * first + f - first;
                for (int c = 0; c < channels; c++)
                {
                    TransformTaps(weights + (nint)c * filters + f, size, to + (nint)c * panelWidth, size);
                }
            }

            return;
        }

        TVector* stack = stackalloc TVector[(17 * width) + 1];
        TVector* block = (TVector*)(((nuint)stack + (nuint)sizeof(TVector) - 1) & ~((nuint)sizeof(TVector) - 1));
        for (int c = 0; c < channels; c += width)
        {
            int first = c / PanelWidth * PanelWidth, panelWidth = WidthOfPanel(channels - first);
            T* to = destination + (nint)filters * first + c - first;
            for (int f = 0; f < filters; f += width)
            {
                for (int i = 0; i < width; i++)
                {
                    TransformTaps(weights + 8 * size + (nint)(c + i) * filters + f, -size, (T*)(block + i), width * width);
                }

                for (int p = 0; p < 16; p++)
                {
                    TVector* transposed = Transpose(block + (p * width), block + (16 * width), width);
                    for (int i = 0; i < width; i++)
                    {
                        TSimd.Store(to + (nint)p * size + (nint)(f + i) * panelWidth, transposed[i]);
                    }
                }
            }
        }
    }

    // G g Gᵀ for a vector of filters. Bounds: 9 vectors, tap elements apart; writes 16, part elements apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransformTaps(T* g, nint tap, T* to, nint part)
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

    // Bounds: images of input, output and bias as g says; u from PackWinograd.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CorrelateWinograd(
        IWorkspace<T> workspace, in Windows g, T* x, int images, T* u, T* bias, Activation activation, T* y)
    {
        int channels = g.Channels, filters = g.OutChannels;
        int across = (g.OutWidth + 1) / 2, tiles = (g.OutHeight + 1) / 2 * across;
        int frameRow = (2 * across + 2) * channels, frameSize = ((g.OutHeight + 1) / 2 * 2 + 2) * frameRow;
        int most = TilesAtOnce(images * tiles, channels, filters);

        // A line more than the tiles, lest the sixteen parts fall into the same few lines of the first level of cache.
        int partIn = most * channels + 64 / sizeof(T), partOut = most * filters + 64 / sizeof(T);
        Memory<T> scratch = workspace.Scratch(frameSize + 16 * (partIn + partOut));
        TVector floor = TSimd.Broadcast(activation.Kind == ActivationKind.ReLU ? T.Zero : T.NegativeInfinity);
        bool fused = activation.Kind is ActivationKind.ReLU or ActivationKind.Identity;
        fixed (T* frame = scratch.Span)
        {
            T* parts = frame + frameSize, products = parts + 16 * partIn;
            int waiting = 0, first = 0;
            for (int n = 0; n < images; n++)
            {
                FrameAll(x + (nint)n * g.InputSize, g.Height, g.Width * channels, g.Top, g.Left * channels, frame, frameSize / frameRow, frameRow);
                for (int tile = 0; tile < tiles; tile++)
                {
                    TransformInput(frame + 2 * (tile / across) * frameRow + 2 * (tile % across) * channels, channels, frameRow, parts + waiting * channels, partIn);
                    if (++waiting < most && (n < images - 1 || tile < tiles - 1))
                    {
                        continue;
                    }

                    MultiplyParts(parts, partIn, channels, u, filters, products, partOut, waiting);
                    for (int t = 0; t < waiting; t++)
                    {
                        int done = first + t, image = done / tiles, at = done % tiles, i = at / across * 2, j = at % across * 2;
                        T* pixel = y + (nint)image * g.OutputSize + ((nint)i * g.OutWidth + j) * filters;
                        TransformOutput(
                            products + t * filters, partOut, filters, bias, floor, pixel, g.OutWidth * filters, i + 1 < g.OutHeight, j + 1 < g.OutWidth);
                    }

                    first += waiting;
                    waiting = 0;
                }
            }
        }

        if (!fused)
        {
            Activate(activation, y, y, images * g.OutputSize);
        }
    }

    // Sixteen products of waiting × channels by channels × filters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyParts(T* parts, int partIn, int channels, T* u, int filters, T* products, int partOut, int waiting)
    {
        for (int p = 0; p < 16; p++)
        {
            Panel<T> panel = new()
            {
                A = parts + p * partIn,
                RowStride = channels,
                Y = Loop.Once,
                X = Loop.Once,
                K = new Loop(channels, 1, 1),
                StrideC = filters,
            };
            Panels(ref panel, u + (nint)p * channels * Padded(filters), channels, 0, filters, null, products + p * partOut, waiting);
        }
    }

    // Bᵀ d B of one tile, d = 4×4 pixels. Bounds: 4 rows of 4 pixels; channels elements of each of 16 parts.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransformInput(T* d, int channels, int row, T* parts, int part)
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
    private static void TransformOutput(
        T* m, int part, int filters, T* bias, TVector floor, T* y, int row, bool hasBelow, bool hasRight)
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
            if (hasRight)
            {
                TSimd.Store(y + filters, TSimd.Max(floor, TSimd.Add(start, TSimd.Subtract(right, d0))));
            }

            if (hasBelow)
            {
                left = TSimd.Add(b1, c1);
                TSimd.Store(y + row, TSimd.Max(floor, TSimd.Add(start, TSimd.Add(a1, left))));
                if (hasRight)
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

    // Frame with rows of zeros above and below. Bounds: all of the frame is written.
    private static void FrameAll(T* source, int rows, int length, int top, int left, T* frame, int frameRows, int frameLength)
    {
        int from = Math.Clamp(top, 0, frameRows), to = Math.Clamp(top + rows, from, frameRows);
        new Span<T>(frame, from * frameLength).Clear();
        Frame(source + (nint)(from - top) * length, to - from, length, left, frame + (nint)from * frameLength, frameLength);
        new Span<T>(frame + (nint)to * frameLength, (frameRows - to) * frameLength).Clear();
    }
}
