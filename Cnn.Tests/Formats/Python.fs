/// Programs of others as oracles: scripts beside the tests, run by the machine's Python where it has their modules.
module Cnn.Tests.Formats.Python

open System
open System.Diagnostics
open System.IO
open Expecto
open Cnn.Tests.Laws

let private run (python: string) (arguments: string list) =
    let start =
        ProcessStartInfo(python, arguments, RedirectStandardOutput = true, RedirectStandardError = true)

    use python = nonNull (Process.Start start)
    let errors = python.StandardError.ReadToEndAsync()
    let output = python.StandardOutput.ReadToEnd()
    python.WaitForExit()
    python.ExitCode, output + errors.Result

/// The Python of the path, or else the system's own, for which distributions package modules.
let private withModules modules =
    [ "python3"; "/usr/bin/python3" ]
    |> List.tryFind (fun python ->
        try
            fst (run python [ "-c"; "import " + String.concat ", " modules ]) = 0
        with :? ComponentModel.Win32Exception ->
            false)

/// Runs a script on a new folder: `before` fills it, `after` reads what the script left there. Skipped where Python or one
/// of the modules is absent.
let script (modules: string list) (name: string) (before: string -> unit) (after: string -> string -> unit) =
    let python = withModules modules

    if python.IsNone then
        Assert.Ignore("python3 with " + String.concat " and " modules + " is not installed here.")

    let folder = Directory.CreateTempSubdirectory "cnn"

    try
        before folder.FullName

        let code, output =
            run python.Value [ Path.Combine(AppContext.BaseDirectory, "Formats", name); folder.FullName ]

        Assert.That(code, equalTo 0, output)
        after folder.FullName output
    finally
        folder.Delete true
