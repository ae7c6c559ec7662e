/// Looking inside: filters, feature maps and judged pictures, through both doors.
module Cnn.Tests.Laws.InspectLaws

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

let tests =
    testList "inspection" [
        testProperty "filters[f][u,v,c] = K[u,v,c,f], trained or frozen" (fun (s: Sliding) ->
            let K: Tensor<float> = Draw.reals s.Seed s.Weights
            let trained = network s.Picture [ conv s.Conv2D ] [ K ]

            all [
                for network in [ trained; Network.freeze (fun _ -> true) trained ] do
                    let filters = Inspect.filters network "conv2d"
                    same s.Filters filters.Length
                    let inner = s.Weights.Size / s.Filters
                    exact K (Tensor.init K.Shape (fun i -> filters[i % s.Filters].Span[i / s.Filters % inner]))
            ])

        testProperty "feature maps of the last layer, side by side = what the network answers" (fun (plan: Plan) ->
            let x, network, name = named plan
            let y = Network.predict network x
            let maps = Inspect.featureMaps backend network name (x.Reshape network.Input)

            let side =
                maps |> List.map (fun map -> map.ToArray()) |> List.toArray |> Array.transpose |> Array.concat

            all [
                same (y.ToArray()) (if y.Shape.Rank = 4 then side else maps.Head.ToArray())
                same (if y.Shape.Rank = 4 then y.Shape[3] else 1) maps.Length
            ])

        testProperty
            "judged pictures = the largest output of each, in order; mistakes are those of another label, the surest first"
            (fun (plan: Plan) ->
                let _, network = classified plan
                let data = labelled plan
                let judged = InspectData.judge backend network data
                let outputs = (Predictor(backend, network).Run data).ToArray() |> Array.chunkBySize 3
                let wrong = InspectData.misclassified 99 judged
                let least, most = InspectData.leastCertain 4 judged, InspectData.mostCertain 4 judged
                let probability (picture: JudgedPicture) = picture.Probability

                all [
                    same [ 0..8 ] (judged |> List.map (fun p -> p.Picture))
                    same (List.ofSeq data.Labels) (judged |> List.map (fun p -> p.Label))
                    same [ for row in outputs -> Array.max row ] (judged |> List.map probability)
                    same
                        [ for row in outputs -> Array.max row ]
                        (judged |> List.map (fun p -> outputs[p.Picture][p.Predicted]))
                    same (judged |> List.filter (fun p -> p.Label <> p.Predicted) |> List.length) wrong.Length
                    same true (wrong |> List.forall (fun p -> p.Label <> p.Predicted))
                    same (wrong |> List.map probability |> List.sortDescending) (wrong |> List.map probability)
                    same (judged |> List.map probability |> List.sort |> List.take 4) (least |> List.map probability)
                    same
                        (judged |> List.map probability |> List.sortDescending |> List.take 4)
                        (most |> List.map probability)
                ])

        // The doors of C# open onto the same rooms.
        testCase "what a model shows of itself = what the core shows of its network" (fun () ->
            let builder =
                Fluent.Network
                    .Input(Shape.Of(9, 8, 1))
                    .Conv2D(3, Size.Square 3, Conv2DOptions(Activation = Activation.ReLU))
                    .Flatten()
                    .Dense(3, DenseOptions(Activation = Activation.Softmax))

            let model = builder.Build(5, Precision.Double)

            let network: FSharp.Network<float> =
                Network.create
                    (Key.ofSeed 5)
                    (Shape.Of(9, 8, 1))
                    (Layers.ofSpecs [
                        conv { Conv2D.Default with Filters = 3; Activation = Activation.ReLU }
                        flatten
                        dense 3 Activation.Softmax
                    ])

            let fast = Simd.Backend<float>()
            let pixels: Tensor<float32> = Draw.reals 7 (Shape.Of(9, 8, 1))
            let x = Tensor.map float pixels
            let look = model.Inspect()
            let is (expected: Tensor<float>) (actual: Tensor<float>) = Assert.That((actual = expected), isTrue)

            let are (expected: Tensor<float> list) (actual: Tensor<float> seq) =
                List.iter2 is expected (List.ofSeq actual)

            let data = labelled { Count = 2; Input = [ 9; 8; 1 ]; Specs = []; Seed = 3 }
            are (Inspect.filters network "conv2d") (look.Filters "conv2d")
            are (Inspect.featureMaps fast network "conv2d" x) (look.FeatureMaps("conv2d", pixels.Span))
            is (Inspect.saliency fast network 2 x) (look.Saliency(pixels.Span, 2))
            is (Inspect.gradCam fast network "conv2d" 2 x) (look.GradCam("conv2d", pixels.Span, 2))
            is (Inspect.occlusion fast network (Occlusion.For(Shape.Of(9, 8, 1))) 2 x) (look.Occlusion(pixels.Span, 2))
            Assert.That(string (look.ReceptiveField "conv2d"), equalTo "3×3 every 1×1")
            let judged = look.Judge data
            Assert.That(List.ofSeq judged, equalTo (InspectData.judge fast network data))
            Assert.That(List.ofSeq (judged.LeastCertain 2), equalTo (InspectData.leastCertain 2 (List.ofSeq judged)))
            Assert.That(List.ofSeq (judged.MostCertain 2), equalTo (InspectData.mostCertain 2 (List.ofSeq judged)))
            Assert.That(List.ofSeq (judged.Misclassified 2), equalTo (InspectData.misclassified 2 (List.ofSeq judged)))

            let places (found: ExcitingPatch seq seq) = [
                for filter in found -> [ for p in filter -> p.Picture, p.Top, p.Left ]
            ]

            Assert.That(
                places (look.Patches("conv2d", data) |> Seq.map Seq.cast),
                equalTo (places (InspectData.patches fast network "conv2d" 9 data |> Seq.map Seq.cast))
            ))

        testCase "layers that are not there, classes that are not, and pictures of another shape are refused" (fun () ->
            let network: FSharp.Network<float> = Architectures.build 1 Architectures.iorq
            let x: Tensor<float> = Tensor.zeros network.Input
            let refused (look: unit -> obj) = Assert.Catch<ArgumentException>(fun () -> look () |> ignore)

            Assert.That(
                (refused (fun () -> Inspect.filters network "conv2d_1")).Message,
                both (containing ("conv2d_1")) (containing ("conv2d, flatten, dense"))
            )

            Assert.That((refused (fun () -> Inspect.filters network "dense")).Message, containing "Dense")

            Assert.That(
                (refused (fun () -> Inspect.gradCam backend network "flatten" 0 x)).Message,
                containing "flatten"
            )

            refused (fun () -> Inspect.saliency backend network 2 x) |> ignore

            refused (fun () -> Inspect.occlusion backend network { Window = 3; Stride = 1; Grey = 0.5 } 2 x)
            |> ignore

            refused (fun () -> Inspect.occlusion backend network { Window = -1; Stride = 1; Grey = 0.5 } 1 x)
            |> ignore

            refused (fun () -> Inspect.occlusion backend network { Window = 3; Stride = 0; Grey = 0.5 } 1 x)
            |> ignore

            refused (fun () -> Inspect.saliency backend network 0 (Tensor.zeros (Shape.Of(31, 32, 1))))
            |> ignore

            refused (fun () ->
                InspectData.patches
                    backend
                    network
                    "conv2d"
                    0
                    (labelled { Count = 2; Input = [ 32; 32; 1 ]; Specs = []; Seed = 1 }))
            |> ignore

            refused (fun () -> FSharp.LineProbes.answers (Tensor.zeros (Shape.Of(3, 3, 2)): Tensor<float>) 0.0)
            |> ignore)
    ]
