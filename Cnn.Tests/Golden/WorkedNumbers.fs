/// Numbers that the sources work out by hand (SPEC sections 3 to 5).
module Cnn.Tests.Golden.WorkedNumbers

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private row layers input = Layer.output (Layer.sequence layers: Layer<float>) (Shape.Of(List.toArray input))

let private conv filters kernel stride padding : Layer<float> =
    Layers.ofSpec (
        LayerSpec.Conv2D {
            Conv2D.Default with
                Filters = filters
                Kernel = Size.Square kernel
                Stride = Size.Square stride
                Padding = padding
        }
    )

let private shapes (layers: Layer<float> list) input =
    layers
    |> List.scan (fun shape layer -> Layer.output layer shape) (Shape.Of(List.toArray input))
    |> List.tail
    |> List.map string

/// A picture of rows of channels, and one filter of rows of channels.
let private plane values =
    let rows = List.length values
    let columns = List.length (List.head values)
    Tensor.ofArray (Shape.Of(1, rows, columns, 1)) (values |> List.concat |> Array.ofList)

let private filterOf (t: Tensor<float>) = t.Reshape(Shape.Of(t.Shape[1], t.Shape[2], 1, 1))

let private layer mode padding : Layer<float> =
    Layers.ofSpec (LayerSpec.Conv2D { Conv2D.Default with Mode = mode; Padding = padding; UseBias = false })

let private apply mode x k =
    (Layer.run (Context.reference Inference) (layer mode Valid) [ filterOf k ] [] x).Output.Span[0]

let private cross = plane [ [ 0.0; 1.0; 0.0 ]; [ 1.0; 1.0; 1.0 ]; [ 0.0; 1.0; 0.0 ] ]

let tests =
    testList "worked numbers" [
        // Wichmann 2018, 3.1 and 3.3; Fan & Yam 11.2.2.
        testCase "shapes of single layers" (fun () ->
            let check layer input (expected: string) = Assert.That(string (row [ layer ] input), equalTo expected)

            check (conv 10 3 1 Valid) [ 39; 39; 3 ] "37×37×10"
            check (conv 20 5 2 Valid) [ 37; 37; 10 ] "17×17×20"
            check (conv 40 5 2 Valid) [ 17; 17; 20 ] "7×7×40"
            check (conv 1 5 1 Valid) [ 100; 100; 3 ] "96×96×1"
            check (conv 64 3 1 Same) [ 224; 224; 3 ] "224×224×64")

        // Wichmann 2018, 3.3: 1960 features.
        testCase "39×39×3 becomes 1960 features" (fun () ->
            let layers = [ conv 10 3 1 Valid; conv 20 5 2 Valid; conv 40 5 2 Valid; Layers.flatten () ]
            Assert.That((row layers [ 39; 39; 3 ]).Size, equalTo 1960))

        // Vu 2018, 4.
        testCase "shapes of Vu's network" (fun () ->
            let layers = [
                conv 6 5 1 Valid
                Layers.averagePool 2
                conv 12 5 1 Valid
                Layers.averagePool 2
                Layers.flatten ()
                Layers.dense 10
            ]

            Assert.That(shapes layers [ 28; 28; 1 ], equalTo [ "24×24×6"; "12×12×6"; "8×8×12"; "4×4×12"; "192"; "10" ]))

        // Wichmann 2018, 6.1: 61,706 parameters.
        testCase "shapes and parameters of LeNet-5" (fun () ->
            let layers = [
                conv 6 5 1 Valid
                Layers.averagePool 2
                conv 16 5 1 Valid
                Layers.averagePool 2
                Layers.flatten ()
                Layers.dense 120
                Layers.dense 84
                Layers.dense 10
            ]

            let expected = [ "28×28×6"; "14×14×6"; "10×10×16"; "5×5×16"; "400"; "120"; "84"; "10" ]
            Assert.That(shapes layers [ 32; 32; 1 ], equalTo expected)
            let θ, _ = Layer.initial (Key.ofSeed 1) (Shape.Of(32, 32, 1)) (Layer.sequence layers)
            Assert.That(θ |> List.sumBy (fun t -> t.Size), equalTo 61706))

        // Fan & Yam 11.2.1.
        testCase "I ⋆ F = 1017 and I * F = 357" (fun () ->
            let i = plane [ [ 94.0; 50.0; 221.0 ]; [ 98.0; 109.0; 50.0 ]; [ 49.0; 213.0; 91.0 ] ]
            let f = plane [ [ 2.0; 2.0; 1.0 ]; [ 1.0; 0.0; -2.0 ]; [ -2.0; 2.0; 2.0 ] ]
            Assert.That(apply ConvolutionMode.CrossCorrelation i f, equalTo 1017.0)
            Assert.That(apply ConvolutionMode.Convolution i f, equalTo 357.0))

        // Fan & Yam 11.2.1.
        testCase "the cross-shaped filter gives 1.2 and 4.1" (fun () ->
            let a = plane [ [ 0.7; 0.2; 0.3 ]; [ 0.2; 0.4; 0.1 ]; [ 0.5; 0.3; 0.8 ] ]
            let b = plane [ [ 0.1; 0.9; 0.2 ]; [ 0.7; 0.9; 0.8 ]; [ 0.2; 0.8; 0.1 ] ]
            Assert.That(apply ConvolutionMode.CrossCorrelation a cross, closeTo (1.2) 1e-14)
            Assert.That(apply ConvolutionMode.CrossCorrelation b cross, closeTo (4.1) 1e-14))

        // Fan & Yam 11.2.1: 2.9 + 2.4 + 1.9 − 3.
        testCase "the RGB volume gives 4.2" (fun () ->
            let r = plane [ [ 0.1; 0.1; 0.2 ]; [ 0.7; 0.6; 0.7 ]; [ 0.8; 0.8; 0.8 ] ]
            let g = plane [ [ 0.0; 0.3; 0.9 ]; [ 1.0; 0.3; 0.7 ]; [ 0.2; 0.1; 0.0 ] ]
            let b = plane [ [ 0.2; 0.2; 0.7 ]; [ 0.3; 0.5; 0.4 ]; [ 0.5; 0.5; 0.7 ] ]
            let channels = [| r; g; b |]

            let sums = channels |> Array.map (fun x -> apply ConvolutionMode.CrossCorrelation x cross)

            for expected, sum in Array.zip [| 2.9; 2.4; 1.9 |] sums do
                Assert.That(sum, closeTo (expected) 1e-14)

            let x = Tensor.init (Shape.Of(1, 3, 3, 3)) (fun k -> channels[k % 3].Span[k / 3])
            let k = Tensor.init (Shape.Of(3, 3, 3, 1)) (fun k -> cross.Span[k / 3])
            let bias = Tensor.ofArray (Shape.Of 1) [| -3.0 |]
            let y = (Layer.run (Context.reference Inference) (conv 1 3 1 Valid) [ k; bias ] [] x).Output
            Assert.That(y.Span[0], closeTo (4.2) 1e-14))

        // Fan & Yam 11.5.3, indices from 0: 3×3 image and kernel, same padding, convolution mode.
        testCase "∂L∕∂K[0,0] = δ00·X11 + δ01·X12 + δ10·X21 + δ11·X22" (fun () ->
            let x = Tensor.init (Shape.Of(1, 3, 3, 1)) (fun k -> float (k * k + 1))
            let δ = Tensor.init (Shape.Of(1, 3, 3, 1)) (fun k -> float (2 * k - 7))

            let step =
                Layer.run
                    (Context.reference Inference)
                    (layer ConvolutionMode.Convolution Same)
                    [ filterOf cross ]
                    []
                    x

            let K̄ = (fst (step.Pullback δ)).Head
            let X i j = x[0, i, j, 0]
            let d i j = δ[0, i, j, 0]
            Assert.That(K̄[0, 0, 0, 0], equalTo (d 0 0 * X 1 1 + d 0 1 * X 1 2 + d 1 0 * X 2 1 + d 1 1 * X 2 2)))

        // Wang 2025: 6×6, window 2×2, stride 2.
        testCase "Wang's average and max pooling" (fun () ->
            let x =
                plane [
                    [ 3.0; 6.0; 5.0; 4.0; 8.0; 9.0 ]
                    [ 1.0; 7.0; 9.0; 6.0; 8.0; 0.0 ]
                    [ 5.0; 0.0; 9.0; 6.0; 2.0; 0.0 ]
                    [ 5.0; 2.0; 6.0; 3.0; 7.0; 0.0 ]
                    [ 9.0; 0.0; 3.0; 2.0; 3.0; 1.0 ]
                    [ 3.0; 1.0; 3.0; 7.0; 1.0; 7.0 ]
                ]

            let pooled layer = (Layer.run (Context.reference Inference) layer [] [] x).Output.ToArray()
            Assert.That(pooled (Layers.averagePool 2), equalTo [| 4.25; 6.0; 6.25; 3.0; 6.0; 2.25; 3.25; 3.75; 3.0 |])
            Assert.That(pooled (Layers.maxPool 2), equalTo [| 7.0; 9.0; 9.0; 5.0; 9.0; 7.0; 9.0; 7.0; 7.0 |]))

        // Fan & Yam 11.2.3.2: a vertical edge under Prewitt's filters, convolution.
        testCase "Prewitt horizontal sees nothing of a vertical edge, vertical gives 3" (fun () ->
            let edge = plane [ for _ in 1..3 -> [ 1.0; 0.0; 0.0 ] ]
            let horizontal = plane [ [ -1.0; -1.0; -1.0 ]; [ 0.0; 0.0; 0.0 ]; [ 1.0; 1.0; 1.0 ] ]
            let vertical = plane [ for _ in 1..3 -> [ -1.0; 0.0; 1.0 ] ]
            Assert.That(apply ConvolutionMode.Convolution edge horizontal, equalTo 0.0)
            Assert.That(apply ConvolutionMode.Convolution edge vertical, equalTo 3.0))
    ]
