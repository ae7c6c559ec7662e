using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>z[n,i,j,f] = b[f] + Σ_{u,v,c} w[u,v,c,f]·x̃[n, i·s+u·d, j·s+v·d, c], y = φ(z).</summary>
/// <remarks>
/// For a row u of the window the (v, c) of one output lie side by side in x̃, the picture framed by zeros, and those of
/// the next output s·C further: a row of outputs is a matrix product of k_h steps of length k_w·C whose rows of A
/// overlap. Nothing is copied but the frame. A 1×1 window is one product over all pixels of all pictures.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    // Rows of A × 512 columns and a panel of 512 × 2 vectors stay in the second level of cache.
    private const int ProductDepth = 512;

    // Outputs in a row up to which images are the rows of a tile.
    private const int NarrowImage = 3;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Correlate(
        IWorkspace<T> workspace,
        Geometry geometry,
        ReadOnlySpan<T> x,
        ReadOnlySpan<T> weights,
        ReadOnlySpan<T> packed,
        ReadOnlySpan<T> bias,
        Activation activation,
        Span<T> y)
    {
        int images = x.Length / geometry.InputSize;
        fixed (T* px = x, w = weights, pw = packed, pb = bias, py = y)
        {
            if (IsProduct(geometry))
            {
                int rows = images * geometry.Height * geometry.Width;
                Product(workspace, px, rows, geometry.Channels, pw, geometry.OutChannels, pb, activation, py);
            }
            else
            {
                Windows windows = Windows.Of(geometry);
                if (RunsAlongPixels(geometry))
                {
                    CorrelateAlongPixels(workspace, in windows, px, images, w, pb, activation, py);
                }
                else
                {
                    switch (TileOf(geometry))
                    {
                        case WinogradTile.TwoByTwo:
                            CorrelateWinograd<TwoByTwo>(workspace, in windows, px, images, pw, pb, activation, py);
                            break;
                        case WinogradTile.FourByFour:
                            CorrelateWinograd<FourByFour>(workspace, in windows, px, images, pw, pb, activation, py);
                            break;
                        default:
                            Correlate(workspace, in windows, px, images, pw, pb, activation, py);
                            break;
                    }
                }
            }
        }
    }

    /// <summary>True for the windows that are a matrix product over pixels.</summary>
    private static bool IsProduct(Geometry g) =>
        g.KernelHeight == 1 && g.KernelWidth == 1 && g.StrideY == 1 && g.StrideX == 1
        && g.PadTop == 0 && g.PadLeft == 0 && g.OutHeight == g.Height && g.OutWidth == g.Width;

    // C = φ(b + A·B). Bounds: A is rows × depth, C rows × columns, B packed, b of columns elements or null.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Product(
        IWorkspace<T> workspace, T* a, int rows, int depth, T* b, int columns, T* bias, Activation activation, T* c)
    {
        int block = 8 * TSimd.Rows;

        // Rows at a multiple of a page's distance would fall into the same few lines of the first level of cache.
        bool copies = (nint)depth * sizeof(T) % 4096 == 0 && rows > 4;
        int copyStride = ProductDepth + 64 / sizeof(T);
        Memory<T> scratch = copies ? workspace.Scratch(Math.Min(block, rows) * copyStride) : default;
        fixed (T* copy = scratch.Span)
        {
            for (int row = 0; row < rows; row += block)
            {
                int height = Math.Min(block, rows - row);
                for (int k = 0; k < depth; k += ProductDepth)
                {
                    int length = Math.Min(ProductDepth, depth - k);
                    T* from = a + (nint)row * depth + k;
                    if (copies)
                    {
                        for (int r = 0; r < height; r++)
                        {
                            new ReadOnlySpan<T>(from + (nint)r * depth, length).CopyTo(new Span<T>(copy + r * copyStride, length));
                        }
                    }

                    Panel<T> panel = new()
                    {
                        A = copies ? copy : from,
                        RowStride = copies ? copyStride : depth,
                        Y = Loop.Once,
                        X = Loop.Once,
                        K = new Loop(length, 1, 1),
                        StrideC = columns,
                        Continues = k > 0,
                    };
                    Panels(ref panel, b, depth, k, columns, bias, c + (nint)row * columns, height);
                }

                Activate(activation, c + (nint)row * columns, c + (nint)row * columns, height * columns);
            }
        }
    }

    // Runs the micro-kernel on each panel of B. Bounds: B is packed with the given depth, C has rows × columns elements at StrideC.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panels(ref Panel<T> panel, T* b, int depth, int k, int columns, T* bias, T* c, int rows)
    {
        for (int first = 0; first < columns; first += PanelWidth)
        {
            int width = WidthOfPanel(columns - first);
            panel.B = b + (nint)depth * first + (nint)k * width;
            panel.StrideB = width;
            panel.Columns = Math.Min(width, columns - first);
            panel.Bias = bias == null ? null : bias + first;
            panel.C = c + first;
            Gemm<T, TVector, TSimd>.Run(in panel, rows);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Correlate(IWorkspace<T> workspace, in Windows g, T* x, int images, T* b, T* bias, Activation activation, T* y)
    {
        if (g.OutWidth <= NarrowImage)
        {
            CorrelateNarrow(in g, x, images, b, bias, y);
            Activate(activation, y, y, images * g.OutputSize);
            return;
        }

        Windows framed = g.Framed;
        Memory<T> scratch = g.NeedsFrame ? workspace.Scratch(g.FrameSize) : default;
        fixed (T* frame = scratch.Span)
        {
            for (int n = 0; n < images; n++, x += g.InputSize, y += g.OutputSize)
            {
                if (g.NeedsFrame)
                {
                    Frame(x, g.Height, g.Width * g.Channels, g.Left * g.Channels, frame, g.FrameWidth * g.Channels);
                    CorrelateRows(in framed, frame, b, bias, activation, y);
                }
                else
                {
                    CorrelateRows(in g, x, b, bias, activation, y);
                }
            }
        }
    }

    // One image, row by row of outputs. Bounds: x holds Height rows in which all columns of all windows lie.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CorrelateRows(in Windows g, T* x, T* b, T* bias, Activation activation, T* y)
    {
        int row = g.Width * g.Channels, taps = g.KernelWidth * g.Channels;
        for (int i = 0; i < g.OutHeight; i++, y += g.OutWidth * g.OutChannels)
        {
            int at = i * g.StrideY - g.Top;
            (int from, int to) = Windows.Inside(at, g.DilationY, g.KernelHeight, g.Height);
            Panel<T> panel = new()
            {
                A = x + (nint)(at + from * g.DilationY) * row,
                RowStride = g.StrideX * g.Channels,
                Y = new Loop(to - from, g.DilationY * row, taps),
                X = new Loop(g.KernelWidth / g.Run, g.DilationX * g.Channels, g.Channels),
                K = new Loop(g.Run * g.Channels, 1, 1),
                StrideC = g.OutChannels,
            };
            Panels(ref panel, b, g.Depth, from * taps, g.OutChannels, bias, y, g.OutWidth);
            Activate(activation, y, y, g.OutWidth * g.OutChannels);
        }
    }

    // Rows of a few outputs would not fill a tile: here its rows are the images, and a pixel comes after the other.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CorrelateNarrow(in Windows g, T* x, int images, T* b, T* bias, T* y)
    {
        int row = g.Width * g.Channels, taps = g.KernelWidth * g.Channels;
        for (int i = 0; i < g.OutHeight; i++)
        {
            int atY = i * g.StrideY - g.Top;
            (int top, int bottom) = Windows.Inside(atY, g.DilationY, g.KernelHeight, g.Height);
            for (int j = 0; j < g.OutWidth; j++)
            {
                int atX = j * g.StrideX - g.Left;
                (int left, int right) = Windows.Inside(atX, g.DilationX, g.KernelWidth, g.Width);
                int columns = right - left, run = g.DilationX == 1 ? columns : 1;
                Panel<T> panel = new()
                {
                    A = x + (nint)(atY + top * g.DilationY) * row + (nint)(atX + left * g.DilationX) * g.Channels,
                    RowStride = g.InputSize,
                    Y = new Loop(bottom - top, g.DilationY * row, taps),
                    X = new Loop(run == 0 ? 0 : columns / run, g.DilationX * g.Channels, g.Channels),
                    K = new Loop(run * g.Channels, 1, 1),
                    StrideC = g.OutputSize,
                };
                T* pixel = y + (i * g.OutWidth + j) * g.OutChannels;
                Panels(ref panel, b, g.Depth, (top * g.KernelWidth + left) * g.Channels, g.OutChannels, bias, pixel, images);
            }
        }
    }
}
