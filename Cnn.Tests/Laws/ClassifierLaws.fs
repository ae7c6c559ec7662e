/// The one-liner for the impatient: a network for any pictures, trained without further words.
module Cnn.Tests.Laws.ClassifierLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let tests =
    testList "classifier" [
        testProperty
            "layers for any picture and number of classes: one output a class, as many poolings as halve the side to below 8"
            (fun (r: Rows) ->
                let height, width = 1 + 13 * r.Count % 71, 1 + 17 * r.Seed % 67
                let input, classes = Shape.Of(height, width, 1 + r.Seed % 3), r.Features
                let specs = Classifier.layers input classes
                let layer: Layer<float32> = Layers.ofSpecs specs
                let poolings = specs |> List.filter (fun spec -> spec.IsMaxPool) |> List.length
                let side = min height width

                all [
                    same (Shape.Of classes) (Layer.output layer input)
                    same true (side >>> poolings < 8)
                    same true (poolings = 0 || side >>> (poolings - 1) >= 8)
                ])

        testCase "pictures without shape and classes without a choice are refused" (fun () ->
            Assert.Throws<ShapeException>(fun () -> Classifier.layers (Shape.Of 4) 3 |> ignore) |> ignore
            Assert.Throws<ShapeException>(fun () -> Classifier.layers (Shape.Of(8, 8, 1)) 1 |> ignore) |> ignore)

        // A fifth is held back; who learns has never seen it, and both doors train the same network.
        testCase "the classifier learns digits, the same through both doors" (fun () ->
            let backend = Cnn.Fluent.Simd.Backend<float32>()
            let digits = FSharp.SyntheticDigits.dataset backend.Scheduler (Key.ofSeed 7) 16 1500
            let result = Classifier.train backend id 3 digits
            let facade = Cnn.Fluent.Classifier.Train(digits, 3)
            let losses = result.Fitted.History |> List.map Fitting.watched
            Assert.That(result.Validation.ConfusionMatrix.Total, equalTo 300)
            Assert.That(result.Validation.Accuracy, greaterThan 0.9)
            Assert.That(result.Validation.Loss, equalTo (List.min losses))
            Assert.That(facade.Model.WeightHash, equalTo (Network.weightHash result.Fitted.Network))
            Assert.That(facade.History.Count, equalTo losses.Length)
            Assert.That(facade.Validation.Accuracy, equalTo result.Validation.Accuracy))

        testCase "too few pictures to hold some back are refused" (fun () ->
            let none = Dataset.Create(Shape.Of(8, 8, 1), [], [ "a"; "b" ], PictureReader(fun _ _ -> ()))

            Assert.Throws<ArgumentException>(fun () -> Classifier.train Backend.reference<float> id 0 none |> ignore)
            |> ignore)
    ]
