namespace Cnn.FSharp

open System
open Cnn

/// What a row of stages does to the pictures of data sets.
[<RequireQualifiedAccess>]
module internal Stages =

    /// Runs stages, at least one, on a picture of a data set; all memory is pooled.
    let run (stages: PreprocessingStep.Stage[]) (dataset: Dataset) index (destination: Span<float32>) =
        let shape = dataset.Shape
        let size = stages |> Array.fold (fun most stage -> max most stage.Output.Size) shape.Size
        use first = new Rented<float32>(size)
        use second = new Rented<float32>(size)
        let mutable here, there = first.Array, second.Array
        let mutable length = shape.Size
        dataset.Read(index, Span(here, 0, length))

        for i in 0 .. stages.Length - 2 do
            let next = stages[i].Output.Size
            stages[i].Map.Invoke(ReadOnlySpan(here, 0, length), Span(there, 0, next))
            let used = here
            here <- there
            there <- used
            length <- next

        (Array.last stages).Map.Invoke(ReadOnlySpan(here, 0, length), destination)

namespace Cnn

open System
open System.Collections.Generic
open System.Runtime.InteropServices
open Cnn.FSharp

/// <summary>What is done to pictures before a network sees them: a row of steps, kept with the model.</summary>
/// <remarks>
/// An immutable value with structural equality, safe to share between threads. <c>Then</c> is associative, and
/// <c>Identity</c> is its neutral element. Data sets give pixels in [0, 1]; the named normalisations are for such.
/// </remarks>
[<Sealed>]
type Preprocessing internal (steps: PreprocessingStep list) =

    static let one step = Preprocessing [ PreprocessingStep.check step ]

    member internal _.Steps = steps

    /// <summary>Leaves pictures as they are.</summary>
    static member Identity = Preprocessing []

    /// <summary>y = factor·x + offset for each pixel.</summary>
    /// <param name="factor">As 1/255 for pictures of bytes.</param>
    /// <param name="offset">Added afterwards. Default 0.</param>
    /// <exception cref="T:System.ArgumentException">A number is not finite.</exception>
    static member Scale(factor: float, [<Optional; DefaultParameterValue(0.0)>] offset: float) =
        one (Scale(factor, offset))

    /// <summary>y = (x − mean)/deviation, channel by channel; a deviation of 0 gives 0.</summary>
    /// <param name="mean">One for each channel.</param>
    /// <param name="deviation">One for each channel, not negative.</param>
    /// <exception cref="T:System.ArgumentException">Not one mean and deviation for each channel, or no such numbers.</exception>
    static member Normalize(mean: IEnumerable<float>, deviation: IEnumerable<float>) =
        ArgumentNullException.ThrowIfNull(mean, nameof mean)
        ArgumentNullException.ThrowIfNull(deviation, nameof deviation)
        one (Normalize(List.ofSeq mean, List.ofSeq deviation))

    /// <summary>y = (x − mean)/deviation, with the statistics of a training set: a fixed value, whatever it is applied to.</summary>
    /// <param name="training">The pictures whose channels get mean 0 and deviation 1; all are read.</param>
    static member Normalizing(training: Dataset) =
        ArgumentNullException.ThrowIfNull(training, nameof training)
        let statistics = ChannelStatistics.Of training
        Preprocessing.Normalize(statistics.Mean, statistics.Deviation)

    /// <summary>y = 0.299·R + 0.587·G + 0.114·B: H×W×3 → H×W×1; grey pictures stay. ITU-R BT.601-7, 2.5.1.</summary>
    static member Grey = Preprocessing [ Grey ]

    /// <summary>Pictures of another size: H×W×C → height×width×C.</summary>
    /// <param name="height">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="method">Default the mean of the area that a new pixel covers.</param>
    /// <exception cref="T:System.ArgumentException">A size below 1.</exception>
    static member Resize
        (height: int, width: int, [<Optional; DefaultParameterValue(Resampling.Area)>] method: Resampling)
        =
        one (Resize(height, width, method))

    /// <summary>The picture in the middle of zeros, the odd row and column after it: H×W×C → height×width×C.</summary>
    /// <exception cref="T:System.ArgumentException">A size below 1.</exception>
    static member Pad(height: int, width: int) = one (Pad(height, width))

    /// <summary>Mean 0.1307 and deviation 0.3081, as is usual for MNIST.</summary>
    static member Mnist = Preprocessing.Normalize([ 0.1307 ], [ 0.3081 ])

    /// <summary>Means 0.4914, 0.4822, 0.4465 and deviations 0.247, 0.243, 0.261, as is usual for CIFAR-10.</summary>
    static member Cifar10 = Preprocessing.Normalize([ 0.4914; 0.4822; 0.4465 ], [ 0.247; 0.243; 0.261 ])

    /// <summary>Means 0.5071, 0.4867, 0.4408 and deviations 0.2675, 0.2565, 0.2761, as is usual for CIFAR-100.</summary>
    static member Cifar100 = Preprocessing.Normalize([ 0.5071; 0.4867; 0.4408 ], [ 0.2675; 0.2565; 0.2761 ])

    /// <summary>These steps, then those of another.</summary>
    member _.Then(next: Preprocessing) =
        ArgumentNullException.ThrowIfNull(next, nameof next)
        Preprocessing(steps @ next.Steps)

    /// <summary>Shape of what comes out for pictures of a shape.</summary>
    /// <exception cref="T:Cnn.ShapeException">A step cannot take such pictures; names it.</exception>
    member _.OutputShape(shape: Shape) =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)
        steps |> List.fold (fun shape step -> (PreprocessingStep.bind shape step).Output) shape

    /// <summary>One picture, preprocessed: row by row, channels last, as is what comes out.</summary>
    /// <param name="shape">Height×width×channels of the picture.</param>
    /// <param name="picture">Its pixels; they stay as they are.</param>
    /// <exception cref="T:Cnn.ShapeException">The pixels are not of that shape, or a step cannot take it.</exception>
    member _.Apply(shape: Shape, picture: ReadOnlySpan<float32>) : float32[] =
        ArgumentNullException.ThrowIfNull(shape, nameof shape)

        Pixels.require "Preprocessing" shape picture.Length

        match PreprocessingStep.stages shape steps with
        | _, [||] -> picture.ToArray()
        | output, stages ->
            let alone = Dataset.OfFloats(shape, ReadOnlyMemory(picture.ToArray()), [ 0 ], [ "" ])
            let result = Array.zeroCreate output.Size
            Stages.run stages alone 0 (Span result)
            result

    /// <summary>The steps in their order, as in grey, resize(28×28, area).</summary>
    override _.ToString() = PreprocessingStep.describeAll steps

    /// <summary>True where both have the same steps.</summary>
    member _.Equals(other: Preprocessing | null) =
        match other with
        | null -> false
        | other -> other.Steps = steps

    override this.Equals(other: obj | null) =
        match other with
        | :? Preprocessing as p -> this.Equals p
        | _ -> false

    override _.GetHashCode() = hash steps

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Preprocessing | null, right: Preprocessing | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Preprocessing | null, right: Preprocessing | null) =
        not (Object.Equals(left, right))

    interface IEquatable<Preprocessing> with
        member this.Equals other = this.Equals other

namespace Cnn.FSharp

open System
open System.Text.Json
open Cnn

/// <summary>Preprocessing as data: steps, composition, and JSON.</summary>
[<RequireQualifiedAccess>]
module Preprocessing =

    /// <summary>The preprocessing of a row of steps.</summary>
    /// <exception cref="T:System.ArgumentException">A step's numbers make no sense.</exception>
    let ofSteps steps = Preprocessing(List.map PreprocessingStep.check steps)

    /// <summary>The steps that it consists of.</summary>
    let steps (preprocessing: Preprocessing) = preprocessing.Steps

    /// <summary>Leaves pictures as they are.</summary>
    let identity = Preprocessing.Identity

    /// <summary>The first, then the second.</summary>
    let compose (first: Preprocessing) (second: Preprocessing) = first.Then second

    /// <summary>y = (x − mean)/deviation with the statistics of a training set: a fixed value.</summary>
    let normalizing (training: Dataset) = Preprocessing.Normalizing training

    /// <summary>Shape of what comes out for pictures of a shape.</summary>
    /// <exception cref="T:Cnn.ShapeException">A step cannot take such pictures.</exception>
    let output shape (preprocessing: Preprocessing) = preprocessing.OutputShape shape

    /// <summary>One picture, preprocessed.</summary>
    /// <exception cref="T:Cnn.ShapeException">The pixels are not of that shape, or a step cannot take it.</exception>
    let apply (shape: Shape) (picture: float32[]) (preprocessing: Preprocessing) =
        preprocessing.Apply(shape, ReadOnlySpan picture)

    /// The most steps of a file: more are a mistake.
    [<Literal>]
    let private Most = 1000

    /// <summary>Writes an array with an object for each step.</summary>
    let write (writer: Utf8JsonWriter) (preprocessing: Preprocessing) =
        let numbers (name: string) (values: float list) =
            writer.WriteStartArray name
            List.iter (fun (v: float) -> writer.WriteNumberValue v) values
            writer.WriteEndArray()

        let size (height: int) (width: int) =
            writer.WriteNumber("height", height)
            writer.WriteNumber("width", width)

        writer.WriteStartArray()

        for step in preprocessing.Steps do
            writer.WriteStartObject()

            match step with
            | Scale(factor, offset) ->
                writer.WriteString("step", "scale")
                writer.WriteNumber("factor", factor)
                writer.WriteNumber("offset", offset)
            | Normalize(mean, deviation) ->
                writer.WriteString("step", "normalize")
                numbers "mean" mean
                numbers "deviation" deviation
            | Grey -> writer.WriteString("step", "grey")
            | Resize(height, width, method) ->
                writer.WriteString("step", "resize")
                size height width
                writer.WriteString("method", (if method = Resampling.Area then "area" else "bilinear"))
            | Pad(height, width) ->
                writer.WriteString("step", "pad")
                size height width

            writer.WriteEndObject()

        writer.WriteEndArray()

    /// <summary>Reads what <c>write</c> wrote. Pure.</summary>
    /// <param name="file">Named in errors.</param>
    /// <param name="offset">Where the element stands in the file, for errors.</param>
    /// <param name="element">An array of steps.</param>
    /// <exception cref="T:Cnn.DataFormatException">It is no such array, or a step's numbers make no sense.</exception>
    let read file (offset: int64) (element: JsonElement) : Preprocessing =
        let refuse expected found = raise (DataFormatException(file, offset, expected, found))

        let text (element: JsonElement) =
            let raw = element.GetRawText()
            if raw.Length <= 60 then raw else raw[..59] + "…"

        let items expected (element: JsonElement) =
            if element.ValueKind <> JsonValueKind.Array then
                refuse expected (text element)

            if element.GetArrayLength() > Most then
                refuse (expected + ", " + string Most + " at most") (string (element.GetArrayLength()))

            [ for item in element.EnumerateArray() -> item ]

        let word what (element: JsonElement) =
            match element.ValueKind with
            | JsonValueKind.String -> string (element.GetString())
            | _ -> refuse what (text element)

        let number (element: JsonElement) =
            match element.ValueKind with
            | JsonValueKind.Number when (element.TryGetDouble() |> fun (isRead, v) -> isRead && Double.IsFinite v) ->
                element.GetDouble()
            | _ -> refuse "a finite number" (text element)

        let whole (element: JsonElement) =
            match element.ValueKind with
            | JsonValueKind.Number when fst (element.TryGetInt32()) -> element.GetInt32()
            | _ -> refuse "a whole number" (text element)

        let step (item: JsonElement) =
            if item.ValueKind <> JsonValueKind.Object then
                refuse "a step of preprocessing" (text item)

            /// The members of these names and no others are there, each once.
            let members names =
                let found = [ for m in item.EnumerateObject() -> m.Name ]
                let expected = "step" :: names

                if List.sort found <> List.sort expected then
                    refuse ("a step with " + String.Join(", ", expected)) (text item)

            let get (name: string) = item.GetProperty name

            let kind =
                match item.TryGetProperty "step" with
                | true, kind -> word "the name of a step" kind
                | _ -> refuse "a step with a name" (text item)

            match kind with
            | "scale" ->
                members [ "factor"; "offset" ]
                Scale(number (get "factor"), number (get "offset"))
            | "normalize" ->
                members [ "mean"; "deviation" ]
                let numbers name = items "numbers" (get name) |> List.map number
                Normalize(numbers "mean", numbers "deviation")
            | "grey" ->
                members []
                Grey
            | "resize" ->
                members [ "height"; "width"; "method" ]

                let method =
                    match word "a way of resizing" (get "method") with
                    | "area" -> Resampling.Area
                    | "bilinear" -> Resampling.Bilinear
                    | other -> refuse "area or bilinear" other

                Resize(whole (get "height"), whole (get "width"), method)
            | "pad" ->
                members [ "height"; "width" ]
                Pad(whole (get "height"), whole (get "width"))
            | other -> refuse "scale, normalize, grey, resize or pad" other

        let checkedStep (item: JsonElement) =
            try
                PreprocessingStep.check (step item)
            with
            | :? ArgumentException as e ->
                refuse ("a step that makes sense (" + e.Message.TrimEnd '.' + ")") (text item)
            // Half of a surrogate pair, escaped.
            | :? InvalidOperationException as e -> refuse ("text (" + e.Message.TrimEnd '.' + ")") (text item)

        Preprocessing(items "steps of preprocessing" element |> List.map checkedStep)
