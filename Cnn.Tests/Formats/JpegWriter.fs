/// JPEG files from quantised coefficients, written from the format's description: ITU-T T.81 (1992).
module Cnn.Tests.Formats.JpegWriter

open System
open System.Collections.Generic

/// A component: blocks of its own size row by row, each 64 quantised coefficients in the natural order.
type Component = { Horizontal: int; Vertical: int; Steps: int[]; Blocks: int[][] }

type Coding =
    /// One scan of all components.
    | Interleaved
    /// A scan for each component.
    | Separate
    /// Scans by band and by bit, in the refinements of both.
    | Progressive

/// What is coded, and how.
type Sketch = {
    Height: int
    Width: int
    Components: Component list
    /// Numbers by which scans name components.
    Names: byte[]
    Coding: Coding
    /// Units between restart markers, or 0.
    Restart: int
    /// Bytes FF before each marker beyond its own.
    Fill: int
    /// True for quantisation tables of 16 bits.
    IsWide: bool
    /// Segments before the tables.
    Before: byte[] list
}

let private ceiling a b = (a + b - 1) / b

let most (factor: Component -> int) sketch = sketch.Components |> List.map factor |> List.max

/// Rows and columns of samples of a component.
let size sketch (c: Component) =
    ceiling (sketch.Height * c.Vertical) (most _.Vertical sketch),
    ceiling (sketch.Width * c.Horizontal) (most _.Horizontal sketch)

/// Rows and columns of blocks of a component.
let blocks sketch c =
    let height, width = size sketch c
    ceiling height 8, ceiling width 8

/// Natural positions in zigzag order: by diagonals, turning at each.
let zigzag =
    List.allPairs [ 0..7 ] [ 0..7 ]
    |> List.sortBy (fun (row, column) -> row + column, (if (row + column) % 2 = 0 then column else row))
    |> List.map (fun (row, column) -> 8 * row + column)
    |> Array.ofList

let private two n = [| byte (n >>> 8); byte n |]

let segment code (payload: byte[]) = Array.concat [ [| 0xFFuy; code |]; two (payload.Length + 2); payload ]

let jfif = segment 0xE0uy (Array.append "JFIF\000"B [| 1uy; 1uy; 0uy; 0uy; 1uy; 0uy; 1uy; 0uy; 0uy |])

let adobe transform =
    segment 0xEEuy (Array.append "Adobe"B [| 0uy; 100uy; 0uy; 0uy; 0uy; 0uy; byte transform |])

/// An EXIF segment of two tags, the second of them the orientation.
let exif isLittleEndian (orientation: int) =
    let order (bytes: byte[]) = if isLittleEndian then Array.rev bytes else bytes
    let short n = order (two n)
    let long n = order (Array.append (two 0) (two n))
    let entry tag (value: int) = Array.concat [ short tag; short 3; long 1; short value; two 0 ]

    Array.concat [
        "Exif\000\000"B
        (if isLittleEndian then "II"B else "MM"B)
        short 42
        long 10
        two 0
        short 2
        entry 0x0100 7
        entry 0x0112 orientation
        long 0
    ]
    |> segment 0xE1uy

/// Bits of an entropy-coded segment, with a zero stuffed behind each FF.
type private Bits() =
    let bytes = List<byte>()
    let mutable current, count = 0, 0

    member this.Put(value: int, n: int) =
        for i in n - 1 .. -1 .. 0 do
            current <- 2 * current + ((value >>> i) &&& 1)
            count <- count + 1

            if count = 8 then
                bytes.Add(byte current)

                if current = 255 then
                    bytes.Add 0uy

                current <- 0
                count <- 0

    /// Ones up to the next whole byte.
    member this.Flush() =
        while count > 0 do
            this.Put(1, 1)

    member _.Add(marker: byte[]) = bytes.AddRange marker
    member _.ToArray() = bytes.ToArray()

// A DC symbol is a word of 4 bits; of AC, 100 are words of 8 bits and the others of 12.
let private dcTable =
    Array.concat [ [| 0uy |]; Array.init 16 (fun i -> if i = 3 then 12uy else 0uy); [| 0uy .. 11uy |] ]

let private acTable =
    Array.concat [
        [| 0x10uy |]
        Array.init 16 (fun i ->
            if i = 7 then 100uy
            elif i = 11 then 156uy
            else 0uy)
        [| 0uy .. 255uy |]
    ]

let private putDc (bits: Bits) symbol = bits.Put(symbol, 4)

let private putAc (bits: Bits) symbol = if symbol < 100 then bits.Put(symbol, 8) else bits.Put(1600 + symbol - 100, 12)

/// Bits of a magnitude. ITU-T T.81, table F.1.
let private sizeOf value = 32 - Numerics.BitOperations.LeadingZeroCount(uint32 (abs value))

let private putSigned (bits: Bits) value =
    let n = sizeOf value
    bits.Put((if value < 0 then value + (1 <<< n) - 1 else value), n)

/// Codes the blocks of a scan one by one.
type private IScanCoder =
    /// A block of the component, in zigzag order.
    abstract Block: index: int * block: int[] -> unit
    /// What is due before a restart marker and at the end.
    abstract Finish: unit -> unit

/// Words for non-zero coefficients and the zeros before each; gives the zeros that are left.
let private putRuns (bits: Bits) onWord (coefficients: int seq) =
    let mutable zeros = 0

    for value in coefficients do
        if value = 0 then
            zeros <- zeros + 1
        else
            onWord ()

            while zeros > 15 do
                putAc bits 0xF0
                zeros <- zeros - 16

            putAc bits (16 * zeros + sizeOf value)
            putSigned bits value
            zeros <- 0

    zeros

let private dcCoder (bits: Bits) components (rest: int[] -> unit) low =
    let last: int[] = Array.zeroCreate components

    {
        new IScanCoder with
            member _.Block(index, block) =
                let dc = block[0] >>> low
                putDc bits (sizeOf (dc - last[index]))
                putSigned bits (dc - last[index])
                last[index] <- dc
                rest block

            member _.Finish() = Array.Clear last
    }

let private sequentialCoder bits components =
    let rest (block: int[]) =
        if putRuns bits ignore block[1..] > 0 then
            putAc bits 0

    dcCoder bits components rest 0

let private dcNextCoder (bits: Bits) low = {
    new IScanCoder with
        member _.Block(_, block) = bits.Put((block[0] >>> low) &&& 1, 1)
        member _.Finish() = ()
}

/// Blocks that end together, with the bits that refine them. ITU-T T.81, G.1.2.2 and G.1.2.3.
type private Run(bits: Bits) =
    let refinements = List<int>()
    let mutable length = 0

    member _.Flush() =
        if length > 0 then
            let n = sizeOf length - 1
            putAc bits (16 * n)
            bits.Put(length - (1 <<< n), n)

            for bit in refinements do
                bits.Put(bit, 1)

            length <- 0
            refinements.Clear()

    member this.Add(more: int seq) =
        length <- length + 1
        refinements.AddRange more

        if length = 32767 then
            this.Flush()

let private acFirstCoder bits first last low =
    let run = Run bits

    {
        new IScanCoder with
            member _.Block(_, block) =
                let values = block[first..last] |> Seq.map (fun v -> sign v * (abs v >>> low))

                if putRuns bits run.Flush values > 0 then
                    run.Add []

            member _.Finish() = run.Flush()
    }

let private acNextCoder (bits: Bits) first last low =
    let run = Run bits

    {
        new IScanCoder with
            member _.Block(_, block) =
                let magnitude k = abs block[k] >>> low
                let newest = seq { first..last } |> Seq.filter (fun k -> magnitude k = 1) |> Seq.fold max -1
                let refinements = List<int>()
                let mutable zeros = 0

                let putRefinements () =
                    for bit in refinements do
                        bits.Put(bit, 1)

                    refinements.Clear()

                for k in first..last do
                    if magnitude k = 0 then
                        zeros <- zeros + 1
                    else
                        while zeros > 15 && k <= newest do
                            run.Flush()
                            putAc bits 0xF0
                            zeros <- zeros - 16
                            putRefinements ()

                        if magnitude k > 1 then
                            refinements.Add(magnitude k &&& 1)
                        else
                            run.Flush()
                            putAc bits (16 * zeros + 1)
                            bits.Put((if block[k] > 0 then 1 else 0), 1)
                            putRefinements ()
                            zeros <- 0

                if zeros > 0 || refinements.Count > 0 then
                    run.Add refinements

            member _.Finish() = run.Flush()
    }

/// The units of a scan: blocks of the picture, or of nothing where a unit reaches outside. ITU-T T.81, A.2.
let private units sketch (indices: int list) =
    let block index y x =
        let c = sketch.Components[index]
        let down, across = blocks sketch c

        index,
        if y < down && x < across then
            let natural = c.Blocks[y * across + x]
            zigzag |> Array.map (fun i -> natural[i])
        else
            Array.zeroCreate 64

    match indices with
    | [ index ] ->
        let down, across = blocks sketch sketch.Components[index]

        [
            for y in 0 .. down - 1 do
                for x in 0 .. across - 1 -> [ block index y x ]
        ]
    | _ -> [
        for row in 0 .. ceiling sketch.Height (8 * most _.Vertical sketch) - 1 do
            for column in 0 .. ceiling sketch.Width (8 * most _.Horizontal sketch) - 1 ->
                [
                    for index in indices do
                        let c = sketch.Components[index]

                        for v in 0 .. c.Vertical - 1 do
                            for h in 0 .. c.Horizontal - 1 ->
                                block index (row * c.Vertical + v) (column * c.Horizontal + h)
                ]
      ]

/// A scan with its header; first, last, high and low as the header has them.
let scan sketch (indices: int list) (first, last, high, low) =
    let bits = Bits()

    let coder =
        match sketch.Coding with
        | Interleaved
        | Separate -> sequentialCoder bits indices.Length
        | Progressive when first = 0 && high = 0 -> dcCoder bits indices.Length ignore low
        | Progressive when first = 0 -> dcNextCoder bits low
        | Progressive when high = 0 -> acFirstCoder bits first last low
        | Progressive -> acNextCoder bits first last low

    for number, unit in List.indexed (units sketch indices) do
        if sketch.Restart > 0 && number > 0 && number % sketch.Restart = 0 then
            coder.Finish()
            bits.Flush()
            bits.Add(Array.create sketch.Fill 0xFFuy)
            bits.Add [| 0xFFuy; byte (0xD0 + (number / sketch.Restart - 1) % 8) |]

        for index, block in unit do
            coder.Block(List.findIndex ((=) index) indices, block)

    coder.Finish()
    bits.Flush()

    let header = [|
        byte indices.Length

        for index in indices do
            sketch.Names[index]
            0uy

        byte first
        byte last
        byte (16 * high + low)
    |]

    Array.append (segment 0xDAuy header) (bits.ToArray())

/// All scans of a file.
let scans sketch =
    let all = [ 0 .. sketch.Components.Length - 1 ]

    match sketch.Coding with
    | Interleaved -> [ scan sketch all (0, 63, 0, 0) ]
    | Separate -> [ for index in all -> scan sketch [ index ] (0, 63, 0, 0) ]
    | Progressive -> [
        scan sketch all (0, 0, 0, 1)

        for index in all do
            scan sketch [ index ] (1, 5, 0, 2)
            scan sketch [ index ] (6, 63, 0, 2)

        for index in List.rev all do
            scan sketch [ index ] (1, 63, 2, 1)

        scan sketch all (0, 0, 1, 0)

        for index in all do
            scan sketch [ index ] (1, 63, 1, 0)
      ]

/// A file with the scans given.
let writeWith (scans: byte[] list) sketch =
    let quantization index (c: Component) =
        let steps = zigzag |> Array.map (fun i -> c.Steps[i])

        segment 0xDBuy [|
            byte (index + if sketch.IsWide then 16 else 0)
            yield! (if sketch.IsWide then Array.collect two steps else Array.map byte steps)
        |]

    let frame =
        segment (if sketch.Coding = Progressive then 0xC2uy else 0xC0uy) [|
            8uy
            yield! two sketch.Height
            yield! two sketch.Width
            byte sketch.Components.Length

            for index, c in List.indexed sketch.Components do
                sketch.Names[index]
                byte (16 * c.Horizontal + c.Vertical)
                byte index
        |]

    let parts = [
        yield! sketch.Before
        yield! List.mapi quantization sketch.Components
        frame
        segment 0xC4uy (Array.append dcTable acTable)

        if sketch.Restart > 0 then
            segment 0xDDuy (two sketch.Restart)

        yield! scans
        [| 0xFFuy; 0xD9uy |]
    ]

    let fill = Array.create sketch.Fill 0xFFuy
    Array.concat [ [| 0xFFuy; 0xD8uy |]; Array.collect (Array.append fill) (Array.ofList parts) ]

/// The file of a sketch.
let write sketch = writeWith (scans sketch) sketch
