(**
---
title: 6. Fixed filters
category: A tour in ten scripts
categoryindex: 3
index: 6
---
# Fixed filters

Long before filters were learned they were designed. Chapter 11.2.3 of Fan & Yam lists the classical ones; this script
looks at what they do, and then lets a network use them instead of filters of its own.
*)

#load "Cnn.fsx" "Lesson.fsx"

open Cnn
open Cnn.FSharp
open Lesson

(**
Prewitt's filters answer to edges: the horizontal one is [−1 −1 −1; 0 0 0; 1 1 1], the vertical one its transpose. On a
vertical edge the source computes 0 and 3, by convolution (Fan & Yam 11.2.3.2).
*)

let edge = Tensor.ofArray (Shape.Of(3, 3, 1)) [| 1.0; 0.0; 0.0; 1.0; 0.0; 0.0; 1.0; 0.0; 0.0 |]
let centre (filter: Filter) = (filter.Convolve edge)[1, 1, 0]
claim "Prewitt horizontal gives 0 on a vertical edge" (centre Filter.PrewittHorizontal = 0.0)
claim "Prewitt vertical gives 3 on a vertical edge" (centre Filter.PrewittVertical = 3.0)

(*** include-output ***)

(** Here it is at work on a digit: the edges that run from left to right, read from top to bottom blank where ink begins and solid
where it ends. *)

let struct (digit, pixels) = SyntheticDigits.sample (Key.ofSeed 3) 28 4
let picture = Tensor.init (Shape.Of(28, 28, 1)) (fun i -> 255.0 * float pixels[i])
printfn "a %d" digit
draw [ picture; Filter.PrewittHorizontal.Convolve picture ]

(*** include-output ***)

(**
Two laws tell smoothing filters from edge filters: the weights of the first sum to 1, so that a grey wall stays as it is; those
of the second sum to 0, so that a grey wall vanishes. And a filter is a product of two vectors, `F[u,v] = a[u]·b[v]`, where all its
2×2 minors are 0: `F[u,v]·F[i,j] = F[u,j]·F[i,v]`.
*)

let sum (filter: Filter) = filter.Weights.ToArray() |> Array.sum

let isProduct (filter: Filter) =
    let cells = List.allPairs [ 0 .. filter.Size - 1 ] [ 0 .. filter.Size - 1 ]

    List.allPairs cells cells
    |> List.forall (fun ((u, v), (i, j)) -> near 1e-12 (filter[u, v] * filter[i, j]) (filter[u, j] * filter[i, v]))

let smoothing = [ Filter.Box(); Filter.Gaussian(); Filter.Gaussian 5; Filter.GaussianOf 1.0 ]

let edges = [
    Filter.PrewittHorizontal
    Filter.PrewittVertical
    Filter.SobelHorizontal
    Filter.SobelVertical
    Filter.Laplacian4
    Filter.Laplacian8
]

claim "Σ F = 1 for box and Gaussian" (smoothing |> List.forall (sum >> near 1e-12 1.0))
claim "Σ F = 0 for Prewitt, Sobel and Laplacian" (edges |> List.forall (sum >> near 1e-12 0.0))

claim
    "Gaussian, Prewitt and Sobel are products of two vectors"
    (smoothing @ List.truncate 4 edges |> List.forall isProduct)

claim "the Laplacian is not" (not (isProduct Filter.Laplacian4))

(*** include-output ***)

(** Smoothing multiplies the variance of independent noise by Σ F². We draw noise, and measure. *)

for filter in smoothing do
    let measured = filter.MeasureNoiseGain(Key.ofSeed 1)
    printfn "%-14s Σ F² = %.4f, measured %.4f" (string filter) filter.NoiseGain measured
    claim "they agree to 5 %" (near 0.05 1.0 (measured / filter.NoiseGain))

(*** include-output ***)

(**
Now the filters as the first layer of a network (Fan & Yam 11.4), frozen: they get no update, and no gradient is computed
below the dense layer that learns. Beside it the same network with filters of its own.
*)

let backend = Cnn.Fluent.Simd.Backend<float32>()
let digits seed count = SyntheticDigits.dataset backend.Scheduler (Key.ofSeed seed) 28 count
let train, test = digits 0 3000, digits 1 1000
let bank = [ Filter.Gaussian(); Filter.SobelHorizontal; Filter.SobelVertical; Filter.Laplacian4 ]

let accuracy (network: Network<float32>) =
    let trained = (Training.run backend TrainingSettings.Default 3 train network).Network
    trained, (Prediction.evaluate backend None trained test).Accuracy

let frozen = FixedFilters.frozen 1 train.Shape 10 bank
let struct (trainable, fixedWeights) = Network.parameterCounts frozen
printfn "%d numbers learn, %d stay" trainable fixedWeights
let afterwards, fixedAccuracy = accuracy frozen
let _, learnedAccuracy = accuracy (FixedFilters.learned 1 train.Shape 10 bank)

printfn
    "accuracy on new digits: %.1f %% with fixed filters, %.1f %% with learned ones"
    (100.0 * fixedAccuracy)
    (100.0 * learnedAccuracy)

claim "training left the frozen filters as they were" (afterwards.State = frozen.State)
claim "both tell most digits" (min fixedAccuracy learnedAccuracy > 0.75)

(*** include-output ***)
