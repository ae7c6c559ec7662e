namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Numerics
open Cnn

/// Memory that is handed out from the front and taken back all at once.
[<Sealed>]
type internal Bump<'E>() =
    let mutable buffers: 'E[] list = []
    let mutable used = 0
    let mutable total = 0

    /// Room for one cache line after each piece, so that pieces of different threads share none.
    let round length = (length + 15) / 16 * 16 + 16

    member _.Take(length: int) : Memory<'E> =
        let size = round length

        match buffers with
        | buffer :: _ when used + size <= buffer.Length -> ()
        | _ ->
            buffers <- GC.AllocateUninitializedArray<'E>(max size (max 4096 total)) :: buffers
            used <- 0

        let piece = Memory(buffers.Head, used, length)
        used <- used + size
        total <- total + size
        piece

    /// Takes everything back; what came in several buffers will come from one.
    member _.Reset() =
        if buffers.Length > 1 then
            buffers <- [ GC.AllocateUninitializedArray<'E> total ]

        used <- 0
        total <- 0

/// Packed weights of one step, or of one model: made when first asked for, shared by all shards.
[<Sealed>]
type internal PackedWeights<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    // Tensors are told apart by identity, one table for each pass.
    let tables = Array.init 2 (fun _ -> Dictionary<Tensor<'T>, ReadOnlyMemory<'T>>(HashIdentity.Reference))

    let memory = Bump<'T>()

    member _.Get(kernels: IKernels<'T>, geometry, packing, weights: Tensor<'T>) =
        match kernels.PackedLength(geometry, packing) with
        | 0 -> ReadOnlyMemory.Empty
        | length ->
            lock tables (fun () ->
                let table = tables[int packing]

                match table.TryGetValue weights with
                | true, found -> found
                | _ ->
                    let destination = memory.Take length
                    kernels.Pack(geometry, packing, weights.Span, destination.Span)
                    let found: ReadOnlyMemory<'T> = Memory.op_Implicit destination
                    table[weights] <- found
                    found)

    member _.Reset() =
        for table in tables do
            table.Clear()

        memory.Reset()

/// Recycled memory for one shard of a training step, or for one prediction at a time.
[<Sealed>]
type internal Arena<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(packed: PackedWeights<'T>) =
    let lease = Lease()
    let values = Bump<'T>()
    let indices = Bump<int>()
    let mutable scratch: 'T[] = [||]

    let tensor (shape: Shape) = Tensor<'T>(shape, values.Take shape.Size, lease)

    /// Takes all memory back; reading a tensor handed out before raises an exception from here on.
    member _.Reset() =
        lease.Generation <- lease.Generation + 1
        values.Reset()
        indices.Reset()

    interface IWorkspace<'T> with
        member _.Tensor shape = tensor shape
        member _.Gradient shape = tensor shape
        member _.Indices length = indices.Take length

        member _.Scratch length =
            if scratch.Length < length then
                scratch <- GC.AllocateUninitializedArray<'T> length

            Memory(scratch, 0, length)

        member _.Packed(kernels, geometry, packing, weights) = packed.Get(kernels, geometry, packing, weights)
