using System.Numerics;

namespace Cnn.Fluent;

/// <summary>The fast backend, for the core's own functions: <c>Training.run(Simd.Backend&lt;float&gt;(), …)</c>.</summary>
public static class Simd
{
    /// <summary>SIMD kernels, chosen by what the machine has, on its threads.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
    /// <param name="threads">Default null: as many as the machine has processors; at most <see cref="ParallelScheduler.MostThreads"/>.</param>
    /// <param name="winograd">How 3×3 windows at stride 1 over many channels are computed; default in tiles of 2×2.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread, or no such tiles.</exception>
    public static Backend<T> Backend<T>(int? threads = null, WinogradTile winograd = WinogradTile.TwoByTwo)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(new SimdKernels<T>(512, winograd), new ParallelScheduler(threads ?? Environment.ProcessorCount));
}
