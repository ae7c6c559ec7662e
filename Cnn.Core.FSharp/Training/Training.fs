namespace Cnn.FSharp

open System
open System.Numerics
open System.Threading
open Cnn

/// <summary>Lowers the learning rate when the watched loss no longer falls: Keras' ReduceLROnPlateau.</summary>
type Plateau = {
    /// <summary>What the rate is multiplied by. Default 0.1.</summary>
    Factor: float
    /// <summary>Epochs without improvement that are waited for. Default 10.</summary>
    Patience: int
    /// <summary>By how much the loss must fall to count. Default 1e−4.</summary>
    MinDelta: float
    /// <summary>Epochs after a reduction in which nothing is counted. Default 0.</summary>
    Cooldown: int
    /// <summary>The rate is not reduced below this. Default 0.</summary>
    MinRate: float
} with

    /// <summary>Factor 0.1, patience 10, least improvement 1e−4, no cooldown, no lowest rate.</summary>
    static member Default = { Factor = 0.1; Patience = 10; MinDelta = 1e-4; Cooldown = 0; MinRate = 0.0 }

[<RequireQualifiedAccess>]
module internal Plateau =

    let check (plateau: Plateau) =
        let isValid =
            plateau.Factor > 0.0
            && plateau.Factor < 1.0
            && plateau.Patience >= 0
            && plateau.MinDelta >= 0.0
            && plateau.Cooldown >= 0
            && plateau.MinRate >= 0.0

        if not isValid then
            raise (
                ArgumentException(
                    "A plateau needs a factor between 0 and 1, and all else of 0 or more.",
                    nameof plateau
                )
            )

/// <summary>How to train.</summary>
[<NoEquality; NoComparison>]
type TrainingSettings = {
    /// <summary>Samples of a step; the last batch of an epoch may be smaller. Default 32.</summary>
    BatchSize: int
    /// <summary>Whether a last batch that is smaller is left out. Default false.</summary>
    DropLast: bool
    /// <summary>Default Adam with η = 1e−3.</summary>
    Optimizer: Optimizer
    /// <summary>Default: what goes with the last layer, see <c>Loss.standard</c>.</summary>
    Loss: Loss option
    /// <summary>Decides shuffling, dropout and augmentation. Default 0.</summary>
    Seed: int
    /// <summary>Random changes of the training pictures, anew in each epoch. Default none.</summary>
    Augmentation: Augmentation
    /// <summary>Evaluated after each epoch. Default none.</summary>
    Validation: Dataset option
    /// <summary>What a sample of each class counts in the loss; default the same for all.</summary>
    ClassWeights: float[] option
    /// <summary>Lowers the learning rate on a plateau of the validation loss, or of the training loss where there is no validation set. Default none.</summary>
    Plateau: Plateau option
    /// <summary>Called after each batch, on the thread that trains. Default nothing.</summary>
    OnBatch: BatchProgress -> unit
    /// <summary>Called with what looks wrong but can be trained on, at most once for each training. Default nothing.</summary>
    OnWarning: string -> unit
    /// <summary>Ends the sequence of epochs before the next batch; an epoch cut short is not handed out.</summary>
    Cancellation: CancellationToken
} with

    /// <summary>Batches of 32, Adam with η = 1e−3, the loss that goes with the last layer, seed 0.</summary>
    static member Default = {
        BatchSize = 32
        DropLast = false
        Optimizer = Optimizer.Adam()
        Loss = None
        Seed = 0
        Augmentation = Augmentation.None
        Validation = None
        ClassWeights = None
        Plateau = None
        OnBatch = ignore
        OnWarning = ignore
        Cancellation = CancellationToken.None
    }

    /// <summary>The same settings, told after each batch and ended by a token.</summary>
    member this.With(onBatch: Action<BatchProgress>, cancellation: CancellationToken) = {
        this with
            OnBatch = onBatch.Invoke
            Cancellation = cancellation
    }

/// <summary>How the watched loss has fared, as a plateau counts it.</summary>
type PlateauState = {
    /// <summary>The lowest loss that counted.</summary>
    Best: float
    /// <summary>Epochs without improvement.</summary>
    Waited: int
    /// <summary>Epochs in which nothing is counted yet.</summary>
    Cooling: int
    /// <summary>What the learning rate is multiplied by.</summary>
    Factor: float
} with

    /// <summary>Nothing was watched yet.</summary>
    static member Start = { Best = infinity; Waited = 0; Cooling = 0; Factor = 1.0 }

/// <summary>A network in training, after an epoch: owns its memory and never changes. All that training goes on from.</summary>
[<NoEquality; NoComparison>]
type TrainingState<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>With the weights after the epoch.</summary>
    Network: Network<'T>
    /// <summary>The slots of the rule, and the steps taken.</summary>
    Optimizer: OptimizerState<'T>
    /// <summary>How the watched loss has fared.</summary>
    Plateau: PlateauState
    /// <summary>What the epoch came to; before the first one, epoch 0 with an infinite loss.</summary>
    Result: EpochResult
}

/// <summary>Training as a lazy sequence of states.</summary>
[<RequireQualifiedAccess>]
module Training =

    /// Memory of θ, of the slots and of the state: two take turns, a step reads one and writes the other.
    [<NoEquality; NoComparison>]
    type private Buffer<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Slots: Optimizer.Slots<'T>
        Parameters: Parameters<'T>
        States: Arena<'T>
    }

    /// What an epoch hands to the next.
    [<NoEquality; NoComparison>]
    type private Point<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        /// Steps taken.
        Step: int
        Slots: Optimizer.Slots<'T>
        /// θ of the slots.
        Parameters: Parameters<'T>
        State: State<'T>
        Watch: PlateauState
    }

    /// Sums over the batches of an epoch.
    [<Struct>]
    type private Tally = { Batches: int; Samples: int; Loss: float; Correct: int }

    /// Keras' rule: an epoch of cooling counts down first, and nothing is counted until it is over.
    let private follow (plateau: Plateau) rate (watch: PlateauState) loss =
        let cooling = max 0 (watch.Cooling - 1)
        let waited = if watch.Cooling > 0 then 0 else watch.Waited

        if watch.Best - loss > plateau.MinDelta then
            { watch with Best = loss; Waited = 0; Cooling = cooling }
        elif cooling > 0 then
            { watch with Waited = waited; Cooling = cooling }
        elif waited + 1 < plateau.Patience then
            { watch with Waited = waited + 1; Cooling = cooling }
        else
            let lowest = if rate > 0.0 then min watch.Factor (plateau.MinRate / rate) else 0.0

            {
                watch with
                    Factor = max (watch.Factor * plateau.Factor) lowest
                    Waited = 0
                    Cooling = plateau.Cooldown
            }

    /// <summary>The state before the first epoch.</summary>
    let start (settings: TrainingSettings) (network: Network<'T>) : TrainingState<'T> = {
        Network = network
        Optimizer = Optimizer.start settings.Optimizer network.Parameters
        Plateau = PlateauState.Start
        Result = {
            Epoch = 0
            Loss = infinity
            Accuracy = 0.0
            LearningRate = settings.Optimizer.LearningRate
            Validation = null
        }
    }

    /// <summary>The states after the epochs that follow a state, without end: take as many as are wanted.</summary>
    /// <remarks>
    /// Going on after n epochs gives the states of training without a break, to the last bit. Lazy: an epoch is trained when
    /// its state is asked for, and enumerating again trains again, with the same result.
    /// The same settings give the same states to the last bit for any scheduler, whatever is evaluated in between.
    /// Gradients are of the loss's reduction over each batch, by default the mean.
    /// </remarks>
    /// <exception cref="T:System.ArgumentException">
    /// The data do not fit the network, are of one class, or hold NaN or infinity, or the settings cannot be meant; before
    /// any work. Pictures that are not known to be finite, as those of bytes are, are all read once for that.
    /// </exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let resume (backend: Backend<'T>) (settings: TrainingSettings) (dataset: Dataset) (state: TrainingState<'T>) =
        let network = state.Network

        TrainingChecks.refuse
            backend.Scheduler
            settings.BatchSize
            settings.ClassWeights
            network
            (dataset :: Option.toList settings.Validation)

        Option.iter Plateau.check settings.Plateau
        let loss = settings.Loss |> Option.defaultWith (fun () -> Network.standardLoss network)
        let layer, fused = Network.fuse loss network.Layer
        let rewritten = (Network.optimise { network with Layer = layer }).Layer
        let key = Key.ofSeed settings.Seed
        let dropout, shuffle = key.Child Purpose.Dropout, key.Child Purpose.Shuffle
        let augmentation = key.Child Purpose.Augmentation
        AugmentationStep.requirePicture settings.Augmentation.Steps dataset.Shape
        let batches = Dataset.batches settings.BatchSize settings.DropLast dataset.Count |> Array.ofList
        let samples = batches |> Array.sumBy (fun struct (_, count) -> count)

        let train () =
            TrainingChecks.warn settings.OnWarning dataset
            let plan = Sharding.plan backend network.Input rewritten network.Parameters

            let slots = Optimizer.Slots.from state.Optimizer network.Parameters

            let buffers =
                Array.init 2 (fun _ ->
                    let slots = Optimizer.Slots.like (Lease()) slots
                    { Slots = slots; Parameters = List.ofArray slots.Parameters; States = Arena<'T>() })

            let step pictures (order: int[]) (labels: int[]) rate (point: Point<'T>) first count =
                let t = point.Step
                let picture n = order[n]

                let batch = {
                    Count = count
                    Read = fun workspace from size -> Dataset.read pictures picture workspace (first + from) size
                    Targets = Labels(ReadOnlyMemory(labels, first, count))
                    ClassWeights = settings.ClassWeights
                }

                let found =
                    Sharding.gradient
                        plan
                        fused
                        (dropout.Child(int64 t))
                        point.Slots.Parameters
                        point.Parameters
                        point.State
                        batch

                if not (Double.IsFinite found.Loss) then
                    let x = batch.Read (FreshWorkspace<'T>()) 0 count
                    TrainingChecks.raiseNonFinite backend layer point.Parameters point.State x (t + 1)

                let buffer = buffers[t % 2]

                Optimizer.updateInto
                    buffer.Slots
                    backend
                    settings.Optimizer
                    plan.Chunks
                    rate
                    (t + 1)
                    point.Slots
                    found.Gradient

                buffer.States.Reset()

                let next = {
                    point with
                        Step = t + 1
                        Slots = buffer.Slots
                        Parameters = buffer.Parameters
                        State = List.map buffer.States.Keep found.State
                }

                Sharding.finish plan
                next, found.Loss, found.Correct

            let epoch (number, start: Point<'T>) =
                let turn = shuffle.Child(int64 number)
                let order = turn.Permutation dataset.Count
                let labels = order |> Array.map (fun i -> dataset.LabelMemory.Span[i])
                let pictures = dataset.Augment(settings.Augmentation, augmentation.Child(int64 number))

                // The rate at batch b of the epoch, the schedule's clock running within the epoch too.
                let rateAt b =
                    let time = float (number - 1) + float b / float batches.Length
                    settings.Optimizer.LearningRate * settings.Optimizer.Schedule.Factor time * start.Watch.Factor

                let rec run point tally =
                    if tally.Batches = batches.Length then
                        Some(point, tally)
                    elif settings.Cancellation.IsCancellationRequested then
                        None
                    else
                        let struct (first, count) = batches[tally.Batches]
                        let point, value, correct = step pictures order labels (rateAt tally.Batches) point first count

                        let tally = {
                            Batches = tally.Batches + 1
                            Samples = tally.Samples + count
                            // A mean counts as often as its batch has samples.
                            Loss =
                                tally.Loss + (if fused.Reduction = Reduction.Mean then value * float count else value)
                            Correct = tally.Correct + correct
                        }

                        settings.OnBatch {
                            Epoch = number
                            Batch = tally.Batches
                            Batches = batches.Length
                            Samples = tally.Samples
                            Loss = tally.Loss / float tally.Samples
                            Accuracy = float tally.Correct / float tally.Samples
                        }

                        run point tally

                let none = { Batches = 0; Samples = 0; Loss = 0.0; Correct = 0 }

                run start none
                |> Option.map (fun (point, tally) ->
                    let own = List.map Tensor.copy

                    let trained = { network with Parameters = own point.Parameters; State = own point.State }

                    TrainingChecks.refuseNonFinite trained point.Step

                    let validation =
                        settings.Validation |> Option.map (Prediction.evaluate backend settings.Loss trained)

                    let trainingLoss = tally.Loss / float samples

                    let watched =
                        match validation with
                        | Some evaluation -> evaluation.Loss
                        | None -> trainingLoss

                    let watch =
                        match settings.Plateau with
                        | Some plateau -> follow plateau settings.Optimizer.LearningRate point.Watch watched
                        | None -> point.Watch

                    let optimizer = Optimizer.Slots.state point.Step point.Slots

                    let state = {
                        Network = trained
                        Optimizer = { optimizer with Moments = own optimizer.Moments; Squares = own optimizer.Squares }
                        Plateau = watch
                        Result = {
                            Epoch = number
                            Loss = trainingLoss
                            Accuracy = float tally.Correct / float samples
                            LearningRate = rateAt (batches.Length - 1)
                            Validation = Option.toObj validation
                        }
                    }

                    state, (number + 1, { point with Watch = watch }))

            let start = {
                Step = state.Optimizer.Step
                Slots = slots
                Parameters = network.Parameters
                State = network.State
                Watch = state.Plateau
            }

            Seq.unfold epoch (state.Result.Epoch + 1, start)

        Seq.delay train

    /// <summary>The states after epochs 1, 2, 3, …, without end: <c>resume</c> from the start.</summary>
    /// <exception cref="T:System.ArgumentException">The data do not fit the network; before any work.</exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let epochs backend settings dataset (network: Network<'T>) =
        resume backend settings dataset (start settings network)

    /// <summary>The state after a number of epochs; after the last finished one where training is cancelled.</summary>
    /// <remarks>Its <c>Result.Epoch</c> tells how many were finished.</remarks>
    let run backend settings (count: int) dataset (network: Network<'T>) =
        epochs backend settings dataset network
        |> Seq.truncate count
        |> Seq.fold (fun _ state -> state) (start settings network)
