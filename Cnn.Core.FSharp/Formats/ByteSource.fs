namespace Cnn.FSharp

open System
open System.IO
open System.IO.Compression
open System.Threading
open Cnn

/// Some bytes, then those of a stream up to a limit, then some more; counts them.
[<Sealed>]
type internal Portion(head: byte[], stream: Stream, limit: int64, tail: byte[]) =
    inherit Stream()
    let mutable count = 0L
    let mutable tailTaken = 0
    let mutable isExhausted = false

    let refuse () : 'R = raise (NotSupportedException "A portion of a stream is read from front to back.")

    /// Bytes that were read, without the tail.
    member _.Count = count

    /// True where bytes were asked for and only the tail was left.
    member _.IsExhausted = isExhausted

    override _.Read(destination: Span<byte>) =
        let room = int (min (int64 destination.Length) (limit - count))

        let taken =
            if count < int64 head.Length then
                let taken = min room (head.Length - int count)
                head.AsSpan(int count, taken).CopyTo destination
                taken
            else
                stream.Read(destination.Slice(0, room))

        count <- count + int64 taken

        if taken > 0 || destination.Length = 0 then
            taken
        else
            isExhausted <- true
            let rest = min destination.Length (tail.Length - tailTaken)
            tail.AsSpan(tailTaken, rest).CopyTo destination
            tailTaken <- tailTaken + rest
            rest

    override this.Read(buffer: byte[], offset: int, length: int) = this.Read(Span(buffer, offset, length))
    override _.CanRead = true
    override _.CanSeek = false
    override _.CanWrite = false
    override _.Flush() = ()
    override _.Length: int64 = refuse ()

    override _.Position
        with get (): int64 = refuse ()
        and set (_: int64): unit = refuse ()

    override _.Seek(_, _) : int64 = refuse ()
    override _.SetLength _ : unit = refuse ()
    override _.Write(_: byte[], _: int, _: int) : unit = refuse ()

/// Bytes of a file as they stream in, decompressed if they are gzip; every read checks that the bytes can be there, and at
/// least once for each MiB whether somebody wants them still.
/// What comes out of compressed bytes is bounded: 64 MiB, and 100 bytes for each compressed one.
[<Sealed>]
type internal ByteSource
    private
    (file: string, packed: Portion, packing: string, bytes: Stream, length: int64, cancellation: CancellationToken) =
    static let slack = 64L <<< 20
    static let ratio = 100L

    // Pictures shrink to a tenth, seldom further: what is reserved before any byte has come.
    static let likely = 16L

    // Bytes that are read at once.
    static let most = 1 <<< 20

    // The runtime takes a cut stream for a whole one. So each gzip file gets one more member, which comes out only if
    // nothing is missing before it.
    static let marker = "the end"B

    static let markerMember =
        use target = new MemoryStream()

        (use zip = new GZipStream(target, CompressionLevel.Fastest)
         zip.Write(marker, 0, marker.Length))

        target.ToArray()

    let isPacked = packing <> ""
    let mutable position = 0L
    let mutable isOver = false

    let read (destination: Span<byte>) =
        let mutable taken = 0

        while not isOver && taken < destination.Length do
            cancellation.ThrowIfCancellationRequested()
            let next = bytes.Read(destination.Slice(taken, min most (destination.Length - taken)))

            if packed.IsExhausted && isPacked then
                // One call gives bytes of one piece of input only: these, if any, are the marker's. Zlib asks for nothing
                // once it has its end.
                let last = Array.zeroCreate (marker.Length + 1)
                let first = min next last.Length
                destination.Slice(taken, first).CopyTo(Span last)
                let length = first + bytes.ReadAtLeast(last.AsSpan first, last.Length - first, false)
                isOver <- true

                if packing <> "gzip" || not (last.AsSpan(0, length).SequenceEqual(ReadOnlySpan marker)) then
                    raise (InvalidDataException "its end is missing")
            else
                isOver <- next = 0
                taken <- taken + next

        taken

    static member private MarkerMember = markerMember

    /// Bytes of a stream, of gzip or not; the stream stays open. Of an unknown length where it cannot seek.
    new(file: string, stream: Stream, cancellation: CancellationToken) =
        let head = Array.zeroCreate 2
        let length = if stream.CanSeek then stream.Length - stream.Position else -1L
        let head = Array.truncate (stream.ReadAtLeast(Span head, 2, false)) head
        let isGzip = head = [| 0x1Fuy; 0x8Buy |]

        let packed =
            new Portion(head, stream, Int64.MaxValue, (if isGzip then ByteSource.MarkerMember else [||]))

        if isGzip then
            let inflated = new GZipStream(packed, CompressionMode.Decompress, true)
            new ByteSource(file, packed, "gzip", inflated, length, cancellation)
        else
            new ByteSource(file, packed, "", packed, length, cancellation)

    /// Bytes of an array, of gzip or not.
    new(file: string, bytes: byte[]) = new ByteSource(file, new MemoryStream(bytes, false), CancellationToken.None)

    /// The file, or the name that the caller gave to the bytes.
    member _.File = file

    /// Where the next read begins, after decompression.
    member _.Position = position

    /// Refuses the file at an offset.
    member _.RefuseAt(offset: int64, expected: string, actual: string) : 'R =
        raise (DataFormatException(file, offset, expected, actual))

    /// Refuses the file at the position of the next read.
    member this.Refuse(expected: string, actual: string) : 'R = this.RefuseAt(position, expected, actual)

    /// Refuses a claim of more bytes than can follow.
    member private this.Require(count: int64, what: string) =
        let most =
            if length < 0L then Int64.MaxValue
            elif isPacked then slack + ratio * length - position
            else length - position

        if count < 0L || count > most then
            let left =
                if isPacked then
                    "at most " + string most + " can follow"
                else
                    string most + " are left"

            this.Refuse(string count + " bytes of " + what, left)

    /// Fills the destination, as far as there are bytes; how many there were.
    member this.ReadUpTo(destination: Span<byte>) =
        let taken =
            try
                read destination
            with :? InvalidDataException as e when isPacked ->
                this.Refuse("a sound " + packing + " stream", e.Message)

        position <- position + int64 taken

        if isPacked && position > slack + ratio * packed.Count then
            this.Refuse(
                "at most 64 MiB and " + string ratio + " bytes for each compressed one",
                string position + " bytes from " + string packed.Count
            )

        taken

    /// Fills the destination; `what` says in messages with what.
    member this.Fill(destination: Span<byte>, what: string) =
        let start = position
        let taken = this.ReadUpTo destination

        if taken < destination.Length then
            this.RefuseAt(
                start,
                Words.count destination.Length "byte" "bytes" + " of " + what,
                Words.count taken "byte" "bytes" + " before the end"
            )

    /// The next bytes. Memory is taken as they come where their number is only a claim.
    member this.Take(count: int64, what: string) : byte[] =
        this.Require(count, what)

        if count > int64 Array.MaxLength then
            this.Refuse(what + " that fit into an array", string count + " bytes")

        let first =
            if length < 0L then 1L <<< 20
            elif isPacked then max 65536L (likely * length)
            else count

        let mutable taken = Array.zeroCreate (int (min count first))
        this.Fill(Span taken, what)

        while int64 taken.Length < count do
            let there = taken.Length
            Array.Resize(&taken, int (min count (2L * int64 there)))
            this.Fill(taken.AsSpan there, what)

        taken

    /// Passes over the next bytes.
    member this.Skip(count: int64, what: string) =
        this.Require(count, what)
        let buffer = Array.zeroCreate (int (min count 65536L))
        let mutable left = count

        while left > 0L do
            let next = int (min left (int64 buffer.Length))
            this.Fill(Span(buffer, 0, next), what)
            left <- left - int64 next

    /// Refuses a file that goes on.
    member this.RequireEnd(after: string) =
        let next = Array.zeroCreate 1
        let offset = position

        if this.ReadUpTo(Span next) > 0 then
            this.RefuseAt(offset, "the end of the file after " + after, "more bytes")

    /// What a function reads from the zlib stream of the next bytes; `part` says in messages what that is.
    member this.Zlib(count: int64, part: string, read: ByteSource -> 'R) : 'R =
        this.Require(count, part)
        let start = position
        let name = file + " (" + part + " at byte " + string start + ")"
        let head = Array.zeroCreate (int (min count 2L))
        this.Fill(Span head, part)

        // The runtime calls this an error of input and output.
        if head.Length = 2 && head[1] &&& 0x20uy <> 0uy then
            this.RefuseAt(start, "a zlib stream without a preset dictionary", "one with it")

        let portion = new Portion(head, bytes, count, [||])
        let inflated = new ZLibStream(portion, CompressionMode.Decompress, true)
        let length = if length < 0L then -1L else count
        use inner = new ByteSource(name, portion, "zlib", inflated, length, cancellation)
        let result = read inner
        position <- start + max portion.Count (int64 head.Length)
        this.Skip(start + count - position, part)
        result

    interface IDisposable with
        member _.Dispose() =
            if isPacked then
                bytes.Dispose()
