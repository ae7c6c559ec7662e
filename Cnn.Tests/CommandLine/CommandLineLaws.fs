/// The command line: what is wrong is said in one line, what is right in one object of JSON, and nothing is drawn where nobody looks.
module Cnn.Tests.CommandLine.CommandLineLaws

open System
open System.IO
open System.Text.Json
open Expecto
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Law

let private words (line: string) = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)

let private lines (text: string) = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)

let private commands = [
    "train"
    "evaluate"
    "predict"
    "search"
    "inspect"
    "explain"
    "summary"
    "bench"
    "download"
    "convert"
    "filters"
    "catdog"
    "vanilla"
    "fixed-filters"
    "compare"
]

let private shortest folder command =
    let model, picture = Path.Combine(folder, "model.safetensors"), Path.Combine(folder, "original.png")

    Samples.words
        folder
        (match command with
         | "train" -> "train --net iorq --epochs 1 --save " + model
         | "evaluate" -> "evaluate --data synthetic-glyphs --model " + model
         | "predict" -> "predict " + picture + " --model " + model
         | "search" -> "search --epochs 1 --random 2"
         | "inspect" -> "inspect --image " + picture + " --model " + model + " --out " + folder
         | "explain" -> "explain --epochs 1"
         | "bench" -> "bench --steps 1 --warmup 0"
         | "convert" -> "convert --to npz --model " + model
         | "filters" -> "filters --out " + folder
         | "catdog" -> "catdog --epochs 1 --data FEW-GLYPHS"
         | "compare" -> "compare --quick"
         | "vanilla"
         | "fixed-filters" -> command + " --epochs 1 --data FEW-DIGITS"
         | _ -> command)

let tests =
    testList "command line" [
        // A word of each kind that can be wrong, and what tells what would be right.
        testTheory
            "wrong words end with 2, say in one line what would be right, and how the command is called"
            [
                "trian", "Did you mean 'train'?"
                "train --nett x", "Did you mean '--net'?"
                "train extra", "does not take 'extra'"
                "train --net lenet", "Did you mean 'lenet5'?"
                "train --epochs", "Required argument missing for option: '--epochs'"
                "train --epochs 0", "--epochs needs a whole number from 1"
                "train --learning-rate -1", "--learning-rate needs a number above 0"
                "train --validation 1", "--validation needs a share from 0 to below 1"
                "train --data mnist", "as mnist:DIR"
                "train --data csv:x,label=middle", "label"
                "train --augment shift", "shift=pixels"
                "train --preset source --net vgg8", "The source of vgg8 gives no settings"
                "train --preset best --net catdog", "There is no preset 'best' for catdog"
                "train --resume", "--resume needs --checkpoint DIR"
                "train --serve x", "A port is a whole number from 0 to 65535"
                "evaluate", "'--model' is required"
                "inspect --model x", "'--out' is required"
                "predict --model x", "'PICTURE'"
                "search --grid layers", "layers"
                "compare --svhn a --cifar10 b", "not both"
                "catdog --pictures 3", "--pictures needs a whole number from 10"
                "convert --model x --to npz --layout nchw", "--layout is for --to onnx"
                "download mnits x", "Did you mean 'mnist'?"
                "summary --net x", "There is no network 'x'"
                "bench --threads 0", "--threads needs a whole number from 1"
            ]
            (fun (line: string, cure: string) ->
                let outcome = Samples.run (words line)
                Assert.That(outcome.Code, equalTo 2)
                Assert.That(outcome.Output, isEmpty)

                match lines outcome.Errors with
                | [| problem; usage |] ->
                    Assert.That(problem, containing cure)
                    Assert.That(usage, startingWith "Usage: ")
                | other -> Assert.Fail(String.Join('\n', other)))

        testTheory
            "what cannot be done ends with 1, and says why in one line"
            [
                "train --data mnist:/nowhere", "/nowhere"
                "train --data digits8x8:/nowhere", "/nowhere"
                "train --net iorq --data synthetic", "at most 2 classes"
                "train --net densenet2_20 --data synthetic", "at most 8×8×1"
                "train --save /nowhere/model.safetensors", "no folder"
                "evaluate --model /nowhere", "/nowhere"
                "filters --image /nowhere.png", "/nowhere.png"
                "catdog --data synthetic", "has 10"
                "explain --data synthetic", "at most 2 classes"
            ]
            (fun (line: string, why: string) ->
                let outcome = Samples.run (words line)
                Assert.That(outcome.Code, equalTo 1)
                Assert.That(outcome.Output, isEmpty)
                Assert.That((lines outcome.Errors).Length, equalTo 1)
                Assert.That(outcome.Errors, both (startingWith ("Error: ")) (containing why)))

        testCase "a file that is none of a model or a picture is refused with its name and the byte" (fun () ->
            Samples.inFolder (fun folder ->
                let file = Path.Combine(folder, "words.txt")
                File.WriteAllText(file, "neither a model nor a picture")

                for line in [ [ "evaluate"; "--model"; file ]; [ "filters"; "--image"; file ] ] do
                    let outcome = Samples.run line
                    Assert.That(outcome.Code, equalTo 1)
                    Assert.That((lines outcome.Errors).Length, equalTo 1)
                    Assert.That(outcome.Errors, containing (file + " at byte 0: expected"))))

        // An option is its names, two blanks at least, and what it does.
        testCase "help names every command, and tells of every option what it does" (fun () ->
            let help = (Samples.run [ "--help" ]).Output

            for command in commands do
                Assert.That(help, containing ("\n  " + command + " "))
                let outcome = Samples.run [ command; "--help" ]
                Assert.That(outcome.Code, equalTo 0)
                Assert.That(outcome.Output, both (startingWith ("Description:")) (containing ("Usage:")))

                for line in lines outcome.Output do
                    if line.StartsWith("  -", StringComparison.Ordinal) then
                        let parts = line.Trim().Split("  ", StringSplitOptions.RemoveEmptyEntries)
                        Assert.That(parts.Length, greaterThan 1, line)
                        Assert.That((Array.last parts).Trim().Length, greaterThan 10, line))

        // All but the one that needs a network.
        testCase "with --json, a command prints one object on one line and nothing else" (fun () ->
            Samples.inFolder (fun folder ->
                // Those that others need come first.
                let first = [ "train"; "filters" ]

                for command in first @ List.except ("download" :: first) commands do
                    let outcome = Samples.run (Seq.append (shortest folder command) [ "--json" ])
                    Assert.That(outcome.Code, equalTo 0, outcome.Errors)
                    Assert.That(outcome.Errors, isEmpty, command)
                    Assert.That((lines outcome.Output).Length, equalTo 1, command)
                    use json = JsonDocument.Parse outcome.Output
                    Assert.That(json.RootElement.ValueKind, equalTo JsonValueKind.Object, command)))

        // Nobody looks at a pipe: half blocks, Braille dots, boxes and colours stay away.
        testTheory
            "nothing is drawn where no terminal shows it"
            [ "filters"; "train --net densenet2_20 --epochs 2"; "explain --epochs 1" ]
            (fun (line: string) ->
                let outcome = Samples.run (words line)
                let isDrawn letter = letter = '\u001b' || letter = '▀' || (letter >= '\u2800' && letter <= '\u28FF')
                Assert.That(outcome.Code, equalTo 0, outcome.Errors)
                Assert.That(outcome.Output |> Seq.filter isDrawn |> List.ofSeq, isEmpty))

        // The pictures of a network whose source names its settings, drawn for what it takes.
        testTheory
            "a network is trained on drawn pictures that it takes, with the settings of its source"
            [ "iorq", "synthetic-glyphs"; "densenet2_20", "synthetic-8x8"; "dense_digits", "synthetic" ]
            (fun (net: string, data: string) ->
                let outcome = Samples.run [ "train"; "--net"; net; "--preset"; "source"; "--epochs"; "1"; "--json" ]
                Assert.That(outcome.Code, equalTo 0, outcome.Errors)
                use json = JsonDocument.Parse outcome.Output
                Assert.That((json.RootElement.GetProperty "data").GetString(), equalTo data))
    ]
    |> testSequencedGroup "processes"
