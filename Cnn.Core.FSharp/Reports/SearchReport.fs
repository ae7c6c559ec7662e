namespace Cnn.FSharp

open System.Globalization
open Cnn

/// <summary>Trials of a search as parts of a page.</summary>
/// <remarks>Pure.</remarks>
[<RequireQualifiedAccess>]
module SearchReport =

    let private percent (share: float) = (100.0 * share).ToString("0.00", CultureInfo.InvariantCulture) + " %"

    /// <summary>Validation accuracies as tables of shaded cells, the best one in full.</summary>
    let heatMaps (trials: SearchTrial list) : Html list =
        let cell (trial: SearchTrial | null) =
            match trial with
            | null -> "–", 0.0
            | trial when trial.IsDiverged -> "diverged", 0.0
            | trial -> percent trial.Accuracy, HeatMap.share trials trial

        HeatMap.ofTrials trials
        |> List.map (fun map ->
            Chart.heat ("Validation accuracy: " + map.Title) (map.Corner :: List.ofSeq map.Columns) [
                for name, cells in Seq.zip map.Rows map.Cells -> name, [ for trial in cells -> cell trial ]
            ])

    /// <summary>All trials, the best one first, their accuracies shaded.</summary>
    let ranking (trials: SearchTrial list) : Html =
        let row place (trial: SearchTrial) =
            let candidate = trial.Candidate
            let share = HeatMap.share trials trial

            let values = [
                Words.number candidate.LearningRate
                Words.number candidate.L2
                candidate.Sizes
                (if trial.IsDiverged then "diverged" else Words.number trial.Loss)
            ]

            string (place + 1), [ yield! values |> List.map (fun words -> words, 0.0); percent trial.Accuracy, share ]

        Chart.heat
            "Candidates, the best one first"
            [ "place"; "learning rate"; "l2"; "layers"; "validation loss"; "validation accuracy" ]
            (Search.ranked trials |> List.mapi row)
