// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The indexer that chooses positions when latent attention sees more of them than it may attend to (DeepSeek V3.2).
///
/// A position's score for a token is the sum, over the indexer's heads, of weight · max(0, query · key). Queries come from the
/// compressed query. The key is common to all heads, and the cache keeps it in single precision.
struct Indexer {
  let sizes: Configuration
  let query: Matrix
  let key: Matrix
  let keyNorm: Vector
  let keyBias: Vector
  /// The projection from the residual to the heads' weights.
  let weights: Matrix

  /// What differs between the indexers of different architectures.
  struct Traits: Sendable, Equatable {
    let pairing: RotaryPairing
    /// The epsilon of the key's LayerNorm.
    let epsilon: Float
    /// The shortest context with which some layers reuse the choice of the layer before, if the file does not say which layers do;
    /// nil: none do.
    let sharingContextLength: Int?
  }

  /// The sizes of an indexer, from the metadata.
  struct Configuration: Sendable, Equatable {
    let headCount: Int
    let length: Int
    /// The largest number of positions that are attended to.
    let count: Int
    let traits: Traits

    init?(_ reader: MetadataReader, _ architecture: Architecture, rotaryLength: Int) throws(ModelError) {
      guard let traits = architecture.indexer else { return nil }
      self.traits = traits
      headCount = try reader.requiredSize("attention.indexer.head_count")
      length = try reader.requiredSize("attention.indexer.key_length")
      count = try reader.requiredSize("attention.indexer.top_k")
      guard headCount <= 4096, length <= 4096, length >= rotaryLength, count <= 1 << 20 else {
        throw .badValue(
          key: reader.key("attention.indexer.key_length"), value: "\(length), head_count \(headCount), top_k \(count)",
          expected: "at least rope.dimension_count, \(rotaryLength), both at most 4096, and at most 1048576")
      }
    }

    /// Whether a layer chooses for itself instead of using the choice of the layer before.
    static func isOwn(_ reader: MetadataReader, _ architecture: Architecture, layer: Int) throws(ModelError) -> Bool {
      let flags = try reader.flags("attention.indexer.types")
      guard let context = architecture.indexer?.sharingContextLength else { return true }
      if let flags { return flags[layer] || layer == 0 }
      // The first three layers, then every fourth, as in GLM 5.2, whose first files do not say it.
      return try reader.requiredSize("context_length") < context || layer < 3 || layer % 4 == 2
    }
  }

  init(
    _ sizes: Configuration, _ model: ModelConfiguration, queryRank: Int, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    self.sizes = sizes
    let name = "\(prefix)indexer."
    query = try binder.matrix("\(name)attn_q_b", columns: queryRank, rows: sizes.headCount * sizes.length)
    key = try binder.matrix("\(name)attn_k", columns: model.embeddingLength, rows: sizes.length)
    keyNorm = try binder.vector("\(name)k_norm.weight", count: sizes.length)
    keyBias = try binder.vector("\(name)k_norm.bias", count: sizes.length)
    weights = try binder.matrix("\(name)proj", columns: model.embeddingLength, rows: sizes.headCount)
    guard !query.bias.isPresent, !key.bias.isPresent, !weights.bias.isPresent else {
      throw .unusedTensor(name: "\(name)attn_k.bias, or one of its kind,")
    }
  }

  var readsQuants: Bool { key.readsQuants || weights.readsQuants }
  var readsFloats: Bool { key.readsFloats || weights.readsFloats }

  /// One layer's keys on one team, of positions or of blocks, [sequence][key / 16][element][16 keys].
  struct Keys {
    private let start: UnsafeMutablePointer<Float>
    private let length: Int
    private let stride: Int
    private let ratio: Int

    /// - Parameter ratio: The number of positions that one key stands for.
    @inline(__always)
    init(_ arena: inout Arena, length: Int, _ state: StateSizes, ratio: Int = 1) {
      (self.length, self.ratio) = (length, ratio)
      stride = ((state.positions + ratio - 1) / ratio + 15) / 16 * 16 * length
      start = arena.floats(state.sequences * stride)
    }

    /// The keys of all sequences, as one piece of state.
    var piece: StatePiece {
      StatePiece(
        start: start, sequenceStride: stride * MemoryLayout<Float>.stride,
        extent: .positions(unit: 16 * ratio, byteCount: 16 * length * MemoryLayout<Float>.stride))
    }

    /// Returns all keys of a sequence, as `ck_table.index` reads them.
    @inline(__always)
    func of(_ sequence: Int) -> UnsafeMutablePointer<Float> { start + sequence * stride }

    /// Stores the key of one position (or block).
    @inline(__always)
    func store(_ key: Row, sequence: Int, position: Int) {
      let target = of(sequence) + position / 16 * 16 * length + position % 16
      for index in 0..<length { target[index * 16] = key[index] }
    }
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// [token][head][length]
    let queries: Rows
    /// [token][length]
    let keys: Rows
    /// [token][head]
    let weights: Rows
    /// The scores of small steps, which all threads compute together, [token][position].
    let scores: Rows

    @inline(__always)
    init(_ room: inout TeamRoom, _ sizes: Configuration, _ pass: PassSizes) {
      queries = room.parts.rows(pass.batch, length: sizes.headCount * sizes.length)
      keys = room.parts.rows(pass.batch, length: sizes.length)
      weights = room.parts.rows(pass.batch, length: sizes.headCount)
      scores = room.parts.rows(min(pass.batch, PassSizes.tokensPerThread), length: pass.positions)
    }
  }

  /// What each thread has for itself.
  struct Scratch {
    let scores: Row
    let counts: UnsafeMutablePointer<Int32>

    @inline(__always)
    init(_ arena: inout Arena, _ pass: PassSizes) {
      scores = arena.row(pass.positions)
      counts = arena.integers(2048)
    }
  }
}

/// The positions that each of a step's tokens attends to, where it may not attend to all; shared by a team.
struct ChosenPositions {
  private let start: UnsafeMutablePointer<Int32>
  /// The largest number of positions of a token.
  let count: Int

  @inline(__always)
  init(_ arena: inout Arena, _ sizes: PassSizes) {
    count = sizes.chosenCount
    start = arena.integers(count == 0 ? 0 : sizes.batch * count)
  }

  /// The positions of one token, ascending.
  @inline(__always)
  subscript(token: Int) -> UnsafeMutablePointer<Int32> { start + token * count }
}
