namespace Cnn

open System
open System.Collections.Generic
open System.Globalization
open System.Linq

/// <summary>What came of a check.</summary>
type VerificationVerdict =
    /// The error is within its bound, and the check could have failed.
    | Passed = 0
    /// Nothing was proved: all zero, saturated, too few entries, or too few digits.
    | Vacuous = 1
    /// The error is beyond its bound.
    | Failed = 2

/// <summary>One check of one layer: what was compared, how much of it, and the worst of it.</summary>
/// <remarks>An immutable value.</remarks>
[<NoComparison>]
type VerificationCheck = {
    /// <summary>Name of the layer, as in <c>SummaryRow.Name</c>; "network" for the whole.</summary>
    Layer: string
    /// <summary>The claim: shapes, gradient, adjoint, kernels, chain rule or threads.</summary>
    Claim: string
    /// <summary>What of the layer: a parameter, the input, a kernel.</summary>
    Subject: string
    /// <summary>Entries that count in the verdict.</summary>
    Checked: int64
    /// <summary>Entries that there were; those beside the checked ones lie at kinks or ties, or do not move at all.</summary>
    Total: int64
    /// <summary>The entry with the largest error, as in conv2d_1/kernel[0,2,1,5]; empty where all errors are 0 or only their sum is known.</summary>
    Worst: string
    /// <summary>The largest error, in the units of what was compared.</summary>
    Error: float
    /// <summary>What rounding and truncation may come to there.</summary>
    Bound: float
    /// <summary>What came of it.</summary>
    Verdict: VerificationVerdict
    /// <summary>Why it failed or proved nothing, or what was left out; may be empty.</summary>
    Reason: string
} with

    /// <summary>Layer, claim, verdict and why, on one line.</summary>
    override this.ToString() =
        this.Layer
        + ", "
        + this.Claim
        + " ("
        + this.Subject
        + "): "
        + VerificationCheck.Word this.Verdict
        + (if this.Worst = "" then "" else " at " + this.Worst)
        + ", error "
        + Words.number this.Error
        + ", bound "
        + Words.number this.Bound
        + (if this.Reason = "" then "" else "; " + this.Reason)

    static member internal Word(verdict: VerificationVerdict) =
        match verdict with
        | VerificationVerdict.Passed -> "passed"
        | VerificationVerdict.Vacuous -> "vacuous"
        | _ -> "failed"

/// <summary>What checking a network came to.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type Verification internal (checks: VerificationCheck[], samples: int, instructionSet: string) =

    static let columns = [
        "Layer", false
        "Claim", false
        "Subject", false
        "Checked", true
        "Of", true
        "Error", true
        "Bound", true
        "Verdict", false
        "Worst entry, reason", false
    ]

    /// <summary>All checks, layer by layer.</summary>
    member _.Checks: IReadOnlyList<VerificationCheck> = checks

    /// <summary>Pictures that the layers were looked at with.</summary>
    member _.Samples = samples

    /// <summary>The fast kernels, as in "AVX-512".</summary>
    member _.InstructionSet = instructionSet

    /// <summary>The worst verdict of all checks: failed before vacuous before passed.</summary>
    member _.Verdict =
        if checks.Length = 0 then
            VerificationVerdict.Vacuous
        else
            checks |> Array.map (fun check -> check.Verdict) |> Array.max

    /// <summary>True where every check passed, none of them vacuously.</summary>
    member this.IsPassed = this.Verdict = VerificationVerdict.Passed

    /// <summary>The checks that failed.</summary>
    member _.Failures: IReadOnlyList<VerificationCheck> = [|
        for check in checks do
            if check.Verdict = VerificationVerdict.Failed then
                check
    |]

    /// <summary>Share of the entries that counted in a verdict, from 0 to 1.</summary>
    member _.Share =
        let total = checks |> Array.sumBy (fun check -> check.Total)

        if total = 0L then
            0.0
        else
            float (checks |> Array.sumBy (fun check -> check.Checked)) / float total

    /// <summary>How many checks passed, were vacuous and failed, on one line.</summary>
    member this.Sentence =
        let count verdict = checks.Count(fun check -> check.Verdict = verdict)

        Words.count checks.Length "check" "checks"
        + " with "
        + Words.count samples "picture" "pictures"
        + " on "
        + instructionSet
        + ": "
        + string (count VerificationVerdict.Passed)
        + " passed, "
        + string (count VerificationVerdict.Vacuous)
        + " vacuous, "
        + string (count VerificationVerdict.Failed)
        + " failed; "
        + (100.0 * this.Share).ToString("F1", CultureInfo.InvariantCulture)
        + " % of the entries counted"

    /// <summary>The checks as a table of text, and what they came to.</summary>
    member this.Table() =
        let count (n: int64) = n.ToString("N0", CultureInfo.InvariantCulture)
        let real (x: float) = x.ToString("0.0e+0", CultureInfo.InvariantCulture)

        let rows = [
            for check in checks do
                [
                    check.Layer
                    check.Claim
                    check.Subject
                    count check.Checked
                    count check.Total
                    real check.Error
                    real check.Bound
                    VerificationCheck.Word check.Verdict
                    String.Join("; ", [ check.Worst; check.Reason ] |> List.filter (fun text -> text <> ""))
                ]
        ]

        let titles = columns |> List.map fst

        let widths = (titles :: rows) |> List.map (List.map String.length) |> List.reduce (List.map2 max)

        let line (cells: string list) =
            List.map3
                (fun (cell: string) (width: int) (_, isRight) ->
                    if isRight then cell.PadLeft width else cell.PadRight width)
                cells
                widths
                columns
            |> String.concat "  "
            |> fun text -> text.TrimEnd()

        [
            line titles
            line (widths |> List.map (fun width -> String('─', width)))
            yield! List.map line rows
            this.Sentence
        ]
        |> String.concat "\n"

    /// <summary>The table.</summary>
    override this.ToString() = this.Table()
