/// Bytes of test files, and what reading them costs.
module Cnn.Tests.Formats.Bytes

open System
open System.IO
open System.IO.Compression
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Golden

let private pack (wrap: Stream -> Stream) (bytes: byte[]) =
    use target = new MemoryStream()

    (use zip = wrap target
     zip.Write(bytes, 0, bytes.Length))

    target.ToArray()

let gzip bytes = pack (fun target -> new GZipStream(target, CompressionLevel.Fastest)) bytes

let zlib bytes = pack (fun target -> new ZLibStream(target, CompressionLevel.Fastest)) bytes

/// Gzip of a start, then of many zeros.
let bomb (start: byte[]) (zeros: int) =
    use target = new MemoryStream()
    let zero = Array.zeroCreate 1048576

    (use zip = new GZipStream(target, CompressionLevel.Optimal)
     zip.Write(start, 0, start.Length)

     for _ in 1 .. zeros / zero.Length do
         zip.Write(zero, 0, zero.Length))

    target.ToArray()

/// Bytes that a seed draws.
let random seed count =
    let key = Key.ofSeed seed
    Array.init count (fun i -> byte (key.Below(256, int64 i)))

/// A stream that only goes forward, a few bytes at a time.
let trickle (bytes: byte[]) : Stream =
    let source = new MemoryStream(bytes)

    {
        new Stream() with
            member _.CanRead = true
            member _.CanSeek = false
            member _.CanWrite = false
            member _.Length = raise (NotSupportedException())

            member _.Position
                with get () = raise (NotSupportedException())
                and set _ = raise (NotSupportedException())

            member _.Flush() = ()
            member _.Read(buffer: byte[], offset, count) = source.Read(buffer, offset, min 7 count)
            member _.Seek(_, _) = raise (NotSupportedException())
            member _.SetLength _ = raise (NotSupportedException())
            member _.Write(_: byte[], _: int, _: int) : unit = raise (NotSupportedException())
    }

/// The error with which a reader refuses.
let refusal (read: unit -> 'R) : DataFormatException = Assert.Throws<DataFormatException>(fun () -> read () |> ignore)

/// Bytes that an action takes on this thread, whether it ends well or refuses.
let cost (action: unit -> 'R) =
    let before = GC.GetAllocatedBytesForCurrentThread()

    try
        action () |> ignore
    with :? DataFormatException ->
        ()

    GC.GetAllocatedBytesForCurrentThread() - before

/// A new folder with some files, and none of it afterwards.
let inFolder (files: (string * byte[]) list) (test: string -> unit) =
    let folder = Directory.CreateTempSubdirectory "cnn-"

    try
        for name, bytes in files do
            File.WriteAllBytes(Path.Combine(folder.FullName, name), bytes)

        test folder.FullName
    finally
        folder.Delete true

/// A folder of the shared data; the test is skipped where it is absent.
let sharedData name =
    match Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", name)) with
    | Some folder when Directory.Exists folder -> folder
    | _ ->
        Assert.Ignore("Set the environment variable CNN_SHARED to a folder that holds `data/" + name + "`.")
        ""

/// All pictures of a set, one after the other.
let pixels (set: Dataset) = [
    for i in 0 .. set.Count - 1 do
        yield! set.Picture i
]
