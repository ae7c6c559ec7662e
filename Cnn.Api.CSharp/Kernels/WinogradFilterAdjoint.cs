using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>The filter adjoint of F(m×m, 3×3): w̄ = Gᵀ[Σ_tiles (Bᵀ d B) ∘ (A ȳ Aᵀ)]G, the transpose of the forward formula.</summary>
/// <remarks>Each position is a matrix product C × tiles by tiles × F; sums run over tiles in order.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Bounds: images of input and output as g says; dw holds 9 × channels × filters elements, both multiples of W.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FilterAdjointWinograd<TTile>(IWorkspace<T> workspace, in Windows g, T* x, T* dy, int images, T* dw)
        where TTile : ITile
    {
        int channels = g.Channels, filters = g.OutChannels, size = channels * filters;
        int m = TTile.Outputs, positions = Positions<TTile>();
        int across = Tiles<TTile>(g.OutWidth), down = Tiles<TTile>(g.OutHeight), tiles = down * across;
        int frameRow = (m * across + 2) * channels, frameSize = (m * down + 2) * frameRow;
        int most = TilesAtOnce<TTile>(images * tiles, channels, filters);
        int partIn = most * channels + 64 / sizeof(T), partOut = most * filters + 64 / sizeof(T);
        Memory<T> scratch = workspace.Scratch(frameSize + positions * (partIn + partOut + size));
        fixed (T* frame = scratch.Span)
        {
            T* parts = frame + frameSize, slopes = parts + positions * partIn, sums = slopes + positions * partOut;
            int waiting = 0;
            bool continues = false;
            for (int n = 0; n < images; n++)
            {
                FrameAll(x + (nint)n * g.InputSize, g.Height, g.Width * channels, g.Top, g.Left * channels, frame, frameSize / frameRow, frameRow);
                for (int tile = 0; tile < tiles; tile++)
                {
                    int i = tile / across * m, j = tile % across * m;
                    T* pixel = dy + (nint)n * g.OutputSize + ((nint)i * g.OutWidth + j) * filters;
                    TTile.Input(frame + i * frameRow + j * channels, channels, frameRow, parts + waiting * channels, partIn);
                    TTile.Slopes(pixel, g.OutWidth * filters, filters, g.OutHeight - i, g.OutWidth - j, slopes + waiting * filters, partOut);
                    if (++waiting == most || (n == images - 1 && tile == tiles - 1))
                    {
                        AddParts(positions, parts, partIn, channels, slopes, partOut, filters, waiting, sums, continues);
                        continues = true;
                        waiting = 0;
                    }
                }
            }

            for (int k = 0; k < size; k += TSimd.Width)
            {
                TTile.Gather(sums + k, size, dw + k);
            }
        }
    }

    // For each position a product of channels × waiting by waiting × filters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddParts(
        int positions, T* parts, int partIn, int channels, T* slopes, int partOut, int filters, int waiting, T* sums, bool continues)
    {
        for (int p = 0; p < positions; p++)
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
}
