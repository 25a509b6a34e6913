// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import GGUF
import PackFormat
import PackRuntime

/// A model ready to compute: its graph, its mapped weights, and the keys and values of its sequences.
///
/// Only one thread at a time may use it. It wakes the teams' threads itself.
public final class Model {
  /// What the metadata says about the model.
  public let configuration: ModelConfiguration
  /// The number of tokens in the vocabulary, which is the length of a row of logits.
  public let vocabularySize: Int
  /// The largest number of tokens in each sequence.
  public let contextLength: Int
  /// The largest number of tokens computed together.
  public let batchSize: Int
  /// The largest number of positions in one step whose logits can be asked for.
  public let logitRows: Int
  /// The number of sequences that are kept at the same time.
  public let sequenceCount: Int
  /// The number of tokens at the end of a sequence that `truncate` can take back exactly, if they were appended as tentative.
  public let mostTentativeTokens: Int
  /// Whether the model has a prediction layer that `predict` can use.
  public var predicts: Bool { pass.prediction != nil }
  /// The name of the kernels' instruction set.
  public let kernelsName: String

  private var lengths: [Int]
  /// The positions of each sequence whose hidden states are kept for the prediction layer.
  private var hidden: [Range<Int>]
  var checkpoints: [Checkpoints]
  let teams: Teams
  /// What each team keeps of each sequence.
  let statePieces: [[StatePiece]]
  /// The requested format of keys and values.
  let cacheType: CacheType
  /// The largest number of states of a sequence, copies included.
  let mostStates: Int
  let history: History
  private let weights: ModelWeights
  private let memory: PassMemory
  private var pass: Pass
  /// The counter in which other processes see the model's progress; nil: none.
  package var counter: StepCounter?

  /// Binds the weights of the model that `metadata` describes, and allocates memory for its sequences.
  ///
  /// - Parameter replica: The index of a team of `source`. Its replica is then read by `teams`, which must consist of one team.
  ///   Nil: `teams` are those of `source`.
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

  /// Returns the kernels of the requested instruction set.
  private static func kernels(_ options: ModelOptions) throws(ModelError) -> Kernels {
    guard let kernels = Kernels(named: options.kernels) else {
      throw .unknownKernels(name: options.kernels ?? "auto", available: availableKernels)
    }
    return kernels
  }

  /// Returns, for each node, the bytes that a model will take in addition to its weights. The weights need not be in memory yet:
  /// only the shapes in `table` are read.
  ///
  /// - Throws: What would keep the model from being made, as far as that can be seen without the weights.
  package static func byteCounts(
    metadata: GGUFMetadata, table: WeightTable, teams: TeamPlan, options: ModelOptions
  ) throws(ModelError) -> [Int: Int] {
    let configuration = try ModelConfiguration(metadata, predicts: options.predicts)
    var binder = WeightBinder(table, kernels: try kernels(options), teamCount: teams.teams.count, readsWeights: false)
    let weights = try ModelWeights(configuration, &binder)
    let limits = try ModelLimits(configuration, options, vocabularySize: weights.vocabularySize)
    return PassLayout(configuration, weights, limits, options, teams: teams, vectorLength: binder.vectorLength).byteCounts
  }

  /// The instruction sets whose kernels this processor can run, best first.
  public static var availableKernels: [String] { Kernels.available }

  /// Bytes of the keys, values and states of all sequences, on all nodes.
  public var cacheByteCount: Int { memory.stateByteCount }

  /// Bytes of activations and scratch, on all nodes.
  public var scratchByteCount: Int { memory.scratchByteCount }

  /// Where each node's KV cache and activations are, according to the kernel.
  public var placements: [NodeMemoryPlacement] { memory.placements }

  /// Bytes of activations that have gone from one node to another so far, and of embedding rows read from another node.
  public var crossedByteCount: Int { memory.crossedByteCount }

  /// Returns the number of tokens in a sequence.
  public func length(of sequence: Int) -> Int { lengths[sequence] }

  /// Sets the number of tokens in a sequence whose content has been replaced. Its hidden states are forgotten.
  func setLength(_ length: Int, of sequence: Int) { (lengths[sequence], hidden[sequence]) = (length, 0..<0) }

  /// Returns the number of tokens that `truncate` would leave.
  public func restart(_ sequence: Int, at length: Int) -> Int {
    checkpoints[sequence].restart(at: max(0, length), length: lengths[sequence])
  }

  /// Forgets a sequence's tokens from position `length` on.
  ///
  /// - Returns: The number of tokens left. It is less than `length` if a layer's state cannot be cut back to there; the caller must
  ///   then append the missing tokens again.
  @discardableResult
  public func truncate(_ sequence: Int, to length: Int) -> Int {
    lengths[sequence] = checkpoints[sequence].cut(at: max(0, length), length: lengths[sequence])
    return lengths[sequence]
  }

  /// Appends `tokens` to a sequence, in steps of at most `batchSize`, and hands the logits of each wanted position to `body`, in
  /// order.
  ///
  /// - Parameters:
  ///   - first: The index of the first of `tokens` whose logits are wanted, together with those of all after it; nil: only those of
  ///     the last.
  ///   - tentative: The number of tokens at the end that may soon be taken back; at most `mostTentativeTokens`.
  ///   - isInterrupted: Asked before each step. If it returns true, `append` stops, and the sequence is as it was before.
  ///   - body: Called with the position and a row of `vocabularySize` logits, which is valid until `body` returns.
  /// - Returns: False if it was interrupted.
  /// - Throws: `contextFull` or `tokenOutOfRange`, both before anything is computed.
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
      // There must be room for the logits of all wanted positions.
      if begin + count - max(begin, firstWanted) > logitRows { count = max(begin, firstWanted) - begin + logitRows }
      let position = lengths[sequence]
      place(tokens[begin..<begin + count], at: position)
      // The states are saved only for an append of several steps: only between steps can it be interrupted.
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

  /// Appends `tokens` to a sequence, and hands the hidden state of each to `body`, in order. No logits are computed.
  ///
  /// A hidden state is the residual after the last norm, from which logits would be computed.
  ///
  /// - Parameter body: Called with the position and a row as long as the model's embeddings, which is valid until `body` returns.
  /// - Throws: `contextFull` or `tokenOutOfRange`, both before anything is computed.
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

  /// Makes `tokens` those of the next step, at positions from `position` on.
  private func place(_ tokens: ArraySlice<Int32>, at position: Int) {
    for (index, token) in tokens.enumerated() {
      memory.step.tokens[index] = token
      memory.step.positions[index] = Int32(position + index)
    }
  }

  /// Appends one token to each of several sequences in one step, which reads the weights only once.
  ///
  /// - Parameters:
  ///   - tokens: Pairs of a sequence, each at most once, and its next token.
  ///   - body: Called with the index into `tokens` and a row of logits, which is valid until `body` returns.
  /// - Throws: `contextFull` or `tokenOutOfRange` before anything is computed; `tooLarge` if there are more sequences than a step
  ///   can hold.
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

  /// Predicts what comes after `token`, which itself would follow a sequence, using only the prediction layer.
  ///
  /// The sequence does not change, and neither does what is computed of it later.
  ///
  /// - Parameters:
  ///   - token: The token that would follow the sequence and the `offset` tokens after it.
  ///   - offset: The number of tokens after the sequence that this method has already been called with, one after another.
  ///   - body: Called with a row of `vocabularySize` logits, which is valid until `body` returns.
  /// - Precondition: `predicts` is true.
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

  /// Notes for a run of the next step, which follows `length` tokens, whether the hidden state of the last of these is kept, and
  /// which hidden states will be kept afterwards.
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
    // Predictions do not count as tokens that the model has computed.
    if !predicts { counter?.add(tokens: count, answered: wanted) }
  }

  private func logits(_ row: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: memory.logits[row].start, count: vocabularySize)
  }
}
