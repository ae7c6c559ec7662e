/// Parameter counts that the sources print (SPEC section 10).
module Cnn.Tests.Golden.ArchitectureNumbers

open NUnit.Framework
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness

let private rows (architecture: Architecture) =
    Network.describe architecture.Input (Layers.ofSpecs architecture.Layers: Layer<float32>)

let private totals architecture =
    let rows = rows architecture
    rows |> List.sumBy (fun r -> r.Trainable), rows |> List.sumBy (fun r -> r.NonTrainable)

/// Wichmann 2018, 6.1.
[<Test>]
let ``LeNet-5 has 61,706 parameters`` () = Assert.That(totals Architectures.lenet5, equalTo (61706, 0))

/// Vu 2018, 4: 6·(25 + 1) + 12·(6·25 + 1) + 10·(192 + 1).
[<Test>]
let ``Vu's network has 3,898 parameters`` () = Assert.That(totals Architectures.vanilla, equalTo (3898, 0))

/// Fan & Yam 11.6.2, to the digit.
[<Test>]
let ``the cat and dog network has the parameters of its printed summary`` () =
    let counted =
        rows Architectures.catdog |> List.map (fun r -> r.Parameters) |> List.filter (fun n -> n > 0)

    Assert.That(counted, equalTo [ 320; 18496; 73856; 1179712; 256; 2080; 128; 33 ])
    Assert.That(totals Architectures.catdog, equalTo (1274689, 192))
