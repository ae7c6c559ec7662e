/// docs/laws.md is what the tests are: each formula of SPEC with its laws, then the laws of everything else.
module Cnn.Tests.Laws.LawsPage

open System
open System.IO
open System.Reflection
open NUnit.Framework
open NUnit.Framework.Interfaces
open Cnn.Tests.Golden
open Cnn.Tests.Laws.Closeness

/// A test: its name, and its file below Cnn.Tests.
type private Test = { Name: string; File: string }

let private tests =
    let isTest (m: MethodInfo) =
        m.GetCustomAttributes(false) |> Array.exists (fun a -> a :? ITestBuilder || a :? ISimpleTestBuilder)

    let rec outermost (t: Type) =
        match t.DeclaringType with
        | null -> t
        | outer -> outermost outer

    // The module Cnn.Tests.Laws.KeyLaws is the file Laws/KeyLaws.fs.
    let file (t: Type) = ((string (outermost t)).Replace("Cnn.Tests.", "").Replace('.', '/')) + ".fs"

    let everywhere =
        BindingFlags.DeclaredOnly ||| BindingFlags.Public ||| BindingFlags.Static ||| BindingFlags.Instance

    [
        for t in Assembly.GetExecutingAssembly().GetTypes() do
            for m in t.GetMethods everywhere do
                if isTest m then
                    { Name = m.Name; File = file t }
    ]
    |> List.distinct
    |> List.sortWith (fun a b -> String.CompareOrdinal(a.File + "\n" + a.Name, b.File + "\n" + b.Name))

let private named name = tests |> List.filter (fun t -> t.Name = name)
let private link file = $"[{file}](../Cnn.Tests/{file})"
let private code (name: string) = "`" + name + "`"
let private cell (text: string) = text.Replace("|", "\\|")

let private row cells = "| " + String.Join(" | ", List.map cell cells) + " |"

let private page =
    let table (formulas: Formulas.Formula list) = [
        row [ "Law"; "What it says"; "Source"; "File" ]
        row [ "---"; "---"; "---"; "---" ]
        for formula in formulas do
            for law in formula.Laws do
                for test in named law do
                    row [ code law; formula.Name; formula.Source; link test.File ]
    ]

    let cited = Formulas.all |> List.collect (fun f -> f.Laws) |> set

    [
        "# Laws"
        ""
        "Each test is a theorem, and its name is the equation. Generated from the tests, which fail where this page differs from"
        "them; `CNN_APPROVE=1 dotnet test --filter LawsPage` writes it anew. Sections are those of SPEC, the page of formulas that"
        "the library is built on; the last two headings hold what is computed beyond it, and what is promised about programs"
        "rather than about mathematics."
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

[<Test>]
let ``every formula of SPEC has a law`` () =
    let without = Formulas.all |> List.filter (fun f -> f.Laws.IsEmpty) |> List.map (fun f -> f.Name)
    Assert.That(without, Is.Empty)
    let sections = Formulas.all |> List.map (fun f -> f.Section) |> List.distinct
    Assert.That(sections, equalTo (List.map fst Formulas.sections))

[<Test>]
let ``every law of a formula is one test`` () =
    let wrong = [
        for formula in Formulas.all do
            for law in formula.Laws do
                match named law with
                | [ _ ] -> ()
                | found -> $"{formula.Section} {formula.Name}: {found.Length} tests are called ``{law}``"
    ]

    Assert.That(wrong, Is.Empty)

[<Test>]
let ``docs∕laws.md is generated from the tests`` () =
    match Vectors.repository () with
    | None -> Assert.Ignore "The sources are not here."
    | Some folder ->
        for test in tests do
            Assert.That(File.Exists(Path.Combine(folder, "Cnn.Tests", test.File)), test.File)

        let path = Path.Combine(folder, "docs", "laws.md")

        if Environment.GetEnvironmentVariable "CNN_APPROVE" = "1" then
            File.WriteAllText(path, page)

        let written = if File.Exists path then File.ReadAllText path else ""
        Assert.That(written, equalTo page, "docs/laws.md differs from the tests; CNN_APPROVE=1 writes it anew.")
