/// How weights start (SPEC section 7).
module Cnn.Tests.Laws.InitializerLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private schemes = System.Enum.GetValues<Initializer>()

/// Weights and bias of a fresh layer.
let private start seed input spec = fst (Layer.initial (Key.ofSeed seed) input (Layers.ofSpec spec: Layer<float>))

let private conv initializer =
    LayerSpec.Conv2D {
        Conv2D.Default with
            Filters = 40
            Kernel = { Height = 3; Width = 5 }
            Initializer = initializer
    }

let private dense initializer = LayerSpec.Dense { Dense.Default with Units = 200; Initializer = initializer }

/// fan_in, fan_out, nodes of the layer before, and the weights drawn, for a convolution and a dense layer.
let private cases initializer = [
    3 * 5 * 20, 3 * 5 * 40, 9 * 11 * 20, (start 3 (Shape.Of(9, 11, 20)) (conv initializer)).Head
    150, 200, 150, (start 4 (Shape.Of 150) (dense initializer)).Head
]

let tests =
    testList "initialisation" [
        // The variance of each scheme, or the limit of a uniform one; 12,000 and 30,000 draws from fixed keys, six standard
        // errors. Fossheim 2022, III; Vu 2018, eq. 7, 9, 11; Glorot and Bengio 2010; He et al. 2015.
        testTheory "weights have the variance, or the limit, of their scheme" schemes (fun (initializer: Initializer) ->
            for fanIn, fanOut, nodes, weights in cases initializer do
                let fanIn, fanOut, nodes = float fanIn, float fanOut, float nodes

                let variance, limit =
                    match initializer with
                    | Initializer.GlorotUniform -> 2.0 / (fanIn + fanOut), sqrt (6.0 / (fanIn + fanOut))
                    | Initializer.GlorotNormal -> 2.0 / (fanIn + fanOut), infinity
                    | Initializer.HeUniform -> 2.0 / fanIn, sqrt (6.0 / fanIn)
                    | Initializer.HeNormal -> 2.0 / fanIn, infinity
                    | Initializer.LeCunNormal -> 1.0 / fanIn, infinity
                    | Initializer.StandardNormal -> 1.0, infinity
                    | Initializer.XavierNodes -> 1.0 / nodes, infinity
                    | Initializer.HeNodes -> 2.0 / nodes, infinity
                    | other -> failwith (string other)

                let values = weights.ToArray()
                let n = float values.Length
                let largest = values |> Array.map abs |> Array.max
                Assert.That(largest, atMost limit)
                Assert.That(Array.average values, closeTo (0.0) (6.0 * sqrt (variance / n)))
                // A normal fourth moment is 3σ⁴, a uniform one 1.8σ⁴.
                Assert.That(
                    values |> Array.averageBy (fun v -> v * v),
                    closeTo (variance) (6.0 * variance * sqrt (2.0 / n))
                )

                if infinity > limit then
                    Assert.That(largest, greaterThan (0.99 * limit))
                else
                    Assert.That(largest, greaterThan (3.0 * sqrt variance)))

        // SPEC section 7: biases start at 0.
        testTheory "biases start at 0" schemes (fun (initializer: Initializer) ->
            for θ in [ start 1 (Shape.Of(6, 7, 2)) (conv initializer); start 1 (Shape.Of 5) (dense initializer) ] do
                Assert.That(θ[1].ToArray() |> Array.forall ((=) 0.0)))

        // SPEC section 7: the same seed gives the same network.
        testProperty "the same seed gives the same weights" (fun (plan: Plan) ->
            let start () =
                let θ, s =
                    Layer.initial
                        (Key.ofSeed plan.Seed)
                        (Plan.shape plan.Input)
                        (Layers.ofSpecs plan.Specs: Layer<float>)

                θ @ s

            exactly (start ()) (start ()))

        // Draws in float32 are those in float, rounded.
        testProperty "float32 weights are float weights, rounded" (fun (plan: Plan) ->
            let start () =
                let θ, s = Layer.initial (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)
                θ @ s

            exactly (start () |> List.map (Tensor.map (fun (v: float) -> float32 v))) (start ()))

        // Each position of the key has draws of its own, and so has each seed.
        testTheory
            "draws of different positions and of different seeds differ"
            schemes
            (fun (initializer: Initializer) ->
                let layer: Layer<float> = Layers.ofSpecs [ dense initializer; dense initializer ]
                let θ seed = fst (Layer.initial (Key.ofSeed seed) (Shape.Of 200) layer)
                let θ1, θ2 = θ 1, θ 2
                Assert.That(θ1[0].Equals θ1[2], isFalse)
                Assert.That(θ1[0].Equals θ2[0], isFalse))
    ]
