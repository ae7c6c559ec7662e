namespace Cnn

open System

/// <summary>The extents of a tensor, axis by axis; sample shapes leave the batch axis out.</summary>
/// <remarks>An immutable value with structural equality, safe to share between threads.</remarks>
[<Sealed>]
type Shape private (extents: int[], size: int) =

    // The shapes asked for last, so that a training step makes none anew; a race only makes an equal one twice.
    let mutable sample: Shape | null = null
    let mutable batch: Shape | null = null
    let mutable otherBatch: Shape | null = null

    static let product (extents: int[]) =
        let mutable size = 1L

        for n in extents do
            if n < 0 then
                raise (ShapeException("Shape", "extents ≥ 0", string n, "Give each axis its number of elements."))

            size <- size * int64 n

            if size > int64 Array.MaxLength then
                raise (
                    ShapeException(
                        "Shape",
                        "at most " + string Array.MaxLength + " elements",
                        "more",
                        "Use a smaller batch."
                    )
                )

        int size

    /// <summary>The shape with the given extents, first axis first; no extents give the shape of a scalar.</summary>
    /// <exception cref="T:Cnn.ShapeException">An extent is negative, or the product exceeds an array's length.</exception>
    static member Of([<ParamArray>] extents: int[]) =
        ArgumentNullException.ThrowIfNull(extents, nameof extents)
        Shape(Array.copy extents, product extents)

    /// <summary>Number of axes.</summary>
    member _.Rank = extents.Length

    /// <summary>Number of elements: the product of the extents, 1 for a scalar.</summary>
    member _.Size = size

    /// <summary>Extent of one axis, from 0.</summary>
    member _.Item
        with get (axis: int) = extents[axis]

    /// <summary>The extents, first axis first.</summary>
    member _.Extents: ReadOnlySpan<int> = ReadOnlySpan extents

    /// <summary>The shape of a batch of <paramref name="count"/> samples of this shape.</summary>
    member this.Batch(count: int) : Shape =
        // Two sizes are kept: the shards of a batch differ by one sample. A field is read once: another thread may put a
        // batch of another size there at any time.
        match batch with
        | null -> this.MakeBatch count
        | latest when latest[0] = count -> latest
        | _ ->
            match otherBatch with
            | null -> this.MakeBatch count
            | other when other[0] = count -> other
            | _ -> this.MakeBatch count

    member private _.MakeBatch(count: int) : Shape =
        let made = Shape.Of [| count; yield! extents |]
        otherBatch <- batch
        batch <- made
        made

    /// <summary>The shape of one sample of a batch of this shape: all axes but the first.</summary>
    /// <exception cref="T:Cnn.ShapeException">A scalar has no first axis.</exception>
    member _.Sample: Shape =
        match sample with
        | null ->
            if extents.Length = 0 then
                raise (ShapeException("Shape", "a batch axis", "a scalar", "Add an axis for the samples."))

            let made = Shape.Of(Array.tail extents)
            sample <- made
            made
        | known -> known

    /// <summary>Extents joined by ×, as in 28×28×6.</summary>
    override _.ToString() = if extents.Length = 0 then "scalar" else String.Join('×', extents)

    /// <summary>True where both have the same extents.</summary>
    member _.Equals(other: Shape | null) =
        match other with
        | null -> false
        | shape -> shape.Extents.SequenceEqual(ReadOnlySpan extents)

    override this.Equals(other: obj | null) =
        match other with
        | :? Shape as s -> this.Equals s
        | _ -> false

    override _.GetHashCode() =
        let mutable hash = HashCode()

        for n in extents do
            hash.Add n

        hash.ToHashCode()

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Shape | null, right: Shape | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Shape | null, right: Shape | null) = not (Object.Equals(left, right))

    interface IEquatable<Shape> with
        member this.Equals other = this.Equals other

/// Checks of pictures that callers give as spans.
[<RequireQualifiedAccess>]
module internal Pixels =

    /// Refuses as many numbers as are not a picture of the shape.
    let require (layer: string) (shape: Shape) (length: int) =
        if length <> shape.Size then
            raise (
                ShapeException(
                    layer,
                    Words.count shape.Size "number" "numbers" + " for a picture of shape " + string shape,
                    string length,
                    "Give height, width and channels of the picture."
                )
            )

/// <summary>Height and width of a window, stride or dilation, in pixels.</summary>
/// <remarks>An immutable value; a whole number stands for the same in both directions.</remarks>
[<Struct; NoComparison>]
type Size = {
    /// <summary>Rows.</summary>
    Height: int
    /// <summary>Columns.</summary>
    Width: int
} with

    /// <summary>n in both directions.</summary>
    static member Square n = { Height = n; Width = n }

    /// <summary>n in both directions.</summary>
    static member op_Implicit(n: int) = Size.Square n

    override this.ToString() = string this.Height + "×" + string this.Width

namespace Cnn.FSharp

open Cnn

/// <summary>What is put around an image before a window slides over it (SPEC section 3).</summary>
/// <remarks>Each case has a meaning for convolution and for pooling. A pooling window ignores padded cells.</remarks>
type Padding =
    /// Nothing; rows and columns that fill no window are dropped (Wichmann 2018, 3.1; Fossheim 2022, eq. 84, 86).
    | Valid
    /// Output ⌈n/s⌉, the odd cell after the image (Wichmann 2018, 2.1; Fan and Yam 11.2.6; Keras' "same").
    | Same
    /// d·(f−1) cells on each side (Vu 2018, eq. 5).
    | Full
    /// Only after the image, just so far that every cell falls into a window (Fossheim 2022, eq. 85).
    | Cover
    /// Rows above and below, columns left and right.
    | Explicit of top: int * bottom: int * left: int * right: int

    override this.ToString() =
        match this with
        | Valid -> "valid"
        | Same -> "same"
        | Full -> "full"
        | Cover -> "cover"
        | Explicit(top, bottom, left, right) ->
            "explicit(" + string top + ", " + string bottom + ", " + string left + ", " + string right + ")"

/// <summary>Shape laws of a sliding window, along one axis (SPEC section 3).</summary>
[<RequireQualifiedAccess>]
module Window =

    /// <summary>Cells from the first to the last tap of a window: (f−1)·d + 1, for f taps and dilation d.</summary>
    let span f d = (f - 1) * d + 1

    /// <summary>Number of window positions: ⌊(n + p_before + p_after − ((f−1)·d + 1)) / s⌋ + 1, or 0 where none fits.</summary>
    /// <remarks>Wichmann 2018, 2.3 and 3.1; Fan &amp; Yam 11.2.7; Fossheim 2022, eq. 73–74.</remarks>
    let positions n before after f d s =
        let room = n + before + after - span f d
        if room < 0 then 0 else room / s + 1

    /// <summary>Cells before and after an axis of n cells for a window of f taps with dilation d and stride s.</summary>
    /// <remarks>The axis picks its two numbers out of <c>Explicit</c>: true for rows, false for columns.</remarks>
    let pad padding isRows n f d s =
        match padding with
        | Valid -> struct (0, 0)
        | Same ->
            let outputs = (n + s - 1) / s
            let total = max ((outputs - 1) * s + span f d - n) 0
            struct (total / 2, total - total / 2)
        | Full -> struct (d * (f - 1), d * (f - 1))
        | Cover ->
            let window = span f d

            if window > n then
                struct (0, window - n)
            else
                let left = (n - window) % s
                let after = if left = 0 then 0 else s - left
                struct (0, (if after >= window then 0 else after))
        | Explicit(top, bottom, left, right) -> if isRows then struct (top, bottom) else struct (left, right)
