/// MAT-files of level 5 and SVHN's format 2: what is read, and what bad bytes get.
module Cnn.Tests.Formats.MatFileLaws

open System
open System.Buffers.Binary
open System.IO
open System.Security.Cryptography
open System.Text
open System.Text.Json
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Formats.Bytes
open Cnn.Tests.Laws.Law

/// The format in one byte order, as its description says.
type private Writer(isBig: bool) =

    let word (n: int) =
        let bytes = Array.zeroCreate 4

        if isBig then
            BinaryPrimitives.WriteInt32BigEndian(Span bytes, n)
        else
            BinaryPrimitives.WriteInt32LittleEndian(Span bytes, n)

        bytes

    let padding n = Array.zeroCreate<byte>(-n &&& 7)

    member _.Header = [|
        yield! Encoding.ASCII.GetBytes("MATLAB 5.0 MAT-file".PadRight 124)
        yield! if isBig then [| 1uy; 0uy |] else [| 0uy; 1uy |]
        yield! if isBig then "MI"B else "IM"B
    |]

    /// An element in the usual form.
    member _.Large(kind: int, payload: byte[]) =
        Array.concat [ word kind; word payload.Length; payload; padding payload.Length ]

    /// An element in the short form where it fits.
    member this.Element(kind: int, payload: byte[]) =
        if payload.Length > 4 || payload.Length = 0 then
            this.Large(kind, payload)
        else
            Array.concat [ word (kind ||| (payload.Length <<< 16)); payload; Array.zeroCreate (4 - payload.Length) ]

    /// A variable: its class, whether it is complex, and the type of its elements.
    member this.Array(name: string, extents: int list, kind, isComplex, stored, data: byte[]) =
        let parts = [
            this.Large(6, Array.append (word (kind ||| (if isComplex then 0x800 else 0))) (word 0))
            this.Large(5, extents |> List.map word |> Array.concat)
            this.Element(1, Encoding.ASCII.GetBytes name)
            this.Element(stored, data)
            if isComplex then
                this.Element(stored, data)
        ]

        this.Large(14, Array.concat parts)

    /// A compressed element, which has no padding.
    member _.Compressed(element: byte[]) =
        let packed = zlib element
        Array.concat [ word 15; word packed.Length; packed ]

    /// The numbers in the bytes of a type.
    member _.Numbers(stored: MatType, values: int[]) =
        let bytes (n: int) =
            match stored with
            | MatType.Int8 -> [| byte (sbyte n) |]
            | MatType.UInt8 -> [| byte n |]
            | MatType.Int16 -> BitConverter.GetBytes(int16 n)
            | MatType.UInt16 -> BitConverter.GetBytes(uint16 n)
            | MatType.Int32 -> BitConverter.GetBytes n
            | MatType.UInt32 -> BitConverter.GetBytes(uint32 n)
            | MatType.Single -> BitConverter.GetBytes(float32 n)
            | MatType.Double -> BitConverter.GetBytes(float n)
            | MatType.Int64 -> BitConverter.GetBytes(int64 n)
            | _ -> BitConverter.GetBytes(uint64 n)

        values |> Array.collect (bytes >> if isBig then Array.rev else id)

let private types = [|
    MatType.Int8
    MatType.UInt8
    MatType.Int16
    MatType.UInt16
    MatType.Int32
    MatType.UInt32
    MatType.Single
    MatType.Double
    MatType.Int64
    MatType.UInt64
|]

/// A file of format 2; pictures row by row, channels last, labels 1 … 10.
let private svhn isBig isCompressed (height, width, pictures: byte[] list, stored, labels: int[]) =
    let writer = Writer isBig
    let count = pictures.Length

    let column =
        Array.init (height * width * 3 * count) (fun i ->
            let y, x, c = i % height, i / height % width, i / (height * width) % 3
            pictures[i / (height * width * 3)][(y * width + x) * 3 + c])

    let wrap = if isCompressed then writer.Compressed else id

    Array.concat [
        writer.Header
        wrap (writer.Array("X", [ height; width; 3; count ], 9, false, 2, column))
        wrap (writer.Array("y", [ count; 1 ], 6, false, int stored, writer.Numbers(stored, labels)))
    ]

let private (|House|) (r: Rows) =
    let height, width = 2 + r.Features % 5, 3 + r.Seed % 2
    let pictures = [ for i in 1 .. r.Count -> random (r.Seed + i) (height * width * 3) ]
    let labels = random r.Seed r.Count |> Array.map (fun b -> 1 + int b % 10)
    height, width, pictures, types[r.Features % types.Length], labels

let private header = (Writer false).Header
let private withY (variable: byte[]) = Array.append header variable

let tests =
    testList "MAT-files" [
        testProperty
            "parse ∘ write is the identity for every type, in both byte orders, compressed or not"
            (fun (r: Rows) (isBig: bool) ->
                let writer = Writer isBig
                let values = random r.Seed (r.Count * r.Features) |> Array.map (fun b -> int b % 128)

                all [
                    for stored in types do
                        let data = writer.Numbers(stored, values)
                        let element = writer.Array("values", [ r.Count; r.Features ], 6, false, int stored, data)
                        let other = writer.Array("other", [ 1; 1 ], 6, false, 2, [| 7uy |])

                        for file in
                            [
                                [ writer.Header; other; element; other ]
                                [ writer.Header; writer.Compressed other; writer.Compressed element ]
                            ] do
                            match MatFile.parse "file" [ "values" ] (Array.concat file) with
                            | [ found ] ->
                                same [| r.Count; r.Features |] found.Extents
                                same stored found.Stored
                                same (Array.map float values) (MatFile.numbers found)
                            | found -> same 1 found.Length
                ])

        testProperty
            "SVHN: parse ∘ write is the identity, and label 10 is the digit 0"
            (fun (House house) (isBig: bool) (isPacked: bool) ->
                let height, width, pictures, _, labels = house
                let file = svhn isBig isPacked house

                all [
                    for set in [ Svhn.Parse("file", file); Svhn.Read("file", trickle (gzip file)) ] do
                        same (Shape.Of(height, width, 3)) set.Shape
                        same (labels |> Array.map (fun label -> label % 10) |> List.ofArray) (List.ofSeq set.Labels)

                        same
                            true
                            (List.map (fun b -> float32 b / 255.0f) (List.collect List.ofArray pictures) = pixels set)
                ])

        testProperty "a label that is none of 1 … 10 is refused at its place" (fun (House house) ->
            let height, width, pictures, _, labels = house

            let file bad =
                let labels = Array.mapi (fun i label -> if i = labels.Length - 1 then bad else label) labels
                svhn false false (height, width, pictures, MatType.UInt16, labels)

            let sound = file 1
            let y = List.exactlyOne (MatFile.parse "file" [ "y" ] sound)

            all [
                for bad in [ 0; 11 ] do
                    let error = refusal (fun () -> Svhn.Parse("file", file bad))
                    same (y.Offset + 2L * int64 (labels.Length - 1)) error.Offset
            ])

        // Named by the variable that is wrong: pictures of four axes, of bytes, at least one, and a label for each.
        testCase "pictures and labels that do not go together are refused" (fun () ->
            let writer = Writer false

            let refused words extents stored (data: byte[]) labels =
                let file =
                    Array.concat [
                        writer.Header
                        writer.Array("X", extents, 9, false, stored, data)
                        writer.Array("y", [ labels; 1 ], 6, false, 2, Array.create labels 1uy)
                    ]

                Assert.That((refusal (fun () -> Svhn.Parse("file", file))).Message, containing (words: string))

            refused "X of rows×columns×channels×pictures" [ 2; 6 ] 2 (Array.zeroCreate 12) 1
            refused "X of unsigned bytes" [ 1; 2; 3; 1 ] 1 (Array.zeroCreate 6) 1
            refused "at least one picture" [ 2; 2; 3; 0 ] 2 [||] 0
            refused "1 label in y, one for each picture of X" [ 1; 2; 3 ] 2 (Array.zeroCreate 6) 2
            refused "2 labels in y, one for each picture of X" [ 1; 2; 3; 2 ] 2 (Array.zeroCreate 12) 1)

        testCase "version 7.3, level 4 and files of another kind are refused by name" (fun () ->
            let refused (file: byte[]) = (refusal (fun () -> MatFile.parse "file" [] file)).Message

            let hdf = Array.copy header
            hdf[124] <- 0uy
            hdf[125] <- 2uy
            Assert.That(refused hdf, containing "7.3")

            Assert.That(
                refused (Array.append [| 0x89uy; 72uy; 68uy; 70uy |] (Array.create 600 1uy)),
                containing "HDF5"
            )

            Assert.That(refused [| 0uy; 0uy; 0uy; 0uy; 1uy; 0uy; 0uy; 0uy |], containing "level 4")
            Assert.That(refused (Array.create 200 32uy), containing "byte order")
            Assert.That(refused [||], containing "0 bytes"))

        testCase "what is no array of real numbers is passed over, or refused where it is looked for" (fun () ->
            let writer = Writer false

            let others = [
                writer.Array("complex", [ 1; 2 ], 6, true, 9, Array.zeroCreate 16)
                writer.Array("text", [ 1; 2 ], 4, false, 16, "ab"B)
                writer.Large(14, writer.Large(6, Array.append [| 17uy; 0uy; 0uy; 0uy |] (Array.zeroCreate 4)))
                writer.Large(99, [| 1uy; 2uy; 3uy |])
                writer.Large(14, [||])
            ]

            let file =
                Array.concat [ header; Array.concat others; writer.Array("y", [ 1; 1 ], 9, false, 2, [| 5uy |]) ]

            Assert.That((MatFile.parse "file" [ "y" ] file).Length, equalTo 1)
            Assert.That((refusal (fun () -> MatFile.parse "file" [ "complex" ] file)).Actual, containing "complex")
            Assert.That((refusal (fun () -> MatFile.parse "file" [ "text" ] file)).Actual, containing "class 4")
            Assert.That((refusal (fun () -> Svhn.Parse("file", file))).Expected, containing "variable X"))

        testCase "extents that do not make up the bytes are refused, however large" (fun () ->
            let writer = Writer false

            for extents in [ [ 2; 2 ]; [ 65536; 65536; 65536; 65536 ]; [ -1; -1 ]; [ 0; -1 ]; [ -1; 0 ] ] do
                let file = withY (writer.Array("y", extents, 9, false, 2, [| 1uy; 2uy; 3uy |]))
                let read () = MatFile.parse "file" [ "y" ] file
                refusal read |> ignore
                Assert.That(cost read, lessThan 1_000_000L))

        testCase "a damaged checksum and a cut end of a compressed variable are refused" (fun () ->
            let writer = Writer false
            let packed = writer.Compressed(writer.Array("y", [ 1; 99 ], 9, false, 2, random 1 99))

            let flipped = Array.copy packed
            flipped[packed.Length - 1] <- flipped[packed.Length - 1] ^^^ 1uy

            let cut = Array.truncate (packed.Length - 2) packed
            BinaryPrimitives.WriteInt32LittleEndian(Span(cut, 4, 4), cut.Length - 8)

            let dictionary = Array.copy packed
            dictionary[9] <- 0xBBuy

            for damaged in [ flipped; cut; dictionary ] do
                refusal (fun () -> MatFile.parse "file" [ "y" ] (withY damaged)) |> ignore)

        testCase "a claim of much memory costs little" (fun () ->
            let claim = [| 14uy; 0uy; 0uy; 0uy; 0xF8uy; 0xFFuy; 0xFFuy; 0x7Fuy |]
            let inside = (Writer false).Array("y", [ 0x7FFFFF00; 1 ], 9, false, 2, [| 1uy |])
            let start = Array.truncate (inside.Length - 8) inside
            let data = [| 2uy; 0uy; 0uy; 0uy; 0x00uy; 0xFFuy; 0xFFuy; 0x7Fuy |]
            let variable = Array.concat [ claim; Array.skip 8 start; data ]

            for file in [ withY variable; withY ((Writer false).Compressed variable); gzip (withY variable) ] do
                let read () = MatFile.parse "file" [ "y" ] file
                refusal read |> ignore
                Assert.That(cost read, lessThan 2_000_000L))

        testCase "damaged MAT-files give arrays or a DataFormatException" (fun () ->
            let house = 4, 3, [ random 1 36; random 2 36 ], MatType.Double, [| 10; 3 |]

            Fuzzing.survives
                [
                    for isBig in [ false; true ] do
                        for isPacked in [ false; true ] do
                            svhn isBig isPacked house
                ]
                (fun bytes -> Svhn.Parse("file", bytes) |> ignore))

        testCase
            "the sample of format 2: the pixels and labels that its description expects, at the cost of its pixels"
            (fun () ->
                let folder = sharedData "svhn-sample"
                use expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")))
                let hash (bytes: byte[]) = Convert.ToHexStringLower(SHA256.HashData bytes)

                for file in expected.RootElement.GetProperty("files").EnumerateArray() do
                    let path = Path.Combine(folder, nonNull (file.GetString()))
                    let mutable found = None

                    let spent =
                        cost (fun () ->
                            use stream = File.OpenRead path
                            found <- Some(Svhn.Read(path, stream)))

                    let set = found.Value
                    let pixels = pixels set |> List.map (fun v -> byte (Math.Round(float v * 255.0))) |> Array.ofList

                    let labels =
                        set.Labels |> Seq.map (fun digit -> if digit = 0 then 10uy else byte digit) |> Array.ofSeq

                    Assert.That(set.Shape, equalTo (Shape.Of(32, 32, 3)))
                    Assert.That(hash pixels, equalTo (expected.RootElement.GetProperty("x_sha256_nhwc").GetString()))
                    Assert.That(hash labels, equalTo (expected.RootElement.GetProperty("y_sha256").GetString()))
                    Assert.That(spent, lessThan (2L * 921_600L)))

        testCase "a folder of SVHN is read by its official names, with the extra pictures if asked" (fun () ->
            let file label = svhn false true (2, 2, [ random label 12 ], MatType.UInt8, [| label |])

            let files = [
                for part, label in [ "train", 10; "test", 2; "extra", 3 ] -> part + "_32x32.mat", file label
            ]

            inFolder files (fun folder ->
                Assert.That(List.ofSeq (Svhn.Load folder).Train.Labels, equalTo [ 0 ])
                Assert.That(List.ofSeq (Svhn.Load(folder, extra = true)).Train.Labels, equalTo [ 0; 3 ])
                Assert.That(List.ofSeq (Svhn.Load folder).Test.Labels, equalTo [ 2 ])
                File.Delete(Path.Combine(folder, "test_32x32.mat"))
                let error = Assert.Throws<FileNotFoundException>(fun () -> Svhn.Load folder |> ignore)
                Assert.That(error.Message, containing "test_32x32.mat")))
    ]
