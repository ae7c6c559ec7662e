(**
---
title: 8. Verifying a gradient
category: A tour in ten scripts
categoryindex: 3
index: 8
---
# Verifying a gradient

A wrong gradient seldom fails loudly: the network learns a little worse, and nobody knows why. So we check it, on the
network at hand, with its own data. This script does so by hand first.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

(**
Checking every entry of a gradient takes two runs of the network for each parameter. Two runs in all are enough. Take a random
direction d in parameters and input, and a random cotangent ȳ. With J the derivative of the network,

```text
⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩.
```

The right side is what the pullback gives. The left side is the derivative of `t ↦ ⟨ȳ, f(p + t·d)⟩` at 0, which a central
difference gives up to O(h²). Everything runs in double precision: in single, rounding would hide what is looked for.
*)

let layer: Layer<float> =
    Layers.conv2d 4 3
    >=> Layers.tanh ()
    >=> Layers.averagePool 2
    >=> Layers.conv2d 6 3
    >=> Layers.batchNorm ()
    >=> Layers.sigmoid ()
    >=> Layers.globalAveragePool ()
    >=> Layers.dropout 0.2
    >=> Layers.dense 5
    >=> Layers.softmax ()

let network = Network.create (Key.ofSeed 1) (Shape.Of(11, 13, 2)) layer

let normal seed (shape: Shape) = Tensor.init shape (fun i -> (Key.ofSeed seed).Normal(int64 i))

let x = normal 2 (network.Input.Batch 4)
let context = Context.reference (Training(Key.ofSeed 3))

/// Both sides of the equation, by a central difference of step h.
let sides run (parameters: Parameters<float>) h =
    let step: Step<float> = run parameters x
    let ȳ = normal 4 step.Output.Shape
    let directionOfX = normal 5 x.Shape
    let directions = parameters |> List.mapi (fun i p -> normal (6 + i) p.Shape)
    let move t p d = Tensor.add p (Tensor.scale t d)

    let along t =
        Tensor.dot ȳ (run (List.map2 (move t) parameters directions) (move t x directionOfX)).Output

    let θ̄, x̄ = step.Pullback ȳ
    (along h - along -h) / (2.0 * h), Tensor.dot x̄ directionOfX + List.sum (List.map2 Tensor.dot θ̄ directions)

let run parameters x = Layer.run context layer parameters network.State x
let difference, pullback = sides run network.Parameters 1e-5
printfn "⟨ȳ, J·d⟩ = %.12f\n⟨Jᵀȳ, d⟩ = %.12f" difference pullback
claim "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩, while dropout drops and batch statistics are taken" (near 1e-7 difference pullback)

(*** include-output ***)

(**
How do we know that the check would see a mistake? By making one. Here the gradient of the first bias is left out of the sum, as
if somebody had forgotten it; then the kernel's gradient is handed on rotated, as if somebody had forgotten rot180.
*)

let spoilt position spoil parameters x =
    let step = run parameters x

    let pullback ȳ =
        let θ̄, x̄ = step.Pullback ȳ
        List.mapi (fun i p̄ -> if i = position then spoil p̄ else p̄) θ̄, x̄

    { step with Pullback = pullback }

let isSeen position spoil =
    let difference, pullback = sides (spoilt position spoil) network.Parameters 1e-5
    not (near 1e-7 difference pullback)

claim "a bias without gradient is seen" (isSeen 1 (Tensor.scale 0.0))
claim "a gradient without rot180 is seen" (isSeen 0 Tensor.rot180)

(*** include-output ***)

(**
What remains is the error of the difference itself. Halving h divides it by four, until rounding takes over: the
mark of a right gradient. A wrong one would keep an error that does not depend on h.
*)

let errors =
    [ 0.001; 0.0005; 0.00025; 0.000125 ]
    |> List.map (fun h ->
        let difference, pullback = sides run network.Parameters h
        printfn "h = %-7g error %.3e" h (abs (difference - pullback))
        abs (difference - pullback))

claim
    "the error falls as h²"
    (errors
     |> List.pairwise
     |> List.forall (fun (coarse, fine) -> coarse / fine > 3.0 && coarse / fine < 5.0))

(*** include-output ***)

(**
At a kink there is no derivative to compare with. ReLU has one at 0, and a pooling window of maxima one wherever two cells are
equal. There a layer says which slope it takes, and a check has to keep away: here the difference is in the middle, while
the pullback takes the left side, `φ'(0) = 0`.
*)

let kink = Tensor.zeros (Shape.Of(1, 1))
let relu t = Layer.run context (Layers.relu ()) [] [] (Tensor.map ((+) t) kink)
let slopeByDifference = ((relu 1e-5).Output[0, 0] - (relu -1e-5).Output[0, 0]) / 2e-5
let slopeByPullback = (snd ((relu 0.0).Pullback(Tensor.map ((+) 1.0) kink)))[0, 0]
claim "at 0, ReLU's difference is ½ and its pullback 0" (near 1e-9 0.5 slopeByDifference && slopeByPullback = 0.0)

(*** include-output ***)

(**
The kernels that train are not the textbook loops that ran so far. They are generic over the precision, so the very code
that trains in single can be checked in double, by handing it to the same function.
*)

let fast = { context with Kernels = Cnn.Fluent.Simd.Backend<float>().Kernels }
let runFast parameters x = Layer.run fast layer parameters network.State x
let fastDifference, fastPullback = sides runFast network.Parameters 1e-5
claim "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ on the kernels that train" (near 1e-7 fastDifference fastPullback)
claim "and they agree with the textbook loops" (near 1e-12 pullback fastPullback)

(*** include-output ***)

(**
## All of it at once

`Verify.network` does this to every layer of a network, on its own shapes and weights and on your pictures: gradients in double
away from kinks, adjoints, the fast kernels against the textbook within bounds of rounding, the chain rule, and the same bits on
any number of threads. A check that could not have failed is called vacuous, not passed.
*)

let pixels = System.ReadOnlyMemory((normal 10 (network.Input.Batch 6)).ToArray() |> Array.map float32)

let pictures =
    Dataset.OfFloats(network.Input, pixels, [ 0; 1; 2; 3; 4; 0 ], [ "a"; "b"; "c"; "d"; "e" ])

let verification = Verify.network (Cnn.Fluent.Simd.Backend<float>()) pictures network
printfn "%s" (verification.Table())
claim "every check passed, none vacuously" verification.IsPassed

(*** include-output ***)
