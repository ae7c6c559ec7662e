namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>What the one-liner gives: a trained network, how training went, and how it does on pictures held back.</summary>
[<NoEquality; NoComparison>]
type Classified<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The trained network, and how training went.</summary>
    Fitted: Fitted<'T>
    /// <summary>On the fifth of the pictures that it did not learn from; they chose the best epoch, so it flatters a little.</summary>
    Validation: Evaluation
}

/// <summary>For the impatient: a sensible network for any set of pictures, trained sensibly.</summary>
[<RequireQualifiedAccess>]
module Classifier =

    let private conv filters =
        Conv2D {
            Conv2D.Default with
                Filters = filters
                Padding = Same
                Activation = Activation.ReLU
                Initializer = Initializer.HeNormal
        }

    /// <summary>Layers for pictures of a shape and a number of classes.</summary>
    /// <remarks>
    /// Pairs of "3×3 convolution with ReLU, 2×2 maximum" with 16, 32, 64, … 128 filters until fewer than 8 rows or
    /// columns are left, then a dense layer of 128 with ReLU, dropout of ½, and softmax.
    /// </remarks>
    /// <exception cref="T:Cnn.ShapeException">The shape is no picture's, or there are fewer than two classes.</exception>
    let layers (input: Shape) classes : LayerSpec list =
        if input.Rank <> 3 || input.Size = 0 then
            raise (
                ShapeException(
                    "Classifier",
                    "pictures of height×width×channels",
                    string input,
                    "Give each picture three axes."
                )
            )

        if classes < 2 then
            raise (
                ShapeException("Classifier", "at least 2 classes", string classes, "There is nothing to tell apart.")
            )

        let rec blocks side filters =
            if side < 8 then
                []
            else
                conv filters :: MaxPool(Pool.Square 2) :: blocks (side / 2) (min 128 (2 * filters))

        blocks (min input[0] input[1]) 16
        @ [
            Flatten FlattenOrder.RowMajor
            Dense {
                Dense.Default with
                    Units = 128
                    Activation = Activation.ReLU
                    Initializer = Initializer.HeNormal
            }
            Dropout(0.5, DropoutKind.Bernoulli)
            Dense { Dense.Default with Units = classes; Activation = Activation.Softmax }
        ]

    /// <summary>Picks a network for the pictures, holds back a fifth of them, and trains until that fifth gets no better.</summary>
    /// <remarks>Adam with η = 1e−3 falling along a cosine, batches of 32, at most 20 epochs, patience 4.</remarks>
    /// <exception cref="T:System.ArgumentException">There are too few pictures, or fewer than two classes.</exception>
    let train
        (backend: Backend<'T>)
        (settings: TrainingSettings -> TrainingSettings)
        (seed: int)
        (dataset: Dataset)
        : Classified<'T> =
        let parts = dataset.StratifiedSplit(0.2, Key.ofSeed seed)

        if parts.Train.Count = 0 || parts.Test.Count = 0 then
            raise (
                ArgumentException(
                    "Too few pictures to hold a fifth of them back: " + string dataset.Count + ".",
                    nameof dataset
                )
            )

        let epochs = 20

        let defaults = {
            TrainingSettings.Default with
                Seed = seed
                Validation = Some parts.Test
                Optimizer = Optimizer.Adam().WithSchedule(Schedule.Cosine(float epochs))
        }

        let layer = Layers.ofSpecs (layers dataset.Shape dataset.ClassNames.Count)
        let network = Network.create (Key.ofSeed seed) dataset.Shape layer

        let fitted =
            Fitting.fit backend (settings defaults) (Some(EarlyStopping.After 4)) ignore epochs parts.Train network

        {
            Fitted = fitted
            Validation = Prediction.evaluate backend None fitted.Network parts.Test
        }
