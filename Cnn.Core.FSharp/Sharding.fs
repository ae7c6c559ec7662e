namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Numerics
open System.Threading
open Cnn

/// What a batch of a training step is: how many samples, and how to read some of them.
[<NoEquality; NoComparison>]
type internal Batch<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Count: int
    /// Samples first … first + count − 1, into memory of the given workspace; called from several threads at once.
    Read: IWorkspace<'T> -> int -> int -> Tensor<'T>
    Targets: Targets<'T>
    /// What a sample of each class counts in the loss.
    ClassWeights: float[] option
}

/// What a training step found: loss and correct answers, θ̄ and the next state.
[<Struct; NoEquality; NoComparison>]
type internal Descent<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Loss: float
    Correct: int
    Gradient: Tensor<'T>[]
    State: State<'T>
}

/// A part of a batch on its way through the network, and what it found.
[<Sealed>]
type internal Shard<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(workspace: ShardWorkspace<'T>) =

    // Of each stretch of layers that ran and was not pulled back yet, the last first.
    let pullbacks = Stack<Pullback<'T> list>()

    member _.Workspace = workspace
    member val State: State<'T> = [] with get, set
    member val Loss = 0.0 with get, set
    member val Correct = 0 with get, set

    /// Runs layers, and saves their pullbacks.
    member this.Forward(context, parts: Weighted<'T> list, x) =
        let struct (y, state, saved) = Layer.forward context parts x
        pullbacks.Push saved
        this.State <- if state.IsEmpty then state else List.map workspace.KeepState state
        y

    /// Pulls back through the layers that ran last, whose θ ends before a position; each gradient is handed on at once.
    member _.Backward(last: int, ȳ: Tensor<'T>, hand: int -> Tensor<'T> -> unit) =
        let folder at (θ̄: Parameters<'T>) x̄ =
            let first = at - θ̄.Length
            let mutable i = first

            for gradient in θ̄ do
                hand i (workspace.KeepGradient gradient)
                i <- i + 1

            workspace.Turn x̄
            first

        workspace.Turn ȳ
        let struct (_, x̄) = Layer.backward folder last (pullbacks.Pop()) ȳ
        x̄

    /// Takes everything back for the next step.
    member _.Reset() =
        pullbacks.Clear()
        workspace.Reset()

/// θ̄ of a batch: the shards' gradients, added in their order, whoever is ready first. Each is added while it is in
/// cache, and its memory passes on to the next shard; the first one's becomes the sum where it is large.
[<Sealed>]
type internal GradientSums<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
    (kernels: IKernels<'T>, isSharded: bool[], shards: Shard<'T>[]) =
    // To copy less is not worth a look at all others.
    static let large = 1 <<< 14

    let sums = Array.create isSharded.Length Tensor<'T>.Empty

    // Of each tensor, which shard is next, and the gradients of later ones.
    let next = Array.zeroCreate<int> isSharded.Length
    let waiting = isSharded |> Array.map (fun _ -> Array.create<Tensor<'T> | null> shards.Length null)

    // Gradients of each shard that were not added yet.
    let missing = Array.zeroCreate<int> shards.Length

    /// Memory for a sum that begins with the first shard's gradient: the gradient's own, if a step made it and no other
    /// sum lies there.
    let begin' (workspace: IWorkspace<'T>) (gradient: Tensor<'T>) =
        let isAnothers (sum: Tensor<'T>) = MemoryExtensions.Overlaps(sum.Span, gradient.Span)

        if
            gradient.Size >= large
            && (shards[0]).Workspace.HoldsGradient gradient
            && not (Array.exists isAnothers sums)
        then
            gradient
        else
            let sum = workspace.Gradient gradient.Shape
            gradient.Span.CopyTo sum.Destination
            sum

    member _.Sums = sums

    /// Before a step.
    member _.Begin() =
        for k in 0 .. sums.Length - 1 do
            next[k] <- 0
            sums[k] <- Tensor<'T>.Empty
            Array.fill waiting[k] 0 shards.Length null

        let count = isSharded |> Array.sumBy (fun is -> if is then 1 else 0)
        Array.fill missing 0 shards.Length count

    /// Tensor k of a shard's θ̄; called from several threads at once. Only the first shard's asks the workspace for memory.
    member _.Add(workspace: IWorkspace<'T>, shard: int, k: int, gradient: Tensor<'T>) =
        let waiting = waiting[k]

        lock waiting (fun () ->
            waiting[shard] <- gradient
            let mutable isNext = next[k] = shard

            while isNext do
                match waiting[next[k]] with
                | null -> isNext <- false
                | addend ->
                    let i = next[k]

                    if i = 0 then
                        sums[k] <- begin' workspace addend
                    else
                        kernels.Accumulate(addend.Span, (sums[k]).Destination)

                        if Interlocked.Decrement(&missing[i]) = 0 then
                            (shards[i]).Workspace.Free()

                    next[k] <- i + 1
                    isNext <- i + 1 < shards.Length)

/// One parallel combinator: a batch is cut into shards, each runs forward, loss and pullback by itself.
[<RequireQualifiedAccess>]
module internal Sharding =

    /// The most shards of a batch: a constant, never the machine's threads or cache, so that results are the same everywhere.
    [<Literal>]
    let Most = 16

    /// What a shard's activations should about fill, in bytes: a usual second-level cache.
    [<Literal>]
    let Target = 1048576

    /// What is the same for all steps of a training, the memory among it: for one step at a time.
    [<NoEquality; NoComparison>]
    type Plan<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Backend: Backend<'T>
        Input: Shape
        Layer: Layer<'T>
        /// Elements of a sample's activations.
        Activations: int64
        /// Elements of θ.
        Parameters: int64
        /// The pieces that parallel loops over θ take.
        Chunks: Optimizer.Chunk[]
        /// Of each tensor of θ, whether every shard has a gradient for it.
        IsSharded: bool[]
        Packed: PackedWeights<'T>
        Shards: Shard<'T>[]
        Sums: GradientSums<'T>
        /// The whole batch, where a layer couples samples.
        Whole: Shard<'T>
    }

    /// Before the first step.
    let plan (backend: Backend<'T>) (input: Shape) (layer: Layer<'T>) (θ: Parameters<'T>) : Plan<'T> =
        let packed = PackedWeights<'T>()

        let arenas, slopes, benches =
            Pool(fun () -> Arena<'T>()), Pool(fun () -> Arena<'T>()), Pool(fun () -> Workbench<'T>())

        let shard _ = Shard(ShardWorkspace(packed, arenas, slopes, benches))
        let shards = Array.init Most shard

        let isSharded =
            layer.Parts
            |> List.map (fun part -> Array.create part.Parameters (not part.CouplesSamples))
            |> Array.concat

        {
            Backend = backend
            Input = input
            Layer = layer
            Activations =
                layer.Parts
                |> List.scan (fun shape part -> part.Output shape) input
                |> List.sumBy (fun shape -> int64 shape.Size)
            Parameters = θ |> List.sumBy (fun t -> int64 t.Size)
            Chunks = Optimizer.chunks θ
            IsSharded = isSharded
            Packed = packed
            Shards = shards
            Sums = GradientSums(backend.Kernels, isSharded, shards)
            Whole = shard ()
        }

    /// How many shards a batch is cut into: as many as keep a shard's activations in cache, 4 to 16; of small batches
    /// fewer, where a shard's gradient is more memory than its samples: then four samples share one, or half the batch.
    let private shardCount (plan: Plan<'T>) (batch: int) =
        let batch = int64 batch
        let bytes = plan.Activations * int64 sizeof<'T> * batch
        let wanted = max 4L (min (int64 Most) ((bytes + int64 Target - 1L) / int64 Target))
        let sharing = max 1L (min 4L (plan.Parameters / max 1L plan.Activations))
        int (min batch (min wanted (max 2L (batch / sharing))))

    let private correct threshold (prediction: Tensor<'T>) (targets: Targets<'T>) =
        match targets with
        | Labels labels -> Metrics.correct threshold prediction labels.Span
        | Values _ -> 0

    /// Loss, gradient and next state of a batch: the same to the last bit for any scheduler.
    /// What it gives is to be read before <c>finish</c>.
    let gradient
        (plan: Plan<'T>)
        (loss: Loss)
        (key: Key)
        (weights: Tensor<'T>[])
        (θ: Parameters<'T>)
        (s: State<'T>)
        (batch: Batch<'T>)
        : Descent<'T> =
        let shards = shardCount plan batch.Count
        let first i = int (int64 i * int64 batch.Count / int64 shards)
        let size i = first (i + 1) - first i
        let threshold = if loss.Kind = LossKind.SigmoidBinaryCrossEntropy then 0.0 else 0.5
        let whole = plan.Whole.Workspace

        let context workspace firstSample key needs = {
            Kernels = plan.Backend.Kernels
            Workspace = workspace
            Mode = Training key
            FirstSample = firstSample
            NeedsInputGradient = needs
        }

        /// body for each shard, in parallel, with a context of its own.
        let region key needs (body: int -> Shard<'T> -> Context<'T> -> unit) =
            plan.Backend.Scheduler.For(
                shards,
                fun i ->
                    let shard = plan.Shards[i]
                    shard.Workspace.Begin()
                    body i shard (context (shard.Workspace :> IWorkspace<'T>) (first i) key needs)
                    shard.Workspace.End()
            )

        /// Memory for a batch of what shards give, if somebody reads it.
        let room isRead (sample: Shape) =
            if isRead then
                (whole :> IWorkspace<'T>).Tensor(sample.Batch batch.Count)
            else
                Tensor<'T>.Empty

        let gather (all: Tensor<'T>) i (part: Tensor<'T>) =
            if all.Size > 0 then
                part.Span.CopyTo(all.Destination.Slice(first i * all.Shape.Sample.Size, part.Size))

        let isAlone = Array.forall id plan.IsSharded
        let tensors = List.sumBy (fun (here: Weighted<'T>) -> here.Part.Parameters)
        let draws = List.sumBy (fun (here: Weighted<'T>) -> here.Part.Draws)
        let output = List.fold (fun shape (here: Weighted<'T>) -> here.Part.Output shape)

        // Some parts, up to the last: their θ begins at a position, and x reads a shard's input. Gives the next state and x̄.
        let rec descend (parts: Weighted<'T> list) (input: Shape) at (key: Key) needs x =
            match parts |> List.tryFindIndex (fun here -> here.Part.CouplesSamples) with
            | None ->
                whole.Pull()
                let x̄ = room needs input

                region key needs (fun i shard context ->
                    let y = shard.Forward(context, parts, x i context.Workspace)
                    let targets = Loss.slice (first i) (size i) batch.Targets
                    shard.Workspace.Pull()
                    let struct (value, ȳ) = Loss.share context.Workspace loss batch.ClassWeights batch.Count y targets
                    shard.Loss <- value
                    shard.Correct <- correct threshold y targets

                    gather
                        x̄
                        i
                        (shard.Backward(
                            plan.IsSharded.Length,
                            ȳ,
                            (fun k gradient -> plan.Sums.Add(whole, i, k, gradient))
                        ))

                    if isAlone then
                        shard.Workspace.Close())

                struct (plan.Shards[0].State, x̄)
            | Some i ->
                let below, rest = List.splitAt i parts
                let coupling, above = [ rest.Head ], rest.Tail
                let y = room true (output input below)

                region key needs (fun i shard context ->
                    gather y i (shard.Forward(context, below, x i context.Workspace)))

                let coupled = key.Skip(draws below)
                let isRead = needs || tensors below > 0
                let z = plan.Whole.Forward(context (whole :> IWorkspace<'T>) 0 coupled isRead, coupling, y)
                let state = plan.Shards[0].State @ plan.Whole.State
                let middle = at + tensors below
                let last = middle + tensors coupling
                let isPulled = isRead || last > middle

                let struct (next, z̄) =
                    descend above z.Shape.Sample last (coupled.Skip(draws coupling)) isPulled (fun i _ ->
                        z.Slice(first i, size i))

                let ȳ =
                    if isPulled then
                        plan.Whole.Backward(last, z̄, (fun k gradient -> plan.Sums.Sums[k] <- gradient))
                    else
                        z̄

                let x̄ = room needs input

                if isRead then
                    region key needs (fun i shard _ ->
                        shard.Workspace.Pull()

                        gather
                            x̄
                            i
                            (shard.Backward(
                                middle,
                                ȳ.Slice(first i, size i),
                                (fun k gradient -> plan.Sums.Add(whole, i, k, gradient))
                            )))

                struct (state @ next, x̄)

        let read i workspace = batch.Read workspace (first i) (size i)
        whole.Begin()
        plan.Sums.Begin()
        plan.Packed.Begin(plan.Backend, weights)
        let struct (state, _) = descend (Layer.weigh plan.Layer θ s) plan.Input 0 key false read
        let mutable loss, right = 0.0, 0

        for i in 0 .. shards - 1 do
            loss <- loss + plan.Shards[i].Loss
            right <- right + plan.Shards[i].Correct

        { Loss = loss; Correct = right; Gradient = plan.Sums.Sums; State = state }

    /// Takes all memory of a step back.
    let finish (plan: Plan<'T>) =
        plan.Whole.Workspace.End()
        plan.Whole.Reset()
        plan.Packed.Reset()

        for shard in plan.Shards do
            shard.Reset()
