(**
---
title: 10. Looking inside
category: A tour in ten scripts
categoryindex: 3
index: 10
---
# Looking inside

A trained network is numbers, and numbers can be looked at: the filters that it learned, what they make of a picture, and which
pixels its answer hangs on.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Lesson

let backend = Cnn.Fluent.Simd.Backend<float>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count

let layer: Layer<float> =
    Layers.conv2d 6 5
    >=> Layers.relu ()
    >=> Layers.maxPool 2
    >=> Layers.conv2d 16 3
    >=> Layers.relu ()
    >=> Layers.maxPool 2
    >=> Layers.flatten ()
    >=> Layers.dense 10
    >=> Layers.softmax ()

let network =
    (Training.run
        backend
        TrainingSettings.Default
        3
        (digits 0 3000)
        (Network.create (Key.ofSeed 1) (Shape.Of(28, 28, 1)) layer))
        .Network

(** Layers go by the names of the summary. These are the first layer's filters; solid is the largest weight, blank the
least. *)

let filters = Inspect.filters network "conv2d"

draw filters

claim
    "six filters of 5×5×1"
    (filters.Length = 6 && filters |> List.forall (fun filter -> filter.Shape = Shape.Of(5, 5, 1)))

(*** include-output ***)

(** And this is what the first of them makes of a digit, after ReLU: the more the picture looks like the filter, the
more solid. *)

let tests = digits 1 500
let picture = Tensor.init tests.Shape (fun i -> float (tests.Picture(3)[i]))
let maps = Inspect.featureMaps backend network "activation" picture
printfn "a %d" tests.Labels[3]
draw [ picture; maps.Head ]
let convolved = Inspect.featureMaps backend network "conv2d" picture
claim "six maps of 24×24" (maps.Length = 6 && maps |> List.forall (fun map -> map.Shape = Shape.Of(24, 24, 1)))
claim "the maps after ReLU are max(·, 0) of those before" (maps = (convolved |> List.map (Tensor.map (max 0.0))))

(*** include-output ***)

(**
**Saliency** is the gradient of a class's score with respect to the picture, `s[i,j] = max_c |∂S/∂x[i,j,c]|` (Simonyan,
Vedaldi and Zisserman 2013). It is a derivative, so a difference can check it: we move one pixel, and watch the score.
*)

let target = tests.Labels[3]
let saliency = Inspect.saliency backend network target picture
draw [ picture; saliency ]

/// The class's score before softmax, which is what saliency differentiates.
let score (x: Tensor<float>) =
    let logits, _ = Network.fuse Loss.CrossEntropy network.Layer
    let batch = x.Reshape(Shape.Of(1, 28, 28, 1))
    (Network.predict { network with Layer = logits } batch)[0, target]

let brightest = Seq.maxBy (fun i -> saliency.Span[i]) (seq { 0..783 })

let nudged h =
    picture |> fun x -> Tensor.init x.Shape (fun i -> x.Span[i] + (if i = brightest then h else 0.0))

let slope = (score (nudged 1e-6) - score (nudged -1e-6)) / 2e-6
claim "|∂S/∂x| by a difference is the saliency of that pixel" (near 1e-5 saliency.Span[brightest] (abs slope))

(*** include-output ***)

(**
**Grad-CAM** weighs each feature map by the mean of its gradient (Selvaraju et al. 2017, eq. 1–2); **occlusion** covers a part of the
picture and asks how much of the probability is lost (Zeiler and Fergus 2014, 4.2). Solid is where the answer hangs on.
*)

let evidence = Inspect.gradCam backend network "activation_1" target picture
let occluded = Inspect.occlusion backend network (Occlusion.For tests.Shape) target picture
draw [ evidence; occluded ]
claim "no more than the whole probability can be lost" (occluded.ToArray() |> Array.forall (fun loss -> loss <= 1.0))

(*** include-output ***)

(** The mistakes say as much as the successes: here is the one of which the network was most certain. *)

let judged = InspectData.judge backend network tests

match InspectData.misclassified 1 judged with
| [ mistake ] ->
    printfn "a %d taken for a %d, with probability %.2f" mistake.Label mistake.Predicted mistake.Probability
    draw [ Tensor.init tests.Shape (fun i -> float (tests.Picture(mistake.Picture)[i])) ]
| _ -> printfn "no mistakes"

let right = judged |> List.filter (fun picture -> picture.IsRight) |> List.length

claim
    "judging agrees with evaluating"
    (near 1e-12 (float right / 500.0) (Prediction.evaluate backend None network tests).Accuracy)

(*** include-output ***)

(**
Fan & Yam (11.6.3) ask a filter directly: they show it eight lines, and clip what it answers to [0, 1]. The numbers of
the source, with the kernel as it is printed there:
*)

let K = Tensor.ofArray (Shape.Of(3, 3)) [| -0.55; 0.04; 0.63; 0.05; -0.03; 0.37; -0.49; 0.8; 1.03 |]
let answers = LineProbes.answers K -0.4

for (name, _), answer in List.zip LineProbes.all answers do
    printfn "%-15s %.2f" name answer

claim
    "the answers are 0, .41, 1, .05, 0, 0, .94, 0"
    (List.forall2 (near 1e-9) [ 0.0; 0.41; 1.0; 0.05; 0.0; 0.0; 0.94; 0.0 ] answers)

(*** include-output ***)
