/// Receptive fields are as wide as what a unit can see, and patches are what excites it.
module Cnn.Tests.Laws.ReceptiveFieldLaws

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

/// Rows and columns of a unit's window.
let private sees (field: ReceptiveField) row column pixelRow pixelColumn =
    let top, left = field.FirstRow row, field.FirstColumn column

    pixelRow >= top
    && pixelRow < top + field.Size.Height
    && pixelColumn >= left
    && pixelColumn < left + field.Size.Width

/// What each unit gives before and after pixel i is changed, for all units of a map.
let private changed (network: FSharp.Network<float>) (x: Tensor<float>) pixel by =
    let channels = network.Input[2]

    let x' = Tensor.init x.Shape (fun i -> if i / channels = pixel then x.Span[i] + by else x.Span[i])

    let y, y' = Network.predict network x, Network.predict network x'
    Array.map2 (fun a b -> a <> b) (y.ToArray()) (y'.ToArray())

/// Layers that only grow with their input: convolutions of positive weights, and pooling.
let private growing (plan: Plan) =
    let specs =
        plan.Specs
        |> List.map (fun spec ->
            match spec with
            | LayerSpec.Conv2D c ->
                conv { c with Activation = Cnn.Activation.Identity; Trainable = true; UseBias = false }
            | MaxPool _
            | AveragePool _ -> spec
            | _ -> LayerSpec.Activation(Cnn.Activation.LeakyReLU 0.5))

    let network: FSharp.Network<float> =
        Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs specs)

    {
        network with
            Parameters = network.Parameters |> List.map (Tensor.map (fun w -> 0.1 + abs w))
    }

let tests =
    testList "receptive fields" [
        // Araujo et al. 2019, eq. 1–4; composites of all kinds of layers.
        testProperty "a pixel outside a unit's receptive field never changes the unit" (fun (plan: Plan) ->
            let x, network, name = named plan
            let field = ReceptiveField.ofLayer network name
            let shape = Network.output network
            let width = network.Input[1]

            let isBlind pixel =
                changed network x pixel 3.0
                |> Seq.indexed
                |> Seq.forall (fun (unit, isChanged) ->
                    let place = unit / shape[shape.Rank - 1]
                    let row, column = if shape.Rank = 3 then place / shape[1], place % shape[1] else 0, 0
                    not isChanged || sees field row column (pixel / width) (pixel % width))

            same true (Seq.forall isBlind (seq { 0 .. network.Input[0] * width - 1 })))

        // First and last pixel of a window are never holes between strides or taps.
        testProperty
            "the first and the last pixel of a receptive field within the picture change the unit"
            (fun (plan: Plan) ->
                let plan = {
                    plan with
                        Specs =
                            plan.Specs
                            |> List.filter (fun s ->
                                not (s.IsFlatten || s.IsDense || s.IsGlobalMaxPool || s.IsGlobalAveragePool))
                }

                (not plan.Specs.IsEmpty && Plan.fits plan)
                ==> lazy
                    (let network = growing plan
                     let x: Tensor<float> = Draw.reals plan.Seed (network.Input.Batch 1)
                     let field = ReceptiveField.ofLayer network (List.last (Network.summary network)).Name
                     let shape = Network.output network
                     let height, width = network.Input[0], network.Input[1]

                     all [
                         for unit in 0 .. shape[0] * shape[1] - 1 do
                             let top, left = field.FirstRow(unit / shape[1]), field.FirstColumn(unit % shape[1])
                             let bottom, right = top + field.Size.Height - 1, left + field.Size.Width - 1

                             if top >= 0 && left >= 0 && bottom < height && right < width then
                                 for pixel in [ top * width + left; bottom * width + right ] do
                                     let units = changed network x pixel 1e6
                                     same true units[unit * shape[2]]
                     ]))

        // 1 + (5−1) + (2−1)·1 + (5−1)·2 + (2−1)·2 = 16 pixels, four apart.
        testCase "a unit after LeNet-5's second pooling sees 16×16 pixels, every 4×4" (fun () ->
            let network: FSharp.Network<float32> = Architectures.build 1 Architectures.lenet5
            let field = ReceptiveField.ofLayer network "average_pooling2d_1"
            Assert.That(string field, equalTo "16×16 every 4×4")
            Assert.That((field.Top, field.Left), equalTo (0, 0))
            Assert.That(string ((ReceptiveField.ofLayer network "dense").Size), equalTo "32×32"))

        // Noise of at most 0.1 a pixel, a pattern of 0 and 1 in some pictures, and a filter that is +1 where it is 1 and −1 elsewhere:
        // the answer to the pattern is its ink, 0.1·9 at most less, to noise 0.9 at most.
        testProperty "the patch that excites a filter made for a pattern most is the pattern" (fun (r: Rows) ->
            let height, width = 7 + r.Seed % 3, 6 + r.Seed % 5

            let pattern =
                Array.init 9 (fun i -> if (r.Seed >>> i) % 2 = 1 || i = 4 || i = 0 || i = 8 then 1.0f else 0.0f)

            let count = 3 + r.Count
            let planted = r.Seed % count
            let top, left = r.Seed / 7 % (height - 2), r.Seed / 11 % (width - 2)

            let picture n =
                let noise: Tensor<float32> = Draw.reals (r.Seed + n) (Shape.Of(height, width, 1))

                Array.init noise.Size (fun i ->
                    let row, column = i / width - top, i % width - left

                    if n = planted && row >= 0 && row < 3 && column >= 0 && column < 3 then
                        pattern[row * 3 + column]
                    else
                        0.1f * abs noise.Span[i])

            let data =
                Dataset.Create(
                    Shape.Of(height, width, 1),
                    Array.zeroCreate count,
                    [ "any" ],
                    PictureReader(fun n destination -> (picture n).CopyTo destination)
                )

            let kernel: Tensor<float> =
                Tensor.init (Shape.Of(3, 3, 1, 2)) (fun i ->
                    if i % 2 = 0 then 2.0 * float pattern[i / 2] - 1.0 else 0.0)

            all [
                for padding in [ FSharp.Padding.Valid; FSharp.Padding.Same ] do
                    let network =
                        network data.Shape [
                            conv { Conv2D.Default with Filters = 2; Padding = padding; UseBias = false }
                        ] [ kernel ]

                    let found = InspectData.patches backend network "conv2d" 2 data
                    let best = found.Head.Head
                    same 2 found.Length
                    same (planted, top, left) (best.Picture, best.Top, best.Left)
                    same pattern (best.Patch.ToArray())
                    same (float (Array.sum pattern)) best.Activation
                    same 2 (found.Head |> List.map (fun patch -> patch.Picture) |> List.distinct).Length
                    same true (found.Head[0].Activation >= found.Head[1].Activation)
                    // A filter of zeros likes all alike: the first pictures, at their first place.
                    same [ 0; 1 ] (found[1] |> List.map (fun patch -> patch.Picture))
            ])
    ]
