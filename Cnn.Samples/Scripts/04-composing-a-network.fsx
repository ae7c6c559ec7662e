(**
---
title: 4. Composing a network
category: A tour in ten scripts
categoryindex: 3
index: 4
---
# Composing a network

Layers compose like functions. If f has parameters θ and g has φ, then

```text
(f ; g)(θ ⧺ φ, x) = g(φ, f(θ, x)),
```

and its pullback runs the pullback of g, then that of f. That is all of backpropagation (Fong, Spivak and Tuyéras 2017 put it
so). A network is nothing but a layer with an input shape and values for its parameters.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

(** The operator `>=>` composes; so a block is a value that can be named and used again. *)

let block filters = Layers.conv2d filters 3 >=> Layers.tanh () >=> Layers.averagePool 2

let layer: Layer<float> =
    block 4 >=> block 8 >=> Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ()

let network = Network.create (Key.ofSeed 42) (Shape.Of(28, 28, 1)) layer
printfn "%s" (Summary.format "a network" 8 (Network.summary network))

(*** include-output ***)

(**
The parameters are counted by formula: a convolution has `F·(k_h·k_w·C_in + 1)` of them (Fan & Yam 11.6.2), a dense layer
`(D_in + 1)·D_out`.
*)

let struct (trainable, _) = Network.parameterCounts network

claim
    "4·(3·3·1 + 1) + 8·(3·3·4 + 1) + (200 + 1)·10 parameters"
    (trainable = 4 * (9 * 1 + 1) + 8 * (9 * 4 + 1) + 201 * 10)

(*** include-output ***)

(**
Composition is associative and has an identity, **exactly**: not up to rounding, and for the random first weights too, since
the draws of a layer are addressed by its position in the whole, not by how it was put together.
*)

let f: Layer<float> = Layers.conv2d 2 3
let g: Layer<float> = Layers.tanh () >=> Layers.dropout 0.3
let h: Layer<float> = Layers.flatten () >=> Layers.dense 5
let input = Shape.Of(6, 7, 1)
let x = Tensor.init (input.Batch 3) (fun i -> (Key.ofSeed 1).Normal(int64 i))

/// First weights, value, and both gradients of a layer, while it learns: dropout included.
let meaning (layer: Layer<float>) =
    let θ, s = Layer.initial (Key.ofSeed 7) input layer
    let step = Layer.run (Context.reference (Training(Key.ofSeed 8))) layer θ s x
    let ȳ = Tensor.init step.Output.Shape (fun i -> (Key.ofSeed 9).Normal(int64 i))
    θ, step.Output, step.Pullback ȳ

claim "(f ; g) ; h = f ; (g ; h)" (meaning ((f >=> g) >=> h) = meaning (f >=> (g >=> h)))

claim
    "identity ; f = f = f ; identity"
    (meaning (Layer.identity >=> f) = meaning f && meaning (f >=> Layer.identity) = meaning f)

(*** include-output ***)

(** And the chain rule, spelled out: to pull back through `f >=> g` is to pull back through `g`, then through `f`. *)

let context = Context.reference Inference
let θf, _ = Layer.initial (Key.ofSeed 7) input f
let φh, _ = Layer.initial (Key.ofSeed 6) (Layer.output f input) h
let inner = Layer.run context f θf [] x
let outer = Layer.run context h φh [] inner.Output
let whole = Layer.run context (f >=> h) (θf @ φh) [] x
let ȳ = Tensor.init whole.Output.Shape float

let φ̄, between = outer.Pullback ȳ
let θ̄, x̄ = inner.Pullback between
claim "the value of f ; h is h's of f's" (whole.Output = outer.Output)
claim "its pullback is f's of h's" (whole.Pullback ȳ = (θ̄ @ φ̄, x̄))

(*** include-output ***)
