namespace Cnn.FSharp

open System
open Cnn

/// An affine map of the plane about a picture's centre c, x right and y down: p ↦ c + M·(p − c) + s. A picture moved by
/// one has at p what was at the image of p, so moving by a and then by b is moving by a ∘ b.
[<Struct; NoEquality; NoComparison>]
type internal Motion = { XX: float; XY: float; YX: float; YY: float; X: float; Y: float }

/// The maps that augmentation draws from. Only + − × ÷ and roundings, so that they agree on every machine.
[<RequireQualifiedAccess>]
module internal Motion =

    let private linear xx xy yx yy = { XX = xx; XY = xy; YX = yx; YY = yy; X = 0.0; Y = 0.0 }

    let identity = linear 1.0 0.0 0.0 1.0

    let isIdentity (a: Motion) = a.XX = 1.0 && a.XY = 0.0 && a.YX = 0.0 && a.YY = 1.0 && a.X = 0.0 && a.Y = 0.0

    /// p ↦ a(b(p)).
    let compose (a: Motion) (b: Motion) = {
        XX = a.XX * b.XX + a.XY * b.YX
        XY = a.XX * b.XY + a.XY * b.YY
        YX = a.YX * b.XX + a.YY * b.YX
        YY = a.YX * b.XY + a.YY * b.YY
        X = a.XX * b.X + a.XY * b.Y + a.X
        Y = a.YX * b.X + a.YY * b.Y + a.Y
    }

    /// Moves a picture down and to the right.
    let shift rows columns = { identity with X = -columns; Y = -rows }

    let flipHorizontal = linear -1.0 0.0 0.0 1.0

    let flipVertical = linear 1.0 0.0 0.0 -1.0

    /// Makes what is seen larger by a factor.
    let zoom factor = linear (1.0 / factor) 0.0 0.0 (1.0 / factor)

    /// cos and sin of an angle of at most π/4: the series to the sixteenth and seventeenth power, 1e−17 off at most.
    let private circular x =
        let q = x * x
        let mutable cos = 1.0
        let mutable sin = 1.0

        for k in 8..-1..1 do
            cos <- 1.0 - q / float ((2 * k - 1) * 2 * k) * cos
            sin <- 1.0 - q / float (2 * k * (2 * k + 1)) * sin

        struct (cos, x * sin)

    /// Turns a picture counterclockwise; quarter turns are exact.
    let rotate (degrees: float) =
        let quarters = round (degrees / 90.0)
        let struct (cos, sin) = circular ((degrees - 90.0 * quarters) * 0.017453292519943295)

        match ((int quarters % 4) + 4) % 4 with
        | 0 -> linear cos -sin sin cos
        | 1 -> linear -sin -cos cos -sin
        | 2 -> linear -cos sin -sin -cos
        | _ -> linear sin cos -cos sin

/// Cubic splines, and pictures moved by maps and smooth random fields.
[<RequireQualifiedAccess>]
module internal Warp =

    /// Weight of knot k = 0 … 3 of the uniform cubic B-spline at t in [0, 1).
    let spline k t =
        match k with
        | 0 -> (1.0 - t) * (1.0 - t) * (1.0 - t) / 6.0
        | 1 -> (t * t * (3.0 * t - 6.0) + 4.0) / 6.0
        | 2 -> (t * (3.0 + t * (3.0 - 3.0 * t)) + 1.0) / 6.0
        | _ -> t * t * t / 6.0

    /// Knots so many pixels apart that an axis of n pixels needs.
    let private knots (spacing: float) n = int (float (n - 1) / spacing) + 4

    /// What is at a place between the pixels: bilinear, the border repeated outside.
    let private pick (source: ReadOnlySpan<float32>) height width channels u v (pixel: Span<float32>) =
        let u = max 0.0 (min (float (width - 1)) u)
        let v = max 0.0 (min (float (height - 1)) v)
        let column, row = int u, int v
        let s, t = float32 (u - float column), float32 (v - float row)
        let right = if column + 1 < width then channels else 0
        let at = (row * width + column) * channels
        let below = if row + 1 < height then at + width * channels else at

        for c in 0 .. channels - 1 do
            let upper = (1.0f - s) * source[at + c] + s * source[at + c + right]
            let lower = (1.0f - s) * source[below + c] + s * source[below + c + right]
            pixel[c] <- (1.0f - t) * upper + t * lower

    let private copyOf (picture: Span<float32>) =
        let copy = new Rented<float32>(picture.Length)
        picture.CopyTo(Span copy.Array)
        copy

    /// Moves a picture by a map.
    let move (map: Motion) height width channels (picture: Span<float32>) =
        if not (Motion.isIdentity map) then
            use copy = copyOf picture
            let source = ReadOnlySpan(copy.Array, 0, picture.Length)
            let centreX, centreY = float (width - 1) / 2.0, float (height - 1) / 2.0

            for y in 0 .. height - 1 do
                for x in 0 .. width - 1 do
                    let dx, dy = float x - centreX, float y - centreY
                    let u = centreX + map.XX * dx + map.XY * dy + map.X
                    let v = centreY + map.YX * dx + map.YY * dy + map.Y
                    pick source height width channels u v (picture.Slice((y * width + x) * channels, channels))

    /// Moves a picture by a map after a field: cubic B-splines with knots so many pixels apart, whose values are normal.
    /// At a knot the displacement has the given standard deviation, between them 0.92 of it at least. Σ_k spline² is ½ there.
    let bend (key: Key) displacement spacing (map: Motion) height width channels (picture: Span<float32>) =
        use copy = copyOf picture
        let source = ReadOnlySpan(copy.Array, 0, picture.Length)
        let centreX, centreY = float (width - 1) / 2.0, float (height - 1) / 2.0
        let columns, rows = knots spacing width, knots spacing height
        use knotValues = new Rented<float>(2 * columns * rows)
        use knotLine = new Rented<float>(2 * columns)
        let values, line = knotValues.Array, knotLine.Array

        for i in 0 .. 2 * columns * rows - 1 do
            values[i] <- 2.0 * displacement * key.Normal(int64 i)

        for y in 0 .. height - 1 do
            let row = int (float y / spacing)
            let t = float y / spacing - float row

            for i in 0 .. 2 * columns - 1 do
                line[i] <- 0.0

            for k in 0..3 do
                let weight = spline k t

                for i in 0 .. 2 * columns - 1 do
                    line[i] <- line[i] + weight * values[(row + k) * 2 * columns + i]

            for x in 0 .. width - 1 do
                let column = int (float x / spacing)
                let t = float x / spacing - float column
                let mutable dx = float x - centreX
                let mutable dy = float y - centreY

                for k in 0..3 do
                    let weight = spline k t
                    dx <- dx + weight * line[2 * (column + k)]
                    dy <- dy + weight * line[2 * (column + k) + 1]

                let u = centreX + map.XX * dx + map.XY * dy + map.X
                let v = centreY + map.YX * dx + map.YY * dy + map.Y
                pick source height width channels u v (picture.Slice((y * width + x) * channels, channels))
