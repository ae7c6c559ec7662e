namespace Cnn.FSharp

open System
open Cnn

/// Words drawn with the library's own pen: capitals, digits and signs.
[<RequireQualifiedAccess>]
module internal Lettering =

    /// In percent of a square, of which a letter takes the left seven tenths.
    let private signs =
        """
        A: line 10,90 35,10 60,90; line 19,62 51,62
        B: curve 12,10 44,12 56,29 44,46 12,48; curve 12,48 48,50 60,69 48,88 12,90; line 12,10 12,90
        C: curve 60,24 49,12 33,10 17,23 10,50 17,77 33,90 49,88 60,76
        D: curve 12,10 38,12 55,28 60,50 55,72 38,88 12,90; line 12,10 12,90
        E: line 58,10 12,10 12,90 58,90; line 12,48 50,48
        F: line 58,10 12,10 12,90; line 12,48 50,48
        G: curve 59,24 48,12 33,10 17,23 10,50 17,77 33,90 48,88 59,76; line 59,76 59,54 38,54
        H: line 12,10 12,90; line 58,10 58,90; line 12,48 58,48
        I: line 35,10 35,90; line 22,10 48,10; line 22,90 48,90
        J: line 54,10 54,68; curve 54,68 48,86 32,90 17,84 12,70
        K: line 12,10 12,90; line 58,10 12,55; line 28,41 60,90
        L: line 12,10 12,90 58,90
        M: line 10,90 10,10 35,56 60,10 60,90
        N: line 12,90 12,10 58,90 58,10
        O: loop 35,10 17,22 10,50 17,78 35,90 53,78 60,50 53,22
        P: line 12,90 12,10; curve 12,10 46,12 59,31 46,50 12,52
        Q: loop 35,10 17,22 10,50 17,78 35,90 53,78 60,50 53,22; line 40,68 60,94
        R: line 12,90 12,10; curve 12,10 46,12 59,31 46,50 12,52; line 34,52 60,90
        S: curve 57,22 47,12 33,10 17,15 14,31 28,44 44,53 58,67 52,84 34,90 18,87 10,76
        T: line 8,10 62,10; line 35,10 35,90
        U: line 12,10 12,62; curve 12,62 18,82 35,90 52,82 58,62; line 58,62 58,10
        V: line 10,10 35,90 60,10
        W: line 8,10 20,90 35,36 50,90 62,10
        X: line 12,10 58,90; line 58,10 12,90
        Y: line 10,10 35,50 60,10; line 35,50 35,90
        Z: line 12,10 58,10 12,90 58,90
        0: loop 35,10 18,22 12,50 18,78 35,90 52,78 58,50 52,22; line 27,68 43,32
        1: line 18,27 36,10 36,90; line 18,90 54,90
        2: curve 13,28 20,14 36,10 52,18 54,34 40,56 12,90; line 12,90 58,90
        3: curve 13,20 34,10 54,20 51,38 32,48; curve 32,48 56,58 57,77 36,90 12,80
        4: line 46,90 46,10 10,65 62,65
        5: line 56,10 17,10 14,46; curve 14,46 36,40 56,52 58,72 40,90 12,82
        6: curve 52,12 28,24 13,52 14,75 35,90 55,80 57,63 40,50 17,62
        7: line 10,10 58,10 28,90
        8: loop 35,10 18,20 18,38 35,47 52,38 52,20; loop 35,47 13,59 13,79 35,90 57,79 57,59
        9: curve 54,38 31,50 14,38 15,21 35,10 55,24 57,48 42,76 18,88
        -: line 16,52 54,52
        _: line 8,96 62,96
        +: line 35,30 35,74; line 13,52 57,52
        =: line 14,40 56,40; line 14,64 56,64
        .: line 33,87 37,87
        ,: line 38,85 31,99
        :: line 35,40 35,43; line 35,84 35,87
        …: line 12,87 14,87; line 34,87 36,87; line 56,87 58,87
        %: loop 19,10 9,23 19,36 29,23; line 60,10 10,90; loop 51,64 41,77 51,90 61,77
        /: line 58,10 12,90
        (: curve 46,4 30,25 25,50 30,75 46,96
        ): curve 24,4 40,25 45,50 40,75 24,96
        ×: line 16,33 54,71; line 54,33 16,71
        ?: curve 14,25 34,10 54,25 49,42 35,58; line 35,58 35,66; line 35,84 35,87
        """
        |> Drawing.characters
        |> Array.map (fun (sign, ways) -> sign, ways[0])
        |> Map

    /// Stands for what has no sign.
    let private box = (Drawing.characters "?: line 12,10 58,10 58,90 12,90 12,10" |> Array.head |> snd)[0]

    /// Pixels from one letter to the next.
    let advance height = max 1 (7 * height / 10)

    /// Ink 0 … 1 of a line of words: height×(letters·advance), row by row.
    let line height (words: string) : float32[] =
        let step = advance height
        let width = step * words.Length
        let ink = Array.zeroCreate (height * width)
        let letter = Array.zeroCreate (height * height)
        let hand = Drawing.hand 0.0 1.0 1.0 0.0 0.055 0.6

        words
        |> Seq.iteri (fun place sign ->
            if sign <> ' ' then
                Array.Clear letter
                let strokes = signs |> Map.tryFind (Char.ToUpperInvariant sign) |> Option.defaultValue box
                Drawing.write hand Drawing.flat height strokes (Span letter)

                for row in 0 .. height - 1 do
                    Array.blit letter (row * height) ink (row * width + place * step) step)

        ink
