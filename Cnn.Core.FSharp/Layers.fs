namespace Cnn.FSharp

open System
open Cnn

/// <summary>The table of layers: each a value and its pullback (SPEC sections 4 to 6).</summary>
[<RequireQualifiedAccess>]
module Layers =

    /// <summary>The meaning of a layer's data.</summary>
    /// <exception cref="T:System.ArgumentException">The layer is of a user's own and known by name only, or one of its data means nothing.</exception>
    let ofSpec (spec: LayerSpec) : Layer<'T> =
        match spec with
        | Conv2D conv -> Affine.conv2d conv
        | Dense dense -> Affine.dense dense
        | MaxPool pool -> Pooling.windowed spec Pooling.max pool
        | AveragePool pool -> Pooling.windowed spec Pooling.average pool
        | GlobalMaxPool -> Pooling.whole spec Pooling.max
        | GlobalAveragePool -> Pooling.whole spec Pooling.average
        | Flatten order -> Elementwise.flatten order
        | Activation φ -> Elementwise.activation φ
        | BatchNorm norm -> Normalization.batchNorm norm
        | Dropout(rate, kind) -> Elementwise.dropout rate kind
        | Custom name ->
            raise (
                ArgumentException(
                    "The layer " + name + " is of your own making: compose it in, it has no data to read."
                )
            )

    /// <summary>f₁ ; … ; fₙ from data.</summary>
    let ofSpecs specs : Layer<'T> = specs |> List.map ofSpec |> Layer.sequence

    /// <summary>y[n,i,j,f] = b[f] + Σ_{u,v,c} K[u,v,c,f]·x[n,i+u,j+v,c]: a convolutional layer of square kernels.</summary>
    /// <remarks>
    /// H×W×C → (H−k+1)×(W−k+1)×filters, valid, stride 1, no activation; every other choice is a field of
    /// <see cref="T:Cnn.FSharp.Conv2D"/>, through <c>Layers.ofSpec</c>. Fossheim 2022, eq. 4–5; Wichmann 2018, 4.1; Vu 2018, eq. 17.
    /// A shape that does not fit raises a <see cref="T:Cnn.ShapeException"/> when the shape law is asked, as <c>Network.create</c> does.
    /// </remarks>
    let conv2d filters kernel : Layer<'T> =
        ofSpec (Conv2D { Conv2D.Default with Filters = filters; Kernel = Size.Square kernel })

    /// <summary>Z[n,k] = Σ_d A[n,d]·W[d,k] + b[k]: D → units, without activation. Fossheim 2022, eq. 46–49; Vu 2018, eq. 29–31.</summary>
    /// <remarks>Pullback: W̄ = Aᵀ·δ, b̄ = Σ_n δ[n], Ā = δ·Wᵀ. Pictures have to be flattened first.</remarks>
    let dense units : Layer<'T> = ofSpec (Dense { Dense.Default with Units = units })

    /// <summary>The maximum of each window×window square, moving by its size; the first maximum takes the gradient.</summary>
    /// <remarks>H×W×C → ⌊H/window⌋×⌊W/window⌋×C. Fossheim 2022, II; Wichmann 2018, 5.5.</remarks>
    let maxPool window : Layer<'T> = ofSpec (MaxPool(Pool.Square window))

    /// <summary>The mean of each window×window square, moving by its size. Wichmann 2018, 5.8; Vu 2018, eq. 34, 39.</summary>
    /// <remarks>H×W×C → ⌊H/window⌋×⌊W/window⌋×C. Pullback: δ/window² to each cell of the window.</remarks>
    let averagePool window : Layer<'T> = ofSpec (AveragePool(Pool.Square window))

    /// <summary>The maximum of each channel: H×W×C → C; the first one takes the gradient. Fan &amp; Yam 11.3.2.</summary>
    let globalMaxPool () : Layer<'T> = ofSpec GlobalMaxPool

    /// <summary>The mean of each channel: H×W×C → C; its pullback gives δ/(H·W) to each cell. Fan &amp; Yam 11.3.2.</summary>
    let globalAveragePool () : Layer<'T> = ofSpec GlobalAveragePool

    /// <summary>A picture as a vector, row by row, channels last: H×W×C → H·W·C, [i,j,c] at (i·W + j)·C + c. Fan &amp; Yam g_F.</summary>
    let flatten () : Layer<'T> = ofSpec (Flatten FlattenOrder.RowMajor)

    /// <summary>φ, element by element, or softmax over the last axis.</summary>
    let activation φ : Layer<'T> = ofSpec (LayerSpec.Activation φ)

    /// <summary>φ(x) = max(x, 0), φ'(x) = 1 for x &gt; 0, else 0.</summary>
    let relu () : Layer<'T> = activation Cnn.Activation.ReLU

    /// <summary>φ(x) = tanh x, φ' = 1 − φ².</summary>
    let tanh () : Layer<'T> = activation Cnn.Activation.Tanh

    /// <summary>φ(x) = 1/(1 + e⁻ˣ), φ' = φ·(1 − φ). Vu 2018, eq. 6.</summary>
    let sigmoid () : Layer<'T> = activation Cnn.Activation.Sigmoid

    /// <summary>a_c = exp x_c / Σ_d exp x_d over the last axis; pullback a ∘ (ȳ − ⟨ȳ, a⟩). SPEC section 6.</summary>
    let softmax () : Layer<'T> = activation Cnn.Activation.Softmax

    /// <summary>x̂ = (x − μ)/√(σ² + ε), y = γ·x̂ + β over the batch, for each feature or channel, with ε = 1e−3 and ρ = 0.99. Ioffe and Szegedy 2015.</summary>
    /// <remarks>γ and β are learned; running averages m ← ρ·m + (1−ρ)·μ stand in at inference. Couples the samples of a batch.</remarks>
    let batchNorm () : Layer<'T> = ofSpec (BatchNorm BatchNorm.Default)

    /// <summary>Drops each value with probability rate in training, multiplying the others by 1/(1−rate); nothing at inference. Srivastava et al. 2014.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">rate is not in [0, 1).</exception>
    let dropout rate : Layer<'T> = ofSpec (Dropout(rate, DropoutKind.Bernoulli))
