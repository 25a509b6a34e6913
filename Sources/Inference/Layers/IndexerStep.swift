// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// An indexer of one layer on one thread: its queries and keys, and the choice of positions.
struct IndexerStep {
  private let thread: PassThread
  private let indexer: Indexer
  private let buffers: Indexer.Buffers
  private let keys: Indexer.Keys
  private let scratch: Indexer.Scratch
  private let rotary: Int

  private var sizes: Indexer.Configuration { indexer.sizes }

  @inline(__always)
  init(
    _ thread: PassThread, _ indexer: Indexer, rotary: Int, _ buffers: Indexer.Buffers, _ keys: Indexer.Keys,
    _ scratch: Indexer.Scratch
  ) {
    (self.thread, self.indexer, self.buffers, self.keys, self.scratch) = (thread, indexer, buffers, keys, scratch)
    self.rotary = rotary
  }

  /// The units of this team's rows of keys and weights.
  var unitCount: Int {
    indexer.key.unitCount(team: thread.worker.team) + indexer.weights.unitCount(team: thread.worker.team)
  }

  /// Computes some units of keys and weights. The first of them has number `first` within the larger product.
  func project(_ part: Range<Int>, first: Int) {
    thread.project(indexer.key, first: first, part, thread.normed, into: buffers.keys)
    let second = first + indexer.key.unitCount(team: thread.worker.team)
    thread.project(indexer.weights, first: second, part, thread.normed, into: buffers.weights)
  }

  /// Computes the queries from the compressed queries.
  func expand(_ compressed: Columns) {
    let part = thread.part(of: indexer.query.unitCount(team: thread.worker.team))
    thread.project(indexer.query, first: 0, part, compressed, into: buffers.queries)
  }

  func store() {
    let kernels = thread.kernels
    guard let bias = thread.vector(indexer.keyBias) else { return }
    let key = thread.own.column[..<sizes.length]
    for token in thread.part(of: thread.step.count) {
      kernels.center(buffers.keys[token], into: key)
      kernels.normalize(key, weights: thread.vector(indexer.keyNorm), epsilon: sizes.traits.epsilon, into: key)
      kernels.add(key, bias, into: key)
      thread.rotate(key, rotary, token: token, sizes.traits.pairing)
      keys.store(key, sequence: thread.step.sequence(of: token), position: Int(thread.step.positions[token]))
    }
  }

  func rotateQueries() {
    let scale = 1 / Float(sizes.headCount * sizes.length).squareRoot()
    for token in thread.part(of: thread.step.count) where sees(token) > sizes.count {
      for head in 0..<sizes.headCount {
        thread.rotate(
          buffers.queries[token][head * sizes.length..<(head + 1) * sizes.length], rotary, token: token, sizes.traits.pairing)
      }
      thread.kernels.scale(buffers.weights[token], by: scale)
    }
  }

  /// Returns the number of positions that a token would attend to without an indexer.
  @inline(__always)
  private func sees(_ token: Int) -> Int { Int(thread.step.positions[token]) + 1 }

  /// Chooses positions for the step's tokens.
  func choose() {
    let choice = IndexedChoice(
      thread: thread, count: sizes.count, length: sizes.length, queries: buffers.queries, weights: buffers.weights, keys: keys,
      shared: buffers.scores, own: scratch.scores, counts: scratch.counts)
    choice.run(sees: sees) { thread.buffers.chosen[$0] }
  }
}
