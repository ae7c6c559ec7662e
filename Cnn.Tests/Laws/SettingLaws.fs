/// Every field of every type of settings changes something, or fails, where it says so.
module Cnn.Tests.Laws.SettingLaws

open System
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws.Setting

let private tables = LearningSettings.tables @ StudySettings.tables

/// Named like settings, but they tell what a source printed, or what was found.
let private results = [ typeof<Fluent.SourceSettings>; typeof<Fluent.BestSettings> ]

let tests =
    testList "settings" [
        testCase "every type of options or settings has its table" (fun () ->
            let named = [
                for assembly in [ typeof<Shape>.Assembly; typeof<Fluent.NetworkBuilder>.Assembly ] do
                    for t in assembly.GetExportedTypes() do
                        if
                            t.Name.EndsWith("Options", StringComparison.Ordinal)
                            || t.Name.EndsWith("Settings", StringComparison.Ordinal)
                        then
                            t
            ]

            let found = tables |> List.map (fun table -> table.Type)

            for t in named do
                Expect.isTrue (List.contains t (found @ results)) (string t)

            // What settings consist of: fields of a type of ours that is a record of F# or of C#.
            for table in tables do
                for property in table.Type.GetProperties() do
                    let t =
                        match Nullable.GetUnderlyingType property.PropertyType with
                        | null when property.PropertyType.IsGenericType ->
                            property.PropertyType.GetGenericArguments()[0]
                        | null -> property.PropertyType
                        | inner -> inner

                    let isRule = List.contains t.Name [ "Plateau"; "ReduceOnPlateau"; "EarlyStopping" ]
                    Expect.isTrue (not isRule || List.contains t found) $"{table.Type}.{property.Name}")

        // Layers whose data are no record.
        testCase "rate and kind of dropout, and the order of flattening, tell" (fun () ->
            let flat = LearningSettings.flat
            let dropout rate kind = LearningSettings.learned [ flat; LayerSpec.Dropout(rate, kind) ]
            let before = dropout 0.3 DropoutKind.Bernoulli
            Expect.equal (dropout 0.3 DropoutKind.Bernoulli) before "the same dropout"
            Expect.notEqual (dropout 0.4 DropoutKind.Bernoulli) before "rate"
            Expect.notEqual (dropout 0.3 DropoutKind.Gaussian) before "kind"
            let order order = LearningSettings.learned [ Flatten order ]
            Expect.notEqual (order FlattenOrder.ChannelMajor) (order FlattenOrder.RowMajor) "order")

        for table in tables do
            Setting.test table
    ]
