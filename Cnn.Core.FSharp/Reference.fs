namespace Cnn

open System
open System.Numerics
open Cnn.FSharp

/// <summary>The kernels as textbook loops: what every faster set must equal.</summary>
/// <remarks>Stateless and safe to share between threads. Sums run in the order in which the formulas write them.</remarks>
[<Sealed>]
type ReferenceKernels<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =

    static let number (x: float) : 'T = Number.ofFloat x
    static let greater (a: 'T) (b: 'T) = 'T.op_GreaterThan (a, b)

    static let activate (activation: Activation) (x: 'T) =
        match activation.Kind with
        | ActivationKind.Identity -> x
        // NaN passes through.
        | ActivationKind.ReLU -> if 'T.op_LessThanOrEqual (x, 'T.Zero) then 'T.Zero else x
        | ActivationKind.LeakyReLU -> if greater x 'T.Zero then x else number activation.Slope * x
        // e⁻ˣ may be ∞, whose quotient is 0. One formula for both signs keeps σ monotone.
        | ActivationKind.Sigmoid -> 'T.One / ('T.One + 'T.Exp(-x))
        | ActivationKind.Tanh -> 'T.Tanh x
        | kind -> raise (ArgumentOutOfRangeException(nameof activation, kind, "This activation is not elementwise."))

    /// φ'(x) told from y = φ(x).
    static let slope (activation: Activation) (y: 'T) =
        match activation.Kind with
        | ActivationKind.Identity -> 'T.One
        | ActivationKind.ReLU -> if greater y 'T.Zero then 'T.One else 'T.Zero
        | ActivationKind.LeakyReLU -> if greater y 'T.Zero then 'T.One else number activation.Slope
        | ActivationKind.Sigmoid -> y * ('T.One - y)
        | ActivationKind.Tanh -> 'T.One - y * y
        | kind -> raise (ArgumentOutOfRangeException(nameof activation, kind, "This activation is not elementwise."))

    /// Offset in image n of row y, column x, channel 0; −1 outside the image.
    static let cell (g: Geometry) n y x =
        if uint y < uint g.Height && uint x < uint g.Width then
            ((n * g.Height + y) * g.Width + x) * g.Channels
        else
            -1

    /// a·x + b·y
    static let blend (a: 'T) (x: 'T) (b: 'T) (y: 'T) : 'T =
        let first: 'T = a * x
        let second: 'T = b * y
        first + second

    static let row (g: Geometry) i u = i * g.StrideY + u * g.DilationY - g.PadTop
    static let column (g: Geometry) j v = j * g.StrideX + v * g.DilationX - g.PadLeft
    static let weight (g: Geometry) u v c f = ((u * g.KernelWidth + v) * g.Channels + c) * g.OutChannels + f
    static let output (g: Geometry) n i j f = ((n * g.OutHeight + i) * g.OutWidth + j) * g.OutChannels + f

    interface IKernels<'T> with
        member _.InstructionSet = "reference"
        member _.PackedLength(_, _) = 0
        member _.Pack(_, _, _, _) = ()

        member _.Correlate(_, g, x, weights, _, bias, activation, y) =
            for n in 0 .. x.Length / g.InputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        for f in 0 .. g.OutChannels - 1 do
                            let mutable z = if bias.IsEmpty then 'T.Zero else bias[f]

                            for u in 0 .. g.KernelHeight - 1 do
                                for v in 0 .. g.KernelWidth - 1 do
                                    let source = cell g n (row g i u) (column g j v)

                                    if source >= 0 then
                                        for c in 0 .. g.Channels - 1 do
                                            z <- z + weights[weight g u v c f] * x[source + c]

                            y[output g n i j f] <- activate activation z

        member _.CorrelateInputAdjoint(_, g, dy, weights, _, dx) =
            dx.Clear()

            for n in 0 .. dy.Length / g.OutputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        for u in 0 .. g.KernelHeight - 1 do
                            for v in 0 .. g.KernelWidth - 1 do
                                let target = cell g n (row g i u) (column g j v)

                                if target >= 0 then
                                    for c in 0 .. g.Channels - 1 do
                                        for f in 0 .. g.OutChannels - 1 do
                                            dx[target + c] <-
                                                dx[target + c] + dy[output g n i j f] * weights[weight g u v c f]

        member _.CorrelateFilterAdjoint(_, g, x, dy, dw) =
            dw.Clear()

            for n in 0 .. dy.Length / g.OutputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        for u in 0 .. g.KernelHeight - 1 do
                            for v in 0 .. g.KernelWidth - 1 do
                                let source = cell g n (row g i u) (column g j v)

                                if source >= 0 then
                                    for c in 0 .. g.Channels - 1 do
                                        for f in 0 .. g.OutChannels - 1 do
                                            dw[weight g u v c f] <-
                                                dw[weight g u v c f] + dy[output g n i j f] * x[source + c]

        member _.SumRows(x, sums) =
            sums.Clear()

            for k in 0 .. x.Length - 1 do
                sums[k % sums.Length] <- sums[k % sums.Length] + x[k]

        member _.MaxPool(g, x, y, indices) =
            for n in 0 .. x.Length / g.InputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        for c in 0 .. g.Channels - 1 do
                            let mutable best = -1

                            for u in 0 .. g.KernelHeight - 1 do
                                for v in 0 .. g.KernelWidth - 1 do
                                    let source = cell g n (row g i u) (column g j v)

                                    if source >= 0 then
                                        // A NaN wins, so that it is seen.
                                        let wins =
                                            best < 0
                                            || greater x[source + c] x[best]
                                            || ('T.IsNaN x[source + c] && not ('T.IsNaN x[best]))

                                        if wins then
                                            best <- source + c

                            y[output g n i j c] <- x[best]
                            indices[output g n i j c] <- best - n * g.InputSize

        member _.MaxPoolAdjoint(g, dy, indices, dx) =
            dx.Clear()

            for k in 0 .. dy.Length - 1 do
                let target = k / g.OutputSize * g.InputSize + indices[k]
                dx[target] <- dx[target] + dy[k]

        member this.AveragePool(g, x, y) =
            for n in 0 .. x.Length / g.InputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        for c in 0 .. g.Channels - 1 do
                            let mutable sum = 'T.Zero
                            let mutable cells = 0

                            for u in 0 .. g.KernelHeight - 1 do
                                for v in 0 .. g.KernelWidth - 1 do
                                    let source = cell g n (row g i u) (column g j v)

                                    if source >= 0 then
                                        sum <- sum + x[source + c]
                                        cells <- cells + 1

                            y[output g n i j c] <- sum / number (float cells)

        member _.AveragePoolAdjoint(g, dy, dx) =
            dx.Clear()

            for n in 0 .. dy.Length / g.OutputSize - 1 do
                for i in 0 .. g.OutHeight - 1 do
                    for j in 0 .. g.OutWidth - 1 do
                        let mutable cells = 0

                        for u in 0 .. g.KernelHeight - 1 do
                            for v in 0 .. g.KernelWidth - 1 do
                                if cell g n (row g i u) (column g j v) >= 0 then
                                    cells <- cells + 1

                        for u in 0 .. g.KernelHeight - 1 do
                            for v in 0 .. g.KernelWidth - 1 do
                                let target = cell g n (row g i u) (column g j v)

                                if target >= 0 then
                                    for c in 0 .. g.Channels - 1 do
                                        dx[target + c] <- dx[target + c] + dy[output g n i j c] / number (float cells)

        member _.Activate(activation, x, y) =
            for k in 0 .. x.Length - 1 do
                y[k] <- activate activation x[k]

        member _.ActivateAdjoint(activation, y, dy, dx) =
            for k in 0 .. y.Length - 1 do
                dx[k] <- dy[k] * slope activation y[k]

        member this.BiasAdjoint(activation, y: ReadOnlySpan<'T>, dy: ReadOnlySpan<'T>, dx: Span<'T>, db: Span<'T>) =
            let kernels = this :> IKernels<'T>
            kernels.ActivateAdjoint(activation, y, dy, dx)
            kernels.SumRows(Span.op_Implicit dx, db)

        member _.Softmax(width, x, y) =
            for r in 0 .. x.Length / width - 1 do
                let mutable largest = x[r * width]

                for c in 1 .. width - 1 do
                    largest <- 'T.Max(largest, x[r * width + c])

                let mutable sum = 'T.Zero

                for c in 0 .. width - 1 do
                    let e = 'T.Exp(x[r * width + c] - largest)
                    y[r * width + c] <- e
                    sum <- sum + e

                for c in 0 .. width - 1 do
                    y[r * width + c] <- y[r * width + c] / sum

        member _.SoftmaxAdjoint(width, y, dy, dx) =
            for r in 0 .. y.Length / width - 1 do
                let mutable inner = 'T.Zero

                for c in 0 .. width - 1 do
                    inner <- inner + dy[r * width + c] * y[r * width + c]

                for c in 0 .. width - 1 do
                    dx[r * width + c] <- y[r * width + c] * (dy[r * width + c] - inner)

        member this.Moments(x: ReadOnlySpan<'T>, mean: Span<'T>, variance: Span<'T>) =
            let columns = mean.Length
            let rows = number (float (x.Length / columns))
            (this :> IKernels<'T>).SumRows(x, mean)

            for c in 0 .. columns - 1 do
                mean[c] <- mean[c] / rows

            variance.Clear()

            for k in 0 .. x.Length - 1 do
                let d = x[k] - mean[k % columns]
                variance[k % columns] <- variance[k % columns] + d * d

            for c in 0 .. columns - 1 do
                variance[c] <- variance[c] / rows

        member _.Normalize(x, mean, scale, shift, y) =
            for k in 0 .. x.Length - 1 do
                let c = k % mean.Length
                let centred: 'T = x[k] - mean[c]
                let scaled: 'T = centred * scale[c]
                y[k] <- scaled + shift[c]

        member _.SumProducts(dy, x, mean, scale, sums) =
            sums.Clear()

            for k in 0 .. x.Length - 1 do
                let c = k % sums.Length
                let centred: 'T = x[k] - mean[c]
                let scaled: 'T = centred * scale[c]
                sums[c] <- sums[c] + dy[k] * scaled

        member _.Multiply(a, b, y) =
            for k in 0 .. a.Length - 1 do
                y[k] <- a[k] * b[k]

        member _.Accumulate(x, sum) =
            for k in 0 .. x.Length - 1 do
                sum[k] <- sum[k] + x[k]

        member _.Update(update, gradient, parameter, slot1, slot2, nextParameter, nextSlot1, nextSlot2) =
            let scale, clip = number update.GradientScale, number update.ClipValue
            let l1, l2 = number update.L1, number update.L2
            let keep1, gain1 = number update.Keep1, number update.Gain1
            let keep2, gain2 = number update.Keep2, number update.Gain2
            let slotShare, gradientShare = number update.SlotShare, number update.GradientShare

            let rootScale, inside, outside =
                number update.RootScale, number update.EpsilonInside, number update.EpsilonOutside

            let shrink = number update.Shrink

            for k in 0 .. gradient.Length - 1 do
                let θ: 'T = parameter[k]
                let scaled: 'T = scale * gradient[k]

                let clipped =
                    if Double.IsInfinity update.ClipValue then
                        scaled
                    else
                        'T.Clamp(scaled, -clip, clip)

                let sign: 'T = if 'T.IsZero θ then 'T.Zero else 'T.CopySign('T.One, θ)
                let g: 'T = clipped + blend l2 θ l1 sign

                let m =
                    if slot1.IsEmpty then
                        'T.Zero
                    else
                        nextSlot1[k] <- blend keep1 slot1[k] gain1 g
                        nextSlot1[k]

                let divisor =
                    if slot2.IsEmpty then
                        'T.One
                    else
                        nextSlot2[k] <- blend keep2 slot2[k] gain2 (g * g)
                        let scaled: 'T = rootScale * nextSlot2[k]
                        'T.Sqrt(scaled + inside) + outside

                let Δ: 'T = blend slotShare m gradientShare g / divisor
                nextParameter[k] <- blend shrink θ 'T.One Δ

/// <summary>The plain loop: one thread, in order.</summary>
/// <remarks>Stateless and safe to share between threads.</remarks>
[<Sealed>]
type SequentialScheduler() =
    interface IScheduler with
        member _.Threads = 1

        member _.For(count, body) =
            for i in 0 .. count - 1 do
                body.Invoke i

/// <summary>Fresh arrays for everything: nothing is recycled, nothing is remembered.</summary>
/// <remarks>Stateless and safe to share between threads.</remarks>
[<Sealed>]
type FreshWorkspace<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>>() =
    interface IWorkspace<'T> with
        member _.Tensor shape = Tensor.own shape (Array.zeroCreate<'T> shape.Size)
        member _.Gradient shape = Tensor.own shape (Array.zeroCreate<'T> shape.Size)
        member _.Indices length = Memory(Array.zeroCreate<int> length)
        member _.Scratch length = Memory(Array.zeroCreate<'T> length)

        member _.Packed(kernels, geometry, packing, weights) =
            match kernels.PackedLength(geometry, packing) with
            | 0 -> ReadOnlyMemory.Empty
            | length ->
                let packed = Array.zeroCreate<'T> length
                kernels.Pack(geometry, packing, weights.Span, Span packed)
                ReadOnlyMemory packed
