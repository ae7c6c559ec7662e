namespace Cnn

open System
open System.Runtime.InteropServices

/// <summary>A rule that turns gradients into steps (SPEC section 8; g is the gradient, Δ is added to the weights).</summary>
/// <remarks>An immutable value with structural equality; its memory is in the optimiser's state, not here.</remarks>
[<Sealed>]
type Optimizer private (kind: UpdateKind, learningRate: float, decay1: float, decay2: float, epsilon: float) =

    static let create kind rate decay1 decay2 epsilon =
        let inside name (value: float) isValid expected =
            if not isValid then
                raise (ArgumentOutOfRangeException(name, value, "An optimiser needs " + expected + "."))

        inside "learningRate" rate (rate >= 0.0 && Double.IsFinite rate) "a learning rate of 0 or more"
        inside "decay" decay1 (decay1 >= 0.0 && decay1 < 1.0) "a decay in [0, 1)"
        inside "decay" decay2 (decay2 >= 0.0 && decay2 < 1.0) "a decay in [0, 1)"
        inside "epsilon" epsilon (epsilon >= 0.0 && Double.IsFinite epsilon) "an epsilon of 0 or more"
        Optimizer(kind, rate, decay1, decay2, epsilon)

    /// <summary>Δ = −η g.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    static member Sgd([<Optional; DefaultParameterValue(1e-3)>] learningRate: float) =
        create UpdateKind.Sgd learningRate 0.0 0.0 0.0

    /// <summary>m ← γ m − (1−γ) g; Δ = η m, from m = 0. Fan &amp; Yam, Programme 11.6.7.</summary>
    /// <param name="learningRate">η, default 1e−3.</param>
    /// <param name="decay">γ, default 0.9.</param>
    static member Momentum
        (
            [<Optional; DefaultParameterValue(1e-3)>] learningRate: float,
            [<Optional; DefaultParameterValue(0.9)>] decay: float
        ) =
        create UpdateKind.Momentum learningRate decay 0.0 0.0

    /// <summary>
    /// m ← β₁ m − (1−β₁) g; v ← β₂ v + (1−β₂) g²; Δ = η m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), from m = v = 0.
    /// Fan &amp; Yam, Programme 11.6.7; Kingma and Ba 2015; PyTorch's form.
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
        create UpdateKind.Adam learningRate beta1 beta2 epsilon

    /// <summary>The elementwise rule.</summary>
    member _.Kind = kind

    /// <summary>The learning rate η.</summary>
    member _.LearningRate = learningRate

    /// <summary>The same rule with another learning rate.</summary>
    member _.WithLearningRate rate = create kind rate decay1 decay2 epsilon

    /// <summary>Tensors that the rule remembers for each tensor of θ.</summary>
    member _.Slots =
        match kind with
        | UpdateKind.Sgd -> 0
        | UpdateKind.Momentum -> 1
        | _ -> 2

    /// <summary>The numbers of step t = 1, 2, ….</summary>
    member _.Step(t: int) = {
        Kind = kind
        Rate = learningRate
        Decay1 = decay1
        Decay2 = decay2
        Epsilon = epsilon
        Correction1 = 1.0 - Math.Pow(decay1, float t)
        Correction2 = 1.0 - Math.Pow(decay2, float t)
    }

    override this.Equals(other: obj | null) =
        match other with
        | :? Optimizer as o -> o.Step 1 = this.Step 1
        | _ -> false

    override _.GetHashCode() = HashCode.Combine(kind, learningRate, decay1, decay2, epsilon)

    override _.ToString() =
        string (Enum.GetName kind)
        + "("
        + learningRate.ToString Globalization.CultureInfo.InvariantCulture
        + ")"

namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>What an optimiser remembers between steps: how many it took, and its slots, each shaped like θ.</summary>
[<NoEquality; NoComparison>]
type OptimizerState<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    Step: int
    Slots: Parameters<'T> list
}

/// <summary>Backends that need nothing but this assembly.</summary>
[<RequireQualifiedAccess>]
module Backend =
    /// <summary>Textbook kernels on one thread.</summary>
    let reference<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Backend<'T> = {
        Kernels = ReferenceKernels<'T>()
        Scheduler = SequentialScheduler()
    }

/// <summary>Optimiser steps as a pure function of (state, θ, θ̄).</summary>
[<RequireQualifiedAccess>]
module Optimizer =

    /// Elements that one iteration of a parallel loop takes; results do not depend on it.
    [<Literal>]
    let private Chunk = 8192

    /// (tensor, first element, elements) for all chunks of a list of tensors.
    let internal chunks (θ: Parameters<'T>) = [|
        for i, t in List.indexed θ do
            for first in 0..Chunk .. t.Size - 1 do
                struct (i, first, min Chunk (t.Size - first))
    |]

    /// <summary>No steps taken, all slots zero.</summary>
    let start (optimizer: Optimizer) (θ: Parameters<'T>) : OptimizerState<'T> = {
        Step = 0
        Slots = List.init optimizer.Slots (fun _ -> θ |> List.map (fun t -> Tensor.zeros t.Shape))
    }

    /// One step with memory from a workspace.
    let internal updateIn
        (workspace: IWorkspace<'T>)
        (backend: Backend<'T>)
        (optimizer: Optimizer)
        (state: OptimizerState<'T>)
        (θ: Parameters<'T>)
        (θ̄: Parameters<'T>)
        =
        let like (ts: Parameters<'T>) = ts |> List.map (fun t -> workspace.Tensor t.Shape)

        let θ', slots' = like θ, state.Slots |> List.map like
        let step = optimizer.Step(state.Step + 1)
        let old, fresh = Array.ofList θ, Array.ofList θ'
        let gradients = Array.ofList θ̄
        let oldSlots = state.Slots |> List.map Array.ofList |> Array.ofList
        let freshSlots = slots' |> List.map Array.ofList |> Array.ofList
        let chunks = chunks θ

        backend.Scheduler.For(
            chunks.Length,
            fun chunk ->
                let struct (i, first, count) = chunks[chunk]
                let read (t: Tensor<'T>) = t.Memory.Slice(first, count)

                let slot k = if k < oldSlots.Length then read (oldSlots[k][i]) else ReadOnlyMemory.Empty

                let write k =
                    if k < freshSlots.Length then
                        (freshSlots[k][i]).DestinationPart(first, count)
                    else
                        Memory.Empty

                backend.Kernels.Update(
                    step,
                    (read (gradients[i])).Span,
                    (read (old[i])).Span,
                    (slot 0).Span,
                    (slot 1).Span,
                    (fresh[i]).DestinationPart(first, count).Span,
                    (write 0).Span,
                    (write 1).Span
                )
        )

        { Step = state.Step + 1; Slots = slots' }, θ'

    /// <summary>One step: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let update (backend: Backend<'T>) (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateIn (FreshWorkspace<'T>()) backend optimizer state θ θ̄
