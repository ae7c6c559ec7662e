// Finishes the site that fsdocs built: links that hold wherever it is put, names of the library linked to its reference,
// and nothing that a reader's browser would fetch from elsewhere. Ends with 1 where a link leads nowhere.
// dotnet fsi docs/site/finish.fsx FOLDER

open System
open System.Collections.Generic
open System.IO
open System.Text.RegularExpressions

let folder = Path.GetFullPath fsi.CommandLineArgs[1]

/// What stands for the root in the pages of fsdocs, which cannot be relative.
let root = "ROOT-OF-THE-SITE/"

let relative (path: string) = Path.GetRelativePath(folder, path).Replace('\\', '/')

let pages =
    Directory.GetFiles(folder, "*.html", SearchOption.AllDirectories)
    |> Array.sort
    |> Array.map (fun path -> relative path, File.ReadAllText path)

let anchors =
    pages
    |> Array.map (fun (page, text) ->
        page, HashSet(Regex.Matches(text, "(?:id|name)=\"([^\"]+)\"") |> Seq.map (fun m -> m.Groups[1].Value)))
    |> dict

/// Where the reference tells of Type.member, or of Type alone.
let target (typeName: string) (memberName: string) =
    [ "cnn-fsharp-"; "cnn-"; "cnn-fluent-" ]
    |> List.allPairs [ ""; "module"; "-1" ]
    |> List.map (fun (ending, scope) -> "reference/" + scope + typeName.ToLowerInvariant() + ending + ".html")
    |> List.filter anchors.ContainsKey
    |> List.tryPick (fun page ->
        if memberName = "" then Some page
        elif anchors[page].Contains memberName then Some(page + "#" + memberName)
        else None)

let mutable faults = 0

let fault page what =
    faults <- faults + 1
    eprintfn "%s: %s" page what

/// Names in running text, as in <code>Layers.conv2d</code>. A type that is known must have the member that is named.
let link (page: string) (text: string) =
    Regex.Replace(
        text,
        "(?<!<a [^>]*>)<code>([A-Z]\\w+)(?:\\.(\\w+))?</code>(?!</a>)",
        fun m ->
            match target m.Groups[1].Value m.Groups[2].Value with
            | Some page -> "<code><a href=\"" + root + page + "\">" + m.Value[6 .. m.Value.Length - 8] + "</a></code>"
            | None ->
                // Decisions may name what is not public.
                if (target m.Groups[1].Value "").IsSome && not (page.StartsWith "decisions/") then
                    fault page ("names " + m.Groups[1].Value + "." + m.Groups[2].Value + ", which is not there")

                m.Value
    )

let resolve (page: string) (href: string) =
    Path.GetRelativePath(folder, Path.Combine(folder, nonNull (Path.GetDirectoryName page), href)).Replace('\\', '/')

for page, text in pages do
    let up = String.replicate (page |> Seq.filter ((=) '/') |> Seq.length) "../"
    let linked = if page.StartsWith "reference/" then text else link page text
    let finished = linked.Replace(root, (if up = "" then "./" else up))
    File.WriteAllText(Path.Combine(folder, page), finished)

    for m in Regex.Matches(finished, "(href|src)=\"([^\"]*)\"") do
        let address = m.Groups[2].Value

        let file, anchor =
            match address.IndexOf '#' with
            | -1 -> address, ""
            | i -> address[.. i - 1], Uri.UnescapeDataString address[i + 1 ..]

        if address.Contains "://" then
            // A link may lead elsewhere; what a page loads may not.
            if m.Groups[1].Value = "src" || Regex.IsMatch(finished, "<link[^>]*" + Regex.Escape address) then
                fault page ("loads " + address)
        elif not (address.StartsWith "data:") && not (address.StartsWith "mailto:") then
            let wanted = if file = "" then page else resolve page file

            if not (File.Exists(Path.Combine(folder, wanted))) then
                fault page ("leads to " + address + ", which is not there")
            elif anchor <> "" && anchors.ContainsKey wanted && not (anchors[wanted].Contains anchor) then
                fault page ("leads to " + address + ", which has no such place")

printfn "%d pages, %d faults" pages.Length faults
exit (min 1 faults)
