/// The IDX format of MNIST: what is read, and what bad bytes get.
module Cnn.Tests.Formats.IdxLaws

open System
open System.Buffers.Binary
open System.IO
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.Bytes
open Cnn.Tests.Laws.Law

/// An IDX file of unsigned bytes, as the format's description says.
let private write (extents: int list) (data: byte[]) =
    let size (n: int) =
        let bytes = Array.zeroCreate 4
        BinaryPrimitives.WriteInt32BigEndian(Span bytes, n)
        bytes

    Array.concat [ [| 0uy; 0uy; 8uy; byte extents.Length |]; Array.collect size (Array.ofList extents); data ]

/// Pictures and labels of a small set.
let private (|Files|) (r: Rows) =
    let height, width = 1 + r.Features % 5, 2 + r.Seed % 3
    let pixels = random r.Seed (r.Count * height * width)
    let labels = random (r.Seed + 1) r.Count |> Array.map (fun b -> b % 10uy)
    height, width, pixels, labels, write [ r.Count; height; width ] pixels, write [ r.Count ] labels

/// The only ways out: a data set, or a DataFormatException that names the file.
let private isOrderly (images: byte[]) (classes: byte[]) =
    try
        Mnist.Parse("images", images, "labels", classes) |> ignore
        true
    with :? DataFormatException as e ->
        e.File = "images" || e.File = "labels"

let private refusal (file: byte[]) = Assert.Throws<DataFormatException>(fun () -> Idx.parse "file" 3 file |> ignore)

let tests =
    testList "IDX" [
        testProperty
            "parse ∘ write is the identity, compressed or not"
            (fun (Files(height, width, pixels, labels, images, classes)) ->
                let sets = [ Mnist.Parse("i", images, "l", classes); Mnist.Parse("i", gzip images, "l", gzip classes) ]

                all [
                    for set in sets do
                        same (Shape.Of(height, width, 1)) set.Shape
                        same (labels |> Array.map int |> List.ofArray) (List.ofSeq set.Labels)

                        same (pixels |> Array.map (fun b -> float32 b / 255.0f) |> List.ofArray) [
                            for i in 0 .. set.Count - 1 do
                                yield! set.Picture i
                        ]
                ])

        testProperty
            "a changed byte, a cut and a splice give a data set or a DataFormatException"
            (fun (Files(_, _, _, _, images, classes)) (position: int) (value: byte) ->
                let at (file: byte[]) = abs (position % file.Length)
                let changed (file: byte[]) = Array.mapi (fun i b -> if i = at file then value else b) file
                let cut (file: byte[]) = file[.. at file - 1]
                let spliced (file: byte[]) = Array.append file file[at file ..]

                all [
                    for damage in [ changed; cut; spliced; gzip >> changed; gzip >> cut; gzip >> spliced ] do
                        same true (isOrderly (damage images) classes)
                        same true (isOrderly images (damage classes))
                ])

        testCase "sizes are checked before memory is taken" (fun () ->
            let huge = Array.append [| 0uy; 0uy; 8uy; 3uy |] (Array.create 12 0xFFuy)
            let error = refusal huge
            Assert.That(error.Offset, equalTo 4L))

        // 2²²·2²²·2²² = 2⁶⁶, which 64 bits take for 0.
        testCase "sizes whose product wraps around are refused" (fun () ->
            let size = [| 0uy; 0x40uy; 0uy; 0uy |]
            let error = refusal (Array.concat [ [| 0uy; 0uy; 8uy; 3uy |]; size; size; size ])
            Assert.That(error.Offset, equalTo 4L))

        testCase "the wrong magic is told with its offset" (fun () ->
            Assert.That((refusal (write [ 2 ] [| 1uy; 2uy |])).Offset, equalTo 3L)
            Assert.That((refusal [| 1uy; 0uy; 8uy; 3uy |]).Offset, equalTo 0L)
            Assert.That((refusal [| 0uy; 0uy; 13uy; 3uy |]).Offset, equalTo 2L)
            Assert.That((refusal [||]).Offset, equalTo 0L))

        testProperty
            "one label for each picture, and one pixel at least, else the file that is wrong is named"
            (fun (Files(height, width, _, labels, images, _)) ->
                let refusal images classes =
                    (Assert.Throws<DataFormatException>(fun () ->
                        Mnist.Parse("images", images, "labels", classes) |> ignore))

                let n = labels.Length
                let more = refusal images (write [ n + 1 ] (Array.append labels [| 0uy |]))
                let noColumns = refusal (write [ n; height; 0 ] [||]) (write [ n ] labels)
                let noRows = refusal (write [ n; 0; width ] [||]) (write [ n ] labels)
                let wrong = refusal images (write [ n ] (Array.updateAt (n - 1) 10uy labels))

                all [
                    same ("labels", 4L, string (n + 1)) (more.File, more.Offset, more.Actual)
                    same ("images", 8L) (noColumns.File, noColumns.Offset)
                    same ("images", 8L) (noRows.File, noRows.Offset)
                    same ("labels", int64 (8 + n - 1), "a label of 0 to 9") (wrong.File, wrong.Offset, wrong.Expected)
                ])

        testCase "a missing file is told by its path" (fun () ->
            let nowhere = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString "N")
            let error = Assert.Throws<FileNotFoundException>(fun () -> Mnist.Load nowhere |> ignore)
            Assert.That(error.Message, containing "train-images-idx3-ubyte"))

        testCase "MNIST itself: 60,000 and 10,000 pictures, each class as often as it should be" (fun () ->
            let set = Mnist.Load(sharedData "mnist")
            let counts (data: Dataset) = data.Labels |> Seq.countBy id |> Seq.sort |> Seq.map snd |> List.ofSeq
            Assert.That(counts set.Train, equalTo [ 5923; 6742; 5958; 6131; 5842; 5421; 5918; 6265; 5851; 5949 ])
            Assert.That(counts set.Test, equalTo [ 980; 1135; 1032; 1010; 982; 892; 958; 1028; 974; 1009 ])
            Assert.That(set.Train.Shape, equalTo (Shape.Of(28, 28, 1))))

        testCase "damaged IDX files give an array or a DataFormatException" (fun () ->
            let file = write [ 3; 4; 5 ] (random 1 60)
            Fuzzing.survives [ file; gzip file ] (fun bytes -> Idx.parse "file" 3 bytes |> ignore))
    ]
