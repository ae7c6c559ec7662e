/// What the lessons of this folder share: claims that are checked where they are made, and pictures as text.
module Lesson

#load "Cnn.fsx"

open System
open Cnn

/// Prints a claim that holds; a claim that does not hold ends the process, be it the script's or that of the pages' making.
let claim (text: string) (holds: bool) =
    if holds then
        printfn "✓ %s" text
    else
        eprintfn "✗ %s" text
        exit 1

/// |a − b| ≤ tolerance·max(1, |a|).
let near tolerance (a: float) (b: float) = abs (a - b) <= tolerance * max 1.0 (abs a)

/// Pictures of height×width×1 as text, side by side, two characters to a pixel. Each is scaled by itself: from blank, its least
/// value, to solid, its greatest.
let draw (pictures: Tensor<float> list) =
    let frame (picture: Tensor<float>) =
        let values = picture.ToArray()
        let low, high = Array.min values, Array.max values
        let shade value = " ░▒▓█"[min 4 (int (5.0 * (value - low) / max 1e-12 (high - low)))]
        let line = String('─', 2 * picture.Shape[1])

        [
            yield "┌" + line + "┐"
            for row in Array.chunkBySize picture.Shape[1] values do
                yield "│" + String.Concat(row |> Array.map (fun value -> String(shade value, 2))) + "│"
            yield "└" + line + "┘"
        ]

    let frames = pictures |> List.map frame
    let height = frames |> List.map List.length |> List.max

    frames
    |> List.map (fun lines -> lines @ List.replicate (height - lines.Length) (String(' ', lines.Head.Length)))
    |> List.transpose
    |> List.iter (String.concat " " >> printfn "%s")
