using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cnn.Fluent.Kernels;

/// <summary>x̄ = (· ⋆ w)ᵀ ȳ: adds ȳ[n,i,j,f]·w[u,v,c,f] to x̄[n, i·s+u·d−p, j·s+v·d−p, c].</summary>
/// <remarks>
/// At stride 1 that is the correlation of ȳ, framed by d·(k−1) − p zeros, with the rotated, transposed weights. It has
/// columns for the channels c only; where they are few, or the stride is greater, a row of outputs is multiplied by the
/// transposed weights instead, with columns (u, v, c), and each product's runs of (v, c) are added to x̄.
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
                dx.Clear();
                Windows windows = Windows.Of(geometry);
                Scatter(workspace, in windows, py, images, pw, px);
            }
            else
            {
                Windows windows = Windows.Adjoint(geometry);
                if (UsesWinograd(geometry))
                {
                    CorrelateWinograd(workspace, in windows, py, images, pw, null, default, px);
                }
                else
                {
                    Correlate(workspace, in windows, py, images, pw, null, default, px);
                }
            }
        }
    }

    private static bool Scatters(Geometry g) =>
        !IsProduct(g) && (g.StrideY > 1 || g.StrideX > 1 || 2 * g.Channels <= TSimd.Width);

    // Bounds: dx is images × InputSize zeros, dy images × output, B packed with depth OutChannels.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scatter(IWorkspace<T> workspace, in Windows g, T* dy, int images, T* b, T* dx)
    {
        int columns = g.Depth, stride = Padded(columns);
        Memory<T> scratch = workspace.Scratch(g.OutWidth * stride);
        fixed (T* products = scratch.Span)
        {
            for (int n = 0; n < images; n++, dx += g.InputSize)
            {
                for (int i = 0; i < g.OutHeight; i++, dy += g.OutWidth * g.OutChannels)
                {
                    Panel<T> panel = new()
                    {
                        A = dy,
                        RowStride = g.OutChannels,
                        Y = Loop.Once,
                        X = Loop.Once,
                        K = new Loop(g.OutChannels, 1, 1),
                        StrideC = stride,
                    };
                    Panels(ref panel, b, g.OutChannels, 0, columns, null, products, g.OutWidth);
                    AddRuns(in g, i, products, stride, dx);
                }
            }
        }
    }

    // Adds the runs of one row of outputs to the picture. Runs of neighbours overlap, and a sum that was just stored in
    // parts cannot be loaded at once: so first every apart-th of all rows of the window, then the ones next to them.
    // Bounds: OutWidth products at the given stride; the picture, to which runs are clipped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRuns(in Windows g, int i, T* products, int stride, T* dx)
    {
        int taps = g.Run, run = taps * g.Channels, width = g.Width * g.Channels, step = g.StrideX * g.Channels;
        int apart = (taps + g.StrideX - 1) / g.StrideX;
        (int top, int bottom) = Windows.Inside(i * g.StrideY - g.Top, g.DilationY, g.KernelHeight, g.Height);
        for (int phase = 0; phase < apart; phase++)
        {
            for (int u = top; u < bottom; u++)
            {
                T* row = dx + (nint)(i * g.StrideY + u * g.DilationY - g.Top) * width;
                for (int v = 0; v < g.KernelWidth; v += taps)
                {
                    T* runs = products + (u * g.KernelWidth + v) * g.Channels;
                    int at = (v * g.DilationX - g.Left) * g.Channels;
                    for (int j = phase; j < g.OutWidth; j += apart)
                    {
                        int from = Math.Max(0, -at - j * step), to = Math.Min(run, width - at - j * step);
                        T* source = runs + (nint)j * stride, target = row + at + j * step;
                        for (int k = from; k < to; k += TSimd.Width)
                        {
                            int count = Math.Min(to - k, TSimd.Width);
                            Put(target + k, TSimd.Add(Some(target + k, count), Some(source + k, count)), count);
                        }
                    }
                }
            }
        }
    }
}
