// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Attention to a window of tokens and to compressed keys, each of which stands for a block of tokens (DeepSeek V4).
///
/// All query heads share one head of keys, which are also its values. RoPE rotates the end of queries and keys; because keys are
/// values, it rotates the end of each head's output back. The output is projected in two steps, the first for each group of heads
/// separately.
struct CompressedAttention: MixerPart {
  let sizes: Configuration
  /// The projections to the compressed query, and from it to the queries of all heads.
  let queryCompress: Matrix
  let queryNorm: Vector
  let queryExpand: Matrix
  /// The projection to the key, which is also the value.
  let key: Matrix
  let keyNorm: Vector
  /// One logit for each head. It takes part in the softmax, but attends to nothing.
  let sinks: Vector
  /// What makes keys of blocks; nil: the layer sees only its window.
  let compressor: Compressor?
  let indexer: BlockKeyIndexer?
  /// The first step of the output projection, one matrix for each group of heads.
  let groups: UnsafePointer<Matrix>
  let groupsReadQuants: Bool
  let output: Matrix
  /// The form in which a thread publishes the output of a head.
  let attendedForm: ActivationForm
  /// The index of its rotary embedding in the model's list.
  let rotary: Int

  /// The sizes and options of one layer's attention, from the metadata.
  struct Configuration: Sendable, Equatable {
    let headCount: Int
    /// The length of a query, a key and a value, in elements.
    let length: Int
    /// The length of the compressed query, in elements.
    let queryRank: Int
    let window: Window
    /// The number of groups of heads in the output projection, and the length of each group's output.
    let groupCount: Int
    let groupRank: Int
    let rotary: RotaryConfiguration
    let compressor: Compressor.Configuration?
    let indexer: BlockKeyIndexer.Configuration?

    /// The heads as the cache stores them.
    var heads: Heads {
      Heads(queryCount: headCount, keyValueCount: 1, keyLength: length, valueLength: length, areChosen: compressor != nil)
    }
    var headsPerGroup: Int { headCount / groupCount }
    var stateLength: Int { (compressor?.stateLength ?? 0) + (indexer?.compressor.stateLength ?? 0) }
    /// F16 numbers that one position takes in the cache.
    var numbersPerPosition: Int {
      guard let ratio = compressor?.ratio else { return heads.numbersPerPosition }
      return heads.numbersPerPosition + (heads.numbersPerPosition + 2 * (indexer?.length ?? 0) + ratio - 1) / ratio
    }

    init(_ reader: MetadataReader, _ architecture: Architecture, layer: Int) throws(ModelError) {
      headCount = try reader.requiredSize("attention.head_count")
      length = try reader.requiredSize("attention.key_length")
      queryRank = try reader.requiredSize("attention.q_lora_rank")
      window = Window(length: try reader.requiredSize("attention.sliding_window"))
      groupCount = try reader.requiredSize("attention.output_group_count")
      groupRank = try reader.requiredSize("attention.output_lora_rank")
      let (valueLength, keyValueCount) = (
        try reader.size("attention.value_length") ?? length, try reader.size("attention.head_count_kv") ?? 1
      )
      guard length <= 65536, valueLength == length, keyValueCount == 1 else {
        throw .badValue(
          key: reader.key("attention.key_length"), value: "\(length), value_length \(valueLength), head_count_kv \(keyValueCount)",
          expected: "at most 65536, the same, and 1")
      }
      guard headCount % groupCount == 0, groupRank <= MetadataReader.largestSize / groupCount else {
        throw .badValue(
          key: reader.key("attention.output_group_count"), value: "\(groupCount)",
          expected: "a divisor of attention.head_count, \(headCount), and at most 2^30 elements together")
      }
      try reader.checkHeads(headCount, longest: length, layer: layer)
      guard let ratio = try reader.size("attention.compress_ratios", layer: layer) else {
        throw .missingKey(key: reader.key("attention.compress_ratios"))
      }
      guard [0, 4, 128].contains(ratio) else {
        throw .badValue(
          key: reader.key("attention.compress_ratios"), value: "\(ratio) (layer \(layer))", expected: "0, 4 or 128")
      }
      rotary = try Self.rotary(reader, architecture, length: length, isCompressed: ratio > 0)
      compressor = ratio == 0 ? nil : Compressor.Configuration(ratio: ratio, overlaps: ratio == 4, length: length)
      // Checked in every layer, although only those with a ratio of 4 use it: the keys are the model's.
      let choice = try BlockKeyIndexer.Configuration(reader, ratio: 4, rotaryLength: rotary.dimensions)
      indexer = ratio == 4 ? choice : nil
    }

    /// Reads the layer's RoPE.
    ///
    /// In layers with compressed keys it is stretched and has its own base. Neither magnitude nor scores are scaled.
    private static func rotary(
      _ reader: MetadataReader, _ architecture: Architecture, length: Int, isCompressed: Bool
    ) throws(ModelError) -> RotaryConfiguration {
      var rotary = try RotaryConfiguration(reader, architecture, headLength: length, hasWindow: false)
      (rotary.magnitude, rotary.scoreFactor) = (1, 1)
      let key = "attention.compress_rope_freq_base"
      guard let base = try reader.number(key) else { throw .missingKey(key: reader.key(key)) }
      guard base > 1 else { throw .badValue(key: reader.key(key), value: "\(base)", expected: "more than 1") }
      if isCompressed { rotary.base = base } else { (rotary.scale, rotary.yarn) = (1, nil) }
      return rotary
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let (length, sizes) = (model.embeddingLength, configuration)
    self.sizes = sizes
    let queries = sizes.headCount * sizes.length
    queryCompress = try binder.matrix("\(prefix)attn_q_a", columns: length, rows: sizes.queryRank)
    queryNorm = try binder.vector("\(prefix)attn_q_a_norm.weight", count: sizes.queryRank)
    queryExpand = try binder.matrix("\(prefix)attn_q_b", columns: sizes.queryRank, rows: queries)
    key = try binder.matrix("\(prefix)attn_kv", columns: length, rows: sizes.length)
    keyNorm = try binder.vector("\(prefix)attn_kv_a_norm.weight", count: sizes.length)
    sinks = try binder.vector("\(prefix)attn_sinks.weight", count: sizes.headCount)
    compressor = try sizes.compressor.map { (sizes) throws(ModelError) in
      try Compressor(sizes, model, "\(prefix)attn_compressor", &binder)
    }
    indexer = try sizes.indexer.map { (sizes) throws(ModelError) in
      try BlockKeyIndexer(sizes, model, queryRank: configuration.queryRank, prefix, &binder)
    }
    let first = try binder.matrix(
      "\(prefix)attn_output_a", columns: queries / sizes.groupCount, rows: sizes.groupCount * sizes.groupRank)
    let ranks = (0..<sizes.groupCount).map { $0 * sizes.groupRank..<($0 + 1) * sizes.groupRank }
    groups = binder.store.keep(ranks.map { binder.rows($0, of: first) })
    groupsReadQuants = first.readsQuants
    attendedForm = ActivationForm(partsOf: sizes.length, for: first)
    output = try binder.matrix("\(prefix)attn_output_b", columns: sizes.groupCount * sizes.groupRank, rows: length)
    rotary = model.rotaries.firstIndex(of: sizes.rotary) ?? 0
    for (name, matrix) in [("q_a", queryCompress), ("q_b", queryExpand), ("kv", key), ("output_a", first)]
    where matrix.bias.isPresent { throw .unusedTensor(name: "\(prefix)attn_\(name).bias") }
  }

  var readsQuants: Bool {
    queryCompress.readsQuants || key.readsQuants || compressor?.readsQuants ?? false || indexer?.readsQuants ?? false
  }
  var readsFloats: Bool {
    queryCompress.readsFloats || key.readsFloats || compressor?.readsFloats ?? false || indexer?.readsFloats ?? false
  }
  var outputBias: Vector { output.bias }
  var longestRow: Int { sizes.length }
  var history: History { compressor == nil ? .positions : .state }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeScratch(_ arena: inout Arena, _ sizes: PassSizes) { _ = Scratch(&arena, self, sizes) }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece] {
    State(&arena, self, state, team: team, teamCount: teamCount).pieces
  }

  /// What one team keeps of all sequences' tokens.
  struct State {
    /// Keys and values of tokens, followed by those of blocks.
    let cache: KeyValueCache
    let compressor: Compressor.State?
    /// The keys of the indexer.
    let keys: Indexer.Keys?
    let indexer: Compressor.State?

    @inline(__always)
    init(_ arena: inout Arena, _ attention: CompressedAttention, _ state: StateSizes, team: Int, teamCount: Int) {
      let sizes = attention.sizes
      cache = KeyValueCache(
        &arena, sizes.heads, state, blockRatio: sizes.compressor?.ratio ?? 0, team: team, teamCount: teamCount)
      compressor = sizes.compressor.map { Compressor.State(&arena, $0, state) }
      keys = sizes.indexer.map { Indexer.Keys(&arena, length: $0.length, state, ratio: $0.compressor.ratio) }
      indexer = sizes.indexer.map { Compressor.State(&arena, $0.compressor, state) }
    }

    var pieces: [StatePiece] { cache.pieces + [compressor?.piece, keys?.piece, indexer?.piece].compactMap { $0 } }
  }

  /// What each thread has for itself.
  struct Scratch {
    let core: HeadAttention.Scratch
    let indexer: BlockKeyIndexer.Scratch?
    /// Two rows of cosines and sines.
    let angles: Rows

    @inline(__always)
    init(_ arena: inout Arena, _ attention: CompressedAttention, _ pass: PassSizes) {
      let sizes = attention.sizes
      let listed = WindowAndBlocks.mostKeys(sizes, pass)
      core = HeadAttention.Scratch(&arena, sizes.heads, chosenCount: listed, listedCount: listed)
      indexer = sizes.indexer.map { BlockKeyIndexer.Scratch(&arena, $0, pass) }
      angles = arena.rows(2, length: pass.rotaryPairs)
    }
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// Compressed queries [token][rank], and queries of all heads [token][head][length].
    let compressedQuery: Columns
    let queries: Rows
    /// [token][length]
    let keys: Rows
    let compressor: Compressor.Buffers?
    let indexer: BlockKeyIndexer.Buffers?
    /// The heads' outputs [group][token][head of the group][length], and the outputs of the groups [token][group][rank].
    let attended: Columns
    let grouped: Columns
    /// Rotated queries, in the order in which `HeadAttention` reads them.
    ///
    /// Written after the barrier that follows the projections, and read before the barrier that precedes the output projection.
    let rotated: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ room: inout TeamRoom, _ attention: CompressedAttention, _ pass: PassSizes) {
      let (sizes, batch) = (attention.sizes, pass.batch)
      compressedQuery = room.parts.columns(batch, length: sizes.queryRank)
      queries = room.parts.rows(batch, length: sizes.headCount * sizes.length)
      keys = room.parts.rows(batch, length: sizes.length)
      compressor = sizes.compressor.map { Compressor.Buffers(&room, $0, pass) }
      indexer = sizes.indexer.map { BlockKeyIndexer.Buffers(&room, $0, pass) }
      attended = room.parts.columns(
        batch * sizes.groupCount, length: sizes.headsPerGroup * sizes.length, keepsPlain: attention.attendedForm.plain)
      grouped = room.parts.columns(batch, length: sizes.groupCount * sizes.groupRank)
      rotated = room.output.floats(batch * sizes.headCount * sizes.length)
    }
  }
}

/// The keys that a token attends to: those of its window, followed by those of blocks that end with it or before it (all, or the
/// ones that an indexer has chosen).
struct WindowAndBlocks {
  let window: Window
  let ratio: Int
  /// The index of the first block's key in the cache.
  let firstBlock: Int
  /// The chosen blocks [token][number] of tokens that see more than `count` blocks; nil: all blocks are attended to.
  let chosen: UnsafeMutablePointer<Int32>?
  let count: Int

  /// Returns the largest number of keys that a token attends to; 0: the layer has no blocks, so keys are not listed.
  static func mostKeys(_ sizes: CompressedAttention.Configuration, _ pass: PassSizes) -> Int {
    guard let compressor = sizes.compressor else { return 0 }
    let blocks = compressor.keyCount(positions: pass.positions)
    return min(sizes.window.length, pass.positions) + min(blocks, sizes.indexer?.count ?? blocks)
  }

  /// Writes the indices of a token's keys in the cache.
  ///
  /// - Returns: The number of keys written.
  @inline(__always)
  func list(_ token: Int, position: Int32, into places: UnsafeMutablePointer<Int32>) -> Int {
    var listed = 0
    for place in window.first(for: position)...position {
      places[listed] = place
      listed += 1
    }
    let blocks = (Int(position) + 1) / ratio
    let own = chosen.flatMap { blocks > count ? $0 + token * count : nil }
    for number in 0..<(own == nil ? blocks : count) {
      places[listed] = Int32(firstBlock) + (own?[number] ?? Int32(number))
      listed += 1
    }
    return listed
  }
}
