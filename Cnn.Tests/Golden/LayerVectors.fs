/// Layers against the oracle's vectors, in both precisions and with every set of kernels.
module Cnn.Tests.Golden.LayerVectors

open System.Numerics
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Golden.Vectors
open Cnn.Tests.Laws.Law

let private size (e: System.Text.Json.JsonElement) =
    let n = integers e
    { Height = n[0]; Width = n[1] }

/// A check of a case, for a given precision and set of kernels.
[<AbstractClass>]
type private Check() =
    abstract Run<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> : Context<'T> -> unit

    member this.Everywhere mode =
        for kernels in AllKernels.float do
            this.Run { Context.reference mode with Kernels = kernels }

        for kernels in AllKernels.float32 do
            this.Run { Context.reference mode with Kernels = kernels }

let private learning = Training(Key.ofSeed 1)

let private run context spec θ s x = Layer.run context (Layers.ofSpec spec) θ s x

let private activation name =
    match name with
    | "sigmoid" -> Activation.Sigmoid
    | "tanh" -> Activation.Tanh
    | "relu" -> Activation.ReLU
    | "leakyRelu" -> Activation.LeakyReLU 0.01
    | "softmax" -> Activation.Softmax
    | "identity" -> Activation.Identity
    | other -> failwith other

let tests =
    testList "layer vectors" [
        // conv2d.json: 24 cross-correlations and 8 convolutions with uneven strides, dilations and four-sided padding.
        testCase "conv2d: y, dx, dkernel and dbias" (fun () ->
            for case in cases "conv2d.json" do
                let pad name = (case?padding.GetProperty(name: string)).GetInt32()
                let kernelShape = integers case?kernel?shape

                let spec =
                    LayerSpec.Conv2D {
                        Conv2D.Default with
                            Filters = kernelShape[3]
                            Kernel = { Height = kernelShape[0]; Width = kernelShape[1] }
                            Stride = size case?stride
                            Dilation = size case?dilation
                            Padding = Explicit(pad "top", pad "bottom", pad "left", pad "right")
                            Mode =
                                (if text case?mode = "convolution" then
                                     ConvolutionMode.Convolution
                                 else
                                     ConvolutionMode.CrossCorrelation)
                    }

                {
                    new Check() with
                        member _.Run context =
                            let step = run context spec [ tensor case?kernel; tensor case?bias ] [] (tensor case?x)
                            let θ̄, x̄ = step.Pullback(tensor case?dy)
                            close "y" case?y step.Output
                            close "dx" case?dx x̄
                            close "dkernel" case?dkernel θ̄[0]
                            close "dbias" case?dbias θ̄[1]
                }
                    .Everywhere
                    learning)

        // pool2d.json: max and average pooling; its "same" is Fossheim's, here Cover.
        testCase "pool2d: y and dx" (fun () ->
            for case in cases "pool2d.json" do
                let pool = {
                    Window = size case?window
                    Stride = size case?stride
                    Padding = (if text case?padding = "same" then Cover else Valid)
                }

                let spec = if text case?kind = "max" then MaxPool pool else AveragePool pool

                {
                    new Check() with
                        member _.Run context =
                            let step = run context spec [] [] (tensor case?x)
                            close "y" case?y step.Output
                            close "dx" case?dx (snd (step.Pullback(tensor case?dy)))
                }
                    .Everywhere
                    learning)

        // dense.json
        testCase "dense: y, dx, dweights and dbias" (fun () ->
            for case in cases "dense.json" do
                let spec = LayerSpec.Dense { Dense.Default with Units = (integers case?weights?shape)[1] }

                {
                    new Check() with
                        member _.Run context =
                            let step = run context spec [ tensor case?weights; tensor case?bias ] [] (tensor case?x)
                            let θ̄, x̄ = step.Pullback(tensor case?dy)
                            close "y" case?y step.Output
                            close "dx" case?dx x̄
                            close "dweights" case?dweights θ̄[0]
                            close "dbias" case?dbias θ̄[1]
                }
                    .Everywhere
                    learning)

        // activations.json, with moderate and with large arguments.
        testCase "activations: y and dx" (fun () ->
            for case in cases "activations.json" do
                let spec = LayerSpec.Activation(activation (text case?activation))

                {
                    new Check() with
                        member _.Run context =
                            let step = run context spec [] [] (tensor case?x)
                            close "y" case?y step.Output
                            closeBy case?dy "dx" case?dx (snd (step.Pullback(tensor case?dy)))
                }
                    .Everywhere
                    learning)

        // batchnorm.json: learning, running statistics, and inference.
        testCase "batchnorm: y, dx, dgamma, dbeta, running statistics, inference" (fun () ->
            for case in cases "batchnorm.json" do
                let spec = BatchNorm { Epsilon = number case?epsilon; Momentum = number case?momentum }

                {
                    new Check() with
                        member _.Run context =
                            let θ = [ tensor case?gamma; tensor case?beta ]
                            let s = [ tensor case?runningMean; tensor case?runningVariance ]
                            let step = run context spec θ s (tensor case?x)
                            let θ̄, x̄ = step.Pullback(tensor case?dy)
                            close "y" case?y step.Output
                            close "dx" case?dx x̄
                            close "dgamma" case?dgamma θ̄[0]
                            close "dbeta" case?dbeta θ̄[1]
                            close "runningMeanAfter" case?runningMeanAfter step.State[0]
                            close "runningVarianceAfter" case?runningVarianceAfter step.State[1]
                            let inference = run { context with Mode = Inference } spec θ s (tensor case?x)
                            close "yInference" case?yInference inference.Output
                }
                    .Everywhere
                    learning)
    ]
