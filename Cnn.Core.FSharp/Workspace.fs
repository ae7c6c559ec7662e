namespace Cnn.FSharp

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.Numerics
open System.Runtime.InteropServices
open Cnn

/// Memory that is handed out from the front and taken back all at once. Pieces begin on a cache line.
[<Sealed>]
type internal Bump<'E>() =
    let mutable buffers: 'E[] list = []
    let mutable start = 0
    let mutable used = 0
    let mutable total = 0

    let line = max 1 (64 / sizeof<'E>)

    let allocate size =
        let buffer = GC.AllocateUninitializedArray<'E>(size + line, pinned = true)
        let beyond = int (Marshal.UnsafeAddrOfPinnedArrayElement(buffer, 0) % 64n)
        buffers <- buffer :: buffers
        start <- if beyond = 0 then 0 else (64 - beyond) / sizeof<'E>
        used <- start

    member _.Take(length: int) : Memory<'E> =
        let size = (length + line - 1) / line * line

        if buffers.IsEmpty || used + size > buffers.Head.Length then
            allocate (max size (max 4096 total))

        let piece = Memory(buffers.Head, used, length)
        used <- used + size
        total <- total + size
        piece

    /// Takes everything back; what came in several buffers will come from one.
    member _.Reset() =
        if buffers.Length > 1 then
            let size = total
            buffers <- []
            allocate size

        used <- start
        total <- 0

/// Packed weights of one step, or of one model: made when first asked for, shared by all shards.
[<Sealed>]
type internal PackedWeights<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    // Tensors are told apart by identity, one table for each pass.
    let tables =
        Array.init 2 (fun _ -> ConcurrentDictionary<Tensor<'T>, ReadOnlyMemory<'T>>(HashIdentity.Reference))

    let memory = Bump<'T>()

    // What was asked for of each tensor of θ, by its position: the next step will ask for the same.
    let positions = Dictionary<Tensor<'T>, int>(HashIdentity.Reference)
    let habits = List<struct (int * Geometry * Packing)>()

    /// Packs at once, on all threads, what the step before asked for of its θ: else the first shard to need it would
    /// pack while the others wait.
    member _.Begin(backend: Backend<'T>, θ: Tensor<'T> list) =
        positions.Clear()
        let weights = Array.ofList θ

        for i in 0 .. weights.Length - 1 do
            positions[weights[i]] <- i

        let rooms =
            Array.init habits.Count (fun h ->
                let struct (_, geometry, packing) = habits[h]
                memory.Take(backend.Kernels.PackedLength(geometry, packing)))

        backend.Scheduler.For(
            rooms.Length,
            fun h ->
                let struct (i, geometry, packing) = habits[h]
                backend.Kernels.Pack(geometry, packing, (weights[i]).Span, rooms[h].Span)
        )

        for h in 0 .. rooms.Length - 1 do
            let struct (i, _, packing) = habits[h]
            tables[int packing][weights[i]] <- Memory.op_Implicit rooms[h]

    member _.Get(kernels: IKernels<'T>, geometry, packing, weights: Tensor<'T>) =
        match kernels.PackedLength(geometry, packing) with
        | 0 -> ReadOnlyMemory.Empty
        | length ->
            let table = tables[int packing]

            match table.TryGetValue weights with
            | true, found -> found
            | _ ->
                lock tables (fun () ->
                    match table.TryGetValue weights with
                    | true, found -> found
                    | _ ->
                        let destination = memory.Take length
                        kernels.Pack(geometry, packing, weights.Span, destination.Span)
                        let found: ReadOnlyMemory<'T> = Memory.op_Implicit destination
                        table[weights] <- found

                        match positions.TryGetValue weights with
                        | true, i -> habits.Add(struct (i, geometry, packing))
                        | _ -> ()

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
    let scratch = Bump<'T>()

    let tensor (shape: Shape) = Tensor<'T>(shape, values.Take shape.Size, lease)

    /// What its tensors are marked with.
    member _.Lease = lease

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
            scratch.Reset()
            scratch.Take length

        member _.Packed(kernels, geometry, packing, weights) = packed.Get(kernels, geometry, packing, weights)

/// The memory of a shard: activations in an arena that shards pass on, gradients in one of its own.
[<Sealed>]
type internal ShardWorkspace<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
    (values: Arena<'T>, gradients: Arena<'T>) =
    let values' = values :> IWorkspace<'T>
    let gradients' = gradients :> IWorkspace<'T>

    /// The arena of the activations.
    member _.Values = values

    interface IWorkspace<'T> with
        member _.Tensor shape = values'.Tensor shape
        member _.Gradient shape = gradients'.Tensor shape
        member _.Indices length = values'.Indices length
        member _.Scratch length = values'.Scratch length
        member _.Packed(kernels, geometry, packing, weights) = values'.Packed(kernels, geometry, packing, weights)

/// The memory of training steps: arenas for the shards that run, one for what couples shards, and the packed weights.
[<Sealed>]
type internal StepMemory<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(shards: int) =
    let packed = PackedWeights<'T>()
    let idle = ConcurrentStack<Arena<'T>>()
    let gradients = Array.init shards (fun _ -> Arena<'T> packed)
    let opened: ShardWorkspace<'T> option[] = Array.create shards None
    let whole = Arena<'T> packed

    /// The workspace of shard i, from its first use in a step until it is closed or the step ends.
    member _.Open(i: int) : IWorkspace<'T> =
        match opened[i] with
        | Some shard -> shard
        | None ->
            let arena =
                match idle.TryPop() with
                | true, arena -> arena
                | _ -> Arena<'T> packed

            let shard = ShardWorkspace(arena, gradients[i])
            opened[i] <- Some shard
            shard

    /// A gradient of shard i in memory that outlives the shard's activations: as it is, if it lies there already.
    member _.Keep (i: int) (gradient: Tensor<'T>) =
        if obj.ReferenceEquals(gradient.Lease, gradients[i].Lease) then
            gradient
        else
            let copy = (gradients[i] :> IWorkspace<'T>).Tensor gradient.Shape
            gradient.Span.CopyTo copy.Destination
            copy

    /// Gives the activations of shard i back, while they are in cache, to the next shard; its gradients stay.
    member _.Close(i: int) =
        match opened[i] with
        | Some shard ->
            opened[i] <- None
            shard.Values.Reset()
            idle.Push shard.Values
        | None -> ()

    /// Readies the weights of a step.
    member _.Begin(backend, θ) = packed.Begin(backend, θ)

    /// Of what all shards share.
    member _.Whole = whole :> IWorkspace<'T>

    /// Takes everything back for the next step.
    member this.Reset() =
        for i in 0 .. shards - 1 do
            this.Close i
            gradients[i].Reset()

        whole.Reset()
        packed.Reset()
