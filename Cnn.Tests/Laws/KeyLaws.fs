/// Counter-based randomness: addressed, not consumed.
module Cnn.Tests.Laws.KeyLaws

open Expecto
open MathNet.Numerics.Distributions
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private bits (key: Key) = [ for i in 0L .. 7L -> key.Bits i ]

let tests =
    testList "keys" [
        // Positions are an additive monoid.
        testProperty "Skip a ∘ Skip b = Skip (a + b), and Skip 0 = id" (fun (seed: int) (a: int16) (b: int16) ->
            let key = Key.ofSeed seed

            all [
                same (bits (Key.skip (int a + int b) key)) (bits (key |> Key.skip (int b) |> Key.skip (int a)))
                same (bits key) (bits (key.Skip 0))
            ])

        // The same key gives the same numbers, in any order.
        testProperty "draw i is a function of the key and of i" (fun (seed: int) (i: int) ->
            let draws () =
                let key = Key.ofSeed seed
                key.Bits(int64 i), key.Uniform(int64 i), key.Normal(int64 i), key.Below(10, int64 i)

            let first = draws ()
            let other = Key.ofSeed (seed + 1)
            other.Normal 3L |> ignore
            same first (draws ()))

        // Draws of different keys look independent: no key, position, child or index shares a draw with another.
        testCase "no two draws of 30,000 coincide across seeds, positions, children and indices" (fun () ->
            let draws = [|
                for seed in 0..9 do
                    for position in 0..9 do
                        for child in 0L .. 9L do
                            for i in 0L .. 9L do
                                let key = Key.ofSeed seed |> Key.skip position |> Key.child child
                                let grandchild, next = Key.child 1L key, Key.skip 1 key
                                key.Bits i
                                grandchild.Bits i
                                next.Bits i
            |]

            Assert.That(Array.distinct draws, havingLength draws.Length))

        // Correlation of the draws of neighbouring children, positions and indices: six standard errors of 50,000 draws.
        testCase "children, positions and indices draw without correlation" (fun () ->
            let n = 50000
            let key = Key.ofSeed 11
            let correlation f g = Seq.averageBy (fun i -> f i * g i) (seq { for i in 0L .. int64 n - 1L -> i })
            let draw (k: Key) (i: int64) = sqrt 12.0 * (k.Uniform i - 0.5)

            for name, f, g in
                [
                    "child", draw (key.Child 0L), draw (key.Child 1L)
                    "parent", draw key, draw (key.Child 0L)
                    "position", draw key, draw (key.Skip 1)
                    "seed", draw (Key.ofSeed 1), draw (Key.ofSeed 2)
                    "index", draw key, (fun i -> draw key (i + 1L))
                    "children's first draw", (fun i -> draw (key.Child i) 0L), (fun i -> draw (key.Child(i + 1L)) 0L)
                ] do
                Assert.That(correlation f g, closeTo (0.0) (6.0 / sqrt (float n)), name))

        // U[0, 1): mean ½, variance 1∕12; every value in range; every sixteenth equally full (χ² of 15 degrees, p ≈ 1e−6).
        testCase "Uniform has the moments and the histogram of U[0, 1)" (fun () ->
            let key = Key.ofSeed 5
            let n = 100000
            let draws = Array.init n (fun i -> key.Uniform(int64 i))
            Assert.That(draws |> Array.forall (fun u -> u >= 0.0 && u < 1.0))
            Assert.That(Array.average draws, closeTo (0.5) (6.0 * sqrt (1.0 / 12.0 / float n)))

            Assert.That(
                draws |> Array.averageBy (fun u -> (u - 0.5) * (u - 0.5)),
                closeTo (1.0 / 12.0) (6.0 * sqrt (1.0 / 180.0 / float n))
            )

            let expected = float n / 16.0
            let bins = draws |> Array.countBy (fun u -> int (16.0 * u))
            let chiSquared = bins |> Array.sumBy (fun (_, count) -> (float count - expected) ** 2.0 / expected)
            Assert.That(bins, havingLength 16)
            Assert.That(chiSquared, lessThan (ChiSquared.InvCDF(15.0, 1.0 - 1e-6))))

        // N(0, 1): the first four moments, six standard errors.
        testCase "Normal has the moments of N(0, 1)" (fun () ->
            let key = Key.ofSeed 6
            let n = 100000
            let draws = Array.init n (fun i -> key.Normal(int64 i))

            for power, moment, variance in [ 1, 0.0, 1.0; 2, 1.0, 2.0; 3, 0.0, 15.0; 4, 3.0, 96.0 ] do
                Assert.That(
                    draws |> Array.averageBy (fun z -> pown z power),
                    closeTo (moment) (6.0 * sqrt (variance / float n)),
                    $"moment {power}"
                ))

        // Wichura 1988, AS 241, gives about 16 figures. The reference is MathNet's quantile of the same uniform draw where
        // that is well conditioned, and everywhere its distribution function: Φ(Normal i) is the draw's probability.
        testCase "Normal i = Φ⁻¹ of draw i" (fun () ->
            let key = Key.ofSeed 8

            for i in 0L .. 20000L do
                let p = float (key.Bits i >>> 11) * 2.0 ** -53.0 + 2.0 ** -54.0
                let z = key.Normal i

                Assert.That(z, closeTo (MathNet.Numerics.Distributions.Normal.InvCDF(0.0, 1.0, p)) 1e-9)

                let error = MathNet.Numerics.Distributions.Normal.CDF(0.0, 1.0, z) - p
                Assert.That(abs error, atMost (1e-13 * (1.0 + abs z))))

        // 0 … n − 1, each equally likely: χ², p ≈ 1e−6.
        testTheory "Below n is uniform on 0 … n − 1" [ 2; 7; 10 ] (fun (n: int) ->
            let key = Key.ofSeed 9
            let count = 20000
            let draws = Array.init count (fun i -> key.Below(n, int64 i))
            let expected = float count / float n
            Assert.That(draws |> Array.forall (fun v -> v >= 0 && v < n))

            let chiSquared =
                seq { 0 .. n - 1 }
                |> Seq.sumBy (fun v ->
                    (float (draws |> Array.filter ((=) v) |> Array.length) - expected) ** 2.0 / expected)

            Assert.That(chiSquared, lessThan (ChiSquared.InvCDF(float (n - 1), 1.0 - 1e-6))))

        // Fisher and Yates.
        testProperty "Permutation n is a permutation of 0 … n − 1" (fun (seed: int) (n: uint8) ->
            same [| 0 .. int n - 1 |] (let key = Key.ofSeed seed in Array.sort (key.Permutation(int n))))

        // All 24 orders of four are equally likely: χ² of 23 degrees, p ≈ 1e−6.
        testCase "every permutation is equally likely" (fun () ->
            let count = 24000
            let key = Key.ofSeed 10

            let orders =
                Seq.init count (fun i -> let child = Key.child (int64 i) key in List.ofArray (child.Permutation 4))
                |> Seq.countBy id
                |> List.ofSeq

            let expected = float count / 24.0
            Assert.That(orders, havingLength 24)

            Assert.That(
                orders |> List.sumBy (fun (_, k) -> (float k - expected) ** 2.0 / expected),
                lessThan (ChiSquared.InvCDF(23.0, 1.0 - 1e-6))
            ))
    ]
