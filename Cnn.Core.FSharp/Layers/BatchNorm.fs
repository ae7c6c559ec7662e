namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// Batch normalisation (SPEC section 6), over the batch for each feature or channel:
/// x̂ = (x − μ)/√(σ² + ε), y = γ x̂ + β;
/// γ̄ = Σ ȳ∘x̂, β̄ = Σ ȳ, x̄ = γ/√(σ² + ε) · (ȳ − mean ȳ − x̂·mean(ȳ∘x̂)).
module internal Normalization =

    /// A vector over the features, element by element.
    let private vector (context: Context<'T>) (like: Tensor<'T>) (value: int -> 'T) =
        let t = context.Workspace.Tensor like.Shape

        for c in 0 .. t.Size - 1 do
            t.Destination[c] <- value c

        t

    /// y[r,c] = (x[r,c] − centre[c])·scale[c] + shift[c].
    let private normalize
        (context: Context<'T>)
        (x: Tensor<'T>)
        (centre: Tensor<'T>)
        (scale: Tensor<'T>)
        (shift: Tensor<'T>)
        =
        let y = context.Workspace.Tensor x.Shape
        context.Kernels.Normalize(x.Span, centre.Span, scale.Span, shift.Span, y.Destination)
        y

    let private run<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
        (spec: BatchNorm)
        (context: Context<'T>)
        (γ: Tensor<'T>)
        (β: Tensor<'T>)
        (mean: Tensor<'T>)
        (variance: Tensor<'T>)
        (x: Tensor<'T>)
        =
        let kernels, workspace = context.Kernels, context.Workspace
        let number: float -> 'T = Number.ofFloat
        let vector = vector context γ
        let zero = vector (fun _ -> 'T.Zero)

        let μ, v =
            match context.Mode with
            | Inference -> mean, variance
            | Training _ ->
                let μ, v = workspace.Tensor γ.Shape, workspace.Tensor γ.Shape
                kernels.Moments(x.Span, μ.Destination, v.Destination)
                μ, v

        let inverse =
            vector (fun c ->
                let raised: 'T = v.Span[c] + number spec.Epsilon
                'T.One / 'T.Sqrt raised)

        let scale = vector (fun c -> γ.Span[c] * inverse.Span[c])

        // m ← ρ·m + (1−ρ)·μ, likewise the population variance.
        let blend (kept: Tensor<'T>) (fresh: Tensor<'T>) =
            vector (fun c ->
                let remembered: 'T = number spec.Momentum * kept.Span[c]
                let gained: 'T = number (1.0 - spec.Momentum) * fresh.Span[c]
                remembered + gained)

        let pullback (ȳ: Tensor<'T>) =
            let γ̄, β̄ = workspace.Gradient γ.Shape, workspace.Gradient β.Shape
            kernels.SumProducts(ȳ.Span, x.Span, μ.Span, inverse.Span, γ̄.Destination)
            kernels.SumRows(ȳ.Span, β̄.Destination)

            let x̄ =
                match context.Mode with
                | _ when not context.NeedsInputGradient -> Tensor<'T>.Empty
                | Inference -> normalize context ȳ zero scale zero
                | Training _ ->
                    let rows = number (float (x.Size / γ.Size))
                    let centred = normalize context ȳ (vector (fun c -> β̄.Span[c] / rows)) scale zero

                    let pull =
                        vector (fun c ->
                            let share: 'T = γ̄.Span[c] / rows
                            let turn: 'T = scale.Span[c] * inverse.Span[c]
                            -(share * turn))

                    kernels.Accumulate((normalize context x μ pull zero).Span, centred.Destination)
                    centred

            [ γ̄; β̄ ], x̄

        let next =
            match context.Mode with
            | Inference -> [ mean; variance ]
            | Training _ -> [ blend mean μ; blend variance v ]

        { Output = normalize context x μ scale β; State = next; Pullback = pullback }

    let batchNorm (spec: BatchNorm) : Layer<'T> =
        if not (spec.Epsilon >= 0.0 && Double.IsFinite spec.Epsilon) then
            raise (ArgumentOutOfRangeException("epsilon", spec.Epsilon, "Batch normalisation needs ε of 0 or more."))

        if not (spec.Momentum >= 0.0 && spec.Momentum < 1.0) then
            raise (
                ArgumentOutOfRangeException(
                    "momentum",
                    spec.Momentum,
                    "Batch normalisation needs a momentum in [0, 1)."
                )
            )

        let output (input: Shape) =
            if input.Rank = 0 then
                raise (
                    ShapeException("BatchNormalization", "features or channels", string input, "Put it after a layer.")
                )

            input

        let initial _ (input: Shape) =
            let features = Shape.Of(input[input.Rank - 1])
            let ones, zeros = Tensor.init features (fun _ -> 'T.One), Tensor.zeros features
            [ ones; zeros ], [ zeros; ones ]

        let run context θ s x =
            match θ, s with
            | [ γ; β ], [ mean; variance ] -> run spec context γ β mean variance x
            | _ ->
                let found = string (List.length θ) + " and " + string (List.length s) + " tensors"
                raise (ArgumentException("BatchNormalization takes γ, β and two statistics, found " + found + "."))

        Layer.ofPrimitive {
            Spec = LayerSpec.BatchNorm spec
            Parameters = 2
            States = 2
            Draws = 0
            CouplesSamples = true
            Output = output
            Initial = initial
            Run = run
        }
