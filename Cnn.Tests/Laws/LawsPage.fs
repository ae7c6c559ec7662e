/// docs/laws.md is what the tests are: each formula of SPEC with its laws, then the laws of everything else.
module Cnn.Tests.Laws.LawsPage

open System
open System.IO
open Expecto
open Cnn.Tests.Golden
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A test: its name, and its file below Cnn.Tests.
type private Test = { Name: string; File: string }

let private folder = "Cnn.Tests/"

let private testsOf (theories: Expecto.Test list) = [
    for theory in theories do
        for test in Test.toTestCodeList theory do
            match test.name, Located.place test.test with
            | _ :: name :: _, Some place ->
                let file = place.File.Replace('\\', '/')
                { Name = name; File = file.Substring(file.LastIndexOf folder + folder.Length) }
            | _ -> ()
]

let private named tests name = tests |> List.filter (fun t -> t.Name = name)
let private link file = $"[{file}](../Cnn.Tests/{file})"
let private code (name: string) = "`" + name + "`"
let private cell (text: string) = text.Replace("|", "\\|")

let private row cells = "| " + String.Join(" | ", List.map cell cells) + " |"

let private page tests =
    let table (formulas: Formulas.Formula list) = [
        row [ "Law"; "What it says"; "Source"; "File" ]
        row [ "---"; "---"; "---"; "---" ]
        for formula in formulas do
            for law in formula.Laws do
                for test in named tests law do
                    row [ code law; formula.Name; formula.Source; link test.File ]
    ]

    let cited = Formulas.all |> List.collect (fun f -> f.Laws) |> set

    [
        "# Laws"
        ""
        "Each test is a theorem, and its name is the equation. Generated from the tests, which fail where this page differs from"
        "them; `CNN_APPROVE=1 dotnet run -c Release --project Cnn.Tests -- --filter-test-list \"laws page\"` writes it anew."
        "Sections are those of SPEC, the page of formulas that the library is built on; the last two headings hold what is"
        "computed beyond it, and what is promised about programs rather than about mathematics."
        for section, title in Formulas.sections do
            ""
            (if section = "beyond" then "## " + title else $"## {section}. {title}")
            ""
            yield! Formulas.all |> List.filter (fun f -> f.Section = section) |> table
        ""
        "## Everything else"
        for file, laws in tests |> List.filter (fun t -> not (cited.Contains t.Name)) |> List.groupBy (fun t -> t.File) do
            ""
            "### " + link file
            ""

            for law in laws do
                "- " + code law.Name
        ""
    ]
    |> String.concat "\n"

let tests (theories: Expecto.Test list) =
    let tests =
        testsOf theories
        |> List.distinct
        |> List.sortWith (fun a b -> String.CompareOrdinal(a.File + "\n" + a.Name, b.File + "\n" + b.Name))

    testList "laws page" [
        testCase "every formula of SPEC has a law" (fun () ->
            let without = Formulas.all |> List.filter (fun f -> f.Laws.IsEmpty) |> List.map (fun f -> f.Name)
            Assert.That(without, isEmpty)
            let sections = Formulas.all |> List.map (fun f -> f.Section) |> List.distinct
            Assert.That(sections, equalTo (List.map fst Formulas.sections)))

        testCase "every law of a formula is one test" (fun () ->
            let wrong = [
                for formula in Formulas.all do
                    for law in formula.Laws do
                        match named tests law with
                        | [ _ ] -> ()
                        | found -> $"{formula.Section} {formula.Name}: {found.Length} tests are called ``{law}``"
            ]

            Assert.That(wrong, isEmpty))

        testCase "every law draws as many cases as CNN_CASES says, from the seed of CNN_SEED" (fun () ->
            for theory in theories do
                for test in Test.toTestCodeList theory do
                    match test.test with
                    | AsyncFsCheck(drawn, _, _) ->
                        let drawn = drawn |> Option.map (fun c -> c.replay, c.maxTest <= Law.configuration.maxTest)
                        Assert.That(drawn, equalTo (Some(Law.configuration.replay, true)), string test.name)
                    | _ -> ())

        testCase "docs∕laws.md is generated from the tests" (fun () ->
            match Vectors.repository () with
            | None -> Assert.Ignore "The sources are not here."
            | Some folder ->
                for test in tests do
                    Assert.That(File.Exists(Path.Combine(folder, "Cnn.Tests", test.File)), test.File)

                let path = Path.Combine(folder, "docs", "laws.md")

                if Environment.GetEnvironmentVariable "CNN_APPROVE" = "1" then
                    File.WriteAllText(path, page tests)

                let written = if File.Exists path then File.ReadAllText path else ""

                Assert.That(
                    written,
                    equalTo (page tests),
                    "docs/laws.md differs from the tests; CNN_APPROVE=1 writes it anew."
                ))
    ]
