// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The indexer that chooses compressed keys when a token sees more of them than it may attend to (DeepSeek V4).
///
/// It has its own compressed keys, and scores them as `IndexedChoice` says.
struct BlockKeyIndexer {
  let sizes: Configuration
  let query: Matrix
  /// The projection from the residual to the heads' weights.
  let weights: Matrix
  let compressor: Compressor

  /// The sizes of an indexer, from the metadata.
  struct Configuration: Sendable, Equatable {
    let headCount: Int
    /// The largest number of keys that are attended to.
    let count: Int
    let compressor: Compressor.Configuration

    /// The length of a key, and of one head's query, in elements.
    var length: Int { compressor.length }

    init(_ reader: MetadataReader, ratio: Int, rotaryLength: Int) throws(ModelError) {
      headCount = try reader.requiredSize("attention.indexer.head_count")
      let length = try reader.requiredSize("attention.indexer.key_length")
      count = try reader.requiredSize("attention.indexer.top_k")
      compressor = Compressor.Configuration(ratio: ratio, overlaps: true, length: length)
      guard headCount <= 4096, length <= 4096, length >= rotaryLength, count <= 1 << 20 else {
        throw .badValue(
          key: reader.key("attention.indexer.key_length"), value: "\(length), head_count \(headCount), top_k \(count)",
          expected: "at least rope.dimension_count, \(rotaryLength), both at most 4096, and at most 1048576")
      }
    }
  }

  init(
    _ sizes: Configuration, _ model: ModelConfiguration, queryRank: Int, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    self.sizes = sizes
    query = try binder.matrix("\(prefix)indexer.attn_q_b", columns: queryRank, rows: sizes.headCount * sizes.length)
    weights = try binder.matrix("\(prefix)indexer.proj", columns: model.embeddingLength, rows: sizes.headCount)
    compressor = try Compressor(sizes.compressor, model, "\(prefix)indexer_compressor", &binder)
    guard !query.bias.isPresent, !weights.bias.isPresent else {
      throw .unusedTensor(name: "\(prefix)indexer.attn_q_b.bias, or proj's,")
    }
  }

  var readsQuants: Bool { weights.readsQuants || compressor.readsQuants }
  var readsFloats: Bool { weights.readsFloats || compressor.readsFloats }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// [token][head][length]
    let queries: Rows
    /// [token][head]
    let weights: Rows
    /// The scores of small steps, which all threads compute together, [token][key].
    let scores: Rows
    let compressor: Compressor.Buffers
    /// The keys that each token has chosen, ascending, [token][number].
    let chosen: UnsafeMutablePointer<Int32>

    @inline(__always)
    init(_ room: inout TeamRoom, _ sizes: Configuration, _ pass: PassSizes) {
      queries = room.parts.rows(pass.batch, length: sizes.headCount * sizes.length)
      weights = room.parts.rows(pass.batch, length: sizes.headCount)
      scores = room.parts.rows(
        min(pass.batch, PassSizes.tokensPerThread), length: sizes.compressor.keyCount(positions: pass.positions))
      compressor = Compressor.Buffers(&room, sizes.compressor, pass)
      chosen = room.parts.integers(pass.batch * sizes.count)
    }
  }

  /// What each thread has for itself.
  struct Scratch {
    let scores: Row
    let counts: UnsafeMutablePointer<Int32>

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: Configuration, _ pass: PassSizes) {
      scores = arena.row(sizes.compressor.keyCount(positions: pass.positions))
      counts = arena.integers(2048)
    }
  }
}

/// An indexer of compressed keys of one layer on one thread.
struct BlockKeyIndexerStep {
  private let thread: PassThread
  private let indexer: BlockKeyIndexer
  private let buffers: BlockKeyIndexer.Buffers
  private let keys: Indexer.Keys
  private let scratch: BlockKeyIndexer.Scratch
  private let compressor: CompressorStep
  private let rotary: Int

  private var sizes: BlockKeyIndexer.Configuration { indexer.sizes }

  @inline(__always)
  init(
    _ thread: PassThread, _ indexer: BlockKeyIndexer, rotary: Int, _ buffers: BlockKeyIndexer.Buffers, _ keys: Indexer.Keys,
    _ state: Compressor.State, _ scratch: BlockKeyIndexer.Scratch
  ) {
    (self.thread, self.indexer, self.buffers, self.keys, self.scratch) = (thread, indexer, buffers, keys, scratch)
    self.rotary = rotary
    compressor = CompressorStep(thread, indexer.compressor, buffers.compressor, state)
  }

  /// The units of this team's rows of weights, and of the compressor's projections.
  var unitCount: Int { indexer.weights.unitCount(team: thread.worker.team) + compressor.unitCount }

  /// Computes some of these units. The first of them has number `first` within the larger product.
  func project(_ part: Range<Int>, first: Int) {
    thread.project(indexer.weights, first: first, part, thread.normed, into: buffers.weights)
    compressor.project(part, first: first + indexer.weights.unitCount(team: thread.worker.team))
  }

  func compress() { compressor.compress() }

  /// Computes the queries from the compressed queries.
  func expand(_ compressed: Columns) {
    let part = thread.part(of: indexer.query.unitCount(team: thread.worker.team))
    thread.project(indexer.query, first: 0, part, compressed, into: buffers.queries)
  }

  func storeKeys(_ angles: Rows) {
    compressor.finish(rotary: rotary, angles) { key, sequence, block in keys.store(key, sequence: sequence, position: block) }
  }

  func rotateQueries() {
    let scale = 1 / Float(sizes.headCount * sizes.length).squareRoot()
    let turned = 2 * thread.pass.rotations[rotary].pairs
    for token in thread.part(of: thread.step.count) where sees(token) > sizes.count {
      for head in 0..<sizes.headCount {
        let end = (head + 1) * sizes.length
        thread.rotate(buffers.queries[token][end - turned..<end], rotary, token: token)
      }
      thread.kernels.scale(buffers.weights[token], by: scale)
    }
  }

  /// Returns the number of keys that a token would attend to without an indexer: those of blocks that end with it or before it.
  @inline(__always)
  private func sees(_ token: Int) -> Int { (Int(thread.step.positions[token]) + 1) / sizes.compressor.ratio }

  /// Chooses keys for the step's tokens.
  func choose() {
    let choice = IndexedChoice(
      thread: thread, count: sizes.count, length: sizes.length, queries: buffers.queries, weights: buffers.weights, keys: keys,
      shared: buffers.scores, own: scratch.scores, counts: scratch.counts)
    choice.run(sees: sees) { buffers.chosen + $0 * sizes.count }
  }
}
