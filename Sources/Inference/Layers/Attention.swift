// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention in which groups of query heads share one head of keys and values (GQA).
struct Attention: MixerPart {
  let heads: Heads
  let query: Matrix
  /// The key projection; nil: keys and values are those of another layer.
  let key: Matrix?
  /// The value projection; nil: values are the output of the key projection, or those of another layer.
  let value: Matrix?
  /// The layer whose keys and values this one reads; nil: its own.
  let source: Int?
  /// Whether values are normalised, with all weights 1.
  let normalisesValues: Bool
  let output: Matrix
  /// The form in which a thread publishes the output of a head.
  let outputForm: ActivationForm
  let queryNorm: Vector
  let keyNorm: Vector
  let order: NormOrder
  /// The projection to one number for each query head, whose logistic function multiplies the head's output; nil: no such gate.
  let headGate: Matrix?
  /// Whether the query projection also gives a gate for each element: each head's query is followed by as many gate elements.
  let hasGateInQuery: Bool
  /// One logit for each head. It takes part in the softmax, but attends to nothing.
  let sinks: Vector
  /// The index of its rotary embedding in the model's list; nil: no RoPE.
  let rotary: Int?
  let window: Window
  let scale: Float
  let scoreCap: Float
  let temperature: Temperature?
  /// The indexer that chooses the blocks of positions that are attended to; nil: there is none.
  let indexer: BlockIndexer?
  /// Whether the value projection reads activations of 16 bits, as two columns of 8 bits for each token.
  let valuesReadTwoParts: Bool

  /// The order of norm and RoPE for queries and keys.
  enum NormOrder {
    /// A norm over each head (if the model has one), then RoPE.
    case headThenRotate
    /// A norm over the whole projection, all heads together, then RoPE.
    case wholeThenRotate
    /// RoPE, then a norm over each head.
    case rotateThenHead
    /// RoPE, then a norm over each head with all weights 1.
    case rotateThenUnit
  }

  /// The sizes and options of one layer's attention, from the metadata.
  struct Configuration: Sendable, Equatable {
    let heads: Heads
    let window: Window
    let rotary: RotaryConfiguration?
    /// The factor of scores.
    let scale: Float
    /// The limit of scores: for c > 0, they are c · tanh(score / c); 0: none.
    let scoreCap: Float
    let temperature: Temperature?
    /// Whether queries and keys are normalised with all weights 1 after RoPE.
    let hasUnitNorm: Bool
    /// The indexer of blocks; nil: there is none.
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

    /// Reads the length of a head; layers with a window may have their own.
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
      // Some files contain them although they are not used.
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
    // Some models have these norms although their architecture does not require them (GLM 4.5).
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
    // The bias is not supported here: it would have to be divided among queries and gates.
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

  /// What each thread has for itself.
  struct Scratch {
    let core: HeadAttention.Scratch
    let indexer: BlockIndexer.Scratch?

    @inline(__always)
    init(_ arena: inout Arena, _ attention: Attention, _ pass: PassSizes) {
      let count = attention.indexer?.sizes.positionCount ?? 0
      core = HeadAttention.Scratch(&arena, attention.heads, chosenCount: count, listedCount: count)
      indexer = attention.indexer.map { BlockIndexer.Scratch(&arena, $0.sizes, pass) }
    }
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// The outputs of the projections, [token][row].
    let queries: Rows
    let keys: Rows
    let values: Rows
    /// One number for each head, [token][head].
    let headGates: Rows
    /// The output, [token][head][value length].
    let attended: Columns
    let indexer: BlockIndexer.Buffers?
    let sections: HeadAttention.Sections
    /// Rotated queries, in the order in which `HeadAttention` reads them.
    ///
    /// Written after the barrier that follows the projections, and read before the barrier that precedes the output projection.
    let rotated: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ room: inout TeamRoom, _ attention: Attention, _ sizes: PassSizes) {
      queries = room.parts.rows(sizes.batch, length: attention.query.rows)
      keys = room.parts.rows(sizes.batch, length: attention.key?.rows ?? 0)
      values = room.parts.rows(sizes.batch * (attention.valuesReadTwoParts ? 2 : 1), length: attention.value?.rows ?? 0)
      headGates = room.parts.rows(attention.headGate == nil ? 0 : sizes.batch, length: attention.heads.queryCount)
      attended = room.parts.columns(sizes.batch, length: attention.output.columns, keepsPlain: attention.outputForm.plain)
      indexer = attention.indexer.map { BlockIndexer.Buffers(&room, $0.sizes, sizes) }
      sections = HeadAttention.Sections(&room, attention.heads, sizes)
      rotated = room.output.floats(sizes.batch * attention.heads.queryCount * attention.heads.keyLength)
    }
  }
}
