/// Draws the files that the README's C# example reads, into the folder given: MNIST's four, photographs of two classes, a seven.
#load "../../Cnn.Samples/Scripts/Cnn.fsx"

open System
open System.Buffers.Binary
open System.IO
open Cnn
open Cnn.FSharp

let folder = fsi.CommandLineArgs[1]
let path (parts: string list) = Path.Combine(Array.ofList (folder :: parts))

/// IDX: 0, 0, 8 for bytes, the number of axes, their extents in big-endian order, the bytes.
let writeIdx name (extents: int list) (bytes: byte[]) =
    let extent (n: int) =
        let bytes = Array.zeroCreate 4
        BinaryPrimitives.WriteInt32BigEndian(Span bytes, n)
        bytes

    let header = [| 0uy; 0uy; 8uy; byte extents.Length; yield! Seq.collect extent extents |]
    File.WriteAllBytes(path [ "mnist"; name ], Array.append header bytes)

let bytesOf (picture: float32[]) = picture |> Array.map (fun value -> byte (255.0f * value + 0.5f))

let writeDigits prefix (digits: Dataset) =
    let pixels = Array.concat [ for i in 0 .. digits.Count - 1 -> bytesOf (digits.Picture i) ]

    writeIdx (prefix + "-images-idx3-ubyte") [ digits.Count; 28; 28 ] pixels
    writeIdx (prefix + "-labels-idx1-ubyte") [ digits.Count ] (digits.Labels |> Seq.map byte |> Array.ofSeq)

for sub in [ "mnist"; "photographs/cat"; "photographs/dog" ] do
    Directory.CreateDirectory(path [ sub ]) |> ignore

let test = Cnn.Fluent.SyntheticDigits.Create(500, seed = 1)
writeDigits "train" (Cnn.Fluent.SyntheticDigits.Create(3000, seed = 0))
writeDigits "t10k" test

let save name (pictures: Dataset) i =
    let shape = pictures.Shape

    Image.Of(shape[0], shape[1], shape[2], ReadOnlySpan(bytesOf (pictures.Picture i)))
    |> Image.save (path [ name ])

save "seven.png" test (Seq.findIndex ((=) 7) test.Labels)

let colours = Cnn.Fluent.SyntheticDigits.CreateColor 8

for i in 0 .. colours.Count - 1 do
    let animal = if i % 2 = 0 then "cat" else "dog"
    save $"photographs/{animal}/{i}.png" colours i
