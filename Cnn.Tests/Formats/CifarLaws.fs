/// The binary version of CIFAR-10 and CIFAR-100: what is read, and what bad bytes get.
module Cnn.Tests.Formats.CifarLaws

open System.IO
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.Bytes
open Cnn.Tests.Laws.Law

/// A file, as the format's description says: labels, then the red, the green and the blue plane, each row by row.
let private write (records: (byte list * byte[]) list) =
    Array.concat [
        for labels, picture in records do
            Array.ofList labels
            Array.init 3072 (fun i -> picture[i % 1024 * 3 + i / 1024])
    ]

/// Pictures, row by row, channels last, with a coarse and a fine label each.
let private (|Records|) (r: Rows) = [
    for i in 1 .. 1 + r.Count % 4 ->
        [ byte ((r.Seed + i) &&& 0xFF) % 20uy; byte ((r.Seed * 7 + i) &&& 0xFF) % 100uy ], random (r.Seed + i) 3072
]

let private ten records = records |> List.map (fun (labels: byte list, picture) -> [ labels[1] % 10uy ], picture)
let private floats records = records |> List.collect (snd >> List.ofArray) |> List.map (fun b -> float32 b / 255.0f)

let private isWritten place records (set: Dataset) =
    all [
        same (Shape.Of(32, 32, 3)) set.Shape
        same (records |> List.map (fun (labels: byte list, _) -> int labels[place])) (List.ofSeq set.Labels)
        same true (floats records = pixels set)
    ]

let tests =
    testList "CIFAR" [
        testProperty
            "CIFAR-10: parse ∘ write is the identity, compressed or not, from bytes and from streams"
            (fun (Records records) ->
                let records = ten records
                let file = write records

                all [
                    isWritten 0 records (Cifar10.Parse("c", file))
                    isWritten 0 records (Cifar10.Parse("c", gzip file))
                    isWritten 0 records (Cifar10.Read("c", trickle file))
                    isWritten 0 records (Cifar10.Read("c", trickle (gzip file)))
                ])

        testProperty
            "CIFAR-100: parse ∘ write is the identity, for coarse and for fine labels"
            (fun (Records records) ->
                let file = write records

                all [
                    isWritten 1 records (Cifar100.Parse("c", file))
                    isWritten 0 records (Cifar100.Parse("c", gzip file, Cifar100Labels.Coarse))
                    isWritten 1 records (Cifar100.Read("c", trickle file))
                    same [ 100; 20 ] [
                        Cifar100.Parse("c", file).ClassNames.Count
                        Cifar100.Parse("c", file, Cifar100Labels.Coarse).ClassNames.Count
                    ]
                ])

        testProperty
            "a file that is no whole number of records is refused where the last one begins"
            (fun (Records records) ->
                let file = write (ten records)
                let error = refusal (fun () -> Cifar10.Parse("c", Array.truncate (file.Length - 1) file))
                // The label is there, its picture is not.
                same (int64 (file.Length - 3072)) error.Offset)

        testProperty "a label out of range is refused at its place" (fun (Records records) ->
            let file = write (ten records)
            file[file.Length - 3073] <- 10uy
            let error = refusal (fun () -> Cifar10.Parse("c", file))

            let hundred = write records
            hundred[1] <- 100uy

            all [
                same (int64 (file.Length - 3073)) error.Offset
                same 1L (refusal (fun () -> Cifar100.Parse("c", hundred))).Offset
            ])

        testCase "an empty file is refused" (fun () ->
            Assert.That((refusal (fun () -> Cifar10.Parse("c", [||]))).Offset, equalTo 0L)
            Assert.That((refusal (fun () -> Cifar100.Parse("c", gzip [||]))).Offset, equalTo 0L))

        testCase "a folder of five batches is one training set, in their order" (fun () ->
            let record label = [ byte label ], random label 3072
            let batch n = "data_batch_" + string n + ".bin", write [ record n; record (n + 1) ]

            let files = [
                for n in 1..4 do
                    batch n

                "data_batch_5.bin.gz", gzip (snd (batch 5))
                "test_batch.bin", write [ record 9 ]
            ]

            inFolder files (fun folder ->
                let set = Cifar10.Load folder
                Assert.That(List.ofSeq set.Train.Labels, equalTo [ 1; 2; 2; 3; 3; 4; 4; 5; 5; 6 ])
                Assert.That(List.ofSeq set.Test.Labels, equalTo [ 9 ])
                Assert.That(set.Test.ClassNames[9], equalTo "truck")
                File.Delete(Path.Combine(folder, "data_batch_3.bin"))
                let error = Assert.Throws<FileNotFoundException>(fun () -> Cifar10.Load folder |> ignore)
                Assert.That(error.Message, containing "data_batch_3.bin")))

        testCase "a folder of CIFAR-100 is read by either label" (fun () ->
            let files = [
                "train.bin", write [ [ 4uy; 0uy ], random 1 3072 ]
                "test.bin.gz", gzip (write [ [ 19uy; 99uy ], random 2 3072 ])
            ]

            inFolder files (fun folder ->
                let fine, coarse = Cifar100.Load folder, Cifar100.Load(folder, Cifar100Labels.Coarse)
                let name (set: Dataset) = set.ClassNames[set.Labels[0]]
                Assert.That(name fine.Train, equalTo "apple")
                Assert.That(name fine.Test, equalTo "worm")
                Assert.That(name coarse.Train, equalTo "fruit_and_vegetables")
                Assert.That(name coarse.Test, equalTo "vehicles_2")))

        testCase "damaged CIFAR files give records or a DataFormatException" (fun () ->
            let one = write [ [ 1uy ], random 1 3072; [ 2uy ], random 2 3072 ]
            let hundred = write [ [ 1uy; 50uy ], random 1 3072; [ 2uy; 60uy ], random 2 3072 ]
            Fuzzing.survives [ one; gzip one ] (fun bytes -> Cifar10.Parse("file", bytes) |> ignore)
            Fuzzing.survives [ hundred; gzip hundred ] (fun bytes -> Cifar100.Parse("file", bytes) |> ignore))

        testCase "CIFAR-10 itself: each class as often as it should be, at the cost of its pixels" (fun () ->
            let folder = sharedData "cifar10"
            let mutable set = None
            let spent = cost (fun () -> set <- Some(Cifar10.Load folder))
            let counts (data: Dataset) = data.Labels |> Seq.countBy id |> Seq.sort |> Seq.map snd |> List.ofSeq
            Assert.That(counts set.Value.Train, equalTo [ 981; 1008; 996; 996; 1021; 977; 1012; 984; 972; 1053 ])
            Assert.That(counts set.Value.Test, equalTo [ 180; 193; 205; 193; 217; 202; 200; 198; 214; 198 ])
            Assert.That(spent, lessThan (5L * 36_864_000L / 4L)))
    ]
