namespace Cnn.FSharp

/// <summary>What a source printed of a training.</summary>
type PrintedResult = {
    /// <summary>Share of the test pictures that was told right.</summary>
    Accuracy: float
    /// <summary>Time that training took.</summary>
    Seconds: float option
}

/// <summary>What the sources printed of their networks, and the slips of their programs that some of it rests on (SPEC sections 10 and 12).</summary>
/// <remarks>Pure.</remarks>
[<RequireQualifiedAccess>]
module SourceResults =

    let private hours = 3600.0

    /// <summary>What was printed of a network, with the settings of its source, on pictures of so many rows.</summary>
    let printed name rows : PrintedResult option =
        let result accuracy seconds : PrintedResult option = Some { Accuracy = accuracy; Seconds = seconds }

        match name, rows with
        | "vanilla", 28 -> result 0.767 (Some(72.0 * hours))
        | "densenet2_20", 8 -> result 0.942 (Some 6.8)
        | "convnet1_3", 8 -> result 0.889 (Some 72.2)
        | "densenet4_300", 28 -> result 0.887 (Some 142.0)
        | "convkeras4_20", 28 -> result 0.955 (Some 113.9)
        | "densenet4_300", 32 -> result 0.2 None
        | "lenet2", 32 -> result 0.826 (Some 351.5)
        | "convkeras12_32", 32 -> result 0.888 (Some 644.4)
        | "digits", 28 -> result 0.945 (Some(4.0 * hours))
        | "iorq", 32 -> result 0.9916 None
        | _ -> None

    /// <summary>What is wrong with what was printed, or with what one would compare it with.</summary>
    let slip name rows : string option =
        match name, rows with
        | "vanilla", 28 ->
            Some
                "The source's program pools one pixel of four, where its paper has their mean; the Keras program beside it has 6 filters in the second layer and cross-entropy. In both it stood at 10 % after the first epoch."
        | "densenet2_20", 8 ->
            Some "Run again with pixels scaled to 0 … 1, the source's network comes to 96–97 %: it printed less."
        | "convnet1_3", 8 ->
            Some
                "The source's program never updates its filters: it printed the accuracy of fixed random ones. Trained ones come to 94–96 %."
        | "densenet4_300", 28 ->
            Some
                "The source's derivative of tanh is handed tanh z, not z, and never falls below .42. With the right one, weights from N(0, 1) and this rate stay near chance."
        | "convkeras4_20", 28 ->
            Some
                "Run again with the settings that it gives, the source's network stays at chance for epochs and ends at 86–88 %, well below what it printed."
        | "convkeras12_32", 32 ->
            Some
                "At this rate the network needs more than 5 epochs of 10,000 pictures to leave chance; the source trained on more."
        | "lenet2", 32 ->
            Some
                "The source trained on more pictures, of house numbers (SVHN); its table gives the time as 5 min 16 s, too."
        | ("densenet2_20" | "densenet4_300"), 32 -> Some "The source saw no dense network pass 30 % at this level."
        | "digits", 28 ->
            Some
                "The source's program neither divides the gradient of global average pooling by the pixels nor keeps its order, and turns the gradient of every second filter only. With these settings and running averages the right network ends at 20–50 %; with statistics taken anew over the training pictures, at 93–94.5 %."
        | "iorq", 32 ->
            Some
                "A filter is not identifiable: its sign and scale trade against the dense weights, so that another filter does as well."
        | _ -> None
