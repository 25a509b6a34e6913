// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// The sizes that a step's buffers are made for: plain data.
struct PassSizes {
  /// The largest number of tokens in one step.
  let batch: Int
  /// The largest number of positions in one step whose logits can be asked for.
  let logitRows: Int
  let vocabulary: Int
  let embedding: Int
  /// Whether some product reads the normalised residual in floats.
  let keepsNormed: Bool
  /// The number of columns that a layer's first products read for each token: 2 if some read activations of 16 bits, otherwise 1.
  let columnsPerToken: Int
  /// The length of the longest row that a thread needs room for, in elements.
  let longestRow: Int
  let rotaryCount: Int
  /// The largest number of pairs of elements that RoPE rotates.
  let rotaryPairs: Int
  /// The largest number of positions that an indexer of latent attention chooses; 0: there is no indexer.
  let chosenCount: Int
  /// The number of positions of a sequence: a multiple of 16.
  let positions: Int
  /// Whether some layer has two networks, so that the output of one must wait for that of the other.
  let keepsSideOutputs: Bool
  /// The length of all layers' own inputs of a token, in elements; 0: there are none.
  let layerInputLength: Int
  /// The number of residuals that are saved on the way through the layers.
  let residualCount: Int
  /// The number of rows of hidden states that are kept for the prediction layer, for all sequences; 0: there is no such layer.
  let hiddenCount: Int
  /// The number of residual streams.
  let streamCount: Int
  /// The number of weights with which a token reads and writes several streams, and of scores that they come from; 0 if there is
  /// one stream.
  let connectionLength: Int
  let streamScoreLength: Int

  /// Steps of up to this many tokens keep the residual in every thread, which saves the barriers that sharing it would need.
  static let tokensPerThread = 4
  /// The number of rows of gate and up that a thread computes at a time.
  static let tileRows = 128
  /// The number of a sequence's last tokens whose hidden states are kept: those of a step that checks proposals, and as many more.
  static let hiddenRows = 32
  /// The largest number of queries that a thread handles at a time.
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
/// - Invariant: A barrier separates writers and readers of each buffer. Between barriers, threads write disjoint parts.
struct TeamBuffers {
  /// Residual streams of steps too large to keep them in every thread, [token][stream][embedding].
  let residual: Rows
  /// The normalised residual, [token][embedding].
  let normed: Columns
  /// Cosines and sines, [rotary embedding · batch + token][pair].
  let cosines: Rows
  let sines: Rows
  /// The output of the first of two networks, if the residual is shared, [token][embedding].
  let sideOutputs: Rows
  /// The positions that an indexer has chosen. Later layers may use the same choice.
  let chosen: ChosenPositions
  /// All layers' own inputs, [token][layer][width].
  let layerInputs: Rows
  /// Saved residuals, if the residual is shared, [token][number][embedding].
  let residuals: Rows
  /// The weights with which tokens read and write several streams, if the residual is shared, and the scores they come from.
  let connections: Rows
  let streamScores: Rows
  /// Hidden states of the last tokens, for the prediction layer, [sequence · hiddenRows + position mod hiddenRows][embedding].
  let hidden: Rows
  /// Outputs of a part, before they are added to the residual, [token][embedding].
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
  /// The number of bytes that this thread has written to other teams' memory so far.
  let crossed: UnsafeMutablePointer<Int>
  /// Residual and normalised residual of small steps.
  let residual: Rows
  let normed: Columns
  /// Room for two rows of anything.
  let column: Row
  let column2: Row
  /// Saved residuals of small steps, and the weights of their mixture.
  let residuals: Rows
  let residualScores: Row
  /// The weights with which tokens of small steps read and write several streams.
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

/// What a model keeps in memory in addition to its weights, and where.
///
/// The same code measures the memory before any weight is read, and later finds its pieces. So whatever was measured to fit does
/// fit.
struct PassLayout {
  let sizes: PassSizes
  let state: StateSizes
  let teams: TeamPlan
  /// The largest number of tokens in a sequence.
  let contextLength: Int
  private let weights: ModelWeights
  /// The number of elements in all of the model's vectors, of which each team has a copy.
  let vectorLength: Int
  /// Bytes of one team's buffers: those of all layers, followed by outputs at `outputOffset` and the parts' buffers at
  /// `partsOffset`. They are the same for all teams.
  let outputOffset: Int
  let partsOffset: Int
  let teamByteCount: Int
  /// Bytes of one thread's buffers: those of all layers, followed by the parts'.
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
      // No more than a sequence can fill.
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

  /// Bytes for each node, in whole pages, as they are allocated.
  var byteCounts: [Int: Int] {
    var counts: [Int: Int] = [:]
    for (index, team) in teams.teams.enumerated() {
      counts[team.node, default: 0] += NodeMemory.wholePages(scratchByteCount(team: index) + stateByteCount(team: index))
    }
    if let first = teams.teams.first { counts[first.node, default: 0] += NodeMemory.wholePages(tableByteCount) }
    return counts
  }

  /// Bytes of the tables that all threads read, and of logits or hidden states; they are on the first team's node.
  var tableByteCount: Int { Arena.measure { _ = tables(&$0) } }

  /// Returns the bytes of a team's buffers, of its threads' buffers, and of its copy of the vectors.
  func scratchByteCount(team: Int) -> Int {
    teamByteCount + teams.teams[team].cpus.count * threadByteCount + (vectorLength * 4 + 63) & ~63
  }

  /// Returns the bytes of what a team keeps of all sequences.
  func stateByteCount(team: Int) -> Int { stateOffsets(team: team).last ?? 0 }

  /// Returns where each layer's state begins in the team's memory for states, followed by the end of the last one.
  func stateOffsets(team: Int) -> [Int] {
    weights.layers.reduce(into: [0]) { offsets, layer in
      let byteCount = Arena.measure { _ = layer.mixer?.part.takeState(&$0, state, team: team, teamCount: teams.teams.count) }
      offsets.append(offsets[offsets.count - 1] + byteCount)
    }
  }

  /// Returns what a team keeps of each sequence, in the order of layers.
  ///
  /// - Parameter bases: The address of each layer's state.
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

/// The tables that all threads read: pointers into one allocation.
struct PassTables {
  let layers: UnsafeMutablePointer<Layer>
  let rotations: UnsafeMutablePointer<Rotation>
  /// Angles at position 1, [rotary embedding][pair].
  let frequencies: UnsafeMutablePointer<Double>
  /// The addresses of each team's and each thread's buffers, and of each team's vectors.
  let teams: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let threads: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let vectors: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// The address of each layer's state, [team][layer].
  let states: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let step: Step
  /// Logits and hidden states share their memory: a step has one or the other.
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
