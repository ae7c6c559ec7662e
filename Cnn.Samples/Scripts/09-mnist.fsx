(**
---
title: 9. MNIST
category: A tour in ten scripts
categoryindex: 3
index: 9
---
# MNIST

LeNet-5 on the digits for which it was made (LeCun et al. 1998; here as in Wichmann 2018, 6.1, with tanh and a softmax). The data are
not part of the library. The script takes the folder of the four files as its argument, or looks into `data/mnist` of the folder that
the environment variable `CNN_SHARED` names:

    dotnet fsi 09-mnist.fsx FOLDER
*)

#load "Cnn.fsx" "Lesson.fsx"

open System
open System.IO
open Cnn
open Cnn.FSharp
open Lesson

let folder =
    match fsi.CommandLineArgs |> Array.tryItem 1, Environment.GetEnvironmentVariable "CNN_SHARED" with
    | Some folder, _ -> folder
    | None, (null | "") -> Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "..", "shared", "data", "mnist")
    | None, shared -> Path.Combine(shared, "data", "mnist")

(** The 28×28 pictures are zero-padded by 2 on each side, since LeNet-5 wants 32×32. Its table is that of Wichmann, section 6.1. *)

let lenet5: Network<float32> = Architectures.build 42 Architectures.lenet5
printfn "%s" (Summary.format "lenet5" 4 (Network.summary lenet5))
let struct (trainable, _) = Network.parameterCounts lenet5
claim "LeNet-5 has 61,706 parameters" (trainable = 61706)

(*** include-output ***)

(**
Three epochs over 60,000 pictures with Adam. The test pictures are looked at once, when all is done.
*)

let learn () =
    let backend = Cnn.Fluent.Simd.Backend<float32>()
    let digits = Mnist.Load folder
    let train, test = Dataset.pad 32 32 digits.Train, Dataset.pad 32 32 digits.Test

    let epochs =
        Training.epochs backend { TrainingSettings.Default with BatchSize = 64 } train lenet5 |> Seq.take 3

    let trained =
        epochs
        |> Seq.map (fun epoch ->
            printfn "%O" epoch.Result
            epoch.Network)
        |> Seq.last

    let result = Prediction.evaluate backend None trained test
    printfn "test: %O\n\n%O" result result.ConfusionMatrix
    claim "LeNet-5 tells more than 97 % of the test digits" (result.Accuracy > 0.97)

if Directory.Exists folder then
    learn ()
else
    printfn
        "MNIST is not here: get it with the command line's download mnist DIR, and give DIR as the argument of this script."

(*** include-output ***)
