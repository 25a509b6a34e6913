// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// An indexer of blocks of one layer on one thread: its queries and keys, and the choice of blocks.
struct BlockIndexerStep {
  private let thread: PassThread
  private let indexer: BlockIndexer
  private let buffers: BlockIndexer.Buffers
  private let keys: Indexer.Keys
  private let scratch: BlockIndexer.Scratch
  private let rotary: Int?
  /// The team's heads of keys and values.
  private let heads: Range<Int>

  private var sizes: BlockIndexer.Configuration { indexer.sizes }

  @inline(__always)
  init(
    _ thread: PassThread, _ indexer: BlockIndexer, rotary: Int?, heads: Range<Int>, _ buffers: BlockIndexer.Buffers,
    _ keys: Indexer.Keys, _ scratch: BlockIndexer.Scratch
  ) {
    (self.thread, self.indexer, self.buffers, self.keys, self.scratch) = (thread, indexer, buffers, keys, scratch)
    (self.rotary, self.heads) = (rotary, heads)
  }

  /// The units of this team's rows of queries and keys.
  var unitCount: Int {
    indexer.query.unitCount(team: thread.worker.team) + indexer.key.unitCount(team: thread.worker.team)
  }

  /// Computes some units of queries and keys. The first unit of the indexer has number `first` within the larger product.
  func project(_ part: Range<Int>, first: Int) {
    thread.project(indexer.query, first: first, part, thread.normed, into: buffers.queries)
    let second = first + indexer.query.unitCount(team: thread.worker.team)
    thread.project(indexer.key, first: second, part, thread.normed, into: buffers.keys)
  }

  /// Finishes the queries of the team's heads, and stores the step's keys.
  func finish() {
    for token in thread.part(of: thread.step.count) {
      let key = buffers.keys[token]
      finish(key, indexer.keyNorm, token: token)
      keys.store(key, sequence: thread.step.sequence(of: token), position: Int(thread.step.positions[token]))
      guard buffers.chosen.isNeeded(at: thread.step.positions[token]) else { continue }
      for head in heads { finish(query(head, token: token), indexer.queryNorm, token: token) }
    }
  }

  private func finish(_ row: Row, _ norm: Vector, token: Int) {
    thread.kernels.normalize(row, weights: thread.vector(norm), epsilon: thread.pass.normEpsilon, into: row)
    if let rotary { thread.rotate(row, rotary, token: token) }
  }

  private func query(_ head: Int, token: Int) -> Row {
    buffers.queries[token][head * sizes.length..<(head + 1) * sizes.length]
  }

  /// Chooses blocks for the step's tokens and the team's heads. In small steps, all threads of the team share the scoring.
  func choose() {
    let (count, positions) = (thread.step.count, thread.step.positions)
    guard thread.keepsResidual else {
      for item in thread.part(of: count * heads.count) {
        let (token, head) = (item / heads.count, heads.lowerBound + item % heads.count)
        guard buffers.chosen.isNeeded(at: positions[token]) else { continue }
        score(token, head, 0..<groupCount(token), into: scratch.scores)
        choose(token, head, scratch.scores)
      }
      return
    }
    for token in 0..<count where buffers.chosen.isNeeded(at: positions[token]) {
      let part = thread.part(of: groupCount(token))
      for head in heads { score(token, head, part, into: buffers.scores[token * sizes.headCount + head]) }
    }
    thread.worker.teamBarrier()
    for item in thread.part(of: count * heads.count) {
      let (token, head) = (item / heads.count, heads.lowerBound + item % heads.count)
      guard buffers.chosen.isNeeded(at: positions[token]) else { continue }
      choose(token, head, buffers.scores[token * sizes.headCount + head])
    }
  }

  /// Returns the number of groups of 16 positions that a token sees.
  private func groupCount(_ token: Int) -> Int { Int(thread.step.positions[token]) / 16 + 1 }

  /// Computes the scores of some groups of 16 positions.
  private func score(_ token: Int, _ head: Int, _ groups: Range<Int>, into scores: Row) {
    guard !groups.isEmpty else { return }
    let start = keys.of(thread.step.sequence(of: token)) + groups.lowerBound * 16 * sizes.length
    thread.kernels.products(
      query(head, token: token), keys: start, into: scores[groups.lowerBound * 16..<groups.upperBound * 16])
  }

  private func choose(_ token: Int, _ head: Int, _ scores: Row) {
    let position = Int(thread.step.positions[token])
    let own = position / sizes.blockSize
    for block in 0...own {
      var greatest = -Float.infinity
      for at in block * sizes.blockSize..<min(position + 1, (block + 1) * sizes.blockSize) where scores[at] > greatest {
        greatest = scores[at]
      }
      scratch.blocks[block] = block > own - sizes.localCount ? .infinity : greatest
    }
    let best = BestPositions(count: sizes.count, counts: scratch.counts)
    best.choose(scratch.blocks[..<(own + 1)], into: buffers.chosen.of(token, head: head))
  }
}
