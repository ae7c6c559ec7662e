(**
---
title: In F#
category: Getting started
categoryindex: 1
index: 3
---
# Getting started in F#

With the .NET 10 SDK: build a checkout with `dotnet build -c Release`, and a script needs one line to load the library. With the
package, that line is `#r "nuget: Cnn.Api.CSharp"`.
*)

#load "../Cnn.Samples/Scripts/Cnn.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators

(**
## A network is a composition

A layer is an immutable value, and `>=>` composes. So parts of a network can be named, given arguments and used again.
*)

let block filters = Layers.conv2d filters 3 >=> Layers.relu () >=> Layers.maxPool 2
let layer = block 8 >=> block 16 >=> Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ()

(**
The functions of `Layers` have the usual choices built in; every other choice is a field of a record, through `Layers.ofSpec`:
*)

let strided: Layer<float32> =
    Layers.ofSpec (
        Conv2D {
            Conv2D.Default with
                Filters = 8
                Kernel = Size.Square 5
                Stride = Size.Square 2
                Padding = Same
                Activation = Activation.Tanh
        }
    )

printfn "%O becomes %O" (Shape.Of(28, 28, 1)) (Layer.output strided (Shape.Of(28, 28, 1)))

(*** include-output ***)

(**
With an input shape and first weights, drawn from a seed, it becomes a network.
*)

let network: Network<float32> = Network.create (Key.ofSeed 42) (Shape.Of(28, 28, 1)) layer
printfn "%s" (Summary.format "digits" 4 (Network.summary network))

(*** include-output ***)

(**
## Training is a lazy sequence

Each element is the state after an epoch; nothing runs before it is asked for. `Simd.Backend` supplies fast kernels and all threads;
`Backend.reference` the textbook loops. Both compute the same mathematics.
*)

let backend = Cnn.Fluent.Simd.Backend<float32>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count
let train, validation, test = digits 0 4000, digits 1 500, digits 2 1000

let states =
    Training.epochs backend { TrainingSettings.Default with Validation = Some validation } train network
    |> Seq.take 3
    |> List.ofSeq

for state in states do
    printfn "%O" state.Result

(*** include-output ***)

(** ## Asking it *)

let trained = (List.last states).Network
let evaluation = Prediction.evaluate backend None trained test
printfn "%O\n\n%O" evaluation evaluation.ConfusionMatrix

(*** include-output ***)

(**
The outputs themselves, for a batch of pictures: probabilities, one row for each picture.
*)

let outputs = Predictor(backend, trained).Run(test.Take 3)
printfn "%O: classes %A" outputs.Shape (Metrics.predicted 0.5 outputs)

(*** include-output ***)

(**
## Next

The [tour in ten scripts](scripts/01-tensors-and-shapes.html) goes through the library from tensors to what a trained network has inside;
[the mathematics](mathematics.html) gives every formula and the function that computes it.
*)
