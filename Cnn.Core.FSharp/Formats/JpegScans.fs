namespace Cnn.FSharp

open System
open Cnn

/// The blocks of one scan, in the order of the file. Belongs to one decode.
[<Sealed>]
type internal JpegBlocks(bits: JpegBits, isProgressive: bool, scan: JpegScan) =

    /// DC of the last block of each component.
    let predictions: int[] = Array.zeroCreate scan.Components.Length

    /// Blocks left that have no more words of their own: EOBRUN.
    let mutable run = 0

    let zigzag = JpegSegments.zigzag

    let refuseRun () = bits.Refuse("coefficients up to " + string scan.Last, "a run of zeros past them")

    let nextDc index =
        let c = scan.Components[index]
        predictions[index] <- predictions[index] + bits.Signed(bits.Decode c.Dc)
        predictions[index]

    /// ITU-T T.81, F.2.2.
    let sequential index (block: Span<int16>) =
        block[0] <- int16 (nextDc index)
        let code = scan.Components[index].Ac
        let mutable k = 1

        while k < 64 do
            let symbol = bits.Decode code
            let zeros, size = symbol >>> 4, symbol &&& 15

            if size > 0 then
                k <- k + zeros

                if k > 63 then
                    refuseRun ()

                block[zigzag[k]] <- int16 (bits.Signed size)
                k <- k + 1
            elif zeros = 15 then
                k <- k + 16
            else
                k <- 64

    /// ITU-T T.81, G.1.2.1.
    let dcFirst index (block: Span<int16>) = block[0] <- int16 (nextDc index <<< scan.Low)

    let dcNext (block: Span<int16>) =
        if bits.Number 1 = 1 then
            block[0] <- block[0] ||| (1s <<< scan.Low)

    /// The blocks that a word for the end of this one stands for.
    let endRun zeros = (1 <<< zeros) + bits.Number zeros

    /// ITU-T T.81, G.1.2.2.
    let acFirst (block: Span<int16>) =
        if run > 0 then
            run <- run - 1
        else
            let code = scan.Components[0].Ac
            let mutable k = scan.First

            while k <= scan.Last do
                let symbol = bits.Decode code
                let zeros, size = symbol >>> 4, symbol &&& 15

                if size > 0 then
                    k <- k + zeros

                    if k > scan.Last then
                        refuseRun ()

                    block[zigzag[k]] <- int16 (bits.Signed size <<< scan.Low)
                    k <- k + 1
                elif zeros = 15 then
                    k <- k + 16
                else
                    run <- endRun zeros - 1
                    k <- 64

    /// Passes over a number of zeros from coefficient k on, and reads the next bit of all others on the way; gives the
    /// place of the zero behind, or what follows the last.
    let refine (block: Span<int16>) start zeros =
        let bit = 1s <<< scan.Low
        let mutable k = start
        let mutable left = zeros
        let mutable isOpen = true

        while isOpen && k <= scan.Last do
            let value = block[zigzag[k]]

            if value = 0s then
                if left = 0 then isOpen <- false else left <- left - 1
            elif bits.Number 1 = 1 then
                block[zigzag[k]] <- if value > 0s then value + bit else value - bit

            if isOpen then
                k <- k + 1

        k

    /// ITU-T T.81, G.1.2.3.
    let acNext (block: Span<int16>) =
        let code = scan.Components[0].Ac
        let mutable k = scan.First

        while run = 0 && k <= scan.Last do
            let symbol = bits.Decode code
            let zeros, size = symbol >>> 4, symbol &&& 15

            if size > 1 then
                bits.Refuse("new coefficients of one bit", string size + " bits")

            if size = 0 && zeros < 15 then
                run <- endRun zeros
            else
                let isNegative = size = 1 && bits.Number 1 = 0
                k <- refine block k zeros

                if size = 1 then
                    if k > scan.Last then
                        refuseRun ()

                    block[zigzag[k]] <- (if isNegative then -1s else 1s) <<< scan.Low

                k <- k + 1

        if run > 0 then
            refine block k Int32.MaxValue |> ignore
            run <- run - 1

    /// Block number `place` of a component of the scan.
    member _.Next(index: int, place: int) =
        let block = Span(scan.Components[index].Component.Coefficients, 64 * place, 64)

        if not isProgressive then sequential index block
        elif scan.First = 0 && scan.High = 0 then dcFirst index block
        elif scan.First = 0 then dcNext block
        elif scan.High = 0 then acFirst block
        else acNext block

    /// Forgets what went before, at a restart marker and at the end.
    member _.Reset() =
        if run > 0 then
            bits.Refuse("a run of blocks that ends with the scan or before a restart marker", "one that goes on")

        Array.Clear predictions

/// Scans of a JPEG file: entropy-coded segments to quantised coefficients.
module internal JpegScans =

    /// Blocks that the scans of a file may visit for each of its bytes. Default progressions visit 25 where there is
    /// nothing in the picture; only files made to waste time come near.
    [<Literal>]
    let MostVisits = 128L

    let private ceiling a b = (a + b - 1) / b

    /// Blocks that a scan visits.
    let visits (frame: JpegFrame) (scan: JpegScan) =
        match scan.Components with
        | [| alone |] -> int64 alone.Component.Across * int64 alone.Component.Down
        | several ->
            let units = ceiling frame.Width (8 * frame.Horizontal), ceiling frame.Height (8 * frame.Vertical)
            let blocks = several |> Seq.sumBy (fun c -> c.Component.Horizontal * c.Component.Vertical)
            int64 (fst units) * int64 (snd units) * int64 blocks

    /// Reads the scan that begins at an offset; gives the offset of the marker behind.
    let read file (bytes: ReadOnlyMemory<byte>) start restartInterval (frame: JpegFrame) (scan: JpegScan) =
        let bits = JpegBits(file, bytes, start)
        let blocks = JpegBlocks(bits, frame.IsProgressive, scan)

        let restart unit =
            if restartInterval > 0 && unit > 0 && unit % restartInterval = 0 then
                blocks.Reset()
                bits.Restart(unit / restartInterval - 1)

        // ITU-T T.81, A.2: a component alone goes block by block; several go in units of H×V blocks each, and the last
        // units of a row and of the picture reach outside.
        match scan.Components with
        | [| alone |] ->
            for unit in 0 .. alone.Component.Across * alone.Component.Down - 1 do
                restart unit
                blocks.Next(0, unit)
        | several ->
            let unitsAcross = ceiling frame.Width (8 * frame.Horizontal)
            let unitsDown = ceiling frame.Height (8 * frame.Vertical)

            for unit in 0 .. unitsAcross * unitsDown - 1 do
                restart unit
                let row, column = unit / unitsAcross, unit % unitsAcross

                for index in 0 .. several.Length - 1 do
                    let c = several[index].Component

                    for v in 0 .. c.Vertical - 1 do
                        for h in 0 .. c.Horizontal - 1 do
                            let y, x = row * c.Vertical + v, column * c.Horizontal + h
                            let isInside = y < c.Down && x < c.Across
                            blocks.Next(index, (if isInside then y * c.Across + x else c.Across * c.Down))

        blocks.Reset()
        bits.FindMarker()
