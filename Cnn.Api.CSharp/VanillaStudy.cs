namespace Cnn.Fluent;

/// <summary>A step of Vu's study: what was switched on, and the network and its training from then on.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">What this step switches on; all that earlier steps did stays on.</param>
/// <param name="IsParallel">Whether more than one thread trains.</param>
/// <param name="Network">The network.</param>
/// <param name="Options">How it is trained, ready for <see cref="Model.Fit"/>.</param>
public sealed record VanillaStep(string Name, bool IsParallel, NetworkBuilder Network, FitOptions Options);

/// <summary>Vu's VanillaCNN, the shapes that her paper prints, and the four things that it leaves to do (Vu 2018).</summary>
public static class VanillaStudy
{
    /// <summary>The shape of what each layer gives, as the paper prints it. Vu 2018, section 4.</summary>
    public static IReadOnlyList<Shape> PaperShapes => [.. FSharp.VanillaStudy.paperShapes];

    /// <summary>The shape of what each layer really gives for one picture.</summary>
    public static IReadOnlyList<Shape> MeasuredShapes() =>
        [.. FSharp.VanillaStudy.measuredShapes(FSharp.Architectures.build<float>(0, FSharp.Architectures.vanilla))];

    /// <summary>The network as it is, then with threads, softmax, momentum and a falling learning rate, one added after the other.</summary>
    /// <param name="epochs">Epochs of every step.</param>
    public static IReadOnlyList<VanillaStep> Steps(int epochs) =>
    [
        .. FSharp.VanillaStudy.steps(epochs).Select(step => new VanillaStep(
            step.Name, step.IsParallel, NetworkBuilder.Of(step.Architecture), Architectures.SettingsOf(step.Architecture)!.Options)),
    ];
}
