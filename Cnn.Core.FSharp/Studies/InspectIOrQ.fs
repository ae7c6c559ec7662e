namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>The I-or-Q network with one filter: what the filter answers to lines, and how the network does.</summary>
[<NoEquality; NoComparison>]
type IOrQTrial<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>Whose filter it is, and what became of the dense layer.</summary>
    Name: string
    /// <summary>The network with this filter.</summary>
    Network: Network<'T>
    /// <summary>The filter, 3×3×1.</summary>
    Kernel: Tensor<'T>
    /// <summary>b of the filter.</summary>
    Bias: float
    /// <summary>⟨K, F⟩/(‖K‖·‖F‖): how much the filter is like the hand-made one; −1 for its opposite.</summary>
    Likeness: float
    /// <summary><c>LineProbes.answers</c> of the filter.</summary>
    Probes: float list
    /// <summary>On the pictures that it learned from.</summary>
    Train: Evaluation
    /// <summary>On pictures that it did not see.</summary>
    Test: Evaluation
}

/// <summary>The experiment of Fan and Yam 11.6.3: can what one filter learned be made by hand?</summary>
/// <remarks>Pure. A filter is not identifiable: its sign and scale trade against the dense weights (SPEC section 11).</remarks>
[<RequireQualifiedAccess>]
module IOrQ =

    /// <summary>F = [−1 0 1; −1 0 1; 0 1 2], made by hand: 3×3×1×1.</summary>
    let handMade<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Tensor<'T> =
        let weights = [| -1.0; 0.0; 1.0; -1.0; 0.0; 1.0; 0.0; 1.0; 2.0 |]
        Tensor.init (Shape.Of(3, 3, 1, 1)) (fun i -> Number.ofFloat weights[i])

    /// <summary>b = −.67, which the source gives F.</summary>
    [<Literal>]
    let HandMadeBias = -0.67

    /// <summary>What the source prints that its learned filter answers to the eight lines; the rounded K that it prints gives .41 and 0 for its .42 and .02.</summary>
    let printedProbes = [ 0.0; 0.42; 1.0; 0.05; 0.0; 0.0; 0.94; 0.02 ]

    /// <summary>What the source prints that F and its bias answer to the eight lines.</summary>
    let printedHandMadeProbes = [ 0.0; 0.33; 1.0; 0.33; 0.0; 0.0; 1.0; 0.33 ]

    /// The network with another filter.
    let private withFilter (kernel: Tensor<'T>) (bias: float) (network: Network<'T>) : Network<'T> =
        let b: Tensor<'T> = Tensor.init (Shape.Of 1) (fun _ -> Number.ofFloat bias)
        { network with Parameters = kernel :: b :: List.skip 2 network.Parameters }

    /// <summary>
    /// The bias of the filter that makes the training loss least, all else kept. A logit is u_n + S·b with S = Σ W, so the
    /// loss is convex in b, and least where the mean of σ(u_n + S·b) is the share of class 1.
    /// </summary>
    /// <param name="backend">What computes.</param>
    /// <param name="dataset">Pictures of both classes.</param>
    /// <param name="network">An I-or-Q network; its filter's bias does not matter. 0 where S = 0: no bias changes anything.</param>
    let bestBias (backend: Backend<'T>) (dataset: Dataset) (network: Network<'T>) =
        let network = withFilter network.Parameters[0] 0.0 network
        let layer, _ = Network.fuse (Network.standardLoss network) network.Layer

        let logits =
            (Predictor(backend, { network with Layer = layer }).Run dataset).ToArray()
            |> Array.map Number.toFloat

        let slope = network.Parameters[2].ToArray() |> Array.sumBy Number.toFloat
        let wanted = dataset.Labels |> Seq.averageBy float
        let share shift = logits |> Array.averageBy (fun u -> 1.0 / (1.0 + exp -(u + shift)))

        // The share grows with the shift: halve the interval in which it passes what is wanted.
        let rec halve low high left =
            let middle = 0.5 * (low + high)

            if left = 0 then middle
            elif share middle < wanted then halve middle high (left - 1)
            else halve low middle (left - 1)

        let reach = 40.0 + (logits |> Array.fold (fun largest u -> max largest (abs u)) 0.0)
        if slope = 0.0 then 0.0 else halve -reach reach 60 / slope

    let private trial backend (train: Dataset) (test: Dataset) name (network: Network<'T>) : IOrQTrial<'T> =
        let evaluate = Prediction.evaluate backend None network
        let kernel = (Inspect.filters network "conv2d").Head
        let _, b = Weights.named network |> List.find (fun (name, _) -> name = "conv2d/bias")
        let bias = Number.toFloat b.Span[0]

        {
            Name = name
            Network = network
            Kernel = kernel
            Bias = bias
            Likeness =
                Tensor.dot kernel handMade
                / sqrt (Tensor.dot kernel kernel * Tensor.dot (handMade: Tensor<'T>) handMade)
            Probes = LineProbes.answers kernel bias
            Train = evaluate train
            Test = evaluate test
        }

    /// <summary>
    /// The network with the filter that it learned; with the hand-made filter and the dense layer kept, its bias chosen by
    /// the training loss; the same with the hand-made filter times ⟨K, F⟩/⟨F, F⟩, as near to the learned one as its scale
    /// and sign can be; and with the hand-made filter and the dense layer learned anew.
    /// </summary>
    /// <remarks>Trained as in the source: Adam, batches of 32, binary cross-entropy.</remarks>
    /// <param name="backend">What computes.</param>
    /// <param name="settings">Changes the settings of both trainings; <c>id</c> for the source's.</param>
    /// <param name="epochs">25 in the source.</param>
    /// <param name="seed">Decides first weights and shuffling.</param>
    /// <param name="train">Pictures of 32×32×1 in two classes.</param>
    /// <param name="test">The same, not to be learned from.</param>
    /// <exception cref="T:System.ArgumentException">The pictures do not fit the network.</exception>
    /// <exception cref="T:System.OperationCanceledException">The settings' token says so.</exception>
    let run
        (backend: Backend<'T>)
        (settings: TrainingSettings -> TrainingSettings)
        (epochs: int)
        (seed: int)
        (train: Dataset)
        (test: Dataset)
        : IOrQTrial<'T> list =
        let settings = settings { TrainingSettings.Default with Seed = seed }
        let start: Network<'T> = Architectures.build seed Architectures.iorq

        let learn network =
            let fitted = Fitting.fit backend settings None ignore epochs train network

            if fitted.Reason = StopReason.Cancelled then
                raise (OperationCanceledException("The study was cancelled.", settings.Cancellation))

            fitted.Network

        let trial = trial backend train test
        let learned = learn start

        // With another filter, at the bias that suits it and the dense layer best.
        let keep kernel =
            let kept = withFilter kernel 0.0 learned
            withFilter kernel (bestBias backend train kept) kept

        let scale = Tensor.dot learned.Parameters[0] handMade / Tensor.dot (handMade: Tensor<'T>) handMade
        let refitted = start |> withFilter handMade HandMadeBias |> Network.freeze ((=) "conv2d") |> learn

        [
            trial "learned" learned
            trial "hand-made, dense layer kept" (keep handMade)
            trial
                "hand-made at the learned scale, dense layer kept"
                (keep (Tensor.scale (Number.ofFloat scale) handMade))
            trial "hand-made, dense layer refitted" refitted
        ]
