/// The sums of SPEC sections 2 to 5 as the sources write them, on plain arrays and without the library's kernels.
module Cnn.Tests.Laws.Definitions

open Cnn

/// An image or kernel of one channel.
type Plane = float[,]

let height (x: Plane) = Array2D.length1 x
let width (x: Plane) = Array2D.length2 x

/// x[i,j], zero outside.
let at (x: Plane) i j = if i >= 0 && j >= 0 && i < height x && j < width x then x[i, j] else 0.0

let private sum2 rows columns f =
    let mutable total = 0.0

    for u in 0 .. rows - 1 do
        for v in 0 .. columns - 1 do
            total <- total + f u v

    total

/// (K ⋆ I)[i,j] = Σ_u Σ_v K[u,v]·I[i+u, j+v], valid.
let correlate (k: Plane) (x: Plane) =
    Array2D.init (height x - height k + 1) (width x - width k + 1) (fun i j ->
        sum2 (height k) (width k) (fun u v -> k[u, v] * at x (i + u) (j + v)))

/// (K * I)[i,j] = Σ_u Σ_v K[u,v]·I[i−u, j−v], full.
let convolve (k: Plane) (x: Plane) =
    Array2D.init (height x + height k - 1) (width x + width k - 1) (fun i j ->
        sum2 (height k) (width k) (fun u v -> k[u, v] * at x (i - u) (j - v)))

/// The part of x from (top, left), of the given size, zero outside.
let crop top left rows columns (x: Plane) = Array2D.init rows columns (fun i j -> at x (top + i) (left + j))

/// The part of the full convolution in which the kernel lies inside the image.
let convolveValid (k: Plane) (x: Plane) =
    convolve k x |> crop (height k - 1) (width k - 1) (height x - height k + 1) (width x - width k + 1)

/// s − 1 zeros between the entries. Fan & Yam 11.5.8.
let dilate sy sx (x: Plane) =
    Array2D.init ((height x - 1) * sy + 1) ((width x - 1) * sx + 1) (fun i j ->
        if i % sy = 0 && j % sx = 0 then x[i / sy, j / sx] else 0.0)

let rot180 (x: Plane) = Array2D.init (height x) (width x) (fun i j -> x[height x - 1 - i, width x - 1 - j])

let add (x: Plane) (y: Plane) = Array2D.init (height x) (width x) (fun i j -> x[i, j] + y[i, j])

/// A ⊗ B: block (i, j) is A[i,j]·B.
let kronecker (a: Plane) (b: Plane) =
    Array2D.init (height a * height b) (width a * width b) (fun i j ->
        a[i / height b, j / width b] * b[i % height b, j % width b])

/// Channel c of image n of an N×H×W×C batch.
let plane (t: Tensor<float>) n c : Plane = Array2D.init t.Shape[1] t.Shape[2] (fun i j -> t[n, i, j, c])

/// K[·,·,c,f] of a kernel.
let filter (t: Tensor<float>) c f : Plane = Array2D.init t.Shape[0] t.Shape[1] (fun u v -> t[u, v, c, f])

/// A plane as a tensor of rank 2.
let tensor (x: Plane) = FSharp.Tensor.init (Shape.Of(height x, width x)) (fun i -> x[i / width x, i % width x])

/// A tensor of rank 2 as a plane.
let ofTensor (t: Tensor<float>) : Plane = Array2D.init t.Shape[0] t.Shape[1] (fun i j -> t[i, j])

/// How often a window of f taps, d apart, fits into n cells when it moves by s from the first: counted one by one.
let countPositions n f d s =
    seq { 0..s .. n - 1 } |> Seq.filter (fun first -> first + (f - 1) * d <= n - 1) |> Seq.length
