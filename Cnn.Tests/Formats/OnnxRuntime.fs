/// Microsoft's ONNX Runtime, the judge of what an ONNX file means.
module Cnn.Tests.Formats.OnnxRuntime

open Microsoft.ML.OnnxRuntime

/// Dimensions and values, row-major.
[<NoComparison>]
type Value = { Dims: int list; Data: float[] }

/// What a file says of itself: inputs and outputs with their dimensions, those left open by their names; and its metadata.
[<NoComparison>]
type Told = {
    Inputs: (string * string list) list
    Outputs: (string * string list) list
    Metadata: Map<string, string>
}

/// Whatever it looks for on a machine before the first session, it prints errors alone, and reports nothing.
let private environment =
    lazy
        (let mutable options =
            EnvironmentCreationOptions(logId = "ONNX", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR)

         OrtEnv.CreateInstanceWithOptions(&options).DisableTelemetryEvents())

/// Each operator as it is written, in float32, on the thread that asks.
let private session (file: byte[]) =
    environment.Force()

    use options =
        new SessionOptions(
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR
        )

    new InferenceSession(file, options)

/// The output of a file for an input.
let run (file: byte[]) (input: Value) : Value =
    use session = session file
    use running = new RunOptions()

    use value =
        OrtValue.CreateTensorValueFromMemory(Array.map float32 input.Data, [| for n in input.Dims -> int64 n |])

    use outputs = session.Run(running, session.InputNames, [ value ], session.OutputNames)
    let output = outputs[0]

    {
        Dims = [ for n in output.GetTensorTypeAndShape().Shape -> int n ]
        Data = [| for v in (output.GetTensorDataAsSpan<float32>()).ToArray() -> float v |]
    }

/// What a file says of itself; constants that a caller may replace count as inputs.
let told (file: byte[]) : Told =
    use session = session file

    let values (metadata: (string * NodeMetadata) seq) = [
        for name, value in metadata ->
            name,
            [
                for n, letter in Seq.zip value.Dimensions value.SymbolicDimensions -> if n < 0 then letter else string n
            ]
    ]

    let pairs metadata = Seq.map (|KeyValue|) metadata

    {
        Inputs = values (Seq.append (pairs session.InputMetadata) (pairs session.OverridableInitializerMetadata))
        Outputs = values (pairs session.OutputMetadata)
        Metadata = Map.ofSeq (pairs session.ModelMetadata.CustomMetadataMap)
    }
