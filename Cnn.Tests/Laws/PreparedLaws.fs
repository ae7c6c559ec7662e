/// Who preprocesses: a model prepares the pictures that it is given, and nothing is done twice.
module Cnn.Tests.Laws.PreparedLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law
open Cnn.Tests.Laws.PreprocessingLaws

let private refusal (act: unit -> 'R) = (Assert.Throws<ArgumentException>(fun () -> act () |> ignore)).Message

let private isRefused (act: unit -> 'R) =
    try
        act () |> ignore
        false
    with :? ArgumentException ->
        true

/// Digits of bytes, and what a model of 10×10 pictures makes of them before it looks at them.
let private raw =
    let drawn = SyntheticDigits.Create(60, 8)

    let bytes = [|
        for i in 0 .. drawn.Count - 1 do
            for v in drawn.Picture i -> byte (255f * v)
    |]

    Dataset.OfBytes(drawn.Shape, ReadOnlyMemory bytes, drawn.Labels, drawn.ClassNames)

let private chosen = Preprocessing.Pad(10, 10).Then(Preprocessing.Normalize([ 0.2 ], [ 0.5 ]))
let private prepared = raw.Preprocess chosen
let private halfway = raw.Pad(10, 10)

let private start =
    Fluent.Network
        .Input(10, 10, 1)
        .Conv2D(3, Size.Square 3, Cnn.Activation.ReLU)
        .BatchNormalization()
        .MaxPool(Size.Square 2)
        .Flatten()
        .Dense(10, Cnn.Activation.Softmax)
        .Build
        3

let private trained = lazy (start.Fit(prepared, FitOptions(Epochs = 2)).Model)

let private probabilities (predictions: Prediction seq) = [ for p in predictions -> List.ofSeq p.Probabilities ]

/// What each door that takes a data set tells of one, as something that can be compared.
let private doors: (string * (Model -> Dataset -> string)) list = [
    "Evaluate", (fun model data -> (let e = model.Evaluate data in $"{e} {e.ConfusionMatrix}"))
    "Predict", (fun model data -> $"%A{probabilities (model.Predict data)}")
    "Judge", (fun model data -> $"%A{List.ofSeq (model.Inspect().Judge data)}")
    "Patches",
    (fun model data ->
        let patches = Seq.concat (model.Inspect().Patches("conv2d", data, 2))
        $"%A{[ for p in patches -> p.Picture, p.Top, p.Left, p.Activation, List.ofArray (p.Patch.ToArray()) ]}")
    "Recalibrate", (fun model data -> (model.Recalibrate data).WeightHash)
    "Verify", (fun model data -> (model.Verify data).Table())
    "Fit", (fun model data -> (model.Fit(data, FitOptions(Epochs = 1, Seed = 4))).Model.WeightHash)
    "Fit, validation", (fun model data -> string (model.Fit(prepared, FitOptions(Validation = data))).History[0])
    "Prepare", (fun model data -> $"%A{members (model.Prepare data)}")
]

let tests =
    testList "prepared" [
        testProperty "what is left of q ; r for pictures that q has made is r" (fun (r: Rows) ->
            let (Pictures(data, key)) = r
            let q, r = preprocessing (key.Child 1L), preprocessing (key.Child 2L)
            let whole = q.Then r
            let expected = members (data.Preprocess whole)

            all [
                if not (Preprocessing.steps whole).IsEmpty then
                    same expected (members (Dataset.prepare whole data))
                    same expected (members (Dataset.prepare whole (data.Preprocess q)))
                    same expected (members (Dataset.prepare whole (data.Preprocess whole)))

                    same
                        expected
                        (members (Dataset.prepare whole ((data.Preprocess q).Select [ 0 .. data.Count - 1 ])))

                same
                    (members (data.Preprocess q))
                    (members (Dataset.prepare Preprocessing.Identity (data.Preprocess q)))
            ])

        testProperty "pictures that were preprocessed otherwise are refused" (fun (r: Rows) ->
            let (Pictures(data, key)) = r
            let q, extra = preprocessing (key.Child 1L), Preprocessing.Scale(3.5, 0.25)
            let steps = Preprocessing.steps (q.Then extra)

            all [
                // More than is wanted, and something else first.
                if not (Preprocessing.steps q).IsEmpty then
                    same true (isRefused (fun () -> Dataset.prepare q (data.Preprocess(q.Then extra))))

                same
                    true
                    (isRefused (fun () ->
                        Dataset.prepare (Preprocessing.ofSteps steps) (data.Preprocess(extra.Then extra))))
            ])

        testEach "every door sees the same, of pictures that are raw, halfway or prepared" doors fst (fun (_, door) ->
            let model = trained.Value
            let expected = door model prepared
            Assert.That(door model raw, equalTo expected)
            Assert.That(door model halfway, equalTo expected)
            Assert.That(door (model.WithPreprocessing Preprocessing.Identity) prepared = expected)

            let message =
                refusal (fun () ->
                    door model (raw.Preprocess(Preprocessing.Pad(10, 10).Then(Preprocessing.Scale 2.0))))

            Assert.That(message, both (containing "scale(2, 0)") (containing "normalize(0.2; 0.5)")))

        testCase "numbers are what the network sees, bytes are raw" (fun () ->
            let model = trained.Value
            let expected = probabilities (model.Predict raw)
            let seen = [ for i in 0 .. prepared.Count - 1 -> prepared.Picture i ]
            Assert.That(probabilities (model.Predict seen), equalTo expected)
            Assert.That(probabilities [ model.Predict(ReadOnlySpan seen[5]) ], equalTo [ expected[5] ])

            let image = Image.Of(8, 8, 1, ReadOnlySpan [| for v in raw.Picture 5 -> byte (round (255f * v)) |])
            Assert.That(probabilities [ model.Predict image ], equalTo [ expected[5] ])
            Assert.That(model.Prepare image, equalTo seen[5]))

        testCase "a model without preprocessing learns it from its pictures, and its file keeps it" (fun () ->
            Assert.That(start.Preprocessing, equalTo Preprocessing.Identity)
            Assert.That((start.Fit(halfway, FitOptions())).Model.Preprocessing, equalTo (Preprocessing.Pad(10, 10)))
            Assert.That(trained.Value.Preprocessing, equalTo chosen)
            let kept = Model.FromBytes(ReadOnlyMemory(trained.Value.ToBytes()))
            Assert.That(string (kept.Evaluate raw), equalTo (string (trained.Value.Evaluate prepared)))

            // One of its own stays, and brings the pictures to the input.
            let own = (start.WithPreprocessing chosen).Fit(raw, FitOptions(Epochs = 2)).Model
            Assert.That((own.Preprocessing, own.WeightHash), equalTo (chosen, trained.Value.WeightHash))

            let named = Fluent.Classifier.Train(halfway, cancellationToken = Threading.CancellationToken true)
            Assert.That(named.Model.Preprocessing, equalTo (Preprocessing.Pad(10, 10)))

            let options = SearchOptions(LearningRates = [ 0.01 ], Fit = FitOptions(Epochs = 1))
            let builder = Fluent.Network.Input(10, 10, 1).Flatten().Dense(10, Cnn.Activation.Softmax)

            Assert.That(
                (Fluent.Search.Run(builder, halfway, options)).Model.Preprocessing,
                equalTo (Preprocessing.Pad(10, 10))
            ))

        testCase "sets that go together are preprocessed alike" (fun () ->
            let native = SyntheticDigits.Create(60, 10)
            let words = [ "raw"; "preprocessed by pad(10×10)" ]

            for message in
                [
                    refusal (fun () -> halfway.Concat native)
                    refusal (fun () -> native.Concat halfway)
                    refusal (fun () -> start.Fit(native, FitOptions(Validation = halfway)))
                ] do
                for word in words do
                    Assert.That(message, containing word)

            // Padding to the size that they have leaves the pictures as they are, and says that it was done.
            let both = halfway.Concat(native.Pad(10, 10))
            Assert.That(members both, equalTo (members halfway @ members native)))
    ]
