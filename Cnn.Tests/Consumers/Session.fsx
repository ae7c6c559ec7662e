open Cnn
open Cnn.FSharp
open Cnn.FSharp.LayerOperators;;
Shape.Of(28, 28, 1);;
Tensor.init (Shape.Of(2, 8)) (fun i -> float32 i / 2.0f - 1.0f);;
let layer = Layers.flatten () >=> Layers.dense 10 >=> Layers.softmax ();;
let network: Network<float32> = Network.create (Key.ofSeed 42) (Shape.Of(8, 8, 1)) layer;;
