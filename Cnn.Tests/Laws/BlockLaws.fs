/// Kernels and optimisers cut their work into blocks. Here it is one block, one less, one more, and several.
module Cnn.Tests.Laws.BlockLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law
open Cnn.Tests.Laws.RefinementLaws

/// Pictures that keep their size under a square window.
let private sliding samples (height, width) (channels, filters) kernel = {
    Samples = samples
    Height = height
    Width = width
    Channels = channels
    Filters = filters
    Kernel = Size.Square kernel
    Stride = Size.Square 1
    Dilation = Size.Square 1
    Padding = Same
    Seed = height + width
}

let private cut = [
    // The filter adjoint takes 32,768 outputs at a time: 64 rows of 64·8, or two pictures of 32·32·16.
    for height in [ 63; 64; 65; 130 ] -> sliding 1 (height, 64) (2, 8) 3
    for samples in [ 2; 3 ] -> sliding samples (32, 32) (3, 16) 3
    // Pictures of one channel: 1,024 numbers of a frame at a time.
    for height in [ 24; 26; 80 ] -> sliding 1 (height, 37) (1, 3) 5
    for height in [ 7; 40 ] -> sliding 2 (height, 130) (1, 2) 3
    // Windows of 3×3 over many channels go by groups of tiles.
    for extents in [ 20, 21 ] -> sliding 1 extents (16, 48) 3
    // Wide, and tall.
    for extents in [ 3, 130; 130, 3 ] -> sliding 1 extents (2, 3) 3
]

/// Sums of products are taken 512 at a time.
let private deep = [
    for inputs in [ 511; 513; 1024; 1300 ] do
        for rows, units in [ 1, 19; 9, 5 ] -> { Rows = rows; Inputs = inputs; Units = units; Seed = inputs }
]

/// Columns are summed by 512 rows at a time, or by four times as many where they are few.
let private tall = [
    for rows in [ 511; 513; 2047; 2049; 5000 ] do
        for columns in [ 1; 3; 18 ] -> rows, columns
]

let private backends = [ for kernels in AllKernels.float -> { Backend.reference with Kernels = kernels } ]

let tests =
    testList "blocks" [
        testCase "pictures beyond a block: y, x̄ and w̄ = reference on integers" (fun () ->
            for s in cut do
                holds (exactCorrelations (windowOf s)))

        testCase "products beyond a block: y, x̄ and w̄ = reference on integers" (fun () ->
            for p in deep do
                holds (exactCorrelations (productOf p)))

        testCase "columns beyond a block: sums = reference on integers" (fun () ->
            for rows, columns in tall do
                holds (exactSums rows columns rows))

        // Pascanu et al. 2013: g·min(1, c ∕ ‖g‖). Optimisers take 8,192 numbers at a time.
        testTheory
            "tensors beyond a block: clipping by norm sees every number, and each is moved by its gradient"
            [ 8191; 8192; 8193; 20000 ]
            (fun size ->
                let draw seed : Parameters<float> = [
                    Draw.reals seed (Shape.Of size)
                    Draw.reals (seed + 1) (Shape.Of 3)
                ]

                let θ, g = draw 1, draw 3
                let norm = sqrt (List.sumBy (fun t -> Tensor.dot t t) g)
                let optimizer = (Optimizer.Sgd 0.1).WithClipNorm(norm / 4.0)
                let expected = List.map2 (Tensor.map2 (fun w g -> w - 0.1 * g / 4.0)) θ g

                for backend in backends do
                    let _, found = Optimizer.update backend optimizer (Optimizer.start optimizer θ) θ g
                    holds (List.map2 (near 1e-13) expected found |> all))
    ]
