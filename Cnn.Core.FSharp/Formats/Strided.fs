namespace Cnn.FSharp

open System
open Cnn

/// Pictures of bytes that a file keeps in another order than row, column, channel.
module internal Strided =

    /// Reads a picture as v/255 from bytes where (y, x, c) stands at y·row + x·column + c·channel.
    let reader (shape: Shape) (row: int) (column: int) (channel: int) (picture: int -> ReadOnlyMemory<byte>) =
        let height, width, channels = shape[0], shape[1], shape[2]

        PictureReader(fun index destination ->
            let source = (picture index).Span
            let mutable i = 0

            for y in 0 .. height - 1 do
                for x in 0 .. width - 1 do
                    for c in 0 .. channels - 1 do
                        destination[i] <- float32 source[y * row + x * column + c * channel] / 255.0f
                        i <- i + 1)
