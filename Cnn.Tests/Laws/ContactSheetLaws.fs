/// Many pictures on one, with words under them.
module Cnn.Tests.Laws.ContactSheetLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private random (seed: int) height width channels =
    let bytes = Array.zeroCreate<byte>(height * width * channels)
    Random(seed).NextBytes bytes
    Cnn.Image.Of(height, width, channels, ReadOnlySpan bytes)

let private pixel (image: Cnn.Image) row column =
    image.Pixels.Slice((row * image.Width + column) * image.Channels, image.Channels).ToArray()

/// White around cells, and the rows that words take, in pixels.
let private margin, lettered = 8, 14

let private black height width = Cnn.Image.Of(height, width, 1, ReadOnlySpan(Array.zeroCreate<byte>(height * width)))

let private lettering words = (ContactSheet.draw 1 [ black 112 112, words ]).Pixels.ToArray()

let tests =
    testList "contact sheets" [
        // Pictures of one size, so that every cell is full; enlarged as often as 112 pixels have room.
        testProperty
            "every picture stands in its cell, pixel by pixel, with white between the cells"
            (fun (p: Planes) (count: byte) ->
                let count, columns = 1 + int count % 7, 1 + int count % 3
                let height, width = p.ImageSize.Height, p.ImageSize.Width
                let times = 112 / max height width

                all [
                    for channels in [ 1; 3 ] do
                        let images = List.init count (fun i -> random (p.Seed + i) height width channels)
                        let sheet = ContactSheet.draw columns (images |> List.map (fun image -> image, ""))
                        let across, down = min columns count, (count + columns - 1) / columns
                        let cell = times * height + margin / 2 + lettered + margin
                        same (margin + across * (times * width + margin)) sheet.Width
                        same (margin + down * cell) sheet.Height
                        same channels sheet.Channels
                        let covered = Collections.Generic.HashSet<struct (int * int)>()

                        for i, image in List.indexed images do
                            let top, left =
                                margin + i / columns * cell, margin + i % columns * (times * width + margin)

                            let isThere =
                                Seq.allPairs (seq { 0 .. times * height - 1 }) (seq { 0 .. times * width - 1 })
                                |> Seq.forall (fun (row, column) ->
                                    covered.Add(struct (top + row, left + column))
                                    && pixel sheet (top + row) (left + column) =
                                        pixel image (row / times) (column / times))

                            same true isThere

                        let white = Array.create channels 255uy

                        Seq.allPairs (seq { 0 .. sheet.Height - 1 }) (seq { 0 .. sheet.Width - 1 })
                        |> Seq.forall (fun (row, column) ->
                            covered.Contains(struct (row, column)) || pixel sheet row column = white)
                        |> same true
                ])

        // As through both doors.
        testProperty "on tiles every picture stands in its cell, with paper between" (fun (p: Planes) (paper: byte) ->
            let count, columns, gap = 1 + p.Seed % 5, 1 + p.Seed % 3, p.Seed % 4
            let height, width = p.ImageSize.Height, p.ImageSize.Width
            let images = List.init count (fun i -> random (p.Seed + i) height width (if i = 0 then 3 else 1))
            let sheet = Image.tile gap paper columns images
            let across, down = min columns count, (count + columns - 1) / columns

            let expected row column =
                let cell at size = (at - gap) / (size + gap), (at - gap) % (size + gap)
                let (down, top), (right, left) = cell row height, cell column width
                let i = down * columns + right

                if row >= gap && column >= gap && top < height && left < width && i < count then
                    pixel (Image.toRgb images[i]) top left
                else
                    Array.create 3 paper

            all [
                same
                    (gap + down * (height + gap), gap + across * (width + gap), 3)
                    (sheet.Height, sheet.Width, sheet.Channels)
                same (sheet.Pixels.ToArray()) (Images.Tile(columns, images, gap, paper).Pixels.ToArray())
                Seq.allPairs (seq { 0 .. sheet.Height - 1 }) (seq { 0 .. sheet.Width - 1 })
                |> Seq.forall (fun (row, column) -> pixel sheet row column = expected row column)
                |> same true
            ])

        // A table of signs is easily copied wrong.
        testCase "every letter, digit and sign looks different, small letters like capitals" (fun () ->
            let signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+=.,:…%/()×? #"
            let drawn = signs |> Seq.map (string >> lettering) |> List.ofSeq
            Assert.That((List.distinct drawn).Length, equalTo signs.Length)
            Assert.That(lettering "cat 0.93", equalTo (lettering "CAT 0.93"))
            Assert.That(lettering "#", equalTo (lettering "§")))

        // The picture is above the words and stays as it is.
        testProperty "words leave ink on their own line only" (fun (words: char list) ->
            let plain, written = lettering "", lettering (String(Array.ofList words))
            let width = 112 + 2 * margin
            let first = (margin + 112 + margin / 2) * width

            let isElsewhere i =
                i < first || i >= first + lettered * width || i % width < margin || i % width >= margin + 112

            seq { 0 .. plain.Length - 1 } |> Seq.forall (fun i -> plain[i] = written[i] || not (isElsewhere i)))

        testCase "a large picture is shrunk to its cell, and one in colour makes the sheet so" (fun () ->
            let sheet = ContactSheet.draw 4 [ random 1 600 300 3, "a"; black 10 20, "b" ]
            Assert.That(string sheet.Shape, equalTo (string (Shape.Of(8 + 256 + 4 + 14 + 8, 8 + 2 * 136, 3)))))

        testCase "both doors draw the same sheet" (fun () ->
            let images = [ random 1 5 7 3, "one"; random 2 9 4 4, "two" ]
            let core = ContactSheet.draw 2 images
            let door = Images.ContactSheet(2, images |> List.map (fun (image, words) -> struct (image, words)))
            Assert.That(door.Pixels.ToArray(), equalTo (core.Pixels.ToArray())))

        testCase "no pictures, and no columns, are refused" (fun () ->
            Assert.Throws<ArgumentException>(fun () -> ContactSheet.draw 1 [] |> ignore) |> ignore

            Assert.Throws<ArgumentOutOfRangeException>(fun () -> ContactSheet.draw 0 [ black 1 1, "" ] |> ignore)
            |> ignore)
    ]
