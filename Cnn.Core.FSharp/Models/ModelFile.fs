namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.IO
open System.Numerics
open Cnn

/// <summary>How a network was trained: for the record.</summary>
[<NoEquality; NoComparison>]
type TrainingRecord = {
    /// <summary>Decided shuffling and dropout.</summary>
    Seed: int
    /// <summary>The epoch that the weights are of, from 1.</summary>
    Epoch: int
    /// <summary>What each epoch came to, the first one first.</summary>
    History: EpochResult list
    /// <summary><c>Dataset.hash</c> of the pictures that it learned from.</summary>
    DataHash: string
}

/// <summary>A network with all that it takes to use it, and where it comes from.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type SavedModel<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>Layers, weights and statistics.</summary>
    Network: Network<'T>
    /// <summary>A name for each output, and for both sides of a single one.</summary>
    ClassNames: IReadOnlyList<string>
    /// <summary>What is done to raw pictures before the network sees them: <c>Dataset.prepare</c> does what is left of it.</summary>
    Preprocessing: Preprocessing
    /// <summary>Of the first weights, where it is known.</summary>
    Seed: int option
    /// <summary>The last training, if there was one.</summary>
    Training: TrainingRecord option
    /// <summary>Version of the library that wrote the file, or of this one.</summary>
    LibraryVersion: string
} with

    /// Names for all outputs: a network may tell more classes apart than have names.
    static member internal Names(network: Network<'T>, names: string seq) : IReadOnlyList<string> =
        let outputs = max 2 (Network.output network).Size
        let known = Array.ofSeq names
        Array.init (max outputs known.Length) (fun c -> if c < known.Length then known[c] else string c)

    /// <summary>The same after a training on pictures of such classes.</summary>
    member this.After(classNames: string seq, training: TrainingRecord, network: Network<'T>) = {
        this with
            Network = network
            ClassNames = SavedModel.Names(network, classNames)
            Training = Some training
    }

    /// <summary>The same with another network of the same outputs.</summary>
    member this.With(network: Network<'T>) = { this with Network = network }

    /// <summary>The same about to learn from pictures: where it has no preprocessing, with what was done to them.</summary>
    member this.For(dataset: Dataset) =
        if this.Preprocessing.Steps.IsEmpty then
            { this with Preprocessing = Preprocessing dataset.Steps }
        else
            this

    /// <summary>The same with another preprocessing.</summary>
    member this.With(preprocessing: Preprocessing) = { this with Preprocessing = preprocessing }

/// <summary>Networks in files that hold all: layers, weights, statistics, class names, preprocessing and history.</summary>
/// <remarks>
/// A safetensors file, so Python's readers open the weights: conv2d/kernel, batch_normalization/moving_mean, …, each laid
/// out as in Keras. The rest is text of its metadata. <c>read</c> and <c>write</c> are pure; docs/decisions tells the format.
/// </remarks>
[<RequireQualifiedAccess>]
module ModelFile =

    /// The format that is written; older ones are read.
    [<Literal>]
    let internal Version = 1

    [<Literal>]
    let private VersionKey = "cnn_format"

    [<Literal>]
    let private LibraryKey = "cnn_version"

    [<Literal>]
    let private ArchitectureKey = "architecture"

    [<Literal>]
    let private DescriptionKey = "description"

    /// Where it is there, training goes on from the file, and more arrays stand beside those of the model.
    [<Literal>]
    let internal CheckpointKey = "checkpoint"

    /// Offset of the header, where all the texts are.
    [<Literal>]
    let internal HeaderOffset = 8L

    let private libraryVersion =
        match typeof<Shape>.Assembly.GetName().Version with
        | null -> "unknown"
        | version -> version.ToString 3

    /// <summary>A network with names of its classes; outputs without one are called by their number.</summary>
    /// <param name="seed">Of its first weights.</param>
    /// <param name="classNames">In the order of the outputs.</param>
    /// <param name="network">The network.</param>
    let create (seed: int option) (classNames: string seq) (network: Network<'T>) : SavedModel<'T> = {
        Network = network
        ClassNames = SavedModel.Names(network, classNames)
        Preprocessing = Preprocessing.Identity
        Seed = seed
        Training = None
        LibraryVersion = libraryVersion
    }

    let private describe (model: SavedModel<'T>) =
        Json.write (fun writer ->
            writer.WriteStartObject()
            Json.writeList writer "class_names" (fun (name: string) -> writer.WriteStringValue name) model.ClassNames
            writer.WritePropertyName "preprocessing"
            Preprocessing.write writer model.Preprocessing
            model.Seed |> Option.iter (fun seed -> writer.WriteNumber("seed", seed))

            match model.Training with
            | None -> ()
            | Some training ->
                writer.WriteStartObject "training"
                writer.WriteNumber("seed", training.Seed)
                writer.WriteNumber("epoch", training.Epoch)
                writer.WriteString("data_hash", training.DataHash)
                HistoryJson.write writer training.History
                writer.WriteEndObject()

            writer.WriteEndObject())

    /// The layers and the shape of the input as text.
    let internal architecture (network: Network<'T>) = ArchitectureJson.write network.Input (Layer.specs network.Layer)

    /// The texts and arrays of a model's file.
    let internal pack (model: SavedModel<'T>) : Map<string, string> * NamedArray list =
        // First, since it refuses what cannot be saved.
        let architecture = architecture model.Network

        let texts =
            Map [
                VersionKey, string Version
                LibraryKey, libraryVersion
                ArchitectureKey, architecture
                DescriptionKey, describe model
            ]

        texts, Weights.named model.Network |> List.map (fun (name, tensor) -> NamedArray.ofTensor name tensor)

    let private refuse file expected found : 'R = raise (DataFormatException(file, HeaderOffset, expected, found))

    /// The text of a key.
    let internal textOf file (contents: SafetensorsFile) key =
        match contents.Metadata.TryFind key with
        | Some text -> text
        | None -> refuse file ("the text " + key + " in __metadata__") "none"

    let private checkVersion file (contents: SafetensorsFile) =
        match contents.Metadata.TryFind VersionKey with
        | None ->
            refuse
                file
                "a model that this library saved"
                "a safetensors file of another origin: build the network and import the weights by name"
        | Some text ->
            match Int32.TryParse(text, Globalization.NumberStyles.None, Globalization.CultureInfo.InvariantCulture) with
            | true, version when version >= 1 && version <= Version -> ()
            | true, version when version > Version ->
                let writer = contents.Metadata.TryFind LibraryKey |> Option.defaultValue "unknown"

                refuse
                    file
                    ("model format " + string Version + " or older")
                    ("format " + text + ", written by version " + writer + " of the library: update the library")
            | _ -> refuse file "the number of a model format" text

    /// A tensor of the precision that the file's weights have, or of another, and of the shape that the layers ask for.
    let private tensorOf file (array: NamedArray) shape : Tensor<'T> =
        if array.Shape <> shape then
            raise (
                DataFormatException(
                    file,
                    array.Offset,
                    "shape " + string shape + " of " + array.Name,
                    string array.Shape
                )
            )

        match array.Type with
        | ElementType.Float32
        | ElementType.Float64 -> NamedArray.toTensor file array
        | other ->
            let found = "elements of type " + string (Enum.GetName other)
            raise (DataFormatException(file, array.Offset, "numbers of 32 or 64 bits in " + array.Name, found))

    /// The array of a name as a tensor of a shape.
    let internal find file (arrays: IReadOnlyDictionary<string, NamedArray>) name shape : Tensor<'T> =
        match arrays.TryGetValue name with
        | true, array -> tensorOf file array shape
        | _ -> refuse file ("the array " + name) "none of that name"

    /// The layers with the tensors of their names behind a prefix.
    let internal network file arrays prefix input (layer: Layer<'T>) =
        Weights.assemble input layer (fun name shape -> find file arrays (prefix + name) shape)

    /// Arrays by name.
    let internal byName (contents: SafetensorsFile) : IReadOnlyDictionary<string, NamedArray> =
        Dictionary(contents.Arrays |> Seq.map (fun array -> KeyValuePair(array.Name, array)))

    /// The model in the contents of a file; arrays that it does not use are for the caller to judge.
    let internal unpackFrom file (contents: SafetensorsFile) arrays : SavedModel<'T> =
        checkVersion file contents
        let text = textOf file contents
        let architecture = Json.parse file HeaderOffset ArchitectureKey (text ArchitectureKey)
        let input, layer = ArchitectureJson.read architecture
        let network = network file arrays "" input layer
        let description = text DescriptionKey
        let json = Json.parse file HeaderOffset DescriptionKey description

        let training json : TrainingRecord = {
            Seed = Json.whole (Json.get "seed" json)
            Epoch = Json.atLeast 0 (Json.get "epoch" json)
            History = HistoryJson.read description json
            DataHash = Json.text (Json.get "data_hash" json)
        }

        {
            Network = network
            ClassNames =
                SavedModel.Names(network, Json.get "class_names" json |> Json.items Int32.MaxValue |> Seq.map Json.text)
            Preprocessing = Preprocessing.read file HeaderOffset (Json.get "preprocessing" json).Element
            Seed = Json.tryGet "seed" json |> Option.map Json.whole
            Training = Json.tryGet "training" json |> Option.map training
            LibraryVersion = text LibraryKey
        }

    /// <summary>Whether the weights in a file are of 64 bits.</summary>
    let isDouble (contents: SafetensorsFile) =
        contents.Arrays |> List.exists (fun array -> array.Type = ElementType.Float64)

    /// <summary>The model in the contents of a safetensors file; its numbers are rounded where it holds more exact ones.</summary>
    /// <remarks>Of a checkpoint, the network after its last epoch.</remarks>
    /// <exception cref="T:Cnn.DataFormatException">The contents are no model, or of a newer format.</exception>
    let unpack (file: string) (contents: SafetensorsFile) : SavedModel<'T> =
        let arrays = byName contents
        let model = unpackFrom file contents arrays
        let used = Weights.shapes model.Network.Input model.Network.Layer |> Seq.map fst |> HashSet

        let isCheckpoint = contents.Metadata.ContainsKey CheckpointKey

        match contents.Arrays |> List.tryFind (fun array -> not (isCheckpoint || used.Contains array.Name)) with
        | Some array -> raise (DataFormatException(file, array.Offset, "an array of a layer of the model", array.Name))
        | None -> model

    /// <summary>The model in the bytes of a file; its numbers are rounded where the file holds more exact ones.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no model, or of a newer format.</exception>
    let read (file: string) (bytes: ReadOnlyMemory<byte>) : SavedModel<'T> = unpack file (Safetensors.read file bytes)

    /// <summary>The bytes of a file: <c>read ∘ write</c> is the identity, bit by bit.</summary>
    /// <exception cref="T:System.ArgumentException">A layer is of a user's own, or the file would exceed 2 GiB.</exception>
    let write (model: SavedModel<'T>) : byte[] = pack model ||> Safetensors.write

    /// <summary>Writes a file: beside it first, then in its place, so that it is there as a whole or not at all.</summary>
    /// <exception cref="T:System.ArgumentException">A layer is of a user's own, or the file would exceed 2 GiB.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be written.</exception>
    let save (path: string) (model: SavedModel<'T>) = AtomicFile.write path (ReadOnlySpan(write model))

    /// <summary>The model in a file.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The file is no model, or of a newer format.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be read.</exception>
    let load (path: string) : SavedModel<'T> = read path (ReadOnlyMemory(File.ReadAllBytes path))
