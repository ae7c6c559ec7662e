/// Loops on threads: every iteration once, whatever the threads, and no loop that never ends.
module Cnn.Tests.Laws.SchedulerLaws

open System
open System.Threading
open System.Threading.Tasks
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Runs on a thread of its own and fails where it does not end: a deadlock must not stop the other tests.
let private inTime (work: unit -> unit) =
    let task = Task.Factory.StartNew(work, TaskCreationOptions.LongRunning)

    if Task.WaitAny([| task |], TimeSpan.FromMinutes 2.0) < 0 then
        Assert.Fail "The loops did not end within 2 minutes."

    task.GetAwaiter().GetResult()

/// How often each iteration of a loop ran.
let private tally (scheduler: IScheduler) count =
    let runs = Array.zeroCreate<int> count
    scheduler.For(count, (fun i -> Interlocked.Increment(&runs[i]) |> ignore))
    runs

let private once count = Array.create count 1

let tests =
    testList "schedulers" [
        // Many loops in a row, of every small length: the workers are asleep, awake, or on their way.
        testTheory "every iteration runs exactly once, loop after loop" [ 1; 3; 8; 64 ] (fun (threads: int) ->
            inTime (fun () ->
                let scheduler = ParallelScheduler threads
                let loops = if threads > 8 then 300 else 3000

                for loop in 1..loops do
                    let count = loop % 97

                    if loop % 500 = 0 then
                        Thread.Sleep 5

                    let runs = tally scheduler count

                    if runs <> once count then
                        Assert.Fail $"Loop {loop} of {count} iterations ran them %A{runs} times."))

        // What an iteration raises comes out of the loop, and the next loop is whole.
        testTheory "an exception comes out, and the next loop runs" [ 1; 3; 8; 64 ] (fun (threads: int) ->
            inTime (fun () ->
                let scheduler = ParallelScheduler threads

                for bad in 0..49 do
                    let error =
                        Assert.Throws<InvalidOperationException>(fun () ->
                            scheduler.For(
                                50,
                                fun i ->
                                    if i = bad then
                                        raise (InvalidOperationException(string i))
                            ))

                    Assert.That(error.Message, equalTo (string bad))
                    Assert.That(tally scheduler 50, equalTo (once 50))))

        // A loop within a loop runs on the thread that it is on.
        testTheory "loops may be nested" [ 3; 8 ] (fun (threads: int) ->
            inTime (fun () ->
                let scheduler = ParallelScheduler threads

                for _ in 1..100 do
                    let runs = Array.zeroCreate<int> 120

                    scheduler.For(
                        12,
                        fun i -> scheduler.For(10, (fun j -> Interlocked.Increment(&runs[10 * i + j]) |> ignore))
                    )

                    Assert.That(runs, equalTo (once 120))))

        // A scheduler may be shared by threads that loop at the same time.
        testTheory "loops may run at the same time" [ 3; 8 ] (fun (threads: int) ->
            inTime (fun () ->
                let scheduler = ParallelScheduler threads

                let callers =
                    Array.init 6 (fun _ ->
                        Task.Factory.StartNew(
                            (fun () -> Seq.forall (fun _ -> tally scheduler 40 = once 40) (seq { 1..300 })),
                            TaskCreationOptions.LongRunning
                        ))

                Task.WaitAll(callers |> Array.map (fun caller -> caller :> Task))
                Assert.That(callers |> Array.map (fun caller -> caller.Result), equalTo (Array.create 6 true))))

        // A scheduler that could not be made leaves nothing that fails when it is collected; neither does one with threads.
        testCase "no threads are refused, and what is collected does no harm" (fun () ->
            inTime (fun () ->
                for threads in [ 0; -1 ] do
                    Assert.Throws<ArgumentOutOfRangeException>(fun () -> ParallelScheduler threads |> ignore)
                    |> ignore

                for _ in 1..20 do
                    tally (ParallelScheduler 3) 10 |> ignore

                GC.Collect()
                GC.WaitForPendingFinalizers()
                Assert.That(tally (ParallelScheduler 3) 10, equalTo (once 10))))
    ]
    |> testSequenced
