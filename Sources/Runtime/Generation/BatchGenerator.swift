/// Continues many prompts, several of them in each step, which reads the weights once for all.
public struct BatchGenerator {
  /// One prompt's answer.
  public struct Answer: Sendable {
    /// Its number among the prompts.
    public var prompt: Int
    /// What the model said.
    public var text: String
    /// Tokens of it.
    public var tokenCount: Int
    /// Why it ended.
    public var reason: StopReason
  }

  /// A prompt under way.
  private struct Active {
    let prompt: Int
    let sequence: Int
    var next: Int32
    var sampler: Sampler
    var stream: TokenStream
    var stops: StopMatcher
    var text = ""
    var count = 0
    var reason: StopReason?
  }

  /// Who answers.
  public let model: Model
  /// Its vocabulary.
  public let tokenizer: Tokenizer
  /// Tokens of an answer at most; nil: until the model or the context ends it.
  public var maximumTokens: Int?
  /// Texts that end an answer.
  public var stopStrings: [String] = []
  /// Whether to go on after the model's end tokens.
  public var ignoresEnd = false

  /// As many prompts at a time as `model` keeps sequences.
  public init(_ model: Model, _ tokenizer: Tokenizer) {
    self.model = model
    self.tokenizer = tokenizer
  }

  /// Continues each prompt as it would be alone, and hands each answer to `body` when it is complete.
  ///
  /// - Throws: `ModelError.contextFull` if a prompt does not fit, before its turn begins.
  public func run(
    _ prompts: [[Int32]], sampling: SamplingOptions, isInterrupted: () -> Bool, _ body: (Answer) -> Void
  ) throws(ModelError) {
    var waiting = prompts.indices.makeIterator()
    var free = Array((0..<model.sequenceCount).reversed())
    var active: [Active] = []
    while true {
      while let sequence = free.last, !isInterrupted(), let prompt = waiting.next() {
        free.removeLast()
        active.append(try begin(prompts[prompt], number: prompt, sequence, sampling))
      }
      if active.isEmpty { return }
      for index in active.indices { advance(&active[index], isInterrupted()) }
      for done in active where done.reason != nil {
        free.append(done.sequence)
        body(Answer(prompt: done.prompt, text: done.text, tokenCount: done.count, reason: done.reason ?? .length))
      }
      active.removeAll { $0.reason != nil }
      if active.isEmpty { continue }
      try step(&active)
    }
  }

  private func begin(
    _ prompt: [Int32], number: Int, _ sequence: Int, _ sampling: SamplingOptions
  ) throws(ModelError) -> Active {
    var sampler = Sampler(sampling, vocabularySize: model.vocabularySize)
    for token in prompt { sampler.accept(token) }
    model.truncate(sequence, to: 0)
    var next: Int32?
    try model.append(prompt, to: sequence) { _, logits in next = sampler.sample(logits.span) }
    guard let next else { throw .nonsense }
    return Active(
      prompt: number, sequence: sequence, next: next, sampler: sampler, stream: TokenStream(tokenizer),
      stops: StopMatcher(stopStrings))
  }

  /// Takes the token that was chosen last into the answer.
  private func advance(_ active: inout Active, _ isInterrupted: Bool) {
    active.sampler.accept(active.next)
    active.count += 1
    if !ignoresEnd, tokenizer.isEndOfGeneration(active.next) {
      active.reason = .endOfText
    } else {
      active.text += active.stops.append(active.stream.append(active.next))
      if active.stops.isStopped {
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

  private func step(_ active: inout [Active]) throws(ModelError) {
    var chosen: [Int32?] = Array(repeating: nil, count: active.count)
    let tokens = active.map { (sequence: $0.sequence, token: $0.next) }
    var all = active
    try model.step(tokens) { index, logits in chosen[index] = all[index].sampler.sample(logits.span) }
    for (index, token) in chosen.enumerated() {
      guard let token else { throw .nonsense }
      all[index].next = token
    }
    active = all
  }
}
