namespace Cnn.Fluent;

/// <summary>Tags of the first picture of a TIFF file, or of EXIF, which has the same form (TIFF 6.0, 1992, section 2).</summary>
internal sealed class TiffDirectory
{
    private const int EntryBytes = 12;

    private const ushort Orientation = 274;

    private readonly FileBytes file;
    private readonly Dictionary<ushort, long> entries = [];

    /// <exception cref="DataFormatException">The file does not begin as TIFF does, or ends before the directory does.</exception>
    public TiffDirectory(string name, ReadOnlyMemory<byte> bytes)
    {
        file = new FileBytes(name, bytes, isBigEndian: bytes.Span.StartsWith("MM"u8));
        if (!file.At(0, 2, "the byte order").SequenceEqual("II"u8) && !file.At(0, 2, "the byte order").SequenceEqual("MM"u8))
        {
            throw file.Refusal(0, "II or MM", Convert.ToHexString(file.At(0, 2, "the byte order")));
        }

        var version = file.UInt16(2, "the version");
        if (version == 43)
        {
            throw file.Unsupported(2, "TIFF of 32 bits, version 42", "BigTIFF");
        }

        if (version != 42)
        {
            throw file.Refusal(2, "version 42", $"{version}");
        }

        long start = file.UInt32(4, "the offset of the directory");
        var count = file.UInt16(start, "a number of tags");
        End = start + 2 + EntryBytes * count;
        file.At(start, End - start + 4, "a directory");
        for (var at = start + 2; at < End; at += EntryBytes)
        {
            entries.TryAdd(file.UInt16(at, "a tag"), at);
        }

        Entries = [.. Enumerable.Range(0, count).Select(i => start + 2 + EntryBytes * i)];
    }

    /// <summary>Where each tag stands.</summary>
    public IReadOnlyList<long> Entries { get; }

    /// <summary>Where the offset of the next directory stands.</summary>
    public long End { get; }

    public FileBytes File => file;

    /// <summary>Where a tag stands; the first where there are several.</summary>
    public long? Place(ushort tag) => entries.TryGetValue(tag, out var at) ? at : null;

    public ushort TagAt(long entry) => file.UInt16(entry, "a tag");

    /// <summary>Whether a tag has numbers of 32 bits.</summary>
    public bool IsWide(ushort tag) => Place(tag) is { } at && file.UInt16(at + 2, "a type") == 4;

    /// <summary>Whole numbers of 16 or 32 bits, or those given where there is no such tag.</summary>
    public uint[] Values(ushort tag, params uint[] absent)
    {
        if (Place(tag) is not { } at)
        {
            return absent;
        }

        var size = file.UInt16(at + 2, "a type") switch
        {
            3 => 2,
            4 => 4,
            var type => throw file.Refusal(at + 2, $"tag {tag} of type 3 or 4", $"{type}"),
        };
        var bytes = size * (long)file.UInt32(at + 4, "a count");
        var start = bytes <= 4 ? at + 8 : file.UInt32(at + 8, "an offset");
        file.At(start, bytes, $"tag {tag}");
        var values = new uint[bytes / size];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = size == 2 ? file.UInt16(start + 2 * i, "a value") : file.UInt32(start + 4 * i, "a value");
        }

        return values;
    }

    /// <summary>The one number of a tag.</summary>
    public uint Value(ushort tag, uint? absent = null) =>
        Values(tag, absent is { } value ? [value] : []) is [var one]
            ? one
            : throw file.Refusal(Place(tag) ?? End, $"tag {tag} with one number", Place(tag) is null ? "no such tag" : "another count");

    /// <summary>1 to 8; 1 where it is not told.</summary>
    public int UprightBy => Values(Orientation, 1) is [var value] && value is >= 1 and <= 8 ? (int)value : 1;

    /// <summary>Of EXIF; 1 where it cannot be read: what a camera notes beside a picture does not spoil it.</summary>
    public static int OrientationOf(ReadOnlyMemory<byte> exif)
    {
        try
        {
            return new TiffDirectory("", exif).UprightBy;
        }
        catch (DataFormatException)
        {
            return 1;
        }
    }
}
