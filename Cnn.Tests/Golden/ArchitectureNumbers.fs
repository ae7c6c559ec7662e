/// Parameter counts that the sources print (SPEC section 10).
module Cnn.Tests.Golden.ArchitectureNumbers

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private rows (architecture: Architecture) =
    Network.describe architecture.Input (Layers.ofSpecs architecture.Layers: Layer<float32>)

let private totals architecture =
    let rows = rows architecture
    rows |> List.sumBy (fun r -> r.Trainable), rows |> List.sumBy (fun r -> r.NonTrainable)

let tests =
    testList "architecture numbers" [
        // Wichmann 2018, 6.1.
        testCase "LeNet-5 has 61,706 parameters" (fun () ->
            Assert.That(totals Architectures.lenet5, equalTo (61706, 0)))

        // Vu 2018, 4: 6·(25 + 1) + 12·(6·25 + 1) + 10·(192 + 1).
        testCase "Vu's network has 3,898 parameters" (fun () ->
            Assert.That(totals Architectures.vanilla, equalTo (3898, 0)))

        // Fan & Yam 11.6.2, to the digit.
        testCase "the cat and dog network has the parameters of its printed summary" (fun () ->
            let counted =
                rows Architectures.catdog |> List.map (fun r -> r.Parameters) |> List.filter (fun n -> n > 0)

            Assert.That(counted, equalTo [ 320; 18496; 73856; 1179712; 256; 2080; 128; 33 ])
            Assert.That(totals Architectures.catdog, equalTo (1274689, 192)))

        // F(9C + 1) for a convolution of 3×3, (D + 1)U for a dense layer, 4d for batch normalisation, by hand from the tables.
        // Fossheim 2022, IV; Fan & Yam 11.6.1, 11.6.3, 11.6.6.
        testCase "parameters of the other networks, layer by layer" (fun () ->
            for architecture, expected in
                [
                    Architectures.densenet2_20, [ 65 * 20; 21 * 20; 21 * 10 ]
                    Architectures.convnet1_3, [ 3 * 10; (8 * 8 * 3 + 1) * 20; 21 * 10 ]
                    Architectures.densenet4_300, [ 785 * 300; 301 * 128; 129 * 128; 129 * 64; 65 * 10 ]
                    Architectures.convkeras4_20, [ 20 * 10; 20 * 181; (6 * 6 * 20 + 1) * 128; 129 * 10 ]
                    Architectures.lenet2, [ 32 * 28; 32 * 289; 64 * 289; 120 * 577; (2 * 2 * 120 + 1) * 128; 129 * 10 ]
                    Architectures.convkeras12_32,
                    [ 32 * 28; 32 * 289; 64 * 289; 64 * 577; 128 * 577; 128 * 1153; 129 * 128; 129 * 10 ]
                    Architectures.digits, [ 32 * 10; 32 * 289; 33 * 32; 4 * 32; 33 * 10 ]
                    Architectures.dense_digits, [ 785 * 64; 4 * 64; 65 * 10 ]
                    Architectures.iorq, [ 10; 30 * 30 + 1 ]
                ] do
                let counted = rows architecture |> List.map (fun r -> r.Parameters) |> List.filter (fun n -> n > 0)
                Assert.That(counted, equalTo expected, architecture.Name))

        // Epochs, batch, rate and λ as the sources or their programs have them (SPEC section 10); Fossheim's are of sums.
        testCase "settings of training are the sources'" (fun () ->
            for architecture, epochs, batch, rate, λ, reduction in
                [
                    Architectures.vanilla, 3, 30, 1.0, 0.0, Reduction.Mean
                    Architectures.densenet2_20, 100, 10, 0.01, 1e-4, Reduction.Sum
                    Architectures.convnet1_3, 200, 15, 0.001, 1e-4, Reduction.Sum
                    Architectures.densenet4_300, 15, 128, 0.01, 1e-4, Reduction.Sum
                    Architectures.convkeras4_20, 10, 30, 0.01, 0.0, Reduction.Mean
                    Architectures.lenet2, 20, 32, 0.01, 0.0, Reduction.Mean
                    Architectures.convkeras12_32, 20, 128, 0.01, 0.0, Reduction.Mean
                    Architectures.digits, 2, 32, 1e-2, 0.0, Reduction.Mean
                    Architectures.dense_digits, 10, 32, 1e-2, 0.0, Reduction.Mean
                    Architectures.catdog, 10, 32, 1e-3, 0.0, Reduction.Mean
                    Architectures.iorq, 25, 32, 1e-3, 0.0, Reduction.Mean
                ] do
                match architecture.Training with
                | None -> Assert.Fail architecture.Name
                | Some training ->
                    Assert.That((training.Epochs, training.BatchSize), equalTo (epochs, batch), architecture.Name)

                    Assert.That(
                        (training.Optimizer.LearningRate, training.Optimizer.L2),
                        equalTo (rate, λ),
                        architecture.Name
                    )

                    Assert.That(architecture.Loss.Reduction, equalTo reduction, architecture.Name))
    ]
