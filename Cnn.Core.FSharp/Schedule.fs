namespace Cnn

open System
open System.Runtime.InteropServices

/// How a learning rate changes with the epoch e, a real number: ½ is the middle of the first epoch.
type internal ScheduleRule =
    | Constant
    | Step of every: float * factor: float
    | Exponential of factor: float
    | Cosine of epochs: float * floor: float
    | Warmup of epochs: float * start: float * next: ScheduleRule

/// <summary>How the learning rate changes while a network learns: a factor of the optimiser's own rate.</summary>
/// <remarks>An immutable value with structural equality. Epochs are real numbers: 1.5 is the middle of the second one.</remarks>
[<Sealed>]
type Schedule private (rule: ScheduleRule) =

    static let rec at rule (e: float) =
        match rule with
        | Constant -> 1.0
        | Step(every, factor) -> Math.Pow(factor, floor (e / every))
        | Exponential factor -> Math.Pow(factor, e)
        | Cosine(epochs, low) -> low + (1.0 - low) * 0.5 * (1.0 + cos (Math.PI * min (e / epochs) 1.0))
        | Warmup(epochs, start, next) -> if e < epochs then start + (1.0 - start) * e / epochs else at next (e - epochs)

    static let text (x: float) = x.ToString Globalization.CultureInfo.InvariantCulture

    static let rec describe rule =
        match rule with
        | Constant -> "constant"
        | Step(every, factor) -> "step(" + text every + ", " + text factor + ")"
        | Exponential factor -> "exponential(" + text factor + ")"
        | Cosine(epochs, low) -> "cosine(" + text epochs + ", " + text low + ")"
        | Warmup(epochs, start, next) -> "warmup(" + text epochs + ", " + text start + ", " + describe next + ")"

    static let require name (value: float) isValid expected =
        if not isValid then
            raise (ArgumentOutOfRangeException(name, value, "A schedule needs " + expected + "."))

    static let positive name value = require name value (value > 0.0 && Double.IsFinite value) "a number above 0"
    static let share name value = require name value (value >= 0.0 && value <= 1.0) "a number in [0, 1]"

    member private _.Rule = rule

    /// <summary>factor(e) = 1.</summary>
    static member Constant = Schedule Constant

    /// <summary>factor(e) = factor^⌊e/every⌋.</summary>
    /// <param name="every">Epochs from one drop to the next.</param>
    /// <param name="factor">What each drop multiplies by, default 0.1.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">A number is not positive.</exception>
    static member Step(every: float, [<Optional; DefaultParameterValue(0.1)>] factor: float) =
        positive (nameof every) every
        positive (nameof factor) factor
        Schedule(Step(every, factor))

    /// <summary>factor(e) = factor^e.</summary>
    /// <param name="factor">What an epoch multiplies by.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The factor is not positive.</exception>
    static member Exponential(factor: float) =
        positive (nameof factor) factor
        Schedule(Exponential factor)

    /// <summary>factor(e) = floor + (1 − floor)·(1 + cos(π·min(e/epochs, 1)))/2. Loshchilov and Hutter 2017.</summary>
    /// <param name="epochs">Epochs until the floor is reached.</param>
    /// <param name="floor">The last factor, default 0.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">epochs is not positive, or the floor not in [0, 1].</exception>
    static member Cosine(epochs: float, [<Optional; DefaultParameterValue(0.0)>] floor: float) =
        positive (nameof epochs) epochs
        share (nameof floor) floor
        Schedule(Cosine(epochs, floor))

    /// <summary>factor(e) = start + (1 − start)·e/epochs for e below epochs, then next's factor(e − epochs).</summary>
    /// <param name="epochs">Epochs of the rise.</param>
    /// <param name="next">What follows.</param>
    /// <param name="start">The first factor, default 0.1.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">epochs is not positive, or the start not in [0, 1].</exception>
    static member LinearWarmup(epochs: float, next: Schedule, [<Optional; DefaultParameterValue(0.1)>] start: float) =
        ArgumentNullException.ThrowIfNull(next, nameof next)
        positive (nameof epochs) epochs
        share (nameof start) start
        Schedule(Warmup(epochs, start, next.Rule))

    /// <summary>The factor at epoch e ≥ 0.</summary>
    member _.Factor(epoch: float) = at rule epoch

    /// <summary>True where both give the same factors by the same rule.</summary>
    member _.Equals(other: Schedule | null) =
        match other with
        | null -> false
        | schedule -> schedule.Rule = rule

    override this.Equals(other: obj | null) =
        match other with
        | :? Schedule as schedule -> this.Equals schedule
        | _ -> false

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Schedule | null, right: Schedule | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Schedule | null, right: Schedule | null) = not (Object.Equals(left, right))

    interface IEquatable<Schedule> with
        member this.Equals other = this.Equals other

    override _.GetHashCode() = rule.GetHashCode()

    override _.ToString() = describe rule
