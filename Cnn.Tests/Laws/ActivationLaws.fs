/// Activations and the dense layer (SPEC section 6).
module Cnn.Tests.Laws.ActivationLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private run φ (x: Tensor<'T>) = Layer.run (Context.reference Inference) (Layers.activation φ) [] [] x

let private apply φ (x: Tensor<'T>) = (run φ x).Output

/// −8 < x < 8, in rows.
let private (|Numbers|) (r: Rows) : Tensor<float> =
    Draw.reals r.Seed (Shape.Of(r.Count, r.Features)) |> Tensor.scale 8.0

let private cotangent (r: Rows) : Tensor<float> = Draw.reals (r.Seed + 1) (Shape.Of(r.Count, r.Features))

let tests =
    testList "activations" [
        // SPEC section 6, each by its own formula in double.
        testProperty "y[i] = φ(x[i])" (fun (Numbers x) ->
            all [
                for φ, f in
                    [
                        Activation.Identity, id
                        Activation.ReLU, max 0.0
                        Activation.LeakyReLU 0.01, (fun v -> if v > 0.0 then v else 0.01 * v)
                        Activation.Sigmoid, (fun v -> 1.0 / (1.0 + exp -v))
                        Activation.Tanh, tanh
                    ] do
                    near 1e-14 (Tensor.map f x) (apply φ x)
            ])

        // Vu 2018, eq. 6: σ' = σ(1 − σ); tanh' = 1 − tanh²; ReLU' = [x > 0]; leaky ReLU' = 1 or its slope.
        testProperty "x̄[i] = ȳ[i]·φ'(x[i])" (fun (r: Rows) ->
            let (Numbers x) = r
            let ȳ = cotangent r
            let σ v = 1.0 / (1.0 + exp -v)

            all [
                for φ, f' in
                    [
                        Activation.Identity, (fun _ -> 1.0)
                        Activation.ReLU, (fun v -> if v > 0.0 then 1.0 else 0.0)
                        Activation.LeakyReLU 0.2, (fun v -> if v > 0.0 then 1.0 else 0.2)
                        Activation.Sigmoid, (fun v -> σ v * (1.0 - σ v))
                        Activation.Tanh, (fun v -> 1.0 - tanh v * tanh v)
                    ] do
                    near 1e-14 (Tensor.map2 (fun g v -> g * f' v) ȳ x) (snd ((run φ x).Pullback ȳ))
            ])

        // SPEC section 6: φ'(0) = 0 for ReLU, the slope for leaky ReLU.
        testCase "ReLU'(0) = 0 and leaky ReLU'(0) = its slope" (fun () ->
            let check (kernels: IKernels<'T>) =
                let context = { Context.reference Inference with Kernels = kernels }
                let constant shape value = Tensor.init (Shape.Of(List.toArray shape)) (fun _ -> number<'T> value)

                // As many as fill vectors and leave some over.
                let numbers layer θ zero =
                    let step = Layer.run context layer θ [] (constant [ 1; 37 ] zero)
                    let θ̄, x̄ = step.Pullback(constant [ 1; 37 ] 1.0)
                    step.Output :: x̄ :: θ̄

                for φ, slope in [ Activation.ReLU, 0.0; Activation.LeakyReLU 0.25, 0.25 ] do
                    let dense = LayerSpec.Dense { Dense.Default with Units = 37; Activation = φ }
                    let θ = [ constant [ 37; 37 ] 0.0; constant [ 37 ] 0.0 ]

                    for zero in [ 0.0; -0.0 ] do
                        holds (
                            all [
                                exactly
                                    [ constant [ 1; 37 ] 0.0; constant [ 1; 37 ] slope ]
                                    (numbers (Layers.activation φ) [] zero)
                                // Fused into a layer: y, then b̄.
                                exact (constant [ 1; 37 ] 0.0) (numbers (Layers.ofSpec dense) θ zero |> List.head)
                                exact (constant [ 37 ] slope) (numbers (Layers.ofSpec dense) θ zero |> List.last)
                            ]
                        )

            List.iter check AllKernels.float
            List.iter check AllKernels.float32)

        // Fossheim 2022: exp x_c over the sum of exp x_d along the last axis.
        testProperty "softmax x = exp x ∕ Σ exp x, row by row" (fun (r: Rows) ->
            let (Numbers x) = r
            let y = apply Activation.Softmax x
            let sum n = Seq.sum (seq { for c in 0 .. r.Features - 1 -> exp x[n, c] })
            near 1e-13 (Tensor.init x.Shape (fun k -> exp x.Span[k] / sum (k / r.Features))) y)

        // Softmax of pictures runs over the channels of each pixel.
        testProperty "softmax of a picture = softmax of its pixels" (fun (r: Rows) ->
            let (Numbers x) = r
            let picture = x.Reshape(Shape.Of(1, r.Count, 1, r.Features))
            exact (apply Activation.Softmax x) ((apply Activation.Softmax picture).Reshape x.Shape))

        // SPEC section 6.
        testProperty "softmax(x + k) = softmax x" (fun (r: Rows) ->
            let (Numbers x) = r
            let shift = float (r.Seed % 2000 - 1000)
            near 1e-11 (apply Activation.Softmax x) (apply Activation.Softmax (Tensor.map (fun v -> v + shift) x)))

        // Probabilities, also for logits whose exponentials overflow.
        testProperty "rows of softmax are ≥ 0 and sum to 1" (fun (r: Rows) ->
            let (Numbers x) = r

            all [
                for scale in [ 1.0; 200.0 ] do
                    let y = apply Activation.Softmax (Tensor.scale scale x)
                    let sums = Array.chunkBySize r.Features (y.ToArray()) |> Array.map Array.sum
                    same true (y.ToArray() |> Array.forall (fun v -> v >= 0.0))
                    near 1e-14 (Tensor.init (Shape.Of r.Count) (fun _ -> 1.0)) (Tensor.ofArray (Shape.Of r.Count) sums)
            ])

        // SPEC section 6: x̄ = a ∘ (ȳ − ⟨ȳ, a⟩), per row; hence rows of x̄ sum to 0.
        testProperty "softmax: x̄ = a ∘ (ȳ − ⟨ȳ, a⟩)" (fun (r: Rows) ->
            let (Numbers x) = r
            let ȳ = cotangent r
            let step = run Activation.Softmax x
            let a = step.Output
            let inner n = Seq.sum (seq { for c in 0 .. r.Features - 1 -> ȳ[n, c] * a[n, c] })
            let x̄ = snd (step.Pullback ȳ)
            let sums = Array.chunkBySize r.Features (x̄.ToArray()) |> Array.map Array.sum

            all [
                near 1e-14 (Tensor.init x.Shape (fun k -> a.Span[k] * (ȳ.Span[k] - inner (k / r.Features)))) x̄
                near 1e-14 (Tensor.zeros (Shape.Of r.Count)) (Tensor.ofArray (Shape.Of r.Count) sums)
            ])

        // Vu 2018, eq. 6: σ(−x) = 1 − σ(x).
        testProperty "σ(−x) = 1 − σ(x) and tanh x = 2σ(2x) − 1" (fun (Numbers x) ->
            let σ = apply Activation.Sigmoid

            all [
                near 1e-15 (Tensor.map (fun v -> 1.0 - v) (σ x)) (σ (Tensor.scale -1.0 x))
                near 1e-14 (Tensor.map (fun v -> 2.0 * v - 1.0) (σ (Tensor.scale 2.0 x))) (apply Activation.Tanh x)
            ])

        // SPEC section 6: must not overflow for large |x|; in both precisions, up to ±∞.
        testCase "σ and tanh do not overflow, and softmax of huge logits is one-hot" (fun () ->
            let check (values: 'T[]) (σ: 'T[]) (tanh: 'T[]) =
                let x = Tensor.ofArray (Shape.Of values.Length) values
                Assert.That((apply Activation.Sigmoid x).ToArray(), equalTo σ)
                Assert.That((apply Activation.Tanh x).ToArray(), equalTo tanh)

            check [| -infinity; -1e300; 0.0; 1e300; infinity |] [| 0.0; 0.0; 0.5; 1.0; 1.0 |] [|
                -1.0
                -1.0
                0.0
                1.0
                1.0
            |]

            check [| -infinityf; -1e30f; 0.0f; 1e30f; infinityf |] [| 0.0f; 0.0f; 0.5f; 1.0f; 1.0f |] [|
                -1.0f
                -1.0f
                0.0f
                1.0f
                1.0f
            |]

            let logits = Tensor.ofArray (Shape.Of(1, 3)) [| -1e300; 1e300; 0.0 |]
            Assert.That((apply Activation.Softmax logits).ToArray(), equalTo [| 0.0; 1.0; 0.0 |]))

        // Activations pass NaN on, so that it is seen.
        testCase "φ(NaN) = NaN" (fun () ->
            let nan' = Tensor.ofArray (Shape.Of 1) [| nan |]

            for φ in
                [
                    Activation.Identity
                    Activation.ReLU
                    Activation.LeakyReLU 0.1
                    Activation.Sigmoid
                    Activation.Tanh
                ] do
                Assert.That((apply φ nan').Span[0], isNaN, string φ))

        // SPEC section 6: slopes below 0 and NaN are refused.
        testCase "a slope below 0 is refused" (fun () ->
            for slope in [ -0.1; nan ] do
                Assert.Throws<ArgumentOutOfRangeException>(fun () -> Activation.LeakyReLU slope |> ignore) |> ignore)

        // A fused activation is the layer followed by the activation, forward and backward, to the last bit.
        testProperty "φ fused into a layer = the layer ; φ" (fun (s: Sliding) ->
            let x: Tensor<float> = Draw.reals s.Seed (s.Picture.Batch s.Samples)
            let w: Tensor<float> = Draw.reals (s.Seed + 1) s.Weights
            let ȳ: Tensor<float> = Draw.reals (s.Seed + 2) (s.Geometry.Output.Batch s.Samples)
            let conv φ : Layer<float> = Layers.ofSpec (LayerSpec.Conv2D { s.Conv2D with Activation = φ })

            let bits layer =
                let step = Layer.run (Context.reference Inference) layer [ w ] [] x
                let θ̄, x̄ = step.Pullback ȳ
                step.Output :: x̄ :: θ̄

            all [
                for φ in
                    [
                        Activation.ReLU
                        Activation.LeakyReLU 0.1
                        Activation.Sigmoid
                        Activation.Tanh
                        Activation.Softmax
                    ] do
                    exactly (bits (Layer.compose (conv Activation.Identity) (Layers.activation φ))) (bits (conv φ))
            ])

        // Fossheim 2022, eq. 46–49; Vu 2018, eq. 29–31: Z = A·W + b, δ_prev = δ·Wᵀ, W̄ = Aᵀ·δ, b̄ = column sums. Integers.
        testProperty "dense: Z = AW + b, δ_prev = δWᵀ, W̄ = Aᵀδ, b̄ = 1ᵀδ" (fun (r: Rows) ->
            let units = 1 + r.Seed % 5
            let a: Tensor<float> = Draw.integers r.Seed (Shape.Of(r.Count, r.Features))
            let w: Tensor<float> = Draw.integers (r.Seed + 1) (Shape.Of(r.Features, units))
            let b: Tensor<float> = Draw.integers (r.Seed + 2) (Shape.Of units)
            let δ: Tensor<float> = Draw.integers (r.Seed + 3) (Shape.Of(r.Count, units))
            let step = Layer.run (Context.reference Inference) (Layers.dense units) [ w; b ] [] a
            let θ̄, x̄ = step.Pullback δ

            let product rows columns inner f =
                Tensor.init (Shape.Of(rows, columns)) (fun k ->
                    Seq.sum (seq { for i in 0 .. inner - 1 -> f (k / columns) (k % columns) i }))

            all [
                exact
                    (product r.Count units r.Features (fun n u i -> a[n, i] * w[i, u] + (if i = 0 then b[u] else 0.0)))
                    step.Output
                exact (product r.Count r.Features units (fun n i u -> δ[n, u] * w[i, u])) x̄
                exact (product r.Features units r.Count (fun i u n -> a[n, i] * δ[n, u])) θ̄[0]
                exact ((product 1 units r.Count (fun _ u n -> δ[n, u])).Reshape b.Shape) θ̄[1]
            ])
    ]
