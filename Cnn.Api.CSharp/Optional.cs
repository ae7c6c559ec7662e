using Microsoft.FSharp.Core;

namespace Cnn.Fluent;

/// <summary>What may be missing, as the core has it.</summary>
internal static class Optional
{
    public static FSharpOption<T>? Of<T>(T? value) where T : class => value is null ? null : FSharpOption<T>.Some(value);

    public static FSharpOption<T>? Of<T>(T? value) where T : struct => value is { } present ? FSharpOption<T>.Some(present) : null;
}
