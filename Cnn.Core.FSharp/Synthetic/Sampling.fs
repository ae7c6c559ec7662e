namespace Cnn.FSharp

open System
open Cnn

/// Labelled pictures addressed by a key and an index.
[<RequireQualifiedAccess>]
module internal Sampling =

    let require name low high (value: int) =
        if value < low || value > high then
            raise (ArgumentOutOfRangeException(name, value, "From " + string low + " to " + string high + "."))

    let requireLength (name: string) (expected: int) (picture: Span<float32>) =
        if picture.Length <> expected then
            raise (ArgumentException("Expected " + string expected + " values.", name))

    /// The largest side of a square picture that fits into an array.
    [<Literal>]
    let Largest = 46340

    /// The same with three channels.
    [<Literal>]
    let LargestColor = 26754

    let pictureKey key (index: int) = key |> Key.child Purpose.Data |> Key.child (int64 index)

    /// Each run of as many samples as there are classes shows every class once. Labels have the negative children of the
    /// key whose other children pictures have.
    let label classes key (index: int) =
        require (nameof index) 0 Int32.MaxValue index
        let run = key |> Key.child Purpose.Data |> Key.child (-1L - int64 (index / classes))
        (run.Permutation classes)[index % classes]

    /// Pictures that one iteration of a parallel loop draws.
    [<Literal>]
    let private Portion = 100

    /// Pictures 0 … count − 1, drawn at once on the threads of a scheduler and kept as bytes; draw returns the label.
    let collect (scheduler: IScheduler) (shape: Shape) names count (draw: int -> float32[] -> int) =
        require (nameof count) 0 (Array.MaxLength / shape.Size) count
        let pixels: byte[] = Array.zeroCreate (count * shape.Size)
        let labels = Array.zeroCreate count

        scheduler.For(
            (count + Portion - 1) / Portion,
            fun piece ->
                let picture = Array.zeroCreate shape.Size

                for index in piece * Portion .. min count ((piece + 1) * Portion) - 1 do
                    labels[index] <- draw index picture

                    for i in 0 .. picture.Length - 1 do
                        pixels[index * picture.Length + i] <- byte (255.0f * picture[i] + 0.5f)
        )

        Dataset.OfBytes(shape, ReadOnlyMemory pixels, labels, names)
