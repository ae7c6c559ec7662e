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
    let private ChunkSize = 8192

    /// A piece of a list of tensors: which one, its first element, and how many.
    [<Struct>]
    type internal Chunk = { Tensor: int; First: int; Count: int }

    /// The pieces that parallel loops over θ take; worked out once for a training.
    let internal chunks (θ: Parameters<'T>) = [|
        for i, t in List.indexed θ do
            for first in 0..ChunkSize .. t.Size - 1 do
                { Tensor = i; First = first; Count = min ChunkSize (t.Size - first) }
    |]

    let private read (tensors: Tensor<'T>[]) chunk =
        if tensors.Length = 0 then
            ReadOnlySpan.Empty
        else
            (tensors[chunk.Tensor]).Span.Slice(chunk.First, chunk.Count)

    let private write (tensors: Tensor<'T>[]) chunk =
        if tensors.Length = 0 then
            Span.Empty
        else
            (tensors[chunk.Tensor]).Destination.Slice(chunk.First, chunk.Count)

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
    let private norm (scheduler: IScheduler) (chunks: Chunk[]) (gradients: Tensor<'T>[]) =
        let sums = Array.zeroCreate<float> chunks.Length

        scheduler.For(
            chunks.Length,
            fun c ->
                for g in read gradients chunks[c] do
                    let g = Number.toFloat g
                    sums[c] <- sums[c] + g * g
        )

        sqrt (Array.sum sums)

    /// One step at a learning rate, with memory from a workspace, over the chunks of θ.
    let internal updateIn
        (workspace: IWorkspace<'T>)
        (backend: Backend<'T>)
        (optimizer: Optimizer)
        (chunks: Chunk[])
        rate
        (state: OptimizerState<'T>)
        (θ: Parameters<'T>)
        (θ̄: Parameters<'T>)
        =
        let like (ts: Parameters<'T>) = ts |> List.map (fun t -> workspace.Tensor t.Shape)
        let gradients = Array.ofList θ̄

        let scale =
            if Double.IsInfinity optimizer.ClipNorm then
                1.0
            else
                min 1.0 (optimizer.ClipNorm / norm backend.Scheduler chunks gradients)

        let step isWeight = { optimizer.Update(state.Step + 1, rate, isWeight) with GradientScale = scale }
        let ofWeight, ofOther = step true, step false
        let θ' = like θ
        let next = { Step = state.Step + 1; Moments = like state.Moments; Squares = like state.Squares }
        let old, fresh = Array.ofList θ, Array.ofList θ'
        let oldMoments, freshMoments = Array.ofList state.Moments, Array.ofList next.Moments
        let oldSquares, freshSquares = Array.ofList state.Squares, Array.ofList next.Squares

        backend.Scheduler.For(
            chunks.Length,
            fun c ->
                let chunk = chunks[c]

                backend.Kernels.Update(
                    (if (gradients[chunk.Tensor]).Shape.Rank > 1 then ofWeight else ofOther),
                    read gradients chunk,
                    read old chunk,
                    read oldMoments chunk,
                    read oldSquares chunk,
                    write fresh chunk,
                    write freshMoments chunk,
                    write freshSquares chunk
                )
        )

        next, θ'

    /// <summary>One step at a learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let updateAt rate (backend: Backend<'T>) (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateIn (FreshWorkspace<'T>()) backend optimizer (chunks θ) rate state θ θ̄

    /// <summary>One step at the optimiser's own learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let update backend (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateAt optimizer.LearningRate backend optimizer state θ θ̄
