namespace Cnn

/// <summary>What the elements of an array in a file are.</summary>
type ElementType =
    /// One byte: 0 or 1.
    | Boolean = 0
    /// Four bits.
    | Float4 = 1
    /// Six bits: two of exponent, three of mantissa.
    | Float6E2M3 = 2
    /// Six bits: three of exponent, two of mantissa.
    | Float6E3M2 = 3
    /// 0 … 255, one byte.
    | UInt8 = 4
    /// −128 … 127, one byte.
    | Int8 = 5
    /// Eight bits: five of exponent, two of mantissa.
    | Float8E5M2 = 6
    /// Eight bits: four of exponent, three of mantissa.
    | Float8E4M3 = 7
    /// Eight bits of exponent.
    | Float8E8M0 = 8
    /// As Float8E4M3, without infinities or a negative zero.
    | Float8E4M3Fnuz = 9
    /// As Float8E5M2, without infinities or a negative zero.
    | Float8E5M2Fnuz = 10
    /// Two bytes, with a sign.
    | Int16 = 11
    /// Two bytes, without a sign.
    | UInt16 = 12
    /// IEEE 754 binary16.
    | Float16 = 13
    /// The upper half of a Float32.
    | BFloat16 = 14
    /// Four bytes, with a sign.
    | Int32 = 15
    /// Four bytes, without a sign.
    | UInt32 = 16
    /// Four bytes: IEEE 754 single precision.
    | Float32 = 17
    /// Two Float32: real and imaginary part.
    | Complex64 = 18
    /// Eight bytes: IEEE 754 double precision.
    | Float64 = 19
    /// Eight bytes, with a sign.
    | Int64 = 20
    /// Eight bytes, without a sign.
    | UInt64 = 21

namespace Cnn.FSharp

open System
open System.Buffers.Binary
open System.Numerics
open System.Runtime.InteropServices
open Cnn

/// <summary>An array of a file of arrays: its name, its shape, and its elements as they stand in the file.</summary>
/// <remarks>Immutable where the file's bytes are.</remarks>
[<NoEquality; NoComparison>]
type NamedArray = {
    /// <summary>As in conv2d/kernel.</summary>
    Name: string
    /// <summary>Extents, first axis first.</summary>
    Shape: Shape
    /// <summary>What each element is.</summary>
    Type: ElementType
    /// <summary>The elements, little-endian, row-major, without gaps.</summary>
    Data: ReadOnlyMemory<byte>
    /// <summary>Offset of the elements in the file, in bytes (after decompression); for messages.</summary>
    Offset: int64
}

/// <summary>Arrays of files from and to tensors.</summary>
[<RequireQualifiedAccess>]
module NamedArray =

    /// <summary>Bits of an element.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such type.</exception>
    let bits (elementType: ElementType) =
        Words.defined (nameof elementType) elementType

        match elementType with
        | ElementType.Float4 -> 4
        | ElementType.Float6E2M3
        | ElementType.Float6E3M2 -> 6
        | ElementType.Int16
        | ElementType.UInt16
        | ElementType.Float16
        | ElementType.BFloat16 -> 16
        | ElementType.Int32
        | ElementType.UInt32
        | ElementType.Float32 -> 32
        | ElementType.Complex64
        | ElementType.Float64
        | ElementType.Int64
        | ElementType.UInt64 -> 64
        | _ -> 8

    /// The element type of tensors of 'T.
    let internal typeOf<'T> =
        if typeof<'T> = typeof<float32> then
            ElementType.Float32
        else
            ElementType.Float64

    /// <summary>A tensor under a name, in its own precision, bit by bit.</summary>
    let ofTensor name (tensor: Tensor<'T>) : NamedArray =
        let bytes = MemoryMarshal.AsBytes(tensor.Span).ToArray()

        if not BitConverter.IsLittleEndian then
            let width = bits typeOf<'T> / 8

            for element in 0..width .. bytes.Length - 1 do
                Array.Reverse(bytes, element, width)

        {
            Name = name
            Shape = tensor.Shape
            Type = typeOf<'T>
            Data = ReadOnlyMemory bytes
            Offset = 0L
        }

    /// <summary>The array as a tensor; bit by bit where it has the tensor's precision, else rounded to it.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="array">Truth values, integers, or floating-point numbers of 16 bits or more.</param>
    /// <exception cref="T:Cnn.DataFormatException">The elements are complex, or of less than a byte, or 8-bit floating point.</exception>
    let toTensor (file: string) (array: NamedArray) : Tensor<'T> =
        let inline values (read: int -> 'U) =
            let width = bits array.Type / 8
            Tensor.init array.Shape (fun i -> 'T.CreateTruncating<'U>(read (i * width)))

        match array.Type with
        | ElementType.Boolean
        | ElementType.UInt8 -> values (fun at -> array.Data.Span[at])
        | ElementType.Int8 -> values (fun at -> sbyte (array.Data.Span[at]))
        | ElementType.Int16 -> values (fun at -> BinaryPrimitives.ReadInt16LittleEndian(array.Data.Span.Slice at))
        | ElementType.UInt16 -> values (fun at -> BinaryPrimitives.ReadUInt16LittleEndian(array.Data.Span.Slice at))
        | ElementType.Float16 -> values (fun at -> BinaryPrimitives.ReadHalfLittleEndian(array.Data.Span.Slice at))
        | ElementType.BFloat16 ->
            values (fun at ->
                BitConverter.UInt32BitsToSingle(
                    uint32 (BinaryPrimitives.ReadUInt16LittleEndian(array.Data.Span.Slice at)) <<< 16
                ))
        | ElementType.Int32 -> values (fun at -> BinaryPrimitives.ReadInt32LittleEndian(array.Data.Span.Slice at))
        | ElementType.UInt32 -> values (fun at -> BinaryPrimitives.ReadUInt32LittleEndian(array.Data.Span.Slice at))
        | ElementType.Float32 -> values (fun at -> BinaryPrimitives.ReadSingleLittleEndian(array.Data.Span.Slice at))
        | ElementType.Float64 -> values (fun at -> BinaryPrimitives.ReadDoubleLittleEndian(array.Data.Span.Slice at))
        | ElementType.Int64 -> values (fun at -> BinaryPrimitives.ReadInt64LittleEndian(array.Data.Span.Slice at))
        | ElementType.UInt64 -> values (fun at -> BinaryPrimitives.ReadUInt64LittleEndian(array.Data.Span.Slice at))
        | other ->
            Words.defined "type" other
            let found = "elements of type " + string (Enum.GetName other)
            raise (DataFormatException(file, array.Offset, "real numbers in the array " + array.Name, found))
