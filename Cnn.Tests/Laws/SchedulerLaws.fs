/// Loops on threads: every iteration once, whatever the threads, and no loop that never ends.
module Cnn.Tests.Laws.SchedulerLaws

open System
open System.Diagnostics
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

let private threads () =
    use self = Process.GetCurrentProcess()
    self.Threads.Count

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

        // Schedulers of several sizes share the workers, and each of their loops may call others.
        testCase "nested loops of many schedulers may run at the same time" (fun () ->
            inTime (fun () ->
                let runs threads =
                    let outer, inner = ParallelScheduler threads, ParallelScheduler(threads + 1)
                    let runs = Array.zeroCreate<int> 120

                    for _ in 1..100 do
                        outer.For(
                            12,
                            fun i -> inner.For(10, (fun j -> Interlocked.Increment(&runs[10 * i + j]) |> ignore))
                        )

                    runs

                let callers =
                    [| 1; 2; 3; 8; 64; 2; 3 |]
                    |> Array.map (fun threads ->
                        Task.Factory.StartNew((fun () -> runs threads), TaskCreationOptions.LongRunning))

                for caller in callers do
                    Assert.That(caller.Result, equalTo (Array.create 120 100))))

        testCase "less than one thread is refused; more than the most count as the most" (fun () ->
            inTime (fun () ->
                for threads in [ 0; -1 ] do
                    Assert.Throws<ArgumentOutOfRangeException>(fun () -> ParallelScheduler threads |> ignore)
                    |> ignore

                let scheduler = ParallelScheduler 20000
                Assert.That(ParallelScheduler.MostThreads, equalTo (32 * Environment.ProcessorCount))
                Assert.That(scheduler.Threads, equalTo ParallelScheduler.MostThreads)
                Assert.That(tally scheduler 30000, equalTo (once 30000))))

        // Alone, since the threads of the whole process are counted; a few of the runtime's own may come and go.
        testSequenced (
            testCase "a hundred models have the threads of one, and threads without work end" (fun () ->
                let data = SyntheticDigits.Create(20, 8)
                let start seed = Network.Input(8, 8, 1).Flatten().Dense(10, Activation.Softmax).Build seed
                let before = threads ()
                let models = [ for seed in 1..100 -> (start seed).Fit(data).Model ]
                Assert.That(threads (), lessThan (before + Environment.ProcessorCount + 10))
                GC.KeepAlive models

                tally (ParallelScheduler ParallelScheduler.MostThreads) 1000 |> ignore
                let most = threads ()
                let clock = Stopwatch.StartNew()

                while threads () > most - ParallelScheduler.MostThreads / 2 && clock.Elapsed.TotalSeconds < 30.0 do
                    Thread.Sleep 100

                Assert.That(threads (), atMost (most - ParallelScheduler.MostThreads / 2)))
        )
    ]
    |> testSequenced
