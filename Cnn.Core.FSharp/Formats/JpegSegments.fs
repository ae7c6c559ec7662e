namespace Cnn.FSharp

open System
open Cnn

/// Segments of a JPEG file after their marker. ITU-T T.81 (1992), annex B.
module internal JpegSegments =

    /// Position in the natural order of each coefficient in zigzag order. ITU-T T.81, figure A.6.
    let zigzag = [|
        for diagonal in 0..14 do
            let rows = [ max 0 (diagonal - 7) .. min 7 diagonal ]

            for row in (if diagonal % 2 = 0 then List.rev rows else rows) do
                8 * row + (diagonal - row)
    |]

    /// Reads the length of a segment, then what it holds, which must be all of it.
    let within (reader: ByteReader) name (read: int -> 'R) : 'R =
        let start = reader.Position
        let length = int (reader.UInt16BigEndian("the length of " + name))

        let refuse wanted =
            let found = "a segment of " + Words.count length "byte" "bytes"
            reader.RefuseAt(int64 start, name + wanted, found)

        if length < 2 then
            refuse ", 2 bytes or more with its length"

        if length - 2 > reader.Remaining then
            reader.RefuseAt(
                int64 start,
                Words.count (length - 2) "byte" "bytes" + " of " + name,
                Words.count reader.Remaining "byte" "bytes" + " before the end"
            )

        let result = read (start + length)

        if reader.Position <> start + length then
            refuse ", as long as what it holds"

        result

    /// DQT. ITU-T T.81, B.2.4.1.
    let quantization (reader: ByteReader) (tables: JpegTables) =
        within reader "quantisation tables" (fun finish ->
            while reader.Position < finish do
                let at = int64 reader.Position
                let kind = int (reader.Byte "a quantisation table")
                let precision, number = kind >>> 4, kind &&& 15

                if precision > 1 || number > 3 then
                    reader.RefuseAt(at, "quantisation table 0 to 3 of 8 or 16 bits", kind.ToString "X2")

                let steps = Array.zeroCreate 64

                for k in 0..63 do
                    let what = "a quantisation step"

                    let step =
                        if precision = 0 then
                            int (reader.Byte what)
                        else
                            int (reader.UInt16BigEndian what)

                    if step = 0 then
                        reader.RefuseAt(at, "quantisation steps of 1 or more", "0")

                    steps[zigzag[k]] <- step

                tables.Quantization[number] <- Some steps)

    /// DHT. ITU-T T.81, B.2.4.2.
    let huffman (reader: ByteReader) (tables: JpegTables) =
        within reader "Huffman tables" (fun finish ->
            while reader.Position < finish do
                let at = int64 reader.Position
                let kind = int (reader.Byte "a Huffman table")
                let isAc, number = kind >>> 4 = 1, kind &&& 15

                if kind >>> 4 > 1 || number > 3 then
                    reader.RefuseAt(at, "Huffman table 0 to 3, DC or AC", kind.ToString "X2")

                let counts = reader.Take(16L, "lengths of a Huffman code")

                if not (JpegCode.IsPossible counts.Span) then
                    reader.RefuseAt(at + 1L, "a Huffman code", "more words than there are bits for")

                let words = counts.ToArray() |> Array.sumBy int

                if words > 256 then
                    reader.RefuseAt(at + 1L, "at most 256 words in a Huffman code", string words)

                let symbols = reader.Take(int64 words, "symbols of a Huffman code").ToArray()

                if not isAc && symbols |> Array.exists (fun symbol -> symbol > 15uy) then
                    reader.RefuseAt(at + 17L, "DC differences of at most 15 bits", "more")

                (if isAc then tables.Ac else tables.Dc)[number] <- Some(JpegCode.Of(counts.Span, symbols)))

    /// DRI. ITU-T T.81, B.2.4.4.
    let restartInterval (reader: ByteReader) (tables: JpegTables) =
        within reader "a restart interval" (fun _ ->
            tables.RestartInterval <- int (reader.UInt16BigEndian "a restart interval"))

    let private ceiling a b = (a + b - 1) / b

    /// SOF0, SOF1 and SOF2. Memory is taken for as many blocks as the bytes that are left can code.
    let frame (reader: ByteReader) isProgressive : JpegFrame =
        within reader "a frame header" (fun _ ->
            let at = int64 reader.Position
            let precision = reader.Byte "a frame header"

            if precision <> 8uy then
                reader.RefuseAt(at, "samples of 8 bits", string precision + " bits (not supported)")

            let height = int (reader.UInt16BigEndian "a height")
            let width = int (reader.UInt16BigEndian "a width")

            if height = 0 then
                reader.RefuseAt(at + 1L, "a height", "0: no rows, or a height told by DNL (not supported)")

            if width = 0 then
                reader.RefuseAt(at + 3L, "a width of 1 or more", "0")

            let count = int (reader.Byte "a number of components")

            match count with
            | 1
            | 3 -> ()
            | 4 -> reader.RefuseAt(at + 5L, "grey, YCbCr or RGB", "4 components: CMYK or YCCK (not supported)")
            | _ -> reader.RefuseAt(at + 5L, "1 component (grey) or 3 (YCbCr or RGB)", string count)

            let read =
                Array.init count (fun _ ->
                    let at = int64 reader.Position
                    let identifier = reader.Byte "a component"
                    let factors = int (reader.Byte "sampling factors")
                    let horizontal, vertical = factors >>> 4, factors &&& 15

                    if min horizontal vertical < 1 || max horizontal vertical > 4 then
                        reader.RefuseAt(at + 1L, "sampling factors from 1 to 4", factors.ToString "X2")

                    let quantization = int (reader.Byte "the number of a quantisation table")

                    if quantization > 3 then
                        reader.RefuseAt(at + 2L, "quantisation table 0 to 3", string quantization)

                    struct (identifier, horizontal, vertical, quantization))

            let mostAcross = read |> Seq.map (fun struct (_, h, _, _) -> h) |> Seq.max
            let mostDown = read |> Seq.map (fun struct (_, _, v, _) -> v) |> Seq.max

            let components =
                read
                |> Array.map (fun struct (identifier, h, v, quantization) ->
                    let height, width = ceiling (height * v) mostDown, ceiling (width * h) mostAcross
                    JpegComponent(identifier, h, v, quantization, height, width))

            let blocks = components |> Seq.sumBy (fun c -> int64 c.Across * int64 c.Down)
            // The first scan of a block takes a word of one bit for DC; a sequential one ends it with another.
            let bits = blocks * (if isProgressive then 1L else 2L)

            if bits > 8L * int64 reader.Remaining then
                reader.RefuseAt(
                    at + 1L,
                    "a picture that "
                    + Words.count reader.Remaining "byte" "bytes"
                    + " can code: "
                    + string blocks
                    + " blocks take "
                    + string bits
                    + " bits",
                    string height + "×" + string width
                )

            if
                64L * (blocks + 1L) > int64 Array.MaxLength
                || int64 (count * height) * int64 width > int64 Array.MaxLength
            then
                reader.RefuseAt(at + 1L, "a picture that fits into memory", string height + "×" + string width)

            for c in components do
                c.Coefficients <- Array.zeroCreate (64 * (c.Across * c.Down + 1))

            { IsProgressive = isProgressive; Height = height; Width = width; Components = components })

    let private table (reader: ByteReader) at what (tables: 'T option[]) number =
        match Array.tryItem number tables |> Option.flatten with
        | Some table -> table
        | None -> reader.RefuseAt(at, what + " " + string number + " before the scan", "none")

    /// A band of coefficients must be one that the scans before have left to do: each is coded once, then refined bit
    /// by bit. ITU-T T.81, G.1.1.1.
    let private advance (reader: ByteReader) at scan (c: JpegComponent) =
        for k in scan.First .. scan.Last do
            let wanted = if scan.High = 0 then JpegComponent.Unseen else scan.High

            if c.Lowest[k] <> wanted then
                reader.RefuseAt(
                    at,
                    "coefficients that have not been coded yet, or the next bit of those that have",
                    "a scan of coefficient " + string k + " again or too early"
                )

            c.Lowest[k] <- scan.Low

    let private band (reader: ByteReader) isProgressive count =
        let at = int64 reader.Position
        let first = int (reader.Byte "the first coefficient")
        let last = int (reader.Byte "the last coefficient")
        let bits = int (reader.Byte "the bits of a scan")
        let high, low = bits >>> 4, bits &&& 15

        if not isProgressive then
            // Some encoders write anything here, as it cannot be but this.
            struct (0, 63, 0, 0)
        else
            if last > 63 || first > last || (first = 0 && last > 0) then
                let found = string first + " to " + string last
                reader.RefuseAt(at, "coefficient 0 alone, or some of 1 to 63", found)

            if first > 0 && count > 1 then
                reader.RefuseAt(at, "one component in a scan of AC coefficients", string count)

            if low > 13 || (high > 0 && high <> low + 1) then
                reader.RefuseAt(at + 2L, "bits from 13 down, one at a time", string high + " to " + string low)

            struct (first, last, high, low)

    /// SOS.
    let scan (reader: ByteReader) (tables: JpegTables) (frame: JpegFrame) : JpegScan =
        within reader "a scan header" (fun _ ->
            let at = int64 reader.Position
            let count = int (reader.Byte "a number of components")

            if count < 1 || count > frame.Components.Length then
                reader.RefuseAt(at, "1 to " + string frame.Components.Length + " components in a scan", string count)

            let named =
                Array.init count (fun _ ->
                    let at = int64 reader.Position
                    let identifier = reader.Byte "a component"
                    let codes = int (reader.Byte "the numbers of Huffman tables")

                    match frame.Components |> Array.tryFind (fun c -> c.Identifier = identifier) with
                    | Some c -> struct (at, c, codes)
                    | None -> reader.RefuseAt(at, "a component of the frame", "component " + string identifier))

            let struct (first, last, high, low) = band reader frame.IsProgressive count
            let none = JpegCode.Of(ReadOnlySpan(Array.zeroCreate 16), [||])
            let hasDc, hasAc = first = 0 && high = 0, last > 0

            let components =
                named
                |> Array.map (fun struct (at, c, codes) ->
                    if c.Steps.Length = 0 then
                        c.Steps <- table reader at "quantisation table" tables.Quantization c.Quantization

                    {
                        Component = c
                        Dc =
                            if hasDc then
                                table reader (at + 1L) "DC Huffman table" tables.Dc (codes >>> 4)
                            else
                                none
                        Ac =
                            if hasAc then
                                table reader (at + 1L) "AC Huffman table" tables.Ac (codes &&& 15)
                            else
                                none
                    })

            let scan = { Components = components; First = first; Last = last; High = high; Low = low }

            for c in components do
                advance reader at scan c.Component

            scan)
