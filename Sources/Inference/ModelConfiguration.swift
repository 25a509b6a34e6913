// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF

/// What a model's metadata says of its graph, checked.
///
/// Sizes are between 1 and 2^30, so that a product of two never overflows; `ModelWeights` then holds them against the tensors.
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

  let traits: ArchitectureTraits
  let layers: [LayerConfiguration]
  /// 0: none; c: logits are c · tanh(logit / c).
  let logitSoftcap: Float
  let rotary: RotaryConfiguration
  /// RoPE of layers with a window.
  let windowRotary: RotaryConfiguration
  let latent: LatentConfiguration?
  let experts: ExpertConfiguration?
  /// What scores are multiplied by.
  let attentionScale: Float

  /// Reads `metadata`, complaining about what the graph cannot do without.
  public init(_ metadata: GGUFMetadata) throws(ModelError) {
    guard let name = metadata.string("general.architecture") else { throw .missingKey(key: "general.architecture") }
    guard let architecture = Architecture(rawValue: name) else { throw .unknownArchitecture(name: name) }
    let reader = MetadataReader(metadata: metadata, prefix: name)
    let traits = ArchitectureTraits(architecture)

    let allLayers = try reader.requiredSize("block_count")
    let extraLayers = try reader.size("nextn_predict_layers") ?? 0
    guard extraLayers < allLayers, allLayers <= 4096 else {
      throw .badValue(key: reader.key("block_count"), value: "\(allLayers)", expected: "\(extraLayers + 1) to 4096")
    }
    let layerCount = allLayers - extraLayers
    let embeddingLength = try reader.requiredSize("embedding_length")

    self.architecture = architecture
    self.traits = traits
    self.layerCount = layerCount
    self.embeddingLength = embeddingLength
    contextLength = try reader.requiredSize("context_length")
    normEpsilon = try reader.number("attention.layer_norm_rms_epsilon", from: 0) ?? 1e-5
    logitSoftcap = try reader.number("final_logit_softcapping", from: 0) ?? 0
    latent = traits.hasLatentAttention ? try LatentConfiguration(reader) : nil
    experts = try ExpertConfiguration(reader, traits)
    layers = try LayerConfiguration.all(
      reader, traits, count: layerCount, embeddingLength: embeddingLength, latent: latent, experts: experts)

    let headLength = layers[0].keyLength
    let dimensions = try reader.size("rope.dimension_count") ?? (latent?.rotaryLength ?? headLength)
    let limit = latent?.rotaryLength ?? headLength
    guard dimensions > 0, dimensions <= limit, dimensions % 2 == 0 else {
      throw .badValue(
        key: reader.key("rope.dimension_count"), value: "\(dimensions)", expected: "an even number up to \(limit)")
    }
    let rotary = try RotaryConfiguration(reader, traits, dimensions: dimensions, contextLength: contextLength)
    self.rotary = rotary
    windowRotary = try rotary.forWindow(reader, traits)

    // Gemma 3 27B alone divides by the square root of embedding length / heads; its file does not say so.
    let isLargeGemma = architecture == .gemma3 && layerCount == 62
    let length = isLargeGemma ? embeddingLength / layers[0].headCount : latent?.queryLength ?? headLength
    let plain = try reader.number("attention.scale") ?? 1 / Float(length).squareRoot()
    attentionScale = plain * rotary.scoreFactor
  }
}

/// One layer's sizes.
struct LayerConfiguration: Sendable, Equatable {
  var headCount: Int
  var keyValueHeadCount: Int
  var keyLength: Int
  var valueLength: Int
  var feedForwardLength: Int
  /// Positions a token sees, itself included; 0: all before it.
  var window: Int
  /// Whether this layer's feed-forward network is a mixture of experts.
  var hasExperts: Bool
  /// F16 numbers that keep one element of a key or value: 2 for compressed vectors, a number and what it leaves out.
  var cacheParts = 1

  /// Query heads that share one head of keys and values.
  var groupSize: Int { headCount / keyValueHeadCount }

  /// Whether keys and values may be kept in 8 bits: whole blocks of 32, and no compressed vectors.
  var allowsQuantisedCache: Bool { cacheParts == 1 && keyLength % 32 == 0 && valueLength % 32 == 0 }

  static func all(
    _ reader: MetadataReader, _ traits: ArchitectureTraits, count: Int, embeddingLength: Int,
    latent: LatentConfiguration?, experts: ExpertConfiguration?
  ) throws(ModelError) -> [LayerConfiguration] {
    guard let heads = try reader.sizes("attention.head_count", count: count) else {
      throw .missingKey(key: reader.key("attention.head_count"))
    }
    let keyValueHeads = try reader.sizes("attention.head_count_kv", count: count) ?? heads
    let feedForward = try reader.sizes("feed_forward_length", count: count) ?? Array(repeating: 0, count: count)
    let window = traits.windowPeriod == 0 ? 0 : try reader.size("attention.sliding_window") ?? 0
    let ownKeyLength = try reader.size("attention.key_length")
    let ownValueLength = try reader.size("attention.value_length")
    let seesAll = try windowPattern(reader, traits, count: count)
    var layers: [LayerConfiguration] = []
    for layer in 0..<count {
      let (headCount, shared) = (heads[layer], latent == nil ? keyValueHeads[layer] : 1)
      guard shared > 0 else {
        throw .badValue(key: reader.key("attention.head_count_kv"), value: "0 (layer \(layer))", expected: "at least 1")
      }
      guard headCount > 0, headCount % shared == 0 else {
        throw .badValue(
          key: reader.key("attention.head_count"), value: "\(headCount) (layer \(layer))",
          expected: "a multiple of attention.head_count_kv, \(shared)")
      }
      let keyLength = latent?.cachedLength ?? ownKeyLength ?? embeddingLength / headCount
      let valueLength = latent?.rank ?? ownValueLength ?? embeddingLength / headCount
      guard (1...65536).contains(keyLength), (1...65536).contains(valueLength), keyLength % 2 == 0 else {
        throw .badValue(
          key: reader.key("attention.key_length"), value: "\(keyLength), value_length \(valueLength)",
          expected: "an even number, and both 1 to 65536")
      }
      // Lengths stay far from overflow, so that buffers may be measured without further checks.
      let longest = max(keyLength, valueLength, latent?.queryLength ?? 0, latent?.valueLength ?? 0)
      guard headCount <= MetadataReader.largestSize / longest else {
        throw .badValue(
          key: reader.key("attention.head_count"), value: "\(headCount) (layer \(layer))",
          expected: "at most \(MetadataReader.largestSize / longest) heads of \(longest)")
      }
      let hasExperts = experts.map { layer >= $0.leadingDenseLayers } ?? false
      guard hasExperts || feedForward[layer] > 0 else { throw .missingKey(key: reader.key("feed_forward_length")) }
      layers.append(
        LayerConfiguration(
          headCount: headCount, keyValueHeadCount: shared, keyLength: keyLength, valueLength: valueLength,
          feedForwardLength: feedForward[layer], window: seesAll[layer] ? 0 : window, hasExperts: hasExperts,
          cacheParts: latent == nil ? 1 : 2))
    }
    return layers
  }

  /// Which layers see all positions: said by an array, by a period, or by the architecture's habit.
  private static func windowPattern(
    _ reader: MetadataReader, _ traits: ArchitectureTraits, count: Int
  ) throws(ModelError) -> [Bool] {
    let name = "attention.sliding_window_pattern"
    if let values = reader.metadata.bools(reader.key(name)) {
      guard values.count >= count else {
        throw .badValue(key: reader.key(name), value: "an array of \(values.count)", expected: "one for each of \(count) layers")
      }
      return values.prefix(count).map { !$0 }
    }
    let period = reader.metadata.integer(reader.key(name)) ?? traits.windowPeriod
    return (0..<count).map { period > 0 && $0 % period == period - 1 }
  }
}

/// Multi-head latent attention: keys and values are kept as one compressed vector per token.
struct LatentConfiguration: Sendable, Equatable {
  /// Elements of the compressed vector.
  let rank: Int
  /// Elements of a key that RoPE rotates, shared by all heads.
  let rotaryLength: Int
  /// Elements of a head's key that are expanded from the compressed vector.
  let plainLength: Int
  /// Elements of a head's value.
  let valueLength: Int
  /// Elements of the compressed query; 0: queries are not compressed.
  let queryRank: Int

  /// Elements of what the cache keeps of a token as its key.
  var cachedLength: Int { rank + rotaryLength }
  /// Elements of a head's query before absorption.
  var queryLength: Int { plainLength + rotaryLength }

  init(_ reader: MetadataReader) throws(ModelError) {
    rank = try reader.requiredSize("attention.kv_lora_rank")
    rotaryLength = try reader.requiredSize("rope.dimension_count")
    let keyLength = try reader.requiredSize("attention.key_length_mla")
    valueLength = try reader.requiredSize("attention.value_length_mla")
    queryRank = try reader.size("attention.q_lora_rank") ?? 0
    guard keyLength > rotaryLength else {
      throw .badValue(
        key: reader.key("attention.key_length_mla"), value: "\(keyLength)",
        expected: "more than rope.dimension_count, \(rotaryLength)")
    }
    plainLength = keyLength - rotaryLength
  }
}

/// A mixture of experts: how many there are and how a token's are chosen.
struct ExpertConfiguration: Sendable, Equatable {
  let count: Int
  let usedCount: Int
  /// Rows of an expert's gate and up projections.
  let feedForwardLength: Int
  /// Rows of the shared expert's; 0: there is none.
  let sharedFeedForwardLength: Int
  let leadingDenseLayers: Int
  let gating: ExpertGating
  let normalisesWeights: Bool
  let weightsScale: Float
  /// Experts are chosen within the best of these groups; 1: no groups.
  let groupCount: Int
  let usedGroupCount: Int

  /// Nil where the metadata counts no experts.
  init?(_ reader: MetadataReader, _ traits: ArchitectureTraits) throws(ModelError) {
    guard let count = try reader.size("expert_count"), count > 0 else { return nil }
    let usedCount = try reader.requiredSize("expert_used_count")
    guard usedCount <= count, count <= 65536 else {
      throw .badValue(key: reader.key("expert_used_count"), value: "\(usedCount)", expected: "at most expert_count, \(count)")
    }
    self.count = count
    self.usedCount = usedCount
    let whole = try reader.size("feed_forward_length") ?? 0
    feedForwardLength = try reader.size("expert_feed_forward_length") ?? whole
    guard feedForwardLength > 0 else { throw .missingKey(key: reader.key("expert_feed_forward_length")) }
    let shared = try reader.size("expert_shared_count") ?? 0
    sharedFeedForwardLength = try reader.size("expert_shared_feed_forward_length") ?? shared * feedForwardLength
    leadingDenseLayers = try reader.size("leading_dense_block_count") ?? 0
    if let number = try reader.size("expert_gating_func"), number != 0 {
      guard let gating = ExpertGating(rawValue: number) else {
        throw .badValue(key: reader.key("expert_gating_func"), value: "\(number)", expected: "1, 2 or 3")
      }
      self.gating = gating
    } else {
      gating = traits.gating
    }
    let saysNorm = traits.readsExpertWeightsNorm ? try reader.flag("expert_weights_norm") : nil
    normalisesWeights = saysNorm ?? traits.normalisesExpertWeights
    let scale = try reader.number("expert_weights_scale") ?? 1
    weightsScale = scale == 0 ? 1 : scale
    groupCount = max(1, try reader.size("expert_group_count") ?? 1)
    usedGroupCount = groupCount == 1 ? 1 : try reader.requiredSize("expert_group_used_count")
    guard count % groupCount == 0, usedGroupCount <= groupCount, usedCount <= count / groupCount * usedGroupCount else {
      throw .badValue(
        key: reader.key("expert_group_count"), value: "\(groupCount) with \(usedGroupCount) used",
        expected: "groups that divide \(count) experts and hold \(usedCount)")
    }
  }
}
