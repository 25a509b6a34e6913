// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The copies of one sequence's states: which positions it can return to, and which copy the next step restores.
struct Checkpoints {
  /// The length of the sequence when each copy was made, by its number; nil: there is no such copy.
  private var lengths: [Int?]
  private let sizes: StateSizes
  private let history: History
  /// The copy that the next step restores; 0: none.
  private var restored = 0

  init(_ sizes: StateSizes, _ history: History) {
    (self.sizes, self.history) = (sizes, history)
    lengths = Array(repeating: nil, count: history == .state ? sizes.stateCount : 0)
  }

  /// Returns the number of tokens that `cut` would leave.
  func restart(at position: Int, length: Int) -> Int {
    history.restart(at: position, length: length, copies: lengths.compactMap { $0 })
  }

  /// Cuts a sequence of `length` tokens back.
  ///
  /// - Returns: The number of tokens left: `position`, or the length at the last copy before it.
  mutating func cut(at position: Int, length: Int) -> Int {
    let left = restart(at: position, length: length)
    guard history == .state, left < length else { return left }
    for index in lengths.indices where lengths[index].map({ $0 > left }) ?? false { lengths[index] = nil }
    restored = left == 0 ? 0 : lengths.firstIndex(of: left) ?? 0
    return left
  }

  /// Returns the states of a sequence of `length` tokens: how many tokens each has seen, ascending, and the number of its copy (0:
  /// the state itself).
  func states(length: Int) -> [(length: Int, copy: Int)] {
    guard history == .state, length > 0 else { return [] }
    var states = [length: restored]
    for (copy, saved) in lengths.enumerated() where copy > 0 {
      if let saved, saved < length { states[saved] = copy }
    }
    return states.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Starts an empty sequence with `length` tokens that another sequence had.
  ///
  /// - Parameter stateLengths: How many tokens each of the other sequence's states has seen; one of them must be `length`.
  /// - Returns: The numbers of the states that are needed, and the numbers of the copies that they become.
  mutating func restore(_ stateLengths: [Int], length: Int) -> [(stored: Int, copy: Int)] {
    guard history == .state else { return [] }
    restored = 0
    for index in lengths.indices { lengths[index] = nil }
    var states: [(stored: Int, copy: Int)] = []
    for (stored, seen) in stateLengths.enumerated() where seen <= length {
      if seen == length { states.append((stored, 0)) }
      guard sizes.checkpointInterval > 0, seen % sizes.checkpointInterval == 0 else { continue }
      let copy = sizes.copy(at: seen)
      // Of several states that belong in the same copy, the latest is kept.
      states.removeAll { $0.copy == copy }
      states.append((stored, copy))
      lengths[copy] = seen
    }
    return states
  }

  /// Returns the run of a sequence's next tokens, and notes the copies that it makes.
  ///
  /// - Parameters:
  ///   - length: The number of tokens of the sequence so far.
  ///   - saves: Whether the state before the run is copied.
  ///   - tentative: How many tokens at the end of the run may be taken back.
  mutating func run(
    of sequence: Int, begin: Int, count: Int, length: Int, saves: Bool = false, tentative: Int = 0
  ) -> SequenceRun {
    var run = SequenceRun(sequence: sequence, begin: begin, count: count)
    guard history == .state else { return run }
    run.restoredCopy = restored
    restored = 0
    // An empty sequence needs no copy.
    if saves, length > 0 {
      run.savedCopy = sizes.lastCopy
      lengths[sizes.lastCopy] = length
    }
    if tentative > 0, sizes.tentativeCount > 0 {
      run.firstTentative = begin + count - tentative
      for position in length + count - tentative..<length + count { lengths[sizes.copy(before: Int32(position))] = position }
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
