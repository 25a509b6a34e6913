// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The indexer that chooses which blocks of positions each head of keys and values is attended to in (MiniMax M3).
///
/// A block's score for a token is the greatest product of the head's index query with an index key of the block; the keys are
/// common to all heads. The token's own block, and as many before it as the file says, are always chosen.
struct BlockIndexer {
  let sizes: Configuration
  let query: Matrix
  let key: Matrix
  let queryNorm: Vector
  let keyNorm: Vector

  /// The sizes of an indexer, from the metadata.
  struct Configuration: Sendable, Equatable {
    /// The number of index queries: one for each head of keys and values.
    let headCount: Int
    let length: Int
    /// The largest number of blocks that are attended to.
    let count: Int
    /// The number of positions in a block.
    let blockSize: Int
    /// The number of blocks that are always chosen: the token's own and those before it.
    let localCount: Int

    init(_ reader: MetadataReader, keyValueCount: Int, rotaryLength: Int) throws(ModelError) {
      headCount = try reader.requiredSize("attention.indexer.head_count")
      length = try reader.requiredSize("attention.indexer.key_length")
      count = try reader.requiredSize("attention.indexer.top_k")
      blockSize = try reader.requiredSize("attention.indexer.block_size")
      localCount = try reader.size("attention.indexer.local_blocks") ?? 1
      guard headCount == keyValueCount else {
        throw .badValue(
          key: reader.key("attention.indexer.head_count"), value: "\(headCount)",
          expected: "attention.head_count_kv, \(keyValueCount)")
      }
      guard length <= 4096, length >= rotaryLength, headCount <= 4096, count <= 1 << 16, blockSize <= 1 << 16,
        count * blockSize <= 1 << 20
      else {
        throw .badValue(
          key: reader.key("attention.indexer.top_k"), value: "\(count) blocks of \(blockSize), key_length \(length)",
          expected: "at most 1048576 positions, and rope.dimension_count, \(rotaryLength), to 4096")
      }
    }

    /// The largest number of positions that are attended to.
    var positionCount: Int { count * blockSize }
  }

  init(
    _ sizes: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    self.sizes = sizes
    let name = "\(prefix)indexer."
    query = try binder.matrix("\(name)q_proj", columns: model.embeddingLength, rows: sizes.headCount * sizes.length)
    key = try binder.matrix("\(name)k_proj", columns: model.embeddingLength, rows: sizes.length)
    queryNorm = try binder.vector("\(name)q_norm.weight", count: sizes.length)
    keyNorm = try binder.vector("\(name)k_norm.weight", count: sizes.length)
    guard !query.bias.isPresent, !key.bias.isPresent else { throw .unusedTensor(name: "\(name)q_proj.bias, or k_proj's,") }
  }

  var readsQuants: Bool { query.readsQuants || key.readsQuants }
  var readsFloats: Bool { query.readsFloats || key.readsFloats }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// [token][head][length]
    let queries: Rows
    /// [token][length]
    let keys: Rows
    /// The scores of small steps, which all threads compute together, [token · heads + head][position].
    let scores: Rows
    /// The blocks that each token has chosen, ascending.
    let chosen: ChosenBlocks

    @inline(__always)
    init(_ room: inout TeamRoom, _ sizes: Configuration, _ pass: PassSizes) {
      queries = room.parts.rows(pass.batch, length: sizes.headCount * sizes.length)
      keys = room.parts.rows(pass.batch, length: sizes.length)
      scores = room.parts.rows(min(pass.batch, PassSizes.tokensPerThread) * sizes.headCount, length: pass.positions)
      chosen = ChosenBlocks(&room.parts, sizes, batch: pass.batch)
    }
  }

  /// What each thread has for itself.
  struct Scratch {
    let scores: Row
    /// One score for each block.
    let blocks: Row
    let counts: UnsafeMutablePointer<Int32>

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: Configuration, _ pass: PassSizes) {
      scores = arena.row(pass.positions)
      blocks = arena.row(pass.positions / sizes.blockSize + 1)
      counts = arena.integers(2048)
    }
  }
}

/// The blocks of positions that each of a step's tokens attends to, for each head of keys and values; shared by a team.
struct ChosenBlocks {
  let sizes: BlockIndexer.Configuration
  private let start: UnsafeMutablePointer<Int32>

  @inline(__always)
  init(_ arena: inout Arena, _ sizes: BlockIndexer.Configuration, batch: Int) {
    self.sizes = sizes
    start = arena.integers(batch * sizes.headCount * sizes.count)
  }

  /// Returns the blocks of one token and head, ascending.
  @inline(__always)
  func of(_ token: Int, head: Int) -> UnsafeMutablePointer<Int32> { start + (token * sizes.headCount + head) * sizes.count }

  /// Whether a token at `position` sees more blocks than it may attend to.
  @inline(__always)
  func isNeeded(at position: Int32) -> Bool { Int(position) / sizes.blockSize + 1 > sizes.count }

  /// Writes the positions of a token's blocks, up to `position`, ascending.
  ///
  /// - Returns: The number of positions written.
  @inline(__always)
  func expand(_ token: Int, head: Int, upTo position: Int32, into positions: UnsafeMutablePointer<Int32>) -> Int {
    let blocks = of(token, head: head)
    var count = 0
    for index in 0..<sizes.count {
      let first = blocks[index] * Int32(sizes.blockSize)
      for at in first...max(first, min(position, first + Int32(sizes.blockSize) - 1)) {
        positions[count] = at
        count += 1
      }
    }
    return count
  }
}
