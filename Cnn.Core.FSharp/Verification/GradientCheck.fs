namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// A layer at a point, in double, whatever its own precision is.
[<NoEquality; NoComparison>]
type internal Probe = {
    Layer: string
    /// Names of θ.
    Names: string list
    Parameters: Parameters<float>
    X: Tensor<float>
    /// y and pullback for other θ and x.
    Run: Parameters<float> -> Tensor<float> -> Step<float>
    /// The unit roundoff that the layer computes with.
    Roundoff: float
}

/// ⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ along random directions d, for the input and for each parameter by itself. J·d comes from central
/// differences of fourth order at two step sizes, entry by entry of y; what the two disagree by is the truncation.
[<RequireQualifiedAccess>]
module internal GradientCheck =

    /// y along a line: the derivative of each entry, and how far it may be off.
    [<NoEquality; NoComparison>]
    type private Line = {
        Step: float
        /// y at −4 … 4 steps.
        Values: float[][]
        Slope: float[]
        Doubt: float[]
        /// Entries whose doubt is too large: a kink, a tie or a sharp turn lies within the steps.
        IsExcluded: bool[]
    }

    let private rms (values: float[]) =
        if values.Length = 0 then
            0.0
        else
            sqrt (Array.averageBy (fun v -> v * v) values)

    let private excluded line = line.IsExcluded |> Array.sumBy (fun isOut -> if isOut then 1 else 0)

    /// ±(½ … 1): nowhere near 0.
    let private signed (key: Key) (i: int) =
        let v = key.Uniform(int64 i) - 0.5
        if v < 0.0 then v - 0.5 else v + 0.5

    /// y at p + t·d for t from −4 to 4 steps.
    let private follow roundoff (at: float -> float[]) step : Line =
        let values = Array.init 9 (fun k -> at (float (k - 4) * step))
        let y k i = values[k + 4][i]

        let slopes =
            Array.init values[0].Length (fun i ->
                let fine = (8.0 * (y 1 i - y -1 i) - (y 2 i - y -2 i)) / (12.0 * step)
                let coarse = (8.0 * (y 2 i - y -2 i) - (y 4 i - y -4 i)) / (24.0 * step)
                // Of the fourth order where y is smooth, but of the first where it has a kink right here.
                let even k = y k i - 2.0 * y 0 i + y -k i
                let kink = (4.0 * even 1 - even 2) / (4.0 * step)
                struct (fine, abs (fine - coarse) + abs kink))

        let slope = slopes |> Array.map (fun struct (slope, _) -> slope)
        let doubt = slopes |> Array.map (fun struct (_, doubt) -> doubt)
        // The best that such differences can do is u^(4/5); an entry that is off by the root of it is off for a reason.
        let most = roundoff ** 0.4 * rms slope

        {
            Step = step
            Values = values
            Slope = slope
            Doubt = doubt
            IsExcluded = doubt |> Array.map (fun e -> not (e <= most))
        }

    /// The noise of a smooth function in values along a line: what its sixth to eighth differences leave. Moré and Wild 2011, 4.
    let private noise (values: float[]) =
        let binomial = [ 6, 924.0; 7, 3432.0; 8, 12870.0 ]

        let rec difference n (v: float[]) =
            if n = 0 then
                v
            else
                difference (n - 1) (Array.pairwise v |> Array.map (fun (a, b) -> b - a))

        binomial |> List.map (fun (n, c) -> rms (difference n values) / sqrt c) |> List.max

    /// The probe's y where one of its tensors, 0 being the input, is moved.
    let private moved (probe: Probe) block (t: Tensor<float>) =
        if block = 0 then
            probe.Run probe.Parameters t
        else
            probe.Run (List.updateAt (block - 1) t probe.Parameters) probe.X

    /// "/kernel[0,2,1,5]"
    let entry (what: string) (shape: Shape) (index: int) =
        let mutable rest = index

        let places = [
            for axis in shape.Rank - 1 .. -1 .. 0 do
                let place = rest % shape[axis]
                rest <- rest / shape[axis]
                string place
        ]

        "/" + what + "[" + String.Join(",", List.rev places) + "]"

    let private dot (a: float[]) (b: ReadOnlySpan<float>) =
        let mutable sum = 0.0

        for i in 0 .. a.Length - 1 do
            sum <- sum + a[i] * b[i]

        sum

    let private one (probe: Probe) (key: Key) block =
        let point = if block = 0 then probe.X else probe.Parameters[block - 1]
        let subject = if block = 0 then "input" else probe.Names[block - 1]
        let p = point.ToArray()
        let size = rms p
        let scale = if size > 0.0 then size else 1.0
        let direction = Array.init p.Length (fun j -> scale * signed (key.Child 0L) j)
        let here = moved probe block point
        let u = probe.Roundoff

        let along (d: float[]) t =
            (moved probe block (Tensor.init point.Shape (fun j -> p[j] + t * d[j]))).Output.ToArray()

        let line =
            let best = u ** 0.2
            let first = follow u (along direction) best

            // A smaller step meets fewer kinks, and loses digits that only double has to spare.
            if 4 * excluded first > first.Slope.Length && u < 1e-12 then
                let second = follow u (along direction) (best / 32.0)
                if excluded second < excluded first then second else first
            else
                first

        let ȳ =
            Tensor.init here.Output.Shape (fun i -> if line.IsExcluded[i] then 0.0 else signed (key.Child 1L) i)

        // A run of other numbers comes between: a pullback that looks at the last run instead of its own gives itself away.
        let elsewhere = Tensor.map (fun v -> 0.25 - v)
        probe.Run (List.map elsewhere probe.Parameters) (elsewhere probe.X) |> ignore
        let θ̄, x̄ = here.Pullback ȳ
        let claimed = (if block = 0 then x̄ else θ̄[block - 1]).ToArray()
        let cotangent = ȳ.ToArray()

        /// ⟨ȳ, J·d⟩ − ⟨Jᵀȳ, d⟩ and its bound, for the direction of a line.
        let discrepancy (d: float[]) (line: Line) =
            let weigh (values: float[]) = Array.map2 (fun c v -> abs c * abs v) cotangent values |> Array.sum
            let series = line.Values |> Array.map (fun y -> dot cotangent (ReadOnlySpan y))
            let rounding = (15.0 * noise series + u * weigh line.Values[4]) / line.Step
            let terms = Array.map2 (fun a b -> abs (a * b)) claimed d |> Array.sum
            let bound = weigh line.Doubt + rounding + float (d.Length + 64) * 2.0 ** -53.0 * terms
            struct (dot cotangent (ReadOnlySpan line.Slope) - dot claimed (ReadOnlySpan d), bound)

        let struct (error, bound) = discrepancy direction line

        /// The entry that is wrong, by halving the direction; the larger part of the error is followed.
        let rec search first count error =
            if count = 1 then
                struct (first, abs error)
            else
                let half = count / 2
                let d = direction |> Array.mapi (fun j v -> if j >= first && j < first + half then v else 0.0)
                let struct (left, _) = discrepancy d (follow u (along d) line.Step)

                if abs left >= abs (error - left) then
                    search first half left
                else
                    search (first + half) (count - half) (error - left)

        let total = line.Slope.Length
        let out = excluded line

        let live =
            Seq.init total (fun i -> not line.IsExcluded[i] && abs line.Slope[i] > line.Doubt[i])
            |> Seq.sumBy (fun isLive -> if isLive then 1 else 0)

        let size = Array.map2 (*) cotangent line.Slope |> Array.sumBy (fun v -> v * v) |> sqrt

        let kinks =
            if out = 0 then
                ""
            else
                Words.count out "output" "outputs" + " left out at kinks or ties"

        let because reason = if kinks = "" then reason else reason + ", " + kinks

        let verdict, worst, error, reason =
            if not (abs error <= bound) then
                let struct (index, _) = search 0 p.Length error
                let d = Array.init p.Length (fun j -> if j = index then direction[j] else 0.0)
                let single = follow u (along d) line.Step
                let measured = dot cotangent (ReadOnlySpan single.Slope) / direction[index]

                VerificationVerdict.Failed,
                probe.Layer + entry subject point.Shape index,
                abs error,
                "the pullback says " + Words.number claimed[index] + ", differences say " + Words.number measured
            elif live = 0 then
                VerificationVerdict.Vacuous, "", abs error, because "no output moves: dead or saturated units, or zeros"
            elif 100 * live < total then
                VerificationVerdict.Vacuous, "", abs error, because "fewer than 1 % of the outputs move"
            elif not (bound <= 0.01 * size) then
                VerificationVerdict.Vacuous, "", abs error, because "too few digits: the bound is 1 % of the derivative"
            else
                VerificationVerdict.Passed, "", abs error, kinks

        {
            Layer = probe.Layer
            Claim = "gradient"
            Subject = subject
            Checked = int64 live
            Total = int64 total
            Worst = worst
            Error = error
            Bound = bound
            Verdict = verdict
            Reason = reason
        }

    let private badness (check: VerificationCheck) =
        struct (check.Verdict, (if check.Bound > 0.0 then check.Error / check.Bound else check.Error))

    /// The worst of some directions, for the input and each parameter.
    let run (key: Key) directions (probe: Probe) : VerificationCheck list = [
        for block in 0 .. probe.Parameters.Length do
            List.init directions (fun i -> one probe (key.Child(int64 block) |> Key.child (int64 i)) block)
            |> List.maxBy badness
    ]
