namespace Cnn.FSharp

open System
open System.Numerics
open Cnn
open Cnn.FSharp.LayerChecks

/// <summary>Checks the mathematics of a network on its own shapes, weights and data.</summary>
[<RequireQualifiedAccess>]
module Verify =

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
