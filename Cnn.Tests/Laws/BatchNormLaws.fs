/// Batch normalisation (SPEC section 6).
module Cnn.Tests.Laws.BatchNormLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private ε = 1e-3
let private ρ = 0.75
let private layer: Layer<float> = Layers.ofSpec (BatchNorm { Epsilon = ε; Momentum = ρ })
let private learning: Context<float> = Context.reference (Training(Key.ofSeed 1))

/// Pictures of an odd number of pixels, or vectors, with random γ, β and statistics.
let private (|Case|) (r: Rows) =
    let shape =
        if r.Seed % 2 = 0 then
            Shape.Of(r.Count, r.Features)
        else
            Shape.Of(r.Count, 3, 1, r.Features)

    let features = Shape.Of r.Features
    let x: Tensor<float> = Draw.reals r.Seed shape |> Tensor.map (fun v -> 3.0 * v + 1.0)
    let γ: Tensor<float> = Draw.awayFromZero (r.Seed + 1) features
    let β: Tensor<float> = Draw.reals (r.Seed + 2) features
    let mean: Tensor<float> = Draw.reals (r.Seed + 3) features
    let variance: Tensor<float> = Draw.reals (r.Seed + 4) features |> Tensor.map (fun v -> v + 1.5)
    x, [ γ; β ], [ mean; variance ]

let private columns (t: Tensor<float>) =
    let features = t.Shape[t.Shape.Rank - 1]
    Array.init features (fun c -> [| for k in c..features .. t.Size - 1 -> t.Span[k] |])

let private mean (v: float[]) = Array.average v

/// The population variance, 1 ∕ n.
let private variance (v: float[]) = v |> Array.averageBy (fun x -> (x - mean v) * (x - mean v))

let private vector values = Tensor.ofArray (Shape.Of(Array.length values)) values

let tests =
    testList "batch normalisation" [
        // With γ = 1 and β = 0: mean 0, and variance σ² ∕ (σ² + ε), which is 1 but for ε.
        testProperty "x̂ has mean 0 and variance σ² ∕ (σ² + ε)" (fun (Case(x, θ, s)) ->
            let one, zero = Tensor.map (fun _ -> 1.0) θ[0], Tensor.map (fun _ -> 0.0) θ[0]
            let y = (Layer.run learning layer [ one; zero ] s x).Output

            all [
                near 1e-13 zero (vector (columns y |> Array.map mean))
                near
                    1e-12
                    (vector (columns x |> Array.map (fun v -> variance v / (variance v + ε))))
                    (vector (columns y |> Array.map variance))
            ])

        // y = γ x̂ + β with x̂ = (x − μ) ∕ √(σ² + ε), statistics of the batch.
        testProperty "y = γ(x − μ) ∕ √(σ² + ε) + β" (fun (Case(x, θ, s)) ->
            let μ, v = columns x |> Array.map mean, columns x |> Array.map variance

            let y =
                Tensor.init x.Shape (fun k ->
                    let c = k % μ.Length
                    θ[0].Span[c] * (x.Span[k] - μ[c]) / sqrt (v[c] + ε) + θ[1].Span[c])

            near 1e-12 y (Layer.run learning layer θ s x).Output)

        // m ← ρ·m + (1−ρ)·μ, likewise the population variance.
        testProperty "running statistics: m ← ρm + (1−ρ)μ, v ← ρv + (1−ρ)σ²" (fun (Case(x, θ, s)) ->
            let blend (kept: Tensor<float>) fresh =
                vector (Array.map2 (fun m μ -> ρ * m + (1.0 - ρ) * μ) (kept.ToArray()) fresh)

            match (Layer.run learning layer θ s x).State with
            | [ m; v ] ->
                all [
                    near 1e-13 (blend s[0] (columns x |> Array.map mean)) m
                    near 1e-13 (blend s[1] (columns x |> Array.map variance)) v
                ]
            | state -> same 2 state.Length)

        // Inference uses the running statistics, keeps them, and couples no samples.
        testProperty "at inference y = γ(x − m) ∕ √(v + ε) + β, and the state stays" (fun (Case(x, θ, s)) ->
            let step = Layer.run (Context.reference Inference) layer θ s x

            let y =
                Tensor.init x.Shape (fun k ->
                    let c = k % s[0].Size
                    θ[0].Span[c] * (x.Span[k] - s[0].Span[c]) / sqrt (s[1].Span[c] + ε) + θ[1].Span[c])

            all [ near 1e-13 y step.Output; exactly s step.State ])

        // γ = 1, β = 0, mean 0 and variance 1 at first, as Keras has them.
        testProperty
            "fresh batch normalisation at inference is y = x ∕ √(1 + ε), and x̄ = ȳ ∕ √(1 + ε)"
            (fun (Case(x, _, _)) ->
                let θ, s = Layer.initial (Key.ofSeed 1) x.Shape.Sample layer
                let ȳ = Draw.reals 9 x.Shape
                let divided = Tensor.map (fun v -> v / sqrt (1.0 + ε))

                all [
                    for kernels in AllKernels.float do
                        let step = Layer.run { Context.reference Inference with Kernels = kernels } layer θ s x
                        near 1e-15 (divided x) step.Output
                        near 1e-15 (divided ȳ) (snd (step.Pullback ȳ))
                ])

        // γ̄ = Σ ȳ∘x̂, β̄ = Σ ȳ, x̄ = γ ∕ √(σ² + ε)·(ȳ − mean ȳ − x̂·mean(ȳ∘x̂)).
        testProperty "γ̄ = Σ ȳ∘x̂, β̄ = Σ ȳ, x̄ = γ ∕ √(σ² + ε)·(ȳ − mean ȳ − x̂·mean(ȳ∘x̂))" (fun (Case(x, θ, s)) ->
            let ȳ = Draw.reals 9 x.Shape
            let θ̄, x̄ = (Layer.run learning layer θ s x).Pullback ȳ
            let μ, v = columns x |> Array.map mean, columns x |> Array.map variance
            let x̂ = Tensor.init x.Shape (fun k -> let c = k % μ.Length in (x.Span[k] - μ[c]) / sqrt (v[c] + ε))
            let turned = columns (Tensor.map2 (fun a b -> a * b) ȳ x̂)
            let straight = columns ȳ

            let expected =
                Tensor.init x.Shape (fun k ->
                    let c = k % μ.Length

                    θ[0].Span[c] / sqrt (v[c] + ε) * (ȳ.Span[k] - mean straight[c] - x̂.Span[k] * mean turned[c]))

            all [
                near 1e-12 (vector (turned |> Array.map Array.sum)) θ̄[0]
                near 1e-12 (vector (straight |> Array.map Array.sum)) θ̄[1]
                near 1e-11 expected x̄
            ])

        // The batch's mean and scale are taken out: a shift of the input changes nothing, and neither does x̄ have a mean.
        testProperty "Σ x̄ = 0 per feature" (fun (Case(x, θ, s)) ->
            let _, x̄ = (Layer.run learning layer θ s x).Pullback(Draw.reals 9 x.Shape)
            near 1e-11 (Tensor.map (fun _ -> 0.0) θ[0]) (vector (columns x̄ |> Array.map Array.sum)))

        // As Keras has them.
        testCase "defaults are ε = 1e−3 and ρ = 0.99" (fun () ->
            Assert.That((BatchNorm.Default.Epsilon, BatchNorm.Default.Momentum), equalTo (1e-3, 0.99)))
    ]
