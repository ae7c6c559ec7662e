namespace Cnn.FSharp

open System
open System.Buffers.Binary
open System.Text

/// Messages in the wire format of Protocol Buffers, as values: their fields in the order in which they are written.
module internal Protobuf =

    [<NoEquality; NoComparison>]
    type Field =
        | Varint of number: int * value: int64
        | Single of number: int * value: float32
        | Bytes of number: int * value: byte[]
        | Message of number: int * fields: Field list

    let text number (value: string) = Bytes(number, Encoding.UTF8.GetBytes value)

    let rec private varintSize (value: uint64) = if value < 128UL then 1L else 1L + varintSize (value >>> 7)

    /// A field begins with its number and its wire type.
    let private key number wireType = uint64 (number <<< 3 ||| wireType)

    /// Bytes of a field, its key included.
    let rec private fieldSize field =
        match field with
        | Varint(number, value) -> varintSize (key number 0) + varintSize (uint64 value)
        | Single(number, _) -> varintSize (key number 5) + 4L
        | Bytes(number, value) -> delimitedSize number (int64 value.Length)
        | Message(number, fields) -> delimitedSize number (size fields)

    and private delimitedSize number length = varintSize (key number 2) + varintSize (uint64 length) + length

    /// Bytes of a message.
    and size fields : int64 = fields |> List.sumBy fieldSize

    let rec private writeVarint (target: byte[]) at (value: uint64) =
        if value < 128UL then
            target[at] <- byte value
            at + 1
        else
            target[at] <- byte value ||| 0x80uy
            writeVarint target (at + 1) (value >>> 7)

    /// Writes a field and tells where the next one begins.
    let rec private write (target: byte[]) at field =
        match field with
        | Varint(number, value) -> writeVarint target (writeVarint target at (key number 0)) (uint64 value)
        | Single(number, value) ->
            let at = writeVarint target at (key number 5)
            BinaryPrimitives.WriteSingleLittleEndian(Span(target, at, 4), value)
            at + 4
        | Bytes(number, value) ->
            let at = writeVarint target (writeVarint target at (key number 2)) (uint64 value.Length)
            value.CopyTo(target, at)
            at + value.Length
        | Message(number, fields) ->
            let at = writeVarint target (writeVarint target at (key number 2)) (uint64 (size fields))
            List.fold (write target) at fields

    /// The bytes of a message that fits into an array.
    let encode fields =
        let target = Array.zeroCreate (int (size fields))
        List.fold (write target) 0 fields |> ignore
        target
