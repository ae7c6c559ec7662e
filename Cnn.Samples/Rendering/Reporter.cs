namespace Cnn.Samples.Rendering;

/// <summary>Unlike <see cref="Progress{T}"/>, reports at once and on the thread that works.</summary>
internal sealed class Reporter<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
