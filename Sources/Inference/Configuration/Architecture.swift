// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A model architecture whose graph this program computes: what sets it apart from the plain pre-norm transformer.
///
/// A new one is a row of `all`, unless it needs a mixer or a network that is not there yet.
public struct Architecture: Sendable {
  /// As `general.architecture` has it.
  public let name: String
  /// What the layers mix tokens with.
  var mixers = Mixers.attention
  /// A layer is a mixer or a network: the latter where the key `feed_forward_length` has a length for it.
  var hasOnePartPerLayer = false

  // MARK: Norms and the residual

  /// The norm after the last layer.
  var outputNormName = "output_norm"
  /// Mixer and network read the residual normalised.
  var normalisesInputs = true
  /// The outputs of mixer and network are normalised before they are added to the residual.
  var normalisesOutputs = false
  /// The norm in front of the network is called `post_attention_norm`.
  var networkNormIsPostAttention = false
  /// Norms of the residual subtract the mean first (LayerNorm).
  var subtractsMean = false
  /// The network reads what the mixer reads, and not what the mixer has changed.
  var hasParallelNetwork = false
  /// Embeddings are multiplied by the square root of their length.
  var scalesEmbedding = false
  /// A layer may multiply the residual by a number of its own at its end.
  var scalesLayers = false
  /// Keys that only some graphs honour, and this one does.
  var keys: Set<OptionalKey> = []
  /// Logits are divided by the key `logit_scale`, not multiplied.
  var dividesLogits = false

  // MARK: Attention

  var pairing = RotaryPairing.halves
  /// Where the file divides RoPE's pairs among sections for images, pairs are halves, whatever `pairing` is.
  var sectionsPairHalves = false
  var queryKeyNorm = QueryKeyNorm.none
  /// RoPE comes before the norms of queries and keys.
  var rotatesBeforeNorm = false
  /// Which layers see a window only.
  var windows = Windows.none
  /// Models of this architecture with another number of layers have no windows.
  var layerCountWithWindows: Int?
  /// Positions of a window, where the file does not say.
  var defaultWindow = 0
  /// Windows are chunks: a token sees what lies in its own, from the chunk's beginning on.
  var windowsAreChunks = false
  /// RoPE base of the layers with a window, where the file names none; nil: the same as elsewhere.
  var windowRotaryBase: Float?
  /// RoPE of the layers with a window is never stretched for long contexts.
  var windowRotaryIsPlain = false
  /// RoPE's factors (`rope_freqs`) are those of the layers that see everything.
  var windowRotaryIgnoresFactors = false
  /// In models with windows, RoPE is left out where a layer sees everything.
  var fullLayersRotate = true
  /// Queries and keys are rotated at all.
  var hasRotary = true
  /// The key `rope.scaling.finetuned` says whether there is RoPE at all.
  var finetunedMeansRotary = false
  /// What a layer that sees everything rotates of a head, where the file does not say: one of so many parts.
  var fullRotaryDivisor = 1
  /// What scores are multiplied by, where the file does not say; nil: by 1 / √(key length).
  var scoreScale: Float?
  /// Values are normalised, with weights of one.
  var normalisesValues = false
  /// Where a layer has no projection to values, these are what its projection to keys gives.
  var valuesMayBeKeys = false
  /// How scores sharpen with the position in the layers without RoPE, whatever the file says.
  var temperature: Temperature?
  /// With so many layers, scores are divided by the square root of embedding length / heads, which the file does not say.
  var layerCountScaledByEmbedding: Int?
  /// What chooses the positions that are attended to; nil: all are.
  var indexer: Indexer.Traits?
  /// In the layers after the first dense ones, an indexer chooses the blocks of positions that are attended to.
  var choosesBlocks = false
  /// Scores join a learned logit that attends to nothing.
  var hasSinks = false
  /// What the output of a head is multiplied by before the last projection.
  var outputGate = OutputGate.none
  /// The projection to values reads activations of 16 bits. Its experts are so nearly tied that with 8 bits too many tokens go to others:
  /// two of the 32 of its oracle, as in llama.cpp. Of attention's four products this is the smallest, and the one that helps most.
  var valuesReadTwoParts = false

  // MARK: Networks

  var activation = Activation.swiGLU
  /// Where the file limits SwiGLU, its gate is limited before it is bent.
  var limitsGateFirst = false
  /// The gate used where the file names none.
  var gating = ExpertGating.softmax
  /// Models whose files name no gate and which have another one.
  var gatingException: GatingException?
  /// The weights of chosen experts are made to sum to one, where the file does not say.
  var normalisesExpertWeights = true
  /// Whether the file may say otherwise.
  var readsExpertWeightsNorm = false
  /// Layers with experts have a dense network beside them, each with norms of its own.
  var hasDenseBesideExperts = false
  /// Experts are chosen by their scores before the gate.
  var choosesBeforeGate = false
  /// An expert's weight is applied to its input, not to its output.
  var weighsExpertInputs = false
  /// The shared expert's output is multiplied by a gate of its own.
  var gatesSharedExpert = false
  /// Every mixture has a shared expert, of an expert's length.
  var alwaysSharesExpert = false
  /// The key for the shared expert's length is that of one of `expert_shared_count`.
  var sharedLengthIsPerExpert = false
  /// Which layers have experts is not in the metadata: those with a router.
  var routersTellExperts = false

  // MARK: Prediction of further tokens

  /// What the layer that predicts the token after the next one reads of the layers before it; nil: it is not computed.
  var predictionInput: PredictionInput?

  /// Which mixer each layer has.
  enum Mixers: Sendable, Equatable {
    case attention
    /// Keys and values are expanded from one compressed vector (MLA).
    case latent
    /// Delta nets, and attention in every n-th layer.
    case deltaNets(DeltaNet.HeadOrder)
    /// Short convolutions, and attention where a layer has heads of keys and values.
    case convolutions
    /// State space layers, and attention where a layer has heads of keys and values.
    case mambas
    /// Kimi's delta nets, and latent attention where a layer has heads of keys and values.
    case kimiDeltaNets
    /// Attention to a window and to keys that stand for blocks of tokens.
    case compressed
  }

  /// Which layers see a window only.
  enum Windows: Sendable, Equatable {
    /// None.
    case none
    /// All but every n-th one, unless the file has a pattern.
    case period(Int)
    /// Those that the file's pattern names.
    case pattern
  }

  /// What a prediction layer reads of what other layers, or it itself, made of the token before.
  enum PredictionInput: Sendable {
    /// The residual.
    case residual
    /// The residual as the output matrix reads it: after the last norm.
    case normalised
  }

  /// Keys that change what only some graphs compute.
  enum OptionalKey: String, Sendable {
    case attentionSoftcap = "attn_logit_softcapping"
    case temperature = "attention.temperature_scale"
    case valueScale = "attention.value_scale"
    case embeddingScale = "embedding_scale"
    case residualScale = "residual_scale"
    case logitScale = "logit_scale"
    case sharedCaches = "attention.shared_kv_layers"
    case layerInputs = "embedding_length_per_layer_input"
    case expertPeriod = "interleave_moe_layer_step"
    case expertClamp = "swiglu_clamp_exp"
    case sharedClamp = "swiglu_clamp_shexp"
    case situ = "activation.situ_beta"
    /// Both say how long the experts' inputs and outputs are, where they are shorter than the residual.
    case expertLatent = "expert_latent_length"
    case mixtureLatent = "moe_latent_size"
    case residualPeriod = "attn_res.block_size"
    case streams = "hyper_connection.count"
    case hashLayers = "hash_layer_count"
  }

  /// Models of an architecture that are told from the others by their sizes.
  struct GatingException: Sendable {
    let layerCounts: ClosedRange<Int>
    let vocabularySize: Int
    let gating: ExpertGating
  }

  /// The architecture of that name.
  static func named(_ name: String) throws(ModelError) -> Architecture {
    guard let found = all.first(where: { $0.name == name }) else { throw .unknownArchitecture(name: name) }
    return found
  }
}

/// Which elements of a head RoPE rotates together.
enum RotaryPairing: Sendable {
  /// Elements i and i + d/2.
  case halves
  /// Elements 2i and 2i + 1.
  case adjacent
}

/// What stands between the two projections of a feed-forward network.
enum Activation: Sendable, Equatable {
  /// gate · sigmoid(gate) · up
  case swiGLU
  /// GELU(gate) · up, in the tanh form.
  case geGLU
  /// SwiGLU with clamped inputs and a shifted `up`, as gpt-oss has it.
  case clampedSwiGLU
  /// SwiGLU whose two factors are limited: the first from above, `up` on both sides.
  case limitedSwiGLU(Float)
  /// SwiGLU with limited inputs: the gate from above, `up` on both sides.
  case cappedSwiGLU(Float)
  /// Both are bent before they are multiplied: β·tanh(gate / β)·sigmoid(gate) by γ·tanh(up / γ), or by up where γ is 0.
  case situ(beta: Float, linear: Float)
  /// max(0, up)², without a gate.
  case squaredReLU

  /// Whether there is a gate beside `up`.
  var isGated: Bool { self != .squaredReLU }
}

/// How expert scores become weights; the raw values are those of the key `expert_gating_func`.
enum ExpertGating: Int, Sendable {
  case softmax = 1
  case sigmoid = 2
  /// Softmax over the chosen experts' scores only.
  case softmaxOfChosen = 3
  /// √(log(1 + exp(score)))
  case rootSoftplus = 4
}

/// Over what queries and keys are normalised.
enum QueryKeyNorm: Sendable {
  case none
  case perHead
  /// Over the whole projection, all heads together.
  case wholeProjection
  /// Over each head, after RoPE and without weights; not where the model has so many experts.
  case perHeadUnlessExperts(Int)

  var isWhole: Bool { if case .wholeProjection = self { true } else { false } }
  var hasWeights: Bool {
    switch self {
    case .perHead, .wholeProjection: true
    case .none, .perHeadUnlessExperts: false
    }
  }
}

/// What the output of a head is multiplied by: the logistic function of something.
enum OutputGate: Sendable {
  case none
  /// Of the second half of what the query's projection gives for the head, element by element.
  case inQuery
  /// Of one number for each head, which `attn_gate` gives.
  case perHead
  /// Of what `attn_gate` gives, element by element; in latent attention.
  case perElement
}
