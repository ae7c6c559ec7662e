using System.Numerics;
using System.Runtime.Intrinsics;
using Cnn.Fluent.Kernels;

namespace Cnn.Fluent;

/// <summary>The hot loops with vector instructions, as wide as the hardware has them.</summary>
/// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
/// <remarks>
/// Immutable, stateless and safe to share between threads. Sums run in an order that depends neither on threads nor on
/// the number of samples. Results differ in the last bits between instruction sets.
/// </remarks>
public sealed class SimdKernels<T> : IKernels<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly IKernels<T> path;

    /// <summary>The kernels for the widest vectors of this machine.</summary>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is neither float nor double.</exception>
    public SimdKernels()
        : this(512)
    {
    }

    /// <summary>The kernels for vectors of at most the given number of bits.</summary>
    /// <param name="widestVector">512, 256, 128, or less for none.</param>
    /// <param name="winograd">How 3×3 windows at stride 1 over many channels are computed; default in tiles of 2×2.</param>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is neither float nor double.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are no such tiles.</exception>
    public SimdKernels(int widestVector, WinogradTile winograd = WinogradTile.TwoByTwo)
    {
        _ = Defined.Of(winograd);
        if (typeof(T) != typeof(float) && typeof(T) != typeof(double))
        {
            throw new NotSupportedException("The kernels compute with float and double, not with " + typeof(T).Name + ".");
        }

        path = widestVector >= 512 && Vector512.IsHardwareAccelerated ? new SimdPath<T, Vector512<T>, Simd512<T>>(winograd)
            : widestVector >= 256 && Vector256.IsHardwareAccelerated ? new SimdPath<T, Vector256<T>, Simd256<T>>(winograd)
            : widestVector >= 128 && Vector128.IsHardwareAccelerated ? new SimdPath<T, Vector128<T>, Simd128<T>>(winograd)
            : new SimdPath<T, T, SimdScalar<T>>(winograd);
    }

    /// <summary>The kernels for the widest vectors of this machine.</summary>
    public static SimdKernels<T> Default { get; } = new();

    /// <inheritdoc/>
    public string InstructionSet => path.InstructionSet;

    /// <inheritdoc/>
    public int PackedLength(Geometry geometry, Packing packing) => path.PackedLength(geometry, Defined.Of(packing));

    /// <inheritdoc/>
    public void Pack(Geometry geometry, Packing packing, ReadOnlySpan<T> weights, Span<T> destination) =>
        path.Pack(geometry, Defined.Of(packing), weights, destination);

    /// <inheritdoc/>
    public void Correlate(
        IWorkspace<T> workspace,
        Geometry geometry,
        ReadOnlySpan<T> x,
        ReadOnlySpan<T> weights,
        ReadOnlySpan<T> packed,
        ReadOnlySpan<T> bias,
        Activation activation,
        Span<T> y) => path.Correlate(workspace, geometry, x, weights, packed, bias, activation, y);

    /// <inheritdoc/>
    public void CorrelateInputAdjoint(
        IWorkspace<T> workspace,
        Geometry geometry,
        ReadOnlySpan<T> dy,
        ReadOnlySpan<T> weights,
        ReadOnlySpan<T> packed,
        Span<T> dx) => path.CorrelateInputAdjoint(workspace, geometry, dy, weights, packed, dx);

    /// <inheritdoc/>
    public void CorrelateFilterAdjoint(IWorkspace<T> workspace, Geometry geometry, ReadOnlySpan<T> x, ReadOnlySpan<T> dy, Span<T> dw) =>
        path.CorrelateFilterAdjoint(workspace, geometry, x, dy, dw);

    /// <inheritdoc/>
    public void SumRows(ReadOnlySpan<T> x, Span<T> sums) => path.SumRows(x, sums);

    /// <inheritdoc/>
    public void MaxPool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y, Span<int> indices) => path.MaxPool(geometry, x, y, indices);

    /// <inheritdoc/>
    public void MaxPoolAdjoint(Geometry geometry, ReadOnlySpan<T> dy, ReadOnlySpan<int> indices, Span<T> dx) =>
        path.MaxPoolAdjoint(geometry, dy, indices, dx);

    /// <inheritdoc/>
    public void AveragePool(Geometry geometry, ReadOnlySpan<T> x, Span<T> y) => path.AveragePool(geometry, x, y);

    /// <inheritdoc/>
    public void AveragePoolAdjoint(Geometry geometry, ReadOnlySpan<T> dy, Span<T> dx) => path.AveragePoolAdjoint(geometry, dy, dx);

    /// <inheritdoc/>
    public void Activate(Activation activation, ReadOnlySpan<T> x, Span<T> y) => path.Activate(activation, x, y);

    /// <inheritdoc/>
    public void ActivateAdjoint(Activation activation, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx) =>
        path.ActivateAdjoint(activation, y, dy, dx);

    /// <inheritdoc/>
    public void BiasAdjoint(Activation activation, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx, Span<T> db) =>
        path.BiasAdjoint(activation, y, dy, dx, db);

    /// <inheritdoc/>
    public void Softmax(int width, ReadOnlySpan<T> x, Span<T> y) => path.Softmax(width, x, y);

    /// <inheritdoc/>
    public void SoftmaxAdjoint(int width, ReadOnlySpan<T> y, ReadOnlySpan<T> dy, Span<T> dx) => path.SoftmaxAdjoint(width, y, dy, dx);

    /// <inheritdoc/>
    public void Moments(ReadOnlySpan<T> x, Span<T> mean, Span<T> variance) => path.Moments(x, mean, variance);

    /// <inheritdoc/>
    public void Normalize(ReadOnlySpan<T> x, ReadOnlySpan<T> mean, ReadOnlySpan<T> scale, ReadOnlySpan<T> shift, Span<T> y) =>
        path.Normalize(x, mean, scale, shift, y);

    /// <inheritdoc/>
    public void SumProducts(ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> mean, ReadOnlySpan<T> scale, Span<T> sums) =>
        path.SumProducts(dy, x, mean, scale, sums);

    /// <inheritdoc/>
    public void Multiply(ReadOnlySpan<T> a, ReadOnlySpan<T> b, Span<T> y) => path.Multiply(a, b, y);

    /// <inheritdoc/>
    public void Accumulate(ReadOnlySpan<T> x, Span<T> sum) => path.Accumulate(x, sum);

    /// <inheritdoc/>
    public void Update(
        Update update,
        ReadOnlySpan<T> gradient,
        ReadOnlySpan<T> parameter,
        ReadOnlySpan<T> slot1,
        ReadOnlySpan<T> slot2,
        Span<T> nextParameter,
        Span<T> nextSlot1,
        Span<T> nextSlot2) => path.Update(update, gradient, parameter, slot1, slot2, nextParameter, nextSlot1, nextSlot2);
}
