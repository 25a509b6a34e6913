// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Multi-head latent attention (DeepSeek V2, https://arxiv.org/abs/2405.04434, section 2.1), in its absorbed form.
///
/// For each token the cache keeps one compressed vector and one rotated key, common to all heads. `keyExpand` takes each head's
/// query into the space of the compressed vectors, and `valueExpand` takes its output out of that space. Because the keys and
/// values of all heads come from these vectors, rounding them would affect all heads alike: the cache keeps them in single
/// precision.
struct LatentAttention: MixerPart {
  let sizes: Configuration
  /// The projections to the queries of all heads, directly from the residual or by way of a compressed query.
  let query: Query
  /// The projection to the compressed vector and the rotated part of the key.
  let compress: Matrix
  let norm: Vector
  /// For each head, the projection from the plain part of its query to the space of the compressed vectors.
  let keyExpand: Matrix
  /// For each head, the projection from the compressed vector to its value.
  let valueExpand: Matrix
  /// The projection whose logistic function multiplies the values, element by element; nil: no gate.
  let gate: Matrix?
  let output: Matrix
  /// The layer's own indexer; nil: it has none.
  let indexer: Indexer?
  /// The index of its rotary embedding in the model's list; nil: no RoPE.
  let rotary: Int?

  /// How queries are computed.
  enum Query {
    case direct(Matrix)
    case compressed(Matrix, norm: Vector, expand: Matrix)

    /// The product that reads the residual.
    var first: Matrix {
      switch self {
      case .direct(let matrix), .compressed(let matrix, _, _): matrix
      }
    }
  }

  /// The sizes and options of one layer's attention, from the metadata.
  struct Configuration: Sendable, Equatable {
    let headCount: Int
    /// The length of the compressed vector, in elements.
    let rank: Int
    /// The number of elements of a key that RoPE rotates (if there is RoPE), shared by all heads.
    let rotaryLength: Int
    /// The number of elements of a head's key that are expanded from the compressed vector.
    let plainLength: Int
    /// The length of a head's value, in elements.
    let valueLength: Int
    /// The length of the compressed query, in elements; 0: queries are not compressed.
    let queryRank: Int
    let rotary: RotaryConfiguration?
    /// The factor of scores.
    let scale: Float
    let temperature: Temperature?
    /// The indexer that chooses positions; nil: there is none.
    let indexer: Indexer.Configuration?
    /// Whether the layer chooses positions for itself instead of using the choice of the layer before.
    let choosesItself: Bool

    /// The length of a key in the cache, in elements.
    var cachedLength: Int { rank + rotaryLength }
    /// The length of a head's query before absorption, in elements.
    var queryLength: Int { plainLength + rotaryLength }
    /// The heads as the cache stores them.
    var heads: Heads {
      Heads(queryCount: headCount, keyValueCount: 1, keyLength: cachedLength, valueLength: rank, areLatent: true)
    }

    /// - Parameter chooses: Whether the layer attends only to chosen positions, if the architecture has indexers.
    init(_ reader: MetadataReader, _ architecture: Architecture, layer: Int, chooses: Bool = true) throws(ModelError) {
      guard let count = try reader.size("attention.head_count", layer: layer) else {
        throw .missingKey(key: reader.key("attention.head_count"))
      }
      guard count > 0 else {
        throw .badValue(key: reader.key("attention.head_count"), value: "0 (layer \(layer))", expected: "at least 1")
      }
      headCount = count
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
      guard rank + rotaryLength <= 65536, (rank + rotaryLength) % 2 == 0 else {
        throw .badValue(
          key: reader.key("attention.kv_lora_rank"), value: "\(rank) with rope.dimension_count \(rotaryLength)",
          expected: "an even sum of at most 65536")
      }
      try reader.checkHeads(headCount, longest: max(rank + rotaryLength, keyLength, valueLength), layer: layer)
      rotary =
        architecture.hasRotary
        ? try RotaryConfiguration(reader, architecture, headLength: rotaryLength, hasWindow: false) : nil
      temperature = try Temperature(reader, architecture)
      indexer = chooses ? try Indexer.Configuration(reader, architecture, rotaryLength: rotaryLength) : nil
      choosesItself = chooses ? try Indexer.Configuration.isOwn(reader, architecture, layer: layer) : false
      guard indexer == nil || queryRank > 0 else { throw .missingKey(key: reader.key("attention.q_lora_rank")) }
      scale = (try reader.number("attention.scale") ?? 1 / Float(keyLength).squareRoot()) * (rotary?.scoreFactor ?? 1)
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (length, sizes) = (model.embeddingLength, configuration)
    self.sizes = sizes
    let queries = sizes.headCount * sizes.queryLength
    let whole = "\(prefix)attn_kv_b.weight"
    if binder.shape(whole) != nil {
      guard binder.shape("\(prefix)attn_k_b.weight") != nil else {
        throw .oldForm(
          name: whole, advice: "convert the model with a converter that writes attn_k_b and attn_v_b (since April 2025)")
      }
      // It is stored a second time, as attn_k_b and attn_v_b.
      binder.skip(whole)
    }
    compress = try binder.matrix("\(prefix)attn_kv_a_mqa", columns: length, rows: sizes.cachedLength)
    norm = try binder.vector("\(prefix)attn_kv_a_norm.weight", count: sizes.rank)
    keyExpand = try binder.matrix("\(prefix)attn_k_b", columns: sizes.plainLength, rows: sizes.rank, experts: sizes.headCount)
    valueExpand = try binder.matrix("\(prefix)attn_v_b", columns: sizes.rank, rows: sizes.valueLength, experts: sizes.headCount)
    if sizes.queryRank > 0 {
      query = .compressed(
        try binder.matrix("\(prefix)attn_q_a", columns: length, rows: sizes.queryRank),
        norm: try binder.vector("\(prefix)attn_q_a_norm.weight", count: sizes.queryRank),
        expand: try binder.matrix("\(prefix)attn_q_b", columns: sizes.queryRank, rows: queries))
    } else {
      query = .direct(try binder.matrix("\(prefix)attn_q", columns: length, rows: queries))
    }
    gate =
      model.architecture.outputGate == .perElement
      ? try binder.find("\(prefix)attn_gate", columns: length, rows: sizes.headCount * sizes.valueLength) : nil
    guard gate?.bias.isPresent != true else { throw .unusedTensor(name: "\(prefix)attn_gate.bias") }
    output = try binder.matrix("\(prefix)attn_output", columns: sizes.headCount * sizes.valueLength, rows: length)
    if let choice = sizes.indexer, sizes.choosesItself {
      indexer = try Indexer(choice, model, queryRank: sizes.queryRank, prefix, &binder)
    } else {
      indexer = nil
      // Some files have an indexer's tensors in every layer.
      let names = ["attn_q_b.weight", "attn_k.weight", "k_norm.weight", "k_norm.bias", "proj.weight"]
      if model.architecture.indexer != nil { for name in names { binder.skip("\(prefix)indexer.\(name)") } }
    }
    rotary = sizes.rotary.flatMap { model.rotaries.firstIndex(of: $0) }
  }

  var readsQuants: Bool {
    query.first.readsQuants || compress.readsQuants || indexer?.readsQuants ?? false || gate?.readsQuants ?? false
  }
  var readsFloats: Bool {
    query.first.readsFloats || compress.readsFloats || indexer?.readsFloats ?? false || gate?.readsFloats ?? false
  }
  var outputBias: Vector { output.bias }
  var longestRow: Int {
    max(sizes.headCount * max(sizes.queryLength, sizes.valueLength), sizes.cachedLength, sizes.indexer?.length ?? 0)
  }
  var history: History { .positions }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Scratch(&arena, self, sizes) }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece] {
    let cache = KeyValueCache(&arena, sizes.heads, state, team: team, teamCount: teamCount).pieces
    return cache + (indexer.map { [Indexer.Keys(&arena, length: $0.sizes.length, state).piece] } ?? [])
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// Queries of all heads, [token][head][query length].
    let queries: Rows
    /// Compressed vectors and rotated keys, [token][cached length].
    let keys: Rows
    /// Compressed queries, [token][rank].
    let compressedQuery: Columns
    /// Plain parts of queries, [head][token][plain length].
    let plainQueries: Columns
    /// The output of attention in the space of the compressed vectors, [head][token][rank].
    let latentAttended: Columns
    /// The output, [token][head][value length].
    let attended: Columns
    /// The gates of the output before the logistic function, [token][head][value length].
    let gates: Rows
    let indexer: Indexer.Buffers?
    let sections: HeadAttention.Sections
    /// Absorbed and rotated queries, in the order in which `HeadAttention` reads them.
    ///
    /// Written after the barrier that follows the first products, and read before the barrier that precedes the output projection.
    let rotated: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ room: inout TeamRoom, _ attention: LatentAttention, _ pass: PassSizes) {
      let (sizes, batch) = (attention.sizes, pass.batch)
      queries = room.parts.rows(batch, length: sizes.headCount * sizes.queryLength)
      keys = room.parts.rows(batch, length: sizes.cachedLength)
      attended = room.parts.columns(batch, length: sizes.headCount * sizes.valueLength)
      gates = room.parts.rows(attention.gate == nil ? 0 : batch, length: sizes.headCount * sizes.valueLength)
      compressedQuery = room.parts.columns(batch, length: sizes.queryRank)
      plainQueries = room.parts.columns(batch * sizes.headCount, length: sizes.plainLength)
      latentAttended = room.parts.columns(batch * sizes.headCount, length: sizes.rank)
      indexer = attention.indexer.map { Indexer.Buffers(&room, $0.sizes, pass) }
      sections = HeadAttention.Sections(&room, sizes.heads, pass)
      rotated = room.output.floats(batch * sizes.headCount * sizes.cachedLength)
    }
  }

  /// What each thread has for itself.
  struct Scratch {
    let core: HeadAttention.Scratch
    /// A tile of absorbed queries, [token][row of the tile].
    let tile: Rows
    let indexer: Indexer.Scratch?

    @inline(__always)
    init(_ arena: inout Arena, _ attention: LatentAttention, _ sizes: PassSizes) {
      let count = attention.sizes.indexer == nil ? 0 : sizes.chosenCount
      core = HeadAttention.Scratch(&arena, attention.sizes.heads, chosenCount: count)
      indexer = attention.indexer.map { _ in Indexer.Scratch(&arena, sizes) }
      tile = arena.rows(sizes.batch, length: PassSizes.tileRows)
    }
  }
}
