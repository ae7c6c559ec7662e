/// Cross-correlation, convolution, and their adjoints (SPEC sections 2 and 4). All on integers, hence exact.
module Cnn.Tests.Laws.CorrelationLaws

open Expecto
open System.Numerics
open MathNet.Numerics.IntegralTransforms
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private batch (t: Tensor<float>) = t.Reshape(Shape.Of(1, t.Shape[0], t.Shape[1], 1))

/// One picture, one channel, one filter.
let private slide mode padding (k: Tensor<float>) (i: Tensor<float>) =
    let spec =
        LayerSpec.Conv2D {
            Conv2D.Default with
                Kernel = { Height = k.Shape[0]; Width = k.Shape[1] }
                Padding = padding
                Mode = mode
                UseBias = false
        }

    let kernel = k.Reshape(Shape.Of(k.Shape[0], k.Shape[1], 1, 1))
    let y = (Layer.run (Context.reference Inference) (Layers.ofSpec spec) [ kernel ] [] (batch i)).Output
    y.Reshape(Shape.Of(y.Shape[1], y.Shape[2]))

/// K ⋆ I
let private correlate = slide ConvolutionMode.CrossCorrelation

/// K * I
let private convolve = slide ConvolutionMode.Convolution

/// I with rows of zeros above and below, columns of zeros left and right.
let private frame top bottom left right (i: Tensor<float>) =
    Definitions.ofTensor i
    |> Definitions.crop -top -left (i.Shape[0] + top + bottom) (i.Shape[1] + left + right)
    |> Definitions.tensor

let private run (s: Sliding) (x: Tensor<float>) w =
    Layer.run (Context.reference Inference) (Layers.ofSpec (LayerSpec.Conv2D s.Conv2D)) [ w ] [] x

let private inMode mode (s: Sliding) x w =
    Layer.run
        (Context.reference Inference)
        (Layers.ofSpec (LayerSpec.Conv2D { s.Conv2D with Mode = mode }))
        [ w ]
        []
        (x: Tensor<float>)

/// DFT of the rows, then of the columns.
let private dft isInverse (values: Complex[,]) =
    let transform (line: Complex[]) =
        if isInverse then
            Fourier.Inverse(line, FourierOptions.AsymmetricScaling)
        else
            Fourier.Forward(line, FourierOptions.AsymmetricScaling)

        line

    let rows = Array.init (Array2D.length1 values) (fun i -> transform values[i, *])

    let columns =
        Array.init (Array2D.length2 values) (fun j -> transform (rows |> Array.map (fun row -> row[j])))

    Array2D.init rows.Length columns.Length (fun i j -> columns[j][i])

let tests =
    testList "correlation" [
        // Wichmann 2018, 1.6; Vu 2018, eq. 1; Fossheim 2022, eq. 1; Fan & Yam 11.2.1.
        testProperty "(K ⋆ I)[i,j] = Σ K[u,v] I[i+u, j+v]" (fun (KernelAndImage(k, i, _)) ->
            exact
                (Definitions.correlate (Definitions.ofTensor k) (Definitions.ofTensor i) |> Definitions.tensor)
                (correlate Valid k i))

        // Wichmann 2018, 1.5; Vu 2018, eq. 3, 5; zero outside the image.
        testProperty "(K * I)[i,j] = Σ K[u,v] I[i−u, j−v], full" (fun (KernelAndImage(k, i, _)) ->
            exact
                (Definitions.convolve (Definitions.ofTensor k) (Definitions.ofTensor i) |> Definitions.tensor)
                (convolve Full k i))

        // Vu 2018, eq. 4.
        testProperty
            "valid convolution is the full one where the kernel lies inside the image"
            (fun (KernelAndImage(k, i, _)) ->
                exact
                    (Definitions.convolveValid (Definitions.ofTensor k) (Definitions.ofTensor i) |> Definitions.tensor)
                    (convolve Valid k i))

        // Wichmann 2018, 1.7; Fossheim 2022, eq. 2–3; Fan & Yam 11.2.3; Vu 2018, 2.2.1.
        testProperty "K * I = rot180 K ⋆ I" (fun (KernelAndImage(k, i, _)) ->
            all [
                for padding in [ Valid; Same; Full; Explicit(1, 0, 2, 3) ] do
                    exact (correlate padding (Tensor.rot180 k) i) (convolve padding k i)
                    exact (convolve padding (Tensor.rot180 k) i) (correlate padding k i)
            ])

        // SPEC section 2.
        testProperty "rot180 (rot180 K) = K" (fun (Integers(_, _, w, _)) -> exact w (Tensor.rot180 (Tensor.rot180 w)))

        // Wichmann 2018, 1.7: rot180(K)[u,v] = K[k_h−1−u, k_w−1−v], channels and filters stay.
        testProperty "rot180(K)[u,v,c,f] = K[k_h−1−u, k_w−1−v, c, f]" (fun (Integers(g, _, w, _)) ->
            let turned = Tensor.rot180 w

            all [
                for u in 0 .. g.KernelHeight - 1 do
                    for v in 0 .. g.KernelWidth - 1 do
                        same
                            w[g.KernelHeight - 1 - u, g.KernelWidth - 1 - v, 0, g.OutChannels - 1]
                            turned[u, v, 0, g.OutChannels - 1]
            ])

        // Wichmann 2018, 1.2.
        testProperty "f * g = g * f, full" (fun (KernelAndImage(f, g, _)) ->
            exact (convolve Full f g) (convolve Full g f))

        // SPEC section 2.
        testProperty "(f * g) * h = f * (g * h), full" (fun (KernelAndImage(f, g, h)) ->
            exact (convolve Full (convolve Full f g) h) (convolve Full f (convolve Full g h)))

        // SPEC section 2: full cross-correlation does not commute (Fossheim 2022 says that it does).
        testProperty "f ⋆ g = rot180(g ⋆ f), full" (fun (KernelAndImage(f, g, _)) ->
            exact (Tensor.rot180 (correlate Full g f)) (correlate Full f g))

        // SPEC section 2.
        testProperty "⋆ is linear in the image and in the kernel" (fun (s: Sliding) ->
            let (Integers(_, x, w, _)) = s
            let (Integers(_, x', w', _)) = { s with Seed = s.Seed + 7 }
            let y x w = (run s x w).Output
            let combine a b = Tensor.add (Tensor.scale 2.0 a) (Tensor.scale -3.0 b)

            exact (combine (y x w) (y x' w)) (y (combine x x') w)
            |> fun image -> all [ image; exact (combine (y x w) (y x w')) (y x (combine w w')) ])

        // SPEC section 2, with the infinite zero padding made finite: a shift is a frame of zeros.
        testProperty "shifting the image shifts the output by as much" (fun (KernelAndImage(k, i, other)) ->
            let rows, columns = other.Shape[0], other.Shape[1]

            all [
                for slide in [ correlate; convolve ] do
                    exact (frame rows 1 columns 2 (slide Full k i)) (slide Full k (frame rows 1 columns 2 i))
            ])

        // The convolution theorem, SPEC section 2. Values are integers below 2¹⁴, so rounding recovers them exactly.
        testProperty "DFT(f * g) = DFT f · DFT g" (fun (KernelAndImage(f, g, _)) ->
            let rows, columns = f.Shape[0] + g.Shape[0] - 1, f.Shape[1] + g.Shape[1] - 1

            let spectrum t =
                frame 0 (rows - (t: Tensor<float>).Shape[0]) 0 (columns - t.Shape[1]) t
                |> Definitions.ofTensor
                |> Array2D.map (fun v -> Complex(v, 0.0))
                |> dft false

            let a, b = spectrum f, spectrum g
            let product = Array2D.init rows columns (fun i j -> a[i, j] * b[i, j])

            exact (dft true product |> Array2D.map (fun z -> round z.Real) |> Definitions.tensor) (convolve Full f g))

        // Fossheim 2022, eq. 4–5, 42; Wichmann 2018, 4.1; Vu 2018, eq. 17: any stride, dilation and padding.
        testProperty "Z_f = Σ_c K_c^f ⋆ Ã_c + b_f" (fun (s: Sliding) ->
            let (Integers(g, x, w, _)) = s
            let b: Tensor<float> = Draw.integers (s.Seed + 3) (Shape.Of s.Filters)
            let (top, bottom), (left, right) = s.Pads
            let spec = LayerSpec.Conv2D { s.Conv2D with UseBias = true }
            let y = (Layer.run (Context.reference Inference) (Layers.ofSpec spec) [ w; b ] [] x).Output

            let z n f =
                [
                    for c in 0 .. s.Channels - 1 ->
                        Definitions.plane x n c
                        |> Definitions.crop -top -left (s.Height + top + bottom) (s.Width + left + right)
                        |> Definitions.correlate (
                            Definitions.dilate g.DilationY g.DilationX (Definitions.filter w c f)
                        )
                ]
                |> List.reduce Definitions.add

            all [
                for n in 0 .. s.Samples - 1 do
                    for f in 0 .. s.Filters - 1 do
                        let z = z n f

                        let strided =
                            Array2D.init g.OutHeight g.OutWidth (fun i j ->
                                z[i * g.StrideY, j * g.StrideX] + b.Span[f])

                        exact (Definitions.tensor strided) (Definitions.tensor (Definitions.plane y n f))
            ])

        // Fossheim 2022, eq. 36–37; Wichmann 2018, 4.7; Vu 2018, eq. 35; Fan & Yam 11.5.9:
        // every d-th of the first entries of Ã_c ⋆ δ̄, δ̄ with s − 1 zeros between the entries of δ.
        testProperty "∂L∕∂K_c^f = Ã_c ⋆ δ̄^f" (fun (s: Sliding) ->
            let (Integers(g, x, w, δ)) = s
            let (top, bottom), (left, right) = s.Pads
            let K̄ = (run s x w).Pullback δ |> fst |> List.head

            all [
                for c in 0 .. s.Channels - 1 do
                    for f in 0 .. s.Filters - 1 do
                        let correlations =
                            [
                                for n in 0 .. s.Samples - 1 ->
                                    Definitions.plane x n c
                                    |> Definitions.crop -top -left (s.Height + top + bottom) (s.Width + left + right)
                                    |> Definitions.correlate (
                                        Definitions.dilate g.StrideY g.StrideX (Definitions.plane δ n f)
                                    )
                            ]
                            |> List.reduce Definitions.add

                        let taps =
                            Array2D.init g.KernelHeight g.KernelWidth (fun u v ->
                                correlations[u * g.DilationY, v * g.DilationX])

                        exact (Definitions.tensor taps) (Definitions.tensor (Definitions.filter K̄ c f))
            ])

        // Fossheim 2022, eq. 30, 70; Wichmann 2018, 4.15; Vu 2018, eq. 38; Fan & Yam 11.5.12–14: padding is cropped,
        // rows and columns that no window touched get 0.
        testProperty "δ_A^prev = Σ_f K_c^f * δ̄^f, cropped" (fun (s: Sliding) ->
            let (Integers(g, x, w, δ)) = s
            let x̄ = (run s x w).Pullback δ |> snd

            all [
                for n in 0 .. s.Samples - 1 do
                    for c in 0 .. s.Channels - 1 do
                        let full =
                            [
                                for f in 0 .. s.Filters - 1 ->
                                    Definitions.dilate g.StrideY g.StrideX (Definitions.plane δ n f)
                                    |> Definitions.convolve (
                                        Definitions.dilate g.DilationY g.DilationX (Definitions.filter w c f)
                                    )
                            ]
                            |> List.reduce Definitions.add

                        exact
                            (Definitions.crop g.PadTop g.PadLeft s.Height s.Width full |> Definitions.tensor)
                            (Definitions.tensor (Definitions.plane x̄ n c))
            ])

        // Fossheim 2022, eq. 10, 64–67, for stride 1: δ padded by p_δ = d(k−1) − p, correlated with the rotated kernel;
        // a negative p_δ crops.
        testProperty "at stride 1, x̄ = rot180 K ⋆ δ padded by d(k−1) − p" (fun (s: Sliding) ->
            let s = { s with Stride = Size.Square 1 }
            let (Integers(g, x, w, δ)) = s
            let x̄ = (run s x w).Pullback δ |> snd
            let rows = g.DilationY * (g.KernelHeight - 1)
            let columns = g.DilationX * (g.KernelWidth - 1)

            all [
                for n in 0 .. s.Samples - 1 do
                    for c in 0 .. s.Channels - 1 do
                        let sum =
                            [
                                for f in 0 .. s.Filters - 1 ->
                                    Definitions.plane δ n f
                                    |> Definitions.crop
                                        (g.PadTop - rows)
                                        (g.PadLeft - columns)
                                        (s.Height + rows)
                                        (s.Width + columns)
                                    |> Definitions.correlate (
                                        Definitions.filter w c f
                                        |> Definitions.dilate g.DilationY g.DilationX
                                        |> Definitions.rot180
                                    )
                            ]
                            |> List.reduce Definitions.add

                        exact (Definitions.tensor sum) (Definitions.tensor (Definitions.plane x̄ n c))
            ])

        // Fossheim 2022, eq. 40–41; Wichmann 2018, 4.8; Vu 2018, eq. 37.
        testProperty "∂L∕∂b_f = Σ_{n,i,j} δ[n,i,j,f]" (fun (s: Sliding) ->
            let (Integers(_, x, w, δ)) = s
            let spec = LayerSpec.Conv2D { s.Conv2D with UseBias = true }
            let b: Tensor<float> = Tensor.zeros (Shape.Of s.Filters)
            let θ̄, _ = (Layer.run (Context.reference Inference) (Layers.ofSpec spec) [ w; b ] [] x).Pullback δ
            let sum f = Seq.sum (seq { for k in f .. s.Filters .. δ.Size - 1 -> δ.Span[k] })
            exact (Tensor.init b.Shape sum) θ̄[1])

        // (· ⋆ w)ᵀ is the transpose of x ↦ x ⋆ w, any stride, dilation and padding, both modes.
        testProperty "⟨x ⋆ w, ȳ⟩ = ⟨x, (· ⋆ w)ᵀ ȳ⟩" (fun (s: Sliding) ->
            let (Integers(_, x, w, ȳ)) = s

            all [
                for mode in [ ConvolutionMode.CrossCorrelation; ConvolutionMode.Convolution ] do
                    let step = inMode mode s x w
                    same (Tensor.dot step.Output ȳ) (Tensor.dot x (snd (step.Pullback ȳ)))
            ])

        // (x ⋆ ·)ᵀ is the transpose of w ↦ x ⋆ w, any stride, dilation and padding, both modes.
        testProperty "⟨x ⋆ w, ȳ⟩ = ⟨w, (x ⋆ ·)ᵀ ȳ⟩" (fun (s: Sliding) ->
            let (Integers(_, x, w, ȳ)) = s

            all [
                for mode in [ ConvolutionMode.CrossCorrelation; ConvolutionMode.Convolution ] do
                    let step = inMode mode s x w
                    same (Tensor.dot step.Output ȳ) (Tensor.dot w (fst (step.Pullback ȳ)).Head)
            ])

        // The same two transposes in float32, where integers are as exact.
        testProperty "the adjoints are exact in float32" (fun (s: Sliding) ->
            let (Integers32(_, x, w, ȳ)) = s

            let step =
                Layer.run (Context.reference Inference) (Layers.ofSpec (LayerSpec.Conv2D s.Conv2D)) [ w ] [] x

            let θ̄, x̄ = step.Pullback ȳ
            let y = Tensor.dot step.Output ȳ
            all [ same y (Tensor.dot x x̄); same y (Tensor.dot w θ̄.Head) ])

        // Lemma 11.5.1 of Fan & Yam: ∇_{rot X} g = rot(∇_X g), for g(K) = ⟨ȳ, K ⋆ x⟩.
        testProperty "∇_{rot K} g = rot(∇_K g)" (fun (s: Sliding) ->
            let (Integers(_, x, w, ȳ)) = s
            let gradient mode w = ((inMode mode s x w).Pullback ȳ |> fst).Head

            exact
                (Tensor.rot180 (gradient ConvolutionMode.CrossCorrelation (Tensor.rot180 w)))
                (gradient ConvolutionMode.Convolution w))

        // Fan & Yam 11.5.1, 11.5.15: from kernels that are rot180 of each other, a step of SGD keeps them so, with equal
        // outputs and equal gradients below.
        testProperty "cross-correlation and convolution learn rot180 of each other" (fun (s: Sliding) ->
            let (Integers(_, x, w, ȳ)) = s

            let step mode w =
                let step = inMode mode s x w
                let θ̄, x̄ = step.Pullback ȳ
                step.Output, x̄, Tensor.add w (Tensor.scale -2.0 θ̄.Head)

            let y, x̄, learned = step ConvolutionMode.CrossCorrelation w
            let y', x̄', learned' = step ConvolutionMode.Convolution (Tensor.rot180 w)
            all [ exact y y'; exact x̄ x̄'; exact (Tensor.rot180 learned) learned' ])
    ]
