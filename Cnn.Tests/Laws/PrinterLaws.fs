/// What F# Interactive prints of values says them.
module Cnn.Tests.Laws.PrinterLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// The numbers of a printed tensor, in their order.
let private numbers (text: string) =
    text.Substring(text.IndexOf '\n').Split([| ' '; '['; ']'; '\n' |], StringSplitOptions.RemoveEmptyEntries)
    |> Array.filter (fun word -> word <> "…")
    |> Array.map float
    |> List.ofArray

/// Extents from 0 to 9 of up to four axes, the size and the seed of which FsCheck draws.
let private shapeOf (draw: int) rank = Shape.Of(Array.init (abs rank % 5) (fun axis -> abs (draw / pown 10 axis) % 10))

let tests =
    testList "printing" [
        // NumPy's rule: of an axis with more than 2·3 places the first and the last 3 are shown, in row-major order.
        testProperty
            "a printed tensor holds the values at the ends of its axes, in order"
            (fun (draw: int) (rank: int) ->
                let shape = shapeOf draw rank
                let tensor = Tensor.init shape (fun i -> float (i - 100))

                let isShown i =
                    let mutable rest = i
                    let mutable shown = true

                    for axis in shape.Rank - 1 .. -1 .. 0 do
                        let place = rest % shape[axis]
                        rest <- rest / shape[axis]
                        shown <- shown && (shape[axis] <= 6 || place < 3 || place >= shape[axis] - 3)

                    shown

                all [
                    same
                        [
                            for i in 0 .. shape.Size - 1 do
                                if isShown i then
                                    float (i - 100)
                        ]
                        (numbers (Printers.tensor tensor))
                    same (string shape) ((Printers.tensor tensor).Split('\n')[0])
                ])

        // A bracket is opened for each axis before the first value, and all are closed.
        testProperty "brackets of a printed tensor nest as deep as its rank" (fun (draw: int) (rank: int) ->
            let shape = shapeOf draw rank
            let text = Printers.tensor (Tensor.zeros shape: Tensor<float32>)
            let text = text.Substring(text.IndexOf '\n' + 1)

            let depths =
                text
                |> Seq.scan
                    (fun depth c ->
                        if c = '[' then depth + 1
                        elif c = ']' then depth - 1
                        else depth)
                    0

            all [
                if shape.Size > 0 then
                    same shape.Rank (text |> Seq.takeWhile ((=) '[') |> Seq.length)
                    same shape.Rank (Seq.max depths)
                same 0 (Seq.last depths)
            ])

        // Bars rise and fall with the values, from the lowest to the highest.
        testProperty "bars of a curve are ordered as its values" (fun (draws: int16 list) ->
            let series = draws |> List.map float
            let bars = Printers.curve series
            let places = if series.Length <= 60 then series else []

            all [
                same (min 60 series.Length) bars.Length
                for i in 0 .. places.Length - 1 do
                    for j in 0 .. places.Length - 1 do
                        same true (places[i] > places[j] || bars[i] <= bars[j])
                        same true (List.max places = List.min places || places[i] < List.max places || bars[i] = '█')
                if not places.IsEmpty then
                    same '▁' (Seq.min bars)
            ])

        // Of more epochs than there is room for the first and the last stay; what is no number has a dot.
        testCase "the longest curves keep their ends, and numbers that are none a dot" (fun () ->
            let long = Printers.curve [ for n in 1..1000 -> if n = 1000 then 0.0 else 1.0 / float n + 1.0 ]
            Assert.That(long.Length, equalTo 60)
            Assert.That(long[0], equalTo '█')
            Assert.That(long[59], equalTo '▁')
            Assert.That(Printers.curve [ nan; 1.0; infinity; 0.0 ], equalTo "·█·▁")
            Assert.That(Printers.curve [ -Double.MaxValue; Double.MaxValue ], equalTo "▁█")
            Assert.That(Printers.curve [ 2.0; 2.0 ], equalTo "▁▁")
            Assert.That(Printers.curve [], equalTo ""))

        // Lines for validation stand where there was one, each with its first and last value.
        testCase "a history is printed with its first and last values" (fun () ->
            let epoch n held = {
                Epoch = n
                Loss = 1.0 / float n
                Accuracy = 0.5
                LearningRate = 0.1
                Validation = held
            }

            let plain = Printers.history [ epoch 1 null; epoch 2 null; epoch 4 null ]

            Assert.That(
                plain.Split '\n',
                equalTo [| "3 epochs"; "loss                █▃▁  1 → 0.25"; "accuracy            ▁▁▁  0.5 → 0.5" |]
            )

            Assert.That(Printers.history [], equalTo "0 epochs")

            let held: Evaluation =
                let model = (Cnn.Fluent.Network.Input(2, 2).Flatten().Dense(2, Activation.Softmax)).Build()

                model.Evaluate(
                    Dataset.OfFloats(
                        Shape.Of(2, 2, 1),
                        ReadOnlyMemory(Array.zeroCreate<float32> 8),
                        [| 0; 1 |],
                        [ "a"; "b" ]
                    )
                )

            Assert.That((Printers.history [ epoch 1 held ]).Split('\n').Length, equalTo 5))
    ]
