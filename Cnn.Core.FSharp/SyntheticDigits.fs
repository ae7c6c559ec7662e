namespace Cnn.FSharp

open System
open System.Globalization
open Cnn

/// <summary>Handwritten digits that the library draws itself: a labelled data set that needs no file.</summary>
/// <remarks>
/// A digit is a skeleton of strokes, placed by a random affine map, bent by a smooth random field (Simard, Steinkraus
/// and Platt 2003), and inked with a pen of random width on paper with grain. Every function is pure: key, size and
/// index give the same picture on every machine, in any order and from any number of threads.
/// </remarks>
[<RequireQualifiedAccess>]
module SyntheticDigits =

    [<Struct>]
    type private Point = { X: float; Y: float }

    /// Lines are cut this short, in units of the picture's side, so that the field can bend them.
    [<Literal>]
    let private Piece = 0.1

    /// Chords that stand for one span of a curve.
    [<Literal>]
    let private Chords = 4

    let private line (corners: Point[]) =
        let cut (a: Point, b: Point) =
            let dx, dy = b.X - a.X, b.Y - a.Y
            let pieces = int (sqrt (dx * dx + dy * dy) / Piece) + 1

            Array.init pieces (fun i ->
                let t = float i / float pieces
                { X = a.X + t * dx; Y = a.Y + t * dy })

        Array.append (Array.collect cut (Array.pairwise corners)) [| Array.last corners |]

    /// One span of the cubic that passes through its points: Catmull and Rom 1974, with tension ½.
    let private catmullRom a b c d t =
        b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))

    let private spans (p: Point[]) =
        let chord (q: Point[]) i =
            let t = float i / float Chords

            {
                X = catmullRom q[0].X q[1].X q[2].X q[3].X t
                Y = catmullRom q[0].Y q[1].Y q[2].Y q[3].Y t
            }

        Array.append (Array.collect (fun q -> Array.init Chords (chord q)) (Array.windowed 4 p)) [| p[p.Length - 2] |]

    /// The smooth stroke through points.
    let private curve (p: Point[]) = spans (Array.concat [ [| p[0] |]; p; [| Array.last p |] ])

    /// The smooth closed stroke through points.
    let private loop (p: Point[]) = spans (Array.concat [ [| Array.last p |]; p; p[..1] ])

    /// The ways in which people write each digit: strokes through points, in percent of the side; x right, y down.
    let private skeletons =
        """
        0: loop 50,10 31,22 25,50 31,78 50,90 69,78 75,50 69,22
        0: curve 58,14 38,17 28,45 33,78 50,89 68,75 72,42 62,17 45,11
        1: line 50,10 50,90
        1: line 40,26 53,10 53,90
        1: line 38,26 52,10 52,90; line 35,90 69,90
        2: curve 27,30 34,15 52,10 69,20 68,40 50,63 26,88; line 26,88 75,88
        2: curve 28,26 42,11 65,14 70,34 56,60 36,84 25,84 29,73 45,77 62,88 77,83
        3: curve 28,20 45,10 66,16 69,32 57,45 43,48; curve 43,48 63,52 73,68 64,85 45,90 26,80
        3: line 28,12 69,12 46,43; curve 46,43 66,49 73,66 63,84 44,90 26,81
        4: line 35,12 24,58 78,58; line 65,32 60,90
        4: line 62,90 62,10 23,64 78,64
        4: curve 27,14 26,40 36,54 53,54 70,48; line 74,15 67,90
        5: line 71,12 34,12 31,45; curve 31,45 50,39 69,49 71,71 55,88 27,84
        5: curve 72,13 45,13 33,32 48,44 67,55 68,77 49,90 27,82
        6: curve 66,12 45,25 31,50 30,74 46,90 66,83 70,65 55,52 39,58 31,71
        6: curve 42,10 34,35 30,66 36,84 52,90 69,80 69,62 52,53 36,60 31,72
        7: line 25,13 74,13 44,90
        7: line 25,13 74,13 44,90; line 40,51 72,51
        7: line 25,25 26,13 74,13; curve 74,13 60,40 51,65 48,90
        8: loop 50,10 35,18 35,38 50,47 65,38 65,18; loop 50,47 31,57 31,80 50,90 69,80 69,57
        8: curve 68,21 50,10 34,23 44,43 63,58 70,76 50,90 30,76 38,58 57,44 67,28 62,14
        9: loop 49,11 34,18 31,34 44,49 61,44 69,30 63,16; line 70,28 62,90
        9: curve 68,27 54,11 35,17 30,36 44,49 61,43 69,25; curve 69,25 70,55 61,82 44,90 32,84
        """

    let private split (separator: char) (text: string) =
        text.Split(separator, StringSplitOptions.RemoveEmptyEntries ||| StringSplitOptions.TrimEntries)

    let private point text =
        let percent = split ',' text |> Array.map (fun n -> Int32.Parse(n, CultureInfo.InvariantCulture))
        { X = float percent[0] / 100.0; Y = float percent[1] / 100.0 }

    let private stroke text =
        let words = split ' ' text
        let points = Array.map point words[1..]

        match words[0] with
        | "line" -> line points
        | "curve" -> curve points
        | _ -> loop points

    /// Digit, then way, then stroke.
    let private ways =
        split '\n' skeletons
        |> Array.groupBy (fun way -> way[0])
        |> Array.map (fun (_, ways) -> ways |> Array.map (fun way -> split ';' way[2..] |> Array.map stroke))

    /// How one picture is written: linear map XX … YY; lengths in units of the side, Blur in pixels; tones 0 … 1.
    [<Struct>]
    type private Hand = {
        XX: float
        XY: float
        YX: float
        YY: float
        ShiftX: float
        ShiftY: float
        Bend: float
        Radius: float
        Blur: float
        Ink: float
        Paper: float
        Grain: float
    }

    /// Rotation · shear · scale about the centre, with t = tan(φ/2): cos φ = (1 − t²)/(1 + t²), sin φ = 2t/(1 + t²).
    /// The shifts are wide on purpose: a linear model of the pixels must fail where a convolution does not.
    let private hand (key: Key) size =
        let inline between low high i = low + (high - low) * key.Uniform i
        let t = between -0.12 0.12 1L
        let cos, sin = (1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)
        let height = between 0.76 0.96 2L
        let width = height * between 0.75 1.12 3L
        let slant = height * between -0.16 0.34 4L

        {
            XX = cos * width
            XY = -cos * slant - sin * height
            YX = sin * width
            YY = cos * height - sin * slant
            ShiftX = between -0.11 0.11 5L
            ShiftY = between -0.10 0.10 6L
            Bend = between 0.02 0.075 7L
            Radius = max (between 0.036 0.066 8L) (0.4 / float size)
            Blur = between 0.5 1.0 9L
            Ink = between 0.7 1.0 10L
            Paper = between 0.0 0.06 11L
            Grain = between 0.0 0.05 12L
        }

    /// Cells of the field along a side; a cubic B-spline then has three knots more.
    [<Literal>]
    let private Cells = 3

    [<Literal>]
    let private Knots = 6

    /// x, y and pressure.
    [<Literal>]
    let private Channels = 3

    /// Weight of knot k = 0 … 3 of the uniform cubic B-spline at t in [0, 1).
    let private spline k t =
        match k with
        | 0 -> (1.0 - t) * (1.0 - t) * (1.0 - t) / 6.0
        | 1 -> (t * t * (3.0 * t - 6.0) + 4.0) / 6.0
        | 2 -> (t * (3.0 + t * (3.0 - 3.0 * t)) + 1.0) / 6.0
        | _ -> t * t * t / 6.0

    let private field (key: Key) = Array.init (Knots * Knots * Channels) (fun i -> key.Normal(int64 i))

    /// Smoothed noise moves every point (Simard, Steinkraus and Platt 2003); splines, so that only strokes pay for it.
    let private bend (field: float[]) (p: Point) =
        let inline cell u = max 0 (min (Cells - 1) (int (u * float Cells)))
        let column, row = cell p.X, cell p.Y
        let tx, ty = p.X * float Cells - float column, p.Y * float Cells - float row
        let mutable dx = 0.0
        let mutable dy = 0.0
        let mutable pressure = 0.0

        for i in 0..3 do
            for j in 0..3 do
                let weight = spline i ty * spline j tx
                let at = ((row + i) * Knots + column + j) * Channels
                dx <- dx + weight * field[at]
                dy <- dy + weight * field[at + 1]
                pressure <- pressure + weight * field[at + 2]

        struct (dx, dy, pressure)

    /// Where the pen touches, in pixels, and its radius there.
    [<Struct>]
    type private Touch = { Column: float; Row: float; Reach: float }

    let private touch (hand: Hand) field size (p: Point) =
        let struct (dx, dy, pressure) = bend field p
        let x, y = p.X - 0.5 + hand.Bend * dx, p.Y - 0.5 + hand.Bend * dy
        let side = float size

        {
            Column = side * (0.5 + hand.ShiftX + hand.XX * x + hand.XY * y) - 0.5
            Row = side * (0.5 + hand.ShiftY + hand.YX * x + hand.YY * y) - 0.5
            Reach = side * hand.Radius * max 0.5 (min 1.5 (1.0 + 0.3 * pressure))
        }

    /// 0 → 1 over 0 ≤ t ≤ 1, with flat ends.
    let private smoothStep t =
        let t = max 0.0 (min 1.0 t)
        t * t * (3.0 - 2.0 * t)

    /// Inks the pixels near one chord: each by its distance to the chord, over an edge of 2·blur.
    let private ink (a: Touch) (b: Touch) blur size (picture: Span<float32>) =
        let dx, dy = b.Column - a.Column, b.Row - a.Row
        let length = max 1e-12 (dx * dx + dy * dy)
        let margin = max a.Reach b.Reach + blur
        let inline first u v = max 0 (int (ceil (min u v - margin)))
        let inline last u v = min (size - 1) (int (floor (max u v + margin)))

        for row in first a.Row b.Row .. last a.Row b.Row do
            for column in first a.Column b.Column .. last a.Column b.Column do
                let px, py = float column - a.Column, float row - a.Row
                let t = max 0.0 (min 1.0 ((px * dx + py * dy) / length))
                let ex, ey = px - t * dx, py - t * dy
                let inside = a.Reach + t * (b.Reach - a.Reach) - sqrt (ex * ex + ey * ey)
                let coverage = float32 (smoothStep (0.5 + 0.5 * inside / blur))
                let pixel = &picture[row * size + column]
                pixel <- max pixel coverage

    /// Four of the sixteen-bit parts of 64 bits, summed and scaled to mean 0 and variance 1: nearly normal, and cheap.
    let private nearlyNormal (bits: uint64) =
        let sum = (bits >>> 48) + (bits >>> 32 &&& 0xFFFFUL) + (bits >>> 16 &&& 0xFFFFUL) + (bits &&& 0xFFFFUL)
        (float sum / 65536.0 - 2.0) * 1.7320508075688772

    let private develop (hand: Hand) (key: Key) (picture: Span<float32>) =
        for i in 0 .. picture.Length - 1 do
            let tone = hand.Paper + (hand.Ink - hand.Paper) * float picture[i]
            let grain = hand.Grain * nearlyNormal (key.Bits(int64 i))
            picture[i] <- float32 (max 0.0 (min 1.0 (tone + grain)))

    let private write (key: Key) size digit (picture: Span<float32>) =
        picture.Clear()
        let writing = key.Child 0L
        let hand = hand writing size
        let field = field (key.Child 1L)
        let ways = ways[digit]

        for stroke in ways[writing.Below(ways.Length, 0L)] do
            let mutable a = touch hand field size stroke[0]

            for i in 1 .. stroke.Length - 1 do
                let b = touch hand field size stroke[i]
                ink a b hand.Blur size picture
                a <- b

        develop hand (key.Child 2L) picture

    let private require name low high (value: int) =
        if value < low || value > high then
            raise (ArgumentOutOfRangeException(name, value, "From " + string low + " to " + string high + "."))

    /// The square of a larger size outgrows an array.
    [<Literal>]
    let private Largest = 46340

    /// Labels have the negative children of the same key.
    let private pictureKey key (index: int) = key |> Key.child Purpose.Data |> Key.child (int64 index)

    /// <summary>One picture of a digit 0 … 9: size×size grey values, row by row, 0 background … 1 ink.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or digit not in 0 … 9.</exception>
    let draw (key: Key) (size: int) (digit: int) =
        require (nameof size) 8 Largest size
        require (nameof digit) 0 9 digit
        let picture = Array.zeroCreate (size * size)
        write key size digit (Span picture)
        picture

    /// <summary>Label of one sample of a key's set: samples 10k … 10k + 9 show each digit once.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The index is negative.</exception>
    let label (key: Key) (index: int) =
        require (nameof index) 0 Int32.MaxValue index
        let ten = key |> Key.child Purpose.Data |> Key.child (-1L - int64 (index / 10))
        (ten.Permutation 10)[index % 10]

    /// <summary>Label and picture of one sample of a key's set, as <c>label</c> and <c>draw</c> give them.</summary>
    /// <remarks>Sets of different keys are independent: take one seed for training and another for testing.</remarks>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or index negative.</exception>
    let sample (key: Key) (size: int) (index: int) =
        let digit = label key index
        struct (digit, draw (pictureKey key index) size digit)

    /// <summary>Writes the picture of <c>sample</c> over a span of size² values; returns the label.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or index negative.</exception>
    /// <exception cref="T:System.ArgumentException">The span does not have size² values.</exception>
    let sampleInto (key: Key) (size: int) (index: int) (picture: Span<float32>) =
        require (nameof size) 8 Largest size

        if picture.Length <> size * size then
            raise (ArgumentException("Expected size² = " + string (size * size) + " values.", nameof picture))

        let digit = label key index
        write (pictureKey key index) size digit picture
        digit

    /// Pictures that one iteration of a parallel loop draws.
    [<Literal>]
    let private Portion = 100

    /// <summary>Samples 0 … count − 1 of a key's set, drawn at once on the threads of a scheduler and kept as bytes.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or count negative.</exception>
    let dataset (scheduler: IScheduler) (key: Key) (size: int) (count: int) =
        require (nameof size) 8 Largest size
        require (nameof count) 0 (Array.MaxLength / (size * size)) count
        let area = size * size
        let pixels: byte[] = Array.zeroCreate (count * area)
        let labels = Array.zeroCreate count

        scheduler.For(
            (count + Portion - 1) / Portion,
            fun piece ->
                let picture = Array.zeroCreate area

                for index in piece * Portion .. min count ((piece + 1) * Portion) - 1 do
                    labels[index] <- sampleInto key size index (Span picture)

                    for i in 0 .. area - 1 do
                        pixels[index * area + i] <- byte (255.0f * picture[i] + 0.5f)
        )

        Dataset.OfBytes(Shape.Of(size, size, 1), ReadOnlyMemory pixels, labels, Array.init 10 string)
