/// A small reader and evaluator of ONNX files, written from the public description alone: it shares nothing with the writer.
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

/// The values at all positions, last axis fastest.
let private tabulate (dims: int list) (f: int list -> float) =
    let rec positions dims =
        match dims with
        | [] -> [ [] ]
        | n :: rest ->
            let below = positions rest

            [
                for i in 0 .. n - 1 do
                    for p in below -> i :: p
            ]

    { Dims = dims; Data = positions dims |> List.map f |> Array.ofList }

let private at (value: Value) (position: int list) =
    value.Data[List.fold2 (fun offset n i -> offset * n + i) 0 value.Dims position]

/// Taps of the window at an output position that lie in the picture: (tap row, tap column, row, column).
let private taps (node: Node) (height, width) (i, j) =
    let integers name (standard: int list) =
        match Map.tryFind name node.Attributes with
        | Some(Integers values) -> values
        | _ -> standard

    match integers "kernel_shape" [], integers "strides" [ 1; 1 ], integers "dilations" [ 1; 1 ] with
    | [ kh; kw ], [ sh; sw ], [ dh; dw ] ->
        let pads = integers "pads" [ 0; 0; 0; 0 ]

        let inside = [
            for u in 0 .. kh - 1 do
                for v in 0 .. kw - 1 do
                    let row, column = i * sh + u * dh - pads[0], j * sw + v * dw - pads[1]

                    if row >= 0 && row < height && column >= 0 && column < width then
                        u, v, row, column
        ]

        let positions n k s d first last = (n + pads[first] + pads[last] - (d * (k - 1) + 1)) / s + 1
        inside, (positions height kh sh dh 0 2, positions width kw sw dw 1 3)
    | other -> invalidOp $"window %A{other}"

/// The value of a node, as the operators' descriptions say.
let private evaluate (node: Node) (inputs: Value list) =
    let x = inputs.Head
    let map f = { x with Data = Array.map f x.Data }

    let picture f =
        let n, c, h, w = x.Dims[0], x.Dims[1], x.Dims[2], x.Dims[3]
        f n c (h, w)

    let pool aggregate =
        picture (fun n c size ->
            let _, (rows, columns) = taps node size (0, 0)

            tabulate [ n; c; rows; columns ] (fun p ->
                fst (taps node size (p[2], p[3]))
                |> List.map (fun (_, _, row, column) -> at x [ p[0]; p[1]; row; column ])
                |> aggregate))

    let whole aggregate =
        picture (fun n c (h, w) ->
            tabulate [ n; c; 1; 1 ] (fun p ->
                aggregate [
                    for i in 0 .. h - 1 do
                        for j in 0 .. w - 1 -> at x [ p[0]; p[1]; i; j ]
                ]))

    match node.Operator, inputs.Tail with
    | "Identity", [] -> x
    | "Relu", [] -> map (max 0.0)
    | "LeakyRelu", [] ->
        match node.Attributes["alpha"] with
        | Real slope -> map (fun v -> if v < 0.0 then slope * v else v)
        | other -> invalidOp $"%A{other}"
    | "Sigmoid", [] -> map (fun v -> 1.0 / (1.0 + exp -v))
    | "Tanh", [] -> map tanh
    | "Softmax", [] ->
        match node.Attributes["axis"] with
        | Integers [ axis ] ->
            tabulate x.Dims (fun p ->
                exp (at x p) / List.sum [ for c in 0 .. x.Dims[axis] - 1 -> exp (at x (List.updateAt axis c p)) ])
        | other -> invalidOp $"%A{other}"
    | "Flatten", [] -> { x with Dims = [ x.Dims.Head; List.fold (*) 1 x.Dims.Tail ] }
    | "Transpose", [] ->
        match node.Attributes["perm"] with
        | Integers perm ->
            tabulate [ for axis in perm -> x.Dims[axis] ] (fun p ->
                at x [ for axis in 0 .. perm.Length - 1 -> p[List.findIndex ((=) axis) perm] ])
        | other -> invalidOp $"%A{other}"
    | "MaxPool", [] -> pool List.max
    | "AveragePool", [] -> pool List.average
    | "GlobalMaxPool", [] -> whole List.max
    | "GlobalAveragePool", [] -> whole List.average
    | "Gemm", w :: bias ->
        let isTransposed =
            match Map.tryFind "transB" node.Attributes with
            | Some(Integers [ 1 ]) -> true
            | _ -> false

        let inputs, units = if isTransposed then w.Dims[1], w.Dims[0] else w.Dims[0], w.Dims[1]

        tabulate [ x.Dims[0]; units ] (fun p ->
            let weight k = at w (if isTransposed then [ p[1]; k ] else [ k; p[1] ])

            List.sum [ for k in 0 .. inputs - 1 -> at x [ p[0]; k ] * weight k ]
            + List.sum [ for b in bias -> b.Data[p[1]] ])
    | "Conv", w :: bias ->
        picture (fun n c size ->
            let _, (rows, columns) = taps node size (0, 0)

            tabulate [ n; w.Dims[0]; rows; columns ] (fun p ->
                List.sum [
                    for u, v, row, column in fst (taps node size (p[2], p[3])) do
                        for channel in 0 .. c - 1 ->
                            at x [ p[0]; channel; row; column ] * at w [ p[1]; channel; u; v ]
                ]
                + List.sum [ for b in bias -> b.Data[p[1]] ]))
    | "BatchNormalization", [ scale; shift; mean; variance ] ->
        match node.Attributes["epsilon"] with
        | Real ε ->
            tabulate x.Dims (fun p ->
                let c = p[1]
                scale.Data[c] * (at x p - mean.Data[c]) / sqrt (variance.Data[c] + ε) + shift.Data[c])
        | other -> invalidOp $"%A{other}"
    | other, _ -> invalidOp $"operator {other} with {inputs.Length} inputs"

/// The output for an input, node by node; a name that is used before it is made, or made twice, is an error.
let run (model: Model) (input: Value) =
    let made = Map.ofList ((fst model.Inputs.Head, input) :: model.Constants)

    let values =
        model.Nodes
        |> List.fold
            (fun made node ->
                match node.Outputs with
                | [ output ] when not (Map.containsKey output made) ->
                    Map.add output (evaluate node [ for name in node.Inputs -> Map.find name made ]) made
                | other -> invalidOp $"outputs %A{other}")
            made

    values[fst model.Outputs.Head]
