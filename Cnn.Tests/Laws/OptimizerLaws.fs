/// Optimisers (SPEC section 8; Fan & Yam, Programme 11.6.7).
module Cnn.Tests.Laws.OptimizerLaws

open System
open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

let private η = 0.125

/// θ of two tensors, one longer than the stretch that one thread takes at a time, and a gradient for each of many steps.
let private (|Weights|) (r: Rows) =
    let shapes = [ Shape.Of(r.Count, r.Features); Shape.Of(8192 + 100 * r.Count) ]
    let draw seed : Parameters<float> = shapes |> List.mapi (fun i shape -> Draw.reals (seed + i) shape)
    draw r.Seed, (fun t -> draw (r.Seed + 10 * t))

let private update = Optimizer.update Backend.reference<float>

/// θ and the state after n steps.
let private steps optimizer n θ (gradient: int -> Parameters<float>) =
    let rec go t (state, θ) = if t > n then state, θ else go (t + 1) (update optimizer state θ (gradient t))
    go 1 (Optimizer.start optimizer θ, θ)

let private zip f = List.map2 (Tensor.map2 f)

/// Δ = −η g.
[<Law>]
let ``Sgd: θ' = θ − ηg`` (Weights(θ, g)) =
    exactly (zip (fun w g -> w - η * g) θ (g 1)) (snd (steps (Optimizer.Sgd η) 1 θ g))

/// From m = 0: m = −(1−γ) g and Δ = η m.
[<Law>]
let ``Momentum's first step: θ' = θ − η(1−γ)g`` (Weights(θ, g)) =
    List.map2
        (near 1e-15)
        (zip (fun w g -> w - η * (1.0 - 0.9) * g) θ (g 1))
        (snd (steps (Optimizer.Momentum(η, 0.9)) 1 θ g))
    |> all

/// From m = v = 0: m̂ = −g and v̂ = g², so that Δ = −η g ∕ (|g| + ε).
[<Law>]
let ``Adam's first step: θ' = θ − ηg ∕ (|g| + ε)`` (Weights(θ, g)) =
    List.map2 (near 1e-13) (zip (fun w g -> w - η * g / (abs g + 1e-8)) θ (g 1)) (snd (steps (Optimizer.Adam η) 1 θ g))
    |> all

/// γ = 0 forgets at once.
[<Law>]
let ``Momentum with γ = 0 is Sgd`` (Weights(θ, g)) =
    exactly (snd (steps (Optimizer.Sgd η) 3 θ g)) (snd (steps (Optimizer.Momentum(η, 0.0)) 3 θ g))

/// m ← γ m − (1−γ) g; Δ = η m.
[<Law>]
let ``Momentum: m ← γm − (1−γ)g, Δ = ηm`` (Weights(θ, g)) =
    let γ = 0.75

    let rec go t m θ =
        if t > 4 then
            [ m; θ ]
        else
            let m = zip (fun m g -> γ * m - (1.0 - γ) * g) m (g t)
            go (t + 1) m (zip (fun w m -> w + η * m) θ m)

    let state, θ' = steps (Optimizer.Momentum(η, γ)) 4 θ g
    let zero = θ |> List.map (Tensor.map (fun _ -> 0.0))
    List.map2 (near 1e-14) (List.concat (go 1 zero θ)) (List.concat (state.Slots @ [ θ' ])) |> all

/// m ← β₁ m − (1−β₁) g; v ← β₂ v + (1−β₂) g²; Δ = η m̂ ∕ (√v̂ + ε), m̂ = m ∕ (1−β₁ᵗ), v̂ = v ∕ (1−β₂ᵗ).
[<Law>]
let ``Adam: Δ = η m̂ ∕ (√v̂ + ε), with the moments corrected for their start`` (Weights(θ, g)) =
    let β1, β2, ε = 0.75, 0.5, 1e-3

    let rec go t m v θ =
        if t > 4 then
            [ m; v; θ ]
        else
            let m = zip (fun m g -> β1 * m - (1.0 - β1) * g) m (g t)
            let v = zip (fun v g -> β2 * v + (1.0 - β2) * g * g) v (g t)
            let corrected β = zip (fun x _ -> x / (1.0 - pown β t))
            let Δ = zip (fun m v -> η * m / (sqrt v + ε)) (corrected β1 m m) (corrected β2 v v)
            go (t + 1) m v (zip (+) θ Δ)

    let state, θ' = steps (Optimizer.Adam(η, β1, β2, ε)) 4 θ g
    let zero = θ |> List.map (Tensor.map (fun _ -> 0.0))
    List.map2 (near 1e-12) (List.concat (go 1 zero zero θ)) (List.concat (state.Slots @ [ θ' ])) |> all

let private optimizers = [ Optimizer.Sgd η; Optimizer.Momentum η; Optimizer.Adam η ]

/// Slots are shaped like θ, start at 0, and steps are counted.
[<Law>]
let ``slots start at 0 with the shapes of θ, and steps are counted`` (Weights(θ, g)) =
    all [
        for optimizer in optimizers do
            let start = Optimizer.start optimizer θ
            let zero = θ |> List.map (Tensor.map (fun _ -> 0.0))
            exactly (List.concat (List.replicate optimizer.Slots zero)) (List.concat start.Slots)
            let state, θ' = steps optimizer 2 θ g
            same (0, 2) (start.Step, state.Step)

            same
                (List.map
                    (fun (t: Tensor<float>) -> string t.Shape)
                    (List.concat (List.replicate (optimizer.Slots + 1) θ)))
                (List.map (fun (t: Tensor<float>) -> string t.Shape) (List.concat (θ' :: state.Slots)))
    ]

/// A step is a pure function: what goes in stays as it is.
[<Law>]
let ``a step leaves θ, θ̄ and the old state alone`` (Weights(θ, g)) =
    all [
        for optimizer in optimizers do
            let state, θ' = steps optimizer 1 θ g
            let before = θ' @ g 2 @ List.concat state.Slots
            let kept = before |> List.map Tensor.copy
            let first = update optimizer state θ' (g 2) |> snd
            exactly first (update optimizer state θ' (g 2) |> snd)
            exactly kept before
    ]

/// η = 0 stands still.
[<Law>]
let ``η = 0: θ' = θ`` (Weights(θ, g)) =
    all [ for optimizer in optimizers -> exactly θ (snd (steps (optimizer.WithLearningRate 0.0) 3 θ g)) ]

/// SPEC section 8, defaults.
[<Test>]
let ``defaults are η = 1e−3, γ = 0.9, β₁ = 0.9, β₂ = 0.999, ε = 1e−8`` () =
    Assert.That(Optimizer.Sgd(), equalTo (Optimizer.Sgd 1e-3))
    Assert.That(Optimizer.Momentum(), equalTo (Optimizer.Momentum(1e-3, 0.9)))
    Assert.That(Optimizer.Adam(), equalTo (Optimizer.Adam(1e-3, 0.9, 0.999, 1e-8)))
    Assert.That((Optimizer.Adam 0.5).WithLearningRate 1e-3, equalTo (Optimizer.Adam()))

/// Numbers that no step could use are refused.
[<Test>]
let ``rates and decays out of range are refused`` () =
    let refused (make: unit -> Optimizer) =
        Assert.Throws<ArgumentOutOfRangeException>(fun () -> make () |> ignore) |> ignore

    refused (fun () -> Optimizer.Sgd -0.1)
    refused (fun () -> Optimizer.Sgd nan)
    refused (fun () -> Optimizer.Momentum(0.1, 1.0))
    refused (fun () -> Optimizer.Adam(0.1, -0.1))
    refused (fun () -> Optimizer.Adam(0.1, 0.9, 1.0))
    refused (fun () -> Optimizer.Adam(0.1, 0.9, 0.999, nan))
