using System.Text;
using System.Text.Json;

namespace Cnn.Samples.Rendering;

/// <summary>JSON written member by member.</summary>
internal static class Json
{
    /// <summary>One object on one line of standard output.</summary>
    public static void Print(Action<Utf8JsonWriter> members) => Console.WriteLine(Text(members, isIndented: false));

    /// <summary>One object as text, on one line or on many.</summary>
    public static string Text(Action<Utf8JsonWriter> members, bool isIndented)
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = isIndented, NewLine = "\n" }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>A number, or null where it is infinite or none, for which JSON has no word.</summary>
    public static void WriteReal(this Utf8JsonWriter writer, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    /// <summary>Numbers, null for those that are infinite or none.</summary>
    public static void WriteNumbers(this Utf8JsonWriter writer, string name, IEnumerable<double> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            if (double.IsFinite(value))
            {
                writer.WriteNumberValue(value);
            }
            else
            {
                writer.WriteNullValue();
            }
        }

        writer.WriteEndArray();
    }
}
