/// What in a picture speaks for a class: gradients, Grad-CAM and occlusion are what their definitions say.
module Cnn.Tests.Laws.SaliencyLaws

open System
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.InspectedNetworks
open Cnn.Tests.Laws.Law

let private shift i by (x: Tensor<float>) = Tensor.init x.Shape (fun j -> if j = i then x.Span[j] + by else x.Span[j])

/// A convolution with tanh, flattened, then one dense layer: S_c is linear in the maps A.
let private linearInMaps (s: Sliding) classes φ =
    let x: Tensor<float> = Draw.reals s.Seed s.Picture
    let layer = conv { s.Conv2D with Activation = Cnn.Activation.Tanh }
    let K: Tensor<float> = Draw.reals (s.Seed + 1) s.Weights
    let W: Tensor<float> = Draw.reals (s.Seed + 2) (Shape.Of(s.Geometry.OutputSize, classes))
    let b: Tensor<float> = Draw.reals (s.Seed + 3) (Shape.Of classes)

    let maps =
        (Layer.run (Context.reference Inference) (Layers.ofSpec layer) [ K ] [] (x.Reshape(x.Shape.Batch 1))).Output

    x, maps, W, network s.Picture [ layer; flatten; dense classes φ ] [ K; W; b ]

/// ReLU(Σ α_k·A_k), α_k = mean over positions of W[(position, k), c], resampled; the sign of class 0 of two is turned.
let private definition (s: Sliding) (maps: Tensor<float>) (W: Tensor<float>) target sign =
    let g = s.Geometry
    let positions = g.OutHeight * g.OutWidth
    let α k = Seq.init positions (fun p -> sign * W[p * s.Filters + k, target]) |> Seq.average

    let map =
        Array.init positions (fun p ->
            Seq.init s.Filters (fun k -> α k * maps.Span[p * s.Filters + k]) |> Seq.sum |> max 0.0)

    let resampler =
        Resampler.Create(Resampling.Bilinear, Shape.Of(g.OutHeight, g.OutWidth, 1), s.Height, s.Width)

    let values = Array.zeroCreate<float32> resampler.Target.Size
    resampler.Resample(ReadOnlySpan map, Span values)
    Tensor.init resampler.Target (fun i -> float values[i])

/// p_c(x) − p_c(x with a w×w square that begins ⌊w∕2⌋ before a place in grey). Zeiler and Fergus 2014, 4.2.
let private drop (network: FSharp.Network<float>) (x: Tensor<float>) window grey target row column =
    let channels, width = x.Shape[2], x.Shape[1]
    let isNear centre at = at >= centre - window / 2 && at < centre - window / 2 + window

    let covered =
        Tensor.init x.Shape (fun i ->
            let pixel = i / channels

            if isNear row (pixel / width) && isNear column (pixel % width) then
                grey
            else
                x.Span[i])

    let p (picture: Tensor<float>) = (Network.predict network (picture.Reshape(picture.Shape.Batch 1))).Span[target]
    p x - p covered

let tests =
    testList "saliency" [
        // Simonyan et al. 2013, section 3; at one pixel, by central differences.
        testProperty "s[i,j] = max_c |∂S ∕ ∂x[i,j,c]|" (fun (plan: Plan) ->
            let point, network = classified plan
            let target = plan.Seed % 3
            let map = Inspect.saliency backend network target (point.X.Reshape network.Input)
            let channels = network.Input[2]
            let pixel = plan.Seed % map.Size

            let slope c =
                GradientLaws.derivative (fun h ->
                    { point with X = shift (pixel * channels + c) h point.X }.Run.Output.Span[target])

            let expected = Seq.init channels (slope >> abs) |> Seq.max

            all [
                same (string (Shape.Of(network.Input[0], network.Input[1], 1))) (string map.Shape)
                truncation expected map.Span[pixel]
            ])

        // Selvaraju et al. 2017, eq. 1–2.
        testProperty
            "Grad-CAM of a score linear in A = ReLU(Σ_k α_k·A_k) with α_k the mean of the weights of A_k"
            (fun (s: Sliding) ->
                let x, maps, W, network = linearInMaps s 3 Cnn.Activation.Softmax
                let y, maps', V, binary = linearInMaps s 1 Cnn.Activation.Sigmoid

                all [
                    for target in 0..2 do
                        near 1e-6 (definition s maps W target 1.0) (Inspect.gradCam backend network "conv2d" target x)

                    near 1e-6 (definition s maps' V 0 1.0) (Inspect.gradCam backend binary "conv2d" 1 y)
                    near 1e-6 (definition s maps' V 0 -1.0) (Inspect.gradCam backend binary "conv2d" 0 y)
                ])

        testProperty
            "occlusion[i,j] = p(x) − p(x without the square around i, j), at stride 1 for every pixel"
            (fun (s: Sliding) ->
                let x, _, _, network = linearInMaps s 3 Cnn.Activation.Softmax
                let window, target = s.Seed % 4, s.Seed % 3
                let map = Inspect.occlusion backend network { Window = window; Stride = 1; Grey = 0.3 } target x

                let expected =
                    Tensor.init (Shape.Of(s.Height, s.Width, 1)) (fun i ->
                        drop network x window 0.3 target (i / s.Width) (i % s.Width))

                within (fun _ -> 1e-6) expected map)

        testProperty
            "occlusion by an empty window = 0, by one over all = p(x) − p(grey) everywhere, at any stride"
            (fun (s: Sliding) ->
                let x, _, _, network = linearInMaps s 1 Cnn.Activation.Sigmoid

                let map window stride target =
                    Inspect.occlusion backend network { Window = window; Stride = stride; Grey = 0.5 } target x

                let shape = Shape.Of(s.Height, s.Width, 1)
                let large = 2 * (s.Height + s.Width)
                let change = drop network x large 0.5 0 0 0

                all [
                    for stride in 1..3 do
                        exact (Tensor.zeros shape) (map 0 stride 1)
                        within (fun _ -> 1e-6) (Tensor.init shape (fun _ -> change)) (map large stride 1)
                        within (fun _ -> 1e-6) (Tensor.init shape (fun _ -> -change)) (map large stride 0)
                ])

        testProperty "occlusion at one place = the drop there, in the middle" (fun (s: Sliding) ->
            let x, _, _, network = linearInMaps s 3 Cnn.Activation.Softmax
            let window = 1 + s.Seed % 3

            let map =
                Inspect.occlusion backend network { Window = window; Stride = s.Height + s.Width; Grey = 0.5 } 1 x

            let expected = drop network x window 0.5 1 (s.Height / 2) (s.Width / 2)
            within (fun _ -> 1e-6) (Tensor.init map.Shape (fun _ -> expected)) map)
    ]
