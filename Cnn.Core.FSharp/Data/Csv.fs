namespace Cnn

open System
open System.Collections.Generic
open System.Globalization
open System.IO
open System.Runtime.InteropServices
open System.Threading
open Cnn.FSharp

/// Pixels of a line, as bytes where all of them are.
[<NoEquality; NoComparison>]
type private CsvPixels =
    | Bytes of byte[]
    | Numbers of float32[]

/// What the lines of one file have given so far.
[<Sealed>]
type private CsvReader(options: CsvOptions, source: ByteSource) =
    let mutable shape = options.Shape
    let mutable picture: float32[] = [||]
    let mutable isFirst = true
    let fields = ResizeArray<struct (int * int)>()
    let pictures, labels = ResizeArray<CsvPixels>(), ResizeArray<int>()

    // Classes of the file are numbered as they come, and sorted at the end.
    let classes, numbers = ResizeArray<string>(), Dictionary<string, int>()

    let define (name: string) =
        numbers[name] <- classes.Count
        classes.Add name

    do
        match options.ClassNames with
        | null -> ()
        | names -> Seq.iter define names

    let field (line: TextLine) column =
        let struct (start, length) = fields[column]
        line.Bytes.Slice(start, length)

    let refuse (line: TextLine) column (wanted: string) : 'R =
        let struct (start, _) = fields[column]
        let text = CsvText.text (field line column).Span
        let shown = if text.Length > 20 then text.Substring(0, 20) + "…" else text
        let where = " in line " + string line.Number + ", column " + string (column + 1)
        source.RefuseAt(line.Offset + int64 start, wanted + where, "'" + shown + "'")

    /// A square of one channel, or of three.
    let infer (line: TextLine) pixels =
        let side (n: int) = int (Math.Sqrt(float n))
        let isSquare n = n > 0 && side n * side n = n

        if isSquare pixels then
            Shape.Of(side pixels, side pixels, 1)
        elif pixels % 3 = 0 && isSquare (pixels / 3) then
            Shape.Of(side (pixels / 3), side (pixels / 3), 3)
        else
            let wanted = "as many pixels as a square of one or three channels has (or tell the shape)"
            source.RefuseAt(line.Offset, wanted + " in line " + string line.Number, string pixels)

    /// Whole numbers as they are written everywhere, so that 7, 07 and 7.0 are one class.
    let canonical (text: string) =
        match Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture) with
        | true, value when Math.Floor value = value && abs value <= 9007199254740992.0 -> string (int64 value)
        | _ -> text

    let number (line: TextLine) column =
        let text = CsvText.text (field line column).Span

        match numbers.TryGetValue text with
        | true, number -> number
        | _ ->
            let name = canonical text

            if not (numbers.ContainsKey name) then
                match options.ClassNames with
                | null when name <> "" -> define name
                | null -> refuse line column "a label"
                | names -> refuse line column ("one of the labels " + String.Join(", ", names))

            numbers[text] <- numbers[name]
            numbers[text]

    let readPicture (line: TextLine) firstPixel =
        let mutable areBytes = true

        for i in 0 .. picture.Length - 1 do
            let pixel = CsvText.number (field line (firstPixel + i)).Span

            if not (pixel >= 0.0 && pixel <= options.Divisor) then
                refuse line (firstPixel + i) ("a pixel of 0 to " + Words.number options.Divisor)

            picture[i] <- float32 pixel
            areBytes <- areBytes && pixel <= 255.0 && pixel = Math.Floor pixel

        if areBytes then Bytes(Array.map byte picture) else Numbers(Array.copy picture)

    /// Takes a line in.
    member _.Visit(line: TextLine) =
        CsvText.split (byte options.Separator) line.Bytes fields

        if isNull shape then
            shape <- infer line (fields.Count - 1)

        let pixels = (nonNull shape).Size

        if fields.Count <> pixels + 1 then
            let wanted = Words.count pixels "pixel" "pixels" + " and a label in line " + string line.Number
            source.RefuseAt(line.Offset, wanted, Words.count fields.Count "value" "values")

        let label, firstPixel = if options.Label = CsvLabel.First then 0, 1 else pixels, 0

        let namesColumns () =
            seq { firstPixel .. firstPixel + pixels - 1 }
            |> Seq.forall (fun column -> Double.IsNaN(CsvText.number (field line column).Span))

        let isHeader =
            isFirst
            && (options.Header = CsvHeader.Present || options.Header = CsvHeader.Auto && namesColumns ())

        if isFirst then
            picture <- Array.zeroCreate pixels
            isFirst <- false

        if not isHeader then
            pictures.Add(readPicture line firstPixel)
            labels.Add(number line label)

    /// All that was taken in.
    member _.Dataset() =
        match shape with
        | NonNull shape when pictures.Count > 0 ->
            let isWhole (text: string) =
                fst (Int64.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))

            let order, names =
                match options.ClassNames with
                | null when Seq.forall isWhole classes ->
                    let order, names = classes |> Seq.map int64 |> Dataset.encode
                    order, Array.map string names
                | null -> Dataset.encode classes
                | _ -> Array.init classes.Count id, classes.ToArray()

            let pictures, divisor = pictures.ToArray(), float32 options.Divisor

            Dataset.Create(
                shape,
                Seq.map (fun number -> order[number]) labels,
                names,
                PictureReader(fun index destination ->
                    match pictures[index] with
                    | Bytes values ->
                        for i in 0 .. values.Length - 1 do
                            destination[i] <- float32 values[i] / divisor
                    | Numbers values ->
                        for i in 0 .. values.Length - 1 do
                            destination[i] <- values[i] / divisor)
            )
        | _ -> source.RefuseAt(0L, "at least one line with a picture", "none")

/// <summary>Labelled pictures in files of separated values, one picture a line.</summary>
[<AbstractClass; Sealed>]
type Csv private () =

    static let dataset (options: CsvOptions) (source: ByteSource) =
        // A number takes up to 32 bytes with its separator, and a label has 4096 to itself.
        let longest =
            match options.Shape with
            | null -> 16 <<< 20
            | shape -> int (min (1L <<< 30) (4096L + 32L * int64 shape.Size))

        let reader = CsvReader(options, source)
        CsvText.iterate longest source reader.Visit
        reader.Dataset()

    static let orDefault (options: CsvOptions | null) =
        match options with
        | null -> CsvOptions()
        | options -> options

    /// <summary>The pictures in the bytes of a file, gzip-compressed or not. Pure.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The whole file.</param>
    /// <param name="options">How it is read.</param>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file; tells the line, and the offset.</exception>
    static member Parse
        (
            file: string,
            bytes: byte[],
            [<Optional; DefaultParameterValue(null: CsvOptions | null)>] options: CsvOptions | null
        ) =
        Files.readBytes file bytes (dataset (orDefault options))

    /// <summary>The pictures in a stream, gzip-compressed or not; the stream stays open.</summary>
    /// <param name="file">Name of the stream, for messages.</param>
    /// <param name="stream">Read to its end.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:Cnn.DataFormatException">The stream holds no such file; tells the line, and the offset.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Read
        (
            file: string,
            stream: Stream,
            [<Optional; DefaultParameterValue(null: CsvOptions | null)>] options: CsvOptions | null,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        Files.readStream file stream cancellationToken (dataset (orDefault options))

    /// <summary>The pictures of a file, gzip-compressed or not.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends the reading. Default never.</param>
    /// <exception cref="T:System.IO.FileNotFoundException">There is no such file.</exception>
    /// <exception cref="T:Cnn.DataFormatException">It is another one; tells the line, and the offset.</exception>
    /// <exception cref="T:System.OperationCanceledException">It was cancelled.</exception>
    static member Load
        (
            path: string,
            [<Optional; DefaultParameterValue(null: CsvOptions | null)>] options: CsvOptions | null,
            [<Optional>] cancellationToken: CancellationToken
        ) =
        ArgumentNullException.ThrowIfNull(path, nameof path)
        Files.read path cancellationToken (dataset (orDefault options))
