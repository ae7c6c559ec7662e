namespace Cnn

open System
open System.Collections.Generic

/// <summary>How often each class was taken for each: row = true class, column = predicted class.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type ConfusionMatrix internal (counts: int[,], classNames: string[]) =

    /// <summary>Number of classes.</summary>
    member _.Classes = classNames.Length

    /// <summary>Names of the classes, in the order of rows and columns.</summary>
    member _.ClassNames: IReadOnlyList<string> = classNames

    /// <summary>Samples of a true class that were predicted to be of another, or the same.</summary>
    member _.Item
        with get (trueClass: int, predictedClass: int) = counts[trueClass, predictedClass]

    /// <summary>Number of samples.</summary>
    member _.Total = Seq.sum (Seq.cast<int> counts)

    /// <summary>Samples on the diagonal: predicted right.</summary>
    member _.Correct = Seq.sum (Seq.init classNames.Length (fun c -> counts[c, c]))

    /// <summary>Share of samples predicted right; 0 for no samples.</summary>
    member this.Accuracy = if this.Total = 0 then 0.0 else float this.Correct / float this.Total

    /// <summary>The counts as a table of text: true classes down, predicted classes across.</summary>
    override _.ToString() =
        let cells = Seq.append classNames (counts |> Seq.cast<int> |> Seq.map string)
        let width = 1 + (cells |> Seq.map String.length |> Seq.max)

        let line (head: string) cells =
            head.PadLeft width + String.Concat(cells |> Seq.map (fun (cell: string) -> cell.PadLeft width))

        let rows =
            classNames
            |> Seq.mapi (fun t name -> line name (Seq.init classNames.Length (fun p -> string counts[t, p])))

        String.Join('\n', Seq.append [ line "" classNames ] rows)

/// <summary>How well a network does on a data set.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type Evaluation = {
    /// <summary>The loss, mean over the samples.</summary>
    Loss: float
    /// <summary>Share of samples predicted right.</summary>
    Accuracy: float
    /// <summary>Which classes were taken for which.</summary>
    ConfusionMatrix: ConfusionMatrix
}

namespace Cnn.FSharp

open System
open Cnn

/// <summary>Measures of predictions against labels.</summary>
[<RequireQualifiedAccess>]
module Metrics =

    /// <summary>The class of each row: the first largest output; with one output, 1 where it exceeds ½ (0 for logits), else 0.</summary>
    let predicted isLogit (prediction: Tensor<'T>) =
        let rows = prediction.Shape[0]
        let width = if rows = 0 then 1 else prediction.Size / rows
        let threshold = if isLogit then 0.0 else 0.5

        Array.init rows (fun n ->
            let outputs = prediction.Span.Slice(n * width, width)

            if width = 1 then
                (if Number.toFloat outputs[0] > threshold then 1 else 0)
            else
                let mutable best = 0

                for c in 1 .. width - 1 do
                    if 'T.op_GreaterThan (outputs[c], outputs[best]) then
                        best <- c

                best)

    /// Rows predicted right.
    let internal correct isLogit (prediction: Tensor<'T>) (labels: ReadOnlySpan<int>) =
        let classes = predicted isLogit prediction
        let mutable right = 0

        for n in 0 .. labels.Length - 1 do
            if classes[n] = labels[n] then
                right <- right + 1

        right

    /// <summary>Share of labels that were predicted; 0 for none.</summary>
    let accuracy (labels: int[]) (predicted: int[]) =
        if labels.Length = 0 then
            0.0
        else
            float (Array.fold2 (fun right t p -> if t = p then right + 1 else right) 0 labels predicted)
            / float labels.Length

    /// <summary>Row = true class, column = predicted class.</summary>
    let confusion (classNames: string list) (labels: int[]) (predicted: int[]) =
        let counts = Array2D.zeroCreate classNames.Length classNames.Length
        Array.iter2 (fun t p -> counts[t, p] <- counts[t, p] + 1) labels predicted
        ConfusionMatrix(counts, Array.ofList classNames)
