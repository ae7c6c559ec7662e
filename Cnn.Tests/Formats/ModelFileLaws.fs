/// Models in files: nothing is lost, and bad bytes are told from good ones.
module Cnn.Tests.Formats.ModelFileLaws

open System
open System.IO
open System.Numerics
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A validation result of so many classes.
let private evaluation seed classes : Evaluation =
    let key = Key.ofSeed seed
    let draw first = Array.init 20 (fun i -> key.Below(classes, int64 (first + i)))

    {
        Loss = key.Uniform 100L / 3.0
        Accuracy = key.Uniform 101L
        ConfusionMatrix = Metrics.confusion [ for c in 1..classes -> "class \"" + string c + "\"" ] (draw 0) (draw 50)
    }

let private result seed epoch : EpochResult = {
    Epoch = epoch
    Loss = if epoch = 2 then nan else float seed / 7.0
    Accuracy = 1.0 / float epoch
    LearningRate = if epoch = 3 then -0.0 else 1e-300
    Validation = if epoch % 2 = 0 then null else evaluation (seed + epoch) (1 + seed % 5)
}

/// The layers of a plan, with weights of any bits, and everything else that a model has.
let private model<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> (plan: Plan) : SavedModel<'T> =
    let network = Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)
    let special: 'T[] = [| 'T.NaN; 'T.NegativeZero; 'T.PositiveInfinity; 'T.Epsilon |]

    // No two tensors are alike, and each has something special.
    let marked first index (t: Tensor<'T>) =
        Tensor.init t.Shape (fun i ->
            if i % 5 = (first + index) % 5 then
                special[(first + index) % special.Length]
            else
                number (float (100 * (first + index) + i) / 7.0))

    let mean = List.replicate 3 0.1

    {
        ModelFile.create (if plan.Count = 2 then None else Some -plan.Seed) [ "käse"; "\"b\"\n" ] network with
            Network = {
                network with
                    Parameters = List.mapi (marked 0) network.Parameters
                    State = List.mapi (marked 50) network.State
            }
            Preprocessing =
                if plan.Seed % 2 = 0 then
                    Preprocessing.Identity
                else
                    Preprocessing.Scale(1.0 / 255.0, -0.1).Then(Preprocessing.Normalize(mean, mean))
            Training =
                if plan.Seed % 3 = 0 then
                    None
                else
                    Some {
                        Seed = plan.Seed
                        Epoch = 2
                        History = [ for epoch in 1..3 -> result plan.Seed epoch ]
                        DataHash = "abc"
                    }
    }

let private bits (tensors: Tensor<'T> list) =
    tensors
    |> List.map (fun t -> string t.Shape, Convert.ToHexString((NamedArray.ofTensor "" t).Data.Span))

let private resultBits (r: EpochResult) =
    let number (x: float) = BitConverter.DoubleToUInt64Bits x

    let validation =
        match r.Validation with
        | null -> None
        | v ->
            let matrix = v.ConfusionMatrix
            Some(number v.Loss, number v.Accuracy, List.ofSeq matrix.ClassNames, string matrix)

    r.Epoch, number r.Loss, number r.Accuracy, number r.LearningRate, validation

let private trainingBits (training: TrainingRecord) =
    training.Seed, training.Epoch, List.map resultBits training.History, training.DataHash

/// Both models have the same of everything.
let private sameModel (expected: SavedModel<'T>) (actual: SavedModel<'T>) =
    all [
        same expected.Network.Input actual.Network.Input
        same (Layer.specs expected.Network.Layer) (Layer.specs actual.Network.Layer)
        same (bits expected.Network.Parameters) (bits actual.Network.Parameters)
        same (bits expected.Network.State) (bits actual.Network.State)
        same (List.ofSeq expected.ClassNames) (List.ofSeq actual.ClassNames)
        same true (expected.Preprocessing.Equals actual.Preprocessing)
        same expected.Seed actual.Seed
        same (expected.Training |> Option.map trainingBits) (actual.Training |> Option.map trainingBits)
        same expected.LibraryVersion actual.LibraryVersion
    ]

let private read<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> (bytes: byte[]) : SavedModel<'T> =
    ModelFile.read "file" (ReadOnlyMemory bytes)

let private plan specs : Plan = { Count = 3; Input = [ 5; 4; 3 ]; Specs = specs; Seed = 7 }

/// One of everything.
let private everything =
    plan [
        LayerSpec.Conv2D {
            Conv2D.Default with
                Filters = 2
                Kernel = Size.Square 2
                Padding = Explicit(1, 0, 1, 0)
                Activation = Activation.LeakyReLU 0.3
                Trainable = false
        }
        BatchNorm BatchNorm.Default
        MaxPool(Pool.Square 2)
        AveragePool { Pool.Square 1 with Padding = Cover }
        Dropout(0.25, DropoutKind.Gaussian)
        Flatten FlattenOrder.ChannelMajor
        LayerSpec.Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
    ]

/// The bytes of a model, its texts changed.
let private changed (change: Map<string, string> -> Map<string, string>) (plan: Plan) =
    let contents = Safetensors.read "file" (ReadOnlyMemory(ModelFile.write (model<float32> plan)))
    Safetensors.write (change contents.Metadata) contents.Arrays

let private refusal bytes = Assert.Throws<DataFormatException>(fun () -> read<float32> bytes |> ignore)

let private inFolder (body: string -> unit) =
    let folder = Path.Combine(Path.GetTempPath(), "cnn-" + Guid.NewGuid().ToString "N")
    Directory.CreateDirectory folder |> ignore

    try
        body folder
    finally
        Directory.Delete(folder, true)

/// Files that earlier versions of the library wrote, and what they hold; Fixtures/write.fsx makes them.
let private fixtures = Path.Combine(AppContext.BaseDirectory, "Formats", "Fixtures")

let tests =
    testList "model files" [
        testProperty "load ∘ save is the identity, bit for bit, in both precisions" (fun (plan: Plan) ->
            let single, double = model<float32> plan, model<float> plan

            all [
                sameModel single (read (ModelFile.write single))
                sameModel double (read (ModelFile.write double))
                same (ModelFile.write double) (ModelFile.write (read<float>(ModelFile.write double)))
            ])

        // Frozen layers and statistics keep the names that Keras gives them; every name stands for one tensor.
        testProperty "names are those of Keras, layer by layer, frozen or not" (fun (plan: Plan) ->
            let network = (model<float> plan).Network
            let frozen = Network.freeze (fun name -> name.Length % 2 = 0) network
            let names network = Weights.named network |> List.map fst
            let rows = Network.summary network

            all [
                same (names network) (names frozen)
                same (names network) (List.distinct (names network))
                same
                    (Weights.named network |> List.map (snd >> _.Shape))
                    (Weights.shapes network.Input network.Layer |> List.map snd)
                same
                    (List.sum [ for row in rows -> row.Parameters ])
                    (List.sum [ for _, tensor in Weights.named network -> tensor.Size ])
                same (bits (List.map snd (Weights.named network))) (bits (List.map snd (Weights.named frozen)))
            ])

        testCase "a small network has the names of Keras" (fun () ->
            let layer: Layer<float32> =
                Layer.sequence [
                    Layers.conv2d 2 3
                    Layers.batchNorm ()
                    Layers.conv2d 2 1
                    Layers.flatten ()
                    Layers.dense 3
                ]

            let network = Network.create (Key.ofSeed 1) (Shape.Of(4, 4, 1)) layer

            Assert.That(
                Weights.named network |> List.map (fun (name, t) -> name + " " + string t.Shape),
                equalTo [
                    "conv2d/kernel 3×3×1×2"
                    "conv2d/bias 2"
                    "batch_normalization/gamma 2"
                    "batch_normalization/beta 2"
                    "batch_normalization/moving_mean 2"
                    "batch_normalization/moving_variance 2"
                    "conv2d_1/kernel 1×1×2×2"
                    "conv2d_1/bias 2"
                    "dense/kernel 8×3"
                    "dense/bias 3"
                ]
            ))

        testCase "a layer of one's own cannot be saved, and saving says so" (fun () ->
            let own: Layer<float> =
                Layer.create "Mine" 0 0 0 id (fun _ _ -> [], []) (fun _ _ s x -> {
                    Output = x
                    State = s
                    Pullback = fun ȳ -> [], ȳ
                })

            let network = Network.create (Key.ofSeed 1) (Shape.Of 3) (Layer.compose (Layers.dense 2) own)

            let error =
                Assert.Throws<ArgumentException>(fun () ->
                    ModelFile.write (ModelFile.create None [] network) |> ignore)

            Assert.That(error.Message, containing "Mine"))

        testCase "a newer format is refused with the version that wrote it, another file with what to do" (fun () ->
            let newer = changed (Map.add "cnn_format" "2" >> Map.add "cnn_version" "9.8.7") everything
            Assert.That((refusal newer).Message, both (containing ("update the library")) (containing ("9.8.7")))

            Assert.That(
                (refusal (changed (Map.remove "cnn_format") everything)).Message,
                containing "import the weights"
            )

            Assert.That((refusal (changed (Map.add "cnn_format" "one") everything)).Message, containing "one"))

        testCase "layers that ask for more than there is are refused before memory is taken" (fun () ->
            let replace (before: string) (after: string) =
                changed (Map.map (fun _ text -> text.Replace(before, after))) everything

            for before, after in
                [
                    "\"units\":3", "\"units\":2000000000"
                    "\"units\":3", "\"units\":0"
                    "\"units\":3", "\"units\":4"
                    "\"filters\":2", "\"filters\":2147483647"
                    "\"kernel\":[2,2]", "\"kernel\":[2]"
                    "\"kernel\":[2,2]", "\"kernel\":[9,9]"
                    "\"input\":[5,4,3]", "\"input\":[50000,50000,3]"
                    "\"input\":[5,4,3]", "\"input\":[5,4,1]"
                    "\"rate\":0.25", "\"rate\":1"
                    "\"slope\":0.3", "\"slope\":\"NaN\""
                    "\"type\":\"flatten\"", "\"type\":\"attention\""
                    "\"use_bias\":true", "\"use_bias\":1"
                    "\"layers\":[", "\"layers\":[" + String.replicate 40 "["
                    "\"class_names\":[", "\"class_names\":[7,"
                    "\"class_names\":[", "\"class_names\":[\"\\ud800\","
                    "\"confusion\":[", "\"confusion\":[99,99,1,"
                ] do
                let before' = GC.GetAllocatedBytesForCurrentThread()
                Assert.That((refusal (replace before after)).File, equalTo "file", after)
                Assert.That(GC.GetAllocatedBytesForCurrentThread() - before', lessThan 10_000_000L, after))

        testCase "a file without one of its arrays, or with one too many, is refused" (fun () ->
            let contents = Safetensors.read "file" (ReadOnlyMemory(ModelFile.write (model<float32> everything)))
            let error = refusal (Safetensors.write contents.Metadata contents.Arrays.Tail)
            Assert.That(error.Message, containing contents.Arrays.Head.Name)
            let other = { contents.Arrays.Head with Name = "other" }

            Assert.That(
                (refusal (Safetensors.write contents.Metadata (other :: contents.Arrays))).Message,
                containing "other"
            ))

        testCase "damaged model files give a model or a DataFormatException" (fun () ->
            let sample specs seed = ModelFile.write (model<float32> { plan specs with Seed = seed })

            Fuzzing.survives
                [
                    sample everything.Specs 7
                    sample everything.Specs 6
                    sample [ GlobalMaxPool; LayerSpec.Dense Dense.Default ] 5
                ]
                (read<float32> >> ignore))

        // Renaming replaces a file at once: no reader sees half of one. Windows lets nobody replace a file that is being read.
        testCase "whoever looks while a model is saved finds the old file or the new" (fun () ->
            if OperatingSystem.IsWindows() then
                Assert.Ignore "Windows lets nobody replace a file that is being read."

            inFolder (fun folder ->
                let path = Path.Combine(folder, "model.safetensors")
                let dense = LayerSpec.Dense { Dense.Default with Units = 700 }

                let large seed =
                    model<float32> { plan [ Flatten FlattenOrder.RowMajor; dense; dense ] with Seed = seed }

                let models = [| large 1; large 2 |]
                let files = models |> Array.map ModelFile.write
                ModelFile.save path models[0]

                let writer =
                    Task.Run(fun () ->
                        for save in 1..20 do
                            ModelFile.save path models[save % 2])

                while not writer.IsCompleted do
                    let found = File.ReadAllBytes path

                    let isWhole =
                        files |> Array.exists (fun file -> ReadOnlySpan(found).SequenceEqual(ReadOnlySpan file))

                    Assert.That(isWhole, isTrue, string found.Length + " bytes")

                writer.Wait()))

        // The two doors write and read the same, and a model from a file answers as the one that was saved.
        testCase "the façade saves and loads models of both precisions" (fun () ->
            inFolder (fun folder ->
                let data = Fluent.SyntheticDigits.Create(40, seed = 3)

                for precision in [ Precision.Single; Precision.Double ] do
                    let path = Path.Combine(folder, string precision + ".safetensors")

                    let builder =
                        Fluent.Network
                            .Input(28, 28, 1)
                            .Conv2D(3, kernel = 5)
                            .ReLU()
                            .MaxPool(4)
                            .Flatten()
                            .Dense(10, Activation.Softmax)

                    let trained =
                        builder
                            .Build(seed = 5, precision = precision)
                            .Fit(data, FitOptions(Epochs = 2, Seed = 8))
                            .Model

                    trained.WithPreprocessing(Preprocessing.Mnist).Save path
                    let loaded = Model.Load path
                    Assert.That(loaded.WeightHash, equalTo trained.WeightHash)
                    Assert.That(loaded.Precision, equalTo precision)
                    Assert.That(loaded.Seed, equalTo (Nullable 5))
                    Assert.That(loaded.TrainingSeed, equalTo (Nullable 8))
                    Assert.That(loaded.Epoch, equalTo 2)
                    Assert.That(loaded.History.Count, equalTo 2)
                    Assert.That(loaded.DataHash, equalTo (Dataset.hash data))
                    Assert.That(loaded.Preprocessing, equalTo Preprocessing.Mnist)
                    Assert.That(loaded.ClassNames, equalTo data.ClassNames)
                    Assert.That(loaded.ToBytes(), equalTo (File.ReadAllBytes path))
                    let picture = data.Picture 3

                    Assert.That(
                        loaded.Predict(picture).Probabilities,
                        equalTo (trained.Predict(picture).Probabilities)
                    )

                // Nothing but the files is left behind.
                Assert.That(Directory.GetFiles(folder).Length, equalTo 2)))

        // v/255, then the preprocessing, then the network.
        testCase "a picture of bytes is preprocessed as the pictures that were learned from" (fun () ->
            let preprocessing = Preprocessing.Grey.Then(Preprocessing.Resize(6, 5))
            let model = Fluent.Network.Input(6, 5, 1).Flatten().Dense(3).Build().WithPreprocessing preprocessing
            let pixels = Array.init (12 * 11 * 3) (fun i -> byte (i * 37))
            let image = Image.Of(12, 11, 3, ReadOnlySpan pixels)
            let learned = Dataset.OfBytes(image.Shape, image.Pixels, [ 0 ], [ "a" ]).Preprocess preprocessing
            Assert.That(model.Predict(image).Probabilities, equalTo (model.Predict(learned.Picture 0).Probabilities))
            let raw = model.WithPreprocessing Preprocessing.Identity
            Assert.Throws<ShapeException>(fun () -> raw.Predict image |> ignore) |> ignore)

        testTheory "files of every format that there has been are read" [ 1 ] (fun (version: int) ->
            let path = Path.Combine(fixtures, "model-" + string version)
            let model = Model.Load(path + ".safetensors")
            Assert.That(model.WeightHash, equalTo (File.ReadAllText(path + ".sha256").Trim()))
            Assert.That(List.ofSeq model.ClassNames, equalTo [ "none"; "one"; "many" ])
            Assert.That(model.Preprocessing, equalTo (Preprocessing.Grey.Then(Preprocessing.Resize(6, 5))))
            Assert.That((model.Seed, model.TrainingSeed, model.Epoch), equalTo (Nullable 5, Nullable 8, 2))
            Assert.That(model.History.Count, equalTo 2)
            Assert.That(model.Layers.Count, equalTo 10)
            Assert.That(Model.FromBytes(ReadOnlyMemory(model.ToBytes())).WeightHash, equalTo model.WeightHash))
    ]
