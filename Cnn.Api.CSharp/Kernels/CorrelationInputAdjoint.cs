using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>x̄ = (· ⋆ w)ᵀ ȳ: adds ȳ[n,i,j,f]·w[u,v,c,f] to x̄[n, i·s+u·d−p, j·s+v·d−p, c].</summary>
/// <remarks>
/// At stride 1 that is the correlation of ȳ, framed by d·(k−1) − p zeros, with the rotated, transposed weights. It has
/// columns for the channels c only. Where they are few, or the stride is greater, only the rows of the window are treated
/// so: a row of x̄ is a product over (u, f), for the u that lead to a row of ȳ, with a row for each column j of ȳ and
/// columns (v, c); its runs of (v, c) are then added at j·s.
/// </remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CorrelateInputAdjoint(
        IWorkspace<T> workspace,
        Geometry geometry,
        ReadOnlySpan<T> dy,
        ReadOnlySpan<T> weights,
        ReadOnlySpan<T> packed,
        Span<T> dx)
    {
        int images = dy.Length / geometry.OutputSize;
        fixed (T* py = dy, pw = packed, px = dx)
        {
            if (IsProduct(geometry))
            {
                int rows = images * geometry.Height * geometry.Width;
                Product(workspace, py, rows, geometry.OutChannels, pw, geometry.Channels, null, default, px);
            }
            else if (Scatters(geometry))
            {
                Windows windows = Windows.Of(geometry);
                Scatter(workspace, in windows, py, images, pw, px);
            }
            else
            {
                Windows windows = Windows.Adjoint(geometry);
                switch (TileOf(geometry))
                {
                    case WinogradTile.TwoByTwo:
                        CorrelateWinograd<TwoByTwo>(workspace, in windows, py, images, pw, null, default, px);
                        break;
                    case WinogradTile.FourByFour:
                        CorrelateWinograd<FourByFour>(workspace, in windows, py, images, pw, null, default, px);
                        break;
                    default:
                        Correlate(workspace, in windows, py, images, pw, null, default, px);
                        break;
                }
            }
        }
    }

    private static bool Scatters(Geometry g) =>
        !IsProduct(g) && (g.StrideY > 1 || g.StrideX > 1 || 2 * g.Channels <= TSimd.Width);

    // Bounds: images of dx and dy as g says, B packed with depth KernelHeight × OutChannels.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scatter(IWorkspace<T> workspace, in Windows g, T* dy, int images, T* b, T* dx)
    {
        int columns = g.KernelWidth * g.Channels, stride = Padded(columns), filters = g.OutChannels;
        int width = g.Width * g.Channels, outWidth = g.OutWidth * filters;

        // Taps u and u + every lead to rows of outputs that are back apart, those between to none.
        int common = CommonDivisor(g.StrideY, g.DilationY);
        int every = g.StrideY / common, back = g.DilationY / common;
        Memory<T> scratch = workspace.Scratch(g.OutWidth * stride);
        fixed (T* products = scratch.Span)
        {
            for (int n = 0; n < images; n++, dy += g.OutputSize)
            {
                for (int y = 0; y < g.Height; y++, dx += width)
                {
                    new Span<T>(dx, width).Clear();
                    int u = 0;
                    while (u < every && (y + g.Top - u * g.DilationY) % g.StrideY != 0)
                    {
                        u++;
                    }

                    if (u >= Math.Min(every, g.KernelHeight))
                    {
                        continue;
                    }

                    int i = (y + g.Top - u * g.DilationY) / g.StrideY, taps = (g.KernelHeight - 1 - u) / every + 1;
                    (int from, int to) = Windows.Inside(g.OutHeight - 1 - i, back, taps, g.OutHeight);
                    if (from < to)
                    {
                        Panel<T> panel = new()
                        {
                            A = dy + (nint)(i - from * back) * outWidth,
                            RowStride = filters,
                            Y = new Loop(to - from, -(nint)back * outWidth, every * filters),
                            X = Loop.Once,
                            K = new Loop(filters, 1, 1),
                            StrideC = stride,
                        };
                        Panels(ref panel, b, g.KernelHeight * filters, (u + from * every) * filters, columns, null, products, g.OutWidth);
                        AddRuns(in g, products, stride, dx);
                    }
                }
            }
        }
    }

    private static int CommonDivisor(int a, int b) => b == 0 ? a : CommonDivisor(b, a % b);

    // Adds a row of runs to a row of the picture. Runs of neighbours overlap, and a sum that was just stored in parts
    // cannot be loaded at once: so first every apart-th, then the ones next to them. Bounds: OutWidth products at the
    // given stride; the row, to which runs are clipped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRuns(in Windows g, T* products, int stride, T* row)
    {
        int taps = g.Run, run = taps * g.Channels, width = g.Width * g.Channels, step = g.StrideX * g.Channels;
        int apart = (taps + g.StrideX - 1) / g.StrideX, outputs = g.OutWidth;
        for (int v = 0; v < g.KernelWidth; v += taps)
        {
            int first = (v * g.DilationX - g.Left) * g.Channels;
            for (int phase = 0; phase < apart; phase++)
            {
                for (int k = 0; k < run; k += TSimd.Width)
                {
                    int count = Math.Min(run - k, TSimd.Width);
                    for (int j = phase; j < outputs; j += apart)
                    {
                        int at = first + k + j * step;
                        T* source = products + (nint)j * stride + v * g.Channels + k, target = row + at;
                        if (at >= 0 && at + count <= width)
                        {
                            Put(target, TSimd.Add(Some(target, count), Some(source, count)), count);
                            continue;
                        }

                        for (int e = Math.Max(0, -at); e < Math.Min(count, width - at); e++)
                        {
                            target[e] += source[e];
                        }
                    }
                }
            }
        }
    }
}
