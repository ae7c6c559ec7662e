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
        fixed (T* px = x, pw = packed, pb = bias, py = y)
        {
            if (IsProduct(geometry))
            {
                int rows = images * geometry.Height * geometry.Width;
                Product(workspace, px, rows, geometry.Channels, pw, geometry.OutChannels, pb, activation, py);
            }
            else
            {
                Windows windows = Windows.Of(geometry);
                Correlate(workspace, in windows, px, images, pw, pb, activation, py);
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
                        StrideK = 1,
                        StepsY = 1,
                        StepsX = 1,
                        Length = length,
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
        Memory<T> scratch = g.NeedsFrame ? workspace.Scratch(g.FrameSize) : default;
        fixed (T* frame = scratch.Span)
        {
            for (int n = 0; n < images; n++, x += g.InputSize)
            {
                T* picture = x;
                if (g.NeedsFrame)
                {
                    Frame(x, g.Height, g.Width, g.Channels, g.Top, g.Left, frame, g.FrameHeight, g.FrameWidth);
                    picture = frame;
                }

                Panel<T> panel = new()
                {
                    RowStride = g.StrideX * g.Channels,
                    StepsY = g.KernelHeight,
                    StrideY = g.DilationY * g.FrameRow,
                    StepsX = g.StepsX,
                    StrideX = g.DilationX * g.Channels,
                    StrideK = 1,
                    Length = g.Run,
                    StrideC = g.OutChannels,
                };
                for (int i = 0; i < g.OutHeight; i++, y += g.OutWidth * g.OutChannels)
                {
                    panel.A = picture + (nint)i * g.StrideY * g.FrameRow;
                    Panels(ref panel, b, g.Depth, 0, g.OutChannels, bias, y, g.OutWidth);
                    Activate(activation, y, y, g.OutWidth * g.OutChannels);
                }
            }
        }
    }

    /// <summary>The numbers of a correlation over framed pictures.</summary>
    private readonly struct Windows
    {
        public int Height { get; init; }

        public int Width { get; init; }

        public int Channels { get; init; }

        public int OutHeight { get; init; }

        public int OutWidth { get; init; }

        public int OutChannels { get; init; }

        public int KernelHeight { get; init; }

        public int KernelWidth { get; init; }

        public int StrideY { get; init; }

        public int StrideX { get; init; }

        public int DilationY { get; init; }

        public int DilationX { get; init; }

        /// <summary>Where the picture stands in its frame; negative numbers crop.</summary>
        public int Top { get; init; }

        public int Left { get; init; }

        /// <summary>What the windows read: not a pixel more.</summary>
        public int FrameHeight => (OutHeight - 1) * StrideY + (KernelHeight - 1) * DilationY + 1;

        public int FrameWidth => NeedsFrame ? (OutWidth - 1) * StrideX + (KernelWidth - 1) * DilationX + 1 : Width;

        public int FrameRow => FrameWidth * Channels;

        public int FrameSize => FrameHeight * FrameRow;

        public int InputSize => Height * Width * Channels;

        /// <summary>False where all windows lie inside the picture.</summary>
        public bool NeedsFrame => Top != 0 || Left != 0 || FrameHeight > Height
            || (OutWidth - 1) * StrideX + (KernelWidth - 1) * DilationX + 1 > Width;

        /// <summary>Taps of a row of the window that lie side by side: all of them where columns are not dilated.</summary>
        public int Run => DilationX == 1 ? KernelWidth * Channels : Channels;

        public int StepsX => DilationX == 1 ? 1 : KernelWidth;

        public int Depth => KernelHeight * KernelWidth * Channels;

        public static Windows Of(Geometry g) => new()
        {
            Height = g.Height,
            Width = g.Width,
            Channels = g.Channels,
            OutHeight = g.OutHeight,
            OutWidth = g.OutWidth,
            OutChannels = g.OutChannels,
            KernelHeight = g.KernelHeight,
            KernelWidth = g.KernelWidth,
            StrideY = g.StrideY,
            StrideX = g.StrideX,
            DilationY = g.DilationY,
            DilationX = g.DilationX,
            Top = g.PadTop,
            Left = g.PadLeft,
        };

        /// <summary>The correlation of ȳ with rotated weights that gives x̄ at stride 1 (SPEC section 3: p_δ = d·(k−1) − p).</summary>
        public static Windows Adjoint(Geometry g) => new()
        {
            Height = g.OutHeight,
            Width = g.OutWidth,
            Channels = g.OutChannels,
            OutHeight = g.Height,
            OutWidth = g.Width,
            OutChannels = g.Channels,
            KernelHeight = g.KernelHeight,
            KernelWidth = g.KernelWidth,
            StrideY = 1,
            StrideX = 1,
            DilationY = g.DilationY,
            DilationX = g.DilationX,
            Top = g.DilationY * (g.KernelHeight - 1) - g.PadTop,
            Left = g.DilationX * (g.KernelWidth - 1) - g.PadLeft,
        };
    }
}
