/// Constants that others have published, each with its source; where the data are at hand, the data are asked too.
module Cnn.Tests.Golden.PublishedConstants

open System
open System.IO
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// A set of the shared data; the test is skipped where it is absent.
let private data name (load: string -> Dataset) =
    match Vectors.shared () |> Option.map (fun shared -> Path.Combine(shared, "data", name)) with
    | Some folder when Directory.Exists folder -> load folder
    | _ -> skiptest ("Set the environment variable CNN_SHARED to a folder that holds `data/" + name + "`.")

/// Means and deviations of a normalisation.
let private numbers (preprocessing: Preprocessing) =
    match Preprocessing.steps preprocessing with
    | [ Normalize(mean, deviation) ] -> mean, deviation
    | other -> failtest $"%A{other}"

/// Names in the order of their labels, of a CIFAR record.
let private names (set: Dataset) = List.ofSeq set.ClassNames

let private cifar100 labels = names (Cifar100.Parse("one", Array.zeroCreate 3074, labels))

let tests =
    testList "published constants" [
        // MNIST: PyTorch's example mnist/main.py. CIFAR: Krizhevsky's training sets; they stand so in many programs, as
        // in kuangliu's pytorch-cifar (means) and bearpaw's pytorch-classification (CIFAR-100).
        testEach
            "the usual means and deviations of MNIST, CIFAR-10 and CIFAR-100, in the order red, green, blue"
            [
                "MNIST", Preprocessing.Mnist, [ 0.1307 ], [ 0.3081 ]
                "CIFAR-10", Preprocessing.Cifar10, [ 0.4914; 0.4822; 0.4465 ], [ 0.247; 0.243; 0.261 ]
                "CIFAR-100", Preprocessing.Cifar100, [ 0.5071; 0.4867; 0.4408 ], [ 0.2675; 0.2565; 0.2761 ]
            ]
            (fun (name, _, _, _) -> name)
            (fun (_, preprocessing, mean, deviation) -> Assert.That(numbers preprocessing, equalTo (mean, deviation)))

        testCase "MNIST's mean and deviation are those of its 60,000 pictures, to the digits given" (fun () ->
            let statistics = (data "mnist" (fun folder -> (Mnist.Load folder).Train)).Statistics()
            let mean, deviation = numbers Preprocessing.Mnist
            Assert.That(statistics.Mean[0], closeTo mean[0] 5e-5)
            Assert.That(statistics.Deviation[0], closeTo deviation[0] 5e-5))

        // Means of pictures deviate by 0.13 or so: 0.0025 is two standard errors of 10,000; of 2,000 pictures here 0.012 is four.
        testCase "CIFAR-10's means and deviations are near those of 2,000 of its pictures" (fun () ->
            let read folder =
                use stream = File.OpenRead(Path.Combine(folder, "test.bin.gz"))
                Cifar10.Read("test.bin.gz", stream)

            let statistics = (data "cifar10" read).Statistics()
            let mean, deviation = numbers Preprocessing.Cifar10

            for c in 0..2 do
                Assert.That(statistics.Mean[c], closeTo mean[c] 0.012)
                Assert.That(statistics.Deviation[c], closeTo deviation[c] 0.008))

        // ITU-R BT.601-7, section 2.5.1.
        testCase "luma weighs red 0.299, green 0.587, blue 0.114" (fun () ->
            let unit c = Array.init 3 (fun i -> if i = c then 1.0f else 0.0f)

            let weights = [ for c in 0..2 -> (Preprocessing.Grey.Apply(Shape.Of(1, 1, 3), ReadOnlySpan(unit c)))[0] ]

            Assert.That(weights, equalTo [ 0.299f; 0.587f; 0.114f ]))

        // Zhong et al. 2017, section 4.2: p = 0.5, s_l = 0.02, s_h = 0.4, r₁ = 0.3, r₂ = 1∕0.3.
        testCase "random erasing: p = ½, shares of 0.02 to 0.4" (fun () ->
            Assert.That(Augmentation.Erase(), equalTo (Augmentation.Erase(0.5, 0.02, 0.4))))

        // PyTorch's documentation of torch.optim: SGD, Adagrad, RMSprop, Adam, AdamW, but for rates and for decays that
        // SPEC takes from Fan and Yam; Keras': SGD, Adagrad (with its first v of 0.1), RMSprop, Adam.
        testCase "optimisers have the momenta, decays and ε of their sources" (fun () ->
            for optimizer, expected in
                [
                    Optimizer.Sgd(), Optimizer.Sgd 1e-3
                    Optimizer.Momentum(), Optimizer.Momentum(1e-3, 0.9)
                    Optimizer.ClassicMomentum(), Optimizer.ClassicMomentum(1e-3, 0.9)
                    Optimizer.KerasMomentum(), Optimizer.KerasMomentum(1e-3, 0.9)
                    Optimizer.Nesterov(), Optimizer.Nesterov(1e-3, 0.9)
                    Optimizer.KerasNesterov(), Optimizer.KerasNesterov(1e-3, 0.9)
                    Optimizer.Adagrad(), Optimizer.Adagrad(1e-3, 1e-8)
                    Optimizer.KerasAdagrad(), Optimizer.KerasAdagrad(1e-3, 1e-7)
                    Optimizer.RmsProp(), Optimizer.RmsProp(1e-3, 0.9, 1e-8)
                    Optimizer.KerasRmsProp(), Optimizer.KerasRmsProp(1e-3, 0.9, 1e-7)
                    Optimizer.Adam(), Optimizer.Adam(1e-3, 0.9, 0.999, 1e-8)
                    Optimizer.KerasAdam(), Optimizer.KerasAdam(1e-3, 0.9, 0.999, 1e-7)
                    Optimizer.AdamW(), Optimizer.AdamW(1e-3, 0.01, 0.9, 0.999, 1e-8)
                ] do
                Assert.That(optimizer, equalTo expected)

            let θ: Parameters<float> = [ Tensor.zeros (Shape.Of 3) ]

            Assert.That(
                (Optimizer.start (Optimizer.KerasAdagrad()) θ).Squares.Head.ToArray(),
                equalTo [ 0.1; 0.1; 0.1 ]
            )

            Assert.That((Optimizer.start (Optimizer.Adagrad()) θ).Squares.Head.ToArray(), equalTo [ 0.0; 0.0; 0.0 ]))

        // Keras' ReduceLROnPlateau, and its BatchNormalization.
        testCase
            "plateau: factor 0.1, patience 10, least fall 1e−4, no cooldown; batch normalisation: ε = 1e−3, ρ = 0.99"
            (fun () ->
                Assert.That(
                    Plateau.Default,
                    equalTo { Factor = 0.1; Patience = 10; MinDelta = 1e-4; Cooldown = 0; MinRate = 0.0 }
                )

                Assert.That(BatchNorm.Default, equalTo { Epsilon = 1e-3; Momentum = 0.99 }))

        // Krizhevsky 2009, batches.meta.txt and the tables of his page; Xiao, Rasul and Vollgraf 2017, table 2.
        testCase "classes have their published names, in the order of their labels" (fun () ->
            Assert.That(
                names (Cifar10.Parse("one", Array.zeroCreate 3073)),
                equalTo [ "airplane"; "automobile"; "bird"; "cat"; "deer"; "dog"; "frog"; "horse"; "ship"; "truck" ]
            )

            let fine, coarse = cifar100 Cifar100Labels.Fine, cifar100 Cifar100Labels.Coarse
            Assert.That((fine.Length, coarse.Length), equalTo (100, 20))

            // Both lists are in alphabetical order.
            for list in [ fine; coarse ] do
                Assert.That(
                    list,
                    equalTo (List.distinct (List.sortWith (fun a b -> String.CompareOrdinal(a, b)) list))
                )

            for label, name in
                [
                    0, "apple"
                    1, "aquarium_fish"
                    35, "girl"
                    47, "maple_tree"
                    52, "oak_tree"
                    96, "willow_tree"
                    99, "worm"
                ] do
                Assert.That(fine[label], equalTo name)

            for label, name in
                [ 0, "aquatic_mammals"; 9, "large_man-made_outdoor_things"; 14, "people"; 19, "vehicles_2" ] do
                Assert.That(coarse[label], equalTo name)

            // A header, extents of 1, and a 0.
            let idx rank = [|
                0uy
                0uy
                8uy
                byte rank
                yield! Array.concat (Array.replicate rank [| 0uy; 0uy; 0uy; 1uy |])
                0uy
            |]

            Assert.That(
                names (FashionMnist.Parse("images", idx 3, "labels", idx 1)),
                equalTo [
                    "T-shirt/top"
                    "Trouser"
                    "Pullover"
                    "Dress"
                    "Coat"
                    "Sandal"
                    "Shirt"
                    "Sneaker"
                    "Bag"
                    "Ankle boot"
                ]
            ))

        // As the publishers' pages, or torchvision for them, give them.
        testCase "files to be fetched have their published MD5" (fun () ->
            for files, expected in
                [
                    Download.mnist,
                    [
                        "f68b3c2dcbeaaa9fbdd348bbdeb94873"
                        "d53e105ee54ea40749a09fcbcd1e9432"
                        "9fb629c4189551a2d022fa330f9573f3"
                        "ec29112dd5afa0611ce80d1b7f02629c"
                    ]
                    Download.fashionMnist,
                    [
                        "8d4fb7e6c68d591d4c3dfef9ec88bf0d"
                        "25c81989df183df01b3e8a0aad5dffbe"
                        "bef4ecab320f06d8554ea6380940ec79"
                        "bb300cfdad3c16e7a12a480ee83cd310"
                    ]
                    Download.cifar10, [ "c32a1d4ab5d03f1284b67883e8d87530" ]
                    Download.cifar100, [ "03b5dce01913d631647c71ecec9e9cb8" ]
                    Download.svhn, [ "e26dedcc434d2e4c54c9b2d4a06d8373"; "eb5a983be6a315427106f1b164d9cef3" ]
                ] do
                Assert.That([ for file in files.Files -> file.Md5 ], equalTo expected))
    ]
