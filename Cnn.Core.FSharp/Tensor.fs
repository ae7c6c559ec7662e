namespace Cnn

open System
open System.Numerics

/// <summary>Tells whether recycled memory still belongs to the tensors that were written into it.</summary>
[<Sealed; AllowNullLiteral>]
type internal Lease() =
    member val Generation = 0 with get, set

/// <summary>Values in row-major order under a <see cref="T:Cnn.Shape"/>; batches of pictures are N×H×W×C.</summary>
/// <remarks>
/// Read-only to its readers and safe to share between threads. 'T is float32 or float.
/// Equality compares shapes and values.
/// </remarks>
[<Sealed>]
type Tensor<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
    internal (shape: Shape, values: 'T[], offset: int, lease: Lease) =

    let generation = if isNull lease then 0 else lease.Generation

    let check () =
        if not (isNull lease) && lease.Generation <> generation then
            raise (
                ObjectDisposedException(
                    "Tensor",
                    "This tensor's memory was recycled when its training step ended. Copy what must outlive the step."
                )
            )

    static let empty = Tensor<'T>(Shape.Of 0, Array.Empty(), 0, null)

    /// <summary>The tensor without elements.</summary>
    static member Empty = empty

    /// <summary>A tensor of the given shape with a copy of the given values, row by row.</summary>
    /// <exception cref="T:Cnn.ShapeException">The number of values is not the size of the shape.</exception>
    static member Of(shape: Shape, values: ReadOnlySpan<'T>) =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)

        if values.Length <> shape.Size then
            raise (
                ShapeException(
                    "Tensor.Of",
                    Words.count shape.Size "value" "values" + " for shape " + string shape,
                    string values.Length,
                    "Give one value for each element."
                )
            )

        Tensor(shape, values.ToArray(), 0, null)

    /// <summary>Extents, batch axis first.</summary>
    member _.Shape = shape

    /// <summary>Number of elements.</summary>
    member _.Size = shape.Size

    /// <summary>The values in row-major order.</summary>
    member _.Span: ReadOnlySpan<'T> =
        check ()
        ReadOnlySpan(values, offset, shape.Size)

    /// <summary>The values in row-major order, for use where a span cannot be kept.</summary>
    member _.Memory: ReadOnlyMemory<'T> =
        check ()
        ReadOnlyMemory(values, offset, shape.Size)

    /// What tells when the memory was recycled; null for memory of the tensor's own.
    member internal _.Lease = lease

    /// Where a layer writes its result, once, before it hands the tensor out.
    member internal _.Destination: Span<'T> =
        check ()
        Span(values, offset, shape.Size)

    /// <summary>The value at the given position, one index for each axis, from 0.</summary>
    /// <exception cref="T:System.ArgumentException">The number of indices is not the rank, or one lies outside its axis.</exception>
    member this.Item
        with get ([<ParamArray>] indices: int[]) =
            if indices.Length <> shape.Rank then
                raise (
                    ShapeException(
                        "Tensor",
                        Words.count shape.Rank "index" "indices",
                        string indices.Length,
                        "Give one index for each axis."
                    )
                )

            let mutable offset = 0

            for axis in 0 .. indices.Length - 1 do
                if uint indices[axis] >= uint shape[axis] then
                    raise (
                        ArgumentOutOfRangeException(
                            nameof indices,
                            indices[axis],
                            "axis " + string axis + " has " + Words.count shape[axis] "element" "elements"
                        )
                    )

                offset <- offset * shape[axis] + indices[axis]

            this.Span[offset]

    /// <summary>The same values under another shape of the same size; nothing is copied.</summary>
    /// <exception cref="T:Cnn.ShapeException">The sizes differ.</exception>
    member _.Reshape(other: Shape) =
        ArgumentNullException.ThrowIfNull(other, nameof other)

        if other.Size <> shape.Size then
            raise (
                ShapeException(
                    "Reshape",
                    "a shape of " + Words.count shape.Size "element" "elements",
                    string other,
                    "Keep the number of elements."
                )
            )

        check ()
        Tensor(other, values, offset, lease)

    /// <summary>Samples first … first + count − 1 of a batch; nothing is copied.</summary>
    /// <exception cref="T:System.ArgumentException">There are not so many samples.</exception>
    member _.Slice(first: int, count: int) =
        check ()
        let sample = shape.Sample
        let part = ArraySegment(values, offset, shape.Size).Slice(first * sample.Size, count * sample.Size)
        Tensor(sample.Batch count, values, part.Offset, lease)

    /// <summary>A copy of the values in row-major order.</summary>
    member this.ToArray() = this.Span.ToArray()

    /// <summary>Shape and first values, as in 2×3 [1, 2, 3, 4, 5, 6].</summary>
    override this.ToString() =
        let shown = this.Span.Slice(0, min 8 shape.Size).ToArray() |> Array.map string
        let more = if shape.Size > 8 then ", …]" else "]"
        string shape + " [" + String.Join(", ", shown) + more

    /// <summary>True where shapes and all values agree.</summary>
    member this.Equals(other: Tensor<'T> | null) =
        match other with
        | null -> false
        | t -> shape.Equals t.Shape && this.Span.SequenceEqual t.Span

    override this.Equals(other: obj | null) =
        match other with
        | :? Tensor<'T> as t -> this.Equals t
        | _ -> false

    override this.GetHashCode() =
        HashCode.Combine(shape, (if shape.Size = 0 then Unchecked.defaultof<'T> else this.Span[0]))

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Tensor<'T> | null, right: Tensor<'T> | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Tensor<'T> | null, right: Tensor<'T> | null) = not (Object.Equals(left, right))

    interface IEquatable<Tensor<'T>> with
        member this.Equals other = this.Equals other

namespace Cnn.FSharp

open System.Numerics
open Cnn

/// Conversions between float and the precision of a tensor.
module internal Number =
    let private create<'U, 'T when 'U :> INumberBase<'U> and 'T :> INumberBase<'T>> (x: 'T) : 'U = 'U.CreateTruncating x

    let ofFloat<'T when 'T :> INumberBase<'T>> (x: float) : 'T = create x

    let toFloat<'T when 'T :> INumberBase<'T>> (x: 'T) : float = create x

/// <summary>Pure functions on tensors that are small enough to be read as definitions.</summary>
[<RequireQualifiedAccess>]
module Tensor =

    /// A tensor that nobody else has seen, over an array that nobody else holds.
    let internal own shape (values: 'T[]) = Tensor<'T>(shape, values, 0, null)

    /// <summary>A tensor with a copy of the values, in row-major order.</summary>
    /// <exception cref="T:Cnn.ShapeException">The number of values is not the size of the shape.</exception>
    let ofArray (shape: Shape) (values: 'T[]) = Tensor<'T>.Of(shape, System.ReadOnlySpan values)

    /// <summary>t[i] = f i, for i the row-major position.</summary>
    let init (shape: Shape) (f: int -> 'T) : Tensor<'T> = own shape (Array.init shape.Size f)

    /// <summary>All zeros.</summary>
    let zeros (shape: Shape) : Tensor<'T> = own shape (Array.zeroCreate shape.Size)

    /// <summary>A copy in memory of its own.</summary>
    let copy (t: Tensor<'T>) = own t.Shape (t.ToArray())

    /// <summary>y[i] = f(x[i]).</summary>
    let map (f: 'T -> 'U) (x: Tensor<'T>) : Tensor<'U> = own x.Shape (Array.map f (x.ToArray()))

    /// <summary>z[i] = f(x[i], y[i]).</summary>
    /// <exception cref="T:Cnn.ShapeException">The shapes differ.</exception>
    let map2 (f: 'T -> 'T -> 'T) (x: Tensor<'T>) (y: Tensor<'T>) =
        if x.Shape <> y.Shape then
            raise (ShapeException("Tensor.map2", string x.Shape, string y.Shape, "Both operands need the same shape."))

        own x.Shape (Array.map2 f (x.ToArray()) (y.ToArray()))

    /// <summary>x + y.</summary>
    /// <exception cref="T:Cnn.ShapeException">The shapes differ.</exception>
    let add (x: Tensor<'T>) (y: Tensor<'T>) = map2 (fun a b -> a + b) x y

    /// <summary>a·x.</summary>
    let scale (a: 'T) (x: Tensor<'T>) = map (fun b -> a * b) x

    /// <summary>⟨x, y⟩ = Σ x[i]·y[i], added in double precision.</summary>
    /// <exception cref="T:System.ArgumentException">The sizes differ.</exception>
    let dot (x: Tensor<'T>) (y: Tensor<'T>) =
        Array.fold2 (fun sum a b -> sum + Number.toFloat a * Number.toFloat b) 0.0 (x.ToArray()) (y.ToArray())

    /// <summary>rot180(K)[u,v,…] = K[k_h−1−u, k_w−1−v,…]: both leading axes reversed. Wichmann 2018, 1.7.</summary>
    let rot180 (kernel: Tensor<'T>) =
        let taps = kernel.Shape[0] * kernel.Shape[1]
        let inner = if taps = 0 then 0 else kernel.Size / taps
        init kernel.Shape (fun i -> kernel.Span[(taps - 1 - i / inner) * inner + i % inner])

    /// <summary>Samples of several batches, one after the other.</summary>
    /// <exception cref="T:Cnn.ShapeException">There is no batch, or samples differ in shape.</exception>
    let concat (parts: Tensor<'T> list) =
        let samples = parts |> List.map (fun t -> t.Shape.Sample) |> List.distinct

        if samples.Length <> 1 then
            let found = if parts.IsEmpty then "no batch" else System.String.Join(", ", samples)

            raise (
                ShapeException("Tensor.concat", "batches of samples of one shape", found, "Concatenate like with like.")
            )

        let count = parts |> List.sumBy (fun t -> t.Shape[0])
        own (parts.Head.Shape.Sample.Batch count) (parts |> List.map (fun t -> t.ToArray()) |> Array.concat)
