namespace Cnn.FSharp

open System
open System.Buffers.Binary
open Cnn

/// Bytes of a file from front to back; every read checks that the bytes are there.
[<Sealed>]
type internal ByteReader(file: string, bytes: ReadOnlyMemory<byte>) =
    let mutable position = 0

    /// The file, or the name that the caller gave to the bytes.
    member _.File = file

    /// Where the next read begins.
    member _.Position = position

    /// Bytes that are left.
    member _.Remaining = bytes.Length - position

    /// Refuses the file at an offset.
    member _.RefuseAt(offset: int64, expected: string, actual: string) : 'R =
        raise (DataFormatException(file, offset, expected, actual))

    /// Refuses the file at the position of the next read.
    member this.Refuse(expected: string, actual: string) : 'R = this.RefuseAt(int64 position, expected, actual)

    /// The next bytes; `what` says in messages what they are.
    member this.Take(count: int64, what: string) : ReadOnlyMemory<byte> =
        if count < 0L || count > int64 this.Remaining then
            let wanted = Words.count (int (min count (int64 Int32.MaxValue))) "byte" "bytes" + " of " + what
            this.Refuse(wanted, Words.count this.Remaining "byte" "bytes" + " before the end")
        else
            let taken = bytes.Slice(position, int count)
            position <- position + int count
            taken

    /// The next byte.
    member this.Byte(what: string) = this.Take(1L, what).Span[0]

    member this.UInt16BigEndian(what: string) = BinaryPrimitives.ReadUInt16BigEndian(this.Take(2L, what).Span)
    member this.UInt32BigEndian(what: string) = BinaryPrimitives.ReadUInt32BigEndian(this.Take(4L, what).Span)
    member this.UInt16LittleEndian(what: string) = BinaryPrimitives.ReadUInt16LittleEndian(this.Take(2L, what).Span)
    member this.UInt32LittleEndian(what: string) = BinaryPrimitives.ReadUInt32LittleEndian(this.Take(4L, what).Span)
    member this.UInt64LittleEndian(what: string) = BinaryPrimitives.ReadUInt64LittleEndian(this.Take(8L, what).Span)
