/// A small reader of ONNX files, written from the public description alone: it shares nothing with the writer.
module Cnn.Tests.Formats.OnnxReader

open System
open System.Text

/// What stands behind a field's number.
[<NoComparison>]
type Wire =
    | Number of int64
    | Four of byte[]
    | Many of byte[]

/// Fields of a message: key = number·8 + wire type.
let rec fields (bytes: byte[]) : (int * Wire) list =
    let rec varint at shift value =
        let b = bytes[at]
        let value = value ||| (uint64 (b &&& 0x7Fuy) <<< shift)
        if b < 0x80uy then struct (value, at + 1) else varint (at + 1) (shift + 7) value

    let rec next at =
        if at = bytes.Length then
            []
        else
            let struct (key, at) = varint at 0 0UL
            let number = int (key >>> 3)

            match key &&& 7UL with
            | 0UL ->
                let struct (value, at) = varint at 0 0UL
                (number, Number(int64 value)) :: next at
            | 5UL -> (number, Four bytes[at .. at + 3]) :: next (at + 4)
            | 2UL ->
                let struct (length, at) = varint at 0 0UL
                let after = at + int length
                (number, Many bytes[at .. after - 1]) :: next after
            | other -> invalidOp $"wire type {other} at byte {at}"

    next 0

let private inside number message =
    fields message
    |> List.choose (fun (n, wire) ->
        match wire with
        | Many bytes when n = number -> Some bytes
        | _ -> None)

let private numbers number message =
    fields message
    |> List.choose (fun (n, wire) ->
        match wire with
        | Number value when n = number -> Some value
        | _ -> None)

let private texts number message = inside number message |> List.map Encoding.UTF8.GetString

/// Integers, or one float.
[<NoComparison>]
type Attribute =
    | Integers of int list
    | Real of float

[<NoComparison>]
type Node = {
    Operator: string
    Inputs: string list
    Outputs: string list
    Attributes: Map<string, Attribute>
}

/// Dimensions and values, row-major.
[<NoComparison>]
type Value = { Dims: int list; Data: float[] }

[<NoComparison>]
type Model = {
    Version: int64
    Opset: int64
    Nodes: Node list
    Constants: (string * Value) list
    /// Names and dimensions, "N" being 0.
    Inputs: (string * int64 list) list
    Outputs: (string * int64 list) list
    Metadata: Map<string, string>
}

let private attribute message =
    let value =
        match numbers 20 message with
        | [ 1L ] ->
            fields message
            |> List.pick (fun (n, wire) ->
                match wire with
                | Four bytes when n = 2 -> Some(Real(float (BitConverter.ToSingle bytes)))
                | _ -> None)
        | [ 2L ] -> Integers [ for v in numbers 3 message -> int v ]
        | [ 7L ] -> Integers [ for v in numbers 8 message -> int v ]
        | other -> invalidOp $"attribute type %A{other}"

    (texts 1 message).Head, value

let private constant message =
    let raw = (inside 9 message).Head

    if numbers 2 message <> [ 1L ] then
        invalidOp "not float32"

    (texts 8 message).Head,
    {
        Dims = [ for d in numbers 1 message -> int d ]
        Data = Array.init (raw.Length / 4) (fun i -> float (BitConverter.ToSingle(raw, 4 * i)))
    }

let private valueInfo message =
    let tensor = (inside 2 message).Head |> inside 1 |> List.head

    let dims =
        (inside 2 tensor).Head
        |> inside 1
        |> List.map (fun d ->
            match numbers 1 d, texts 2 d with
            | [ n ], [] -> n
            | [], [ "N" ] -> 0L
            | other -> invalidOp $"dimension %A{other}")

    (texts 1 message).Head, dims

let read bytes : Model =
    let graph = (inside 7 bytes).Head

    {
        Version = (numbers 1 bytes).Head
        Opset = (inside 8 bytes).Head |> numbers 2 |> List.head
        Nodes = [
            for node in inside 1 graph ->
                {
                    Operator = (texts 4 node).Head
                    Inputs = texts 1 node
                    Outputs = texts 2 node
                    Attributes = Map.ofList (List.map attribute (inside 5 node))
                }
        ]
        Constants = List.map constant (inside 5 graph)
        Inputs = List.map valueInfo (inside 11 graph)
        Outputs = List.map valueInfo (inside 12 graph)
        Metadata = Map.ofList [ for entry in inside 14 bytes -> (texts 1 entry).Head, (texts 2 entry).Head ]
    }
