(**
---
title: 7. A layer of your own
category: A tour in ten scripts
categoryindex: 3
index: 7
---
# A layer of your own

A layer is a value and its pullback. If you can write the two down, you have a layer, and it trains like those of the library.
As an example, the parametric ReLU of He et al. 2015 (eq. 1): below zero the slope a[c] of each channel is learned.

```text
y[n,i,j,c] = max(x[n,i,j,c], 0) + a[c] · min(x[n,i,j,c], 0)
```

Its pullback follows by differentiating (He et al. 2015, eq. 2–3):

```text
x̄[n,i,j,c] = ȳ[n,i,j,c] · (1 where x[n,i,j,c] > 0, else a[c])
ā[c] = Σ_{n,i,j} ȳ[n,i,j,c] · min(x[n,i,j,c], 0)
```
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

(**
`Layer.create` takes the name, the counts of parameters, states and random draws, the shape law, the start and the run.
Composition splits flat lists by these counts, so they have to be true: one parameter tensor, no state, no draws.
*)

let parametricReLU<'T when 'T: struct and 'T :> System.Numerics.IBinaryFloatingPointIeee754<'T>> start : Layer<'T> =
    let channels (shape: Shape) = shape[shape.Rank - 1]

    let run (_: Context<'T>) (θ: Parameters<'T>) state (x: Tensor<'T>) =
        let a = θ.Head
        let slope i = if 'T.op_GreaterThan (x.Span[i], 'T.Zero) then 'T.One else a.Span[i % a.Size]

        let pullback (ȳ: Tensor<'T>) =
            let ā = Array.create a.Size 'T.Zero

            for i in 0 .. x.Size - 1 do
                ā[i % a.Size] <- ā[i % a.Size] + ȳ.Span[i] * 'T.Min(x.Span[i], 'T.Zero)

            [ Tensor.ofArray a.Shape ā ], Tensor.init x.Shape (fun i -> ȳ.Span[i] * slope i)

        {
            Output = Tensor.init x.Shape (fun i -> x.Span[i] * slope i)
            State = state
            Pullback = pullback
        }

    let initial (_: Key) shape = [ Tensor.init (Shape.Of(channels shape)) (fun _ -> start) ], []

    Layer.create "ParametricReLU" 1 0 0 id initial run

(** Two special cases are known layers: slope 0 is ReLU, slope 1 is the identity. Values and gradients must agree with theirs. *)

let x = Tensor.init (Shape.Of(2, 3, 4, 2)) (fun i -> (Key.ofSeed 1).Normal(int64 i))
let ȳ = Tensor.init x.Shape (fun i -> (Key.ofSeed 2).Normal(int64 i))
let context = Context.reference Inference
let slopes (a: float) = Tensor.ofArray (Shape.Of 2) [| a; a |]
let at a = Layer.run context (parametricReLU 0.25) [ slopes a ] [] x
let relu = Layer.run context (Layers.relu ()) [] [] x
claim "slope 0 is ReLU" ((at 0.0).Output = relu.Output)
claim "and pulls back as ReLU does" (snd ((at 0.0).Pullback ȳ) = snd (relu.Pullback ȳ))
claim "slope 1 is the identity, both ways" ((at 1.0).Output = x && snd ((at 1.0).Pullback ȳ) = ȳ)

(*** include-output ***)

(**
For the gradient of the slope there is no known layer to compare with. But y is linear in a, so a difference of two slopes is
exact up to rounding: `⟨ȳ, y(a + d) − y(a)⟩ = ⟨ā, d⟩`.
*)

let difference = Tensor.dot ȳ (at 0.75).Output - Tensor.dot ȳ (at 0.25).Output
let ā = fst ((at 0.25).Pullback ȳ)
claim "⟨ȳ, y(a + d) − y(a)⟩ = ⟨ā, d⟩" (near 1e-12 difference (Tensor.dot ā.Head (slopes 0.5)))

(*** include-output ***)

(** It composes, and it learns, here in single precision on the fast backend, beside layers that know nothing of it. *)

let layer =
    Layers.conv2d 8 3
    >=> parametricReLU 0.25f
    >=> Layers.maxPool 2
    >=> Layers.flatten ()
    >=> Layers.dense 10
    >=> Layers.softmax ()

let backend = Cnn.Fluent.Simd.Backend<float32>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count
let network = Network.create (Key.ofSeed 5) (Shape.Of(28, 28, 1)) layer
let trained = (Training.run backend TrainingSettings.Default 3 (digits 0 3000) network).Network
let test = Prediction.evaluate backend None trained (digits 1 1000)
printfn "slopes before: %O\nslopes after:  %O\n%O" network.Parameters[2] trained.Parameters[2] test
claim "the slopes moved" (trained.Parameters[2] <> network.Parameters[2])
claim "the network learned" (test.Accuracy > 0.75)

(*** include-output ***)

(**
What such a layer cannot do is be saved, since it has no data that a file could hold. Saving says so instead of leaving it out.
*)

let path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName())

try
    ModelFile.save path (ModelFile.create None (List.map string [ 0..9 ]) trained)
    claim "a model that cannot be read again is not written" false
with :? System.ArgumentException as refusal ->
    printfn "%s" refusal.Message

claim "nothing was written" (not (System.IO.File.Exists path))

(*** include-output ***)
