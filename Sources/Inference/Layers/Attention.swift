// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention whose heads of queries share heads of keys and values, in groups.
struct Attention: MixerPart {
  let heads: Heads
  let query: Matrix
  /// Nil: keys and values are those of another layer.
  let key: Matrix?
  /// Nil: values are what the projection to keys gives.
  let value: Matrix?
  /// The layer whose keys and values are kept for this one; nil: its own.
  let source: Int?
  /// Values are normalised, with weights of one.
  let normalisesValues: Bool
  let output: Matrix
  /// How the thread that attends with a head hands its output on.
  let outputForm: ActivationForm
  let queryNorm: Vector
  let keyNorm: Vector
  let order: NormOrder
  /// One number for each query head, whose logistic function the head's output is multiplied by; nil: none.
  let headGate: Matrix?
  /// Whether the query's projection gives such numbers for each element, too: after each head's query, as many.
  let hasGateInQuery: Bool
  /// One logit for each head that takes part in the softmax and attends to nothing.
  let sinks: Vector
  /// Which of the model's rotary embeddings; nil: none.
  let rotary: Int?
  let window: Window
  let scale: Float
  let scoreCap: Float
  let temperature: Temperature?
  /// What chooses the blocks of positions that are attended to; nil: nothing does.
  let indexer: BlockIndexer?
  /// Whether the projection to values reads activations of 16 bits: two columns of 8 bits for each token.
  let valuesReadTwoParts: Bool

  /// What is done to queries and keys, and in which order.
  enum NormOrder {
    /// A norm over each head (where the model has one), then RoPE.
    case headThenRotate
    /// A norm over the whole projection, all heads together, then RoPE.
    case wholeThenRotate
    /// RoPE, then a norm over each head.
    case rotateThenHead
    /// RoPE, then a norm over each head whose weights are all one.
    case rotateThenUnit
  }

  /// What the metadata says of one layer's attention.
  struct Configuration: Sendable, Equatable {
    let heads: Heads
    let window: Window
    let rotary: RotaryConfiguration?
    /// What scores are multiplied by.
    let scale: Float
    /// 0: none; c: scores are c · tanh(score / c).
    let scoreCap: Float
    let temperature: Temperature?
    /// Queries and keys are normalised with weights of one after RoPE.
    let hasUnitNorm: Bool
    /// What chooses the blocks of positions; nil: nothing does.
    let indexer: BlockIndexer.Configuration?
    /// The layer whose keys and values it reads; nil: its own.
    let source: Int?

    init(
      _ reader: MetadataReader, _ architecture: Architecture, layer: Int, embeddingLength: Int, _ windows: AttentionWindows
    ) throws(ModelError) {
      window = Window(length: windows.lengths[layer], isChunk: architecture.windowsAreChunks)
      source = try windows.sharedLayer(for: layer, reader, architecture)
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
      let keyLength = try Self.length("attention.key_length", reader, window) ?? embeddingLength / headCount
      let valueLength = try Self.length("attention.value_length", reader, window) ?? embeddingLength / headCount
      guard (1...65536).contains(keyLength), (1...65536).contains(valueLength), keyLength % 2 == 0 else {
        throw .badValue(
          key: reader.key("attention.key_length"), value: "\(keyLength), value_length \(valueLength)",
          expected: "an even number, and both 1 to 65536")
      }
      let hasGate = architecture.outputGate == .inQuery
      guard !hasGate || keyLength == valueLength else {
        throw .badValue(
          key: reader.key("attention.value_length"), value: "\(valueLength)", expected: "attention.key_length, \(keyLength)")
      }
      try reader.checkHeads(headCount, longest: max(keyLength, valueLength) * (hasGate ? 2 : 1), layer: layer)
      let isFinetuned = architecture.finetunedMeansRotary ? try reader.flag("rope.scaling.finetuned") ?? true : true
      let hasRotary = isFinetuned && architecture.hasRotary
      let isRotated = hasRotary && (window.length > 0 || architecture.fullLayersRotate || !windows.exist)
      let rotary = try RotaryConfiguration(reader, architecture, headLength: keyLength, hasWindow: window.length > 0)
      self.rotary = isRotated ? rotary : nil
      let named = try Temperature(reader, architecture)
      temperature = isRotated ? named : architecture.temperature
      let cap = Architecture.OptionalKey.attentionSoftcap
      scoreCap = architecture.keys.contains(cap) ? try reader.number(cap.rawValue, from: 0) ?? 0 : 0
      if case .perHeadUnlessExperts(let count) = architecture.queryKeyNorm {
        let experts = try reader.size("expert_count")
        hasUnitNorm = isRotated && experts != count
      } else {
        hasUnitNorm = false
      }
      let dense = try reader.size("leading_dense_block_count") ?? 0
      indexer =
        architecture.choosesBlocks && layer >= dense
        ? try BlockIndexer.Configuration(reader, keyValueCount: keyValueCount, rotaryLength: isRotated ? rotary.dimensions : 0)
        : nil
      heads = Heads(
        queryCount: headCount, keyValueCount: keyValueCount, keyLength: keyLength, valueLength: valueLength,
        areChosen: indexer != nil)
      let isScaledByEmbedding = architecture.layerCountScaledByEmbedding == reader.layerCount
      let length = isScaledByEmbedding ? embeddingLength / headCount : keyLength
      let plain = try reader.number("attention.scale") ?? architecture.scoreScale ?? 1 / Float(length).squareRoot()
      scale = plain * (isRotated ? rotary.scoreFactor : 1)
    }

    /// A head's length, which layers with a window may have for themselves.
    private static func length(_ name: String, _ reader: MetadataReader, _ window: Window) throws(ModelError) -> Int? {
      let own = window.length > 0 ? try reader.size("\(name)_swa") : nil
      let named = try reader.size(name)
      return own ?? named
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (architecture, length) = (model.architecture, model.embeddingLength)
    heads = configuration.heads
    hasGateInQuery = architecture.outputGate == .inQuery
    let queries = heads.queryCount * heads.keyLength * (hasGateInQuery ? 2 : 1)
    let keys = heads.keyValueCount * heads.keyLength
    let values = heads.keyValueCount * heads.valueLength
    source = configuration.source
    normalisesValues = architecture.normalisesValues
    if source != nil {
      query = try binder.matrix("\(prefix)attn_q", columns: length, rows: queries)
      (key, value) = (nil, nil)
      // They are in files, and of no use.
      for name in ["attn_k", "attn_v", "attn_k_norm"] { binder.skip("\(prefix)\(name).weight") }
    } else if !hasGateInQuery, let fused = try binder.find("\(prefix)attn_qkv", columns: length, rows: queries + keys + values) {
      query = binder.rows(0..<queries, of: fused)
      key = binder.rows(queries..<queries + keys, of: fused)
      value = binder.rows(queries + keys..<fused.rows, of: fused)
    } else {
      query = try binder.matrix("\(prefix)attn_q", columns: length, rows: queries)
      key = try binder.matrix("\(prefix)attn_k", columns: length, rows: keys)
      let isKey = architecture.valuesMayBeKeys && binder.shape("\(prefix)attn_v.weight") == nil && values == keys
      value = isKey ? nil : try binder.matrix("\(prefix)attn_v", columns: length, rows: values)
    }
    output = try binder.matrix("\(prefix)attn_output", columns: heads.queryCount * heads.valueLength, rows: length)
    outputForm = ActivationForm(partsOf: heads.valueLength, for: output)
    sinks = try binder.vector("\(prefix)attn_sinks.weight", count: heads.queryCount, isRequired: architecture.hasSinks)
    let isWhole = architecture.queryKeyNorm.isWhole
    let isRequired = architecture.queryKeyNorm.hasWeights
    queryNorm = try binder.vector(
      "\(prefix)attn_q_norm.weight", count: isWhole ? queries : heads.keyLength, isRequired: isRequired)
    // A model may have these norms without its architecture asking for them (GLM 4.5).
    keyNorm =
      source != nil
      ? .none
      : try binder.vector("\(prefix)attn_k_norm.weight", count: isWhole ? keys : heads.keyLength, isRequired: isRequired)
    order =
      if configuration.hasUnitNorm { .rotateThenUnit } else if architecture.rotatesBeforeNorm { .rotateThenHead } else if isWhole {
        .wholeThenRotate
      } else { .headThenRotate }
    headGate =
      architecture.outputGate == .perHead ? try binder.matrix("\(prefix)attn_gate", columns: length, rows: heads.queryCount) : nil
    // What its bias would be added to has two parts.
    guard !(hasGateInQuery && query.bias.isPresent) else { throw .unusedTensor(name: "\(prefix)attn_q.bias") }
    guard headGate?.bias.isPresent != true else { throw .unusedTensor(name: "\(prefix)attn_gate.bias") }
    rotary = configuration.rotary.flatMap { model.rotaries.firstIndex(of: $0) }
    window = configuration.window
    scale = configuration.scale
    scoreCap = configuration.scoreCap
    temperature = configuration.temperature
    indexer = try configuration.indexer.map { (sizes) throws(ModelError) in try BlockIndexer(sizes, model, prefix, &binder) }
    valuesReadTwoParts = architecture.valuesReadTwoParts
  }

  var readsQuants: Bool {
    query.readsQuants || key?.readsQuants ?? false || value?.readsQuants ?? false || headGate?.readsQuants ?? false
      || indexer?.readsQuants ?? false
  }
  var readsFloats: Bool {
    query.readsFloats || key?.readsFloats ?? false || value?.readsFloats ?? false || headGate?.readsFloats ?? false
      || indexer?.readsFloats ?? false
  }
  var outputBias: Vector { output.bias }
  var longestRow: Int { max(query.rows, heads.keyValueCount * heads.keyLength * 2, output.columns) }
  var history: History { .positions }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Scratch(&arena, self, sizes) }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece] {
    let cache = source == nil ? KeyValueCache(&arena, heads, state, team: team, teamCount: teamCount).pieces : []
    return cache + (indexer.map { [Indexer.Keys(&arena, length: $0.sizes.length, state).piece] } ?? [])
  }

  /// What a thread has for itself.
  struct Scratch {
    let core: HeadAttention.Scratch
    let indexer: BlockIndexer.Scratch?

    @inline(__always)
    init(_ arena: inout Arena, _ attention: Attention, _ pass: PassSizes) {
      let (heads, count) = (attention.heads, attention.indexer?.sizes.positionCount ?? 0)
      core = HeadAttention.Scratch(
        &arena, keyLength: count == 0 ? 0 : heads.keyLength, valueLength: heads.valueLength, chosenCount: count, listedCount: count)
      indexer = attention.indexer.map { BlockIndexer.Scratch(&arena, $0.sizes, pass) }
    }
  }

  /// What a team's threads keep from one barrier to the next.
  struct Buffers {
    /// Raw projections [token][rows].
    let queries: Rows
    let keys: Rows
    let values: Rows
    /// A number for each head [token][head].
    let headGates: Rows
    /// The output [token][head][value length].
    let attended: Columns
    let indexer: BlockIndexer.Buffers?
    let sections: HeadAttention.Sections
    /// Queries as `HeadAttention` reads them. Written after the barrier that follows the projections, read before the one in front
    /// of the output.
    let rotated: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ room: inout TeamRoom, _ attention: Attention, _ sizes: PassSizes) {
      queries = room.parts.rows(sizes.batch, length: attention.query.rows)
      keys = room.parts.rows(sizes.batch, length: attention.key?.rows ?? 0)
      values = room.parts.rows(sizes.batch * (attention.valuesReadTwoParts ? 2 : 1), length: attention.value?.rows ?? 0)
      headGates = room.parts.rows(attention.headGate == nil ? 0 : sizes.batch, length: attention.heads.queryCount)
      attended = room.parts.columns(sizes.batch, length: attention.output.columns, keepsPlain: attention.outputForm.plain)
      indexer = attention.indexer.map { BlockIndexer.Buffers(&room, $0.sizes, sizes) }
      sections = HeadAttention.Sections(
        &room, headCount: attention.heads.queryCount, valueLength: attention.heads.valueLength, sizes)
      rotated = room.output.floats(sizes.batch * attention.heads.queryCount * attention.heads.keyLength)
    }
  }
}
