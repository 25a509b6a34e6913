// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// What a model's metadata says of its graph, checked.
///
/// Sizes are between 1 and 2^30, so that a product of two never overflows; `ModelWeights` then checks them against the tensors.
public struct ModelConfiguration: Sendable {
  /// The graph.
  public let architecture: Architecture
  /// Elements of the residual stream.
  public let embeddingLength: Int
  /// Layers that are computed (trailing next-token-prediction layers are not).
  public let layerCount: Int
  /// Tokens the model was trained on at once.
  public let contextLength: Int
  /// Epsilon of every RMSNorm.
  public let normEpsilon: Float

  /// Each layer's sizes.
  let layers: [LayerConfiguration]
  /// The rotary embeddings of all layers, each once.
  let rotaries: [RotaryConfiguration]
  /// 0: none; c: logits are c · tanh(logit / c).
  let logitSoftcap: Float

  var hasExperts: Bool { layers.contains { if case .experts = $0.network { true } else { false } } }

  /// Reads `metadata`.
  ///
  /// - Throws: The first key that is absent, or whose value the graph cannot use.
  public init(_ metadata: GGUFMetadata) throws(ModelError) {
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
    normEpsilon = try reader.number("attention.layer_norm_rms_epsilon", from: 0) ?? 1e-5
    logitSoftcap = try reader.number("final_logit_softcapping", from: 0) ?? 0
    layers = try LayerConfiguration.all(reader, architecture, embeddingLength: embeddingLength)
    try GraphKeys.check(reader)
    rotaries = layers.reduce(into: []) { if !$0.contains($1.mixer.rotary) { $0.append($1.mixer.rotary) } }
  }
}

/// What a layer mixes tokens with, and its network: their kinds and sizes.
struct LayerConfiguration: Sendable, Equatable {
  let mixer: Mixer.Configuration
  let network: Network.Configuration

  static func all(
    _ reader: MetadataReader, _ architecture: Architecture, embeddingLength: Int
  ) throws(ModelError) -> [LayerConfiguration] {
    let seesAll = try windowPattern(reader, architecture)
    let experts = try Routing(reader, architecture)
    let leadingDenseLayers = try reader.size("leading_dense_block_count") ?? 0
    var layers: [LayerConfiguration] = []
    for layer in 0..<reader.layerCount {
      let mixer: Mixer.Configuration =
        switch architecture.mixers {
        case .attention:
          .attention(
            try Attention.Configuration(
              reader, architecture, layer: layer, embeddingLength: embeddingLength, seesAll: seesAll[layer]))
        case .latent: .latent(try LatentAttention.Configuration(reader, architecture, layer: layer))
        }
      let network: Network.Configuration =
        if let experts, layer >= leadingDenseLayers {
          .experts(try Mixture.Configuration(reader, experts, layer: layer))
        } else {
          .dense(try GatedNetwork.Configuration(reader, layer: layer))
        }
      layers.append(LayerConfiguration(mixer: mixer, network: network))
    }
    return layers
  }

  /// Which layers see all positions: said by an array, by a period, or by the architecture's habit.
  private static func windowPattern(_ reader: MetadataReader, _ architecture: Architecture) throws(ModelError) -> [Bool] {
    let name = "attention.sliding_window_pattern"
    if let hasWindow = try reader.flags(name) { return hasWindow.map { !$0 } }
    let period = reader.metadata.integer(reader.key(name)) ?? architecture.windowPeriod
    return (0..<reader.layerCount).map { period > 0 && $0 % period == period - 1 }
  }
}
