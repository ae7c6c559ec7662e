namespace Cnn.FSharp

open System
open Cnn

/// <summary>One random change of a picture that leaves its class alone.</summary>
[<NoComparison>]
type AugmentationStep =
    /// By whole pixels down and to the right, each way from U{−pixels … pixels}.
    | Shift of pixels: int
    /// By an angle of U[−degrees, degrees] about the centre.
    | Rotate of degrees: float
    /// By a factor of U[1 − fraction, 1 + fraction] about the centre.
    | Zoom of fraction: float
    /// Left and right change places in half of the pictures.
    | FlipHorizontal
    /// Top and bottom change places in half of the pictures.
    | FlipVertical
    /// A smooth random field moves every pixel (Simard, Steinkraus and Platt 2003): both are in pixels, the standard
    /// deviation of the displacement and the distance of the knots of a cubic B-spline, which stands for the Gaussian.
    | Elastic of displacement: float * spacing: float
    /// N(0, deviation²) is added to every number.
    | Noise of deviation: float
    /// A rectangle becomes the picture's mean, with a probability; its share of the area is of U[smallest, largest], its
    /// height over its width of U[0.3, 1/0.3]. Zhong et al. 2017.
    | Erase of probability: float * smallest: float * largest: float

[<RequireQualifiedAccess>]
module internal AugmentationStep =

    let private refuse (why: string) = raise (ArgumentException why)

    /// The step, or what is wrong with its numbers.
    let check step =
        let isShare x = x >= 0.0 && x <= 1.0

        match step with
        | Shift pixels when pixels < 0 || pixels > 1_000_000 -> refuse "A shift is of 0 to 1000000 pixels."
        | Rotate degrees when not (degrees >= 0.0 && degrees <= 180.0) -> refuse "A rotation is of 0 to 180 degrees."
        | Zoom fraction when not (fraction >= 0.0 && fraction < 1.0) ->
            refuse "A zoom is of a fraction of 0 to below 1."
        | Elastic(displacement, spacing) when
            not (displacement >= 0.0 && displacement <= 1e6 && spacing >= 1.0 && spacing <= 1e6)
            ->
            refuse "An elastic deformation needs a displacement of 0 or more and a spacing of 1 pixel or more."
        | Noise deviation when not (deviation >= 0.0 && Double.IsFinite deviation) ->
            refuse "The deviation of noise is 0 or more, and finite."
        | Erase(probability, smallest, largest) when
            not (isShare probability && isShare smallest && isShare largest && smallest <= largest)
            ->
            refuse "Erasing needs a probability, and shares of the area in order, from 0 to 1."
        | _ -> step

    let inline private between low high (key: Key) i = low + (high - low) * key.Uniform i

    let private add deviation (key: Key) (picture: Span<float32>) =
        for i in 0 .. picture.Length - 1 do
            picture[i] <- picture[i] + float32 (deviation * key.Normal(int64 i))

    let private erase smallest largest (key: Key) height width channels (picture: Span<float32>) =
        let area = between smallest largest key 1L * float (height * width)
        let ratio = between 0.3 (1.0 / 0.3) key 2L
        let rows = max 1 (min height (int (round (sqrt (area * ratio)))))
        let columns = max 1 (min width (int (round (sqrt (area / ratio)))))
        let top, left = key.Below(height - rows + 1, 3L), key.Below(width - columns + 1, 4L)

        for c in 0 .. channels - 1 do
            let mutable sum = 0.0

            for p in 0 .. height * width - 1 do
                sum <- sum + float picture[p * channels + c]

            let mean = float32 (sum / float (height * width))

            for y in top .. top + rows - 1 do
                for x in left .. left + columns - 1 do
                    picture[(y * width + x) * channels + c] <- mean

    /// Changes a picture in place; step k draws from child k of the key. Maps that follow each other become one, so that
    /// the picture is sampled once for all of them.
    let run (shape: Shape) (steps: AugmentationStep[]) (key: Key) (picture: Span<float32>) =
        let height, width, channels = shape[0], shape[1], shape[2]
        let mutable pending = Motion.identity

        for k in 0 .. steps.Length - 1 do
            let draw = key.Child(int64 k)
            let inline isHit probability = draw.Uniform 0L < probability

            match steps[k] with
            | Shift pixels ->
                let inline whole i = float (draw.Below(2 * pixels + 1, i) - pixels)
                pending <- Motion.compose pending (Motion.shift (whole 0L) (whole 1L))
            | Rotate degrees -> pending <- Motion.compose pending (Motion.rotate (between -degrees degrees draw 0L))
            | Zoom fraction ->
                pending <- Motion.compose pending (Motion.zoom (between (1.0 - fraction) (1.0 + fraction) draw 0L))
            | FlipHorizontal when isHit 0.5 -> pending <- Motion.compose pending Motion.flipHorizontal
            | FlipVertical when isHit 0.5 -> pending <- Motion.compose pending Motion.flipVertical
            | Elastic(displacement, spacing) ->
                Warp.bend draw displacement spacing pending height width channels picture
                pending <- Motion.identity
            | Noise deviation ->
                Warp.move pending height width channels picture
                pending <- Motion.identity
                add deviation draw picture
            | Erase(probability, smallest, largest) when isHit probability ->
                Warp.move pending height width channels picture
                pending <- Motion.identity
                erase smallest largest draw height width channels picture
            | FlipHorizontal
            | FlipVertical
            | Erase _ -> ()

        Warp.move pending height width channels picture

    /// Refuses what is no picture.
    let requirePicture (steps: AugmentationStep list) (shape: Shape) =
        if not steps.IsEmpty && (shape.Rank <> 3 || shape.Size = 0) then
            raise (
                ShapeException(
                    "Augmentation",
                    "pictures of height×width×channels",
                    string shape,
                    "Augment pictures, channels last, or leave augmentation out."
                )
            )

    let describe (number: float -> string) step =
        match step with
        | Shift pixels -> "shift " + string pixels
        | Rotate degrees -> "rotate " + number degrees
        | Zoom fraction -> "zoom " + number fraction
        | FlipHorizontal -> "flip"
        | FlipVertical -> "flip vertical"
        | Elastic(displacement, spacing) -> "elastic " + number displacement + " every " + number spacing
        | Noise deviation -> "noise " + number deviation
        | Erase(probability, smallest, largest) ->
            "erase " + number probability + " of " + number smallest + " to " + number largest

namespace Cnn

open System
open System.Runtime.InteropServices
open Cnn.FSharp

/// <summary>Random changes of pictures that leave their classes alone: a row of steps, for training only.</summary>
/// <remarks>
/// An immutable value with structural equality, safe to share between threads. <c>Then</c> is associative, and
/// <c>None</c> is its neutral element. What a picture becomes is a pure function of a key; in training that is seed,
/// epoch and the picture's position in the data set, so the number of threads changes nothing. Draws use only
/// + − × ÷ √ and polynomials, so they agree on every machine. Where a picture moves, its border is repeated outside.
/// </remarks>
[<Sealed>]
type Augmentation internal (steps: AugmentationStep list) =

    static let one step = Augmentation [ AugmentationStep.check step ]

    member internal _.Steps = steps

    /// <summary>Leaves pictures as they are.</summary>
    static member None = Augmentation []

    /// <summary>Moves by whole pixels, up or down and left or right, each from U{−pixels … pixels}.</summary>
    /// <exception cref="T:System.ArgumentException">Not from 0 to 1000000 pixels.</exception>
    static member Shift(pixels: int) = one (Shift pixels)

    /// <summary>Turns about the centre by an angle of U[−degrees, degrees].</summary>
    /// <exception cref="T:System.ArgumentException">Not from 0 to 180 degrees.</exception>
    static member Rotate(degrees: float) = one (Rotate degrees)

    /// <summary>Enlarges about the centre by a factor of U[1 − fraction, 1 + fraction].</summary>
    /// <exception cref="T:System.ArgumentException">Not from 0 to below 1.</exception>
    static member Zoom(fraction: float) = one (Zoom fraction)

    /// <summary>Left and right change places in half of the pictures.</summary>
    static member FlipHorizontal = Augmentation [ FlipHorizontal ]

    /// <summary>Top and bottom change places in half of the pictures.</summary>
    static member FlipVertical = Augmentation [ FlipVertical ]

    /// <summary>A smooth random field moves every pixel. Simard, Steinkraus and Platt 2003.</summary>
    /// <param name="displacement">Standard deviation of the displacement, in pixels. Default 1.</param>
    /// <param name="spacing">Pixels between the knots of the cubic B-spline that stands for their Gaussian: the larger, the smoother. Default 7.</param>
    /// <exception cref="T:System.ArgumentException">A negative displacement, or a spacing below 1.</exception>
    static member Elastic
        (
            [<Optional; DefaultParameterValue(1.0)>] displacement: float,
            [<Optional; DefaultParameterValue(7.0)>] spacing: float
        ) =
        one (Elastic(displacement, spacing))

    /// <summary>N(0, deviation²) is added to every number.</summary>
    /// <exception cref="T:System.ArgumentException">A negative deviation.</exception>
    static member Noise(deviation: float) = one (Noise deviation)

    /// <summary>A rectangle becomes the picture's mean, channel by channel. Random erasing, Zhong et al. 2017.</summary>
    /// <param name="probability">How often. Default 0.5.</param>
    /// <param name="smallest">Least share of the area. Default 0.02.</param>
    /// <param name="largest">Largest share of the area. Default 0.4.</param>
    /// <exception cref="T:System.ArgumentException">No probability, or shares that are none or out of order.</exception>
    static member Erase
        (
            [<Optional; DefaultParameterValue(0.5)>] probability: float,
            [<Optional; DefaultParameterValue(0.02)>] smallest: float,
            [<Optional; DefaultParameterValue(0.4)>] largest: float
        ) =
        one (Erase(probability, smallest, largest))

    /// <summary>These changes, then those of another.</summary>
    member _.Then(next: Augmentation) =
        ArgumentNullException.ThrowIfNull(next, nameof next)
        Augmentation(steps @ next.Steps)

    /// <summary>One picture, changed as a key decides: row by row, channels last.</summary>
    /// <param name="shape">Height×width×channels of the picture.</param>
    /// <param name="picture">Its pixels; they stay as they are.</param>
    /// <param name="key">Decides everything random.</param>
    /// <exception cref="T:Cnn.ShapeException">The pixels are not of that shape, or it is no picture's.</exception>
    member _.Apply(shape: Shape, picture: ReadOnlySpan<float32>, key: Key) : float32[] =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)
        AugmentationStep.requirePicture steps shape
        Pixels.require "Augmentation" shape picture.Length
        let result = picture.ToArray()

        if not steps.IsEmpty then
            AugmentationStep.run shape (Array.ofList steps) key (Span result)

        result

    /// The steps in their order, their numbers in words of one's own.
    member internal _.Describe(number: float -> string) =
        if steps.IsEmpty then
            "none"
        else
            String.Join(", ", List.map (AugmentationStep.describe number) steps)

    /// <summary>The steps in their order, as in shift 2, rotate 10, flip.</summary>
    override this.ToString() = this.Describe Words.number

    /// <summary>True where both have the same steps.</summary>
    member _.Equals(other: Augmentation | null) =
        match other with
        | null -> false
        | other -> other.Steps = steps

    override this.Equals(other: obj | null) =
        match other with
        | :? Augmentation as a -> this.Equals a
        | _ -> false

    override _.GetHashCode() = hash steps

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Augmentation | null, right: Augmentation | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Augmentation | null, right: Augmentation | null) =
        not (Object.Equals(left, right))

    interface IEquatable<Augmentation> with
        member this.Equals other = this.Equals other

namespace Cnn.FSharp

open Cnn

/// <summary>Augmentation as data: steps and composition.</summary>
[<RequireQualifiedAccess>]
module Augmentation =

    /// <summary>Leaves pictures as they are.</summary>
    let none = Augmentation.None

    /// <summary>The augmentation of a row of steps.</summary>
    /// <exception cref="T:System.ArgumentException">A step's numbers make no sense.</exception>
    let ofSteps steps = Augmentation(List.map AugmentationStep.check steps)

    /// <summary>The steps that it consists of.</summary>
    let steps (augmentation: Augmentation) = augmentation.Steps

    /// <summary>The first, then the second.</summary>
    let compose (first: Augmentation) (second: Augmentation) = first.Then second

    /// <summary>One picture, changed as a key decides.</summary>
    /// <exception cref="T:Cnn.ShapeException">The pixels are not of that shape, or it is no picture's.</exception>
    let apply (shape: Shape) (picture: float32[]) (key: Key) (augmentation: Augmentation) =
        augmentation.Apply(shape, System.ReadOnlySpan picture, key)
