/// Looking inside: maps of a network are what their definitions say, and fields are as wide as what can be seen.
module Cnn.Tests.Laws.InspectLaws

open System
open FsCheck
open FsCheck.FSharp
open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness

let private backend = Backend.reference<float>

let private conv spec : LayerSpec = LayerSpec.Conv2D spec
let private flatten = Flatten FlattenOrder.RowMajor
let private dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

let private network input specs θ : FSharp.Network<float> = {
    Layer = Layers.ofSpecs specs
    Input = input
    Parameters = θ
    State = []
}

/// A composite that ends with scores of three classes, away from kinks; the first of its pictures; the network of their softmax.
let private classified (plan: Plan) =
    let point =
        Point.away (fun _ -> Inference) { plan with Specs = plan.Specs @ [ flatten; dense 3 Cnn.Activation.Identity ] }

    let softmax: Layer<float> = Layers.ofSpec (LayerSpec.Activation Cnn.Activation.Softmax)

    let network: FSharp.Network<float> = {
        Layer = Layer.compose point.Layer softmax
        Input = point.X.Shape.Sample
        Parameters = point.Parameters
        State = point.State
    }

    { point with X = point.X.Slice(0, 1) }, network

let private shift i by (x: Tensor<float>) = Tensor.init x.Shape (fun j -> if j = i then x.Span[j] + by else x.Span[j])

/// Simonyan et al. 2013, section 3; at one pixel, by central differences.
[<Law>]
let ``s[i,j] = max_c |∂S ∕ ∂x[i,j,c]|`` (plan: Plan) =
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
    ]

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

/// Selvaraju et al. 2017, eq. 1–2.
[<Law>]
let ``Grad-CAM of a score linear in A = ReLU(Σ_k α_k·A_k) with α_k the mean of the weights of A_k`` (s: Sliding) =
    let x, maps, W, network = linearInMaps s 3 Cnn.Activation.Softmax
    let y, maps', V, binary = linearInMaps s 1 Cnn.Activation.Sigmoid

    all [
        for target in 0..2 do
            near 1e-6 (definition s maps W target 1.0) (Inspect.gradCam backend network "conv2d" target x)

        near 1e-6 (definition s maps' V 0 1.0) (Inspect.gradCam backend binary "conv2d" 1 y)
        near 1e-6 (definition s maps' V 0 -1.0) (Inspect.gradCam backend binary "conv2d" 0 y)
    ]

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

[<Law>]
let ``occlusion[i,j] = p(x) − p(x without the square around i, j), at stride 1 for every pixel`` (s: Sliding) =
    let x, _, _, network = linearInMaps s 3 Cnn.Activation.Softmax
    let window, target = s.Seed % 4, s.Seed % 3
    let map = Inspect.occlusion backend network { Window = window; Stride = 1; Grey = 0.3 } target x

    let expected =
        Tensor.init (Shape.Of(s.Height, s.Width, 1)) (fun i ->
            drop network x window 0.3 target (i / s.Width) (i % s.Width))

    within (fun _ -> 1e-6) expected map

[<Law>]
let ``occlusion by an empty window = 0, by one over all = p(x) − p(grey) everywhere, at any stride`` (s: Sliding) =
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
    ]

[<Law>]
let ``occlusion at one place = the drop there, in the middle`` (s: Sliding) =
    let x, _, _, network = linearInMaps s 3 Cnn.Activation.Softmax
    let window = 1 + s.Seed % 3

    let map =
        Inspect.occlusion backend network { Window = window; Stride = s.Height + s.Width; Grey = 0.5 } 1 x

    let expected = drop network x window 0.5 1 (s.Height / 2) (s.Width / 2)
    within (fun _ -> 1e-6) (Tensor.init map.Shape (fun _ -> expected)) map

/// Rows and columns of a unit's window.
let private sees (field: ReceptiveField) row column pixelRow pixelColumn =
    let top, left = field.FirstRow row, field.FirstColumn column

    pixelRow >= top
    && pixelRow < top + field.Size.Height
    && pixelColumn >= left
    && pixelColumn < left + field.Size.Width

let private named (plan: Plan) =
    let point = Point.away (fun _ -> Inference) plan

    let network: FSharp.Network<float> = {
        Layer = point.Layer
        Input = point.X.Shape.Sample
        Parameters = point.Parameters
        State = point.State
    }

    point.X.Slice(0, 1), network, (List.last (Network.summary network)).Name

/// What each unit gives before and after pixel i is changed, for all units of a map.
let private changed (network: FSharp.Network<float>) (x: Tensor<float>) pixel by =
    let channels = network.Input[2]

    let x' = Tensor.init x.Shape (fun i -> if i / channels = pixel then x.Span[i] + by else x.Span[i])

    let y, y' = Network.predict network x, Network.predict network x'
    Array.map2 (fun a b -> a <> b) (y.ToArray()) (y'.ToArray())

/// Araujo et al. 2019, eq. 1–4; composites of all kinds of layers.
[<Law>]
let ``a pixel outside a unit's receptive field never changes the unit`` (plan: Plan) =
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

    same true (Seq.forall isBlind (seq { 0 .. network.Input[0] * width - 1 }))

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

/// First and last pixel of a window are never holes between strides or taps.
[<Law>]
let ``the first and the last pixel of a receptive field within the picture change the unit`` (plan: Plan) =
    let plan = {
        plan with
            Specs =
                plan.Specs
                |> List.filter (fun s -> not (s.IsFlatten || s.IsDense || s.IsGlobalMaxPool || s.IsGlobalAveragePool))
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
         ])

/// 1 + (5−1) + (2−1)·1 + (5−1)·2 + (2−1)·2 = 16 pixels, four apart.
[<Test>]
let ``a unit after LeNet-5's second pooling sees 16×16 pixels, every 4×4`` () =
    let network: FSharp.Network<float32> = Architectures.build 1 Architectures.lenet5
    let field = ReceptiveField.ofLayer network "average_pooling2d_1"
    Assert.That(string field, equalTo "16×16 every 4×4")
    Assert.That((field.Top, field.Left), equalTo (0, 0))
    Assert.That(string ((ReceptiveField.ofLayer network "dense").Size), equalTo "32×32")

[<Law>]
let ``filters[f][u,v,c] = K[u,v,c,f], trained or frozen`` (s: Sliding) =
    let K: Tensor<float> = Draw.reals s.Seed s.Weights
    let trained = network s.Picture [ conv s.Conv2D ] [ K ]

    all [
        for network in [ trained; Network.freeze (fun _ -> true) trained ] do
            let filters = Inspect.filters network "conv2d"
            same s.Filters filters.Length
            let inner = s.Weights.Size / s.Filters
            exact K (Tensor.init K.Shape (fun i -> filters[i % s.Filters].Span[i / s.Filters % inner]))
    ]

[<Law>]
let ``feature maps of the last layer, side by side = what the network answers`` (plan: Plan) =
    let x, network, name = named plan
    let y = Network.predict network x
    let maps = Inspect.featureMaps backend network name (x.Reshape network.Input)

    let side =
        maps |> List.map (fun map -> map.ToArray()) |> List.toArray |> Array.transpose |> Array.concat

    all [
        same (y.ToArray()) (if y.Shape.Rank = 4 then side else maps.Head.ToArray())
        same (if y.Shape.Rank = 4 then y.Shape[3] else 1) maps.Length
    ]

/// Noise of at most 0.1 a pixel, a pattern of 0 and 1 in some pictures, and a filter that is +1 where it is 1 and −1 elsewhere:
/// the answer to the pattern is its ink, 0.1·9 at most less, to noise 0.9 at most.
[<Law>]
let ``the patch that excites a filter made for a pattern most is the pattern`` (r: Rows) =
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
        Tensor.init (Shape.Of(3, 3, 1, 2)) (fun i -> if i % 2 = 0 then 2.0 * float pattern[i / 2] - 1.0 else 0.0)

    all [
        for padding in [ FSharp.Padding.Valid; FSharp.Padding.Same ] do
            let network =
                network data.Shape [ conv { Conv2D.Default with Filters = 2; Padding = padding; UseBias = false } ] [
                    kernel
                ]

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
    ]

let private labelled (plan: Plan) : Dataset =
    let shape = Plan.shape plan.Input
    let picture index : Tensor<float32> = Draw.reals (plan.Seed + index) shape

    Dataset.Create(
        shape,
        Array.init 9 (fun i -> (plan.Seed + i * i) % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

[<Law>]
let ``judged pictures = the largest output of each, in order; mistakes are those of another label, the surest first``
    (plan: Plan)
    =
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
        same [ for row in outputs -> Array.max row ] (judged |> List.map (fun p -> outputs[p.Picture][p.Predicted]))
        same (judged |> List.filter (fun p -> p.Label <> p.Predicted) |> List.length) wrong.Length
        same true (wrong |> List.forall (fun p -> p.Label <> p.Predicted))
        same (wrong |> List.map probability |> List.sortDescending) (wrong |> List.map probability)
        same (judged |> List.map probability |> List.sort |> List.take 4) (least |> List.map probability)
        same (judged |> List.map probability |> List.sortDescending |> List.take 4) (most |> List.map probability)
    ]

let private filter3x3 (weights: float list) : Tensor<float> = Tensor.ofArray (Shape.Of(3, 3, 1)) (Array.ofList weights)

/// SPEC section 11: what the rounded filter that the source prints gives, and what its hand-made one gives.
[<Test>]
let ``the printed filter answers to the eight lines 0, .41, 1, .05, 0, 0, .94, 0, the hand-made one 0, .33, 1, .33, 0, 0, 1, .33``
    ()
    =
    let learned = filter3x3 [ -0.55; 0.04; 0.63; 0.05; -0.03; 0.37; -0.49; 0.8; 1.03 ]

    for kernel, bias, expected in
        [
            learned, -0.4, [ 0.0; 0.41; 1.0; 0.05; 0.0; 0.0; 0.94; 0.0 ]
            IOrQ.handMade, IOrQ.HandMadeBias, [ 0.0; 0.33; 1.0; 0.33; 0.0; 0.0; 1.0; 0.33 ]
        ] do
        for wanted, answer in List.zip expected (FSharp.LineProbes.answers kernel bias) do
            Assert.That(answer, Is.EqualTo(wanted).Within 1e-12)

/// Lines of three cells, each cell on as many lines as a 3×3 window has through it.
[<Test>]
let ``the eight lines are the rows, the columns and the diagonals`` () =
    let lines = FSharp.LineProbes.all |> List.map (fun (_, probe) -> probe.ToArray())
    Assert.That(lines |> List.distinct |> List.length, equalTo 8)
    Assert.That(lines |> List.forall (fun line -> Array.sum line = 3.0), Is.True)

    Assert.That(
        Array.init 9 (fun i -> lines |> List.sumBy (fun line -> line[i])),
        equalTo [| 3.0; 2.0; 3.0; 2.0; 4.0; 2.0; 3.0; 2.0; 3.0 |]
    )

let private glyphs seed count = FSharp.SyntheticGlyphs.dataset backend.Scheduler (Key.ofSeed seed) 32 count

/// The loss is convex in the bias: where it is least, it is larger on either side.
[<Test>]
let ``no bias of the hand-made filter has a lower training loss than the one that is chosen`` () =
    let fast = Simd.Backend<float>()
    let train, test = glyphs 1 400, glyphs 2 100
    let trials = IOrQ.run fast id 4 3 train test
    let kept = trials[1]
    let bias = Tensor.init (Shape.Of 1) (fun _ -> kept.Bias)
    let isF (trial: IOrQTrial<float>) = trial.Kernel.ToArray() = IOrQ.handMade<float>.ToArray()

    let loss shift =
        let moved = kept.Network.Parameters |> List.updateAt 1 (Tensor.map ((+) shift) bias)
        (Prediction.evaluate fast None { kept.Network with Parameters = moved } train).Loss

    Assert.That(trials.Length, equalTo 4)
    Assert.That(loss 0.0, equalTo kept.Train.Loss)
    Assert.That(min (loss 1e-3) (loss -1e-3), Is.GreaterThan kept.Train.Loss)
    Assert.That([ for trial in trials -> isF trial ], equalTo [ false; true; false; true ])
    Assert.That(trials[3].Bias, equalTo IOrQ.HandMadeBias)
    // The dense layer is the learned one, and in the last network it is not.
    let dense (trial: IOrQTrial<float>) = Weights.named trial.Network |> List.find (fst >> (=) "dense/kernel") |> snd
    Assert.That(dense kept = dense trials[0], Is.True)
    Assert.That(dense trials[3] = dense trials[0], Is.False)
    Assert.That(trials[3].Train.Loss, Is.LessThan kept.Train.Loss)
    Assert.That(abs trials[1].Likeness, Is.EqualTo(1.0).Within 1e-12)
    Assert.That(trials[0].Likeness * float (sign trials[2].Likeness), Is.GreaterThan 0.0)
    // What is left of the learned filter is at right angles to F.
    let rest = Tensor.add trials[0].Kernel (Tensor.scale -1.0 trials[2].Kernel)
    Assert.That(Tensor.dot rest kept.Kernel, Is.EqualTo(0.0).Within 1e-12)

[<Law>]
let ``pixels of 0 to 1 become the bytes that they came from; a sheet holds every picture`` (r: Rows) =
    let height, width, channels = r.Count, r.Features, 1 + 2 * (r.Seed % 2)
    let bytes n = Array.init (height * width * channels) (fun i -> byte (r.Seed + 37 * i + 91 * n))

    let image n =
        let source = bytes n
        InspectImages.Picture(Tensor.init (Shape.Of(height, width, channels)) (fun i -> float source[i] / 255.0))

    let images = List.init (1 + r.Seed % 5) image
    let columns = 1 + r.Seed % 3
    let sheet = InspectImages.Sheet(images, columns)

    let part n =
        let top, left = 2 + n / columns * (height + 2), 2 + n % columns * (width + 2)

        Array.init (height * width * 3) (fun i ->
            let row, column = i / 3 / width, i / 3 % width
            sheet.Pixels.Span[((top + row) * sheet.Width + left + column) * 3 + i % 3])

    all [
        for n, image in List.indexed images do
            same (bytes n) (image.Pixels.ToArray())
            same (image.ToRgb().Pixels.ToArray()) (part n)
    ]

[<Law>]
let ``maps in colour: white at 0, red above, blue below; a glow where the map is largest only`` (r: Rows) =
    let shape = Shape.Of(r.Count, r.Features, 1)
    let map: Tensor<float> = Draw.integers r.Seed shape
    let signed = InspectImages.Signed map
    let largest = map.ToArray() |> Array.map abs |> Array.max

    let isRight i =
        let red, green, blue =
            signed.Pixels.Span[3 * i], signed.Pixels.Span[3 * i + 1], signed.Pixels.Span[3 * i + 2]

        match map.Span[i] with
        | 0.0 -> (red, green, blue) = (255uy, 255uy, 255uy)
        | v when v > 0.0 -> red = 255uy && green = blue && (abs v < largest || blue = 0uy) && blue < 255uy
        | v -> blue = 255uy && green = red && (abs v < largest || red = 0uy) && red < 255uy

    let plain = InspectImages.Overlay(Tensor.zeros shape, Tensor.zeros shape)

    let glow =
        InspectImages.Overlay(Tensor.zeros shape, Tensor.init shape (fun i -> if i = 0 then 1.0 else -1.0))

    all [
        same true (Seq.forall isRight (seq { 0 .. map.Size - 1 }))
        same true (plain.Pixels.ToArray() |> Array.forall ((=) 0uy))
        same 255uy glow.Pixels.Span[0]
        same true (glow.Pixels.ToArray() |> Array.skip 3 |> Array.forall ((=) 0uy))
    ]

/// Of 1 or of 5 to 13 channels, ⌈√C⌉ in a row.
[<Law>]
let ``a filter in colour: red where K > 0, blue where K < 0, channel by channel in a square`` (s: Sliding) =
    let channels = if s.Channels = 1 then 1 else 4 + 3 * s.Channels + s.Filters
    let shape = Shape.Of(s.Kernel.Height, s.Kernel.Width, channels)
    let K: Tensor<float> = Draw.integers s.Seed shape
    let image = InspectImages.Filter K
    let columns = int (ceil (sqrt (float channels)))

    let isRight i =
        let pixel, c = i / channels, i % channels
        let row = c / columns * s.Kernel.Height + pixel / s.Kernel.Width
        let column = c % columns * s.Kernel.Width + pixel % s.Kernel.Width
        let rgb = image.Pixels.Slice((row * image.Width + column) * 3, 3).ToArray()
        sign K.Span[i] = sign (int rgb[0] - int rgb[2])

    same true (Seq.forall isRight (seq { 0 .. K.Size - 1 }))

/// The doors of C# open onto the same rooms.
[<Test>]
let ``what a model shows of itself = what the core shows of its network`` () =
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
    let is (expected: Tensor<float>) (actual: Tensor<float>) = Assert.That((actual = expected), Is.True)
    let are (expected: Tensor<float> list) (actual: Tensor<float> seq) = List.iter2 is expected (List.ofSeq actual)

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
    )

[<Test>]
let ``layers that are not there, classes that are not, and pictures of another shape are refused`` () =
    let network: FSharp.Network<float> = Architectures.build 1 Architectures.iorq
    let x: Tensor<float> = Tensor.zeros network.Input
    let refused (look: unit -> obj) = Assert.Catch<ArgumentException>(fun () -> look () |> ignore) |> nonNull

    Assert.That(
        (refused (fun () -> Inspect.filters network "conv2d_1")).Message,
        Does.Contain("conv2d_1").And.Contain("conv2d, flatten, dense")
    )

    Assert.That((refused (fun () -> Inspect.filters network "dense")).Message, Does.Contain "Dense")
    Assert.That((refused (fun () -> Inspect.gradCam backend network "flatten" 0 x)).Message, Does.Contain "flatten")
    refused (fun () -> Inspect.saliency backend network 2 x) |> ignore

    refused (fun () -> Inspect.occlusion backend network { Window = 3; Stride = 1; Grey = 0.5 } 2 x)
    |> ignore

    refused (fun () -> Inspect.occlusion backend network { Window = -1; Stride = 1; Grey = 0.5 } 1 x)
    |> ignore

    refused (fun () -> Inspect.occlusion backend network { Window = 3; Stride = 0; Grey = 0.5 } 1 x)
    |> ignore

    refused (fun () -> Inspect.saliency backend network 0 (Tensor.zeros (Shape.Of(31, 32, 1))))
    |> ignore

    refused (fun () -> InspectData.patches backend network "conv2d" 0 (glyphs 1 2)) |> ignore

    refused (fun () -> FSharp.LineProbes.answers (Tensor.zeros (Shape.Of(3, 3, 2)): Tensor<float>) 0.0)
    |> ignore
