// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One layer: what it mixes tokens with, then a network, each after a norm and added to the residual.
///
/// Plain data, read by all threads.
struct Layer {
  let mixerNorm: Vector
  let mixer: Mixer
  /// Norm of the mixer's output before it is added to the residual; none in most models.
  let mixerOutputNorm: Vector
  let networkNorm: Vector
  let network: Network
  let networkOutputNorm: Vector

  init(_ configuration: ModelConfiguration, _ index: Int, _ binder: inout WeightBinder) throws(ModelError) {
    let (architecture, length) = (configuration.architecture, configuration.embeddingLength)
    let prefix = "blk.\(index)."
    mixerNorm = try binder.vector("\(prefix)attn_norm.weight", count: length)
    mixer = try Mixer(configuration, index, prefix, &binder)
    let normalises = architecture.normalisesOutputs
    mixerOutputNorm = normalises ? try binder.vector("\(prefix)post_attention_norm.weight", count: length) : .none
    networkOutputNorm = normalises ? try binder.vector("\(prefix)post_ffw_norm.weight", count: length) : .none
    let norm = architecture.networkNormIsPostAttention ? "post_attention_norm" : "ffn_norm"
    networkNorm = try binder.vector("\(prefix)\(norm).weight", count: length)
    network = try Network(configuration, index, prefix, &binder)
  }
}

/// A mixer or a network: what it needs of a step beyond the weights.
protocol LayerPart {
  /// Whether some product of the normalised residual reads it quantised.
  var readsQuants: Bool { get }
  /// Whether some product of the normalised residual reads it as it is.
  var readsFloats: Bool { get }
  /// Added to the output before it is added to the residual.
  var outputBias: Vector { get }
  /// Elements of the longest row that a thread needs room for.
  var longestRow: Int { get }
  /// Takes what a team's threads share while they run this part.
  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes)
  /// Takes what each thread has for itself while it runs this part.
  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes)
}

/// A part that mixes a token with those before it, of which it keeps something.
protocol MixerPart: LayerPart {
  /// Whether what it keeps can be cut back.
  var history: History { get }
  /// Takes what one team keeps of all sequences' tokens.
  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int)
}

/// What a mixer keeps of a sequence's tokens, and so how far back it can go.
enum History: Sendable, Equatable {
  /// Something for each position: any number of them can be dropped from the end.
  case positions
  /// A state that every token changes: back to an empty sequence, and to no position between.
  case state

  /// The last position, at most `position`, from which a sequence of `length` tokens can go on.
  func restart(at position: Int, length: Int) -> Int {
    switch self {
    case .positions: min(position, length)
    case .state: position < length ? 0 : length
    }
  }
}

/// How much of how many sequences is kept, and how: the same for all layers.
struct StateSizes {
  let cacheType: CacheType
  /// Positions of each sequence: a multiple of 16.
  let positions: Int
  let sequences: Int
}

/// What a layer mixes tokens with.
enum Mixer {
  case attention(Attention)
  case latent(LatentAttention)

  /// Its kind and sizes.
  enum Configuration: Sendable, Equatable {
    case attention(Attention.Configuration)
    case latent(LatentAttention.Configuration)

    var rotary: RotaryConfiguration {
      switch self {
      case .attention(let attention): attention.rotary
      case .latent(let attention): attention.rotary
      }
    }

    /// F16 numbers that one position takes in the cache.
    var numbersPerPosition: Int {
      switch self {
      case .attention(let attention): attention.heads.numbersPerPosition
      case .latent(let attention): attention.heads.numbersPerPosition
      }
    }
  }

  init(_ model: ModelConfiguration, _ layer: Int, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    switch model.layers[layer].mixer {
    case .attention(let configuration): self = .attention(try Attention(configuration, model, prefix, &binder))
    case .latent(let configuration): self = .latent(try LatentAttention(configuration, model, prefix, &binder))
    }
  }

  /// Not for the step, where nothing may be existential.
  var part: any MixerPart {
    switch self {
    case .attention(let attention): attention
    case .latent(let attention): attention
    }
  }
}

/// A layer's feed-forward network.
enum Network {
  case dense(GatedNetwork)
  case experts(Mixture)

  /// Its kind and sizes.
  enum Configuration: Sendable, Equatable {
    case dense(GatedNetwork.Configuration)
    case experts(Mixture.Configuration)
  }

  init(_ model: ModelConfiguration, _ layer: Int, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    switch model.layers[layer].network {
    case .dense(let configuration): self = .dense(try GatedNetwork(configuration, model, "\(prefix)ffn", &binder))
    case .experts(let configuration): self = .experts(try Mixture(configuration, model, prefix, &binder))
    }
  }

  /// Not for the step, where nothing may be existential.
  var part: any LayerPart {
    switch self {
    case .dense(let network): network
    case .experts(let mixture): mixture
    }
  }
}

extension PassThread {
  /// Runs one layer, from the residual to the residual.
  func run(_ layer: UnsafePointer<Layer>, _ index: Int) {
    switch layer.pointee.mixer {
    case .attention(let attention):
      normalize(layer.pointee.mixerNorm, quantizing: attention.readsQuants, inTwoParts: attention.usesTwoPartActivations)
      AttentionStep(self, attention, layer: index).run()
      addToResidual(attention.outputBias, layer.pointee.mixerOutputNorm)
    case .latent(let attention):
      normalize(layer.pointee.mixerNorm, quantizing: attention.readsQuants)
      LatentAttentionStep(self, attention, layer: index).run()
      addToResidual(attention.outputBias, layer.pointee.mixerOutputNorm)
    }
    switch layer.pointee.network {
    case .dense(let network):
      normalize(layer.pointee.networkNorm, quantizing: network.readsQuants)
      GatedNetworkStep(self, network).run()
      addToResidual(network.outputBias, layer.pointee.networkOutputNorm)
    case .experts(let mixture):
      normalize(layer.pointee.networkNorm, quantizing: mixture.readsQuants)
      MixtureStep(self, mixture).run()
      addToResidual(mixture.outputBias, layer.pointee.networkOutputNorm)
    }
  }
}
