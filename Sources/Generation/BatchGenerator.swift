// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Grammar
import Inference
import Synchronization
import Tokenization

/// Continues many prompts, several in each step, so that the weights are read once for all of them.
public struct BatchGenerator {
  /// The answer to one prompt.
  public struct Answer: Sendable {
    /// The index of its prompt.
    public var prompt: Int
    /// The text of the answer.
    public var text: String
    /// The number of its tokens.
    public var tokenCount: Int
    /// Why it ended.
    public var reason: StopReason
    /// Whether it is complete by its grammar; true without one.
    public var isComplete: Bool
  }

  /// A prompt that is being answered.
  private struct Active {
    let prompt: Int
    let sequence: Int
    /// The token that was chosen last; nil: no token of the vocabulary can write what the grammar allows.
    var next: Int32?
    var sampler: Sampler
    var stream: TokenStream
    var stops: StopMatcher
    let constraint: AnswerConstraint?
    var text = ""
    var count = 0
    var reason: StopReason?
  }

  /// The models that answer.
  public let group: ModelGroup
  /// The models' vocabulary.
  public let tokenizer: Tokenizer
  /// The largest number of tokens in an answer; nil: it ends when the model ends it or the context is full.
  public var maximumTokens: Int?
  /// Texts that end an answer.
  public var stopStrings: [String] = []
  /// Whether to continue after the model's end tokens.
  public var ignoresEnd = false
  /// The grammar of each answer, and the vocabulary for it; nil: any text.
  public var constraint: (grammar: Grammar, vocabulary: AnswerConstraint.Vocabulary)?

  /// Makes a generator that answers as many prompts at a time as `group` keeps sequences.
  public init(_ group: ModelGroup, _ tokenizer: Tokenizer) {
    self.group = group
    self.tokenizer = tokenizer
  }

  /// The index of the next prompt that has not been started, shared by all models.
  private final class Queue: Sendable {
    private let next = Atomic<Int>(0)

    func take(of count: Int) -> Int? {
      let index = next.add(1, ordering: .relaxed).oldValue
      return index < count ? index : nil
    }
  }

  /// Continues each prompt as if it were alone, and hands each complete answer to `body`, one at a time.
  ///
  /// - Parameters:
  ///   - prompts: Prompts of at least one token each.
  ///   - isInterrupted: Asked before each step, from several threads if the group has several models.
  /// - Throws: `ModelError.contextFull` if a prompt does not fit, before anything is computed.
  public func run(
    _ prompts: [[Int32]], sampling: SamplingOptions, isInterrupted: () -> Bool, _ body: (Answer) -> Void
  ) throws(ModelError) {
    let contextLength = group.models[0].contextLength
    for prompt in prompts where prompt.count > contextLength {
      throw .contextFull(tokens: prompt.count, contextLength: contextLength)
    }
    let queue = Queue()
    let output = Mutex<Void>(())
    try group.forEachModel { model throws(ModelError) in
      try serve(model, prompts, queue, sampling, isInterrupted) { answer in output.withLock { _ in body(answer) } }
    }
  }

  /// Answers prompts of the queue with one model until none are left.
  private func serve(
    _ model: Model, _ prompts: [[Int32]], _ queue: Queue, _ sampling: SamplingOptions, _ isInterrupted: () -> Bool,
    _ body: (Answer) -> Void
  ) throws(ModelError) {
    var free = Array((0..<model.sequenceCount).reversed())
    var active: [Active] = []
    while true {
      while let sequence = free.last, !isInterrupted(), let prompt = queue.take(of: prompts.count) {
        guard let begun = try begin(model, prompts[prompt], number: prompt, sequence, sampling, isInterrupted) else { break }
        free.removeLast()
        active.append(begun)
      }
      if active.isEmpty { return }
      for index in active.indices { advance(&active[index], model, isInterrupted()) }
      for done in active {
        guard let reason = done.reason else { continue }
        free.append(done.sequence)
        body(
          Answer(
            prompt: done.prompt, text: done.text, tokenCount: done.count, reason: reason,
            isComplete: done.constraint?.isComplete ?? true))
      }
      active.removeAll { $0.reason != nil }
      if active.isEmpty { continue }
      try step(model, &active)
    }
  }

  /// Reads a prompt into a sequence; returns nil if it was interrupted.
  private func begin(
    _ model: Model, _ prompt: [Int32], number: Int, _ sequence: Int, _ sampling: SamplingOptions, _ isInterrupted: () -> Bool
  ) throws(ModelError) -> Active? {
    var sampler = Sampler(sampling, vocabularySize: model.vocabularySize)
    let constraint = constraint.map { AnswerConstraint($0.grammar, $0.vocabulary) }
    model.truncate(sequence, to: 0)
    var next: Int32?
    guard
      try model.read(
        prompt, into: sequence, isInterrupted: isInterrupted,
        { _, logits in next = sampler.sample(logits, after: prompt, within: constraint) })
    else { return nil }
    // With a grammar, it may be the vocabulary that cannot write what the grammar allows.
    guard next != nil || constraint != nil else { throw .noFiniteLogit }
    return Active(
      prompt: number, sequence: sequence, next: next, sampler: sampler, stream: TokenStream(tokenizer),
      stops: StopMatcher(stopStrings), constraint: constraint)
  }

  /// Adds the token that was chosen last to the answer, and notes if the answer ends with it.
  private func advance(_ active: inout Active, _ model: Model, _ isInterrupted: Bool) {
    guard let token = active.next else {
      active.reason = .noToken
      active.text += active.stops.append(active.stream.finish()) + active.stops.finish()
      return
    }
    active.sampler.accept(token)
    active.count += 1
    if !ignoresEnd, tokenizer.isEndOfGeneration(token) {
      active.reason = .endOfText
    } else {
      active.constraint?.accept(token)
      active.text += active.stops.append(active.stream.append(token))
      if active.constraint?.mustEnd == true {
        active.reason = .endOfText
      } else if active.stops.isStopped {
        active.reason = .stopString
      } else if isInterrupted {
        active.reason = .interrupted
      } else if let maximumTokens, active.count >= maximumTokens {
        active.reason = .length
      } else if model.length(of: active.sequence) >= model.contextLength {
        active.reason = .context
      }
    }
    if active.reason != nil { active.text += active.stops.append(active.stream.finish()) + active.stops.finish() }
  }

  /// Computes the next token of each prompt in `active`.
  private func step(_ model: Model, _ active: inout [Active]) throws(ModelError) {
    let tokens = active.compactMap { prompt in prompt.next.map { (sequence: prompt.sequence, token: $0) } }
    var hasNoFiniteLogit = false
    // Each sampler is changed in place, because copying one would copy a row as long as the vocabulary.
    try model.advance(tokens) { index, logits in
      active[index].next = active[index].sampler.sample(logits, within: active[index].constraint)
      if active[index].next == nil, active[index].constraint == nil { hasNoFiniteLogit = true }
    }
    if hasNoFiniteLogit { throw .noFiniteLogit }
  }
}
