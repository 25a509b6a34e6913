// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One layer: what it mixes tokens with, then a network, each (in most models) after a norm and added to the residual; in some
/// models one of the two.
///
/// Plain data, read by all threads.
struct Layer {
  /// What the mixer reads; nil: the residual.
  let mixerMixture: ResidualAttention?
  /// How the mixer reads several residuals and writes them; nil: there is one.
  let mixerConnection: HyperConnection?
  /// Whether the residual is put away once the mixer has read it.
  let putsResidualAway: Bool
  let mixerNorm: Norm
  /// Nil: the layer is a network.
  let mixer: Mixer?
  /// Whether some product of what the mixer reads (and the network, where it reads the same) reads it quantised.
  let mixerInputIsQuantised: Bool
  /// Added to the mixer's output.
  let mixerOutputBias: Vector
  /// Norm of the mixer's output before it is added to the residual; none in most models.
  let mixerOutputNorm: Vector
  /// Nil: the network reads what the mixer reads.
  let networkNorm: Norm?
  /// What the network reads; nil: the residual.
  let networkMixture: ResidualAttention?
  let networkConnection: HyperConnection?
  /// Nil: the layer is a mixer.
  let network: Network?
  let networkInputIsQuantised: Bool
  let networkOutputBias: Vector
  let networkOutputNorm: Vector
  /// What the outputs are multiplied by.
  let mixerScale: Float
  let networkScale: Float
  /// Nil: the layer has no input of its own.
  let input: LayerInput?
  /// What the residual is multiplied by in the end.
  let residualScale: Float

  init(_ configuration: ModelConfiguration, _ index: Int, _ binder: inout WeightBinder) throws(ModelError) {
    let (architecture, length) = (configuration.architecture, configuration.embeddingLength)
    let prefix = "blk.\(index)."
    let period = configuration.residualPeriod
    putsResidualAway = period > 0 && index % period == 0
    mixerMixture = try ResidualAttention(
      "\(prefix)attn_res_score", count: period == 0 ? 0 : (index + period - 1) / period, configuration, &binder)
    networkMixture = try ResidualAttention(
      "\(prefix)ffn_res_score", count: period == 0 ? 0 : index / period + 1, configuration, &binder)
    mixerConnection = try HyperConnection("\(prefix)hc_attn", configuration, &binder)
    networkConnection = try HyperConnection("\(prefix)hc_ffn", configuration, &binder)
    let first = try Norm("\(prefix)attn_norm.weight", configuration, &binder)
    mixerNorm = first
    mixer = try Mixer(configuration, index, prefix, &binder)
    let normalises = architecture.normalisesOutputs
    mixerOutputNorm = normalises ? try binder.vector("\(prefix)post_attention_norm.weight", count: length) : .none
    networkOutputNorm = normalises ? try binder.vector("\(prefix)post_ffw_norm.weight", count: length) : .none
    let norm = architecture.networkNormIsPostAttention ? "post_attention_norm" : "ffn_norm"
    network = try Network(configuration, index, prefix, &binder)
    if architecture.hasParallelNetwork {
      networkNorm = nil
    } else if architecture.hasOnePartPerLayer {
      networkNorm = first
    } else {
      networkNorm = try Norm("\(prefix)\(norm).weight", configuration, &binder)
    }
    let (mixerPart, networkPart) = (mixer?.part, network?.part)
    (mixerOutputBias, networkOutputBias) = (mixerPart?.outputBias ?? .none, networkPart?.outputBias ?? .none)
    networkInputIsQuantised = networkPart?.readsQuants ?? false
    mixerInputIsQuantised = mixerPart?.readsQuants ?? false || networkNorm == nil && networkInputIsQuantised
    networkScale = configuration.residualScale
    mixerScale = configuration.residualScale * configuration.valueScale
    input = configuration.layerInputLength > 0 ? try LayerInput(configuration, index, prefix, &binder) : nil
    let scale =
      architecture.scalesLayers ? try binder.vector("\(prefix)layer_output_scale.weight", count: 1, isRequired: false) : .none
    residualScale = binder.values(scale).first ?? 1
  }
}

/// What is done to the residual before a mixer or a network reads it.
enum Norm {
  /// Nothing.
  case none
  /// RMSNorm.
  case meanSquare(Vector)
  /// LayerNorm: the mean is subtracted first.
  case variance(Vector)

  /// The norm that the architecture has in front of its layers' parts.
  init(_ name: String, _ model: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    self = model.architecture.normalisesInputs ? try Norm(always: name, model, &binder) : .none
  }

  /// The architecture's kind of norm, as the one after the last layer.
  init(always name: String, _ model: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    let weights = try binder.vector(name, count: model.embeddingLength)
    self = model.architecture.subtractsMean ? .variance(weights) : .meanSquare(weights)
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

extension LayerPart {
  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) {}
}

/// A part that mixes a token with those before it, of which it keeps something.
protocol MixerPart: LayerPart {
  /// Whether what it keeps can be cut back.
  var history: History { get }
  /// Takes what one team keeps of all sequences' tokens.
  ///
  /// - Returns: All of it, piece by piece.
  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece]
}

/// What a mixer keeps of a sequence's tokens, and so how far back it can go.
enum History: Sendable, Equatable {
  /// Something for each position: any number of them can be dropped from the end.
  case positions
  /// A state that every token changes: back to where a copy of it was made, or to an empty sequence.
  case state

  /// The last position, at most `position`, from which a sequence of `length` tokens can go on.
  ///
  /// - Parameter copies: The positions of which there are copies of states.
  func restart(at position: Int, length: Int, copies: some Sequence<Int> = EmptyCollection()) -> Int {
    switch self {
    case .positions: min(position, length)
    case .state: position < length ? copies.filter { $0 <= position }.max() ?? 0 : length
    }
  }
}

/// How much of how many sequences is kept, and how: the same for all layers.
struct StateSizes {
  let cacheType: CacheType
  /// Positions of each sequence: a multiple of 16.
  let positions: Int
  let sequences: Int
  /// Tokens from one copy of a state to the next; 0: none are made on the way.
  let checkpointInterval: Int
  /// Copies kept on the way; the oldest makes room for the next.
  let checkpointCount: Int

  /// Copies kept of before tokens that may be taken back; the oldest makes room for the next.
  let tentativeCount: Int

  /// A sequence's states: the one as it is, the copies made on the way, one of before the last prompt, and those of before tokens that
  /// may be taken back.
  var stateCount: Int { checkpointCount + 2 + tentativeCount }

  /// The copy that is made after the token at `position`; 0: none.
  @inline(__always)
  func copy(after position: Int32) -> Int {
    guard checkpointInterval > 0, (Int(position) + 1) % checkpointInterval == 0 else { return 0 }
    return copy(at: Int(position) + 1)
  }

  /// The copy that belongs to a sequence of so many tokens, a multiple of the interval.
  @inline(__always)
  func copy(at length: Int) -> Int { 1 + length / checkpointInterval % checkpointCount }

  /// The copy of before the last prompt.
  var lastCopy: Int { checkpointCount + 1 }

  /// The copy of before the token at `position`, which may be taken back; there must be such copies.
  @inline(__always)
  func copy(before position: Int32) -> Int { checkpointCount + 2 + Int(position) % tentativeCount }
}

/// What a layer mixes tokens with.
enum Mixer {
  case attention(Attention)
  case latent(LatentAttention)
  case delta(DeltaNet)
  case convolution(ShortConvolution)
  case mamba(Mamba)
  case kimiDelta(KimiDeltaNet)
  case compressed(CompressedAttention)

  /// Its kind and sizes.
  enum Configuration: Sendable, Equatable {
    case attention(Attention.Configuration)
    case latent(LatentAttention.Configuration)
    case delta(DeltaNet.Configuration)
    case convolution(ShortConvolution.Configuration)
    case mamba(RecurrentSizes)
    case kimiDelta(KimiDeltaNet.Configuration)
    case compressed(CompressedAttention.Configuration)

    var rotary: RotaryConfiguration? {
      switch self {
      case .attention(let attention): attention.rotary
      case .latent(let attention): attention.rotary
      case .compressed(let attention): attention.rotary
      case .delta, .convolution, .mamba, .kimiDelta: nil
      }
    }

    /// F16 numbers that one position takes in the cache.
    var numbersPerPosition: Int {
      switch self {
      case .attention(let attention):
        (attention.source == nil ? attention.heads.numbersPerPosition : 0) + 2 * (attention.indexer?.length ?? 0)
      case .latent(let attention): attention.heads.numbersPerPosition + 2 * (attention.indexer?.length ?? 0)
      case .compressed(let attention): attention.numbersPerPosition
      case .delta, .convolution, .mamba, .kimiDelta: 0
      }
    }

    /// Elements of what a sequence has that does not grow with it.
    var stateLength: Int {
      switch self {
      case .attention, .latent: 0
      case .delta(let net): net.sizes.stateLength
      case .convolution(let convolution): convolution.stateLength
      case .mamba(let mamba): mamba.stateLength
      case .kimiDelta(let net): net.sizes.stateLength
      case .compressed(let attention): attention.stateLength
      }
    }
  }

  /// Nil where the layer has none.
  init?(_ model: ModelConfiguration, _ layer: Int, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    guard let mixer = model.layers[layer].mixer else { return nil }
    switch mixer {
    case .attention(let configuration): self = .attention(try Attention(configuration, model, prefix, &binder))
    case .latent(let configuration): self = .latent(try LatentAttention(configuration, model, prefix, &binder))
    case .delta(let configuration): self = .delta(try DeltaNet(configuration, model, prefix, &binder))
    case .convolution(let configuration): self = .convolution(try ShortConvolution(configuration, model, prefix, &binder))
    case .mamba(let configuration): self = .mamba(try Mamba(configuration, model, prefix, &binder))
    case .kimiDelta(let configuration): self = .kimiDelta(try KimiDeltaNet(configuration, model, prefix, &binder))
    case .compressed(let configuration): self = .compressed(try CompressedAttention(configuration, model, prefix, &binder))
    }
  }

  /// Whether the step's activations are quantised in two parts for it.
  @inline(__always)
  var readsTwoParts: Bool {
    if case .attention(let attention) = self { attention.valuesReadTwoParts } else { false }
  }

  /// Not for the step, where nothing may be existential.
  var part: any MixerPart {
    switch self {
    case .attention(let attention): attention
    case .latent(let attention): attention
    case .delta(let net): net
    case .convolution(let convolution): convolution
    case .mamba(let mamba): mamba
    case .kimiDelta(let net): net
    case .compressed(let attention): attention
    }
  }
}

/// A layer's feed-forward network.
enum Network {
  case dense(GatedNetwork)
  case experts(Mixture)
  case both(DenseBesideExperts)

  /// Its kind and sizes.
  enum Configuration: Sendable, Equatable {
    case dense(GatedNetwork.Configuration)
    case experts(Mixture.Configuration)
    /// Of experts where the layer has a router.
    case either(GatedNetwork.Configuration, Mixture.Configuration)
    /// Both, where the layer has a router.
    case both(GatedNetwork.Configuration, Mixture.Configuration)
  }

  /// Nil where the layer has none.
  init?(_ model: ModelConfiguration, _ layer: Int, _ prefix: String, _ binder: inout WeightBinder) throws(ModelError) {
    guard let network = model.layers[layer].network else { return nil }
    switch network {
    case .dense(let configuration): self = .dense(try GatedNetwork(configuration, model, "\(prefix)ffn", &binder))
    case .experts(let configuration): self = .experts(try Mixture(configuration, model, prefix, &binder))
    case .both(let dense, _) where binder.shape("\(prefix)ffn_gate_inp.weight") == nil:
      self = .dense(try GatedNetwork(dense, model, "\(prefix)ffn", &binder))
    case .both(let dense, let experts): self = .both(try DenseBesideExperts(dense, experts, model, prefix, &binder))
    case .either(let dense, let experts):
      self =
        binder.shape("\(prefix)ffn_gate_inp.weight") == nil
        ? .dense(try GatedNetwork(dense, model, "\(prefix)ffn", &binder)) : .experts(try Mixture(experts, model, prefix, &binder))
    }
  }

  /// Not for the step, where nothing may be existential.
  var part: any LayerPart {
    switch self {
    case .dense(let network): network
    case .experts(let mixture): mixture
    case .both(let both): both
    }
  }
}

extension PassThread {
  /// Runs one layer, from the residual to the residual.
  func run(_ layer: UnsafePointer<Layer>, _ index: Int) {
    if layer.pointee.mixer != nil { runMixer(layer, index) }
    if layer.pointee.network != nil { runNetwork(layer) }
    if let input = layer.pointee.input {
      normalize(.none, quantizing: input.readsQuants)
      run(input)
      addToResidual(input.outputBias, input.norm)
    }
    if layer.pointee.residualScale != 1 {
      for token in tokens { kernels.scale(residual[token], by: layer.pointee.residualScale) }
    }
  }

  func runMixer(_ layer: UnsafePointer<Layer>, _ index: Int) {
    normalize(
      layer.pointee.mixerNorm, layer.pointee.mixerMixture, layer.pointee.mixerConnection,
      quantizing: layer.pointee.mixerInputIsQuantised,
      inTwoParts: layer.pointee.mixer?.readsTwoParts ?? false)
    if layer.pointee.putsResidualAway { putResidualAway(layer.pointee.mixerMixture?.count ?? 0) }
    switch layer.pointee.mixer {
    case .attention(let attention)?: AttentionStep(self, attention, layer: index).run()
    case .latent(let attention)?: LatentAttentionStep(self, attention, layer: index).run()
    case .delta(let net)?: DeltaNetStep(self, net, layer: index).run()
    case .convolution(let convolution)?: ShortConvolutionStep(self, convolution, layer: index).run()
    case .mamba(let mamba)?: MambaStep(self, mamba, layer: index).run()
    case .kimiDelta(let net)?: KimiDeltaNetStep(self, net, layer: index).run()
    case .compressed(let attention)?: CompressedAttentionStep(self, attention, layer: index).run()
    case nil: break
    }
    addToResidual(
      layer.pointee.mixerOutputBias, layer.pointee.mixerOutputNorm, layer.pointee.mixerConnection, scale: layer.pointee.mixerScale)
  }

  private func runNetwork(_ layer: UnsafePointer<Layer>) {
    if case .both(let both)? = layer.pointee.network {
      return run(
        both, layer.pointee.networkNorm ?? .none, outputNorm: layer.pointee.networkOutputNorm, scale: layer.pointee.networkScale)
    }
    if let norm = layer.pointee.networkNorm {
      normalize(
        norm, layer.pointee.networkMixture, layer.pointee.networkConnection, quantizing: layer.pointee.networkInputIsQuantised)
    }
    switch layer.pointee.network {
    case .dense(let network)?: GatedNetworkStep(self, network).run()
    case .experts(let mixture)?: MixtureStep(self, mixture).run()
    case .both?, nil: break
    }
    addToResidual(
      layer.pointee.networkOutputBias, layer.pointee.networkOutputNorm, layer.pointee.networkConnection,
      scale: layer.pointee.networkScale)
  }
}
