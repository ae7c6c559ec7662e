/// The algebra of layers: a category, and what every pullback owes (Fong, Spivak and Tuyéras 2017; Cruttwell et al. 2021).
module Cnn.Tests.Laws.LayerLaws

open Expecto
open FsCheck.FSharp
open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Everything that a layer does from one key: start, then value, next state and pullback at random weights.
let private behaviour mode (plan: Plan) (layer: Layer<float>) =
    let input = Plan.shape plan.Input
    let x = Draw.reals plan.Seed (input.Batch plan.Count)
    let θ, s = Layer.initial (Key.ofSeed plan.Seed) input layer
    let step = Layer.run (Context.reference mode) layer θ s x
    let θ̄, x̄ = step.Pullback(Draw.reals (plan.Seed + 1) step.Output.Shape)
    θ @ s @ [ step.Output ] @ step.State @ θ̄ @ [ x̄ ]

let private modes (plan: Plan) = [ Inference; Training(Key.ofSeed (plan.Seed + 1)) ]

let private draws (layer: Layer<float>) = layer.Parts |> List.sumBy (fun part -> part.Draws)

/// The layers of a plan, cut into two.
let private cut (plan: Plan) =
    let f, g = List.splitAt (plan.Seed % (plan.Specs.Length + 1)) plan.Specs
    (Layers.ofSpecs f: Layer<float>), (Layers.ofSpecs g: Layer<float>)

let tests =
    testList "layers" [
        // Initial, forward and backward agree to the last bit.
        testProperty "id ; f = f = f ; id" (fun (plan: Plan) ->
            let f: Layer<float> = Layers.ofSpecs plan.Specs

            all [
                for mode in modes plan do
                    exactly (behaviour mode plan f) (behaviour mode plan (Layer.identity >=> f))
                    exactly (behaviour mode plan f) (behaviour mode plan (f >=> Layer.identity))
            ])

        // Initial, forward and backward agree to the last bit, however the layers are bracketed.
        testProperty "(f ; g) ; h = f ; (g ; h)" (fun (plan: Plan) ->
            let f, gh = cut plan
            let g: Layer<float> = { Parts = gh.Parts |> List.truncate 1 }
            let h: Layer<float> = { Parts = gh.Parts |> List.skip (min 1 gh.Parts.Length) }

            all [
                for mode in modes plan do
                    exactly (behaviour mode plan ((f >=> g) >=> h)) (behaviour mode plan (f >=> (g >=> h)))
            ])

        // sequence is composition, from the identity.
        testProperty "sequence [f₁; …; fₙ] = f₁ ; … ; fₙ" (fun (plan: Plan) ->
            let layers: Layer<float> list = plan.Specs |> List.map Layers.ofSpec

            all [
                for mode in modes plan do
                    exactly
                        (behaviour mode plan (List.fold (>=>) Layer.identity layers))
                        (behaviour mode plan (Layer.sequence layers))
            ])

        // The definition of composition: parameters, state and draws of f come first; the pullback runs g's, then f's.
        testProperty "(f ; g)(θ ⧺ φ, x) = g(φ, f(θ, x)), and its pullback is f's after g's" (fun (plan: Plan) ->
            let f, g = cut plan
            let input = Plan.shape plan.Input
            let x = Draw.reals plan.Seed (input.Batch plan.Count)
            let key = Key.ofSeed plan.Seed
            let θ, s = Layer.initial key input f
            let φ, t = Layer.initial (key.Skip(draws f)) (Layer.output f input) g

            let after mode =
                match mode with
                | Training key -> Training(key.Skip(draws f))
                | Inference -> Inference

            all [
                for mode in modes plan do
                    let first = Layer.run (Context.reference mode) f θ s x
                    let second = Layer.run (Context.reference (after mode)) g φ t first.Output
                    let φ̄, ȳ = second.Pullback(Draw.reals (plan.Seed + 1) second.Output.Shape)
                    let θ̄, x̄ = first.Pullback ȳ

                    exactly
                        (θ @ φ @ s @ t @ [ second.Output ] @ first.State @ second.State @ θ̄ @ φ̄ @ [ x̄ ])
                        (behaviour mode plan (f >=> g))
            ])

        // Pulled-back cotangents have the shapes of what they are cotangents of.
        testProperty "shapes of θ̄ = shapes of θ, shape of x̄ = shape of x" (fun (Learning point) ->
            let step = point.Run
            let θ̄, x̄ = step.Pullback(Tensor.zeros step.Output.Shape)
            let shapes ts = ts |> List.map (fun (t: Tensor<float>) -> string t.Shape)

            all [
                same (shapes (point.Parameters @ [ point.X ])) (shapes (θ̄ @ [ x̄ ]))
                same (shapes point.State) (shapes step.State)
            ])

        // The counts by which composition splits θ and state are those of the start.
        testProperty "a layer starts with as many tensors as it declares" (fun (plan: Plan) ->
            let rec check (shape: Shape) (parts: Primitive<float> list) =
                match parts with
                | [] -> []
                | part :: rest ->
                    let θ, s = part.Initial (Key.ofSeed plan.Seed) shape
                    same (part.Parameters, part.States) (θ.Length, s.Length) :: check (part.Output shape) rest

            check (Plan.shape plan.Input) (Layers.ofSpecs plan.Specs: Layer<float>).Parts |> all)

        // A pullback is a linear map of ȳ. Conditions: rounding of sums of up to a few hundred terms.
        testProperty "pullback(aȳ + bz̄) = a·pullback ȳ + b·pullback z̄" (fun (Learning point) ->
            let step = point.Run
            let ȳ = Draw.reals 3 step.Output.Shape
            let z̄ = Draw.reals 4 step.Output.Shape
            let combine p q = Tensor.add (Tensor.scale 2.0 p) (Tensor.scale -3.0 q)
            let θ̄, x̄ = step.Pullback(combine ȳ z̄)
            let θ̄y, x̄y = step.Pullback ȳ
            let θ̄z, x̄z = step.Pullback z̄
            List.map2 (near 1e-10) (List.map2 combine (θ̄y @ [ x̄y ]) (θ̄z @ [ x̄z ])) (θ̄ @ [ x̄ ]) |> all)

        // A pullback is pure: it changes neither its argument nor what forward saved.
        testProperty "a pullback called twice gives the same bits and leaves ȳ alone" (fun (Learning point) ->
            let step = point.Run
            let ȳ: Tensor<float> = Draw.reals 3 step.Output.Shape
            let kept = Tensor.copy ȳ
            let y = Tensor.copy step.Output
            let θ̄, x̄ = step.Pullback ȳ
            let first = θ̄ @ [ x̄ ] |> List.map Tensor.copy
            step.Pullback(Draw.reals 4 step.Output.Shape) |> ignore
            let θ̄', x̄' = step.Pullback ȳ
            all [ exactly first (θ̄' @ [ x̄' ]); exact kept ȳ; exact y step.Output ])

        // Running is a function of (θ, s, x): none of them changes, and the same give the same.
        testProperty "running twice gives the same bits and leaves θ, s and x alone" (fun (Learning point) ->
            let before = point.X :: point.Parameters @ point.State
            let kept = before |> List.map Tensor.copy

            let bits () =
                let step = point.Run
                let θ̄, x̄ = step.Pullback(Draw.reals 3 step.Output.Shape)
                step.Output :: step.State @ θ̄ @ [ x̄ ]

            let first = bits ()
            all [ exactly first (bits ()); exactly kept before ])

        // Where nobody asks for x̄, θ̄ is the same and x̄ is empty below the lowest layer with parameters.
        testProperty "θ̄ does not depend on whether x̄ is wanted" (fun (Learning point) ->
            let ȳ = Draw.reals 3 point.Run.Output.Shape
            let θ̄, _ = point.Run.Pullback ȳ
            let unread = { point with Context = { point.Context with NeedsInputGradient = false } }
            let θ̄', x̄' = unread.Run.Pullback ȳ

            all [ exactly θ̄ θ̄'; same (point.Layer.Parts |> List.isEmpty |> not) (x̄'.Size = 0) ])

        // A sample's output depends on no other sample, unless a layer couples samples and learns.
        testProperty "f(θ, x)ₙ = f(θ, xₙ) at inference" (fun (Predicting point) ->
            let y = point.Run.Output

            all [
                for n in 0 .. point.X.Shape[0] - 1 do
                    let alone = { point with X = point.X.Slice(n, 1) }
                    exact (y.Slice(n, 1)) alone.Run.Output
            ])

        // A composite covers every kind of layer often enough that the laws above speak of all of them.
        testCase "random composites hold every kind of layer" (fun () ->
            let kinds =
                Gen.sampleWithSeed (FsCheck.Rnd 1UL) 50 300 (Generate.plan 1 6)
                |> Seq.collect (fun plan -> Layer.specs (Point.away Training plan).Layer)
                |> Seq.map (fun spec ->
                    match spec with
                    | LayerSpec.Activation φ -> string φ
                    | other -> LayerSpec.typeName other)
                |> Seq.countBy id
                |> Map.ofSeq

            let wanted = [
                "Conv2D"
                "Dense"
                "MaxPooling2D"
                "AveragePooling2D"
                "GlobalMaxPooling2D"
                "GlobalAveragePooling2D"
                "Flatten"
                "BatchNormalization"
                "Dropout"
                "GaussianDropout"
                "ReLU"
                "LeakyReLU(0.01)"
                "Sigmoid"
                "Tanh"
                "Softmax"
                "Identity"
            ]

            for kind in wanted do
                Assert.That(kinds |> Map.tryFind kind |> Option.defaultValue 0, atLeast 5, kind))
    ]
