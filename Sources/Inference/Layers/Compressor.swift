// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// What makes one key out of a block of tokens (DeepSeek V4): in each channel, the mean of the tokens' contents, weighted by the
/// softmax of their scores.
///
/// A token's score also depends on its place in the block. Where blocks overlap, a token has twice as many channels: the first half
/// goes into the key of the next block, the second half into that of its own. The key is normalised, and its end is rotated by the
/// angles of the block's first position.
struct Compressor {
  let sizes: Configuration
  /// The projections to a token's content and scores.
  let content: Matrix
  let scores: Matrix
  /// What is added to the scores, [place in the block][channel].
  let placeScores: Vector
  let norm: Vector

  /// The sizes of a compressor.
  struct Configuration: Sendable, Equatable {
    /// The number of tokens in a block.
    let ratio: Int
    /// Whether a block's key also uses the tokens of the previous block.
    let overlaps: Bool
    /// The length of a key, in elements.
    let length: Int

    /// The number of channels of a token.
    var width: Int { overlaps ? 2 * length : length }
    /// The number of tokens whose content and scores are kept.
    var rowCount: Int { overlaps ? 2 * ratio : ratio }
    /// The length of a sequence's state, in elements.
    var stateLength: Int { rowCount * 2 * width }

    /// Returns the number of keys of a sequence of `positions` tokens, rounded up to a multiple of 16.
    @inline(__always)
    func keyCount(positions: Int) -> Int { ((positions + ratio - 1) / ratio + 15) / 16 * 16 }
  }

  /// - Parameter name: What the tensors' names begin with, before `_kv`, `_gate`, `_ape` and `_norm`.
  init(
    _ sizes: Configuration, _ model: ModelConfiguration, _ name: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    self.sizes = sizes
    content = try binder.matrix("\(name)_kv", columns: model.embeddingLength, rows: sizes.width)
    scores = try binder.matrix("\(name)_gate", columns: model.embeddingLength, rows: sizes.width)
    placeScores = try binder.vector("\(name)_ape.weight", count: sizes.ratio * sizes.width)
    norm = try binder.vector("\(name)_norm.weight", count: sizes.length)
    guard !content.bias.isPresent, !scores.bias.isPresent else { throw .unusedTensor(name: "\(name)_kv.bias, or gate's,") }
  }

  var readsQuants: Bool { content.readsQuants || scores.readsQuants }
  var readsFloats: Bool { content.readsFloats || scores.readsFloats }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// [token][channel]
    let content: Rows
    let scores: Rows
    /// The keys of blocks that end in the step, each in the row of its last token, [token][length].
    let keys: Rows

    @inline(__always)
    init(_ room: inout TeamRoom, _ sizes: Configuration, _ pass: PassSizes) {
      content = room.parts.rows(pass.batch, length: sizes.width)
      scores = room.parts.rows(pass.batch, length: sizes.width)
      keys = room.parts.rows(pass.batch, length: sizes.length)
    }
  }

  /// Content and scores of the last tokens, for each sequence and each copy of its state, as one team keeps them.
  struct State {
    private let sizes: Configuration
    /// The number of states of each sequence, copies included.
    private let stateCount: Int
    /// [sequence][state][token mod rows][content, then scores]
    private let start: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: Configuration, _ state: StateSizes) {
      (self.sizes, stateCount) = (sizes, state.stateCount)
      start = arena.floats(state.sequences * stateCount * sizes.stateLength)
    }

    /// All states of all sequences, as one piece.
    var piece: StatePiece {
      let byteCount = sizes.stateLength * MemoryLayout<Float>.stride
      return StatePiece(start: start, sequenceStride: stateCount * byteCount, extent: .state(byteCount: byteCount))
    }

    /// Returns the content of the token at `position`, followed by its scores.
    ///
    /// - Parameter copy: The number of a copy of the state; 0: the state itself.
    @inline(__always)
    func row(sequence: Int, copy: Int = 0, position: Int) -> Row {
      let place = (sequence * stateCount + copy) * sizes.rowCount + position % sizes.rowCount
      return Row(start + place * 2 * sizes.width, count: 2 * sizes.width)
    }
  }
}

/// A compressor of one layer on one thread.
///
/// The tokens of a sequence go through it one after another, so results do not depend on how tokens are divided into steps.
struct CompressorStep {
  private let thread: PassThread
  private let compressor: Compressor
  private let buffers: Compressor.Buffers
  private let state: Compressor.State

  private var sizes: Compressor.Configuration { compressor.sizes }

  @inline(__always)
  init(_ thread: PassThread, _ compressor: Compressor, _ buffers: Compressor.Buffers, _ state: Compressor.State) {
    (self.thread, self.compressor, self.buffers, self.state) = (thread, compressor, buffers, state)
  }

  /// The units of this team's rows of content and scores.
  var unitCount: Int {
    compressor.content.unitCount(team: thread.worker.team) + compressor.scores.unitCount(team: thread.worker.team)
  }

  /// Computes some units of content and scores. The first of them has number `first` within the larger product.
  func project(_ part: Range<Int>, first: Int) {
    thread.project(compressor.content, first: first, part, thread.normed, into: buffers.content)
    let second = first + compressor.content.unitCount(team: thread.worker.team)
    thread.project(compressor.scores, first: second, part, thread.normed, into: buffers.scores)
  }

  /// Computes this thread's elements of the keys of all blocks that end in the step.
  func compress() {
    let elements = thread.part(of: sizes.length)
    guard !elements.isEmpty, let placeScores = thread.vector(compressor.placeScores) else { return }
    thread.forEachToken(
      begin: { _ in },
      copy: { sequence, source, target in
        for row in 0..<sizes.rowCount {
          let (from, to) = (
            state.row(sequence: sequence, copy: source, position: row), state.row(sequence: sequence, copy: target, position: row)
          )
          forEachHalf(elements) { channels in
            to[channels].copy(from[channels])
            let scores = channels.lowerBound + sizes.width..<channels.upperBound + sizes.width
            to[scores].copy(from[scores])
          }
        }
      }
    ) { sequence, token in
      let position = Int(thread.step.positions[token])
      let row = state.row(sequence: sequence, position: position)
      let place = position % sizes.ratio * sizes.width
      forEachHalf(elements) { channels in
        row[channels].copy(buffers.content[token][channels])
        for channel in channels {
          row[sizes.width + channel] = buffers.scores[token][channel] + placeScores[place + channel]
        }
      }
      if (position + 1) % sizes.ratio == 0 {
        for element in elements { buffers.keys[token][element] = mean(element, sequence: sequence, last: position) }
      }
    }
  }

  /// Calls `body` with the channels of some elements: those for the next block, then those for the token's own. Without overlap
  /// there is one half.
  @inline(__always)
  private func forEachHalf(_ elements: Range<Int>, _ body: (_ channels: Range<Int>) -> Void) {
    body(elements)
    if sizes.overlaps { body(elements.lowerBound + sizes.length..<elements.upperBound + sizes.length) }
  }

  /// Returns one element of the key of the block that ends at position `last`, in double precision and rounded once.
  private func mean(_ element: Int, sequence: Int, last: Int) -> Float {
    // The first block has no previous block.
    let first = sizes.overlaps ? max(0, last + 1 - 2 * sizes.ratio) : last + 1 - sizes.ratio
    @inline(__always)
    func channel(_ position: Int) -> Int { sizes.overlaps && position > last - sizes.ratio ? sizes.length + element : element }
    var greatest = -Float.infinity
    for position in first...last {
      greatest = max(greatest, state.row(sequence: sequence, position: position)[sizes.width + channel(position)])
    }
    var (sum, weighed) = (0.0, 0.0)
    for position in first...last {
      let (row, channel) = (state.row(sequence: sequence, position: position), channel(position))
      let weight = exp(Double(row[sizes.width + channel]) - Double(greatest))
      sum += weight
      weighed += weight * Double(row[channel])
    }
    return Float(weighed / sum)
  }

  /// Finishes the keys of this thread's part of the blocks that end in the step, and hands them to `store`.
  ///
  /// - Parameter angles: Room for two rows, each as long as the number of pairs that RoPE rotates.
  func finish(rotary: Int, _ angles: Rows, store: (_ key: Row, _ sequence: Int, _ block: Int) -> Void) {
    let turned = 2 * thread.pass.rotations[rotary].pairs
    for token in thread.part(of: thread.step.count) {
      let position = Int(thread.step.positions[token])
      guard (position + 1) % sizes.ratio == 0 else { continue }
      let key = buffers.keys[token]
      thread.kernels.normalize(key, weights: thread.vector(compressor.norm), epsilon: thread.pass.normEpsilon, into: key)
      thread.rotate(key[(sizes.length - turned)...], rotary, position: Int32(position + 1 - sizes.ratio), angles)
      store(key, thread.step.sequence(of: token), position / sizes.ratio)
    }
  }
}
