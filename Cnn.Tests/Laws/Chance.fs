/// Bounds that independent draws break once in 10⁹ runs, at most.
module Cnn.Tests.Laws.Chance

open Expecto

/// n independent numbers of mean 0 in [−1, 1], or products of two of them: |Σ| exceeds √(2n·ln(2·10⁹)) once in 10⁹ runs.
/// Hoeffding 1963, theorem 2; Azuma 1967, for products whose factors come up in several of them.
let bound n = sqrt (2.0 * float n * log 2e9)

/// Σᵢ x[i]·x[i+k] stays within chance for neighbours, for few places apart, and for a power of two.
let independent told (x: float[]) =
    for k in [ 1; 2; 7; 1024 ] do
        let sum = Seq.sum (Seq.init (x.Length - k) (fun i -> x[i] * x[i + k]))
        Expect.isLessThanOrEqual (abs sum) (bound (x.Length - k)) $"{told}, {k} apart"

/// Σᵢ x[i]·y[i] stays within chance.
let unrelated told (x: float[]) (y: float[]) =
    Expect.isLessThanOrEqual (abs (Array.fold2 (fun sum a b -> sum + a * b) 0.0 x y)) (bound x.Length) told

/// What has probability p happens as often: its count less np, a number within 1 of 0 in each draw, stays within chance.
/// Hoeffding for numbers in an interval of length 1.
let frequent told p (hits: bool[]) =
    let count = hits |> Array.filter id |> Array.length
    Expect.isLessThanOrEqual (abs (float count - p * float hits.Length)) (bound hits.Length / 2.0) told

/// Each of the places comes up, and no other; equally often. A place of n is missed by N draws in exp(−N∕n) of the runs.
let everywhere told (places: 'P list) (found: 'P[]) =
    let p = 1.0 / float places.Length
    Expect.equal (Set.ofArray found) (Set.ofList places) $"{told}: the places"

    for place in places do
        frequent $"{told}: {place}" p (found |> Array.map ((=) place))
