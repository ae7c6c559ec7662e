/// Optimisers (SPEC section 8; Fan & Yam, Programme 11.6.7), each by its own recursion, element by element in double.
module Cnn.Tests.Laws.OptimizerLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private η = 0.125
let private γ = 0.75
let private β1, β2 = 0.75, 0.5
let private ε = 1e-3

/// θ of two tensors, a matrix and a vector, and a gradient for each of many steps.
let private (|Weights|) (r: Rows) =
    let shapes = [ Shape.Of(r.Count, r.Features); Shape.Of(r.Features) ]
    let draw seed : Parameters<float> = shapes |> List.mapi (fun i shape -> Draw.reals (seed + i) shape)
    draw r.Seed, (fun t -> draw (r.Seed + 10 * t))

let private update = Optimizer.update Backend.reference<float>

/// θ and the state after n steps.
let private steps optimizer n θ (gradient: int -> Parameters<float>) =
    let rec go t (state, θ) = if t > n then state, θ else go (t + 1) (update optimizer state θ (gradient t))
    go 1 (Optimizer.start optimizer θ, θ)

let private zip f = List.map2 (Tensor.map2 f)

/// One element after n steps of rule t g (m, v, w) → (m, v, w).
let private recursion n start rule (w: float) (g: int -> float) =
    let rec go t state = if t > n then state else go (t + 1) (rule t (g t) state)
    go 1 (0.0, start, w)

let private adam correct t g (m, v, w) =
    let m, v = β1 * m - (1.0 - β1) * g, β2 * v + (1.0 - β2) * g * g
    m, v, w + η * correct (1.0 - pown β1 t) (1.0 - pown β2 t) m v

let private pyTorch c1 c2 m v = m / c1 / (sqrt (v / c2) + ε)
let private keras c1 c2 m v = sqrt c2 / c1 * m / (sqrt v + ε)

/// Name, optimiser, where v starts, and the rule.
let private rules: (string * Optimizer * float * (int -> float -> float * float * float -> float * float * float)) list =
    let sum t g (m, v, w) =
        let m = γ * m + g in
        ignore t
        m, v, w - η * m

    let fall t g (m, v, w) =
        let m = γ * m - η * g in
        ignore t
        m, v, w + m

    let decay v g = γ * v + (1.0 - γ) * g * g

    [
        "Sgd", Optimizer.Sgd η, 0.0, (fun _ g (m, v, w) -> m, v, w - η * g)
        "Momentum",
        Optimizer.Momentum(η, γ),
        0.0,
        (fun _ g (m, v, w) -> let m = γ * m - (1.0 - γ) * g in m, v, w + η * m)
        "ClassicMomentum", Optimizer.ClassicMomentum(η, γ), 0.0, sum
        "KerasMomentum", Optimizer.KerasMomentum(η, γ), 0.0, fall
        "Nesterov", Optimizer.Nesterov(η, γ), 0.0, (fun _ g (m, v, w) -> let m = γ * m + g in m, v, w - η * (g + γ * m))
        "KerasNesterov",
        Optimizer.KerasNesterov(η, γ),
        0.0,
        (fun _ g (m, v, w) -> let m = γ * m - η * g in m, v, w + γ * m - η * g)
        "Adagrad",
        Optimizer.Adagrad(η, ε),
        0.0,
        (fun _ g (m, v, w) -> let v = v + g * g in m, v, w - η * g / (sqrt v + ε))
        "KerasAdagrad",
        Optimizer.KerasAdagrad(η, ε),
        0.1,
        (fun _ g (m, v, w) -> let v = v + g * g in m, v, w - η * g / sqrt (v + ε))
        "RmsProp",
        Optimizer.RmsProp(η, γ, ε),
        0.0,
        (fun _ g (m, v, w) -> let v = decay v g in m, v, w - η * g / (sqrt v + ε))
        "KerasRmsProp",
        Optimizer.KerasRmsProp(η, γ, ε),
        0.0,
        (fun _ g (m, v, w) -> let v = decay v g in m, v, w - η * g / sqrt (v + ε))
        "Adam", Optimizer.Adam(η, β1, β2, ε), 0.0, adam pyTorch
        "KerasAdam", Optimizer.KerasAdam(η, β1, β2, ε), 0.0, adam keras
        "AdamW", Optimizer.AdamW(η, 0.0, β1, β2, ε), 0.0, adam pyTorch
    ]

let private names = rules |> List.map (fun (name, _, _, _) -> name)

let tests =
    testList "optimiser" [
        testCase "every kind of optimiser has its rule here" (fun () ->
            Assert.That(names, equivalentTo (Enum.GetNames<OptimizerKind>())))

        // Four steps of each rule, θ and memory, from zero state. Rounding of a few operations.
        testProperty "θ, m and v follow the rule of each optimiser" (fun (Weights(θ, g)) ->
            all [
                for _, optimizer, start, rule in rules do
                    let after =
                        List.mapi
                            (fun i (w: Tensor<float>) ->
                                let gradients = [| for t in 1..4 -> (g t)[i] |]

                                Array.init w.Size (fun k ->
                                    recursion 4 start rule w.Span[k] (fun t -> gradients[t - 1].Span[k])))
                            θ

                    let part pick =
                        List.map2
                            (fun (w: Tensor<float>) values -> Tensor.ofArray w.Shape (Array.map pick values))
                            θ
                            after

                    let state, θ' = steps optimizer 4 θ g

                    let memory =
                        (if optimizer.UsesMoment then part (fun (m, _, _) -> m) else [])
                        @ (if optimizer.UsesSquares then part (fun (_, v, _) -> v) else [])

                    List.map2 (near 1e-12) (part (fun (_, _, w) -> w) @ memory) (θ' @ state.Moments @ state.Squares)
                    |> all
            ])

        // Δ = −η g.
        testProperty "Sgd: θ' = θ − ηg" (fun (Weights(θ, g)) ->
            exactly (zip (fun w g -> w - η * g) θ (g 1)) (snd (steps (Optimizer.Sgd η) 1 θ g)))

        // Tensors longer than the stretch that one thread takes at a time are updated to their end.
        testCase "long tensors are updated to their end" (fun () ->
            for length in [ 8191; 8192; 8193; 20000 ] do
                let θ, g = [ Draw.reals 1 (Shape.Of length) ], [ Draw.reals 2 (Shape.Of length) ]

                for _, optimizer, _, _ in rules do
                    let long = snd (update optimizer (Optimizer.start optimizer θ) θ g)
                    let last (t: Tensor<float>) = t.Slice(length - 5, 5)
                    let θ', g' = List.map last θ, List.map last g
                    let short = snd (update optimizer (Optimizer.start optimizer θ') θ' g')
                    Assert.That((last long.Head).Equals short.Head, string optimizer))

        // From m = 0: m = −(1−γ) g and Δ = η m.
        testProperty "Momentum's first step: θ' = θ − η(1−γ)g" (fun (Weights(θ, g)) ->
            List.map2
                (near 1e-15)
                (zip (fun w g -> w - η * (1.0 - γ) * g) θ (g 1))
                (snd (steps (Optimizer.Momentum(η, γ)) 1 θ g))
            |> all)

        // From m = v = 0: m̂ = −g and v̂ = g², so that Δ = −η g ∕ (|g| + ε).
        testProperty "Adam's first step: θ' = θ − ηg ∕ (|g| + ε)" (fun (Weights(θ, g)) ->
            List.map2
                (near 1e-13)
                (zip (fun w g -> w - η * g / (abs g + 1e-8)) θ (g 1))
                (snd (steps (Optimizer.Adam η) 1 θ g))
            |> all)

        // γ = 0 forgets at once.
        testProperty "momentum with γ = 0 is Sgd" (fun (Weights(θ, g)) ->
            let sgd = snd (steps (Optimizer.Sgd η) 3 θ g)

            all [
                for optimizer in
                    [ Optimizer.Momentum(η, 0.0); Optimizer.ClassicMomentum(η, 0.0); Optimizer.KerasMomentum(η, 0.0) ] do
                    exactly sgd (snd (steps optimizer 3 θ g))
            ])

        // Steps at one rate: ClassicMomentum at η is KerasMomentum at η, and Momentum at η ∕ (1−γ).
        testProperty "the three forms of momentum agree at a constant rate" (fun (Weights(θ, g)) ->
            let classic = snd (steps (Optimizer.ClassicMomentum(η, γ)) 3 θ g)

            all [
                List.map2 (near 1e-13) classic (snd (steps (Optimizer.KerasMomentum(η, γ)) 3 θ g)) |> all
                List.map2 (near 1e-13) classic (snd (steps (Optimizer.Momentum(η / (1.0 - γ), γ)) 3 θ g)) |> all
            ])

        // The gradient of λ ∕ 2·Σw² is λw and that of λ·Σ|w| is λ·sign w; both on matrices only.
        testProperty "L1 and L2 add λ sign w and λw to the gradients of weights, not of biases" (fun (Weights(θ, g)) ->
            let λ = 0.25

            let penalised pull =
                List.map2
                    (fun (w: Tensor<float>) g ->
                        if w.Shape.Rank > 1 then Tensor.map2 (fun w g -> g + λ * pull w) w g else g)
                    θ
                    (g 1)

            let one optimizer g = snd (update optimizer (Optimizer.start optimizer θ) θ g)

            all [
                for _, optimizer, _, _ in rules do
                    List.map2 (near 1e-12) (one optimizer (penalised id)) (one (optimizer.WithL2 λ) (g 1)) |> all

                    List.map2 (near 1e-12) (one optimizer (penalised (sign >> float))) (one (optimizer.WithL1 λ) (g 1))
                    |> all
            ])

        // Loshchilov and Hutter 2019: w ← (1 − ηλ) w beside the step, weights only.
        testProperty "weight decay: θ' = θ + Δ − ηλθ for weights" (fun (Weights(θ, g)) ->
            let λ = 0.5

            all [
                for _, optimizer, _, _ in rules do
                    let plain, decayed = snd (steps optimizer 1 θ g), snd (steps (optimizer.WithWeightDecay λ) 1 θ g)

                    List.map3
                        (fun (w: Tensor<float>) plain decayed ->
                            let shrunk =
                                if w.Shape.Rank > 1 then
                                    Tensor.map2 (fun w' w -> w' - η * λ * w) plain w
                                else
                                    plain

                            near 1e-13 shrunk decayed)
                        θ
                        plain
                        decayed
                    |> all
            ])

        // Pascanu et al. 2013: g·min(1, c ∕ ‖g‖), the norm over all parameters together.
        testProperty "clipping by norm scales the whole gradient, and only a longer one" (fun (Weights(θ, g)) ->
            let norm = sqrt (List.sumBy (fun t -> Tensor.dot t t) (g 1))
            let clipped c = snd (steps ((Optimizer.Sgd η).WithClipNorm c) 1 θ g)
            let scaled = List.map2 (fun w g -> Tensor.map2 (fun w g -> w - η * g / 4.0) w g) θ (g 1)

            all [
                List.map2 (near 1e-13) scaled (clipped (norm / 4.0)) |> all
                exactly (snd (steps (Optimizer.Sgd η) 1 θ g)) (clipped (norm * 1.01))
            ])

        // Each component within ±c.
        testProperty "clipping by value keeps each component within ±c" (fun (Weights(θ, g)) ->
            exactly
                (zip (fun w g -> w - η * max -0.5 (min 0.5 g)) θ (g 1))
                (snd (steps ((Optimizer.Sgd η).WithClipValue 0.5) 1 θ g)))

        // Memory is shaped like θ, starts at 0 (Keras' Adagrad at 0.1), and steps are counted.
        testProperty "memory starts with the shapes of θ, and steps are counted" (fun (Weights(θ, g)) ->
            all [
                for _, optimizer, start, _ in rules do
                    let filled isUsed value = if isUsed then θ |> List.map (Tensor.map (fun _ -> value)) else []
                    let state = Optimizer.start optimizer θ
                    exactly (filled optimizer.UsesMoment 0.0) state.Moments
                    exactly (filled optimizer.UsesSquares start) state.Squares
                    same (0, 2) (state.Step, (fst (steps optimizer 2 θ g)).Step)
            ])

        // A step is a pure function: what goes in stays as it is.
        testProperty "a step leaves θ, θ̄ and the old state alone" (fun (Weights(θ, g)) ->
            all [
                for _, optimizer, _, _ in rules do
                    let state, θ' = steps optimizer 1 θ g
                    let before = θ' @ g 2 @ state.Moments @ state.Squares
                    let kept = before |> List.map Tensor.copy
                    let first = update optimizer state θ' (g 2) |> snd
                    exactly first (update optimizer state θ' (g 2) |> snd)
                    exactly kept before
            ])

        // η = 0 stands still, for the rules whose memory holds no step of an earlier rate.
        testProperty "η = 0: θ' = θ" (fun (Weights(θ, g)) ->
            all [
                for _, optimizer, _, _ in rules -> exactly θ (snd (steps (optimizer.WithLearningRate 0.0) 3 θ g))
            ])

        // SPEC section 8, defaults.
        testCase "defaults are η = 1e−3, γ = 0.9, β₁ = 0.9, β₂ = 0.999, ε = 1e−8" (fun () ->
            Assert.That(Optimizer.Sgd(), equalTo (Optimizer.Sgd 1e-3))
            Assert.That(Optimizer.Momentum(), equalTo (Optimizer.Momentum(1e-3, 0.9)))
            Assert.That(Optimizer.Nesterov(), equalTo (Optimizer.Nesterov(1e-3, 0.9)))
            Assert.That(Optimizer.Adagrad(), equalTo (Optimizer.Adagrad(1e-3, 1e-8)))
            Assert.That(Optimizer.RmsProp(), equalTo (Optimizer.RmsProp(1e-3, 0.9, 1e-8)))
            Assert.That(Optimizer.Adam(), equalTo (Optimizer.Adam(1e-3, 0.9, 0.999, 1e-8)))
            Assert.That(Optimizer.AdamW(), equalTo (Optimizer.AdamW(1e-3, 0.01, 0.9, 0.999, 1e-8)))
            Assert.That((Optimizer.Adam 0.5).WithLearningRate 1e-3, equalTo (Optimizer.Adam())))

        // Numbers that no step could use are refused.
        testCase "rates and decays out of range are refused" (fun () ->
            let refused (make: unit -> Optimizer) =
                Assert.Throws<ArgumentOutOfRangeException>(fun () -> make () |> ignore) |> ignore

            refused (fun () -> Optimizer.Sgd -0.1)
            refused (fun () -> Optimizer.Sgd nan)
            refused (fun () -> Optimizer.Momentum(0.1, 1.0))
            refused (fun () -> Optimizer.Adam(0.1, -0.1))
            refused (fun () -> Optimizer.Adam(0.1, 0.9, 1.0))
            refused (fun () -> Optimizer.Adam(0.1, 0.9, 0.999, nan))
            refused (fun () -> Optimizer.Sgd().WithClipNorm 0.0)
            refused (fun () -> Optimizer.Sgd().WithL2 -1.0))
    ]
