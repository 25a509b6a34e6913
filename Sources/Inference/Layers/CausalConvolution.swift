// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The last inputs of a causal convolution, for each sequence and each copy of its state, as one team keeps them.
struct ConvolutionInputs {
  let channelCount: Int
  /// The number of inputs kept: those before the next token.
  let count: Int
  /// The number of states of each sequence, copies included.
  private let stateCount: Int
  /// [sequence][state][input][channel], oldest first.
  private let start: UnsafeMutablePointer<Float>

  /// - Parameter taps: The number of tokens that the convolution sees, the token's own included.
  @inline(__always)
  init(_ arena: inout Arena, channelCount: Int, taps: Int, _ state: StateSizes) {
    (self.channelCount, count, stateCount) = (channelCount, taps - 1, state.stateCount)
    start = arena.floats(state.sequences * stateCount * count * channelCount)
  }

  /// Returns the address of a sequence's oldest input, from `channel` on. Each later input is `channelCount` elements further.
  ///
  /// - Parameter copy: The number of a copy of the state; 0: the state itself.
  @inline(__always)
  func oldest(sequence: Int, copy: Int = 0, channel: Int) -> UnsafeMutablePointer<Float> {
    start + (sequence * stateCount + copy) * count * channelCount + channel
  }

  /// All inputs of all sequences, as one piece of state.
  var piece: StatePiece {
    let byteCount = count * channelCount * MemoryLayout<Float>.stride
    return StatePiece(start: start, sequenceStride: stateCount * byteCount, extent: .state(byteCount: byteCount))
  }

  /// Calls `body` with some channels of each input, oldest first.
  @inline(__always)
  func forEach(_ channels: Range<Int>, sequence: Int, copy: Int, _ body: (Row) -> Void) {
    let oldest = oldest(sequence: sequence, copy: copy, channel: channels.lowerBound)
    for index in 0..<count { body(Row(oldest + index * channelCount, count: channels.count)) }
  }
}

extension PassThread {
  /// Calls `body` for each token of each sequence in order, and keeps copies of the sequence's state on the way.
  ///
  /// - Parameters:
  ///   - begin: Empties the state of a sequence that starts at position 0.
  ///   - copy: Copies the state from one copy to another; 0 stands for the state itself.
  ///   - body: Changes the state by one token.
  @inline(__always)
  func forEachToken(
    begin: (_ sequence: Int) -> Void, copy: (_ sequence: Int, _ source: Int, _ target: Int) -> Void,
    _ body: (_ sequence: Int, _ token: Int) -> Void
  ) {
    for index in 0..<step.runCount {
      let run = step.runs[index]
      if step.positions[run.begin] == 0 { begin(run.sequence) }
      if run.restoredCopy > 0 { copy(run.sequence, run.restoredCopy, 0) }
      if run.savedCopy > 0 { copy(run.sequence, 0, run.savedCopy) }
      for token in run.begin..<run.begin + run.count {
        if token >= run.firstTentative { copy(run.sequence, 0, pass.state.copy(before: step.positions[token])) }
        body(run.sequence, token)
        let target = pass.state.copy(after: step.positions[token])
        if target > 0 { copy(run.sequence, 0, target) }
      }
    }
  }

  /// Applies a causal convolution to some channels of all tokens, in place.
  ///
  /// - Parameters:
  ///   - first: The index of channel 0 in a row.
  ///   - weights: The weights, [tap][channel].
  ///   - body: Called with each token's channels after the convolution.
  @inline(__always)
  func convolve(
    _ channels: Range<Int>, of rows: Rows, from first: Int = 0, _ inputs: ConvolutionInputs, weights: Vector, bias: Vector = .none,
    _ body: (_ token: Int, _ row: Row) -> Void
  ) {
    guard let weights = vector(weights) else { return }
    let bias = vector(bias)?[channels]
    forEachToken(
      begin: { sequence in inputs.forEach(channels, sequence: sequence, copy: 0) { $0.fill(0) } },
      copy: { sequence, source, target in
        let distance =
          inputs.oldest(sequence: sequence, copy: source, channel: 0) - inputs.oldest(sequence: sequence, copy: target, channel: 0)
        inputs.forEach(channels, sequence: sequence, copy: target) { $0.copy(Row($0.start + distance, count: $0.count)) }
      }
    ) { sequence, token in
      let row = rows[token][first + channels.lowerBound..<first + channels.upperBound]
      kernels.convolve(
        row, with: inputs.oldest(sequence: sequence, channel: channels.lowerBound), weights: weights.start + channels.lowerBound,
        bias: bias, taps: inputs.count + 1, stride: inputs.channelCount, into: row)
      body(token, row)
    }
  }
}
