// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The model architectures whose graphs this program computes.
///
/// What sets them apart is a row in `ArchitectureTraits`, not a graph of its own.
public enum Architecture: String, Sendable, CaseIterable {
  case llama
  case qwen2
  case qwen3
  case qwen3moe
  case gemma3
  case gptOSS = "gpt-oss"
  case glm4moe
  case minimaxM2 = "minimax-m2"
  case deepseek2
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

/// What an architecture does differently from the plain pre-norm transformer.
///
/// `expects…` says that the tensors must be there; those not mentioned are used where the file has them.
struct ArchitectureTraits: Sendable {
  var pairing = RotaryPairing.halves
  var activation = Activation.swiGLU
  var queryKeyNorm = QueryKeyNorm.none
  /// q, k and v have biases.
  var expectsQKVBias = false
  /// The attention and feed-forward outputs are normalised before they join the residual.
  var normalisesOutputs = false
  /// The norm in front of the feed-forward network is called `post_attention_norm`.
  var feedForwardNormIsPostAttention = false
  /// Embeddings are multiplied by the square root of their length.
  var scalesEmbedding = false
  /// Every n-th layer sees everything, the others a window; 0: all layers see everything.
  var windowPeriod = 0
  /// RoPE base of the layers with a window, where the file names none; nil: the same as elsewhere.
  var windowRotaryBase: Float?
  /// Scores join a learned logit that attends to nothing.
  var hasSinks = false
  /// The gate used where the file names none.
  var gating = ExpertGating.softmax
  /// Chosen experts' weights are made to sum to one, where the file does not say.
  var normalisesExpertWeights = true
  /// Whether the file may say otherwise.
  var readsExpertWeightsNorm = false
  /// Keys and values are expanded from one compressed vector (MLA).
  var hasLatentAttention = false

  init(_ architecture: Architecture) {
    switch architecture {
    case .llama:
      pairing = .adjacent
    case .qwen2:
      expectsQKVBias = true
    case .qwen3, .qwen3moe:
      queryKeyNorm = .perHead
    case .gemma3:
      activation = .geGLU
      queryKeyNorm = .perHead
      normalisesOutputs = true
      scalesEmbedding = true
      windowPeriod = 6
      windowRotaryBase = 10_000
    case .gptOSS:
      activation = .clampedSwiGLU
      expectsQKVBias = true
      feedForwardNormIsPostAttention = true
      windowPeriod = 2
      hasSinks = true
      gating = .softmaxOfChosen
      normalisesExpertWeights = false
    case .glm4moe:
      feedForwardNormIsPostAttention = true
      gating = .sigmoid
      normalisesExpertWeights = false
      readsExpertWeightsNorm = true
    case .minimaxM2:
      queryKeyNorm = .wholeProjection
      gating = .sigmoid
    case .deepseek2:
      pairing = .adjacent
      normalisesExpertWeights = false
      readsExpertWeightsNorm = true
      hasLatentAttention = true
    }
  }
}
