namespace Cnn.FSharp

open System.Numerics
open Cnn

/// <summary>How far rounding may take results apart: bounds, not guesses. Higham, Accuracy and Stability, 2002.</summary>
[<RequireQualifiedAccess>]
module Rounding =

    /// <summary>The unit roundoff u: 2⁻²⁴ in float32, 2⁻⁵³ in float.</summary>
    let unitRoundoff<'T when 'T: struct> =
        if typeof<'T> = typeof<float32> then 2.0 ** -24.0 else 2.0 ** -53.0

    /// <summary>Twice the smallest normal number: what underflow may lose beside all other bounds.</summary>
    let smallest<'T when 'T: struct> =
        if typeof<'T> = typeof<float32> then 2.0 ** -125.0 else 2.0 ** -1021.0

    /// <summary>γ_n = n·u/(1 − n·u), the relative error of n roundings in a row; ∞ where n·u reaches 1. Higham 2002, eq. 3.4.</summary>
    let gamma<'T when 'T: struct> (n: int) =
        let nu = float n * unitRoundoff<'T>
        if nu < 1.0 then nu / (1.0 - nu) else infinity

    /// <summary>2γ_{n+1}: two sums of the same n products in different orders, for each unit of Σ|x||w|. Higham 2002, eq. 3.5.</summary>
    let sum<'T when 'T: struct> (n: int) = 2.0 * gamma<'T>(n + 1)

    /// <summary>How much the transforms of Winograd's F(m×m, 3×3) enlarge rounding, along each axis.</summary>
    /// <remarks>Points 0, ±1, ∞ for m = 2 and 0, ±1, ±2, ∞ for m = 4. Lavin and Gray 2016, section 4.</remarks>
    [<Struct>]
    type Tile = {
        /// <summary>m.</summary>
        Outputs: int
        /// <summary>κ = max_j Σ_p |Aᵀ|[j,p]·(Σ_u |G|[p,u])·(Σ_i |Bᵀ|[p,i]).</summary>
        Growth: float
        /// <summary>κ' = max_u Σ_p |G|[p,u]·(Σ_i |Bᵀ|[p,i])·(Σ_j |Aᵀ|[j,p]), for the gradient of the filters.</summary>
        FilterGrowth: float
    }

    /// <summary>F(2×2, 3×3): κ = 8, κ' = 6.</summary>
    let tile2 = { Outputs = 2; Growth = 8.0; FilterGrowth = 6.0 }

    /// <summary>F(4×4, 3×3): κ = 48, κ' = 160/3.</summary>
    let tile4 = { Outputs = 4; Growth = 48.0; FilterGrowth = 160.0 / 3.0 }

    /// <summary>2γ_{9n+32}·κ²·n: sums over n channels in tiles, for each unit of max|x|·max|K|.</summary>
    /// <remarks>
    /// A chain of products and some thirty roundings of three transforms. Higham 2002, lemma 3.1 and eq. 3.5, applied to
    /// |A|ᵀ(|G||g||G|ᵀ ∘ |B|ᵀ|d||B|)|A|; as in Barabasz et al. 2020.
    /// </remarks>
    let tiled<'T when 'T: struct> (tile: Tile) channels =
        2.0 * gamma<'T>(9 * channels + 32) * tile.Growth * tile.Growth * float channels

    /// <summary>2γ_{m²n+32}·κ'²·n: the gradient of filters over n tiles, for each unit of max|x|·max|ȳ|.</summary>
    let tiledFilter<'T when 'T: struct> (tile: Tile) tiles =
        2.0
        * gamma<'T>(tile.Outputs * tile.Outputs * tiles + 32)
        * tile.FilterGrowth
        * tile.FilterGrowth
        * float tiles

    /// <summary>The tiles that kernels take for a window, told by how they pack its weights: (m + 2)² for each 3×3.</summary>
    /// <remarks>Channels and filters in sixteens, as tiles want them: others are packed with padding, which tells nothing.</remarks>
    let tileOf (kernels: IKernels<'T>) (g: Geometry) : Tile voption =
        let isWindow = g.KernelHeight = 3 && g.KernelWidth = 3 && g.StrideY = 1 && g.StrideX = 1
        let isPlain = g.DilationY = 1 && g.DilationX = 1 && g.Channels % 16 = 0 && g.OutChannels % 16 = 0

        if isWindow && isPlain then
            match kernels.PackedLength(g, Packing.Forward) / (g.Channels * g.OutChannels) with
            | 16 -> ValueSome tile2
            | 36 -> ValueSome tile4
            | _ -> ValueNone
        else
            ValueNone

    /// How many tiles of a window cover a batch.
    let internal tiles (tile: Tile) samples (g: Geometry) =
        let along extent = (extent + tile.Outputs - 1) / tile.Outputs
        samples * along g.OutHeight * along g.OutWidth
