using Cnn.FSharp;

namespace Cnn.Fluent;

/// <summary>The networks of the sources (SPEC section 10), each as a builder.</summary>
public static class Architectures
{
    /// <summary>LeNet-5 for 32×32×1 pictures: 61,706 parameters. Wichmann 2018, 6.1.</summary>
    public static NetworkBuilder LeNet5 => NetworkBuilder.Of(FSharp.Architectures.lenet5);

    /// <summary>VanillaCNN for 28×28×1 pictures: 3,898 parameters. Vu 2018, section 4.</summary>
    public static NetworkBuilder Vanilla => NetworkBuilder.Of(FSharp.Architectures.vanilla);

    /// <summary>Cats and dogs for 100×100×1 pictures: 1,274,881 parameters. Fan and Yam 11.6.2.</summary>
    public static NetworkBuilder CatDog => NetworkBuilder.Of(FSharp.Architectures.catdog);

    /// <summary>The names that <see cref="Find"/> knows.</summary>
    public static IReadOnlyList<string> Names => [.. FSharp.Architectures.all.Select(a => a.Name)];

    /// <summary>The network of a name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static NetworkBuilder Find(string name) => NetworkBuilder.Of(Named(name));

    /// <summary>The loss that the source of a network trains it with.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no network of that name; lists those there are.</exception>
    public static Loss LossOf(string name) => Named(name).Loss;

    private static Architecture Named(string name) =>
        FSharp.Architectures.all.FirstOrDefault(a => a.Name == name)
        ?? throw new ArgumentException($"There is no network '{name}'. There are: {string.Join(", ", Names)}.", nameof(name));
}
