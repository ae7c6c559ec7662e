namespace Cnn

open Cnn.FSharp

/// <summary>The integers of one sliding window over channels-last images, validated once so that no kernel has to.</summary>
/// <remarks>
/// Output (i, j) reads rows i·StrideY + u·DilationY − PadTop and columns j·StrideX + v·DilationX − PadLeft, for
/// 0 ≤ u &lt; KernelHeight and 0 ≤ v &lt; KernelWidth; what lies outside the image counts as zero in a correlation and not at
/// all in a pooling. The number of images is not part of it: kernels take it from the lengths of their spans.
/// A matrix product is the window 1×1 over images of one pixel. Immutable and safe to share between threads.
/// </remarks>
[<Sealed>]
type Geometry
    private
    (
        height: int,
        width: int,
        channels: int,
        outHeight: int,
        outWidth: int,
        outChannels: int,
        kernel: Size,
        stride: Size,
        dilation: Size,
        top: int,
        left: int
    ) =

    /// Larger than any picture, and small enough that no sum or product of two overflows.
    static let largest = 32767

    static let positive layer name (size: Size) =
        if min size.Height size.Width < 1 || max size.Height size.Width > largest then
            let wanted = "a " + name + " from 1×1 to " + string (Size.Square largest)
            raise (ShapeException(layer, wanted, string size, "Choose a size that a picture can have."))

    /// Refuses what would not fit into one array.
    static let fits layer what (extents: int list) =
        let elements = extents |> List.fold (fun product n -> product * double n) 1.0

        if elements > double System.Array.MaxLength then
            raise (
                ShapeException(
                    layer,
                    what + " that fit into memory",
                    string elements + " elements",
                    "Use smaller pictures, kernels or fewer filters."
                )
            )

    static let image layer (input: Shape) =
        if input.Rank <> 3 || input.Size = 0 then
            raise (
                ShapeException(
                    layer,
                    "pictures of height×width×channels",
                    string input,
                    "Put it before Flatten, or give the input three axes."
                )
            )

    static let create
        layer
        (input: Shape)
        (kernel: Size)
        (stride: Size)
        (dilation: Size)
        padding
        outChannels
        isPooling
        =
        image layer input
        positive layer "window" kernel
        positive layer "stride" stride
        positive layer "dilation" dilation

        let axis isRows n f s d =
            let struct (before, after) = Window.pad padding isRows n f d s

            if min before after < 0 || max before after > largest * largest then
                let found = string before + " and " + string after

                raise (
                    ShapeException(
                        layer,
                        "padding of 0 or more, within reason",
                        found,
                        "Crop or enlarge the pictures instead."
                    )
                )

            let positions = Window.positions n before after f d s

            if positions < 1 then
                raise (
                    ShapeException(
                        layer,
                        "an input of at least "
                        + string (Window.span f d - before - after)
                        + (if isRows then " rows" else " columns"),
                        string input,
                        "Use a smaller window, fewer pooling layers before it, or Padding.Same."
                    )
                )

            // The first window must reach into the image, the last one must begin in it.
            if isPooling && (before > (f - 1) * d || (positions - 1) * s - before > n - 1) then
                raise (
                    ShapeException(
                        layer,
                        "at least one picture cell in every pooling window",
                        "padding "
                        + string before
                        + " before and "
                        + string after
                        + " after for a window of "
                        + string f,
                        "Pad by less than the window."
                    )
                )

            struct (before, positions)

        let struct (top, outHeight) = axis true input[0] kernel.Height stride.Height dilation.Height
        let struct (left, outWidth) = axis false input[1] kernel.Width stride.Width dilation.Width
        let out = if isPooling then input[2] else outChannels
        let framed n f d s positions = max n ((positions - 1) * s + Window.span f d)
        let rows = framed input[0] kernel.Height dilation.Height stride.Height outHeight
        let columns = framed input[1] kernel.Width dilation.Width stride.Width outWidth
        fits layer "padded pictures" [ rows; columns; input[2] ]
        fits layer "outputs" [ outHeight; outWidth; out ]
        fits layer "weights" [ kernel.Height; kernel.Width; input[2]; out ]
        Geometry(input[0], input[1], input[2], outHeight, outWidth, out, kernel, stride, dilation, top, left)

    /// <summary>Rows of the input.</summary>
    member _.Height = height

    /// <summary>Columns of the input.</summary>
    member _.Width = width

    /// <summary>Channels of the input.</summary>
    member _.Channels = channels

    /// <summary>Rows of the output.</summary>
    member _.OutHeight = outHeight

    /// <summary>Columns of the output.</summary>
    member _.OutWidth = outWidth

    /// <summary>Channels of the output: filters of a convolution, those of the input for a pooling.</summary>
    member _.OutChannels = outChannels

    /// <summary>Rows of the window.</summary>
    member _.KernelHeight = kernel.Height

    /// <summary>Columns of the window.</summary>
    member _.KernelWidth = kernel.Width

    /// <summary>Rows from one window to the next.</summary>
    member _.StrideY = stride.Height

    /// <summary>Columns from one window to the next.</summary>
    member _.StrideX = stride.Width

    /// <summary>Rows from one tap of the window to the next.</summary>
    member _.DilationY = dilation.Height

    /// <summary>Columns from one tap of the window to the next.</summary>
    member _.DilationX = dilation.Width

    /// <summary>Rows of padding above the input.</summary>
    member _.PadTop = top

    /// <summary>Columns of padding at the left of the input.</summary>
    member _.PadLeft = left

    /// <summary>Elements of one input image.</summary>
    member _.InputSize = height * width * channels

    /// <summary>Elements of one output image.</summary>
    member _.OutputSize = outHeight * outWidth * outChannels

    /// <summary>Elements of the weights: KernelHeight × KernelWidth × Channels × OutChannels.</summary>
    member _.WeightSize = kernel.Height * kernel.Width * channels * outChannels

    /// <summary>The shape of one input image.</summary>
    member _.Input = Shape.Of(height, width, channels)

    /// <summary>The shape of one output image.</summary>
    member _.Output = Shape.Of(outHeight, outWidth, outChannels)

    /// <summary>A window that takes weighted sums over all channels, once for each filter.</summary>
    /// <exception cref="T:Cnn.ShapeException">No window fits, or a size is not positive; names the layer.</exception>
    static member Correlation(layer: string, input: Shape, filters: int, kernel, stride, dilation, padding) =
        if filters < 1 then
            raise (ShapeException(layer, "at least 1 filter", string filters, "Ask for a positive number of filters."))

        create layer input kernel stride dilation padding filters false

    /// <summary>A window that pools each channel by itself.</summary>
    /// <exception cref="T:Cnn.ShapeException">No window fits, one holds no picture cell, or a size is not positive.</exception>
    static member Pooling(layer: string, input: Shape, window, stride, padding) =
        create layer input window stride (Size.Square 1) padding 0 true

    /// <summary>A product with a matrix of inputs × units: a 1×1 window over images of one pixel.</summary>
    /// <exception cref="T:Cnn.ShapeException">A size is not positive.</exception>
    static member Product(layer: string, inputs: int, units: int) =
        Geometry.Correlation(layer, Shape.Of(1, 1, inputs), units, Size.Square 1, Size.Square 1, Size.Square 1, Valid)
