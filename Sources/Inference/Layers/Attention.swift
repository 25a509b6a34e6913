// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention whose heads of queries share heads of keys and values, in groups.
struct Attention: MixerPart {
  let heads: Heads
  let query: Matrix
  let key: Matrix
  let value: Matrix
  let output: Matrix
  /// How the thread that attends with a head hands its output on.
  let outputForm: ActivationForm
  let queryNorm: Vector
  let keyNorm: Vector
  /// Whether the norms are over the whole projection, all heads together, and not over each head.
  let normalisesWholeProjection: Bool
  /// One logit for each head that takes part in the softmax and attends to nothing.
  let sinks: Vector
  /// Which of the model's rotary embeddings.
  let rotary: Int
  let window: Int
  let scale: Float
  /// Whether its products read activations of 16 bits: two columns of 8 bits for each token.
  let usesTwoPartActivations: Bool

  /// What the metadata says of one layer's attention.
  struct Configuration: Sendable, Equatable {
    let heads: Heads
    /// Positions a token sees, itself included; 0: all before it.
    let window: Int
    let rotary: RotaryConfiguration
    /// What scores are multiplied by.
    let scale: Float

    init(
      _ reader: MetadataReader, _ architecture: Architecture, layer: Int, embeddingLength: Int, seesAll: Bool
    ) throws(ModelError) {
      guard let headCount = try reader.size("attention.head_count", layer: layer) else {
        throw .missingKey(key: reader.key("attention.head_count"))
      }
      let keyValueCount = try reader.size("attention.head_count_kv", layer: layer) ?? headCount
      guard keyValueCount > 0 else {
        throw .badValue(key: reader.key("attention.head_count_kv"), value: "0 (layer \(layer))", expected: "at least 1")
      }
      guard headCount > 0, headCount % keyValueCount == 0 else {
        throw .badValue(
          key: reader.key("attention.head_count"), value: "\(headCount) (layer \(layer))",
          expected: "a multiple of attention.head_count_kv, \(keyValueCount)")
      }
      let keyLength = try reader.size("attention.key_length") ?? embeddingLength / headCount
      let valueLength = try reader.size("attention.value_length") ?? embeddingLength / headCount
      guard (1...65536).contains(keyLength), (1...65536).contains(valueLength), keyLength % 2 == 0 else {
        throw .badValue(
          key: reader.key("attention.key_length"), value: "\(keyLength), value_length \(valueLength)",
          expected: "an even number, and both 1 to 65536")
      }
      try reader.checkHeads(headCount, longest: max(keyLength, valueLength), layer: layer)
      heads = Heads(queryCount: headCount, keyValueCount: keyValueCount, keyLength: keyLength, valueLength: valueLength)
      let period = architecture.windowPeriod
      window = seesAll || period == 0 ? 0 : try reader.size("attention.sliding_window") ?? 0
      rotary = try RotaryConfiguration(reader, architecture, headLength: keyLength, hasWindow: window > 0)
      let isScaledByEmbedding = architecture.layerCountScaledByEmbedding == reader.layerCount
      let length = isScaledByEmbedding ? embeddingLength / headCount : keyLength
      let plain = try reader.number("attention.scale") ?? 1 / Float(length).squareRoot()
      scale = plain * rotary.scoreFactor
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (architecture, length) = (model.architecture, model.embeddingLength)
    heads = configuration.heads
    let (queries, keys) = (heads.queryCount * heads.keyLength, heads.keyValueCount * heads.keyLength)
    let values = heads.keyValueCount * heads.valueLength
    if let fused = try binder.find("\(prefix)attn_qkv", columns: length, rows: queries + keys + values) {
      query = binder.rows(0..<queries, of: fused)
      key = binder.rows(queries..<queries + keys, of: fused)
      value = binder.rows(queries + keys..<fused.rows, of: fused)
    } else {
      query = try binder.matrix("\(prefix)attn_q", columns: length, rows: queries)
      key = try binder.matrix("\(prefix)attn_k", columns: length, rows: keys)
      value = try binder.matrix("\(prefix)attn_v", columns: length, rows: values)
    }
    output = try binder.matrix("\(prefix)attn_output", columns: heads.queryCount * heads.valueLength, rows: length)
    let isQuantised = output.readsQuants && heads.valueLength % 32 == 0
    outputForm = ActivationForm(quantised: isQuantised, plain: !isQuantised || output.readsFloats)
    sinks = try binder.vector("\(prefix)attn_sinks.weight", count: heads.queryCount, isRequired: architecture.hasSinks)
    let isWhole = architecture.queryKeyNorm == .wholeProjection
    let isRequired = architecture.queryKeyNorm != .none
    queryNorm = try binder.vector(
      "\(prefix)attn_q_norm.weight", count: isWhole ? queries : heads.keyLength, isRequired: isRequired)
    keyNorm = try binder.vector("\(prefix)attn_k_norm.weight", count: isWhole ? keys : heads.keyLength, isRequired: isRequired)
    // A model may have these norms without its architecture asking for them (GLM 4.5).
    normalisesWholeProjection = isWhole
    rotary = model.rotaries.firstIndex(of: configuration.rotary) ?? 0
    window = configuration.window
    scale = configuration.scale
    usesTwoPartActivations = architecture.usesTwoPartActivations
  }

  var readsQuants: Bool { query.readsQuants || key.readsQuants || value.readsQuants }
  var readsFloats: Bool { query.readsFloats || key.readsFloats || value.readsFloats }
  var outputBias: Vector { output.bias }
  var longestRow: Int { max(query.rows, key.rows * 2, output.columns) }
  var history: History { .positions }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = HeadAttention.Scratch(&arena, valueLength: heads.valueLength) }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) {
    _ = KeyValueCache(&arena, heads, state, team: team, teamCount: teamCount)
  }

  /// What a team's threads keep from one barrier to the next.
  struct Buffers {
    /// Raw projections [token][rows].
    let queries: Rows
    let keys: Rows
    let values: Rows
    /// The output [token][head][value length].
    let attended: Columns
    /// Queries as `HeadAttention` reads them. Written after the barrier that follows the projections, read before the one in front
    /// of the output.
    let rotated: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ room: inout TeamRoom, _ attention: Attention, _ sizes: PassSizes) {
      let columns = sizes.batch * (attention.usesTwoPartActivations ? 2 : 1)
      queries = room.parts.rows(columns, length: attention.query.rows)
      keys = room.parts.rows(columns, length: attention.key.rows)
      values = room.parts.rows(columns, length: attention.value.rows)
      attended = room.parts.columns(columns, length: attention.output.columns, keepsPlain: attention.outputForm.plain)
      rotated = room.output.floats(sizes.batch * attention.query.rows)
    }
  }
}
