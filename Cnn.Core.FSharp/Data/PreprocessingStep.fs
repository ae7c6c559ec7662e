namespace Cnn.FSharp

open System
open Cnn

/// <summary>One thing that is done to a picture before the network sees it.</summary>
[<NoComparison>]
type PreprocessingStep =
    /// y = factor·x + offset.
    | Scale of factor: float * offset: float
    /// y = (x − mean)/deviation, channel by channel; a deviation of 0 gives 0.
    | Normalize of mean: float list * deviation: float list
    /// y = 0.299·R + 0.587·G + 0.114·B, the luma of ITU-R BT.601-7, section 2.5.1: H×W×3 → H×W×1. Grey pictures stay.
    | Grey
    /// H×W×C → height×width×C.
    | Resize of height: int * width: int * method: Resampling
    /// The picture in the middle of zeros, the odd row and column after it: H×W×C → height×width×C.
    | Pad of height: int * width: int

/// What the steps do to pixels.
[<RequireQualifiedAccess>]
module internal PreprocessingStep =

    /// Reads one picture, writes another.
    type Map = delegate of source: ReadOnlySpan<float32> * destination: Span<float32> -> unit

    /// A step for pictures of one shape: the shape that comes out, and how.
    [<NoEquality; NoComparison>]
    type Stage = { Output: Shape; Map: Map }

    let private misfit step expected (shape: Shape) cure = raise (ShapeException(step, expected, string shape, cure))

    let private refuse (why: string) : 'R = raise (ArgumentException why)

    /// The step, or what is wrong with its numbers.
    let check step =
        let finite = List.forall Double.IsFinite

        match step with
        | Scale(factor, offset) when not (finite [ factor; offset ]) -> refuse "Factor and offset must be finite."
        | Normalize(mean, deviation) when mean.IsEmpty || mean.Length <> deviation.Length ->
            refuse "Normalising needs a mean and a deviation for each channel."
        | Normalize(mean, deviation) when not (finite mean && finite deviation && List.forall ((<=) 0.0) deviation) ->
            refuse "Means must be finite, and deviations finite and not negative."
        | Resize(height, width, _)
        | Pad(height, width) when height < 1 || width < 1 -> refuse "Height and width must be at least 1."
        | Resize(_, _, method) ->
            Words.defined (nameof method) method
            step
        | _ -> step

    let private picture step (shape: Shape) =
        if shape.Rank <> 3 then
            misfit step "a picture of height×width×channels" shape "Give the shape of one picture, channels last."

        struct (shape[0], shape[1], shape[2])

    let private pad height width (shape: Shape) =
        let struct (rows, columns, channels) = picture "Pad" shape

        if height < rows || width < columns then
            let wanted = "pictures of at most " + string height + "×" + string width
            misfit "Pad" wanted shape "Pad to a larger size, or resize the pictures."

        let top, left = (height - rows) / 2, (width - columns) / 2
        let length = columns * channels

        {
            Output = Shape.Of(height, width, channels)
            Map =
                Map(fun source destination ->
                    destination.Clear()

                    for y in 0 .. rows - 1 do
                        let target = destination.Slice(((top + y) * width + left) * channels, length)
                        source.Slice(y * length, length).CopyTo target)
        }

    let private normalize mean deviation (shape: Shape) =
        let channels = shape[shape.Rank - 1]
        let means = mean |> Seq.map float32 |> Array.ofSeq
        let reciprocal d = if d > 0.0 then float32 (1.0 / d) else 0.0f
        let factors = deviation |> Seq.map reciprocal |> Array.ofSeq

        if means.Length <> channels then
            let wanted = "pictures of " + Words.count means.Length "channel" "channels"
            misfit "Normalize" wanted shape "Give one mean and deviation for each channel."

        {
            Output = shape
            Map =
                Map(fun source destination ->
                    for p in 0 .. source.Length - 1 do
                        destination[p] <- (source[p] - means[p % channels]) * factors[p % channels])
        }

    let private grey (shape: Shape) =
        match picture "Grey" shape with
        | struct (height, width, 3) -> {
            Output = Shape.Of(height, width, 1)
            Map =
                Map(fun source destination ->
                    for p in 0 .. destination.Length - 1 do
                        destination[p] <-
                            0.299f * source[3 * p] + 0.587f * source[3 * p + 1] + 0.114f * source[3 * p + 2])
          }
        | struct (_, _, 1) -> { Output = shape; Map = Map(fun source destination -> source.CopyTo destination) }
        | _ -> misfit "Grey" "pictures of 1 or 3 channels" shape "Give grey pictures, or red, green and blue."

    let private resize height width method (shape: Shape) =
        picture "Resize" shape |> ignore
        let resampler = Resampler.Create(method, shape, height, width)

        {
            Output = resampler.Target
            Map = Map(fun source destination -> resampler.Resample(source, destination))
        }

    /// The step for pictures of a shape, or ShapeException.
    let bind (shape: Shape) step =
        if shape.Rank = 0 || shape.Size = 0 then
            misfit "Preprocessing" "pictures with at least one pixel" shape "Give a shape without zeros."

        match step with
        | Scale(factor, offset) ->
            let factor, offset = float32 factor, float32 offset

            {
                Output = shape
                Map =
                    Map(fun source destination ->
                        for p in 0 .. source.Length - 1 do
                            destination[p] <- factor * source[p] + offset)
            }
        | Normalize(mean, deviation) -> normalize mean deviation shape
        | Grey -> grey shape
        | Resize(height, width, method) -> resize height width method shape
        | Pad(height, width) -> pad height width shape

    /// Whether a step leaves pictures of a shape as they are.
    let private isIdle (shape: Shape) step =
        match step with
        | Grey -> shape[2] = 1
        | Resize(height, width, _)
        | Pad(height, width) -> shape[0] = height && shape[1] = width
        | Scale _
        | Normalize _ -> false

    /// The shape that all steps make of pictures of a shape, and those of the steps that change them.
    let stages (shape: Shape) steps : Shape * Stage[] =
        let stage shape step =
            let bound = bind shape step
            (if isIdle shape step then None else Some bound), bound.Output

        let bound, output = List.mapFold stage shape steps
        output, bound |> List.choose id |> Array.ofList

    /// How large pixels become that are at most so large.
    let magnitude most step =
        match step with
        | Scale(factor, offset) -> abs factor * most + abs offset
        | Normalize(mean, deviation) ->
            let largest m d = if d > 0.0 then (most + abs m) / d else 0.0
            List.map2 largest mean deviation |> List.max
        | Grey
        | Resize _
        | Pad _ -> most

    let private name method = if method = Resampling.Area then "area" else "bilinear"

    let describe step =
        match step with
        | Scale(factor, offset) -> "scale(" + Words.number factor + ", " + Words.number offset + ")"
        | Normalize(mean, deviation) ->
            let list (values: float list) = String.Join(", ", List.map Words.number values)
            "normalize(" + list mean + "; " + list deviation + ")"
        | Grey -> "grey"
        | Resize(height, width, method) -> "resize(" + string height + "×" + string width + ", " + name method + ")"
        | Pad(height, width) -> "pad(" + string height + "×" + string width + ")"

    /// The steps in their order, as in grey, resize(28×28, area).
    let describeAll steps =
        if List.isEmpty steps then
            "identity"
        else
            String.Join(", ", List.map describe steps)

    /// What was done to pictures, in words.
    let private history steps = if List.isEmpty steps then "raw" else "preprocessed by " + describeAll steps

    /// Refuses pictures that were not preprocessed as others are.
    let requireAlike what (wanted: PreprocessingStep list) (found: PreprocessingStep list) =
        if found <> wanted then
            refuse (
                "The "
                + what
                + " must be "
                + history wanted
                + ", as those beside them, but are "
                + history found
                + ". Preprocess both alike."
            )

    /// What is left of the steps that a network's pictures take, where some are done.
    let remaining (wanted: PreprocessingStep list) (found: PreprocessingStep list) =
        let rec after wanted' found' =
            match wanted', found' with
            | rest, [] -> rest
            | next :: rest, step :: steps when next = step -> after rest steps
            | _ ->
                refuse (
                    "The pictures must be raw, or "
                    + history wanted
                    + ", but are "
                    + history found
                    + ". Give them as they were loaded: the model's preprocessing is applied by itself."
                )

        after wanted found
