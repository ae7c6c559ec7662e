/// Expecto's tests under Microsoft.Testing.Platform, which `dotnet test`, IDEs and coverage speak.
module Cnn.Tests.TestingPlatform

open System
open System.Threading.Tasks
open Microsoft.Testing.Platform.Builder
open Microsoft.Testing.Platform.Capabilities.TestFramework
open Microsoft.Testing.Platform.Extensions
open Microsoft.Testing.Platform.Extensions.Messages
open Microsoft.Testing.Platform.Extensions.TestFramework
open Microsoft.Testing.Platform.Helpers
open Microsoft.Testing.Platform.Requests
open Expecto
open Expecto.Impl
open Cnn.Tests.Laws

#nowarn 57 // The filter by path is an experiment of the platform.

/// The runner's words are passed on: it is the platform that called.
let isCalled (arguments: string[]) = Array.contains "--server" arguments

let private about = {
    new IExtension with
        member _.Uid = "Expecto"
        member _.Version = string (typeof<Test>.Assembly.GetName().Version)
        member _.DisplayName = "Expecto"
        member _.Description = "Runs the tests of Expecto."
        member _.IsEnabledAsync() = Task.FromResult true
}

let private joined = defaultConfig.joinWith.format

/// A node of the platform's tree: the test's name and place, and what became of it.
let private node (test: FlatTest) (state: IProperty) =
    let path = joined test.name
    let node = TestNode(Uid = TestNodeUid path, DisplayName = path)
    node.Properties.Add state

    match Located.place test.test with
    | Some place ->
        let at = LinePosition(place.Line, 0)
        node.Properties.Add(TestFileLocationProperty(place.File, LinePositionSpan(at, at)))
    | None -> ()

    node

let private isChosen (filter: ITestExecutionFilter) (test: FlatTest) =
    match filter with
    | :? TestNodeUidListFilter as chosen ->
        chosen.TestNodeUids |> Array.exists (fun uid -> uid.Value = joined test.name)
    | :? TreeNodeFilter as tree ->
        tree.MatchesFilter("/" + String.Join('/', test.name |> List.map Uri.EscapeDataString), PropertyBag())
    | _ -> true

type private Framework(tests: Test) =
    interface IExtension with
        member _.Uid = about.Uid
        member _.Version = about.Version
        member _.DisplayName = about.DisplayName
        member _.Description = about.Description
        member _.IsEnabledAsync() = about.IsEnabledAsync()

    interface ITestFramework with
        member _.CreateTestSessionAsync _ = Task.FromResult(CreateTestSessionResult(IsSuccess = true))
        member _.CloseTestSessionAsync _ = Task.FromResult(CloseTestSessionResult(IsSuccess = true))

        member this.ExecuteRequestAsync context =
            task {
                let request = context.Request :?> TestExecutionRequest
                let chosen = Test.toTestCodeList tests |> List.filter (isChosen request.Filter)

                let tell test state =
                    context.MessageBus.PublishAsync(
                        this,
                        TestNodeUpdateMessage(request.Session.SessionUid, node test state)
                    )

                match request with
                | :? DiscoverTestExecutionRequest ->
                    for test in chosen do
                        do! tell test DiscoveredTestNodeStateProperty.CachedInstance
                | _ ->
                    let named = dict [ for test in chosen -> joined test.name, test ]

                    let told name (state: IProperty) = tell named[name] state |> Async.AwaitTask

                    let printer = {
                        TestPrinters.silent with
                            beforeEach = fun name _ -> told name InProgressTestNodeStateProperty.CachedInstance
                            passed = fun name _ -> told name PassedTestNodeStateProperty.CachedInstance
                            ignored = fun name reason -> told name (SkippedTestNodeStateProperty reason)
                            failed = fun name message _ -> told name (FailedTestNodeStateProperty message)
                            exn = fun name error _ -> told name (ErrorTestNodeStateProperty error)
                    }

                    let! _ =
                        Async.StartAsTask(
                            evalTestsWithCancel
                                context.CancellationToken
                                { defaultConfig with printer = printer; noSpinner = true }
                                (Test.fromFlatTests defaultConfig.joinWith.asString chosen)
                                false
                        )

                    ()

                context.Complete()
            }

    interface IDataProducer with
        member _.DataTypesProduced = [| typeof<TestNodeUpdateMessage> |]

/// Runs the tests as the platform asks for them.
let run (tests: Test) (arguments: string[]) =
    task {
        let! builder = TestApplication.CreateBuilderAsync arguments
        builder.AddTreeNodeFilterService about

        builder.RegisterTestFramework((fun _ -> TestFrameworkCapabilities()), (fun _ _ -> Framework tests))
        |> ignore

        Coverlet.MTP.TestingPlatformBuilderHook.AddExtensions(builder, arguments)
        use! application = builder.BuildAsync()
        return! application.RunAsync()
    }
