/// What a user of the package writes in F#: train, test. The C# consumer trains the same network.
module Program

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators

let layer =
    Layers.conv2d 6 3
    >=> Layers.relu ()
    >=> Layers.maxPool 2
    >=> Layers.flatten ()
    >=> Layers.dense 10
    >=> Layers.softmax ()

let backend = Cnn.Fluent.Simd.Backend<float32>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 12 count

[<EntryPoint>]
let main _ =
    let network =
        Network.create (Key.ofSeed 42) (Shape.Of(12, 12, 1)) layer
        |> Training.run backend TrainingSettings.Default 12 (digits 0 2000)
        |> fun state -> state.Network

    let accuracy = (Prediction.evaluate backend None network (digits 1 500)).Accuracy
    printfn "test accuracy %.3f, weights %s" accuracy (Network.weightHash network)
    if accuracy > 0.8 then 0 else 1
