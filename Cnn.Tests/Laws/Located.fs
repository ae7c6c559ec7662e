/// Where a test stands in the sources, as the debugging symbols beside the program tell.
module Cnn.Tests.Laws.Located

open System.IO
open System.Reflection
open System.Reflection.Metadata
open System.Reflection.Metadata.Ecma335
open Expecto

type Place = { File: string; Line: int }

let private program = Assembly.GetExecutingAssembly()

let private symbols =
    lazy
        let file = Path.Combine(System.AppContext.BaseDirectory, "Cnn.Tests.pdb")

        if File.Exists file then
            Some((MetadataReaderProvider.FromPortablePdbStream(File.OpenRead file)).GetMetadataReader())
        else
            None

/// What Law.fs puts around a test is not the test.
let private isTest (closure: System.Type) =
    closure.Assembly = program && not ((string closure.FullName).StartsWith "Cnn.Tests.Laws.Law+")

/// The function of ours in what a test runs: the test itself, or what is put around it holds it.
let rec private ours (code: obj | null) =
    match code with
    | null -> None
    | code when not ((string (code.GetType().BaseType)).Contains "FSharpFunc") -> None
    | code when isTest (code.GetType()) -> Some(code.GetType())
    | code ->
        code.GetType().GetFields(BindingFlags.Instance ||| BindingFlags.Public ||| BindingFlags.NonPublic)
        |> Seq.tryPick (fun field -> ours (field.GetValue code))

/// The file and line of a test's first statement; none where there are no symbols.
let place (code: TestCode) =
    let run: obj =
        match code with
        | Sync test -> test
        | SyncWithCancel test -> test
        | Async test -> test
        | AsyncFsCheck(_, _, test) -> test

    match symbols.Value, ours run with
    | Some symbols, Some closure ->
        closure.GetMethods(BindingFlags.DeclaredOnly ||| BindingFlags.Instance ||| BindingFlags.Public)
        |> Seq.collect (fun method ->
            let handle = MetadataTokens.MethodDefinitionHandle(method.MetadataToken &&& 0xFFFFFF)
            (symbols.GetMethodDebugInformation handle).GetSequencePoints())
        |> Seq.tryFind (fun point -> not point.IsHidden)
        |> Option.map (fun point -> {
            File = symbols.GetString((symbols.GetDocument point.Document).Name)
            Line = point.StartLine
        })
    | _ -> None
