/// What the lessons of this folder share: claims that are checked where they are made, and pictures as text.
module Lesson

#load "Cnn.fsx"

open System
open Cnn

/// Prints a claim that holds; a claim that does not hold ends the script.
let claim (text: string) (holds: bool) =
    if holds then
        printfn "✓ %s" text
    else
        raise (InvalidOperationException("This does not hold: " + text))

/// |a − b| ≤ tolerance·max(1, |a|).
let near tolerance (a: float) (b: float) = abs (a - b) <= tolerance * max 1.0 (abs a)

/// Pictures of height×width×1 as text, side by side, two characters to a pixel. Each is scaled by itself: from dark, its least
/// value, to light, its greatest.
let draw (pictures: Tensor<float> list) =
    let rows (picture: Tensor<float>) =
        let values = picture.ToArray()
        let low, high = Array.min values, Array.max values
        let shade value = " ░▒▓█"[min 4 (int (5.0 * (value - low) / max 1e-12 (high - low)))]

        values
        |> Array.chunkBySize picture.Shape[1]
        |> Array.map (fun row -> row |> Array.map (fun value -> String(shade value, 2)) |> String.Concat)

    let height = pictures |> List.map (fun picture -> picture.Shape[0]) |> List.max

    for i in 0 .. height - 1 do
        pictures
        |> List.map (fun picture ->
            Array.tryItem i (rows picture) |> Option.defaultValue (String(' ', 2 * picture.Shape[1])))
        |> String.concat "    "
        |> fun line -> printfn "%s" (line.TrimEnd())
