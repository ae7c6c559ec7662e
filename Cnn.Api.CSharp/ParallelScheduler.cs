namespace Cnn.Fluent;

/// <summary>Spreads the iterations of a loop over the calling thread and the worker threads of the process.</summary>
/// <remarks>
/// Immutable and safe to share between threads. All schedulers share the workers: there are as many as the largest one
/// wants, however many schedulers and models there are. They start with the first loop, look for the next one for a while,
/// sleep, and end after two seconds without work. A loop takes the workers that rest, and runs on the calling thread alone,
/// at once, where there are none: so loops may be nested, and run at the same time.
/// </remarks>
/// <param name="threads">
/// At least 1, the calling thread among them; more than <see cref="MostThreads"/> count as that many, since results are the
/// same for any number.
/// </param>
/// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
public sealed class ParallelScheduler(int threads) : IScheduler
{
    private const int MostForEachProcessor = 32;

    /// <summary>The most threads that a scheduler uses: 32 for each processor.</summary>
    public static int MostThreads => MostForEachProcessor * Environment.ProcessorCount;

    /// <inheritdoc/>
    public int Threads { get; } = threads >= 1
        ? Math.Min(threads, MostThreads)
        : throw new ArgumentOutOfRangeException(nameof(threads), threads, "At least one thread is needed.");

    /// <inheritdoc/>
    public void For(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var workers = Math.Min(Threads, count) - 1;
        if (workers > 0)
        {
            WorkerPool.Run(new Loop(count, body), workers);
            return;
        }

        for (var i = 0; i < count; i++)
        {
            body(i);
        }
    }
}
