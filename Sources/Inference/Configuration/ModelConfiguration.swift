// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// What a model's metadata says about its graph, checked.
///
/// Sizes are between 1 and 2^30, so that a product of two never overflows. `ModelWeights` then checks them against the tensors.
public struct ModelConfiguration: Sendable {
  /// The architecture that the file names.
  public let architecture: Architecture
  /// The length of a token's residual, in elements.
  public let embeddingLength: Int
  /// The number of layers from a token to its logits. In some files prediction layers follow them.
  public let layerCount: Int
  /// The context that the model was trained on, in tokens.
  public let contextLength: Int
  /// The epsilon of every norm.
  public let normEpsilon: Float

  /// The configuration of each layer, followed by that of the prediction layer if it is computed.
  let layers: [LayerConfiguration]
  /// The distinct rotary embeddings of all layers.
  let rotaries: [RotaryConfiguration]
  /// The largest number of positions that an indexer of latent attention chooses; 0: there is no indexer.
  var chosenCount: Int {
    layers.reduce(0) { if case .latent(let attention)? = $1.mixer { max($0, attention.indexer?.count ?? 0) } else { $0 } }
  }
  /// The length of each layer's own input, in elements; 0: none.
  let layerInputLength: Int
  /// The number of layers from one saved residual to the next; 0: none is saved.
  let residualPeriod: Int
  /// How parts read and write several residual streams; nil: there is one stream.
  let streams: HyperConnection.Configuration?
  /// The factors of embeddings, of the outputs of mixers and networks, and of logits.
  let embeddingScale: Float
  let residualScale: Float
  /// A further factor of the mixers' outputs.
  let valueScale: Float
  let logitScale: Float
  /// The limit of logits: for c > 0, they are c · tanh(logit / c); 0: none.
  let logitSoftcap: Float
  /// The context that the model's RoPE was first trained for, in tokens.
  let originalContextLength: Int

  /// Whether a sequence can be cut back to any length. It cannot if some layer keeps a state that every token changes.
  public var forgetsTokens: Bool { layers.allSatisfy { $0.mixer?.stateLength ?? 0 == 0 } }

  /// Whether the prediction layer is computed, too.
  var predicts: Bool { layers.count > layerCount }

  var hasExperts: Bool {
    layers.contains {
      switch $0.network {
      case .dense, nil: false
      case .experts, .either, .both: true
      }
    }
  }

  /// Reads and checks `metadata`.
  ///
  /// - Parameter predicts: Whether the first prediction layer is wanted, too.
  /// - Throws: The first key that is absent, or whose value the graph cannot use; `cannotPredict` if the prediction layer is wanted
  ///   but the file has none, or the architecture does not support it.
  public init(_ metadata: GGUFMetadata, predicts: Bool = false) throws(ModelError) {
    guard let name = metadata.string("general.architecture") else { throw .missingKey(key: "general.architecture") }
    let architecture = try Architecture.named(name)
    let reader = MetadataReader(metadata, prefix: name)

    let allLayers = try reader.requiredSize("block_count")
    let extraLayers = try reader.size("nextn_predict_layers") ?? 0
    guard extraLayers < allLayers, allLayers <= 4096 else {
      throw .badValue(key: reader.key("block_count"), value: "\(allLayers)", expected: "\(extraLayers + 1) to 4096")
    }
    reader.layerCount = allLayers - extraLayers

    self.architecture = architecture
    layerCount = reader.layerCount
    embeddingLength = try reader.requiredSize("embedding_length")
    contextLength = try reader.requiredSize("context_length")
    let (mean, square) = ("attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon")
    let other = try reader.number(mean, from: 0)
    normEpsilon = (architecture.subtractsMean ? other : try reader.number(square, from: 0) ?? other) ?? 1e-5
    let ownScale = architecture.scalesEmbedding ? Float(embeddingLength).squareRoot() : 1
    embeddingScale = try reader.scale(.embeddingScale, architecture) ?? ownScale
    residualScale = try reader.scale(.residualScale, architecture) ?? 1
    valueScale = try reader.scale(.valueScale, architecture) ?? 1
    let logits = try reader.scale(.logitScale, architecture) ?? 1
    logitScale = architecture.dividesLogits ? 1 / logits : logits
    originalContextLength = try reader.size("rope.scaling.original_context_length") ?? contextLength
    logitSoftcap = try reader.number("final_logit_softcapping", from: 0) ?? 0
    let inputs = Architecture.OptionalKey.layerInputs
    layerInputLength = architecture.keys.contains(inputs) ? try reader.size(inputs.rawValue) ?? 0 : 0
    guard layerInputLength <= MetadataReader.largestSize / layerCount else {
      throw .badValue(
        key: reader.key(inputs.rawValue), value: "\(layerInputLength)", expected: "at most 2^30 elements for \(layerCount) layers")
    }
    let period = Architecture.OptionalKey.residualPeriod
    residualPeriod = architecture.keys.contains(period) ? try reader.size(period.rawValue) ?? 0 : 0
    streams = try HyperConnection.Configuration(reader, architecture, embeddingLength: embeddingLength)
    var layers = try LayerConfiguration.all(reader, architecture, embeddingLength: embeddingLength)
    try GraphKeys.check(reader)
    if predicts {
      guard extraLayers > 0, architecture.predictionInput != nil else {
        throw .cannotPredict(architecture: name, hasLayers: extraLayers > 0)
      }
      // A reader of its own, because arrays then have a value for that layer, too.
      let own = MetadataReader(metadata, prefix: name)
      own.layerCount = layerCount + 1
      layers.append(try LayerConfiguration(predictionLayerOf: own, architecture, embeddingLength: embeddingLength))
    }
    self.layers = layers
    rotaries = layers.compactMap(\.mixer?.rotary).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}

/// The kinds and sizes of a layer's mixer and network. At least one of them is present.
struct LayerConfiguration: Sendable, Equatable {
  let mixer: Mixer.Configuration?
  let network: Network.Configuration?

  static func all(
    _ reader: MetadataReader, _ architecture: Architecture, embeddingLength: Int
  ) throws(ModelError) -> [LayerConfiguration] {
    let windows = try AttentionWindows(reader, architecture)
    let recurrent = try recurrentLayers(reader, architecture)
    let experts = try Routing(reader, architecture)
    let leadingDenseLayers = try reader.size("leading_dense_block_count") ?? 0
    let period = architecture.keys.contains(.expertPeriod) ? try reader.size("interleave_moe_layer_step") ?? 1 : 1
    var layers: [LayerConfiguration] = []
    for layer in 0..<reader.layerCount {
      let isNetwork = architecture.hasOnePartPerLayer ? try isNetworkAlone(reader, layer: layer) : false
      let mixer =
        try isNetwork
        ? nil : mixer(reader, architecture, layer, embeddingLength: embeddingLength, windows, isRecurrent: recurrent[layer])
      let network: Network.Configuration?
      if architecture.hasOnePartPerLayer, !isNetwork {
        network = nil
      } else if let experts, layer >= leadingDenseLayers, period < 2 || layer % period == period - 1 {
        let mixture = try Mixture.Configuration(reader, architecture, experts, layer: layer)
        if architecture.routersTellExperts || architecture.hasDenseBesideExperts {
          let dense = try GatedNetwork.Configuration(reader, architecture, layer: layer)
          network = architecture.hasDenseBesideExperts ? .both(dense, mixture) : .either(dense, mixture)
        } else {
          network = .experts(mixture)
        }
      } else {
        network = .dense(try GatedNetwork.Configuration(reader, architecture, layer: layer))
      }
      if case .attention(let own)? = mixer, let source = own.source, case .attention(let other)? = layers[source].mixer,
        other.heads.keyValueCount != own.heads.keyValueCount || other.heads.keyLength != own.heads.keyLength
          || other.heads.valueLength != own.heads.valueLength || other.heads.queryCount != own.heads.queryCount
      {
        throw .badValue(
          key: reader.key("attention.head_count_kv"), value: "\(own.heads.keyValueCount) (layer \(layer))",
          expected: "the heads of layer \(source), whose keys and values it reads")
      }
      layers.append(LayerConfiguration(mixer: mixer, network: network))
    }
    return layers
  }

  /// Reads the mixer of a layer that has one.
  ///
  /// - Parameter isRecurrent: Whether the layer has a delta net where other layers have attention.
  private static func mixer(
    _ reader: MetadataReader, _ architecture: Architecture, _ layer: Int, embeddingLength: Int, _ windows: AttentionWindows,
    isRecurrent: Bool
  ) throws(ModelError) -> Mixer.Configuration {
    switch architecture.mixers {
    case .latent: return .latent(try LatentAttention.Configuration(reader, architecture, layer: layer))
    case .deltaNets(let order) where isRecurrent: return .delta(try DeltaNet.Configuration(reader, order: order))
    case .convolutions where try reader.size("attention.head_count_kv", layer: layer) == 0:
      return .convolution(try ShortConvolution.Configuration(reader, embeddingLength: embeddingLength))
    case .mambas where try reader.size("attention.head_count_kv", layer: layer) == 0:
      return .mamba(try RecurrentSizes(reader, leastTaps: 2))
    case .kimiDeltaNets where try reader.size("attention.head_count_kv", layer: layer) == 0:
      return .kimiDelta(try KimiDeltaNet.Configuration(reader, layer: layer))
    case .compressed: return .compressed(try CompressedAttention.Configuration(reader, architecture, layer: layer))
    case .kimiDeltaNets: return .latent(try LatentAttention.Configuration(reader, architecture, layer: layer))
    case .attention, .deltaNets, .convolutions, .mambas:
      return .attention(
        try Attention.Configuration(reader, architecture, layer: layer, embeddingLength: embeddingLength, windows))
    }
  }

  /// Whether the layer is a network, in models where each layer is either a mixer or a network.
  private static func isNetworkAlone(_ reader: MetadataReader, layer: Int) throws(ModelError) -> Bool {
    guard let length = try reader.size("feed_forward_length", layer: layer) else {
      throw .missingKey(key: reader.key("feed_forward_length"))
    }
    let heads = try reader.size("attention.head_count_kv", layer: layer) ?? 0
    guard length == 0 || heads == 0 else {
      throw .badValue(
        key: reader.key("feed_forward_length"), value: "\(length) (layer \(layer))",
        expected: "0 where attention.head_count_kv is not, as it is \(heads)")
    }
    return length > 0
  }

  /// Returns which layers have a delta net: those of an array in the file, or all but every n-th.
  private static func recurrentLayers(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> [Bool] {
    guard case .deltaNets = architecture.mixers else { return Array(repeating: false, count: reader.layerCount) }
    let period = try reader.size("full_attention_interval") ?? 4
    if let flags = try reader.flags("attention.recurrent_layers") { return flags }
    guard period > 0 else { throw .badValue(key: reader.key("full_attention_interval"), value: "0", expected: "at least 1") }
    return (0..<reader.layerCount).map { $0 % period != period - 1 }
  }
}

extension LayerConfiguration {
  /// Reads the layer that predicts the token after the next one: attention, and whichever kind of network the file has.
  ///
  /// - Parameter reader: A reader that counts the prediction layer as the last one.
  init(predictionLayerOf reader: MetadataReader, _ architecture: Architecture, embeddingLength: Int) throws(ModelError) {
    let layer = reader.layerCount - 1
    if case .latent = architecture.mixers {
      // As in llama.cpp, this layer attends to all positions, even if an indexer chooses them in other layers.
      mixer = .latent(try LatentAttention.Configuration(reader, architecture, layer: layer, chooses: false))
    } else {
      mixer = try Self.mixer(
        reader, architecture, layer, embeddingLength: embeddingLength, AttentionWindows(reader, architecture), isRecurrent: false)
    }
    let mixture = try Routing(reader, architecture).map { (routing) throws(ModelError) in
      try Mixture.Configuration(reader, architecture, routing, layer: layer)
    }
    let isDense = try reader.size("feed_forward_length", layer: layer) ?? 0 > 0
    if let mixture, !isDense {
      network = .experts(mixture)
    } else {
      let dense = try GatedNetwork.Configuration(reader, architecture, layer: layer)
      network = mixture.map { .either(dense, $0) } ?? .dense(dense)
    }
  }
}
