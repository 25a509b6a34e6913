// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Tokenization
import Inference

/// Why an answer ended.
public enum StopReason: String, Sendable {
  /// The model ended it, or its grammar allows nothing more.
  case endOfText = "end"
  /// It has as many tokens as were asked for.
  case length
  /// The context is full.
  case context
  /// A stop string occurred.
  case stopString = "stop"
  /// No token of the vocabulary can write what the grammar allows.
  case noToken = "no_token"
  /// The caller interrupted it.
  case interrupted
}

/// One answer, with its times and counts.
public struct GenerationResult: Sendable {
  /// Why it ended.
  public var reason: StopReason
  /// The number of the prompt's tokens that had to be computed.
  public var promptTokens: Int
  /// The tokens of the answer.
  public var tokens: [Int32] = []
  /// Seconds until the first token.
  public var promptSeconds = 0.0
  /// Seconds from the first token on.
  public var decodeSeconds = 0.0
  /// Seconds, within these, spent on finding which tokens a grammar allows.
  public var constraintSeconds = 0.0
  /// The outcome of proposals; nil: there was no drafter.
  public var draft: DraftCount?
  /// Whether the answer is complete by its grammar; true without one.
  public var isComplete = true
  /// Bytes that crossed between nodes while the prompt was read.
  public var promptCrossedByteCount = 0
  /// Bytes that crossed between nodes after that.
  public var decodeCrossedByteCount = 0

  /// Prompt tokens per second.
  public var promptRate: Double { promptSeconds > 0 ? Double(promptTokens) / promptSeconds : 0 }
  /// Answer tokens per second, without the first token, which comes from the prompt.
  public var decodeRate: Double { decodeSeconds > 0 ? Double(max(0, tokens.count - 1)) / decodeSeconds : 0 }
  /// Bytes that crossed between nodes for each token computed after the prompt; nil if there was none.
  public var crossedBytesPerToken: Int? { tokens.count > 1 ? decodeCrossedByteCount / (tokens.count - 1) : nil }
}

/// Continues a sequence token by token.
public struct Generator {
  /// The model that answers.
  public let model: Model
  /// The model's vocabulary.
  public let tokenizer: Tokenizer
  /// The largest number of tokens in an answer; nil: it ends when the model ends it or the context is full.
  public var maximumTokens: Int?
  /// Texts that end an answer.
  public var stopStrings: [String] = []
  /// Control tokens that are printed.
  public var shownControl: Set<Int32> = []
  /// Whether to continue after the model's end tokens.
  public var ignoresEnd = false
  /// The constraint of answers; nil: any text.
  public var constraint: AnswerConstraint?

  /// What proposes tokens, so that one step may yield several; nil: nothing.
  public var drafter: Drafter?

  /// Makes a generator of answers without limits.
  public init(_ model: Model, _ tokenizer: Tokenizer) {
    self.model = model
    self.tokenizer = tokenizer
  }

  /// Reads `prompt` into a sequence and continues it.
  ///
  /// - Parameters:
  ///   - prompt: At least one token.
  ///   - sampler: Chooses the tokens. It is told the prompt once the prompt is read, and each token of the answer.
  ///   - isInterrupted: Asked before each step. If it returns true before the prompt is read, the sequence and the sampler are left
  ///     as they were.
  ///   - emit: Called with each token and the text that it completed; at the end with any text held back, and no token.
  /// - Throws: `ModelError.contextFull` if the prompt does not fit; `noFiniteLogit` if the model computes no usable numbers.
  public func run(
    prompt: [Int32], sequence: Int = 0, sampler: inout Sampler, isInterrupted: () -> Bool,
    emit: (_ token: Int32?, _ text: String) -> Void
  ) throws(ModelError) -> GenerationResult {
    var result = GenerationResult(reason: .length, promptTokens: prompt.count)
    guard !prompt.isEmpty, maximumTokens != 0 else { return result }
    var next: Int32?
    var hasNumbers = true
    if drafter != nil { result.draft = DraftCount() }
    constraint?.reset()
    func choose(_ logits: Span<Float>, _ sampler: inout Sampler) {
      next = sampler.sample(logits, within: constraint)
      if next == nil { hasNumbers = Sampler.likeliest(logits) != nil }
    }
    let clock = ContinuousClock()
    let start = clock.now
    let crossedBefore = model.crossedByteCount
    let isRead = try model.read(prompt, into: sequence, isInterrupted: isInterrupted) { _, logits in
      sampler.accept(prompt: prompt)
      for token in prompt { drafter?.note(token) }
      choose(logits, &sampler)
    }
    guard isRead else {
      result.reason = .interrupted
      return result
    }
    let decodeStart = clock.now
    result.promptSeconds = (decodeStart - start) / .seconds(1)
    result.promptCrossedByteCount = model.crossedByteCount - crossedBefore
    var stream = TokenStream(tokenizer, shown: shownControl)
    var stops = StopMatcher(stopStrings)
    /// Adds a token that was chosen after `length` tokens, and returns the reason if the answer ends with it.
    func take(_ token: Int32, after length: Int, _ sampler: inout Sampler) -> StopReason? {
      result.tokens.append(token)
      sampler.accept(token)
      drafter?.note(token)
      if !ignoresEnd, tokenizer.isEndOfGeneration(token) { return .endOfText }
      constraint?.accept(token)
      emit(token, stops.append(stream.append(token)))
      if constraint?.mustEnd == true { return .endOfText }
      return reasonToStop(result, stops, length, isInterrupted)
    }
    // The tokens of a step: the one that was chosen, followed by proposals.
    var (step, draft): ([Int32], [Int32]) = ([], [])
    while true {
      let length = model.length(of: sequence)
      guard let token = next else {
        // The logits may be finite while the vocabulary cannot write what the grammar allows.
        guard constraint != nil, hasNumbers else { throw .noFiniteLogit }
        result.reason = .noToken
        break
      }
      var reason = take(token, after: length, &sampler)
      if reason == nil {
        try drafter?.propose(draftLimit(result, length), after: sequence, into: &draft)
        step.removeAll(keepingCapacity: true)
        step.append(token)
        step.append(contentsOf: draft)
        var (accepted, isOpen) = (0, true)
        try model.read(step, into: sequence, logitsFrom: 0, tentative: draft.count) { position, logits in
          guard isOpen else { return }
          choose(logits, &sampler)
          isOpen = false
          guard accepted < draft.count, next == draft[accepted] else { return }
          reason = take(draft[accepted], after: position + 1, &sampler)
          guard reason == nil else { return }
          accepted += 1
          isOpen = true
        }
        if draft.count > accepted { model.truncate(sequence, to: length + 1 + accepted) }
        if let drafter {
          drafter.note(proposed: draft.count, accepted: accepted)
          result.draft?.note(proposed: draft.count, accepted: accepted)
        }
      }
      if let reason {
        result.reason = reason
        break
      }
    }
    result.decodeSeconds = (clock.now - decodeStart) / .seconds(1)
    result.decodeCrossedByteCount = model.crossedByteCount - crossedBefore - result.promptCrossedByteCount
    if let constraint {
      result.isComplete = constraint.isComplete
      result.constraintSeconds = constraint.seconds
    }
    let rest = stops.append(stream.finish()) + stops.finish()
    if !rest.isEmpty { emit(nil, rest) }
    return result
  }

  private func reasonToStop(
    _ result: GenerationResult, _ stops: StopMatcher, _ length: Int, _ isInterrupted: () -> Bool
  ) -> StopReason? {
    if stops.isStopped { return .stopString }
    if isInterrupted() { return .interrupted }
    if let maximumTokens, result.tokens.count >= maximumTokens { return .length }
    if length >= model.contextLength { return .context }
    return nil
  }

  /// Returns the largest number of proposals after `length` tokens for which answer, context and step have room.
  private func draftLimit(_ result: GenerationResult, _ length: Int) -> Int {
    let left = maximumTokens.map { $0 - result.tokens.count } ?? .max
    return min(min(left, model.contextLength - length, model.logitRows, model.batchSize) - 1, model.mostTentativeTokens)
  }
}
