/// A dense network trained by hand: every number of it follows from the seed, the pictures and the first weights.
module Cnn.Tests.Laws.HandTrainingLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private classes = 3
let private samples = 14
let private η, γ, l2, λ = 0.25, 0.5, 0.0625, 0.125
let private weightOf = [| 1.0; 0.5; 2.0 |]

/// What differs from case to case.
[<NoComparison>]
type private Case = {
    Shape: Shape
    Hidden: int
    BatchSize: int
    DropLast: bool
    IsWeighted: bool
    Reduction: Reduction
    Seed: int
}

let private (|Trained|) (r: Rows) = {
    Shape = Shape.Of(1 + r.Count % 3, 2, 1)
    Hidden = 1 + r.Features % 5
    BatchSize = [| 1; 4; 5; 7; 14; 20 |][r.Seed % 6]
    DropLast = r.Seed / 6 % 2 = 0
    IsWeighted = r.Seed / 12 % 2 = 0
    Reduction = if r.Seed / 24 % 3 = 0 then Reduction.Sum else Reduction.Mean
    Seed = r.Seed
}

let private pictures first count case =
    let picture index : Tensor<float32> = Draw.reals (case.Seed + first + index) case.Shape

    Dataset.Create(
        case.Shape,
        Seq.init count (fun i -> (first + i * i + i / 3) % classes),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private training case = pictures 0 samples case
let private validation case = pictures 100 5 case

let private network case : Network<float> =
    let dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

    Network.create
        (Key.ofSeed case.Seed)
        case.Shape
        (Layers.ofSpecs [
            Flatten FlattenOrder.RowMajor
            dense case.Hidden Activation.Tanh
            dense classes Activation.Softmax
        ])

let private optimizer =
    Optimizer.ClassicMomentum(η, γ).WithL2(l2).WithWeightDecay(λ).WithSchedule(Schedule.Exponential 0.5)

let private settings case = {
    TrainingSettings.Default with
        BatchSize = case.BatchSize
        DropLast = case.DropLast
        Seed = case.Seed
        Loss = Some(Loss(LossKind.CrossEntropy, case.Reduction))
        ClassWeights = if case.IsWeighted then Some weightOf else None
        Validation = Some(validation case)
        Optimizer = optimizer
}

/// x·W + b.
let private affine (w: float[,]) (b: float[]) (x: float[]) =
    Array.init b.Length (fun j -> b[j] + Seq.sum (Seq.init x.Length (fun i -> x[i] * w[i, j])))

/// Rows and biases of both layers.
type private Θ = { W1: float[,]; B1: float[]; W2: float[,]; B2: float[] }

let private map2 f a b = {
    W1 = Array2D.mapi (fun i j x -> f true x b.W1[i, j]) a.W1
    B1 = Array.map2 (f false) a.B1 b.B1
    W2 = Array2D.mapi (fun i j x -> f true x b.W2[i, j]) a.W2
    B2 = Array.map2 (f false) a.B2 b.B2
}

let private hidden θ x = affine θ.W1 θ.B1 x |> Array.map tanh
let private logits θ x = affine θ.W2 θ.B2 (hidden θ x)

let private softmax (z: float[]) =
    let e = z |> Array.map (fun v -> exp (v - Array.max z))
    e |> Array.map (fun v -> v / Array.sum e)

let private lossOf θ (x, label) = -log (softmax (logits θ x)).[label]
let private isRight θ (x, label) = let z = logits θ x in Array.findIndex ((=) (Array.max z)) z = label

/// The gradient of one sample's loss.
let private gradient θ (x: float[], label) =
    let h = hidden θ x
    let δ2 = softmax (logits θ x) |> Array.mapi (fun c p -> if c = label then p - 1.0 else p)

    let δ1 =
        h
        |> Array.mapi (fun i h -> (1.0 - h * h) * Seq.sum (Seq.init δ2.Length (fun j -> θ.W2[i, j] * δ2[j])))

    let outer (a: float[]) (b: float[]) = Array2D.init a.Length b.Length (fun i j -> a[i] * b[j])
    { W1 = outer x δ1; B1 = δ1; W2 = outer h δ2; B2 = δ2 }

let private samplesOf (dataset: Dataset) = [|
    for i in 0 .. dataset.Count - 1 -> dataset.Picture i |> Array.map float, dataset.Labels[i]
|]

/// Fisher and Yates from the last place down, draw i for place i.
let private order (key: Key) n =
    let order = Array.init n id

    for i in n - 1 .. -1 .. 1 do
        let j = key.Below(i + 1, int64 i)
        let kept = order[i]
        order[i] <- order[j]
        order[j] <- kept

    order

let private ofParameters (θ: Parameters<float>) =
    let matrix (t: Tensor<float>) = Array2D.init t.Shape[0] t.Shape[1] (fun i j -> t[i, j])
    { W1 = matrix θ[0]; B1 = θ[1].ToArray(); W2 = matrix θ[2]; B2 = θ[3].ToArray() }

let private numbers θ =
    let flat (w: float[,]) = w |> Seq.cast<float>
    Seq.concat [ flat θ.W1; θ.B1; flat θ.W2; θ.B2 ] |> Array.ofSeq

/// θ after the epochs, and for each of them: loss, accuracy, validation loss, validation accuracy.
let private byHand case epochs =
    let data, held = samplesOf (training case), samplesOf (validation case)
    let weight label = if case.IsWeighted then weightOf[label] else 1.0

    let whole =
        if case.DropLast && samples >= case.BatchSize then
            samples / case.BatchSize * case.BatchSize
        else
            samples

    let mutable θ = ofParameters (network case).Parameters
    let mutable m = map2 (fun _ _ _ -> 0.0) θ θ

    let results = [
        for epoch in 1..epochs do
            let key = Key.ofSeed case.Seed |> Key.child Purpose.Shuffle |> Key.child (int64 epoch)
            let batches = (order key samples)[.. whole - 1] |> Array.chunkBySize case.BatchSize
            let mutable loss, right = 0.0, 0

            batches
            |> Array.iteri (fun b indices ->
                let batch = indices |> Array.map (fun i -> data[i])
                let divisor = if case.Reduction = Reduction.Mean then float batch.Length else 1.0

                for sample in batch do
                    loss <- loss + weight (snd sample) * lossOf θ sample
                    right <- right + (if isRight θ sample then 1 else 0)

                let sum =
                    batch
                    |> Array.map (fun sample ->
                        map2 (fun _ g _ -> g * weight (snd sample) / divisor) (gradient θ sample) θ)
                    |> Array.reduce (map2 (fun _ -> (+)))

                let rate = η * Math.Pow(0.5, float (epoch - 1) + float b / float batches.Length)
                let g = map2 (fun isWeight g w -> if isWeight then g + l2 * w else g) sum θ
                m <- map2 (fun _ m g -> γ * m + g) m g

                θ <- map2 (fun isWeight w m -> (if isWeight then (1.0 - rate * λ) * w else w) - rate * m) θ m)

            loss / float whole
            float right / float whole
            held |> Array.averageBy (lossOf θ)
            held |> Array.averageBy (fun sample -> if isRight θ sample then 1.0 else 0.0)
    ]

    Array.append (numbers θ) (Array.ofList results)

/// The same of the library.
let private found (network: Network<float>) (history: EpochResult list) =
    let results = [
        for result in history do
            let validation = nonNull result.Validation
            result.Loss
            result.Accuracy
            validation.Loss
            validation.Accuracy
    ]

    Array.append (numbers (ofParameters network.Parameters)) (Array.ofList results)

let private close (expected: float[]) (actual: float[]) =
    near 1e-10 (Tensor.ofArray (Shape.Of expected.Length) expected) (Tensor.ofArray (Shape.Of actual.Length) actual)

let private fit backend case epochs =
    let fitted = Fitting.fit backend (settings case) None ignore epochs (training case) (network case)
    found fitted.Network fitted.History

/// Where the training is after n epochs, written to bytes and read again.
let private savedAfter n case =
    let state = ref None
    let network = network case
    let settings = settings case

    Fitting.resume
        Backend.reference
        settings
        None
        (fun reached -> state.Value <- Some reached)
        n
        (training case)
        (Fitting.start settings network)
    |> ignore

    let record: TrainingRecord = { Seed = case.Seed; Epoch = 0; History = []; DataHash = "" }

    let bytes =
        Checkpoint.write {
            Model = (ModelFile.create None [] network).After([ "a"; "b"; "c" ], record, network)
            State = state.Value.Value
            Settings = Map.empty
        }

    (Checkpoint.read "file" (ReadOnlyMemory bytes): Checkpoint<float>).State

let private threaded = Fluent.Simd.Backend<float>(Nullable 2)

let tests =
    testList "training by hand" [
        // Shuffled by child `epoch` of the seed's key for shuffling; batches, mean or sum; gradients as written out above.
        testProperty "training = a loop by hand: weights, losses and accuracies of each epoch" (fun (Trained case) ->
            let expected = byHand case 3

            all [ close expected (fit Backend.reference case 3); close expected (fit threaded case 3) ])

        // Nothing of the memory of the optimiser, of the clock of the schedule or of the order is lost in a file.
        testProperty "n epochs, saved, loaded, n epochs = 2n epochs by hand" (fun (Trained case) ->
            let n = 1 + case.Seed % 2
            let saved = savedAfter n case

            let fitted = Fitting.resume Backend.reference (settings case) None ignore (2 * n) (training case) saved

            close (byHand case (2 * n)) (found fitted.Network fitted.History))
    ]
