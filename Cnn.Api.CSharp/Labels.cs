using FSharpDataset = Cnn.FSharp.Dataset;

namespace Cnn.Fluent;

/// <summary>Labels as the numbers of their classes.</summary>
/// <typeparam name="TLabel">Any type with an order: strings, characters, numbers, enumerations.</typeparam>
/// <remarks>Immutable.</remarks>
/// <param name="Numbers">The class of each sample, from 0.</param>
/// <param name="Classes">The distinct labels, sorted: label i is <c>Classes[Numbers[i]]</c>.</param>
public sealed record EncodedLabels<TLabel>(IReadOnlyList<int> Numbers, IReadOnlyList<TLabel> Classes);

/// <summary>Labels of any type as numbers, and numbers as one-hot rows.</summary>
public static class Labels
{
    /// <summary>Numbers for labels of any type: the distinct labels, sorted, are classes 0, 1, ….</summary>
    /// <typeparam name="TLabel">Any type with an order.</typeparam>
    /// <param name="labels">One label for each sample.</param>
    public static EncodedLabels<TLabel> Encode<TLabel>(IEnumerable<TLabel> labels) where TLabel : IComparable<TLabel>
    {
        ArgumentNullException.ThrowIfNull(labels);
        var (numbers, classes) = FSharpDataset.encode(labels);
        return new EncodedLabels<TLabel>(numbers, classes);
    }

    /// <summary>y[n,c] = 1 where label n is c, else 0: N labels → N×classes.</summary>
    /// <param name="labels">The class of each sample, from 0.</param>
    /// <param name="classes">Number of classes.</param>
    /// <exception cref="ArgumentOutOfRangeException">A label lies outside the classes.</exception>
    public static Tensor<float> OneHot(IEnumerable<int> labels, int classes) =>
        FSharpDataset.oneHot<float>(classes, [.. labels]);
}
