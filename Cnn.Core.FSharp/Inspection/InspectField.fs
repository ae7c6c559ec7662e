namespace Cnn

/// <summary>The pixels that a unit of a layer sees: the window of unit (0, 0), and how far it moves from unit to unit.</summary>
/// <remarks>An immutable value. The smallest window around all of them: dilation and strides may leave holes in it.</remarks>
[<NoComparison>]
type ReceptiveField = {
    /// <summary>Rows and columns of the window.</summary>
    Size: Size
    /// <summary>Pixels from one unit's window to the next; 0 where every unit sees the whole picture.</summary>
    Stride: Size
    /// <summary>First row of unit (0, 0); negative in the padding.</summary>
    Top: int
    /// <summary>First column of unit (0, 0); negative in the padding.</summary>
    Left: int
} with

    /// <summary>First row of the window of the units in a row.</summary>
    member this.FirstRow(row: int) = this.Top + row * this.Stride.Height

    /// <summary>First column of the window of the units in a column.</summary>
    member this.FirstColumn(column: int) = this.Left + column * this.Stride.Width

    /// <summary>Size and stride, as in 5×5 every 2×2.</summary>
    override this.ToString() = string this.Size + " every " + string this.Stride

namespace Cnn.FSharp

open System
open Cnn

/// <summary>How far the units of layers see.</summary>
[<RequireQualifiedAccess>]
module ReceptiveField =

    /// The place of a layer among the others.
    let internal indexOf (network: Network<'T>) (name: string) =
        let names = Network.summary network |> List.map (fun row -> row.Name)

        match List.tryFindIndex ((=) name) names with
        | Some i -> i
        | None ->
            let known = String.Join(", ", names)
            raise (ArgumentException("There is no layer '" + name + "'. There are: " + known + ".", nameof name))

    /// A window over units that see a field themselves.
    let private widen (field: ReceptiveField) (g: Geometry) : ReceptiveField = {
        Size = {
            Height = field.Size.Height + (g.KernelHeight - 1) * g.DilationY * field.Stride.Height
            Width = field.Size.Width + (g.KernelWidth - 1) * g.DilationX * field.Stride.Width
        }
        Stride = { Height = field.Stride.Height * g.StrideY; Width = field.Stride.Width * g.StrideX }
        Top = field.Top - g.PadTop * field.Stride.Height
        Left = field.Left - g.PadLeft * field.Stride.Width
    }

    /// <summary>
    /// What a unit of a layer sees: r ← r + (f−1)·d·j, p ← p − padding·j, j ← j·s from layer to layer, with r = j = 1 and
    /// p = 0 at the picture. Araujo, Norris and Sim 2019, eq. 1–4.
    /// </summary>
    /// <remarks>After flattening, global pooling or a layer of a user's own: the whole picture.</remarks>
    /// <param name="network">The network.</param>
    /// <param name="name">The layer, as the summary names it: conv2d_1.</param>
    /// <exception cref="T:System.ArgumentException">There is no such layer; lists those there are.</exception>
    /// <exception cref="T:Cnn.ShapeException">The network takes no pictures.</exception>
    let ofLayer (network: Network<'T>) (name: string) : ReceptiveField =
        let input = network.Input

        if input.Rank <> 3 then
            raise (
                ShapeException(
                    "ReceptiveField",
                    "a network for pictures of height×width×channels",
                    string input,
                    "Give the input three axes."
                )
            )

        let step (struct (field: ReceptiveField, shape: Shape)) (part: Primitive<'T>) =
            let next =
                match part.Spec with
                | Conv2D c ->
                    Geometry.Correlation(name, shape, c.Filters, c.Kernel, c.Stride, c.Dilation, c.Padding)
                    |> widen field
                | MaxPool p
                | AveragePool p -> Geometry.Pooling(name, shape, p.Window, p.Stride, p.Padding) |> widen field
                | LayerSpec.Activation _
                | BatchNorm _
                | Dropout _ -> field
                | Dense _
                | Flatten _
                | GlobalMaxPool
                | GlobalAveragePool
                | Custom _ -> {
                    Size = { Height = input[0]; Width = input[1] }
                    Stride = Size.Square 0
                    Top = 0
                    Left = 0
                  }

            struct (next, part.Output shape)

        let pixel: ReceptiveField = { Size = Size.Square 1; Stride = Size.Square 1; Top = 0; Left = 0 }

        let struct (field, _) =
            network.Layer.Parts
            |> List.truncate (indexOf network name + 1)
            |> List.fold step (struct (pixel, input))

        field
