namespace Cnn.FSharp

open System
open System.Globalization

/// <summary>A line of a chart; points that are not finite leave a gap.</summary>
type Series = {
    /// <summary>What the legend says.</summary>
    Name: string
    /// <summary>Points x, y, from left to right.</summary>
    Points: struct (float * float) list
}

/// <summary>A chart of lines over a common axis.</summary>
type LineChart = {
    /// <summary>What is shown.</summary>
    Title: string
    /// <summary>Name and unit of the horizontal axis.</summary>
    Across: string
    /// <summary>Name and unit of the vertical axis.</summary>
    Up: string
    /// <summary>The lines, at most six.</summary>
    Series: Series list
}

/// <summary>Charts as inline SVG, with axes, ticks, a legend, tooltips and a table of the same numbers.</summary>
/// <remarks>Pure. Colours come from the style sheet of the page: they change with light and dark.</remarks>
[<RequireQualifiedAccess>]
module Chart =

    let private width, height = 640.0, 320.0
    // Room for the words of a phone, which are nearly twice as large beside the lines.
    let private left, right, top, bottom = 84.0, 16.0, 14.0, 48.0
    let private wanted = 6.0

    let private number (x: float) = x.ToString("0.##", CultureInfo.InvariantCulture)
    let private words (x: float) = x.ToString("G4", CultureInfo.InvariantCulture)

    /// <summary>Round numbers that cover a range: steps of 1, 2 or 5 times a power of ten. Heckbert 1990, Nice numbers.</summary>
    let ticks (low: float) (high: float) : float list =
        // Beyond these, the steps themselves overflow or vanish.
        let low, high = Math.Clamp(low, -1e300, 1e300), Math.Clamp(high, -1e300, 1e300)
        let size = max (abs low) (abs high)

        // Numbers that differ in their last digits only are one number to the eye.
        let span =
            if size < 1e-300 then 1.0
            elif high - low > 1e-9 * size then high - low
            else size

        let rough = span / (wanted - 1.0)
        let power = Math.Pow(10.0, floor (Math.Log10 rough))
        let lead = rough / power

        let step =
            power
            * (if lead < 1.5 then 1.0
               elif lead < 3.0 then 2.0
               elif lead < 7.0 then 5.0
               else 10.0)

        let first, last = floor (low / step), ceil (max high (low + span * 0.5) / step)
        List.init (int (last - first) + 1) (fun i -> (first + float i) * step)

    let private element tag attributes children = Element(tag, attributes, children)

    /// A chart of lines.
    let line (chart: LineChart) : Html =
        let finite =
            chart.Series
            |> List.collect (fun s -> s.Points)
            |> List.filter (fun struct (x, y) -> Double.IsFinite x && Double.IsFinite y)

        let range (values: float list) =
            if values.IsEmpty then
                [ 0.0; 1.0 ]
            else
                ticks (List.min values) (List.max values)

        let across = range (finite |> List.map (fun struct (x, _) -> x))
        let up = range (finite |> List.map (fun struct (_, y) -> y))

        // Nothing lies between the epochs.
        let isWhole (x: float) = floor x = x
        let areWhole = finite |> List.forall (fun struct (x, _) -> isWhole x)

        let place low high from until (value: float) =
            from + (Math.Clamp(value, low, high) - low) / (high - low) * (until - from)

        let x = place across.Head (List.last across) left (width - right)
        let y = place up.Head (List.last up) (height - bottom) top

        let label attributes words = element "text" attributes [ Text words ]

        let stroke name x1 y1 x2 y2 =
            element "line" [ "class", name; "x1", number x1; "y1", number y1; "x2", number x2; "y2", number y2 ] []

        let axes = [
            for value in across |> List.filter (fun value -> isWhole value || not areWhole) do
                stroke "tick" (x value) (height - bottom) (x value) (height - bottom + 5.0)
                label [ "x", number (x value); "y", number (height - bottom + 20.0); "class", "across" ] (words value)
            for value in up do
                stroke "grid" left (y value) (width - right) (y value)
                label [ "x", number (left - 8.0); "y", number (y value + 4.0); "class", "up" ] (words value)
            stroke "axis" left (height - bottom) (width - right) (height - bottom)
            label
                [ "x", number ((left + width - right) / 2.0); "y", number (height - 6.0); "class", "across" ]
                chart.Across
            label
                [
                    "x", number (-(top + height - bottom) / 2.0)
                    "y", "18"
                    "transform", "rotate(-90)"
                    "class", "across"
                ]
                chart.Up
        ]

        // Runs of finite points; a gap between them is left open.
        let rec runs (points: struct (float * float) list) =
            let isFinite struct (x, y) = Double.IsFinite x && Double.IsFinite y

            match List.skipWhile (isFinite >> not) points with
            | [] -> []
            | rest -> List.takeWhile isFinite rest :: runs (List.skipWhile isFinite rest)

        let lines =
            chart.Series
            |> List.mapi (fun i series ->
                element "g" [ "class", "series series" + string i; "data-series", series.Name ] [
                    for run in runs series.Points do
                        let path = run |> List.map (fun struct (px, py) -> number (x px) + "," + number (y py))
                        element "polyline" [ "points", String.Join(' ', path) ] []

                        for struct (px, py) in run do
                            element "circle" [ "cx", number (x px); "cy", number (y py); "r", "3.5" ] [
                                element "title" [] [
                                    Text(series.Name + ": " + words py + " (" + chart.Across + " " + words px + ")")
                                ]
                            ]
                ])

        // A piece of a line, as it is drawn.
        let swatch i =
            element "svg" [ "class", "swatch series series" + string i; "viewBox", "0 0 40 10"; "aria-hidden", "true" ] [
                element "polyline" [ "points", "0,5 40,5" ] []
            ]

        let legend =
            element
                "ul"
                [ "class", "legend" ]
                (chart.Series |> List.mapi (fun i series -> element "li" [] [ swatch i; Text series.Name ]))

        let values = finite |> List.map (fun struct (x, _) -> x) |> List.distinct |> List.sort

        let rows =
            values
            |> List.map (fun value ->
                words value,
                chart.Series
                |> List.map (fun series ->
                    match series.Points |> List.tryFind (fun struct (x, _) -> x = value) with
                    | Some(struct (_, found)) -> Html.text "td" (words found)
                    | None -> Html.text "td" "–"))

        element "figure" [ "class", "chart" ] [
            Html.text "figcaption" chart.Title
            element
                "svg"
                [
                    "viewBox", "0 0 " + number width + " " + number height
                    "role", "img"
                    "tabindex", "0"
                    "aria-label", chart.Title + ": the table below has the same numbers"
                ]
                (axes @ lines)
            legend
            element "details" [] [
                Html.text "summary" "The same as a table"
                Html.table chart.Title (chart.Across :: (chart.Series |> List.map (fun s -> s.Name))) rows
            ]
        ]

    /// <summary>A table of numbers with cells shaded by share: 0 not at all, 1 in full.</summary>
    /// <param name="caption">What is shown.</param>
    /// <param name="heads">What the rows are, then the names of the columns.</param>
    /// <param name="rows">Name, then text and share of each cell.</param>
    let heat caption (heads: string list) (rows: (string * (string * float) list) list) : Html =
        let cell (words, share: float) =
            let share = if Double.IsFinite share then Math.Clamp(share, 0.0, 1.0) else 0.0
            element "td" [ "class", "heat"; "style", "--share:" + number (100.0 * share) + "%" ] [ Text words ]

        Html.table caption heads (rows |> List.map (fun (name, cells) -> name, List.map cell cells))
