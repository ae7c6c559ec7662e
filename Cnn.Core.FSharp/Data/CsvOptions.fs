namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.InteropServices

/// <summary>Where the label stands in a line of pixels.</summary>
type CsvLabel =
    /// <summary>Before the pixels, as in most files.</summary>
    | First = 0
    /// <summary>After the pixels.</summary>
    | Last = 1

/// <summary>Whether the first line of a file names the columns.</summary>
type CsvHeader =
    /// <summary>It does where none of its pixels is a number.</summary>
    | Auto = 0
    /// <summary>It does, and is passed over.</summary>
    | Present = 1
    /// <summary>It is a picture.</summary>
    | Absent = 2

/// <summary>How a file of separated values is read: one picture a line, its pixels row by row, channels last.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="shape">Height×width×channels; unless told, a square of one channel, or of three where one makes no square.</param>
/// <param name="label">Where the label stands; first unless told.</param>
/// <param name="header">Whether the first line names the columns; found out unless told.</param>
/// <param name="separator">Between the values; a comma unless told.</param>
/// <param name="divisor">The largest pixel that there can be, which becomes 1; 255 unless told.</param>
/// <param name="classNames">The classes, in their order; unless told, those of the file, sorted as numbers if all are whole, else as text.</param>
/// <exception cref="T:System.ArgumentException">
/// The shape is no picture's, the divisor not positive, the separator no character of ASCII, or there is no such label or header.
/// </exception>
[<Sealed>]
type CsvOptions
    (
        [<Optional; DefaultParameterValue(null: Shape | null)>] shape: Shape | null,
        [<Optional; DefaultParameterValue(CsvLabel.First)>] label: CsvLabel,
        [<Optional; DefaultParameterValue(CsvHeader.Auto)>] header: CsvHeader,
        [<Optional; DefaultParameterValue(',')>] separator: char,
        [<Optional; DefaultParameterValue(255.0)>] divisor: float,
        [<Optional; DefaultParameterValue(null: IEnumerable<string> | null)>] classNames: IEnumerable<string> | null
    ) =
    do
        Words.defined (nameof label) label
        Words.defined (nameof header) header

        match shape with
        | NonNull shape when shape.Rank <> 3 || shape.Size = 0 ->
            raise (
                ShapeException("CsvOptions", "height×width×channels", string shape, "Grey pictures have one channel.")
            )
        | _ -> ()

        if not (divisor > 0.0 && Double.IsFinite divisor) then
            raise (ArgumentOutOfRangeException(nameof divisor, divisor, "The divisor must be positive."))

        if not (Char.IsAscii separator) || "\r\n\"0123456789.+-".Contains separator then
            raise (
                ArgumentException("The separator must be a character of ASCII that is in no number.", nameof separator)
            )

    let names =
        match classNames with
        | null -> null
        | names -> Array.ofSeq names

    /// <summary>Height×width×channels, or null where the number of columns decides.</summary>
    member _.Shape = shape

    /// <summary>Where the label stands.</summary>
    member _.Label = label

    /// <summary>Whether the first line names the columns.</summary>
    member _.Header = header

    /// <summary>Between the values.</summary>
    member _.Separator = separator

    /// <summary>The largest pixel that there can be, which becomes 1.</summary>
    member _.Divisor = divisor

    /// <summary>The classes, in their order, or null where those of the file are taken.</summary>
    member _.ClassNames: IReadOnlyList<string> | null = names
