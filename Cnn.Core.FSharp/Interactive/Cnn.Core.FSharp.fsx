/// F# Interactive loads this file of the package by its name wherever the package is referenced.
module Cnn.FSharp.Interactive

open System.Collections.Generic
open Cnn
open Cnn.FSharp

fsi.AddPrinter Printers.shape
fsi.AddPrinter(fun (tensor: Tensor<float32>) -> Printers.tensor tensor)
fsi.AddPrinter(fun (tensor: Tensor<float>) -> Printers.tensor tensor)
fsi.AddPrinter(fun (network: Network<float32>) -> Printers.network network)
fsi.AddPrinter(fun (network: Network<float>) -> Printers.network network)
fsi.AddPrinter(fun (history: IReadOnlyList<EpochResult>) -> Printers.history history)
