/// The tests as a program of their own, for those that need a process to end.
module Cnn.Tests.Program

open Cnn.Tests.Formats

[<EntryPoint>]
let main arguments =
    match arguments with
    | [| "train-for-ever"; folder |] -> CheckpointLaws.trainForEver folder
    | _ -> eprintfn "Run the tests with dotnet test."

    0
