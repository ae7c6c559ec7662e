namespace Cnn.FSharp

open System
open System.Globalization
open System.IO
open System.Security.Cryptography
open System.Text
open Cnn

/// <summary>What a file of trials holds.</summary>
/// <remarks>Immutable.</remarks>
[<NoComparison>]
type SearchRecord = {
    /// <summary>What decides the numbers of the search, in words: the same settings, the same bits.</summary>
    Settings: Map<string, string>
    /// <summary>In the order in which they finished.</summary>
    Trials: SearchTrial list
    /// <summary>Bytes of the whole lines; what follows them was torn off.</summary>
    Length: int
}

/// <summary>Finished trials in a file, so that a search that was broken off goes on where it was.</summary>
/// <remarks>
/// The file <c>trials.jsonl</c> of a folder holds a JSON object a line: the settings of the search, then a trial each. A line
/// is appended with its end in one piece and flushed to disk before the search goes on; a last line without its end was
/// torn by a crash, and is dropped.
/// </remarks>
[<RequireQualifiedAccess>]
module SearchLog =

    /// <summary>The name of the file.</summary>
    [<Literal>]
    let FileName = "trials.jsonl"

    [<Literal>]
    let private Version = 1

    [<Literal>]
    let private MostLayers = 2000

    [<Literal>]
    let private LineEnd = 10uy

    /// How many candidates, a fingerprint of all of them, and the values in their order.
    let private summary (candidates: Candidate list) =
        let text (x: float) = x.ToString("R", CultureInfo.InvariantCulture)
        let line (c: Candidate) = text c.LearningRate + " " + text c.L2 + " " + c.Sizes
        let lines = candidates |> List.map line |> List.sort
        let hash = SHA256.HashData(Encoding.UTF8.GetBytes(String.Join('\n', lines)))

        let values name (value: Candidate -> string) =
            name + " " + String.Join(", ", candidates |> List.map value |> List.distinct)

        [
            values "learning rates" (fun c -> Words.number c.LearningRate)
            values "l2" (fun c -> Words.number c.L2)
            values "layers" (fun c -> c.Sizes)
        ]
        |> String.concat "; "
        |> fun words -> string candidates.Length + " (" + (Convert.ToHexStringLower hash)[..11] + "): " + words

    /// <summary>In words, all that decides the numbers of a search: task, candidates and kernels.</summary>
    let describe (kernels: IKernels<'T>) (task: SearchTask) (candidates: Candidate list) =
        let settings = {
            task.Settings with
                Optimizer = task.Settings.Optimizer.WithLearningRate(0.0).WithL2 0.0
                Validation = Some task.Validation
        }

        let layer: Layer<'T> = Layers.ofSpecs task.Specs
        let network = Network.create (Key.ofSeed task.Settings.Seed) task.Input layer

        Checkpoint.describe settings None task.Train network
        // They follow from network and seed, whose names say more.
        |> Map.remove "first weights"
        |> Map.add "number of epochs" (string task.Epochs)
        |> Map.add "instruction set" kernels.InstructionSet
        |> Map.add "set of candidates" (summary candidates)

    let private header (settings: Map<string, string>) =
        Json.write (fun writer ->
            writer.WriteStartObject()
            writer.WriteNumber("version", Version)
            writer.WritePropertyName "settings"
            Checkpoint.writeSettings settings writer
            writer.WriteEndObject())

    let private line (trial: SearchTrial) =
        Json.write (fun writer ->
            writer.WriteStartObject()
            Json.writeNumber writer "learning_rate" trial.Candidate.LearningRate
            Json.writeNumber writer "l2" trial.Candidate.L2
            Json.writeWholes writer "layers" trial.Candidate.Layers
            Json.writeNumber writer "training_loss" trial.TrainingLoss
            Json.writeNumber writer "loss" trial.Loss
            Json.writeNumber writer "accuracy" trial.Accuracy
            writer.WriteEndObject())

    let private bytesOf text = Encoding.UTF8.GetBytes(text + "\n")

    /// <summary>The bytes of a file: <c>read ∘ write</c> is the identity.</summary>
    let write (settings: Map<string, string>) (trials: SearchTrial list) =
        header settings :: List.map line trials |> List.map bytesOf |> Array.concat

    let private readTrial json : SearchTrial =
        let number name =
            let value = Json.get name json
            let x = Json.number value

            if x >= 0.0 then
                x
            else
                Json.refuse value "a number of 0 or more" (Words.number x)

        {
            Candidate = {
                LearningRate = number "learning_rate"
                L2 = number "l2"
                Layers = Json.get "layers" json |> Json.items MostLayers |> List.map (Json.atLeast 1)
            }
            TrainingLoss = number "training_loss"
            Loss = number "loss"
            Accuracy = number "accuracy"
        }

    /// <summary>What the bytes of a file hold; none where not even the first line is whole.</summary>
    /// <param name="file">Used in messages only.</param>
    /// <param name="bytes">The whole file, its last line torn perhaps.</param>
    /// <exception cref="T:Cnn.DataFormatException">A whole line is no trial of such a file, or the file of a newer format.</exception>
    let read (file: string) (bytes: ReadOnlyMemory<byte>) : SearchRecord option =
        let lines =
            0
            |> List.unfold (fun first ->
                match bytes.Span.Slice(first).IndexOf(LineEnd) with
                | -1 -> None
                | length ->
                    let text = Encoding.UTF8.GetString(bytes.Span.Slice(first, length))
                    Some((int64 first, text), first + length + 1))

        match lines with
        | [] -> None
        | (_, first) :: rest ->
            let json = Json.parse file 0L "search" first
            let version = Json.get "version" json

            if Json.whole version <> Version then
                Json.refuse version (string Version) (string (Json.whole version))

            Some {
                Settings = Checkpoint.readSettings (Json.get "settings" json)
                Trials = rest |> List.map (fun (offset, text) -> readTrial (Json.parse file offset "trial" text))
                Length = bytes.Span.LastIndexOf(LineEnd) + 1
            }

    /// <summary><c>Search.run</c>, its trials kept in a folder: those that are there are not run again.</summary>
    /// <param name="folder">Made where there is none; its file is this search's alone while it runs.</param>
    /// <param name="scheduler">Spreads the candidates.</param>
    /// <param name="kernels">What computes.</param>
    /// <param name="task">What the candidates share: as before, where the search goes on.</param>
    /// <param name="onTrial">Told of each new trial, once it is on disk, and how many of the candidates are finished.</param>
    /// <param name="candidates">What is tried: as before, where the search goes on.</param>
    /// <exception cref="T:System.ArgumentException">The folder holds another search; or a candidate does not fit.</exception>
    /// <exception cref="T:Cnn.DataFormatException">The file in the folder is none of trials.</exception>
    /// <exception cref="T:System.IO.IOException">The file cannot be read or written, or another search is at it.</exception>
    let run
        (folder: string)
        (scheduler: IScheduler)
        (kernels: IKernels<'T>)
        (task: SearchTask)
        (onTrial: int -> SearchTrial -> unit)
        (candidates: Candidate list)
        : SearchTrial list =
        Search.requireFit task candidates
        let settings = describe kernels task candidates
        Directory.CreateDirectory folder |> ignore
        let path = Path.Combine(folder, FileName)
        use stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 0)
        let bytes = Array.zeroCreate<byte>(int (min stream.Length (int64 Array.MaxLength)))
        stream.ReadExactly(Span bytes)

        let length = ref 0L

        // What a write that failed half-way has left is written over, so that only a last line can be torn.
        let append text =
            let line = bytesOf text
            stream.Position <- length.Value
            stream.Write(ReadOnlySpan line)
            stream.Flush true
            length.Value <- length.Value + int64 line.Length

        let keep (whole: int) =
            stream.SetLength(int64 whole)
            length.Value <- int64 whole

        let known =
            match read path (ReadOnlyMemory bytes) with
            | Some record ->
                Checkpoint.requireSame path record.Settings settings
                keep record.Length
                record.Trials
            | None ->
                keep 0
                append (header settings)
                []

        let note finished trial =
            append (line trial)
            onTrial finished trial

        Search.run scheduler (Search.attempt kernels task) known note candidates
