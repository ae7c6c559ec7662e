/// Data sets as collections: parts, wholes, orders and pixels.
module Cnn.Tests.Laws.DatasetLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// 10 to 50 pictures of 3×4×2 pixels and three classes; every pixel of picture i is i + 1.
let private (|Numbered|) (r: Rows) =
    let count = 10 * (1 + r.Count % 5)
    let key = Key.ofSeed r.Seed
    let labels = Array.init count (fun i -> key.Below(3, int64 i))

    let fill = PictureReader(fun index destination -> destination.Fill(float32 (index + 1)))

    Dataset.Create(Shape.Of(3, 4, 2), labels, [ "a"; "b"; "c" ], fill), key

/// Which pictures of a numbered set these are, and their labels.
let private members (dataset: Dataset) = [
    for i in 0 .. dataset.Count - 1 do
        let picture = dataset.Picture i
        int picture[0] - 1, dataset.Labels[i]
]

let private sorted dataset = members dataset |> List.sort

let tests =
    testList "data sets" [
        testProperty
            "split: both parts together are the whole, and the second is the fraction"
            (fun (Numbered(data, key)) ->
                let parts = data.Split(0.3, key)

                all [
                    same (sorted data) (List.sort (members parts.Train @ members parts.Test))
                    same (int (Math.Round(0.3 * float data.Count))) parts.Test.Count
                ])

        testProperty "stratified split: the same, class by class" (fun (Numbered(data, key)) ->
            let parts = data.StratifiedSplit(0.25, key)
            let ofClass c = Seq.filter (snd >> (=) c) >> Seq.length

            all [
                same (sorted data) (List.sort (members parts.Train @ members parts.Test))

                for c in 0..2 do
                    same (int (Math.Round(0.25 * float (ofClass c (members data))))) (ofClass c (members parts.Test))
            ])

        testProperty
            "folds partition: each picture is held back once, and sizes differ by at most one"
            (fun (Numbered(data, key)) ->
                let folds = data.Folds(3, key)
                let sizes = [ for fold in folds -> fold.Test.Count ]

                all [
                    same
                        (sorted data)
                        (List.sort [
                            for fold in folds do
                                yield! members fold.Test
                        ])
                    same true (List.max sizes - List.min sizes <= 1)

                    for fold in folds do
                        same (sorted data) (List.sort (members fold.Train @ members fold.Test))
                ])

        // Fisher and Yates (Knuth 1997, algorithm 3.4.2 P): for i = n−1, …, 1, place i changes with place j, draw i of 0 … i.
        testProperty
            "shuffling is the permutation of Fisher and Yates that the key draws, and it moves pictures"
            (fun (Numbered(data, key)) ->
                let purpose = key.Child 3L
                let order = Array.init data.Count id

                for i in data.Count - 1 .. -1 .. 1 do
                    let j = purpose.Below(i + 1, int64 i)
                    let kept = order[i]
                    order[i] <- order[j]
                    order[j] <- kept

                let before = members data

                all [
                    same [ for i in order -> before[i] ] (members (data.Shuffle key))
                    same (sorted data) (sorted (data.Shuffle key))
                    same false (before = members (data.Shuffle key))
                ])

        testProperty "take n ⧺ the rest = the whole" (fun (Numbered(data, _)) ->
            let rest = data.Select(seq { 4 .. data.Count - 1 })
            same (members data) (members ((data.Take 4).Concat rest)))

        testProperty "of classes: just the pictures of those classes" (fun (Numbered(data, _)) ->
            same (members data |> List.filter (fun (_, label) -> label <> 1)) (members (data.OfClasses("a", "c"))))

        testProperty "Σ_c n_c·w_c = n for balanced weights, and all classes weigh the same" (fun (Numbered(data, _)) ->
            let weights = data.BalancedWeights()
            let counts = Seq.countBy id data.Labels |> List.ofSeq
            let mass = [ for label, n in counts -> weights[label] * float n ]

            all [ for m in mass -> same true (abs (m - float data.Count / 3.0) < 1e-9) ])

        testProperty "normalised pixels have mean 0 and variance 1 in each channel" (fun (Numbered(data, _)) ->
            let statistics = data.Normalize(data.Statistics()).Statistics()

            all [
                for c in 0..1 do
                    same true (abs statistics.Mean[c] < 1e-6)
                    same true (abs (statistics.Deviation[c] - 1.0) < 1e-6)
            ])

        // Zeros around the picture, the odd row and column after it.
        testProperty "padding: the picture stands in the middle and all else is zero" (fun (r: Rows) ->
            let shape = Shape.Of(2 + r.Count % 4, 3 + r.Features % 3, 2)
            let height, width = shape[0] + r.Seed % 4, shape[1] + r.Features % 5
            let picture: Tensor<float32> = Draw.reals r.Seed shape

            let data =
                Dataset.Create(
                    shape,
                    [ 0 ],
                    [ "a" ],
                    PictureReader(fun _ destination -> picture.Span.CopyTo destination)
                )

            let top, left = (height - shape[0]) / 2, (width - shape[1]) / 2
            let padded = (data.Pad(height, width)).Picture 0

            let expected y x c =
                let y, x = y - top, x - left

                if y >= 0 && y < shape[0] && x >= 0 && x < shape[1] then
                    picture[y, x, c]
                else
                    0.0f

            same
                [
                    for y in 0 .. height - 1 do
                        for x in 0 .. width - 1 do
                            for c in 0..1 -> expected y x c
                ]
                (List.ofArray padded))

        testProperty "batches partition the positions in order; dropping the last leaves whole ones" (fun (r: Rows) ->
            let size, count = 1 + r.Features % 7, r.Count + r.Seed % 40 + 1

            let positions dropLast = [
                for struct (first, n) in Dataset.batches size dropLast count do
                    yield! [ first .. first + n - 1 ]
            ]

            all [
                same [ 0 .. count - 1 ] (positions false)
                same true (count < size || (positions true).Length = count / size * size)
            ])

        testProperty "one-hot rows: 1 at the label, 0 elsewhere, whatever the labels are" (fun (r: Rows) ->
            let words = [ for i in 0 .. r.Count -> "word " + string ((i * i + r.Seed) % 4) ]
            let labels, classes = Dataset.encode words
            let rows: Tensor<float> = Dataset.oneHot classes.Length labels

            all [
                same words [ for label in labels -> classes[label] ]

                for n in 0 .. labels.Length - 1 do
                    same 1.0 rows[n, labels[n]]
                    same 1.0 (Seq.sum (Seq.init classes.Length (fun c -> rows[n, c])))
            ])

        testCase "a label without a class is refused, and says which picture" (fun () ->
            let create () =
                Dataset.Create(Shape.Of(1, 1, 1), [ 0; 7 ], [ "a" ], PictureReader(fun _ _ -> ())) |> ignore

            let error = Assert.Throws<ArgumentException> create
            Assert.That(error.Message, both (containing ("7")) (containing ("picture 1"))))

        testCase "bytes that are not whole pictures are refused" (fun () ->
            Assert.Throws<ShapeException>(fun () ->
                Dataset.OfBytes(Shape.Of(2, 2, 1), ReadOnlyMemory(Array.zeroCreate 7), [ 0; 0 ], [ "a" ]) |> ignore)
            |> ignore)
    ]
