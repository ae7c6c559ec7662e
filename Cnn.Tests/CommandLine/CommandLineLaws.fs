/// The command line: what is wrong is said in one line, what is right in one object of JSON, and nothing is drawn where nobody looks.
module Cnn.Tests.CommandLine.CommandLineLaws

open System
open System.IO
open System.Text.Json
open NUnit.Framework

let private words (line: string) = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)

let private lines (text: string) = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)

/// A word of each kind that can be wrong, and what tells what would be right.
[<TestCase("trian", "Did you mean 'train'?")>]
[<TestCase("train --nett x", "Did you mean '--net'?")>]
[<TestCase("train extra", "does not take 'extra'")>]
[<TestCase("train --net lenet", "Did you mean 'lenet5'?")>]
[<TestCase("train --epochs", "Required argument missing for option: '--epochs'")>]
[<TestCase("train --epochs 0", "--epochs needs a whole number from 1")>]
[<TestCase("train --learning-rate -1", "--learning-rate needs a number above 0")>]
[<TestCase("train --validation 1", "--validation needs a share from 0 to below 1")>]
[<TestCase("train --data mnist", "as mnist:DIR")>]
[<TestCase("train --data csv:x,label=middle", "label")>]
[<TestCase("train --augment shift", "shift=pixels")>]
[<TestCase("train --preset source --net vgg8", "The source of vgg8 gives no settings")>]
[<TestCase("train --preset best --net catdog", "There is no preset 'best' for catdog")>]
[<TestCase("train --resume", "--resume needs --checkpoint DIR")>]
[<TestCase("train --serve x", "A port is a whole number from 0 to 65535")>]
[<TestCase("evaluate", "'--model' is required")>]
[<TestCase("inspect --model x", "'--out' is required")>]
[<TestCase("predict --model x", "'PICTURE'")>]
[<TestCase("search --grid layers", "layers")>]
[<TestCase("compare --svhn a --cifar10 b", "not both")>]
[<TestCase("catdog --pictures 3", "--pictures needs a whole number from 10")>]
[<TestCase("convert --model x --to npz --layout nchw", "--layout is for --to onnx")>]
[<TestCase("download mnits x", "Did you mean 'mnist'?")>]
[<TestCase("summary --net x", "There is no network 'x'")>]
[<TestCase("bench --threads 0", "--threads needs a whole number from 1")>]
let ``wrong words end with 2, say in one line what would be right, and how the command is called``
    (line: string)
    (cure: string)
    =
    let outcome = Samples.run (words line)
    Assert.That(outcome.Code, Is.EqualTo 2)
    Assert.That(outcome.Output, Is.Empty)

    match lines outcome.Errors with
    | [| problem; usage |] ->
        Assert.That(problem, Does.Contain cure)
        Assert.That(usage, Does.StartWith "Usage: ")
    | other -> Assert.Fail(String.Join('\n', other))

[<TestCase("train --data mnist:/nowhere", "/nowhere")>]
[<TestCase("train --data digits8x8:/nowhere", "/nowhere")>]
[<TestCase("train --net iorq --data synthetic", "at most 2 classes")>]
[<TestCase("train --net densenet2_20 --data synthetic", "at most 8×8×1")>]
[<TestCase("train --save /nowhere/model.safetensors", "no folder")>]
[<TestCase("evaluate --model /nowhere", "/nowhere")>]
[<TestCase("filters --image /nowhere.png", "/nowhere.png")>]
[<TestCase("catdog --data synthetic", "has 10")>]
[<TestCase("explain --data synthetic", "at most 2 classes")>]
let ``what cannot be done ends with 1, and says why in one line`` (line: string) (why: string) =
    let outcome = Samples.run (words line)
    Assert.That(outcome.Code, Is.EqualTo 1)
    Assert.That(outcome.Output, Is.Empty)
    Assert.That((lines outcome.Errors).Length, Is.EqualTo 1)
    Assert.That(outcome.Errors, Does.StartWith("Error: ").And.Contain why)

[<Test>]
let ``a file that is none of a model or a picture is refused with its name and the byte`` () =
    Samples.inFolder (fun folder ->
        let file = Path.Combine(folder, "words.txt")
        File.WriteAllText(file, "neither a model nor a picture")

        for line in [ [ "evaluate"; "--model"; file ]; [ "filters"; "--image"; file ] ] do
            let outcome = Samples.run line
            Assert.That(outcome.Code, Is.EqualTo 1)
            Assert.That((lines outcome.Errors).Length, Is.EqualTo 1)
            Assert.That(outcome.Errors, Does.Contain(file + " at byte 0: expected")))

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

/// An option is its names, two blanks at least, and what it does.
[<Test>]
let ``help names every command, and tells of every option what it does`` () =
    let help = (Samples.run [ "--help" ]).Output

    for command in commands do
        Assert.That(help, Does.Contain("\n  " + command + " "))
        let outcome = Samples.run [ command; "--help" ]
        Assert.That(outcome.Code, Is.EqualTo 0)
        Assert.That(outcome.Output, Does.StartWith("Description:").And.Contain("Usage:"))

        for line in lines outcome.Output do
            if line.StartsWith("  -", StringComparison.Ordinal) then
                let parts = line.Trim().Split("  ", StringSplitOptions.RemoveEmptyEntries)
                Assert.That(parts.Length, Is.GreaterThan 1, line)
                Assert.That((Array.last parts).Trim().Length, Is.GreaterThan 10, line)

let private shortest folder command =
    let model, picture = Path.Combine(folder, "model.safetensors"), Path.Combine(folder, "original.png")

    words (
        match command with
        | "train" -> "train --net iorq --epochs 1 --save " + model
        | "evaluate" -> "evaluate --data synthetic-glyphs --model " + model
        | "predict" -> "predict " + picture + " --model " + model
        | "search" -> "search --epochs 1 --random 2"
        | "inspect" -> "inspect --image " + picture + " --model " + model + " --out " + folder
        | "explain" -> "explain --epochs 1"
        | "bench" -> "bench --steps 1 --warmup 0"
        | "convert" -> "convert --to npz --model " + model
        | "filters" -> "filters --out " + folder
        | "catdog" -> "catdog --epochs 1 --pictures 10"
        | "compare" -> "compare --quick"
        | "vanilla"
        | "fixed-filters" -> command + " --epochs 1"
        | _ -> command
    )

/// All but the one that needs a network.
[<Test>]
let ``with --json, a command prints one object on one line and nothing else`` () =
    Samples.inFolder (fun folder ->
        // Those that others need come first.
        let first = [ "train"; "filters" ]

        for command in first @ List.except ("download" :: first) commands do
            let outcome = Samples.run (Seq.append (shortest folder command) [ "--json" ])
            Assert.That(outcome.Code, Is.EqualTo 0, outcome.Errors)
            Assert.That(outcome.Errors, Is.Empty, command)
            Assert.That((lines outcome.Output).Length, Is.EqualTo 1, command)
            use json = JsonDocument.Parse outcome.Output
            Assert.That(json.RootElement.ValueKind, Is.EqualTo JsonValueKind.Object, command))

/// Nobody looks at a pipe: half blocks, Braille dots, boxes and colours stay away.
[<TestCase("filters")>]
[<TestCase("train --net densenet2_20 --epochs 2")>]
[<TestCase("explain --epochs 1")>]
let ``nothing is drawn where no terminal shows it`` (line: string) =
    let outcome = Samples.run (words line)
    let isDrawn letter = letter = '\u001b' || letter = '▀' || (letter >= '\u2800' && letter <= '\u28FF')
    Assert.That(outcome.Code, Is.EqualTo 0, outcome.Errors)
    Assert.That(outcome.Output |> Seq.filter isDrawn |> List.ofSeq, Is.Empty)

/// The pictures of a network whose source names its settings, drawn for what it takes.
[<TestCase("iorq", "synthetic-glyphs")>]
[<TestCase("densenet2_20", "synthetic-8x8")>]
[<TestCase("dense_digits", "synthetic")>]
let ``a network is trained on drawn pictures that it takes, with the settings of its source``
    (net: string)
    (data: string)
    =
    let outcome = Samples.run [ "train"; "--net"; net; "--preset"; "source"; "--epochs"; "1"; "--json" ]
    Assert.That(outcome.Code, Is.EqualTo 0, outcome.Errors)
    use json = JsonDocument.Parse outcome.Output
    Assert.That((json.RootElement.GetProperty "data").GetString(), Is.EqualTo data)
