using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>Windows 3×3 at stride 1 by Winograd's F(m×m, 3×3): y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A on tiles of m×m outputs.</summary>
/// <remarks>
/// Lavin and Gray 2016, section 4: (m + 2)² products for m² outputs instead of 9m². Summed over channels, each of the
/// (m + 2)² positions of a tile is a matrix product, tiles × C by C × F. Some tiles at a time are transformed, multiplied
/// and transformed back, as many as stay in the second level of cache; they may belong to several images. The matrices
/// G, B and A are those of a tile, which is a type.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Elements of transformed inputs and outputs at a time.
    private const int TransformedBlock = 160 * 1024;

    /// <summary>The transforms of tiles of m×m outputs, each for vectors of channels.</summary>
    private interface ITile
    {
        /// <summary>m; a tile has (m + 2)² positions.</summary>
        static abstract int Outputs { get; }

        /// <summary>G g Gᵀ for a vector of filters. Bounds: 9 vectors, tap elements apart; writes all positions, part elements apart.</summary>
        static abstract void Taps(T* g, nint tap, T* to, nint part);

        /// <summary>Bᵀ d B of one tile. Bounds: m + 2 rows of m + 2 pixels; channels elements of each position.</summary>
        static abstract void Input(T* d, int channels, int row, T* parts, int part);

        /// <summary>y = max(floor, b + Aᵀ m A) of one tile. Bounds: filters elements of each position; rows × columns pixels of y, more than m not counting.</summary>
        static abstract void Output(T* m, int part, int filters, T* bias, TVector floor, T* y, int row, int rows, int columns);

        /// <summary>A ȳ Aᵀ of one tile, pixels beyond rows × columns being 0. Bounds: as Output.</summary>
        static abstract void Slopes(T* y, int row, int filters, int rows, int columns, T* parts, int part);

        /// <summary>Gᵀ m G for a vector of filters. Bounds: all positions, part elements apart; writes 9 vectors, as far apart.</summary>
        static abstract void Gather(T* m, nint part, T* to);
    }

    /// <summary>The tiles that save products for these windows, none where transforms cost more than they save.</summary>
    private WinogradTile TileOf(Geometry g)
    {
        bool fits = g.KernelHeight == 3 && g.KernelWidth == 3 && g.StrideY == 1 && g.StrideX == 1 && g.DilationY == 1 && g.DilationX == 1
            && g.Channels % 16 == 0 && g.OutChannels % 16 == 0 && g.Channels + g.OutChannels >= 64;
        return !fits || winograd == WinogradTile.None ? WinogradTile.None
            : winograd == WinogradTile.FourByFour && SavesProducts<FourByFour>(g) ? WinogradTile.FourByFour
            : SavesProducts<TwoByTwo>(g) ? WinogradTile.TwoByTwo
            : WinogradTile.None;
    }

    private static bool SavesProducts<TTile>(Geometry g) where TTile : ITile =>
        SavesProducts<TTile>(g.OutHeight, g.OutWidth) && SavesProducts<TTile>(g.Height, g.Width);

    // Its positions for a tile against 9 products for a pixel, where edges do not cut the tiles short.
    private static bool SavesProducts<TTile>(int height, int width) where TTile : ITile =>
        height > 3 && width > 3 && Positions<TTile>() * Tiles<TTile>(height) * Tiles<TTile>(width) * 3 < 9 * height * width * 2;

    private static int Positions<TTile>() where TTile : ITile => (TTile.Outputs + 2) * (TTile.Outputs + 2);

    /// <summary>Tiles along an axis.</summary>
    private static int Tiles<TTile>(int outputs) where TTile : ITile => (outputs + TTile.Outputs - 1) / TTile.Outputs;

    /// <summary>Tiles at a time, a multiple of the rows of the micro-kernel.</summary>
    private static int TilesAtOnce<TTile>(int tiles, int channels, int filters) where TTile : ITile
    {
        int most = Math.Clamp(TransformedBlock / (Positions<TTile>() * (channels + filters)) / TSimd.Rows, 1, 8) * TSimd.Rows;
        return Math.Min(tiles, most);
    }

    // U = G g Gᵀ, for each position a matrix of channels × filters in panels, or of filters × channels for rotated g.
    // Bounds: reads 9, writes (m + 2)² × channels × filters elements, both multiples of W.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackWinograd<TTile>(T* weights, int channels, int filters, bool adjoint, T* destination) where TTile : ITile
    {
        int width = TSimd.Width, size = channels * filters, positions = Positions<TTile>();
        if (!adjoint)
        {
            for (int f = 0; f < filters; f += width)
            {
                int first = f / PanelWidth * PanelWidth, panelWidth = WidthOfPanel(filters - first);
                T* to = destination + (nint)channels * first + f - first;
                for (int c = 0; c < channels; c++)
                {
                    TTile.Taps(weights + (nint)c * filters + f, size, to + (nint)c * panelWidth, size);
                }
            }

            return;
        }

        TVector* stack = stackalloc TVector[((positions + 1) * width) + 1];
        TVector* block = (TVector*)(((nuint)stack + (nuint)sizeof(TVector) - 1) & ~((nuint)sizeof(TVector) - 1));
        for (int c = 0; c < channels; c += width)
        {
            int first = c / PanelWidth * PanelWidth, panelWidth = WidthOfPanel(channels - first);
            T* to = destination + (nint)filters * first + c - first;
            for (int f = 0; f < filters; f += width)
            {
                for (int i = 0; i < width; i++)
                {
                    TTile.Taps(weights + 8 * size + (nint)(c + i) * filters + f, -size, (T*)(block + i), width * width);
                }

                for (int p = 0; p < positions; p++)
                {
                    TVector* transposed = Transpose(block + (p * width), block + (positions * width), width);
                    for (int i = 0; i < width; i++)
                    {
                        TSimd.Store(to + (nint)p * size + (nint)(f + i) * panelWidth, transposed[i]);
                    }
                }
            }
        }
    }

    // Bounds: images of input, output and bias as g says; u from PackWinograd of the same tile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CorrelateWinograd<TTile>(
        IWorkspace<T> workspace, in Windows g, T* x, int images, T* u, T* bias, Activation activation, T* y)
        where TTile : ITile
    {
        int channels = g.Channels, filters = g.OutChannels;
        int m = TTile.Outputs, positions = Positions<TTile>();
        int across = Tiles<TTile>(g.OutWidth), down = Tiles<TTile>(g.OutHeight), tiles = down * across;
        int frameRow = (m * across + 2) * channels, frameSize = (m * down + 2) * frameRow;
        int most = TilesAtOnce<TTile>(images * tiles, channels, filters);

        // A line more than the tiles, lest the parts fall into the same few lines of the first level of cache.
        int partIn = most * channels + 64 / sizeof(T), partOut = most * filters + 64 / sizeof(T);
        Memory<T> scratch = workspace.Scratch(frameSize + positions * (partIn + partOut));
        TVector floor = TSimd.Broadcast(activation.Kind == ActivationKind.ReLU ? T.Zero : T.NegativeInfinity);
        bool fused = activation.Kind is ActivationKind.ReLU or ActivationKind.Identity;
        fixed (T* frame = scratch.Span)
        {
            T* parts = frame + frameSize, products = parts + positions * partIn;
            int waiting = 0, first = 0;
            for (int n = 0; n < images; n++)
            {
                FrameAll(x + (nint)n * g.InputSize, g.Height, g.Width * channels, g.Top, g.Left * channels, frame, frameSize / frameRow, frameRow);
                for (int tile = 0; tile < tiles; tile++)
                {
                    TTile.Input(frame + m * (tile / across) * frameRow + m * (tile % across) * channels, channels, frameRow, parts + waiting * channels, partIn);
                    if (++waiting < most && (n < images - 1 || tile < tiles - 1))
                    {
                        continue;
                    }

                    MultiplyParts(positions, parts, partIn, channels, u, filters, products, partOut, waiting);
                    for (int t = 0; t < waiting; t++)
                    {
                        int done = first + t, image = done / tiles, at = done % tiles, i = at / across * m, j = at % across * m;
                        T* pixel = y + (nint)image * g.OutputSize + ((nint)i * g.OutWidth + j) * filters;
                        TTile.Output(
                            products + t * filters, partOut, filters, bias, floor, pixel, g.OutWidth * filters, g.OutHeight - i, g.OutWidth - j);
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

    // For each position a product of waiting × channels by channels × filters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyParts(
        int positions, T* parts, int partIn, int channels, T* u, int filters, T* products, int partOut, int waiting)
    {
        for (int p = 0; p < positions; p++)
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

    // Frame with rows of zeros above and below. Bounds: all of the frame is written.
    private static void FrameAll(T* source, int rows, int length, int top, int left, T* frame, int frameRows, int frameLength)
    {
        int from = Math.Clamp(top, 0, frameRows), to = Math.Clamp(top + rows, from, frameRows);
        new Span<T>(frame, from * frameLength).Clear();
        Frame(source + (nint)(from - top) * length, to - from, length, left, frame + (nint)from * frameLength, frameLength);
        new Span<T>(frame + (nint)to * frameLength, (frameRows - to) * frameLength).Clear();
    }
}
