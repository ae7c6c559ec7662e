using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Cnn.Fluent;
using Cnn.FSharp;
using Cnn.Samples.Rendering;
using Microsoft.FSharp.Core;

namespace Cnn.Samples.Commands;

/// <summary>Times training steps or predictions on random pictures.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var net = Arguments.Name("--net", "network", Fluent.Architectures.Names, "lenet5");
        var batch = Arguments.Whole("--batch", "Pictures of a step.", 32, smallest: 1);
        var threads = Arguments.Threads("Processors to use.");
        var steps = Arguments.Whole("--steps", "Steps to time.", 100, smallest: 1);
        var warmup = Arguments.Whole("--warmup", "Steps before the clock starts.", 20, smallest: 0);
        var optimizer = Arguments.Name("--optimizer", "optimiser", ["sgd", "adam"], "sgd");
        var mode = Arguments.Name("--mode", "mode", ["train", "infer"], "train");
        var all = new Option<bool>("--all") { Description = "Time every network and print a table." };
        var kernels = new Option<bool>("--kernels")
        {
            Description = "Time each kernel on one thread over the networks' layers and some odd shapes, beside the multiply-add peak; with --json a line for each.",
        };
        var json = Arguments.Json();
        var command = new Command("bench", "Times training steps or predictions on random pictures.")
        {
            net, batch, threads, steps, warmup, optimizer, mode, all, kernels, json,
        };
        command.SetAction(line =>
        {
            var settings = new Settings(
                line.GetRequiredValue(net), line.GetValue(batch), line.GetValue(threads), line.GetValue(steps), line.GetValue(warmup),
                line.GetRequiredValue(optimizer), line.GetRequiredValue(mode));
            if (line.GetValue(kernels))
            {
                KernelBench.Run(settings.Batch, line.GetValue(json));
            }
            else if (line.GetValue(all))
            {
                Print(Fluent.Architectures.Names.Select(name => Measure(settings with { Net = name })));
            }
            else if (line.GetValue(json))
            {
                PrintJson(Measure(settings));
            }
            else
            {
                Print([Measure(settings)]);
            }
        });
        return command;
    }

    private static Result Measure(Settings settings)
    {
        var architecture = FSharp.Architectures.all.First(a => a.Name == settings.Net);
        var backend = Simd.Backend<float>(settings.Threads);
        var network = FSharp.Architectures.build<float>(0, architecture);
        return settings.Mode == "train" ? Train(settings, architecture, backend, network) : Infer(settings, backend, network);
    }

    private static Result Train(Settings settings, Architecture architecture, Backend<float> backend, Network<float> network)
    {
        var clock = new Clock(settings);
        var pictures = Pictures(network, settings.Batch, settings.Batch * (settings.Warmup + settings.Steps));
        var optimizer = settings.Optimizer == "adam" ? Optimizer.Adam(1e-3) : Optimizer.Sgd(1e-3);
        var defaults = TrainingSettings.Default;
        var training = new TrainingSettings(
            settings.Batch, defaults.DropLast, optimizer, FSharpOption<Loss>.Some(architecture.Loss), defaults.Seed, defaults.Augmentation, null, null, null,
            FuncConvert.FromAction<BatchProgress>(_ => clock.Tick()), defaults.OnWarning, defaults.Cancellation);
        clock.Start();
        _ = Training.run(backend, training, 1, pictures, network);
        return clock.Result();
    }

    private static Result Infer(Settings settings, Backend<float> backend, Network<float> network)
    {
        var clock = new Clock(settings);
        var x = FSharp.Dataset.tensor<float>(Pictures(network, settings.Batch, settings.Batch), [.. Enumerable.Range(0, settings.Batch)]);
        var predictor = new Predictor<float>(backend, network);
        clock.Start();
        for (var step = 0; step < settings.Warmup + settings.Steps; step++)
        {
            _ = predictor.Run(x);
            clock.Tick();
        }

        return clock.Result();
    }

    /// <summary>The same few random pictures over and over, so that a long run needs no more memory than a short one.</summary>
    private static Dataset Pictures(Network<float> network, int distinct, int count)
    {
        var key = Key.OfSeed(0);
        var classes = Math.Max(FSharp.Network.output(network).Size, 2);
        var size = network.Input.Size;
        var pixels = new float[distinct * size];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = (float)key.Normal(i);
        }

        return Dataset.Create(
            network.Input,
            Enumerable.Range(0, count).Select(i => key.Below(classes, i)),
            Enumerable.Range(0, classes).Select(c => c.ToString(CultureInfo.InvariantCulture)),
            (index, destination) => pixels.AsSpan(index % distinct * size, size).CopyTo(destination));
    }

    private static void PrintJson(Result result) => Json.Print(writer =>
    {
        writer.WriteString("net", result.Settings.Net);
        writer.WriteNumber("batch", result.Settings.Batch);
        writer.WriteNumber("threads", result.Settings.Threads);
        writer.WriteString("mode", result.Settings.Mode);
        writer.WriteString("optimizer", result.Settings.Optimizer);
        writer.WriteNumber("steps", result.Settings.Steps);
        writer.WriteNumber("msPerStepMedian", Math.Round(result.Median, 4));
        writer.WriteNumber("msPerStepMin", Math.Round(result.Min, 4));
        writer.WriteNumber("samplesPerSecond", Math.Round(1e3 * result.Settings.Batch / result.Median, 1));
        writer.WriteNumber("peakRssMb", Math.Round(result.PeakBytes / 1048576.0, 1));
        writer.WriteNumber("allocatedBytesPerStep", result.AllocatedPerStep);
    });

    private static void Print(IEnumerable<Result> results)
    {
        Console.WriteLine($"{"net",-16}{"batch",6}{"threads",8}{"mode",7}{"ms/step",10}{"min",10}{"pictures/s",12}{"MB",8}{"bytes/step",12}");
        foreach (var r in results)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{r.Settings.Net,-16}{r.Settings.Batch,6}{r.Settings.Threads,8}{r.Settings.Mode,7}{r.Median,10:F4}{r.Min,10:F4}{1e3 * r.Settings.Batch / r.Median,12:F0}{r.PeakBytes / 1048576.0,8:F0}{r.AllocatedPerStep,12}"));
        }
    }

    private sealed record Settings(string Net, int Batch, int Threads, int Steps, int Warmup, string Optimizer, string Mode);

    private sealed record Result(Settings Settings, double Median, double Min, long PeakBytes, long AllocatedPerStep);

    /// <summary>Stops the time from step to step, and counts what the steps after the warm-up allocate.</summary>
    private sealed class Clock(Settings settings)
    {
        private readonly double[] _milliseconds = new double[settings.Warmup + settings.Steps];
        private int _step;
        private long _last;
        private long _allocatedBefore;
        private long _allocated;

        public void Start()
        {
            _allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            _last = Stopwatch.GetTimestamp();
        }

        public void Tick()
        {
            _milliseconds[_step++] = Stopwatch.GetElapsedTime(_last).TotalMilliseconds;
            if (_step == settings.Warmup)
            {
                _allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            }

            if (_step == _milliseconds.Length)
            {
                _allocated = GC.GetTotalAllocatedBytes(precise: true) - _allocatedBefore;
            }

            _last = Stopwatch.GetTimestamp();
        }

        public Result Result()
        {
            var timed = _milliseconds[settings.Warmup..];
            Array.Sort(timed);
            using var process = Process.GetCurrentProcess();
            return new Result(settings, timed[timed.Length / 2], timed[0], process.PeakWorkingSet64, _allocated / settings.Steps);
        }
    }
}
