using System.Runtime.ExceptionServices;

namespace Cnn.Fluent;

/// <summary>Spreads the iterations of a loop over the threads of the machine.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed class ParallelScheduler : IScheduler
{
    private readonly ParallelOptions _options;

    /// <summary>A scheduler on a number of threads.</summary>
    /// <param name="threads">At least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
    public ParallelScheduler(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _options = new ParallelOptions { MaxDegreeOfParallelism = threads };
    }

    /// <inheritdoc/>
    public int Threads => _options.MaxDegreeOfParallelism;

    /// <inheritdoc/>
    public void For(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (Threads == 1 || count <= 1)
        {
            for (var i = 0; i < count; i++)
            {
                body(i);
            }

            return;
        }

        try
        {
            Parallel.For(0, count, _options, body);
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }
}
