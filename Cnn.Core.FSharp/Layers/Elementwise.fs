namespace Cnn.FSharp

open System
open Cnn

/// Layers without parameters that leave the values where they are: activations, dropout, flattening.
module internal Elementwise =

    let stateless spec output run : Layer<'T> =
        Layer.ofPrimitive {
            Spec = spec
            Parameters = 0
            States = 0
            Draws = 0
            CouplesSamples = false
            Output = output
            Initial = fun _ _ -> [], []
            Run =
                fun context _ _ x ->
                    let struct (y, pullback) = run context x
                    { Output = y; State = []; Pullback = pullback }
        }

    let channels (t: Tensor<'T>) = t.Shape[t.Shape.Rank - 1]

    /// δ_Z = δ_A ∘ φ'(Z); for softmax x̄ = a ∘ (ȳ − ⟨ȳ, a⟩). Fossheim 2022, eq. 11–13.
    let activationAdjoint (context: Context<'T>) (φ: Activation) (y: Tensor<'T>) (ȳ: Tensor<'T>) =
        match φ.Kind with
        | ActivationKind.Identity -> ȳ
        | kind ->
            let x̄ = context.Workspace.Tensor y.Shape

            if kind = ActivationKind.Softmax then
                context.Kernels.SoftmaxAdjoint(channels y, y.Span, ȳ.Span, x̄.Destination)
            else
                context.Kernels.ActivateAdjoint(φ, y.Span, ȳ.Span, x̄.Destination)

            x̄

    let activation (φ: Activation) : Layer<'T> =
        stateless (LayerSpec.Activation φ) id (fun context x ->
            let y = context.Workspace.Tensor x.Shape

            if φ.Kind = ActivationKind.Softmax then
                context.Kernels.Softmax(channels x, x.Span, y.Destination)
            else
                context.Kernels.Activate(φ, x.Span, y.Destination)

            struct (y, (fun ȳ -> [], activationAdjoint context φ y ȳ)))

    let flatten (order: FlattenOrder) : Layer<'T> =
        Words.defined (nameof order) order
        let spec = Flatten order

        let output =
            Layer.remember (fun (input: Shape) ->
                if order = FlattenOrder.ChannelMajor && input.Rank <> 3 then
                    raise (
                        ShapeException("Flatten", "height×width×channels", string input, "Use FlattenOrder.RowMajor.")
                    )

                Shape.Of input.Size)

        /// target[n, c, p] = source[n, p, c], for pixels p.
        let transpose (context: Context<'T>) (source: Tensor<'T>) rows columns shape =
            let target = context.Workspace.Tensor shape
            let from = source.Span
            let into = target.Destination

            for n in 0 .. source.Size / (rows * columns) - 1 do
                for r in 0 .. rows - 1 do
                    for c in 0 .. columns - 1 do
                        into[(n * columns + c) * rows + r] <- from[(n * rows + r) * columns + c]

            target

        stateless spec output (fun context x ->
            let vectors = (output x.Shape.Sample).Batch x.Shape[0]

            if order = FlattenOrder.RowMajor then
                let shape = x.Shape
                struct (x.Reshape vectors, (fun ȳ -> [], ȳ.Reshape shape))
            else
                let planes = channels x
                let pixels = x.Shape.Sample.Size / planes

                let shape = x.Shape

                struct (transpose context x pixels planes vectors,
                        (fun ȳ -> [], transpose context ȳ planes pixels shape)))

    /// y = x ∘ m, with m drawn anew for each step, sample and element; nothing at inference.
    let dropout (rate: float) (kind: DropoutKind) : Layer<'T> =
        Words.defined (nameof kind) kind

        if not (rate >= 0.0 && rate < 1.0) then
            raise (ArgumentOutOfRangeException(nameof rate, rate, "The drop probability must be in [0, 1)."))

        let kept: 'T = Number.ofFloat (1.0 / (1.0 - rate))
        let deviation = sqrt (rate / (1.0 - rate))

        let factor (key: Key) element : 'T =
            match kind with
            | DropoutKind.Gaussian -> Number.ofFloat (1.0 + deviation * key.Normal element)
            | _ -> if key.Uniform element < rate then 'T.Zero else kept

        let run (context: Context<'T>) (x: Tensor<'T>) =
            match context.Mode with
            | Inference -> struct (x, (fun ȳ -> [], ȳ))
            | Training key ->
                let mask = context.Workspace.Tensor x.Shape
                let m = mask.Destination
                let size = x.Shape.Sample.Size

                for n in 0 .. x.Shape[0] - 1 do
                    let key = key.Child(int64 (context.FirstSample + n))

                    for i in 0 .. size - 1 do
                        m[n * size + i] <- factor key (int64 i)

                let times (t: Tensor<'T>) =
                    let product = context.Workspace.Tensor t.Shape
                    context.Kernels.Multiply(t.Span, mask.Span, product.Destination)
                    product

                struct (times x, (fun ȳ -> [], times ȳ))

        let part = (stateless (Dropout(rate, kind)) id run).Parts.Head
        Layer.ofPrimitive { part with Draws = 1 }
