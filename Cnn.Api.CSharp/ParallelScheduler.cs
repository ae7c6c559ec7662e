using System.Runtime.ExceptionServices;

namespace Cnn.Fluent;

/// <summary>Spreads the iterations of a loop over threads of its own.</summary>
/// <remarks>
/// Safe to share between threads: a loop that finds the threads at work for another one runs on the calling thread alone,
/// at once. The threads start with the first loop, sleep when there is nothing to do, and end with the scheduler.
/// </remarks>
public sealed class ParallelScheduler : IScheduler
{
    private readonly WorkerTeam _team;

    /// <summary>A scheduler on a number of threads, the calling one among them.</summary>
    /// <param name="threads">At least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
    public ParallelScheduler(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _team = new WorkerTeam(threads - 1);
    }

    /// <summary>Lets the threads end.</summary>
    ~ParallelScheduler() => _team?.End();

    /// <inheritdoc/>
    public int Threads { get; }

    /// <inheritdoc/>
    public void For(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var isDone = count > 1 && _team.TryRun(count, body);

        // The team must not end under a loop.
        GC.KeepAlive(this);
        if (isDone)
        {
            return;
        }

        for (var i = 0; i < count; i++)
        {
            body(i);
        }
    }
}

/// <summary>Threads that wait for a loop, take its iterations one by one, and wait for the next.</summary>
/// <remarks>
/// Steps of training follow each other within microseconds, so a worker looks for the next loop for a while before it
/// sleeps, but never so long that it costs another thread its time slice.
/// </remarks>
internal sealed class WorkerTeam(int workers)
{
    private const int Closed = int.MinValue;
    private const int Looks = 200;
    private const int PausesPerLook = 20;

    private readonly object _bell = new();
    private int _isBusy;
    private int _started;
    private volatile int _round;
    private volatile bool _isOver;

    private Action<int>? _body;
    private int _count;
    private int _next;

    // Workers in the present round, and whether it takes any more.
    private int _members = Closed;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Runs a loop on the workers and the calling thread; false, with nothing run, where that cannot be.</summary>
    public bool TryRun(int count, Action<int> body)
    {
        if (workers == 0 || Interlocked.CompareExchange(ref _isBusy, 1, 0) != 0)
        {
            return false;
        }

        try
        {
            Start();
            (_body, _count, _next, _failure) = (body, count, 0, null);
            Volatile.Write(ref _members, 0);
            NextRound();
            Work();

            // Nothing is left to take: wait for those who took something, not for those who still sleep.
            Interlocked.Or(ref _members, Closed);
            var spin = default(SpinWait);
            while (Volatile.Read(ref _members) != Closed)
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }

            _body = null;
            _failure?.Throw();
            return true;
        }
        finally
        {
            Volatile.Write(ref _isBusy, 0);
        }
    }

    /// <summary>Lets the workers end.</summary>
    public void End()
    {
        _isOver = true;
        NextRound();
    }

    private void NextRound()
    {
        lock (_bell)
        {
            _round++;
            Monitor.PulseAll(_bell);
        }
    }

    private void Start()
    {
        for (; _started < workers; _started++)
        {
            new Thread(Serve) { IsBackground = true, Name = "Cnn worker" }.Start(_round);
        }
    }

    private void Serve(object? round)
    {
        var seen = (int)round!;
        while (true)
        {
            Await(seen);
            seen = _round;
            if (_isOver)
            {
                return;
            }

            if (TryJoin())
            {
                Work();
                Interlocked.Decrement(ref _members);
            }
        }
    }

    private bool TryJoin()
    {
        for (var members = Volatile.Read(ref _members); members >= 0; members = Volatile.Read(ref _members))
        {
            if (Interlocked.CompareExchange(ref _members, members + 1, members) == members)
            {
                return true;
            }
        }

        return false;
    }

    private void Await(int seen)
    {
        for (var look = 0; look < Looks; look++)
        {
            if (_round != seen)
            {
                return;
            }

            Thread.SpinWait(PausesPerLook);
        }

        lock (_bell)
        {
            while (_round == seen)
            {
                Monitor.Wait(_bell);
            }
        }
    }

    private void Work()
    {
        var body = _body!;
        try
        {
            for (var i = Interlocked.Increment(ref _next) - 1; i < _count; i = Interlocked.Increment(ref _next) - 1)
            {
                body(i);
            }
        }
        catch (Exception error)
        {
            // The others stop at their next iteration.
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(error), null);
            Volatile.Write(ref _next, _count);
        }
    }
}
