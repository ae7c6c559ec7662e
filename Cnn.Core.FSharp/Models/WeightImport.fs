namespace Cnn

/// <summary>Whose names and layouts the weights in a file have.</summary>
type WeightSource =
    /// sequential/conv2d/kernel or conv2d/kernel:0; kernels H×W×in×out, dense in×out; pictures are flattened channels last.
    | Keras = 0
    /// conv1.weight or 0.weight; kernels out×in×H×W, linear out×in; pictures are flattened channels first.
    | PyTorch = 1

namespace Cnn.FSharp

open System
open System.Collections.Generic
open System.IO
open System.Numerics
open System.Text.RegularExpressions
open Cnn

/// Where each number of a network stands in a file of another framework.
module internal WeightLayout =

    /// Layers that can be taken for one another.
    type Kind =
        | Convolution
        | Product
        | Normalization

    /// A tensor of the network: its element i is element Position i of an array of FileShape.
    [<NoEquality; NoComparison>]
    type Entry<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Layer: string
        Tensor: string
        Kind: Kind
        Value: Tensor<'T>
        FileShape: Shape
        Position: int -> int
    }

    /// A layer, its tensors, and their entries; a layer of a user's own has none.
    [<NoEquality; NoComparison>]
    type Row<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Part: Primitive<'T>
        Tensors: Tensor<'T> list
        Entries: Entry<'T> list
    }

    let kindOf spec =
        match spec with
        | Conv2D _ -> Some Convolution
        | Dense _ -> Some Product
        | BatchNorm _ -> Some Normalization
        | _ -> None

    let private fileShape source (shape: Shape) =
        match source, shape.Rank with
        | WeightSource.PyTorch, 4 -> Shape.Of(shape[3], shape[2], shape[0], shape[1])
        | WeightSource.PyTorch, 2 -> Shape.Of(shape[1], shape[0])
        | _ -> shape

    /// Element i of K[u,v,c,f], W[d,u] or a vector in the file, for features in the given order. Others correlate, so a
    /// kernel that is convolved here is theirs turned by π.
    let private position source spec (shape: Shape) (order: int -> int) =
        match spec, shape.Rank with
        | Conv2D conv, 4 ->
            let taps, channels, filters = shape[0] * shape[1], shape[2], shape[3]

            fun i ->
                let tap = i / (channels * filters)
                let tap = if conv.Mode = ConvolutionMode.Convolution then taps - 1 - tap else tap

                if source = WeightSource.PyTorch then
                    (i % filters * channels + i / filters % channels) * taps + tap
                else
                    tap * channels * filters + i % (channels * filters)
        | Dense _, 2 ->
            let inputs, units = shape[0], shape[1]

            fun i ->
                if source = WeightSource.PyTorch then
                    i % units * inputs + order (i / units)
                else
                    order (i / units) * units + i % units
        | BatchNorm _, _ -> order
        | _ -> id

    /// The order of features after a layer: feature i here is feature `order i` there.
    let private orderAfter source spec (input: Shape) order =
        match spec with
        | Flatten own when input.Rank = 3 ->
            let channels = input[2]
            let pixels = input.Size / max 1 channels

            match own, source with
            | FlattenOrder.RowMajor, WeightSource.PyTorch -> fun i -> i % channels * pixels + i / channels
            | FlattenOrder.ChannelMajor, WeightSource.Keras -> fun i -> i % pixels * channels + i / pixels
            | _ -> id
        | Conv2D _
        | Dense _ -> id
        | _ -> order

    let rows source (network: Network<'T>) : Row<'T> list =
        let rec walk (rows: SummaryRow list) (parts: Primitive<'T> list) θ s (input: Shape) order =
            match rows, parts with
            | row :: rows, part :: parts ->
                let θf, θg = List.splitAt part.Parameters θ
                let sf, sg = List.splitAt part.States s
                let tensors = θf @ sf

                let entry kind tensor (value: Tensor<'T>) = {
                    Layer = row.Name
                    Tensor = tensor
                    Kind = kind
                    Value = value
                    FileShape = fileShape source value.Shape
                    Position = position source part.Spec value.Shape order
                }

                let entries =
                    match kindOf part.Spec with
                    | Some kind -> List.map2 (entry kind) (LayerSpec.tensorNames part.Spec) tensors
                    | None -> []

                { Part = part; Tensors = tensors; Entries = entries }
                :: walk rows parts θg sg row.Output (orderAfter source part.Spec input order)
            | _ -> []

        walk (Network.summary network) network.Layer.Parts network.Parameters network.State network.Input id

/// <summary>Weights that Keras or PyTorch trained, by name.</summary>
/// <remarks>
/// Kernels, linear maps, the order of flattened pictures and the names of batch normalisation are translated; its ε is the
/// network's own. PyTorch's num_batches_tracked is not looked at, its running_var is taken as it is. All but <c>load</c> is pure.
/// </remarks>
[<RequireQualifiedAccess>]
module WeightImport =

    open WeightLayout

    let private separator source = if source = WeightSource.PyTorch then "." else "/"

    /// The name that PyTorch gives to a tensor.
    let private torchNames =
        dict [
            "kernel", "weight"
            "bias", "bias"
            "gamma", "weight"
            "beta", "bias"
            "moving_mean", "running_mean"
            "moving_variance", "running_var"
        ]

    let private tensorName source (tensor: string) =
        if source = WeightSource.PyTorch then torchNames[tensor] else tensor

    /// Keras 2 ends names with :0.
    let private plainName source (name: string) =
        if source = WeightSource.Keras && name.EndsWith ":0" then
            name.Substring(0, name.Length - 2)
        else
            name

    /// A layer's name in the file, empty where it has none, and the tensor's.
    let private split source (name: string) =
        match name.LastIndexOf(separator source: string) with
        | -1 -> "", name
        | at -> name.Substring(0, at), name.Substring(at + 1)

    let private join source layer tensor = if layer = "" then tensor else layer + separator source + tensor

    /// What frameworks count for themselves.
    let private isIgnored source name =
        match source, snd (split source name) with
        | WeightSource.PyTorch, "num_batches_tracked"
        | WeightSource.Keras, "seed_generator_state" -> true
        | _ -> false

    let private kindOfArrays (tensors: (string * NamedArray) list) =
        let has names = tensors |> List.exists (fun (tensor, _) -> List.contains tensor names)

        let rank =
            tensors
            |> List.tryFind (fun (tensor, _) -> tensor = "kernel" || tensor = "weight")
            |> Option.map (fun (_, array) -> array.Shape.Rank)

        if
            has [ "gamma"; "beta"; "moving_mean"; "moving_variance"; "running_mean"; "running_var" ]
            || rank = Some 1
        then
            Some Normalization
        elif rank = Some 4 then
            Some Convolution
        elif rank = Some 2 then
            Some Product
        else
            None

    /// Numbers in a name made to sort by value.
    let private naturally (name: string) = Regex.Replace(name, "[0-9]+", fun (m: Match) -> m.Value.PadLeft(20, '0'))

    /// A name without its numbers: what numbered siblings have in common.
    let private family (name: string) = Regex.Replace(name, "_?[0-9]+", "#").TrimEnd '#'

    /// Layers of one kind in the order of the network's. A file in which order is lost tells it by numbers only.
    let private inOrder (file: string) isOrdered (names: string list) =
        if isOrdered then
            names
        elif names |> List.map family |> List.distinct |> List.length > 1 then
            raise (
                ArgumentException(
                    file
                    + " does not tell the order of its layers "
                    + String.Join(", ", names)
                    + ". Say by names which layer of the network each one is."
                )
            )
        else
            names |> List.sortWith (fun a b -> String.CompareOrdinal(naturally a, naturally b))

    /// The layers in the file that the network's layers stand for: by name where all names are the network's, else kind by
    /// kind in their order.
    let private pair source file isOrdered (layers: (string * Kind) list) (arrays: (string * NamedArray) list) =
        let groups =
            arrays
            |> List.map (fun (name, array) -> let layer, tensor = split source name in layer, (tensor, array))
            |> List.groupBy fst
            |> List.map (fun (layer, tensors) -> layer, List.map snd tensors)

        let known = layers |> List.map fst |> set
        let last layer = snd (split source layer)
        let lasts = groups |> List.map (fst >> last)

        if source = WeightSource.Keras && List.forall known.Contains lasts && List.distinct lasts = lasts then
            Map [ for layer, _ in groups -> last layer, layer ]
        else
            Map [
                for kind in [ Convolution; Product; Normalization ] do
                    let ours = [
                        for name, k in layers do
                            if k = kind then
                                name
                    ]

                    let theirs = [
                        for name, tensors in groups do
                            if kindOfArrays tensors = Some kind then
                                name
                    ]

                    let count = min ours.Length theirs.Length

                    yield! List.zip (List.take count ours) (List.take count (inOrder file isOrdered theirs))
            ]

    let private checkNames (entries: Entry<'T> list) (names: IReadOnlyDictionary<string, string>) =
        let known =
            set [
                for e in entries do
                    yield e.Layer
                    yield e.Layer + "/" + e.Tensor
            ]

        for name in names.Keys do
            if not (known.Contains name) then
                raise (
                    ArgumentException(
                        "The network has no layer or tensor " + name + ". There are: " + String.Join(", ", known) + "."
                    )
                )

    /// <summary>The network with the arrays of a file as its weights.</summary>
    /// <param name="source">Who wrote them: decides names and layouts.</param>
    /// <param name="names">Names in the file for layers (conv2d → features.0) or tensors (conv2d/kernel → w) of the network; may be empty.</param>
    /// <param name="isOrdered">Whether the arrays stand in the order of the layers, as in .npz but not in safetensors.</param>
    /// <param name="file">Used in messages only.</param>
    /// <param name="arrays">What the file holds.</param>
    /// <param name="network">The architecture; its own weights are forgotten, but for layers of a user's own.</param>
    /// <exception cref="T:Cnn.WeightMismatchException">Names are missing, unexpected or of another shape: lists all of them.</exception>
    /// <exception cref="T:System.ArgumentException">The names tell no order, the network has no such layer, or there is no such source.</exception>
    /// <exception cref="T:Cnn.DataFormatException">An array has no real numbers, or two have one name.</exception>
    let assign
        (source: WeightSource)
        (names: IReadOnlyDictionary<string, string>)
        (isOrdered: bool)
        (file: string)
        (arrays: NamedArray list)
        (network: Network<'T>)
        : Network<'T> =
        Words.defined (nameof source) source
        let rows = rows source network
        let entries = rows |> List.collect (fun row -> row.Entries)
        checkNames entries names
        let found = Dictionary<string, NamedArray>()

        for array in arrays do
            if not (found.TryAdd(plainName source array.Name, array)) then
                raise (DataFormatException(file, array.Offset, "each name once", array.Name + " twice"))

        let given = set names.Values

        let isNamed (e: Entry<'T>) = names.ContainsKey e.Layer || names.ContainsKey(e.Layer + "/" + e.Tensor)

        let pairs =
            pair
                source
                file
                isOrdered
                (entries
                 |> List.groupBy (fun e -> e.Layer, e.Kind)
                 |> List.filter (fun (_, entries) -> not (List.exists isNamed entries))
                 |> List.map fst)
                [
                    for array in arrays do
                        let name = plainName source array.Name

                        if
                            not (
                                isIgnored source name || given.Contains name || given.Contains(fst (split source name))
                            )
                        then
                            name, array
                ]

        /// The name of an entry in the file, as far as it can be told.
        let fileName (e: Entry<'T>) =
            match names.TryGetValue(e.Layer + "/" + e.Tensor), names.TryGetValue e.Layer, pairs.TryFind e.Layer with
            | (true, name), _, _ -> Some(plainName source name)
            | _, (true, layer), _
            | _, _, Some layer -> Some(join source layer (tensorName source e.Tensor))
            | _ -> None

        let array (e: Entry<'T>) =
            match fileName e with
            | Some name when found.ContainsKey name -> Some found[name]
            | _ -> None

        let missing = [|
            for e in entries do
                if (array e).IsNone then
                    (fileName e |> Option.defaultValue (e.Layer + "/" + e.Tensor)) + " of " + string e.FileShape
        |]

        let misshapen = [|
            for e in entries do
                match array e with
                | Some array when array.Shape <> e.FileShape ->
                    array.Name + " (expected " + string e.FileShape + ", found " + string array.Shape + ")"
                | _ -> ()
        |]

        let used = entries |> List.choose fileName |> set

        let unexpected = [|
            for array in arrays do
                let name = plainName source array.Name

                if not (used.Contains name || isIgnored source name) then
                    array.Name
        |]

        if missing.Length + unexpected.Length + misshapen.Length > 0 then
            raise (WeightMismatchException(file, missing, unexpected, misshapen))

        let tensor (e: Entry<'T>) =
            match array e with
            | Some array ->
                let values = (NamedArray.toTensor file array: Tensor<'T>).ToArray()
                Tensor.init e.Value.Shape (fun i -> values[e.Position i])
            | None -> e.Value

        let tensors =
            rows
            |> List.map (fun row ->
                (if row.Entries.IsEmpty then row.Tensors else List.map tensor row.Entries)
                |> List.splitAt row.Part.Parameters)

        { network with Parameters = List.collect fst tensors; State = List.collect snd tensors }

    /// <summary>The arrays of a .npz or safetensors file, and whether they stand in the order in which they were given to it.</summary>
    /// <exception cref="T:Cnn.DataFormatException">The bytes are no such file.</exception>
    let parse file (bytes: byte[]) =
        if bytes.AsSpan().StartsWith(ReadOnlySpan "PK"B) then
            NumPy.readNpz file bytes, true
        else
            (Safetensors.read file (ReadOnlyMemory bytes)).Arrays, false

    /// <summary>The network with the weights of a .npz or .safetensors file; see <c>assign</c>.</summary>
    /// <exception cref="T:System.IO.IOException">The file cannot be read.</exception>
    let load (source: WeightSource) names (path: string) (network: Network<'T>) : Network<'T> =
        Words.defined (nameof source) source
        let arrays, isOrdered = parse path (File.ReadAllBytes path)
        assign source names isOrdered path arrays network

/// <summary>Weights for other programs.</summary>
[<RequireQualifiedAccess>]
module WeightExport =

    /// <summary>All tensors of the network's layers, named and laid out as in Keras; none of a user's own layers.</summary>
    let arrays (network: Network<'T>) : NamedArray list = [
        for row in WeightLayout.rows WeightSource.Keras network do
            for e in row.Entries do
                let values = Array.zeroCreate e.Value.Size

                for i in 0 .. values.Length - 1 do
                    values[e.Position i] <- e.Value.Span[i]

                NamedArray.ofTensor (e.Layer + "/" + e.Tensor) (Tensor.own e.FileShape values)
    ]

    /// <summary>Writes the weights as a .npz file, as a whole or not at all.</summary>
    /// <exception cref="T:System.IO.IOException">The file cannot be written.</exception>
    let save (path: string) (network: Network<'T>) =
        AtomicFile.write path (ReadOnlySpan(NumPy.writeNpz (arrays network)))
