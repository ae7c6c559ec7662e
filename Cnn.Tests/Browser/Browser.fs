/// Headless Chromium, where it is installed.
module Cnn.Tests.Browser.Browser

open System
open System.Collections.Generic
open System.IO
open Expecto
open OpenQA.Selenium
open OpenQA.Selenium.Chrome
open Cnn.Tests.Laws

let private find program =
    let folders = (string (Environment.GetEnvironmentVariable "PATH")).Split Path.PathSeparator
    folders |> Seq.map (fun folder -> Path.Combine(folder, program)) |> Seq.tryFind File.Exists

/// A browser for the test, or the reason why there is none.
let browse (test: ChromeDriver -> unit) =
    match find "chromium", find "chromedriver" with
    | Some chromium, Some driver ->
        let options = ChromeOptions(BinaryLocation = chromium)
        options.AddArguments("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
        options.SetLoggingPreference(LogType.Browser, LogLevel.All)
        use service = ChromeDriverService.CreateDefaultService driver
        use browser = new ChromeDriver(service, options, TimeSpan.FromMinutes 2.0)
        test browser
    | _ ->
        Assert.Ignore
            "There is no chromium with chromedriver on the PATH: Debian's packages chromium and chromium-driver."

let count (browser: ChromeDriver) css = (browser.FindElements(By.CssSelector css)).Count

let complaints (browser: ChromeDriver) = [
    for entry in browser.Manage().Logs.GetLog LogType.Browser do
        if entry.Level >= LogLevel.Warning then
            entry.Message
]

/// Shows pages as on a screen of a width, light or dark, or as in print.
let show (browser: ChromeDriver) (medium: string) (scheme: string) (width: int) =
    let send name (parameters: (string * obj) list) =
        browser.ExecuteCdpCommand(name, Dictionary(dict parameters)) |> ignore

    let feature = Dictionary(dict [ "name", ("prefers-color-scheme" :> obj); "value", (scheme :> obj) ])

    send "Emulation.setEmulatedMedia" [ "media", (medium :> obj); "features", ([| feature |] :> obj) ]

    send "Emulation.setDeviceMetricsOverride" [
        "width", (width :> obj)
        "height", (800 :> obj)
        "deviceScaleFactor", (1 :> obj)
        "mobile", (false :> obj)
    ]

/// What a script of the page gives back, as words.
let ask (browser: ChromeDriver) (script: string) = string (browser.ExecuteScript script)
