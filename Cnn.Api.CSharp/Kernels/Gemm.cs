using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cnn.Fluent.Kernels;

/// <summary>A loop of the sum over k: how often, and how far from one turn to the next.</summary>
/// <param name="Count">Turns.</param>
/// <param name="A">Elements of A.</param>
/// <param name="B">Rows of B.</param>
internal readonly record struct Loop(int Count, nint A, nint B)
{
    /// <summary>A single turn.</summary>
    public static Loop Once => new(1, 0, 0);
}

/// <summary>The operands of C = bias + A·B for one panel of B: at most two vectors of columns.</summary>
/// <remarks>
/// k = (y, x, l) runs over three nested loops, Y outermost: A[m, k] stands at A + m·RowStride + y·Y.A + x·X.A + l·K.A,
/// row k of B, in whole vectors, at B + (y·Y.B + x·X.B + l·K.B)·StrideB. That covers a matrix product (one loop), the
/// overlapping windows of an image (a loop for the rows of the window), and sums over pixels.
/// </remarks>
internal unsafe struct Panel<T>
    where T : unmanaged
{
    public T* A;
    public nint RowStride;
    public Loop Y, X, K;
    public T* B;
    public nint StrideB;
    public T* C;
    public nint StrideC;

    /// <summary>Columns of C, at most two vectors.</summary>
    public int Columns;

    /// <summary>What the columns start from, or null for zeros.</summary>
    public T* Bias;

    /// <summary>Starts from what stands in C instead: the sum goes on as if it had never been cut.</summary>
    public bool Continues;

    /// <summary>Makes a longer loop the innermost where that has one turn; the order of the sum stays.</summary>
    public void Collapse()
    {
        for (int i = 0; i < 2 && K.Count == 1; i++)
        {
            (K, X, Y) = (X, Y, Loop.Once);
        }
    }
}

/// <summary>C = A·B on tiles that stay in registers while k runs.</summary>
/// <remarks>
/// One tile is 14 rows × 2 vectors where there are 32 registers (28 sums, 2 vectors of B, 1 element of A), 6 × 2 where
/// there are 16. Each sum runs over k in order, one addend after the other, so that an element of C does not depend on
/// the tile it falls into. Rows are read where they lie; B comes in panels of two vectors.
/// </remarks>
internal static unsafe class Gemm<T, TVector, TSimd>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TVector : unmanaged
    where TSimd : ISimd<TVector, T>
{
    /// <summary>Computes the given number of rows of C in tiles of nearly equal height.</summary>
    /// <remarks>Reads rows × k elements of A, k × one or two vectors of B; writes rows × Columns elements of C.</remarks>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Panel<T> panel, int rows)
    {
        int tiles = (rows + TSimd.Rows - 1) / TSimd.Rows;
        if (tiles == 0)
        {
            return;
        }

        // Where the last vector of a row of C is cut, tiles go by way of a buffer: then the tile knows whole vectors only.
        bool isCut = panel.Columns % TSimd.Width != 0;
        T* buffer = stackalloc T[isCut ? TSimd.Rows * 2 * TSimd.Width : 0];
        int height = rows / tiles, taller = rows - tiles * height;
        if (taller > 0)
        {
            Dispatch(in panel, 0, height + 1, taller, buffer, isCut);
        }

        Dispatch(in panel, taller * (height + 1), height, tiles - taller, buffer, isCut);
    }

    private static void Dispatch(in Panel<T> panel, int row, int height, int tiles, T* buffer, bool isCut)
    {
        if (panel.Columns > TSimd.Width)
        {
            switch (height)
            {
                case 1: Tiles<C1, C2>(in panel, row, tiles, buffer, isCut); break;
                case 2: Tiles<C2, C2>(in panel, row, tiles, buffer, isCut); break;
                case 3: Tiles<C3, C2>(in panel, row, tiles, buffer, isCut); break;
                case 4: Tiles<C4, C2>(in panel, row, tiles, buffer, isCut); break;
                case 5: Tiles<C5, C2>(in panel, row, tiles, buffer, isCut); break;
                case 6: Tiles<C6, C2>(in panel, row, tiles, buffer, isCut); break;
                case 7: Tiles<C7, C2>(in panel, row, tiles, buffer, isCut); break;
                case 8: Tiles<C8, C2>(in panel, row, tiles, buffer, isCut); break;
                case 9: Tiles<C9, C2>(in panel, row, tiles, buffer, isCut); break;
                case 10: Tiles<C10, C2>(in panel, row, tiles, buffer, isCut); break;
                case 11: Tiles<C11, C2>(in panel, row, tiles, buffer, isCut); break;
                case 12: Tiles<C12, C2>(in panel, row, tiles, buffer, isCut); break;
                case 13: Tiles<C13, C2>(in panel, row, tiles, buffer, isCut); break;
                case 14: Tiles<C14, C2>(in panel, row, tiles, buffer, isCut); break;
            }
        }
        else
        {
            switch (height)
            {
                case 1: Tiles<C1, C1>(in panel, row, tiles, buffer, isCut); break;
                case 2: Tiles<C2, C1>(in panel, row, tiles, buffer, isCut); break;
                case 3: Tiles<C3, C1>(in panel, row, tiles, buffer, isCut); break;
                case 4: Tiles<C4, C1>(in panel, row, tiles, buffer, isCut); break;
                case 5: Tiles<C5, C1>(in panel, row, tiles, buffer, isCut); break;
                case 6: Tiles<C6, C1>(in panel, row, tiles, buffer, isCut); break;
                case 7: Tiles<C7, C1>(in panel, row, tiles, buffer, isCut); break;
                case 8: Tiles<C8, C1>(in panel, row, tiles, buffer, isCut); break;
                case 9: Tiles<C9, C1>(in panel, row, tiles, buffer, isCut); break;
                case 10: Tiles<C10, C1>(in panel, row, tiles, buffer, isCut); break;
                case 11: Tiles<C11, C1>(in panel, row, tiles, buffer, isCut); break;
                case 12: Tiles<C12, C1>(in panel, row, tiles, buffer, isCut); break;
                case 13: Tiles<C13, C1>(in panel, row, tiles, buffer, isCut); break;
                case 14: Tiles<C14, C1>(in panel, row, tiles, buffer, isCut); break;
            }
        }
    }

    // Bounds: rows row … row + tiles·TRows − 1 of A and C, as the panel describes them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles<TRows, TColumns>(in Panel<T> p, int row, int tiles, T* buffer, bool isCut)
        where TRows : unmanaged
        where TColumns : unmanaged
    {
        nint s = p.RowStride;
        T* a = p.A + row * s;
        T* c = p.C + row * p.StrideC;
        nint stepC = isCut ? 2 * TSimd.Width : p.StrideC;

        for (; tiles > 0; tiles--, a += sizeof(TRows) * s, c += sizeof(TRows) * p.StrideC)
        {
            TVector c0 = default, d0 = default;
            TVector c1 = default, d1 = default;
            TVector c2 = default, d2 = default;
            TVector c3 = default, d3 = default;
            TVector c4 = default, d4 = default;
            TVector c5 = default, d5 = default;
            TVector c6 = default, d6 = default;
            TVector c7 = default, d7 = default;
            TVector c8 = default, d8 = default;
            TVector c9 = default, d9 = default;
            TVector c10 = default, d10 = default;
            TVector c11 = default, d11 = default;
            TVector c12 = default, d12 = default;
            TVector c13 = default, d13 = default;
            T* start = isCut ? buffer : c, z = start;
            if (p.Continues)
            {
                if (isCut) CopyIn(c, p.StrideC, buffer, p.Columns, sizeof(TRows));
                if (sizeof(TRows) > 0) { c0 = TSimd.Load(z); if (sizeof(TColumns) > 1) d0 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 1) { c1 = TSimd.Load(z); if (sizeof(TColumns) > 1) d1 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 2) { c2 = TSimd.Load(z); if (sizeof(TColumns) > 1) d2 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 3) { c3 = TSimd.Load(z); if (sizeof(TColumns) > 1) d3 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 4) { c4 = TSimd.Load(z); if (sizeof(TColumns) > 1) d4 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 5) { c5 = TSimd.Load(z); if (sizeof(TColumns) > 1) d5 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 6) { c6 = TSimd.Load(z); if (sizeof(TColumns) > 1) d6 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 7) { c7 = TSimd.Load(z); if (sizeof(TColumns) > 1) d7 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 8) { c8 = TSimd.Load(z); if (sizeof(TColumns) > 1) d8 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 9) { c9 = TSimd.Load(z); if (sizeof(TColumns) > 1) d9 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 10) { c10 = TSimd.Load(z); if (sizeof(TColumns) > 1) d10 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 11) { c11 = TSimd.Load(z); if (sizeof(TColumns) > 1) d11 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 12) { c12 = TSimd.Load(z); if (sizeof(TColumns) > 1) d12 = TSimd.Load(z + TSimd.Width); z += stepC; }
                if (sizeof(TRows) > 13) { c13 = TSimd.Load(z); if (sizeof(TColumns) > 1) d13 = TSimd.Load(z + TSimd.Width); z += stepC; }
            }
            else if (p.Bias != null)
            {
                T* bias = p.Bias;
                if (isCut) { CopyIn(bias, 0, buffer, p.Columns, 1); bias = buffer; }
                c0 = TSimd.Load(bias);
                if (sizeof(TColumns) > 1) d0 = TSimd.Load(bias + TSimd.Width);
                if (sizeof(TRows) > 1) { c1 = c0; d1 = d0; }
                if (sizeof(TRows) > 2) { c2 = c0; d2 = d0; }
                if (sizeof(TRows) > 3) { c3 = c0; d3 = d0; }
                if (sizeof(TRows) > 4) { c4 = c0; d4 = d0; }
                if (sizeof(TRows) > 5) { c5 = c0; d5 = d0; }
                if (sizeof(TRows) > 6) { c6 = c0; d6 = d0; }
                if (sizeof(TRows) > 7) { c7 = c0; d7 = d0; }
                if (sizeof(TRows) > 8) { c8 = c0; d8 = d0; }
                if (sizeof(TRows) > 9) { c9 = c0; d9 = d0; }
                if (sizeof(TRows) > 10) { c10 = c0; d10 = d0; }
                if (sizeof(TRows) > 11) { c11 = c0; d11 = d0; }
                if (sizeof(TRows) > 12) { c12 = c0; d12 = d0; }
                if (sizeof(TRows) > 13) { c13 = c0; d13 = d0; }
            }

            nint stepB = p.K.B * p.StrideB, stepA = p.K.A;
            for (int y = 0; y < p.Y.Count; y++)
            {
                for (int x = 0; x < p.X.Count; x++)
                {
                    T* b = p.B + (y * p.Y.B + x * p.X.B) * p.StrideB;
                    T* a0 = a + y * p.Y.A + x * p.X.A;
                    T* a3 = a0 + 3 * s, a6 = a3 + 3 * s, a9 = a6 + 3 * s, a12 = a9 + 3 * s;
                    nint s2 = 2 * s;
                    for (int k = p.K.Count; k > 0; k--)
                    {
                        TVector b0 = TSimd.Load(b), b1 = sizeof(TColumns) > 1 ? TSimd.Load(b + TSimd.Width) : default, e;
                        b += stepB;
                        if (sizeof(TRows) > 0) { e = TSimd.Broadcast(*(a0)); c0 = TSimd.MultiplyAdd(e, b0, c0); if (sizeof(TColumns) > 1) d0 = TSimd.MultiplyAdd(e, b1, d0); }
                        if (sizeof(TRows) > 1) { e = TSimd.Broadcast(*(a0 + s)); c1 = TSimd.MultiplyAdd(e, b0, c1); if (sizeof(TColumns) > 1) d1 = TSimd.MultiplyAdd(e, b1, d1); }
                        if (sizeof(TRows) > 2) { e = TSimd.Broadcast(*(a0 + s2)); c2 = TSimd.MultiplyAdd(e, b0, c2); if (sizeof(TColumns) > 1) d2 = TSimd.MultiplyAdd(e, b1, d2); }
                        if (sizeof(TRows) > 3) { e = TSimd.Broadcast(*(a3)); c3 = TSimd.MultiplyAdd(e, b0, c3); if (sizeof(TColumns) > 1) d3 = TSimd.MultiplyAdd(e, b1, d3); }
                        if (sizeof(TRows) > 4) { e = TSimd.Broadcast(*(a3 + s)); c4 = TSimd.MultiplyAdd(e, b0, c4); if (sizeof(TColumns) > 1) d4 = TSimd.MultiplyAdd(e, b1, d4); }
                        if (sizeof(TRows) > 5) { e = TSimd.Broadcast(*(a3 + s2)); c5 = TSimd.MultiplyAdd(e, b0, c5); if (sizeof(TColumns) > 1) d5 = TSimd.MultiplyAdd(e, b1, d5); }
                        if (sizeof(TRows) > 6) { e = TSimd.Broadcast(*(a6)); c6 = TSimd.MultiplyAdd(e, b0, c6); if (sizeof(TColumns) > 1) d6 = TSimd.MultiplyAdd(e, b1, d6); }
                        if (sizeof(TRows) > 7) { e = TSimd.Broadcast(*(a6 + s)); c7 = TSimd.MultiplyAdd(e, b0, c7); if (sizeof(TColumns) > 1) d7 = TSimd.MultiplyAdd(e, b1, d7); }
                        if (sizeof(TRows) > 8) { e = TSimd.Broadcast(*(a6 + s2)); c8 = TSimd.MultiplyAdd(e, b0, c8); if (sizeof(TColumns) > 1) d8 = TSimd.MultiplyAdd(e, b1, d8); }
                        if (sizeof(TRows) > 9) { e = TSimd.Broadcast(*(a9)); c9 = TSimd.MultiplyAdd(e, b0, c9); if (sizeof(TColumns) > 1) d9 = TSimd.MultiplyAdd(e, b1, d9); }
                        if (sizeof(TRows) > 10) { e = TSimd.Broadcast(*(a9 + s)); c10 = TSimd.MultiplyAdd(e, b0, c10); if (sizeof(TColumns) > 1) d10 = TSimd.MultiplyAdd(e, b1, d10); }
                        if (sizeof(TRows) > 11) { e = TSimd.Broadcast(*(a9 + s2)); c11 = TSimd.MultiplyAdd(e, b0, c11); if (sizeof(TColumns) > 1) d11 = TSimd.MultiplyAdd(e, b1, d11); }
                        if (sizeof(TRows) > 12) { e = TSimd.Broadcast(*(a12)); c12 = TSimd.MultiplyAdd(e, b0, c12); if (sizeof(TColumns) > 1) d12 = TSimd.MultiplyAdd(e, b1, d12); }
                        if (sizeof(TRows) > 13) { e = TSimd.Broadcast(*(a12 + s)); c13 = TSimd.MultiplyAdd(e, b0, c13); if (sizeof(TColumns) > 1) d13 = TSimd.MultiplyAdd(e, b1, d13); }
                        a0 += stepA;
                        if (sizeof(TRows) > 3) a3 += stepA;
                        if (sizeof(TRows) > 6) a6 += stepA;
                        if (sizeof(TRows) > 9) a9 += stepA;
                        if (sizeof(TRows) > 12) a12 += stepA;
                    }
                }
            }

            z = start;
            if (sizeof(TRows) > 0) { TSimd.Store(z, c0); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d0); z += stepC; }
            if (sizeof(TRows) > 1) { TSimd.Store(z, c1); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d1); z += stepC; }
            if (sizeof(TRows) > 2) { TSimd.Store(z, c2); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d2); z += stepC; }
            if (sizeof(TRows) > 3) { TSimd.Store(z, c3); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d3); z += stepC; }
            if (sizeof(TRows) > 4) { TSimd.Store(z, c4); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d4); z += stepC; }
            if (sizeof(TRows) > 5) { TSimd.Store(z, c5); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d5); z += stepC; }
            if (sizeof(TRows) > 6) { TSimd.Store(z, c6); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d6); z += stepC; }
            if (sizeof(TRows) > 7) { TSimd.Store(z, c7); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d7); z += stepC; }
            if (sizeof(TRows) > 8) { TSimd.Store(z, c8); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d8); z += stepC; }
            if (sizeof(TRows) > 9) { TSimd.Store(z, c9); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d9); z += stepC; }
            if (sizeof(TRows) > 10) { TSimd.Store(z, c10); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d10); z += stepC; }
            if (sizeof(TRows) > 11) { TSimd.Store(z, c11); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d11); z += stepC; }
            if (sizeof(TRows) > 12) { TSimd.Store(z, c12); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d12); z += stepC; }
            if (sizeof(TRows) > 13) { TSimd.Store(z, c13); if (sizeof(TColumns) > 1) TSimd.Store(z + TSimd.Width, d13); z += stepC; }
            if (isCut) CopyOut(buffer, c, p.StrideC, p.Columns, sizeof(TRows));
        }
    }

    // Bounds: rows × columns elements of both, but whole vectors of what is not cut.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void CopyIn(T* c, nint stride, T* buffer, int columns, int rows)
    {
        for (; rows > 0; rows--, c += stride, buffer += 2 * TSimd.Width)
        {
            int whole = columns - columns % TSimd.Width;
            if (whole > 0)
            {
                TSimd.Store(buffer, TSimd.Load(c));
            }

            TSimd.Store(buffer + whole, TSimd.Load(c + whole, columns - whole));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void CopyOut(T* buffer, T* c, nint stride, int columns, int rows)
    {
        if (columns < TSimd.Width)
        {
            for (; rows > 0; rows--, c += stride, buffer += 2 * TSimd.Width)
            {
                TSimd.Store(c, TSimd.Load(buffer), columns);
            }

            return;
        }

        for (; rows > 0; rows--, c += stride, buffer += 2 * TSimd.Width)
        {
            TSimd.Store(c, TSimd.Load(buffer));
            TSimd.Store(c + TSimd.Width, TSimd.Load(buffer + TSimd.Width), columns - TSimd.Width);
        }
    }
}


/// <summary>Sizes as types: unlike a static member, sizeof(T) is a constant before the JIT begins to inline.</summary>

[StructLayout(LayoutKind.Sequential, Size = 1)]
internal readonly struct C1;

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct C2;

[StructLayout(LayoutKind.Sequential, Size = 3)]
internal readonly struct C3;

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct C4;

[StructLayout(LayoutKind.Sequential, Size = 5)]
internal readonly struct C5;

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct C6;

[StructLayout(LayoutKind.Sequential, Size = 7)]
internal readonly struct C7;

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct C8;

[StructLayout(LayoutKind.Sequential, Size = 9)]
internal readonly struct C9;

[StructLayout(LayoutKind.Sequential, Size = 10)]
internal readonly struct C10;

[StructLayout(LayoutKind.Sequential, Size = 11)]
internal readonly struct C11;

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct C12;

[StructLayout(LayoutKind.Sequential, Size = 13)]
internal readonly struct C13;

[StructLayout(LayoutKind.Sequential, Size = 14)]
internal readonly struct C14;
