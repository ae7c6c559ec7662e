/// What each augmentation draws: predicted from its key, and as often and as far apart as chance has it.
module Cnn.Tests.Laws.AugmentationDrawLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A picture of 1×1×2 to 9×9×2 whose pixels all differ, a key, and the place of the step in question among others.
[<NoComparison>]
type private Scene = {
    Shape: Shape
    Picture: float32[]
    Key: Key
    Place: int
} with

    member this.Height = this.Shape[0]
    member this.Width = this.Shape[1]
    /// What the step in question draws from.
    member this.Draw = this.Key.Child(int64 this.Place)

    /// The picture after idle steps and the step in question.
    member this.After step =
        let steps = List.replicate this.Place (Shift 0) @ [ step ]
        Augmentation.ofSteps steps |> Augmentation.apply this.Shape this.Picture this.Key

    /// The picture of what stands at other places.
    member this.Rearranged place =
        Array.init this.Shape.Size (fun i ->
            let y, x = place (i / 2 / this.Width) (i / 2 % this.Width)
            this.Picture[2 * (y * this.Width + x) + i % 2])

let private (|Scene|) (r: Rows) =
    let key = Key.ofSeed r.Seed
    let shape = Shape.Of(1 + key.Below(9, 0L), 1 + key.Below(9, 1L), 2)
    let picture: Tensor<float32> = Draw.distinct r.Seed shape
    { Shape = shape; Picture = picture.ToArray(); Key = key; Place = r.Count % 4 }

let private clamped n i = max 0 (min (n - 1) i)
let private uniform low high (key: Key) i = low + (high - low) * key.Uniform i
let private normal (key: Key) (i: int) = key.Normal(int64 i)

/// Where draw 0 says so, with a probability.
let private isHit p key = uniform 0.0 1.0 key 0L < p

/// One of −n … n.
let private shift n (key: Key) i = key.Below(2 * n + 1, i) - n

/// The cubic B-spline of support (−2, 2). Unser 1999, eq. 2.
let private spline t =
    let cube x = max 0.0 x ** 3.0
    (cube (2.0 - abs t) - 4.0 * cube (1.0 - abs t)) / 6.0

/// Top, left, rows and columns of the rectangle that is erased. Zhong et al. 2017, algorithm 1, with one try.
let private rectangle smallest largest height width (draw: Key) =
    let area = uniform smallest largest draw 1L * float (height * width)
    let ratio = uniform 0.3 (1.0 / 0.3) draw 2L
    let side most length = max 1 (min most (int (round length)))
    let rows, columns = side height (sqrt (area * ratio)), side width (sqrt (area / ratio))
    draw.Below(height - rows + 1, 3L), draw.Below(width - columns + 1, 4L), rows, columns

/// Where the erased rectangle of a picture of distinct positive pixels begins, and its extents; none if nothing is.
let private erased (shape: Shape) (before: float32[]) (after: float32[]) =
    let changed = [|
        for i in 0 .. before.Length - 1 do
            if before[i] <> after[i] then
                i / shape[1], i % shape[1]
    |]

    if changed.Length = 0 then
        None
    else
        let rows, columns = Array.map fst changed, Array.map snd changed
        let top, left = Array.min rows, Array.min columns
        Some(top, left, Array.max rows - top + 1, Array.max columns - left + 1)

/// One augmentation of a picture by n keys.
let private outcomes n (shape: Shape) (picture: float32[]) augmentation =
    let key = Key.ofSeed 17
    Array.init n (fun i -> Augmentation.apply shape picture (key.Child(int64 i)) augmentation)

/// Steps that move whole pixels, or leave them where they are.
let private whole (key: Key) i =
    match key.Below(5, i) with
    | 0 -> Shift 1
    | 1 -> FlipHorizontal
    | 2 -> FlipVertical
    | 3 -> Noise 0.5
    | _ -> Zoom 0.0

let tests =
    testList "draws of augmentation" [
        // Rows from draw 0, columns from draw 1; pixels from outside are those of the border.
        testProperty "a shift is by draws 0 and 1 of −n … n: y(i, j) = x(i − Δ₀, j − Δ₁)" (fun (Scene s) ->
            let n = shift 6 s.Key 2L + 6
            let down, right = shift n s.Draw 0L, shift n s.Draw 1L

            same (s.Rearranged(fun y x -> clamped s.Height (y - down), clamped s.Width (x - right))) (s.After(Shift n)))

        testProperty "a flip turns the picture over where draw 0 is below ½, else not" (fun (Scene s) ->
            let isTurned = isHit 0.5 s.Draw
            let turned place = if isTurned then s.Rearranged place else s.Picture

            all [
                same (turned (fun y x -> y, s.Width - 1 - x)) (s.After FlipHorizontal)
                same (turned (fun y x -> s.Height - 1 - y, x)) (s.After FlipVertical)
            ])

        testProperty "noise adds σ·(draw i of N(0, 1)) to number i" (fun (r: Rows) ->
            let shape, key = Shape.Of(20, 30 + r.Count, 2), Key.ofSeed r.Seed
            let picture: Tensor<float32> = Draw.reals r.Seed shape
            let draw = key.Child 0L

            same
                (picture.ToArray() |> Array.mapi (fun i x -> x + float32 (0.3 * draw.Normal(int64 i))))
                ((Augmentation.Noise 0.3).Apply(shape, picture.Span, key)))

        // Σ of cubic B-splines about the knots, s apart, of twice the deviation; x is draw 2k of knot k, y draw 2k + 1.
        testProperty
            "an elastic deformation moves p by Σ_k β³(p ∕ s − k)·2σ·(draws 2k and 2k + 1), after a flip too"
            (fun (r: Rows) ->
                let key = Key.ofSeed r.Seed
                let height, width = 4 + r.Count, 3 + r.Features
                let spacing, σ = uniform 1.0 4.0 key 0L, 0.8
                // Bilinear sampling keeps planes: channel 0 tells the column that was picked, channel 1 the row.
                let shape = Shape.Of(height, width, 2)

                let picture =
                    Array.init shape.Size (fun i -> float32 (if i % 2 = 0 then i / 2 % width else i / 2 / width))

                let knots n = int (float (n - 1) / spacing) + 4
                let columns = knots width

                let displacement y x axis =
                    Seq.sum (
                        seq {
                            for i in 0 .. knots height - 1 do
                                for j in 0 .. columns - 1 ->
                                    spline (float y / spacing - float (i - 1))
                                    * spline (float x / spacing - float (j - 1))
                                    * 2.0
                                    * σ
                                    * normal (Key.child 1L key) (2 * (i * columns + j) + axis)
                        }
                    )

                let isMirrored = isHit 0.5 (Key.child 0L key)
                let cut n p = max 0.0 (min (float (n - 1)) p)

                let expected =
                    Tensor.init shape (fun i ->
                        let y, x = i / 2 / width, i / 2 % width

                        if i % 2 = 1 then
                            cut height (float y + displacement y x 1)
                        else
                            let column = float x + displacement y x 0
                            cut width (if isMirrored then float (width - 1) - column else column))

                let moved =
                    Augmentation.ofSteps [ FlipHorizontal; Elastic(σ, spacing) ]
                    |> Augmentation.apply shape picture key

                within (fun _ -> 1e-5) expected (Tensor.init shape (fun i -> float moved[i])))

        testProperty
            "erasing, where draw 0 is below p: area of draw 1, side ratio of draw 2, top of draw 3, left of draw 4"
            (fun (Scene s) ->
                let p = uniform 0.0 1.0 s.Key 3L
                let top, left, rows, columns = rectangle 0.1 0.7 s.Height s.Width s.Draw

                let mean =
                    Array.init 2 (fun c ->
                        float32 (Seq.average (Seq.init (s.Height * s.Width) (fun k -> float s.Picture[2 * k + c]))))

                let expected =
                    s.Picture
                    |> Array.mapi (fun i v ->
                        let y, x = i / 2 / s.Width, i / 2 % s.Width
                        let isInside = y >= top && y < top + rows && x >= left && x < left + columns
                        if isHit p s.Draw && isInside then mean[i % 2] else v)

                same expected (s.After(Erase(p, 0.1, 0.7))))

        // Steps of b behind as many idle ones as a has draw what they draw behind a. Whole pixels, and whatever comes from
        // beyond the border left out: maps that follow each other are one map, which repeats the border of the first picture.
        testProperty "a.Then b is b after a, exactly, on whole-pixel maps" (fun (r: Rows) ->
            let key = Key.ofSeed r.Seed
            let a = List.init (1 + key.Below(3, 0L)) (fun i -> whole key (int64 (10 + i)))
            let b = List.init (1 + key.Below(3, 1L)) (fun i -> whole key (int64 (20 + i)))
            let margin = a @ b |> List.filter ((=) (Shift 1)) |> List.length
            let shape = Shape.Of(2 * margin + 2, 2 * margin + 3, 1)
            let picture: Tensor<float32> = Draw.distinct r.Seed shape

            let inner (values: float32[]) = [
                for y in margin .. shape[0] - 1 - margin do
                    for x in margin .. shape[1] - 1 - margin -> values[y * shape[1] + x]
            ]

            let apply steps picture = Augmentation.ofSteps steps |> Augmentation.apply shape picture key
            let first = apply a (picture.ToArray())

            same
                (inner (apply (List.map (fun _ -> Shift 0) a @ b) first))
                (inner (((Augmentation.ofSteps a).Then(Augmentation.ofSteps b)).Apply(shape, picture.Span, key))))

        // One picture of a data set is changed by a child of the key: neighbours are changed independently.
        testCase
            "flips come up in half of the pictures, and those of pictures 1, 2, 7 and 1,024 apart independently"
            (fun () ->
                let shape = Shape.Of(2, 2, 1)
                let picture = [| 0.0f; 1.0f; 2.0f; 3.0f |]
                let both = Augmentation.FlipHorizontal.Then Augmentation.FlipVertical
                let corner = outcomes 8192 shape picture both |> Array.map (fun changed -> int changed[0])
                let turned bit = corner |> Array.map (fun v -> if v &&& bit <> 0 then 1.0 else -1.0)

                for told, x in [ "left and right", turned 1; "top and bottom", turned 2 ] do
                    Chance.frequent told 0.5 (Array.map ((<) 0.0) x)
                    Chance.independent told x

                Chance.unrelated "one and the other" (turned 1) (turned 2))

        testCase
            "every shift of −2 … 2 comes up equally often, rows and columns of any two pictures independently"
            (fun () ->
                let shape = Shape.Of(5, 5, 1)
                let picture = Array.init 25 float32

                // The middle pixel tells where the picture went.
                let moves =
                    outcomes 8192 shape picture (Augmentation.Shift 2)
                    |> Array.map (fun moved -> 2 - int moved[12] / 5, 2 - int moved[12] % 5)

                Chance.everywhere
                    "shifts"
                    [
                        for y in -2 .. 2 do
                            for x in -2 .. 2 -> y, x
                    ]
                    moves

                let rows, columns = moves |> Array.map (fun (y, x) -> float y / 2.0, float x / 2.0) |> Array.unzip
                Chance.independent "rows" rows
                Chance.independent "columns" columns
                Chance.unrelated "rows and columns" rows columns)

        testCase "noise of numbers and of pictures 1, 2, 7 and 1,024 apart is independent" (fun () ->
            let signs = Array.map (fun (v: float32) -> float (sign v))

            let grey =
                (Augmentation.Noise 1.0).Apply(Shape.Of(96, 96, 1), ReadOnlySpan(Array.zeroCreate 9216), Key.ofSeed 3)

            Chance.independent "numbers" (signs grey)
            let first = outcomes 8192 (Shape.Of(1, 2, 1)) [| 0.0f; 0.0f |] (Augmentation.Noise 1.0)
            Chance.independent "pictures" (first |> Array.map (fun noisy -> noisy[0]) |> signs)
            Chance.unrelated "one picture" (signs (Array.map Array.head first)) (signs (Array.map Array.last first)))

        // Single pixels: a share of the area that rounds to one pixel at any ratio.
        testCase "a share p of the pictures is erased, and every pixel as often, the last row and column too" (fun () ->
            let shape = Shape.Of(3, 4, 1)
            let picture = Array.init 12 (fun i -> float32 (i * i))

            for p in [ 0.2; 0.75 ] do
                let found =
                    outcomes 8192 shape picture (Augmentation.Erase(p, 0.0, 0.01)) |> Array.map (erased shape picture)

                Chance.frequent "erased" p (Array.map Option.isSome found)
                Chance.independent "erased" (found |> Array.map (fun o -> (if o.IsSome then 1.0 else 0.0) - p))

                Chance.everywhere
                    "pixels"
                    [
                        for y in 0..2 do
                            for x in 0..3 -> y, x, 1, 1
                    ]
                    (Array.choose id found))

        testCase "erased rectangles have any height with any width, and reach each border" (fun () ->
            let shape = Shape.Of(6, 6, 1)
            let picture = Array.init 36 (fun i -> float32 (i * i))

            let found =
                outcomes 4096 shape picture (Augmentation.Erase(1.0, 0.02, 0.9))
                |> Array.choose (erased shape picture)

            let sides = found |> Array.map (fun (_, _, rows, columns) -> rows, columns) |> Set
            // Ratios of 0.3 to 1∕0.3 of areas of 0.02 to 0.9 of 36: sides that such a pair is rounded to, or cut to.
            for rows, columns in [ 1, 1; 1, 2; 2, 1; 2, 2; 2, 5; 5, 2; 3, 6; 6, 3; 4, 4; 6, 6 ] do
                Assert.That(sides.Contains(rows, columns), $"{rows}×{columns}")

            for isAt in
                [
                    fun (top, _, _, _) -> top = 0
                    fun (_, left, _, _) -> left = 0
                    fun (top, _, rows, _) -> top + rows = 6
                    fun (_, left, _, columns) -> left + columns = 6
                ] do
                Assert.That(Array.exists isAt found))

        testCase "angles and factors reach both ends, are spread evenly, and differ from picture to picture" (fun () ->
            // The slope of a plane tells what was drawn.
            let shape = Shape.Of(5, 5, 1)
            let plane = Array.init 25 (fun i -> float32 (i % 5))
            let slope (p: float32[]) = float (p[13] - p[11]) / 2.0, float (p[17] - p[7]) / 2.0

            let angle (picture: float32[]) =
                let x, y = slope picture
                Math.Atan2(-y, x) / Math.PI

            let factor (picture: float32[]) = (1.0 / fst (slope picture) - 1.0) / 0.5

            for told, of', augmentation in
                [ "angles", angle, Augmentation.Rotate 180.0; "factors", factor, Augmentation.Zoom 0.5 ] do
                let draws = outcomes 4096 shape plane augmentation |> Array.map of'
                Assert.That(Array.min draws, between (-1.001, -0.99), told)
                Assert.That(Array.max draws, between (0.99, 1.001), told)

                for quarter in [ -0.5; 0.0; 0.5 ] do
                    Chance.frequent told ((quarter + 1.0) / 2.0) (draws |> Array.map (fun v -> v < quarter))

                Chance.independent told (draws |> Array.map (max -1.0 >> min 1.0)))
    ]
