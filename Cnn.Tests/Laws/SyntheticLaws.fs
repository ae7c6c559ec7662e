/// Pictures that the library draws are functions of key, size and index.
module Cnn.Tests.Laws.SyntheticLaws

open System
open System.Runtime.InteropServices
open System.Security.Cryptography
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

type private SyntheticDigits = Cnn.Fluent.SyntheticDigits
type private SyntheticGlyphs = Cnn.Fluent.SyntheticGlyphs

/// One way of drawing: what its functions have in common.
[<NoEquality; NoComparison>]
type Kind = {
    Name: string
    Classes: int
    Smallest: int
    Shape: int -> Shape
    Draw: Key -> int -> int -> float32[]
    Sample: Key -> int -> int -> float32[] -> int
    Dataset: IScheduler -> Key -> int -> int -> Dataset
    /// Of count, size and seed, on two threads.
    Door: int -> int -> int -> Dataset
    Golden: string
} with

    override kind.ToString() = kind.Name

let private kinds = [
    {
        Name = "digits"
        Classes = 10
        Smallest = 8
        Shape = fun size -> Shape.Of(size, size, 1)
        Draw = Cnn.FSharp.SyntheticDigits.draw
        Sample = fun key size index picture -> Cnn.FSharp.SyntheticDigits.sampleInto key size index (Span picture)
        Dataset = Cnn.FSharp.SyntheticDigits.dataset
        Door = fun count size seed -> SyntheticDigits.Create(count, size, seed, 2)
        Golden = "3c712678b47bebffbb985f3ee6fcab4e83c44cd86a18320e7853e43911085ee5"
    }
    {
        Name = "digits in colour"
        Classes = 10
        Smallest = 16
        Shape = fun size -> Shape.Of(size, size, 3)
        Draw = Cnn.FSharp.SyntheticDigits.drawColor
        Sample = fun key size index picture -> Cnn.FSharp.SyntheticDigits.sampleColorInto key size index (Span picture)
        Dataset = Cnn.FSharp.SyntheticDigits.colorDataset
        Door = fun count size seed -> SyntheticDigits.CreateColor(count, size, seed, 2)
        Golden = "e5c837318d4d4bc15d5cf41cb43264ec83e34c15dc4a52ebb7c625761cba8e25"
    }
    {
        Name = "I and Q"
        Classes = 2
        Smallest = 8
        Shape = fun size -> Shape.Of(size, size, 1)
        Draw = Cnn.FSharp.SyntheticGlyphs.draw
        Sample = fun key size index picture -> Cnn.FSharp.SyntheticGlyphs.sampleInto key size index (Span picture)
        Dataset = Cnn.FSharp.SyntheticGlyphs.dataset
        Door = fun count size seed -> SyntheticGlyphs.Create(count, size, seed, 2)
        Golden = "61958dda2b69413eb5e1fc9094d570e43b9998d10f9a991063ab74713a4277ce"
    }
]

/// A seed, a size and an index, within what a kind can draw.
let private place kind (seed: int) (size: byte) (index: uint16) =
    Key.ofSeed seed, kind.Smallest + int size % 30, int index

let private drawn kind key size index =
    let picture = Array.create (kind.Shape size).Size nanf
    kind.Sample key size index picture, picture

/// The iterations of a loop, last one first.
let private backwards = {
    new IScheduler with
        member _.Threads = 1

        member _.For(count, body) =
            for i in count - 1 .. -1 .. 0 do
                body.Invoke i
}

let private contents (dataset: Dataset) =
    dataset.Shape, List.ofSeq dataset.ClassNames, List.ofSeq dataset.Labels, List.init dataset.Count dataset.Picture

let tests =
    testList "drawn pictures" [
        testProperty "the same key draws the same picture, over whatever was there" (fun seed size index ->
            all [
                for kind in kinds do
                    let key, size, index = place kind seed size index
                    let first = drawn kind key size index
                    drawn kind (Key.ofSeed (seed + 1)) size index |> ignore
                    same first (drawn kind key size index)
            ])

        testProperty "different seeds draw different pictures, and so do different indices" (fun seed size index ->
            all [
                for kind in kinds do
                    let key, size, index = place kind seed size index
                    let _, picture = drawn kind key size index
                    same false (picture = snd (drawn kind (Key.ofSeed (seed + 1)) size index))
                    same false (picture = snd (drawn kind key size (index + 1)))
            ])

        testProperty "every value is in [0, 1]" (fun seed size (label: byte) ->
            all [
                for kind in kinds do
                    let key, size, _ = place kind seed size 0us
                    let picture = kind.Draw key size (int label % kind.Classes)
                    same (kind.Shape size).Size picture.Length
                    same true (picture |> Array.forall (fun v -> v >= 0.0f && v <= 1.0f))
            ])

        // Every run of as many samples as there are classes has each class once.
        testProperty "labels are balanced in every run" (fun (seed: int) (run: uint16) ->
            all [
                for kind in kinds do
                    let size = kind.Smallest
                    let picture = Array.zeroCreate (kind.Shape size).Size

                    let labels =
                        List.init kind.Classes (fun i ->
                            kind.Sample (Key.ofSeed seed) size (kind.Classes * int run + i) picture)

                    same [ 0 .. kind.Classes - 1 ] (List.sort labels)
            ])

        // Pixels are rounded to 255ths.
        testEach "picture i of a data set is sample i" kinds _.Name (fun kind ->
            let key = Key.ofSeed 4
            let data = kind.Dataset (SequentialScheduler()) key 20 30
            Assert.That((data.Shape = kind.Shape 20))
            Assert.That(data.ClassNames.Count, equalTo kind.Classes)

            for i in 0 .. data.Count - 1 do
                let label, picture = drawn kind key 20 i
                Assert.That(data.Labels[i], equalTo label)

                Assert.That(
                    Array.map2 (fun a b -> abs (a - b)) (data.Picture i) picture |> Array.max,
                    lessThan 0.00197f
                ))

        testEach
            "no picture depends on the order of drawing, on threads, or on how many there are"
            kinds
            _.Name
            (fun kind ->
                let key = Key.ofSeed 5
                let data = kind.Dataset (SequentialScheduler()) key 16 230
                Assert.That((contents data = contents (kind.Dataset backwards key 16 230)))
                Assert.That((contents data = contents (kind.Dataset (ParallelScheduler 3) key 16 230)))
                Assert.That((contents (data.Take 130) = contents (kind.Dataset (SequentialScheduler()) key 16 130))))

        testEach "the door to C# is the core on a parallel scheduler" kinds _.Name (fun kind ->
            let core = kind.Dataset (SequentialScheduler()) (Key.ofSeed 6) 18 12
            Assert.That((contents core = contents (kind.Door 12 18 6))))

        testEach "sizes, labels, indices, counts and spans out of range are refused" kinds _.Name (fun kind ->
            let key, size = Key.ofSeed 0, kind.Smallest
            let picture = Array.zeroCreate (kind.Shape size).Size
            let scheduler = SequentialScheduler()

            let refuses (act: unit -> 'A) =
                Assert.Throws<ArgumentOutOfRangeException>(fun () -> act () |> ignore) |> ignore

            refuses (fun () -> kind.Draw key (size - 1) 0)
            refuses (fun () -> kind.Draw key 46341 0)
            refuses (fun () -> kind.Draw key size -1)
            refuses (fun () -> kind.Draw key size kind.Classes)
            refuses (fun () -> kind.Sample key (size - 1) 0 picture)
            refuses (fun () -> kind.Sample key size -1 picture)
            refuses (fun () -> kind.Dataset scheduler key (size - 1) 1)
            refuses (fun () -> kind.Dataset scheduler key size -1)
            refuses (fun () -> kind.Dataset scheduler key size Int32.MaxValue)

            let longer = Array.zeroCreate (picture.Length + 1)
            Assert.Throws<ArgumentException>(fun () -> kind.Sample key size 0 longer |> ignore) |> ignore)

        // SHA-256 of the labels and values of the first 40 samples at three sizes. Another hash means that another picture is
        // drawn somewhere: on purpose, or because a machine computes differently.
        testEach "the pictures of today are the pictures of tomorrow" kinds _.Name (fun kind ->
            use hash = IncrementalHash.CreateHash HashAlgorithmName.SHA256

            for size in [ kind.Smallest; 28; 41 ] do
                for index in 0..39 do
                    let label, picture = drawn kind (Key.ofSeed size) size index
                    hash.AppendData [| byte label |]
                    hash.AppendData(MemoryMarshal.AsBytes(ReadOnlySpan picture))

            Assert.That(Convert.ToHexStringLower(hash.GetHashAndReset()), equalTo kind.Golden))
    ]
