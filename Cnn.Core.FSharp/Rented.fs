namespace Cnn

open System
open System.Buffers

/// An array of the shared pool, of a length or more, given back by <c>use</c> whatever happens.
[<Struct; NoEquality; NoComparison>]
type internal Rented<'T> =
    val Array: 'T[]

    new(length: int) = { Array = ArrayPool<'T>.Shared.Rent length }

    interface IDisposable with
        member this.Dispose() = ArrayPool<'T>.Shared.Return this.Array
