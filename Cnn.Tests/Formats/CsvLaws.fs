/// Pictures as separated values: what is read, and what bad text gets.
module Cnn.Tests.Formats.CsvLaws

open System
open System.Globalization
open System.IO
open System.Text
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.Bytes
open Cnn.Tests.Laws.Law

let private bytesOf (text: string) = Encoding.UTF8.GetBytes text
let private parse (options: CsvOptions) text = Csv.Parse("file", bytesOf text, options)

/// Pictures of numbers, with a label each.
let private (|Table|) (r: Rows) =
    let shape = Shape.Of(1 + r.Features % 4, 2 + r.Seed % 3, 1 + r.Seed % 2)
    let values = random r.Seed (r.Count * shape.Size) |> Array.chunkBySize shape.Size
    let labels = random (r.Seed + 1) r.Count |> Array.map (fun b -> int b % 12)
    shape, values, labels

let private write (separator: string) (ending: string) label (lines: (string * string[])[]) =
    lines
    |> Array.map (fun (name, values) ->
        String.Join(
            separator,
            (if label = CsvLabel.First then
                 Array.append [| name |] values
             else
                 Array.append values [| name |])
        )
        + ending)
    |> String.concat ""

let private one = CsvOptions(Shape.Of(1, 2, 1))
let private refused options text = refusal (fun () -> parse options text)

let tests =
    testList "CSV" [
        testProperty
            "parse ∘ write is the identity, for any separator, line end and place of the label"
            (fun (Table(shape, values, labels)) ->
                let lines =
                    Array.map2 (fun (label: int) row -> string label, Array.map string (row: byte[])) labels values

                let names = labels |> Array.distinct |> Array.sort

                all [
                    for separator in [ ','; ';'; '\t' ] do
                        for label in [ CsvLabel.First; CsvLabel.Last ] do
                            for ending in [ "\n"; "\r\n" ] do
                                let text = write (string separator) ending label lines
                                let options = CsvOptions(shape, label, separator = separator)

                                for set in
                                    [
                                        parse options text
                                        parse options (text.TrimEnd [| '\r'; '\n' |])
                                        Csv.Read("file", trickle (gzip (bytesOf text)), options)
                                    ] do
                                    same (List.ofArray (Array.map string names)) (List.ofSeq set.ClassNames)
                                    same (List.ofArray labels) [ for label in set.Labels -> names[label] ]
                                    same [ for b in Array.concat values -> float32 b / 255.0f ] (pixels set)
                ])

        testProperty
            "pixels that are not whole are kept, and divided by the divisor"
            (fun (Table(shape, values, labels)) ->
                let text (b: byte) = (float b / 8.0).ToString("G17", CultureInfo.InvariantCulture)
                let lines = Array.map2 (fun (label: int) row -> string label, Array.map text row) labels values
                let set = parse (CsvOptions(shape, divisor = 32.0)) (write "," "\n" CsvLabel.First lines)
                same [ for b in Array.concat values -> float32 (float b / 8.0) / 32.0f ] (pixels set))

        testProperty "a header is passed over, told or found" (fun (Table(shape, values, labels)) ->
            let lines =
                Array.map2 (fun (label: int) row -> string label, Array.map string (row: byte[])) labels values

            let body = write "," "\n" CsvLabel.First lines
            let header = String.Join(",", "label" :: [ for i in 1 .. shape.Size -> "pixel" + string i ]) + "\n"
            let numbered = String.Join(",", [ for i in 0 .. shape.Size -> i ]) + "\n"
            let expected = pixels (parse (CsvOptions(shape, header = CsvHeader.Absent)) body)

            all [
                same expected (pixels (parse (CsvOptions shape) (header + body)))
                same expected (pixels (parse (CsvOptions(shape, header = CsvHeader.Present)) (numbered + body)))
                same (labels.Length + 1) (parse (CsvOptions shape) (numbered + body)).Count
            ])

        testCase "classes are whole numbers in their order, or text in its order" (fun () ->
            let names options text = List.ofSeq (parse options text).ClassNames
            Assert.That(names one "10,1,2\n9,1,2\n-1,3,4\n09,1,2\n9.0,1,2\n", equalTo [ "-1"; "9"; "10" ])

            Assert.That(
                names one "dog,1,2\n\"a \"\"cat\"\", black\",1,2\n7,1,2\n",
                equalTo [ "7"; "a \"cat\", black"; "dog" ]
            ))

        testCase "classes that are told keep their order, and others are refused" (fun () ->
            let options = CsvOptions(Shape.Of(1, 2, 1), classNames = [ "dog"; "07"; "cat" ])
            Assert.That(List.ofSeq (parse options "cat,1,2\n07,1,2\n").Labels, equalTo [ 2; 1 ])
            let error = refused options "cat,1,2\nhen,1,2\n"
            Assert.That(error.Offset, equalTo 8L)
            Assert.That(error.Message, containing "dog, 07, cat"))

        testCase "the shape is a square of one or three channels, unless it is told" (fun () ->
            let shape pixels = (parse (CsvOptions()) ("1" + String.replicate pixels ",5" + "\n")).Shape
            Assert.That(shape 16, equalTo (Shape.Of(4, 4, 1)))
            Assert.That(shape 12, equalTo (Shape.Of(2, 2, 3)))
            Assert.That(refused (CsvOptions()) "1,2,3\n" |> _.Expected, containing "square"))

        testCase "what is wrong is told with its line, its column and its offset" (fun () ->
            let tells (error: DataFormatException) (offset: int) (words: string list) =
                Assert.That(error.Offset, equalTo (int64 offset))

                for word in words do
                    Assert.That(error.Message, containing word)

            tells (refused one "1,2,3\n\n1,2, x\n") 12 [ "line 3"; "column 3"; "'x'" ]
            tells (refused one "1,2,3\n1,256,3\n") 8 [ "line 2"; "column 2"; "0 to 255" ]
            tells (refused one "1,2,3\n1,-1,3\n") 8 [ "line 2"; "column 2" ]
            tells (refused one "1,2,3\n1,NaN,3\n") 8 [ "line 2"; "column 2" ]
            tells (refused one "1,2,3\n,2,3\n") 6 [ "a label in line 2" ]
            tells (refused one "1,2,3\n1,2\n") 6 [ "2 pixels"; "line 2"; "2 values" ]
            tells (refused one "1,2,3\n1,2,3,4\n") 6 [ "4 values" ]
            tells (refused one "") 0 [ "at least one line" ]
            tells (refused one "label,a,b\n") 0 [ "at least one line" ]
            tells (refused one (String('1', 100000))) 0 [ "line 1"; "a longer one" ])

        testCase "options that make no sense are refused at once" (fun () ->
            let throws (make: unit -> CsvOptions) =
                Assert.Catch<ArgumentException>(fun () -> make () |> ignore) |> ignore

            throws (fun () -> CsvOptions(Shape.Of 4))
            throws (fun () -> CsvOptions(divisor = 0.0))
            throws (fun () -> CsvOptions(divisor = nan))
            throws (fun () -> CsvOptions(separator = '5'))
            throws (fun () -> CsvOptions(separator = '→')))

        testCase "a missing file is told by its path" (fun () ->
            let nowhere = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString "N")
            let error = Assert.Throws<FileNotFoundException>(fun () -> Csv.Load nowhere |> ignore)
            Assert.That(error.Message, containing nowhere))

        testCase "damaged separated values give pictures or a DataFormatException" (fun () ->
            let text =
                write "," "\n" CsvLabel.First [| for i in 1..20 -> string (i % 3), Array.map string (random i 12) |]

            let quoted = "label,a,b,c,d\n" + String.replicate 9 "\"a, b\",1.5,2e1,3,255\r\n"

            for options, text in [ CsvOptions(), text; CsvOptions(Shape.Of(2, 2, 1)), quoted ] do
                let file = bytesOf text
                Fuzzing.survives [ file; gzip file ] (fun bytes -> Csv.Parse("file", bytes, options) |> ignore))

        testCase "the digits of 8×8: each class as often as it should be" (fun () ->
            let path = Path.Combine(sharedData "digits8x8", "digits.csv.gz")
            let set = Csv.Load(path, CsvOptions(label = CsvLabel.Last, divisor = 16.0))
            Assert.That(set.Shape, equalTo (Shape.Of(8, 8, 1)))
            Assert.That(List.ofSeq set.ClassNames, equalTo [ for digit in 0..9 -> string digit ])

            Assert.That(
                set.Labels |> Seq.countBy id |> Seq.sort |> Seq.map snd,
                equalTo (Seq.ofList [ 178; 182; 177; 183; 181; 182; 181; 179; 174; 180 ])
            ))
    ]
