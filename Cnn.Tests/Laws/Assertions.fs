/// What a test asks of a value, in words that a body reads well with. Expecto judges.
[<AutoOpen>]
module Cnn.Tests.Laws.Assertions

open System
open System.Collections
open System.Text.RegularExpressions
open Expecto

/// What is asked of a value, given the words that a failure begins with.
type Demand<'A> = string -> 'A -> unit

/// Collections of any type as lists, so that an array can equal a read-only list.
let rec private plain (value: obj | null) : obj | null =
    match value with
    | :? string -> value
    | :? IEnumerable as items -> box [ for item in items -> plain item ]
    | _ -> value

/// Equal, collections element by element; NaN equals itself.
let equalTo (expected: 'E) : Demand<'A> =
    fun told actual -> Expect.equal (plain (box actual)) (plain (box expected)) told

let differentFrom (unwanted: 'E) : Demand<'A> =
    fun told actual -> Expect.notEqual (plain (box actual)) (plain (box unwanted)) told

/// Equal but for order.
let equivalentTo (expected: 'E seq) : Demand<'E seq> =
    fun told actual -> Expect.equal (List.sort (List.ofSeq actual)) (List.sort (List.ofSeq expected)) told

/// |a − e| ≤ bound.
let closeTo (expected: float) (bound: float) : Demand<float> =
    fun told actual ->
        if not (abs (actual - expected) <= bound) then
            failtest $"{told}. Expected {expected} ± {bound}, found {actual}."

let lessThan bound : Demand<'A> = fun told actual -> Expect.isLessThan actual bound told
let atMost bound : Demand<'A> = fun told actual -> Expect.isLessThanOrEqual actual bound told
let greaterThan bound : Demand<'A> = fun told actual -> Expect.isGreaterThan actual bound told
let atLeast bound : Demand<'A> = fun told actual -> Expect.isGreaterThanOrEqual actual bound told

let between (low, high) : Demand<'A> =
    fun told actual ->
        atLeast low told actual
        atMost high told actual

let containing (part: string) : Demand<string> = fun told actual -> Expect.stringContains actual part told

let lacking (part: string) : Demand<string> =
    fun told actual -> Expect.isFalse (actual.Contains part) $"{told}: {actual} has {part}"

let startingWith (start: string) : Demand<string> = fun told actual -> Expect.stringStarts actual start told
let endingWith (ending: string) : Demand<string> = fun told actual -> Expect.stringEnds actual ending told
let matching (pattern: string) : Demand<string> = fun told actual -> Expect.isMatch actual pattern told

let isEmpty<'C when 'C :> IEnumerable> : Demand<'C> =
    fun told actual -> Expect.isEmpty (Seq.cast<obj> actual) told

let isNotEmpty<'C when 'C :> IEnumerable> : Demand<'C> =
    fun told actual -> Expect.isNonEmpty (Seq.cast<obj> actual) told

let havingLength count : Demand<'E seq> = fun told actual -> Expect.hasLength actual count told

let isTrue: Demand<bool> = fun told actual -> Expect.isTrue actual told
let isFalse: Demand<bool> = fun told actual -> Expect.isFalse actual told
let isNaN: Demand<float> = fun told actual -> Expect.isTrue (Double.IsNaN actual) told

/// One demand and the other.
let both (one: Demand<'A>) (other: Demand<'A>) : Demand<'A> =
    fun told actual ->
        one told actual
        other told actual

[<AbstractClass; Sealed>]
type Assert private () =
    static member That(holds: bool, ?told: string) = Expect.isTrue holds (defaultArg told "")

    static member That(actual: 'A, demand: Demand<'A>, ?told: string) = demand (defaultArg told "") actual

    /// The exception that an action raises, of just this type.
    static member Throws<'E when 'E :> exn>(act: unit -> unit) : 'E =
        let raised = Assert.Catch<'E> act
        Expect.equal (raised.GetType()) typeof<'E> "the type of the exception"
        raised

    /// The exception that an action raises, of this type or one that is derived from it.
    static member Catch<'E when 'E :> exn>(act: unit -> unit) : 'E =
        let raised =
            try
                act ()
                None
            with :? 'E as expected ->
                Some expected

        match raised with
        | Some expected -> expected
        | None -> failtest $"Expected {typeof<'E>.Name}, but nothing was raised."

    static member Fail(told: string) : unit = failtest told
    static member Ignore(reason: string) : unit = skiptest reason
