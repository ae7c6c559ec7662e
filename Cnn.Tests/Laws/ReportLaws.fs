/// Pages and charts: what must be found in them, whatever the numbers and words.
module Cnn.Tests.Laws.ReportLaws

open System
open System.Text.RegularExpressions
open System.Xml.Linq
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Markup as a tree: what is no well-formed XML raises. Void elements are closed first.
let private parse (html: string) =
    let closed = Regex.Replace(html, "<(br|img|link|meta)\\b([^>]*)>", "<$1$2/>")
    XDocument.Parse("<all>" + closed + "</all>", LoadOptions.PreserveWhitespace)

let private elements name (tree: XDocument) =
    tree.Descendants() |> Seq.filter (fun e -> e.Name.LocalName = name) |> List.ofSeq

/// Characters that XML can hold.
let private readable (text: char list) = String(text |> List.filter (fun c -> c >= ' ' && c < '\uD800') |> Array.ofList)

let tests =
    testList "reports" [
        testProperty
            "words are words: markup in a text or an attribute is escaped"
            (fun (text: char list) (value: char list) ->
                let text, value = readable text, readable value
                let page = Html.render [ Element("p", [ "title", value ], [ Text text ]) ] |> parse
                let p = (elements "p" page).Head

                all [ same text p.Value; same value (nonNull (p.Attribute(XName.Get "title"))).Value ])

        testProperty
            "ticks cover the range in equal steps of 1, 2 or 5 times a power of ten"
            (fun (NormalFloat a) (NormalFloat b) ->
                let low, high = min a b, max a b

                let isFit =
                    (high = low || high - low > 1e-9 * max (abs low) (abs high)) && max (abs low) (abs high) < 1e100

                isFit
                ==> lazy
                    (let ticks = Chart.ticks low high
                     let steps = ticks |> List.pairwise |> List.map (fun (x, y) -> y - x)
                     let step = List.average steps
                     let lead = step / Math.Pow(10.0, floor (Math.Log10 step + 1e-6))

                     all [
                         same true (ticks.Head <= low + 1e-9 * step && List.last ticks >= high - 1e-9 * step)
                         same true (steps |> List.forall (fun s -> abs (s - step) < 1e-6 * step))
                         same true ([ 1.0; 2.0; 5.0; 10.0 ] |> List.exists (fun m -> abs (lead - m) < 1e-4))
                         same true (ticks.Length >= 2 && ticks.Length <= 13)
                     ]))

        testProperty
            "a chart has one point for each finite number, and a row of its table for each place"
            (fun (series: NonEmptyArray<float list>) ->
                let series = series.Get |> Array.truncate 6 |> List.ofArray

                let chart = {
                    Title = "title"
                    Across = "across"
                    Up = "up"
                    Series =
                        series
                        |> List.mapi (fun i values -> {
                            Name = "line " + string i
                            Points = values |> List.mapi (fun x y -> struct (float x, y))
                        })
                }

                let page = Html.render [ Chart.line chart ] |> parse
                let isFinite = List.filter Double.IsFinite

                let places =
                    series
                    |> List.collect (fun values ->
                        List.indexed values |> List.filter (snd >> Double.IsFinite) |> List.map fst)
                    |> List.distinct

                all [
                    same (series |> List.sumBy (isFinite >> List.length)) (elements "circle" page).Length
                    same (places.Length + 1) (elements "tr" page).Length
                    same series.Length (elements "li" page).Length
                ])

        testTheory
            "numbers at the ends of their range are drawn inside the chart"
            [ 0.0; Double.Epsilon; Double.MaxValue; -Double.MaxValue ]
            (fun (extreme: float) ->
                let chart = {
                    Title = "t"
                    Across = "x"
                    Up = "y"
                    Series = [ { Name = "s"; Points = [ struct (0.0, extreme); struct (1.0, -extreme) ] } ]
                }

                for circle in Html.render [ Chart.line chart ] |> parse |> elements "circle" do
                    let at name = float (nonNull (circle.Attribute(XName.Get name))).Value
                    Assert.That(at "cx", between (0.0, 640.0))
                    Assert.That(at "cy", between (0.0, 320.0)))

        testProperty
            "points keep their order: larger numbers stand higher and further right"
            (fun (values: NonEmptyArray<NormalFloat>) ->
                let values =
                    values.Get |> Array.map (fun (NormalFloat y) -> y / 1e10) |> Array.filter (fun y -> abs y < 1e90)

                let chart = {
                    Title = "t"
                    Across = "x"
                    Up = "y"
                    Series = [
                        { Name = "s"; Points = values |> Seq.mapi (fun x y -> struct (float x, y)) |> List.ofSeq }
                    ]
                }

                let circles = Html.render [ Chart.line chart ] |> parse |> elements "circle"
                let at name (e: XElement) = float (nonNull (e.Attribute(XName.Get name))).Value

                all [
                    for (a, y), (b, y') in List.zip circles (List.ofArray values) |> List.pairwise do
                        same true (at "cx" a < at "cx" b)
                        same true (if y <= y' then at "cy" a >= at "cy" b else at "cy" a <= at "cy" b)
                ])

        testCase "a page stands alone: nothing in it is fetched from elsewhere" (fun () ->
            let matrix = Metrics.confusion [| "a<b"; "c" |] [| 0; 1; 1 |] [| 0; 1; 0 |]
            let image = Image.Of(1, 1, 1, ReadOnlySpan [| 7uy |])

            let page =
                Report.page "Title & more" [
                    Report.section "Curves" [ Report.curves [] ]
                    Report.section "Classes" [ Report.confusion matrix; Report.classes matrix ]
                    Report.section "Pictures" [ Report.pictures [ image, "a<b" ] ]
                    Report.section "Settings" [ Report.settings "Settings" [ "net", "lenet5" ] ]
                ]

            let tree = parse (page.Replace("<!DOCTYPE html>", ""))

            let addresses = [
                for name in [ "src"; "href" ] do
                    for e in tree.Descendants() do
                        match e.Attribute(XName.Get name) with
                        | null -> ()
                        | found -> found.Value
            ]

            Assert.That(addresses, isNotEmpty)
            Assert.That(addresses |> List.forall (fun a -> a.StartsWith("data:", StringComparison.Ordinal)), isTrue)
            Assert.That(page, both (lacking ("@import")) (lacking ("url("))))
    ]
