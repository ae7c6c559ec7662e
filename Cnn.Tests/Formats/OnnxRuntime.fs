/// Microsoft's ONNX Runtime, the judge of what an ONNX file means.
module Cnn.Tests.Formats.OnnxRuntime

open Microsoft.ML.OnnxRuntime
open Cnn.Tests.Formats.OnnxReader

/// The output of a file for an input: each operator as it is written, in float32, on the thread that asks.
let run (file: byte[]) (input: Value) : Value =
    use options =
        new SessionOptions(
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR
        )

    use session = new InferenceSession(file, options)
    use running = new RunOptions()

    use value =
        OrtValue.CreateTensorValueFromMemory(Array.map float32 input.Data, [| for n in input.Dims -> int64 n |])

    use outputs = session.Run(running, session.InputNames, [ value ], session.OutputNames)
    let output = outputs[0]

    {
        Dims = [ for n in output.GetTensorTypeAndShape().Shape -> int n ]
        Data = [| for v in (output.GetTensorDataAsSpan<float32>()).ToArray() -> float v |]
    }
