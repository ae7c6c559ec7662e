namespace Cnn.FSharp

open System
open System.Globalization
open Cnn

/// <summary>The table that describes a network, in the form that Keras users know.</summary>
[<RequireQualifiedAccess>]
module Summary =

    let private widths = [ 31; 22; 13 ]

    let private grouped (n: int) = n.ToString("N0", CultureInfo.InvariantCulture)

    /// Bytes in the largest unit of 1024 that leaves at least 1, as in 4.86 MB.
    let private memory (bytes: int64) =
        let units = [| "B"; "KB"; "MB"; "GB"; "TB" |]

        let rec scale value power =
            if value < 1024.0 || power = units.Length - 1 then
                value, units[power]
            else
                scale (value / 1024.0) (power + 1)

        let value, unit = scale (float bytes) 0
        value.ToString("F2", CultureInfo.InvariantCulture) + " " + unit

    let private rule (left: string) (line: char) (cross: string) (right: string) =
        left + String.Join(cross, widths |> List.map (fun w -> String(line, w + 2))) + right

    /// Cells of one row, wrapped at spaces to the width of their columns, the third aligned to the right.
    let private row edge (cells: string list) =
        let wrap width (text: string) =
            text.Split ' '
            |> Array.fold
                (fun lines word ->
                    match lines with
                    | line :: above when String.length line + 1 + word.Length <= width -> (line + " " + word) :: above
                    | _ -> word :: lines)
                []
            |> List.rev

        let wrapped = List.map2 wrap widths cells
        let height = wrapped |> List.map List.length |> List.max

        let line i =
            List.map2 (fun w lines -> w, List.tryItem i lines |> Option.defaultValue "") widths wrapped
            |> List.mapi (fun column (w, text) -> if column = 2 then text.PadLeft w else text.PadRight w)
            |> fun cells -> edge + " " + String.Join(" " + edge + " ", cells) + " " + edge

        List.init height line

    /// <summary>The table of layers, output shapes and parameters, with totals.</summary>
    /// <param name="name">Printed above the table.</param>
    /// <param name="bytesPerNumber">4 for float32, 8 for float.</param>
    /// <param name="rows">The layers.</param>
    let format (name: string) (bytesPerNumber: int) (rows: SummaryRow list) =
        let body =
            rows
            |> List.map (fun r ->
                let shape = "(None, " + String.Join(", ", r.Output.Extents.ToArray()) + ")"
                row "│" [ r.Name + " (" + r.Type + ")"; shape; grouped r.Parameters ])

        let total title count =
            " " + title + ": " + grouped count + " (" + memory (int64 count * int64 bytesPerNumber) + ")"

        let trainable = rows |> List.sumBy (fun r -> r.Trainable)
        let others = rows |> List.sumBy (fun r -> r.NonTrainable)

        [
            yield "Model: \"" + name + "\""
            yield rule "┏" '━' "┳" "┓"
            yield! row "┃" [ "Layer (type)"; "Output Shape"; "Param #" ]
            yield rule "┡" '━' "╇" "┩"
            yield!
                body
                |> List.mapi (fun i lines -> if i = 0 then lines else rule "├" '─' "┼" "┤" :: lines)
                |> List.concat
            yield rule "└" '─' "┴" "┘"
            yield total "Total params" (trainable + others)
            yield total "Trainable params" trainable
            yield total "Non-trainable params" others
        ]
        |> String.concat "\n"
