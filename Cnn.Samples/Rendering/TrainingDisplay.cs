using Cnn.Fluent;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cnn.Samples.Rendering;

/// <summary>Shows a training run while it goes on.</summary>
internal static class TrainingDisplay
{
    private const int WidestBar = 40;
    private const int LinesPerEpoch = 4;

    /// <summary>Trains and shows how it goes: a bar on a terminal, a few lines for each epoch elsewhere.</summary>
    /// <exception cref="OperationCanceledException">Training was cancelled; the message tells how far it came.</exception>
    public static FitResult Run(Model model, Dataset train, FitOptions options, bool isQuiet, CancellationToken cancellationToken)
    {
        var meter = new TrainingMeter(options.Epochs, train.Count);
        FitResult Fit(Action<BatchProgress> show) =>
            model.Fit(train, options with { Progress = new Reporter(meter.Report, show) }, cancellationToken);

        var result = isQuiet ? Fit(_ => { }) : Terminal.IsLive ? WithBar(meter, Fit) : WithLines(meter, Fit);
        return result.IsCanceled ? throw new OperationCanceledException(Reached(meter, result), cancellationToken) : result;
    }

    private static FitResult WithBar(TrainingMeter meter, Func<Action<BatchProgress>, FitResult> fit) => AnsiConsole.Progress()
        .Columns(new MeterColumn(meter.Position), new ProgressBarColumn { Width = BarWidth() }, new MeterColumn(meter.Measures))
        .Start(context =>
        {
            var bar = context.AddTask("", maxValue: meter.Total);
            return fit(_ => bar.Value = meter.Seen);
        });

    private static FitResult WithLines(TrainingMeter meter, Func<Action<BatchProgress>, FitResult> fit) => fit(progress =>
    {
        if (Quarter(progress.Batch, progress.Batches) > Quarter(progress.Batch - 1, progress.Batches))
        {
            Console.WriteLine($"{meter.Position()}  {meter.Measures()}");
        }
    });

    private static int Quarter(int batch, int batches) => (int)((long)batch * LinesPerEpoch / batches);

    private static string Reached(TrainingMeter meter, FitResult result) =>
        $"Cancelled at {meter.Position()}  {meter.Measures()}. Whole epochs: {result.History.Count}.";

    /// <summary>What is left of a line beside the words.</summary>
    private static int BarWidth() => Math.Clamp(AnsiConsole.Profile.Width - 68, 6, WidestBar);

    /// <summary>Unlike <see cref="Progress{T}"/>, reports at once and on the thread that trains.</summary>
    private sealed class Reporter(Action<BatchProgress> measure, Action<BatchProgress> show) : IProgress<BatchProgress>
    {
        public void Report(BatchProgress value)
        {
            measure(value);
            show(value);
        }
    }

    private sealed class MeterColumn(Func<string> text) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text());
    }
}
