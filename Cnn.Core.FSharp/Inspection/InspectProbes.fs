namespace Cnn.FSharp

open System
open Cnn

/// <summary>What a 3×3 filter answers to lines (SPEC section 11; Fan &amp; Yam 11.6.3).</summary>
/// <remarks>Pure.</remarks>
[<RequireQualifiedAccess>]
module LineProbes =

    let private line name (isInk: int -> int -> bool) : string * Tensor<float> =
        name, Tensor.init (Shape.Of(3, 3)) (fun i -> if isInk (i / 3) (i % 3) then 1.0 else 0.0)

    /// <summary>X1 … X8 with their names: three vertical lines, one diagonal, three horizontal lines, the other diagonal; 3×3 each.</summary>
    let all: (string * Tensor<float>) list = [
        line "left column" (fun _ column -> column = 0)
        line "middle column" (fun _ column -> column = 1)
        line "right column" (fun _ column -> column = 2)
        line "main diagonal" (fun row column -> row = column)
        line "top row" (fun row _ -> row = 0)
        line "middle row" (fun row _ -> row = 1)
        line "bottom row" (fun row _ -> row = 2)
        line "other diagonal" (fun row column -> row + column = 2)
    ]

    /// <summary>Z_r = Σ K[u,v]·X_r[u,v] + b, clipped to [0, 1], for the eight lines.</summary>
    /// <param name="kernel">A filter of one channel: 3×3, or 3×3×1 as <c>Inspect.filters</c> gives it.</param>
    /// <param name="bias">b.</param>
    /// <exception cref="T:Cnn.ShapeException">The filter is not of 3×3 and one channel.</exception>
    let answers (kernel: Tensor<'T>) (bias: float) : float list =
        let shape = kernel.Shape

        if shape.Rank < 2 || shape[0] <> 3 || shape[1] <> 3 || shape.Size <> 9 then
            let cure = "Give one filter of one channel."
            raise (ShapeException("LineProbes", "a filter of 3×3", string shape, cure))

        let weights = kernel.Reshape(Shape.Of(3, 3)) |> Tensor.map Number.toFloat
        all |> List.map (fun (_, probe) -> Math.Clamp(Tensor.dot weights probe + bias, 0.0, 1.0))
