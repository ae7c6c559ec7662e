(**
---
title: With proofs
category: Getting started
categoryindex: 1
index: 4
---
# Getting started with proofs

The library is made to be checked. Every layer is a value and a pullback; every formula has a law; the fast kernels are held to textbook
loops that read like the formulas. This page shows how to run what is there, and how to check a network of your own.

## The laws of the library

In a checkout, `dotnet test -c Release` runs them: property-based tests, whose names are the equations, and golden vectors of an outside
oracle. Each law draws 100 cases, the same in every run; the environment changes that:

| variable | meaning |
|---|---|
| `CNN_CASES=2000` | so many cases of each law |
| `CNN_SEED=random` | cases that no run before has seen; a failure prints what repeats it |
| `CNN_EXHAUSTIVE=1` | laws over all float32 numbers, one by one |

A law is read as mathematics. This is the one from which the backward pass of convolution follows, in whole numbers, so with `=`:

```text
⟨ȳ, x ⋆ w⟩ = ⟨(· ⋆ w)ᵀ ȳ, x⟩
```

## Laws on your own network

`Verify.network` (in C# `model.Verify(data)`, on the command line `verify`) checks a network as a whole, on its own shapes, weights
and pictures, and names what is wrong by layer, parameter and entry:
[Verifying a gradient](scripts/08-verifying-a-gradient.html) ends with it. What it does can be done by hand, too, as here:
the same functions are there for you. A network to check, in double precision:
*)

#load "../Cnn.Samples/Scripts/Cnn.fsx" "../Cnn.Samples/Scripts/Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

let layer: Layer<float> =
    Layers.conv2d 4 3
    >=> Layers.tanh ()
    >=> Layers.averagePool 2
    >=> Layers.flatten ()
    >=> Layers.dense 3
    >=> Layers.softmax ()

let network = Network.create (Key.ofSeed 1) (Shape.Of(8, 9, 2)) layer
let normal seed (shape: Shape) = Tensor.init shape (fun i -> (Key.ofSeed seed).Normal(int64 i))
let x = normal 2 (network.Input.Batch 5)

(**
**The pullback is the transpose of the derivative.** For a random direction d and a random cotangent ȳ, `⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩`. A cotangent of ones
would not do: it is blind to a ȳ that comes in the wrong order.
*)

let context = Context.reference Inference
let run θ = Layer.run context layer θ network.State x
let step = run network.Parameters
let ȳ = normal 3 step.Output.Shape
let d = network.Parameters |> List.mapi (fun i p -> normal (4 + i) p.Shape)

let along t =
    Tensor.dot
        ȳ
        (run (List.map2 (fun p direction -> Tensor.add p (Tensor.scale t direction)) network.Parameters d)).Output

let h = 1e-4
let difference = (along h - along -h) / (2.0 * h)
let pullback = List.sum (List.map2 Tensor.dot (fst (step.Pullback ȳ)) d)
printfn "⟨ȳ, J·d⟩ = %.10f\n⟨Jᵀȳ, d⟩ = %.10f" difference pullback
claim "they agree" (near 1e-6 difference pullback)
claim "and are not both 0" (abs pullback > 1e-3)

(*** include-output ***)

(** **The pullback is linear, and may be called twice.** *)

let z̄ = normal 9 step.Output.Shape
let ā, b̄ = snd (step.Pullback ȳ), snd (step.Pullback z̄)
let together = snd (step.Pullback(Tensor.add ȳ z̄))
claim "Jᵀ(ȳ + z̄) = Jᵀȳ + Jᵀz̄" (Seq.forall2 (near 1e-12) (together.ToArray()) ((Tensor.add ā b̄).ToArray()))
claim "the second call gives what the first gave" (snd (step.Pullback ȳ) = ā)

(*** include-output ***)

(**
**The fast kernels compute what the textbook loops compute.** Here on the shapes of this very network, up to rounding.
*)

let fast = { context with Kernels = Cnn.Fluent.Simd.Backend<float>().Kernels }
let quick = Layer.run fast layer network.Parameters network.State x
claim "y agrees" (Seq.forall2 (near 1e-13) (step.Output.ToArray()) (quick.Output.ToArray()))
claim "x̄ agrees" (Seq.forall2 (near 1e-13) (ā.ToArray()) ((snd (quick.Pullback ȳ)).ToArray()))

(*** include-output ***)

(**
**Threads change no bit.** The weights after an epoch are the same for one thread and for many.
*)

let digits = SyntheticDigits.dataset Backend.reference<float>.Scheduler (Key.ofSeed 0) 8 200

let small: Layer<float32> =
    Layers.conv2d 3 3 >=> Layers.relu () >=> Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ()

let start = Network.create (Key.ofSeed 7) digits.Shape small

let hash (threads: int) =
    let backend = Cnn.Fluent.Simd.Backend<float32> threads
    Network.weightHash (Training.run backend TrainingSettings.Default 1 digits start).Network

printfn "%s" (hash 1)
claim "1, 2 and 5 threads give the same bits" (hash 1 = hash 2 && hash 2 = hash 5)

(*** include-output ***)

(**
## Next

- [Verifying a gradient](scripts/08-verifying-a-gradient.html): what a check sees, and what it cannot see.
- [The mathematics](mathematics.html), with its sources.
- [Determinism and precision](determinism-and-precision.html): what is equal to the last bit, and what up to rounding.
*)
