namespace Cnn.FSharp

open System.Numerics
open Cnn

/// <summary>Trainable tensors θ, a flat list: concatenation makes composition exactly associative.</summary>
type Parameters<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = Tensor<'T> list

/// <summary>Tensors that are not trained: batch statistics and frozen weights, a flat list.</summary>
type State<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = Tensor<'T> list

/// <summary>ȳ ↦ (θ̄, x̄): the transpose of a layer's derivative at the point where it ran. Pure; may be called twice.</summary>
type Pullback<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = Tensor<'T> -> Parameters<'T> * Tensor<'T>

/// <summary>Whether a layer runs to predict or to learn; learning brings the key of the step's draws.</summary>
[<NoComparison>]
type Mode =
    /// To predict: dropout off, batch statistics as learned.
    | Inference
    /// To learn: dropout on, statistics of the batch; the key is that of the step.
    | Training of Key

/// <summary>What a layer runs with.</summary>
/// <remarks>Immutable; used by one thread at a time where its workspace is.</remarks>
[<NoEquality; NoComparison>]
type Context<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The hot loops.</summary>
    Kernels: IKernels<'T>
    /// <summary>Where destinations come from.</summary>
    Workspace: IWorkspace<'T>
    /// <summary>To predict, or to learn.</summary>
    Mode: Mode
    /// <summary>Position in the whole batch of the first sample here, so that draws do not depend on sharding.</summary>
    FirstSample: int
    /// <summary>False where nobody reads x̄: it is then <c>Tensor.Empty</c>.</summary>
    NeedsInputGradient: bool
}

/// <summary>Where a run of a layer got to: y, the next state, and the pullback at this point.</summary>
[<Struct; NoEquality; NoComparison>]
type Step<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>y, for a batch.</summary>
    Output: Tensor<'T>
    /// <summary>The state after the run: batch statistics moved on, all else as it was.</summary>
    State: State<'T>
    /// <summary>ȳ ↦ (θ̄, x̄) at this point.</summary>
    Pullback: Pullback<'T>
}

/// <summary>One row of the table of layers: a function of (θ, x) together with its pullback.</summary>
/// <remarks>Immutable and pure; safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type Primitive<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The layer as data.</summary>
    Spec: LayerSpec
    /// <summary>Number of tensors in θ.</summary>
    Parameters: int
    /// <summary>Number of tensors in the state.</summary>
    States: int
    /// <summary>Positions of the key that the layer takes.</summary>
    Draws: int
    /// <summary>True where, in training, one sample's output depends on the others.</summary>
    CouplesSamples: bool
    /// <summary>Shape law: sample shape in → sample shape out, or a <c>ShapeException</c>.</summary>
    Output: Shape -> Shape
    /// <summary>θ and state at the start, for an input of the given sample shape.</summary>
    Initial: Key -> Shape -> Parameters<'T> * State<'T>
    /// <summary>y = f(θ, x) for a batch x, with the next state and the pullback.</summary>
    Run: Context<'T> -> Parameters<'T> -> State<'T> -> Tensor<'T> -> Step<'T>
}

/// <summary>A layer X → Y with parameters Θ: primitives in a row. A network is a layer.</summary>
[<NoEquality; NoComparison>]
type Layer<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The primitives, in the order in which they run.</summary>
    Parts: Primitive<'T> list
}

/// A part of a layer with its own of θ and of the state.
[<NoEquality; NoComparison>]
type internal Weighted<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Part: Primitive<'T>
    Parameters: Parameters<'T>
    State: State<'T>
}

/// <summary>What a layer runs with, where nothing but the mathematics matters.</summary>
[<RequireQualifiedAccess>]
module Context =

    /// <summary>Textbook kernels, fresh memory, x̄ wanted.</summary>
    let reference mode : Context<'T> = {
        Kernels = ReferenceKernels<'T>()
        Workspace = FreshWorkspace<'T>()
        Mode = mode
        FirstSample = 0
        NeedsInputGradient = true
    }

    /// The context of what follows a layer that took n positions of the key.
    let internal skip n (context: Context<'T>) =
        match context.Mode with
        | Training key when n > 0 -> { context with Mode = Training(key.Skip n) }
        | _ -> context

/// <summary>The algebra of layers: a category with identity and composition, exactly.</summary>
[<RequireQualifiedAccess>]
module Layer =

    /// f with its last argument and result remembered: a shape law asked for the same shape at every step is worked out once.
    let internal remember (f: Shape -> 'R) : Shape -> 'R =
        // A race only works a result out twice.
        let last = ref None

        fun shape ->
            match last.Value with
            | Some struct (known: Shape, result) when obj.ReferenceEquals(known, shape) || known = shape -> result
            | _ ->
                let result = f shape
                last.Value <- Some struct (shape, result)
                result

    /// The first n elements, and the rest.
    let rec internal split n list =
        match list with
        | head :: tail when n > 0 ->
            let struct (first, rest) = split (n - 1) tail
            struct (head :: first, rest)
        | _ -> struct ([], list)

    /// <summary>f(x) = x, without parameters.</summary>
    let identity<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Layer<'T> = { Parts = [] }

    /// <summary>(f ; g)(θ ⧺ φ, x) = g(φ, f(θ, x)); the pullback runs g's, then f's.</summary>
    let compose (f: Layer<'T>) (g: Layer<'T>) = { Parts = f.Parts @ g.Parts }

    /// <summary>f₁ ; f₂ ; … ; fₙ, the identity for no layers.</summary>
    let sequence (layers: Layer<'T> list) = { Parts = layers |> List.collect (fun layer -> layer.Parts) }

    /// <summary>A layer of one primitive.</summary>
    let ofPrimitive primitive : Layer<'T> = { Parts = [ primitive ] }

    /// <summary>A layer of your own: its name, counts, shape law, start and run.</summary>
    /// <remarks>
    /// State the counts truly: composition splits θ, state and key by them. <c>Run</c> must be pure and must not couple
    /// the samples of a batch: neither y nor the next state may depend on more than the sample at hand, since a batch is
    /// cut into shards and the first one's state is kept. Its pullback must be callable twice. It cannot be saved.
    /// </remarks>
    let create name parameters states draws output initial run : Layer<'T> =
        ofPrimitive {
            Spec = Custom name
            Parameters = parameters
            States = states
            Draws = draws
            CouplesSamples = false
            Output = output
            Initial = initial
            Run = run
        }

    /// <summary>The layers as data.</summary>
    let specs (layer: Layer<'T>) = layer.Parts |> List.map (fun part -> part.Spec)

    /// <summary>Shape law of the whole: sample shape in → sample shape out.</summary>
    /// <exception cref="T:Cnn.ShapeException">A part does not accept what the part before it gives.</exception>
    let output (layer: Layer<'T>) (input: Shape) = layer.Parts |> List.fold (fun shape part -> part.Output shape) input

    /// <summary>θ and state at the start.</summary>
    let initial (key: Key) (input: Shape) (layer: Layer<'T>) : Parameters<'T> * State<'T> =
        let rec start (key: Key) shape parts =
            match parts with
            | [] -> [], []
            | part :: rest ->
                let θ, s = part.Initial key shape
                let θ', s' = start (key.Skip part.Draws) (part.Output shape) rest
                θ @ θ', s @ s'

        start key input layer.Parts

    /// Each part with its own of θ and of the state: worked out once for all shards of a step.
    let internal weigh (layer: Layer<'T>) (θ: Parameters<'T>) (s: State<'T>) : Weighted<'T> list =
        let rec cut (parts: Primitive<'T> list) θ s =
            match parts with
            | [] -> []
            | part :: rest ->
                let struct (θf, θg) = split part.Parameters θ
                let struct (sf, sg) = split part.States s
                { Part = part; Parameters = θf; State = sf } :: cut rest θg sg

        cut layer.Parts θ s

    /// y, the next state, and the pullbacks that somebody reads, the last part's first.
    let internal forward (context: Context<'T>) (parts: Weighted<'T> list) (x: Tensor<'T>) =
        let rec chain (context: Context<'T>) position parts x pullbacks =
            match parts with
            | [] -> struct (x, [], pullbacks)
            | { Part = part } as here :: above ->
                let own = if LayerSpec.draws part.Spec then Context.skip position context else context
                let step = part.Run own here.Parameters here.State x
                let isRead = context.NeedsInputGradient || part.Parameters > 0

                let next =
                    if isRead = context.NeedsInputGradient then
                        context
                    else
                        { context with NeedsInputGradient = isRead }

                let pullbacks = if isRead then step.Pullback :: pullbacks else pullbacks
                let struct (y, s, pullbacks) = chain next (position + part.Draws) above step.Output pullbacks
                struct (y, step.State @ s, pullbacks)

        chain context 0 parts x []

    /// y alone, where nobody pulls back; told, before each part runs, what it reads.
    let rec internal answer (before: Tensor<'T> -> unit) context (parts: Weighted<'T> list) x =
        match parts with
        | [] -> x
        | here :: above ->
            before x
            answer before context above (here.Part.Run context here.Parameters here.State x).Output

    /// ȳ pulled back through the parts, the last one's pullback first; what each gives is folded into a state.
    let rec internal backward folder state (pullbacks: Pullback<'T> list) ȳ =
        match pullbacks with
        | [] -> struct (state, ȳ)
        | pullback :: below ->
            let θ̄, x̄ = pullback ȳ
            backward folder (folder state θ̄ x̄) below x̄

    /// <summary>y = f(θ, x) for a batch x, with the next state and the pullback.</summary>
    /// <remarks>
    /// Below the lowest layer with parameters no x̄ is computed, unless the context asks for it. θ̄ has the shapes of θ.
    /// </remarks>
    let run (context: Context<'T>) (layer: Layer<'T>) (θ: Parameters<'T>) (s: State<'T>) (x: Tensor<'T>) : Step<'T> =
        let struct (y, next, pullbacks) = forward context (weigh layer θ s) x

        let pullback ȳ =
            let struct (θ̄, x̄) = backward (fun θ̄g θ̄f _ -> θ̄f @ θ̄g) [] pullbacks ȳ
            θ̄, (if context.NeedsInputGradient then x̄ else Tensor<'T>.Empty)

        { Output = y; State = next; Pullback = pullback }

/// <summary>Symbols for composition; each has a name in <c>Layer</c>.</summary>
module LayerOperators =
    /// <summary><c>Layer.compose</c>.</summary>
    let (>=>) f g = Layer.compose f g
