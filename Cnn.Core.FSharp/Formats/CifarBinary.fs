namespace Cnn.FSharp

open System
open Cnn

/// <summary>A record of a CIFAR file: its labels and its picture, 32×32 bytes red, then green, then blue.</summary>
[<NoEquality; NoComparison>]
type CifarRecord = {
    /// <summary>One label in CIFAR-10; the coarse, then the fine one in CIFAR-100.</summary>
    Labels: byte[]
    /// <summary>The three planes, each row by row.</summary>
    Planes: byte[]
}

/// <summary>The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky): records of labels and 3072 bytes, no header.</summary>
[<RequireQualifiedAccess>]
module CifarBinary =

    /// <summary>Rows of a picture, and columns.</summary>
    [<Literal>]
    let Side = 32

    let private plane = Side * Side

    /// The records of a file; `classes` says how many there are for each label of a record.
    let internal read (classes: int list) (source: ByteSource) : CifarRecord list =
        let length = classes.Length + 3 * plane

        let record () =
            let start = source.Position
            let labels = Array.zeroCreate classes.Length

            match source.ReadUpTo(Span labels) with
            | 0 -> None
            | there ->
                if there < labels.Length then
                    source.RefuseAt(start, "records of " + string length + " bytes", Words.count there "byte" "bytes")

                classes
                |> List.iteri (fun i count ->
                    if int labels[i] >= count then
                        source.RefuseAt(
                            start + int64 i,
                            "a label of 0 to "
                            + string (count - 1)
                            + ", as records of "
                            + string length
                            + " bytes have",
                            string labels[i]
                        ))

                let planes = Array.zeroCreate (3 * plane)
                source.Fill(Span planes, "a picture of a record of " + string length + " bytes")
                Some { Labels = labels; Planes = planes }

        let records = List.unfold (fun () -> record () |> Option.map (fun found -> found, ())) ()

        if records.IsEmpty then
            source.RefuseAt(0L, "at least one record of " + string length + " bytes", "an empty file")

        records

    /// <summary>The records of a file, gzip-compressed or not.</summary>
    /// <remarks>Pure. <paramref name="file"/> is used in messages only.</remarks>
    /// <param name="file">Name of the file.</param>
    /// <param name="classes">Number of classes for each label of a record: [10], or [20; 100] for CIFAR-100.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    let parse (file: string) (classes: int list) (bytes: byte[]) : CifarRecord list =
        use source = new ByteSource(file, bytes)
        read classes source
