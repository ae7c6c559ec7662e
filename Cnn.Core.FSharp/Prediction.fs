namespace Cnn.FSharp

open System
open System.Collections.Concurrent
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
    let arenas = ConcurrentBag<Arena<'T>>()
    let output = Network.output network

    let rewritten = Network.forInference network

    /// Samples that one iteration of a parallel loop takes.
    let piece = 32

    let answer (read: IWorkspace<'T> -> Tensor<'T>) (destination: Memory<'T>) =
        let arena =
            match arenas.TryTake() with
            | true, arena -> arena
            | _ -> Arena<'T> packed

        try
            let context = {
                Kernels = backend.Kernels
                Workspace = arena
                Mode = Inference
                FirstSample = 0
                NeedsInputGradient = false
            }

            (Network.run context rewritten (read arena)).Output.Span.CopyTo destination.Span
        finally
            arena.Reset()
            arenas.Add arena

    let answers count (read: IWorkspace<'T> -> int -> int -> Tensor<'T>) =
        let result = Tensor.own (output.Batch count) (Array.zeroCreate<'T>(count * output.Size))
        let pieces = (count + piece - 1) / piece

        let run p =
            let first = p * piece
            let size = min piece (count - first)

            answer
                (fun workspace -> read workspace first size)
                (result.DestinationPart(first * output.Size, size * output.Size))

        if pieces = 1 then run 0 else backend.Scheduler.For(pieces, run)
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

        let order = Array.init dataset.Count id
        answers dataset.Count (fun workspace first count -> Dataset.read dataset order workspace first count)

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
