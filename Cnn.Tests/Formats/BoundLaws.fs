/// Compressed files of any size: read as far as they should be, at the cost of what is in them.
module Cnn.Tests.Formats.BoundLaws

open System.IO
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.Bytes
open Cnn.Tests.Laws.Law

let private idx (count: int) = Array.append [| 0uy; 0uy; 8uy; 1uy |] [| 0uy; 0uy; byte (count >>> 8); byte count |]

let tests =
    testList "bounds of size" [
        testProperty "gzip is read whole in any number of members, and refused without its last byte" (fun (r: Rows) ->
            // Sizes around those of the runtime's own buffers, of bytes that do not shrink.
            let count = 8100 + r.Seed % 120 + r.Count
            let data = random r.Seed count
            let file = Array.append (idx count) data
            let members = [ gzip file; Array.append (gzip file[.. r.Count]) (gzip file[r.Count + 1 ..]) ]

            all [
                for packed in members do
                    same true ((Idx.parse "file" 1 packed).Data.ToArray() = data)

                    for missing in [ 1; 4; 8; 9; packed.Length / 2 ] do
                        let cut = Array.truncate (packed.Length - missing) packed
                        refusal (fun () -> Idx.parse "file" 1 cut) |> ignore
            ])

        testProperty
            "a claim of many elements costs no more than 1 MiB and four times the bytes that there are"
            (fun (r: Rows) ->
                let claim =
                    Array.append [| 0uy; 0uy; 8uy; 1uy; 0x7Fuy; 0uy; 0uy; 0uy |] (random r.Seed (r.Count * 1000))

                all [
                    for file in [ claim; gzip claim ] do
                        same true (cost (fun () -> Idx.parse "file" 1 file) < 1048576L + 4L * int64 claim.Length)
                ])

        testCase "a small gzip of many zeros costs little" (fun () ->
            let zeros = 256 <<< 20
            let nothing, labels, line = bomb [||] zeros, bomb (idx 100) zeros, bomb "1,2,3\n1,"B zeros
            Assert.That(nothing.Length, lessThan 1_000_000)

            for what, bound, read in
                [
                    "zeros as IDX", 1L, (fun () -> Idx.parse "file" 1 nothing |> ignore)
                    "IDX and zeros after it", 1L, (fun () -> Idx.parse "file" 1 labels |> ignore)
                    "zeros as MAT", 1L, (fun () -> Svhn.Parse("file", nothing) |> ignore)
                    "a line that does not end",
                    2L,
                    (fun () -> Csv.Parse("file", line, CsvOptions(Shape.Of(1, 2, 1))) |> ignore)
                    "the same, of unknown shape", 70L, (fun () -> Csv.Parse("file", line) |> ignore)
                    "zeros as CIFAR", 200L, (fun () -> Cifar10.Parse("file", nothing) |> ignore)
                ] do
                refusal read |> ignore
                Assert.That(cost read, lessThan (bound <<< 20), what))

        testCase "MNIST itself is read at the cost of its pixels and labels" (fun () ->
            let folder = sharedData "mnist"
            // Labels are bytes in the files and whole numbers in memory.
            let legitimate = 70_000L * (28L * 28L + 2L * 4L)
            Assert.That(cost (fun () -> Mnist.Load folder), lessThan (5L * legitimate / 4L)))

        testCase "MNIST from streams is MNIST from bytes" (fun () ->
            let images =
                Array.append
                    [| 0uy; 0uy; 8uy; 3uy; 0uy; 0uy; 0uy; 2uy; 0uy; 0uy; 0uy; 2uy; 0uy; 0uy; 0uy; 3uy |]
                    (random 1 12)

            let labels = [| yield! idx 2; 3uy; 4uy |]
            let parsed = Mnist.Parse("i", images, "l", labels)
            let read = Mnist.Read("i", trickle (gzip images), "l", trickle labels)
            Assert.That(pixels read, equalTo (pixels parsed))
            Assert.That(List.ofSeq read.Labels, equalTo [ 3; 4 ]))
    ]
