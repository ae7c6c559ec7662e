using Microsoft.FSharp.Collections;

namespace Cnn.Fluent;

/// <summary>Models that begin with a bank of filters, fixed or learned (Fan and Yam 11.4).</summary>
/// <remarks>
/// Convolution, ReLU, 2×2 maximum, and one dense layer with softmax. Three ways to come by the filters of the same layers
/// can be set side by side; all other weights start alike.
/// </remarks>
public static class FixedFilters
{
    /// <summary>The model whose filters are those given and stay so.</summary>
    /// <param name="input">Height×width×channels; each filter looks at each channel by itself.</param>
    /// <param name="classes">Classes to tell apart.</param>
    /// <param name="filters">At least one; default null: <see cref="Filter.All"/>.</param>
    /// <param name="seed">Decides the first weights. Default 0.</param>
    /// <exception cref="ShapeException">There are no filters, or the input is no picture's shape.</exception>
    public static Model Frozen(Shape input, int classes, IEnumerable<Filter>? filters = null, int seed = 0) =>
        Model.Of(FSharp.FixedFilters.frozen<float>(seed, input, classes, Bank(filters)), seed);

    /// <summary>The model whose filters begin as those given and are learned from there.</summary>
    /// <param name="input">Height×width×channels; at first each filter looks at each channel by itself.</param>
    /// <param name="classes">Classes to tell apart.</param>
    /// <param name="filters">At least one; default null: <see cref="Filter.All"/>.</param>
    /// <param name="seed">Decides the first weights. Default 0.</param>
    /// <exception cref="ShapeException">There are no filters, or the input is no picture's shape.</exception>
    public static Model Tuned(Shape input, int classes, IEnumerable<Filter>? filters = null, int seed = 0) =>
        Model.Of(FSharp.FixedFilters.tuned<float>(seed, input, classes, Bank(filters)), seed);

    /// <summary>The model with as many filters of the same size, drawn from the seed and learned.</summary>
    /// <param name="input">Height×width×channels.</param>
    /// <param name="classes">Classes to tell apart.</param>
    /// <param name="filters">Tell number and size; default null: <see cref="Filter.All"/>.</param>
    /// <param name="seed">Decides the first weights. Default 0.</param>
    /// <exception cref="ShapeException">There are no filters, or the input is no picture's shape.</exception>
    public static Model Learned(Shape input, int classes, IEnumerable<Filter>? filters = null, int seed = 0) =>
        Model.Of(FSharp.FixedFilters.learned<float>(seed, input, classes, Bank(filters)), seed);

    private static FSharpList<Filter> Bank(IEnumerable<Filter>? filters) => ListModule.OfSeq(filters ?? Filter.All);
}
