using System.Text;
using System.Text.Json;

namespace Cnn.Samples.Rendering;

/// <summary>One JSON object on one line of standard output.</summary>
internal static class Json
{
    public static void Print(Action<Utf8JsonWriter> members)
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        Console.WriteLine(Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length));
    }

    /// <summary>A number, or null where it is infinite or none, for which JSON has no word.</summary>
    public static void WriteReal(this Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
