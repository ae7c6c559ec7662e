namespace Cnn.Fluent.Kernels;

/// <summary>The numbers of a correlation: those of a geometry, or of the correlation that is its adjoint.</summary>
/// <remarks>
/// Output (i, j) reads rows i·StrideY + u·DilationY − Top and columns j·StrideX + v·DilationX − Left. Taps on rows above
/// or below the image are left out. Columns are clipped likewise, or the image is copied into a frame of zeros, so
/// that the taps of a row of the window lie side by side.
/// </remarks>
internal readonly record struct Windows(
    int Height,
    int Width,
    int Channels,
    int OutHeight,
    int OutWidth,
    int OutChannels,
    int KernelHeight,
    int KernelWidth,
    int StrideY,
    int StrideX,
    int DilationY,
    int DilationX,
    int Top,
    int Left)
{
    /// <summary>Elements of an input image.</summary>
    public int InputSize => Height * Width * Channels;

    /// <summary>Elements of an output image.</summary>
    public int OutputSize => OutHeight * OutWidth * OutChannels;

    /// <summary>Products in a sum, padding included.</summary>
    public int Depth => KernelHeight * KernelWidth * Channels;

    /// <summary>Columns from the first to the last that a window reads.</summary>
    public int FrameWidth => (OutWidth - 1) * StrideX + (KernelWidth - 1) * DilationX + 1;

    /// <summary>Elements of a framed image.</summary>
    public int FrameSize => NeedsFrame ? Height * FrameWidth * Channels : 0;

    /// <summary>False where all columns lie inside the image.</summary>
    public bool NeedsFrame => Left != 0 || FrameWidth > Width;

    /// <summary>The same windows over framed images.</summary>
    public Windows Framed => this with { Width = FrameWidth, Left = 0 };

    /// <summary>Taps of a row of the window that lie side by side: all where columns are not dilated.</summary>
    public int Run => DilationX == 1 ? KernelWidth : 1;

    /// <summary>The windows of a geometry.</summary>
    public static Windows Of(Geometry g) => new(
        g.Height,
        g.Width,
        g.Channels,
        g.OutHeight,
        g.OutWidth,
        g.OutChannels,
        g.KernelHeight,
        g.KernelWidth,
        g.StrideY,
        g.StrideX,
        g.DilationY,
        g.DilationX,
        g.PadTop,
        g.PadLeft);

    /// <summary>The correlation of ȳ with rotated weights that gives x̄ at stride 1 (SPEC section 3: p_δ = d·(k−1) − p).</summary>
    public static Windows Adjoint(Geometry g) => new(
        g.OutHeight,
        g.OutWidth,
        g.OutChannels,
        g.Height,
        g.Width,
        g.Channels,
        g.KernelHeight,
        g.KernelWidth,
        1,
        1,
        g.DilationY,
        g.DilationX,
        g.DilationY * (g.KernelHeight - 1) - g.PadTop,
        g.DilationX * (g.KernelWidth - 1) - g.PadLeft);

    /// <summary>The k in 0 … count − 1 with 0 ≤ at + k·step &lt; size.</summary>
    public static (int From, int To) Inside(int at, int step, int count, int size)
    {
        int from = at >= 0 ? 0 : Math.Min((step - 1 - at) / step, count);
        int to = at >= size ? from : Math.Min((size - 1 - at) / step + 1, count);
        return (from, Math.Max(from, to));
    }
}
