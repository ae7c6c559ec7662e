namespace Cnn.FSharp

open System.Collections.Generic
open System.Net
open System.Text

/// <summary>A piece of an HTML page as data: text is escaped when it is written.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoComparison>]
type Html =
    /// Words to be read.
    | Text of string
    /// An element with its attributes and what stands in it.
    | Element of tag: string * attributes: (string * string) list * children: Html list

/// <summary>Writing HTML.</summary>
[<RequireQualifiedAccess>]
module Html =

    /// Elements that hold nothing and are not closed.
    let private isVoid = HashSet [ "br"; "img"; "link"; "meta" ]

    /// Elements whose text is a program or a style sheet: not escaped, and never made of a user's words.
    let private isRaw = HashSet [ "script"; "style" ]

    let private escape (text: string) = string (WebUtility.HtmlEncode text)

    let rec private write (target: StringBuilder) raw html : unit =
        match html with
        | Text text -> target.Append(if raw then text else escape text) |> ignore
        | Element(tag, attributes, children) ->
            target.Append('<').Append(tag) |> ignore

            for name, value in attributes do
                target.Append(' ').Append(name).Append("=\"").Append(escape value).Append('"') |> ignore

            target.Append '>' |> ignore

            for child in children do
                write target (isRaw.Contains tag) child

            if not (isVoid.Contains tag) then
                target.Append("</").Append(tag).Append('>') |> ignore

    /// <summary>The text of the pieces, one after the other.</summary>
    let render (pieces: Html list) =
        let target = StringBuilder()

        for piece in pieces do
            write target false piece

        target.ToString()

    /// An element without attributes that holds text.
    let internal text tag words = Element(tag, [], [ Text words ])

    /// A table: a row of heads, unless there are none, then rows whose first cell names them.
    let internal table caption (heads: string list) (rows: (string * Html list) list) =
        Element(
            "div",
            [ "class", "scroll" ],
            [
                Element(
                    "table",
                    [],
                    [
                        text "caption" caption
                        if not heads.IsEmpty then
                            let head words = Element("th", [ "scope", "col" ], [ Text words ])
                            Element("thead", [], [ Element("tr", [], List.map head heads) ])
                        Element(
                            "tbody",
                            [],
                            rows
                            |> List.map (fun (name, cells) ->
                                Element("tr", [], Element("th", [ "scope", "row" ], [ Text name ]) :: cells))
                        )
                    ]
                )
            ]
        )
