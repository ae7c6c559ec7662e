namespace Cnn

/// <summary>A source of random numbers that has no state: the same key gives the same numbers, always and everywhere.</summary>
/// <remarks>
/// An immutable value, safe to share between threads. A key is a seed and a position; <c>Skip</c> moves the position,
/// <c>Child</c> derives an independent key, and draw i of a key is a pure function of (seed, position, i).
/// Draws use only + − × ÷ √ and polynomials of the library in double precision, so they agree on every machine.
/// </remarks>
[<Struct; NoComparison>]
type Key private (seed: uint64, position: int64) =

    /// Steele, Lea and Flood 2014, with Stafford's thirteenth variant of the finaliser.
    static let mix (z: uint64) =
        let z = (z ^^^ (z >>> 30)) * 0xBF58476D1CE4E5B9UL
        let z = (z ^^^ (z >>> 27)) * 0x94D049BB133111EBUL
        z ^^^ (z >>> 31)

    static let golden = 0x9E3779B97F4A7C15UL

    /// 2⁻⁵³
    static let unit = 1.1102230246251565e-16

    /// ln x for x > 0: x = m·2^e with m in [√½, √2), ln m = 2·artanh((m−1)/(m+1)).
    static let ln (x: float) =
        let bits = System.BitConverter.DoubleToInt64Bits x
        let exponent = int ((bits >>> 52) &&& 0x7FFL) - 1023
        let m = System.BitConverter.Int64BitsToDouble((bits &&& 0xFFFFFFFFFFFFFL) ||| 0x3FF0000000000000L)

        let struct (m, e) =
            if m > 1.4142135623730951 then
                struct (m / 2.0, exponent + 1)
            else
                struct (m, exponent)

        let s = (m - 1.0) / (m + 1.0)
        let q = s * s
        let mutable sum = 0.0

        for k in 12..-1..0 do
            sum <- sum * q + 1.0 / float (2 * k + 1)

        2.0 * s * sum + float e * 0.6931471805599453

    static let horner (coefficients: float[]) x =
        let mutable sum = 0.0

        for i in coefficients.Length - 1 .. -1 .. 0 do
            sum <- sum * x + coefficients[i]

        sum

    static let centreP = [|
        3.3871328727963666080e0
        1.3314166789178437745e+2
        1.9715909503065514427e+3
        1.3731693765509461125e+4
        4.5921953931549871457e+4
        6.7265770927008700853e+4
        3.3430575583588128105e+4
        2.5090809287301226727e+3
    |]

    static let centreQ = [|
        1.0
        4.2313330701600911252e+1
        6.8718700749205790830e+2
        5.3941960214247511077e+3
        2.1213794301586595867e+4
        3.9307895800092710610e+4
        2.8729085735721942674e+4
        5.2264952788528545610e+3
    |]

    static let middleP = [|
        1.42343711074968357734e0
        4.63033784615654529590e0
        5.76949722146069140550e0
        3.64784832476320460504e0
        1.27045825245236838258e0
        2.41780725177450611770e-1
        2.27238449892691845833e-2
        7.74545014278341407640e-4
    |]

    static let middleQ = [|
        1.0
        2.05319162663775882187e0
        1.67638483018380384940e0
        6.89767334985100004550e-1
        1.48103976427480074590e-1
        1.51986665636164571966e-2
        5.47593808499534494600e-4
        1.05075007164441684324e-9
    |]

    static let tailP = [|
        6.65790464350110377720e0
        5.46378491116411436990e0
        1.78482653991729133580e0
        2.96560571828504891230e-1
        2.65321895265761230930e-2
        1.24266094738807843860e-3
        2.71155556874348757815e-5
        2.01033439929228813265e-7
    |]

    static let tailQ = [|
        1.0
        5.99832206555887937690e-1
        1.36929880922735805310e-1
        1.48753612908506148525e-2
        7.86869131145613259100e-4
        1.84631831751005468180e-5
        1.42151175831644588870e-7
        2.04426310338993978564e-15
    |]

    /// The quantile function of N(0, 1): Wichura 1988, algorithm AS 241.
    static let quantile p =
        let q = p - 0.5

        if abs q <= 0.425 then
            let r = 0.180625 - q * q
            q * horner centreP r / horner centreQ r
        else
            let r = sqrt (-ln(if q < 0.0 then p else 1.0 - p))

            let value =
                if r <= 5.0 then
                    horner middleP (r - 1.6) / horner middleQ (r - 1.6)
                else
                    horner tailP (r - 5.0) / horner tailQ (r - 5.0)

            if q < 0.0 then -value else value

    member private _.Stream = mix (seed + uint64 position * 0xD1342543DE82EF95UL + golden)

    /// <summary>The key of a seed, at position 0.</summary>
    static member OfSeed(seed: int64) = Key(mix (uint64 seed + golden), 0L)

    /// <summary>The key n positions on; skipping a, then b, is skipping a + b.</summary>
    member _.Skip(n: int) = Key(seed, position + int64 n)

    /// <summary>An independent key for each n: of a purpose, an epoch, a step or a sample.</summary>
    member this.Child(n: int64) = Key(mix (this.Stream ^^^ mix (uint64 n * golden + 1UL)), 0L)

    /// <summary>Draw i as 64 random bits.</summary>
    member this.Bits(i: int64) = mix (this.Stream + uint64 i * golden)

    /// <summary>Draw i from U[0, 1), a multiple of 2⁻⁵³.</summary>
    member this.Uniform(i: int64) = float (this.Bits i >>> 11) * unit

    /// <summary>Draw i from N(0, 1).</summary>
    member this.Normal(i: int64) = quantile (float (this.Bits i >>> 11) * unit + unit / 2.0)

    /// <summary>Draw i from 0 … n − 1, each equally likely but for 2⁻⁶⁴·n.</summary>
    member this.Below(n: int, i: int64) = int (System.Math.BigMul(this.Bits i, uint64 n) >>> 64)

    /// <summary>A permutation of 0 … n − 1, each equally likely (Fisher and Yates).</summary>
    member this.Permutation(n: int) =
        let order = Array.init n id

        for i in n - 1 .. -1 .. 1 do
            let j = this.Below(i + 1, int64 i)
            let kept = order[i]
            order[i] <- order[j]
            order[j] <- kept

        order

    /// <summary>Seed and position, as in Key(0123456789abcdef, 0).</summary>
    override _.ToString() =
        let culture = System.Globalization.CultureInfo.InvariantCulture
        "Key(" + seed.ToString("x16", culture) + ", " + position.ToString culture + ")"

namespace Cnn.FSharp

open Cnn

/// <summary>What a key is for: draws of different purposes never coincide.</summary>
[<RequireQualifiedAccess>]
module Purpose =
    /// <summary>First weights.</summary>
    [<Literal>]
    let Initial = 1L

    /// <summary>Masks and noise of dropout.</summary>
    [<Literal>]
    let Dropout = 2L

    /// <summary>The order of the samples.</summary>
    [<Literal>]
    let Shuffle = 3L

    /// <summary>Which samples are held back.</summary>
    [<Literal>]
    let Split = 4L

    /// <summary>Drawn pictures.</summary>
    [<Literal>]
    let Data = 5L

    /// <summary>Random changes of pictures.</summary>
    [<Literal>]
    let Augmentation = 6L

    /// <summary>The candidates of a random search.</summary>
    [<Literal>]
    let Search = 7L

/// <summary>Curried forms of the members of <see cref="T:Cnn.Key"/>.</summary>
[<RequireQualifiedAccess>]
module Key =
    /// <summary>The key of a seed, at position 0.</summary>
    let ofSeed (seed: int) = Key.OfSeed(int64 seed)

    /// <summary>The key n positions on.</summary>
    let skip n (key: Key) = key.Skip n

    /// <summary>An independent key for each n.</summary>
    let child n (key: Key) = key.Child n
