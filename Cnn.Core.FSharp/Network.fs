namespace Cnn

/// <summary>One row of a network's summary.</summary>
/// <remarks>An immutable value.</remarks>
[<NoComparison>]
type SummaryRow = {
    /// <summary>Name of the layer, numbered within its type as in Keras: conv2d, conv2d_1.</summary>
    Name: string
    /// <summary>Type of the layer, as in Conv2D.</summary>
    Type: string
    /// <summary>Shape of one sample of its output.</summary>
    Output: Shape
    /// <summary>Numbers that training changes.</summary>
    Trainable: int
    /// <summary>Numbers that it does not: batch statistics and frozen weights.</summary>
    NonTrainable: int
} with

    /// <summary>Trainable and not trainable numbers together.</summary>
    member this.Parameters = this.Trainable + this.NonTrainable

    /// <summary>Name, type, shape and parameters, as in conv2d_1 (Conv2D) 24×24×16, 2416 parameters.</summary>
    override this.ToString() =
        this.Name
        + " ("
        + this.Type
        + ") "
        + string this.Output
        + ", "
        + Words.count this.Parameters "parameter" "parameters"

namespace Cnn.FSharp

open System
open System.Numerics
open System.Runtime.InteropServices
open System.Security.Cryptography
open Cnn

/// <summary>A layer with an input shape, parameters θ and state: all that it takes to predict.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type Network<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>What it computes.</summary>
    Layer: Layer<'T>
    /// <summary>Shape of one input sample.</summary>
    Input: Shape
    /// <summary>θ: what training changes.</summary>
    Parameters: Parameters<'T>
    /// <summary>Batch statistics and frozen weights.</summary>
    State: State<'T>
}

/// <summary>Networks: making, describing, running.</summary>
[<RequireQualifiedAccess>]
module Network =

    /// <summary>A network at its start: weights drawn from the key.</summary>
    /// <exception cref="T:Cnn.ShapeException">The layers do not fit the input or each other.</exception>
    let create (key: Key) (input: Shape) (layer: Layer<'T>) : Network<'T> =
        Layer.output layer input |> ignore
        let θ, s = Layer.initial (key.Child Purpose.Initial) input layer

        { Layer = layer; Input = input; Parameters = θ; State = s }

    /// <summary>Shape of one output sample.</summary>
    let output (network: Network<'T>) = Layer.output network.Layer network.Input

    let private count tensors = tensors |> List.sumBy (fun (t: Tensor<'T>) -> t.Size)

    /// <summary>Numbers that training changes, and numbers that it does not.</summary>
    let parameterCounts (network: Network<'T>) = struct (count network.Parameters, count network.State)

    /// <summary>Names, shapes and parameter counts of the layers of specs, from the input on.</summary>
    let describe (input: Shape) (layer: Layer<'T>) : SummaryRow list =
        let rec rows seen shape (parts: Primitive<'T> list) =
            match parts with
            | [] -> []
            | part :: rest ->
                let name = LayerSpec.baseName part.Spec
                let before = seen |> Map.tryFind name |> Option.defaultValue 0

                let trainable, others =
                    match LayerSpec.parameterCount shape part.Spec with
                    | Some n when part.Parameters = 0 -> 0, n
                    | Some n when part.States = 0 -> n, 0
                    // Half of a batch normalisation is trained: γ and β.
                    | Some n -> n / 2, n / 2
                    | None ->
                        let θ, s = part.Initial (Key.ofSeed 0) shape
                        count θ, count s

                {
                    Name = (if before = 0 then name else name + "_" + string before)
                    Type = LayerSpec.typeName part.Spec
                    Output = part.Output shape
                    Trainable = trainable
                    NonTrainable = others
                }
                :: rows (Map.add name (before + 1) seen) (part.Output shape) rest

        rows Map.empty input layer.Parts

    /// <summary>Names, shapes and parameter counts, layer by layer.</summary>
    let summary (network: Network<'T>) = describe network.Input network.Layer

    /// <summary>SHA-256 over the bytes of θ, then of the state, as lower-case hexadecimal digits.</summary>
    let weightHash (network: Network<'T>) =
        use hash = IncrementalHash.CreateHash HashAlgorithmName.SHA256

        for t in network.Parameters @ network.State do
            hash.AppendData(MemoryMarshal.AsBytes t.Span)

        Convert.ToHexStringLower(hash.GetHashAndReset())

    /// Refuses what is not a batch of the network's inputs.
    let internal checkInput (network: Network<'T>) (x: Tensor<'T>) =
        if x.Shape.Rank < 1 || x.Shape.Sample <> network.Input then
            raise (
                ShapeException(
                    "Network",
                    "a batch of samples of shape " + string network.Input,
                    string x.Shape,
                    (if x.Shape = network.Input then
                         "Put the batch axis first."
                     else
                         "Resize or pad the pictures to the input of the network.")
                )
            )

    /// <summary>y = f(θ, x) for a batch, with the next state and the pullback; the context's mode says whether to predict or to learn.</summary>
    /// <exception cref="T:Cnn.ShapeException">The samples have not the shape of the network's input.</exception>
    let run (context: Context<'T>) (network: Network<'T>) (x: Tensor<'T>) =
        checkInput network x
        Layer.run context network.Layer network.Parameters network.State x

    /// <summary>The network's outputs for a batch, by the textbook kernels: N samples → N outputs.</summary>
    /// <exception cref="T:Cnn.ShapeException">The samples have not the shape of the network's input.</exception>
    let predict (network: Network<'T>) (x: Tensor<'T>) = (run (Context.reference Inference) network x).Output

    /// <summary>The network with rules applied wherever they apply: equal as far as the rules are.</summary>
    let rewrite (rules: Rule<'T> list) (network: Network<'T>) : Network<'T> =
        let row =
            Rewriting.place network.Input network.Layer.Parts network.Parameters network.State
            |> Rewriting.rewrite rules

        {
            network with
                Layer = { Parts = row |> List.map (fun placed -> placed.Part) }
                Parameters = row |> List.collect (fun placed -> placed.Parameters)
                State = row |> List.collect (fun placed -> placed.State)
        }

    /// <summary>An equal, cheaper network: the same outputs to the last bit, in training too, and the same θ and state.</summary>
    /// <remarks>
    /// <see cref="P:Cnn.FSharp.Rewriting.training"/>. Gradients are equal where no pooling window has two maxima that a
    /// later activation tells apart no longer. Training does this by itself.
    /// </remarks>
    let optimise (network: Network<'T>) = rewrite Rewriting.training network

    /// <summary>A cheaper network for predicting only: equal up to rounding, batch normalisation and rotations in its weights.</summary>
    /// <remarks><see cref="P:Cnn.FSharp.Rewriting.inference"/>, with the bounds stated there. A predictor does this by itself.</remarks>
    let forInference (network: Network<'T>) = rewrite Rewriting.inference network

    /// An equal network whose convolutions are cross-correlations with the rotated kernels.
    let internal correlating (network: Network<'T>) = rewrite [ Rewriting.rotateKernel ] network

    /// <summary>The network with some of its layers frozen: their weights move from θ to the state and stay as they are.</summary>
    /// <remarks>Layers are told by the names of the summary, as in conv2d_1. Convolutional and dense layers can be frozen.</remarks>
    let freeze (isFrozen: string -> bool) (network: Network<'T>) : Network<'T> =
        let rec walk (rows: SummaryRow list) (parts: Primitive<'T> list) θ s =
            match rows, parts with
            | row :: rows, part :: parts ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s
                let below, θ', s' = walk rows parts θg sg

                match part.Spec with
                | Conv2D conv when conv.Trainable && isFrozen row.Name ->
                    (Layers.ofSpec (Conv2D { conv with Trainable = false })).Parts @ below, θ', θf @ s'
                | Dense dense when dense.Trainable && isFrozen row.Name ->
                    (Layers.ofSpec (Dense { dense with Trainable = false })).Parts @ below, θ', θf @ s'
                | _ -> part :: below, θf @ θ', sf @ s'
            | _ -> [], [], []

        let parts, θ, s = walk (summary network) network.Layer.Parts network.Parameters network.State

        { network with Layer = { Parts = parts }; Parameters = θ; State = s }

    /// <summary>The layer without its last activation, if that goes into the loss, and the loss to train with.</summary>
    /// <remarks>Softmax with cross-entropy and sigmoid with binary cross-entropy are computed from the logits.</remarks>
    let fuse (loss: Loss) (layer: Layer<'T>) : Layer<'T> * Loss =
        match List.rev layer.Parts with
        | [] -> layer, loss
        | last :: before ->
            match Loss.fuse loss last.Spec with
            | None -> layer, loss
            | Some(None, fused) -> { Parts = List.rev before }, fused
            | Some(Some spec, fused) -> { Parts = List.rev before @ (Layers.ofSpec spec).Parts }, fused

    /// <summary>The loss that goes with the last layer: softmax → cross-entropy, sigmoid → binary, else ½‖·‖².</summary>
    let standardLoss (network: Network<'T>) =
        network.Layer.Parts |> List.tryLast |> Option.map (fun part -> part.Spec) |> Loss.standard

    /// <summary>(L, θ̄) of a batch, as the formulas say it: reference kernels, no shards.</summary>
    /// <remarks>θ̄ = ∂L/∂θ has the shapes of θ; L is the mean or the sum over the samples, as the loss says.</remarks>
    /// <exception cref="T:Cnn.ShapeException">The samples have not the shape of the network's input, or targets are missing.</exception>
    let gradient (loss: Loss) mode (network: Network<'T>) (x: Tensor<'T>) (targets: Targets<'T>) =
        checkInput network x
        let layer, fused = fuse loss network.Layer
        let context = { Context.reference mode with NeedsInputGradient = false }
        let step = Layer.run context layer network.Parameters network.State x
        let struct (value, ȳ) = Loss.evaluate fused step.Output targets
        value, fst (step.Pullback ȳ)
