namespace Cnn.FSharp

open System
open System.Numerics
open System.Runtime.ExceptionServices
open System.Threading.Tasks
open Cnn

/// <summary>How much a network is checked, and on what.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type VerificationSettings = {
    /// <summary>Decides pictures, directions, cotangents and dropout. Default 0.</summary>
    Seed: int
    /// <summary>Pictures for gradients and adjoints; kernels are compared on at most two of them. Default 4.</summary>
    Samples: int
    /// <summary>Random directions for the input and each parameter of each layer. Default 2.</summary>
    Directions: int
    /// <summary>What a network of float32 is differentiated with in double. Default the textbook kernels.</summary>
    Doubles: IKernels<float>
    /// <summary>What must give the same bits as the backend's own. Default: in order, in reverse, on two and on three threads.</summary>
    Schedulers: IScheduler list
} with

    /// <summary>Seed 0, four pictures, two directions, textbook kernels in double, up to three threads.</summary>
    static member Default = {
        Seed = 0
        Samples = 4
        Directions = 2
        Doubles = ReferenceKernels<float>()
        Schedulers = [
            SequentialScheduler()
            VerificationSettings.Reversed
            VerificationSettings.Threaded 2
            VerificationSettings.Threaded 3
        ]
    }

    /// <summary>The same settings, with another seed, kernels and schedulers.</summary>
    member this.With(seed: int, doubles: IKernels<float>, schedulers: IScheduler seq) = {
        this with
            Seed = seed
            Doubles = doubles
            Schedulers = List.ofSeq schedulers
    }

    static member private Reversed = {
        new IScheduler with
            member _.Threads = 1

            member _.For(count, body) =
                for i in count - 1 .. -1 .. 0 do
                    body.Invoke i
    }

    static member private Threaded threads = {
        new IScheduler with
            member _.Threads = threads

            member _.For(count, body) =
                try
                    Parallel.For(0, count, ParallelOptions(MaxDegreeOfParallelism = threads), body) |> ignore
                with :? AggregateException as failure when not (isNull failure.InnerException) ->
                    ExceptionDispatchInfo.Throw(nonNull failure.InnerException)
    }

/// <summary>Checks the mathematics of a network on its own shapes, weights and data.</summary>
[<RequireQualifiedAccess>]
module Verify =

    /// A layer of the network: its name, its part of θ and of the state, and the position of its draws.
    [<NoEquality; NoComparison>]
    type private Site<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Name: string
        Names: string list
        Here: Weighted<'T>
        Position: int
    }

    let private sites (network: Network<'T>) =
        let rows = Network.summary network
        let parts = Layer.weigh network.Layer network.Parameters network.State

        let positions = parts |> List.scan (fun position (here: Weighted<'T>) -> position + here.Part.Draws) 0

        List.zip3 rows parts (List.truncate parts.Length positions)
        |> List.map (fun (row, here, position) ->
            let own = LayerSpec.tensorNames here.Part.Spec |> List.truncate here.Part.Parameters

            {
                Name = row.Name
                Names =
                    if own.Length = here.Part.Parameters then
                        own
                    else
                        List.init here.Part.Parameters (fun i -> "parameter" + string i)
                Here = here
                Position = position
            })

    let private context kernels mode : Context<'T> = { Context.reference mode with Kernels = kernels }

    let private wide (t: Tensor<'T>) : Tensor<float> = Tensor.map Number.toFloat t
    let private narrow (t: Tensor<float>) : Tensor<'T> = Tensor.map Number.ofFloat t

    let private check layer claim subject verdict reason : VerificationCheck = {
        Layer = layer
        Claim = claim
        Subject = subject
        Checked = 0L
        Total = 0L
        Worst = ""
        Error = 0.0
        Bound = 0.0
        Verdict = verdict
        Reason = reason
    }

    /// The layer in double, and the roundoff that it then has: a user's own keeps the precision that it was written in.
    let private lift (kernels: IKernels<'T>) (part: Primitive<'T>) : struct (Primitive<float> * float) =
        match box part, part.Spec with
        | (:? Primitive<float> as own), _ -> own, Rounding.unitRoundoff<float>
        | _, Custom _ ->
            let run (c: Context<float>) (θ: Parameters<float>) (s: State<float>) (x: Tensor<float>) : Step<float> =
                let step = part.Run (context kernels c.Mode) (List.map narrow θ) (List.map narrow s) (narrow x)

                {
                    Output = wide step.Output
                    State = List.map wide step.State
                    Pullback =
                        fun ȳ ->
                            let θ̄, x̄ = step.Pullback(narrow ȳ)
                            List.map wide θ̄, wide x̄
                }

            {
                Spec = part.Spec
                Parameters = part.Parameters
                States = part.States
                Draws = part.Draws
                CouplesSamples = part.CouplesSamples
                Output = part.Output
                Initial =
                    fun key input ->
                        let θ, s = part.Initial key input
                        List.map wide θ, List.map wide s
                Run = run
            },
            Rounding.unitRoundoff<'T>
        | _, spec -> (Layers.ofSpec spec: Layer<float>).Parts.Head, Rounding.unitRoundoff<float>

    /// Modes that a layer tells apart, with what to call them.
    let private modes (key: Key) (site: Site<'T>) =
        let learning = Training(key.Skip site.Position)

        match site.Here.Part.Spec with
        | BatchNorm _
        | Dropout _
        | Custom _ -> [ learning, ", training"; Inference, ", inference" ]
        | _ -> [ learning, "" ]

    /// y has the promised shape, and gradients those of what they are gradients of.
    let private shapes (site: Site<'T>) (part: Primitive<float>) θ s (x: Tensor<float>) (step: Step<float>) =
        let promised = part.Output x.Shape.Sample
        let θ̄, x̄ = step.Pullback(Tensor.init step.Output.Shape (fun i -> if i % 2 = 0 then 1.0 else -0.5))
        let shapesOf = List.map (fun (t: Tensor<float>) -> t.Shape)

        let claims = [
            "output", [ promised.Batch x.Shape[0] ], [ step.Output.Shape ]
            "input gradient", [ x.Shape ], [ x̄.Shape ]
            "parameter gradients", shapesOf θ, shapesOf θ̄
            "next state", shapesOf s, shapesOf step.State
        ]

        let wrong = claims |> List.tryFind (fun (_, promised, found) -> promised <> found)
        let words (list: Shape list) = if list.IsEmpty then "nothing" else String.Join(" and ", list)

        let verdict, reason =
            match wrong with
            | None -> VerificationVerdict.Passed, ""
            | Some(what, promised, found) ->
                VerificationVerdict.Failed, what + " is " + words found + " instead of " + words promised

        let count = claims |> List.sumBy (fun (_, promised, _) -> promised.Length)

        {
            check site.Name "shapes" "all" verdict reason with
                Checked = int64 count
                Total = int64 count
        }

    /// The linear part of a layer, where it has one: without bias and activation.
    let private linear spec =
        match spec with
        | Conv2D conv -> Some(Conv2D { conv with UseBias = false; Activation = Activation.Identity; Trainable = true })
        | Dense dense ->
            Some(LayerSpec.Dense { dense with UseBias = false; Activation = Activation.Identity; Trainable = true })
        | AveragePool _
        | GlobalAveragePool
        | Flatten _
        | Dropout _ -> Some spec
        | _ -> None

    let private random (key: Key) (shape: Shape) : Tensor<float> =
        Tensor.init shape (fun i -> 2.0 * key.Uniform(int64 i) - 1.0)

    let private dot (a: Tensor<float>) (b: Tensor<float>) = Tensor.dot a b
    let private magnitudes (t: Tensor<float>) = Tensor.map abs t
    let private most (t: Tensor<float>) = (0.0, t.ToArray()) ||> Array.fold (fun m v -> max m (abs v))

    /// ⟨f x, ȳ⟩ = ⟨x, fᵀȳ⟩, and ⟨f x, ȳ⟩ = ⟨w, w̄⟩ where f is linear in its weights: both up to γ_n·⟨|f||x|, |ȳ|⟩.
    let private adjoint (key: Key) (c: Context<float>) (site: Site<'T>) (x: Tensor<float>) = [
        match linear site.Here.Part.Spec with
        | None -> ()
        | Some spec ->
            let part = (Layers.ofSpec spec: Layer<float>).Parts.Head
            let sample = x.Shape.Sample

            let θ =
                LayerSpec.tensorShapes sample spec |> List.mapi (fun i shape -> random (key.Child(int64 i)) shape)

            let x = random (key.Child 8L) x.Shape
            let step = part.Run c θ [] x
            let ȳ = random (key.Child 9L) step.Output.Shape
            let θ̄, x̄ = step.Pullback ȳ
            let forward = dot step.Output ȳ
            let size = dot (magnitudes (part.Run c (List.map magnitudes θ) [] (magnitudes x)).Output) (magnitudes ȳ)
            let terms = x.Size + ȳ.Size + (θ |> List.sumBy (fun t -> t.Size))

            // Tiles round more: for each output κ²·n·max|x|·max|w|.
            let tiled =
                match spec, θ with
                | Conv2D conv, [ kernel ] ->
                    let g =
                        Geometry.Correlation(
                            site.Name,
                            sample,
                            conv.Filters,
                            conv.Kernel,
                            conv.Stride,
                            conv.Dilation,
                            conv.Padding
                        )

                    match Rounding.tileOf c.Kernels g with
                    | ValueSome tile ->
                        let growth = Rounding.tiled<float> tile (max g.Channels g.OutChannels)
                        let filters = Rounding.tiledFilter<float> tile (Rounding.tiles tile x.Shape[0] g)
                        let outputs = growth * most kernel * most x * float ȳ.Size
                        let inputs = growth * most kernel * most ȳ * float x.Size
                        outputs + inputs + filters * most x * most ȳ * float kernel.Size
                    | ValueNone -> 0.0
                | _ -> 0.0

            let bound = Rounding.sum<float> terms * size + tiled

            for subject, backward, count in
                [
                    yield "input", dot x̄ x, x.Size
                    for w, w̄ in List.zip θ θ̄ do
                        yield "kernel", dot w̄ w, w.Size
                ] do
                let error = abs (forward - backward)

                let verdict, reason =
                    if not (error <= bound) then
                        VerificationVerdict.Failed,
                        Words.number forward + " forward, " + Words.number backward + " backward"
                    elif not (bound <= 0.01 * sqrt (size * size / float (max 1 ȳ.Size))) then
                        VerificationVerdict.Vacuous, "too few digits"
                    else
                        VerificationVerdict.Passed, ""

                {
                    check site.Name "adjoint" subject verdict reason with
                        Checked = int64 count
                        Total = int64 count
                        Error = error
                        Bound = bound
                }
    ]

    /// Shapes, adjoints and gradients, layer by layer, in double.
    let private layers settings (key: Key) (backend: Backend<'T>) (x: Tensor<float>) (all: Site<'T> list) =
        let kernels =
            match box backend.Kernels with
            | :? IKernels<float> as own -> own
            | _ -> settings.Doubles

        let rec walk (x: Tensor<float>) (rest: Site<'T> list) =
            match rest with
            | [] -> []
            | site :: above ->
                let struct (part, roundoff) = lift backend.Kernels site.Here.Part
                let θ, s = List.map wide site.Here.Parameters, List.map wide site.Here.State
                let run mode θ x = part.Run (context kernels mode) θ s x
                let learning = Training(key.Skip site.Position)
                let step = run learning θ x
                let shapes = shapes site part θ s x step
                let drawn = key.Child 1L |> Key.child (int64 above.Length)

                let gradients = [
                    if shapes.Verdict = VerificationVerdict.Passed then
                        for mode, words in modes key site do
                            let probe = {
                                Layer = site.Name
                                Names = site.Names
                                Parameters = θ
                                X = x
                                Run = run mode
                                Roundoff = roundoff
                            }

                            for check in GradientCheck.run drawn settings.Directions probe do
                                { check with Subject = check.Subject + words }

                        yield! adjoint drawn (context kernels learning) site x
                ]

                shapes :: gradients @ walk step.Output above

        walk x all

    /// Every kernel that the network calls, forward and backward, against the textbook in double.
    let private kernels (key: Key) (backend: Backend<'T>) (x: Tensor<'T>) (all: Site<'T> list) =
        let compared = ComparedKernels<'T> backend.Kernels

        let rec walk (x: Tensor<'T>) (rest: Site<'T> list) =
            match rest with
            | [] -> []
            | site :: above ->
                let mutable output = x

                for mode, _ in List.rev (modes key site) do
                    let step = site.Here.Part.Run (context compared mode) site.Here.Parameters site.Here.State x

                    let drawn = key.Child 2L |> Key.child (int64 above.Length)
                    step.Pullback(narrow (random drawn step.Output.Shape)) |> ignore

                    output <- step.Output

                [
                    for found in compared.Take() do
                        let hasFailed = not (found.Error <= found.Bound)

                        {
                            check
                                site.Name
                                "kernels"
                                found.Kernel
                                (if hasFailed then VerificationVerdict.Failed else VerificationVerdict.Passed)
                                (if hasFailed then
                                     backend.Kernels.InstructionSet + " against the textbook"
                                 else
                                     "") with
                                Checked = found.Entries
                                Total = found.Entries
                                Worst =
                                    (if found.Index < 0 then
                                         ""
                                     else
                                         site.Name + GradientCheck.entry found.Result found.Shape found.Index)
                                Error = found.Error
                                Bound = found.Bound
                        }
                ]
                @ walk output above

        walk x all

    /// The first entry whose bits differ.
    let private difference (names: string list) (expected: Tensor<'T> list) (actual: Tensor<'T> list) =
        Seq.zip3 names expected actual
        |> Seq.tryPick (fun (name, e, a) ->
            if e.Shape <> a.Shape then
                Some struct (name, infinity)
            else
                let e', a' = e.ToArray(), a.ToArray()

                Seq.zip e' a'
                |> Seq.tryFindIndex (fun (left, right) -> not (left.Equals right))
                |> Option.map (fun i ->
                    let distance: float = Number.toFloat e'[i] - Number.toFloat a'[i]
                    struct (name + (GradientCheck.entry "" e.Shape i).Substring 1, abs distance)))

    let private sameBits
        layer
        claim
        subject
        names
        (expected: Tensor<'T> list)
        (others: (string * Tensor<'T> list) list)
        =
        let entries = expected |> List.sumBy (fun t -> int64 t.Size)

        let found =
            others
            |> List.tryPick (fun (who, actual) -> difference names expected actual |> Option.map (fun d -> who, d))

        let isZero = expected |> List.forall (fun t -> t.ToArray() |> Array.forall (fun v -> 'T.IsZero v))

        let check = {
            check layer claim subject VerificationVerdict.Passed "" with
                Checked = entries
                Total = entries
        }

        match found with
        | Some(who, struct (where, distance)) -> {
            check with
                Verdict = VerificationVerdict.Failed
                Worst = where
                Error = distance
                Reason = "differs " + who
          }
        | None when isZero -> { check with Verdict = VerificationVerdict.Vacuous; Reason = "all zero" }
        | None -> check

    /// The whole network's run is its layers' runs, one after the other, and so is its pullback, bit for bit.
    let private chain (key: Key) (backend: Backend<'T>) (network: Network<'T>) (x: Tensor<'T>) (all: Site<'T> list) =
        let whole =
            Layer.run (context backend.Kernels (Training key)) network.Layer network.Parameters network.State x

        let steps, y =
            all
            |> List.mapFold
                (fun x site ->
                    let c = context backend.Kernels (Training(key.Skip site.Position))
                    let step = site.Here.Part.Run c site.Here.Parameters site.Here.State x
                    step, step.Output)
                x

        let ȳ = narrow (random (key.Child 3L) y.Shape)

        let θ̄, x̄ =
            List.foldBack
                (fun (step: Step<'T>) (θ̄, ȳ) ->
                    let own, x̄ = step.Pullback ȳ
                    own @ θ̄, x̄)
                steps
                ([], ȳ)

        let names =
            "output"
            :: "input"
            :: (all |> List.collect (fun site -> site.Names |> List.map (fun n -> site.Name + "/" + n)))

        let once, again = whole.Pullback ȳ, whole.Pullback ȳ
        let listed (θ̄, x̄) = whole.Output :: x̄ :: θ̄

        sameBits "network" "chain rule" "output, gradients" names (y :: x̄ :: θ̄) [
            "from layer after layer", listed once
            "when pulled back again", listed again
        ]

    /// The gradient of the loss, and the weights after some steps, as the training itself computes them.
    let private threads
        settings
        (key: Key)
        (backend: Backend<'T>)
        (network: Network<'T>)
        (pictures: Dataset)
        (all: Site<'T> list)
        =
        let schedulers = [
            "when run again on the same scheduler", backend.Scheduler

            for i, scheduler in List.indexed settings.Schedulers do
                "under scheduler " + string (i + 1) + ", of " + Words.count scheduler.Threads "thread" "threads",
                scheduler
        ]

        let names = all |> List.collect (fun site -> site.Names |> List.map (fun n -> site.Name + "/" + n))
        let layer, loss = Network.fuse (Network.standardLoss network) network.Layer
        let rewritten = (Network.optimise { network with Layer = layer }).Layer

        let batch: Batch<'T> = {
            Count = pictures.Count
            Read = fun workspace first count -> Dataset.read pictures id workspace first count
            Targets = Labels(pictures.LabelMemory)
            ClassWeights = None
        }

        let gradient (scheduler: IScheduler) =
            let plan =
                Sharding.plan { backend with Scheduler = scheduler } network.Input rewritten network.Parameters

            let found =
                Sharding.gradient
                    plan
                    loss
                    (key.Child 5L)
                    (Array.ofList network.Parameters)
                    network.Parameters
                    network.State
                    batch

            let copies = found.Gradient |> Array.map Tensor.copy |> List.ofArray
            Sharding.finish plan
            copies

        let trained (scheduler: IScheduler) =
            let training = { TrainingSettings.Default with BatchSize = 8; Seed = settings.Seed }
            (Training.run { backend with Scheduler = scheduler } training 1 pictures network).Network.Parameters

        let compare subject (run: IScheduler -> Tensor<'T> list) =
            sameBits "network" "threads" subject names (run backend.Scheduler) [
                for name, scheduler in schedulers -> name, run scheduler
            ]

        if network.Parameters.IsEmpty then
            [ check "network" "threads" "gradient" VerificationVerdict.Vacuous "nothing to train" ]
        else
            [ compare "gradient" gradient; compare "weights after training steps" trained ]

    /// <summary>Checks a network on pictures: shapes, gradients, adjoints, kernels, chain rule and threads.</summary>
    /// <remarks>
    /// <para>Shapes: what a layer gives has the shape that it promised, and gradients the shapes of what they are of.</para>
    /// <para>
    /// Gradient: ⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for the input and each parameter of each layer at the values that reach it, along
    /// random directions d with a random cotangent ȳ, in double. J·d comes from central differences of fourth order; the
    /// bound is their disagreement between two steps (Richardson) and their noise (Moré and Wild 2011). Outputs that have
    /// a kink or a tie within the steps are left out and counted. A layer of a user's own that computes in float32 is
    /// checked in float32.
    /// </para>
    /// <para>Adjoint: ⟨f x, ȳ⟩ = ⟨x, fᵀȳ⟩ = ⟨w, w̄⟩ for the linear part of each layer, up to <see cref="M:Cnn.FSharp.Rounding.sum"/>.</para>
    /// <para>Kernels: each call that the network makes, against the textbook in double, entry by entry, within Higham's bounds.</para>
    /// <para>Chain rule: the network's pullback is its layers' pullbacks, last to first, bit for bit.</para>
    /// <para>Threads: gradient and weights after steps of training are the same bits under every scheduler.</para>
    /// <para>Threads are left out where a layer failed, kernels and chain rule where one broke its shapes.</para>
    /// <para>A check that could not have failed is vacuous, not passed. The same seed gives the same checks.</para>
    /// </remarks>
    /// <exception cref="T:Cnn.ShapeException">The pictures have not the shape of the network's input.</exception>
    /// <exception cref="T:System.ArgumentException">There are no pictures, they are of one class, or the network cannot be trained on them.</exception>
    let run (settings: VerificationSettings) (backend: Backend<'T>) (data: Dataset) (network: Network<'T>) =
        if settings.Samples < 1 || settings.Directions < 1 then
            raise (ArgumentException("At least one picture and one direction are needed.", nameof settings))

        if data.Count = 0 then
            raise (ArgumentException("There are no pictures to check the network with.", nameof data))

        let key = Key.ofSeed settings.Seed
        let chosen = (data.Shuffle(key.Child 6L)).Take settings.Samples
        let x: Tensor<'T> = Dataset.tensor chosen [| 0 .. chosen.Count - 1 |]
        Network.checkInput network x
        let pictures = (data.Shuffle(key.Child 4L)).Take 24
        TrainingChecks.refuse backend.Scheduler 8 None network [ pictures ]
        let all = sites network
        let dropout = key.Child 7L
        let byLayer = layers settings dropout backend (wide x) all

        let hasFailed claim = byLayer |> List.exists (fun c -> c.Verdict = VerificationVerdict.Failed && claim c.Claim)

        // A layer that breaks its own shapes cannot be chained; one that looks at other runs' memory cannot be trained.
        let byKernel, whole =
            if hasFailed (fun claim -> claim = "shapes") then
                [], []
            else
                kernels dropout backend (x.Slice(0, min 2 chosen.Count)) all,
                chain dropout backend network x all
                :: (if hasFailed (fun _ -> true) then
                        []
                    else
                        threads settings key backend network pictures all)

        let ofLayer name = List.filter (fun (c: VerificationCheck) -> c.Layer = name)

        Verification(
            [|
                for site in all do
                    yield! ofLayer site.Name byLayer
                    yield! ofLayer site.Name byKernel
                yield! whole
            |],
            chosen.Count,
            backend.Kernels.InstructionSet
        )

    /// <summary>The same with the default settings: seed 0, four pictures, two directions, up to three threads.</summary>
    let network (backend: Backend<'T>) (data: Dataset) (network: Network<'T>) =
        run VerificationSettings.Default backend data network
