namespace Cnn.FSharp

open System.Numerics
open Cnn

/// <summary>The tensors of networks under the names of their layers, as Keras users expect: conv2d/kernel, conv2d_1/bias.</summary>
[<RequireQualifiedAccess>]
module Weights =

    let private layerNames (input: Shape) (layer: Layer<'T>) =
        Network.describe input layer |> List.map (fun row -> row.Name)

    /// Layer by layer: its name, its row of the table, and the shape of what reaches it.
    let private walk (input: Shape) (layer: Layer<'T>) =
        let reaching, _ =
            layer.Parts |> List.mapFold (fun (shape: Shape) part -> shape, part.Output shape) input

        List.zip3 (layerNames input layer) layer.Parts reaching

    /// <summary>Names and shapes of all tensors, layer by layer, for an input of the given sample shape; none of a user's own layers.</summary>
    /// <exception cref="T:Cnn.ShapeException">The layers do not fit the input or each other.</exception>
    let shapes (input: Shape) (layer: Layer<'T>) : (string * Shape) list =
        walk input layer
        |> List.collect (fun (name, part, shape) ->
            List.map2
                (fun tensor shape -> name + "/" + tensor, shape)
                (LayerSpec.tensorNames part.Spec)
                (LayerSpec.tensorShapes shape part.Spec))

    /// Names of θ, in its order.
    let internal parameterNames (network: Network<'T>) =
        walk network.Input network.Layer
        |> List.collect (fun (name, part, _) ->
            LayerSpec.tensorNames part.Spec
            |> List.truncate part.Parameters
            |> List.map (fun tensor -> name + "/" + tensor))

    /// <summary>All tensors, trainable, frozen and statistics, by name, layer by layer; none of a user's own layers.</summary>
    let named (network: Network<'T>) : (string * Tensor<'T>) list =
        let take θ s (name, part: Primitive<'T>, _) =
            let own, θ = List.splitAt part.Parameters θ
            let statistics, s = List.splitAt part.States s
            let names = LayerSpec.tensorNames part.Spec

            let tensors =
                if names.IsEmpty then
                    []
                else
                    List.zip (names |> List.map (fun tensor -> name + "/" + tensor)) (own @ statistics)

            tensors, (θ, s)

        walk network.Input network.Layer
        |> List.mapFold (fun (θ, s) row -> take θ s row) (network.Parameters, network.State)
        |> fst
        |> List.concat

    /// <summary>The network whose tensors a function gives by name and shape; layers of a user's own need others.</summary>
    let assemble (input: Shape) (layer: Layer<'T>) (tensor: string -> Shape -> Tensor<'T>) : Network<'T> =
        let parts =
            walk input layer
            |> List.map (fun (name, part, shape) ->
                List.map2
                    (fun tensorName shape -> tensor (name + "/" + tensorName) shape)
                    (LayerSpec.tensorNames part.Spec)
                    (LayerSpec.tensorShapes shape part.Spec)
                |> List.splitAt part.Parameters)

        {
            Layer = layer
            Input = input
            Parameters = List.collect fst parts
            State = List.collect snd parts
        }
