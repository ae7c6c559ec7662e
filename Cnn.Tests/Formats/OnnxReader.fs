/// A small reader of what ONNX Runtime does not tell of a file: how its nodes and constants are written. It is made from the
/// public description alone, and shares nothing with the writer.
module Cnn.Tests.Formats.OnnxReader

open System
open System.Text

/// What stands behind a field's number.
type private Wire =
    | Number of int64
    | Four of byte[]
    | Many of byte[]

/// Fields of a message: key = number·8 + wire type.
let private fields (bytes: byte[]) =
    let rec varint at shift value =
        let b = bytes[at]
        let value = value ||| (uint64 (b &&& 0x7Fuy) <<< shift)
        if b < 0x80uy then struct (value, at + 1) else varint (at + 1) (shift + 7) value

    let rec next at = [
        if at < bytes.Length then
            let struct (key, at) = varint at 0 0UL
            let number = int (key >>> 3)

            match key &&& 7UL with
            | 0UL ->
                let struct (value, at) = varint at 0 0UL
                number, Number(int64 value)
                yield! next at
            | 2UL ->
                let struct (length, at) = varint at 0 0UL
                let after = at + int length
                number, Many bytes[at .. after - 1]
                yield! next after
            | 5UL ->
                number, Four bytes[at .. at + 3]
                yield! next (at + 4)
            | other -> invalidOp $"wire type {other} at byte {at}"
    ]

    next 0

let private choose number (chosen: Wire -> 'A option) message =
    fields message |> List.choose (fun (n, wire) -> if n = number then chosen wire else None)

let private inside number =
    choose number (fun wire ->
        match wire with
        | Many bytes -> Some bytes
        | _ -> None)

let private numbers number =
    choose number (fun wire ->
        match wire with
        | Number value -> Some value
        | _ -> None)

let private singles number =
    choose number (fun wire ->
        match wire with
        | Four bytes -> Some(BitConverter.ToSingle bytes)
        | _ -> None)

let private texts number message = inside number message |> List.map Encoding.UTF8.GetString

[<NoComparison>]
type Node = {
    Operator: string
    Inputs: string list
    Outputs: string list
    /// Attributes of one float.
    Reals: Map<string, float32>
}

/// Values of float32, row-major.
[<NoComparison>]
type Constant = { Name: string; Dims: int list; Data: float32[] }

[<NoComparison>]
type Model = { Version: int64; Opset: int64; Nodes: Node list; Constants: Constant list }

let private node message = {
    Operator = (texts 4 message).Head
    Inputs = texts 1 message
    Outputs = texts 2 message
    Reals =
        Map.ofList [
            for attribute in inside 5 message do
                for value in singles 2 attribute -> (texts 1 attribute).Head, value
        ]
}

let private constant message =
    if numbers 2 message <> [ 1L ] then
        invalidOp "not float32"

    let raw = (inside 9 message).Head

    {
        Name = (texts 8 message).Head
        Dims = [ for n in numbers 1 message -> int n ]
        Data = Array.init (raw.Length / 4) (fun i -> BitConverter.ToSingle(raw, 4 * i))
    }

let read file : Model =
    let graph = (inside 7 file).Head

    {
        Version = (numbers 1 file).Head
        Opset = (inside 8 file).Head |> numbers 2 |> List.head
        Nodes = List.map node (inside 1 graph)
        Constants = List.map constant (inside 5 graph)
    }
