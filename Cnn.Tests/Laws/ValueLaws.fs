/// What the library hands out and takes are values: equal where their data are, with one hash, and printed as what they are.
module Cnn.Tests.Laws.ValueLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Different values of each type, made anew at each call, and what they print.
let private shapes () = [ Shape.Of 4, "4"; Shape.Of(2, 2), "2×2"; Shape.Of(), "scalar" ]

let private tensors () =
    let count (n: int) = Tensor.init (Shape.Of n) float

    [
        count 8, "8 [0, 1, 2, 3, 4, 5, 6, 7]"
        count 9, "9 [0, 1, 2, 3, 4, 5, 6, 7, …]"
        (count 8).Reshape(Shape.Of(4, 2)), "4×2 [0, 1, 2, 3, 4, 5, 6, 7]"
        Tensor.map (fun x -> -x) (count 3), "3 [-0, -1, -2]"
        Tensor<float>.Empty, "0 []"
    ]

let private schedules () = [
    Schedule.Constant, "constant"
    Schedule.Step 2.0, "step(2, 0.1)"
    Schedule.Step(2.0, 0.5), "step(2, 0.5)"
    Schedule.Exponential 0.9, "exponential(0.9)"
    Schedule.Cosine 3.0, "cosine(3, 0)"
    Schedule.LinearWarmup(1.5, Schedule.Constant), "warmup(1.5, 0.1, constant)"
    Schedule.LinearWarmup(1.5, Schedule.Cosine(3.0, 0.25)), "warmup(1.5, 0.1, cosine(3, 0.25))"
]

let private optimizers () = [
    Optimizer.Sgd 0.1, "Sgd(0.1)"
    Optimizer.Adam(), "Adam(0.001)"
    Optimizer.KerasAdam(), "KerasAdam(0.001)"
    Optimizer.Sgd(0.1).WithSchedule(Schedule.Step 2.0), "Sgd(0.1), step(2, 0.1)"
    Optimizer.Sgd(0.1).WithL2 0.5, "Sgd(0.1), L2 0.5"
]

let private preprocessings () = [
    Preprocessing.Identity, "identity"
    Preprocessing.Grey, "grey"
    Preprocessing.Grey.Then(Preprocessing.Resize(28, 14, Resampling.Area)), "grey, resize(28×14, area)"
]

let private augmentations () = [
    Augmentation.None, string Augmentation.None
    Augmentation.FlipHorizontal, string Augmentation.FlipHorizontal
    Augmentation.FlipHorizontal.Then(Augmentation.Shift 2),
    string (Augmentation.FlipHorizontal.Then(Augmentation.Shift 2))
]

let private areValues<'A when 'A :> IEquatable<'A> and 'A: equality and 'A: not struct and 'A: not null>
    (make: unit -> ('A * string) list)
    =
    let first, second = make (), make ()
    Assert.That([ for value, _ in first -> string value ], equalTo (List.map snd first))
    Assert.That(List.distinct (List.map snd first), equalTo (List.map snd first))

    for i, (a, _) in List.indexed first do
        Assert.That((box a).Equals(box "text"), isFalse)
        Assert.That((box a).Equals null, isFalse)
        Assert.That((a :> IEquatable<'A>).Equals(Unchecked.defaultof<'A>), isFalse)

        for j, (b, _) in List.indexed second do
            Assert.That(((box a).Equals(box b), (a :> IEquatable<'A>).Equals b), equalTo (i = j, i = j))

            if i = j then
                Assert.That(a.GetHashCode(), equalTo (b.GetHashCode()))

let tests =
    testList "values" [
        testCase "equal data are equal values with one hash, and print as what they are" (fun () ->
            areValues shapes
            areValues tensors
            areValues schedules
            areValues optimizers
            areValues preprocessings
            areValues augmentations)

        // == and != of C#.
        testCase "== is equality of steps" (fun () ->
            let grey, none = Preprocessing.Grey, Preprocessing.Identity

            Assert.That(
                Preprocessing.op_Equality (grey, Preprocessing.Grey) && not (Preprocessing.op_Equality (grey, none))
            )

            Assert.That(
                Preprocessing.op_Inequality (grey, none)
                && not (Preprocessing.op_Inequality (grey, Preprocessing.Grey))
            )

            let flip, none = Augmentation.FlipVertical, Augmentation.None

            Assert.That(
                Augmentation.op_Equality (flip, Augmentation.FlipVertical)
                && not (Augmentation.op_Equality (flip, none))
            )

            Assert.That(
                Augmentation.op_Inequality (flip, none)
                && not (Augmentation.op_Inequality (flip, Augmentation.FlipVertical))
            ))

        testCase "paddings, trials, checks and results print what they are" (fun () ->
            let candidate: Candidate = { LearningRate = 0.01; L2 = 0.0; Layers = [| 20; 10 |] }
            let trial: SearchTrial = { Candidate = candidate; TrainingLoss = 0.5; Loss = 0.4; Accuracy = 0.9 }

            let check: VerificationCheck = {
                Layer = "dense"
                Claim = "gradient"
                Subject = "kernel"
                Checked = 3L
                Total = 4L
                Worst = "dense/kernel[0,1]"
                Error = 0.5
                Bound = 0.25
                Verdict = VerificationVerdict.Failed
                Reason = "sign"
            }

            for (value: obj), printed in
                [
                    box Valid, "valid"
                    Same, "same"
                    Full, "full"
                    Cover, "cover"
                    Explicit(1, 2, 3, 4), "explicit(1, 2, 3, 4)"
                    Fluent.Padding.Same, "same"
                    candidate, "learning rate 0.01, l2 0, layers 20-10"
                    { candidate with Layers = [||] }, "learning rate 0.01, l2 0, layers unchanged"
                    trial, "learning rate 0.01, l2 0, layers 20-10: loss 0.4, accuracy 0.9"
                    { trial with Loss = infinity }, "learning rate 0.01, l2 0, layers 20-10: diverged"
                    check, "dense, gradient (kernel): failed at dense/kernel[0,1], error 0.5, bound 0.25; sign"
                    { check with Verdict = VerificationVerdict.Passed; Worst = ""; Reason = "" },
                    "dense, gradient (kernel): passed, error 0.5, bound 0.25"
                    { check with Verdict = VerificationVerdict.Vacuous; Worst = ""; Reason = "all zero" },
                    "dense, gradient (kernel): vacuous, error 0.5, bound 0.25; all zero"
                    Image.Of(1, 2, 3, ReadOnlySpan(Array.zeroCreate 6)), "1×2×3"
                    {
                        Loss = 0.25
                        Accuracy = 0.5
                        ConfusionMatrix = Metrics.confusion [ "a" ] [| 0 |] [| 0 |]
                    },
                    "loss 0.25, accuracy 0.5"
                ] do
                Assert.That(string value, equalTo printed))

        // Through both doors: what a member of a data set does, its function does.
        testCase "a function of data sets is the member of its name" (fun () ->
            let data =
                Dataset.OfFloats(
                    Shape.Of(2, 2, 1),
                    ReadOnlyMemory(Array.init 32 (fun i -> float32 (i % 7))),
                    Array.init 8 (fun i -> i % 2),
                    [ "a"; "b" ]
                )

            let key = Key.ofSeed 3

            let content (set: Dataset) =
                List.ofSeq set.Labels, [ for i in 0 .. set.Count - 1 -> List.ofArray (set.Picture i) ]

            let train, test = Dataset.split 0.25 key data
            let parts = data.Split(0.25, key)

            for byFunction, byMember in
                [
                    Dataset.take 3 data, data.Take 3
                    Dataset.pad 4 3 data, data.Pad(4, 3)
                    Dataset.shuffle key data, data.Shuffle key
                    Dataset.preprocess (Preprocessing.Scale 2.0) data, data.Preprocess(Preprocessing.Scale 2.0)
                    Dataset.augment (Augmentation.Shift 1) key data, data.Augment(Augmentation.Shift 1, key)
                    train, parts.Train
                    test, parts.Test
                ] do
                Assert.That(content byFunction, equalTo (content byMember))
                Assert.That(content byFunction, differentFrom (box (content data)))

            let picture, shape = data.Picture 1, data.Shape
            let grey = Preprocessing.Scale 3.0
            Assert.That(Preprocessing.apply shape picture grey, equalTo (grey.Apply(shape, ReadOnlySpan picture)))
            Assert.That(Preprocessing.output shape (Preprocessing.Pad(5, 4)), equalTo (Shape.Of(5, 4, 1)))
            Assert.That(Preprocessing.compose Preprocessing.Grey grey, equalTo (Preprocessing.Grey.Then grey))
            Assert.That(Preprocessing.ofSteps (Preprocessing.steps grey), equalTo grey)
            let shift = Augmentation.Shift 1

            Assert.That(
                Augmentation.apply shape picture key shift,
                equalTo (shift.Apply(shape, ReadOnlySpan picture, key))
            )

            Assert.That(
                Augmentation.compose Augmentation.FlipVertical shift,
                equalTo (Augmentation.FlipVertical.Then shift)
            )

            Assert.That(Augmentation.ofSteps (Augmentation.steps shift), equalTo shift))

        // Found by name, the networks of the sources are the ones of both doors.
        testCase "a network of the sources is the same by property, by name and in the core" (fun () ->
            let byProperty =
                typeof<Fluent.Architectures>.GetProperties()
                |> Array.filter (fun p -> p.PropertyType = typeof<Fluent.NetworkBuilder>)
                |> Array.map (fun p -> string (p.GetValue null))
                |> Array.sort

            let inCore = [| for a in Architectures.all -> string (Fluent.Architectures.Find a.Name) |]
            Assert.That(byProperty, equalTo (Array.sort inCore))
            Assert.That(Fluent.Architectures.Names, equalTo [| for a in Architectures.all -> a.Name |]))

        // What the function of a layer's name makes is the layer of its data.
        testCase "Layers.f = Layers.ofSpec of f's data" (fun () ->
            let pairs: (Layer<float> * LayerSpec) list = [
                Layers.conv2d 2 3, Conv2D { Conv2D.Default with Filters = 2; Kernel = Size.Square 3 }
                Layers.dense 4, Dense { Dense.Default with Units = 4 }
                Layers.maxPool 2, MaxPool(Pool.Square 2)
                Layers.averagePool 2, AveragePool(Pool.Square 2)
                Layers.globalMaxPool (), GlobalMaxPool
                Layers.globalAveragePool (), GlobalAveragePool
                Layers.flatten (), Flatten FlattenOrder.RowMajor
                Layers.relu (), LayerSpec.Activation Activation.ReLU
                Layers.tanh (), LayerSpec.Activation Activation.Tanh
                Layers.sigmoid (), LayerSpec.Activation Activation.Sigmoid
                Layers.softmax (), LayerSpec.Activation Activation.Softmax
                Layers.batchNorm (), LayerSpec.BatchNorm BatchNorm.Default
                Layers.dropout 0.25, Dropout(0.25, DropoutKind.Bernoulli)
            ]

            for layer, spec in pairs do
                Assert.That(Layer.specs layer, equalTo [ spec ]))

        // Of logits and of probabilities, a loss and an activation that go together are one, in a convolution too.
        testCase "a last convolution's sigmoid goes into the loss as a dense layer's does" (fun () ->
            let conv φ = Conv2D { Conv2D.Default with Filters = 1; Activation = φ }

            match Loss.fuse Loss.BinaryCrossEntropy (conv Activation.Sigmoid) with
            | Some(Some rest, loss) ->
                Assert.That((rest, loss.Kind), equalTo (conv Activation.Identity, LossKind.SigmoidBinaryCrossEntropy))
            | other -> Assert.Fail(string other)

            Assert.That((Loss.fuse Loss.BinaryCrossEntropy (conv Activation.Tanh)).IsNone)
            Assert.That((Loss.fuse Loss.BinaryCrossEntropy GlobalMaxPool).IsNone))
    ]
