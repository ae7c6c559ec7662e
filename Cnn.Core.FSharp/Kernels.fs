namespace Cnn

open System
open System.Numerics
open System.Runtime.CompilerServices

/// <summary>The function that an activation applies to each element (softmax: to each row of channels).</summary>
type ActivationKind =
    /// x
    | Identity = 0
    /// max(x, 0), with slope 0 at 0
    | ReLU = 1
    /// x for x > 0, else slope·x, with the slope at 0
    | LeakyReLU = 2
    /// 1/(1 + e⁻ˣ)
    | Sigmoid = 3
    /// (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)
    | Tanh = 4
    /// eˣ over the sum of eˣ along the last axis
    | Softmax = 5

/// <summary>An activation φ of SPEC section 6; the default value is the identity.</summary>
/// <remarks>
/// An immutable value. Each derivative is computed from y = φ(x), so that x need not be kept: no slope is negative, since
/// y would not tell the sign of x then. So every φ but softmax is monotone.
/// </remarks>
[<Struct; IsReadOnly; NoComparison>]
type Activation =
    /// <summary>Which function.</summary>
    val Kind: ActivationKind

    /// <summary>Slope of <c>LeakyReLU</c> for x ≤ 0, at least 0; 0 for all others.</summary>
    val Slope: float

    /// <summary>The activation of a kind.</summary>
    /// <param name="kind">Which function.</param>
    /// <param name="slope">Of <c>LeakyReLU</c> for x ≤ 0, at least 0 and finite in single precision; 0 for all others.</param>
    /// <exception cref="T:System.ArgumentOutOfRangeException">There is no such kind, or it has no such slope.</exception>
    new(kind: ActivationKind, slope: float) =
        Words.defined (nameof kind) kind

        let most = if kind = ActivationKind.LeakyReLU then float Single.MaxValue else 0.0

        if not (slope >= 0.0 && slope <= most) then
            let wanted =
                if most = 0.0 then
                    "Only LeakyReLU has a slope: give 0."
                else
                    "A slope of at least 0 is needed, finite in single precision."

            raise (ArgumentOutOfRangeException(nameof slope, slope, wanted))

        { Kind = kind; Slope = slope }

    static member private Plain kind = Activation(kind, 0.0)
    /// <summary>φ(x) = x.</summary>
    static member Identity = Activation.Plain ActivationKind.Identity
    /// <summary>φ(x) = max(x, 0); φ'(0) = 0.</summary>
    static member ReLU = Activation.Plain ActivationKind.ReLU
    /// <summary>φ(x) = 1/(1 + e⁻ˣ); does not overflow. Vu 2018, eq. 6.</summary>
    static member Sigmoid = Activation.Plain ActivationKind.Sigmoid
    /// <summary>φ(x) = tanh x.</summary>
    static member Tanh = Activation.Plain ActivationKind.Tanh
    /// <summary>φ(x)_c = exp x_c / Σ_d exp x_d over the last axis, the largest x subtracted first.</summary>
    static member Softmax = Activation.Plain ActivationKind.Softmax

    /// <summary>φ(x) = x for x > 0, else slope·x; φ'(0) = slope.</summary>
    /// <exception cref="T:System.ArgumentOutOfRangeException">The slope is negative or not finite.</exception>
    static member LeakyReLU(slope: float) = Activation(ActivationKind.LeakyReLU, slope)

    override this.ToString() =
        match this.Kind with
        | ActivationKind.LeakyReLU ->
            "LeakyReLU(" + this.Slope.ToString Globalization.CultureInfo.InvariantCulture + ")"
        | ActivationKind.ReLU -> "ReLU"
        | ActivationKind.Sigmoid -> "Sigmoid"
        | ActivationKind.Tanh -> "Tanh"
        | ActivationKind.Softmax -> "Softmax"
        | _ -> "Identity"

/// <summary>Which pass weights are packed for.</summary>
type Packing =
    /// x ↦ x ⋆ w
    | Forward = 0
    /// ȳ ↦ (· ⋆ w)ᵀ ȳ
    | InputAdjoint = 1

/// <summary>One optimiser step, element by element, in the one form that every rule of SPEC section 8 has.</summary>
/// <remarks>
/// g ← clamp(GradientScale·g, ±ClipValue) + L2·θ + L1·sign θ;
/// m ← Keep1·m + Gain1·g, where there is a first slot;
/// v ← Keep2·v + Gain2·g², where there is a second;
/// Δ = (SlotShare·m + GradientShare·g) / (√(RootScale·v + EpsilonInside) + EpsilonOutside), the divisor being 1 without v;
/// θ ← Shrink·θ + Δ.
/// </remarks>
[<Struct; NoComparison>]
type Update = {
    /// <summary>Factor of the gradient, for clipping by norm; 1 leaves it.</summary>
    GradientScale: float
    /// <summary>Largest magnitude of a component of the gradient; ∞ leaves it.</summary>
    ClipValue: float
    /// <summary>λ of the penalty λ·|θ|.</summary>
    L1: float
    /// <summary>λ of the penalty λ/2·θ².</summary>
    L2: float
    /// <summary>Share of m that stays.</summary>
    Keep1: float
    /// <summary>Share of g that enters m.</summary>
    Gain1: float
    /// <summary>Share of v that stays.</summary>
    Keep2: float
    /// <summary>Share of g² that enters v.</summary>
    Gain2: float
    /// <summary>Share of the new m in the step.</summary>
    SlotShare: float
    /// <summary>Share of g in the step.</summary>
    GradientShare: float
    /// <summary>Factor of the new v under the root.</summary>
    RootScale: float
    /// <summary>Added under the root.</summary>
    EpsilonInside: float
    /// <summary>Added to the root.</summary>
    EpsilonOutside: float
    /// <summary>Share of θ that stays, for decoupled weight decay; 1 leaves it.</summary>
    Shrink: float
} with

    /// <summary>No step at all: every share 0, nothing clipped, decayed or penalised.</summary>
    static member None = {
        GradientScale = 1.0
        ClipValue = Double.PositiveInfinity
        L1 = 0.0
        L2 = 0.0
        Keep1 = 0.0
        Gain1 = 0.0
        Keep2 = 0.0
        Gain2 = 0.0
        SlotShare = 0.0
        GradientShare = 0.0
        RootScale = 1.0
        EpsilonInside = 0.0
        EpsilonOutside = 0.0
        Shrink = 1.0
    }

/// <summary>Where kernels and layers get memory from: fresh arrays, or an arena that a training step recycles.</summary>
/// <remarks>Used by one thread at a time, but for <c>Packed</c>, which workspaces of one step share.</remarks>
type IWorkspace<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> =
    /// <summary>A tensor with undefined values, to be written once: activations and their gradients.</summary>
    abstract Tensor: shape: Shape -> Tensor<'T>

    /// <summary>A tensor with undefined values for the gradient of a parameter: it lives until the optimiser has read it.</summary>
    abstract Gradient: shape: Shape -> Tensor<'T>

    /// <summary>Integers with undefined values, such as the positions of maxima.</summary>
    abstract Indices: length: int -> Memory<int>

    /// <summary>Memory with undefined values for one kernel at a time: each call takes back what the call before gave.</summary>
    abstract Scratch: length: int -> Memory<'T>

    /// <summary>The weights as the kernels want them for a pass, packed at most once while they keep their values.</summary>
    abstract Packed:
        kernels: IKernels<'T> * geometry: Geometry * packing: Packing * weights: Tensor<'T> -> ReadOnlyMemory<'T>

/// <summary>The hot loops: the only door between what a network computes and how fast.</summary>
/// <remarks>
/// Every kernel is single-threaded and thread-safe, owns no state, trusts a validated <see cref="T:Cnn.Geometry"/>,
/// overwrites the whole of its destination and reads nothing else than its inputs; destinations never overlap inputs
/// unless a kernel says that they may be the same. Images are N×H×W×C, weights F_h×F_w×C_in×C_out, all row-major;
/// N follows from the spans' lengths. A sample's result does not depend on the other samples of its batch.
/// </remarks>
and IKernels<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> =
    /// <summary>What runs the loops, as in "AVX-512": results are the same to the last bit under the same name.</summary>
    abstract InstructionSet: string

    /// <summary>Elements of the packed form of the weights, 0 where they are used as they are.</summary>
    abstract PackedLength: geometry: Geometry * packing: Packing -> int

    /// <summary>Packs or transforms weights for one pass.</summary>
    abstract Pack: geometry: Geometry * packing: Packing * weights: ReadOnlySpan<'T> * destination: Span<'T> -> unit

    /// <summary>y[n,i,j,f] = φ(b[f] + Σ_{u,v,c} w[u,v,c,f]·x[n, i·s+u·d−p, j·s+v·d−p, c]), φ not softmax.</summary>
    /// <remarks>An empty bias counts as zero. <c>packed</c> is the weights packed for <c>Forward</c>.</remarks>
    abstract Correlate:
        workspace: IWorkspace<'T> *
        geometry: Geometry *
        x: ReadOnlySpan<'T> *
        weights: ReadOnlySpan<'T> *
        packed: ReadOnlySpan<'T> *
        bias: ReadOnlySpan<'T> *
        activation: Activation *
        y: Span<'T> ->
            unit

    /// <summary>x̄ = (· ⋆ w)ᵀ ȳ: adds ȳ[n,i,j,f]·w[u,v,c,f] to x̄[n, i·s+u·d−p, j·s+v·d−p, c]; untouched cells are 0.</summary>
    /// <remarks><c>packed</c> is the weights packed for <c>InputAdjoint</c>.</remarks>
    abstract CorrelateInputAdjoint:
        workspace: IWorkspace<'T> *
        geometry: Geometry *
        dy: ReadOnlySpan<'T> *
        weights: ReadOnlySpan<'T> *
        packed: ReadOnlySpan<'T> *
        dx: Span<'T> ->
            unit

    /// <summary>w̄[u,v,c,f] = Σ_{n,i,j} ȳ[n,i,j,f]·x[n, i·s+u·d−p, j·s+v·d−p, c].</summary>
    abstract CorrelateFilterAdjoint:
        workspace: IWorkspace<'T> * geometry: Geometry * x: ReadOnlySpan<'T> * dy: ReadOnlySpan<'T> * dw: Span<'T> ->
            unit

    /// <summary>sums[c] = Σ_r x[r,c], rows of sums.Length elements.</summary>
    abstract SumRows: x: ReadOnlySpan<'T> * sums: Span<'T> -> unit

    /// <summary>y = the largest element of each window; indices = its position in its own image, the first on a tie.</summary>
    abstract MaxPool: geometry: Geometry * x: ReadOnlySpan<'T> * y: Span<'T> * indices: Span<int> -> unit

    /// <summary>x̄[n, indices[k]] += ȳ[n, k]; cells that are no maximum get 0.</summary>
    abstract MaxPoolAdjoint:
        geometry: Geometry * dy: ReadOnlySpan<'T> * indices: ReadOnlySpan<int> * dx: Span<'T> -> unit

    /// <summary>y = the mean of the picture cells of each window.</summary>
    abstract AveragePool: geometry: Geometry * x: ReadOnlySpan<'T> * y: Span<'T> -> unit

    /// <summary>x̄ += ȳ/(picture cells of the window), for each cell of each window.</summary>
    abstract AveragePoolAdjoint: geometry: Geometry * dy: ReadOnlySpan<'T> * dx: Span<'T> -> unit

    /// <summary>y[i] = φ(x[i]), φ not softmax. x and y may be the same.</summary>
    abstract Activate: activation: Activation * x: ReadOnlySpan<'T> * y: Span<'T> -> unit

    /// <summary>x̄[i] = ȳ[i]·φ'(x[i]), told from y = φ(x), φ not softmax.</summary>
    abstract ActivateAdjoint: activation: Activation * y: ReadOnlySpan<'T> * dy: ReadOnlySpan<'T> * dx: Span<'T> -> unit

    /// <summary>The adjoint of (x, b) ↦ φ(x + b): x̄[r,c] = ȳ[r,c]·φ'(x[r,c] + b[c]) and b̄[c] = Σ_r x̄[r,c], in one pass.</summary>
    /// <remarks>Told from y = φ(x + b), φ not softmax; rows of b̄'s length. Equal to <c>ActivateAdjoint</c>, then <c>SumRows</c>.</remarks>
    abstract BiasAdjoint:
        activation: Activation * y: ReadOnlySpan<'T> * dy: ReadOnlySpan<'T> * dx: Span<'T> * db: Span<'T> -> unit

    /// <summary>y[r,c] = exp(x[r,c] − max_d x[r,d]) / Σ_d exp(x[r,d] − max): rows of width elements. x and y may be the same.</summary>
    abstract Softmax: width: int * x: ReadOnlySpan<'T> * y: Span<'T> -> unit

    /// <summary>x̄[r,c] = y[r,c]·(ȳ[r,c] − Σ_d ȳ[r,d]·y[r,d]).</summary>
    abstract SoftmaxAdjoint: width: int * y: ReadOnlySpan<'T> * dy: ReadOnlySpan<'T> * dx: Span<'T> -> unit

    /// <summary>mean[c] = Σ_r x[r,c]/R and variance[c] = Σ_r (x[r,c] − mean[c])²/R, over R rows.</summary>
    abstract Moments: x: ReadOnlySpan<'T> * mean: Span<'T> * variance: Span<'T> -> unit

    /// <summary>y[r,c] = (x[r,c] − mean[c])·scale[c] + shift[c].</summary>
    abstract Normalize:
        x: ReadOnlySpan<'T> * mean: ReadOnlySpan<'T> * scale: ReadOnlySpan<'T> * shift: ReadOnlySpan<'T> * y: Span<'T> ->
            unit

    /// <summary>sums[c] = Σ_r ȳ[r,c]·(x[r,c] − mean[c])·scale[c].</summary>
    abstract SumProducts:
        dy: ReadOnlySpan<'T> * x: ReadOnlySpan<'T> * mean: ReadOnlySpan<'T> * scale: ReadOnlySpan<'T> * sums: Span<'T> ->
            unit

    /// <summary>y[i] = a[i]·b[i].</summary>
    abstract Multiply: a: ReadOnlySpan<'T> * b: ReadOnlySpan<'T> * y: Span<'T> -> unit

    /// <summary>sum[i] = sum[i] + x[i].</summary>
    abstract Accumulate: x: ReadOnlySpan<'T> * sum: Span<'T> -> unit

    /// <summary>One optimiser step, element by element: reads θ and the slots, writes θ + Δ and the new slots.</summary>
    /// <remarks>A rule without m or v has that slot empty. Destinations may be the sources.</remarks>
    abstract Update:
        update: Update *
        gradient: ReadOnlySpan<'T> *
        parameter: ReadOnlySpan<'T> *
        slot1: ReadOnlySpan<'T> *
        slot2: ReadOnlySpan<'T> *
        nextParameter: Span<'T> *
        nextSlot1: Span<'T> *
        nextSlot2: Span<'T> ->
            unit

/// <summary>Runs the iterations of a loop, in any order, on any number of threads, and returns when all are done.</summary>
type IScheduler =
    /// <summary>How many iterations may run at once.</summary>
    abstract Threads: int

    /// <summary>body 0, …, body (count − 1); the first exception of a body is raised once all have stopped.</summary>
    abstract For: count: int * body: Action<int> -> unit

/// <summary>What computes: the kernels, and the threads that they are spread over.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
[<NoEquality; NoComparison>]
type Backend<'T when 'T: struct and 'T :> IBinaryFloatingPointIeee754<'T>> = {
    /// <summary>The hot loops.</summary>
    Kernels: IKernels<'T>
    /// <summary>The threads.</summary>
    Scheduler: IScheduler
}
