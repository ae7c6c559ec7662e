namespace Cnn.FSharp

open System
open System.Globalization
open Cnn

/// <summary>What a comparison of networks says: tables, words drawn from its numbers, and a page.</summary>
/// <remarks>Pure.</remarks>
[<RequireQualifiedAccess>]
module ComparisonReport =

    let private text (format: string) (x: float) = x.ToString(format, CultureInfo.InvariantCulture)
    let private points (share: float) = text "0.0" (100.0 * share)

    let private accuracy (outcome: ComparisonOutcome) =
        if Double.IsNaN outcome.Accuracy then
            "diverged"
        else
            points outcome.Accuracy
            + " %"
            + (if outcome.Trials.Length > 1 then " ± " + points outcome.Spread else "")

    /// <summary>Heads of the table of a level: what the source printed, its settings trained again, and the best ones, side by side.</summary>
    let heads = [
        "network"
        "parameters"
        "printed"
        "source's settings"
        "best settings"
        "printed seconds"
        "source's seconds"
        "best seconds"
    ]

    /// <summary>The row of a network, under <c>heads</c>.</summary>
    /// <param name="outcomes">Of one network on one level, at least one: with the settings of its source, with the best ones, or both.</param>
    let cells (outcomes: ComparisonOutcome list) : string list =
        let first = outcomes.Head
        let shown = Option.defaultValue "–"
        let printed show = outcomes |> List.tryPick (fun o -> o.Contestant.Printed) |> Option.bind show |> shown

        let measured settings show =
            outcomes |> List.tryFind (fun o -> o.Contestant.Settings = settings) |> Option.map show |> shown

        let seconds (outcome: ComparisonOutcome) = text "0.0" outcome.Seconds

        [
            first.Contestant.Architecture.Name
            first.Parameters.ToString("N0", CultureInfo.InvariantCulture)
            printed (fun printed -> Some(points printed.Accuracy + " %"))
            measured SettingsOrigin.Source accuracy
            measured SettingsOrigin.Best accuracy
            printed (fun printed -> printed.Seconds |> Option.map (text "0.0"))
            measured SettingsOrigin.Source seconds
            measured SettingsOrigin.Best seconds
        ]

    let private best isChosen (outcomes: ComparisonOutcome list) =
        outcomes
        |> List.filter (fun outcome -> isChosen outcome.Contestant && Double.IsFinite outcome.Accuracy)
        |> List.sortByDescending (fun outcome -> outcome.Accuracy)
        |> List.tryHead

    /// How far the best convolutional network is ahead of the best dense one.
    let private lead settings outcomes =
        let ofKind isConvolutional =
            outcomes |> best (fun c -> c.Settings = settings && c.IsConvolutional = isConvolutional)

        match ofKind false, ofKind true with
        | Some dense, Some convolutional -> Some(dense, convolutional)
        | _ -> None

    let private sentence settings (outcomes: ComparisonOutcome list) =
        let whose =
            match settings with
            | SettingsOrigin.Source -> "the settings of the source"
            | SettingsOrigin.Best -> "the best settings"

        lead settings outcomes
        |> Option.map (fun (dense, convolutional) ->
            let gap = convolutional.Accuracy - dense.Accuracy
            let noise = dense.Spread + convolutional.Spread

            let verdict =
                if abs gap <= noise || points (abs gap) = "0.0" then
                    "no difference that these trainings can tell from chance."
                elif gap > 0.0 then
                    "convolution is " + points gap + " points ahead."
                else
                    "convolution is " + points -gap + " points behind."

            "With "
            + whose
            + " the best dense network is "
            + dense.Contestant.Architecture.Name
            + " with "
            + accuracy dense
            + ", the best convolutional one "
            + convolutional.Contestant.Architecture.Name
            + " with "
            + accuracy convolutional
            + ": "
            + verdict)

    let private levels (outcomes: ComparisonOutcome list) =
        outcomes |> List.groupBy (fun outcome -> outcome.Contestant.Level)

    let private growth (outcomes: ComparisonOutcome list) =
        let gaps =
            levels outcomes
            |> List.choose (fun (_, members) -> lead SettingsOrigin.Best members)
            |> List.map (fun (dense, convolutional) -> convolutional.Accuracy - dense.Accuracy)

        let listed = String.Join(", ", gaps |> List.map points) + " points"

        match gaps with
        | []
        | [ _ ] -> None
        | _ when gaps |> List.pairwise |> List.forall (fun (before, after) -> after > before) ->
            Some("The lead of convolution grows from level to level: " + listed + ".")
        | _ when List.last gaps > List.head gaps ->
            Some(
                "The lead of convolution grows from the first level to the last, though not at every step: "
                + listed
                + "."
            )
        | _ -> Some("The lead of convolution does not grow with the level: " + listed + ".")

    let private speed (outcomes: ComparisonOutcome list) =
        let factors =
            outcomes
            |> List.choose (fun outcome ->
                outcome.Contestant.Printed
                |> Option.bind (fun printed -> printed.Seconds)
                |> Option.filter (fun _ -> outcome.Seconds > 0.0)
                |> Option.map (fun seconds -> seconds / outcome.Seconds))

        if factors.IsEmpty then
            None
        else
            Some(
                "Trainings that the source gives a time for took it "
                + text "0.0" (List.min factors)
                + " to "
                + text "0.0" (List.max factors)
                + " times as long, on its machine and its data."
            )

    /// <summary>What the numbers say, sentence by sentence: of each level, then of all; nothing where trainings were cut short.</summary>
    let conclusions (outcomes: ComparisonOutcome list) : string list =
        if outcomes |> List.forall (fun outcome -> outcome.IsWhole) then
            [
                for name, members in levels outcomes do
                    for settings in [ SettingsOrigin.Source; SettingsOrigin.Best ] do
                        match sentence settings members with
                        | Some words -> name + ". " + words
                        | None -> ()

                yield! Option.toList (growth outcomes)
                yield! Option.toList (speed outcomes)
            ]
        else
            [ "Trainings were cut short: everything works, and no more can be said of the networks." ]

    /// <summary>The notes on a level's outcomes: what explains a difference from the printed number.</summary>
    let notes (outcomes: ComparisonOutcome list) : string list =
        outcomes
        |> List.choose (fun outcome ->
            outcome.Note |> Option.map (fun note -> outcome.Contestant.Architecture.Name + ": " + note))

    /// <summary>The study as a page that needs no network.</summary>
    /// <param name="settings">Names and values that say how it was made.</param>
    /// <param name="outcomes">Of all levels.</param>
    let page (settings: (string * string) list) (outcomes: ComparisonOutcome list) : string =
        let chart =
            let points settings isConvolutional = [
                for i, (_, members) in List.indexed (levels outcomes) do
                    match members |> best (fun c -> c.Settings = settings && c.IsConvolutional = isConvolutional) with
                    | Some outcome -> struct (float (i + 1), 100.0 * outcome.Accuracy)
                    | None -> ()
            ]

            Chart.line {
                Title = "Best network of each kind"
                Across =
                    String.Join(", ", levels outcomes |> List.mapi (fun i (name, _) -> string (i + 1) + ": " + name))
                Up = "accuracy, %"
                Series = [
                    { Name = "dense, source's settings"; Points = points SettingsOrigin.Source false }
                    { Name = "convolutional, source's settings"; Points = points SettingsOrigin.Source true }
                    { Name = "dense, best settings"; Points = points SettingsOrigin.Best false }
                    { Name = "convolutional, best settings"; Points = points SettingsOrigin.Best true }
                ]
            }

        let table (name, members: ComparisonOutcome list) =
            let rows = members |> List.groupBy (fun o -> o.Contestant.Architecture.Name) |> List.map (snd >> cells)

            let pictures =
                let first = members.Head.Trials.Head

                "share of "
                + string first.Tested
                + " pictures told right after learning from "
                + string first.Learned

            Report.section
                name
                (Report.table ("Networks on " + name + ": " + pictures + ", and seconds of training") heads rows
                 :: (notes members |> List.map Report.paragraph))

        Report.page "Dense against convolutional" [
            Report.section "What the numbers say" (conclusions outcomes |> List.map Report.paragraph)
            Report.section "From level to level" [ chart ]
            yield! levels outcomes |> List.map table
            Report.section "Settings" [ Report.settings "How it was made" settings ]
        ]
