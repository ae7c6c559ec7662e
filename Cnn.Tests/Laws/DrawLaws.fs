/// What layers, data sets and training draw: predicted from the key, and as often and as far apart as chance has it.
module Cnn.Tests.Laws.DrawLaws

open System
open System.Collections.Generic
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private kinds = [ DropoutKind.Bernoulli; DropoutKind.Gaussian ]

/// What dropout multiplies by: 0 with probability r, else 1∕(1−r), or a draw of N(1, r∕(1−r)).
let private factor kind rate (key: Key) (i: int) =
    match kind with
    | DropoutKind.Gaussian -> 1.0 + sqrt (rate / (1.0 - rate)) * key.Normal(int64 i)
    | _ -> if key.Uniform(int64 i) < rate then 0.0 else 1.0 / (1.0 - rate)

/// The factors of one sample.
let private mask kind rate key size =
    let context = Context.reference (Training key)
    let ones: Tensor<float> = Tensor.init (Shape.Of(1, size)) (fun _ -> 1.0)
    (Layer.run context (Layers.ofSpec (Dropout(rate, kind))) [] [] ones).Output.ToArray()

/// n pictures of one number, i + 1 for picture i, in classes of thirds.
let private numbered n =
    let pixels = Array.init n (fun i -> float32 (i + 1))
    Dataset.OfFloats(Shape.Of 1, ReadOnlyMemory pixels, Array.init n (fun i -> i % 3), [ "a"; "b"; "c" ])

let private order (data: Dataset) = [ for i in 0 .. data.Count - 1 -> int (Array.head (data.Picture i)) - 1 ]

/// 0 … n − 1, for i from the last to the second changed with one of 0 … i, draw i. Durstenfeld 1964.
let private permutation n (key: Key) =
    List.foldBack
        (fun i (order: int list) ->
            let j = key.Below(i + 1, int64 i)
            order |> List.updateAt i order[j] |> List.updateAt j order[i]) [ 1 .. n - 1 ] [ 0 .. n - 1 ]

/// A training of copies of one picture of ones through dropout, and what each step saw of it: sample by sample.
let private masksOf (settings: TrainingSettings) rate epochs (size: int) pictures =
    let seen = List<float[]>()

    let eye: Layer<float> =
        Layer.create "eye" 0 0 0 id (fun _ _ -> [], []) (fun _ _ _ x ->
            for n in 0 .. x.Shape[0] - 1 do
                seen.Add(x.Slice(n, 1).ToArray())

            { Output = x; State = []; Pullback = fun ȳ -> [], ȳ })

    let layer =
        Layer.sequence [
            Layers.ofSpec (Dropout(rate, DropoutKind.Bernoulli))
            eye
            Layers.ofSpec (Dense { Dense.Default with Units = 2; Activation = Activation.Softmax })
        ]

    let data =
        Dataset.Create(
            Shape.Of size,
            Array.init pictures (fun i -> i % 2),
            [ "a"; "b" ],
            PictureReader(fun i picture -> picture.Fill(float32 (i + 1)))
        )

    Training.run Backend.reference settings epochs data (Network.create (Key.ofSeed 0) (Shape.Of size) layer)
    |> ignore

    List.ofSeq seen

/// In steps of one sample, and of three.
let private (|Steps|) (r: Rows) = {
    TrainingSettings.Default with
        BatchSize = (if r.Count % 2 = 0 then 1 else 3)
        Seed = r.Seed
}

let tests =
    testList "draws" [
        testProperty
            "m of sample n, number i = draw i of child n of the step's key, at the layer's position"
            (fun (r: Rows) ->
                let key = Key.ofSeed r.Seed
                let size, rate = 1025 + 100 * r.Features, key.Uniform 0L
                let ones = Tensor.init (Shape.Of(r.Count, size)) (fun _ -> 1.0)

                all [
                    for kind in kinds do
                        let one: Layer<float> = Layers.ofSpec (Dropout(rate, kind))
                        let context = { Context.reference (Training key) with FirstSample = r.Features }

                        let expected =
                            Tensor.init ones.Shape (fun k ->
                                let n, i = int64 (r.Features + k / size), k % size

                                factor kind rate (Key.child n key) i
                                * factor kind rate (key |> Key.skip 1 |> Key.child n) i)

                        exact expected (Layer.run context (Layer.compose one one) [] [] ones).Output
                ])

        testCase
            "factors of numbers and of samples 1, 2, 7 and 1,024 apart are independent, and r of them are 0"
            (fun () ->
                for kind in kinds do
                    for rate in [ 0.25; 0.5 ] do
                        let dropped m =
                            m |> Array.map (fun v -> v < (if kind = DropoutKind.Gaussian then 1.0 else 0.5))

                        let p = if kind = DropoutKind.Gaussian then 0.5 else rate
                        let centred m = dropped m |> Array.map (fun isDropped -> (if isDropped then 1.0 else 0.0) - p)
                        let key = Key.ofSeed 21
                        let one = mask kind rate key 8192
                        Chance.frequent $"{kind}" p (dropped one)
                        Chance.independent $"numbers of {kind}" (centred one)

                        let context = Context.reference (Training key)
                        let ones: Tensor<float> = Tensor.init (Shape.Of(8192, 1)) (fun _ -> 1.0)
                        let step = Layer.run context (Layers.ofSpec (Dropout(rate, kind))) [] [] ones
                        Chance.independent $"samples of {kind}" (centred (step.Output.ToArray())))

        // Fifty steps and more: a key that comes back after a few of them would be seen.
        testProperty
            "step t, counted from 0 over all epochs, draws from child t of the seed's key of dropout"
            (fun (Steps settings) ->
                let pictures, size, rate = 13, 5, 0.4
                let seed = Key.ofSeed settings.Seed
                let turn epoch = seed |> Key.child Purpose.Shuffle |> Key.child (int64 epoch)

                let batches =
                    [ for epoch in 1..4 -> permutation pictures (turn epoch) ]
                    |> List.collect (List.chunkBySize settings.BatchSize)

                let expected = [
                    for t, batch in List.indexed batches do
                        for n, picture in List.indexed batch ->
                            let sample =
                                seed |> Key.child Purpose.Dropout |> Key.child (int64 t) |> Key.child (int64 n)

                            Array.init size (fun i -> float (picture + 1) * factor DropoutKind.Bernoulli rate sample i)
                ]

                same expected (masksOf settings rate 4 size pictures))

        testCase "masks of steps 1, 2, 7 and 1,024 apart are independent" (fun () ->
            let settings = { TrainingSettings.Default with BatchSize = 1; Seed = 4 }
            let seen = masksOf settings 0.5 4 1 1024 |> Seq.map (fun m -> if m[0] = 0.0 then -1.0 else 1.0)
            Chance.independent "steps" (Array.ofSeq seen))

        // U(±√(6∕(in+out))) and the like; element i from draw i. Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998.
        testProperty "weight i of layer l = its scheme's draw i of position l of the seed's key" (fun (r: Rows) ->
            let scheme = enum<Initializer>(r.Seed % 8)
            let key = Key.ofSeed r.Seed |> Key.child Purpose.Initial
            let inputs, hidden = 40 + r.Count, 30 + r.Features
            let dense units = LayerSpec.Dense { Dense.Default with Units = units; Initializer = scheme }

            let network: Network<float> =
                Network.create (Key.ofSeed r.Seed) (Shape.Of inputs) (Layers.ofSpecs [ dense hidden; dense 2 ])

            let weight (key: Key) fanIn fanOut i =
                let fanIn, fanOut = float fanIn, float fanOut
                let uniform limit = limit * (2.0 * key.Uniform(int64 i) - 1.0)
                let normal variance = sqrt variance * key.Normal(int64 i)

                match scheme with
                | Initializer.GlorotUniform -> uniform (sqrt (6.0 / (fanIn + fanOut)))
                | Initializer.GlorotNormal -> normal (2.0 / (fanIn + fanOut))
                | Initializer.HeUniform -> uniform (sqrt (6.0 / fanIn))
                | Initializer.HeNormal
                | Initializer.HeNodes -> normal (2.0 / fanIn)
                | Initializer.LeCunNormal
                | Initializer.XavierNodes -> normal (1.0 / fanIn)
                | _ -> normal 1.0

            let weights key fanIn fanOut = Tensor.init (Shape.Of(fanIn, fanOut)) (weight key fanIn fanOut)

            exactly [ weights key inputs hidden; weights (key.Skip 1) hidden 2 ] [
                network.Parameters[0]
                network.Parameters[2]
            ])

        testTheory
            "weights 1, 2, 7 and 1,024 apart are independent, and half of them are below 0"
            (Enum.GetValues<Initializer>())
            (fun scheme ->
                let conv = { Conv2D.Default with Filters = 64; Kernel = Size.Square 3; Initializer = scheme }
                let layer: Layer<float> = Layers.ofSpec (LayerSpec.Conv2D conv)
                let θ, _ = Layer.initial (Key.ofSeed 8) (Shape.Of(3, 3, 16)) layer
                let weights = θ.Head.ToArray()
                Chance.frequent "below 0" 0.5 (weights |> Array.map (fun w -> w < 0.0))
                Chance.independent "weights" (weights |> Array.map (sign >> float)))

        testProperty "shuffle, split and folds go by the permutation that the key's child draws" (fun (r: Rows) ->
            let count, key = 5 + r.Seed % 30, Key.ofSeed r.Seed
            let data = numbered count
            let drawn = permutation count (Key.child Purpose.Split key)
            let held = int (Math.Round(0.3 * float count))
            let parts = data.Split(0.3, key)
            let k = 2 + r.Count % 4
            let ofFold isHeld = drawn |> List.indexed |> List.filter (fst >> isHeld) |> List.map snd

            all [
                same (permutation count (Key.child Purpose.Shuffle key)) (order (data.Shuffle key))
                same (List.take (count - held) drawn) (order parts.Train)
                same (List.skip (count - held) drawn) (order parts.Test)

                for i, fold in Seq.indexed (data.Folds(k, key)) do
                    same (ofFold (fun place -> place % k = i)) (order fold.Test)
                    same (ofFold (fun place -> place % k <> i)) (order fold.Train)
            ])

        testProperty
            "a stratified split holds back the first of each class in the permutation that the key's child draws"
            (fun (r: Rows) ->
                let count, key = 5 + r.Seed % 30, Key.ofSeed r.Seed
                let data = numbered count
                let drawn = permutation count (Key.child Purpose.Split key)
                let parts = data.StratifiedSplit(0.4, key)

                let held =
                    drawn
                    |> List.groupBy (fun i -> i % 3)
                    |> List.collect (fun (_, places) -> List.take (int (Math.Round(0.4 * float places.Length))) places)
                    |> Set

                let isHeld, isKept = List.partition held.Contains drawn
                all [ same isHeld (order parts.Test); same isKept (order parts.Train) ])

        // A share h∕n, and of pairs h(h − 1)∕n(n − 1): who is held back does not hang on who else is.
        testCase "each picture is held back as often, each pair too, and each comes to each place and fold" (fun () ->
            let data, key = numbered 6, Key.ofSeed 5
            let keys = Array.init 4096 (fun i -> key.Child(int64 i))

            for told, split in
                [
                    "split", fun (k: Key) -> data.Split(1.0 / 3.0, k)
                    "stratified split", fun k -> data.StratifiedSplit(0.5, k)
                ] do
                let held = keys |> Array.map (fun k -> order (split k).Test |> Set)
                let share = float held[0].Count / 6.0

                for i in 0..5 do
                    Chance.frequent $"{told}: {i}" share (held |> Array.map (fun set -> set.Contains i))

            let pairs = keys |> Array.map (fun k -> order (data.Split(1.0 / 3.0, k)).Test |> List.sort)

            Chance.everywhere
                "pairs"
                [
                    for i in 0..5 do
                        for j in i + 1 .. 5 -> [ i; j ]
                ]
                pairs

            let shuffled = keys |> Array.map (fun k -> order (data.Shuffle k))

            let folds =
                keys
                |> Array.map (fun k ->
                    Seq.findIndex (fun (f: DatasetSplit) -> order f.Test |> List.contains 4) (data.Folds(3, k)))

            Chance.everywhere "folds" [ 0; 1; 2 ] folds

            for place in 0..5 do
                Chance.everywhere $"place {place}" [ 0..5 ] (shuffled |> Array.map (List.item place)))

        // log η and log λ lie where draws 0 and 1 say between the logarithms of their ends; draw 2 picks the layers.
        testProperty
            "random candidate i is of draws 0, 1 and 2 of child i: η = a·(b∕a)ᵘ, λ likewise, and layers"
            (fun (r: Rows) ->
                let seed = Key.ofSeed r.Seed
                let between low high u = low * (high / low) ** u
                let layers = List.init r.Count (fun i -> [ 4 + i ])
                let space = { LearningRates = [ 1e-4; 0.3 ]; L2 = [ 1e-6; 1e-2 ]; Layers = layers }

                all [
                    for i, candidate in List.indexed (Search.random seed 7 space) do
                        let key = seed |> Key.child Purpose.Search |> Key.child (int64 i)
                        let isNear expected actual = abs (actual / expected - 1.0) < 1e-12
                        same true (isNear (between 1e-4 0.3 (key.Uniform 0L)) candidate.LearningRate)
                        same true (isNear (between 1e-6 1e-2 (key.Uniform 1L)) candidate.L2)
                        same layers[key.Below(layers.Length, 2L)] (List.ofSeq candidate.Layers)
                ])
    ]
