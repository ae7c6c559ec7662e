using System.Buffers.Binary;

namespace Cnn.Fluent;

/// <summary>Bytes of a file at any place; every read checks that the bytes are there.</summary>
/// <param name="file">Used in messages only.</param>
/// <param name="bytes">The whole file.</param>
/// <param name="isBigEndian">Order of the bytes of its numbers.</param>
internal sealed class FileBytes(string file, ReadOnlyMemory<byte> bytes, bool isBigEndian = false)
{
    public int Length => bytes.Length;

    public ReadOnlySpan<byte> Span => bytes.Span;

    /// <summary>So many bytes; <paramref name="what"/> says in messages what they are.</summary>
    public ReadOnlySpan<byte> At(long offset, long count, string what) => offset >= 0 && count >= 0 && offset <= Length - count
        ? bytes.Span.Slice((int)offset, (int)count)
        : throw Refusal(offset, $"{count} bytes of {what}", $"the end of the file at byte {Length}");

    public byte Byte(long offset, string what) => At(offset, 1, what)[0];

    public ushort UInt16(long offset, string what) => isBigEndian
        ? BinaryPrimitives.ReadUInt16BigEndian(At(offset, 2, what))
        : BinaryPrimitives.ReadUInt16LittleEndian(At(offset, 2, what));

    public uint UInt32(long offset, string what) => isBigEndian
        ? BinaryPrimitives.ReadUInt32BigEndian(At(offset, 4, what))
        : BinaryPrimitives.ReadUInt32LittleEndian(At(offset, 4, what));

    /// <summary>What refuses the file.</summary>
    public DataFormatException Refusal(long offset, string expected, string found) => new(file, offset, expected, found);

    /// <summary>Refuses what the format allows and this library does not read.</summary>
    public DataFormatException Unsupported(long offset, string expected, string found) =>
        Refusal(offset, expected, $"{found} (not supported: write the picture as PNG)");
}
