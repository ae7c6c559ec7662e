namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Globalization
open Cnn

/// <summary>What F# Interactive prints of values: functions for <c>fsi.AddPrinter</c>, which the package registers by itself.</summary>
/// <remarks>Pure functions of their arguments.</remarks>
[<RequireQualifiedAccess>]
module Printers =

    /// Places that are shown at either end of an axis with more than twice as many.
    [<Literal>]
    let private Edge = 3

    /// Most epochs of a curve that are drawn.
    [<Literal>]
    let private Widest = 60

    let private bars = "▁▂▃▄▅▆▇█"

    let private number (x: float) = x.ToString("G4", CultureInfo.InvariantCulture)

    /// <summary>The extents, as in 28×28×1.</summary>
    let shape (shape: Shape) = string shape

    /// <summary>The shape, then the values to four digits, nested in brackets axis by axis as NumPy prints arrays; of an axis
    /// with more than 6 places the first 3 and the last 3.</summary>
    let tensor (tensor: Tensor<'T>) : string =
        let extents = tensor.Shape.Extents.ToArray()
        let values = tensor.ToArray()
        let text i = number (Number.toFloat values[i])

        let places n =
            if n <= 2 * Edge then
                List.init n Some
            else
                List.init Edge Some @ None :: List.init Edge (fun i -> Some(n - Edge + i))

        /// The part of the axes from this one on that begins at an element.
        let rec part axis first (write: int -> string) : string =
            if axis = extents.Length then
                write first
            else
                let stride = extents |> Array.skip (axis + 1) |> Array.fold (*) 1
                let below = extents.Length - axis - 1
                let separator = if below = 0 then " " else String('\n', below) + String(' ', axis + 1)

                let parts =
                    places extents[axis]
                    |> List.map (function
                        | Some i -> part (axis + 1) (first + i * stride) write
                        | None -> "…")

                "[" + String.Join(separator, parts) + "]"

        let shown = List<int>()

        part 0 0 (fun i ->
            shown.Add i
            "")
        |> ignore

        let width = shown |> Seq.fold (fun width i -> max width (text i).Length) 0
        string tensor.Shape + "\n" + part 0 0 (fun i -> (text i).PadLeft width)

    /// <summary>The table of layers, output shapes and parameters, with totals.</summary>
    let network (network: Network<'T>) : string = Summary.format "sequential" sizeof<'T> (Network.summary network)

    /// <summary>Bars from the lowest value ▁ to the highest █, all ▁ where they are equal; · for NaN and infinity. At most 60
    /// bars: of longer series, places at equal distances, the first and the last among them.</summary>
    let curve (series: float list) : string =
        let values = Array.ofList series
        let finite = values |> Array.filter Double.IsFinite
        let low, high = if finite.Length = 0 then 0.0, 0.0 else Array.min finite, Array.max finite
        // The distance of the ends may exceed every number; that of their shares of the larger one does not.
        let scale = max (abs low) (abs high)
        let count = min Widest values.Length

        let share x = (x / scale - low / scale) / (high / scale - low / scale)

        let bar x =
            if not (Double.IsFinite x) then '·'
            elif high = low then bars[0]
            else bars[int (Math.Round(float (bars.Length - 1) * share x))]

        let place i =
            if count = 1 then
                0
            else
                int (int64 i * int64 (values.Length - 1) / int64 (count - 1))

        String(Array.init count (fun i -> bar values[place i]))

    /// <summary>The course of a training: a curve of loss and accuracy, in training and where there was one in validation, each
    /// with its first and last value.</summary>
    let history (epochs: IReadOnlyList<EpochResult>) : string =
        let validation (measure: Evaluation -> float) (epoch: EpochResult) =
            match epoch.Validation with
            | null -> nan
            | held -> measure held

        let series =
            [
                "loss", (fun (epoch: EpochResult) -> epoch.Loss)
                "accuracy", (fun epoch -> epoch.Accuracy)
                "validation loss", validation (fun held -> held.Loss)
                "validation accuracy", validation (fun held -> held.Accuracy)
            ]
            |> List.filter (fun (name, _) ->
                not (name.StartsWith("validation", StringComparison.Ordinal))
                || epochs |> Seq.exists (fun epoch -> not (isNull epoch.Validation)))

        let line (name: string, measure) =
            let values = epochs |> Seq.map measure |> List.ofSeq

            name.PadRight 20
            + curve values
            + "  "
            + number (List.head values)
            + " → "
            + number (List.last values)

        Words.count epochs.Count "epoch" "epochs"
        + (if epochs.Count = 0 then "" else "\n" + String.Join("\n", List.map line series))
