/// The formulas of SPEC, one row each: its section, what it says, its source, and the laws that hold it, by their names.
module Cnn.Tests.Laws.Formulas

type Formula = {
    /// The section of SPEC; what the library computes beyond SPEC has a word instead of a number.
    Section: string
    Name: string
    Source: string
    /// Names of tests: each is the equation, or says it in words.
    Laws: string list
}

let private formula section name source laws = { Section = section; Name = name; Source = source; Laws = laws }

let sections = [
    "1", "Layout and conventions"
    "2", "Discrete convolution and cross-correlation"
    "3", "Shapes"
    "4", "The convolutional layer"
    "5", "Pooling and connecting layers"
    "6", "Dense, activations, losses"
    "7", "Initialisation"
    "8", "Optimisers"
    "9", "Fixed filters"
    "10", "The networks of the sources"
    "11", "Looking inside"
    "12", "Slips of the sources"
    "beyond", "Beyond SPEC"
]

let private layout = [
    formula "1" "batches are N×H×W×C, row-major, channels last" "Fossheim 2022, II.D; Wichmann 2018, 3.2" [
        "conv2d: y, dx, dkernel and dbias"
        "flatten keeps the order, and its pullback restores the picture"
    ]
    formula "1" "filters are F_h×F_w×C_in×C_out" "Wichmann 2018, 3.2; Fan & Yam 11.5" [
        "Z_f = Σ_c K_c^f ⋆ Ã_c + b_f"
        "conv2d: y, dx, dkernel and dbias"
    ]
    formula "1" "dense weights are D_in×D_out" "Fossheim 2022, eq. 46–49" [
        "dense: Z = AW + b, δ_prev = δWᵀ, W̄ = Aᵀδ, b̄ = 1ᵀδ"
    ]
    formula "1" "one bias for an output channel" "Fossheim 2022, II.D" [ "Z_f = Σ_c K_c^f ⋆ Ã_c + b_f" ]
    formula "1" "δ of a tensor has its shape" "a convention" [ "shapes of θ̄ = shapes of θ, shape of x̄ = shape of x" ]
    formula "1" "gradients are of the mean loss" "Fan & Yam 11.5.3" [
        "L = the mean of the samples' losses"
        "∂L∕∂x is the derivative of L"
    ]
    formula "1" "or of the sum, where that is asked" "Fossheim 2022" [ "Sum = N · Mean, loss and gradient" ]
]

let private convolution = [
    formula "2" "cross-correlation, valid" "Wichmann 2018, 1.6; Vu 2018, 1; Fossheim 2022, eq. 1; Fan & Yam 11.2.1" [
        "(K ⋆ I)[i,j] = Σ K[u,v] I[i+u, j+v]"
    ]
    formula "2" "convolution, full" "Wichmann 2018, 1.5; Vu 2018, 3, 5" [ "(K * I)[i,j] = Σ K[u,v] I[i−u, j−v], full" ]
    formula "2" "convolution, valid" "Vu 2018, 4" [
        "valid convolution is the full one where the kernel lies inside the image"
    ]
    formula "2" "convolution is correlation with rot180" "Wichmann 2018, 1.7; Fossheim 2022, eq. 2–3; Fan & Yam 11.2.3" [
        "K * I = rot180 K ⋆ I"
        "rotateKernel: K * x = rot180 K ⋆ x"
    ]
    formula "2" "rot180, entry by entry" "Vu 2018, 2.2.1" [ "rot180(K)[u,v,c,f] = K[k_h−1−u, k_w−1−v, c, f]" ]
    formula "2" "rot180 is its own inverse" "Vu 2018, 2.2.1" [ "rot180 (rot180 K) = K" ]
    formula "2" "full convolution commutes" "Wichmann 2018, 1.2" [ "f * g = g * f, full" ]
    formula "2" "full convolution is associative" "textbook" [ "(f * g) * h = f * (g * h), full" ]
    formula "2" "convolution and correlation are bilinear" "textbook" [ "⋆ is linear in the image and in the kernel" ]
    formula "2" "full correlation commutes up to rot180" "corrects Fossheim 2022" [ "f ⋆ g = rot180(g ⋆ f), full" ]
    formula "2" "convolution theorem" "textbook" [ "DFT(f * g) = DFT f · DFT g" ]
    formula "2" "translation equivariance" "textbook" [
        "shifting the image shifts the output by as much"
        "K ⋆ x shifted = (K ⋆ x) shifted, and x̄ and K̄ likewise"
    ]
    formula "2" "rotations, reflections and transposition turn the kernel along" "Wichmann 2018, 1.7" [
        "g(K ⋆ x) = gK ⋆ gx, and x̄ and K̄ likewise, for every rotation and reflection g"
        "(K ⋆ x)ᵀ = Kᵀ ⋆ xᵀ, and x̄ and K̄ likewise, for any stride"
        "a network of any layers with turned kernels: y, x̄ and θ̄ of a turned picture are the turned ones"
    ]
    formula "2" "channels, filters and samples have no order" "textbook" [
        "permuted channels with permuted kernels, filters and samples permute what comes out, and x̄ and K̄ likewise"
    ]
    formula "2" "strided, padded, dilated windows" "Fan & Yam 11.2.7" [
        "Z_f = Σ_c K_c^f ⋆ Ã_c + b_f"
        "conv2d: y, dx, dkernel and dbias"
    ]
]

let private shapes = [
    formula "3" "output size" "Wichmann 2018, 2.3, 3.1; Fan & Yam 11.2.7; Fossheim 2022, eq. 73–74" [
        "⌊(n + p − ((f−1)d + 1)) ∕ s⌋ + 1 counts the positions of the window"
        "Output shape = shape of Run's output"
    ]
    formula "3" "Valid" "Wichmann 2018, 2.3, 3.1" [ "Valid pads nothing" ]
    formula "3" "Same" "Keras" [ "Same is the least padding with ⌈n ∕ s⌉ positions, the odd cell after" ]
    formula "3" "Same at stride 1" "Wichmann 2018, 2.1; Fan & Yam 11.2.6" [
        "Same is (f−1)∕2 on each side for odd windows that move by 1"
    ]
    formula "3" "Full" "Vu 2018, 5" [ "Full has n + (f−1)d positions at stride 1" ]
    formula "3" "Explicit" "textbook" [ "Explicit pads rows above and below, columns left and right" ]
    formula "3" "pooling, Valid" "Fossheim 2022, eq. 84, 86" [ "a valid pooling has 1 + (n − ω − χ) ∕ s positions" ]
    formula "3" "pooling, Cover" "Fossheim 2022, eq. 85" [
        "Cover lays windows until every cell is pooled and none outside the image"
        "pool2d: y and dx"
    ]
    formula "3" "where Same and Cover agree and differ" "Fossheim 2022, eq. 85" [
        "Same and Cover agree for windows of 2 that move by 2"
        "Same and Cover differ for n = 7, ω = 3, s = 2: 4 against 3"
    ]
    formula "3" "padded cells win no maximum and count in no mean" "a choice" [
        "A[i,j] = the maximum over the picture cells of the window"
        "A[i,j] = the mean over the picture cells of the window"
    ]
    formula "3" "each window holds a cell" "a choice" [
        "a pooling is accepted just when each of its windows holds a cell"
    ]
    formula "3" "padding of δ at stride 1" "Fossheim 2022, eq. 10, 64–67" [
        "at stride 1, x̄ = rot180 K ⋆ δ padded by d(k−1) − p"
    ]
    formula "3" "parameters of a convolution, a dense layer, batch normalisation" "Fan & Yam 11.6.2" [
        "parameters are counted as F(k_h k_w C + 1), (D + 1)U and 4d"
    ]
    formula "3" "worked shapes" "Wichmann 2018, 3.1, 3.3, 6.1; Fan & Yam 11.2.2; Vu 2018, 4" [
        "shapes of single layers"
        "39×39×3 becomes 1960 features"
        "shapes of Vu's network"
        "shapes and parameters of LeNet-5"
    ]
]

let private convolutional = [
    formula "4" "forward" "Fossheim 2022, eq. 4–5, 42; Wichmann 2018, 4.1; Vu 2018, 17; Wang 2025" [
        "Z_f = Σ_c K_c^f ⋆ Ã_c + b_f"
        "φ fused into a layer = the layer ; φ"
    ]
    formula "4" "forward, true convolution" "Fan & Yam 11.5.1" [
        "rotateKernel: K * x = rot180 K ⋆ x"
        "cross-correlation and convolution learn rot180 of each other"
    ]
    formula "4" "backward through φ" "Fossheim 2022, eq. 11–13; Wichmann 2018, 4.7; Fan & Yam 11.5.2(5)" [
        "x̄[i] = ȳ[i]·φ'(x[i])"
        "φ fused into a layer = the layer ; φ"
    ]
    formula "4" "backward to the bias" "Fossheim 2022, eq. 40–41; Wichmann 2018, 4.8; Vu 2018, 37" [
        "∂L∕∂b_f = Σ_{n,i,j} δ[n,i,j,f]"
    ]
    formula "4" "backward to the filters" "Fossheim 2022, eq. 36–37; Wichmann 2018, 4.7; Vu 2018, 35; Fan & Yam 11.5.9" [
        "∂L∕∂K_c^f = Ã_c ⋆ δ̄^f"
    ]
    formula
        "4"
        "backward to the input"
        "Fossheim 2022, eq. 30, 70; Wichmann 2018, 4.15; Vu 2018, 38; Fan & Yam 11.5.12–14"
        [ "δ_A^prev = Σ_f K_c^f * δ̄^f, cropped" ]
    formula "4" "δ̄ puts s−1 zeros between the entries of δ" "Fan & Yam 11.5.8" [
        "∂L∕∂K_c^f = Ã_c ⋆ δ̄^f"
        "δ_A^prev = Σ_f K_c^f * δ̄^f, cropped"
    ]
    formula "4" "backward in convolution mode" "Fan & Yam 11.5.10, 11.5.15" [
        "cross-correlation and convolution learn rot180 of each other"
        "∂L∕∂K[0,0] = δ00·X11 + δ01·X12 + δ10·X21 + δ11·X22"
    ]
    formula "4" "the gradient of a rotated filter" "Fan & Yam, lemma 11.5.1" [ "∇_{rot K} g = rot(∇_K g)" ]
    formula "4" "each backward pass is the adjoint" "textbook" [
        "⟨x ⋆ w, ȳ⟩ = ⟨x, (· ⋆ w)ᵀ ȳ⟩"
        "⟨x ⋆ w, ȳ⟩ = ⟨w, (x ⋆ ·)ᵀ ȳ⟩"
        "the adjoints are exact in float32"
    ]
    formula "4" "backward is the derivative, transposed" "Fan & Yam 11.5" [
        "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for convolutional layers"
        "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for composites that learn"
        "⟨ȳ, J·d⟩ = ⟨Jᵀȳ, d⟩ for composites that predict"
    ]
    formula "4" "backpropagation: pullbacks in reverse order" "Fong, Spivak & Tuyéras 2017; Cruttwell et al. 2021" [
        "(f ; g)(θ ⧺ φ, x) = g(φ, f(θ, x)), and its pullback is f's after g's"
        "networks: logits, loss and gradients of four steps, and the parameters after"
    ]
    formula "4" "worked: 1017 and 357" "Fan & Yam 11.2.1" [ "I ⋆ F = 1017 and I * F = 357" ]
    formula "4" "worked: the cross-shaped filter" "Fan & Yam 11.2.1" [
        "the cross-shaped filter gives 1.2 and 4.1"
        "the RGB volume gives 4.2"
    ]
    formula "4" "worked: the gradient of one weight" "Fan & Yam 11.5.3" [
        "∂L∕∂K[0,0] = δ00·X11 + δ01·X12 + δ10·X21 + δ11·X22"
    ]
    formula "4" "frozen layers" "Fan & Yam 11.4" [
        "frozen: y and x̄ stay, θ̄ = ∅, the weights stay"
        "nothing is propagated below the lowest trainable layer"
        "training leaves frozen layers alone"
    ]
]

let private pooling = [
    formula "5" "max pooling" "Fossheim 2022, II; Wichmann 2018, 5.5" [
        "A[i,j] = the maximum over the picture cells of the window"
    ]
    formula "5" "max pooling, backward, the first maximum on a tie" "Fossheim 2022, fig. 4; Fan & Yam 11.5.2(4a)" [
        "δ goes to the first maximum of each window, and overlaps add up"
    ]
    formula "5" "average pooling" "Wichmann 2018, 5.8; Vu 2018, 34" [
        "A[i,j] = the mean over the picture cells of the window"
    ]
    formula "5" "average pooling, backward" "Vu 2018, 39" [
        "each picture cell gets δ ∕ cells from each of its windows"
        "Σ x̄ = Σ ȳ"
    ]
    formula "5" "average pooling, backward, as a Kronecker product" "Wang 2025" [
        "δ_A = δ_Z ⊗ M for windows that move by their own size"
    ]
    formula "5" "global pooling" "Fan & Yam 11.3.2" [
        "global pooling = pooling with ω = n"
        "global average pooling repeats δ ∕ HW"
    ]
    formula "5" "flatten" "Fan & Yam 11.5" [ "flatten keeps the order, and its pullback restores the picture" ]
    formula "5" "flatten channel by channel" "Vu 2018, 22" [
        "the two orders of flattening differ by a fixed permutation"
    ]
    formula "5" "worked: a picture of 6×6" "Wang 2025" [ "Wang's average and max pooling" ]
]

let private dense = [
    formula "6" "dense, forward and backward" "Fossheim 2022, eq. 46–49; Vu 2018, 29–31" [
        "dense: Z = AW + b, δ_prev = δWᵀ, W̄ = Aᵀδ, b̄ = 1ᵀδ"
    ]
    formula "6" "softmax" "textbook" [
        "softmax x = exp x ∕ Σ exp x, row by row"
        "softmax(x + k) = softmax x"
        "rows of softmax are ≥ 0 and sum to 1"
    ]
    formula "6" "softmax, backward" "textbook" [ "softmax: x̄ = a ∘ (ȳ − ⟨ȳ, a⟩)" ]
    formula "6" "sigmoid, which does not overflow" "Vu 2018, 6" [
        "y[i] = φ(x[i])"
        "σ(−x) = 1 − σ(x) and tanh x = 2σ(2x) − 1"
        "σ and tanh do not overflow, and softmax of huge logits is one-hot"
    ]
    formula "6" "tanh, leaky ReLU and their derivatives" "textbook" [ "y[i] = φ(x[i])"; "x̄[i] = ȳ[i]·φ'(x[i])" ]
    formula "6" "ReLU, and its derivative at 0" "textbook" [ "ReLU'(0) = 0 and leaky ReLU'(0) = its slope" ]
    formula "6" "categorical cross-entropy" "Fan & Yam 11.5.2" [ "losses: value and gradient"; "fused = composed" ]
    formula "6" "softmax with cross-entropy" "Fossheim 2022; Fan & Yam 11.5.2" [
        "softmax with cross-entropy: δ = a − y"
        "rows of the gradient of softmax cross-entropy sum to 0"
    ]
    formula "6" "binary cross-entropy" "Fan & Yam 11.5.2–4" [
        "losses: value and gradient"
        "sigmoid with binary cross-entropy: δ = (a − y) ∕ d"
    ]
    formula "6" "squared error" "Vu 2018, 26" [ "losses: value and gradient"; "∂L∕∂x is the derivative of L" ]
    formula "6" "logarithms are kept away from 0" "Fan & Yam" [
        "losses of extreme answers are finite"
        "softmax cross-entropy of z + k = that of z"
    ]
    formula "6" "penalties L1 and L2" "Fossheim 2022" [
        "L1 and L2 add λ sign w and λw to the gradients of weights, not of biases"
    ]
    formula "6" "dropout, Bernoulli and Gaussian" "Fan & Yam 11.6.1" [
        "y = x ∘ m and x̄ = ȳ ∘ m"
        "Bernoulli factors are 0 or 1 ∕ (1−r)"
        "E m = 1 and Var m = r ∕ (1−r), and r of the factors are dropped"
    ]
    formula "6" "each number, sample and step has a factor of its own" "ours" [
        "m of sample n, number i = draw i of child n of the step's key, at the layer's position"
        "step t, counted from 0 over all epochs, draws from child t of the seed's key of dropout"
        "factors of numbers and of samples 1, 2, 7 and 1,024 apart are independent, and r of them are 0"
    ]
    formula "6" "dropout at inference" "Fan & Yam 11.6.1" [
        "at inference dropout is the identity, forward and backward"
    ]
    formula "6" "batch normalisation, forward" "Fan & Yam 11.6.1; Ioffe & Szegedy 2015" [
        "y = γ(x − μ) ∕ √(σ² + ε) + β"
        "x̂ has mean 0 and variance σ² ∕ (σ² + ε)"
    ]
    formula "6" "batch normalisation, running statistics" "Keras" [
        "running statistics: m ← ρm + (1−ρ)μ, v ← ρv + (1−ρ)σ²"
        "at inference y = γ(x − m) ∕ √(v + ε) + β, and the state stays"
        "fresh batch normalisation at inference is y = x ∕ √(1 + ε), and x̄ = ȳ ∕ √(1 + ε)"
    ]
    formula "6" "batch normalisation, backward" "Ioffe & Szegedy 2015" [
        "γ̄ = Σ ȳ∘x̂, β̄ = Σ ȳ, x̄ = γ ∕ √(σ² + ε)·(ȳ − mean ȳ − x̂·mean(ȳ∘x̂))"
        "Σ x̄ = 0 per feature"
        "batchnorm: y, dx, dgamma, dbeta, running statistics, inference"
    ]
    formula "6" "batch normalisation, ε = 1e−3 and ρ = .99" "Keras" [ "defaults are ε = 1e−3 and ρ = 0.99" ]
]

let private initialisation = [
    formula "7" "normal and node-count schemes" "Fossheim 2022, III" [
        "weights have the variance, or the limit, of their scheme"
    ]
    formula "7" "fan-based schemes" "Vu 2018, 7, 9, 11; Glorot & Bengio 2010; He et al. 2015" [
        "weights have the variance, or the limit, of their scheme"
    ]
    formula "7" "biases start at 0" "Keras" [ "biases start at 0" ]
    formula "7" "every draw comes from an explicit seed" "a choice" [
        "the same seed gives the same weights"
        "draw i is a function of the key and of i"
        "training is the same to the last bit on 1, 2, 3 and 8 threads"
        "vector kernels train to the same bits on 1, 2, 3 and 8 threads, and again"
    ]
    formula "7" "uniform and normal draws" "Wichura 1988 (AS 241)" [
        "Normal i = Φ⁻¹ of draw i"
        "Uniform has the moments and the histogram of U[0, 1)"
    ]
]

let private optimisers = [
    formula "8" "SGD" "Fan & Yam 11.6.7" [ "Sgd: θ' = θ − ηg"; "θ, m and v follow the rule of each optimiser" ]
    formula "8" "momentum" "Fan & Yam 11.6.7" [
        "Momentum's first step: θ' = θ − η(1−γ)g"
        "momentum with γ = 0 is Sgd"
        "θ, m and v follow the rule of each optimiser"
    ]
    formula "8" "momentum as Keras and PyTorch have it, and Nesterov's" "Keras; PyTorch" [
        "the three forms of momentum agree at a constant rate"
        "θ, m and v follow the rule of each optimiser"
        "optimizers: six steps"
    ]
    formula "8" "Adagrad" "Duchi et al. 2011; Fan & Yam 11.6.7" [
        "θ, m and v follow the rule of each optimiser"
        "optimizers: six steps"
    ]
    formula "8" "RMSprop" "Fan & Yam 11.6.7" [ "θ, m and v follow the rule of each optimiser"; "optimizers: six steps" ]
    formula "8" "Adam" "Kingma & Ba 2015; Fan & Yam 11.6.7" [
        "Adam's first step: θ' = θ − ηg ∕ (|g| + ε)"
        "θ, m and v follow the rule of each optimiser"
        "optimizers: six steps"
    ]
    formula "8" "defaults" "Fan & Yam 11.6.7" [ "defaults are η = 1e−3, γ = 0.9, β₁ = 0.9, β₂ = 0.999, ε = 1e−8" ]
    formula "8" "weight decay" "Loshchilov & Hutter 2019" [ "weight decay: θ' = θ + Δ − ηλθ for weights" ]
    formula "8" "clipping by norm" "Pascanu et al. 2013" [
        "clipping by norm scales the whole gradient, and only a longer one"
    ]
    formula "8" "step and exponential schedules" "Keras" [
        "step: factor(e) = f ^ ⌊e ∕ k⌋"
        "exponential: factor(a + b) = factor(a)·factor(b), factor(1) = f"
        "each step runs at η·factor(time)"
    ]
    formula "8" "cosine schedule" "Loshchilov & Hutter 2017" [
        "cosine: factor(e) − floor + factor(T − e) − floor = 1 − floor, then the floor"
    ]
    formula "8" "warm-up" "Goyal et al. 2017" [ "warm-up rises on a line, then the next schedule begins at 0" ]
    formula "8" "reduce on plateau" "Keras" [
        "a plateau multiplies the rate after each wait, down to the lowest"
        "ReduceLROnPlateau: the rates follow Keras' recursion, with and without validation, a schedule and a break"
    ]
    formula "8" "early stopping" "Keras" [
        "EarlyStopping: epochs, reason and network follow Keras' recursion, with and without validation, cancelling and a break"
    ]
    formula "8" "rules under penalties, decay, clipping and schedules" "Pascanu et al. 2013; Loshchilov & Hutter 2019" [
        "each rule under each subset of {L1, L2, decay, clip by norm, clip by value, schedule} follows its recursion on all kernels"
        "under each subset of the options, θ' is finite just where the formula of a gradient of NaN and ±∞ is"
    ]
    formula "8" "training: shuffled batches, mean or summed gradients, steps" "Fan & Yam 11.5.3; Fossheim 2022" [
        "training = a loop by hand: weights, losses and accuracies of each epoch"
        "n epochs, saved, loaded, n epochs = 2n epochs by hand"
    ]
]

let private filters = [
    formula "9" "true convolution on zero padding, channel by channel" "Fan & Yam 11.2.3" [
        "Convolve = the valid part of F * I framed by zeros, channel by channel"
    ]
    formula "9" "clipping" "Fan & Yam 11.2.3" [ "Apply = Convolve, clipped to 0 … 255" ]
    formula "9" "identity, box, Gaussian, first order, Prewitt, Sobel, Laplacians" "Fan & Yam 11.2.3" [
        "the filters of the source"
    ]
    formula "9" "the Gaussian from σ" "Fan & Yam 11.2.3" [ "the Gaussian of σ = 1 is .07511, .12384, .20418" ]
    formula "9" "sums of the entries" "Fan & Yam 11.2.3" [
        "smoothing and sharpening filters sum to 1, edge filters to 0"
    ]
    formula "9" "products of two vectors" "Fan & Yam 11.2.3" [
        "Gaussian, Prewitt and Sobel are products of two vectors"
    ]
    formula "9" "variance of filtered noise" "textbook" [
        "box and Gaussian reduce the variance of noise by Σ F²"
        "Σ F² is 1 ∕ f² for the box and (C(2m,m) ∕ 4ᵐ)² for the Gaussian of f = m + 1"
    ]
    formula "9" "worked: Prewitt on a vertical edge" "Fan & Yam 11.2.3.2" [
        "Prewitt horizontal sees nothing of a vertical edge, vertical gives 3"
    ]
]

let private networks = [
    formula "10" "LeNet-5" "Wichmann 2018, 6.1" [ "LeNet-5 has 61,706 parameters"; "shapes and parameters of LeNet-5" ]
    formula "10" "vanilla" "Vu 2018, 4" [
        "Vu's network has 3,898 parameters"
        "shapes of Vu's network"
        "the layers give the shapes that the paper prints"
    ]
    formula "10" "the five networks of Fossheim, for 8×8, MNIST and SVHN" "Fossheim 2022, IV" [
        "parameters of the other networks, layer by layer"
        "settings of training are the sources'"
    ]
    formula "10" "digits and dense digits" "Fan & Yam 11.6.1, 11.6.6" [
        "parameters of the other networks, layer by layer"
        "settings of training are the sources'"
    ]
    formula "10" "cat and dog, with the parameters of the printed summary" "Fan & Yam 11.6.2" [
        "the cat and dog network has the parameters of its printed summary"
    ]
    formula "10" "I or Q" "Fan & Yam 11.6.3" [ "parameters of the other networks, layer by layer" ]
]

let private inside = [
    formula "11" "the eight lines" "Fan & Yam 11.6.3" [ "the eight lines are the rows, the columns and the diagonals" ]
    formula "11" "probes of the printed and of the hand-made filter, clipped" "Fan & Yam 11.6.3" [
        "the printed filter answers to the eight lines 0, .41, 1, .05, 0, 0, .94, 0, the hand-made one 0, .33, 1, .33, 0, 0, 1, .33"
    ]
    formula "11" "the bias by the training loss" "Fan & Yam 11.6.3" [
        "no bias of the hand-made filter has a lower training loss than the one that is chosen"
    ]
]

let private slips = [
    formula "12" "tanh' is of Z, not of the activation" "corrects Fossheim's derTanh" [ "x̄[i] = ȳ[i]·φ'(x[i])" ]
    formula "12" "filters are trained" "corrects Fossheim's program" [
        "a step of training, rewritten = θ − ηθ̄ of the layers as given"
    ]
    formula "12" "Xavier and He give a variance, not a deviation" "corrects Fossheim's program" [
        "weights have the variance, or the limit, of their scheme"
    ]
    formula "12" "pooling reads each pixel of the window" "corrects Vu's program" [
        "A[i,j] = the mean over the picture cells of the window"
    ]
    formula "12" "recalibrated statistics" "Fan & Yam 11.6.1" [
        "recalibrated statistics are those of the data set"
        "recalibration takes mean and variance of all pictures, however many"
    ]
    formula "12" "global average pooling divides by H·W and keeps the order" "corrects Fan & Yam's program" [
        "global average pooling repeats δ ∕ HW"
    ]
    formula "12" "every filter's gradient is rotated" "corrects Fan & Yam's program" [
        "cross-correlation and convolution learn rot180 of each other"
    ]
]

let private beyond = [
    formula "beyond" "fast correlation within Higham's bound" "Higham 2002, eq. 3.5" [
        "simd correlation and adjoints ≈ reference on reals"
        "simd matrix products ≈ reference on reals"
    ]
    formula "beyond" "Winograd's F(2×2, 3×3) within its bound" "Lavin & Gray 2016; Barabasz et al. 2020" [
        "simd 3×3 windows at stride 1 = reference on integers"
        "tiles of 2×2: |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K| in all three passes"
    ]
    formula "beyond" "Winograd's F(4×4, 3×3) within its bound" "Lavin & Gray 2016; Barabasz et al. 2020" [
        "tiles of 4×4: |a − b| ≤ γₙ₊₃₂·M + 2γ₉ₙ·Σ|x||K| in all three passes"
    ]
    formula "beyond" "layers compose associatively, with a neutral one" "Fong, Spivak & Tuyéras 2017" [
        "(f ; g) ; h = f ; (g ; h)"
        "id ; f = f = f ; id"
    ]
    formula "beyond" "monotone activations commute with max pooling" "ours" [
        "φ ; max = max ; φ for monotone φ"
        "x ≤ x' ⇒ φ(x) ≤ φ(x') as implemented"
    ]
    formula "beyond" "batch normalisation folded into the layer before it" "Jacob et al. 2018" [
        "foldBatchNorm: |a − b| ≤ 2γₙ₊₈·(|s|·(Σ|x||K| + |b| + |μ|) + |β|)"
    ]
    formula "beyond" "saliency" "Simonyan et al. 2013" [ "s[i,j] = max_c |∂S ∕ ∂x[i,j,c]|" ]
    formula "beyond" "Grad-CAM" "Selvaraju et al. 2017" [
        "Grad-CAM of a score linear in A = ReLU(Σ_k α_k·A_k) with α_k the mean of the weights of A_k"
    ]
    formula "beyond" "occlusion" "Zeiler & Fergus 2014" [
        "occlusion[i,j] = p(x) − p(x without the square around i, j), at stride 1 for every pixel"
    ]
    formula "beyond" "receptive fields" "Araujo, Norris & Sim 2019, eq. 1–4" [
        "a pixel outside a unit's receptive field never changes the unit"
        "the first and the last pixel of a receptive field within the picture change the unit"
    ]
    formula "beyond" "confusion, precision, recall, F1" "textbook" [
        "confusion[t, p] = how often t was taken for p"
        "precision, recall and F1 by counting, and their averages"
    ]
    formula "beyond" "shuffling" "Fisher & Yates; Knuth 1997, algorithm 3.4.2 P" [
        "shuffling is the permutation of Fisher and Yates that the key draws, and it moves pictures"
    ]
    formula "beyond" "calibration error" "Guo et al. 2017" [
        "calibration error = Σ_m |B_m| ∕ n · |acc(B_m) − conf(B_m)|, B_m closed on the right"
        "calibration: a confidence on a border lies below it, 0 in the first bin and 1 in the last"
    ]
    formula "beyond" "top k" "textbook" [
        "top k = share of labels among the first k classes, sorted by output and then by class"
    ]
    formula "beyond" "the threshold of one output" "textbook" [
        "evaluating at t counts p > t as class 1, of probabilities and of logits"
    ]
    formula "beyond" "floors of logarithms" "Fan & Yam 11.5.2" [
        "below every floor: −log a = −log 1e−25 and −1∕a = −1e25, for a = 0 too"
    ]
    formula "beyond" "elastic deformation" "Simard, Steinkraus & Platt 2003; Unser 1999, eq. 2" [
        "an elastic deformation moves p by Σ_k β³(p ∕ s − k)·2σ·(draws 2k and 2k + 1), after a flip too"
    ]
    formula "beyond" "random erasing" "Zhong et al. 2017" [
        "erasing, where draw 0 is below p: area of draw 1, side ratio of draw 2, top of draw 3, left of draw 4"
        "a share p of the pictures is erased, and every pixel as often, the last row and column too"
    ]
    formula "beyond" "augmentations compose" "ours" [ "a.Then b is b after a, exactly, on whole-pixel maps" ]
    formula "beyond" "the order of a permutation" "Durstenfeld 1964" [
        "shuffle, split and folds go by the permutation that the key's child draws"
    ]
    formula "beyond" "usual normalisations" "PyTorch's examples; Krizhevsky 2009" [
        "the usual means and deviations of MNIST, CIFAR-10 and CIFAR-100, in the order red, green, blue"
        "MNIST's mean and deviation are those of its 60,000 pictures, to the digits given"
    ]
    formula "beyond" "luma" "ITU-R BT.601" [ "Y = 0.299·R + 0.587·G + 0.114·B, and grey stays grey" ]
    formula "beyond" "resampling by area and bilinear" "ours" [
        "area averaging is the mean of the old picture over the new pixel"
        "bilinear method is that of half-pixel centres"
    ]
]

let all =
    layout
    @ convolution
    @ shapes
    @ convolutional
    @ pooling
    @ dense
    @ initialisation
    @ optimisers
    @ filters
    @ networks
    @ inside
    @ slips
    @ beyond
