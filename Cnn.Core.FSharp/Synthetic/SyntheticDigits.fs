namespace Cnn.FSharp

open System
open Cnn

/// <summary>Handwritten digits that the library draws itself: a labelled data set that needs no file.</summary>
/// <remarks>
/// A digit is a skeleton of strokes, placed by a random affine map, bent by a smooth random field (Simard, Steinkraus
/// and Platt 2003), and inked with a pen of random width on paper with grain. Every function is pure: key, size and
/// index give the same picture on every machine, in any order and from any number of threads.
/// </remarks>
[<RequireQualifiedAccess>]
module SyntheticDigits =

    /// The ways in which people write each digit: strokes through points, in percent of the side; x right, y down.
    let private skeletons =
        """
        0: loop 50,10 31,22 25,50 31,78 50,90 69,78 75,50 69,22
        0: curve 58,14 38,17 28,45 33,78 50,89 68,75 72,42 62,17 45,11
        1: line 50,10 50,90
        1: line 40,26 53,10 53,90
        1: line 38,26 52,10 52,90; line 35,90 69,90
        2: curve 27,30 34,15 52,10 69,20 68,40 50,63 26,88; line 26,88 75,88
        2: curve 28,26 42,11 65,14 70,34 56,60 36,84 25,84 29,73 45,77 62,88 77,83
        3: curve 28,20 45,10 66,16 69,32 57,45 43,48; curve 43,48 63,52 73,68 64,85 45,90 26,80
        3: line 28,12 69,12 46,43; curve 46,43 66,49 73,66 63,84 44,90 26,81
        4: line 35,12 24,58 78,58; line 65,32 60,90
        4: line 62,90 62,10 23,64 78,64
        4: curve 27,14 26,40 36,54 53,54 70,48; line 74,15 67,90
        5: line 71,12 34,12 31,45; curve 31,45 50,39 69,49 71,71 55,88 27,84
        5: curve 72,13 45,13 33,32 48,44 67,55 68,77 49,90 27,82
        6: curve 66,12 45,25 31,50 30,74 46,90 66,83 70,65 55,52 39,58 31,71
        6: curve 42,10 34,35 30,66 36,84 52,90 69,80 69,62 52,53 36,60 31,72
        7: line 25,13 74,13 44,90
        7: line 25,13 74,13 44,90; line 40,51 72,51
        7: line 25,25 26,13 74,13; curve 74,13 60,40 51,65 48,90
        8: loop 50,10 35,18 35,38 50,47 65,38 65,18; loop 50,47 31,57 31,80 50,90 69,80 69,57
        8: curve 68,21 50,10 34,23 44,43 63,58 70,76 50,90 30,76 38,58 57,44 67,28 62,14
        9: loop 49,11 34,18 31,34 44,49 61,44 69,30 63,16; line 70,28 62,90
        9: curve 68,27 54,11 35,17 30,36 44,49 61,43 69,25; curve 69,25 70,55 61,82 44,90 32,84
        """
        |> Drawing.ways

    /// Rotation · shear · scale about the centre. The shifts are wide on purpose: a linear model of the pixels must fail
    /// where a convolution does not.
    let private hand (key: Key) size =
        let inline between low high i = low + (high - low) * key.Uniform i
        let height = between 0.76 0.96 2L
        let width = height * between 0.75 1.12 3L
        let slant = height * between -0.16 0.34 4L
        let radius = max (between 0.036 0.066 8L) (0.4 / float size)

        {
            Drawing.hand (between -0.12 0.12 1L) width height slant radius (between 0.5 1.0 9L) with
                ShiftX = between -0.11 0.11 5L
                ShiftY = between -0.10 0.10 6L
                Bend = between 0.02 0.075 7L
        }

    let private tones (key: Key) : Drawing.Tones =
        let inline between low high i = low + (high - low) * key.Uniform i
        { Ink = between 0.7 1.0 10L; Paper = between 0.0 0.06 11L; Grain = between 0.0 0.05 12L }

    let private write (key: Key) size digit (picture: Span<float32>) =
        picture.Clear()
        let writing = key.Child 0L
        let way = skeletons[digit][writing.Below(skeletons[digit].Length, 0L)]
        Drawing.write (hand writing size) (Drawing.field (key.Child 1L)) size way picture
        Drawing.develop (tones writing) (key.Child 2L) picture

    /// The hand of a painter of house numbers: broad strokes, hardly bent.
    let private broadHand (key: Key) size =
        let inline between low high i = low + (high - low) * key.Uniform i
        let height = between 0.62 0.95 2L
        let width = height * between 0.75 1.15 3L
        let slant = height * between -0.1 0.25 4L
        let radius = max (between 0.04 0.085 8L) (0.5 / float size)

        {
            Drawing.hand (between -0.12 0.12 1L) width height slant radius (between 0.6 1.6 9L) with
                ShiftX = between -0.09 0.09 5L
                ShiftY = between -0.09 0.09 6L
                Bend = between 0.0 0.04 7L
        }

    /// How often there is another digit on a side.
    [<Literal>]
    let private Company = 0.7

    /// A digit in the middle and often one on either side, on the same line; the picture's edges cut them off.
    let private writeColor (key: Key) size digit (picture: Span<float32>) =
        picture.Clear()
        let writing = key.Child 3L
        let hand = broadHand writing size
        let spacing = 0.58 + 2.0 * hand.Radius + 0.15 * writing.Uniform 10L

        for place in -1 .. 1 do
            let key = key.Child(int64 (5 + place))

            if place = 0 || key.Uniform 0L < Company then
                let ways = skeletons[if place = 0 then digit else key.Below(10, 1L)]
                let along = float place * spacing

                let hand = {
                    hand with
                        ShiftX = hand.ShiftX + along * hand.XX
                        ShiftY = hand.ShiftY + along * hand.YX
                }

                Drawing.write hand (Drawing.field (key.Child 0L)) size ways[key.Below(ways.Length, 2L)] picture

        Scene.develop (key.Child 7L) size picture

    let private names = Array.init 10 string

    /// <summary>One picture of a digit 0 … 9: size×size grey values, row by row, 0 background … 1 ink.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or digit not in 0 … 9.</exception>
    let draw (key: Key) (size: int) (digit: int) =
        Sampling.require (nameof size) 8 Sampling.Largest size
        Sampling.require (nameof digit) 0 9 digit
        let picture = Array.zeroCreate (size * size)
        write key size digit (Span picture)
        picture

    /// <summary>Label of one sample of a key's set: samples 10k … 10k + 9 show each digit once.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The index is negative.</exception>
    let label (key: Key) (index: int) = Sampling.label 10 key index

    /// <summary>Label and picture of one sample of a key's set, as <c>label</c> and <c>draw</c> give them.</summary>
    /// <remarks>Sets of different keys are independent: take one seed for training and another for testing.</remarks>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or index negative.</exception>
    let sample (key: Key) (size: int) (index: int) =
        let digit = label key index
        struct (digit, draw (Sampling.pictureKey key index) size digit)

    /// <summary>Writes the picture of <c>sample</c> over a span of size² values; returns the label.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or index negative.</exception>
    /// <exception cref="T:System.ArgumentException">The span does not have size² values.</exception>
    let sampleInto (key: Key) (size: int) (index: int) (picture: Span<float32>) =
        Sampling.require (nameof size) 8 Sampling.Largest size
        Sampling.requireLength (nameof picture) (size * size) picture
        let digit = label key index
        write (Sampling.pictureKey key index) size digit picture
        digit

    /// <summary>Samples 0 … count − 1 of a key's set, drawn at once on the threads of a scheduler and kept as bytes.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or count negative.</exception>
    let dataset (scheduler: IScheduler) (key: Key) (size: int) (count: int) =
        Sampling.require (nameof size) 8 Sampling.Largest size

        Sampling.collect scheduler (Shape.Of(size, size, 1)) names count (fun index picture ->
            sampleInto key size index (Span picture))

    /// <summary>One picture of a digit 0 … 9 as on a house: size×size×3 values 0 … 1, row by row, red, green, blue.</summary>
    /// <remarks>
    /// Broad strokes of any colour, lighter or darker than a wall with joints and clouds, in uneven light, with noise;
    /// often with parts of another digit at the left or the right. Made to be hard without convolution.
    /// </remarks>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 16 … 26754, or digit not in 0 … 9.</exception>
    let drawColor (key: Key) (size: int) (digit: int) =
        Sampling.require (nameof size) 16 Sampling.LargestColor size
        Sampling.require (nameof digit) 0 9 digit
        let picture = Array.zeroCreate (3 * size * size)
        writeColor key size digit (Span picture)
        picture

    /// <summary>Writes a picture in colour, with the label of that index, over a span of 3·size² values; returns the label.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 16 … 26754, or index negative.</exception>
    /// <exception cref="T:System.ArgumentException">The span does not have 3·size² values.</exception>
    let sampleColorInto (key: Key) (size: int) (index: int) (picture: Span<float32>) =
        Sampling.require (nameof size) 16 Sampling.LargestColor size
        Sampling.requireLength (nameof picture) (3 * size * size) picture
        let digit = label key index
        writeColor (Sampling.pictureKey key index) size digit picture
        digit

    /// <summary>Pictures in colour of samples 0 … count − 1 of a key's set, drawn at once on the threads of a scheduler and kept as bytes.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 16 … 26754, or count negative.</exception>
    let colorDataset (scheduler: IScheduler) (key: Key) (size: int) (count: int) =
        Sampling.require (nameof size) 16 Sampling.LargestColor size

        Sampling.collect scheduler (Shape.Of(size, size, 3)) names count (fun index picture ->
            sampleColorInto key size index (Span picture))
