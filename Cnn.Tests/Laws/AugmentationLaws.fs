/// Augmentation: random changes of pictures as pure functions of a key, for training only.
module Cnn.Tests.Laws.AugmentationLaws

open System
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

type private Threads(count: int) =
    interface IScheduler with
        member _.Threads = count
        member _.For(n, body) = Parallel.For(0, n, ParallelOptions(MaxDegreeOfParallelism = count), body) |> ignore

/// Draw 0 of the first step.
let private firstDraw (key: Key) =
    let draw = key.Child 0L
    draw.Uniform 0L

/// What epoch e of a training augments with.
let private epochKey (seed: int) (e: int) = Key.ofSeed seed |> Key.child Purpose.Augmentation |> Key.child (int64 e)

/// Two-channel pictures of two classes, sizes that differ.
let private (|Pictures|) (r: Rows) =
    let shape = Shape.Of(3 + r.Count % 7, 4 + r.Features % 6, 2)
    let picture index : Tensor<float32> = Draw.reals (r.Seed + index) shape
    let reader = PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    Dataset.Create(shape, [ 0; 1; 1; 0; 1 ], [ "a"; "b" ], reader), Key.ofSeed r.Seed

let private members (data: Dataset) = [ for i in 0 .. data.Count - 1 -> data.Picture i ]

let private everything = [
    Shift 2
    Rotate 30.0
    Zoom 0.2
    FlipHorizontal
    FlipVertical
    Elastic(0.7, 3.0)
    Noise 0.1
    Erase(0.5, 0.1, 0.5)
]

let private any (key: Key) =
    Augmentation.ofSteps [ for i in 1 .. key.Below(4, 0L) -> everything[key.Below(everything.Length, int64 i)] ]

let private apply (a: Augmentation) key (data: Dataset) = [
    for picture in members data -> a.Apply(data.Shape, ReadOnlySpan picture, key)
]

let private at (shape: Shape) (picture: float32[]) y x c = picture[(y * shape[1] + x) * shape[2] + c]

let private rearranged (shape: Shape) (picture: float32[]) place =
    Array.init shape.Size (fun i ->
        let y, x = place (i / shape[2] / shape[1]) (i / shape[2] % shape[1])
        at shape picture y x (i % shape[2]))

let private mirrored (shape: Shape) picture = rearranged shape picture (fun y x -> y, shape[1] - 1 - x)
let private overturned (shape: Shape) picture = rearranged shape picture (fun y x -> shape[0] - 1 - y, x)

/// A plane a·x + b·y, whose gradient tells how it was turned and stretched; bilinear sampling keeps planes.
let private plane (shape: Shape) a b =
    Array.init shape.Size (fun i -> float32 (a * float (i % shape[1]) + b * float (i / shape[1])))

let private gradient (shape: Shape) (picture: float32[]) =
    let y, x = shape[0] / 2, shape[1] / 2
    let v dy dx = float (at shape picture (y + dy) (x + dx) 0)
    (v 0 1 - v 0 -1) / 2.0, (v 1 0 - v -1 0) / 2.0

/// A small network, and pictures for it.
let private network: Network<float> =
    Network.create
        (Key.ofSeed 3)
        (Shape.Of(6, 7, 1))
        (Layers.ofSpecs [
            Conv2D { Conv2D.Default with Filters = 2; Kernel = Size.Square 3 }
            Flatten FlattenOrder.RowMajor
            Dense { Dense.Default with Units = 3; Activation = Activation.Softmax }
        ])

let private pictures count seed =
    let picture index : Tensor<float32> = Draw.reals (seed + index) (Shape.Of(6, 7, 1))

    Dataset.Create(
        Shape.Of(6, 7, 1),
        Array.init count (fun i -> i % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )

let private settings seed augmentation = {
    TrainingSettings.Default with
        BatchSize = 7
        Seed = seed
        Augmentation = augmentation
}

let private on count : Backend<float> = { Kernels = ReferenceKernels<float>(); Scheduler = Threads count }

let private weights threads settings epochs data =
    (Training.run (on threads) settings epochs data network).Network.Parameters

let tests =
    testList "augmentation" [
        testProperty "composition is associative, and none is neutral" (fun (Pictures(data, key)) ->
            let a, b, c = any (key.Child 1L), any (key.Child 2L), any (key.Child 3L)

            all [
                same ((a.Then b).Then c) (a.Then(b.Then c))
                same a (a.Then Augmentation.None)
                same a (Augmentation.None.Then a)
                same (hash (a.Then b)) (hash (a.Then b))
                same (members data) (apply Augmentation.None key data)
                same (members data) (members (data.Augment(Augmentation.None, key)))
            ])

        // Each step with nothing to do leaves every bit alone, and so do all together.
        testProperty "no shift, no angle, no zoom, no noise, no bend = identity" (fun (Pictures(data, key)) ->
            let idle = [ Shift 0; Rotate 0.0; Zoom 0.0; Noise 0.0; Elastic(0.0, 2.0); Erase(0.0, 0.1, 0.2) ]

            all [
                same (members data) (apply (Augmentation.ofSteps idle) key data)

                for step in idle do
                    same (members data) (apply (Augmentation.ofSteps [ step ]) key data)
            ])

        testProperty
            "the picture of a data set at i = the picture changed by child i of the key, whenever it is read"
            (fun (Pictures(data, key)) ->
                let a = any (key.Child 9L)
                let augmented = data.Augment(a, key)

                let expected = [
                    for i in 0 .. data.Count - 1 ->
                        a.Apply(data.Shape, ReadOnlySpan(data.Picture i), key.Child(int64 i))
                ]

                let backwards = [ for i in data.Count - 1 .. -1 .. 0 -> augmented.Picture i ]

                all [
                    same expected (members augmented)
                    same expected (List.rev backwards)
                    same (List.ofSeq data.Labels) (List.ofSeq augmented.Labels)
                    same data.Shape augmented.Shape
                ])

        // Pixels that come from outside are those of the border.
        testProperty "a shift moves rows and columns of the array" (fun (Pictures(data, key)) ->
            let n = 1 + key.Below(3, 0L)
            let shape, picture = data.Shape, data.Picture 0
            let moved = (Augmentation.Shift n).Apply(shape, ReadOnlySpan picture, key)

            let candidates = [
                for dy in -n .. n do
                    for dx in -n .. n ->
                        rearranged shape picture (fun y x ->
                            max 0 (min (shape[0] - 1) (y - dy)), max 0 (min (shape[1] - 1) (x - dx)))
            ]

            same true (List.contains moved candidates))

        testProperty
            "a flip is the mirror image or nothing; twice the same flip = identity"
            (fun (Pictures(data, key)) ->
                let shape, picture = data.Shape, data.Picture 0

                all [
                    for flip, image in
                        [
                            Augmentation.FlipHorizontal, mirrored shape picture
                            Augmentation.FlipVertical, overturned shape picture
                        ] do
                        let once = flip.Apply(shape, ReadOnlySpan picture, key)
                        same true (once = picture || once = image)
                        same picture (flip.Apply(shape, ReadOnlySpan once, key))
                ])

        testCase "half of the pictures are flipped, and every shift comes up as often" (fun () ->
            let shape = Shape.Of(1, 7, 1)
            let picture = Array.init 7 float32
            let centre (a: Augmentation) i = (a.Apply(shape, ReadOnlySpan picture, Key.ofSeed i))[3] |> int

            let flipped =
                Seq.init 2000 (fun i ->
                    (Augmentation.FlipHorizontal.Apply(shape, ReadOnlySpan picture, Key.ofSeed i))[0])

            let turned = flipped |> Seq.filter ((=) 6.0f) |> Seq.length
            // Five standard deviations of a binomial count.
            Assert.That(abs (turned - 1000) < 112, string turned)
            let counts = Seq.init 2100 (centre (Augmentation.Shift 3)) |> Seq.countBy id |> Map
            Assert.That(counts.Count, equalTo 7)
            Assert.That(counts |> Map.forall (fun _ n -> abs (n - 300) < 81), string counts))

        // The angle is −d + 2d·u for draw 0 of the step's key; counterclockwise to the eye, y being down.
        testProperty "a rotation turns the gradient of a plane by its angle and keeps its length" (fun (r: Rows) ->
            let shape, key = Shape.Of(9, 11, 1), Key.ofSeed r.Seed
            let limit = float (1 + r.Count * 29 % 180)
            let turned = (Augmentation.Rotate limit).Apply(shape, ReadOnlySpan(plane shape 0.05 0.02), key)
            let angle = (2.0 * firstDraw key - 1.0) * limit * Math.PI / 180.0
            let cos, sin = Math.Cos angle, Math.Sin angle
            let x, y = gradient shape turned

            all [
                same true (abs (x - (0.05 * cos + 0.02 * sin)) < 1e-5)
                same true (abs (y - (-0.05 * sin + 0.02 * cos)) < 1e-5)
            ])

        testProperty "a zoom by f divides the gradient of a plane by f and leaves the centre" (fun (r: Rows) ->
            let shape, key = Shape.Of(9, 11, 1), Key.ofSeed r.Seed
            let picture = plane shape 0.05 0.02
            let zoomed = (Augmentation.Zoom 0.4).Apply(shape, ReadOnlySpan picture, key)
            let factor = 0.6 + 0.8 * firstDraw key
            let x, y = gradient shape zoomed

            all [
                same true (abs (x * factor - 0.05) < 1e-5 && abs (y * factor - 0.02) < 1e-5)
                same true (abs (at shape zoomed 4 5 0 - at shape picture 4 5 0) < 1e-6f)
            ])

        // Maps that follow each other are one map: a shift behind a half turn goes the other way, still on whole pixels.
        testProperty "steps act in their order: zoom, then shift = shift of the zoomed" (fun (r: Rows) ->
            let shape, key = Shape.Of(13, 13, 1), Key.ofSeed r.Seed
            let picture = plane shape 0.05 0.02
            let zoom = Augmentation.Zoom 0.3
            let zoomed = zoom.Apply(shape, ReadOnlySpan picture, key)
            let both = (zoom.Then(Augmentation.Shift 2)).Apply(shape, ReadOnlySpan picture, key)
            // The shift's own draws, seen where nothing else happens.
            let alone = (Augmentation.Zoom 0.0).Then(Augmentation.Shift 2).Apply(shape, ReadOnlySpan picture, key)
            let factor = 0.7 + 0.6 * firstDraw key
            let centre picture = float (at shape picture 6 6 0)
            let moved = centre alone - centre picture
            same true (abs (centre both - centre zoomed - moved / factor) < 1e-5))

        // Displacements of a ramp are seen in its values. Between knots the deviation is 0.92 of that at a knot at least.
        testCase "an elastic deformation moves pixels by the deviation that was asked for" (fun () ->
            let shape = Shape.Of(41, 41, 1)
            let ramp = plane shape 1.0 0.0
            let elastic = Augmentation.Elastic(1.5, 5.0)

            let displacements y x =
                Array.init 2000 (fun seed ->
                    float (at shape (elastic.Apply(shape, ReadOnlySpan ramp, Key.ofSeed seed)) y x 0) - float x)

            for y, x, expected in [ 20, 20, 1.5; 22, 20, 1.44; 22, 22, 1.39 ] do
                let d = displacements y x
                let mean = Array.average d
                let deviation = sqrt (d |> Array.averageBy (fun v -> (v - mean) * (v - mean)))
                // Five standard errors: of a mean σ/√n, of a deviation σ/√(2n).
                Assert.That(abs mean < 5.0 * 1.5 / sqrt 2000.0, string mean)
                Assert.That(abs (deviation - expected) < 5.0 * 1.5 / sqrt 4000.0 + 0.02, string deviation))

        testCase "noise has mean 0 and the deviation that was asked for" (fun () ->
            let shape = Shape.Of(100, 100, 2)

            let noisy =
                (Augmentation.Noise 0.25).Apply(shape, ReadOnlySpan(Array.zeroCreate shape.Size), Key.ofSeed 1)

            let mean = Array.averageBy float noisy
            let deviation = sqrt (noisy |> Array.averageBy (fun v -> float v * float v))
            Assert.That(abs mean < 5.0 * 0.25 / sqrt 20000.0, string mean)
            Assert.That(abs (deviation - 0.25) < 5.0 * 0.25 / sqrt 40000.0, string deviation))

        testProperty
            "erasing: one rectangle of the mean, of a share of the area that was allowed; all else stays"
            (fun (Pictures(data, key)) ->
                let shape, picture = data.Shape, data.Picture 0
                let erased = (Augmentation.Erase(1.0, 0.2, 0.4)).Apply(shape, ReadOnlySpan picture, key)

                let changed = [
                    for y in 0 .. shape[0] - 1 do
                        for x in 0 .. shape[1] - 1 do
                            if at shape erased y x 0 <> at shape picture y x 0 then
                                y, x
                ]

                let rows, columns = List.map fst changed, List.map snd changed
                let height, width = List.max rows - List.min rows + 1, List.max columns - List.min columns + 1
                let mean c = float32 (Seq.init (shape.Size / 2) (fun p -> float picture[2 * p + c]) |> Seq.average)
                let area = float (shape[0] * shape[1])

                all [
                    same (height * width) changed.Length
                    // Each side is rounded by half a pixel, or cut at the picture's.
                    same true (float (height * width) <= 0.4 * area + 0.5 * float (height + width) + 0.25)
                    same
                        true
                        (height = shape[0]
                         || width = shape[1]
                         || float (height * width) >= 0.2 * area - 0.5 * float (height + width) - 0.25)

                    for y, x in changed do
                        for c in 0..1 do
                            same true (abs (at shape erased y x c - mean c) < 1e-6f)
                ])

        testProperty "augmented training is the same to the last bit on 1, 2 and 8 threads" (fun (r: Rows) ->
            let data, settings = pictures 20 r.Seed, settings r.Seed (any (Key.ofSeed r.Seed))

            all [
                for threads in [ 2; 8 ] do
                    exactly (weights 1 settings 2 data) (weights threads settings 2 data)
            ])

        // Epoch e of a seed sees the pictures of key seed/augmentation/e.
        testProperty
            "training with augmentation = training on the pictures that the seed's key augments, epoch by epoch"
            (fun (r: Rows) ->
                let data, a = pictures 12 r.Seed, Augmentation.ofSteps [ Shift 1; Noise 0.1 ]
                let fixed' = data.Augment(a, epochKey r.Seed 1)
                let augmented, plain = settings r.Seed a, settings r.Seed Augmentation.None

                all [
                    exactly (weights 1 plain 1 fixed') (weights 1 augmented 1 data)
                    same false (weights 1 plain 2 fixed' = weights 1 augmented 2 data)
                    same false (weights 1 plain 1 data = weights 1 augmented 1 data)
                ])

        testProperty
            "each epoch has draws of its own, each picture too, and the same ones for the same seed"
            (fun (r: Rows) ->
                let noise = Augmentation.Noise 1.0
                let shape = Shape.Of(2, 2, 1)
                let same' = Dataset.OfFloats(shape, ReadOnlyMemory(Array.zeroCreate 40), Array.zeroCreate 10, [ "a" ])
                let epoch n = members (same'.Augment(noise, epochKey r.Seed n))
                all [ same 20 (List.distinct (epoch 1 @ epoch 2)).Length; same (epoch 1) (epoch 1) ])

        // What is evaluated and predicted is what was given.
        testCase "the validation set is not augmented" (fun () ->
            let data = pictures 12 5
            let settings = { settings 1 (Augmentation.Noise 5.0) with Validation = Some data }
            let state = Training.run (on 1) settings 1 data network
            let evaluation = Prediction.evaluate (on 1) None state.Network data
            Assert.That((nonNull state.Result.Validation).Loss, equalTo evaluation.Loss))

        testCase "both doors augment alike" (fun () ->
            let data = pictures 12 7
            let a = (Augmentation.Shift 1).Then(Augmentation.FlipHorizontal)
            let model = (Fluent.Network.Input(6, 7).Flatten().Dense(3, Activation.Softmax)).Build()
            let hash (options: FitOptions) (data: Dataset) = (model.Fit(data, options)).Model.WeightHash
            let key = epochKey 4 1
            let expected = hash (FitOptions(Seed = 4)) (data.Augment(a, key))
            Assert.That(hash (FitOptions(Seed = 4, Augmentation = a)) data, equalTo expected)
            Assert.That(hash (FitOptions(Seed = 4)) data, differentFrom expected)
            Assert.That(FitOptions().Augmentation, equalTo TrainingSettings.Default.Augmentation)

            Assert.Throws<ArgumentNullException>(fun () ->
                FitOptions(Augmentation = Unchecked.defaultof<Augmentation>) |> ignore)
            |> ignore)

        testCase "augmenting a picture allocates nothing but what is lent" (fun () ->
            let shape = Shape.Of(28, 28, 3)
            let pixels = ReadOnlyMemory(Array.zeroCreate<byte>(10 * shape.Size))
            let data = Dataset.OfBytes(shape, pixels, Array.zeroCreate 10, [ "a" ])
            let augmented = data.Augment(Augmentation.ofSteps everything, Key.ofSeed 0)
            let picture = Array.zeroCreate shape.Size

            let read () =
                for i in 0..9 do
                    augmented.Read(i, Span picture)

            read ()
            let before = GC.GetAllocatedBytesForCurrentThread()

            for _ in 1..10 do
                read ()

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, lessThan 10000L))

        testCase "what makes no sense is refused" (fun () ->
            for act in
                [
                    fun () -> Augmentation.Shift -1
                    fun () -> Augmentation.Rotate 181.0
                    fun () -> Augmentation.Rotate nan
                    fun () -> Augmentation.Zoom 1.0
                    fun () -> Augmentation.Noise -0.1
                    fun () -> Augmentation.Noise infinity
                    fun () -> Augmentation.Elastic(-1.0, 3.0)
                    fun () -> Augmentation.Elastic(1.0, 0.5)
                    fun () -> Augmentation.Erase(1.5, 0.1, 0.2)
                    fun () -> Augmentation.Erase(0.5, 0.3, 0.2)
                ] do
                Assert.Throws<ArgumentException>(fun () -> act () |> ignore) |> ignore

            let flat = Dataset.OfFloats(Shape.Of 4, ReadOnlyMemory(Array.zeroCreate 4), [ 0 ], [ "a" ])
            Assert.Throws<ShapeException>(fun () -> flat.Augment(Augmentation.Shift 1, 0) |> ignore) |> ignore
            Assert.That(string ((Augmentation.Shift 2).Then Augmentation.FlipHorizontal), equalTo "shift 2, flip")
            Assert.That(string Augmentation.None, equalTo "none"))
    ]
