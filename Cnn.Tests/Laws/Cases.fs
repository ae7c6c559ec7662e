/// The cases that laws are stated over, each a few numbers that shrink and print as a line.
namespace Cnn.Tests.Laws

open System
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

/// Tensors as pure functions of a seed, so that a case shrinks by its extents and prints as a line.
module Draw =
    let private draw seed (shape: Shape) (value: Random -> float) =
        let random = Random(seed: int)
        Tensor.init shape (fun _ -> number (value random))

    /// Integers, |v| ≤ 9: sums of their products are exact in both precisions.
    let integers seed shape = draw seed shape (fun random -> float (random.Next(-9, 10)))

    /// U(−1, 1).
    let reals seed shape = draw seed shape (fun random -> 2.0 * random.NextDouble() - 1.0)

    /// 0.1 ≤ |v| ≤ 2: away from the kink of ReLU.
    let awayFromZero seed shape =
        draw seed shape (fun random ->
            let v = 0.1 + 1.9 * random.NextDouble()
            if random.Next 2 = 0 then -v else v)

    /// Pairwise distinct multiples of 1/8: every window has one maximum, by a margin.
    let distinct seed (shape: Shape) =
        let values = Array.init shape.Size (fun i -> float (i - shape.Size / 2) / 8.0)
        Random(seed: int).Shuffle values
        Tensor.init shape (fun i -> number values[i])

/// A window sliding over a batch of pictures, as the integers that make it.
[<NoComparison>]
type Sliding = {
    Samples: int
    Height: int
    Width: int
    Channels: int
    Filters: int
    Kernel: Size
    Stride: Size
    Dilation: Size
    Padding: Padding
    Seed: int
} with

    member this.Picture = Shape.Of(this.Height, this.Width, this.Channels)
    member this.Weights = Shape.Of(this.Kernel.Height, this.Kernel.Width, this.Channels, this.Filters)

    member this.Geometry =
        Geometry.Correlation("law", this.Picture, this.Filters, this.Kernel, this.Stride, this.Dilation, this.Padding)

    member this.Pooling = Geometry.Pooling("law", this.Picture, this.Kernel, this.Stride, this.Padding)

    member this.Pool: Pool = { Window = this.Kernel; Stride = this.Stride; Padding = this.Padding }

    /// The layer as data, without bias or activation.
    member this.Conv2D = {
        Conv2D.Default with
            Filters = this.Filters
            Kernel = this.Kernel
            Stride = this.Stride
            Dilation = this.Dilation
            Padding = this.Padding
            UseBias = false
    }

    /// Cells before and after, rows then columns.
    member this.Pads =
        let axis isRows n (f: int) s d =
            let struct (before, after) = Window.pad this.Padding isRows n f d s
            before, after

        axis true this.Height this.Kernel.Height this.Stride.Height this.Dilation.Height,
        axis false this.Width this.Kernel.Width this.Stride.Width this.Dilation.Width

/// A pooling window over a batch of pictures.
[<NoComparison>]
type Pooled = Pooled of Sliding

/// Rows of features.
type Rows = { Count: int; Features: int; Seed: int }

/// Two planes for convolution theory: a kernel and an image at least as large.
[<NoComparison>]
type Planes = { ImageSize: Size; KernelSize: Size; OtherSize: Size; Seed: int }

/// A row of layers, the pictures or vectors that enter, and a seed for everything else.
[<NoComparison>]
type Plan = { Count: int; Input: int list; Specs: LayerSpec list; Seed: int }

module Plan =
    let shape (extents: int list) = Shape.Of(List.toArray extents)

    /// True where every layer accepts what the one before it gives.
    let fits plan =
        try
            Layer.output (Layers.ofSpecs plan.Specs: Layer<float>) (shape plan.Input) |> ignore
            true
        with :? ShapeException ->
            false
