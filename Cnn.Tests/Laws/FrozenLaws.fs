/// Fixed filters (Fan & Yam 11.4): a frozen layer's weights are state, not parameters.
module Cnn.Tests.Laws.FrozenLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private conv (s: Sliding) isTrainable : Layer<float> =
    Layers.ofSpec (LayerSpec.Conv2D { s.Conv2D with UseBias = true; Trainable = isTrainable })

let private start (s: Sliding) isTrainable = Layer.initial (Key.ofSeed s.Seed) s.Picture (conv s isTrainable)

/// A layer that tells what it was asked for.
let private spy (asked: ResizeArray<bool>) : Layer<float> =
    Layer.create "spy" 0 0 0 id (fun _ _ -> [], []) (fun context _ _ x -> {
        Output = x
        State = []
        Pullback =
            fun ȳ ->
                asked.Add context.NeedsInputGradient
                [], ȳ
    })

let tests =
    testList "frozen layers" [
        // The same weights from the same key, on the other side.
        testProperty "frozen: θ = ∅ and the weights are the state" (fun (s: Sliding) ->
            let θ, none = start s true
            let frozenθ, state = start s false
            all [ same (0, 0) (none.Length, frozenθ.Length); exactly θ state ])

        // Freezing changes neither y nor x̄; it empties θ̄ and leaves the weights as they are.
        testProperty "frozen: y and x̄ stay, θ̄ = ∅, the weights stay" (fun (s: Sliding) ->
            let x, ȳ =
                Draw.integers s.Seed (s.Picture.Batch s.Samples),
                Draw.integers (s.Seed + 1) (s.Geometry.Output.Batch s.Samples)

            let weights, _ = start s true
            let context = Context.reference (Training(Key.ofSeed s.Seed))
            let trained = Layer.run context (conv s true) weights [] x
            let frozen = Layer.run context (conv s false) [] weights x
            let θ̄, x̄ = frozen.Pullback ȳ

            all [
                exact trained.Output frozen.Output
                exact (snd (trained.Pullback ȳ)) x̄
                same 0 θ̄.Length
                exactly weights frozen.State
            ])

        // Fan & Yam 11.4: δ is not propagated below the lowest trainable layer, unless the caller wants x̄.
        testProperty "nothing is propagated below the lowest trainable layer" (fun (s: Sliding) ->
            let x: Tensor<float> = Draw.reals s.Seed (s.Picture.Batch s.Samples)

            let asked wanted isTrainable =
                let below, above = ResizeArray(), ResizeArray()

                let layer =
                    Layer.sequence [ spy below; conv s isTrainable; spy above; Layers.flatten (); Layers.dense 2 ]

                let θ, state = Layer.initial (Key.ofSeed s.Seed) s.Picture layer
                let context = { Context.reference (Training(Key.ofSeed s.Seed)) with NeedsInputGradient = wanted }
                let step = Layer.run context layer θ state x
                let θ̄, _ = step.Pullback(Draw.reals 1 step.Output.Shape)
                θ̄.Length, List.ofSeq below, List.ofSeq above

            all [
                same (4, [], [ true ]) (asked false true)
                same (2, [], []) (asked false false)
                same (4, [ true ], [ true ]) (asked true true)
                same (2, [ true ], [ true ]) (asked true false)
            ])

        // Freezing a trained network moves its weights from θ to the state, layer by layer, and changes no answer; all that is
        // left trainable is what was not named.
        testProperty
            "freezing layers of a network changes no answer and leaves the others trainable"
            (fun (plan: Plan) ->
                let network: Network<float> =
                    Network.create (Key.ofSeed plan.Seed) (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs)

                let rows = Network.summary network
                let isFrozen (name: string) = (name.Length + plan.Seed) % 2 = 0
                let frozen = Network.freeze isFrozen network
                let x = Draw.reals plan.Seed (network.Input.Batch plan.Count)
                let isWeighted (row: SummaryRow) = row.Type = "Conv2D" || row.Type = "Dense"
                let count ts = List.sumBy (fun (t: Tensor<float>) -> t.Size) ts

                all [
                    exact (Network.predict network x) (Network.predict frozen x)
                    same
                        (rows
                         |> List.sumBy (fun row -> if isWeighted row && isFrozen row.Name then 0 else row.Trainable))
                        (count frozen.Parameters)
                    same (count (network.Parameters @ network.State)) (count (frozen.Parameters @ frozen.State))
                    exactly network.Parameters (Network.freeze (fun _ -> false) network).Parameters
                ])
    ]
