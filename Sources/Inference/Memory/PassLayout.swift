// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The sizes that steps are made for: plain data.
struct PassSizes {
  /// Tokens in one step at most.
  let batch: Int
  /// Positions of logits in one step at most.
  let logitRows: Int
  let vocabulary: Int
  let embedding: Int
  /// Whether some product reads the normalised residual as it is.
  let keepsNormed: Bool
  /// Columns for each token of what a layer's first products read: 2 where some read activations of 16 bits.
  let columnsPerToken: Int
  /// Elements of the longest row that a thread needs room for.
  let longestRow: Int
  let rotaryCount: Int
  /// Pairs of elements that RoPE turns, at most.
  let rotaryPairs: Int
  /// Positions that are attended to at most, where there is an indexer; 0: all.
  let chosenCount: Int
  /// Positions of a sequence: a multiple of 16.
  let positions: Int
  /// Whether some layer has two networks, one of whose outputs waits for the other's.
  let keepsSideOutputs: Bool
  /// Elements of all layers' inputs of a token; 0: there are none.
  let layerInputLength: Int
  /// Residuals that are put away on the way through the layers.
  let residualCount: Int
  /// Rows of what tokens became that are kept for the prediction layer, of all sequences; 0: there is no such layer.
  let hiddenCount: Int
  /// Residual streams.
  let streamCount: Int
  /// Weights that a token needs to read and write several streams, and scores that they come from; 0 where there is one stream.
  let connectionLength: Int
  let streamScoreLength: Int

  /// Steps of up to this many tokens keep the residual in every thread, which saves the barriers of sharing it.
  static let tokensPerThread = 4
  /// Rows of gate and up that a thread computes at a time.
  static let tileRows = 128
  /// The last tokens of a sequence of which it is kept what they became: those of a step that checks proposals, and as many more.
  static let hiddenRows = 32
  /// Queries that a thread attends with at a time.
  static let queryBlock = 32

  init(_ configuration: ModelConfiguration, _ weights: ModelWeights, _ limits: ModelLimits) {
    let parts = weights.parts
    batch = limits.batchSize
    logitRows = limits.logitRows
    vocabulary = weights.vocabularySize
    embedding = configuration.embeddingLength
    chosenCount = configuration.chosenCount
    keepsSideOutputs = weights.layers.contains { if case .both? = $0.network { true } else { false } }
    positions = (limits.contextLength + 15) / 16 * 16
    let inputs = weights.layerInputs
    layerInputLength = inputs?.length ?? 0
    residualCount = weights.outputMixture?.count ?? 0
    hiddenCount = weights.prediction == nil ? 0 : limits.sequenceCount * Self.hiddenRows
    streamCount = configuration.streams?.streamCount ?? 1
    connectionLength = configuration.streams?.weightCount ?? 0
    streamScoreLength = streamCount * ((connectionLength + 15) / 16 * 16)
    keepsNormed = weights.output.readsFloats || inputs?.projection.readsFloats ?? false || parts.contains(where: \.readsFloats)
    columnsPerToken = weights.readsTwoParts ? 2 : 1
    longestRow = max(embedding * streamCount, layerInputLength, parts.map(\.longestRow).max() ?? 0)
    rotaryCount = configuration.rotaries.count
    rotaryPairs = (configuration.rotaries.map(\.dimensions).max() ?? 0) / 2
  }
}

/// What the threads of one team share in all layers.
///
/// - Invariant: writers and readers of one buffer are separated by a barrier; within a phase, threads write disjoint parts.
struct TeamBuffers {
  /// Residual streams [token][stream][embedding], when a step is too large to keep it in every thread.
  let residual: Rows
  /// The normalised residual [token][embedding].
  let normed: Columns
  /// Cosines [embedding of the model · token][pair], and sines.
  let cosines: Rows
  let sines: Rows
  /// The output of the first of two networks, where the residual is shared [token][embedding].
  let sideOutputs: Rows
  /// Where an indexer has chosen; the layers after it may use its choice.
  let chosen: ChosenPositions
  /// All layers' inputs [token][layer][width].
  let layerInputs: Rows
  /// Residuals that were put away, where the residual is shared [token][number][embedding].
  let residuals: Rows
  /// What tokens need to read and write several streams, where the residual is shared, and scores that it comes from.
  let connections: Rows
  let streamScores: Rows
  /// What the last tokens became, for the prediction layer [sequence · position modulo their number][embedding].
  let hidden: Rows
  /// Outputs of a part, before they are added to the residual [token][embedding].
  let projected: Rows

  @inline(__always)
  init(_ arena: inout Arena, _ sizes: PassSizes) {
    let columns = sizes.batch * sizes.columnsPerToken
    residual = arena.rows(sizes.batch, length: sizes.streamCount * sizes.embedding)
    normed = arena.columns(columns, length: sizes.embedding, keepsPlain: sizes.keepsNormed)
    cosines = arena.rows(sizes.batch * sizes.rotaryCount, length: sizes.rotaryPairs)
    sines = arena.rows(sizes.batch * sizes.rotaryCount, length: sizes.rotaryPairs)
    sideOutputs = arena.rows(sizes.keepsSideOutputs ? sizes.batch : 0, length: sizes.embedding)
    chosen = ChosenPositions(&arena, sizes)
    layerInputs = arena.rows(sizes.layerInputLength == 0 ? 0 : sizes.batch, length: sizes.layerInputLength)
    residuals = arena.rows(sizes.batch * sizes.residualCount, length: sizes.embedding)
    let connected = sizes.streamCount > 1 ? sizes.batch : 0
    connections = arena.rows(connected, length: sizes.connectionLength)
    streamScores = arena.rows(connected, length: sizes.streamScoreLength)
    hidden = arena.rows(sizes.hiddenCount, length: sizes.embedding)
    var output = arena.rest
    projected = output.rows(sizes.batch, length: sizes.embedding)
  }
}

/// What one thread has for itself in all layers.
struct ThreadBuffers {
  /// Bytes that this thread wrote into other teams' memory so far.
  let crossed: UnsafeMutablePointer<Int>
  /// Residual and normalised residual of small steps.
  let residual: Rows
  let normed: Columns
  /// Room for one row of anything, twice.
  let column: Row
  let column2: Row
  /// Residuals of small steps that were put away, and what they are weighed by.
  let residuals: Rows
  let residualScores: Row
  /// What tokens of small steps need to read and write several streams.
  let connections: Rows

  @inline(__always)
  init(_ arena: inout Arena, _ sizes: PassSizes) {
    let tokens = min(sizes.batch, PassSizes.tokensPerThread)
    crossed = arena.take(8, of: Int.self)
    residual = arena.rows(tokens, length: sizes.streamCount * sizes.embedding)
    normed = arena.columns(tokens * sizes.columnsPerToken, length: sizes.embedding, keepsPlain: sizes.keepsNormed)
    column = arena.row(sizes.longestRow)
    column2 = arena.row(sizes.longestRow)
    residuals = arena.rows(tokens * sizes.residualCount, length: sizes.embedding)
    residualScores = arena.row(sizes.residualCount + 1)
    connections = arena.rows(sizes.streamCount > 1 ? tokens : 0, length: sizes.connectionLength)
  }
}

/// What a model's pass keeps in memory in addition to the weights, and where.
///
/// The same code measures it before any weight is read, and finds it when they are there: what was found to have room has room.
struct PassLayout {
  let sizes: PassSizes
  let state: StateSizes
  let teams: TeamPlan
  /// Tokens that a sequence may have.
  let contextLength: Int
  private let weights: ModelWeights
  /// Elements of all the model's vectors, of which each team has a copy.
  let vectorLength: Int
  /// Bytes of one team's buffers: those of all layers, then the outputs, then the parts'. The same for all teams.
  let outputOffset: Int
  let partsOffset: Int
  let teamByteCount: Int
  /// Bytes of one thread's buffers: those of all layers, then the parts'.
  let threadByteCount: Int

  init(
    _ configuration: ModelConfiguration, _ weights: ModelWeights, _ limits: ModelLimits, _ options: ModelOptions,
    teams: TeamPlan, vectorLength: Int
  ) {
    let sizes = PassSizes(configuration, weights, limits)
    self.sizes = sizes
    self.weights = weights
    self.teams = teams
    contextLength = limits.contextLength
    self.vectorLength = vectorLength
    state = StateSizes(
      cacheType: options.cacheType, positions: sizes.positions, sequences: options.sequenceCount,
      checkpointInterval: options.checkpointInterval,
      // No more than a sequence comes by.
      checkpointCount: options.checkpointInterval == 0
        ? 0 : max(1, min(options.checkpointCount, limits.contextLength / options.checkpointInterval)),
      tentativeCount: options.tentativeCount)

    outputOffset = Arena.measure { _ = TeamBuffers(&$0, sizes) }
    var (outputs, parts, scratch) = (sizes.batch * sizes.embedding * 4, 0, 0)
    for part in weights.parts {
      var own = 0
      let shared = Arena.measure { arena in
        own = Arena.measure { output in
          var room = TeamRoom(parts: arena, output: output)
          part.takeRoom(&room, sizes)
          (arena, output) = (room.parts, room.output)
        }
      }
      (outputs, parts) = (max(outputs, own), max(parts, shared))
      scratch = max(scratch, Arena.measure { part.takeScratch(&$0, sizes) })
    }
    partsOffset = outputOffset + (outputs + 63) & ~63
    teamByteCount = partsOffset + parts
    threadByteCount = Arena.measure { _ = ThreadBuffers(&$0, sizes) } + scratch
  }

  /// Bytes by node, as they are allocated.
  var byteCounts: [Int: Int] {
    var counts: [Int: Int] = [:]
    for (index, team) in teams.teams.enumerated() {
      counts[team.node, default: 0] += NodeMemory.wholePages(scratchByteCount(team: index) + stateByteCount(team: index))
    }
    if let first = teams.teams.first { counts[first.node, default: 0] += NodeMemory.wholePages(tableByteCount) }
    return counts
  }

  /// Bytes of what all threads read, with the logits or hidden states: on the first team's node.
  var tableByteCount: Int { Arena.measure { _ = tables(&$0) } }

  /// Bytes of a team's buffers, its threads' and its copy of the vectors.
  func scratchByteCount(team: Int) -> Int {
    teamByteCount + teams.teams[team].cpus.count * threadByteCount + (vectorLength * 4 + 63) & ~63
  }

  /// Bytes of what a team keeps of all sequences.
  func stateByteCount(team: Int) -> Int { stateOffsets(team: team).last ?? 0 }

  /// Where each layer's state begins among the team's, and where the last one ends.
  func stateOffsets(team: Int) -> [Int] {
    weights.layers.reduce(into: [0]) { offsets, layer in
      let byteCount = Arena.measure { _ = layer.mixer?.part.takeState(&$0, state, team: team, teamCount: teams.teams.count) }
      offsets.append(offsets[offsets.count - 1] + byteCount)
    }
  }

  /// What a team keeps of each sequence, in the layers' order.
  ///
  /// - Parameter bases: Where each layer's state begins.
  func statePieces(team: Int, bases: UnsafePointer<UnsafeMutableRawPointer>) -> [StatePiece] {
    weights.layers.enumerated().flatMap { index, layer in
      var arena = Arena(base: bases[index])
      return layer.mixer?.part.takeState(&arena, state, team: team, teamCount: teams.teams.count) ?? []
    }
  }

  func tables(_ arena: inout Arena) -> PassTables {
    PassTables(&arena, sizes, layerCount: weights.layers.count, teams: teams)
  }
}

/// What all threads read: pointers into one allocation.
struct PassTables {
  let layers: UnsafeMutablePointer<Layer>
  let rotations: UnsafeMutablePointer<Rotation>
  /// [rotation][pair]
  let frequencies: UnsafeMutablePointer<Double>
  /// Where each team's and each thread's buffers begin, and each team's vectors.
  let teams: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let threads: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let vectors: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// Where each layer's state begins [team][layer].
  let states: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let step: Step
  /// Logits and hidden states lie in the same place: a step has either.
  let logits: Rows
  let hidden: Rows

  init(_ arena: inout Arena, _ sizes: PassSizes, layerCount: Int, teams plan: TeamPlan) {
    layers = arena.take(layerCount, of: Layer.self)
    rotations = arena.take(sizes.rotaryCount, of: Rotation.self)
    frequencies = arena.take(sizes.rotaryCount * sizes.rotaryPairs, of: Double.self)
    teams = arena.take(plan.teams.count, of: UnsafeMutableRawPointer.self)
    threads = arena.take(plan.threadCount, of: UnsafeMutableRawPointer.self)
    vectors = arena.take(plan.teams.count, of: UnsafeMutablePointer<Float>.self)
    states = arena.take(plan.teams.count * layerCount, of: UnsafeMutableRawPointer.self)
    step = Step(
      tokens: arena.integers(sizes.batch), positions: arena.integers(sizes.batch), wanted: arena.integers(sizes.batch),
      runs: arena.take(sizes.batch, of: SequenceRun.self))
    let room = arena.row(max(sizes.logitRows * sizes.vocabulary, sizes.embedding))
    logits = Rows(room.start, count: sizes.logitRows, length: sizes.vocabulary)
    hidden = Rows(room.start, count: min(sizes.batch, room.count / sizes.embedding), length: sizes.embedding)
  }
}
