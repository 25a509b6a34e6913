// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// What makes one key of every few tokens (DeepSeek V4): in each channel, the mean of what the tokens give, weighed by the softmax of
/// their scores.
///
/// A token's score depends on its place in the block, too. Where blocks overlap, a token gives twice as many channels: the first half to
/// the block after its own, the second half to its own. The key is normalised, and its end rotated by the angles of the block's first
/// position.
struct Compressor {
  let sizes: Configuration
  /// What tokens give.
  let content: Matrix
  let scores: Matrix
  /// Added to the scores [place in the block][channel].
  let placeScores: Vector
  let norm: Vector

  /// Sizes of one.
  struct Configuration: Sendable, Equatable {
    /// Tokens of a block.
    let ratio: Int
    /// Whether a block's key is made of the tokens of the block before it, too.
    let overlaps: Bool
    /// Elements of a key.
    let length: Int

    /// Channels that a token gives.
    var width: Int { overlaps ? 2 * length : length }
    /// Tokens whose channels are kept.
    var rowCount: Int { overlaps ? 2 * ratio : ratio }
    /// Elements of a sequence's state.
    var stateLength: Int { rowCount * 2 * width }

    /// Keys of a sequence of so many positions, rounded up to 16.
    @inline(__always)
    func keyCount(positions: Int) -> Int { ((positions + ratio - 1) / ratio + 15) / 16 * 16 }
  }

  /// - Parameter name: Of the tensors, before `_kv`, `_gate`, `_ape` and `_norm`.
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

  /// What a team's threads keep from one barrier to the next.
  struct Buffers {
    /// [token][channel]
    let content: Rows
    let scores: Rows
    /// Keys of blocks that end with a token of the step [token][length].
    let keys: Rows

    @inline(__always)
    init(_ room: inout TeamRoom, _ sizes: Configuration, _ pass: PassSizes) {
      content = room.parts.rows(pass.batch, length: sizes.width)
      scores = room.parts.rows(pass.batch, length: sizes.width)
      keys = room.parts.rows(pass.batch, length: sizes.length)
    }
  }

  /// What the last tokens gave, and their scores: what one team keeps of each sequence and each copy of its state.
  struct State {
    private let sizes: Configuration
    /// States of each sequence, copies included.
    private let stateCount: Int
    /// [sequence][state][token mod rows][content, then scores]
    private let start: UnsafeMutablePointer<Float>

    @inline(__always)
    init(_ arena: inout Arena, _ sizes: Configuration, _ state: StateSizes) {
      (self.sizes, stateCount) = (sizes, state.stateCount)
      start = arena.floats(state.sequences * stateCount * sizes.stateLength)
    }

    /// All of it.
    var piece: StatePiece {
      let byteCount = sizes.stateLength * MemoryLayout<Float>.stride
      return StatePiece(start: start, sequenceStride: stateCount * byteCount, extent: .state(byteCount: byteCount))
    }

    /// What the token at `position` gave, then its scores.
    ///
    /// - Parameter copy: 0 for the state as it is.
    @inline(__always)
    func row(sequence: Int, copy: Int = 0, position: Int) -> Row {
      let place = (sequence * stateCount + copy) * sizes.rowCount + position % sizes.rowCount
      return Row(start + place * 2 * sizes.width, count: 2 * sizes.width)
    }
  }
}

/// A compressor of one layer on one thread. Tokens of a sequence go through it one after another, so that no result depends on how they
/// came in steps.
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

  /// Units of rows of content and scores.
  var unitCount: Int {
    compressor.content.unitCount(team: thread.worker.team) + compressor.scores.unitCount(team: thread.worker.team)
  }

  /// Some units of content and scores, from number `first` on.
  func project(_ part: Range<Int>, first: Int) {
    thread.project(compressor.content, first: first, part, thread.normed, into: buffers.content)
    let second = first + compressor.content.unitCount(team: thread.worker.team)
    thread.project(compressor.scores, first: second, part, thread.normed, into: buffers.scores)
  }

  /// This thread's elements of the keys of all blocks that end in the step.
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

  /// Calls `body` with the channels of some elements: those for the block after a token's own, and those for its own.
  @inline(__always)
  private func forEachHalf(_ elements: Range<Int>, _ body: (_ channels: Range<Int>) -> Void) {
    body(elements)
    if sizes.overlaps { body(elements.lowerBound + sizes.length..<elements.upperBound + sizes.length) }
  }

  /// One element of the key of the block that ends at position `last`, in double precision and rounded once.
  private func mean(_ element: Int, sequence: Int, last: Int) -> Float {
    // Nothing lies before the first block.
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
  /// - Parameter angles: Room for two rows, of as many elements as RoPE turns pairs.
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
