/// The table of a network says what its layers are, to the digit.
module Cnn.Tests.Laws.SummaryLaws

open Expecto
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// The cells between bars, of the header and of each layer: what is wrapped into several lines in one piece again.
let private cells (summary: string) =
    let isRule (line: string) = line[0] <> '│' && line[0] <> '┃'

    let join (rows: string list list) =
        rows |> List.transpose |> List.map (String.concat " " >> fun text -> text.Trim())

    let rec group (lines: string list) =
        match List.skipWhile isRule lines with
        | [] -> []
        | lines ->
            let row = List.takeWhile (isRule >> not) lines

            let split (line: string) = [ for cell in line.Trim('│', '┃').Split('│', '┃') -> cell.Trim() ]

            join (List.map split row) :: group (List.skip row.Length lines)

    let lines = List.ofArray (summary.Split '\n')
    let table = lines |> List.skip 1 |> List.takeWhile (fun line -> line[0] <> ' ')
    group table, table, List.skip (1 + table.Length) lines

/// Names of words, shapes of up to twelve axes, numbers of both kinds.
let private drawn seed : SummaryRow list =
    let random = System.Random(seed: int)
    let word () = System.String('x', 1 + random.Next 31)

    List.init (random.Next 5) (fun _ -> {
        Name = System.String.Join(' ', Array.init (1 + random.Next 4) (fun _ -> word ()))
        Type = word().Substring(0, 1)
        Output = Shape.Of(Array.init (random.Next 12) (fun _ -> 1 + random.Next 3))
        Trainable = random.Next 100000000
        NonTrainable = random.Next 2000
    })

let tests =
    testList "summary" [
        // Fan & Yam 11.6.2, as the source prints it.
        testCase "the cat and dog network prints the summary of its source" (fun () ->
            let model = Cnn.Fluent.Architectures.CatDog.Build 0
            let rows, _, totals = cells (model.Summary "cats_and_dogs")

            Assert.That(model.Summary().Split('\n')[0], equalTo "Model: \"sequential\"")
            let the (row: string list) = String.concat " | " row
            Assert.That(the rows.Head, equalTo "Layer (type) | Output Shape | Param #")

            Assert.That(
                rows.Tail |> List.map (List.item 2) |> List.filter ((<>) "0") |> the,
                equalTo "320 | 18,496 | 73,856 | 1,179,712 | 256 | 2,080 | 128 | 33"
            )

            Assert.That(the rows[1], equalTo "conv2d (Conv2D) | (None, 100, 100, 32) | 320")

            Assert.That(
                the totals,
                equalTo
                    " Total params: 1,274,881 (4.86 MB) |  Trainable params: 1,274,689 (4.86 MB) |  Non-trainable params: 192 (768.00 B)"
            ))

        testProperty "what the cells of a summary say, line by line, is name, type, shape and count" (fun (seed: int) ->
            let rows = drawn seed
            let read, table, _ = cells (Summary.format "any" 4 rows)

            all [
                same
                    [
                        for r in rows ->
                            [
                                r.Name + " (" + r.Type + ")"
                                "(None, " + System.String.Join(", ", r.Output.Extents.ToArray()) + ")"
                                r.Parameters.ToString "N0"
                            ]
                    ]
                    read.Tail
                same [ 76 ] (table |> List.map String.length |> List.distinct)
            ])

        // Bytes in the unit that leaves 1 to 1024 of them, to two digits.
        testProperty
            "totals of a summary are the sums of its rows, in numbers and in bytes"
            (fun (seed: int) (isDouble: bool) ->
                let rows = drawn seed
                let width = if isDouble then 8 else 4
                let _, _, totals = cells (Summary.format "any" width rows)
                let trainable = rows |> List.sumBy (fun r -> r.Trainable)
                let others = rows |> List.sumBy (fun r -> r.NonTrainable)
                let unitOf name = pown 1024.0 (Array.findIndex ((=) name) [| "B"; "KB"; "MB"; "GB"; "TB" |])

                all [
                    for line, title, wanted in
                        List.zip3 totals [ " Total params"; " Trainable params"; " Non-trainable params" ] [
                            trainable + others
                            trainable
                            others
                        ] do
                        match line.Split([| ": "; " ("; ")" |], System.StringSplitOptions.RemoveEmptyEntries) with
                        | [| name; number; memory |] ->
                            let value, unit = float (memory.Split(' ')[0]), unitOf (memory.Split(' ')[1])
                            let bytes = float wanted * float width
                            same (title, wanted.ToString "N0") (name, number)

                            (abs (value * unit - bytes) <= 0.005001 * unit
                             && (value < 1024.0 && (value >= 1.0 || bytes = 0.0)))
                            |> Prop.ofTestable
                        | _ -> same "a title, a number and bytes" line
                ])
    ]
