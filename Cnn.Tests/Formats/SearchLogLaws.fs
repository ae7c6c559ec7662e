/// Files of trials: what is written is read, and a torn end is no damage.
module Cnn.Tests.Formats.SearchLogLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private settings = Map [ "network", "two \"layers\"\nof 3"; "seed", "0" ]

/// Trials of any numbers that a training can come to.
let private trials (seed: int) : SearchTrial list =
    let key = Key.ofSeed seed

    List.init (key.Below(5, 0L)) (fun i ->
        let key = key.Child(int64 i)
        let isDiverged = key.Below(3, 0L) = 0
        let number n = Math.Pow(10.0, 60.0 * key.Uniform n - 30.0)

        {
            Candidate = {
                LearningRate = number 1L
                L2 = (if key.Below(2, 2L) = 0 then 0.0 else number 3L)
                Layers = List.init (key.Below(3, 4L)) (fun n -> 1 + key.Below(500, int64 (10 + n)))
            }
            TrainingLoss = (if isDiverged then infinity else number 5L)
            Loss = (if isDiverged then infinity else number 6L)
            Accuracy = (if isDiverged then 0.0 else key.Uniform 7L)
        })

let private read (bytes: byte[]) = SearchLog.read "file" (ReadOnlyMemory bytes)

let tests =
    testList "search log" [
        testProperty "read ∘ write = id" (fun seed ->
            let trials = trials seed
            let bytes = SearchLog.write settings trials
            same (Some { Settings = settings; Trials = trials; Length = bytes.Length }) (read bytes))

        testProperty "a file torn after any byte holds the trials of its whole lines" (fun seed (cut: int) ->
            let trials = trials seed
            let bytes = SearchLog.write settings trials
            let key = Key.ofSeed cut
            let torn = bytes |> Array.truncate (key.Below(bytes.Length + 1, 0L))
            let lines = torn |> Array.filter ((=) 10uy) |> Array.length

            match read torn with
            | None -> same 0 lines
            | Some found ->
                all [
                    same (List.truncate (lines - 1) trials) found.Trials
                    same settings found.Settings
                    same (SearchLog.write settings found.Trials) (Array.truncate found.Length torn)
                ])

        testCase "damaged files of trials give trials or a DataFormatException" (fun () ->
            Fuzzing.survives [ for seed in 1..6 -> SearchLog.write settings (trials seed) ] (read >> ignore))

        testTheory
            "what is no file of trials is refused, with its offset"
            [
                "{\"version\":2,\"settings\":{}}\n"
                "{\"version\":1,\"settings\":{}}\nnonsense\n"
                "learning_rate,l2\n0.1,0\n"
            ]
            (fun (text: string) ->
                let error =
                    Assert.Throws<DataFormatException>(fun () -> read (Text.Encoding.UTF8.GetBytes text) |> ignore)

                Assert.That(error.File, equalTo "file")
                Assert.That(error.Offset, equalTo (if text.Contains "nonsense" then 28L else 0L)))
    ]
