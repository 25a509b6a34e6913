import CKernels

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
    _ configuration: ModelConfiguration, _ weights: ModelWeights, _ values: [Float], _ sizes: BufferSizes, teams: Teams,
    cacheType: CacheType, positions: Int, sequences: Int, source: MappedPack, table: WeightTable
  ) throws(ModelError) {
    func place(_ arena: inout Arena) -> PassTables {
      PassTables(&arena, configuration, weights, sizes, teams: teams)
    }
    let byteCount = Arena.measure { _ = place(&$0) }
    // On the first team's node, where the logits are read.
    do throws(RuntimeError) {
      tableMemory = try NodeMemory(
        byteCount: byteCount, team: 0, teams: teams, spill: source.spills)
    } catch { throw .runtime(error) }
    var arena = Arena(base: tableMemory.base)
    let tables = place(&arena)
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
      let memory = try TeamMemory(
        team: team, teams: teams, configuration, sizes, values, cacheType: cacheType,
        positions: positions, sequences: sequences,
        tables: tables, spill: source.spills)
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
    _ arena: inout Arena, _ configuration: ModelConfiguration, _ weights: ModelWeights, _ sizes: BufferSizes, teams owner: Teams
  ) {
    layers = arena.take(configuration.layerCount, of: Layer.self)
    teams = arena.take(owner.teamCount, of: TeamBuffers.self)
    threads = arena.take(owner.threadCount, of: ThreadBuffers.self)
    vectors = arena.take(owner.teamCount, of: UnsafeMutablePointer<Float>.self)
    caches = arena.take(owner.teamCount * configuration.layerCount, of: LayerCache.self)
    frequencies = arena.take(sizes.rotaryPairs, of: Double.self)
    windowFrequencies = arena.take(sizes.rotaryPairs, of: Double.self)
    step = Step(
      tokens: arena.integers(sizes.batch), positions: arena.integers(sizes.batch), wanted: arena.integers(sizes.batch),
      runs: arena.take(sizes.batch, of: SequenceRun.self))
    logits = arena.floats(sizes.logitRows * weights.vocabularySize)
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
    team: Int, teams: Teams, _ configuration: ModelConfiguration, _ sizes: BufferSizes,
    _ values: [Float], cacheType: CacheType,
    positions: Int, sequences: Int, tables: PassTables, spill: Bool
  ) throws(ModelError) {
    // Whole blocks of the interleaved keys.
    let positions = (positions + 15) / 16 * 16
    let firstThread = teams.firstThread(of: team)
    let threads = firstThread..<firstThread + teams.size(of: team)
    func placeScratch(_ arena: inout Arena) {
      (tables.teams + team).initialize(to: TeamBuffers(&arena, sizes))
      for thread in threads { (tables.threads + thread).initialize(to: ThreadBuffers(&arena, sizes)) }
      (tables.vectors + team).initialize(to: arena.floats(values.count))
    }
    func placeCache(_ arena: inout Arena) {
      for (index, layer) in configuration.layers.enumerated() {
        let cache = LayerCache(
          &arena, layer, type: cacheType, team: team, teamCount: teams.teamCount, positions: positions, sequences: sequences)
        (tables.caches + team * configuration.layerCount + index).initialize(to: cache)
      }
    }
    scratchByteCount = Arena.measure(placeScratch)
    cacheByteCount = Arena.measure(placeCache)
    do {
      memory = try NodeMemory(
        byteCount: scratchByteCount + cacheByteCount, team: team, teams: teams, spill: spill)
    } catch { throw .runtime(error) }
    var scratch = Arena(base: memory.base)
    placeScratch(&scratch)
    var cache = Arena(base: memory.base + scratchByteCount)
    placeCache(&cache)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { tables.vectors[team].update(from: start, count: source.count) }
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
