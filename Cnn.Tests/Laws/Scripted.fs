/// Training whose losses are told: what is done about them can be predicted to the last bit.
module Cnn.Tests.Laws.Scripted

open System.Threading
open Cnn
open Cnn.FSharp

/// A training of as many epochs as it has losses.
[<NoComparison; NoEquality>]
type Script = {
    /// √(2L) of the training loss L of each epoch.
    Training: float list
    /// √(2L) of the validation loss L of each epoch; none where nothing is held back.
    Validation: float list option
    /// Loss, batches and validation are set by the script.
    Settings: TrainingSettings
    Stopping: EarlyStopping option
    /// The epoch after which the training is cancelled.
    CancelAfter: int option
    /// The epoch after which it is broken off, to be taken up again.
    Break: int option
}

/// Two pictures of one pixel each, which is the label.
let private pictures =
    Dataset.Create(
        Shape.Of(1, 1, 1),
        [ 0; 1 ],
        [ "a"; "b" ],
        PictureReader(fun index destination -> destination[0] <- float32 index)
    )

/// y = x + r, so that ½(y − label)² = ½r² for each picture; θ = −(the sum of the rates), since ∂L∕∂θ is said to be 1.
let private layer (root: Mode -> float) : Layer<float> =
    let one (value: float) = Tensor.ofArray (Shape.Of 1) [| value |]

    Layer.create "told" 1 0 0 id (fun _ _ -> [ one 0.0 ], []) (fun context _ s x ->
        let r = root context.Mode

        {
            Output = Tensor.map (fun y -> y + r) x
            State = s
            Pullback = fun ȳ -> [ one (float ȳ.Shape[0] / 2.0) ], ȳ
        })

/// The loss that a root tells.
let lossOf root : float = 0.5 * root * root

/// What the training came to.
let fit (script: Script) : Fitted<float> =
    use source = new CancellationTokenSource()
    let mutable last = None
    let epoch = ref 0

    let root mode =
        match mode, script.Validation with
        | Inference, Some validation -> validation[epoch.Value]
        | _ -> script.Training[epoch.Value]

    let settings = {
        script.Settings with
            BatchSize = 2
            Loss = Some Loss.HalfSquaredError
            Validation = script.Validation |> Option.map (fun _ -> pictures)
            Cancellation = source.Token
    }

    let told = layer root
    let network = Network.create (Key.ofSeed 1) pictures.Shape (Layer.compose (Layers.flatten ()) told)
    let states = ref (Fitting.start settings network)

    let after (state: FittingState<float>) =
        epoch.Value <- epoch.Value + 1
        states.Value <- state

        if script.CancelAfter = Some state.History.Length then
            source.Cancel()

    for most in Option.toList script.Break @ [ script.Training.Length ] do
        last <- Some(Fitting.resume Backend.reference settings script.Stopping after most pictures states.Value)

    Option.get last
