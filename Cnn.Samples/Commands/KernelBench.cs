using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Cnn.Fluent;
using Cnn.FSharp;
using Cnn.Samples.Rendering;
using Spectre.Console;
using Padding = Cnn.FSharp.Padding;

namespace Cnn.Samples.Commands;

/// <summary>Times each kernel by itself, on one thread, over the layers of the networks and some odd shapes.</summary>
/// <remarks>
/// Operations are those of the textbook loops, two for each product, so that Winograd's tiles can pass the peak. Bytes
/// are those of inputs and outputs, each once.
/// </remarks>
internal static class KernelBench
{
    private const double LeastSeconds = 0.03;
    private const double ShortestRun = 50e-6;

    /// <summary>What was timed.</summary>
    /// <param name="Kernel">Which loop.</param>
    /// <param name="Shape">Over which numbers.</param>
    /// <param name="Method">How the kernel goes about it.</param>
    /// <param name="Operations">Floating-point operations of a call; 0 where memory is what counts.</param>
    /// <param name="Bytes">Read and written by a call.</param>
    /// <param name="Seconds">The fastest call.</param>
    private sealed record Row(string Kernel, string Shape, string Method, double Operations, double Bytes, double Seconds)
    {
        public double? GigaFlops => Operations > 0 ? Operations / Seconds / 1e9 : null;

        public double GigaBytes => Bytes / Seconds / 1e9;
    }

    public static void Run(int batch, bool isJson)
    {
        var peak = FmaPeak.Measure() / 1e9;
        if (isJson)
        {
            foreach (var row in Rows(batch))
            {
                PrintJson(row, peak, batch);
            }

            return;
        }

        AnsiConsole.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{SimdKernels<float>.Default.InstructionSet}, one thread, batches of {batch}; multiply-add peak {peak:F0} GFLOP/s"));
        Print(Rows(batch), peak);
    }

    private static IEnumerable<Row> Rows(int batch)
    {
        foreach (var geometry in Correlations())
        {
            foreach (var row in Methods(geometry).SelectMany(method => Correlation(geometry, method.Name, method.Kernels, batch)))
            {
                yield return row;
            }
        }

        var kernels = SimdKernels<float>.Default;
        foreach (var (name, geometry) in Pools())
        {
            foreach (var row in Pooling(name, geometry, kernels, batch))
            {
                yield return row;
            }
        }

        foreach (var row in Elementwise(kernels))
        {
            yield return row;
        }
    }

    /// <summary>The direct way, and the tiles that differ from it.</summary>
    private static IEnumerable<(string Name, IKernels<float> Kernels)> Methods(Geometry geometry)
    {
        IKernels<float> Of(WinogradTile tile) => new SimdKernels<float>(512, tile);
        int Packed(WinogradTile tile) => Of(tile).PackedLength(geometry, Packing.Forward);

        yield return ("direct", Of(WinogradTile.None));
        if (Packed(WinogradTile.TwoByTwo) != Packed(WinogradTile.None))
        {
            yield return ("tiles 2×2", Of(WinogradTile.TwoByTwo));
        }

        if (Packed(WinogradTile.FourByFour) != Packed(WinogradTile.TwoByTwo))
        {
            yield return ("tiles 4×4", Of(WinogradTile.FourByFour));
        }
    }

    /// <summary>Of each network's layers once each, then shapes that no network here has.</summary>
    private static IEnumerable<Geometry> Correlations()
    {
        var layers = Layers().Select(layer => layer.Spec switch
        {
            LayerSpec.Conv2D { Item: var c } => Geometry.Correlation("bench", layer.Input, c.Filters, c.Kernel, c.Stride, c.Dilation, c.Padding),
            LayerSpec.Dense { Item: var d } => Geometry.Product("bench", layer.Input.Size, d.Units),
            _ => null,
        });
        Geometry[] odd =
        [
            Odd(31, 45, 3, 17, 7, 2),
            Odd(29, 37, 13, 23, 5, 1),
            Odd(33, 27, 24, 40, 3, 2),
            Odd(27, 31, 37, 51, 3, 1),
            Odd(28, 28, 64, 64, 3, 1),
            Odd(14, 14, 256, 256, 3, 1),
            Odd(28, 28, 96, 32, 1, 1),
            Geometry.Product("bench", 777, 333),
        ];
        return layers.OfType<Geometry>().Concat(odd).DistinctBy(Describe);
    }

    private static IEnumerable<(string Name, Geometry Geometry)> Pools() => Layers()
        .Select(layer => layer.Spec switch
        {
            LayerSpec.MaxPool { Item: var p } => ("max pool", Geometry.Pooling("bench", layer.Input, p.Window, p.Stride, p.Padding)),
            LayerSpec.AveragePool { Item: var p } => ("average pool", Geometry.Pooling("bench", layer.Input, p.Window, p.Stride, p.Padding)),
            _ => default((string, Geometry)?),
        })
        .OfType<(string, Geometry)>()
        .Append(("max pool", Geometry.Pooling("bench", Shape.Of(31, 29, 19), Size.Square(3), Size.Square(2), Padding.Same)))
        .DistinctBy(pool => pool.Item1 + Describe(pool.Item2));

    private static IEnumerable<(LayerSpec Spec, Shape Input)> Layers()
    {
        foreach (var architecture in FSharp.Architectures.all)
        {
            var shape = architecture.Input;
            foreach (var spec in architecture.Layers)
            {
                yield return (spec, shape);
                shape = Layer.output(FSharp.Layers.ofSpec<float>(spec), shape);
            }
        }
    }

    private static Geometry Odd(int height, int width, int channels, int filters, int kernel, int stride) => Geometry.Correlation(
        "bench", Shape.Of(height, width, channels), filters, Size.Square(kernel), Size.Square(stride), Size.Square(1), Padding.Same);

    private static IEnumerable<Row> Correlation(Geometry g, string method, IKernels<float> kernels, int batch)
    {
        IWorkspace<float> workspace = new Scratch();
        float[] x = Numbers(batch * g.InputSize), w = Numbers(g.WeightSize), b = Numbers(g.OutChannels), y = Numbers(batch * g.OutputSize);
        float[] dx = new float[x.Length], dw = new float[w.Length], z = new float[y.Length];
        float[] forward = Pack(kernels, g, Packing.Forward, w), backward = Pack(kernels, g, Packing.InputAdjoint, w);
        var operations = 2.0 * y.Length * g.KernelHeight * g.KernelWidth * g.Channels;
        var bytes = sizeof(float) * ((double)x.Length + w.Length + y.Length);
        var kernel = g.Input.Size == g.Channels ? "product" : "correlation";
        Row Of(string name, Action body) => new($"{kernel}{name}", Describe(g), method, operations, bytes, Time(body));

        yield return Of("", () => kernels.Correlate(workspace, g, x, w, forward, b, Activation.Identity, z));
        yield return Of(", input adjoint", () => kernels.CorrelateInputAdjoint(workspace, g, y, w, backward, dx));
        yield return Of(", filter adjoint", () => kernels.CorrelateFilterAdjoint(workspace, g, x, y, dw));
    }

    private static IEnumerable<Row> Pooling(string name, Geometry g, IKernels<float> kernels, int batch)
    {
        float[] x = Numbers(batch * g.InputSize), y = new float[batch * g.OutputSize];
        var indices = new int[y.Length];
        var isMax = name == "max pool";
        var bytes = sizeof(float) * (double)(x.Length + (isMax ? 2 : 1) * y.Length);
        Row Of(string suffix, Action body) => new(name + suffix, Describe(g), "", 0, bytes, Time(body));

        yield return Of("", () =>
        {
            if (isMax)
            {
                kernels.MaxPool(g, x, y, indices);
            }
            else
            {
                kernels.AveragePool(g, x, y);
            }
        });
        yield return Of(", adjoint", () =>
        {
            if (isMax)
            {
                kernels.MaxPoolAdjoint(g, y, indices, x);
            }
            else
            {
                kernels.AveragePoolAdjoint(g, y, x);
            }
        });
    }

    private static IEnumerable<Row> Elementwise(IKernels<float> kernels)
    {
        const int count = 1 << 16, columns = 64;
        float[] x = Numbers(count), y = Numbers(count), z = new float[count];
        float[] m = new float[count], v = new float[count];
        float[] mean = new float[columns], scale = Numbers(columns), shift = Numbers(columns);
        var update = Optimizer.Adam(1e-3).Update(1, 1e-3, true);
        Row Of(string name, int arrays, Action body) => new(name, $"{count}", "", 0, sizeof(float) * (double)arrays * count, Time(body));

        foreach (var activation in new[] { Activation.ReLU, Activation.LeakyReLU(0.1), Activation.Sigmoid, Activation.Tanh })
        {
            yield return Of($"{activation}", 2, () => kernels.Activate(activation, x, z));
            yield return Of($"{activation}, adjoint", 3, () => kernels.ActivateAdjoint(activation, y, x, z));
            yield return Of($"{activation} and bias, adjoint", 3, () => kernels.BiasAdjoint(activation, y, x, z, mean));
        }

        yield return Of("softmax of 16", 2, () => kernels.Softmax(16, x, z));
        yield return Of("softmax of 16, adjoint", 3, () => kernels.SoftmaxAdjoint(16, y, x, z));
        yield return Of("column sums", 1, () => kernels.SumRows(x, mean));
        yield return Of("moments", 1, () => kernels.Moments(x, mean, scale));
        yield return Of("normalisation", 2, () => kernels.Normalize(x, mean, scale, shift, z));
        yield return Of("sums of products", 2, () => kernels.SumProducts(y, x, mean, scale, shift));
        yield return Of("product by element", 3, () => kernels.Multiply(x, y, z));
        yield return Of("accumulation", 3, () => kernels.Accumulate(x, z));
        yield return Of("Adam", 7, () => kernels.Update(update, x, y, m, v, y, m, v));
    }

    private static string Describe(Geometry g)
    {
        var strides = g.StrideY == 1 && g.StrideX == 1 ? "" : $" stride {g.StrideY}×{g.StrideX}";
        return g.Input.Size == g.Channels
            ? $"{g.Channels} → {g.OutChannels}"
            : $"{g.Input} → {g.Output}, {g.KernelHeight}×{g.KernelWidth}{strides}";
    }

    private static float[] Pack(IKernels<float> kernels, Geometry geometry, Packing packing, float[] weights)
    {
        var packed = new float[kernels.PackedLength(geometry, packing)];
        if (packed.Length > 0)
        {
            kernels.Pack(geometry, packing, weights, packed);
        }

        return packed;
    }

    /// <summary>Seconds of a call: of the fastest of at least five runs, of as many calls as the clock can tell.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Time(Action body)
    {
        var calls = 1;
        while (Seconds(body, calls) < ShortestRun)
        {
            calls *= 2;
        }

        var begin = Stopwatch.GetTimestamp();
        var best = double.PositiveInfinity;
        for (var run = 0; run < 5 || Stopwatch.GetElapsedTime(begin).TotalSeconds < LeastSeconds; run++)
        {
            best = Math.Min(best, Seconds(body, calls) / calls);
        }

        return best;
    }

    private static double Seconds(Action body, int calls)
    {
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < calls; call++)
        {
            body();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static float[] Numbers(int count)
    {
        var key = Key.OfSeed(count);
        var numbers = new float[count];
        for (var i = 0; i < count; i++)
        {
            numbers[i] = (float)key.Uniform(i) - 0.5f;
        }

        return numbers;
    }

    private static void Print(IEnumerable<Row> rows, double peak)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Kernel", "Shape", "Method");
        foreach (var title in new[] { "GFLOP/s", "of peak", "GB/s" })
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        foreach (var row in rows)
        {
            table.AddRow(
                Markup.Escape(row.Kernel), Markup.Escape(row.Shape), row.Method, Number(row.GigaFlops, ""), Number(100 * row.GigaFlops / peak, " %"), Number(row.GigaBytes, ""));
        }

        AnsiConsole.Write(table);
    }

    private static string Number(double? value, string unit) =>
        value is { } number ? number.ToString("F1", CultureInfo.InvariantCulture) + unit : "";

    private static void PrintJson(Row row, double peak, int batch) => Json.Print(writer =>
    {
        writer.WriteString("kernel", row.Kernel);
        writer.WriteString("shape", row.Shape);
        writer.WriteString("method", row.Method);
        writer.WriteNumber("batch", batch);
        writer.WriteString("instructionSet", SimdKernels<float>.Default.InstructionSet);
        writer.WriteNumber("microseconds", Math.Round(1e6 * row.Seconds, 3));
        writer.WriteReal("gflops", row.GigaFlops is { } flops ? Math.Round(flops, 2) : null);
        writer.WriteReal("shareOfPeak", row.GigaFlops is { } done ? Math.Round(done / peak, 4) : null);
        writer.WriteNumber("gbytesPerSecond", Math.Round(row.GigaBytes, 2));
        writer.WriteNumber("peakGflops", Math.Round(peak, 1));
    });

    /// <summary>Scratch that grows to what is asked for; kernels ask for nothing else.</summary>
    private sealed class Scratch : IWorkspace<float>
    {
        private float[] _memory = [];

        Memory<float> IWorkspace<float>.Scratch(int length)
        {
            if (_memory.Length < length)
            {
                _memory = GC.AllocateUninitializedArray<float>(length, pinned: true);
            }

            return _memory.AsMemory(0, length);
        }

        public Tensor<float> Tensor(Shape shape) => throw new NotSupportedException();

        public Tensor<float> Gradient(Shape shape) => throw new NotSupportedException();

        public Memory<int> Indices(int length) => throw new NotSupportedException();

        public ReadOnlyMemory<float> Packed(IKernels<float> kernels, Geometry geometry, Packing packing, Tensor<float> weights) =>
            throw new NotSupportedException();
    }
}
