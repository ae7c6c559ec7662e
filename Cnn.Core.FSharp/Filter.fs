namespace Cnn

open System
open System.Runtime.InteropServices
open Cnn.FSharp

/// <summary>A fixed filter of odd size (SPEC section 9; Fan &amp; Yam 11.2.3), for pictures with values of 0 to 255.</summary>
/// <remarks>Immutable and safe to share between threads. Applied by true convolution, as the source's program does.</remarks>
[<Sealed>]
type Filter private (name: string, size: int, weights: float[]) =

    static let odd (size: int) =
        if size < 1 || size % 2 = 0 then
            raise (
                ArgumentOutOfRangeException(
                    nameof size,
                    size,
                    "A filter has an odd number of rows, so that it has a centre."
                )
            )

    static let outer (column: float[]) (row: float[]) = Array.collect (fun a -> Array.map (fun b -> a * b) row) column

    /// A row of Pascal's triangle, with the sum 1.
    static let binomial size =
        let next row = Array.map2 (+) (Array.append row [| 0.0 |]) (Array.append [| 0.0 |] row)
        let row = Seq.init (size - 1) id |> Seq.fold (fun row _ -> next row) [| 1.0 |]
        row |> Array.map (fun x -> x / Array.sum row)

    static let transpose name (filter: Filter) : Filter =
        let weights = Array.init (filter.Size * filter.Size) (fun i -> filter[i % filter.Size, i / filter.Size])
        Filter(name, filter.Size, weights)

    /// <summary>A filter of your own, row by row.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="size">Rows and columns, odd.</param>
    /// <param name="weights">size² numbers.</param>
    /// <exception cref="T:System.ArgumentException">The size is even, or there are not size² weights.</exception>
    static member Create(name: string, size: int, weights: ReadOnlySpan<float>) =
        ArgumentNullException.ThrowIfNull(name, nameof name)
        odd size

        if weights.Length <> size * size then
            raise (
                ShapeException(
                    "Filter",
                    Words.count (size * size) "weight" "weights",
                    string weights.Length,
                    "Give size² weights, row by row."
                )
            )

        Filter(name, size, weights.ToArray())

    /// <summary>[0 0 0; 0 1 0; 0 0 0]: leaves pictures as they are.</summary>
    static member Identity = Filter("identity", 3, [| 0.0; 0.0; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 0.0 |])

    /// <summary>1/size² everywhere: the mean of the neighbourhood.</summary>
    /// <param name="size">Odd, default 3.</param>
    static member Box([<Optional; DefaultParameterValue(3)>] size: int) =
        odd size
        Filter("box", size, Array.create (size * size) (1.0 / float (size * size)))

    /// <summary>Products of binomial coefficients with the sum 1: 1/16·[1 2 1; 2 4 2; 1 2 1] for size 3.</summary>
    /// <param name="size">Odd, default 3.</param>
    static member Gaussian([<Optional; DefaultParameterValue(3)>] size: int) =
        odd size
        Filter("gaussian", size, outer (binomial size) (binomial size))

    /// <summary>exp(−(x² + y²)/(2σ²)), made to add up to 1.</summary>
    /// <param name="sigma">σ in pixels, above 0.</param>
    /// <param name="size">Odd, default 3.</param>
    static member GaussianOf(sigma: float, [<Optional; DefaultParameterValue(3)>] size: int) =
        odd size

        if not (sigma > 0.0) then
            raise (ArgumentOutOfRangeException(nameof sigma, sigma, "σ must be above 0."))

        let line =
            Array.init size (fun i -> let x = float (i - size / 2) in exp (-x * x / (2.0 * sigma * sigma)))

        let line = line |> Array.map (fun w -> w / Array.sum line)
        Filter("gaussian", size, outer line line)

    /// <summary>[1 0 −1; 0 0 0; −1 0 1]: corners.</summary>
    static member FirstOrder = Filter("first-order", 3, outer [| 1.0; 0.0; -1.0 |] [| 1.0; 0.0; -1.0 |])

    /// <summary>[−1 −1 −1; 0 0 0; 1 1 1]: horizontal edges.</summary>
    static member PrewittHorizontal = Filter("prewitt-horizontal", 3, outer [| -1.0; 0.0; 1.0 |] [| 1.0; 1.0; 1.0 |])

    /// <summary>The transpose of <c>PrewittHorizontal</c>: vertical edges.</summary>
    static member PrewittVertical = transpose "prewitt-vertical" Filter.PrewittHorizontal

    /// <summary>[−1 −2 −1; 0 0 0; 1 2 1]: horizontal edges.</summary>
    static member SobelHorizontal = Filter("sobel-horizontal", 3, outer [| -1.0; 0.0; 1.0 |] [| 1.0; 2.0; 1.0 |])

    /// <summary>The transpose of <c>SobelHorizontal</c>: vertical edges.</summary>
    static member SobelVertical = transpose "sobel-vertical" Filter.SobelHorizontal

    /// <summary>[0 −1 0; −1 4 −1; 0 −1 0]: edges of all directions.</summary>
    static member Laplacian4 = Filter("laplacian-4", 3, [| 0.0; -1.0; 0.0; -1.0; 4.0; -1.0; 0.0; -1.0; 0.0 |])

    /// <summary>The identity plus <c>Laplacian4</c>: sharpens.</summary>
    static member Laplacian5 = Filter("laplacian-5", 3, [| 0.0; -1.0; 0.0; -1.0; 5.0; -1.0; 0.0; -1.0; 0.0 |])

    /// <summary>[−1 −1 −1; −1 8 −1; −1 −1 −1]: edges, diagonals included.</summary>
    static member Laplacian8 = Filter("laplacian-8", 3, [| -1.0; -1.0; -1.0; -1.0; 8.0; -1.0; -1.0; -1.0; -1.0 |])

    /// <summary>The identity plus <c>Laplacian8</c>: sharpens more.</summary>
    static member Laplacian9 = Filter("laplacian-9", 3, [| -1.0; -1.0; -1.0; -1.0; 9.0; -1.0; -1.0; -1.0; -1.0 |])

    /// <summary>All filters of the source, in its order.</summary>
    static member All: Collections.Generic.IReadOnlyList<Filter> = [|
        Filter.Identity
        Filter.Box()
        Filter.Gaussian()
        Filter.Gaussian 5
        Filter.FirstOrder
        Filter.PrewittHorizontal
        Filter.PrewittVertical
        Filter.SobelHorizontal
        Filter.SobelVertical
        Filter.Laplacian4
        Filter.Laplacian5
        Filter.Laplacian8
        Filter.Laplacian9
    |]

    /// <summary>Its name, as in sobel-horizontal.</summary>
    member _.Name = name

    /// <summary>Rows and columns.</summary>
    member _.Size = size

    /// <summary>The weight in a row and a column, from 0.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such row or column.</exception>
    member _.Item
        with get (row: int, column: int) =
            Words.within (nameof row) row size "Rows"
            Words.within (nameof column) column size "Columns"
            weights[row * size + column]

    /// <summary>The weights, row by row.</summary>
    member _.Weights: ReadOnlySpan<float> = ReadOnlySpan weights

    /// <summary>Σ F²: what independent noise's variance is multiplied by. SPEC section 9.</summary>
    member _.NoiseGain = weights |> Array.sumBy (fun w -> w * w)

    /// <summary>Whether it takes weighted means: no weight below 0, and the sum is 1.</summary>
    member _.IsSmoothing = Array.forall (fun w -> w >= 0.0) weights && abs (Array.sum weights - 1.0) < 1e-12

    /// <summary>F * x for each channel by itself, with zeros around the picture: H×W×C → H×W×C.</summary>
    /// <exception cref="T:Cnn.ShapeException">The tensor is no picture.</exception>
    member _.Convolve(picture: Tensor<float>) =
        ArgumentNullException.ThrowIfNull(picture, nameof picture)

        if picture.Shape.Rank <> 3 then
            raise (
                ShapeException(
                    "Filter " + name,
                    "a picture of height×width×channels",
                    string picture.Shape,
                    "Take one sample out of the batch."
                )
            )

        let height, width, channels = picture.Shape[0], picture.Shape[1], picture.Shape[2]

        let layer: Layer<float> =
            Layers.ofSpec (
                Conv2D {
                    Conv2D.Default with
                        Kernel = Size.Square size
                        Padding = Same
                        Mode = ConvolutionMode.Convolution
                        UseBias = false
                        Trainable = false
                }
            )

        // Channels as a batch of grey pictures.
        let planes =
            Tensor.init (Shape.Of(channels, height, width, 1)) (fun i ->
                let pixels = height * width
                picture.Span[i % pixels * channels + i / pixels])

        let kernel = Tensor.ofArray (Shape.Of(size, size, 1, 1)) weights
        let filtered = (Layer.run (Context.reference Inference) layer [] [ kernel ] planes).Output
        Tensor.init picture.Shape (fun i -> filtered.Span[i % channels * height * width + i / channels])

    /// <summary>F * x for each channel by itself, clipped to 0 … 255: H×W×C → H×W×C.</summary>
    /// <exception cref="T:Cnn.ShapeException">The tensor is no picture.</exception>
    member this.Apply(picture: Tensor<float>) : Tensor<float> =
        this.Convolve picture |> Tensor.map (fun x -> Math.Clamp(x, 0.0, 255.0))

    /// <summary>F * x of the colours, clipped to 0 … 255 and rounded to bytes; alpha stays as it is.</summary>
    /// <param name="image">Of any size and any channels.</param>
    member this.Apply(image: Cnn.Image) : Cnn.Image =
        ArgumentNullException.ThrowIfNull(image, nameof image)
        let pixels, channels = image.Pixels, image.Channels
        let colours = if channels % 2 = 0 then channels - 1 else channels

        let picture =
            Tensor.init (Shape.Of(image.Height, image.Width, colours)) (fun i ->
                float pixels.Span[i / colours * channels + i % colours])

        let filtered: Tensor<float> = this.Apply picture

        let bytes =
            Array.init pixels.Length (fun i ->
                match i % channels with
                | c when c < colours -> byte (filtered.Span[i / channels * colours + c] + 0.5)
                | _ -> pixels.Span[i])

        Cnn.Image.Owning(image.Height, image.Width, channels, bytes)

    /// <summary>The sum of (F * n)² over the sum of n² for noise n of N(0, 1): close to <c>NoiseGain</c>.</summary>
    /// <param name="key">Draws the noise.</param>
    /// <param name="side">Pixels of each of the rows and columns that are looked at, all of them away from the frame. Default 256.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There are no pixels.</exception>
    member this.MeasureNoiseGain(key: Key, [<Optional; DefaultParameterValue(256)>] side: int) =
        if side < 1 then
            raise (ArgumentOutOfRangeException(nameof side, side, "There must be at least one pixel."))

        let frame = size / 2
        let noise = Tensor.init (Shape.Of(side + 2 * frame, side + 2 * frame, 1)) (fun i -> key.Normal(int64 i))

        let power (x: Tensor<float>) =
            seq {
                for i in frame .. frame + side - 1 do
                    for j in frame .. frame + side - 1 do
                        x[i, j, 0] * x[i, j, 0]
            }
            |> Seq.sum

        power (this.Convolve noise) / power noise

    /// <summary>Name and size, as in gaussian 5×5.</summary>
    override _.ToString() = name + " " + string size + "×" + string size
