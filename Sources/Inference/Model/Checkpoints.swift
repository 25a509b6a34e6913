// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Where one sequence's states can go back to: which copies of them there are, and which one the next step begins with.
struct Checkpoints {
  /// Tokens of the sequence when each copy was made; nil: there is none.
  private var lengths: [Int?]
  private let sizes: StateSizes
  private let history: History
  /// What the next step restores; 0: nothing.
  private var restored = 0

  init(_ sizes: StateSizes, _ history: History) {
    (self.sizes, self.history) = (sizes, history)
    lengths = Array(repeating: nil, count: history == .state ? sizes.stateCount : 0)
  }

  /// Cuts a sequence of `length` tokens back.
  ///
  /// - Returns: The tokens that are left: `position`, or as many as the last copy before it has.
  mutating func cut(at position: Int, length: Int) -> Int {
    let left = history.restart(at: position, length: length, copies: lengths.compactMap { $0 })
    guard history == .state, left < length else { return left }
    for index in lengths.indices where lengths[index].map({ $0 > left }) ?? false { lengths[index] = nil }
    restored = left == 0 ? 0 : lengths.firstIndex(of: left) ?? 0
    return left
  }

  /// The run of a sequence's next tokens.
  ///
  /// - Parameters:
  ///   - length: Tokens of the sequence so far.
  ///   - saves: Whether a copy is made of the state before them.
  mutating func run(of sequence: Int, begin: Int, count: Int, length: Int, saves: Bool = false) -> SequenceRun {
    var run = SequenceRun(sequence: sequence, begin: begin, count: count)
    guard history == .state else { return run }
    run.restoredCopy = restored
    restored = 0
    // An empty sequence needs no copy.
    if saves, length > 0 {
      run.savedCopy = sizes.lastCopy
      lengths[sizes.lastCopy] = length
    }
    guard sizes.checkpointInterval > 0 else { return run }
    let first = length / sizes.checkpointInterval + 1
    let last = (length + count) / sizes.checkpointInterval
    if first <= last {
      for number in first...last { lengths[sizes.copy(at: number * sizes.checkpointInterval)] = number * sizes.checkpointInterval }
    }
    return run
  }
}
