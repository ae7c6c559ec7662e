namespace Cnn.FSharp

open System
open Cnn

/// Layers that are affine in their input: convolutional and dense (SPEC sections 4 and 6).
module internal Affine =

    /// What an affine layer does beside its sums.
    [<Struct; NoComparison>]
    type private Manner = { Activation: Activation; IsTrainable: bool; IsRotated: bool }

    /// rot180 K, into memory of the caller's.
    let private rotateInto (turned: Tensor<'T>) (kernel: Tensor<'T>) =
        let taps = kernel.Shape[0] * kernel.Shape[1]
        let size = kernel.Size / taps
        let source = kernel.Span
        let target = turned.Destination

        for tap in 0 .. taps - 1 do
            source.Slice((taps - 1 - tap) * size, size).CopyTo(target.Slice(tap * size, size))

        turned

    /// δ = ȳ ∘ φ'(Z) and, where there is a bias, ∂L/∂b_f = Σ δ[n,i,j,f]. Fossheim 2022, eq. 11–13, 36–41.
    let private biasGradient
        (context: Context<'T>)
        (φ: Activation)
        (y: Tensor<'T>)
        (ȳ: Tensor<'T>)
        (bias: Tensor<'T> list)
        =
        let kernels, workspace = context.Kernels, context.Workspace

        match bias, φ.Kind with
        | [], _ -> struct (Elementwise.activationAdjoint context φ y ȳ, [])
        | b :: _, (ActivationKind.Identity | ActivationKind.Softmax) ->
            let δ, b̄ = Elementwise.activationAdjoint context φ y ȳ, workspace.Gradient b.Shape
            kernels.SumRows(δ.Span, b̄.Destination)
            struct (δ, [ b̄ ])
        | b :: _, _ ->
            let δ, b̄ = workspace.Tensor y.Shape, workspace.Gradient b.Shape
            kernels.BiasAdjoint(φ, y.Span, ȳ.Span, δ.Destination, b̄.Destination)
            struct (δ, [ b̄ ])

    /// ∂L/∂K[u,v,c,f] = Σ δ[n,i,j,f]·x[n, i·s+u·d−p, j·s+v·d−p, c]. Fossheim 2022, eq. 36–41.
    let private kernelGradient
        (context: Context<'T>)
        manner
        (g: Geometry)
        (x: Tensor<'T>)
        (δ: Tensor<'T>)
        (kernel: Tensor<'T>)
        =
        let kernels, workspace = context.Kernels, context.Workspace
        let K̄ = workspace.Gradient kernel.Shape
        kernels.CorrelateFilterAdjoint(workspace, g, x.Span, δ.Span, K̄.Destination)

        // Lemma 11.5.1: ∇_{rot X} g = rot(∇_X g).
        if manner.IsRotated then rotateInto (workspace.Gradient K̄.Shape) K̄ else K̄

    /// x̄: δ[n,i,j,f]·K[u,v,c,f] added to row i·s+u·d−p, column j·s+v·d−p. Fossheim 2022, eq. 30, 70.
    let private inputGradient
        (context: Context<'T>)
        (g: Geometry)
        (x: Tensor<'T>)
        (δ: Tensor<'T>)
        (kernel: Tensor<'T>)
        =
        let kernels, workspace = context.Kernels, context.Workspace
        let x̄ = workspace.Tensor x.Shape
        let packed = workspace.Packed(kernels, g, Packing.InputAdjoint, kernel)
        kernels.CorrelateInputAdjoint(workspace, g, δ.Span, kernel.Span, packed.Span, x̄.Destination)
        x̄

    /// A = φ(x ⋆ K + b), the common body of convolutional and dense layers.
    let private affine manner (context: Context<'T>) (g: Geometry) (output: Shape) θ s (x: Tensor<'T>) =
        let kernels, workspace = context.Kernels, context.Workspace
        let weights: Tensor<'T> list = if manner.IsTrainable then θ else s
        let given = weights.Head

        let kernel =
            if manner.IsRotated then
                rotateInto (workspace.Tensor given.Shape) given
            else
                given

        let y = workspace.Tensor(output.Batch x.Shape[0])
        let packed = workspace.Packed(kernels, g, Packing.Forward, kernel)

        let bias =
            match weights.Tail with
            | [] -> ReadOnlySpan.Empty
            | b :: _ -> b.Span

        // Softmax needs whole rows, so it comes after the sums.
        let isSoftmax = manner.Activation.Kind = ActivationKind.Softmax
        let fused = if isSoftmax then Cnn.Activation.Identity else manner.Activation
        kernels.Correlate(workspace, g, x.Span, kernel.Span, packed.Span, bias, fused, y.Destination)

        if isSoftmax then
            kernels.Softmax(Elementwise.channels y, y.Span, y.Destination)

        let pullback (ȳ: Tensor<'T>) =
            let bias = if manner.IsTrainable then weights.Tail else []
            let struct (δ, b̄) = biasGradient context manner.Activation y ȳ bias

            let θ̄ =
                if manner.IsTrainable then
                    kernelGradient context manner g x δ kernel :: b̄
                else
                    []

            θ̄,
            (if context.NeedsInputGradient then
                 inputGradient context g x δ kernel
             else
                 Tensor<'T>.Empty)

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
        Words.defined "mode" spec.Mode
        Words.defined "initializer" spec.Initializer

        let geometry =
            Layer.remember (fun input ->
                let g =
                    Geometry.Correlation(
                        name,
                        input,
                        spec.Filters,
                        spec.Kernel,
                        spec.Stride,
                        spec.Dilation,
                        spec.Padding
                    )

                struct (g, g.Output))

        let manner = {
            Activation = spec.Activation
            IsTrainable = spec.Trainable
            IsRotated = (spec.Mode = ConvolutionMode.Convolution)
        }

        let initial (key: Key) (input: Shape) =
            let taps = spec.Kernel.Height * spec.Kernel.Width
            let shape = Shape.Of(spec.Kernel.Height, spec.Kernel.Width, input[2], spec.Filters)

            let kernel =
                Initializer.draw spec.Initializer key (taps * input[2]) (taps * spec.Filters) input.Size shape

            if spec.UseBias then
                [ kernel; Tensor.zeros (Shape.Of spec.Filters) ]
            else
                [ kernel ]

        let output input =
            let struct (_, output) = geometry input
            output

        weighted (LayerSpec.Conv2D spec) spec.Trainable output initial (fun context θ s x ->
            let struct (g, output) = geometry x.Shape.Sample
            affine manner context g output θ s x)

    let dense (spec: Dense) : Layer<'T> =
        let name = "Dense " + string spec.Units
        Words.defined "initializer" spec.Initializer

        if spec.Units < 1 then
            raise (ShapeException(name, "at least 1 unit", string spec.Units, "Ask for a positive number of units."))

        let geometry =
            Layer.remember (fun (input: Shape) ->
                if input.Rank <> 1 || input.Size = 0 then
                    raise (ShapeException(name, "a vector for each sample", string input, "Put Flatten before it."))

                if float input.Size * float spec.Units > float Array.MaxLength then
                    raise (
                        ShapeException(
                            name,
                            "weights that fit into memory",
                            string input.Size + "×" + string spec.Units,
                            "Use fewer units, or pooling before it."
                        )
                    )

                Geometry.Product(name, input.Size, spec.Units))

        let units = Shape.Of spec.Units

        let output input =
            geometry input |> ignore
            units

        let manner = { Activation = spec.Activation; IsTrainable = spec.Trainable; IsRotated = false }

        let initial key (input: Shape) =
            let shape = Shape.Of(input.Size, spec.Units)
            let kernel = Initializer.draw spec.Initializer key input.Size spec.Units input.Size shape
            if spec.UseBias then [ kernel; Tensor.zeros units ] else [ kernel ]

        weighted (LayerSpec.Dense spec) spec.Trainable output initial (fun context θ s x ->
            affine manner context (geometry x.Shape.Sample) units θ s x)
