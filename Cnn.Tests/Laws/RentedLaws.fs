/// Memory of the shared pool comes back whatever happens to who rents it.
module Cnn.Tests.Laws.RentedLaws

open System
open System.Buffers
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Law

/// A failure in the midst of work.
exception private Broken

/// An array of a length that was rented and given back is the one that the same thread rents next. So work that rents one
/// of that length, and fails, has given it back where it is rented again.
let private comesBack<'T> length (work: unit -> unit) =
    let pool = ArrayPool<'T>.Shared
    let array = pool.Rent length
    pool.Return array
    Assert.Catch<exn> work |> ignore
    let next = pool.Rent length
    pool.Return next
    Assert.That(obj.ReferenceEquals(array, next))

let private brokenScheduler = {
    new IScheduler with
        member _.Threads = 1
        member _.For(_, _) = raise Broken
}

let private brokenPictures =
    Dataset.Create(Shape.Of(50, 60, 1), [ 0 ], [ "a" ], (fun _ _ -> raise Broken))

let tests =
    testList "rented" [
        testCase "a loss that meets a wrong label" (fun () ->
            let scores: Tensor<float> = Tensor.zeros (Shape.Of(2, 1000))
            let labels = Labels(ReadOnlyMemory [| 0; 1000 |])
            comesBack<float> 3000 (fun () -> Loss.evaluate Loss.CrossEntropy scores labels |> ignore))

        testCase "the norm of a gradient whose loop breaks off" (fun () ->
            let θ: Tensor<float> list = [ Tensor.zeros (Shape.Of 4) ]
            let optimizer = Optimizer.Sgd().WithClipNorm 1.0
            let backend = { Backend.reference<float> with Scheduler = brokenScheduler }
            let start = Optimizer.start optimizer θ
            comesBack<float> 1 (fun () -> Optimizer.update backend optimizer start θ θ |> ignore))

        testCase "pictures that cannot be read" (fun () ->
            comesBack<float32> 3000 (fun () -> (Dataset.tensor brokenPictures [| 0 |]: Tensor<float>) |> ignore)

            let preprocessed = brokenPictures.Preprocess(Preprocessing.Scale 2.0)
            comesBack<float32> 3000 (fun () -> preprocessed.Picture 0 |> ignore))
    ]
