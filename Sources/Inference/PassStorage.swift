// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import PackRuntime

/// Owns what a `ForwardPass` points at: tables for all, and each team's buffers and cache in its node's memory.
///
/// - Invariant: pointers handed out are good as long as this lives. It keeps the mapped weights alive, too.
final class PassStorage {
  let step: Step
  let logits: UnsafeMutablePointer<Float>
  let cacheByteCount: Int
  let scratchByteCount: Int

  private let source: MappedPack
  private let table: WeightTable
  private let memories: [TeamMemory]
  private let tableMemory: NodeMemory
  private let tables: PassTables
  private let teamCount: Int
  private let vocabularySize: Int

  init(
    _ layout: PassLayout, _ weights: ModelWeights, _ values: [Float], teams: Teams, source: MappedPack, table: WeightTable
  ) throws(ModelError) {
    let byteCount = layout.tableByteCount
    // On the first team's node, where the logits are read.
    do throws(RuntimeError) {
      tableMemory = try NodeMemory(
        byteCount: byteCount, team: 0, teams: teams, spill: source.spills)
    } catch { throw .runtime(error) }
    var arena = Arena(base: tableMemory.base)
    let tables = layout.tables(&arena)
    let configuration = layout.configuration
    for (index, layer) in weights.layers.enumerated() { (tables.layers + index).initialize(to: layer) }
    for (pair, value) in configuration.rotary.frequencies(factors: weights.rotaryFactors).enumerated() {
      tables.frequencies[pair] = value
    }
    for (pair, value) in configuration.windowRotary.frequencies(factors: weights.rotaryFactors).enumerated() {
      tables.windowFrequencies[pair] = value
    }

    var memories: [TeamMemory] = []
    var (cacheByteCount, scratchByteCount) = (0, 0)
    for team in 0..<teams.teamCount {
      let memory = try TeamMemory(team: team, teams: teams, layout, values, tables: tables, spill: source.spills)
      cacheByteCount += memory.cacheByteCount
      scratchByteCount += memory.scratchByteCount
      memories.append(memory)
    }
    (step, logits) = (tables.step, tables.logits)
    (self.cacheByteCount, self.scratchByteCount) = (cacheByteCount, scratchByteCount + byteCount)
    self.source = source
    self.table = table
    self.memories = memories
    self.tables = tables
    teamCount = teams.teamCount
    vocabularySize = weights.vocabularySize
  }

  /// Where the cache and the buffers of each node are.
  var placements: [NodeMemoryPlacement] {
    var placements = [tableMemory.placement()]
    for placement in memories.map(\.placement) {
      if let index = placements.firstIndex(where: { $0.node == placement.node }) {
        placements[index].add(placement)
      } else {
        placements.append(placement)
      }
    }
    return placements
  }

  /// Bytes that threads wrote for teams other than their own, and read from other teams' weights, so far.
  func crossedByteCount(threads: Int) -> Int {
    (0..<threads).reduce(0) { $0 + tables.threads[$1].crossed.pointee }
  }

  /// A pass over all this, whose step is still empty.
  func pass(
    _ configuration: ModelConfiguration, _ weights: ModelWeights, kernels: UnsafePointer<ck_table>
  ) -> ForwardPass {
    ForwardPass(
      kernels: kernels, configuration: PassConfiguration(configuration),
      layers: UnsafePointer(tables.layers),
      embedding: weights.embedding, outputNorm: weights.outputNorm,
      output: weights.output, teams: UnsafePointer(tables.teams), teamCount: teamCount,
      threads: UnsafePointer(tables.threads), vectors: UnsafePointer(tables.vectors), caches: UnsafePointer(tables.caches),
      frequencies: UnsafePointer(tables.frequencies), windowFrequencies: UnsafePointer(tables.windowFrequencies), step: step,
      logits: logits, logitStride: vocabularySize)
  }
}

/// One team's buffers, vectors and cache, in its node's memory.
private final class TeamMemory {
  let cacheByteCount: Int
  let scratchByteCount: Int
  private let memory: NodeMemory

  var placement: NodeMemoryPlacement { memory.placement() }

  /// Makes room on the team's node and writes where everything lies into `tables`.
  init(
    team: Int, teams: Teams, _ layout: PassLayout, _ values: [Float], tables: PassTables, spill: Bool
  ) throws(ModelError) {
    scratchByteCount = layout.scratchByteCount(team: team)
    cacheByteCount = layout.cacheByteCount(team: team)
    do {
      memory = try NodeMemory(
        byteCount: scratchByteCount + cacheByteCount, team: team, teams: teams, spill: spill)
    } catch { throw .runtime(error) }
    var arena = Arena(base: memory.base)
    let scratch = layout.scratch(&arena, team: team)
    (tables.teams + team).initialize(to: scratch.buffers)
    (tables.threads + teams.firstThread(of: team)).initialize(from: scratch.threads, count: scratch.threads.count)
    (tables.vectors + team).initialize(to: scratch.vectors)
    arena = Arena(base: memory.base + scratchByteCount)
    let caches = layout.caches(&arena, team: team)
    (tables.caches + team * caches.count).initialize(from: caches, count: caches.count)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { scratch.vectors.update(from: start, count: source.count) }
    }
  }
}

extension PassConfiguration {
  init(_ configuration: ModelConfiguration) {
    let traits = configuration.traits
    self.init(
      layerCount: configuration.layerCount, embeddingLength: configuration.embeddingLength,
      embeddingScale: traits.scalesEmbedding ? Float(configuration.embeddingLength).squareRoot() : 1,
      normEpsilon: configuration.normEpsilon, attentionScale: configuration.attentionScale,
      logitSoftcap: configuration.logitSoftcap, activation: traits.activation, pairing: traits.pairing,
      rotaryDimensions: configuration.rotary.dimensions, rotaryMagnitude: configuration.rotary.magnitude,
      windowRotaryMagnitude: configuration.windowRotary.magnitude, latent: configuration.latent, experts: configuration.experts)
  }
}
