namespace Cnn.FSharp

open System
open System.Buffers.Binary
open Cnn

/// A Huffman code given by the number of its words of each length. ITU-T T.81 (1992), annex C.
[<Sealed>]
type internal JpegCode private (short: uint16[], limits: int[], offsets: int[], symbols: byte[]) =

    /// Bits of the words that one look into a table decodes.
    static member ShortBits = 9

    /// Length·256 + symbol for each beginning of 9 bits, or 0 where the word is longer.
    member _.Short = short

    /// For each length, the least number of 16 bits that begins with no word of that length or less.
    member _.Limits = limits

    /// For each length, what to add to a word for the position of its symbol.
    member _.Offsets = offsets

    /// Symbols in the order of their words.
    member _.Symbols = symbols

    /// True where there are words enough: Kraft's inequality.
    static member IsPossible(counts: ReadOnlySpan<byte>) =
        let mutable used = 0

        for length in 1..16 do
            used <- used + (int counts[length - 1] <<< (16 - length))

        used <= 65536

    /// The code with counts[l − 1] words of length l; the symbols are as many as the words.
    static member Of(counts: ReadOnlySpan<byte>, symbols: byte[]) =
        let short = Array.zeroCreate (1 <<< JpegCode.ShortBits)
        let limits, offsets = Array.zeroCreate 17, Array.zeroCreate 17
        let mutable word, index = 0, 0

        for length in 1..16 do
            offsets[length] <- index - word

            for _ in 1 .. int counts[length - 1] do
                if length <= JpegCode.ShortBits then
                    let free = JpegCode.ShortBits - length
                    Array.fill short (word <<< free) (1 <<< free) (uint16 (256 * length + int symbols[index]))

                word <- word + 1
                index <- index + 1

            limits[length] <- word <<< (16 - length)
            word <- word <<< 1

        JpegCode(short, limits, offsets, symbols)

/// The bits of entropy-coded segments, without their stuffed zeros: ITU-T T.81, F.2.2.5. Belongs to one decode.
[<Sealed>]
type internal JpegBits(file: string, bytes: ReadOnlyMemory<byte>, start: int) =

    /// The next byte that is not in the buffer.
    let mutable position = start

    /// The next bits, the first of them the highest; zeros follow the last.
    let mutable buffer = 0UL

    let mutable count = 0

    /// Offset of about the next bit.
    member _.Position = position - count / 8

    member this.Refuse(expected: string, actual: string) : 'R =
        raise (DataFormatException(file, int64 this.Position, expected, actual))

    member private _.FillSlowly() =
        let span = bytes.Span
        let mutable isOpen = true

        while isOpen && count <= 56 && position < span.Length do
            let next = span[position]
            let isStuffed = next = 0xFFuy && position + 1 < span.Length && span[position + 1] = 0uy

            if next = 0xFFuy && not isStuffed then
                isOpen <- false
            else
                buffer <- buffer ||| (uint64 next <<< (56 - count))
                count <- count + 8
                position <- position + (if isStuffed then 2 else 1)

    /// At least 32 bits, or all up to the next marker.
    member private this.Fill() =
        let span = bytes.Span

        if position + 8 > span.Length then
            this.FillSlowly()
        else
            let word = BinaryPrimitives.ReadUInt64BigEndian(span.Slice position)

            // A byte of word is FF where the same byte of its complement is 0.
            if (~~~word - 0x0101010101010101UL) &&& word &&& 0x8080808080808080UL <> 0UL then
                this.FillSlowly()
            else
                let whole = (64 - count) / 8
                let mask = UInt64.MaxValue <<< (64 - count - 8 * whole)
                buffer <- buffer ||| ((word >>> count) &&& mask)
                count <- count + 8 * whole
                position <- position + whole

    member private this.Drop(n: int) =
        buffer <- buffer <<< n
        count <- count - n

        if count < 0 then
            count <- 0
            let found = if position >= bytes.Length then "the end of the file" else "a marker"
            this.Refuse("more entropy-coded data of the scan", found)

    member private this.DecodeLong(code: JpegCode) =
        let next = int (buffer >>> 48)
        let mutable length = JpegCode.ShortBits + 1

        while length <= 16 && next >= code.Limits[length] do
            length <- length + 1

        if length > 16 then
            if count < 16 then
                this.Drop 16

            this.Refuse("a word of the Huffman code", "bits that begin no word")
        else
            this.Drop length
            int code.Symbols[code.Offsets[length] + (next >>> (16 - length))]

    /// The symbol of the next word.
    member this.Decode(code: JpegCode) =
        if count < 32 then
            this.Fill()

        let entry = int code.Short[int (buffer >>> 55)]

        if entry = 0 then
            this.DecodeLong code
        else
            this.Drop(entry >>> 8)
            entry &&& 0xFF

    /// The next n ≤ 16 bits as a number.
    member this.Number(n: int) =
        if n = 0 then
            0
        else
            if count < n then
                this.Fill()

            let value = int (buffer >>> (64 - n))
            this.Drop n
            value

    /// The next n ≤ 16 bits as a number whose first bit tells its sign. ITU-T T.81, figure F.12.
    member this.Signed(n: int) =
        let value = this.Number n
        if n > 0 && value < (1 <<< (n - 1)) then value - (1 <<< n) + 1 else value

    /// Offset of the last FF before the code of the next marker. What lies between is skipped, as all decoders do:
    /// some cameras pad their scans.
    member this.FindMarker() =
        let span = bytes.Span
        let mutable at = position

        while at + 1 < span.Length && (span[at] <> 0xFFuy || span[at + 1] = 0uy || span[at + 1] = 0xFFuy) do
            at <- at + 1

        if at + 1 >= span.Length then
            position <- span.Length
            count <- 0
            this.Refuse("a marker behind the scan", "the end of the file")

        at

    /// Goes on behind restart marker number (modulo 8).
    member this.Restart(number: int) =
        let marker = this.FindMarker()
        position <- marker
        buffer <- 0UL
        count <- 0
        let wanted, found = 0xD0uy + byte (number % 8), bytes.Span[marker + 1]

        if found <> wanted then
            this.Refuse("restart marker FF" + wanted.ToString "X2", "FF" + found.ToString "X2")

        position <- marker + 2
