using System.Diagnostics;
using System.Globalization;

namespace Cnn.Samples.Rendering;

/// <summary>Where a training run is, in words. Read by one thread while another one reports.</summary>
internal sealed class TrainingMeter(int epochs)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private Reading? _reading;

    /// <summary>Epochs done, the last one in part.</summary>
    public double Done => _reading?.Done ?? 0;

    public void Report(BatchProgress progress)
    {
        var before = _reading is { Progress: var last } && last.Epoch == progress.Epoch ? last.Samples : 0;
        Volatile.Write(ref _reading, new Reading(progress, (_reading?.Seen ?? 0) + progress.Samples - before, _clock.Elapsed, _reading?.Start ?? progress.Epoch - 1));
    }

    /// <summary>As in "epoch 1/3  batch 100/313".</summary>
    public string Position() => _reading is { Progress: var p }
        ? $"epoch {p.Epoch}/{epochs}  batch {p.Batch.ToString(CultureInfo.InvariantCulture).PadLeft(Digits(p.Batches))}/{p.Batches}"
        : $"epoch 1/{epochs}";

    /// <summary>As in "loss 0.1234  96.50 %".</summary>
    public string Quality() => _reading is { Progress: var p }
        ? string.Create(CultureInfo.InvariantCulture, $"loss {p.Loss:F4}  {100 * p.Accuracy:F2} %")
        : "";

    /// <summary>As in "31,234/s  0:12 left".</summary>
    public string Speed() => _reading is { } reading
        ? string.Create(CultureInfo.InvariantCulture, $"{Rate(reading):N0}/s  {Left(reading)} left")
        : "";

    private static double Rate(Reading reading) => reading.Seen / reading.Time.TotalSeconds;

    private string Left(Reading reading)
    {
        var left = reading.Time * ((epochs - reading.Done) / (reading.Done - reading.Start));
        var hours = left < TimeSpan.FromHours(1) ? "" : $"{(long)left.TotalHours}:";
        return hours + left.ToString(hours == "" ? @"m\:ss" : @"mm\:ss", CultureInfo.InvariantCulture);
    }

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    /// <param name="Progress">Where training is.</param>
    /// <param name="Seen">Samples seen since training began, in all epochs.</param>
    /// <param name="Time">Since training began.</param>
    /// <param name="Start">Epochs that were done before.</param>
    private sealed record Reading(BatchProgress Progress, long Seen, TimeSpan Time, int Start)
    {
        public double Done => Progress.Epoch - 1 + (double)Progress.Batch / Progress.Batches;
    }
}
