namespace Cnn.FSharp

open System
open Cnn

/// Pooling layers (SPEC section 5).
module internal Pooling =

    let max (context: Context<'T>) (g: Geometry) (output: Shape) (x: Tensor<'T>) =
        let y = context.Workspace.Tensor(output.Batch x.Shape[0])
        let indices = context.Workspace.Indices y.Size
        context.Kernels.MaxPool(g, x.Span, y.Destination, indices.Span)

        let shape = x.Shape

        let pullback (ȳ: Tensor<'T>) =
            let x̄ = context.Workspace.Tensor shape
            context.Kernels.MaxPoolAdjoint(g, ȳ.Span, Span.op_Implicit indices.Span, x̄.Destination)
            [], x̄

        struct (y, pullback)

    let average (context: Context<'T>) (g: Geometry) (output: Shape) (x: Tensor<'T>) =
        let y = context.Workspace.Tensor(output.Batch x.Shape[0])
        context.Kernels.AveragePool(g, x.Span, y.Destination)

        let shape = x.Shape

        let pullback (ȳ: Tensor<'T>) =
            let x̄ = context.Workspace.Tensor shape
            context.Kernels.AveragePoolAdjoint(g, ȳ.Span, x̄.Destination)
            [], x̄

        struct (y, pullback)

    /// A layer that pools under a geometry; `shape` tells its output's.
    let private layer spec body geometry shape : Layer<'T> =
        let known =
            Layer.remember (fun input ->
                let g: Geometry = geometry input
                struct (g, shape g))

        let output input =
            let struct (_, output: Shape) = known input
            output

        Elementwise.stateless spec output (fun context x ->
            let struct (g, output) = known x.Shape.Sample
            body context g output x)

    let windowed spec body (pool: Pool) : Layer<'T> =
        let name = LayerSpec.typeName spec + " " + string pool.Window

        layer spec body (fun input -> Geometry.Pooling(name, input, pool.Window, pool.Stride, pool.Padding)) (fun g ->
            g.Output)

    /// Pooling with a window as large as the picture; its output is a vector.
    let whole spec body : Layer<'T> =
        let geometry (input: Shape) =
            let window =
                if input.Rank = 3 then
                    { Height = input[0]; Width = input[1] }
                else
                    Size.Square 1

            Geometry.Pooling(LayerSpec.typeName spec, input, window, Size.Square 1, Valid)

        layer spec body geometry (fun g -> Shape.Of g.Channels)
