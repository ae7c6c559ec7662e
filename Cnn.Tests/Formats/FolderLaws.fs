/// Folders of pictures as data sets.
module Cnn.Tests.Formats.FolderLaws

open System
open System.Collections.Generic
open System.IO
open System.Threading
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.PngLaws
open Cnn.Tests.Formats.ImageLaws
open Cnn.Tests.Laws.Law

let private load options folder = ImageFolder.load (SequentialScheduler()) options folder CancellationToken.None

let private put (folder: string) (name: string) (bytes: byte[]) =
    let path = Path.Combine(folder, name)
    Directory.CreateDirectory(nonNull (Path.GetDirectoryName path)) |> ignore
    File.WriteAllBytes(path, bytes)

/// Names of classes and files whose order by code units is none of a culture's.
let private names = [ "Zebra/b"; "Zebra/B"; "ant/10.png"; "ant/2.png"; "ant/ä.gif"; "ärmel/x"; "ärmel/A"; "_/1" ]

let private ordinal (names: string seq) = names |> Seq.sortWith (fun a b -> String.CompareOrdinal(a, b)) |> List.ofSeq
let private classOf (name: string) = name.Split('/')[0]

/// A folder of pictures of several sizes, numbers of channels and formats, and what each file holds.
let private filled (p: Planes) folder =
    let pictures = images p @ images { p with ImageSize = p.OtherSize; Seed = p.Seed + 1 }

    for name, image in Seq.zip names pictures do
        put folder name (if image.Channels = 3 then Netpbm.encode image else Png.encode image)

    List.zip names pictures |> Map

let private grey = Image.Of(2, 2, 1, ReadOnlySpan [| 1uy; 2uy; 3uy; 4uy |])
let private sound = Png.encode grey

/// Two of five files are none.
let private withUnreadable body =
    inFolder (fun folder ->
        for name in [ "a/1"; "a/3"; "b/5" ] do
            put folder name sound

        put folder "a/2" [| 1uy |]
        put folder "b/4" sound[..40]
        body folder)

let tests =
    testList "folders of pictures" [
        testProperty
            "classes and files stand in the order of their code units, and pixels are those of the files, resized"
            (fun (p: Planes) ->
                inFolder (fun folder ->
                    let pictures = filled p folder

                    all [
                        for channels in [ 1; 3 ] do
                            for method in [ Resampling.Area; Resampling.Bilinear ] do
                                let height, width = 1 + p.Seed % 5, 1 + p.Seed % 6
                                let data = load (ImageFolderOptions(height, width, channels, method)) folder
                                let classes = names |> List.map classOf |> List.distinct |> ordinal
                                same classes (List.ofSeq data.ClassNames)

                                let files = [
                                    for c in classes do
                                        yield! names |> List.filter (fun name -> classOf name = c) |> ordinal
                                ]

                                same files.Length data.Count

                                same [ for file in files -> classOf file ] [
                                    for label in data.Labels -> data.ClassNames[label]
                                ]

                                for i in 0 .. files.Length - 1 do
                                    let convert = if channels = 1 then Image.toGrey else Image.toRgb
                                    let resized = pictures[files[i]] |> convert |> Image.resize method height width
                                    let expected = view resized |> Tensor.map (fun v -> v / 255.0f)
                                    exact expected (Tensor.init data.Shape (fun k -> (data.Picture i)[k]))
                    ]))

        testProperty "the same pixels come out with any cache, checked or not, and on any scheduler" (fun (p: Planes) ->
            inFolder (fun folder ->
                filled p folder |> ignore

                let pixels (data: Dataset) = [
                    for _ in 1..2 do
                        for i in 0 .. data.Count - 1 do
                            yield! data.Picture i
                ]

                let whole = pixels (load (ImageFolderOptions(3, 4)) folder)

                all [
                    for cacheBytes in [ 0L; 36L; 100L; 1000L ] do
                        for checks in [ true; false ] do
                            let options = ImageFolderOptions(3, 4, checks = checks, cacheBytes = cacheBytes)
                            same true (whole = pixels (load options folder))
                            same true (whole = pixels (Cnn.Fluent.ImageFolder.Load(folder, options, 3)))
                ]))

        testCase "hidden files, files beside the classes and folders below them are not looked at" (fun () ->
            inFolder (fun folder ->
                put folder "a/1.png" sound
                put folder "a/.DS_Store" [| 1uy |]
                put folder "a/deeper/2.png" [| 1uy |]
                put folder ".git/x" [| 1uy |]
                put folder "README" [| 1uy |]
                let data = load (ImageFolderOptions(2, 2)) folder
                Assert.That((data.Count, List.ofSeq data.ClassNames), equalTo (1, [ "a" ]))))

        testCase "a link to the folder itself ends at once" (fun () ->
            inFolder (fun folder ->
                put folder "a/1.png" sound
                Directory.CreateSymbolicLink(Path.Combine(folder, "a", "loop"), folder) |> ignore
                Directory.CreateSymbolicLink(Path.Combine(folder, "loop"), folder) |> ignore
                let data = load (ImageFolderOptions(2, 2)) folder
                Assert.That((data.Count, List.ofSeq data.ClassNames), equalTo (1, [ "a"; "loop" ]))))

        testCase "a pipe among the pictures is unreadable, and nobody waits for it" (fun () ->
            inFolder (fun folder ->
                put folder "a/1.png" sound
                put folder "a/empty" [||]
                use maker = System.Diagnostics.Process.Start("mkfifo", [ Path.Combine(folder, "a", "pipe") ])
                maker.WaitForExit()
                let reported = List<string | null>()
                let report = Action<DataFormatException>(fun e -> reported.Add(Path.GetFileName e.File))
                let data = load (ImageFolderOptions(2, 2, onUnreadable = report)) folder
                Assert.That(data.Count, equalTo 1)
                Assert.That(List.ofSeq reported, equalTo [ "empty"; "pipe" ])))

        testCase "an unreadable picture is an error at opening: the first of them" (fun () ->
            withUnreadable (fun folder ->
                for threads in [ 1; 3 ] do
                    let open' () = Cnn.Fluent.ImageFolder.Load(folder, ImageFolderOptions(2, 2), threads) |> ignore

                    let error = Assert.Throws<DataFormatException> open'
                    Assert.That(error.File, equalTo (Path.Combine(folder, "a", "2")))))

        testCase "unreadable pictures are reported in their order and left out, where that is asked" (fun () ->
            withUnreadable (fun folder ->
                let reported = List<string>()
                let report = Action<DataFormatException>(fun e -> reported.Add(Path.GetRelativePath(folder, e.File)))
                let data = load (ImageFolderOptions(2, 2, onUnreadable = report)) folder
                Assert.That(List.ofSeq reported, equalTo [ Path.Combine("a", "2"); Path.Combine("b", "4") ])
                Assert.That(List.ofSeq data.Labels, equalTo [ 0; 0; 1 ])

                for i in 0..2 do
                    Assert.That((data.Picture i)[0], equalTo (1.0f / 255.0f))))

        testCase "without checks an unreadable picture is told when it is needed" (fun () ->
            withUnreadable (fun folder ->
                let data = load (ImageFolderOptions(2, 2, checks = false)) folder
                Assert.That(data.Count, equalTo 5)
                let error = Assert.Throws<DataFormatException>(fun () -> data.Picture 1 |> ignore)
                Assert.That(error.File, equalTo (Path.Combine(folder, "a", "2")))))

        testCase "a file that vanishes or breaks after opening is told by its name" (fun () ->
            inFolder (fun folder ->
                put folder "a/1" sound
                put folder "a/2" sound
                let data = load (ImageFolderOptions(2, 2, cacheBytes = 0L)) folder
                File.Delete(Path.Combine(folder, "a", "1"))
                put folder "a/2" sound[..40]
                let vanished = Assert.Throws<FileNotFoundException>(fun () -> data.Picture 0 |> ignore)
                Assert.That(vanished.FileName, equalTo (Path.Combine(folder, "a", "1")))
                let broken = Assert.Throws<DataFormatException>(fun () -> data.Picture 1 |> ignore)
                Assert.That(broken.File, equalTo (Path.Combine(folder, "a", "2")))))

        testCase "a cached picture is not read again" (fun () ->
            inFolder (fun folder ->
                put folder "a/1" sound
                put folder "a/2" sound
                let data = load (ImageFolderOptions(2, 2, cacheBytes = 12L)) folder
                Directory.Delete(folder, true)
                Directory.CreateDirectory folder |> ignore
                Assert.That((data.Picture 0)[0], equalTo (1.0f / 255.0f))
                Assert.Throws<DirectoryNotFoundException>(fun () -> data.Picture 1 |> ignore) |> ignore))

        testCase "folders without classes or pictures are refused" (fun () ->
            inFolder (fun folder ->
                let load folder () = load (ImageFolderOptions(2, 2)) folder |> ignore
                Assert.Throws<DirectoryNotFoundException>(load (Path.Combine(folder, "nowhere"))) |> ignore
                Assert.Throws<DirectoryNotFoundException>(load folder) |> ignore
                Directory.CreateDirectory(Path.Combine(folder, "a")) |> ignore
                Assert.Throws<FileNotFoundException>(load folder) |> ignore))

        testCase "both parts of a set must have the same classes" (fun () ->
            inFolder (fun folder ->
                for name in [ "train/a/1"; "train/b/1"; "test/a/1" ] do
                    put folder name sound

                let options = ImageFolderOptions(2, 2)
                let loadSplit () = ImageFolder.loadSplit (SequentialScheduler()) options folder CancellationToken.None
                let error = Assert.Throws<ArgumentException>(fun () -> loadSplit () |> ignore)
                Assert.That(error.Message, containing "a, b")
                put folder "test/b/1" sound
                put folder "test/b/2" sound
                Assert.That(((loadSplit ()).Train.Count, (loadSplit ()).Test.Count), equalTo (2, 3))))

        testCase "options that cannot be met are refused" (fun () ->
            let refused (create: unit -> ImageFolderOptions) =
                Assert.Catch<ArgumentException>(fun () -> create () |> ignore) |> ignore

            refused (fun () -> ImageFolderOptions(0, 2))
            refused (fun () -> ImageFolderOptions(2, -2))
            refused (fun () -> ImageFolderOptions(2, 2, 2))
            refused (fun () -> ImageFolderOptions(2, 2, cacheBytes = -1L))
            refused (fun () -> ImageFolderOptions(2, 2, checks = false, onUnreadable = Action<_> ignore)))

        testCase "cats and dogs: 2,000 and 500 pictures of each class, of 32×32 pixels" (fun () ->
            let set = Cnn.Fluent.ImageFolder.LoadSplit(samples "catdog32", ImageFolderOptions(32, 32))
            let counts (data: Dataset) = data.Labels |> Seq.countBy id |> List.ofSeq
            Assert.That(counts set.Train, equalTo [ 0, 2000; 1, 2000 ])
            Assert.That(counts set.Test, equalTo [ 0, 500; 1, 500 ])
            Assert.That(List.ofSeq set.Train.ClassNames, equalTo [ "cat"; "dog" ])
            let first = Image.load (Path.Combine(samples "catdog32", "train", "cat", "00000.png"))

            Assert.That(
                set.Train.Picture 0,
                equalTo (Array.map (fun b -> float32 b / 255.0f) (first.Pixels.ToArray()))
            ))
    ]
