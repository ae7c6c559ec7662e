/// Networks and pictures that the laws of inspection look at.
module Cnn.Tests.Laws.InspectedNetworks

open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

let backend = Backend.reference<float>

let conv spec : LayerSpec = LayerSpec.Conv2D spec
let flatten = Flatten FlattenOrder.RowMajor
let dense units φ = LayerSpec.Dense { Dense.Default with Units = units; Activation = φ }

let network input specs θ : FSharp.Network<float> = {
    Layer = Layers.ofSpecs specs
    Input = input
    Parameters = θ
    State = []
}

/// A composite that ends with scores of three classes, away from kinks; the first of its pictures; the network of their softmax.
let classified (plan: Plan) =
    let point =
        Point.away (fun _ -> Inference) { plan with Specs = plan.Specs @ [ flatten; dense 3 Cnn.Activation.Identity ] }

    let softmax: Layer<float> = Layers.ofSpec (LayerSpec.Activation Cnn.Activation.Softmax)

    let network: FSharp.Network<float> = {
        Layer = Layer.compose point.Layer softmax
        Input = point.X.Shape.Sample
        Parameters = point.Parameters
        State = point.State
    }

    { point with X = point.X.Slice(0, 1) }, network

let named (plan: Plan) =
    let point = Point.away (fun _ -> Inference) plan

    let network: FSharp.Network<float> = {
        Layer = point.Layer
        Input = point.X.Shape.Sample
        Parameters = point.Parameters
        State = point.State
    }

    point.X.Slice(0, 1), network, (List.last (Network.summary network)).Name

let labelled (plan: Plan) : Dataset =
    let shape = Plan.shape plan.Input
    let picture index : Tensor<float32> = Draw.reals (plan.Seed + index) shape

    Dataset.Create(
        shape,
        Array.init 9 (fun i -> (plan.Seed + i * i) % 3),
        [ "a"; "b"; "c" ],
        PictureReader(fun index destination -> (picture index).Span.CopyTo destination)
    )
