namespace Cnn.FSharp

/// One component of a frame: brightness, or one of two differences of colour. Belongs to one decode.
[<Sealed>]
type internal JpegComponent
    (identifier: byte, horizontal: int, vertical: int, quantization: int, height: int, width: int) =

    let across, down = (width + 7) / 8, (height + 7) / 8

    /// Number by which scans name it.
    member _.Identifier = identifier

    /// Sampling factor along rows, 1 to 4.
    member _.Horizontal = horizontal

    /// Sampling factor along columns, 1 to 4.
    member _.Vertical = vertical

    /// Number of its quantisation table.
    member _.Quantization = quantization

    /// Samples of a column.
    member _.Height = height

    /// Samples of a row.
    member _.Width = width

    /// Blocks of 8×8 samples, along rows.
    member _.Across = across

    /// Blocks of 8×8 samples, along columns.
    member _.Down = down

    /// Quantised coefficients, 64 of each block in the natural order (row of frequencies by row), block row by block
    /// row; one block more takes what interleaved scans code outside.
    member val Coefficients: int16[] = [||] with get, set

    /// Quantisation steps in the natural order, from the first scan on.
    member val Steps: int[] = [||] with get, set

    /// For each coefficient in zigzag order, the lowest bit that scans have given, or Unseen.
    member val Lowest: int[] = Array.create 64 JpegComponent.Unseen

    static member Unseen = 255

/// What a frame header says. ITU-T T.81, B.2.2.
[<NoEquality; NoComparison>]
type internal JpegFrame = {
    IsProgressive: bool
    Height: int
    Width: int
    Components: JpegComponent[]
} with

    /// The largest sampling factor along rows: the picture has Horizontal/H times the columns of a component.
    member this.Horizontal = this.Components |> Seq.map _.Horizontal |> Seq.max

    /// The largest sampling factor along columns.
    member this.Vertical = this.Components |> Seq.map _.Vertical |> Seq.max

/// A component in a scan with its codes.
[<NoEquality; NoComparison>]
type internal JpegScanComponent = { Component: JpegComponent; Dc: JpegCode; Ac: JpegCode }

/// What a scan header says: coefficients First to Last in zigzag order, their bits from Low up; High is where the scan
/// before ended, or 0 in the first. ITU-T T.81, B.2.3.
[<NoEquality; NoComparison>]
type internal JpegScan = { Components: JpegScanComponent[]; First: int; Last: int; High: int; Low: int }

/// What segments between scans set. Belongs to one decode.
[<Sealed>]
type internal JpegTables() =

    /// Steps in the natural order.
    member val Quantization: int[] option[] = Array.create 4 None

    member val Dc: JpegCode option[] = Array.create 4 None
    member val Ac: JpegCode option[] = Array.create 4 None

    /// Units between restart markers, or 0.
    member val RestartInterval = 0 with get, set
