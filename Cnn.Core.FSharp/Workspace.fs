namespace Cnn.FSharp

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.Numerics
open System.Runtime.InteropServices
open Cnn

/// Memory that is handed out from the front and taken back all at once. Pieces begin on a cache line.
/// What it has grown to it keeps: each new buffer is as large as all before it, and costs only the pages that are touched.
[<Sealed>]
type internal Bump<'E>() =
    let buffers = List<struct ('E[] * int)>()
    let line = max 1 (64 / sizeof<'E>)
    let mutable capacity = 0
    let mutable current = 0
    let mutable used = 0

    /// A buffer and its first element on a cache line.
    let allocate size =
        let buffer = GC.AllocateUninitializedArray<'E>(size + line, pinned = true)
        let beyond = int (Marshal.UnsafeAddrOfPinnedArrayElement(buffer, 0) % 64n)
        capacity <- capacity + size
        buffers.Add(struct (buffer, (if beyond = 0 then 0 else (64 - beyond) / sizeof<'E>)))

    let fits size (struct (buffer: 'E[], start)) = start + used + size <= buffer.Length

    member _.Take(length: int) : ArraySegment<'E> =
        let size = (length + line - 1) / line * line

        while current < buffers.Count && not (fits size buffers[current]) do
            current <- current + 1
            used <- 0

        if current = buffers.Count then
            allocate (max size (max 4096 capacity))

        let struct (buffer, start) = buffers[current]
        let piece = ArraySegment(buffer, start + used, length)
        used <- used + size
        piece

    /// Takes everything back.
    member _.Reset() =
        current <- 0
        used <- 0

/// Things of one kind that are lent to whoever needs one, from any thread.
[<Sealed>]
type internal Pool<'R>(make: unit -> 'R) =
    let idle = Stack<'R>()

    member _.Take() = lock idle (fun () -> if idle.Count > 0 then idle.Pop() else make ())

    member _.Give(one: 'R) = lock idle (fun () -> idle.Push one)

/// Packed weights of one step, or of one model: made when first asked for, shared by all shards.
[<Sealed>]
type internal PackedWeights<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    let table () = Dictionary<Tensor<'T>, ReadOnlyMemory<'T>>(HashIdentity.Reference)

    // Tensors are told apart by identity. One table for each pass: packed before the step, only read in it.
    let ready = Array.init 2 (fun _ -> table ())

    // What nobody knew would be asked for.
    let late =
        Array.init 2 (fun _ -> ConcurrentDictionary<Tensor<'T>, ReadOnlyMemory<'T>>(HashIdentity.Reference))

    let memory = Bump<'T>()

    // What was asked for of each tensor of θ, by its position: the next step will ask for the same.
    let positions = Dictionary<Tensor<'T>, int>(HashIdentity.Reference)
    let habits = List<struct (int * Geometry * Packing)>()

    /// Packs at once, on all threads, what the step before asked for of its θ: else the first shard to need it would
    /// pack while the others wait.
    member _.Begin(backend: Backend<'T>, θ: Tensor<'T>[]) =
        for i in 0 .. θ.Length - 1 do
            positions[θ[i]] <- i

        for struct (i, geometry, packing) in habits do
            let room = memory.Take(backend.Kernels.PackedLength(geometry, packing))
            ready[int packing][θ[i]] <- Memory.op_Implicit (room.AsMemory())

        backend.Scheduler.For(
            habits.Count,
            fun h ->
                let struct (i, geometry, packing) = habits[h]
                let room = MemoryMarshal.AsMemory(ready.[int packing].[θ[i]])
                backend.Kernels.Pack(geometry, packing, (θ[i]).Span, room.Span)
        )

    member _.Get(kernels: IKernels<'T>, geometry, packing, weights: Tensor<'T>) =
        match kernels.PackedLength(geometry, packing) with
        | 0 -> ReadOnlyMemory.Empty
        | length ->
            let late = late[int packing]

            match ready[int packing].TryGetValue weights with
            | true, found -> found
            | _ ->
                match late.TryGetValue weights with
                | true, found -> found
                | _ ->
                    lock habits (fun () ->
                        match late.TryGetValue weights with
                        | true, found -> found
                        | _ ->
                            let destination = memory.Take(length).AsMemory()
                            kernels.Pack(geometry, packing, weights.Span, destination.Span)
                            let found: ReadOnlyMemory<'T> = Memory.op_Implicit destination
                            late[weights] <- found

                            match positions.TryGetValue weights with
                            | true, i -> habits.Add(struct (i, geometry, packing))
                            | _ -> ()

                            found)

    member _.Reset() =
        for pass in 0..1 do
            ready[pass].Clear()
            late[pass].Clear()

        positions.Clear()
        memory.Reset()

/// Memory of tensors that end together.
[<Sealed>]
type internal Arena<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    let lease = Lease()
    let values = Bump<'T>()
    let indices = Bump<int>()

    member _.Tensor(shape: Shape) =
        let piece = values.Take shape.Size
        Tensor<'T>(shape, nonNull piece.Array, piece.Offset, lease)

    member _.Indices length = indices.Take(length).AsMemory()

    /// Whether a tensor lies here.
    member _.Holds(tensor: Tensor<'T>) = obj.ReferenceEquals(tensor.Lease, lease)

    /// The tensor, where it lies here or has memory of its own, else a copy that lies here.
    member this.Keep(tensor: Tensor<'T>) =
        if isNull tensor.Lease || this.Holds tensor then
            tensor
        else
            let copy = this.Tensor tensor.Shape
            tensor.Span.CopyTo copy.Destination
            copy

    /// Takes all memory back; reading a tensor handed out before raises an exception from here on.
    member _.Reset() =
        lease.Generation <- lease.Generation + 1
        values.Reset()
        indices.Reset()

/// What is needed only while something runs, and passes on, still in cache, to what runs next: scratch, and two arenas
/// that take turns. Of a chain of layers only what one hands to the next is alive, so that two are enough.
[<Sealed>]
type internal Workbench<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    let scratch = Bump<'T>()
    let mutable current = Arena<'T>()
    let mutable other = Arena<'T>()

    /// The arena whose turn it is.
    member _.Arena = current

    member _.Scratch length =
        scratch.Reset()
        scratch.Take(length).AsMemory()

    /// Passes the turn to the arena where a tensor does not lie, and takes back what lay there before.
    member _.Turn(living: Tensor<'T>) =
        if current.Holds living then
            let full = current
            current <- other
            other <- full

        current.Reset()

    /// Takes everything back.
    member _.Reset() =
        current.Reset()
        other.Reset()

/// Memory of a prediction: nothing is alive but what one layer hands to the next.
[<Sealed>]
type internal PassingWorkspace<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(packed: PackedWeights<'T>)
    =
    let bench = Workbench<'T>()

    member _.Bench = bench

    interface IWorkspace<'T> with
        member _.Tensor shape = bench.Arena.Tensor shape
        member _.Gradient shape = bench.Arena.Tensor shape
        member _.Indices length = bench.Arena.Indices length
        member _.Scratch length = bench.Scratch length
        member _.Packed(kernels, geometry, packing, weights) = packed.Get(kernels, geometry, packing, weights)

/// Memory of one shard. What forward saves stays until it was pulled back; cotangents lie on the workbench, each until
/// the layer below has had it; gradients stay until somebody has read them; states until the step ends.
[<Sealed>]
type internal ShardWorkspace<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
    (packed: PackedWeights<'T>, arenas: Pool<Arena<'T>>, slopes: Pool<Arena<'T>>, benches: Pool<Workbench<'T>>) =
    let states = Arena<'T>()
    let mutable gradients: Arena<'T> voption = ValueNone
    let mutable saved: Arena<'T> voption = ValueNone
    let mutable bench: Workbench<'T> voption = ValueNone
    let mutable isPulling = false

    let arena () = if isPulling then bench.Value.Arena else saved.Value

    let slope () =
        if gradients.IsNone then
            gradients <- ValueSome(slopes.Take())

        gradients.Value

    /// Begins to run, forward.
    member _.Begin() =
        if saved.IsNone then
            saved <- ValueSome(arenas.Take())

        bench <- ValueSome(benches.Take())
        isPulling <- false

    /// Turns from running forward to pulling back.
    member _.Pull() = isPulling <- true

    /// What lies on the workbench, but for the given tensor, is of no use any more.
    member _.Turn x̄ = bench.Value.Turn x̄

    /// A gradient, in memory that stays until it is freed.
    member _.KeepGradient gradient = slope().Keep gradient

    /// Whether a gradient lies in memory of this shard's.
    member _.HoldsGradient(gradient: Tensor<'T>) = gradients.IsSome && gradients.Value.Holds gradient

    /// A state, in memory that stays until the step ends.
    member _.KeepState state = states.Keep state

    /// Ends to run: gives the workbench to the next shard.
    member _.End() =
        bench.Value.Reset()
        benches.Give bench.Value
        bench <- ValueNone

    /// Gives what forward saved to the next shard.
    member _.Close() =
        if saved.IsSome then
            saved.Value.Reset()
            arenas.Give saved.Value
            saved <- ValueNone

    /// Gives the memory of gradients to the next shard.
    member _.Free() =
        if gradients.IsSome then
            gradients.Value.Reset()
            slopes.Give gradients.Value
            gradients <- ValueNone

    /// Takes everything back for the next step.
    member this.Reset() =
        this.Close()
        this.Free()
        states.Reset()

    interface IWorkspace<'T> with
        member _.Tensor shape = arena().Tensor shape
        member _.Gradient shape = slope().Tensor shape
        member _.Indices length = arena().Indices length
        member _.Scratch length = bench.Value.Scratch length
        member _.Packed(kernels, geometry, packing, weights) = packed.Get(kernels, geometry, packing, weights)
