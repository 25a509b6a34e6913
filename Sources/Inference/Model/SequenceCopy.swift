// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackFormat
import PackRuntime

/// A copy of what a model keeps of a sequence, each team's part on the team's node.
///
/// - Invariant: its bytes are written before anybody else has it, and never again.
public final class SequenceCopy: @unchecked Sendable {
  /// Tokens of the sequence.
  public let length: Int
  /// In models whose layers keep a state: how many tokens each state has seen, ascending; empty in others.
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

  /// Bytes that it takes, on all nodes.
  public var byteCount: Int { memories.reduce(0) { $0 + NodeMemory.wholePages($1.memory.byteCount) } }

  /// One for each team.
  package var sectionCount: Int { memories.count }

  /// The bytes of one team; memory goes on to the end of the last page of 4 KiB.
  package func section(_ team: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memories[team].memory.base, count: memories[team].memory.byteCount)
  }

  /// How many of the sequence's first `known` tokens it can give back.
  package func restart(known: Int) -> Int {
    switch history {
    case .positions: min(known, length)
    case .state: stateLengths.last { $0 <= known } ?? 0
    }
  }

  /// Whether it can give back any number of tokens up to its length.
  package var hasAllPositions: Bool { history == .positions }
}

extension Model {
  /// What a copy is copied by: equal where a copy of a sequence of one model is good for another model with the same weights.
  public var stateLayout: Digest {
    // The number is that of what the bytes mean: 2 since latent attention keeps single precision.
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
  /// - Parameter most: Tokens that are wanted at most; nil: all.
  /// - Throws: `tooLarge` if nothing can be copied, or if a node has too little free memory.
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

  /// Room for what is kept of a sequence of `length` tokens; the caller fills its sections.
  ///
  /// - Throws: `tooLarge` for what no sequence of this model can have, or if a node has too little free memory.
  package func emptyCopy(length: Int, stateLengths: [Int]) throws(ModelError) -> SequenceCopy {
    let counts = try sectionByteCounts(length: length, stateCount: stateLengths.count)
    return try SequenceCopy(length: length, stateLengths: stateLengths, history, byteCounts: counts, teams)
  }

  /// The bytes of each section of a copy.
  package func sectionByteCounts(length: Int, stateCount: Int) throws(ModelError) -> [Int] {
    guard (1...contextLength).contains(length), history == .state || stateCount == 0, stateCount <= mostStates else {
      throw .tooLarge(what: "a sequence of \(length) tokens with \(stateCount) states")
    }
    return statePieces.map { Self.offsets($0, length: length, stateCount: stateCount).last ?? 0 }
  }

  /// Makes a sequence what a copy is of, or its beginning.
  ///
  /// - Parameter known: Tokens that are wanted at most.
  /// - Returns: The tokens that the sequence has now: in models whose layers keep a state, maybe fewer.
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

  /// Where each piece begins in a section, and each of its states; then the end of the last one.
  private static func offsets(_ pieces: [StatePiece], length: Int, stateCount: Int) -> [Int] {
    var offsets = [0]
    for piece in pieces {
      let count = if case .state = piece.extent { stateCount } else { 1 }
      for _ in 0..<count { offsets.append(offsets[offsets.count - 1] + (piece.byteCount(length: length) + 63) & ~63) }
    }
    return offsets
  }

  /// Calls `body` for each stretch that a sequence and a copy have in common, each team's on its threads.
  ///
  /// - Parameters:
  ///   - length: Positions.
  ///   - states: Numbers of the copy's states, and of the sequence's copies of them.
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
