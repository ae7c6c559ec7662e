using System.Globalization;
using Cnn.Fluent;
using Spectre.Console;

namespace Cnn.Samples.Rendering;

/// <summary>Shows a search while it goes on.</summary>
internal static class SearchDisplay
{
    /// <summary>Searches and shows how it goes: a bar on a terminal, a line for each candidate elsewhere.</summary>
    /// <exception cref="OperationCanceledException">The search was cancelled; the message tells how far it came.</exception>
    public static SearchResult Run(NetworkBuilder network, Dataset train, SearchOptions options, bool isQuiet, CancellationToken cancellationToken)
    {
        SearchProgress? last = null;
        SearchResult Search(Action<SearchProgress> show) => Fluent.Search.Run(
            network,
            train,
            options with
            {
                Progress = new Reporter<SearchProgress>(progress =>
                {
                    last = progress;
                    show(progress);
                }),
            },
            cancellationToken);

        try
        {
            return isQuiet ? Search(_ => { }) : Terminal.IsLive ? WithBar(Search) : Search(progress => Console.WriteLine(Line(progress)));
        }
        catch (OperationCanceledException)
        {
            var reached = last is null ? "before a candidate was finished" : $"at {last.Finished} of {last.Candidates} candidates";
            throw new OperationCanceledException(
                $"Cancelled {reached}.{(options.Folder is null ? "" : " The same command goes on from there.")}", cancellationToken);
        }
    }

    private static SearchResult WithBar(Func<Action<SearchProgress>, SearchResult> search) => AnsiConsole.Progress()
        .Columns(new ProgressBarColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
        .Start(context =>
        {
            var bar = context.AddTask("searching");
            return search(progress =>
            {
                bar.MaxValue = progress.Candidates;
                bar.Value = progress.Finished;
                bar.Description = Markup.Escape(Line(progress));
            });
        });

    private static string Line(SearchProgress progress)
    {
        var result = progress.Trial.IsDiverged ? "diverged" : string.Create(CultureInfo.InvariantCulture, $"{100 * progress.Trial.Accuracy:F2} %");
        return $"{progress.Finished}/{progress.Candidates}  {progress.Trial.Candidate}: {result}";
    }
}
