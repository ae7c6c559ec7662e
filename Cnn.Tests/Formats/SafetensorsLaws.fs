/// The safetensors format: what is written, what is read, and what bad bytes get.
module Cnn.Tests.Formats.SafetensorsLaws

open System
open System.Buffers.Binary
open System.Text
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private types = Enum.GetValues<ElementType>()

/// Any bytes as elements of a type: as many as fill a shape.
let private array (r: Rows) number : NamedArray =
    let elementType = types[(r.Seed + 7 * number) % types.Length]
    // A multiple of 8 elements fills whole bytes, whatever the type.
    let shape =
        if number % 4 = 3 then
            Shape.Of(0, r.Features)
        else
            Shape.Of(r.Count, 4, 2 * number)

    let key = Key.ofSeed (r.Seed + number)
    let length = shape.Size * NamedArray.bits elementType / 8

    {
        Name = "layer_" + string (r.Features - number) + "/käse \"" + string number + "\""
        Shape = shape
        Type = elementType
        Data = ReadOnlyMemory(Array.init length (fun i -> byte (key.Below(256, int64 i))))
        Offset = 0L
    }

let private (|Contents|) (r: Rows) =
    let texts = Map [ for i in 1 .. r.Count -> "key" + string i, "{\"näme\": [1, 2]}\n" + string r.Seed ]
    texts, [ for number in 1 .. r.Features -> array r number ]

let private view (array: NamedArray) = array.Name, string array.Shape, array.Type, Convert.ToHexString array.Data.Span

let private read (bytes: byte[]) = Safetensors.read "file" (ReadOnlyMemory bytes)

/// Bits of any kind, NaN with payloads among them.
let private anyBits seed (shape: Shape) =
    let key = Key.ofSeed seed
    let draw i = uint32 (key.Below(65536, 2L * i)) <<< 16 ||| uint32 (key.Below(65536, 2L * i + 1L))
    let singles = Tensor.init shape (fun i -> BitConverter.UInt32BitsToSingle(draw (int64 i)))

    let doubles =
        Tensor.init shape (fun i ->
            BitConverter.UInt64BitsToDouble(uint64 (draw (int64 i)) <<< 32 ||| uint64 (draw (int64 i + 7L))))

    singles, doubles

/// Bytes of one array in a file of nothing else.
let private one elementType (hex: string) : Tensor<float> =
    let data = Convert.FromHexString hex
    let count = data.Length * 8 / NamedArray.bits elementType

    NamedArray.toTensor "file" {
        Name = "x"
        Shape = Shape.Of count
        Type = elementType
        Data = ReadOnlyMemory data
        Offset = 0L
    }

/// A file of a header as it is given, and so many bytes of data.
let private file (header: string) (data: int) =
    let text = Encoding.UTF8.GetBytes header
    let length = Array.zeroCreate 8
    BinaryPrimitives.WriteUInt64LittleEndian(Span length, uint64 text.Length)
    Array.concat [ length; text; Array.zeroCreate data ]

let private array32 name shape first last =
    "\""
    + name
    + "\":{\"dtype\":\"F32\",\"shape\":"
    + shape
    + ",\"data_offsets\":["
    + first
    + ","
    + last
    + "]}"

/// The rules of the format's README, and the cases of its reference implementation.
let private refused = [
    "no length", Array.zeroCreate 7, 0L
    "nothing at all", [||], 0L
    "a header that is too long", Array.append [| 0xFFuy; 0xFFuy; 0xFFuy; 0x7Fuy |] (Array.zeroCreate 4), 0L
    "a header beyond the end", Array.append [| 3uy |] (Array.append (Array.zeroCreate 7) [| 0x7Buy; 0x7Duy |]), 8L
    "half an object", file "{" 0, 9L
    "no text", [| 1uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0xFFuy |], 8L
    "no object", file "[]" 0, 8L
    "text after the object", file "{}x" 0, 10L
    "an array twice", file ("{" + array32 "a" "[1]" "0" "4" + "," + array32 "a" "[0]" "4" "4" + "}") 4, 62L
    "metadata that are no texts", file "{\"__metadata__\":{\"a\":1}}" 0, 29L
    "metadata that are no object", file "{\"__metadata__\":null}" 0, 24L
    "an unknown type", file "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}" 4, 22L
    "a negative extent", file ("{" + array32 "a" "[-1]" "0" "4" + "}") 4, 37L
    "a broken extent", file ("{" + array32 "a" "[1.0]" "0" "4" + "}") 4, 37L
    "a shape that overflows", file ("{" + array32 "a" "[2,18446744073709551614]" "0" "4" + "}") 4, 39L
    "a shape that overflows 64 bits", file ("{" + array32 "a" "[4294967296,4294967296]" "0" "4" + "}") 4, 28L
    "too few bytes for the shape", file ("{" + array32 "a" "[2]" "0" "4" + "}") 4, 13L
    "an end before the begin", file ("{" + array32 "a" "[0]" "4" "0" + "}") 4, 40L
    "a gap at the start", file ("{" + array32 "a" "[1]" "4" "8" + "}") 8, 62L
    "a gap", file ("{" + array32 "a" "[1]" "0" "4" + "," + array32 "b" "[1]" "8" "12" + "}") 12, 120L
    "an overlap", file ("{" + String.Join(",", [ for i in 0..9 -> array32 (string i) "[4]" "0" "16" ]) + "}") 16, 565L
    "data that are missing", file ("{" + array32 "a" "[1]" "0" "4" + "}") 3, 65L
    "data too many", file ("{" + array32 "a" "[1]" "0" "4" + "}") 5, 66L
    "no type", file "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}" 4, 13L
    "half a surrogate pair", file "{\"\\ud800\":{}}" 0, 9L
    "nesting without end", file ("{\"a\":" + String('[', 100000)) 0, -1L
]

let tests =
    testList "safetensors" [
        testProperty
            "read ∘ write is the identity, whatever the types, shapes and names"
            (fun (Contents(texts, arrays)) ->
                let file = read (Safetensors.write texts arrays)

                all [
                    same texts file.Metadata
                    same (arrays |> List.map view |> List.sort) (file.Arrays |> List.map view |> List.sort)
                ])

        testProperty
            "equal contents give equal bytes, aligned, and the offset of an array is where it stands"
            (fun (Contents(texts, arrays)) ->
                let bytes = Safetensors.write texts arrays
                let header = BinaryPrimitives.ReadUInt64LittleEndian(ReadOnlySpan bytes)
                let file = read bytes

                all [
                    same bytes (Safetensors.write texts (List.rev arrays))
                    same 0UL (header % 8UL)
                    same (byte '{') bytes[8]

                    for array in file.Arrays do
                        same
                            (Convert.ToHexString array.Data.Span)
                            (Convert.ToHexString(bytes, int array.Offset, array.Data.Length))
                ])

        // Widest first: every array is aligned to its elements.
        testProperty "arrays stand by falling width, then by name" (fun (Contents(texts, arrays)) ->
            let order = (read (Safetensors.write texts arrays)).Arrays |> List.map (fun a -> -int a.Type, a.Name)

            same
                (List.sortWith (fun (s, m) (t, n) -> if s <> t then compare s t else String.CompareOrdinal(m, n)) order)
                order)

        testProperty "toTensor ∘ ofTensor is the identity, bit for bit" (fun (r: Rows) ->
            let singles, doubles = anyBits r.Seed (Shape.Of(r.Count, r.Features))
            let back (tensor: Tensor<'T>) : Tensor<'T> = NamedArray.toTensor "file" (NamedArray.ofTensor "x" tensor)
            let bits32 (t: Tensor<float32>) = t.ToArray() |> Array.map BitConverter.SingleToUInt32Bits
            let bits64 (t: Tensor<float>) = t.ToArray() |> Array.map BitConverter.DoubleToUInt64Bits
            all [ same (bits32 singles) (bits32 (back singles)); same (bits64 doubles) (bits64 (back doubles)) ])

        testCase "numbers of every width become what they stand for" (fun () ->
            let is (expected: float list) elementType hex =
                Assert.That((one elementType hex).ToArray(), equalTo (Array.ofList expected), string elementType)

            is [ 0.0; 1.0 ] ElementType.Boolean "0001"
            is [ 1.0; 255.0 ] ElementType.UInt8 "01FF"
            is [ 1.0; -1.0 ] ElementType.Int8 "01FF"
            is [ 258.0; -2.0 ] ElementType.Int16 "0201FEFF"
            is [ 65534.0 ] ElementType.UInt16 "FEFF"
            is [ 1.5; -2.0; 65504.0 ] ElementType.Float16 "003E00C0FF7B"
            is [ 1.5; -2.0 ] ElementType.BFloat16 "C03F00C0"
            is [ -2.0 ] ElementType.Int32 "FEFFFFFF"
            is [ 4294967294.0 ] ElementType.UInt32 "FEFFFFFF"
            is [ 1.5 ] ElementType.Float32 "0000C03F"
            is [ 1.5 ] ElementType.Float64 "000000000000F83F"
            is [ -2.0 ] ElementType.Int64 "FEFFFFFFFFFFFFFF"
            is [ 18446744073709551615.0 ] ElementType.UInt64 "FFFFFFFFFFFFFFFF"

            for other in [ ElementType.Complex64; ElementType.Float4; ElementType.Float8E5M2 ] do
                Assert.Throws<DataFormatException>(fun () -> one other "0000000000000000" |> ignore) |> ignore)

        testCase "the smallest file is sixteen bytes" (fun () ->
            let bytes = Safetensors.write Map.empty []
            Assert.That(Convert.ToHexString bytes, equalTo "08000000000000007B7D202020202020")
            Assert.That((read (file "{}" 0)).Arrays, isEmpty))

        // The reference implementation takes white space on both sides of the object, scalars and empty arrays.
        testCase "what other writers write is read" (fun () ->
            let header =
                " {\"b\":{\"shape\":[],\"dtype\":\"F32\",\"data_offsets\":[0,4],\"comment\":{\"x\":[1]}},\n"
                + "\"a\":{\"dtype\":\"I64\",\"shape\":[3,0],\"data_offsets\":[4,4]}} \n"

            let arrays = (read (file header 4)).Arrays

            Assert.That(
                arrays |> List.map (fun a -> a.Name, a.Shape, a.Data.Length),
                equalTo [ "b", Shape.Of(), 4; "a", Shape.Of(3, 0), 0 ]
            ))

        testCase "a file that breaks a rule is refused where it does" (fun () ->
            for name, bytes, offset in refused do
                let error = Assert.Throws<DataFormatException>(fun () -> read bytes |> ignore)
                Assert.That(error.File, equalTo "file")

                if offset >= 0L then
                    Assert.That(error.Offset, equalTo offset, name + ": " + error.Message))

        testCase "what would not be read is not written" (fun () ->
            let array = NamedArray.ofTensor "a" (Tensor.zeros (Shape.Of 3): Tensor<float32>)

            let refuses arrays =
                Assert.Throws<ArgumentException>(fun () -> Safetensors.write Map.empty arrays |> ignore) |> ignore

            refuses [ array; array ]
            refuses [ { array with Name = "__metadata__" } ]

            Assert.Throws<ShapeException>(fun () ->
                Safetensors.write Map.empty [ { array with Shape = Shape.Of 4 } ] |> ignore)
            |> ignore)

        testCase "damaged safetensors files give arrays or a DataFormatException" (fun () ->
            let (Contents(texts, arrays)) = { Count = 2; Features = 4; Seed = 3 }

            Fuzzing.survives
                [ Safetensors.write texts arrays; file ("{" + array32 "a" "[2,3]" "0" "24" + "}") 24 ]
                (read >> ignore))
    ]
