namespace Cnn

open System
open System.Globalization
open System.Runtime.InteropServices

/// <summary>The rules that optimisers follow (SPEC section 8): g is the gradient, Δ is added to the weights, m = v = 0 at first.</summary>
type OptimizerKind =
    /// Δ = −η g
    | Sgd = 0
    /// m ← γ m − (1−γ) g; Δ = η m. Fan and Yam, Programme 11.6.7.
    | Momentum = 1
    /// m ← γ m + g; Δ = −η m. PyTorch.
    | ClassicMomentum = 2
    /// m ← γ m − η g; Δ = m. Keras.
    | KerasMomentum = 3
    /// m ← γ m + g; Δ = −η (g + γ m). PyTorch.
    | Nesterov = 4
    /// m ← γ m − η g; Δ = γ m − η g. Keras.
    | KerasNesterov = 5
    /// v ← v + g²; Δ = −η g/(√v + ε). Fan and Yam; PyTorch.
    | Adagrad = 6
    /// v ← v + g², from v = 0.1; Δ = −η g/√(v + ε). Keras.
    | KerasAdagrad = 7
    /// v ← γ v + (1−γ) g²; Δ = −η g/(√v + ε). Fan and Yam; PyTorch.
    | RmsProp = 8
    /// v ← γ v + (1−γ) g²; Δ = −η g/√(v + ε). Keras.
    | KerasRmsProp = 9
    /// m ← β₁ m − (1−β₁) g; v ← β₂ v + (1−β₂) g²; Δ = η m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). Fan and Yam; PyTorch.
    | Adam = 10
    /// The same with Δ = η √(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε). Keras.
    | KerasAdam = 11
    /// Adam, and first of all θ ← (1 − ηλ) θ for weights. Loshchilov and Hutter 2019.
    | AdamW = 12

/// The numbers of an optimiser.
[<NoComparison>]
type internal OptimizerData = {
    Kind: OptimizerKind
    Rate: float
    Decay1: float
    Decay2: float
    Epsilon: float
    WeightDecay: float
    L1: float
    L2: float
    ClipNorm: float
    ClipValue: float
    Schedule: Schedule
}

/// <summary>A rule that turns gradients into steps, with its schedule, penalties and clipping.</summary>
/// <remarks>
/// An immutable value with structural equality; its memory is in the optimiser's state, not here. Penalties and weight
/// decay act on weights (tensors of two axes or more), not on biases, nor on γ and β of batch normalisation.
/// </remarks>
[<Sealed>]
type Optimizer private (data: OptimizerData) =

    static let require name (value: float) isValid expected =
        if not isValid then
            raise (ArgumentOutOfRangeException(name, value, "An optimiser needs " + expected + "."))

    static let atLeast0 name value = require name value (value >= 0.0 && Double.IsFinite value) "a number of 0 or more"

    static let share name value = require name value (value >= 0.0 && value < 1.0) "a decay in [0, 1)"

    static let create kind rate decay1 decay2 epsilon =
        atLeast0 "learningRate" rate
        let isAdam = kind >= OptimizerKind.Adam
        share (if isAdam then "beta1" else "momentum") decay1
        share (if isAdam then "beta2" else "decay") decay2
        // Without ε, the first gradient of 0 divides by 0.
        let isAdaptive = kind >= OptimizerKind.Adagrad
        require "epsilon" epsilon (not isAdaptive || epsilon > 0.0 && Double.IsFinite epsilon) "an epsilon above 0"

        Optimizer {
            Kind = kind
            Rate = rate
            Decay1 = decay1
            Decay2 = decay2
            Epsilon = epsilon
            WeightDecay = 0.0
            L1 = 0.0
            L2 = 0.0
            ClipNorm = infinity
            ClipValue = infinity
            Schedule = Schedule.Constant
        }

    let usesMoment, usesSquares =
        match data.Kind with
        | OptimizerKind.Sgd -> false, false
        | OptimizerKind.Adagrad
        | OptimizerKind.KerasAdagrad
        | OptimizerKind.RmsProp
        | OptimizerKind.KerasRmsProp -> false, true
        | OptimizerKind.Adam
        | OptimizerKind.KerasAdam
        | OptimizerKind.AdamW -> true, true
        | _ -> true, false

    /// <summary>Δ = −η g.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    static member Sgd([<Optional; DefaultParameterValue(1e-3)>] learningRate: float) =
        create OptimizerKind.Sgd learningRate 0.0 0.0 0.0

    /// <summary>
    /// Its step is (1−γ) times that of Keras and PyTorch: for theirs use KerasMomentum or ClassicMomentum.
    /// m ← γ m − (1−γ) g; Δ = η m. Fan and Yam, Programme 11.6.7.
    /// </summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="momentum">γ, default 0.9.</param>
    static member Momentum
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] momentum: float
        ) =
        create OptimizerKind.Momentum learningRate momentum 0.0 0.0

    /// <summary>m ← γ m + g; Δ = −η m. PyTorch's SGD with momentum.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="momentum">γ, default 0.9.</param>
    static member ClassicMomentum
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] momentum: float
        ) =
        create OptimizerKind.ClassicMomentum learningRate momentum 0.0 0.0

    /// <summary>m ← γ m − η g; Δ = m. Keras' SGD with momentum; differs from PyTorch's where η changes.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="momentum">γ, default 0.9.</param>
    static member KerasMomentum
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] momentum: float
        ) =
        create OptimizerKind.KerasMomentum learningRate momentum 0.0 0.0

    /// <summary>m ← γ m + g; Δ = −η (g + γ m). PyTorch's form of Nesterov 1983.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="momentum">γ, default 0.9.</param>
    static member Nesterov
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] momentum: float
        ) =
        create OptimizerKind.Nesterov learningRate momentum 0.0 0.0

    /// <summary>m ← γ m − η g; Δ = γ m − η g. Keras' form of Nesterov 1983.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="momentum">γ, default 0.9.</param>
    static member KerasNesterov
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] momentum: float
        ) =
        create OptimizerKind.KerasNesterov learningRate momentum 0.0 0.0

    /// <summary>v ← v + g²; Δ = −η g/(√v + ε). Duchi et al. 2011; Fan &amp; Yam, Programme 11.6.7.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="epsilon">ε, default 1e−8.</param>
    static member Adagrad
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(1e-8)>] epsilon: float
        ) =
        create OptimizerKind.Adagrad learningRate 0.0 0.0 epsilon

    /// <summary>v ← v + g², from v = 0.1; Δ = −η g/√(v + ε). Keras' Adagrad.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="epsilon">ε, default 1e−7.</param>
    static member KerasAdagrad
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(1e-7)>] epsilon: float
        ) =
        create OptimizerKind.KerasAdagrad learningRate 0.0 0.0 epsilon

    /// <summary>v ← γ v + (1−γ) g²; Δ = −η g/(√v + ε). Fan &amp; Yam, Programme 11.6.7; PyTorch's form.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="decay">γ, default 0.9.</param>
    /// <param name="epsilon">ε, default 1e−8.</param>
    static member RmsProp
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] decay: float,
            [<Optional; DefaultParameterValue(1e-8)>] epsilon: float
        ) =
        create OptimizerKind.RmsProp learningRate 0.0 decay epsilon

    /// <summary>v ← γ v + (1−γ) g²; Δ = −η g/√(v + ε). Keras' RMSprop.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="decay">γ, default 0.9.</param>
    /// <param name="epsilon">ε, default 1e−7.</param>
    static member KerasRmsProp
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] decay: float,
            [<Optional; DefaultParameterValue(1e-7)>] epsilon: float
        ) =
        create OptimizerKind.KerasRmsProp learningRate 0.0 decay epsilon

    /// <summary>
    /// m ← β₁ m − (1−β₁) g; v ← β₂ v + (1−β₂) g²; Δ = η m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
    /// Kingma and Ba 2015; Fan and Yam, Programme 11.6.7; PyTorch's form.
    /// </summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="beta1">β₁, default 0.9.</param>
    /// <param name="beta2">β₂, default 0.999.</param>
    /// <param name="epsilon">ε, default 1e−8, added after the bias correction.</param>
    static member Adam
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] beta1: float,
            [<Optional; DefaultParameterValue(0.999)>] beta2: float,
            [<Optional; DefaultParameterValue(1e-8)>] epsilon: float
        ) =
        create OptimizerKind.Adam learningRate beta1 beta2 epsilon

    /// <summary>Δ = η √(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε), m and v as in Adam. Keras' Adam: ε comes before the bias correction.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="beta1">β₁, default 0.9.</param>
    /// <param name="beta2">β₂, default 0.999.</param>
    /// <param name="epsilon">ε, default 1e−7.</param>
    static member KerasAdam
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] beta1: float,
            [<Optional; DefaultParameterValue(0.999)>] beta2: float,
            [<Optional; DefaultParameterValue(1e-7)>] epsilon: float
        ) =
        create OptimizerKind.KerasAdam learningRate beta1 beta2 epsilon

    /// <summary>θ ← (1 − ηλ) θ for weights, then Adam's step. Loshchilov and Hutter 2019; PyTorch's form.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="weightDecay">λ, default 0.01.</param>
    /// <param name="beta1">β₁, default 0.9.</param>
    /// <param name="beta2">β₂, default 0.999.</param>
    /// <param name="epsilon">ε, default 1e−8, added after the bias correction.</param>
    static member AdamW
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.01)>] weightDecay: float,
            [<Optional; DefaultParameterValue(0.9)>] beta1: float,
            [<Optional; DefaultParameterValue(0.999)>] beta2: float,
            [<Optional; DefaultParameterValue(1e-8)>] epsilon: float
        ) =
        atLeast0 (nameof weightDecay) weightDecay
        (create OptimizerKind.AdamW learningRate beta1 beta2 epsilon).WithWeightDecay weightDecay

    /// <summary>The rule.</summary>
    member _.Kind = data.Kind

    /// <summary>The learning rate η, before the schedule.</summary>
    member _.LearningRate = data.Rate

    /// <summary>How the learning rate changes.</summary>
    member _.Schedule = data.Schedule

    /// <summary>λ of the decay beside the gradient; 0 for none.</summary>
    member _.WeightDecay = data.WeightDecay

    /// <summary>λ of the penalty λ·Σ|w|; 0 for none.</summary>
    member _.L1 = data.L1

    /// <summary>λ of the penalty λ/2·Σ w²; 0 for none.</summary>
    member _.L2 = data.L2

    /// <summary>The largest magnitude that a component of the gradient keeps; ∞ for none.</summary>
    member _.ClipValue = data.ClipValue

    /// <summary>Norm over all parameters that a gradient is scaled down to; ∞ for none.</summary>
    member _.ClipNorm = data.ClipNorm

    /// <summary>The same rule with another learning rate.</summary>
    member _.WithLearningRate(learningRate: float) =
        atLeast0 (nameof learningRate) learningRate
        Optimizer { data with Rate = learningRate }

    /// <summary>The same rule under a learning-rate schedule.</summary>
    member _.WithSchedule(schedule: Schedule) =
        ArgumentNullException.ThrowIfNull(schedule, nameof schedule)
        Optimizer { data with Schedule = schedule }

    /// <summary>The same rule on the loss plus λ·Σ|w| over the weights; reported losses leave it out.</summary>
    /// <param name="lambda">λ, per step: with a loss that is a sum over the batch, the penalty counts once for each batch.</param>
    member _.WithL1(lambda: float) =
        atLeast0 (nameof lambda) lambda
        Optimizer { data with L1 = lambda }

    /// <summary>The same rule on the loss plus λ/2·Σ w² over the weights; reported losses leave it out. Fossheim's lmbd.</summary>
    /// <param name="lambda">λ, per step: with a loss that is a sum over the batch, the penalty counts once for each batch.</param>
    member _.WithL2(lambda: float) =
        atLeast0 (nameof lambda) lambda
        Optimizer { data with L2 = lambda }

    /// <summary>The same rule after w ← (1 − ηλ)·w for the weights: decay beside the gradient, as in AdamW.</summary>
    /// <param name="lambda">λ.</param>
    member _.WithWeightDecay(lambda: float) =
        atLeast0 (nameof lambda) lambda
        Optimizer { data with WeightDecay = lambda }

    /// <summary>The same rule on g·min(1, norm/‖g‖), ‖g‖ over all parameters together. Pascanu et al. 2013.</summary>
    /// <param name="norm">The largest norm, above 0.</param>
    member _.WithClipNorm(norm: float) =
        require (nameof norm) norm (norm > 0.0) "a norm above 0"
        Optimizer { data with ClipNorm = norm }

    /// <summary>The same rule with each component of the gradient kept within ±value.</summary>
    /// <param name="value">The largest magnitude, above 0.</param>
    member _.WithClipValue(value: float) =
        require (nameof value) value (value > 0.0) "a magnitude above 0"
        Optimizer { data with ClipValue = value }

    /// <summary>Whether the rule remembers m.</summary>
    member _.UsesMoment = usesMoment

    /// <summary>Whether the rule remembers v.</summary>
    member _.UsesSquares = usesSquares

    /// <summary>What v starts from.</summary>
    member _.FirstSquares = if data.Kind = OptimizerKind.KerasAdagrad then 0.1 else 0.0

    /// <summary>The numbers of step t = 1, 2, … at learning rate η, for weights or for other parameters.</summary>
    member _.Update(t: int, learningRate: float, isWeight: bool) : Update =
        let η, γ, β, ε = learningRate, data.Decay1, data.Decay2, data.Epsilon
        let corrected1, corrected2 = 1.0 - Math.Pow(γ, float t), 1.0 - Math.Pow(β, float t)

        let none = {
            Update.None with
                ClipValue = data.ClipValue
                L1 = (if isWeight then data.L1 else 0.0)
                L2 = (if isWeight then data.L2 else 0.0)
                Shrink = (if isWeight then 1.0 - η * data.WeightDecay else 1.0)
        }

        let squares = { none with Keep2 = β; Gain2 = 1.0 - β; GradientShare = -η }

        let adam = {
            squares with
                Keep1 = γ
                Gain1 = -(1.0 - γ)
                GradientShare = 0.0
                SlotShare = η / corrected1
                RootScale = 1.0 / corrected2
                EpsilonOutside = ε
        }

        match data.Kind with
        | OptimizerKind.Momentum -> { none with Keep1 = γ; Gain1 = -(1.0 - γ); SlotShare = η }
        | OptimizerKind.ClassicMomentum -> { none with Keep1 = γ; Gain1 = 1.0; SlotShare = -η }
        | OptimizerKind.KerasMomentum -> { none with Keep1 = γ; Gain1 = -η; SlotShare = 1.0 }
        | OptimizerKind.Nesterov -> { none with Keep1 = γ; Gain1 = 1.0; SlotShare = -η * γ; GradientShare = -η }
        | OptimizerKind.KerasNesterov -> { none with Keep1 = γ; Gain1 = -η; SlotShare = γ; GradientShare = -η }
        | OptimizerKind.Adagrad -> { squares with Keep2 = 1.0; Gain2 = 1.0; EpsilonOutside = ε }
        | OptimizerKind.KerasAdagrad -> { squares with Keep2 = 1.0; Gain2 = 1.0; EpsilonInside = ε }
        | OptimizerKind.RmsProp -> { squares with EpsilonOutside = ε }
        | OptimizerKind.KerasRmsProp -> { squares with EpsilonInside = ε }
        | OptimizerKind.Adam
        | OptimizerKind.AdamW -> adam
        | OptimizerKind.KerasAdam -> { adam with SlotShare = η * sqrt corrected2 / corrected1; RootScale = 1.0 }
        | _ -> { none with GradientShare = -η }

    member internal _.Data = data

    /// <summary>True where both are the same rule with the same numbers.</summary>
    member _.Equals(other: Optimizer | null) =
        match other with
        | null -> false
        | optimizer -> optimizer.Data = data

    override this.Equals(other: obj | null) =
        match other with
        | :? Optimizer as optimizer -> this.Equals optimizer
        | _ -> false

    /// <summary>Equality of values.</summary>
    static member op_Equality(left: Optimizer | null, right: Optimizer | null) = Object.Equals(left, right)

    /// <summary>Equality of values, denied.</summary>
    static member op_Inequality(left: Optimizer | null, right: Optimizer | null) = not (Object.Equals(left, right))

    interface IEquatable<Optimizer> with
        member this.Equals other = this.Equals other

    override _.GetHashCode() = data.GetHashCode()

    /// <summary>Rule and learning rate, as in Adam(0.001), and what else is set: schedule, penalties, decay, clipping.</summary>
    override _.ToString() =
        let text (x: float) = x.ToString CultureInfo.InvariantCulture

        [
            yield string (Enum.GetName data.Kind) + "(" + text data.Rate + ")"

            if data.Schedule <> Schedule.Constant then
                yield string data.Schedule

            for name, value, none in
                [
                    "L1", data.L1, 0.0
                    "L2", data.L2, 0.0
                    "weight decay", data.WeightDecay, 0.0
                    "clip norm", data.ClipNorm, infinity
                    "clip value", data.ClipValue, infinity
                ] do
                if value <> none then
                    yield name + " " + text value
        ]
        |> String.concat ", "
