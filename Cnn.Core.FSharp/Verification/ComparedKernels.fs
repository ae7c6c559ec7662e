namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.Numerics
open Cnn

/// The worst that a kernel did in all its calls for one layer.
[<NoEquality; NoComparison>]
type internal KernelDifference = {
    Kernel: string
    Entries: int64
    /// Position in the kernel's result; −1 where every error is 0.
    Index: int
    /// What the result is, and its shape.
    Result: string
    Shape: Shape
    Error: float
    Bound: float
} with

    /// Error against bound; above 1 it failed. NaN counts as the worst.
    member this.Excess =
        if this.Error <= this.Bound then
            (if this.Bound > 0.0 then this.Error / this.Bound else 0.0)
        else
            infinity

/// Kernels that watch other kernels: every call runs on both, and what the fast ones give goes on. The reference runs in
/// double on the same numbers, so that its own rounding hardly counts; magnitudes come from it on absolute values.
/// For one thread at a time.
[<Sealed>]
type internal ComparedKernels<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>(fast: IKernels<'T>) =
    let reference = ReferenceKernels<float>() :> IKernels<float>
    let memory = FreshWorkspace<float>() :> IWorkspace<float>
    let found = Dictionary<string, KernelDifference>()
    let u = Rounding.unitRoundoff<'T>
    let smallest = Rounding.smallest<'T>
    let gamma n = 2.0 * Rounding.gamma<'T> n

    let widen (values: ReadOnlySpan<'T>) =
        let wide = Array.zeroCreate<float> values.Length

        for i in 0 .. wide.Length - 1 do
            wide[i] <- Number.toFloat values[i]

        wide

    let magnitudes (values: float[]) = Array.map abs values
    let flat length = Shape.Of(length: int)
    let largest (values: float[]) = if values.Length = 0 then 0.0 else values |> Array.maxBy abs |> abs
    let read (values: float[]) = ReadOnlySpan values

    let results length (run: float[] -> unit) =
        let y = Array.zeroCreate<float> length
        run y
        y

    /// |a − b| ≤ bound + smallest for each entry of a fast result.
    let compare kernel result (shape: Shape) (expected: float[]) (actual: ReadOnlySpan<'T>) (bound: int -> float) =
        let mutable worst =
            match found.TryGetValue kernel with
            | true, before -> { before with Entries = before.Entries + int64 expected.Length }
            | _ -> {
                Kernel = kernel
                Entries = int64 expected.Length
                Index = -1
                Result = result
                Shape = shape
                Error = 0.0
                Bound = 0.0
              }

        for i in 0 .. expected.Length - 1 do
            let a: float = Number.toFloat actual[i]
            // The same infinity or the same NaN is no difference.
            let error = if a.Equals expected[i] then 0.0 else abs (a - expected[i])

            if error > 0.0 || Double.IsNaN error then
                let here = { worst with Index = i; Shape = shape; Error = error; Bound = bound i + smallest }

                if worst.Index < 0 || here.Excess > worst.Excess then
                    worst <- here

        found[kernel] <- worst

    let correlate (g: Geometry) x w b φ length =
        results length (fun y -> reference.Correlate(memory, g, read x, read w, ReadOnlySpan.Empty, read b, φ, Span y))

    let inputAdjoint (g: Geometry) ȳ w length =
        results length (fun x̄ -> reference.CorrelateInputAdjoint(memory, g, read ȳ, read w, ReadOnlySpan.Empty, Span x̄))

    let filterAdjoint (g: Geometry) x ȳ length =
        results length (fun w̄ -> reference.CorrelateFilterAdjoint(memory, g, read x, read ȳ, Span w̄))

    let slope (φ: Activation) = if φ.Kind = ActivationKind.LeakyReLU then max 1.0 φ.Slope else 1.0

    /// What φ itself may be off by at y: nothing, a rounding, or a few units in the last place.
    let own (φ: Activation) y =
        match φ.Kind with
        | ActivationKind.Identity
        | ActivationKind.ReLU -> 0.0
        | ActivationKind.LeakyReLU -> 2.0 * u * abs y
        | _ -> u * (32.0 * abs y + 2.0)

    /// What was seen since the last time, kernel by kernel.
    member _.Take() : KernelDifference list =
        let all = List.ofSeq found.Values
        found.Clear()
        all

    interface IKernels<'T> with
        member _.InstructionSet = fast.InstructionSet
        member _.PackedLength(g, packing) = fast.PackedLength(g, packing)
        member _.Pack(g, packing, weights, destination) = fast.Pack(g, packing, weights, destination)

        member _.Correlate(workspace, g, x, weights, packed, bias, φ, y) =
            let x', w', b' = widen x, widen weights, widen bias
            fast.Correlate(workspace, g, x, weights, packed, bias, φ, y)
            let expected = correlate g x' w' b' φ y.Length

            let magnitude = correlate g (magnitudes x') (magnitudes w') (magnitudes b') Activation.Identity y.Length

            let sum = Rounding.sum<'T>(g.KernelHeight * g.KernelWidth * g.Channels + 1)

            let tiled =
                match Rounding.tileOf fast g with
                | ValueSome tile -> Rounding.tiled<'T> tile g.Channels * largest x' * largest w'
                | ValueNone -> 0.0

            compare
                "Correlate"
                "output"
                (g.Output.Batch(y.Length / g.OutputSize))
                expected
                (Span.op_Implicit y)
                (fun i -> slope φ * (sum * magnitude[i] + tiled) + own φ expected[i])

        member _.CorrelateInputAdjoint(workspace, g, dy, weights, packed, dx) =
            let ȳ, w = widen dy, widen weights
            fast.CorrelateInputAdjoint(workspace, g, dy, weights, packed, dx)
            let magnitude = inputAdjoint g (magnitudes ȳ) (magnitudes w) dx.Length
            let sum = Rounding.sum<'T>(g.KernelHeight * g.KernelWidth * g.OutChannels)

            let tiled =
                match Rounding.tileOf fast g with
                | ValueSome tile -> Rounding.tiled<'T> tile g.OutChannels * largest ȳ * largest w
                | ValueNone -> 0.0

            compare
                "CorrelateInputAdjoint"
                "input"
                (g.Input.Batch(dx.Length / g.InputSize))
                (inputAdjoint g ȳ w dx.Length)
                (Span.op_Implicit dx)
                (fun i -> sum * magnitude[i] + tiled)

        member _.CorrelateFilterAdjoint(workspace, g, x, dy, dw) =
            let x', ȳ = widen x, widen dy
            fast.CorrelateFilterAdjoint(workspace, g, x, dy, dw)
            let samples = ȳ.Length / g.OutputSize
            let magnitude = filterAdjoint g (magnitudes x') (magnitudes ȳ) dw.Length
            let sum = Rounding.sum<'T>(samples * g.OutHeight * g.OutWidth)

            let tiled =
                match Rounding.tileOf fast g with
                | ValueSome tile ->
                    Rounding.tiledFilter<'T> tile (Rounding.tiles tile samples g) * largest x' * largest ȳ
                | ValueNone -> 0.0

            compare
                "CorrelateFilterAdjoint"
                "kernel"
                (Shape.Of(g.KernelHeight, g.KernelWidth, g.Channels, g.OutChannels))
                (filterAdjoint g x' ȳ dw.Length)
                (Span.op_Implicit dw)
                (fun i -> sum * magnitude[i] + tiled)

        member _.SumRows(x, sums) =
            let x', length = widen x, sums.Length
            fast.SumRows(x, sums)
            let total values = results length (fun y -> reference.SumRows(read values, Span y))
            let magnitude = total (magnitudes x')
            let bound = gamma (x'.Length / length + 1)
            compare "SumRows" "sum" (flat length) (total x') (Span.op_Implicit sums) (fun i -> bound * magnitude[i])

        member _.MaxPool(g, x, y, indices) =
            let x' = widen x
            fast.MaxPool(g, x, y, indices)
            let positions = Array.zeroCreate<int> indices.Length
            let expected = results y.Length (fun y' -> reference.MaxPool(g, read x', Span y', Span positions))

            compare "MaxPool" "output" (g.Output.Batch(y.Length / g.OutputSize)) expected (Span.op_Implicit y) (fun _ ->
                0.0)

            let chosen = indices.ToArray() |> Array.map (fun i -> (Number.ofFloat (float i): 'T))

            compare
                "MaxPool, positions"
                "output"
                (g.Output.Batch(y.Length / g.OutputSize))
                (Array.map (float >> Number.ofFloat<'T> >> Number.toFloat) positions)
                (ReadOnlySpan chosen)
                (fun _ -> 0.0)

        member _.MaxPoolAdjoint(g, dy, indices, dx) =
            let ȳ, positions, length = widen dy, indices.ToArray(), dx.Length
            fast.MaxPoolAdjoint(g, dy, indices, dx)

            let scatter values =
                results length (fun x̄ -> reference.MaxPoolAdjoint(g, read values, ReadOnlySpan positions, Span x̄))

            let magnitude = scatter (magnitudes ȳ)
            let bound = gamma (g.KernelHeight * g.KernelWidth)

            compare
                "MaxPoolAdjoint"
                "input"
                (g.Input.Batch(length / g.InputSize))
                (scatter ȳ)
                (Span.op_Implicit dx)
                (fun i -> bound * magnitude[i])

        member _.AveragePool(g, x, y) =
            let x', length = widen x, y.Length
            fast.AveragePool(g, x, y)
            let mean values = results length (fun y -> reference.AveragePool(g, read values, Span y))
            let magnitude = mean (magnitudes x')
            let bound = gamma (g.KernelHeight * g.KernelWidth + 2)

            compare
                "AveragePool"
                "output"
                (g.Output.Batch(length / g.OutputSize))
                (mean x')
                (Span.op_Implicit y)
                (fun i -> bound * magnitude[i])

        member _.AveragePoolAdjoint(g, dy, dx) =
            let ȳ, length = widen dy, dx.Length
            fast.AveragePoolAdjoint(g, dy, dx)
            let spread values = results length (fun x̄ -> reference.AveragePoolAdjoint(g, read values, Span x̄))
            let magnitude = spread (magnitudes ȳ)
            let bound = gamma (g.KernelHeight * g.KernelWidth + 2)

            compare
                "AveragePoolAdjoint"
                "input"
                (g.Input.Batch(length / g.InputSize))
                (spread ȳ)
                (Span.op_Implicit dx)
                (fun i -> bound * magnitude[i])

        member _.Activate(φ, x, y) =
            // x and y may be the same.
            let x' = widen x
            fast.Activate(φ, x, y)
            let expected = results y.Length (fun y -> reference.Activate(φ, read x', Span y))
            compare "Activate" "output" (flat y.Length) expected (Span.op_Implicit y) (fun i -> own φ expected[i])

        member _.ActivateAdjoint(φ, y, dy, dx) =
            let y', ȳ = widen y, widen dy
            fast.ActivateAdjoint(φ, y, dy, dx)
            let expected = results dx.Length (fun x̄ -> reference.ActivateAdjoint(φ, read y', read ȳ, Span x̄))
            let bound = 8.0 * u * slope φ

            compare "ActivateAdjoint" "input" (flat dx.Length) expected (Span.op_Implicit dx) (fun i ->
                bound * abs ȳ[i])

        member _.BiasAdjoint(φ, y, dy, dx, db) =
            let y', ȳ, columns = widen y, widen dy, db.Length
            fast.BiasAdjoint(φ, y, dy, dx, db)
            let adjoint values = results ȳ.Length (fun x̄ -> reference.ActivateAdjoint(φ, read y', read values, Span x̄))
            let total values = results columns (fun b̄ -> reference.SumRows(read values, Span b̄))
            let x̄, own = adjoint ȳ, 8.0 * u * slope φ
            compare "BiasAdjoint, input" "input" (flat dx.Length) x̄ (Span.op_Implicit dx) (fun i -> own * abs ȳ[i])
            let magnitude = total (magnitudes ȳ)
            let bound = own + slope φ * gamma (ȳ.Length / columns + 1)

            compare "BiasAdjoint, bias" "sum" (flat columns) (total x̄) (Span.op_Implicit db) (fun c ->
                bound * magnitude[c])

        member _.Softmax(width, x, y) =
            let x' = widen x
            fast.Softmax(width, x, y)
            let expected = results y.Length (fun y -> reference.Softmax(width, read x', Span y))
            let top = x' |> Array.chunkBySize width |> Array.map Array.max

            // A relative error of each exponential, of the argument that it has, and of a sum of them.
            compare "Softmax" "output" (Shape.Of(y.Length / width, width)) expected (Span.op_Implicit y) (fun i ->
                2.0 * u * (4.0 * float width + 64.0 + 2.0 * (top[i / width] - x'[i])) * expected[i])

        member _.SoftmaxAdjoint(width, y, dy, dx) =
            let y', ȳ = widen y, widen dy
            fast.SoftmaxAdjoint(width, y, dy, dx)
            let expected = results dx.Length (fun x̄ -> reference.SoftmaxAdjoint(width, read y', read ȳ, Span x̄))
            let top = ȳ |> Array.chunkBySize width |> Array.map largest

            compare
                "SoftmaxAdjoint"
                "input"
                (Shape.Of(dx.Length / width, width))
                expected
                (Span.op_Implicit dx)
                (fun i -> 4.0 * u * (4.0 * float width + 16.0) * abs y'[i] * top[i / width])

        member _.Moments(x, mean, variance) =
            let x', columns = widen x, mean.Length
            fast.Moments(x, mean, variance)
            let μ, v = Array.zeroCreate<float> columns, Array.zeroCreate<float> columns
            reference.Moments(read x', Span μ, Span v)
            let rows = x'.Length / columns
            let total values = results columns (fun y -> reference.SumRows(read values, Span y))
            let size, square = total (magnitudes x'), total (x' |> Array.map (fun value -> value * value))
            let bound = gamma (rows + 8) / float rows
            compare "Moments, means" "mean" (flat columns) μ (Span.op_Implicit mean) (fun c -> bound * size[c])

            compare "Moments, variances" "variance" (flat columns) v (Span.op_Implicit variance) (fun c ->
                4.0 * bound * square[c])

        member _.Normalize(x, mean, scale, shift, y) =
            let x', μ, s, b = widen x, widen mean, widen scale, widen shift
            fast.Normalize(x, mean, scale, shift, y)

            let expected = results y.Length (fun y -> reference.Normalize(read x', read μ, read s, read b, Span y))

            compare "Normalize" "output" (flat y.Length) expected (Span.op_Implicit y) (fun i ->
                let c = i % μ.Length
                gamma 4 * ((abs x'[i] + abs μ[c]) * abs s[c] + abs b[c]))

        member _.SumProducts(dy, x, mean, scale, sums) =
            let ȳ, x', μ, s = widen dy, widen x, widen mean, widen scale
            fast.SumProducts(dy, x, mean, scale, sums)

            let expected =
                results sums.Length (fun y -> reference.SumProducts(read ȳ, read x', read μ, read s, Span y))

            let size =
                ȳ
                |> Array.mapi (fun i value ->
                    let c = i % μ.Length
                    abs value * (abs x'[i] + abs μ[c]) * abs s[c])

            let magnitude = results sums.Length (fun y -> reference.SumRows(read size, Span y))
            let bound = gamma (ȳ.Length / μ.Length + 3)

            compare "SumProducts" "sum" (flat sums.Length) expected (Span.op_Implicit sums) (fun c ->
                bound * magnitude[c])

        member _.Multiply(a, b, y) =
            let expected = Array.map2 (*) (widen a) (widen b)
            fast.Multiply(a, b, y)

            compare "Multiply" "output" (flat y.Length) expected (Span.op_Implicit y) (fun i ->
                2.0 * u * abs expected[i])

        member _.Accumulate(x, sum) =
            let expected = Array.map2 (+) (widen x) (widen (Span.op_Implicit sum))
            fast.Accumulate(x, sum)

            compare "Accumulate" "sum" (flat sum.Length) expected (Span.op_Implicit sum) (fun i ->
                2.0 * u * abs expected[i])

        // No layer takes steps.
        member _.Update(update, gradient, parameter, slot1, slot2, nextParameter, nextSlot1, nextSlot2) =
            fast.Update(update, gradient, parameter, slot1, slot2, nextParameter, nextSlot1, nextSlot2)
