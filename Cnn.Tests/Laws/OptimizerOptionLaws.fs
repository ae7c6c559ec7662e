/// Optimisers under every subset of their options, on every set of kernels, against one recursion of numbers in double.
module Cnn.Tests.Laws.OptimizerOptionLaws

open System
open System.Numerics
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// What may stand beside a rule.
[<RequireQualifiedAccess>]
type private Beside =
    | L1
    | L2
    | Decay
    | ClipNorm
    | ClipValue
    | Schedule

/// A rule under a subset of the options.
type private Case = { Kind: OptimizerKind; Options: Set<Beside>; Seed: int }

/// Every rule under every subset: 13·2⁶.
let private cases =
    let options = [ Beside.L1; Beside.L2; Beside.Decay; Beside.ClipNorm; Beside.ClipValue; Beside.Schedule ]

    let subsets =
        List.fold (fun subsets option -> subsets @ List.map (Set.add option) subsets) [ Set.empty ] options

    List.allPairs (List.ofArray (Enum.GetValues<OptimizerKind>())) subsets
    |> List.mapi (fun i (kind, options) -> { Kind = kind; Options = options; Seed = i })

// Numbers that float32 holds exactly, but for the decays and ε.
let private η, γ, β1, β2, ε = 0.125, 0.75, 0.75, 0.5, 1e-3
let private l1, l2, λ, longest, largest = 0.0625, 0.25, 0.5, 2.0, 0.5

let private optimizer case =
    let rule =
        match case.Kind with
        | OptimizerKind.Sgd -> Optimizer.Sgd η
        | OptimizerKind.Momentum -> Optimizer.Momentum(η, γ)
        | OptimizerKind.ClassicMomentum -> Optimizer.ClassicMomentum(η, γ)
        | OptimizerKind.KerasMomentum -> Optimizer.KerasMomentum(η, γ)
        | OptimizerKind.Nesterov -> Optimizer.Nesterov(η, γ)
        | OptimizerKind.KerasNesterov -> Optimizer.KerasNesterov(η, γ)
        | OptimizerKind.Adagrad -> Optimizer.Adagrad(η, ε)
        | OptimizerKind.KerasAdagrad -> Optimizer.KerasAdagrad(η, ε)
        | OptimizerKind.RmsProp -> Optimizer.RmsProp(η, γ, ε)
        | OptimizerKind.KerasRmsProp -> Optimizer.KerasRmsProp(η, γ, ε)
        | OptimizerKind.Adam -> Optimizer.Adam(η, β1, β2, ε)
        | OptimizerKind.KerasAdam -> Optimizer.KerasAdam(η, β1, β2, ε)
        | OptimizerKind.AdamW -> Optimizer.AdamW(η, 0.0, β1, β2, ε)
        | kind -> failwith $"{kind} has no rule here"

    let add (rule: Optimizer) option =
        match option with
        | Beside.L1 -> rule.WithL1 l1
        | Beside.L2 -> rule.WithL2 l2
        | Beside.Decay -> rule.WithWeightDecay λ
        | Beside.ClipNorm -> rule.WithClipNorm longest
        | Beside.ClipValue -> rule.WithClipValue largest
        | Beside.Schedule -> rule.WithSchedule(Schedule.Exponential 0.5)

    Set.fold add rule case.Options

/// The rate of step t, never the optimiser's own: that of the schedule, or one that grows.
let private rate case t =
    if case.Options.Contains Beside.Schedule then
        η * pown 0.5 t
    else
        η * (1.0 + 0.5 * float t)

/// A matrix and a vector, each longer than two vectors of 512 bits, and a rest.
let private shapes = [ Shape.Of(5, 8); Shape.Of 37 ]
let private special = [| -1.0; -0.0; 0.0; 1.0 |]
let private nonFinite = [| nan; infinity; -infinity |]

/// Weights of −1, −0, 0 and 1, and some others.
let private weights case =
    shapes
    |> List.mapi (fun k shape ->
        let others: Tensor<float> = Draw.integers (case.Seed + k) shape

        Array.init shape.Size (fun i -> if i % 5 < 4 then special[(i + case.Seed) % 4] else others.Span[i] / 8.0))

/// The gradient of step t: short and small at first, then long and large; zeros here and there.
let private gradient case t =
    shapes
    |> List.mapi (fun k shape ->
        let integers: Tensor<float> = Draw.integers (1000 * t + case.Seed + k) shape
        let size = if t = 1 then 1.0 / 128.0 else 1.0 / 8.0
        integers.ToArray() |> Array.map (fun v -> v * size))

/// The same with NaN, ∞ and −∞ in the whole vectors and in the rest.
let private broken case t =
    gradient case t
    |> List.map (Array.mapi (fun i g -> if i % 7 = 3 then nonFinite[(i / 7 + case.Seed) % 3] else g))

/// (m, v) and the step of a rule, t = 1, 2, …: SPEC section 8.
let private step kind t η g (m, v) =
    let sum, fall, mean = γ * m + g, γ * m - η * g, γ * m - (1.0 - γ) * g
    let squares, running = v + g * g, γ * v + (1.0 - γ) * g * g

    let adam divide =
        let m, v = β1 * m - (1.0 - β1) * g, β2 * v + (1.0 - β2) * g * g
        m, v, divide (1.0 - pown β1 t) (1.0 - pown β2 t) m v

    match kind with
    | OptimizerKind.Sgd -> m, v, -η * g
    | OptimizerKind.Momentum -> mean, v, η * mean
    | OptimizerKind.ClassicMomentum -> sum, v, -η * sum
    | OptimizerKind.KerasMomentum -> fall, v, fall
    | OptimizerKind.Nesterov -> sum, v, -η * (g + γ * sum)
    | OptimizerKind.KerasNesterov -> fall, v, γ * fall - η * g
    | OptimizerKind.Adagrad -> m, squares, -η * g / (sqrt squares + ε)
    | OptimizerKind.KerasAdagrad -> m, squares, -η * g / sqrt (squares + ε)
    | OptimizerKind.RmsProp -> m, running, -η * g / (sqrt running + ε)
    | OptimizerKind.KerasRmsProp -> m, running, -η * g / sqrt (running + ε)
    | OptimizerKind.KerasAdam -> adam (fun c1 c2 m v -> η * sqrt c2 / c1 * m / (sqrt v + ε))
    | _ -> adam (fun c1 c2 m v -> η * (m / c1) / (sqrt (v / c2) + ε))

/// θ after the steps at the gradients: clipped by norm over all, then by value, penalised, stepped, decayed.
let private recursion case (gradients: float[] list list) =
    let has option = case.Options.Contains option

    let sign w =
        if w > 0.0 then 1.0
        elif w < 0.0 then -1.0
        else 0.0

    let clamp g =
        if g > largest then largest
        elif g < -largest then -largest
        else g

    let first = if case.Kind = OptimizerKind.KerasAdagrad then 0.1 else 0.0

    let advance θ (t, ḡ: float[] list) =
        let η = rate case t
        let norm = ḡ |> Seq.concat |> Seq.sumBy (fun g -> g * g) |> sqrt
        let scale = if has Beside.ClipNorm && not (norm <= longest) then longest / norm else 1.0

        let element isWeight g (m, v, w) =
            let g = scale * g
            let g = if has Beside.ClipValue then clamp g else g
            let g = if isWeight && has Beside.L1 then g + l1 * sign w else g
            let g = if isWeight && has Beside.L2 then g + l2 * w else g
            let m, v, Δ = step case.Kind t η g (m, v)
            m, v, (if isWeight && has Beside.Decay then (1.0 - η * λ) * w else w) + Δ

        List.map3 (fun (shape: Shape) -> Array.map2 (element (shape.Rank = 2))) shapes ḡ θ

    let start = weights case |> List.map (Array.map (fun w -> 0.0, first, w))

    List.indexed gradients
    |> List.map (fun (i, ḡ) -> i + 1, ḡ)
    |> List.fold advance start
    |> List.map (Array.map (fun (_, _, w) -> w))

let private tensors (values: float[] list) =
    List.map2 (fun shape v -> Tensor.ofArray shape (Array.map number v)) shapes values

/// θ after the same steps, as the library takes them.
let private steps case (kernels: IKernels<'T>) gradients =
    let optimizer = optimizer case
    let backend = { Kernels = kernels; Scheduler = SequentialScheduler() }

    let advance (state, θ) (i, ḡ) = Optimizer.updateAt (rate case (i + 1)) backend optimizer state θ (tensors ḡ)

    let θ = tensors (weights case)
    snd (List.fold advance (Optimizer.start optimizer θ, θ) (List.indexed gradients))

/// Finite where the formula is, and then within bound·(1 + |w|); not finite where the formula is not.
let private agree bound case (kernels: IKernels<'T>) gradients =
    for expected, actual in List.zip (recursion case gradients) (steps case kernels gradients) do
        expected
        |> Array.iteri (fun i w ->
            let found = real actual.Span[i]

            let isRight =
                if Double.IsFinite w then
                    abs (found - w) <= bound * (1.0 + abs w)
                else
                    not (Double.IsFinite found)

            if not isRight then
                failtest $"%A{case} on {kernels.InstructionSet}: {found} for {w} at {i} of {actual.Shape}")

/// On the reference and on vectors of every width, in both precisions: γₙ of some 30 roundings, divided by no less than ε.
let private agreeEverywhere gradients =
    for case in cases do
        for kernels in AllKernels.float do
            agree 1e-11 case kernels (gradients case)

        for kernels in AllKernels.float32 do
            agree 1e-4 case kernels (gradients case)

let tests =
    testList "options of optimisers" [
        testCase
            "the cases are every rule under every subset of the options, with weights and gradients of every kind"
            (fun () ->
                let rules = Enum.GetValues<OptimizerKind>().Length

                Assert.That(
                    cases |> List.countBy (fun case -> case.Options) |> List.map snd,
                    equalTo (List.replicate 64 rules)
                )

                Assert.That((List.distinctBy (fun case -> case.Kind, case.Options) cases).Length, equalTo (64 * rules))

                for case in cases do
                    Assert.That((optimizer case).Kind, equalTo case.Kind)

                    for w in weights case do
                        for value in special do
                            let bits = BitConverter.DoubleToInt64Bits value
                            Assert.That(Array.exists (fun v -> BitConverter.DoubleToInt64Bits v = bits) w, isTrue)

                    for ḡ in broken case 1 do
                        Assert.That(Array.exists Double.IsNaN ḡ, isTrue)
                        Assert.That(Array.contains infinity ḡ && Array.contains -infinity ḡ, isTrue)

                    // Clipping by norm and by value acts in some steps and not in others.
                    let norms = [
                        for t in 1..3 -> gradient case t |> Seq.concat |> Seq.sumBy (fun g -> g * g) |> sqrt
                    ]

                    Assert.That((norms[0] < longest, norms[1] > longest), equalTo (true, true))
                    Assert.That(gradient case 2 |> Seq.concat |> Seq.exists (fun g -> abs g > largest), isTrue)
                    Assert.That(rate case 1 = (optimizer case).LearningRate, isFalse))

        // ClipNorm: Pascanu et al. 2013; decay: Loshchilov and Hutter 2019; the rules: SPEC section 8.
        testCase
            "each rule under each subset of {L1, L2, decay, clip by norm, clip by value, schedule} follows its recursion on all kernels"
            (fun () -> agreeEverywhere (fun case -> [ for t in 1..3 -> gradient case t ]))

        // What a gradient of NaN or ±∞ makes not finite shows: no clipping hides a NaN.
        testCase
            "under each subset of the options, θ' is finite just where the formula of a gradient of NaN and ±∞ is"
            (fun () -> agreeEverywhere (fun case -> [ broken case 1 ]))
    ]
