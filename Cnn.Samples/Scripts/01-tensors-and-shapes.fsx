(**
---
title: 1. Tensors and shapes
category: A tour in ten scripts
categoryindex: 3
index: 1
---
# Tensors and shapes

A picture is an array of numbers: rows, columns, channels. A batch has one axis more, the samples, and it comes first:
**N×H×W×C**, row-major, channels last, as in Wichmann 2018 (3.2) and Fossheim 2022 (II.D).

Run this script with `dotnet fsi` after `dotnet build -c Release`. Each line with a ✓ is a claim that the script checks.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Lesson

(** A shape is a list of extents. It knows its size, and the shape of a batch of its kind. *)

let picture = Shape.Of(2, 3, 1)
printfn "%O has %d axes and %d elements; a batch of four is %O" picture picture.Rank picture.Size (picture.Batch 4)

(*** include-output ***)

(**
A tensor is a shape with values in row-major order. The element x[i,j,c] of an H×W×C picture stands at
position (i·W + j)·C + c. Tensors do not change: every function returns a new one.
*)

let x = Tensor.init picture float
printfn "%O" x
claim "x[i,j,c] stands at (i·W + j)·C + c" (x[1, 2, 0] = float ((1 * 3 + 2) * 1 + 0))
claim "reshaping moves no value" (x.Reshape(Shape.Of 6).ToArray() = x.ToArray())

(*** include-output ***)

(**
Sums and the inner product `⟨x, y⟩ = Σ x[i]·y[i]` are all the algebra that the tour needs. The inner product
will decide, in the third script, whether a gradient is right.
*)

let y = Tensor.init picture (fun i -> 1.0 - float i)
claim "⟨x, y⟩ = Σ x[i]·y[i]" (Tensor.dot x y = 0.0 + 0.0 - 2.0 - 6.0 - 12.0 - 20.0)

claim
    "⟨a·x + y, z⟩ = a·⟨x, z⟩ + ⟨y, z⟩"
    (Tensor.dot (Tensor.add (Tensor.scale 3.0 x) y) x = 3.0 * Tensor.dot x x + Tensor.dot y x)

(*** include-output ***)

(**
Shapes follow laws, and a layer that does not fit says so at once. A window of f cells with dilation d, moving by s,
over n cells with p_before and p_after cells of padding, has

```text
⌊(n + p_before + p_after − ((f−1)·d + 1)) / s⌋ + 1
```

positions (Wichmann 2018, 2.3 and 3.1; Fan & Yam 11.2.7). Here is the example of Wichmann's section 3.3: 39×39×3 becomes
37×37×10, 17×17×20 and 7×7×40, which are 1960 features.
*)

let strided filters kernel stride : Layer<float> =
    Layers.ofSpec (
        Conv2D {
            Conv2D.Default with
                Filters = filters
                Kernel = Size.Square kernel
                Stride = Size.Square stride
        }
    )

let wichmann = [ strided 10 3 1; strided 20 5 2; strided 40 5 2; Layers.flatten () ]

let shapes = wichmann |> List.scan (fun shape layer -> Layer.output layer shape) (Shape.Of(39, 39, 3))

printfn "%s" (shapes |> List.map string |> String.concat " → ")
claim "three layers turn 39×39×3 into 1960 features" (List.last shapes = Shape.Of 1960)
claim "the formula, along one axis: ⌊(37 − 5)/2⌋ + 1 = 17" (Window.positions 37 0 0 5 1 2 = 17)

(*** include-output ***)

(** A shape that cannot be is refused with what was expected, what was found and what to do about it. *)

try
    Layer.output (Layer.sequence wichmann) (Shape.Of(12, 12, 3)) |> ignore
    claim "a picture that is too small is refused" false
with :? ShapeException as refusal ->
    printfn "%s" refusal.Message

(*** include-output ***)
