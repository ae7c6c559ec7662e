using System.Runtime.ExceptionServices;

namespace Cnn.Fluent;

/// <summary>A loop whose iterations are taken one by one, by the thread that called it and by workers that join.</summary>
internal sealed class Loop(int count, Action<int> body)
{
    // Among the members where nobody may join any more.
    private const int Closed = int.MinValue;

    private int _next;
    private int _members;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Makes the calling thread a member; false where the loop is closed.</summary>
    public bool TryJoin()
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

    /// <summary>The member has no iteration left to run.</summary>
    public void Leave() => Interlocked.Decrement(ref _members);

    /// <summary>Runs iterations as long as there are any.</summary>
    public void Work()
    {
        try
        {
            for (var i = Interlocked.Increment(ref _next) - 1; i < count; i = Interlocked.Increment(ref _next) - 1)
            {
                body(i);
            }
        }
        catch (Exception error)
        {
            // The others stop at their next iteration.
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(error), null);
            Volatile.Write(ref _next, count);
        }
    }

    /// <summary>Waits for the members, not for workers that are still on their way, and throws what an iteration threw first.</summary>
    public void Finish()
    {
        Interlocked.Or(ref _members, Closed);
        var spin = default(SpinWait);
        while (Volatile.Read(ref _members) != Closed)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        _failure?.Throw();
    }
}
