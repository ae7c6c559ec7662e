/// Numbers of an outside oracle, read from the folder that the environment variable CNN_SHARED names, or else from the
/// folder `shared` beside the repository.
module Cnn.Tests.Golden.Vectors

open System
open System.IO
open System.Text.Json
open Expecto
open Cnn
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness

/// The folder of the sources that the tests were built from, where they still lie in it.
let repository () =
    let rec up (folder: DirectoryInfo | null) =
        match folder with
        | null -> None
        | folder when File.Exists(Path.Combine(folder.FullName, "Cnn.sln")) -> Some folder.FullName
        | folder -> up folder.Parent

    up (DirectoryInfo AppContext.BaseDirectory)

let private beside () = repository () |> Option.map (fun folder -> Path.Combine(folder, "..", "shared"))

/// The folder with `vectors` and `data`, where there is one.
let shared () =
    match Environment.GetEnvironmentVariable "CNN_SHARED" with
    | null
    | "" -> beside ()
    | folder -> Some folder
    |> Option.filter Directory.Exists

let private ignoreFor (path: string) =
    Assert.Ignore(
        path
        + " was not found. Set the environment variable CNN_SHARED to the folder that holds `vectors` and `data`, "
        + "or put that folder beside the repository under the name `shared`."
    )

/// The cases of a file of vectors; the test is skipped where the file is absent.
let cases file =
    let path =
        match shared () with
        | Some folder -> Path.Combine(folder, "vectors", file)
        | None -> Path.Combine("shared", "vectors", file)

    if not (File.Exists path) then
        ignoreFor path
        []
    else
        let document = JsonDocument.Parse(File.ReadAllBytes path)
        [ for case in document.RootElement.GetProperty("cases").EnumerateArray() -> case ]

/// A field of a case.
let (?) (case: JsonElement) (name: string) = case.GetProperty name

let text (e: JsonElement) =
    match e.GetString() with
    | null -> ""
    | s -> s

let number (e: JsonElement) = e.GetDouble()

let integers (e: JsonElement) = [| for i in e.EnumerateArray() -> i.GetInt32() |]

let list (e: JsonElement) = [ for item in e.EnumerateArray() -> item ]

/// {"shape": […], "data": […]} in the precision of the tensor.
let tensor<'T when 'T: struct and 'T :> System.Numerics.IBinaryFloatingPointIeee754<'T>> (e: JsonElement) : Tensor<'T> =
    let data = [| for v in e?data.EnumerateArray() -> v.GetDouble() |]
    FSharp.Tensor.init (Shape.Of(integers e?shape)) (fun i -> Cnn.Tests.Laws.Closeness.number data[i])

let private largest (t: Tensor<float>) = t.ToArray() |> Array.fold (fun most v -> max most (abs v)) 0.0

/// 1e−10 in float, 1e−4 in float32, relative to a scale: that of the numbers from which cancellation made the result.
/// In float32 that is γₙ of 1,700 roundings: the longest chain of the vectors, a step of the network, takes some 600 (sums
/// of 18, 36, 4 and 20 terms forward, of 45 and 400 back). In float it is what the oracle promises.
let closeAt scale what (expected: JsonElement) (actual: Tensor<'T>) =
    let wanted = tensor<float> expected
    let relative = if typeof<'T> = typeof<float32> then 1e-4 else 1e-10

    if wanted.Shape <> actual.Shape then
        Assert.Fail $"{what}: shape {actual.Shape} instead of {wanted.Shape}"

    for i in 0 .. wanted.Size - 1 do
        let error = abs (real actual.Span[i] - wanted.Span[i])

        if not (error <= relative * scale) then
            Assert.Fail $"{what} at {i}: {actual.Span[i]} instead of {wanted.Span[i]}"

/// The same, relative to the largest value of the tensor.
let close what (expected: JsonElement) (actual: Tensor<'T>) =
    closeAt (largest (tensor<float> expected)) what expected actual

/// The same, relative to the largest value of another tensor, of which the result is a product with factors up to 1.
let closeBy (factor: JsonElement) what expected actual = closeAt (largest (tensor<float> factor)) what expected actual
