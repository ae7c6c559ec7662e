namespace Cnn

open System.Collections.Generic

/// <summary>Trials over two hyperparameters.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type HeatMap = {
    /// <summary>What the trials have in common, in words.</summary>
    Title: string
    /// <summary>What goes down, and what goes across.</summary>
    Corner: string
    /// <summary>Values that go down.</summary>
    Rows: IReadOnlyList<string>
    /// <summary>Values that go across.</summary>
    Columns: IReadOnlyList<string>
    /// <summary>The trial of each row and column; null where there is none.</summary>
    Cells: IReadOnlyList<IReadOnlyList<SearchTrial | null>>
}

namespace Cnn.FSharp

open System.Collections.Generic
open Cnn

/// <summary>Trials of a search laid out for the eye.</summary>
[<RequireQualifiedAccess>]
module HeatMap =

    let private map
        title
        across
        (columns: 'Column list)
        name
        (isOf: 'Column -> SearchTrial -> bool)
        (trials: SearchTrial list)
        : HeatMap =
        let rates = trials |> List.map (fun t -> t.Candidate.LearningRate) |> List.distinct |> List.sort

        let cell η column =
            trials |> List.tryFind (fun t -> t.Candidate.LearningRate = η && isOf column t) |> Option.toObj

        {
            Title = title
            Corner = "learning rate ↓, " + across + " →"
            Rows = rates |> List.map Words.number
            Columns = columns |> List.map name
            Cells = [
                for η in rates -> [ for column in columns -> cell η column ] :> IReadOnlyList<SearchTrial | null>
            ]
        }

    /// <summary>
    /// Learning rates down, penalties across, a map for each choice of layer sizes; layer sizes across where there is one
    /// penalty only. No maps where they would be empty for more than a half, as after a random search.
    /// </summary>
    let ofTrials (trials: SearchTrial list) : HeatMap list =
        let trials = trials |> List.distinctBy (fun t -> t.Candidate)
        let sizes = trials |> List.map (fun t -> List.ofSeq t.Candidate.Layers) |> List.distinct
        let penalties = trials |> List.map (fun t -> t.Candidate.L2) |> List.distinct |> List.sort
        let hasSizes layers (t: SearchTrial) = List.ofSeq t.Candidate.Layers = layers
        let nameOf layers = (List.find (hasSizes layers) trials).Candidate.Sizes

        let maps =
            match penalties with
            | [ λ ] when sizes.Length > 1 -> [ map ("l2 " + Words.number λ) "layers" sizes nameOf hasSizes trials ]
            | _ -> [
                for layers in sizes ->
                    trials
                    |> List.filter (hasSizes layers)
                    |> map ("layers " + nameOf layers) "l2" penalties Words.number (fun λ t -> t.Candidate.L2 = λ)
              ]

        if 2 * trials.Length < (maps |> List.sumBy (fun m -> m.Rows.Count * m.Columns.Count)) then
            []
        else
            maps

    /// <summary>Where a trial's accuracy lies between the worst and the best of those that did not diverge: 0 … 1.</summary>
    let share (trials: SearchTrial list) (trial: SearchTrial) =
        match trials |> List.filter (fun t -> not t.IsDiverged) |> List.map (fun t -> t.Accuracy) with
        | _ when trial.IsDiverged -> 0.0
        | [] -> 0.0
        | accuracies ->
            let low, high = List.min accuracies, List.max accuracies
            if high > low then (trial.Accuracy - low) / (high - low) else 1.0
