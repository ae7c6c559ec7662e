/// Every pullback is the transpose of the derivative: ⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ along a random direction d with a random
/// cotangent ȳ, J·d by central differences of fourth order in double. Away from kinks by generation.
module Cnn.Tests.Laws.GradientLaws

open Expecto
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// f'(0) to the fourth order: (8(f(h) − f(−h)) − (f(2h) − f(−2h))) ∕ 12h.
let derivative (f: float -> float) =
    let h = 1e-4
    (8.0 * (f h - f -h) - (f (2.0 * h) - f (-2.0 * h))) / (12.0 * h)

let private move (p: Tensor<float>) (d: Tensor<float>) t = Tensor.add p (Tensor.scale t d)

let private dots = List.fold2 (fun sum a b -> sum + Tensor.dot a b) 0.0

/// ⟨ȳ, J·d⟩ against ⟨Jᵀȳ, d⟩.
let private checkPullback seed (point: Point) =
    let step = point.Run
    let ȳ: Tensor<float> = Draw.reals (seed + 1) step.Output.Shape
    let point' = point.X :: point.Parameters
    let direction = point' |> List.mapi (fun i t -> Draw.reals (seed + 2 + i) t.Shape)

    let along t =
        match List.map2 (fun p d -> move p d t) point' direction with
        | x :: θ -> Tensor.dot ȳ { point with X = x; Parameters = θ }.Run.Output
        | [] -> 0.0

    let θ̄, x̄ = step.Pullback ȳ
    truncation (derivative along) (dots (x̄ :: θ̄) direction)

let private single (picture: Shape) count seed (x: Tensor<float>) spec =
    let layer: Layer<float> = Layers.ofSpec spec
    let θ, s = Layer.initial (Key.ofSeed seed) picture layer

    checkPullback seed {
        Layer = layer
        Context = Context.reference (Training(Key.ofSeed seed))
        Parameters = θ |> List.mapi (fun i t -> Draw.reals (seed + count + i) t.Shape)
        State = s
        X = x
    }

let tests =
    testList "gradients" [
        // Random composites of every kind of layer, learning: dropout masks and batch statistics included.
        testProperty "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for composites that learn" (fun (plan: Plan) ->
            checkPullback plan.Seed (Point.away Training plan))

        // Random composites at inference: dropout off, running statistics.
        testProperty "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for composites that predict" (fun (plan: Plan) ->
            checkPullback plan.Seed (Point.away (fun _ -> Inference) plan))

        // SPEC section 4, any geometry, both modes, with bias, smooth activations fused.
        testProperty "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for convolutional layers" (fun (s: Sliding) ->
            let x = Draw.reals s.Seed (s.Picture.Batch s.Samples)

            all [
                for mode in [ ConvolutionMode.CrossCorrelation; ConvolutionMode.Convolution ] do
                    for φ in [ Cnn.Activation.Identity; Cnn.Activation.Tanh; Cnn.Activation.Softmax ] do
                        single
                            s.Picture
                            s.Samples
                            s.Seed
                            x
                            (LayerSpec.Conv2D { s.Conv2D with UseBias = true; Mode = mode; Activation = φ })
            ])

        // SPEC section 5: the window's maximum is unique, by a margin.
        testProperty "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for pooling layers" (fun (Pooled s) ->
            let x = Draw.distinct s.Seed (s.Picture.Batch s.Samples)

            all [
                for spec in [ MaxPool s.Pool; AveragePool s.Pool; GlobalMaxPool; GlobalAveragePool ] do
                    single s.Picture s.Samples s.Seed x spec
            ])

        // SPEC section 6: |x| ≥ 0.1.
        testProperty "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for rows: dense, activations, batch normalisation, dropout" (fun (r: Rows) ->
            let shape = Shape.Of r.Features
            let x = Draw.awayFromZero r.Seed (shape.Batch r.Count)

            all [
                for φ in
                    [
                        Cnn.Activation.Identity
                        Cnn.Activation.ReLU
                        Cnn.Activation.LeakyReLU 0.3
                        Cnn.Activation.Sigmoid
                        Cnn.Activation.Tanh
                        Cnn.Activation.Softmax
                    ] do
                    single shape r.Count r.Seed x (LayerSpec.Activation φ)

                single
                    shape
                    r.Count
                    r.Seed
                    x
                    (LayerSpec.Dense { Dense.Default with Units = 3; Activation = Cnn.Activation.Tanh })
                single shape r.Count r.Seed x (BatchNorm BatchNorm.Default)
                single shape r.Count r.Seed x (Dropout(0.4, DropoutKind.Bernoulli))
                single shape r.Count r.Seed x (Dropout(0.4, DropoutKind.Gaussian))
            ])
    ]
