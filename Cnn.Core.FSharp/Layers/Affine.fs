namespace Cnn.FSharp

open System
open Cnn

/// Layers that are affine in their input: convolutional and dense (SPEC sections 4 and 6).
module internal Affine =

    let private rotated (context: Context<'T>) (kernel: Tensor<'T>) =
        let turned = context.Workspace.Tensor kernel.Shape
        (Tensor.rot180 kernel).Span.CopyTo turned.Destination
        turned

    /// A = φ(x ⋆ K + b), the common body of convolutional and dense layers.
    let private affine
        (φ: Activation)
        isTrainable
        isRotated
        (context: Context<'T>)
        (g: Geometry)
        output
        θ
        s
        (x: Tensor<'T>)
        =
        let weights: Tensor<'T> list = if isTrainable then θ else s
        let kernels, workspace = context.Kernels, context.Workspace
        let kernel = if isRotated then rotated context weights.Head else weights.Head
        let y = workspace.Tensor((output: Shape).Batch x.Shape[0])
        let isSoftmax = φ.Kind = ActivationKind.Softmax
        let packed = workspace.Packed(kernels, g, Packing.Forward, kernel)

        let bias =
            match weights.Tail with
            | [] -> ReadOnlySpan.Empty
            | b :: _ -> b.Span

        let fused = if isSoftmax then Cnn.Activation.Identity else φ
        kernels.Correlate(workspace, g, x.Span, kernel.Span, packed.Span, bias, fused, y.Destination)

        if isSoftmax then
            kernels.Softmax(Elementwise.channels y, y.Span, y.Destination)

        let pullback (ȳ: Tensor<'T>) =
            let δ = Elementwise.activationAdjoint context φ y ȳ

            let θ̄ =
                if not isTrainable then
                    []
                else
                    let K̄ = workspace.Gradient kernel.Shape
                    kernels.CorrelateFilterAdjoint(workspace, g, x.Span, δ.Span, K̄.Destination)

                    // Lemma 11.5.1: ∇_{rot X} g = rot(∇_X g).
                    let K̄ = if isRotated then rotated context K̄ else K̄

                    weights.Tail
                    |> List.map (fun b ->
                        let b̄ = workspace.Gradient b.Shape
                        kernels.SumRows(δ.Span, b̄.Destination)
                        b̄)
                    |> fun b̄ -> K̄ :: b̄

            let x̄ =
                if context.NeedsInputGradient then
                    let x̄ = workspace.Tensor x.Shape
                    let packed = workspace.Packed(kernels, g, Packing.InputAdjoint, kernel)
                    kernels.CorrelateInputAdjoint(workspace, g, δ.Span, kernel.Span, packed.Span, x̄.Destination)
                    x̄
                else
                    Tensor<'T>.Empty

            θ̄, x̄

        { Output = y; State = s; Pullback = pullback }

    let private weighted spec isTrainable output initial run : Layer<'T> =
        let count = (LayerSpec.tensorNames spec).Length

        Layer.ofPrimitive {
            Spec = spec
            Parameters = (if isTrainable then count else 0)
            States = (if isTrainable then 0 else count)
            Draws = 1
            CouplesSamples = false
            Output = output
            Initial =
                fun key input ->
                    let weights = initial key input
                    if isTrainable then weights, [] else [], weights
            Run = run
        }

    let conv2d (spec: Conv2D) : Layer<'T> =
        let name = "Conv2D " + string spec.Filters + "@" + string spec.Kernel

        let geometry input =
            Geometry.Correlation(name, input, spec.Filters, spec.Kernel, spec.Stride, spec.Dilation, spec.Padding)

        let initial (key: Key) (input: Shape) =
            let taps = spec.Kernel.Height * spec.Kernel.Width
            let shape = Shape.Of(spec.Kernel.Height, spec.Kernel.Width, input[2], spec.Filters)

            let kernel =
                Initializer.draw spec.Initializer key (taps * input[2]) (taps * spec.Filters) input.Size shape

            if spec.UseBias then
                [ kernel; Tensor.zeros (Shape.Of spec.Filters) ]
            else
                [ kernel ]

        weighted
            (LayerSpec.Conv2D spec)
            spec.Trainable
            (fun input -> (geometry input).Output)
            initial
            (fun context θ s x ->
                let g = geometry x.Shape.Sample
                let isRotated = spec.Mode = ConvolutionMode.Convolution
                affine spec.Activation spec.Trainable isRotated context g g.Output θ s x)

    let dense (spec: Dense) : Layer<'T> =
        let name = "Dense " + string spec.Units

        let geometry (input: Shape) =
            if input.Rank <> 1 || input.Size = 0 then
                raise (ShapeException(name, "a vector for each sample", string input, "Put Flatten before it."))

            Geometry.Product(name, input.Size, spec.Units)

        let output = Shape.Of spec.Units

        let initial key (input: Shape) =
            let shape = Shape.Of(input.Size, spec.Units)
            let kernel = Initializer.draw spec.Initializer key input.Size spec.Units input.Size shape
            if spec.UseBias then [ kernel; Tensor.zeros output ] else [ kernel ]

        weighted
            (LayerSpec.Dense spec)
            spec.Trainable
            (fun input -> geometry input |> fun _ -> output)
            initial
            (fun context θ s x ->
                affine spec.Activation spec.Trainable false context (geometry x.Shape.Sample) output θ s x)
