// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat
import PackRuntime

/// A copy of what a model keeps of a sequence, with each team's part on the team's node.
///
/// - Invariant: Its bytes are written before it is shared, and never again.
public final class SequenceCopy: @unchecked Sendable {
  /// The number of tokens of the sequence.
  public let length: Int
  /// How many tokens each of its states has seen, ascending; empty in models without states.
  public let stateLengths: [Int]
  private let history: History
  private let memories: [Section]

  /// One team's part.
  private final class Section {
    let memory: NodeMemory

    init(_ byteCount: Int, team: Int, _ teams: Teams) throws(RuntimeError) {
      memory = try NodeMemory(byteCount: byteCount, team: team, teams: teams)
    }
  }

  init(length: Int, stateLengths: [Int], _ history: History, byteCounts: [Int], _ teams: Teams) throws(ModelError) {
    (self.length, self.stateLengths, self.history) = (length, stateLengths, history)
    var memories: [Section] = []
    for (team, byteCount) in byteCounts.enumerated() {
      do throws(RuntimeError) { memories.append(try Section(byteCount, team: team, teams)) } catch { throw .runtime(error) }
    }
    self.memories = memories
  }

  /// Bytes that it takes, in whole pages, on all nodes.
  public var byteCount: Int { memories.reduce(0) { $0 + NodeMemory.wholePages($1.memory.byteCount) } }

  /// The number of sections, one for each team.
  package var sectionCount: Int { memories.count }

  /// Returns the bytes of one team. Its memory extends to the end of the last page of 4 KiB.
  package func section(_ team: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memories[team].memory.base, count: memories[team].memory.byteCount)
  }

  /// Returns how many of the sequence's first `known` tokens the copy can restore.
  package func restart(known: Int) -> Int {
    switch history {
    case .positions: min(known, length)
    case .state: stateLengths.last { $0 <= known } ?? 0
    }
  }

  /// Whether the copy can restore any number of tokens up to its length.
  package var hasAllPositions: Bool { history == .positions }
}

extension Model {
  /// A digest of the form of copies: if it is equal for two models with the same weights, a copy made by one can be restored by the
  /// other.
  public var stateLayout: Digest {
    // The number is the version of what the bytes mean: 2 since latent attention keeps single precision.
    var text = "2,\(statePieces.count) teams"
    for piece in statePieces.joined() {
      switch piece.extent {
      case .positions(let unit, let byteCount): text += ",\(byteCount)/\(unit)"
      case .state(let byteCount): text += ",\(byteCount)"
      }
    }
    return Digest(of: Array("\(text),\(cacheType.rawValue)".utf8))
  }

  /// Copies what is kept of a sequence, which must not be empty.
  ///
  /// - Parameter most: The largest number of tokens to copy; nil: all.
  /// - Throws: `tooLarge` if there is nothing to copy; `runtime` if a node has too little free memory.
  public func copy(of sequence: Int, upTo most: Int? = nil) throws(ModelError) -> SequenceCopy {
    let most = min(most ?? .max, length(of: sequence))
    let states = checkpoints[sequence].states(length: length(of: sequence)).filter { $0.length <= most }
    let length = history == .state ? states.last?.length ?? 0 : most
    let copy = try emptyCopy(length: length, stateLengths: states.map(\.length))
    move(copy, sequence, length: copy.length, states: Array(states.enumerated().map { ($0.offset, $0.element.copy) })) {
      $1.copyMemory(from: $0, byteCount: $2)
    }
    return copy
  }

  /// Makes an empty copy for a sequence of `length` tokens; the caller fills its sections.
  ///
  /// - Throws: `tooLarge` for a length that no sequence of this model can have; `runtime` if a node has too little free memory.
  package func emptyCopy(length: Int, stateLengths: [Int]) throws(ModelError) -> SequenceCopy {
    let counts = try sectionByteCounts(length: length, stateCount: stateLengths.count)
    return try SequenceCopy(length: length, stateLengths: stateLengths, history, byteCounts: counts, teams)
  }

  /// Returns the number of bytes of each section of a copy.
  package func sectionByteCounts(length: Int, stateCount: Int) throws(ModelError) -> [Int] {
    guard (1...contextLength).contains(length), history == .state || stateCount == 0, stateCount <= mostStates else {
      throw .tooLarge(what: "a sequence of \(length) tokens with \(stateCount) states")
    }
    return statePieces.map { Self.offsets($0, length: length, stateCount: stateCount).last ?? 0 }
  }

  /// Replaces the content of a sequence by a copy, or by its beginning.
  ///
  /// - Parameter known: The largest number of tokens to restore.
  /// - Returns: The number of tokens that the sequence has now. In models with states it may be less than `known`.
  public func restore(_ copy: SequenceCopy, to sequence: Int, known: Int) -> Int {
    let length = min(copy.restart(known: known), contextLength)
    truncate(sequence, to: 0)
    guard length > 0 else { return 0 }
    let states = checkpoints[sequence].restore(copy.stateLengths, length: length)
    move(copy, sequence, length: length, states: states) {
      UnsafeMutableRawPointer(mutating: $0).copyMemory(from: $1, byteCount: $2)
    }
    setLength(length, of: sequence)
    return length
  }

  /// Returns the offset of each piece in a section, or of each of its states, followed by the end of the last one.
  private static func offsets(_ pieces: [StatePiece], length: Int, stateCount: Int) -> [Int] {
    var offsets = [0]
    for piece in pieces {
      let count = if case .state = piece.extent { stateCount } else { 1 }
      for _ in 0..<count { offsets.append(offsets[offsets.count - 1] + (piece.byteCount(length: length) + 63) & ~63) }
    }
    return offsets
  }

  /// Calls `body` for each piece that a sequence and a copy have in common. The threads of each team handle the team's pieces.
  ///
  /// - Parameters:
  ///   - length: The number of positions to move.
  ///   - states: Numbers of states in the copy, and the sequence's copies of states that they correspond to.
  private func move(
    _ copy: SequenceCopy, _ sequence: Int, length: Int, states: [(stored: Int, copy: Int)],
    _ body: (_ sequence: UnsafeRawPointer, _ copy: UnsafeMutableRawPointer, _ byteCount: Int) -> Void
  ) {
    let (pieces, stateCount) = (statePieces, copy.stateLengths.count)
    teams.run { worker in
      let (team, thread, threadCount) = (worker.team, worker.index, worker.teamSize)
      guard let base = copy.section(team).baseAddress else { return }
      let offsets = Self.offsets(pieces[team], length: copy.length, stateCount: stateCount)
      var (place, number) = (0, 0)
      func move(_ piece: StatePiece, stored: Int, copy: Int) {
        number += 1
        guard number % threadCount == thread else { return }
        body(
          piece.address(sequence: sequence, copy: copy), base + offsets[place + stored], piece.byteCount(length: length))
      }
      for piece in pieces[team] {
        if case .state = piece.extent {
          for (stored, copy) in states { move(piece, stored: stored, copy: copy) }
          place += stateCount
        } else {
          move(piece, stored: 0, copy: 0)
          place += 1
        }
      }
    }
  }
}
