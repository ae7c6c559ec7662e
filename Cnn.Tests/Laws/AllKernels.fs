namespace Cnn.Tests.Laws

open Cnn

/// Every set of kernels that this machine can run, the reference first.
module AllKernels =
    let float: IKernels<float> list = [ ReferenceKernels<float>() ]
    let float32: IKernels<float32> list = [ ReferenceKernels<float32>() ]
