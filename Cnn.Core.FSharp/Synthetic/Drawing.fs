namespace Cnn.FSharp

open System
open System.Globalization
open Cnn

/// Strokes of a pen: points on the unit square, x right and y down, placed by a hand and inked as coverage of pixels.
[<RequireQualifiedAccess>]
module internal Drawing =

    [<Struct>]
    type Point = { X: float; Y: float }

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

    /// Each character with the ways to write it, made of strokes. A line of the text is one way,
    /// "c: kind x,y x,y …; kind x,y …", in percent of the side; the ways of a character follow each other.
    let characters text =
        split '\n' text
        |> Array.groupBy (fun way -> way[0])
        |> Array.map (fun (c, ways) -> c, ways |> Array.map (fun way -> split ';' way[2..] |> Array.map stroke))

    /// Character, then way to write it, then stroke.
    let ways text = characters text |> Array.map snd

    /// How a pen is led: linear map XX … YY about the centre; lengths in units of the side, Blur in pixels.
    [<Struct>]
    type Hand = {
        XX: float
        XY: float
        YX: float
        YY: float
        ShiftX: float
        ShiftY: float
        Bend: float
        Radius: float
        Blur: float
    }

    /// cos φ and sin φ for t = tan(φ/2): (1 − t²)/(1 + t²) and 2t/(1 + t²).
    let turn t = struct ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t))

    /// A hand that scales, slants, then turns by t = tan(φ/2), without shift or bend.
    let hand t width height slant radius blur =
        let struct (cos, sin) = turn t

        {
            XX = cos * width
            XY = -cos * slant - sin * height
            YX = sin * width
            YY = cos * height - sin * slant
            ShiftX = 0.0
            ShiftY = 0.0
            Bend = 0.0
            Radius = radius
            Blur = blur
        }

    /// Cells of the field along a side; a cubic B-spline then has three knots more.
    [<Literal>]
    let private Cells = 3

    [<Literal>]
    let private Knots = 6

    /// x, y and pressure.
    [<Literal>]
    let private Channels = 3

    let field (key: Key) = Array.init (Knots * Knots * Channels) (fun i -> key.Normal(int64 i))

    /// The field that bends nothing and presses evenly.
    let flat: float[] = Array.zeroCreate (Knots * Knots * Channels)

    /// Smoothed noise moves every point (Simard, Steinkraus and Platt 2003); splines, so that only strokes pay for it.
    let bend (field: float[]) (p: Point) =
        let inline cell u = max 0 (min (Cells - 1) (int (u * float Cells)))
        let column, row = cell p.X, cell p.Y
        let tx, ty = p.X * float Cells - float column, p.Y * float Cells - float row
        let mutable dx = 0.0
        let mutable dy = 0.0
        let mutable pressure = 0.0

        for i in 0..3 do
            let weightY = Warp.spline i ty

            for j in 0..3 do
                let weight = weightY * Warp.spline j tx
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
    let smoothStep t =
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
    let nearlyNormal (bits: uint64) =
        let sum = (bits >>> 48) + (bits >>> 32 &&& 0xFFFFUL) + (bits >>> 16 &&& 0xFFFFUL) + (bits &&& 0xFFFFUL)
        (float sum / 65536.0 - 2.0) * 1.7320508075688772

    /// Inks every stroke over the picture.
    let write (hand: Hand) field size (strokes: Point[][]) (picture: Span<float32>) =
        for stroke in strokes do
            let mutable a = touch hand field size stroke[0]

            for i in 1 .. stroke.Length - 1 do
                let b = touch hand field size stroke[i]
                ink a b hand.Blur size picture
                a <- b

    /// Tones 0 … 1.
    [<Struct>]
    type Tones = { Ink: float; Paper: float; Grain: float }

    /// Coverage becomes grey, with grain.
    let develop (tones: Tones) (key: Key) (picture: Span<float32>) =
        for i in 0 .. picture.Length - 1 do
            let tone = tones.Paper + (tones.Ink - tones.Paper) * float picture[i]
            let grain = tones.Grain * nearlyNormal (key.Bits(int64 i))
            picture[i] <- float32 (max 0.0 (min 1.0 (tone + grain)))
