namespace Cnn.Tests.Laws

open System.Numerics
open Cnn
open Cnn.Fluent

/// Every set of kernels that this machine can run.
module AllKernels =
    /// The vector kernels, each width that differs from the others here, none included.
    let private simd<'T
        when 'T: unmanaged
        and 'T: (new: unit -> 'T)
        and 'T: struct
        and 'T :> System.ValueType
        and 'T :> IBinaryFloatingPointIeee754<'T>>
        ()
        : IKernels<'T> list =
        [ 512; 256; 128; 0 ]
        |> List.map (fun bits -> SimdKernels<'T>(bits) :> IKernels<'T>)
        |> List.distinctBy (fun kernels -> kernels.InstructionSet)

    let fast: IKernels<float> list = simd ()
    let fast32: IKernels<float32> list = simd ()

    /// The reference first.
    let float: IKernels<float> list = ReferenceKernels<float>() :: fast
    let float32: IKernels<float32> list = ReferenceKernels<float32>() :: fast32
