namespace Cnn.FSharp

open Cnn

/// <summary>Networks that begin with a bank of filters, fixed or learned (Fan &amp; Yam 11.4).</summary>
/// <remarks>
/// Convolution, ReLU, 2×2 maximum, and one dense layer with softmax. Three ways to come by the filters of the same layers
/// can be set side by side: <c>frozen</c>, <c>tuned</c> and <c>learned</c>.
/// </remarks>
[<RequireQualifiedAccess>]
module FixedFilters =

    /// The name that the convolution has in the summary.
    [<Literal>]
    let private Bank = "conv2d"

    let private size (filters: Filter list) = filters |> List.map (fun f -> f.Size) |> List.max

    /// <summary>The kernel of all filters, each for each channel by itself: K[u,v,c,c·n + f] = F_f[u,v], else 0.</summary>
    /// <remarks>s×s×channels×(channels·n) for n filters, s the largest size; smaller filters stand in the middle.</remarks>
    /// <param name="channels">Channels of the pictures.</param>
    /// <param name="filters">At least one.</param>
    let kernel channels (filters: Filter list) : Tensor<'T> =
        let side, count, bank = size filters, filters.Length, Array.ofList filters
        let outputs = channels * count

        Tensor.init (Shape.Of(side, side, channels, outputs)) (fun i ->
            let output, channel, tap = i % outputs, i / outputs % channels, i / (outputs * channels)
            let filter = bank[output % count]
            let frame = (side - filter.Size) / 2
            let u, v = tap / side - frame, tap % side - frame
            let isInside = u >= 0 && v >= 0 && u < filter.Size && v < filter.Size

            if output / count = channel && isInside then
                Number.ofFloat filter[u, v]
            else
                'T.Zero)

    /// <summary>The layers: H×W×C → classes.</summary>
    /// <exception cref="T:Cnn.ShapeException">There are no filters.</exception>
    let layers (input: Shape) classes (filters: Filter list) : LayerSpec list =
        if filters.IsEmpty then
            raise (ShapeException("FixedFilters", "at least 1 filter", "none", "Take those of Filter.All."))

        [
            Conv2D {
                Conv2D.Default with
                    Filters = input[2] * filters.Length
                    Kernel = Size.Square(size filters)
                    Padding = Same
                    Mode = ConvolutionMode.Convolution
                    Activation = Activation.ReLU
                    UseBias = false
            }
            MaxPool(Pool.Square 2)
            Flatten FlattenOrder.RowMajor
            Dense { Dense.Default with Units = classes; Activation = Activation.Softmax }
        ]

    /// <summary>The network whose filters are drawn from the seed and learned.</summary>
    /// <exception cref="T:Cnn.ShapeException">There are no filters, or the input is no picture's shape.</exception>
    let learned seed (input: Shape) classes filters : Network<'T> =
        if input.Rank <> 3 then
            raise (ShapeException("FixedFilters", "height×width×channels", string input, "Give a picture three axes."))

        Network.create (Key.ofSeed seed) input (Layers.ofSpecs (layers input classes filters))

    /// <summary>The network whose filters begin as those given and are learned from there; its other weights are as in <c>learned</c>.</summary>
    /// <exception cref="T:Cnn.ShapeException">There are no filters, or the input is no picture's shape.</exception>
    let tuned seed input classes filters : Network<'T> =
        let network = learned seed input classes filters
        { network with Parameters = kernel input[2] filters :: network.Parameters.Tail }

    /// <summary>The network whose filters are those given and stay so; its other weights are as in <c>learned</c>.</summary>
    /// <exception cref="T:Cnn.ShapeException">There are no filters, or the input is no picture's shape.</exception>
    let frozen seed input classes filters : Network<'T> =
        tuned seed input classes filters |> Network.freeze (fun name -> name = Bank)
