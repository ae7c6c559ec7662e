/// What one filter answers to lines, and the study of I and Q. Fan and Yam 11.6.3; SPEC section 11.
module Cnn.Tests.Laws.IOrQLaws

open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private filter3x3 (weights: float list) : Tensor<float> = Tensor.ofArray (Shape.Of(3, 3, 1)) (Array.ofList weights)

let private glyphs seed count = FSharp.SyntheticGlyphs.dataset (SequentialScheduler()) (Key.ofSeed seed) 32 count

let tests =
    testList "I or Q" [
        // SPEC section 11: what the rounded filter that the source prints gives, and what its hand-made one gives.
        testCase
            "the printed filter answers to the eight lines 0, .41, 1, .05, 0, 0, .94, 0, the hand-made one 0, .33, 1, .33, 0, 0, 1, .33"
            (fun () ->
                let learned = filter3x3 [ -0.55; 0.04; 0.63; 0.05; -0.03; 0.37; -0.49; 0.8; 1.03 ]

                for kernel, bias, expected in
                    [
                        learned, -0.4, [ 0.0; 0.41; 1.0; 0.05; 0.0; 0.0; 0.94; 0.0 ]
                        IOrQ.handMade, IOrQ.HandMadeBias, [ 0.0; 0.33; 1.0; 0.33; 0.0; 0.0; 1.0; 0.33 ]
                    ] do
                    for wanted, answer in List.zip expected (FSharp.LineProbes.answers kernel bias) do
                        Assert.That(answer, closeTo (wanted) 1e-12))

        // Lines of three cells, each cell on as many lines as a 3×3 window has through it.
        testCase "the eight lines are the rows, the columns and the diagonals" (fun () ->
            let lines = FSharp.LineProbes.all |> List.map (fun (_, probe) -> probe.ToArray())
            Assert.That(lines |> List.distinct |> List.length, equalTo 8)
            Assert.That(lines |> List.forall (fun line -> Array.sum line = 3.0), isTrue)

            Assert.That(
                Array.init 9 (fun i -> lines |> List.sumBy (fun line -> line[i])),
                equalTo [| 3.0; 2.0; 3.0; 2.0; 4.0; 2.0; 3.0; 2.0; 3.0 |]
            ))

        // The loss is convex in the bias: where it is least, it is larger on either side.
        testCase "no bias of the hand-made filter has a lower training loss than the one that is chosen" (fun () ->
            let fast = Simd.Backend<float>()
            let train, test = glyphs 1 400, glyphs 2 100
            let trials = IOrQ.run fast id 4 3 train test
            let kept = trials[1]
            let bias = Tensor.init (Shape.Of 1) (fun _ -> kept.Bias)
            let isF (trial: IOrQTrial<float>) = trial.Kernel.ToArray() = IOrQ.handMade<float>.ToArray()

            let loss shift =
                let moved = kept.Network.Parameters |> List.updateAt 1 (Tensor.map ((+) shift) bias)
                (Prediction.evaluate fast None { kept.Network with Parameters = moved } train).Loss

            Assert.That(trials.Length, equalTo 4)
            Assert.That(loss 0.0, equalTo kept.Train.Loss)
            Assert.That(min (loss 1e-3) (loss -1e-3), greaterThan kept.Train.Loss)
            Assert.That([ for trial in trials -> isF trial ], equalTo [ false; true; false; true ])
            Assert.That(trials[3].Bias, equalTo IOrQ.HandMadeBias)
            // The dense layer is the learned one, and in the last network it is not.
            let dense (trial: IOrQTrial<float>) =
                Weights.named trial.Network |> List.find (fst >> (=) "dense/kernel") |> snd

            Assert.That(dense kept = dense trials[0], isTrue)
            Assert.That(dense trials[3] = dense trials[0], isFalse)
            Assert.That(trials[3].Train.Loss, lessThan kept.Train.Loss)
            Assert.That(abs trials[1].Likeness, closeTo (1.0) 1e-12)
            Assert.That(trials[0].Likeness * float (sign trials[2].Likeness), greaterThan 0.0)
            // What is left of the learned filter is at right angles to F.
            let rest = Tensor.add trials[0].Kernel (Tensor.scale -1.0 trials[2].Kernel)
            Assert.That(Tensor.dot rest kept.Kernel, closeTo (0.0) 1e-12))

        // What the source prints comes of the filters that it prints, which are rounded.
        testCase "printed answers = answers of the printed filters, to the two digits that they have" (fun () ->
            let learned = filter3x3 [ -0.55; 0.04; 0.63; 0.05; -0.03; 0.37; -0.49; 0.8; 1.03 ]

            for printed, kernel, bias, tolerance in
                [
                    IOrQ.printedProbes, learned, -0.4, 0.021
                    IOrQ.printedHandMadeProbes, IOrQ.handMade, IOrQ.HandMadeBias, 1e-12
                ] do
                for wanted, answer in List.zip printed (FSharp.LineProbes.answers kernel bias) do
                    Assert.That(answer, closeTo (wanted) tolerance))

        testCase "the study of I and Q is the same through both doors" (fun () ->
            let train, test = glyphs 1 200, glyphs 2 50
            let core = IOrQ.run (Simd.Backend<float32>()) id 2 3 train test
            let door = IOrQStudy.Run(train, test, 2, 3)
            Assert.That(door.Count, equalTo core.Length)
            Assert.That(List.ofSeq IOrQStudy.PrintedProbes, equalTo IOrQ.printedProbes)
            Assert.That(List.ofSeq IOrQStudy.PrintedHandMadeProbes, equalTo IOrQ.printedHandMadeProbes)

            for expected, found in Seq.zip core door do
                Assert.That(found.Name, equalTo expected.Name)
                Assert.That(found.Model.WeightHash, equalTo (Network.weightHash expected.Network))
                Assert.That(found.Kernel = Tensor.map float expected.Kernel, isTrue)
                Assert.That(found.Bias, equalTo expected.Bias)
                Assert.That(found.Likeness, equalTo expected.Likeness)
                Assert.That(List.ofSeq found.Probes, equalTo expected.Probes)
                Assert.That(found.Train.Loss, equalTo expected.Train.Loss)
                Assert.That(found.Test.Accuracy, equalTo expected.Test.Accuracy)
                Assert.That(found.Model.Evaluate(test).Accuracy, equalTo expected.Test.Accuracy))
    ]
