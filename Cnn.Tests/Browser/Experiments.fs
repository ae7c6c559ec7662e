/// The pages that experiments write, in a real browser: what is in them, and that it can be read everywhere.
module Cnn.Tests.Browser.Experiments

open System
open System.IO
open Expecto
open OpenQA.Selenium
open OpenQA.Selenium.Chrome
open Cnn.Tests.Laws
open Cnn.Tests.Browser.Browser
open Cnn.Tests.CommandLine
open Cnn.Tests.Laws.Law

let private succeed words =
    let outcome = Samples.run words
    Assert.That(outcome.Code, equalTo 0, outcome.Errors)

/// Writes the page of a short run.
let private write folder (line: string) =
    let words = Samples.words folder line

    if words.Head = "inspect" then
        let model = Path.Combine(folder, "model.safetensors")

        succeed [
            "train"
            "--net"
            "iorq"
            "--data"
            "synthetic-glyphs"
            "--epochs"
            "1"
            "--save"
            model
            "--json"
        ]

        succeed (words @ [ "--model"; model; "--out"; folder ])
    else
        succeed (words @ [ "--out"; folder ])

    Uri(Path.Combine(folder, "report.html")).AbsoluteUri

/// Words whose contrast with what is behind them is less than 4.5, and lines of charts with less than 3: WCAG 2.2, 1.4.3 and 1.4.11.
let private faint =
    """
const paper = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const paint = colour => { paper.fillStyle = colour; paper.fillRect(0, 0, 1, 1); };
const light = () => {
  const [r, g, b] = [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  const above = element.parentElement;
  if (above) behind(above); else paint('white');
  paint(getComputedStyle(element).backgroundColor);
};
const contrast = (element, colour) => {
  behind(element);
  const a = light();
  paint(colour);
  const b = light();
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
const found = [];
for (const element of document.body.querySelectorAll('*')) {
  const style = getComputedStyle(element);
  if (!element.checkVisibility()) continue;
  if ([...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) {
    const ratio = contrast(element, element.closest('svg') ? style.fill : style.color);
    if (element.tagName !== 'title' && ratio < 4.5) found.push(element.tagName + ' ' + element.textContent + ': ' + ratio);
  }
  if (element.tagName === 'polyline' && contrast(element, style.stroke) < 3) found.push('polyline ' + style.stroke);
}
return found.join('\n');
"""

/// What a person must reach with the keyboard: charts, what opens, and what is wider than its place.
let private reachable =
    "[...document.querySelectorAll('.chart > svg, summary, .scroll, pre')].filter(e => e.checkVisibility() && (!e.matches('.scroll, pre') || e.scrollWidth > e.clientWidth))"

/// Presses the key of tabulation until it comes round; what is then left unvisited.
let private unvisited (browser: ChromeDriver) =
    let wanted = int (ask browser ("return " + reachable + ".length"))
    ask browser "window.seen = new Set(); document.activeElement.blur();" |> ignore

    for _ in 0..wanted do
        browser.SwitchTo().ActiveElement().SendKeys Keys.Tab
        ask browser "window.seen.add(document.activeElement)" |> ignore

    ask
        browser
        ("return "
         + reachable
         + ".filter(e => !window.seen.has(e)).map(e => e.outerHTML.slice(0, 200)).join('\\n')")

let private phone, paper = 390, 720

let tests =
    testList "experiments in a browser" [
        testTheory
            "the page of an experiment is whole, and is read by anybody, in the dark, on a phone and on paper"
            [
                "inspect --data synthetic-glyphs", 0
                "explain --epochs 1", 0
                "search --net densenet2_20 --epochs 1 --random 3", 0
                "compare --quick", 12
                "catdog --epochs 2 --data FEW-GLYPHS", 8
                "vanilla --epochs 2 --data FEW-DIGITS", 10
                "fixed-filters --epochs 2 --data FEW-DIGITS", 6
                "filters", 0
                "train --net densenet2_20 --data synthetic-8x8 --epochs 2 --validation 0.1", 8
            ]
            (fun (line: string, points: int) ->
                browse (fun browser ->
                    Samples.inFolder (fun folder ->
                        let width () = int (ask browser "return document.documentElement.scrollWidth")
                        let none (what: string) script = Assert.That(ask browser script, isEmpty, what)
                        let page = write folder line

                        for medium, scheme, across in
                            [
                                "screen", "light", 1000
                                "screen", "dark", 1000
                                "screen", "light", phone
                                "print", "light", paper
                            ] do
                            let where = medium + ", " + scheme + ", " + string across + " pixels across"
                            show browser medium scheme across
                            browser.Navigate().GoToUrl page
                            Assert.That(complaints browser, isEmpty, where)
                            Assert.That(count browser ".chart > svg circle", equalTo points, where)
                            Assert.That(width (), atMost across, where)
                            none where faint

                            none
                                ("pictures, " + where)
                                "return [...document.images].filter(i => !(i.complete && i.naturalWidth && i.clientWidth && i.clientHeight && i.alt)).map(i => i.alt).join()"

                            none
                                ("words of charts, " + where)
                                "return [...document.querySelectorAll('.chart text')].filter(t => t.getBoundingClientRect().width && Math.min(t.getBoundingClientRect().width, t.getBoundingClientRect().height) < 5).map(t => t.textContent).join()"

                            if medium = "screen" then
                                Assert.That(unvisited browser, isEmpty, where))))
    ]
    |> testSequencedGroup "processes"
