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

    /// The elements of a chunk; none, where the rule has no such tensors.
    let internal read (tensors: Tensor<'T>[]) chunk =
        if tensors.Length = 0 then
            ReadOnlySpan.Empty
        else
            (tensors[chunk.Tensor]).Span.Slice(chunk.First, chunk.Count)

    /// Where to write the elements of a chunk.
    let internal write (tensors: Tensor<'T>[]) chunk =
        if tensors.Length = 0 then
            Span.Empty
        else
            (tensors[chunk.Tensor]).Destination.Slice(chunk.First, chunk.Count)

    /// <summary>No steps taken; m = 0, and v = 0 but for Keras' Adagrad.</summary>
    let start (optimizer: Optimizer) (θ: Parameters<'T>) : OptimizerState<'T> =
        let filled isUsed (value: float) =
            if isUsed then
                // All alike and never written: the values of the largest are those of all.
                let values = Array.create (θ |> List.fold (fun most t -> max most t.Size) 0) (Number.ofFloat value)
                θ |> List.map (fun t -> Tensor.own t.Shape values)
            else
                []

        {
            Step = 0
            Moments = filled optimizer.UsesMoment 0.0
            Squares = filled optimizer.UsesSquares optimizer.FirstSquares
        }

    /// θ and what the optimiser remembers of it, tensor by tensor: what a step reads, or what it writes.
    [<NoEquality; NoComparison>]
    type internal Slots<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Parameters: Tensor<'T>[]
        Moments: Tensor<'T>[]
        Squares: Tensor<'T>[]
    }

    [<RequireQualifiedAccess>]
    module internal Slots =
        let from (state: OptimizerState<'T>) (θ: Parameters<'T>) = {
            Parameters = Array.ofList θ
            Moments = Array.ofList state.Moments
            Squares = Array.ofList state.Squares
        }

        /// Memory of the same shapes, with undefined values; a lease tells that it will be written again.
        let like (lease: Lease) slots =
            let fresh =
                Array.map (fun (t: Tensor<'T>) ->
                    Tensor<'T>(t.Shape, GC.AllocateUninitializedArray<'T>(t.Size, pinned = true), 0, lease))

            {
                Parameters = fresh slots.Parameters
                Moments = fresh slots.Moments
                Squares = fresh slots.Squares
            }

        let state step slots : OptimizerState<'T> = {
            Step = step
            Moments = List.ofArray slots.Moments
            Squares = List.ofArray slots.Squares
        }

    /// ‖g‖ over all tensors together: squares are added chunk by chunk, the chunks in order.
    let private norm (scheduler: IScheduler) (chunks: Chunk[]) (gradients: Tensor<'T>[]) =
        use rented = new Rented<float>(chunks.Length)
        let sums = rented.Array

        scheduler.For(
            chunks.Length,
            fun c ->
                let mutable sum = 0.0

                for g in read gradients chunks[c] do
                    let g = Number.toFloat g
                    sum <- sum + g * g

                sums[c] <- sum
        )

        let mutable total = 0.0

        for c in 0 .. chunks.Length - 1 do
            total <- total + sums[c]

        sqrt total

    /// Step t at a learning rate, over the chunks of θ: reads some slots and θ̄, writes others.
    let internal updateInto
        (next: Slots<'T>)
        (backend: Backend<'T>)
        (optimizer: Optimizer)
        (chunks: Chunk[])
        rate
        t
        (slots: Slots<'T>)
        (gradients: Tensor<'T>[])
        =
        let scale =
            if Double.IsInfinity optimizer.ClipNorm then
                1.0
            else
                min 1.0 (optimizer.ClipNorm / norm backend.Scheduler chunks gradients)

        let step isWeight = { optimizer.Update(t, rate, isWeight) with GradientScale = scale }
        let ofWeight, ofOther = step true, step false

        backend.Scheduler.For(
            chunks.Length,
            fun c ->
                let chunk = chunks[c]

                backend.Kernels.Update(
                    (if (gradients[chunk.Tensor]).Shape.Rank > 1 then ofWeight else ofOther),
                    read gradients chunk,
                    read slots.Parameters chunk,
                    read slots.Moments chunk,
                    read slots.Squares chunk,
                    write next.Parameters chunk,
                    write next.Moments chunk,
                    write next.Squares chunk
                )
        )

    /// <summary>One step at a learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let updateAt rate (backend: Backend<'T>) (optimizer: Optimizer) (state: OptimizerState<'T>) θ (θ̄: Parameters<'T>) =
        let slots = Slots.from state θ
        let next = Slots.like null slots
        updateInto next backend optimizer (chunks θ) rate (state.Step + 1) slots (Array.ofList θ̄)
        Slots.state (state.Step + 1) next, List.ofArray next.Parameters

    /// <summary>One step at the optimiser's own learning rate: (state, θ, θ̄) ↦ (next state, θ + Δ).</summary>
    let update backend (optimizer: Optimizer) (state: OptimizerState<'T>) θ θ̄ =
        updateAt optimizer.LearningRate backend optimizer state θ θ̄
