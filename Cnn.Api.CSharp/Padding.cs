using FSharpPadding = Cnn.FSharp.Padding;

namespace Cnn.Fluent;

/// <summary>What is put around a picture before a window slides over it (SPEC section 3).</summary>
/// <remarks>An immutable value; the default is <see cref="Valid"/>. A pooling window ignores padded cells.</remarks>
public readonly record struct Padding
{
    private readonly FSharpPadding? _padding;

    private Padding(FSharpPadding padding) => _padding = padding;

    /// <summary>Nothing: rows and columns that fill no window are dropped.</summary>
    public static Padding Valid => default;

    /// <summary>Output ⌈n/stride⌉, the odd cell after the picture.</summary>
    public static Padding Same => new(FSharpPadding.Same);

    /// <summary>dilation·(kernel−1) cells on each side.</summary>
    public static Padding Full => new(FSharpPadding.Full);

    /// <summary>Only after the picture, just so far that every cell falls into a window (Fossheim 2022, eq. 85).</summary>
    public static Padding Cover => new(FSharpPadding.Cover);

    /// <summary>Rows above and below, columns left and right.</summary>
    /// <param name="top">Rows above.</param>
    /// <param name="bottom">Rows below.</param>
    /// <param name="left">Columns at the left.</param>
    /// <param name="right">Columns at the right.</param>
    public static Padding Explicit(int top, int bottom, int left, int right) =>
        new(FSharpPadding.NewExplicit(top, bottom, left, right));

    internal FSharpPadding Value => _padding ?? FSharpPadding.Valid;

    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}
