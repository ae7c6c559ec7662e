using System.Runtime.CompilerServices;

namespace Cnn.Fluent;

/// <summary>Members of enumerations, and no other numbers.</summary>
internal static class Defined
{
    /// <summary>The value, if its enumeration has it.</summary>
    public static T Of<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : struct, Enum => Enum.IsDefined(value)
            ? value
            : throw new ArgumentOutOfRangeException(
                name, value, $"There is no such {typeof(T).Name}. Choose one of {string.Join(", ", Enum.GetNames<T>())}.");
}
