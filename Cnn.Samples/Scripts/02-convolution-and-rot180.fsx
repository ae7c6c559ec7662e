(**
---
title: 2. Convolution and rot180
category: A tour in ten scripts
categoryindex: 3
index: 2
---
# Convolution and rot180

Two operations go by the name of convolution. This script sets them side by side and shows how one becomes the other.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Lesson

(**
**Cross-correlation** slides the kernel as it is (Wichmann 2018, 1.6; Fossheim 2022, eq. 1):

```text
(K ⋆ I)[i,j] = Σ_u Σ_v K[u,v] · I[i+u, j+v]
```

**Convolution** slides it rotated by π (Wichmann 2018, 1.5; Vu 2018, eq. 3):

```text
(K * I)[i,j] = Σ_u Σ_v K[u,v] · I[i−u, j−v]
```

A convolutional layer without bias is either, according to its mode. Kernels are k_h×k_w×C_in×C_out.
*)

let matrix rows columns (values: float list) = Tensor.ofArray (Shape.Of(rows, columns)) (Array.ofList values)

let slide mode padding (kernel: Tensor<float>) (image: Tensor<float>) =
    let layer: Layer<float> =
        Layers.ofSpec (
            Conv2D {
                Conv2D.Default with
                    Kernel = { Height = kernel.Shape[0]; Width = kernel.Shape[1] }
                    Padding = padding
                    Mode = mode
                    UseBias = false
            }
        )

    let θ = [ kernel.Reshape(Shape.Of(kernel.Shape[0], kernel.Shape[1], 1, 1)) ]
    let batch = image.Reshape(Shape.Of(1, image.Shape[0], image.Shape[1], 1))
    let y = (Layer.run (Context.reference Inference) layer θ [] batch).Output
    y.Reshape(Shape.Of(y.Shape[1], y.Shape[2]))

let correlate = slide ConvolutionMode.CrossCorrelation Valid
let convolve = slide ConvolutionMode.Convolution Valid

(** The numbers of Fan & Yam, 11.2.1: *)

let image = matrix 3 3 [ 94.0; 50.0; 221.0; 98.0; 109.0; 50.0; 49.0; 213.0; 91.0 ]
let kernel = matrix 3 3 [ 2.0; 2.0; 1.0; 1.0; 0.0; -2.0; -2.0; 2.0; 2.0 ]
claim "K ⋆ I = 1017" ((correlate kernel image)[0, 0] = 1017.0)
claim "K * I = 357" ((convolve kernel image)[0, 0] = 357.0)

(*** include-output ***)

(**
The rotation by π, `rot180(K)[u,v] = K[k_h−1−u, k_w−1−v]`, turns one into the other, and is its own inverse
(Wichmann 2018, 1.7; Fossheim 2022, eq. 2–3; Fan & Yam 11.2.3). On whole numbers the identities hold exactly, so we ask for
equality. The picture is not square, and neither is the kernel: mistakes like to hide in squares.
*)

let draws seed rows columns =
    Tensor.init (Shape.Of(rows, columns)) (fun i -> float ((Key.ofSeed seed).Below(19, int64 i) - 9))

let I, K = draws 1 5 7, draws 2 2 3
claim "K * I = rot180(K) ⋆ I" (convolve K I = correlate (Tensor.rot180 K) I)
claim "K ⋆ I = rot180(K) * I" (correlate K I = convolve (Tensor.rot180 K) I)
claim "rot180(rot180 K) = K" (Tensor.rot180 (Tensor.rot180 K) = K)

(*** include-output ***)

(**
Padded on all sides, so that every overlap counts, convolution commutes: `f * g = g * f` (Wichmann 2018, 1.2). Correlation does
not; `f ⋆ g` is the rotation of `g ⋆ f`.
*)

let fullyConvolve = slide ConvolutionMode.Convolution Full
let fullyCorrelate = slide ConvolutionMode.CrossCorrelation Full
let f, g = draws 3 4 5, draws 4 3 2
claim "f * g = g * f" (fullyConvolve f g = fullyConvolve g f)
claim "f ⋆ g = rot180(g ⋆ f)" (fullyCorrelate f g = Tensor.rot180 (fullyCorrelate g f))
claim "f ⋆ g ≠ g ⋆ f" (fullyCorrelate f g <> fullyCorrelate g f)

(*** include-output ***)

(**
So why do networks correlate? Because a kernel that is learned can be learned rotated just as well. What the difference changes
is the backward pass, where each of the two appears inside the other's gradient: the next script.
*)
