using System.Globalization;

namespace Cnn.Fluent;

/// <summary>A class with the probability that a model gives it.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">Name of the class.</param>
/// <param name="Probability">Its probability.</param>
public sealed record RankedClass(string Name, double Probability);

/// <summary>What a model says of a picture.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Class">The most probable class, from 0.</param>
/// <param name="ClassName">Its name.</param>
/// <param name="ClassNames">The names of all classes.</param>
/// <param name="Probabilities">One number for each class; they add up to 1 where the last layer is softmax or one sigmoid.</param>
public sealed record Prediction(int Class, string ClassName, IReadOnlyList<string> ClassNames, IReadOnlyList<double> Probabilities)
{
    /// <summary>The probability of <see cref="Class"/>.</summary>
    public double Probability => Probabilities[Class];

    /// <summary>All classes, the most probable one first; equal ones in their order.</summary>
    public IReadOnlyList<RankedClass> Ranked =>
        [.. Probabilities.Select((probability, index) => new RankedClass(ClassNames[index], probability)).OrderByDescending(c => c.Probability)];

    /// <summary>The name and the probability of the class, then the probabilities of all classes.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{ClassName} {Probability:0.####} [{string.Join(", ", Probabilities.Select(p => p.ToString("0.####", CultureInfo.InvariantCulture)))}]");
}
