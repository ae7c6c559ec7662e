using System.Globalization;
using Cnn.Fluent;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cnn.Samples.Rendering;

/// <summary>Shows a training run while it goes on.</summary>
internal static class TrainingDisplay
{
    private const int NarrowestBar = 6;
    private const int WidestBar = 40;
    private const int LinesPerEpoch = 4;

    /// <summary>Trains and shows how it goes: a bar on a terminal, a few lines for each epoch elsewhere.</summary>
    /// <exception cref="OperationCanceledException">Training was cancelled; the message tells how far it came.</exception>
    public static FitResult Run(Model model, Dataset train, FitOptions options, bool isQuiet, CancellationToken cancellationToken)
    {
        var meter = new TrainingMeter(options.Epochs);
        FitResult Fit(Action<BatchProgress> show) => model.Fit(
            train,
            options with
            {
                Progress = new Reporter<BatchProgress>(progress =>
                {
                    meter.Report(progress);
                    show(progress);
                }),
                EpochProgress = new Reporter<EpochResult>(result =>
                {
                    options.EpochProgress?.Report(result);
                    if (!isQuiet)
                    {
                        PrintValidation(result, options.Epochs);
                    }
                }),
            },
            cancellationToken);

        var result = isQuiet ? Fit(_ => { }) : Terminal.IsLive ? WithBar(meter, options.Epochs, Fit) : WithLines(meter, Fit);
        return result.Reason == StopReason.Cancelled ? throw new OperationCanceledException(Reached(meter, result), cancellationToken) : result;
    }

    private static FitResult WithBar(TrainingMeter meter, int epochs, Func<Action<BatchProgress>, FitResult> fit) => AnsiConsole.Progress()
        .Columns(Columns(meter, AnsiConsole.Profile.Width))
        .Start(context =>
        {
            var bar = context.AddTask("training", maxValue: epochs);
            return fit(_ => bar.Value = meter.Done);
        });

    private static FitResult WithLines(TrainingMeter meter, Func<Action<BatchProgress>, FitResult> fit) => fit(progress =>
    {
        if (Quarter(progress.Batch, progress.Batches) > Quarter(progress.Batch - 1, progress.Batches))
        {
            Console.WriteLine($"{meter.Position()}  {meter.Quality()}  {meter.Speed()}");
        }
    });

    /// <summary>A line above the bar, or one among others.</summary>
    private static void PrintValidation(EpochResult result, int epochs)
    {
        if (result.Validation is not { } validation)
        {
            return;
        }

        var line = string.Create(
            CultureInfo.InvariantCulture, $"epoch {result.Epoch}/{epochs}  validation loss {validation.Loss:F4}  {100 * validation.Accuracy:F2} %");
        Terminal.WriteLine(line);
    }

    private static int Quarter(int batch, int batches) => (int)((long)batch * LinesPerEpoch / batches);

    private static string Reached(TrainingMeter meter, FitResult result) =>
        $"Cancelled at {meter.Position()}  {meter.Quality()}  whole epochs: {result.History.Count}";

    /// <summary>The words, and a bar over what they leave of a line; a narrow screen goes without the speed.</summary>
    private static ProgressColumn[] Columns(TrainingMeter meter, int width)
    {
        var (position, quality, speed) = (new MeterColumn(meter.Position), new MeterColumn(meter.Quality), new MeterColumn(meter.Speed));
        var bar = new ProgressBarColumn { Width = Math.Clamp(width - 72, NarrowestBar, WidestBar) };
        return width >= 72 + NarrowestBar ? [position, bar, quality, speed] : [position, quality];
    }

    private sealed class MeterColumn(Func<string> text) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text());
    }
}
