namespace Cnn.FSharp

open Cnn

/// <summary>The best way to train a network that we know of, and what it came to.</summary>
/// <remarks>Immutable. Settings were chosen on a tenth of the training pictures, held back; test pictures chose nothing.</remarks>
[<NoComparison>]
type BestTraining = {
    /// <summary>Name of the network.</summary>
    Network: string
    /// <summary>How the weights of convolutional and dense layers start, in place of the layers' own.</summary>
    Initializer: Initializer option
    /// <summary>What is made small, in place of the source's loss.</summary>
    Loss: Loss option
    /// <summary>Epochs, batch size and optimiser; nothing is held back once they are chosen.</summary>
    Training: SourceTraining
    /// <summary>Random changes of the training pictures.</summary>
    Augmentation: Augmentation
    /// <summary>Whether the statistics of batch normalisation are taken anew after training.</summary>
    Recalibrate: bool
    /// <summary>The pictures that the settings were chosen on.</summary>
    Data: string
    /// <summary>Share of a tenth of the training pictures that was told right, after training on nine tenths; seed 0.</summary>
    ValidationAccuracy: float
    /// <summary>Share of the test pictures that the same network told right.</summary>
    TestAccuracy: float
}

/// <summary>The table of the best settings, measured with seed 0.</summary>
[<RequireQualifiedAccess>]
module BestTrainings =

    let private cosine epochs (optimizer: Optimizer) = optimizer.WithSchedule(Schedule.Cosine(float epochs))

    /// One epoch up, the others down to 0.
    let private warmed epochs (optimizer: Optimizer) =
        optimizer.WithSchedule(Schedule.LinearWarmup(1.0, Schedule.Cosine(float (epochs - 1))))

    let private nesterov rate = Optimizer.Nesterov(rate).WithL2 5e-4

    let private row (architecture: Architecture) data schedule epochs batchSize optimizer measured = {
        Network = architecture.Name
        Initializer = None
        Loss = None
        Training = {
            Epochs = epochs
            BatchSize = batchSize
            Optimizer = schedule epochs optimizer
            ValidationFraction = 0.0
        }
        Augmentation = Augmentation.None
        Recalibrate = false
        Data = data
        ValidationAccuracy = fst measured
        TestAccuracy = snd measured
    }

    let private digits8 architecture = row architecture "8×8 digits"
    let private mnist architecture = row architecture "MNIST"
    let private glyphs architecture = row architecture "drawn I and Q"
    let private cifar architecture = row architecture "10,000 pictures of CIFAR-10"

    /// Written digits lean, drift and differ in size.
    let private handwriting =
        Augmentation.ofSteps [ AugmentationStep.Shift 2; AugmentationStep.Rotate 10.0; AugmentationStep.Zoom 0.1 ]

    let private photographs =
        Augmentation.ofSteps [ AugmentationStep.FlipHorizontal; AugmentationStep.Shift 4 ]

    /// <summary>All of them, in the order of <see cref="P:Cnn.FSharp.Architectures.all"/>.</summary>
    let all = [
        {
            mnist Architectures.lenet5 cosine 20 64 (nesterov 0.05) (0.9935, 0.9929) with
                Augmentation = handwriting
        }
        {
            mnist Architectures.vanilla cosine 20 64 (Optimizer.Adam 5e-3) (0.9868, 0.9868) with
                Loss = Some Loss.BinaryCrossEntropy
        }
        {
            digits8 Architectures.densenet2_20 cosine 60 32 (Optimizer.Adam(1e-2).WithL2 1e-4) (0.9510, 0.9721) with
                Initializer = Some Initializer.GlorotUniform
                Loss = Some Loss.CrossEntropy
        }
        {
            digits8 Architectures.convnet1_3 cosine 60 32 (Optimizer.Adam(1e-2).WithL2 1e-4) (0.9441, 0.9833) with
                Initializer = Some Initializer.GlorotUniform
                Loss = Some Loss.CrossEntropy
        }
        {
            mnist Architectures.densenet4_300 cosine 20 64 (nesterov 0.05) (0.9888, 0.9886) with
                Initializer = Some Initializer.GlorotUniform
                Loss = Some Loss.CrossEntropy
                Augmentation = handwriting
        }
        {
            mnist Architectures.convkeras4_20 cosine 20 64 (Optimizer.Adam 4e-3) (0.9930, 0.9912) with
                Augmentation = handwriting
        }
        {
            cifar Architectures.lenet2 cosine 12 64 (nesterov 0.02) (0.6470, 0.6545) with
                Augmentation = photographs
        }
        {
            cifar Architectures.convkeras12_32 cosine 40 64 (nesterov 0.05) (0.7000, 0.7000) with
                Augmentation = photographs
        }
        {
            mnist Architectures.digits cosine 20 64 (Optimizer.Adam 1e-2) (0.9757, 0.9783) with
                Recalibrate = true
        }
        mnist Architectures.dense_digits cosine 20 64 (Optimizer.Adam 3e-3) (0.9655, 0.9670)
        glyphs Architectures.iorq cosine 40 32 (Optimizer.Adam 3e-3) (0.9965, 0.9986)
        {
            digits8 Architectures.vgg8 warmed 60 32 (nesterov 0.05) (0.9860, 0.9972) with
                Augmentation = Augmentation.ofSteps [ AugmentationStep.Rotate 10.0; AugmentationStep.Zoom 0.1 ]
        }
        {
            mnist Architectures.vgg28 warmed 12 64 (nesterov 0.05) (0.9953, 0.9966) with
                Augmentation = handwriting
        }
        {
            cifar Architectures.vgg32 warmed 20 32 (nesterov 0.05) (0.7290, 0.7520) with
                Augmentation = photographs
        }
    ]

    /// <summary>The best settings for the network of a name, if there are any.</summary>
    let tryFind name = all |> List.tryFind (fun best -> best.Network = name)

    /// <summary>The network as these settings begin with it and train it: with their first weights and their loss.</summary>
    let apply (best: BestTraining) (architecture: Architecture) : Architecture =
        let start spec =
            match spec, best.Initializer with
            | Conv2D conv, Some initializer -> Conv2D { conv with Initializer = initializer }
            | Dense dense, Some initializer -> Dense { dense with Initializer = initializer }
            | _ -> spec

        {
            architecture with
                Layers = List.map start architecture.Layers
                Loss = Option.defaultValue architecture.Loss best.Loss
                Training = Some best.Training
        }
