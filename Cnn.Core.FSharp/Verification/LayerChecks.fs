namespace Cnn.FSharp

open System
open System.Numerics
open Cnn

/// What is checked of each layer by itself: shapes, gradients, adjoints, and the kernels that it calls.
module internal LayerChecks =

    /// A layer of the network: its name, its part of θ and of the state, and the position of its draws.
    [<NoEquality; NoComparison>]
    type Site<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
        Name: string
        Names: string list
        Here: Weighted<'T>
        Position: int
    }

    let sites (network: Network<'T>) =
        let rows = Network.summary network
        let parts = Layer.weigh network.Layer network.Parameters network.State

        let positions = parts |> List.scan (fun position (here: Weighted<'T>) -> position + here.Part.Draws) 0

        List.zip3 rows parts (List.truncate parts.Length positions)
        |> List.map (fun (row, here, position) ->
            let own = LayerSpec.tensorNames here.Part.Spec |> List.truncate here.Part.Parameters

            {
                Name = row.Name
                Names =
                    if own.Length = here.Part.Parameters then
                        own
                    else
                        List.init here.Part.Parameters (fun i -> "parameter" + string i)
                Here = here
                Position = position
            })

    let context kernels mode : Context<'T> = { Context.reference mode with Kernels = kernels }

    let wide (t: Tensor<'T>) : Tensor<float> = Tensor.map Number.toFloat t
    let narrow (t: Tensor<float>) : Tensor<'T> = Tensor.map Number.ofFloat t

    let check layer claim subject verdict reason : VerificationCheck = {
        Layer = layer
        Claim = claim
        Subject = subject
        Checked = 0L
        Total = 0L
        Worst = ""
        Error = 0.0
        Bound = 0.0
        Verdict = verdict
        Reason = reason
    }

    /// The layer in double, and the roundoff that it then has: a user's own keeps the precision that it was written in.
    let private lift (kernels: IKernels<'T>) (part: Primitive<'T>) : struct (Primitive<float> * float) =
        match box part, part.Spec with
        | (:? Primitive<float> as own), _ -> own, Rounding.unitRoundoff<float>
        | _, Custom _ ->
            let run (c: Context<float>) (θ: Parameters<float>) (s: State<float>) (x: Tensor<float>) : Step<float> =
                let step = part.Run (context kernels c.Mode) (List.map narrow θ) (List.map narrow s) (narrow x)

                {
                    Output = wide step.Output
                    State = List.map wide step.State
                    Pullback =
                        fun ȳ ->
                            let θ̄, x̄ = step.Pullback(narrow ȳ)
                            List.map wide θ̄, wide x̄
                }

            {
                Spec = part.Spec
                Parameters = part.Parameters
                States = part.States
                Draws = part.Draws
                CouplesSamples = part.CouplesSamples
                Output = part.Output
                Initial =
                    fun key input ->
                        let θ, s = part.Initial key input
                        List.map wide θ, List.map wide s
                Run = run
            },
            Rounding.unitRoundoff<'T>
        | _, spec -> (Layers.ofSpec spec: Layer<float>).Parts.Head, Rounding.unitRoundoff<float>

    /// Modes that a layer tells apart, with what to call them.
    let private modes (key: Key) (site: Site<'T>) =
        let learning = Training(key.Skip site.Position)

        match site.Here.Part.Spec with
        | BatchNorm _
        | Dropout _
        | Custom _ -> [ learning, ", training"; Inference, ", inference" ]
        | _ -> [ learning, "" ]

    /// y has the promised shape, and gradients those of what they are gradients of.
    let private shapes (site: Site<'T>) (part: Primitive<float>) θ s (x: Tensor<float>) (step: Step<float>) =
        let promised = part.Output x.Shape.Sample
        let θ̄, x̄ = step.Pullback(Tensor.init step.Output.Shape (fun i -> if i % 2 = 0 then 1.0 else -0.5))
        let shapesOf = List.map (fun (t: Tensor<float>) -> t.Shape)

        let claims = [
            "output", [ promised.Batch x.Shape[0] ], [ step.Output.Shape ]
            "input gradient", [ x.Shape ], [ x̄.Shape ]
            "parameter gradients", shapesOf θ, shapesOf θ̄
            "next state", shapesOf s, shapesOf step.State
        ]

        let wrong = claims |> List.tryFind (fun (_, promised, found) -> promised <> found)
        let words (list: Shape list) = if list.IsEmpty then "nothing" else String.Join(" and ", list)

        let verdict, reason =
            match wrong with
            | None -> VerificationVerdict.Passed, ""
            | Some(what, promised, found) ->
                VerificationVerdict.Failed, what + " is " + words found + " instead of " + words promised

        let count = claims |> List.sumBy (fun (_, promised, _) -> promised.Length)

        {
            check site.Name "shapes" "all" verdict reason with
                Checked = int64 count
                Total = int64 count
        }

    /// The linear part of a layer, where it has one: without bias and activation.
    let private linear spec =
        match spec with
        | Conv2D conv -> Some(Conv2D { conv with UseBias = false; Activation = Activation.Identity; Trainable = true })
        | Dense dense ->
            Some(LayerSpec.Dense { dense with UseBias = false; Activation = Activation.Identity; Trainable = true })
        | AveragePool _
        | GlobalAveragePool
        | Flatten _
        | Dropout _ -> Some spec
        | _ -> None

    let random (key: Key) (shape: Shape) : Tensor<float> = Tensor.init shape (fun i -> 2.0 * key.Uniform(int64 i) - 1.0)

    let private dot (a: Tensor<float>) (b: Tensor<float>) = Tensor.dot a b
    let private magnitudes (t: Tensor<float>) = Tensor.map abs t
    let private most (t: Tensor<float>) = (0.0, t.ToArray()) ||> Array.fold (fun m v -> max m (abs v))

    /// ⟨f x, ȳ⟩ = ⟨x, fᵀȳ⟩, and ⟨f x, ȳ⟩ = ⟨w, w̄⟩ where f is linear in its weights: both up to γ_n·⟨|f||x|, |ȳ|⟩.
    let private adjoint (key: Key) (c: Context<float>) (site: Site<'T>) (x: Tensor<float>) = [
        match linear site.Here.Part.Spec with
        | None -> ()
        | Some spec ->
            let part = (Layers.ofSpec spec: Layer<float>).Parts.Head
            let sample = x.Shape.Sample

            let θ =
                LayerSpec.tensorShapes sample spec |> List.mapi (fun i shape -> random (key.Child(int64 i)) shape)

            let x = random (key.Child 8L) x.Shape
            let step = part.Run c θ [] x
            let ȳ = random (key.Child 9L) step.Output.Shape
            let θ̄, x̄ = step.Pullback ȳ
            let forward = dot step.Output ȳ
            let size = dot (magnitudes (part.Run c (List.map magnitudes θ) [] (magnitudes x)).Output) (magnitudes ȳ)
            let terms = x.Size + ȳ.Size + (θ |> List.sumBy (fun t -> t.Size))

            // Tiles round more: for each output κ²·n·max|x|·max|w|.
            let tiled =
                match spec, θ with
                | Conv2D conv, [ kernel ] ->
                    let g =
                        Geometry.Correlation(
                            site.Name,
                            sample,
                            conv.Filters,
                            conv.Kernel,
                            conv.Stride,
                            conv.Dilation,
                            conv.Padding
                        )

                    match Rounding.tileOf c.Kernels g with
                    | ValueSome tile ->
                        let growth = Rounding.tiled<float> tile (max g.Channels g.OutChannels)
                        let filters = Rounding.tiledFilter<float> tile (Rounding.tiles tile x.Shape[0] g)
                        let outputs = growth * most kernel * most x * float ȳ.Size
                        let inputs = growth * most kernel * most ȳ * float x.Size
                        outputs + inputs + filters * most x * most ȳ * float kernel.Size
                    | ValueNone -> 0.0
                | _ -> 0.0

            let bound = Rounding.sum<float> terms * size + tiled

            for subject, backward, count in
                [
                    yield "input", dot x̄ x, x.Size
                    for w, w̄ in List.zip θ θ̄ do
                        yield "kernel", dot w̄ w, w.Size
                ] do
                let error = abs (forward - backward)

                let verdict, reason =
                    if not (error <= bound) then
                        VerificationVerdict.Failed,
                        Words.number forward + " forward, " + Words.number backward + " backward"
                    elif not (bound <= 0.01 * sqrt (size * size / float (max 1 ȳ.Size))) then
                        VerificationVerdict.Vacuous, "too few digits"
                    else
                        VerificationVerdict.Passed, ""

                {
                    check site.Name "adjoint" subject verdict reason with
                        Checked = int64 count
                        Total = int64 count
                        Error = error
                        Bound = bound
                }
    ]

    /// Shapes, adjoints and gradients, layer by layer, in double.
    let layers settings (key: Key) (backend: Backend<'T>) (x: Tensor<float>) (all: Site<'T> list) =
        let kernels =
            match box backend.Kernels with
            | :? IKernels<float> as own -> own
            | _ -> settings.Doubles

        let rec walk (x: Tensor<float>) (rest: Site<'T> list) =
            match rest with
            | [] -> []
            | site :: above ->
                let struct (part, roundoff) = lift backend.Kernels site.Here.Part
                let θ, s = List.map wide site.Here.Parameters, List.map wide site.Here.State
                let run mode θ x = part.Run (context kernels mode) θ s x
                let learning = Training(key.Skip site.Position)
                let step = run learning θ x
                let shapes = shapes site part θ s x step
                let drawn = key.Child 1L |> Key.child (int64 above.Length)

                let gradients = [
                    if shapes.Verdict = VerificationVerdict.Passed then
                        for mode, words in modes key site do
                            let probe = {
                                Layer = site.Name
                                Names = site.Names
                                Parameters = θ
                                X = x
                                Run = run mode
                                Roundoff = roundoff
                            }

                            for check in GradientCheck.run drawn settings.Directions probe do
                                { check with Subject = check.Subject + words }

                        yield! adjoint drawn (context kernels learning) site x
                ]

                shapes :: gradients @ walk step.Output above

        walk x all

    /// Every kernel that the network calls, forward and backward, against the textbook in double.
    let kernels (key: Key) (backend: Backend<'T>) (x: Tensor<'T>) (all: Site<'T> list) =
        let compared = ComparedKernels<'T> backend.Kernels

        let rec walk (x: Tensor<'T>) (rest: Site<'T> list) =
            match rest with
            | [] -> []
            | site :: above ->
                let mutable output = x

                for mode, _ in List.rev (modes key site) do
                    let step = site.Here.Part.Run (context compared mode) site.Here.Parameters site.Here.State x

                    let drawn = key.Child 2L |> Key.child (int64 above.Length)
                    step.Pullback(narrow (random drawn step.Output.Shape)) |> ignore

                    output <- step.Output

                [
                    for found in compared.Take() do
                        let hasFailed = not (found.Error <= found.Bound)

                        {
                            check
                                site.Name
                                "kernels"
                                found.Kernel
                                (if hasFailed then VerificationVerdict.Failed else VerificationVerdict.Passed)
                                (if hasFailed then
                                     backend.Kernels.InstructionSet + " against the textbook"
                                 else
                                     "") with
                                Checked = found.Entries
                                Total = found.Entries
                                Worst =
                                    (if found.Index < 0 then
                                         ""
                                     else
                                         site.Name + GradientCheck.entry found.Result found.Shape found.Index)
                                Error = found.Error
                                Bound = found.Bound
                        }
                ]
                @ walk output above

        walk x all
