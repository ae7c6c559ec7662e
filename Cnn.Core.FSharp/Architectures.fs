namespace Cnn.FSharp

open Cnn

/// <summary>How a source trains its network.</summary>
[<NoComparison>]
type SourceTraining = {
    /// <summary>Passes over the training set.</summary>
    Epochs: int
    /// <summary>Samples of a step.</summary>
    BatchSize: int
    /// <summary>The rule, with its learning rate.</summary>
    Optimizer: Optimizer
    /// <summary>Share of the training set held back for validation.</summary>
    ValidationFraction: float
}

/// <summary>A network of the sources as data: its name, what it looks at, its layers, and how its source trains it.</summary>
[<NoComparison>]
type Architecture = {
    /// <summary>Short name, as the command line takes it.</summary>
    Name: string
    /// <summary>Height×width×channels of a picture.</summary>
    Input: Shape
    /// <summary>The layers, from the picture on.</summary>
    Layers: LayerSpec list
    /// <summary>The loss that the source trains it with.</summary>
    Loss: Loss
    /// <summary>The source's own settings; none where it gives none.</summary>
    Training: SourceTraining option
    /// <summary>Where it comes from.</summary>
    Source: string
}

/// <summary>The networks of the sources (SPEC section 10), and three of our own for pictures of the same sizes.</summary>
[<RequireQualifiedAccess>]
module Architectures =

    let private convolution filters kernel padding φ = {
        Conv2D.Default with
            Filters = filters
            Kernel = Size.Square kernel
            Padding = padding
            Activation = φ
    }

    let private conv filters kernel padding φ = Conv2D(convolution filters kernel padding φ)

    let private dense units φ = Dense { Dense.Default with Units = units; Activation = φ }

    /// Fossheim's own layers start from N(0, 1).
    let private normalConv filters kernel padding φ =
        Conv2D { convolution filters kernel padding φ with Initializer = Initializer.StandardNormal }

    let private normalDense units φ =
        Dense {
            Dense.Default with
                Units = units
                Activation = φ
                Initializer = Initializer.StandardNormal
        }

    let private max2 = MaxPool(Pool.Square 2)
    let private max2Same = MaxPool { Pool.Square 2 with Padding = Same }
    let private average2 = AveragePool(Pool.Square 2)
    let private flatten = Flatten FlattenOrder.RowMajor
    let private norm = BatchNorm BatchNorm.Default

    let private sigmoid, tanh, relu, softmax =
        Activation.Sigmoid, Activation.Tanh, Activation.ReLU, Activation.Softmax

    let private training epochs batchSize optimizer =
        Some {
            Epochs = epochs
            BatchSize = batchSize
            Optimizer = optimizer
            ValidationFraction = 0.0
        }

    /// Fossheim's loss is a sum over the batch, with λ/2·‖W‖² once for each batch.
    let private fossheim epochs batchSize rate = training epochs batchSize (Optimizer.Sgd(rate).WithL2 1e-4)

    let private summed = Loss(LossKind.CrossEntropy, Reduction.Sum)

    let private network name input layers loss training source = {
        Name = name
        Input = input
        Layers = layers
        Loss = loss
        Training = training
        Source = source
    }

    /// <summary>LeNet-5 with average pooling, tanh and softmax; 61,706 parameters. Wichmann 2018, 6.1; LeCun et al. 1998.</summary>
    let lenet5 =
        network
            "lenet5"
            (Shape.Of(32, 32, 1))
            [
                conv 6 5 Valid tanh
                average2
                conv 16 5 Valid tanh
                average2
                flatten
                dense 120 tanh
                dense 84 tanh
                dense 10 softmax
            ]
            Loss.CrossEntropy
            None
            "Wichmann 2018, 6.1"

    /// <summary>VanillaCNN: sigmoid throughout, ½‖a − y‖²; 3,898 parameters. Vu 2018, section 4.</summary>
    let vanilla =
        network
            "vanilla"
            (Shape.Of(28, 28, 1))
            [
                conv 6 5 Valid sigmoid
                average2
                conv 12 5 Valid sigmoid
                average2
                Flatten FlattenOrder.ChannelMajor
                dense 10 sigmoid
            ]
            Loss.HalfSquaredError
            (training 3 30 (Optimizer.Sgd 1.0))
            "Vu 2018, section 4"

    /// <summary>Two dense layers of 20 for 8×8 digits; 1,930 parameters. Fossheim 2022.</summary>
    let densenet2_20 =
        network
            "densenet2_20"
            (Shape.Of(8, 8, 1))
            [ flatten; normalDense 20 sigmoid; normalDense 20 sigmoid; normalDense 10 softmax ]
            summed
            (fossheim 100 10 0.01)
            "Fossheim 2022"

    /// <summary>One convolution of 3 filters for 8×8 digits; 4,100 parameters. Fossheim 2022.</summary>
    let convnet1_3 =
        network
            "convnet1_3"
            (Shape.Of(8, 8, 1))
            [ normalConv 3 3 Same sigmoid; flatten; normalDense 20 sigmoid; normalDense 10 softmax ]
            summed
            (fossheim 200 15 0.001)
            "Fossheim 2022"

    /// <summary>Dense layers of 300, 128, 128 and 64 for 28×28 digits; 299,446 parameters. Fossheim 2022.</summary>
    let densenet4_300 =
        network
            "densenet4_300"
            (Shape.Of(28, 28, 1))
            [
                flatten
                normalDense 300 tanh
                normalDense 128 tanh
                normalDense 128 tanh
                normalDense 64 tanh
                normalDense 10 softmax
            ]
            summed
            (fossheim 15 128 0.01)
            "Fossheim 2022"

    /// <summary>Two convolutions of 20 filters for 28×28 digits; 97,398 parameters. Fossheim 2022.</summary>
    let convkeras4_20 =
        network
            "convkeras4_20"
            (Shape.Of(28, 28, 1))
            [
                conv 20 3 Valid sigmoid
                max2
                conv 20 3 Valid sigmoid
                max2Same
                flatten
                dense 128 sigmoid
                dense 10 softmax
            ]
            Loss.CrossEntropy
            (training 10 30 (Optimizer.Sgd 0.01))
            "Fossheim 2022"

    /// Convolutions of 3×3 filters, each pooled; the last two pools are padded so that they never run out of picture.
    let private pooled filters φ =
        let last = List.length filters - 2

        filters
        |> List.mapi (fun i f -> [ conv f 3 Same φ; (if i < last then max2 else max2Same) ])
        |> List.concat

    /// <summary>Four convolutions with tanh for 32×32 house numbers; 160,738 parameters. Fossheim 2022.</summary>
    let lenet2 =
        network
            "lenet2"
            (Shape.Of(32, 32, 3))
            (pooled [ 32; 32; 64; 120 ] tanh @ [ flatten; dense 128 tanh; dense 10 softmax ])
            Loss.CrossEntropy
            (training 20 32 (Optimizer.Sgd 0.01))
            "Fossheim 2022"

    /// <summary>Six convolutions with ReLU for 32×32 house numbers; 304,810 parameters. Fossheim 2022.</summary>
    let convkeras12_32 =
        network
            "convkeras12_32"
            (Shape.Of(32, 32, 3))
            (pooled [ 32; 32; 64; 64; 128; 128 ] relu @ [ flatten; dense 128 relu; dense 10 softmax ])
            Loss.CrossEntropy
            (training 20 128 (Optimizer.Sgd 0.01))
            "Fossheim 2022"

    /// <summary>
    /// Digits with global average pooling and batch normalisation; 11,082 parameters, 64 of them not trainable.
    /// Fan and Yam 11.6.1, which trains softmax with binary cross-entropy summed over the outputs.
    /// </summary>
    let digits =
        network
            "digits"
            (Shape.Of(28, 28, 1))
            [
                conv 32 3 Same sigmoid
                max2
                conv 32 3 Same sigmoid
                max2
                GlobalAveragePool
                dense 32 sigmoid
                norm
                dense 10 softmax
            ]
            Loss.SummedBinaryCrossEntropy
            (training 2 32 (Optimizer.Adam 1e-2))
            "Fan & Yam 11.6.1"

    /// <summary>Digits with one dense layer between two Gaussian dropouts; 51,146 parameters. Fan &amp; Yam 11.6.6.</summary>
    let dense_digits =
        network
            "dense_digits"
            (Shape.Of(28, 28, 1))
            [
                flatten
                Dropout(0.2, DropoutKind.Gaussian)
                dense 64 relu
                norm
                Dropout(0.5, DropoutKind.Gaussian)
                dense 10 softmax
            ]
            Loss.CrossEntropy
            (training 10 32 (Optimizer.Adam 1e-2))
            "Fan & Yam 11.6.6"

    /// <summary>
    /// Cats and dogs: three convolutions, batch normalisation in the dense head, one sigmoid; 1,274,881 parameters.
    /// Fan and Yam 11.6.2.
    /// </summary>
    let catdog =
        network
            "catdog"
            (Shape.Of(100, 100, 1))
            [
                conv 32 3 Same relu
                max2
                conv 64 3 Same relu
                max2
                conv 128 3 Same relu
                max2
                flatten
                dense 64 relu
                norm
                dense 32 relu
                norm
                dense 1 sigmoid
            ]
            Loss.BinaryCrossEntropy
            (training 10 32 (Optimizer.Adam()) |> Option.map (fun t -> { t with ValidationFraction = 0.2 }))
            "Fan & Yam 11.6.2"

    /// <summary>I or Q: one 3×3 filter without activation and one sigmoid; 911 parameters. Fan &amp; Yam 11.6.3.</summary>
    let iorq =
        network
            "iorq"
            (Shape.Of(32, 32, 1))
            [ conv 1 3 Valid Activation.Identity; flatten; dense 1 sigmoid ]
            Loss.BinaryCrossEntropy
            (training 25 32 (Optimizer.Adam()))
            "Fan & Yam 11.6.3"

    /// Pairs of 3×3 convolution, batch normalisation and ReLU; the normalisation has the bias.
    let private normalized filters = [
        Conv2D {
            convolution filters 3 Same Activation.Identity with
                UseBias = false
                Initializer = Initializer.HeNormal
        }
        norm
        LayerSpec.Activation relu
    ]

    let private ours = "Ours, after Simonyan & Zisserman 2015 and Ioffe & Szegedy 2015"

    /// <summary>Three normalised convolutions for 8×8 digits; 33,882 parameters. After Simonyan and Zisserman 2015.</summary>
    let vgg8 =
        network
            "vgg8"
            (Shape.Of(8, 8, 1))
            (normalized 16
             @ normalized 32
             @ [ max2 ]
             @ normalized 64
             @ [ flatten; Dropout(0.3, DropoutKind.Bernoulli); dense 10 softmax ])
            Loss.CrossEntropy
            None
            ours

    /// <summary>Three pairs of normalised convolutions for 28×28 digits; 78,234 parameters. After Simonyan and Zisserman 2015.</summary>
    let vgg28 =
        network
            "vgg28"
            (Shape.Of(28, 28, 1))
            (List.collect (fun filters -> normalized filters @ normalized filters @ [ max2 ]) [ 16; 32; 64 ]
             @ [ flatten; Dropout(0.3, DropoutKind.Bernoulli); dense 10 softmax ])
            Loss.CrossEntropy
            None
            ours

    /// <summary>Five normalised convolutions for 32×32 pictures in colour; 280,298 parameters. After Simonyan and Zisserman 2015.</summary>
    let vgg32 =
        network
            "vgg32"
            (Shape.Of(32, 32, 3))
            (normalized 32
             @ [ max2 ]
             @ normalized 64
             @ normalized 64
             @ [ max2 ]
             @ normalized 128
             @ normalized 128
             @ [ GlobalAveragePool; Dropout(0.3, DropoutKind.Bernoulli); dense 10 softmax ])
            Loss.CrossEntropy
            None
            ours

    /// <summary>All of them, in the order of SPEC section 10, our own last.</summary>
    let all = [
        lenet5
        vanilla
        densenet2_20
        convnet1_3
        densenet4_300
        convkeras4_20
        lenet2
        convkeras12_32
        digits
        dense_digits
        catdog
        iorq
        vgg8
        vgg28
        vgg32
    ]

    /// <summary>The architecture of a name, if there is one.</summary>
    let tryFind name = all |> List.tryFind (fun a -> a.Name = name)

    /// <summary>The network of an architecture, its weights drawn from a seed.</summary>
    let build seed (architecture: Architecture) : Network<'T> =
        Network.create (Key.ofSeed seed) architecture.Input (Layers.ofSpecs architecture.Layers)
