// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A supported model architecture, described by its differences from a plain pre-norm transformer.
///
/// Adding an architecture means adding a row to `all`, unless it needs a mixer or a network that does not exist yet.
public struct Architecture: Sendable {
  /// The value of the key `general.architecture`.
  public let name: String
  /// Which mixer each layer has.
  var mixers = Mixers.attention
  /// Whether each layer is either a mixer or a network. It is a network where the key `feed_forward_length` is not 0.
  var hasOnePartPerLayer = false

  // MARK: Norms and the residual

  /// The name of the norm after the last layer, without `.weight`.
  var outputNormName = "output_norm"
  /// Whether mixer and network read the residual through a norm.
  var normalisesInputs = true
  /// Whether the outputs of mixer and network are normalised before they are added to the residual.
  var normalisesOutputs = false
  /// Whether the tensor of the norm before the network is called `post_attention_norm`.
  var networkNormIsPostAttention = false
  /// Whether norms of the residual subtract the mean first (LayerNorm).
  var subtractsMean = false
  /// Whether the network reads the same input as the mixer, rather than the residual after the mixer.
  var hasParallelNetwork = false
  /// Whether embeddings are multiplied by the square root of their length.
  var scalesEmbedding = false
  /// Whether a layer may scale the residual at its end by its own factor.
  var scalesLayers = false
  /// The optional keys that this graph honours.
  var keys: Set<OptionalKey> = []
  /// Whether logits are divided by the key `logit_scale` instead of multiplied.
  var dividesLogits = false

  // MARK: Attention

  var pairing = RotaryPairing.halves
  /// Whether `pairing` becomes `.halves` if the file divides RoPE's pairs into sections for images.
  var sectionsPairHalves = false
  var queryKeyNorm = QueryKeyNorm.none
  /// Whether RoPE is applied before the norms of queries and keys.
  var rotatesBeforeNorm = false
  /// Which layers see only a window of positions.
  var windows = Windows.none
  /// The only layer count with which models of this architecture have windows; nil: any.
  var layerCountWithWindows: Int?
  /// The length of a window in positions, where the file does not name it.
  var defaultWindow = 0
  /// Whether windows are chunks: a token sees its own chunk of positions, from the beginning of that chunk.
  var windowsAreChunks = false
  /// The RoPE base of layers with a window, where the file does not name one; nil: the same as in other layers.
  var windowRotaryBase: Float?
  /// Whether RoPE in layers with a window is never stretched for long contexts.
  var windowRotaryIsPlain = false
  /// Whether RoPE's factors (`rope_freqs`) apply only to layers without a window.
  var windowRotaryIgnoresFactors = false
  /// Whether layers without a window have RoPE. It matters only in models that have windows.
  var fullLayersRotate = true
  /// Whether queries and keys are rotated at all.
  var hasRotary = true
  /// Whether the key `rope.scaling.finetuned` turns RoPE on or off.
  var finetunedMeansRotary = false
  /// The part of a head that layers without a window rotate, where the file does not say: 1 / `fullRotaryDivisor` of its length.
  var fullRotaryDivisor = 1
  /// The factor of scores, where the file does not name one; nil: 1 / √(key length).
  var scoreScale: Float?
  /// Whether values are normalised, with all weights 1.
  var normalisesValues = false
  /// Whether a layer without a value projection uses the output of its key projection as values.
  var valuesMayBeKeys = false
  /// How scores sharpen with the position in layers without RoPE, whatever the file says.
  var temperature: Temperature?
  /// The layer count of models that divide scores by √(embedding length / heads), not by √(key length); the file does not say so.
  var layerCountScaledByEmbedding: Int?
  /// The traits of the indexers that choose the positions a token attends to; nil: tokens attend to all positions.
  var indexer: Indexer.Traits?
  /// Whether an indexer chooses blocks of positions in the layers after the leading dense ones.
  var choosesBlocks = false
  /// Whether each head has a learned logit that takes part in the softmax but attends to nothing.
  var hasSinks = false
  /// How the output of a head is gated before the last projection.
  var outputGate = OutputGate.none
  /// Whether the value projection reads activations of 16 bits.
  ///
  /// The model's experts are so nearly tied that with 8 bits too many tokens go to other experts: 2 of the 32 tokens of its oracle,
  /// as in llama.cpp. Of attention's four products this one is the smallest, and gains the most from 16 bits.
  var valuesReadTwoParts = false

  // MARK: Networks

  var activation = Activation.swiGLU
  /// Whether, where the file limits SwiGLU, the gate is limited before its activation function is applied, not after.
  var limitsGateFirst = false
  /// The gating function where the file names none.
  var gating = ExpertGating.softmax
  /// The models whose files name no gating function and that do not use `gating`.
  var gatingException: GatingException?
  /// Whether the weights of the chosen experts are divided by their sum, where the file does not say.
  var normalisesExpertWeights = true
  /// Whether the file may override `normalisesExpertWeights`.
  var readsExpertWeightsNorm = false
  /// Whether layers with experts also have a dense network, each with its own norms.
  var hasDenseBesideExperts = false
  /// Whether experts are chosen by their scores before the gating function.
  var choosesBeforeGate = false
  /// Whether an expert's weight is applied to its input instead of its output.
  var weighsExpertInputs = false
  /// Whether the output of the shared expert is multiplied by its own gate.
  var gatesSharedExpert = false
  /// Whether every mixture has a shared expert, by default as long as one expert.
  var alwaysSharesExpert = false
  /// Whether the key for the shared expert's length counts one of `expert_shared_count` experts.
  var sharedLengthIsPerExpert = false
  /// Whether the layers with experts are found by their router tensors, because the metadata does not name them.
  var routersTellExperts = false

  // MARK: Prediction of further tokens

  /// What the prediction layer (of the token after the next one) reads from the layers before it; nil: prediction is not supported.
  var predictionInput: PredictionInput?

  /// Which mixer each layer has.
  enum Mixers: Sendable, Equatable {
    case attention
    /// Keys and values are expanded from one compressed vector (MLA).
    case latent
    /// Delta nets, and attention in every n-th layer.
    case deltaNets(DeltaNet.HeadOrder)
    /// Short convolutions, and attention in layers that have key-value heads.
    case convolutions
    /// State space layers, and attention in layers that have key-value heads.
    case mambas
    /// Kimi's delta nets, and latent attention in layers that have key-value heads.
    case kimiDeltaNets
    /// Attention to a window of tokens and to compressed keys, each of which stands for a block of tokens.
    case compressed
  }

  /// Which layers see only a window of positions.
  enum Windows: Sendable, Equatable {
    /// No layer.
    case none
    /// All layers but every n-th, unless the file holds a pattern.
    case period(Int)
    /// The layers that the file's pattern names.
    case pattern
  }

  /// What a prediction layer reads of the previous token's result, from the other layers or from its own last run.
  enum PredictionInput: Sendable {
    /// The residual.
    case residual
    /// The residual after the last norm, as the output matrix reads it.
    case normalised
  }

  /// Keys that only some architectures honour, and that change the result.
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
    /// `expertLatent` and `mixtureLatent`: the length of experts' inputs and outputs where it is shorter than the residual.
    case expertLatent = "expert_latent_length"
    case mixtureLatent = "moe_latent_size"
    case residualPeriod = "attn_res.block_size"
    case streams = "hyper_connection.count"
    case hashLayers = "hash_layer_count"
  }

  /// An exception to an architecture's gating, recognised by layer count and vocabulary size.
  struct GatingException: Sendable {
    let layerCounts: ClosedRange<Int>
    let vocabularySize: Int
    let gating: ExpertGating
  }

  /// Returns the architecture called `name`.
  ///
  /// - Throws: `ModelError.unknownArchitecture` if there is none.
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

/// The function between the two projections of a feed-forward network.
enum Activation: Sendable, Equatable {
  /// gate · sigmoid(gate) · up
  case swiGLU
  /// GELU(gate) · up, in the tanh form.
  case geGLU
  /// SwiGLU with clamped inputs and a shifted `up`, as in gpt-oss.
  case clampedSwiGLU
  /// SwiGLU with limited factors: SiLU(gate) from above, `up` from both sides.
  case limitedSwiGLU(Float)
  /// SwiGLU with limited inputs: gate from above, `up` from both sides.
  case cappedSwiGLU(Float)
  /// β·tanh(gate / β)·sigmoid(gate) · γ·tanh(up / γ), where γ is `linear`; if γ is 0, the second factor is `up`.
  case situ(beta: Float, linear: Float)
  /// max(0, up)², without a gate.
  case squaredReLU

  /// Whether the activation multiplies by a gate.
  var isGated: Bool { self != .squaredReLU }
}

/// How experts' scores become weights. The raw values are those of the key `expert_gating_func`.
enum ExpertGating: Int, Sendable {
  case softmax = 1
  case sigmoid = 2
  /// Softmax over the scores of the chosen experts only.
  case softmaxOfChosen = 3
  /// √(log(1 + exp(score)))
  case rootSoftplus = 4
}

/// What queries and keys are normalised over.
enum QueryKeyNorm: Sendable {
  case none
  case perHead
  /// Over the whole projection, all heads together.
  case wholeProjection
  /// Over each head, after RoPE and without weights; not at all in models with exactly this many experts.
  case perHeadUnlessExperts(Int)

  var isWhole: Bool { if case .wholeProjection = self { true } else { false } }
  var hasWeights: Bool {
    switch self {
    case .perHead, .wholeProjection: true
    case .none, .perHeadUnlessExperts: false
    }
  }
}

/// What a head's output is multiplied by: the logistic function of some numbers.
enum OutputGate: Sendable {
  case none
  /// The second half of the query projection's output for the head, element by element.
  case inQuery
  /// One number for each head, from `attn_gate`.
  case perHead
  /// The output of `attn_gate`, element by element; only in latent attention.
  case perElement
}
