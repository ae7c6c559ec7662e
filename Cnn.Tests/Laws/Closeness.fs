/// The three meanings of "equal" in a law: exact, up to rounding, up to truncation.
module Cnn.Tests.Laws.Closeness

open System.Numerics
open FsCheck
open FsCheck.FSharp
open Cnn
open Cnn.FSharp

let private create<'U, 'T when 'U :> INumberBase<'U> and 'T :> INumberBase<'T>> (x: 'T) : 'U = 'U.CreateTruncating x

/// A float in the precision of a tensor.
let number<'T when 'T :> INumberBase<'T>> (x: float) : 'T = create x

/// A value of a tensor as a float.
let real<'T when 'T :> INumberBase<'T>> (x: 'T) : float = create x

/// The unit roundoff u: 2⁻²⁴ in float32, 2⁻⁵³ in float.
let unitRoundoff<'T when 'T: struct> = Rounding.unitRoundoff<'T>

/// Every one of the properties holds.
let all (properties: Property seq) =
    Seq.fold (fun (p: Property) (q: Property) -> p .&. q) (Prop.ofTestable true) properties

/// Equality of values that have one, with both sides shown where it fails.
let same (expected: 'A) (actual: 'A) =
    if expected = actual then
        Prop.ofTestable true
    else
        false |> Prop.label $"expected %A{expected}, found %A{actual}"

/// Equal shapes and equal values: for linear identities on tensors of small integers, and for identities of code.
let exact (expected: Tensor<'T>) (actual: Tensor<'T>) =
    let where =
        if expected.Shape <> actual.Shape then
            "shape " + string expected.Shape + " against " + string actual.Shape
        else
            Seq.zip (expected.ToArray()) (actual.ToArray())
            |> Seq.tryFindIndex (fun (a, b) -> not (a.Equals b))
            |> function
                | Some i -> $"at {i}: {expected.Span[i]} against {actual.Span[i]} in {expected} against {actual}"
                | None -> "nowhere"

    expected.Equals actual |> Prop.label ("they differ " + where)

/// Equal lists of tensors, element by element.
let exactly (expected: Tensor<'T> list) (actual: Tensor<'T> list) =
    if expected.Length <> actual.Length then
        same expected.Length actual.Length
    else
        List.map2 exact expected actual |> all

/// |a − b| ≤ bound, element by element.
let within (bound: int -> float) (expected: Tensor<'T>) (actual: Tensor<'T>) =
    if expected.Shape <> actual.Shape then
        same (string expected.Shape) (string actual.Shape)
    else
        let a, b = expected.ToArray(), actual.ToArray()

        seq { 0 .. a.Length - 1 }
        |> Seq.tryFind (fun i -> not (abs (real a[i] - real b[i]) <= bound i))
        |> function
            | None -> Prop.ofTestable true
            | Some i -> false |> Prop.label $"at {i}: {a[i]} against {b[i]}, allowed {bound i}"

/// |a − b| ≤ 2γₙ·Σ|x||w|: two sums of the same n products in different orders. Higham 2002, eq. 3.5.
/// The magnitudes Σ|x||w| come from the same operation on absolute values.
let rounding n (magnitudes: Tensor<float>) (expected: Tensor<'T>) (actual: Tensor<'T>) =
    within (fun i -> Rounding.sum<'T> n * magnitudes.Span[i]) expected actual

/// |a − b| ≤ 1e−7·(1 + |a| + |b|): a derivative against central differences of fourth order in double. With h = 1e−4 their
/// truncation is h⁴·|f⁽⁵⁾|/30 ≈ 3e−18·|f⁽⁵⁾|, and rounding adds 1.5·γₙ/h: 1e−7 for n = 60,000 roundings of numbers up to 1.
let truncation (expected: float) (actual: float) =
    let bound = 1e-7 * (1.0 + abs expected + abs actual)

    (abs (expected - actual) <= bound) |> Prop.label $"{expected} against {actual}, allowed {bound}"

/// |a − b| ≤ relative·(1 + |a|), element by element: the same formula in another order, in double, where the relative error
/// is γₙ for the roundings that one result takes on both sides: 1e−15 for 9 of them, 1e−14 for 90, 1e−13 for 900 and so on.
let near relative (expected: Tensor<'T>) (actual: Tensor<'T>) =
    within (fun i -> relative * (1.0 + abs (real expected.Span[i]))) expected actual
