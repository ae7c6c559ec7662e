namespace Cnn.FSharp

open Cnn

/// <summary>Draws of weights (SPEC section 7).</summary>
[<RequireQualifiedAccess>]
module Initializer =

    /// <summary>Weights of the given shape, element i from draw i of the key.</summary>
    /// <remarks>fanIn and fanOut are channels·k_h·k_w in and out; nodes is H·W·C of the layer's input.</remarks>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such initialiser.</exception>
    let draw (initializer: Initializer) (key: Key) (fanIn: int) (fanOut: int) (nodes: int) (shape: Shape) : Tensor<'T> =
        Words.defined (nameof initializer) initializer

        let normal variance =
            let deviation = sqrt variance
            Tensor.init shape (fun i -> Number.ofFloat (deviation * key.Normal(int64 i)))

        let uniform limit = Tensor.init shape (fun i -> Number.ofFloat (limit * (2.0 * key.Uniform(int64 i) - 1.0)))

        match initializer with
        | Initializer.GlorotUniform -> uniform (sqrt (6.0 / float (fanIn + fanOut)))
        | Initializer.GlorotNormal -> normal (2.0 / float (fanIn + fanOut))
        | Initializer.HeUniform -> uniform (sqrt (6.0 / float fanIn))
        | Initializer.HeNormal -> normal (2.0 / float fanIn)
        | Initializer.LeCunNormal -> normal (1.0 / float fanIn)
        | Initializer.StandardNormal -> normal 1.0
        | Initializer.XavierNodes -> normal (1.0 / float nodes)
        | _ -> normal (2.0 / float nodes)
