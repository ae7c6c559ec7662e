/// What a law is: a property over the cases, and how many of them.
namespace Cnn.Tests.Laws

open System
open FsCheck
open FsCheck.FSharp
open Expecto
open Cnn
open Cnn.FSharp
open Cnn.Tests.Laws
open Cnn.Tests.Laws.Closeness

/// Views of a case, so that a law names what it speaks of in its parameter.
[<AutoOpen>]
module Views =
    /// Geometry, input, kernel and output cotangent of small integers.
    let (|Integers|) (s: Sliding) =
        let g = s.Geometry
        let x: Tensor<float> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
        let w: Tensor<float> = Draw.integers (s.Seed + 1) s.Weights
        let ȳ: Tensor<float> = Draw.integers (s.Seed + 2) (g.Output.Batch s.Samples)
        g, x, w, ȳ

    /// As Integers, in float32.
    let (|Integers32|) (s: Sliding) =
        let g = s.Geometry
        let x: Tensor<float32> = Draw.integers s.Seed (s.Picture.Batch s.Samples)
        let w: Tensor<float32> = Draw.integers (s.Seed + 1) s.Weights
        let ȳ: Tensor<float32> = Draw.integers (s.Seed + 2) (g.Output.Batch s.Samples)
        g, x, w, ȳ

    /// Kernel, image and a third plane of small integers.
    let (|KernelAndImage|) (p: Planes) =
        let plane seed (size: Size) : Tensor<float> = Draw.integers seed (Shape.Of(size.Height, size.Width))
        plane p.Seed p.KernelSize, plane (p.Seed + 1) p.ImageSize, plane (p.Seed + 2) p.OtherSize

    /// A composite that learns, with the key of its draws.
    let (|Learning|) plan = Point.away Training plan

    /// A composite that predicts.
    let (|Predicting|) plan = Point.away (fun _ -> Inference) plan

type Arbitraries =
    static member Sliding() = Arb.fromGenShrink (Generate.sliding 9 3 4 3, Generate.shrinkSliding Generate.isWindow)

    static member Pooled() =
        Arb.fromGenShrink (
            Gen.map Pooled (Generate.pooled 9 3),
            fun (Pooled s) -> Generate.shrinkSliding Generate.isPooling s |> Seq.map Pooled
        )

    static member Rows() = Arb.fromGenShrink (Generate.rows 6 9, Generate.shrinkRows)
    static member Planes() = Arb.fromGenShrink (Generate.planes, Generate.shrinkPlanes)
    static member Plan() = Arb.fromGenShrink (Generate.plan 1 6, Generate.shrinkPlan)

/// What a law is: a property over the cases above, and how many of them.
module Law =
    /// A hundred cases of each law, or as many as the environment variable CNN_CASES says: the same ones in each run, since a
    /// gate that draws anew fails those who changed nothing, or others where CNN_SEED is "random".
    let configuration = {
        FsCheckConfig.defaultConfig with
            arbitrary = [ typeof<Arbitraries> ]
            maxTest =
                match Int32.TryParse(Environment.GetEnvironmentVariable "CNN_CASES") with
                | true, cases when cases > 0 -> cases
                | _ -> 100
            replay =
                match Environment.GetEnvironmentVariable "CNN_SEED" with
                | "random" -> None
                | _ -> Some(20022UL, 12023UL, None)
    }

    /// A law: its name is the equation, and so is its body. A failure prints the case, shrunk, and its replay seed.
    let testProperty name property = testPropertyWithConfig configuration name property

    /// Fails where a property that draws nothing does not hold.
    let holds (property: Property) =
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1).WithQuietOnSuccess true, property)

    /// A test of each case, named by a label.
    let testEach name (cases: 'Case seq) (label: 'Case -> string) (test: 'Case -> unit) =
        testList name [ for case in cases -> testCase (label case) (fun () -> test case) ]

    /// A test of each case, named by the case. (Expecto's own is inlined, and its tests lose their place in the sources.)
    let testTheory name (cases: 'Case seq) (test: 'Case -> unit) = testEach name cases string test
