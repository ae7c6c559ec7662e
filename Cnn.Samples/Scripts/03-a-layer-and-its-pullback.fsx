(**
---
title: 3. A layer and its pullback
category: A tour in ten scripts
categoryindex: 3
index: 3
---
# A layer and its pullback

A layer is a function of its parameters and its input, `y = f(θ, x)`. To learn, it has to answer one more question: if the
loss changes by ȳ for each unit of y, by how much does it change for each unit of θ and of x? The answer is linear
in ȳ: it is the transpose of the derivative of f at this point. We call it the **pullback**, `ȳ ↦ (θ̄, x̄)`.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Lesson

(**
Running a layer gives both: the value and the pullback. Here is a dense layer, `Z = A·W + b`, on two samples. Its pullback is
known in closed form (Fossheim 2022, eq. 46–49; Vu 2018, eq. 29–31):

```text
W̄ = Aᵀ·δ        b̄ = Σ_n δ[n]        Ā = δ·Wᵀ
```
*)

let context = Context.reference Inference
let dense: Layer<float> = Layers.dense 2
let W = Tensor.ofArray (Shape.Of(3, 2)) [| 1.0; -2.0; 0.5; 3.0; 4.0; -1.0 |]
let b = Tensor.ofArray (Shape.Of 2) [| 0.5; -0.5 |]
let A = Tensor.ofArray (Shape.Of(2, 3)) [| 1.0; 2.0; 3.0; -1.0; 0.0; 2.0 |]
let step = Layer.run context dense [ W; b ] [] A

let δ = Tensor.ofArray (Shape.Of(2, 2)) [| 1.0; 0.0; -2.0; 1.0 |]
let θ̄, Ā = step.Pullback δ
printfn "Z = %O\nW̄ = %O\nb̄ = %O\nĀ = %O" step.Output θ̄[0] θ̄[1] Ā

let sum count term = Seq.sum (Seq.init count term)

claim
    "Z[n,k] = Σ_d A[n,d]·W[d,k] + b[k]"
    (step.Output = Tensor.init (Shape.Of(2, 2)) (fun i -> sum 3 (fun d -> A[i / 2, d] * W[d, i % 2]) + b[i % 2]))

claim
    "W̄[d,k] = Σ_n A[n,d]·δ[n,k]"
    (θ̄[0] = Tensor.init (Shape.Of(3, 2)) (fun i -> sum 2 (fun n -> A[n, i / 2] * δ[n, i % 2])))

claim "b̄[k] = Σ_n δ[n,k]" (θ̄[1] = Tensor.init (Shape.Of 2) (fun k -> sum 2 (fun n -> δ[n, k])))

claim
    "Ā[n,d] = Σ_k δ[n,k]·W[d,k]"
    (Ā = Tensor.init (Shape.Of(2, 3)) (fun i -> sum 2 (fun k -> δ[i / 3, k] * W[i % 3, k])))

(*** include-output ***)

(**
For a convolutional layer the same transpose reads (Fossheim 2022, eq. 30, 36–37; Wichmann 2018, 4.7, 4.15; Vu 2018, eq. 35, 38)

```text
K̄[u,v,c,f] = Σ_{n,i,j} δ[n,i,j,f] · x[n, i+u, j+v, c]
x̄[n, p, q, c] = Σ_{f,u,v} δ[n, p−u, q−v, f] · K[u,v,c,f]
```

The input's gradient is a full *convolution* of δ with the kernel: the rotation by π that the backward pass is known for.
Nothing of it needs to be believed. A linear map L and its transpose satisfy

```text
⟨L x, δ⟩ = ⟨x, Lᵀ δ⟩    for all x and δ,
```

on whole numbers exactly, and no other map satisfies it. So we draw some.
*)

let draws seed (shape: Shape) = Tensor.init shape (fun i -> float ((Key.ofSeed seed).Below(19, int64 i) - 9))

let conv: Layer<float> =
    Layers.ofSpec (
        Conv2D {
            Conv2D.Default with
                Filters = 3
                Kernel = { Height = 2; Width = 3 }
                Stride = { Height = 2; Width = 1 }
                Padding = Same
                UseBias = false
        }
    )

let x, K = draws 1 (Shape.Of(2, 5, 7, 2)), draws 2 (Shape.Of(2, 3, 2, 3))
let run = Layer.run context conv [ K ] [] x
let ȳ = draws 3 run.Output.Shape
let K̄, x̄ = run.Pullback ȳ
claim "⟨x ⋆ K, ȳ⟩ = ⟨x, x̄⟩" (Tensor.dot run.Output ȳ = Tensor.dot x x̄)
claim "⟨x ⋆ K, ȳ⟩ = ⟨K, K̄⟩" (Tensor.dot run.Output ȳ = Tensor.dot K K̄.Head)

(*** include-output ***)

(**
Both hold because `x ⋆ K` is linear in x and linear in K. That this is a test with teeth is seen by leaving out the rotation:
*)

let correlation padding : Layer<float> =
    Layers.ofSpec (Conv2D { Conv2D.Default with Kernel = Size.Square 3; Padding = padding; UseBias = false })

let grey, taps = draws 4 (Shape.Of(1, 6, 8, 1)), draws 5 (Shape.Of(3, 3, 1, 1))
let valid = Layer.run context (correlation Valid) [ taps ] [] grey
let cotangent = draws 6 valid.Output.Shape
let backward kernel = (Layer.run context (correlation Full) [ kernel ] [] cotangent).Output

claim "x̄ = rot180(K) ⋆ δ, in full: K * δ" (snd (valid.Pullback cotangent) = backward (Tensor.rot180 taps))
claim "without rot180, ⟨x ⋆ K, δ⟩ ≠ ⟨x, x̄⟩" (Tensor.dot valid.Output cotangent <> Tensor.dot grey (backward taps))

(*** include-output ***)
