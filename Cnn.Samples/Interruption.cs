using System.Runtime.InteropServices;
using Cnn.Samples.Rendering;

namespace Cnn.Samples;

/// <summary>Turns the first Ctrl-C (or a polite kill) into a cancellation; a second one ends the process at once.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;
    private volatile int _exitCode;

    public Interruption() => _signals =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Cancel(context, 130)),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Cancel(context, 143)),
    ];

    public CancellationToken Token => _source.Token;

    /// <summary>128 and the number of the signal, as shells have it.</summary>
    public int ExitCode => _exitCode;

    public void Dispose()
    {
        foreach (var signal in _signals)
        {
            signal.Dispose();
        }

        _source.Dispose();
    }

    private void Cancel(PosixSignalContext context, int exitCode)
    {
        if (_source.IsCancellationRequested)
        {
            Terminal.Restore();
            return;
        }

        context.Cancel = true;
        _exitCode = exitCode;
        _source.Cancel();
    }
}
