/// Data sets in NumPy's files.
module Cnn.Tests.Formats.NumPyDataLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private array name (extents: int list) elementType (data: byte[]) : NamedArray = {
    Name = name
    Shape = Shape.Of(Array.ofList extents)
    Type = elementType
    Data = ReadOnlyMemory data
    Offset = 0L
}

/// Pictures and labels of a small set, as bytes.
let private (|Arrays|) (r: Rows) =
    let key = Key.ofSeed r.Seed
    let height, width, channels = 1 + r.Features % 4, 2 + r.Seed % 3, 1 + r.Seed % 2 * 2
    let size = height * width * channels
    let pixels = Array.init (r.Count * size) (fun i -> byte (key.Below(256, int64 i)))
    let labels = Array.init r.Count (fun i -> byte (key.Below(5, int64 (-1 - i))))
    Shape.Of(height, width, channels), pixels, labels

let private write (shape: Shape) pixels (labels: byte[]) =
    NumPy.writeNpz [
        array "x_train" [ labels.Length; shape[0]; shape[1]; shape[2] ] ElementType.UInt8 pixels
        array
            "y_train"
            [ labels.Length; 1 ]
            ElementType.Int64
            (labels |> Array.collect (fun label -> BitConverter.GetBytes(int64 label)))
    ]

let private refusal (arrays: NamedArray list) =
    let parse () = NumPyData.Parse("file", NumPy.writeNpz arrays) |> ignore
    ((Assert.Throws<DataFormatException> parse)).Message

let tests =
    testList "NumPy data" [
        testProperty "parse ∘ write is the identity: bytes become v/255" (fun (Arrays(shape, pixels, labels)) ->
            let set = NumPyData.Parse("file", write shape pixels labels)

            all [
                same shape set.Shape
                same (labels |> Array.map int |> List.ofArray) (List.ofSeq set.Labels)

                same (pixels |> Array.map (fun v -> float32 v / 255.0f) |> List.ofArray) [
                    for i in 0 .. set.Count - 1 do
                        yield! set.Picture i
                ]
            ])

        testProperty "numbers of float stay as they are, from two files" (fun (Arrays(shape, pixels, labels)) ->
            let values = pixels |> Array.map (fun v -> float32 v - 100.5f)

            let pictures =
                array
                    "x"
                    [ labels.Length; shape[0]; shape[1]; shape[2] ]
                    ElementType.Float32
                    (values |> Array.collect (fun v -> BitConverter.GetBytes(v: float32)))

            let set =
                NumPyData.ParseArrays(
                    "x",
                    NumPy.writeNpy pictures,
                    "y",
                    NumPy.writeNpy (array "y" [ labels.Length ] ElementType.UInt8 labels)
                )

            same (List.ofArray values) [
                for i in 0 .. set.Count - 1 do
                    yield! set.Picture i
            ])

        testCase "what does not go together is told by the name of the array" (fun () ->
            let x = array "x_train" [ 2; 1; 1 ] ElementType.UInt8 [| 1uy; 2uy |]
            let y labels = array "y_train" [ List.length labels ] ElementType.Int8 (Array.ofList labels)
            Assert.That(refusal [ x ], containing "y_train")
            Assert.That(refusal [ x; y [ 1uy ] ], containing "y_train")
            Assert.That(refusal [ x; y [ 0uy; 255uy ] ], containing "-1")
            Assert.That(refusal [ { x with Shape = Shape.Of(2, 1) }; y [ 0uy; 1uy ] ], containing "N×height×width"))

        testCase "damaged files of pictures give a data set or a DataFormatException" (fun () ->
            let file = write (Shape.Of(3, 4, 1)) (Array.init 60 byte) [| 0uy; 1uy; 2uy; 0uy; 1uy |]
            Fuzzing.survives [ file ] (fun bytes -> NumPyData.Parse("file", bytes) |> ignore))
    ]
