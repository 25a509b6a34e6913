// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A model architecture whose graph this program computes: what sets it apart from the plain pre-norm transformer.
///
/// A new one is a row of `all`, unless it needs a mixer or a network that is not there yet.
public struct Architecture: Sendable {
  /// As `general.architecture` has it.
  public let name: String
  /// What the layers mix tokens with.
  var mixers = Mixers.attention
  var pairing = RotaryPairing.halves
  var activation = Activation.swiGLU
  var queryKeyNorm = QueryKeyNorm.none
  /// The outputs of mixer and network are normalised before they are added to the residual.
  var normalisesOutputs = false
  /// The norm in front of the network is called `post_attention_norm`.
  var networkNormIsPostAttention = false
  /// Embeddings are multiplied by the square root of their length.
  var scalesEmbedding = false
  /// Every n-th layer sees everything, the others a window; 0: all layers see everything.
  var windowPeriod = 0
  /// RoPE base of the layers with a window, where the file names none; nil: the same as elsewhere.
  var windowRotaryBase: Float?
  /// With so many layers, scores are divided by the square root of embedding length / heads, which the file does not say.
  var layerCountScaledByEmbedding: Int?
  /// Scores join a learned logit that attends to nothing.
  var hasSinks = false
  /// Attention's products read activations of 16 bits. Its experts are so nearly tied that with 8 bits too many tokens go to others:
  /// two of the 32 of its oracle, as in llama.cpp.
  var usesTwoPartActivations = false
  /// The gate used where the file names none.
  var gating = ExpertGating.softmax
  /// Models whose files name no gate and which have another one.
  var gatingException: GatingException?
  /// The weights of chosen experts are made to sum to one, where the file does not say.
  var normalisesExpertWeights = true
  /// Whether the file may say otherwise.
  var readsExpertWeightsNorm = false

  /// Which mixer each layer has.
  enum Mixers: Sendable {
    case attention
    /// Keys and values are expanded from one compressed vector (MLA).
    case latent
  }

  /// Models of an architecture that are told from the others by their sizes.
  struct GatingException: Sendable {
    let layerCounts: ClosedRange<Int>
    let vocabularySize: Int
    let gating: ExpertGating
  }

  /// Every architecture that is computed.
  public static let all = [
    Architecture(name: "llama", pairing: .adjacent),
    Architecture(name: "qwen2"),
    Architecture(name: "qwen3", queryKeyNorm: .perHead),
    Architecture(name: "qwen3moe", queryKeyNorm: .perHead),
    Architecture(
      name: "gemma3", activation: .geGLU, queryKeyNorm: .perHead, normalisesOutputs: true, scalesEmbedding: true, windowPeriod: 6,
      // The 27B model.
      windowRotaryBase: 10_000, layerCountScaledByEmbedding: 62),
    Architecture(
      name: "gpt-oss", activation: .clampedSwiGLU, networkNormIsPostAttention: true, windowPeriod: 2, hasSinks: true,
      usesTwoPartActivations: true, gating: .softmaxOfChosen, normalisesExpertWeights: false),
    Architecture(
      name: "glm4moe", networkNormIsPostAttention: true, gating: .sigmoid, normalisesExpertWeights: false,
      readsExpertWeightsNorm: true),
    Architecture(name: "minimax-m2", queryKeyNorm: .wholeProjection, gating: .sigmoid),
    Architecture(
      name: "deepseek2", mixers: .latent, pairing: .adjacent,
      // GLM 4.7 Flash; DeepSeek V2 and V2.5 have softmax.
      gatingException: GatingException(layerCounts: 47...48, vocabularySize: 154_880, gating: .sigmoid),
      normalisesExpertWeights: false, readsExpertWeightsNorm: true),
  ]

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
enum Activation: Sendable {
  /// gate · sigmoid(gate) · up
  case swiGLU
  /// GELU(gate) · up, in the tanh form.
  case geGLU
  /// SwiGLU with clamped inputs and a shifted `up`, as gpt-oss has it.
  case clampedSwiGLU
}

/// How expert scores become weights; the raw values are those of the key `expert_gating_func`.
enum ExpertGating: Int, Sendable {
  case softmax = 1
  case sigmoid = 2
  /// Softmax over the chosen experts' scores only.
  case softmaxOfChosen = 3
}

/// Over what queries and keys are normalised before RoPE.
enum QueryKeyNorm: Sendable {
  case none
  case perHead
  /// Over the whole projection, all heads together.
  case wholeProjection
}
