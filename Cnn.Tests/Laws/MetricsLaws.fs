/// Measures of predictions, each by counting.
module Cnn.Tests.Laws.MetricsLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Labels and predictions of 2 to 9 classes, and a matrix of probabilities.
let private (|Answers|) (r: Rows) =
    let n = 5 * r.Count

    let draw seed =
        (Draw.reals seed (Shape.Of n): Tensor<float>).ToArray()
        |> Array.map (fun v -> int ((v + 1.0) / 2.0 * float r.Features))

    let logits: Tensor<float> = Draw.reals (r.Seed + 2) (Shape.Of(n, r.Features))
    let p = (Layer.run (Context.reference Inference) (Layers.softmax ()) [] [] logits).Output
    draw r.Seed, draw (r.Seed + 1), p

let private close (expected: float) actual =
    near 1e-12 (Tensor.ofArray (Shape.Of 1) [| expected |]) (Tensor.ofArray (Shape.Of 1) [| actual |])

let private ratio a b = if b = 0 then 0.0 else float a / float b
let private count f = Seq.filter f >> Seq.length

let tests =
    testList "metrics" [
        // Row = true class, column = predicted class.
        testProperty "confusion[t, p] = how often t was taken for p" (fun (r: Rows) ->
            let (Answers(labels, predicted, _)) = r
            let pairs = Array.zip labels predicted
            let matrix = Metrics.confusion (Seq.init r.Features string) labels predicted

            all [
                for t in 0 .. r.Features - 1 do
                    for p in 0 .. r.Features - 1 do
                        same (count ((=) (t, p)) pairs) matrix[t, p]

                close (ratio (count (fun (t, p) -> t = p) pairs) pairs.Length) matrix.Accuracy
                close matrix.Accuracy (Metrics.accuracy labels predicted)
                same pairs.Length matrix.Total
            ])

        // Precision = right ∕ predicted, recall = right ∕ actual, F1 their harmonic mean; 0 ∕ 0 = 0.
        testProperty "precision, recall and F1 by counting, and their averages" (fun (r: Rows) ->
            let (Answers(labels, predicted, _)) = r
            let pairs = Array.zip labels predicted
            let matrix = Metrics.confusion (Seq.init r.Features string) labels predicted

            let scores = [
                for c in 0 .. r.Features - 1 do
                    let right = count (fun (t, p) -> t = c && p = c) pairs
                    let precision, recall = ratio right (count ((=) c) predicted), ratio right (count ((=) c) labels)

                    let f1 =
                        if precision + recall = 0.0 then
                            0.0
                        else
                            2.0 * precision * recall / (precision + recall)

                    precision, recall, f1, count ((=) c) labels
            ]

            let agrees (precision, recall, f1, support) (score: ClassScore) =
                all [
                    close precision score.Precision
                    close recall score.Recall
                    close f1 score.F1
                    same support score.Support
                ]

            let mean weight =
                let over f = List.sumBy (fun s -> weight s * f s) scores
                over (fun (p, _, _, _) -> p), over (fun (_, r, _, _) -> r), over (fun (_, _, f, _) -> f), labels.Length

            all [
                yield! List.mapi (fun c score -> agrees score (matrix.Score(c: int))) scores
                agrees (mean (fun _ -> 1.0 / float r.Features)) (matrix.Score Average.Macro)
                agrees (mean (fun (_, _, _, n) -> ratio n labels.Length)) (matrix.Score Average.Weighted)
                agrees (matrix.Accuracy, matrix.Accuracy, matrix.Accuracy, labels.Length) (matrix.Score Average.Micro)
            ])

        // The first largest output; with one output, whether it exceeds the threshold.
        testProperty "the predicted class is the first largest output" (fun (r: Rows) ->
            let x: Tensor<float> = Draw.integers r.Seed (Shape.Of(r.Count, r.Features))
            let rows = x.ToArray() |> Array.chunkBySize r.Features
            let column = x.Reshape(Shape.Of(x.Size, 1))

            all [
                same
                    (rows |> Array.map (fun row -> Array.findIndex ((=) (Array.max row)) row))
                    (Metrics.predicted 0.5 x)
                same (x.ToArray() |> Array.map (fun v -> if v > 2.0 then 1 else 0)) (Metrics.predicted 2.0 column)
            ])

        // The label is among the k largest; top 1 is the accuracy, top "all" is 1.
        testProperty "top k grows from the accuracy to 1" (fun (r: Rows) ->
            let (Answers(labels, _, p)) = r
            let top = [ for k in 1 .. r.Features -> Metrics.topK k labels p ]

            all [
                close (Metrics.accuracy labels (Metrics.predicted 0.5 p)) top.Head
                close 1.0 (List.last top)
                same (List.sort top) top
            ])

        // Log loss is the cross-entropy of the probabilities.
        testProperty "log loss = cross-entropy" (fun (Answers(labels, _, p)) ->
            let struct (loss, _) = Loss.evaluate Loss.CrossEntropy p (Labels(System.ReadOnlyMemory labels))
            close loss (Metrics.logLoss labels p))

        // Guo et al. 2017, eq. 3: B_m holds the samples whose confidence lies in ((m−1) ∕ M, m ∕ M], m = 1, …, M. A confidence of
        // 0, which the paper leaves out, belongs to the first. Confidences of eighths lie on the borders of four bins.
        testProperty
            "calibration error = Σ_m |B_m| ∕ n · |acc(B_m) − conf(B_m)|, B_m closed on the right"
            (fun (r: Rows) ->
                let bins, n = 1 + r.Seed % 4, 2 * r.Count
                let draw seed : Tensor<float> = Draw.integers seed (Shape.Of n)
                let eighths = (draw r.Seed).ToArray() |> Array.map (fun v -> min 8.0 (abs v) / 8.0)
                let labels = (draw (r.Seed + 1)).ToArray() |> Array.map (fun v -> if v > 0.0 then 1 else 0)

                // The largest output is the second, or the first where both are 0.
                let rows = Tensor.init (Shape.Of(n, 2)) (fun i -> if i % 2 = 0 then 0.0 else eighths[i / 2])
                let samples = Array.map2 (fun p label -> p, (if p > 0.0 then 1 else 0) = label) eighths labels

                let expected =
                    Seq.sum (
                        seq {
                            for m in 1..bins do
                                let low, high = float (m - 1) / float bins, float m / float bins

                                let members =
                                    samples |> Array.filter (fun (p, _) -> p > low && p <= high || m = 1 && p = 0.0)

                                if members.Length > 0 then
                                    let accuracy =
                                        members |> Array.averageBy (fun (_, right) -> if right then 1.0 else 0.0)

                                    let confidence = members |> Array.averageBy fst
                                    float members.Length / float n * abs (accuracy - confidence)
                        }
                    )

                close expected (Metrics.calibrationError bins labels rows))

        // Two bins: ½ lies in the first, with 0; 1 in the second. Pulled apart, |½ − ½| ∕ 2 + |0 − 1| ∕ 2; together it would be less.
        testCase "calibration: a confidence on a border lies below it, 0 in the first bin and 1 in the last" (fun () ->
            let error bins confidences labels =
                let rows = confidences |> List.collect (fun p -> [ 0.0; p ]) |> Array.ofList

                Metrics.calibrationError
                    bins
                    (Array.ofList labels)
                    (Tensor.ofArray (Shape.Of(rows.Length / 2, 2)) rows)

            // acc and conf of {0, ½}: ½ and ¼; of {1}: 0 and 1.
            Assert.That(error 2 [ 0.0; 0.5; 1.0 ] [ 1; 1; 0 ], closeTo (2.0 / 3.0 * 0.25 + 1.0 / 3.0) 1e-15)
            // {½} right, {¾} wrong: apart; on one side of the border they would give |½ − ⅝|.
            Assert.That(error 2 [ 0.5; 0.75 ] [ 1; 0 ], closeTo (0.5 * 0.5 + 0.5 * 0.75) 1e-15)
            // 3 ∕ 10 lies in the third of ten bins, the next number in the fourth.
            let above = Math.BitIncrement 0.3
            Assert.That(error 10 [ 0.3; above ] [ 1; 0 ], closeTo (0.5 * 0.7 + 0.5 * 0.3) 1e-12)
            Assert.That(error 10 [ 1.0 ] [ 1 ], equalTo 0.0)
            Assert.That(error 10 [ 0.0 ] [ 0 ], equalTo 1.0))
    ]
