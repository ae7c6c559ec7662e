/// NumPy's files: what is read, what is written, and what bad bytes get.
module Cnn.Tests.Formats.NumPyLaws

open System
open System.IO
open System.IO.Compression
open System.Text
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private types = [
    ElementType.Boolean
    ElementType.UInt8
    ElementType.Int8
    ElementType.UInt16
    ElementType.Int16
    ElementType.UInt32
    ElementType.Int32
    ElementType.UInt64
    ElementType.Int64
    ElementType.Float16
    ElementType.Float32
    ElementType.Float64
    ElementType.Complex64
]

/// An array of any type and up to four axes, some of them empty.
let private arrayOf seed name =
    let key = Key.ofSeed seed
    let below n at = key.Below(n, int64 at)
    let elementType = types[below types.Length 0]

    let shape =
        Shape.Of(Array.init (below 5 1) (fun axis -> if below 12 2 = 0 then 0 else 1 + below 4 (3 + axis)))

    let most = if elementType = ElementType.Boolean then 2 else 256

    {
        Name = name
        Shape = shape
        Type = elementType
        Data =
            ReadOnlyMemory(
                Array.init (shape.Size * NamedArray.bits elementType / 8) (fun i -> byte (below most (8 + i)))
            )
        Offset = 0L
    }

let private content (array: NamedArray) =
    array.Name, string array.Shape, array.Type, Convert.ToHexString array.Data.Span

let private read name (bytes: byte[]) = NumPy.readNpy "file" name (ReadOnlyMemory bytes)

/// A .npy file of a header and data.
let private npy (major: byte) (header: string) (data: byte[]) =
    let length = BitConverter.GetBytes header.Length
    let length = if major = 1uy then Array.truncate 2 length else length
    Array.concat [ [| 0x93uy |]; "NUMPY"B; [| major; 0uy |]; length; Encoding.Latin1.GetBytes header; data ]

let private refusal (bytes: byte[]) = Assert.Throws<DataFormatException>(fun () -> read "a" bytes |> ignore)

let private header descr order shape = $"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"

/// Headers that are refused, and what the message must say of them.
let private badHeaders = [
    header "'|O'" "False" "(1,)", "pickled"
    header "[('x', '<f4')]" "False" "(1,)", "structured"
    header "'<f16'" "False" "(1,)", "<f16"
    header "'|V2'" "False" "(1,)", "|V2"
    header "'|f4'" "False" "(1,)", "byte order"
    header "''" "False" "(1,)", "element type"
    header "'<f4'" "0" "(1,)", "True or False"
    header "'<f4'" "Falsely" "(1,)", "True or False"
    header "'<f4'" "False" "(-1,)", "tuple"
    header "'<f4'" "False" "(3)", "tuple"
    header "'<f4'" "False" "[3]", "tuple"
    header "'<f4'" "False" "(2000000000, 2000000000)", "elements"
    header "'<f4'" "False" "(99999999999999999999,)", "extents"
    header "'<f4'" "False" "(7,)", "elements of the array"
    "{'descr': '<f4', 'shape': (1,)}", "without one"
    "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "twice"
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", "no members but"
    "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "comma"
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "member"
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "comma"
    "[]", "dictionary"
    "", "dictionary"
    String(' ', 10_001), "at most 10000"
]

let private zip (entries: (string * byte[]) list) =
    use target = new MemoryStream()

    (use archive = new ZipArchive(target, ZipArchiveMode.Create, true)

     for name, bytes in entries do
         use stream = archive.CreateEntry(name, CompressionLevel.SmallestSize).Open()
         stream.Write(ReadOnlySpan bytes))

    target.ToArray()

let private archiveRefusal bytes =
    ((Assert.Throws<DataFormatException>(fun () -> NumPy.readNpz "file" bytes |> ignore))).Message

let tests =
    testList "NumPy" [
        testProperty "readNpy ∘ writeNpy is the identity" (fun (seed: int) ->
            let array = arrayOf seed "a"
            same (content array) (content (read "a" (NumPy.writeNpy array))))

        testProperty
            "readNpz ∘ writeNpz is the identity, and equal contents are equal bytes"
            (fun (seed: int) (count: byte) ->
                let arrays = [ for i in 0 .. int count % 5 -> arrayOf (seed + i) ("layer_" + string i + "/kernel") ]
                let bytes = NumPy.writeNpz arrays

                all [
                    same (List.map content arrays) (List.map content (NumPy.readNpz "file" bytes))
                    same bytes (NumPy.writeNpz arrays)
                ])

        testProperty "column-major elements are read row-major: a[i,j,k] stands at i + n(j + mk)" (fun (rows: Rows) ->
            let n, m, l = rows.Count, rows.Features, 1 + rows.Seed % 3
            let header = $"{{'fortran_order': True, 'shape': ({n}, {m}, {l}), 'descr': '<u2'}}"
            let data = [| for at in 0 .. n * m * l - 1 -> uint16 at |] |> Array.collect BitConverter.GetBytes

            let expected =
                Tensor.init (Shape.Of(n, m, l)) (fun p -> float32 (p / (m * l) + n * (p / l % m + m * (p % l))))

            exact expected (NamedArray.toTensor "file" (read "a" (npy 1uy header data))))

        testProperty "the larger byte may come first, in any version" (fun (values: NormalFloat list) ->
            let values = [| for v in values -> v.Get |]

            let bytes order =
                values
                |> Array.collect (fun v -> let b = BitConverter.GetBytes v in (if order = '>' then Array.rev b else b))

            all [
                for order in [ '<'; '>' ] do
                    for version in [ 1uy; 2uy; 3uy ] do
                        let header =
                            $"{{ \"descr\":'{order}f8','shape':({values.Length}L,),'fortran_order':False }}   \n"

                        let array = read "a" (npy version header (bytes order))
                        exact (Tensor.ofArray (Shape.Of values.Length) values) (NamedArray.toTensor "file" array)
            ])

        testCase "a header is refused by name" (fun () ->
            for header, word in badHeaders do
                Assert.That((refusal (npy 2uy header (Array.zeroCreate 4))).Message, containing word, header))

        testCase "magic and version are refused with their offset" (fun () ->
            let sound = npy 1uy (header "'<f4'" "False" "()") (Array.zeroCreate 4)
            Assert.That((read "a" sound).Shape, equalTo (Shape.Of()))
            Assert.That((refusal (Array.updateAt 0 0uy sound)).Offset, equalTo 0L)
            Assert.That((refusal (Array.updateAt 6 4uy sound)).Offset, equalTo 6L)
            Assert.That((refusal (Array.truncate (sound.Length - 1) sound)).Offset, equalTo (int64 sound.Length - 4L)))

        testCase "a compressed archive is read, a bomb, a twin and a changed byte are not" (fun () ->
            let array = arrayOf 8 "x"
            let entry = NumPy.writeNpy array

            Assert.That(
                List.map content (NumPy.readNpz "file" (zip [ "x.npy", entry; "README", entry ])),
                equalTo [ content array ]
            )

            let zeros = npy 1uy (header "'|u1'" "False" "(80000000,)") (Array.zeroCreate 80000000)
            Assert.That(archiveRefusal (zip [ "x.npy", zeros ]), containing "100 times")
            Assert.That(archiveRefusal (zip [ "x.npy", entry; "x.npy", entry ]), containing "twice")
            Assert.That(archiveRefusal entry, containing "ZIP")

            let stored =
                NumPy.writeNpz [ { array with Type = ElementType.UInt8; Shape = Shape.Of array.Data.Length } ]

            let at = MemoryExtensions.IndexOf(ReadOnlySpan stored, array.Data.Span)
            Assert.That(archiveRefusal (Array.updateAt at (stored[at] ^^^ 1uy) stored), containing "checksum"))

        testCase "what NumPy has no elements for, has gaps, or has one name twice is not written" (fun () ->
            let array = arrayOf 8 "x"

            let refused (words: string) (act: unit -> byte[]) =
                Assert.That((Assert.Catch<ArgumentException>(fun () -> act () |> ignore)).Message, containing words)

            for bad in [ ElementType.BFloat16; ElementType.Float8E4M3; ElementType.Float4 ] do
                refused ("no elements of type " + string bad) (fun () -> NumPy.writeNpy { array with Type = bad })

            let longer = { array with Data = ReadOnlyMemory(Array.append (array.Data.ToArray()) [| 0uy |]) }
            refused (string longer.Data.Length + " bytes") (fun () -> NumPy.writeNpy longer)
            refused "Two arrays are named x" (fun () -> NumPy.writeNpz [ array; array ]))

        testCase "damaged files give arrays or a DataFormatException" (fun () ->
            let arrays = [ for seed in 1..6 -> arrayOf seed ("a" + string seed) ]
            Fuzzing.survives (List.map NumPy.writeNpy arrays) (read "a" >> ignore)
            let archives = [ NumPy.writeNpz arrays; zip [ for a in arrays -> a.Name + ".npy", NumPy.writeNpy a ] ]
            Fuzzing.survives archives (NumPy.readNpz "file" >> ignore))

        testSequencedGroup "processes"
        <| testCase "NumPy reads what we write and writes the same bytes; we read what it writes" (fun () ->
            // So long a header that the room that NumPy leaves for growth decides its length.
            let long = {
                Name = "long"
                Shape = Shape.Of [| 1000; 0; yield! Array.create 16 1 |]
                Type = ElementType.Float32
                Data = ReadOnlyMemory.Empty
                Offset = 0L
            }

            let arrays = long :: [ for seed in 1..60 -> arrayOf seed ("layer_" + string seed + "/kernel") ]

            Python.script
                [ "numpy" ]
                "numpy_check.py"
                (fun folder ->
                    File.WriteAllBytes(Path.Combine(folder, "ours.npz"), NumPy.writeNpz arrays)

                    for array in arrays do
                        File.WriteAllBytes(
                            Path.Combine(folder, array.Name.Replace('/', '-') + ".npy"),
                            NumPy.writeNpy array
                        ))
                (fun folder _ ->
                    for file in [ "theirs.npz"; "compressed.npz"; "fortran.npz" ] do
                        let found = NumPy.readNpz file (File.ReadAllBytes(Path.Combine(folder, file)))
                        Assert.That(List.map content found, equalTo (List.map content arrays), file)))
    ]
