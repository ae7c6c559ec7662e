/// Dropout (SPEC section 6; Fan & Yam 11.6.1) and what it owes to the key.
module Cnn.Tests.Laws.DropoutLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private dropout rate kind : Layer<float> = Layers.ofSpec (Dropout(rate, kind))
let private kinds = [ DropoutKind.Bernoulli; DropoutKind.Gaussian ]
let private ones (shape: Shape) = Tensor.init shape (fun _ -> 1.0)

/// The factors that samples first … first + n − 1 are multiplied by.
let private mask layer seed first (shape: Shape) =
    let context = { Context.reference (Training(Key.ofSeed seed)) with FirstSample = first }
    (Layer.run context layer [] [] (ones shape)).Output

let tests =
    testList "dropout" [
        // SPEC section 6: nothing at inference.
        testProperty "at inference dropout is the identity, forward and backward" (fun (r: Rows) ->
            let x: Tensor<float> = Draw.reals r.Seed (Shape.Of(r.Count, r.Features))

            all [
                for kind in kinds do
                    let step = Layer.run (Context.reference Inference) (dropout 0.5 kind) [] [] x
                    exact x step.Output
                    exact x (snd (step.Pullback x))
            ])

        // y = x ∘ m and x̄ = ȳ ∘ m for one and the same mask.
        testProperty "y = x ∘ m and x̄ = ȳ ∘ m" (fun (r: Rows) ->
            let shape = Shape.Of(r.Count, r.Features)
            let x, ȳ = Draw.reals r.Seed shape, Draw.reals (r.Seed + 1) shape
            let times = Tensor.map2 (fun (a: float) b -> a * b)

            all [
                for kind in kinds do
                    let layer = dropout 0.4 kind
                    let m = mask layer r.Seed 0 shape
                    let step = Layer.run (Context.reference (Training(Key.ofSeed r.Seed))) layer [] [] x
                    exact (times x m) step.Output
                    exact (times ȳ m) (snd (step.Pullback ȳ))
            ])

        // Inverted dropout: each factor is 0 or 1 ∕ (1 − r).
        testProperty "Bernoulli factors are 0 or 1 ∕ (1−r)" (fun (r: Rows) ->
            let m = mask (dropout 0.2 DropoutKind.Bernoulli) r.Seed 0 (Shape.Of(r.Count, r.Features))
            same true (m.ToArray() |> Array.forall (fun v -> v = 0.0 || v = 1.0 / 0.8)))

        // rate is the drop probability, and the expected factor is 1. Six standard errors of 40,000 draws from fixed keys.
        testTheory
            "E m = 1 and Var m = r ∕ (1−r), and r of the factors are dropped"
            [ 0.1; 0.5; 0.8 ]
            (fun (rate: float) ->
                let draws = Shape.Of(200, 200)
                let n = float draws.Size
                let variance = rate / (1.0 - rate)

                for kind in kinds do
                    let m = (mask (dropout rate kind) 7 0 draws).ToArray()
                    let mean = Array.average m
                    let spread = m |> Array.averageBy (fun v -> (v - 1.0) * (v - 1.0))
                    let fourth = m |> Array.averageBy (fun v -> pown (v - 1.0) 4)
                    Assert.That(mean, closeTo (1.0) (6.0 * sqrt (variance / n)), $"mean of {kind}")
                    Assert.That(spread, closeTo (variance) (6.0 * sqrt (fourth / n)), $"variance of {kind}")

                let dropped = (mask (dropout rate DropoutKind.Bernoulli) 7 0 draws).ToArray() |> Array.filter ((=) 0.0)
                Assert.That(float dropped.Length / n, closeTo (rate) (6.0 * sqrt (rate * (1.0 - rate) / n))))

        // ARCHITECTURE, randomness: draws are addressed by the sample's place in the whole batch, through FirstSample.
        testProperty "the mask of a batch is the masks of its shards" (fun (r: Rows) ->
            let shape = Shape.Of(r.Count, r.Features, 2, 1)

            all [
                for kind in kinds do
                    let layer = dropout 0.5 kind
                    let whole = mask layer r.Seed 0 shape
                    let cut = r.Seed % (r.Count + 1)
                    let shard first count = mask layer r.Seed first (shape.Sample.Batch count)
                    exact whole (Tensor.concat [ shard 0 cut; shard cut (r.Count - cut) ])
            ])

        // Samples, steps and layers draw for themselves.
        testCase "masks of different samples, keys and positions differ" (fun () ->
            for kind in kinds do
                let layer = dropout 0.5 kind
                let shape = Shape.Of(2, 64)
                let m = mask layer 1 0 shape
                Assert.That(m.Slice(0, 1).Equals(m.Slice(1, 1)), isFalse, "samples")
                Assert.That(m.Equals(mask layer 2 0 shape), isFalse, "keys")
                let key = Key.ofSeed 1
                let twice = Layer.compose layer layer
                let y = (Layer.run (Context.reference (Training key)) twice [] [] (ones shape)).Output
                Assert.That(y.Equals(Tensor.map2 (fun (a: float) b -> a * b) m m), isFalse, "positions"))

        // SPEC section 6: the drop probability lies in [0, 1).
        testCase "a rate outside 0 ≤ r < 1 is refused" (fun () ->
            for rate in [ -0.1; 1.0; nan ] do
                Assert.Throws<ArgumentOutOfRangeException>(fun () -> dropout rate DropoutKind.Bernoulli |> ignore)
                |> ignore)

        // A rate of 0 drops nothing.
        testProperty "dropout 0 = id" (fun (r: Rows) ->
            let x: Tensor<float> = Draw.reals r.Seed (Shape.Of(r.Count, r.Features))

            all [
                for kind in kinds do
                    exact
                        x
                        (Layer.run (Context.reference (Training(Key.ofSeed r.Seed))) (dropout 0.0 kind) [] [] x).Output
            ])
    ]
