namespace Cnn.FSharp

open System.Numerics
open Cnn

/// <summary>A layer with its weights, and the shape of one sample that enters it.</summary>
[<NoEquality; NoComparison>]
type Placed<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The layer.</summary>
    Part: Primitive<'T>
    /// <summary>Shape of one sample that enters it.</summary>
    Input: Shape
    /// <summary>Its part of θ.</summary>
    Parameters: Parameters<'T>
    /// <summary>Its part of the state.</summary>
    State: State<'T>
}

/// <summary>A law that replaces layers in a row by an equal, cheaper row.</summary>
[<NoEquality; NoComparison>]
type Rule<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The law.</summary>
    Name: string
    /// <summary>The row from some layer on, with its first layers replaced; none where the law does not apply to them.</summary>
    Rewrite: Placed<'T> list -> Placed<'T> list option
}

/// <summary>Rewriting is algebra: rules that turn a network into an equal, cheaper one.</summary>
/// <remarks>Pure. Each rule leaves fewer layers, or an activation on fewer numbers, so that rewriting ends.</remarks>
[<RequireQualifiedAccess>]
module Rewriting =

    let private part spec = (Layers.ofSpec spec).Parts.Head

    /// The activation at the end of an affine layer, and that layer with another.
    let private (|Affine|_|) (placed: Placed<'T>) =
        match placed.Part.Spec with
        | Conv2D conv ->
            Some(conv.Activation, (fun φ -> { placed with Part = part (Conv2D { conv with Activation = φ }) }))
        | Dense dense ->
            Some(dense.Activation, (fun φ -> { placed with Part = part (Dense { dense with Activation = φ }) }))
        | _ -> None

    let private (|Applied|_|) (placed: Placed<'T>) =
        match placed.Part.Spec with
        | LayerSpec.Activation φ -> Some φ
        | _ -> None

    let private output (placed: Placed<'T>) = placed.Part.Output placed.Input

    /// Max pooling that leaves fewer numbers than it takes.
    let private (|Maxima|_|) (placed: Placed<'T>) =
        match placed.Part.Spec with
        | MaxPool _
        | GlobalMaxPool when (output placed).Size < placed.Input.Size -> Some(output placed)
        | _ -> None

    let private apply φ input : Placed<'T> = {
        Part = part (LayerSpec.Activation φ)
        Input = input
        Parameters = []
        State = []
    }

    let private isIdentity (φ: Activation) = φ.Kind = ActivationKind.Identity

    /// x ≤ x' ⇒ φ(x) ≤ φ(x'), elementwise; no activation has a slope below 0.
    let private isMonotone (φ: Activation) =
        match φ.Kind with
        | ActivationKind.Identity
        | ActivationKind.ReLU
        | ActivationKind.LeakyReLU
        | ActivationKind.Sigmoid
        | ActivationKind.Tanh -> true
        | _ -> false

    /// <summary>f = id: the identity as an activation, windows of one cell at stride 1, flattening what is flat.</summary>
    let dropIdentity<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> = {
        Name = "f ; id ; g = f ; g"
        Rewrite =
            function
            | first :: rest ->
                match first.Part.Spec with
                | LayerSpec.Activation φ when isIdentity φ -> Some rest
                | MaxPool pool
                | AveragePool pool when pool.Window = Size.Square 1 && output first = first.Input -> Some rest
                | Flatten _ when first.Input.Rank = 1 -> Some rest
                | _ -> None
            | _ -> None
    }

    /// <summary>An activation after a convolutional or dense layer runs where the sums are made.</summary>
    let fuseActivation<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> = {
        Name = "(x ⋆ K + b) ; φ = φ(x ⋆ K + b)"
        Rewrite =
            function
            | Affine(before, withActivation) :: Applied φ :: rest when isIdentity before ->
                Some(withActivation φ :: rest)
            | _ -> None
    }

    let private commute name (isWorth: Activation -> bool) : Rule<'T> =
        let commutes φ = isMonotone φ && not (isIdentity φ) && isWorth φ

        {
            Name = name
            Rewrite =
                function
                | Applied φ :: (Maxima pooled as pool) :: rest when commutes φ -> Some(pool :: apply φ pooled :: rest)
                | Affine(φ, withActivation) :: (Maxima pooled as pool) :: rest when commutes φ ->
                    Some(withActivation Cnn.Activation.Identity :: pool :: apply φ pooled :: rest)
                | _ -> None
        }

    /// <summary>A monotone φ commutes with max pooling, so it runs on the maxima only, forward and backward.</summary>
    /// <remarks>
    /// The values are equal to the last bit, since φ is monotone as implemented. The gradients are where no window has
    /// two maxima; for ReLU everywhere, its slope being 0 where it makes equal what was not.
    /// </remarks>
    let poolFirst<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> =
        commute "φ ; max = max ; φ" (fun _ -> true)

    /// <summary><c>poolFirst</c> for a φ of many operations: the others cost nothing at the end of a layer's sums.</summary>
    let poolBeforeExponentials<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> =
        commute "φ ; max = max ; φ for φ of exponentials" (fun φ ->
            φ.Kind = ActivationKind.Sigmoid || φ.Kind = ActivationKind.Tanh)

    /// <summary>Dropout is the identity at inference.</summary>
    let dropDropout<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> = {
        Name = "dropout = id at inference"
        Rewrite =
            function
            | { Part = { Spec = Dropout _ } } :: rest -> Some rest
            | _ -> None
    }

    /// <summary>K * x = rot180 K ⋆ x: a true convolution with its kernel rotated once. Fan and Yam 11.5.1.</summary>
    let rotateKernel<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> =
        let turn (weights: Tensor<'T> list) =
            match weights with
            | kernel :: bias -> Tensor.rot180 kernel :: bias
            | [] -> []

        {
            Name = "K * x = rot180 K ⋆ x"
            Rewrite =
                function
                | { Part = { Spec = Conv2D conv } } as first :: rest when conv.Mode = ConvolutionMode.Convolution ->
                    let plain = Conv2D { conv with Mode = ConvolutionMode.CrossCorrelation }

                    Some(
                        {
                            first with
                                Part = part plain
                                Parameters = turn first.Parameters
                                State = turn first.State
                        }
                        :: rest
                    )
                | _ -> None
        }

    /// K·s and (b − μ)·s + β, with s = γ/√(σ² + ε) for each filter; none where s is not finite.
    let private folded (norm: BatchNorm) (weights: Tensor<'T> list) (θ: Tensor<'T> list) (s: Tensor<'T> list) =
        let γ, β, mean, variance = θ[0], θ[1], s[0], s[1]

        let scale =
            Tensor.init γ.Shape (fun c ->
                let raised: 'T = variance.Span[c] + Number.ofFloat norm.Epsilon
                let inverse: 'T = 'T.One / 'T.Sqrt raised
                γ.Span[c] * inverse)

        let kernel = weights.Head

        let bias =
            match weights.Tail with
            | b :: _ -> b
            | [] -> Tensor.zeros γ.Shape

        if scale.ToArray() |> Array.forall 'T.IsFinite then
            Some [
                Tensor.init kernel.Shape (fun i -> kernel.Span[i] * scale.Span[i % scale.Size])
                Tensor.init γ.Shape (fun c ->
                    let centred: 'T = bias.Span[c] - mean.Span[c]
                    let scaled: 'T = centred * scale.Span[c]
                    scaled + β.Span[c])
            ]
        else
            None

    /// <summary>Batch normalisation after an affine layer without activation goes into its weights.</summary>
    /// <remarks>
    /// γ·(x ⋆ K + b − μ)/√(σ² + ε) + β = x ⋆ (K·s) + ((b − μ)·s + β), s = γ/√(σ² + ε), for the statistics as learned.
    /// Both sides differ by rounding, at most 2γₙ₊₈·(|s|·(Σ|x||K| + |b| + |μ|) + |β|) for sums of n products
    /// (Higham 2002, 3.1).
    /// </remarks>
    let foldBatchNorm<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> =
        let withBias spec =
            match spec with
            | Conv2D conv when isIdentity conv.Activation -> Some(Conv2D { conv with UseBias = true; Trainable = true })
            | Dense dense when isIdentity dense.Activation ->
                Some(Dense { dense with UseBias = true; Trainable = true })
            | _ -> None

        {
            Name = "(x ⋆ K + b) ; batch normalisation = x ⋆ K' + b' at inference"
            Rewrite =
                function
                | affine :: ({ Part = { Spec = BatchNorm norm } } as after) :: rest ->
                    withBias affine.Part.Spec
                    |> Option.bind (fun spec ->
                        folded norm (affine.Parameters @ affine.State) after.Parameters after.State
                        |> Option.map (fun weights ->
                            { affine with Part = part spec; Parameters = weights; State = [] } :: rest))
                | _ -> None
        }

    /// <summary>Rules that hold in training: outputs are equal to the last bit, and θ, state and draws stay as they are.</summary>
    let training<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> list = [
        dropIdentity
        fuseActivation
        poolFirst
    ]

    /// <summary>Rules that hold where nothing is learned any more; weights may change.</summary>
    let inference<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Rule<'T> list = [
        dropIdentity
        dropDropout
        rotateKernel
        foldBatchNorm
        fuseActivation
        poolBeforeExponentials
    ]

    /// <summary>The row with every rule applied wherever it applies, from the last layer to the first.</summary>
    let rec rewrite (rules: Rule<'T> list) (row: Placed<'T> list) : Placed<'T> list =
        match row with
        | [] -> []
        | first :: rest ->
            let row = first :: rewrite rules rest

            match rules |> List.tryPick (fun rule -> rule.Rewrite row) with
            | Some other -> rewrite rules other
            | None -> row

    /// <summary>Layers with their own shares of θ and state.</summary>
    let rec place (input: Shape) (parts: Primitive<'T> list) (θ: Parameters<'T>) (s: State<'T>) : Placed<'T> list =
        match parts with
        | [] -> []
        | part :: above ->
            let θf, θg = List.splitAt part.Parameters θ
            let sf, sg = List.splitAt part.States s

            { Part = part; Input = input; Parameters = θf; State = sf } :: place (part.Output input) above θg sg
