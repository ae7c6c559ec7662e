namespace Cnn.FSharp

open System
open System.Runtime.ExceptionServices
open System.Threading.Tasks
open Cnn

/// <summary>How much a network is checked, and on what.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type VerificationSettings = {
    /// <summary>Decides pictures, directions, cotangents and dropout. Default 0.</summary>
    Seed: int
    /// <summary>Pictures for gradients and adjoints; kernels are compared on at most two of them. Default 4.</summary>
    Samples: int
    /// <summary>Random directions for the input and each parameter of each layer. Default 2.</summary>
    Directions: int
    /// <summary>What a network of float32 is differentiated with in double. Default the textbook kernels.</summary>
    Doubles: IKernels<float>
    /// <summary>What must give the same bits as the backend's own. Default: in order, in reverse, on two and on three threads.</summary>
    Schedulers: IScheduler list
} with

    /// <summary>Seed 0, four pictures, two directions, textbook kernels in double, up to three threads.</summary>
    static member Default = {
        Seed = 0
        Samples = 4
        Directions = 2
        Doubles = ReferenceKernels<float>()
        Schedulers = [
            SequentialScheduler()
            VerificationSettings.Reversed
            VerificationSettings.Threaded 2
            VerificationSettings.Threaded 3
        ]
    }

    /// <summary>The same settings, with another seed, kernels and schedulers.</summary>
    member this.With(seed: int, doubles: IKernels<float>, schedulers: IScheduler seq) = {
        this with
            Seed = seed
            Doubles = doubles
            Schedulers = List.ofSeq schedulers
    }

    static member private Reversed = {
        new IScheduler with
            member _.Threads = 1

            member _.For(count, body) =
                for i in count - 1 .. -1 .. 0 do
                    body.Invoke i
    }

    static member private Threaded threads = {
        new IScheduler with
            member _.Threads = threads

            member _.For(count, body) =
                try
                    Parallel.For(0, count, ParallelOptions(MaxDegreeOfParallelism = threads), body) |> ignore
                with :? AggregateException as failure when not (isNull failure.InnerException) ->
                    ExceptionDispatchInfo.Throw(nonNull failure.InnerException)
    }
