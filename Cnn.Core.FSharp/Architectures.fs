namespace Cnn.FSharp

open Cnn

/// <summary>A network of the sources as data: its name, what it looks at, and its layers.</summary>
[<NoComparison>]
type Architecture = {
    /// <summary>Short name, as the command line takes it.</summary>
    Name: string
    /// <summary>Height×width×channels of a picture.</summary>
    Input: Shape
    Layers: LayerSpec list
    /// <summary>The loss that the source trains it with.</summary>
    Loss: Loss
    /// <summary>Where it comes from.</summary>
    Source: string
}

/// <summary>The networks of the sources (SPEC section 10).</summary>
[<RequireQualifiedAccess>]
module Architectures =

    let private conv filters kernel padding φ =
        Conv2D {
            Conv2D.Default with
                Filters = filters
                Kernel = Size.Square kernel
                Padding = padding
                Activation = φ
        }

    let private dense units φ = Dense { Dense.Default with Units = units; Activation = φ }

    let private max2 = MaxPool(Pool.Square 2)
    let private average2 = AveragePool(Pool.Square 2)
    let private flatten = Flatten FlattenOrder.RowMajor
    let private norm = BatchNorm BatchNorm.Default

    /// <summary>LeNet-5 with average pooling, tanh and softmax; 61,706 parameters. Wichmann 2018, 6.1; LeCun et al. 1998.</summary>
    let lenet5 = {
        Name = "lenet5"
        Input = Shape.Of(32, 32, 1)
        Layers = [
            conv 6 5 Valid Activation.Tanh
            average2
            conv 16 5 Valid Activation.Tanh
            average2
            flatten
            dense 120 Activation.Tanh
            dense 84 Activation.Tanh
            dense 10 Activation.Softmax
        ]
        Loss = Loss.CrossEntropy
        Source = "Wichmann 2018, 6.1"
    }

    /// <summary>VanillaCNN: sigmoid throughout, ½‖a − y‖²; 3,898 parameters. Vu 2018, section 4.</summary>
    let vanilla = {
        Name = "vanilla"
        Input = Shape.Of(28, 28, 1)
        Layers = [
            conv 6 5 Valid Activation.Sigmoid
            average2
            conv 12 5 Valid Activation.Sigmoid
            average2
            Flatten FlattenOrder.ChannelMajor
            dense 10 Activation.Sigmoid
        ]
        Loss = Loss.HalfSquaredError
        Source = "Vu 2018, section 4"
    }

    /// <summary>Cats and dogs: three convolutions, batch normalisation in the dense head, one sigmoid; 1,274,881 parameters. Fan &amp; Yam 11.6.2.</summary>
    let catdog = {
        Name = "catdog"
        Input = Shape.Of(100, 100, 1)
        Layers = [
            conv 32 3 Same Activation.ReLU
            max2
            conv 64 3 Same Activation.ReLU
            max2
            conv 128 3 Same Activation.ReLU
            max2
            flatten
            dense 64 Activation.ReLU
            norm
            dense 32 Activation.ReLU
            norm
            dense 1 Activation.Sigmoid
        ]
        Loss = Loss.BinaryCrossEntropy
        Source = "Fan & Yam 11.6.2"
    }

    /// <summary>All of them.</summary>
    let all = [ lenet5; vanilla; catdog ]

    /// <summary>The network of an architecture, its weights drawn from a seed.</summary>
    let build seed (architecture: Architecture) : Network<'T> =
        Network.create (Key.ofSeed seed) architecture.Input (Layers.ofSpecs architecture.Layers)
