(**
---
title: 5. Training on synthetic digits
category: A tour in ten scripts
categoryindex: 3
index: 5
---
# Training on synthetic digits

The library draws digits itself, as many as wanted: sample i of a seed is always the same picture. So there is something to
train on without any file.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

(**
A backend says what computes: the textbook loops of the core, or the SIMD kernels of the other assembly, on all threads. The
mathematics does not change with it.
*)

let backend = Cnn.Fluent.Simd.Backend<float32>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count
let train, test = digits 0 5000, digits 1 1000

let seven = train.Labels |> Seq.findIndex ((=) 7)
draw [ Tensor.init (Shape.Of(28, 28, 1)) (fun i -> float (train.Picture(seven)[i])) ]

(*** include-output ***)

(** The network ends in softmax, so its loss is the cross-entropy `−log a[n,t]` of the true class t, mean over the batch. *)

let block filters = Layers.conv2d filters 3 >=> Layers.relu () >=> Layers.maxPool 2
let layer = block 8 >=> block 16 >=> Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ()
let network: Network<float32> = Network.create (Key.ofSeed 42) (Shape.Of(28, 28, 1)) layer
claim "softmax goes with cross-entropy" (Network.standardLoss network = Loss.CrossEntropy)

(*** include-output ***)

(**
A step of the plainest rule, stochastic gradient descent, is `θ' = θ − η·θ̄` (Fan & Yam, Programme 11.6.7). By hand, on
one batch:
*)

let batch = Dataset.tensor train [| 0..31 |]
let labels = Labels(System.ReadOnlyMemory(Array.init 32 (fun n -> train.Labels[n])))
let loss, θ̄ = Network.gradient Loss.CrossEntropy Inference network batch labels
let η = 0.01f

let moved = {
    network with
        Parameters = List.map2 (Tensor.map2 (fun p g -> p - η * g)) network.Parameters θ̄
}

let lossAfter, _ = Network.gradient Loss.CrossEntropy Inference moved batch labels
printfn "loss %.4f before the step, %.4f after; ln 10 = %.4f is that of guessing" loss lossAfter (log 10.0)
claim "a small step against the gradient lowers the loss" (lossAfter < loss)

(*** include-output ***)

(**
Training is a lazy sequence of states, one for each epoch: take as many as you like. Here the rule is Adam, the default.
*)

let epochs = Training.epochs backend TrainingSettings.Default train network |> Seq.take 3 |> List.ofSeq

for epoch in epochs do
    printfn "%O" epoch.Result

let trained = (List.last epochs).Network
let result = Prediction.evaluate backend None trained test
printfn "test: %O" result
claim "three epochs pass 90 % of new digits" (result.Accuracy > 0.9)

(*** include-output ***)

(**
The same settings give the same weights **to the last bit** on any number of threads: a batch is cut into shards that depend on
the network and the batch alone, and gradients are added in a fixed order.
*)

let oneThread = Cnn.Fluent.Simd.Backend<float32> 1
let again = Training.run oneThread TrainingSettings.Default 3 train network
claim "one thread gives the same weights" (Network.weightHash again.Network = Network.weightHash trained)

(*** include-output ***)
