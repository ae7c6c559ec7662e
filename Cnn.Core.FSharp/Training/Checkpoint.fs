namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Globalization
open System.IO
open System.Numerics
open System.Text.Json
open Cnn

/// <summary>Training that was put aside after an epoch, to be taken up again.</summary>
/// <remarks>Immutable.</remarks>
[<NoEquality; NoComparison>]
type Checkpoint<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The network after the last epoch, with class names and preprocessing.</summary>
    Model: SavedModel<'T>
    /// <summary>Where to go on.</summary>
    State: FittingState<'T>
    /// <summary>What decides the numbers of the training, in words: the same settings, the same bits.</summary>
    Settings: Map<string, string>
}

/// <summary>What is put aside after each epoch so that training can be taken up again, after a crash too.</summary>
/// <remarks>
/// A file is a model of <c>ModelFile</c>, and so opens as one, with the optimiser's slots and the best weights beside its
/// own, and the counters as text. A folder holds the last two; each is written beside its place, flushed to disk and
/// renamed, so that a process that is killed at any moment leaves one that can be read.
/// </remarks>
[<RequireQualifiedAccess>]
module Checkpoint =

    [<Literal>]
    let private SettingsKey = "settings"

    [<Literal>]
    let private MomentPrefix = "optimizer/moment/"

    [<Literal>]
    let private SquarePrefix = "optimizer/square/"

    [<Literal>]
    let private BestPrefix = "best/"

    /// Files that a folder keeps.
    [<Literal>]
    let private Kept = 2

    let private text (x: float) = x.ToString("R", CultureInfo.InvariantCulture)

    let private optimizerText (optimizer: Optimizer) =
        let data = optimizer.Data

        [
            string (Enum.GetName data.Kind)
            "rate " + text data.Rate
            "decays " + text data.Decay1 + " and " + text data.Decay2
            "epsilon " + text data.Epsilon
            "weight decay " + text data.WeightDecay
            "L1 " + text data.L1
            "L2 " + text data.L2
            "clip norm " + text data.ClipNorm
            "clip value " + text data.ClipValue
            "schedule " + string data.Schedule
        ]
        |> String.concat ", "

    let private plateauText (plateau: Plateau) =
        [
            "factor " + text plateau.Factor
            "patience " + string plateau.Patience
            "least improvement " + text plateau.MinDelta
            "cooldown " + string plateau.Cooldown
            "lowest rate " + text plateau.MinRate
        ]
        |> String.concat ", "

    let private stoppingText (rule: EarlyStopping) =
        "patience " + string rule.Patience + ", least improvement " + text rule.MinDelta

    let private orNone describe value = value |> Option.map describe |> Option.defaultValue "none"

    /// <summary>In words, all that decides the numbers of a training, but for the number of epochs.</summary>
    /// <param name="settings">How it trains.</param>
    /// <param name="stopping">When it stops early.</param>
    /// <param name="dataset">What it learns from.</param>
    /// <param name="network">At the start.</param>
    let describe
        (settings: TrainingSettings)
        (stopping: EarlyStopping option)
        (dataset: Dataset)
        (network: Network<'T>)
        =
        Map [
            "network", ModelFile.architecture network
            "precision", string (Enum.GetName NamedArray.typeOf<'T>)
            "first weights", Network.weightHash network
            "training set", Dataset.hash dataset
            "validation set", orNone Dataset.hash settings.Validation
            "optimizer", optimizerText settings.Optimizer
            "loss", orNone (fun (loss: Loss) -> string loss) settings.Loss
            "batch size", string settings.BatchSize
            "drop last", (if settings.DropLast then "yes" else "no")
            "seed", string settings.Seed
            "augmentation", settings.Augmentation.Describe text
            "class weights",
            orNone (fun (weights: float[]) -> String.Join(", ", Array.map text weights)) settings.ClassWeights
            "plateau", orNone plateauText settings.Plateau
            "early stopping", orNone stoppingText stopping
        ]

    let private prefixed prefix arrays =
        arrays |> List.map (fun (name, tensor: Tensor<'T>) -> NamedArray.ofTensor (prefix + name) tensor)

    /// Names of θ with the slots, where the rule has any.
    let private slots prefix names (tensors: Parameters<'T>) =
        if tensors.IsEmpty then [] else prefixed prefix (List.zip names tensors)

    let private writeState (state: FittingState<'T>) =
        Json.write (fun writer ->
            let plateau = state.Last.Plateau
            writer.WriteStartObject()
            writer.WriteNumber("step", state.Last.Optimizer.Step)
            writer.WriteNumber("best_epoch", state.BestEpoch)
            Json.writeNumber writer "best_loss" state.BestLoss
            writer.WriteStartObject "plateau"
            Json.writeNumber writer "best" plateau.Best
            writer.WriteNumber("waited", plateau.Waited)
            writer.WriteNumber("cooling", plateau.Cooling)
            Json.writeNumber writer "factor" plateau.Factor
            writer.WriteEndObject()
            writer.WriteEndObject())

    /// An object of texts.
    let internal writeSettings (settings: Map<string, string>) (writer: Utf8JsonWriter) =
        writer.WriteStartObject()
        settings |> Map.iter (fun (name: string) (value: string) -> writer.WriteString(name, value))
        writer.WriteEndObject()

    /// <summary>The bytes of a file: <c>read ∘ write</c> is the identity, bit by bit, after one epoch or more.</summary>
    /// <exception cref="T:System.ArgumentException">No epoch is done, or a layer is of a user's own.</exception>
    let write (checkpoint: Checkpoint<'T>) : byte[] =
        let state = checkpoint.State
        let network = state.Last.Network

        match checkpoint.Model.Training with
        | Some training when not state.History.IsEmpty ->
            let model = {
                checkpoint.Model with
                    Network = network
                    Training = Some { training with Epoch = state.History.Length; History = state.History }
            }

            let texts, arrays = ModelFile.pack model
            let names = Weights.parameterNames network

            Safetensors.write
                (texts
                 |> Map.add ModelFile.CheckpointKey (writeState state)
                 |> Map.add SettingsKey (Json.write (writeSettings checkpoint.Settings)))
                (arrays
                 @ slots MomentPrefix names state.Last.Optimizer.Moments
                 @ slots SquarePrefix names state.Last.Optimizer.Squares
                 @ (if state.BestEpoch = state.History.Length then
                        []
                    else
                        prefixed BestPrefix (Weights.named state.Best)))
        | _ -> raise (ArgumentException("There is nothing to put aside before the first epoch.", nameof checkpoint))

    let private readPlateau json : PlateauState = {
        Best = Json.number (Json.get "best" json)
        Waited = Json.atLeast 0 (Json.get "waited" json)
        Cooling = Json.atLeast 0 (Json.get "cooling" json)
        Factor = Json.number (Json.get "factor" json)
    }

    /// The texts of an object.
    let internal readSettings json =
        if json.Element.ValueKind <> JsonValueKind.Object then
            Json.refuse json "an object of texts" "another value"

        Map [
            for setting in json.Element.EnumerateObject() ->
                setting.Name, Json.text { json with Path = json.Path + "." + setting.Name; Element = setting.Value }
        ]

    /// <summary>The checkpoint in the bytes of a file.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no checkpoint of this precision, or of a newer format.</exception>
    let read (file: string) (bytes: ReadOnlyMemory<byte>) : Checkpoint<'T> =
        let contents = Safetensors.read file bytes
        let arrays = ModelFile.byName contents
        let model: SavedModel<'T> = ModelFile.unpackFrom file contents arrays
        let network = model.Network
        let refuse expected found = raise (DataFormatException(file, ModelFile.HeaderOffset, expected, found))

        for array in contents.Arrays do
            if array.Type <> NamedArray.typeOf<'T> then
                let expected = string (Enum.GetName NamedArray.typeOf<'T>) + " in " + array.Name
                raise (DataFormatException(file, array.Offset, expected, string (Enum.GetName array.Type)))

        let json =
            Json.parse
                file
                ModelFile.HeaderOffset
                ModelFile.CheckpointKey
                (ModelFile.textOf file contents ModelFile.CheckpointKey)

        let training =
            match model.Training with
            | Some training when not training.History.IsEmpty -> training
            | _ -> refuse "the history of a training" "none"

        let done' = training.History.Length

        training.History
        |> List.iteri (fun i result ->
            if result.Epoch <> i + 1 then
                refuse ("epoch " + string (i + 1)) ("epoch " + string result.Epoch))

        let slots prefix : Parameters<'T> =
            if arrays.Keys |> Seq.exists (fun name -> name.StartsWith(prefix, StringComparison.Ordinal)) then
                List.map2
                    (fun name (θ: Tensor<'T>) -> ModelFile.find file arrays (prefix + name) θ.Shape)
                    (Weights.parameterNames network)
                    network.Parameters
            else
                []

        let bestEpoch = Json.atLeast 0 (Json.get "best_epoch" json)

        if bestEpoch > done' then
            refuse ("a best epoch of at most " + string done') (string bestEpoch)

        {
            Model = model
            Settings =
                ModelFile.textOf file contents SettingsKey
                |> Json.parse file ModelFile.HeaderOffset SettingsKey
                |> readSettings
            State = {
                Last = {
                    Network = network
                    Optimizer = {
                        Step = Json.atLeast 0 (Json.get "step" json)
                        Moments = slots MomentPrefix
                        Squares = slots SquarePrefix
                    }
                    Plateau = readPlateau (Json.get "plateau" json)
                    Result = List.last training.History
                }
                Best =
                    (if bestEpoch = done' then
                         network
                     else
                         ModelFile.network file arrays BestPrefix network.Input network.Layer)
                BestEpoch = bestEpoch
                BestLoss = Json.number (Json.get "best_loss" json)
                History = training.History
            }
        }

    let private fileName (epoch: int) = "epoch-" + epoch.ToString("D6", CultureInfo.InvariantCulture) + ".safetensors"

    /// Checkpoints of a folder, the latest first.
    let private files folder =
        if Directory.Exists folder then
            Directory.GetFiles(folder, "epoch-*.safetensors")
            |> Array.sortWith (fun a b -> String.CompareOrdinal(b, a))
            |> List.ofArray
        else
            []

    /// <summary>Writes a checkpoint to a folder, which is made where there is none, and keeps the last two.</summary>
    /// <exception cref="T:System.ArgumentException">No epoch is done, or a layer is of a user's own.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be written.</exception>
    let save (folder: string) (checkpoint: Checkpoint<'T>) =
        let bytes = write checkpoint
        Directory.CreateDirectory folder |> ignore
        AtomicFile.write (Path.Combine(folder, fileName checkpoint.State.History.Length)) (ReadOnlySpan bytes)

        for old in files folder |> List.skip (min Kept (files folder).Length) do
            File.Delete old

        // What a process that was killed has left.
        for rest in Directory.GetFiles(folder, AtomicFile.temporaryPrefix "epoch-*.safetensors" + "*") do
            File.Delete rest

    /// <summary>The latest checkpoint of a folder that can be read, and its file; none where there is no file.</summary>
    /// <exception cref="T:Cnn.DataFormatException">None of them can be read; tells what is wrong with the latest.</exception>
    /// <exception cref="T:System.IO.IOException">A file cannot be read.</exception>
    let latest (folder: string) : (string * Checkpoint<'T>) option =
        let rec first (refusal: DataFormatException option) files =
            match files, refusal with
            | [], None -> None
            | [], Some latest -> raise latest
            | file :: older, _ ->
                try
                    Some(file, read file (ReadOnlyMemory(File.ReadAllBytes file)))
                with :? DataFormatException as e ->
                    first (Some(Option.defaultValue e refusal)) older

        first None (files folder)

    /// Refuses to go on with other settings than those that a file was made with.
    let internal requireSame file (made: Map<string, string>) (wanted: Map<string, string>) =
        let cut (text: string) = if text.Length <= 200 then text else text[..199] + "…"
        let value name (settings: Map<string, string>) = settings.TryFind name |> Option.defaultValue "none"

        match Seq.append made.Keys wanted.Keys |> Seq.tryFind (fun name -> value name made <> value name wanted) with
        | None -> ()
        | Some name ->
            raise (
                ArgumentException(
                    file
                    + " was made with another "
                    + name
                    + ": "
                    + cut (value name made)
                    + ", here "
                    + cut (value name wanted)
                    + ". Train with the same settings, or into another folder."
                )
            )

    /// <summary>Trains as <c>Fitting.fit</c>, puts a checkpoint aside after each epoch, and goes on from the latest one.</summary>
    /// <param name="folder">Of the checkpoints.</param>
    /// <param name="isResumed">Whether to go on from the latest checkpoint, if there is one; else there must be none.</param>
    /// <param name="backend">What computes.</param>
    /// <param name="settings">How to train: as before, where training goes on.</param>
    /// <param name="stopping">When to stop early; none: never.</param>
    /// <param name="onEpoch">Called with the state after each epoch, once it is put aside.</param>
    /// <param name="epochs">The most epochs, those that are done included.</param>
    /// <param name="dataset">What to learn from.</param>
    /// <param name="model">What to train, as it was at the start.</param>
    /// <exception cref="T:System.ArgumentException">
    /// The data do not fit the network; the checkpoint was made with other settings; or there is one, and it is not to be used.
    /// </exception>
    /// <exception cref="T:Cnn.DataFormatException">No checkpoint of the folder can be read.</exception>
    /// <exception cref="T:Cnn.NonFiniteException">A NaN or an infinity appeared; names layer and step.</exception>
    let fit
        (folder: string)
        (isResumed: bool)
        (backend: Backend<'T>)
        (settings: TrainingSettings)
        (stopping: EarlyStopping option)
        (onEpoch: FittingState<'T> -> unit)
        epochs
        (dataset: Dataset)
        (model: SavedModel<'T>)
        : Fitted<'T> =
        let described = describe settings stopping dataset model.Network
        // A layer of a user's own is refused now, not after the first epoch.
        ModelFile.architecture model.Network |> ignore

        if not isResumed && not (files folder).IsEmpty then
            raise (
                ArgumentException(
                    "There are checkpoints in " + folder + " already: go on from them, or train into another folder."
                )
            )

        let start =
            match latest folder with
            | None -> Fitting.start settings model.Network
            | Some(file, checkpoint) ->
                requireSame file checkpoint.Settings described
                let state = checkpoint.State
                let fitting (slots: Parameters<'T>) isUsed = slots.IsEmpty <> isUsed || model.Network.Parameters.IsEmpty

                if
                    not (
                        fitting state.Last.Optimizer.Moments settings.Optimizer.UsesMoment
                        && fitting state.Last.Optimizer.Squares settings.Optimizer.UsesSquares
                    )
                then
                    raise (
                        DataFormatException(
                            file,
                            ModelFile.HeaderOffset,
                            "the slots of " + string settings.Optimizer,
                            "others"
                        )
                    )

                state

        let record: TrainingRecord = {
            Seed = settings.Seed
            Epoch = 0
            History = []
            DataHash = described["training set"]
        }

        let trained = model.After(dataset.ClassNames, record, model.Network)

        let putAside (state: FittingState<'T>) =
            save folder { Model = trained.With state.Last.Network; State = state; Settings = described }
            onEpoch state

        Fitting.resume backend settings stopping putAside epochs dataset start
