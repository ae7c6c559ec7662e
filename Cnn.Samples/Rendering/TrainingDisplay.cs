using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cnn.Samples.Rendering;

/// <summary>Shows a training run while it goes on.</summary>
internal static class TrainingDisplay
{
    private const int WidestBar = 40;
    private const int LinesPerEpoch = 4;

    /// <summary>Runs a training and shows what it reports: a bar on a terminal, a few lines for each epoch elsewhere.</summary>
    public static T Run<T>(int epochs, int pictures, Func<IProgress<BatchProgress>, T> train)
    {
        var meter = new TrainingMeter(epochs, pictures);
        if (!Terminal.IsLive)
        {
            return train(new Reporter(progress =>
            {
                meter.Report(progress);
                if (Quarter(progress.Batch, progress.Batches) > Quarter(progress.Batch - 1, progress.Batches))
                {
                    Console.WriteLine($"{meter.Position()}  {meter.Measures()}");
                }
            }));
        }

        return AnsiConsole.Progress()
            .Columns(new MeterColumn(meter.Position), new ProgressBarColumn { Width = BarWidth() }, new MeterColumn(meter.Measures))
            .Start(context =>
            {
                var bar = context.AddTask("", maxValue: meter.Total);
                return train(new Reporter(progress =>
                {
                    meter.Report(progress);
                    bar.Value = meter.Seen;
                }));
            });
    }

    private static int Quarter(int batch, int batches) => (int)((long)batch * LinesPerEpoch / batches);

    /// <summary>What is left of a line beside the words.</summary>
    private static int BarWidth() => Math.Clamp(AnsiConsole.Profile.Width - 68, 6, WidestBar);

    /// <summary>Unlike <see cref="Progress{T}"/>, reports at once and on the thread that trains.</summary>
    private sealed class Reporter(Action<BatchProgress> report) : IProgress<BatchProgress>
    {
        public void Report(BatchProgress value) => report(value);
    }

    private sealed class MeterColumn(Func<string> text) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text());
    }
}
