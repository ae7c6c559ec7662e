/// Damaged files: what a reader may do with them.
module Cnn.Tests.Formats.Fuzzing

open System
open System.Buffers.Binary
open System.Globalization
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws

/// Damaged copies of each format: 500, or what CNN_FUZZ says.
let private cases =
    match Environment.GetEnvironmentVariable "CNN_FUZZ" with
    | null
    | "" -> 500
    | text -> Int32.Parse(text, CultureInfo.InvariantCulture)

/// Longer than any read takes on the slowest machine: what takes this long hangs.
let private patience = TimeSpan.FromSeconds 60.0

/// What length fields are set to.
let private extremes = [|
    0UL
    1UL
    0x7FUL
    0xFFUL
    0x7FFFUL
    0xFFFFUL
    0x7FFFFFFFUL
    0x80000000UL
    0xFFFFFFFFUL
    0x7FFFFFFFFFFFFFFFUL
    UInt64.MaxValue
|]

/// One damaged copy; the same for the same number.
let private damage (samples: byte[][]) number =
    let seed = Key.ofSeed 20
    let key = seed.Child(int64 number)
    let mutable draws = 0L

    let below n =
        draws <- draws + 1L
        if n < 1 then 0 else key.Below(n, draws)

    let sample () = samples[below samples.Length]

    // Headers are short and hold most of what can go wrong: every second place lies in the first 128 bytes.
    let place (file: byte[]) = if below 2 = 0 then below (min 128 file.Length) else below file.Length

    let flip (file: byte[]) =
        if file.Length > 0 then
            let at = place file
            file[at] <- file[at] ^^^ (1uy <<< below 8)

        file

    let overwrite (file: byte[]) =
        let at, width = place file, 1 <<< below 4

        if at + width <= file.Length then
            let field = Array.zeroCreate 8
            let value = extremes[below extremes.Length]

            if below 2 = 0 then
                BinaryPrimitives.WriteUInt64LittleEndian(Span field, value)
                Array.blit field 0 file at width
            else
                BinaryPrimitives.WriteUInt64BigEndian(Span field, value)
                Array.blit field (8 - width) file at width

        file

    let truncate (file: byte[]) = Array.truncate (below file.Length) file

    let drop (file: byte[]) =
        if file.Length > 0 then
            Array.removeManyAt 0 (below (min 16 file.Length)) file
        else
            file

    let splice (file: byte[]) =
        let other = sample ()
        Array.append (Array.truncate (place file) file) (Array.skip (place other) other)

    let repeat (file: byte[]) =
        let at = place file
        Array.concat [ Array.truncate at file; Array.truncate (below 64) (Array.skip at file); Array.skip at file ]

    let ways = [| flip; flip; overwrite; overwrite; truncate; drop; splice; repeat |]

    (Array.copy (sample ()), seq { 0 .. below 3 })
    ||> Seq.fold (fun file _ -> ways[below ways.Length] file)

/// Bytes that reading takes on this thread, and whether it was refused in the orderly way.
let private cost (read: byte[] -> unit) (file: byte[]) =
    let before = GC.GetAllocatedBytesForCurrentThread()

    try
        read file
    with :? DataFormatException ->
        ()

    GC.GetAllocatedBytesForCurrentThread() - before

/// Every damaged copy of the samples gives a value or a DataFormatException, in time, with at most
/// four times the memory of a sound file, or of what its own bytes can stand for.
let survives (samples: byte[] seq) (read: byte[] -> unit) =
    let samples = Array.ofSeq samples

    for file in samples do
        read file

    let sound = samples |> Array.map (cost read) |> Array.max
    let numbers = seq { 0 .. cases - 1 }

    for number in numbers do
        let file = damage samples number
        let told = "damaged copy " + string number + ": " + Convert.ToHexString(Array.truncate 200 file)
        let task = Task.Run(fun () -> cost read file)

        let ended =
            try
                task.Wait patience
            with :? AggregateException as e ->
                Assert.Fail(told + " raises " + string e.InnerException)
                true

        Assert.That(ended, isTrue, told + " hangs")
        let bound = 4L * max sound (1032L * int64 file.Length) + 1048576L
        Assert.That(task.Result, atMost bound, told + " takes too much memory")
