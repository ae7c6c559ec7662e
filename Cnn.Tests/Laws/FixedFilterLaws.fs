/// Networks that begin with a bank of filters (Fan & Yam 11.4).
module Cnn.Tests.Laws.FixedFilterLaws

open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Of different sizes, so that the smaller ones must find the middle.
let private bank = [ Filter.SobelVertical; Filter.Gaussian 5; Filter.Laplacian4; Filter.Identity ]

let private input = Shape.Of(8, 9, 2)
let private classes = 3

let tests =
    testList "fixed filters" [
        // Each filter for each channel by itself, then ReLU; true convolution.
        testProperty "output c·n + f of the bank = max(F_f * x_c, 0)" (fun (s: Sliding) ->
            let (Integers(_, x, _, _)) = s
            let x = x.Slice(0, 1)
            let layer = Layers.ofSpec (FixedFilters.layers s.Picture classes bank).Head
            let kernel = FixedFilters.kernel s.Channels bank
            let y = (Layer.run (Context.reference Inference) layer [ kernel ] [] x).Output
            let picture = x.Reshape s.Picture
            let plane (t: Tensor<float>) c = Definitions.tensor (Definitions.plane t 0 c)

            all [
                for f, filter in List.indexed bank do
                    let expected = (filter.Convolve picture |> Tensor.map (max 0.0)).Reshape x.Shape

                    for c in 0 .. s.Channels - 1 do
                        near 1e-13 (plane expected c) (plane y (c * bank.Length + f))
            ])

        testProperty
            "frozen = tuned in every answer; θ of the one is the dense layer, of the other the filters too"
            (fun (seed: int) ->
                let frozen: Network<float> = FixedFilters.frozen seed input classes bank
                let tuned: Network<float> = FixedFilters.tuned seed input classes bank
                let learned: Network<float> = FixedFilters.learned seed input classes bank
                let x = Draw.reals seed (input.Batch 3)

                all [
                    exact (Network.predict tuned x) (Network.predict frozen x)
                    exactly [ FixedFilters.kernel 2 bank ] frozen.State
                    exactly frozen.Parameters tuned.Parameters.Tail
                    exactly tuned.Parameters.Tail learned.Parameters.Tail
                    same
                        (tuned.Parameters |> List.map (fun t -> t.Shape))
                        (learned.Parameters |> List.map (fun t -> t.Shape))
                    same false (tuned.Parameters.Head = learned.Parameters.Head)
                ])

        // The filters of the one are its state; those of the other move with the gradient.
        testCase "training leaves fixed filters as they are, and moves those that are tuned" (fun () ->
            let glyphs = SyntheticGlyphs.dataset (SequentialScheduler()) (Key.ofSeed 3) 12 40

            let trained (start: Network<float>) =
                (Training.run Backend.reference TrainingSettings.Default 1 glyphs start).Network

            let frozen = trained (FixedFilters.frozen 1 glyphs.Shape 2 bank)
            let tuned = trained (FixedFilters.tuned 1 glyphs.Shape 2 bank)
            let kernel: Tensor<float> = FixedFilters.kernel 1 bank
            let start: Network<float> = FixedFilters.frozen 1 glyphs.Shape 2 bank
            Assert.That(frozen.State.Head, equalTo kernel)
            Assert.That(frozen.Parameters.Head, differentFrom (box start.Parameters.Head))
            Assert.That(tuned.Parameters.Head, differentFrom (box kernel)))

        testCase "both doors make the same networks, of all filters where none are given" (fun () ->
            let filters = List.ofSeq Filter.All
            let hash (network: Network<float32>) = Network.weightHash network

            for expected, (model: Fluent.Model) in
                [
                    hash (FixedFilters.frozen 4 input classes filters),
                    Fluent.FixedFilters.Frozen(input, classes, null, 4)
                    hash (FixedFilters.tuned 4 input classes filters),
                    Fluent.FixedFilters.Tuned(input, classes, null, 4)
                    hash (FixedFilters.learned 4 input classes filters),
                    Fluent.FixedFilters.Learned(input, classes, null, 4)
                ] do
                Assert.That(model.WeightHash, equalTo expected))

        testCase "no filters, and no pictures, are refused" (fun () ->
            let refused input filters =
                Assert.Throws<ShapeException>(fun () ->
                    (FixedFilters.frozen 0 input classes filters: Network<float>) |> ignore)
                |> ignore

            refused input []
            refused (Shape.Of 8) bank)
    ]
