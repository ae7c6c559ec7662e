namespace Cnn.FSharp

open System
open System.Globalization
open Cnn

/// <summary>Pages that show what a network learned: self-contained, no network needed, readable in the dark, on a phone and in print.</summary>
/// <remarks>Pure: a page is a value until it is rendered.</remarks>
[<RequireQualifiedAccess>]
module Report =

    let private style =
        """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --heat: #8ec5ff;
  --series0: #0b62c4; --series1: #c4470b; --series2: #1a7f37; --series3: #8250df; --series4: #9a6700; --series5: #bf3989; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #0d1117; --line: #30363d; --heat: #1f5c99;
  --series0: #6cb6ff; --series1: #ffa657; --series2: #56d364; --series3: #d2a8ff; --series4: #e3b341; --series5: #ff9bce; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
figure { margin: 1rem 0; } figcaption, caption { font-weight: 600; text-align: left; margin-bottom: .25rem; }
.chart > svg { width: 100%; max-width: 46rem; height: auto; font-size: 12px; } svg text { fill: var(--soft); } svg .across { text-anchor: middle; } svg .up { text-anchor: end; }
.axis, .tick { stroke: var(--soft); } .grid { stroke: var(--line); }
.series polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; } .series circle { stroke: none; } .series circle:hover { r: 6px; }
.series0 { --colour: var(--series0); } .series1 { --colour: var(--series1); } .series2 { --colour: var(--series2); }
.series3 { --colour: var(--series3); } .series4 { --colour: var(--series4); } .series5 { --colour: var(--series5); }
.series polyline { stroke: var(--colour); } .series circle { fill: var(--colour); }
.series1 polyline { stroke-dasharray: 8 3; } .series2 polyline { stroke-dasharray: 2 3; } .series3 polyline { stroke-dasharray: 10 3 2 3; }
.swatch { width: 2em; height: .5em; margin-right: .4em; vertical-align: middle; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: .25rem 0; padding: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0; min-width: min(100%, 20rem); } th, td { padding: .2rem .6rem; border: 1px solid var(--line); }
td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } th { text-align: right; } th:first-child { text-align: left; } th[scope=row] { font-weight: 500; white-space: nowrap; } caption { max-width: calc(100vw - 2rem); }
.words { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.beside { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 2rem; } .beside > * { max-width: 100%; }
.heat { background: color-mix(in srgb, var(--heat) var(--share), transparent); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .75rem; }
.pictures figure { margin: 0; } .pictures img { width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--line); }
.pictures figcaption { font-weight: 400; font-size: .85rem; overflow-wrap: anywhere; }
pre { overflow-x: auto; font-size: .8rem; line-height: 1.2; }
:focus-visible { outline: 2px solid var(--series0); }
/* A chart shrinks with the page, its words must not. */
@media (max-width: 32rem) { .chart > svg { font-size: 20px; } }
@media print { body { max-width: none; padding: 0; } h2, caption { break-after: avoid; } figure, table { break-inside: avoid; }
  .scroll, pre { overflow: visible; } table { font-size: .8rem; } th, td { padding: .15rem .4rem; } td { white-space: normal; } pre { font-size: .65rem; } .heat { print-color-adjust: exact; } summary { display: none; } }
"""

    /// <summary>A part of the page with a heading.</summary>
    let section heading (children: Html list) : Html = Element("section", [], Html.text "h2" heading :: children)

    /// <summary>Words between the figures.</summary>
    let paragraph words : Html = Html.text "p" words

    /// <summary>Text in which every space counts, such as a summary.</summary>
    let preformatted words : Html = Html.text "pre" words

    /// <summary>A table of names and values, such as settings.</summary>
    let settings caption (rows: (string * string) list) : Html =
        let value words = Element("td", [ "class", "words" ], [ Text words ])
        Html.table caption [] (rows |> List.map (fun (name, words) -> name, [ value words ]))

    /// <summary>Pieces beside each other, as far as the width of the page reaches.</summary>
    let beside (pieces: Html list) : Html = Element("div", [ "class", "beside" ], pieces)

    /// <summary>A table of words: names of the columns, then rows whose first cell names them.</summary>
    let table caption (heads: string list) (rows: string list list) : Html =
        Html.table caption heads (rows |> List.map (fun row -> row.Head, row.Tail |> List.map (Html.text "td")))

    let private percent (share: float) = (100.0 * share).ToString("0.00", CultureInfo.InvariantCulture) + " %"

    /// <summary>Loss and accuracy over the epochs, of training and validation.</summary>
    let curves (history: EpochResult list) : Html =
        let points (value: EpochResult -> float) = history |> List.map (fun e -> struct (float e.Epoch, value e))

        let validation (value: Evaluation -> float) =
            match history |> List.exists (fun e -> not (isNull e.Validation)) with
            | false -> []
            | true -> [
                {
                    Name = "validation"
                    Points =
                        points (fun e ->
                            match e.Validation with
                            | null -> nan
                            | found -> value found)
                }
              ]

        let chart title up ofTraining ofValidation =
            Chart.line {
                Title = title
                Across = "epoch"
                Up = up
                Series = { Name = "training"; Points = points ofTraining } :: validation ofValidation
            }

        Element(
            "div",
            [ "id", "curves" ],
            [
                chart "Loss" "loss" (fun e -> e.Loss) (fun v -> v.Loss)
                chart "Accuracy" "accuracy" (fun e -> e.Accuracy) (fun v -> v.Accuracy)
            ]
        )

    /// <summary>Which classes were taken for which: true classes down, predicted ones across, shaded by the share of the row.</summary>
    let confusion (matrix: ConfusionMatrix) : Html =
        let classes = [ 0 .. matrix.ClassCount - 1 ]

        let row actual =
            let total = classes |> List.sumBy (fun predicted -> matrix[actual, predicted])

            matrix.ClassNames[actual],
            classes
            |> List.map (fun predicted ->
                let count = matrix[actual, predicted]
                string count, (if total = 0 then 0.0 else float count / float total))

        Chart.heat
            "Confusion matrix: true class down, predicted class across"
            ("true" :: List.ofSeq matrix.ClassNames)
            (classes |> List.map row)

    /// <summary>Precision, recall, F1 and support of every class.</summary>
    let classes (matrix: ConfusionMatrix) : Html =
        let row c =
            let score: ClassScore = matrix.Score(c: int)
            let cells = [ percent score.Precision; percent score.Recall; percent score.F1; string score.Support ]
            matrix.ClassNames[c], cells |> List.map (Html.text "td")

        Html.table "Classes" [ "class"; "precision"; "recall"; "F1"; "pictures" ] (List.init matrix.ClassCount row)

    /// <summary>Pictures with a line of words under each.</summary>
    let pictures (items: (Image * string) list) : Html =
        let figure (image: Image, words) =
            let source = "data:image/png;base64," + Convert.ToBase64String(Png.encode image)

            Element(
                "figure",
                [],
                [
                    Element(
                        "img",
                        [ "src", source; "alt", words; "width", string image.Width; "height", string image.Height ],
                        []
                    )
                    Html.text "figcaption" words
                ]
            )

        Element("div", [ "class", "pictures" ], List.map figure items)

    /// Renews the curves whenever the server says that an epoch is done.
    let private live =
        """
const source = new EventSource('events');
source.addEventListener('epoch', event => { document.getElementById('curves').outerHTML = JSON.parse(event.data); });
source.addEventListener('end', event => { document.getElementById('state').textContent = JSON.parse(event.data); source.close(); });
"""

    let private document title (head: Html list) (body: Html list) =
        let page =
            Element(
                "html",
                [ "lang", "en" ],
                [
                    Element(
                        "head",
                        [],
                        [
                            Element("meta", [ "charset", "utf-8" ], [])
                            Element(
                                "meta",
                                [ "name", "viewport"; "content", "width=device-width, initial-scale=1" ],
                                []
                            )
                            Element("link", [ "rel", "icon"; "href", "data:," ], [])
                            Html.text "title" title
                            Html.text "style" style
                        ]
                        @ head
                    )
                    Element("body", [], [ Element("main", [], Html.text "h1" title :: body) ])
                ]
            )

        "<!DOCTYPE html>\n" + Html.render [ page ] + "\n"

    /// <summary>The text of a page.</summary>
    let page title (sections: Html list) = document title [] sections

    /// <summary>The text of a page whose curves are renewed by server-sent events of the address <c>events</c>.</summary>
    /// <remarks>Event <c>epoch</c> carries the curves as a JSON string, event <c>end</c> the words of the state.</remarks>
    let livePage title (history: EpochResult list) =
        let state = Element("p", [ "id", "state"; "role", "status" ], [ Text "Training …" ])
        document title [] [ state; curves history; Html.text "script" live ]
