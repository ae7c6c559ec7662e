using System.Diagnostics;
using System.Globalization;

namespace Cnn.Samples.Rendering;

/// <summary>Where a training run is, in words. Read by one thread while another one reports.</summary>
internal sealed class TrainingMeter(int epochs, int pictures)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private Reading? _reading;

    /// <summary>Samples of all epochs.</summary>
    public long Total { get; } = (long)epochs * pictures;

    /// <summary>Samples seen so far, in all epochs.</summary>
    public long Seen => _reading is { } reading ? SeenAt(reading.Progress) : 0;

    public void Report(BatchProgress progress) => Volatile.Write(ref _reading, new Reading(progress, _clock.Elapsed));

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

    private double Rate(Reading reading) => SeenAt(reading.Progress) / reading.Time.TotalSeconds;

    private string Left(Reading reading)
    {
        var left = TimeSpan.FromSeconds((Total - SeenAt(reading.Progress)) / Rate(reading));
        var hours = left < TimeSpan.FromHours(1) ? "" : $"{(long)left.TotalHours}:";
        return hours + left.ToString(hours == "" ? @"m\:ss" : @"mm\:ss", CultureInfo.InvariantCulture);
    }

    private long SeenAt(BatchProgress progress) => (progress.Epoch - 1L) * pictures + progress.Samples;

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    private sealed record Reading(BatchProgress Progress, TimeSpan Time);
}
