namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// <summary>What an optimiser remembers between steps.</summary>
[<NoEquality; NoComparison>]
type OptimizerState<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>Steps taken.</summary>
    Step: int
    /// <summary>m for each tensor of θ; empty where the rule has none.</summary>
    Moments: Parameters<'T>
    /// <summary>v for each tensor of θ; empty where the rule has none.</summary>
    Squares: Parameters<'T>
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

    /// <summary>No steps taken; m = 0, and v = 0 but for Keras' Adagrad.</summary>
    let start (optimizer: Optimizer) (θ: Parameters<'T>) : OptimizerState<'T> =
        let filled isUsed (value: float) =
            if isUsed then
                θ |> List.map (fun t -> Tensor.init t.Shape (fun _ -> Number.ofFloat value))
            else
                []

        {
            Step = 0
            Moments = filled optimizer.UsesMoment 0.0
            Squares = filled optimizer.UsesSquares optimizer.FirstSquares
        }

    /// ‖g‖ over all tensors together: squares are added chunk by chunk, the chunks in order.
    let private norm (scheduler: IScheduler) chunks (gradients: Tensor<'T>[]) =
        let sums = Array.zeroCreate<float>(Array.length chunks)

        scheduler.For(
            chunks.Length,
            fun chunk ->
                let struct (i, first, count) = chunks[chunk]

                for g in (gradients[i]).Span.Slice(first, count) do
                    let g = Number.toFloat g
                    sums[chunk] <- sums[chunk] + g * g
        )

        sqrt (Array.sum sums)

    /// One step at a learning rate, with memory from a workspace.
    let internal updateIn
        (workspace: IWorkspace<'T>)
        (backend: Backend<'T>)
        (optimizer: Optimizer)
        rate
        (state: OptimizerState<'T>)
        (θ: Parameters<'T>)
        (θ̄: Parameters<'T>)
        =
        let like (ts: Parameters<'T>) = ts |> List.map (fun t -> workspace.Tensor t.Shape)

        let chunks = chunks θ
        let gradients = Array.ofList θ̄

        let scale =
            if Double.IsInfinity optimizer.ClipNorm then
                1.0
            else
                min 1.0 (optimizer.ClipNorm / norm backend.Scheduler chunks gradients)

        let step isWeight = { optimizer.Update(state.Step + 1, rate, isWeight) with GradientScale = scale }

        let ofWeight, ofOther = step true, step false

        let next = { Step = state.Step + 1; Moments = like state.Moments; Squares = like state.Squares }

        let θ' = like θ
        let read, write = [ θ; state.Moments; state.Squares ], [ θ'; next.Moments; next.Squares ]

        let read, write =
            read |> List.map Array.ofList |> Array.ofList, write |> List.map Array.ofList |> Array.ofList

        backend.Scheduler.For(
            chunks.Length,
            fun chunk ->
                let struct (i, first, count) = chunks[chunk]

                // A slot that the rule has not is empty.
                let old k =
                    if read[k].Length = 0 then
                        ReadOnlyMemory.Empty
                    else
                        (read[k][i]).Memory.Slice(first, count)

                let fresh k =
                    if write[k].Length = 0 then
                        Memory.Empty
                    else
                        (write[k][i]).DestinationPart(first, count)

                backend.Kernels.Update(
                    (if (gradients[i]).Shape.Rank > 1 then ofWeight else ofOther),
                    (gradients[i]).Span.Slice(first, count),
                    (old 0).Span,
                    (old 1).Span,
                    (old 2).Span,
                    (fresh 0).Span,
                    (fresh 1).Span,
                    (fresh 2).Span
                )
        )

        next, θ'

    /// <summary>One step at a learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let updateAt rate (backend: Backend<'T>) (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateIn (FreshWorkspace<'T>()) backend optimizer rate state θ θ̄

    /// <summary>One step at the optimiser's own learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let update backend (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateAt optimizer.LearningRate backend optimizer state θ θ̄
