namespace Cnn.FSharp

open System
open System.Numerics
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
[<NoEquality; NoComparison>]
type internal Descent<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Loss: float
    Correct: int
    Gradient: Parameters<'T>
    State: State<'T>
}

/// One parallel combinator: a batch is cut into shards, each runs forward, loss and pullback by itself.
[<RequireQualifiedAccess>]
module internal Sharding =

    /// The most shards of a batch: a constant, never the machine's threads or cache, so that results are the same everywhere.
    [<Literal>]
    let Most = 16

    /// What a shard's activations should about fill, in bytes: a usual second-level cache.
    [<Literal>]
    let private Target = 1048576

    /// A stretch of layers that sample by sample runs alone, or one layer that needs the whole batch.
    [<NoEquality; NoComparison>]
    type Segment<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> =
        | Each of Layer<'T>
        | Whole of Primitive<'T>

    /// Each, Whole, Each, …, Each: begins and ends with a (maybe empty) stretch that runs by sample.
    let segments (layer: Layer<'T>) : Segment<'T> list =
        let rec cut (parts: Primitive<'T> list) =
            match parts |> List.tryFindIndex (fun part -> part.CouplesSamples) with
            | None -> [ Each { Parts = parts } ]
            | Some i -> Each { Parts = List.take i parts } :: Whole parts[i] :: cut (List.skip (i + 1) parts)

        cut layer.Parts

    /// How many shards a batch is cut into: as many as keep a shard's activations in cache, 4 to 16.
    let shardCount (input: Shape) (layer: Layer<'T>) batch =
        let perSample =
            layer.Parts
            |> List.scan (fun shape part -> part.Output shape) input
            |> List.sumBy (fun s -> int64 s.Size)

        let bytes = perSample * int64 sizeof<'T> * int64 batch
        let wanted = (bytes + int64 Target - 1L) / int64 Target
        int (min (int64 batch) (max 4L (min (int64 Most) wanted)))

    let private counts layer =
        layer.Parts |> List.sumBy (fun part -> part.Parameters), layer.Parts |> List.sumBy (fun part -> part.States)

    /// The parts of a batch, one after the other, in memory of their own.
    let private gather (workspace: IWorkspace<'T>) count (parts: Tensor<'T>[]) =
        let all = workspace.Tensor(parts[0].Shape.Sample.Batch count)
        let mutable at = 0

        for part in parts do
            part.Span.CopyTo(all.Destination.Slice at)
            at <- at + part.Size

        all

    let private correct threshold (prediction: Tensor<'T>) (targets: Targets<'T>) =
        match targets with
        | Labels labels -> Metrics.correct threshold prediction labels.Span
        | Values _ -> 0

    /// Loss, gradient and next state of a batch: the same to the last bit for any scheduler.
    let gradient
        (backend: Backend<'T>)
        (memory: StepMemory<'T>)
        (segments: Segment<'T> list)
        (chunks: Optimizer.Chunk[])
        shards
        (loss: Loss)
        (key: Key)
        (θ: Parameters<'T>)
        (s: State<'T>)
        (batch: Batch<'T>)
        : Descent<'T> =
        let first i = int (int64 i * int64 batch.Count / int64 shards)
        let size i = first (i + 1) - first i
        let threshold = if loss.Kind = LossKind.SigmoidBinaryCrossEntropy then 0.0 else 0.5

        let context workspace firstSample key needsInputGradient = {
            Kernels = backend.Kernels
            Workspace = workspace
            Mode = Training key
            FirstSample = firstSample
            NeedsInputGradient = needsInputGradient
        }

        /// body for each shard, in parallel, with a context of its own.
        let region key needs (body: int -> Context<'T> -> 'R) : 'R[] =
            let results = Array.zeroCreate shards

            backend.Scheduler.For(shards, fun i -> results[i] <- body i (context (memory.Open i) (first i) key needs))

            results

        /// θ̄ of several shards, as the addends of each tensor in shard order.
        let addends (parts: Parameters<'T>[]) =
            if parts[0].IsEmpty then
                []
            else
                parts |> Array.map Array.ofList |> Array.transpose |> List.ofArray

        let isAlone = segments.Length = 1

        // Gives loss, correct answers, the addends of θ̄, the next state, and x̄ of each shard.
        let rec descend segments θ s (key: Key) needs (xs: int -> Context<'T> -> Tensor<'T>) =
            match segments with
            | [ Each layer ] ->
                let results =
                    region key needs (fun i context ->
                        let step = Layer.run context layer θ s (xs i context)
                        let targets = Loss.slice (first i) (size i) batch.Targets

                        let struct (value, ȳ) =
                            Loss.share context.Workspace loss batch.ClassWeights batch.Count step.Output targets

                        let right = correct threshold step.Output targets
                        let θ̄, x̄ = step.Pullback ȳ

                        let kept = θ̄ |> List.map (memory.Keep i)

                        if isAlone then
                            memory.Close i

                        struct (value, right, kept, step.State, x̄))

                let value = results |> Array.sumBy (fun struct (v, _, _, _, _) -> v)
                let right = results |> Array.sumBy (fun struct (_, r, _, _, _) -> r)
                let struct (_, _, _, state, _) = results[0]
                let θ̄ = results |> Array.map (fun struct (_, _, θ̄, _, _) -> θ̄) |> addends
                value, right, θ̄, state, results |> Array.map (fun struct (_, _, _, _, x̄) -> x̄)
            | Each layer :: rest ->
                let parameters, states = counts layer
                let θf, θg = List.splitAt parameters θ
                let sf, sg = List.splitAt states s
                let steps = region key needs (fun i context -> Layer.run context layer θf sf (xs i context))
                let draws = layer.Parts |> List.sumBy (fun part -> part.Draws)
                let isRead = needs || parameters > 0

                let value, right, θ̄g, state, ȳs =
                    descend rest θg sg (key.Skip draws) isRead (fun i _ -> steps[i].Output)

                let nextState = steps[0].State @ state

                if isRead then
                    let pulled = region key needs (fun i _ -> steps[i].Pullback ȳs[i])
                    value, right, addends (Array.map fst pulled) @ θ̄g, nextState, Array.map snd pulled
                else
                    value, right, θ̄g, nextState, ȳs
            | Whole part :: rest ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s
                let none = context memory.Whole 0 key needs
                let x = gather memory.Whole batch.Count (Array.init shards (fun i -> xs i none))
                let step = part.Run none θf sf x
                let isRead = needs || part.Parameters > 0

                let value, right, θ̄g, state, ȳs =
                    descend rest θg sg (key.Skip part.Draws) isRead (fun i _ -> step.Output.Slice(first i, size i))

                let nextState = step.State @ state

                if isRead then
                    let θ̄f, x̄ = step.Pullback(gather memory.Whole batch.Count ȳs)

                    let x̄s =
                        if x̄.Size = 0 then
                            Array.create shards x̄
                        else
                            Array.init shards (fun i -> x̄.Slice(first i, size i))

                    value, right, (θ̄f |> List.map Array.singleton) @ θ̄g, nextState, x̄s
                else
                    value, right, θ̄g, nextState, ȳs
            | [] -> invalidOp "A network's segments end with one that runs by sample."

        memory.Begin(backend, θ)
        let read i (context: Context<'T>) = batch.Read context.Workspace (first i) (size i)
        let value, right, θ̄, state, _ = descend segments θ s key false read

        // The shards' gradients are added in shard order, a piece of each tensor at a time, in memory of the step's own:
        // what a pullback gives back may be anybody's.
        let parts = Array.ofList θ̄

        let sums =
            parts
            |> Array.map (fun addends ->
                if addends.Length = 1 then
                    addends[0]
                else
                    memory.Whole.Gradient (addends[0]).Shape)

        backend.Scheduler.For(
            chunks.Length,
            fun c ->
                let chunk = chunks[c]
                let addends = parts[chunk.Tensor]

                if addends.Length > 1 then
                    let sum = (sums[chunk.Tensor]).Destination.Slice(chunk.First, chunk.Count)
                    (addends[0]).Span.Slice(chunk.First, chunk.Count).CopyTo sum

                    for shard in 1 .. addends.Length - 1 do
                        backend.Kernels.Accumulate((addends[shard]).Span.Slice(chunk.First, chunk.Count), sum)
        )

        let total = List.ofArray sums
        { Loss = value; Correct = right; Gradient = total; State = state }
