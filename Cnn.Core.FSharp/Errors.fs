namespace Cnn

open System
open System.Collections.Generic

/// Words of messages.
[<RequireQualifiedAccess>]
module internal Words =

    /// A number as it is read everywhere.
    let number (x: float) = x.ToString("G6", Globalization.CultureInfo.InvariantCulture)

    /// How many there are of something, as in 1 class, 2 classes.
    let count64 (n: int64) one many = string n + " " + (if n = 1L then one else many)

    /// The same, of a number of 32 bits.
    let count (n: int) one many = count64 (int64 n) one many

    /// Refuses a position outside 0 … count − 1.
    let within name (index: int) (count: int) (what: string) =
        if uint index >= uint count then
            let wanted =
                if count = 0 then
                    "There are no " + what + "."
                else
                    what + " go from 0 to " + string (count - 1) + "."

            raise (ArgumentOutOfRangeException(name, index, wanted))

    /// Refuses a number that no member of its enumeration has.
    let defined name (value: 'E when 'E: struct and 'E: (new: unit -> 'E) and 'E :> Enum) =
        if not (Enum.IsDefined value) then
            let names = String.Join(", ", Enum.GetNames<'E>())

            raise (
                ArgumentOutOfRangeException(
                    name,
                    value,
                    "There is no such " + typeof<'E>.Name + ". Choose one of " + names + "."
                )
            )

/// <summary>A shape does not fit: tells the layer or operation, what it expected, what it found and the likely cure.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type ShapeException(layer: string, expected: string, actual: string, cure: string) =
    inherit ArgumentException(String.Concat(layer, ": expected ", expected) + ", found " + actual + ". " + cure)

    /// <summary>The layer or operation that refused the shape.</summary>
    member _.Layer = layer

    /// <summary>What was expected, in words.</summary>
    member _.Expected = expected

    /// <summary>What was found, in words.</summary>
    member _.Actual = actual

    /// <summary>What most likely puts it right.</summary>
    member _.Cure = cure

/// <summary>Bytes are not of the format that they claim: tells the file, the offset, what was expected and found.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type DataFormatException(file: string, offset: int64, expected: string, actual: string) =
    inherit
        FormatException(
            String.Concat(file, " at byte ", offset.ToString Globalization.CultureInfo.InvariantCulture)
            + ": expected "
            + expected
            + ", found "
            + actual
            + "."
        )

    /// <summary>The file, or the name that the caller gave to the bytes.</summary>
    member _.File = file

    /// <summary>Offset in bytes, from 0, of the first thing that is wrong (after decompression).</summary>
    member _.Offset = offset

    /// <summary>What was expected, in words.</summary>
    member _.Expected = expected

    /// <summary>What was found, in words.</summary>
    member _.Actual = actual

/// <summary>The arrays of a file are not the weights of a network: lists all that is wrong with them at once.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type WeightMismatchException
    (file: string, missing: IReadOnlyList<string>, unexpected: IReadOnlyList<string>, misshapen: IReadOnlyList<string>)
    =
    inherit
        ArgumentException(
            String.Concat(
                file,
                " does not hold the weights of this network.",
                WeightMismatchException.Sentence("Missing", missing),
                WeightMismatchException.Sentence("Unexpected", unexpected)
                + WeightMismatchException.Sentence("Of another shape", misshapen)
            )
        )

    static member private Sentence(title: string, names: IReadOnlyList<string>) =
        if names.Count = 0 then
            ""
        else
            " " + title + ": " + String.Join(", ", names) + "."

    /// <summary>The file, or the name that the caller gave to the bytes.</summary>
    member _.File = file

    /// <summary>What the network needs and the file has not, with shapes.</summary>
    member _.Missing = missing

    /// <summary>Names in the file that the network has no place for.</summary>
    member _.Unexpected = unexpected

    /// <summary>Names in the file whose shape is another than the network needs, with both.</summary>
    member _.Misshapen = misshapen

/// <summary>A NaN or an infinity appeared in training: tells where, at which step, and the largest finite weight.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<Sealed>]
type NonFiniteException(where: string, step: int, largestWeight: float) =
    inherit
        ArithmeticException(
            String.Concat("Training met a NaN or an infinity in ", where, " at step ")
            + string step
            + "; the largest weight was "
            + largestWeight.ToString("G4", Globalization.CultureInfo.InvariantCulture)
            + ". Use a smaller learning rate, clip the gradient, or look for such numbers in the data."
        )

    /// <summary>The first layer whose output was not finite, or the loss, the weights or the pictures.</summary>
    member _.Where = where

    /// <summary>The step, from 1, over all epochs.</summary>
    member _.Step = step

    /// <summary>The largest finite magnitude among the weights before the step.</summary>
    member _.LargestWeight = largestWeight
