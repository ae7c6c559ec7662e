/// The command line as a child process, built in the same configuration as the tests.
module Cnn.Tests.CommandLine.Samples

open System
open System.Diagnostics
open System.IO
open Cnn
open Cnn.FSharp
open Expecto
open Cnn.Tests.Laws

let private program =
    let here = DirectoryInfo AppContext.BaseDirectory
    let configuration = (nonNull here.Parent).Name

    let rec up (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "Cnn.sln")) then
            folder.FullName
        else
            up (nonNull folder.Parent)

    Path.Combine(up here, "Cnn.Samples", "bin", configuration, here.Name, "Cnn.Samples.dll")

/// Starts it with the words of a line; where it has not been built, the test is skipped.
let start (words: string seq) =
    if not (File.Exists program) then
        Assert.Ignore("Build the solution first: there is no " + program)

    let start =
        ProcessStartInfo(
            "dotnet",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        )

    for word in Seq.append [ program ] words do
        start.ArgumentList.Add word

    nonNull (Process.Start start)

/// What a line came to.
type Outcome = { Code: int; Output: string; Errors: string }

/// Runs it to its end.
let run (words: string seq) =
    use running = start words
    let output, errors = running.StandardOutput.ReadToEndAsync(), running.StandardError.ReadToEndAsync()

    if not (running.WaitForExit(TimeSpan.FromMinutes 5.0)) then
        running.Kill()
        Assert.Fail("It does not end: " + String.Join(' ', words))

    { Code = running.ExitCode; Output = output.Result; Errors = errors.Result }

/// Runs a test with a folder of its own, which does not outlive it.
let inFolder (test: string -> unit) =
    let folder = Directory.CreateTempSubdirectory "cnn-"

    try
        test folder.FullName
    finally
        folder.Delete true

/// Few drawn pictures in a file of the folder, where a command by itself draws more than a test has time for.
let private few folder (name: string) (draw: int -> Dataset) =
    let arrays part data = [
        NamedArray.ofTensor ("x_" + part) (Dataset.tensor data [| 0 .. data.Count - 1 |]: Tensor<float32>)
        NamedArray.ofTensor ("y_" + part) (Tensor.ofArray (Shape.Of data.Count) [| for y in data.Labels -> float32 y |])
    ]

    let path = Path.Combine(folder, name + ".npz")
    File.WriteAllBytes(path, NumPy.writeNpz (arrays "train" (draw 100) @ arrays "test" (draw 40)))
    "npz:" + path

/// The words of a line, in which FEW-DIGITS and FEW-GLYPHS stand for such a source of pictures.
let words folder (line: string) = [
    for word in line.Split(' ', StringSplitOptions.RemoveEmptyEntries) do
        match word with
        | "FEW-DIGITS" -> few folder "digits" (fun count -> Fluent.SyntheticDigits.Create count)
        | "FEW-GLYPHS" -> few folder "glyphs" (fun count -> Fluent.SyntheticGlyphs.Create count)
        | word -> word
]
