namespace Cnn.FSharp

open System
open Cnn

/// <summary>Printed capitals I and Q that the library draws itself, as for the network of Fan and Yam 11.6.3.</summary>
/// <remarks>
/// With and without serifs, thin and bold, upright and slanted, a little off the centre. Every function is pure: key,
/// size and index give the same picture on every machine, in any order and from any number of threads.
/// </remarks>
[<RequireQualifiedAccess>]
module SyntheticGlyphs =

    /// The typefaces of each capital.
    let private skeletons =
        """
        I: line 50,10 50,90
        I: line 50,10 50,90; line 38,10 62,10; line 38,90 62,90
        I: line 50,10 50,90; line 30,10 70,10; line 30,90 70,90
        Q: loop 50,10 26,21 15,50 26,79 50,90 74,79 85,50 74,21; line 56,66 82,93
        Q: loop 50,10 30,20 20,50 30,80 50,90 70,80 80,50 70,20; curve 42,80 52,78 64,90 82,94
        Q: loop 50,10 22,18 15,50 22,82 50,90 78,82 85,50 78,18; line 50,74 64,98
        """
        |> Drawing.ways

    let private names = [| "I"; "Q" |]

    let private hand (key: Key) size =
        let inline between low high i = low + (high - low) * key.Uniform i
        let height = between 0.52 0.95 2L
        let width = height * between 0.65 1.1 3L
        let slant = height * between -0.1 0.3 4L
        let radius = max (between 0.025 0.085 8L) (0.4 / float size)

        {
            Drawing.hand (between -0.05 0.05 1L) width height slant radius (between 0.5 1.0 9L) with
                ShiftX = between -0.115 0.115 5L
                ShiftY = between -0.1 0.1 6L
        }

    let private tones (key: Key) : Drawing.Tones =
        let inline between low high i = low + (high - low) * key.Uniform i
        { Ink = between 0.5 1.0 10L; Paper = between 0.0 0.2 11L; Grain = between 0.0 0.1 12L }

    let private write (key: Key) size glyph (picture: Span<float32>) =
        picture.Clear()
        let printing = key.Child 0L
        let face = skeletons[glyph][printing.Below(skeletons[glyph].Length, 0L)]
        Drawing.write (hand printing size) Drawing.flat size face picture
        Drawing.develop (tones printing) (key.Child 1L) picture

    /// <summary>One picture of an I (0) or a Q (1): size×size grey values, row by row, 0 background … 1 ink.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or glyph neither 0 nor 1.</exception>
    let draw (key: Key) (size: int) (glyph: int) =
        Sampling.require (nameof size) 8 Sampling.Largest size
        Sampling.require (nameof glyph) 0 1 glyph
        let picture = Array.zeroCreate (size * size)
        write key size glyph (Span picture)
        picture

    /// <summary>Label of one sample of a key's set, 0 for I and 1 for Q: samples 2k and 2k + 1 show each once.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The index is negative.</exception>
    let label (key: Key) (index: int) = Sampling.label 2 key index

    /// <summary>Writes the picture of one sample over a span of size² values; returns the label.</summary>
    /// <remarks>Sets of different keys are independent: take one seed for training and another for testing.</remarks>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or index negative.</exception>
    /// <exception cref="T:System.ArgumentException">The span does not have size² values.</exception>
    let sampleInto (key: Key) (size: int) (index: int) (picture: Span<float32>) =
        Sampling.require (nameof size) 8 Sampling.Largest size
        Sampling.requireLength (nameof picture) (size * size) picture
        let glyph = label key index
        write (Sampling.pictureKey key index) size glyph picture
        glyph

    /// <summary>Samples 0 … count − 1 of a key's set, drawn at once on the threads of a scheduler and kept as bytes.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">Size not in 8 … 46340, or count negative.</exception>
    let dataset (scheduler: IScheduler) (key: Key) (size: int) (count: int) =
        Sampling.require (nameof size) 8 Sampling.Largest size

        Sampling.collect scheduler (Shape.Of(size, size, 1)) names count (fun index picture ->
            sampleInto key size index (Span picture))
