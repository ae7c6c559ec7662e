namespace Cnn.Samples;

/// <summary>Stops a loop before its next iteration once it is cancelled.</summary>
/// <param name="inner">Runs the iterations.</param>
/// <param name="cancellationToken">Cancels.</param>
internal sealed class CancellableScheduler(IScheduler inner, CancellationToken cancellationToken) : IScheduler
{
    public int Threads => inner.Threads;

    public void For(int count, Action<int> body) => inner.For(count, i =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        body(i);
    });
}
