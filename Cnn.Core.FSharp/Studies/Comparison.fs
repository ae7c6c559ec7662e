namespace Cnn.FSharp

open System
open System.Numerics
open System.Threading
open Cnn

/// <summary>Whose settings a network is trained with.</summary>
[<RequireQualifiedAccess>]
type SettingsOrigin =
    /// Those of its source.
    | Source
    /// The best that we know of.
    | Best

/// <summary>Pictures of one sort, and the networks that are compared on them.</summary>
[<NoEquality; NoComparison>]
type ComparisonLevel = {
    /// <summary>As in 8×8 grey.</summary>
    Name: string
    /// <summary>Where the pictures come from.</summary>
    Data: string
    /// <summary>Whether left and right may change places without changing the class, as in photographs.</summary>
    IsMirrored: bool
    /// <summary>Names of the networks.</summary>
    Networks: string list
    /// <summary>Height×width×channels of a picture.</summary>
    Input: Shape
    /// <summary>Pictures to learn from and to test on, for a seed.</summary>
    Load: int -> struct (Dataset * Dataset)
}

/// <summary>A network as it is trained on a level.</summary>
[<NoEquality; NoComparison>]
type Contestant = {
    /// <summary>The level of the study: the pictures that it is tried on.</summary>
    Level: string
    /// <summary>With the layers, the loss and the settings that it is trained with.</summary>
    Architecture: Architecture
    /// <summary>How it is trained.</summary>
    Training: SourceTraining
    /// <summary>Random changes of the training pictures.</summary>
    Augmentation: Augmentation
    /// <summary>Whether batch statistics are taken anew after training.</summary>
    Recalibrate: bool
    /// <summary>Whose settings they are.</summary>
    Settings: SettingsOrigin
    /// <summary>What the source printed of it, with its own settings.</summary>
    Printed: PrintedResult option
    /// <summary>What explains a difference from it.</summary>
    Slip: string option
} with

    /// <summary>Whether it has a convolutional layer.</summary>
    member this.IsConvolutional =
        this.Architecture.Layers
        |> List.exists (function
            | Conv2D _ -> true
            | _ -> false)

/// <summary>What one training came to.</summary>
type ComparisonTrial = {
    /// <summary>Share of the test pictures that was told right; NaN where training met numbers that are not finite.</summary>
    Accuracy: float
    /// <summary>Time that training took.</summary>
    Seconds: float
    /// <summary>Epochs of it.</summary>
    Epochs: int
    /// <summary>Pictures that were learned from.</summary>
    Learned: int
    /// <summary>Pictures that were tested on.</summary>
    Tested: int
}

/// <summary>What the trainings of a network came to, one for each seed.</summary>
[<NoEquality; NoComparison>]
type ComparisonOutcome = {
    /// <summary>What was trained.</summary>
    Contestant: Contestant
    /// <summary>One for each seed.</summary>
    Trials: ComparisonTrial list
    /// <summary>Numbers that the network consists of.</summary>
    Parameters: int
} with

    /// <summary>Mean accuracy over the seeds.</summary>
    member this.Accuracy = this.Trials |> List.averageBy (fun trial -> trial.Accuracy)

    /// <summary>Standard deviation of the accuracy over the seeds, with n − 1; 0 for one seed.</summary>
    member this.Spread =
        match this.Trials with
        | []
        | [ _ ] -> 0.0
        | trials ->
            let mean = this.Accuracy
            let squares = trials |> List.sumBy (fun trial -> (trial.Accuracy - mean) * (trial.Accuracy - mean))
            sqrt (squares / float (trials.Length - 1))

    /// <summary>Mean time of a training.</summary>
    member this.Seconds = this.Trials |> List.averageBy (fun trial -> trial.Seconds)

    /// <summary>Whether no training was cut short.</summary>
    member this.IsWhole =
        this.Trials |> List.forall (fun trial -> trial.Epochs >= this.Contestant.Training.Epochs)

    /// <summary>What explains that the accuracy is more than a point away from the printed one; none where it is not, or training was cut short.</summary>
    member this.Note =
        match this.Contestant.Printed with
        | _ when not this.IsWhole -> None
        | Some printed when abs (this.Accuracy - printed.Accuracy) <= 0.01 -> None
        | _ -> this.Contestant.Slip

/// <summary>Dense networks against convolutional ones, as pixels and variability grow: the study of Fossheim 2022.</summary>
/// <remarks>Pure, but for the clock that <c>trial</c> is handed.</remarks>
[<RequireQualifiedAccess>]
module Comparison =

    /// A turn for mirrored pictures only.
    let private suited (level: ComparisonLevel) augmentation =
        Augmentation.steps augmentation
        |> List.filter (fun step ->
            level.IsMirrored
            || (match step with
                | FlipHorizontal
                | FlipVertical -> false
                | _ -> true))
        |> Augmentation.ofSteps

    let private named name =
        match Architectures.tryFind name with
        | Some architecture -> architecture
        | None -> raise (ArgumentException("There is no network '" + name + "'.", nameof name))

    /// <summary>The networks of a level with the settings of their source, where there are any, and with the best ones.</summary>
    /// <remarks>A network for pictures of another size is given an input of this one: only dense networks are.</remarks>
    /// <exception cref="T:System.ArgumentException">There is no network of a name.</exception>
    let contestants (level: ComparisonLevel) : Contestant list = [
        for name in level.Networks do
            let architecture = { named name with Input = level.Input }
            let rows = level.Input[0]

            let contestant settings (architecture: Architecture) training = {
                Level = level.Name
                Architecture = architecture
                Training = training
                Augmentation = Augmentation.None
                Recalibrate = false
                Settings = settings
                Printed = None
                Slip = None
            }

            match architecture.Training with
            | Some training -> {
                contestant SettingsOrigin.Source architecture training with
                    Printed = SourceResults.printed name rows
                    Slip = SourceResults.slip name rows
              }
            | None -> ()

            match BestTrainings.tryFind name with
            | Some best -> {
                contestant SettingsOrigin.Best (BestTrainings.apply best architecture) best.Training with
                    Augmentation = suited level best.Augmentation
                    Recalibrate = best.Recalibrate
              }
            | None -> ()
    ]

    let private networks rows =
        match rows with
        | 8 -> [ "densenet2_20"; "convnet1_3"; "vgg8" ]
        | 28 -> [ "densenet4_300"; "convkeras4_20"; "vgg28" ]
        | _ -> [ "densenet2_20"; "densenet4_300"; "lenet2"; "convkeras12_32"; "vgg32" ]

    /// <summary>A level of the study: 8×8 grey, 28×28 grey or 32×32 in colour, with the networks that belong to it.</summary>
    /// <param name="input">Height×width×channels of a picture.</param>
    /// <param name="data">Where the pictures come from.</param>
    /// <param name="isMirrored">Whether left and right may change places without changing the class.</param>
    /// <param name="load">Pictures to learn from and to test on, for a seed.</param>
    let level (input: Shape) data isMirrored load = {
        Name = string input[0] + "×" + string input[1] + (if input[2] = 1 then " grey" else " colour")
        Data = data
        IsMirrored = isMirrored
        Networks = networks input[0]
        Input = input
        Load = load
    }

    /// <summary>The three levels on digits that the library draws: the last one in colour, with clutter around them.</summary>
    /// <param name="scheduler">Where drawing runs.</param>
    /// <param name="pictures">Most pictures to learn from; a quarter of them to test on.</param>
    let drawn (scheduler: IScheduler) (pictures: int) =
        let load draw most _ =
            let count = min most pictures
            struct (draw (Key.ofSeed 0) count, draw (Key.ofSeed 1) (max 10 (count / 4)))

        let grey size key count = SyntheticDigits.dataset scheduler key size count
        let colour key count = SyntheticDigits.colorDataset scheduler key 32 count

        [
            level (Shape.Of(8, 8, 1)) "drawn digits" false (load (grey 8) 1440)
            level (Shape.Of(28, 28, 1)) "drawn digits" false (load (grey 28) Int32.MaxValue)
            level (Shape.Of(32, 32, 3)) "drawn house numbers" false (load colour Int32.MaxValue)
        ]

    /// <summary>Trains a network once and tests it.</summary>
    /// <param name="backend">What computes.</param>
    /// <param name="clock">What the time is taken from.</param>
    /// <param name="cancellation">Ends training before the next batch.</param>
    /// <param name="epochs">The most epochs.</param>
    /// <param name="train">Pictures to learn from.</param>
    /// <param name="test">Pictures to test on.</param>
    /// <param name="seed">Decides the first weights, the order of the pictures and their changes.</param>
    /// <param name="contestant">The network and its settings.</param>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    let trial
        (backend: Backend<'T>)
        (clock: TimeProvider)
        (cancellation: CancellationToken)
        epochs
        (train: Dataset)
        (test: Dataset)
        seed
        (contestant: Contestant)
        : ComparisonTrial =
        let training = contestant.Training

        let settings = {
            TrainingSettings.Default with
                BatchSize = training.BatchSize
                Optimizer = training.Optimizer
                Loss = Some contestant.Architecture.Loss
                Seed = seed
                Augmentation = contestant.Augmentation
                Cancellation = cancellation
        }

        let network: Network<'T> = Architectures.build seed contestant.Architecture
        let epochs = min epochs training.Epochs
        let start = clock.GetTimestamp()

        let accuracy =
            try
                let fitted = Fitting.fit backend settings None ignore epochs train network
                cancellation.ThrowIfCancellationRequested()

                let trained =
                    if contestant.Recalibrate then
                        Fitting.recalibrate backend train fitted.Network
                    else
                        fitted.Network

                let seconds = (clock.GetElapsedTime start).TotalSeconds
                struct ((Prediction.evaluate backend settings.Loss trained test).Accuracy, seconds)
            with :? NonFiniteException ->
                struct (nan, (clock.GetElapsedTime start).TotalSeconds)

        let struct (share, seconds) = accuracy

        {
            Accuracy = share
            Seconds = seconds
            Epochs = epochs
            Learned = train.Count
            Tested = test.Count
        }

    /// <summary>What the trials of a network came to.</summary>
    let outcome (contestant: Contestant) trials : ComparisonOutcome =
        let layer: Layer<float32> = Layers.ofSpecs contestant.Architecture.Layers
        let rows = Network.describe contestant.Architecture.Input layer

        {
            Contestant = contestant
            Trials = trials
            Parameters = rows |> List.sumBy (fun row -> row.Parameters)
        }

    /// <summary>Trains and tests all networks of a level, one after the other, each with every seed.</summary>
    /// <param name="backend">What computes.</param>
    /// <param name="clock">What the time is taken from.</param>
    /// <param name="cancellation">Ends training before the next batch.</param>
    /// <param name="onStart">Told of each network before it is trained.</param>
    /// <param name="onOutcome">Told what it came to.</param>
    /// <param name="epochs">The most epochs.</param>
    /// <param name="seeds">At least one.</param>
    /// <param name="level">The pictures and the networks.</param>
    /// <exception cref="T:System.ArgumentException">There is no seed.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    let run
        (backend: Backend<'T>)
        clock
        cancellation
        (onStart: Contestant -> unit)
        (onOutcome: ComparisonOutcome -> unit)
        epochs
        (seeds: int list)
        level
        : ComparisonOutcome list =
        if seeds.IsEmpty then
            raise (ArgumentException("Give at least one seed.", nameof seeds))

        let data = seeds |> List.map (fun seed -> seed, level.Load seed)

        contestants level
        |> List.map (fun contestant ->
            onStart contestant

            let trials =
                data
                |> List.map (fun (seed, struct (train, test)) ->
                    trial backend clock cancellation epochs train test seed contestant)

            let outcome = outcome contestant trials
            onOutcome outcome
            outcome)
