namespace Cnn.Fluent;

/// <summary>The worker threads of the process.</summary>
/// <remarks>
/// A worker that rests is handed a loop by the thread that calls it. It joins if iterations are left, and rests again before
/// it leaves, so that the next loop of the same caller finds it. Nobody waits but for workers that run iterations, hence
/// no loop waits for itself.
/// </remarks>
internal static class WorkerPool
{
    private static readonly Lock Gate = new();

    // The one that has rested for the shortest time last: it is the one that still looks for work.
    private static readonly List<Worker> Resting = [];

    private static int _workers;

    /// <summary>Runs a loop on the calling thread and on some workers at most.</summary>
    public static void Run(Loop loop, int workers)
    {
        Call(loop, workers);
        loop.Work();
        loop.Finish();
    }

    private static void Call(Loop loop, int workers)
    {
        lock (Gate)
        {
            var missing = workers;
            for (; missing > 0 && Resting.Count > 0; missing--)
            {
                Resting[^1].Take(loop);
                Resting.RemoveAt(Resting.Count - 1);
            }

            for (; missing > 0 && _workers < workers && Worker.TryStart(loop); missing--)
            {
                _workers++;
            }
        }
    }

    private static void Rest(Worker worker)
    {
        lock (Gate)
        {
            Resting.Add(worker);
        }
    }

    /// <summary>False where the worker has just been handed a loop.</summary>
    private static bool TryEnd(Worker worker)
    {
        lock (Gate)
        {
            var isResting = Resting.Remove(worker);
            _workers -= isResting ? 1 : 0;
            return isResting;
        }
    }

    /// <summary>A thread that waits for a loop, runs iterations of it, and waits for the next.</summary>
    /// <remarks>
    /// Steps of training follow each other within microseconds, so a worker looks for the next loop for a while before it
    /// sleeps, but never so long that it costs another thread its time slice.
    /// </remarks>
    private sealed class Worker
    {
        private const int Looks = 200;
        private const int PausesPerLook = 20;
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

        private readonly object _bell = new();
        private volatile Loop? _loop;

        /// <summary>Starts a worker with its first loop; false where the system has no thread left.</summary>
        public static bool TryStart(Loop loop)
        {
            var worker = new Worker { _loop = loop };
            try
            {
                // Without the caller's context, which the thread would keep alive.
                new Thread(worker.Serve) { IsBackground = true, Name = "Cnn worker" }.UnsafeStart();
                return true;
            }
            catch (OutOfMemoryException)
            {
                return false;
            }
        }

        /// <summary>Hands over a loop; the worker must not rest any more.</summary>
        public void Take(Loop loop)
        {
            lock (_bell)
            {
                _loop = loop;
                Monitor.Pulse(_bell);
            }
        }

        private void Serve()
        {
            while (Next() is { } loop)
            {
                var isMember = loop.TryJoin();
                if (isMember)
                {
                    loop.Work();
                }

                Rest(this);
                if (isMember)
                {
                    loop.Leave();
                }
            }
        }

        /// <summary>The loop that was handed over; null where none came for so long that the thread may end.</summary>
        private Loop? Next()
        {
            for (var look = 0; look < Looks && _loop is null; look++)
            {
                Thread.SpinWait(PausesPerLook);
            }

            while (true)
            {
                lock (_bell)
                {
                    if (_loop is null)
                    {
                        Monitor.Wait(_bell, Patience);
                    }

                    if (_loop is { } loop)
                    {
                        _loop = null;
                        return loop;
                    }
                }

                if (TryEnd(this))
                {
                    return null;
                }
            }
        }
    }
}
