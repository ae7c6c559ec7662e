/// Preprocessing: a monoid of steps, each an equation on pixels, that a file can keep.
module Cnn.Tests.Laws.PreprocessingLaws

open System
open System.IO
open System.Text
open System.Text.Json
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A number of U(low, high).
let private between low high (key: Key) i = low + (high - low) * key.Uniform(int64 i)

/// A step that takes colour pictures of at most 12×12 pixels and gives such.
let private step (key: Key) =
    let whole low high i = low + key.Below(high - low + 1, int64 i)
    let three first = [ for c in 0..2 -> between 0.1 2.0 key (first + c) ]

    match key.Below(5, 0L) with
    | 0 -> Scale(between -2.0 2.0 key 1, between -1.0 1.0 key 2)
    | 1 -> Normalize(three 1, three 4)
    | 2 -> Resize(whole 1 12 1, whole 1 12 2, Resampling.Area)
    | 3 -> Resize(whole 1 12 1, whole 1 12 2, Resampling.Bilinear)
    | _ -> Pad(12, 12)

let internal preprocessing (key: Key) =
    Preprocessing.ofSteps [ for i in 1 .. key.Below(4, 0L) -> step (key.Child(int64 i)) ]

/// Colour pictures of two classes, sizes that differ.
let internal (|Pictures|) (r: Rows) =
    let shape = Shape.Of(2 + r.Count % 7, 3 + r.Features % 6, 3)
    let picture index : Tensor<float32> = Draw.reals (r.Seed + index) shape
    let reader = PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    Dataset.Create(shape, [ 0; 1; 1 ], [ "a"; "b" ], reader), Key.ofSeed r.Seed

let private apply (preprocessing: Preprocessing) (data: Dataset) = [
    for i in 0 .. data.Count - 1 -> preprocessing.Apply(data.Shape, ReadOnlySpan(data.Picture i))
]

let internal members (data: Dataset) = [ for i in 0 .. data.Count - 1 -> data.Picture i ]

/// |a − b| ≤ bound, number by number.
let private close bound (expected: float32 seq) (actual: float32 seq) =
    all [
        same (Seq.length expected) (Seq.length actual)

        for a, b in Seq.zip expected actual do
            same true (abs (a - b) <= bound)
    ]

let private written (p: Preprocessing) =
    use stream = new MemoryStream()
    use writer = new Utf8JsonWriter(stream)
    Preprocessing.write writer p
    writer.Flush()
    Encoding.UTF8.GetString(stream.ToArray())

let private read (json: string) =
    use document = JsonDocument.Parse json
    Preprocessing.read "model" 8L document.RootElement

let tests =
    testList "preprocessing" [
        testProperty "composition is associative, and the identity is neutral" (fun (Pictures(data, key)) ->
            let p, q, r = preprocessing (key.Child 1L), preprocessing (key.Child 2L), preprocessing (key.Child 3L)

            all [
                same ((p.Then q).Then r) (p.Then(q.Then r))
                same p (p.Then Preprocessing.Identity)
                same p (Preprocessing.Identity.Then p)
                same (members data) (apply Preprocessing.Identity data)
                same (hash (p.Then q)) (hash (p.Then q))
            ])

        testProperty "p.Then q of a picture = q of p of it" (fun (Pictures(data, key)) ->
            let p, q = preprocessing (key.Child 1L), preprocessing (key.Child 2L)
            let first = data.Preprocess p

            all [
                same (apply (p.Then q) data) (apply q first)
                same (members (data.Preprocess(p.Then q))) (members (first.Preprocess q))
            ])

        testProperty
            "a data set preprocessed = each picture preprocessed; shapes are promised, labels stay"
            (fun (Pictures(data, key)) ->
                let p = preprocessing key
                let made = data.Preprocess p

                all [
                    same (apply p data) (members made)
                    same (p.OutputShape data.Shape) made.Shape
                    same (List.ofSeq data.Labels) (List.ofSeq made.Labels)
                    same (List.ofSeq data.ClassNames) (List.ofSeq made.ClassNames)
                ])

        // Σ_j overlap(i, j)/n is the same for all old pixels.
        testProperty "resizing by area keeps the mean, and the size itself keeps all" (fun (Pictures(data, key)) ->
            let height, width = 1 + key.Below(12, 0L), 1 + key.Below(12, 1L)
            let mean (picture: float32[]) = Array.averageBy float picture
            let resized = data.Preprocess(Preprocessing.Resize(height, width))

            all [
                for before, after in List.zip (members data) (members resized) do
                    same true (abs (mean before - mean after) < 1e-5)

                for method in [ Resampling.Area; Resampling.Bilinear ] do
                    same (members data) (apply (Preprocessing.Resize(data.Shape[0], data.Shape[1], method)) data)
            ])

        testProperty "resizing by area to a k-th = means of k×l blocks" (fun (r: Rows) ->
            let k, l, rows, columns = 1 + r.Count % 3, 1 + r.Features % 4, 1 + r.Seed % 4, 1 + r.Seed / 4 % 4
            let shape = Shape.Of(k * rows, l * columns, 2)
            let picture: Tensor<float32> = Draw.integers r.Seed shape

            let expected = [
                for y in 0 .. rows - 1 do
                    for x in 0 .. columns - 1 do
                        for c in 0..1 ->
                            List.average [
                                for i in 0 .. k - 1 do
                                    for j in 0 .. l - 1 -> picture[y * k + i, x * l + j, c]
                            ]
            ]

            close 1e-5f expected ((Preprocessing.Resize(rows, columns)).Apply(shape, picture.Span)))

        // Centres at (i + ½)·n/m − ½: a plane a + b·y + c·x stays one, away from the border, and nothing is overshot.
        testProperty "bilinear resizing keeps planes, and stays between the extremes" (fun (r: Rows) ->
            let rows, columns = 2 + r.Count % 6, 2 + r.Features % 6
            let height, width = 1 + r.Seed % 11, 1 + r.Seed / 11 % 11
            let shape = Shape.Of(rows, columns, 1)
            let plane y x = 0.5 - 0.25 * y + 0.125 * x
            let within n s = max 0.0 (min (float (n - 1)) s)
            let centre i n m = within n ((float i + 0.5) * float n / float m - 0.5)

            let picture =
                Array.init shape.Size (fun i -> float32 (plane (float (i / columns)) (float (i % columns))))

            let expected = [
                for y in 0 .. height - 1 do
                    for x in 0 .. width - 1 -> float32 (plane (centre y rows height) (centre x columns width))
            ]

            let any: Tensor<float32> = Draw.reals r.Seed shape
            let bilinear = Preprocessing.Resize(height, width, Resampling.Bilinear)
            let resized = bilinear.Apply(shape, any.Span)

            all [
                close 1e-5f expected (bilinear.Apply(shape, ReadOnlySpan picture))
                same true (Array.max resized <= Array.max (any.ToArray()) + 1e-6f)
                same true (Array.min resized >= Array.min (any.ToArray()) - 1e-6f)
            ])

        // ITU-R BT.601-7, section 2.5.1.
        testProperty "Y = 0.299·R + 0.587·G + 0.114·B, and grey stays grey" (fun (Pictures(data, _)) ->
            let grey = data.Preprocess Preprocessing.Grey
            let luma (p: float32[]) = 0.299 * float p[0] + 0.587 * float p[1] + 0.114 * float p[2] |> float32

            all [
                same (Shape.Of(data.Shape[0], data.Shape[1], 1)) grey.Shape
                same (members grey) (apply Preprocessing.Grey grey)

                for before, after in List.zip (members data) (members grey) do
                    close 1e-6f (before |> Array.chunkBySize 3 |> Array.map luma) after
            ])

        testProperty
            "normalising with a set's statistics: mean 0 and deviation 1 there, and the same map elsewhere"
            (fun (Pictures(data, key)) ->
                let p = Preprocessing.normalizing data
                let own = (data.Preprocess p).Statistics()
                let statistics = data.Statistics()
                let other = data.Preprocess(Preprocessing.Scale(between 0.5 2.0 key 0, 0.25))

                let mapped picture =
                    picture
                    |> Array.mapi (fun i v ->
                        float32 ((float v - statistics.Mean[i % 3]) / statistics.Deviation[i % 3]))

                all [
                    for c in 0..2 do
                        same true (abs own.Mean[c] < 1e-5 && abs (own.Deviation[c] - 1.0) < 1e-5)

                    for before, after in List.zip (members other) (apply p other) do
                        close 1e-4f (mapped before) after
                ])

        testProperty "read ∘ write = identity" (fun (r: Rows) ->
            let p = preprocessing (Key.ofSeed r.Seed)
            all [ same p (read (written p)); same p (read (written (p.Then Preprocessing.Identity))) ])

        // Any damage of a written value is refused by its own error, or still is preprocessing.
        testProperty "damaged JSON gives DataFormatException or a value" (fun (r: Rows) ->
            let key = Key.ofSeed r.Seed
            let json = StringBuilder(written ((preprocessing key).Then(Preprocessing.Resize(3, 4))))
            let signs = "\"{}[],:0-9e.\\ud800x "

            for i in 0 .. r.Count % 3 do
                json[key.Below(json.Length, int64 (10 + 2 * i))] <- signs[key.Below(signs.Length, int64 (11 + 2 * i))]

            try
                read (json.ToString()) |> ignore
                true
            with
            | :? JsonException
            | :? DataFormatException -> true)

        testCase "what is no step is refused, with file and place" (fun () ->
            for json in
                [
                    "{}"
                    "[1]"
                    "[{}]"
                    """[{"step":"blur"}]"""
                    """[{"step":1}]"""
                    """[{"step":"\ud800"}]"""
                    """[{"step":"grey","factor":1}]"""
                    """[{"step":"grey","step":"grey"}]"""
                    """[{"step":"scale","factor":1}]"""
                    """[{"step":"scale","factor":"1","offset":0}]"""
                    """[{"step":"scale","factor":1e999,"offset":0}]"""
                    """[{"step":"normalize","mean":[0],"deviation":[1,2]}]"""
                    """[{"step":"normalize","mean":[],"deviation":[]}]"""
                    """[{"step":"normalize","mean":[0],"deviation":[-1]}]"""
                    """[{"step":"resize","height":0,"width":3,"method":"area"}]"""
                    """[{"step":"resize","height":2.5,"width":3,"method":"area"}]"""
                    """[{"step":"resize","height":2,"width":3,"method":"cubic"}]"""
                    """[{"step":"pad","height":2,"width":99999999999}]"""
                    "[" + String.Join(",", Array.replicate 1001 """{"step":"grey"}""") + "]"
                ] do
                let error = Assert.Throws<DataFormatException>(fun () -> read json |> ignore)
                Assert.That((error.File, error.Offset), equalTo (("model", 8L)), json))

        testCase "what does not fit is refused by the name of the step" (fun () ->
            let refused (layer: string) (p: Preprocessing) shape =
                let error = Assert.Throws<ShapeException>(fun () -> p.OutputShape shape |> ignore)
                Assert.That(error.Layer, equalTo layer)

            refused "Grey" Preprocessing.Grey (Shape.Of(4, 4, 2))
            refused "Resize" (Preprocessing.Resize(2, 2)) (Shape.Of 7)
            refused "Pad" (Preprocessing.Pad(3, 9)) (Shape.Of(4, 4, 1))
            refused "Normalize" Preprocessing.Mnist (Shape.Of(4, 4, 3))
            refused "Normalize" (Preprocessing.Grey.Then Preprocessing.Cifar10) (Shape.Of(4, 4, 3))

            Assert.Throws<ShapeException>(fun () ->
                Preprocessing.Identity.Apply(Shape.Of(2, 2, 1), ReadOnlySpan(Array.zeroCreate 5)) |> ignore)
            |> ignore

            for act in
                [
                    fun () -> Preprocessing.Scale(nan, 0.0)
                    fun () -> Preprocessing.Scale(1.0, infinity)
                    fun () -> Preprocessing.Normalize([ 0.0 ], [ 1.0; 1.0 ])
                    fun () -> Preprocessing.Normalize([ nan ], [ 1.0 ])
                    fun () -> Preprocessing.Normalize([], [])
                    fun () -> Preprocessing.Resize(0, 1)
                    fun () -> Preprocessing.Pad(1, -1)
                ] do
                Assert.Throws<ArgumentException>(fun () -> act () |> ignore) |> ignore)

        testCase "preprocessing prints its steps" (fun () ->
            Assert.That(string Preprocessing.Identity, equalTo "identity")

            let all = (Preprocessing.Scale(2.0, 1.0)).Then(Preprocessing.Resize(28, 27)).Then(Preprocessing.Grey)
            let expected = "scale(2, 1), resize(28×27, area), grey, pad(32×32), normalize(0.1307; 0.3081)"
            Assert.That(string (all.Then(Preprocessing.Pad(32, 32)).Then Preprocessing.Mnist), equalTo expected))
    ]
