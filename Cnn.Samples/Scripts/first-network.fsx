// A network composed of layers, trained on digits that the library draws itself.

#load "Cnn.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators

let block filters = Layers.conv2d filters 3 >=> Layers.relu () >=> Layers.maxPool 2
let layer = block 8 >=> block 16 >=> Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ()

let backend = Cnn.Fluent.Simd.Backend<float32>()

let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count

Network.create (Key.ofSeed 42) (Shape.Of(28, 28, 1)) layer
|> Training.epochs backend TrainingSettings.Default (digits 0 10000)
|> Seq.take 3
|> Seq.iter (fun state ->
    let test = Prediction.evaluate backend None state.Network (digits 1 2000)

    printfn "epoch %d: loss %.4f, test accuracy %.2f %%" state.Result.Epoch state.Result.Loss (100.0 * test.Accuracy))
