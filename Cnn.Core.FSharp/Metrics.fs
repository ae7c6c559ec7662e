namespace Cnn

open System
open System.Collections.Generic

/// <summary>How classes are put together into one number.</summary>
type Average =
    /// The mean over the classes.
    | Macro = 0
    /// From the counts of all classes together; precision, recall and F1 then all are the accuracy.
    | Micro = 1
    /// The mean over the classes, each counting as often as it occurs.
    | Weighted = 2

/// <summary>Precision, recall and F1 of a class, or of all together.</summary>
/// <remarks>An immutable value. A share of nothing is 0: 0/0 = 0.</remarks>
[<Struct; NoComparison>]
type ClassScore = {
    /// <summary>Share of what was predicted to be of the class that is.</summary>
    Precision: float
    /// <summary>Share of what is of the class that was predicted to be.</summary>
    Recall: float
    /// <summary>2·precision·recall/(precision + recall).</summary>
    F1: float
    /// <summary>Samples of the class.</summary>
    Support: int
} with

    /// <summary>The measures, as in precision 0.98, recall 0.97, F1 0.975 of 100 samples.</summary>
    override this.ToString() =
        "precision "
        + Words.number this.Precision
        + ", recall "
        + Words.number this.Recall
        + ", F1 "
        + Words.number this.F1
        + " of "
        + Words.count this.Support "sample" "samples"

/// <summary>How often each class was taken for each: row = true class, column = predicted class.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type ConfusionMatrix internal (counts: int[,], classNames: string[]) =
    let classes = classNames.Length
    let sum count = Seq.sum (Seq.init classes count)
    let ratio (part: int) (whole: int) = if whole = 0 then 0.0 else float part / float whole

    let score right predicted actual =
        let precision, recall = ratio right predicted, ratio right actual

        {
            Precision = precision
            Recall = recall
            F1 = ratio (2 * right) (predicted + actual)
            Support = actual
        }

    let ofClass c = score counts[c, c] (sum (fun t -> counts[t, c])) (sum (fun p -> counts[c, p]))

    let total = sum (fun t -> sum (fun p -> counts[t, p]))
    let correct = sum (fun c -> counts[c, c])

    /// <summary>Number of classes.</summary>
    member _.ClassCount = classes

    /// <summary>Names of the classes, in the order of rows and columns.</summary>
    member _.ClassNames: IReadOnlyList<string> = classNames

    /// <summary>Samples of a true class that were predicted to be of another, or the same.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such class.</exception>
    member _.Item
        with get (trueClass: int, predictedClass: int) =
            Words.within (nameof trueClass) trueClass classes "Classes"
            Words.within (nameof predictedClass) predictedClass classes "Classes"
            counts[trueClass, predictedClass]

    /// <summary>Number of samples.</summary>
    member _.Total = total

    /// <summary>Samples on the diagonal: predicted right.</summary>
    member _.Correct = correct

    /// <summary>Share of samples predicted right; 0 for no samples.</summary>
    member _.Accuracy = ratio correct total

    /// <summary>Precision, recall, F1 and support of a class.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such class.</exception>
    member _.Score(trueClass: int) =
        Words.within (nameof trueClass) trueClass classes "Classes"
        ofClass trueClass

    /// <summary>Precision, recall and F1 of all classes together; the support is the number of samples.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such average.</exception>
    member _.Score(average: Average) =
        Words.defined (nameof average) average

        match average with
        | Average.Micro -> score correct total total
        | _ ->
            let weight c =
                if average = Average.Weighted then
                    ratio (ofClass c).Support total
                else
                    ratio 1 classes

            let mean (value: ClassScore -> float) = Seq.sum (Seq.init classes (fun c -> weight c * value (ofClass c)))

            {
                Precision = mean (fun s -> s.Precision)
                Recall = mean (fun s -> s.Recall)
                F1 = mean (fun s -> s.F1)
                Support = total
            }

    /// <summary>The counts as a table of text: true classes down, predicted classes across.</summary>
    override _.ToString() =
        let cells = Seq.append classNames (counts |> Seq.cast<int> |> Seq.map string)
        let width = 1 + (cells |> Seq.map String.length |> Seq.max)

        let line (head: string) cells =
            head.PadLeft width + String.Concat(cells |> Seq.map (fun (cell: string) -> cell.PadLeft width))

        let rows =
            classNames |> Seq.mapi (fun t name -> line name (Seq.init classes (fun p -> string counts[t, p])))

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
} with

    /// <summary>Loss and accuracy, as in loss 0.0312, accuracy 0.9902.</summary>
    override this.ToString() = "loss " + Words.number this.Loss + ", accuracy " + Words.number this.Accuracy

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>Measures of predictions against labels. A share of nothing is 0.</summary>
[<RequireQualifiedAccess>]
module Metrics =

    let private width (prediction: Tensor<'T>) =
        if prediction.Shape[0] = 0 then 1 else prediction.Size / prediction.Shape[0]

    /// The class that a row of outputs tells.
    let private classOf<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>
        (threshold: float)
        (outputs: ReadOnlySpan<'T>)
        =
        if outputs.Length = 1 then
            (if Number.toFloat outputs[0] > threshold then 1 else 0)
        else
            let mutable best = 0

            for c in 1 .. outputs.Length - 1 do
                if 'T.op_GreaterThan (outputs[c], outputs[best]) then
                    best <- c

            best

    /// <summary>The class of each row: the first largest output; with one output, 1 where it exceeds the threshold, else 0.</summary>
    /// <remarks>A threshold of ½ suits probabilities, 0 logits.</remarks>
    let predicted (threshold: float) (prediction: Tensor<'T>) =
        let width = width prediction
        Array.init prediction.Shape[0] (fun n -> classOf threshold (prediction.Span.Slice(n * width, width)))

    /// Rows predicted right.
    let internal correct threshold (prediction: Tensor<'T>) (labels: ReadOnlySpan<int>) =
        let width = width prediction
        let mutable right = 0

        for n in 0 .. labels.Length - 1 do
            if classOf threshold (prediction.Span.Slice(n * width, width)) = labels[n] then
                right <- right + 1

        right

    let private share count whole = if whole = 0 then 0.0 else float count / float whole

    let private checkLengths (labels: int[]) predictions =
        if labels.Length <> predictions then
            raise (
                ShapeException(
                    "Metrics",
                    Words.count labels.Length "prediction" "predictions" + ", one for each label",
                    string predictions,
                    "Compare predictions and labels of the same samples."
                )
            )

    /// <summary>Share of labels that were predicted.</summary>
    /// <exception cref="T:Cnn.ShapeException">The arrays differ in length.</exception>
    let accuracy (labels: int[]) (predicted: int[]) =
        checkLengths labels predicted.Length
        share (Array.fold2 (fun right t p -> if t = p then right + 1 else right) 0 labels predicted) labels.Length

    /// <summary>Row = true class, column = predicted class.</summary>
    /// <exception cref="T:Cnn.ShapeException">The arrays differ in length.</exception>
    let confusion (classNames: string seq) (labels: int[]) (predicted: int[]) =
        checkLengths labels predicted.Length
        let known = Array.ofSeq classNames

        // A network may have more outputs than the data set has classes.
        let names =
            Array.init (1 + Seq.fold max (known.Length - 1) predicted) (fun c ->
                if c < known.Length then known[c] else string c)

        let counts = Array2D.zeroCreate names.Length names.Length
        Array.iter2 (fun t p -> counts[t, p] <- counts[t, p] + 1) labels predicted
        ConfusionMatrix(counts, names)

    /// One row of probabilities for each sample; one output p becomes (1 − p, p).
    let private rows (prediction: Tensor<'T>) =
        let width = width prediction

        Array.init prediction.Shape[0] (fun n ->
            match prediction.Span.Slice(n * width, width).ToArray() |> Array.map Number.toFloat with
            | [| p |] -> [| 1.0 - p; p |]
            | row -> row)

    /// <summary>Share of samples whose label is among the k largest outputs; equal outputs rank by class, the first one first.</summary>
    /// <exception cref="T:Cnn.ShapeException">There is not one prediction for each label.</exception>
    let topK k (labels: int[]) (prediction: Tensor<'T>) =
        checkLengths labels prediction.Shape[0]

        let isAmong (row: float[]) label =
            let above =
                row
                |> Seq.mapi (fun c p -> p > row[label] || (p = row[label] && c < label))
                |> Seq.filter id
                |> Seq.length

            above < k

        share
            (Array.fold2
                (fun right row label -> if isAmong row label then right + 1 else right)
                0
                (rows prediction)
                labels)
            labels.Length

    /// <summary>−mean log p[label], probabilities kept at 1e−25 or more.</summary>
    /// <exception cref="T:Cnn.ShapeException">There is not one prediction for each label.</exception>
    let logLoss (labels: int[]) (prediction: Tensor<'T>) =
        checkLengths labels prediction.Shape[0]

        if labels.Length = 0 then
            0.0
        else
            Array.map2 (fun (row: float[]) label -> -log(max row[label] 1e-25)) (rows prediction) labels
            |> Array.average

    /// <summary>
    /// Σ_m (|B_m|/n)·|acc(B_m) − conf(B_m)|, B_m being the samples whose largest probability lies in ((m−1)/M, m/M]; 0 lies
    /// in the first. Guo et al. 2017, eq. 3 (expected calibration error).
    /// </summary>
    /// <param name="bins">Number of bins of [0, 1]; usually 10 or 15.</param>
    /// <param name="labels">The true classes.</param>
    /// <param name="prediction">Probabilities, N × classes.</param>
    /// <exception cref="T:Cnn.ShapeException">There is not one prediction for each label.</exception>
    let calibrationError (bins: int) (labels: int[]) (prediction: Tensor<'T>) =
        checkLengths labels prediction.Shape[0]

        let binOf p =
            seq { 1 .. bins - 1 }
            |> Seq.tryFind (fun m -> p <= float m / float bins)
            |> Option.defaultValue bins

        Array.map2
            (fun (row: float[]) label ->
                let best = max 0 (Array.IndexOf(row, Array.max row))
                binOf row[best], row[best], best = label)
            (rows prediction)
            labels
        |> Array.groupBy (fun (bin, _, _) -> bin)
        |> Array.sumBy (fun (_, members) ->
            let right = members |> Array.sumBy (fun (_, _, isRight) -> if isRight then 1.0 else 0.0)
            let confidence = members |> Array.sumBy (fun (_, confidence, _) -> confidence)
            share 1 labels.Length * abs (right - confidence))
