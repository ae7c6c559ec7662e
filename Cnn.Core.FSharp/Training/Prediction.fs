namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>A network ready to answer: weights packed once, memory recycled from call to call.</summary>
/// <remarks>
/// Safe to use from any number of threads at once. A sample's answer does not depend on the samples beside it, nor on
/// the number of threads, to the last bit.
/// </remarks>
[<Sealed>]
type Predictor<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(backend: Backend<'T>, network: Network<'T>)
    =
    let packed = PackedWeights<'T>()
    let workspaces = Pool(fun () -> PassingWorkspace<'T> packed)
    let output = Network.output network

    // Weights are packed by the identity of their tensors: rewritten for each answer they would be packed for each.
    let parts =
        let rewritten = Network.forInference network
        Layer.weigh rewritten.Layer rewritten.Parameters rewritten.State

    /// Samples of which a layer's input and output stay in cache.
    let most =
        let shapes = parts |> List.scan (fun shape (here: Weighted<'T>) -> here.Part.Output shape) network.Input
        let largest = shapes |> List.pairwise |> List.fold (fun most (x, y) -> max most (x.Size + y.Size)) 1
        max 1 (Sharding.Target / (largest * sizeof<'T>))

    /// Samples that one iteration of a parallel loop takes: in cache, enough for a tile of a product, few enough for all threads.
    let pieceOf count = min most (max 8 ((count + 7) / 8))

    /// Samples first … first + count − 1 of the answers.
    let answer (workspace: PassingWorkspace<'T>) first x (answers: Tensor<'T>) =
        let context = {
            Kernels = backend.Kernels
            Workspace = workspace
            Mode = Inference
            FirstSample = first
            NeedsInputGradient = false
        }

        let y = Layer.answer workspace.Bench.Turn context parts x
        y.Span.CopyTo(answers.Destination.Slice(first * output.Size))

    let giveBack (workspace: PassingWorkspace<'T>) =
        workspace.Bench.Reset()
        workspaces.Give workspace

    let room count = Tensor.own (output.Batch count) (Array.zeroCreate<'T>(count * output.Size))

    let answers count (read: IWorkspace<'T> -> int -> int -> Tensor<'T>) =
        let result = room count
        let piece = pieceOf count

        let run p =
            let workspace = workspaces.Take()
            let first = p * piece

            try
                answer workspace first (read (workspace :> IWorkspace<'T>) first (min piece (count - first))) result
            finally
                giveBack workspace

        if count <= piece then
            run 0
        else
            backend.Scheduler.For((count + piece - 1) / piece, run)

        result

    /// <summary>The network that answers.</summary>
    member _.Network = network

    /// <summary>The network's outputs for a batch: N samples → N outputs.</summary>
    /// <exception cref="T:Cnn.ShapeException">The samples have not the shape of the network's input.</exception>
    member _.Run(x: Tensor<'T>) =
        if x.Shape.Rank = 0 || x.Shape[0] = 0 then
            raise (
                ShapeException(
                    "Predict",
                    "a batch of at least one sample",
                    string x.Shape,
                    "Give it something to look at."
                )
            )

        Network.checkInput network x
        answers x.Shape[0] (fun _ first count -> x.Slice(first, count))

    /// <summary>The network's outputs for all pictures of a data set, in their order.</summary>
    /// <exception cref="T:Cnn.ShapeException">The pictures have not the shape of the network's input.</exception>
    member _.Run(dataset: Dataset) =
        if dataset.Shape <> network.Input then
            raise (
                ShapeException(
                    "Network",
                    "pictures of shape " + string network.Input,
                    string dataset.Shape,
                    "Pad or resize the pictures to the input of the network."
                )
            )

        answers dataset.Count (fun workspace first count -> Dataset.read dataset id workspace first count)

    /// <summary>The network's outputs for one picture, row by row, channels last.</summary>
    /// <exception cref="T:Cnn.ShapeException">The numbers are not as many as the network's input has.</exception>
    member _.Run(picture: ReadOnlySpan<float32>) =
        if picture.Length <> network.Input.Size then
            raise (
                ShapeException(
                    "Predict",
                    Words.count network.Input.Size "number" "numbers"
                    + " for a picture of shape "
                    + string network.Input,
                    string picture.Length,
                    "Resize the picture to the input of the model."
                )
            )

        let result = room 1
        let workspace = workspaces.Take()

        try
            let x = (workspace :> IWorkspace<'T>).Tensor(network.Input.Batch 1)
            let pixels = x.Destination

            for i in 0 .. picture.Length - 1 do
                pixels[i] <- 'T.CreateTruncating picture[i]

            answer workspace 0 x result
            result
        finally
            giveBack workspace

/// <summary>How well networks do.</summary>
[<RequireQualifiedAccess>]
module Prediction =

    /// <summary>Loss, accuracy and confusion matrix over a data set, with dropout off and batch statistics as learned.</summary>
    /// <param name="threshold">With one output: the probability above which it counts as class 1, between 0 and 1.</param>
    /// <param name="backend">What computes.</param>
    /// <param name="loss">Default: what goes with the last layer.</param>
    /// <param name="network">The network.</param>
    /// <param name="dataset">Labelled pictures of the network's input shape.</param>
    /// <exception cref="T:Cnn.ShapeException">The pictures have not the shape of the network's input, or a label has no output.</exception>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The threshold is not between 0 and 1.</exception>
    let evaluateAt
        threshold
        (backend: Backend<'T>)
        (loss: Loss option)
        (network: Network<'T>)
        (dataset: Dataset)
        : Evaluation =
        let output = Network.output network

        if dataset.Count = 0 then
            raise (ArgumentException("There is nothing to evaluate: the data set is empty.", nameof dataset))

        if not (threshold > 0.0 && threshold < 1.0) then
            raise (ArgumentOutOfRangeException(nameof threshold, threshold, "A threshold lies between 0 and 1."))

        let classes = max 2 output.Size

        match Seq.tryFindIndex (fun label -> label >= classes) dataset.Labels with
        | Some i ->
            raise (
                ShapeException(
                    "Evaluate",
                    "labels of 0 to " + string (classes - 1) + ", which the network's outputs stand for",
                    "label " + string dataset.Labels[i] + " of picture " + string i,
                    "Give the last layer as many units as there are classes."
                )
            )
        | None -> ()

        let wanted = loss |> Option.defaultWith (fun () -> Network.standardLoss network)
        let layer, fused = Network.fuse wanted network.Layer
        let outputs = Predictor(backend, { network with Layer = layer }).Run dataset

        // Of logits, the threshold is the logit of the probability.
        let threshold =
            if fused.Kind = LossKind.SigmoidBinaryCrossEntropy then
                log (threshold / (1.0 - threshold))
            else
                threshold

        let predicted = Metrics.predicted threshold outputs
        let labels = dataset.LabelMemory.ToArray()
        let struct (value, _) = Loss.evaluate (fused.With Reduction.Mean) outputs (Labels dataset.LabelMemory)

        {
            Loss = value
            Accuracy = Metrics.accuracy labels predicted
            ConfusionMatrix = Metrics.confusion dataset.ClassNames labels predicted
        }

    /// <summary><c>evaluateAt</c> a threshold of ½.</summary>
    let evaluate (backend: Backend<'T>) loss network dataset = evaluateAt 0.5 backend loss network dataset
