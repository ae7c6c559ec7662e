/// Settings as tables: a row for each field, with an act that fails where the field is ignored.
module Cnn.Tests.Laws.Setting

open System
open System.Collections
open System.Reflection
open FSharp.Reflection
open Expecto

/// A type of settings, and what is done about each of its fields.
[<NoEquality; NoComparison>]
type Table = { Type: Type; Title: string; Rows: (string * (unit -> unit)) list }

let private fields (settings: Type) =
    settings.GetProperties(BindingFlags.Public ||| BindingFlags.Instance)
    |> List.ofArray
    |> List.filter (fun field -> field.GetIndexParameters().Length = 0)

/// Collections compare by their elements, functions and interfaces by identity.
let rec private plain (value: obj | null) : obj | null =
    match value with
    | :? string -> value
    | :? IEnumerable as items -> box [ for item in items -> plain item ]
    | _ -> value

/// What comes of settings, refusals included.
let outcome (act: unit -> string) =
    try
        act ()
    with e ->
        e.GetType().Name + ": " + e.Message

/// The outcome of both is not the same, though they differ in this field alone; that of one is the same each time.
let tells (outcome: 'O -> string) field (start: 'O) (other: 'O) =
    field,
    fun () ->
        for property in fields typeof<'O> do
            let isSame = Object.Equals(plain (property.GetValue start), plain (property.GetValue other))
            Expect.equal isSame (property.Name <> field) $"whether {property.Name} is the same"

        let before = outcome start
        Expect.equal (outcome start) before "the same settings, the same outcome"
        Expect.notEqual (outcome other) before $"the outcome with another {field}"

/// A record with another value of a field.
let change (field: string) (value: obj | null) (record: 'O) : 'O =
    if FSharpType.IsRecord typeof<'O> then
        let names = FSharpType.GetRecordFields typeof<'O> |> Array.map (fun f -> f.Name)
        let values = FSharpValue.GetRecordFields(nonNull (box record))
        values[Array.IndexOf(names, field)] <- value
        FSharpValue.MakeRecord(typeof<'O>, values) :?> 'O
    else
        let clone = (nonNull (typeof<'O>.GetMethod "<Clone>$")).Invoke(record, [||])
        (nonNull (typeof<'O>.GetProperty field)).SetValue(clone, value)
        clone :?> 'O

/// Rows of a record that begins alike: each field with another value.
let rows outcome (start: 'O) (changes: (string * obj | null) list) = [
    for field, value in changes -> tells outcome field start (change field value start)
]

let table<'O> title rows = { Type = typeof<'O>; Title = title; Rows = rows }

let private run field act =
    try
        act ()
    with e ->
        failtest $"{field}: {e.Message}"

/// Each field has a row, and each row holds.
let test table =
    testCase $"every field of {table.Title} tells" (fun () ->
        let names = fields table.Type |> List.map (fun field -> field.Name) |> List.sort
        Expect.equal (table.Rows |> List.map fst |> List.sort) names "fields with a row"

        for field, act in table.Rows do
            run field act)
