namespace Cnn.FSharp

open System
open System.Text.Json
open Cnn

/// Results of epochs as JSON; a confusion matrix as its classes and the row, column and count of what is not 0.
[<RequireQualifiedAccess>]
module internal HistoryJson =

    [<Literal>]
    let private MostEpochs = 1_000_000

    /// Larger matrices are left out: they would outgrow the weights.
    [<Literal>]
    let private MostClasses = 1024

    /// Cells that a text of a length may ask for in all its matrices together: names alone take 3 bytes a class.
    let private mostCells (text: string) = min (1L <<< 28) ((1L <<< 22) + 512L * int64 text.Length)

    let private writeMatrix (writer: Utf8JsonWriter) (matrix: ConfusionMatrix) =
        let classes = matrix.ClassCount

        if classes <= MostClasses then
            Json.writeList writer "classes" (fun (name: string) -> writer.WriteStringValue name) matrix.ClassNames

            Json.writeWholes writer "confusion" [
                for row in 0 .. classes - 1 do
                    for column in 0 .. classes - 1 do
                        if matrix[row, column] <> 0 then
                            yield! [ row; column; matrix[row, column] ]
            ]

    let private writeEpoch (writer: Utf8JsonWriter) (result: EpochResult) =
        writer.WriteStartObject()
        writer.WriteNumber("epoch", result.Epoch)
        Json.writeNumber writer "loss" result.Loss
        Json.writeNumber writer "accuracy" result.Accuracy
        Json.writeNumber writer "learning_rate" result.LearningRate

        match result.Validation with
        | null -> ()
        | validation ->
            writer.WriteStartObject "validation"
            Json.writeNumber writer "loss" validation.Loss
            Json.writeNumber writer "accuracy" validation.Accuracy
            writeMatrix writer validation.ConfusionMatrix
            writer.WriteEndObject()

        writer.WriteEndObject()

    /// A member with the results, the first epoch first.
    let write (writer: Utf8JsonWriter) (history: EpochResult list) =
        Json.writeList writer "history" (writeEpoch writer) history

    let private readMatrix (cells: int64 ref) json =
        match Json.tryGet "classes" json with
        | None -> ConfusionMatrix(Array2D.zeroCreate 0 0, [||])
        | Some classes ->
            let names = classes |> Json.items MostClasses |> List.map Json.text |> Array.ofList
            cells.Value <- cells.Value - int64 names.Length * int64 names.Length

            if cells.Value < 0L then
                Json.refuse classes "matrices that the file's length allows" "more cells"

            let counts = Array2D.zeroCreate names.Length names.Length
            let entries = Json.get "confusion" json

            for entry in entries |> Json.items Int32.MaxValue |> List.map (Json.atLeast 0) |> List.chunkBySize 3 do
                match entry with
                | [ row; column; count ] when row < names.Length && column < names.Length ->
                    counts[row, column] <- count
                | _ -> Json.refuse entries "row, column and count of each entry" "something else"

            ConfusionMatrix(counts, names)

    let private readEpoch cells json : EpochResult = {
        Epoch = Json.atLeast 1 (Json.get "epoch" json)
        Loss = Json.number (Json.get "loss" json)
        Accuracy = Json.number (Json.get "accuracy" json)
        LearningRate = Json.number (Json.get "learning_rate" json)
        Validation =
            match Json.tryGet "validation" json with
            | None -> null
            | Some validation -> {
                Loss = Json.number (Json.get "loss" validation)
                Accuracy = Json.number (Json.get "accuracy" validation)
                ConfusionMatrix = readMatrix cells validation
              }
    }

    /// The results in the member of an object whose text is given.
    let read (text: string) json =
        let cells = ref (mostCells text)
        Json.get "history" json |> Json.items MostEpochs |> List.map (readEpoch cells)
