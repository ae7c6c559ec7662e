/// F# Interactive loads this file of the package by its name wherever the package is referenced.
module Cnn.Fluent.Interactive

open Cnn.Fluent

fsi.AddPrinter(fun (model: Model) -> model.Summary())
