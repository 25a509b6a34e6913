// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// Owns what a `Pass` points at: tables for all threads, and each team's buffers and states in the memory of its node.
///
/// - Invariant: Pointers that it hands out are valid as long as it lives. It also keeps the mapped weights alive.
final class PassMemory {
  let step: Step
  let logits: Rows
  let hidden: Rows
  let stateByteCount: Int
  let scratchByteCount: Int

  private let source: MappedPack
  private let table: WeightTable
  private let matrices: MatrixStore
  private let memories: [Piece]
  private let tables: PassTables
  private let layout: PassLayout

  init(
    _ layout: PassLayout, _ configuration: ModelConfiguration, _ weights: ModelWeights, _ binder: WeightBinder, teams: Teams,
    source: MappedPack, table: WeightTable
  ) throws(ModelError) {
    let tableByteCount = layout.tableByteCount
    // The tables are on the first team's node, where the logits are read.
    var memories = [try Piece(tableByteCount, team: 0, teams, source)]
    var arena = Arena(base: memories[0].memory.base)
    let tables = layout.tables(&arena)
    tables.layers.initialize(from: weights.layers, count: weights.layers.count)
    let pairs = layout.sizes.rotaryPairs
    let factors = weights.rotaryFactors.of(contextLength: layout.contextLength)
    for (index, rotary) in configuration.rotaries.enumerated() {
      let frequencies = rotary.frequencies(factors: rotary.usesFactors ? factors : [])
      (tables.frequencies + index * pairs).initialize(from: frequencies, count: frequencies.count)
      (tables.rotations + index).initialize(
        to: Rotation(
          pairing: rotary.pairing, magnitude: rotary.magnitude, pairs: frequencies.count,
          frequencies: UnsafePointer(tables.frequencies + index * pairs)))
    }
    for team in 0..<teams.teamCount {
      memories.append(try Self.memory(layout, team: team, teams, source, tables, vectors: binder.vectors))
    }
    let teamCounts = 0..<teams.teamCount
    (step, logits, hidden) = (tables.step, tables.logits, tables.hidden)
    stateByteCount = teamCounts.reduce(0) { $0 + layout.stateByteCount(team: $1) }
    scratchByteCount = teamCounts.reduce(tableByteCount) { $0 + layout.scratchByteCount(team: $1) }
    matrices = binder.store
    (self.source, self.table, self.memories, self.tables, self.layout) = (source, table, memories, tables, layout)
  }

  /// Memory on one team's node.
  private final class Piece {
    let memory: NodeMemory

    init(_ byteCount: Int, team: Int, _ teams: Teams, _ source: MappedPack) throws(ModelError) {
      do { memory = try NodeMemory(byteCount: byteCount, team: team, teams: teams, spill: source.spills) } catch {
        throw .runtime(error)
      }
    }
  }

  /// Allocates memory on a team's node, copies the vectors to it, and enters the addresses of its parts in `tables`.
  private static func memory(
    _ layout: PassLayout, team: Int, _ teams: Teams, _ source: MappedPack, _ tables: PassTables, vectors: [Float]
  ) throws(ModelError) -> Piece {
    let scratchByteCount = layout.scratchByteCount(team: team)
    let piece = try Piece(scratchByteCount + layout.stateByteCount(team: team), team: team, teams, source)
    let base = piece.memory.base
    (tables.teams + team).initialize(to: base)
    var next = base + layout.teamByteCount
    for thread in layout.teams.teams[team].cpus.indices {
      (tables.threads + teams.firstThread(of: team) + thread).initialize(to: next)
      next += layout.threadByteCount
    }
    let copy = next.assumingMemoryBound(to: Float.self)
    copy.initialize(from: vectors, count: vectors.count)
    (tables.vectors + team).initialize(to: copy)
    let offsets = layout.stateOffsets(team: team).dropLast()
    for (layer, offset) in offsets.enumerated() {
      (tables.states + team * offsets.count + layer).initialize(to: base + scratchByteCount + offset)
    }
    return piece
  }

  /// The pages of states and buffers on each node.
  var placements: [NodeMemoryPlacement] {
    var placements: [NodeMemoryPlacement] = []
    for piece in memories {
      let placement = piece.memory.placement()
      if let index = placements.firstIndex(where: { $0.node == placement.node }) {
        placements[index].add(placement)
      } else {
        placements.append(placement)
      }
    }
    return placements
  }

  /// Bytes that threads have written for other teams, and read from other teams' weights, so far.
  var crossedByteCount: Int {
    (0..<layout.teams.threadCount).reduce(0) { sum, thread in
      var arena = Arena(base: tables.threads[thread])
      return sum + ThreadBuffers(&arena, layout.sizes).crossed.pointee
    }
  }

  /// What each team keeps of each sequence.
  var statePieces: [[StatePiece]] {
    let layerCount = layout.stateOffsets(team: 0).count - 1
    return layout.teams.teams.indices.map {
      layout.statePieces(team: $0, bases: UnsafePointer(tables.states + $0 * layerCount))
    }
  }

  /// Returns a pass over this memory, with an empty step.
  func pass(_ configuration: ModelConfiguration, _ weights: ModelWeights, _ kernels: Kernels) -> Pass {
    Pass(
      kernels: kernels, sizes: layout.sizes, state: layout.state, layers: UnsafePointer(tables.layers),
      layerCount: weights.layers.count, prediction: weights.prediction, embedding: weights.embedding,
      layerInputs: weights.layerInputs,
      outputMixture: weights.outputMixture, outputConnection: weights.outputConnection, outputNorm: weights.outputNorm,
      output: weights.output,
      embeddingScale: configuration.embeddingScale, normEpsilon: configuration.normEpsilon, logitScale: configuration.logitScale,
      logitSoftcap: configuration.logitSoftcap,
      rotations: UnsafePointer(tables.rotations), teams: UnsafePointer(tables.teams), threads: UnsafePointer(tables.threads),
      vectors: UnsafePointer(tables.vectors), states: UnsafePointer(tables.states), outputOffset: layout.outputOffset,
      partsOffset: layout.partsOffset, step: step, logits: logits, hidden: hidden)
  }
}
