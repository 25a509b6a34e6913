// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat
import PackRuntime

/// A model ready to compute: its graph, its weights where they lie, and its sequences' keys and values.
///
/// Not to be used from several threads at once; it wakes the teams' threads itself.
public final class Model {
  /// What the metadata says.
  public let configuration: ModelConfiguration
  /// Entries of the vocabulary, which is the length of a row of logits.
  public let vocabularySize: Int
  /// Tokens that each sequence may have.
  public let contextLength: Int
  /// Tokens computed together at most.
  public let batchSize: Int
  /// Positions of one step whose logits can be asked for at most.
  public let logitRows: Int
  /// Sequences kept at the same time.
  public let sequenceCount: Int
  /// Tokens at the end of a sequence that `truncate` takes back exactly, if they were appended as tentative.
  public let mostTentativeTokens: Int
  /// Whether it can `predict`.
  public var predicts: Bool { pass.prediction != nil }
  /// The name of the kernels' instruction set.
  public let kernelsName: String

  private var lengths: [Int]
  /// The positions of which it is kept what their tokens became, for the prediction layer.
  private var hidden: [Range<Int>]
  var checkpoints: [Checkpoints]
  let teams: Teams
  /// What each team keeps of each sequence.
  let statePieces: [[StatePiece]]
  /// How keys and values are kept, as it was asked for.
  let cacheType: CacheType
  /// States that a sequence has at most, copies included.
  let mostStates: Int
  let history: History
  private let weights: ModelWeights
  private let memory: PassMemory
  private var pass: Pass
  /// Where other processes see how far this model is; nil where nothing is shown.
  package var counter: StepCounter?

  /// Finds the weights of the model that `metadata` describes and makes room for its sequences.
  ///
  /// - Parameter replica: The team of `source` whose replica is read, by `teams` with one team; nil: `teams` are those of `source`.
  public init(
    metadata: GGUFMetadata, weights source: MappedPack, replica: Int? = nil, teams: Teams, options: ModelOptions = ModelOptions()
  ) throws(ModelError) {
    let configuration = try ModelConfiguration(metadata, predicts: options.predicts)
    let kernels = try Model.kernels(options)
    let table = replica.map { source.table(ofReplica: $0) } ?? source.table
    var binder = WeightBinder(table, kernels: kernels, teamCount: teams.teamCount)
    let weights = try ModelWeights(configuration, &binder)
    let limits = try ModelLimits(configuration, options, vocabularySize: weights.vocabularySize)
    self.configuration = configuration
    self.teams = teams
    vocabularySize = weights.vocabularySize
    (contextLength, batchSize, logitRows) = (
      limits.contextLength, limits.batchSize, limits.logitRows
    )
    sequenceCount = options.sequenceCount
    kernelsName = kernels.name
    lengths = Array(repeating: 0, count: options.sequenceCount)
    hidden = Array(repeating: 0..<0, count: options.sequenceCount)
    let layout = PassLayout(configuration, weights, limits, options, teams: teams.plan, vectorLength: binder.vectorLength)
    checkpoints = Array(repeating: Checkpoints(layout.state, weights.history), count: options.sequenceCount)
    mostTentativeTokens = weights.history == .state ? options.tentativeCount : .max
    do {
      memory = try PassMemory(layout, configuration, weights, binder, teams: teams, source: source, table: table)
    } catch .runtime(.shortage(let nodes)) {
      throw .noRoom(nodes, contextLength: contextLength, sequenceCount: sequenceCount)
    }
    self.weights = weights
    (statePieces, history) = (memory.statePieces, weights.history)
    (cacheType, mostStates) = (options.cacheType, layout.state.stateCount)
    pass = memory.pass(configuration, weights, kernels)
  }

  /// The kernels of the instruction set asked for.
  private static func kernels(_ options: ModelOptions) throws(ModelError) -> Kernels {
    guard let kernels = Kernels(named: options.kernels) else {
      throw .unknownKernels(name: options.kernels ?? "auto", available: availableKernels)
    }
    return kernels
  }

  /// Bytes by node that a model will take in addition to its weights, which need not be in memory yet: only `table`'s shapes are read.
  ///
  /// - Throws: What would keep the model from being made, as far as it shows without the weights.
  package static func byteCounts(
    metadata: GGUFMetadata, table: WeightTable, teams: TeamPlan, options: ModelOptions
  ) throws(ModelError) -> [Int: Int] {
    let configuration = try ModelConfiguration(metadata, predicts: options.predicts)
    var binder = WeightBinder(table, kernels: try kernels(options), teamCount: teams.teams.count, readsWeights: false)
    let weights = try ModelWeights(configuration, &binder)
    let limits = try ModelLimits(configuration, options, vocabularySize: weights.vocabularySize)
    return PassLayout(configuration, weights, limits, options, teams: teams, vectorLength: binder.vectorLength).byteCounts
  }

  /// Instruction sets whose kernels this processor runs, best first.
  public static var availableKernels: [String] { Kernels.available }

  /// Bytes of all sequences' keys and values, on all nodes.
  public var cacheByteCount: Int { memory.stateByteCount }

  /// Bytes of activations and scratch, on all nodes.
  public var scratchByteCount: Int { memory.scratchByteCount }

  /// Where the kernel says that each node's KV cache and activations are.
  public var placements: [NodeMemoryPlacement] { memory.placements }

  /// Bytes of activations that went from one node to another so far, and of embedding rows read from another.
  public var crossedByteCount: Int { memory.crossedByteCount }

  /// Tokens of a sequence so far.
  public func length(of sequence: Int) -> Int { lengths[sequence] }

  /// Makes a sequence's tokens others than they were.
  func setLength(_ length: Int, of sequence: Int) { (lengths[sequence], hidden[sequence]) = (length, 0..<0) }

  /// The tokens that `truncate` would leave.
  public func restart(_ sequence: Int, at length: Int) -> Int {
    checkpoints[sequence].restart(at: max(0, length), length: lengths[sequence])
  }

  /// Forgets a sequence's tokens from position `length` on.
  ///
  /// - Returns: The tokens that are left. Fewer than `length` where a layer's state cannot be cut back so far: the caller appends
  ///   those after them again.
  @discardableResult
  public func truncate(_ sequence: Int, to length: Int) -> Int {
    lengths[sequence] = checkpoints[sequence].cut(at: max(0, length), length: lengths[sequence])
    return lengths[sequence]
  }

  /// Appends `tokens` to a sequence, in steps of at most `batchSize`, and hands each wanted position's logits to `body`, in order.
  ///
  /// - Parameters:
  ///   - first: The first of `tokens` whose logits are wanted, with all after it; nil: the last one's only.
  ///   - tentative: How many of `tokens`, at the end, may be taken back soon: `mostTentativeTokens` at most.
  ///   - isInterrupted: Asked before each step. If it says so, the sequence is left as it was.
  ///   - body: Called with the position and a row of `vocabularySize` logits, which is good until it returns.
  /// - Returns: False if it was interrupted.
  /// - Throws: `contextFull` before anything is computed, `tokenOutOfRange` in the same way.
  @discardableResult
  public func append(
    _ tokens: [Int32], to sequence: Int = 0, logitsFrom first: Int? = nil, tentative: Int = 0,
    isInterrupted: () -> Bool = { false },
    _ body: (_ position: Int, _ logits: UnsafeBufferPointer<Float>) -> Void
  ) throws(ModelError) -> Bool {
    try check(tokens, sequence)
    let firstWanted = first ?? tokens.count - 1
    let lengthBefore = lengths[sequence]
    var begin = 0
    while begin < tokens.count {
      if isInterrupted() {
        truncate(sequence, to: lengthBefore)
        return false
      }
      var count = min(batchSize, tokens.count - begin)
      // No more wanted rows than there is room for.
      if begin + count - max(begin, firstWanted) > logitRows { count = max(begin, firstWanted) - begin + logitRows }
      let position = lengths[sequence]
      place(tokens[begin..<begin + count], at: position)
      // Only an append of several steps can be interrupted between them.
      memory.step.runs[0] = checkpoints[sequence].run(
        of: sequence, begin: 0, count: count, length: position, saves: begin == 0 && count < tokens.count,
        tentative: max(0, min(count, begin + count + tentative - tokens.count)))
      noteHidden(of: 0, length: position)
      let skipped = min(count, max(0, firstWanted - begin))
      for index in skipped..<count { memory.step.wanted[index - skipped] = Int32(index) }
      compute(count: count, runs: 1, wanted: count - skipped)
      lengths[sequence] += count
      for index in skipped..<count { body(position + index, logits(index - skipped)) }
      begin += count
    }
    return true
  }

  /// Appends `tokens` to a sequence, and hands each one's hidden state to `body`, in order: the residual after the last norm, which logits are
  /// computed from. No logits are.
  ///
  /// - Parameter body: Called with the position and as many floats as the model's embeddings have, which are good until it returns.
  /// - Throws: `contextFull` before anything is computed, `tokenOutOfRange` in the same way.
  public func appendForHidden(
    _ tokens: [Int32], to sequence: Int = 0, _ body: (_ position: Int, _ state: UnsafeBufferPointer<Float>) -> Void
  ) throws(ModelError) {
    try check(tokens, sequence)
    var begin = 0
    while begin < tokens.count {
      let (count, position) = (min(batchSize, memory.hidden.count, tokens.count - begin), lengths[sequence])
      place(tokens[begin..<begin + count], at: position)
      memory.step.runs[0] = checkpoints[sequence].run(of: sequence, begin: 0, count: count, length: position)
      noteHidden(of: 0, length: position)
      compute(count: count, runs: 1, wanted: 0, wantsHidden: true)
      lengths[sequence] += count
      for index in 0..<count {
        body(position + index, UnsafeBufferPointer(start: memory.hidden[index].start, count: memory.hidden.length))
      }
      begin += count
    }
  }

  /// Makes tokens the next step's, at the positions from `position` on.
  private func place(_ tokens: ArraySlice<Int32>, at position: Int) {
    for (index, token) in tokens.enumerated() {
      memory.step.tokens[index] = token
      memory.step.positions[index] = Int32(position + index)
    }
  }

  /// Appends one token to each of several sequences in one step, which reads the weights once.
  ///
  /// - Parameters:
  ///   - tokens: A sequence, each at most once, and its next token.
  ///   - body: Called with the index into `tokens` and its logits, good until it returns.
  public func step(
    _ tokens: [(sequence: Int, token: Int32)], _ body: (_ index: Int, _ logits: UnsafeBufferPointer<Float>) -> Void
  ) throws(ModelError) {
    for (sequence, token) in tokens { try check([token], sequence) }
    guard tokens.count <= min(batchSize, logitRows) else { throw .tooLarge(what: "a step of \(tokens.count) sequences") }
    for (index, (sequence, token)) in tokens.enumerated() {
      memory.step.tokens[index] = token
      memory.step.positions[index] = Int32(lengths[sequence])
      memory.step.runs[index] = checkpoints[sequence].run(of: sequence, begin: index, count: 1, length: lengths[sequence])
      noteHidden(of: index, length: lengths[sequence])
      memory.step.wanted[index] = Int32(index)
      lengths[sequence] += 1
    }
    compute(count: tokens.count, runs: tokens.count, wanted: tokens.count)
    for index in tokens.indices { body(index, logits(index)) }
  }

  /// Guesses what follows a token that is to follow a sequence, with the prediction layer alone.
  ///
  /// Neither the sequence nor what is computed of it changes.
  ///
  /// - Parameters:
  ///   - token: What is to follow the sequence and, if `offset` is not 0, so many tokens of which each was predicted from in this way.
  ///   - body: Called with a row of `vocabularySize` logits, which is good until it returns.
  /// - Precondition: The model `predicts`.
  public func predict(
    _ token: Int32, after sequence: Int = 0, offset: Int = 0, _ body: (_ logits: UnsafeBufferPointer<Float>) -> Void
  ) throws(ModelError) {
    precondition(predicts, "the model has no prediction layer")
    try check([token], sequence, offset: offset)
    let position = lengths[sequence] + offset
    (memory.step.tokens[0], memory.step.positions[0], memory.step.wanted[0]) = (token, Int32(position), 0)
    memory.step.runs[0] = SequenceRun(sequence: sequence, begin: 0, count: 1)
    noteHidden(of: 0, length: position)
    compute(count: 1, runs: 1, wanted: 1, predicts: true)
    body(logits(0))
  }

  /// Notes for a run of the next step, after so many tokens, whether it is known what the last of these became, and of which tokens it
  /// will be.
  private func noteHidden(of run: Int, length: Int) {
    let run = memory.step.runs + run
    let (known, end) = (hidden[run.pointee.sequence], length + run.pointee.count)
    run.pointee.hasHidden = known.contains(length - 1)
    let first = run.pointee.hasHidden ? known.lowerBound : length
    hidden[run.pointee.sequence] = max(first, end - PassSizes.hiddenRows)..<end
  }

  private func check(_ tokens: [Int32], _ sequence: Int, offset: Int = 0) throws(ModelError) {
    guard lengths.indices.contains(sequence) else { throw .tooLarge(what: "sequence \(sequence)") }
    guard offset >= 0, tokens.count <= contextLength - lengths[sequence] - offset else {
      throw .contextFull(tokens: lengths[sequence] + offset + tokens.count, contextLength: contextLength)
    }
    for token in tokens where !(0..<vocabularySize).contains(Int(token)) {
      throw .tokenOutOfRange(token: Int(token), vocabularySize: vocabularySize)
    }
  }

  private func compute(count: Int, runs: Int, wanted: Int, wantsHidden: Bool = false, predicts: Bool = false) {
    pass.step = memory.step
    pass.step.count = count
    pass.step.runCount = runs
    pass.step.wantedCount = wanted
    pass.step.wantsHidden = wantsHidden
    pass.step.predicts = predicts
    let pass = pass
    teams.run { worker in PassThread(pass, worker).run() }
    // Guesses are not tokens that the model has computed.
    if !predicts { counter?.add(tokens: count, answered: wanted) }
  }

  private func logits(_ row: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: memory.logits[row].start, count: vocabularySize)
  }
}
