using Cnn.FSharp;

namespace Cnn.Fluent;

/// <summary>Digits that the library draws itself: labelled pictures that need no file.</summary>
/// <remarks>
/// The same count, size and seed give the same pictures on every machine and for any number of threads. Every ten
/// pictures in a row show each digit once. Take one seed for training and another for testing.
/// </remarks>
public static class SyntheticDigits
{
    /// <summary>Handwritten digits: size×size×1, 0 background … 1 ink.</summary>
    /// <param name="count">Number of pictures.</param>
    /// <param name="size">Side in pixels, at least 8; default 28.</param>
    /// <param name="seed">Decides everything random; default 0.</param>
    /// <param name="threads">Default null: as many as the machine has processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative count, a size below 8, or less than one thread.</exception>
    public static Dataset Create(int count, int size = 28, int seed = 0, int? threads = null) =>
        FSharp.SyntheticDigits.dataset(SyntheticData.Scheduler(threads), Key.OfSeed(seed), size, count);

    /// <summary>Digits as on houses: size×size×3, any colour on any wall in uneven light, with parts of their neighbours.</summary>
    /// <param name="count">Number of pictures.</param>
    /// <param name="size">Side in pixels, at least 16; default 32.</param>
    /// <param name="seed">Decides everything random; default 0.</param>
    /// <param name="threads">Default null: as many as the machine has processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative count, a size below 16, or less than one thread.</exception>
    public static Dataset CreateColor(int count, int size = 32, int seed = 0, int? threads = null) =>
        FSharp.SyntheticDigits.colorDataset(SyntheticData.Scheduler(threads), Key.OfSeed(seed), size, count);
}

/// <summary>Printed capitals I and Q that the library draws itself, as for the network of Fan and Yam 11.6.3.</summary>
/// <remarks>
/// The same count, size and seed give the same pictures on every machine and for any number of threads. Every two
/// pictures in a row show each capital once. Take one seed for training and another for testing.
/// </remarks>
public static class SyntheticGlyphs
{
    /// <summary>Capitals of many typefaces: size×size×1, 0 background … 1 ink; labels 0 for "I" and 1 for "Q".</summary>
    /// <param name="count">Number of pictures.</param>
    /// <param name="size">Side in pixels, at least 8; default 32.</param>
    /// <param name="seed">Decides everything random; default 0.</param>
    /// <param name="threads">Default null: as many as the machine has processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative count, a size below 8, or less than one thread.</exception>
    public static Dataset Create(int count, int size = 32, int seed = 0, int? threads = null) =>
        FSharp.SyntheticGlyphs.dataset(SyntheticData.Scheduler(threads), Key.OfSeed(seed), size, count);
}

internal static class SyntheticData
{
    public static ParallelScheduler Scheduler(int? threads) => new(threads ?? Environment.ProcessorCount);
}
