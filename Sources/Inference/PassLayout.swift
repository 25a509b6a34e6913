// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// What a model's pass keeps in memory besides the weights, and in which order it lies there.
///
/// The same code measures it before any weight is read, and places it when they are there: what was found to have room has room.
struct PassLayout {
  let configuration: ModelConfiguration
  let sizes: BufferSizes
  let teams: TeamPlan
  let cacheType: CacheType
  let sequences: Int
  let vocabularySize: Int
  /// Elements of all the model's vectors, of which each team has a copy.
  let vectorLength: Int
  /// Positions of each sequence: whole blocks of the interleaved keys.
  let positions: Int

  init(
    _ configuration: ModelConfiguration, _ weights: ModelWeights, _ limits: ModelLimits, _ options: ModelOptions,
    teams: TeamPlan, vectorLength: Int
  ) {
    self.configuration = configuration
    self.teams = teams
    vocabularySize = weights.vocabularySize
    self.vectorLength = vectorLength
    sizes = BufferSizes(configuration, KeptFloats(weights), batch: limits.batchSize, logitRows: limits.logitRows)
    cacheType = options.cacheType
    sequences = options.sequenceCount
    positions = (limits.contextLength + 15) / 16 * 16
  }

  /// Bytes by node, as they are allocated.
  var byteCounts: [Int: Int] {
    var counts: [Int: Int] = [:]
    for (index, team) in teams.teams.enumerated() {
      counts[team.node, default: 0] += NodeMemory.wholePages(scratchByteCount(team: index) + cacheByteCount(team: index))
    }
    if let first = teams.teams.first { counts[first.node, default: 0] += NodeMemory.wholePages(tableByteCount) }
    return counts
  }

  /// Bytes of what all threads read, with the logits: on the first team's node.
  var tableByteCount: Int { Arena.measure { _ = tables(&$0) } }

  func scratchByteCount(team: Int) -> Int { Arena.measure { _ = scratch(&$0, team: team) } }

  func cacheByteCount(team: Int) -> Int { Arena.measure { _ = caches(&$0, team: team) } }

  func tables(_ arena: inout Arena) -> PassTables {
    PassTables(&arena, configuration, sizes, teams: teams, vocabularySize: vocabularySize)
  }

  func scratch(_ arena: inout Arena, team: Int) -> TeamScratch {
    TeamScratch(
      buffers: TeamBuffers(&arena, sizes), threads: teams.teams[team].cpus.map { _ in ThreadBuffers(&arena, sizes) },
      vectors: arena.floats(vectorLength))
  }

  /// One for each layer.
  func caches(_ arena: inout Arena, team: Int) -> [LayerCache] {
    configuration.layers.map { layer in
      LayerCache(
        &arena, layer, type: cacheType, team: team, teamCount: teams.teams.count, positions: positions, sequences: sequences)
    }
  }
}

/// What one team computes in.
struct TeamScratch {
  let buffers: TeamBuffers
  let threads: [ThreadBuffers]
  let vectors: UnsafeMutablePointer<Float>
}

/// What all threads read: pointers into one allocation.
struct PassTables {
  let layers: UnsafeMutablePointer<Layer>
  let teams: UnsafeMutablePointer<TeamBuffers>
  let threads: UnsafeMutablePointer<ThreadBuffers>
  let vectors: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  let caches: UnsafeMutablePointer<LayerCache>
  let frequencies: UnsafeMutablePointer<Double>
  let windowFrequencies: UnsafeMutablePointer<Double>
  let step: Step
  let logits: UnsafeMutablePointer<Float>

  init(
    _ arena: inout Arena, _ configuration: ModelConfiguration, _ sizes: BufferSizes, teams plan: TeamPlan, vocabularySize: Int
  ) {
    layers = arena.take(configuration.layerCount, of: Layer.self)
    teams = arena.take(plan.teams.count, of: TeamBuffers.self)
    threads = arena.take(plan.threadCount, of: ThreadBuffers.self)
    vectors = arena.take(plan.teams.count, of: UnsafeMutablePointer<Float>.self)
    caches = arena.take(plan.teams.count * configuration.layerCount, of: LayerCache.self)
    frequencies = arena.take(sizes.rotaryPairs, of: Double.self)
    windowFrequencies = arena.take(sizes.rotaryPairs, of: Double.self)
    step = Step(
      tokens: arena.integers(sizes.batch), positions: arena.integers(sizes.batch), wanted: arena.integers(sizes.batch),
      runs: arena.take(sizes.batch, of: SequenceRun.self))
    logits = arena.floats(sizes.logitRows * vocabularySize)
  }
}
