/// Pages in a real browser: headless Chromium, where it is installed.
module Cnn.Tests.Browser.Pages

open System
open System.IO
open System.Net
open System.Net.Sockets
open System.Threading
open Expecto
open OpenQA.Selenium
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Browser.Browser
open Cnn.Tests.CommandLine
open Cnn.Tests.Laws.Law

/// Waits until something holds; what never does fails the test.
let private eventually (what: string) (holds: unit -> bool) =
    let poll () =
        Thread.Sleep 100
        holds ()

    Assert.That(SpinWait.SpinUntil(poll, TimeSpan.FromMinutes 2.0), isTrue, what)

let private history epochs : EpochResult list =
    let matrix = Metrics.confusion [| "a"; "b" |] [| 0; 1 |] [| 0; 0 |]

    List.init epochs (fun i -> {
        Epoch = i + 1
        Loss = 1.0 / float (i + 1)
        Accuracy = 0.9 + 0.01 * float i
        LearningRate = 0.1
        Validation = { Loss = 1.1 / float (i + 1); Accuracy = 0.89 + 0.01 * float i; ConfusionMatrix = matrix }
    })

let private freePort () =
    use listener = new TcpListener(IPAddress.Loopback, 0)
    listener.Start()
    (listener.LocalEndpoint :?> IPEndPoint).Port

let tests =
    testList "pages in a browser" [
        testCase
            "a report opened from disk shows every epoch in every line, without a complaint of the browser"
            (fun () ->
                browse (fun browser ->
                    let epochs = 5
                    let file = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString "N" + ".html")

                    try
                        File.WriteAllText(
                            file,
                            Report.page "A <report>" [ Report.section "Curves" [ Report.curves (history epochs) ] ]
                        )

                        browser.Navigate().GoToUrl(Uri(file).AbsoluteUri)
                        Assert.That(browser.Title, equalTo "A <report>")
                        Assert.That(count browser "figure.chart", equalTo 2)
                        // Training and validation, in both charts.
                        Assert.That(count browser "svg circle", equalTo (2 * 2 * epochs))
                        Assert.That(count browser "figure.chart tbody tr", equalTo (2 * epochs))
                        Assert.That(complaints browser, isEmpty)
                    finally
                        File.Delete file))

        testCase "the charts and their tables are reached and opened by the keyboard alone" (fun () ->
            browse (fun browser ->
                let file = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString "N" + ".html")

                try
                    File.WriteAllText(file, Report.page "Keys" [ Report.curves (history 3) ])
                    browser.Navigate().GoToUrl(Uri(file).AbsoluteUri)

                    let press (key: string) =
                        let focused = browser.SwitchTo().ActiveElement()
                        focused.SendKeys key
                        browser.SwitchTo().ActiveElement().TagName

                    Assert.That(
                        List.init 4 (fun _ -> press Keys.Tab),
                        equalTo (box [ "svg"; "summary"; "svg"; "summary" ])
                    )

                    press Keys.Enter |> ignore
                    Assert.That(count browser "details[open]", equalTo 1)
                finally
                    File.Delete file))

        testCase
            "the live page gains points while a training runs, and the training does not mind who leaves"
            (fun () ->
                browse (fun browser ->
                    let port = freePort ()

                    use training =
                        Samples.start [
                            "train"
                            "--net"
                            "densenet4_300"
                            "--epochs"
                            "20"
                            "--json"
                            "--serve"
                            string port
                        ]

                    try
                        eventually "a page" (fun () ->
                            try
                                browser.Navigate().GoToUrl("http://127.0.0.1:" + string port + "/")
                                count browser "#curves" = 1
                            with :? WebDriverException ->
                                training.HasExited)

                        eventually "a first point" (fun () -> count browser "svg circle" > 0)
                        let before = count browser "svg circle"
                        eventually "more points" (fun () -> count browser "svg circle" > before)
                        Assert.That(complaints browser, isEmpty)
                        browser.Quit()
                        Assert.That(training.WaitForExit(TimeSpan.FromMinutes 2.0), isTrue)
                        Assert.That(training.ExitCode, equalTo 0)
                        Assert.That(training.StandardOutput.ReadToEnd(), containing "testAccuracy")
                    finally
                        if not training.HasExited then
                            training.Kill()))
    ]
    |> testSequencedGroup "processes"
