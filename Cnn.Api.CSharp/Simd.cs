using System.Numerics;

namespace Cnn.Fluent;

/// <summary>The fast backend, for the core's own functions: <c>Training.run(Simd.Backend&lt;float&gt;(), …)</c>.</summary>
public static class Simd
{
    /// <summary>SIMD kernels, chosen by what the machine has, on its threads.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
    /// <param name="threads">Default null: as many as the machine has processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
    public static Backend<T> Backend<T>(int? threads = null) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(new SimdKernels<T>(), new ParallelScheduler(threads ?? Environment.ProcessorCount));
}
