/// What is done about the losses of epochs, against the recursions of Keras, line by line.
module Cnn.Tests.Laws.WatchLaws

open System
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

/// Eighths of the roots of losses, and the rules that watch them.
[<NoComparison>]
type Watched = {
    Training: int list
    /// Empty where nothing is held back.
    Validation: int list
    Plateau: Plateau option
    Stopping: EarlyStopping option
    IsScheduled: bool
    CancelAfter: int option
    Break: int option
}

let private η = 2.0

/// 3 to 12 losses, often alike; least improvements are differences of such losses, so that ties occur.
let private case =
    gen {
        let! epochs = Gen.choose (3, 12)
        let losses = Gen.listOfLength epochs (Gen.choose (1, 8))
        let! training = losses
        let! validation = Gen.oneof [ Gen.constant []; losses ]
        let minDelta = Gen.elements [ 0.0; 0.0; 3.0 / 128.0; 5.0 / 128.0; 12.0 / 128.0; 0.1 ]
        let maybe value = Gen.oneof [ Gen.constant None; Gen.map Some value ]

        let plateau =
            gen {
                let! factor = Gen.elements [ 0.5; 0.25 ]
                let! patience = Gen.choose (0, 3)
                let! minDelta = minDelta
                let! cooldown = Gen.choose (0, 3)
                let! minRate = Gen.elements [ 0.0; 0.0; 0.1875; 4.0 ]

                return {
                    Factor = factor
                    Patience = patience
                    MinDelta = minDelta
                    Cooldown = cooldown
                    MinRate = minRate
                }
            }

        let stopping =
            Gen.map3
                (fun patience minDelta restores -> { Patience = patience; MinDelta = minDelta; RestoreBest = restores })
                (Gen.choose (0, 4))
                minDelta
                (Gen.elements [ true; false ])

        let! plateau = Gen.frequency [ 1, Gen.constant None; 4, Gen.map Some plateau ]
        let! stopping = Gen.frequency [ 1, Gen.constant None; 2, Gen.map Some stopping ]
        let! isScheduled = Gen.elements [ true; false ]
        let! cancelAfter = Gen.frequency [ 2, Gen.constant None; 1, Gen.map Some (Gen.choose (1, epochs)) ]
        let! pause = maybe (Gen.choose (1, epochs - 1))

        return {
            Training = training
            Validation = validation
            Plateau = plateau
            Stopping = stopping
            IsScheduled = isScheduled
            CancelAfter = cancelAfter
            Break = pause
        }
    }

/// Fewer epochs, and fewer rules.
let private shrink case =
    seq {
        if case.Break.IsSome then
            yield { case with Break = None }

        if case.CancelAfter.IsSome then
            yield { case with CancelAfter = None }

        if case.IsScheduled then
            yield { case with IsScheduled = false }

        let shorter = case.Training.Length - 1

        if shorter > 0 then
            yield {
                case with
                    Training = List.take shorter case.Training
                    Validation = List.truncate shorter case.Validation
                    Break = None
            }
    }

let private roots = List.map (fun eighths -> float (eighths: int) / 8.0)

let private fit case =
    let optimizer = Optimizer.Sgd η

    Scripted.fit {
        Training = roots case.Training
        Validation = if case.Validation.IsEmpty then None else Some(roots case.Validation)
        Settings = {
            TrainingSettings.Default with
                Plateau = case.Plateau
                Optimizer =
                    (if case.IsScheduled then
                         optimizer.WithSchedule(Schedule.Exponential 0.5)
                     else
                         optimizer)
        }
        Stopping = case.Stopping
        CancelAfter = case.CancelAfter
        Break = case.Break
    }

/// The losses that are watched: of validation where there is any.
let private watched case =
    (if case.Validation.IsEmpty then case.Training else case.Validation)
    |> roots
    |> List.map Scripted.lossOf

/// The rate of each epoch: ReduceLROnPlateau.on_epoch_end of Keras 3.
let private reduced (rule: Plateau) losses =
    let mutable best, wait, cooldown, rate = infinity, 0, 0, η

    [
        for loss in losses do
            rate

            if cooldown > 0 then
                cooldown <- cooldown - 1
                wait <- 0

            if loss < best - rule.MinDelta then
                best <- loss
                wait <- 0
            elif cooldown = 0 then
                wait <- wait + 1

                if wait >= rule.Patience && rate > rule.MinRate then
                    rate <- max (rate * rule.Factor) rule.MinRate
                    cooldown <- rule.Cooldown
                    wait <- 0
    ]

let private rates case =
    match case.Plateau with
    | Some rule -> reduced rule (watched case)
    | None -> List.replicate case.Training.Length η
    |> List.mapi (fun e rate -> if case.IsScheduled then rate * pown 0.5 e else rate)

/// The epochs that are trained, and the best of them: EarlyStopping.on_epoch_end of Keras 3; and a cancelled training ends.
let private ended case =
    let patience, minDelta =
        match case.Stopping with
        | Some rule -> rule.Patience, rule.MinDelta
        | None -> Int32.MaxValue, 0.0

    let mutable best, bestEpoch, wait, epoch = infinity, 0, 0, 0
    let mutable reason = None

    for loss in watched case do
        if reason.IsNone then
            epoch <- epoch + 1
            wait <- wait + 1

            if loss < best - minDelta then
                best <- loss
                bestEpoch <- epoch
                wait <- 0
            elif wait >= patience && epoch > 1 then
                reason <- Some StopReason.EarlyStopped

            if reason.IsNone && case.CancelAfter = Some epoch then
                reason <- Some StopReason.Cancelled

    let isWhole = epoch = case.Training.Length
    epoch, bestEpoch, (if isWhole then StopReason.Completed else defaultArg reason StopReason.Completed)

/// The epoch whose network is given back: the best where that is asked, or training was cancelled.
let private chosen case =
    let epochs, best, reason = ended case
    let restores = case.Stopping |> Option.exists (fun rule -> rule.RestoreBest)
    if restores || reason = StopReason.Cancelled then best else epochs

type WatchedCases =
    static member Watched() = Arb.fromGenShrink (case, shrink)

let private testWatched name property =
    testPropertyWithConfig
        { configuration with arbitrary = typeof<WatchedCases> :: configuration.arbitrary }
        name
        property

let tests =
    testList "watching the loss" [
        // Keras, ReduceLROnPlateau, the schedule multiplying beside it; SPEC section 8.
        testWatched
            "ReduceLROnPlateau: the rates follow Keras' recursion, with and without validation, a schedule and a break"
            (fun (case: Watched) ->
                let fitted = fit case
                let epochs = fitted.History.Length

                same (rates case |> List.take epochs) [ for result in fitted.History -> result.LearningRate ])

        // Keras, EarlyStopping; cancelled, the best network is given back. θ of an epoch is minus the sum of its rates.
        testWatched
            "EarlyStopping: epochs, reason and network follow Keras' recursion, with and without validation, cancelling and a break"
            (fun (case: Watched) ->
                let fitted = fit case
                let epochs, _, reason = ended case
                let training = roots case.Training |> List.map Scripted.lossOf

                all [
                    same (epochs, reason, chosen case) (fitted.History.Length, fitted.Reason, fitted.Epoch)
                    same -(rates case |> List.take (chosen case) |> List.sum) fitted.Network.Parameters.Head[0]
                    same (List.take epochs training) [ for result in fitted.History -> result.Loss ]
                    same (watched case |> List.take epochs) (List.map Fitting.watched fitted.History)
                ])

        // Each of these corners told a fault from the recursion once.
        testCase "the losses and rules that are drawn go where the rules differ" (fun () ->
            let cases = Gen.sampleWithSeed (Rnd 7UL) 100 400 case |> List.ofArray

            let share (isThere: Watched -> bool) =
                float (cases |> List.filter isThere |> List.length) / float cases.Length

            /// Whether another rule of the plateau would give other rates.
            let plateauTells change case =
                match case.Plateau with
                | Some rule -> reduced rule (watched case) <> reduced (change rule) (watched case)
                | None -> false

            let stoppingTells change case =
                case.Stopping.IsSome
                && (let other = { case with Stopping = Option.map change case.Stopping }
                    ended case <> ended other || chosen case <> chosen other)

            let isEnded reason case =
                let _, _, found = ended case
                found = reason

            for name, least, isThere in
                [
                    "cooldown one longer", 0.1, plateauTells (fun rule -> { rule with Cooldown = rule.Cooldown + 1 })
                    "patience one longer", 0.3, plateauTells (fun rule -> { rule with Patience = rule.Patience + 1 })
                    "plateau's least improvement", 0.03, plateauTells (fun rule -> { rule with MinDelta = 0.0 })
                    "lowest rate", 0.05, plateauTells (fun rule -> { rule with MinRate = 0.0 })
                    "stopping's least improvement", 0.05, stoppingTells (fun rule -> { rule with MinDelta = 0.0 })
                    "the last instead of the best",
                    0.1,
                    stoppingTells (fun rule -> { rule with RestoreBest = not rule.RestoreBest })
                    "stopped early", 0.2, isEnded StopReason.EarlyStopped
                    "cancelled with a better epoch before the last",
                    0.05,
                    (fun case ->
                        let epochs, best, reason = ended case
                        reason = StopReason.Cancelled && best < epochs)
                    "the training loss would tell otherwise",
                    0.2,
                    (fun case ->
                        let blind = { case with Validation = [] }
                        rates case <> rates blind || ended case <> ended blind)
                ] do
                if share isThere < least then
                    failtest $"{name}: {share isThere} of the cases, not {least}"

            Assert.That(share (fun case -> case.IsScheduled), greaterThan 0.3)
            Assert.That(share (fun case -> case.Break.IsSome), greaterThan 0.3))
    ]
