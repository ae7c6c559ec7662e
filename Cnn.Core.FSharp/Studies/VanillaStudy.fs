namespace Cnn.FSharp

open Cnn

/// <summary>A step of Vu's study: what was switched on, and the network and its training from then on.</summary>
[<NoEquality; NoComparison>]
type VanillaStep = {
    /// <summary>What this step switches on; all that earlier steps did stays on.</summary>
    Name: string
    /// <summary>Whether more than one thread trains.</summary>
    IsParallel: bool
    /// <summary>The network, its loss and its training.</summary>
    Architecture: Architecture
}

/// <summary>Vu's VanillaCNN, the shapes that her paper prints, and the four things that it leaves to do (Vu 2018).</summary>
[<RequireQualifiedAccess>]
module VanillaStudy =

    /// <summary>The shape of what each layer gives, as the paper prints it. Vu 2018, section 4.</summary>
    let paperShapes = [
        Shape.Of(24, 24, 6)
        Shape.Of(12, 12, 6)
        Shape.Of(8, 8, 12)
        Shape.Of(4, 4, 12)
        Shape.Of 192
        Shape.Of 10
    ]

    /// <summary>The shape of what each layer of a network really gives for one picture of zeros, without the batch axis.</summary>
    let measuredShapes (network: Network<'T>) : Shape list =
        let context = Context.reference Inference

        let rec walk (parts: Primitive<'T> list) θ s (x: Tensor<'T>) =
            match parts with
            | [] -> []
            | part :: rest ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s
                let y = (Layer.run context { Parts = [ part ] } θf sf x).Output
                y.Shape.Sample :: walk rest θg sg y

        walk network.Layer.Parts network.Parameters network.State (Tensor.zeros (network.Input.Batch 1))

    let private train change (architecture: Architecture) = {
        architecture with
            Training = architecture.Training |> Option.map change
    }

    let private softmax (architecture: Architecture) =
        let last = Dense { Dense.Default with Units = 10; Activation = Activation.Softmax }

        {
            architecture with
                Layers = List.take (architecture.Layers.Length - 1) architecture.Layers @ [ last ]
                Loss = Loss.CrossEntropy
        }

    /// <summary>The network as it is, then with threads, softmax, momentum and a falling learning rate, one added after the other.</summary>
    /// <remarks>
    /// Softmax goes with cross-entropy. Momentum is that of Fan &amp; Yam, whose steps are as long as without, so that
    /// the learning rate can stay. It falls by a tenth an epoch, which pays in long trainings only.
    /// </remarks>
    /// <param name="epochs">Epochs of every step.</param>
    let steps (epochs: int) : VanillaStep list =
        let source = Architectures.vanilla |> train (fun t -> { t with Epochs = epochs })
        let withSoftmax = softmax source
        let rate = source.Training |> Option.map (fun t -> t.Optimizer.LearningRate) |> Option.defaultValue 1.0
        let momentum = withSoftmax |> train (fun t -> { t with Optimizer = Optimizer.Momentum rate })

        let decay =
            momentum
            |> train (fun t -> { t with Optimizer = t.Optimizer.WithSchedule(Schedule.Exponential 0.9) })

        let step name isParallel architecture = { Name = name; IsParallel = isParallel; Architecture = architecture }

        [
            step "as in the source" false source
            step "parallel" true source
            step "softmax" true withSoftmax
            step "momentum" true momentum
            step "learning-rate decay" true decay
        ]
