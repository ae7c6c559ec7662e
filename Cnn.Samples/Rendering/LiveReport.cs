using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Cnn.FSharp;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.FSharp.Collections;

namespace Cnn.Samples.Rendering;

/// <summary>A page on 127.0.0.1 that shows a training while it runs, renewed after each epoch by server-sent events.</summary>
/// <remarks>Whoever looks, or stops looking, changes nothing of the training.</remarks>
internal sealed class LiveReport : IProgress<EpochResult>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly WebApplication _server;
    private readonly string _title;
    private readonly Lock _lock = new();
    private readonly List<EpochResult> _history = [];
    private readonly List<Channel<string>> _viewers = [];
    private string? _end;

    private LiveReport(WebApplication server, string title) => (_server, _title) = (server, title);

    /// <summary>Where the page is.</summary>
    public Uri Address => new(_server.Urls.First());

    /// <summary>Serves the page from now on.</summary>
    /// <param name="title">What is trained.</param>
    /// <param name="port">0 for any that is free.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static LiveReport Start(string title, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        _ = builder.Logging.ClearProviders();
        _ = builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, port));
        var report = new LiveReport(builder.Build(), title);
        _ = report._server.MapGet("/", report.Page);
        _ = report._server.MapGet("/events", report.Events);
        report._server.Start();
        return report;
    }

    /// <summary>An epoch is done.</summary>
    public void Report(EpochResult value)
    {
        lock (_lock)
        {
            _history.Add(value);
            Send(Event("epoch", Curves()));
        }
    }

    /// <summary>The training is done.</summary>
    /// <param name="words">How it ended.</param>
    public void End(string words)
    {
        lock (_lock)
        {
            _end = Event("end", words);
            Send(_end);
            _viewers.ForEach(viewer => viewer.Writer.TryComplete());
        }
    }

    /// <summary>Lets those who look have the last words, then closes the page.</summary>
    public void Dispose() => _server.StopAsync(Patience).ContinueWith(_ => _server.DisposeAsync().AsTask()).Unwrap().GetAwaiter().GetResult();

    private IResult Page()
    {
        lock (_lock)
        {
            return Results.Content(FSharp.Report.livePage(_title, ListModule.OfSeq(_history)), "text/html; charset=utf-8");
        }
    }

    private async Task Events(HttpContext context)
    {
        context.Response.Headers.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        var viewer = Channel.CreateUnbounded<string>();
        lock (_lock)
        {
            _viewers.Add(viewer);
            _ = viewer.Writer.TryWrite(Event("epoch", Curves()));
            if (_end is not null)
            {
                _ = viewer.Writer.TryWrite(_end);
                viewer.Writer.Complete();
            }
        }

        try
        {
            await foreach (var message in viewer.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync(message, context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            // The viewer has gone.
        }
        finally
        {
            lock (_lock)
            {
                _ = _viewers.Remove(viewer);
            }
        }
    }

    private string Curves() => HtmlModule.render(ListModule.OfSeq([FSharp.Report.curves(ListModule.OfSeq(_history))]));

    private void Send(string message) => _viewers.ForEach(viewer => viewer.Writer.TryWrite(message));

    private static string Event(string name, string data) => $"event: {name}\ndata: {JsonSerializer.Serialize(data)}\n\n";
}
