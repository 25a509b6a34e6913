// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// One layer: a mixer, then a network. In most models each comes after a norm and is added to the residual; in some models a layer
/// has only one of the two.
///
/// Layers are plain data that all threads read.
struct Layer {
  /// The mixture of residuals that the mixer reads; nil: it reads the residual.
  let mixerMixture: ResidualAttention?
  /// How the mixer reads and writes several residual streams; nil: there is one stream.
  let mixerConnection: HyperConnection?
  /// Whether the residual is saved once the mixer has read it, and starts again from zero.
  let putsResidualAway: Bool
  let mixerNorm: Norm
  /// Nil: the layer is only a network.
  let mixer: Mixer?
  /// Whether some product reads the mixer's input quantised. The network counts, too, if it reads the same input.
  let mixerInputIsQuantised: Bool
  /// The bias of the mixer's output.
  let mixerOutputBias: Vector
  /// The norm of the mixer's output before it is added to the residual; absent in most models.
  let mixerOutputNorm: Vector
  /// The norm before the network; nil: the network reads what the mixer reads.
  let networkNorm: Norm?
  /// The mixture of residuals that the network reads; nil: it reads the residual.
  let networkMixture: ResidualAttention?
  let networkConnection: HyperConnection?
  /// Nil: the layer is only a mixer.
  let network: Network?
  let networkInputIsQuantised: Bool
  let networkOutputBias: Vector
  let networkOutputNorm: Vector
  /// The factors of the outputs when they are added to the residual.
  let mixerScale: Float
  let networkScale: Float
  /// What the layer does with its own input; nil: it has none.
  let input: LayerInput?
  /// The factor of the residual at the end of the layer.
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

/// The norm of the residual before a mixer or a network reads it.
enum Norm {
  /// No norm.
  case none
  /// RMSNorm.
  case meanSquare(Vector)
  /// LayerNorm: the mean is subtracted first.
  case variance(Vector)

  /// Binds the norm that the architecture has before mixers and networks.
  init(_ name: String, _ model: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    self = model.architecture.normalisesInputs ? try Norm(always: name, model, &binder) : .none
  }

  /// Binds a norm of the architecture's kind even if mixers and networks have none, such as the one after the last layer.
  init(always name: String, _ model: ModelConfiguration, _ binder: inout WeightBinder) throws(ModelError) {
    let weights = try binder.vector(name, count: model.embeddingLength)
    self = model.architecture.subtractsMean ? .variance(weights) : .meanSquare(weights)
  }
}

/// A mixer or a network: what it needs for a step in addition to its weights.
protocol LayerPart {
  /// Whether some product reads the normalised residual quantised.
  var readsQuants: Bool { get }
  /// Whether some product reads the normalised residual in floats.
  var readsFloats: Bool { get }
  /// The bias of the output.
  var outputBias: Vector { get }
  /// The length of the longest row that a thread needs room for, in elements.
  var longestRow: Int { get }
  /// Takes the memory that a team's threads share while they run this part.
  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes)
  /// Takes the memory that each thread has for itself while it runs this part.
  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes)
}

extension LayerPart {
  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) {}
}

/// A part that mixes a token with those before it, and keeps something of them.
protocol MixerPart: LayerPart {
  /// Whether what the part keeps can be cut back.
  var history: History { get }
  /// Takes the memory for what one team keeps of all sequences' tokens.
  ///
  /// - Returns: All of it, as pieces of state.
  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece]
}

/// What a mixer keeps of a sequence's tokens, which decides how far back the sequence can be cut.
enum History: Sendable, Equatable {
  /// Something for each position: any number of tokens can be dropped from the end.
  case positions
  /// A state that every token changes: the sequence can only return to a copy of its state, or start again.
  case state

  /// Returns the last position, at most `position`, from which a sequence of `length` tokens can go on.
  ///
  /// - Parameter copies: The positions at which states were copied.
  func restart(at position: Int, length: Int, copies: some Sequence<Int> = EmptyCollection()) -> Int {
    switch self {
    case .positions: min(position, length)
    case .state: position < length ? copies.filter { $0 <= position }.max() ?? 0 : length
    }
  }
}

/// How many sequences are kept, how much of each, and in which form; the same for all layers.
struct StateSizes {
  let cacheType: CacheType
  /// The number of positions of each sequence: a multiple of 16.
  let positions: Int
  let sequences: Int
  /// The number of tokens from one checkpoint (copy of a state) to the next; 0: no checkpoints.
  let checkpointInterval: Int
  /// The number of checkpoints that are kept; the oldest is overwritten by the next.
  let checkpointCount: Int

  /// The number of copies from before tentative tokens, which may be taken back; the oldest is overwritten by the next.
  let tentativeCount: Int

  /// The number of a sequence's states: the current one, the checkpoints, the copy from before the last prompt, and those from
  /// before tentative tokens.
  var stateCount: Int { checkpointCount + 2 + tentativeCount }

  /// Returns the number of the copy that is made after the token at `position`; 0: none is made.
  @inline(__always)
  func copy(after position: Int32) -> Int {
    guard checkpointInterval > 0, (Int(position) + 1) % checkpointInterval == 0 else { return 0 }
    return copy(at: Int(position) + 1)
  }

  /// Returns the number of the checkpoint at `length` tokens, a multiple of the interval.
  @inline(__always)
  func copy(at length: Int) -> Int { 1 + length / checkpointInterval % checkpointCount }

  /// The number of the copy from before the last prompt.
  var lastCopy: Int { checkpointCount + 1 }

  /// Returns the number of the copy from before the tentative token at `position`. `tentativeCount` must not be 0.
  @inline(__always)
  func copy(before position: Int32) -> Int { checkpointCount + 2 + Int(position) % tentativeCount }
}

/// The part of a layer that mixes a token with those before it.
enum Mixer {
  case attention(Attention)
  case latent(LatentAttention)
  case delta(DeltaNet)
  case convolution(ShortConvolution)
  case mamba(Mamba)
  case kimiDelta(KimiDeltaNet)
  case compressed(CompressedAttention)

  /// The kind and sizes of a mixer.
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

    /// The number of F16 elements that one position takes in the cache.
    var numbersPerPosition: Int {
      switch self {
      case .attention(let attention):
        (attention.source == nil ? attention.heads.numbersPerPosition : 0) + 2 * (attention.indexer?.length ?? 0)
      case .latent(let attention): attention.heads.numbersPerPosition + 2 * (attention.indexer?.length ?? 0)
      case .compressed(let attention): attention.numbersPerPosition
      case .delta, .convolution, .mamba, .kimiDelta: 0
      }
    }

    /// The number of elements of a sequence's state, which does not grow with the sequence.
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

  /// Binds the layer's mixer; nil if it has none.
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

  /// Whether the mixer reads the step's activations also quantised in two parts.
  @inline(__always)
  var readsTwoParts: Bool {
    if case .attention(let attention) = self { attention.valuesReadTwoParts } else { false }
  }

  /// The mixer as an existential. A step must not use it.
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

  /// The kind and sizes of a network.
  enum Configuration: Sendable, Equatable {
    case dense(GatedNetwork.Configuration)
    case experts(Mixture.Configuration)
    /// Experts if the layer has a router, otherwise a dense network.
    case either(GatedNetwork.Configuration, Mixture.Configuration)
    /// A dense network, and experts beside it if the layer has a router.
    case both(GatedNetwork.Configuration, Mixture.Configuration)
  }

  /// Binds the layer's network; nil if it has none.
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

  /// The network as an existential. A step must not use it.
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
