// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Inference
import Tokenization

/// An answer in progress: how its tokens are chosen, and its tokens so far.
///
/// It proceeds exactly like `Generator`, so the same request gives the same tokens alone and among others.
struct Answer {
  let ticket: Ticket
  private let tokenizer: Tokenizer
  private var sampler: Sampler
  private let constraint: AnswerConstraint?
  private var stream: TokenStream
  private var stops: StopMatcher
  /// The hidden states that become the prompt's embedding; nil if an answer is wanted.
  var pool: StatePool?

  /// The number of the prompt's tokens that were already known.
  let cached: Int
  /// The number of the prompt's tokens that the sequence holds.
  var read: Int
  /// The token that was chosen last and must be computed next; nil while the prompt is read.
  private(set) var next: Int32?
  private var count = 0
  private let begun = ContinuousClock.now
  private var firstToken: ContinuousClock.Instant?

  init(_ ticket: Ticket, cached: Int, model: Model, _ tokenizer: Tokenizer, _ vocabulary: AnswerConstraint.Vocabulary) {
    let request = ticket.request
    self.ticket = ticket
    self.tokenizer = tokenizer
    self.cached = cached
    read = cached
    sampler = Sampler(request.sampling, vocabularySize: model.vocabularySize)
    constraint = request.grammar.map { AnswerConstraint($0, vocabulary) }
    stream = TokenStream(tokenizer, shown: request.shownControl)
    stops = StopMatcher(request.stopStrings)
    pool = request.pooling.map(StatePool.init)
  }

  /// The prompt.
  var prompt: [Int32] { ticket.request.prompt }

  /// Whether the whole prompt has been read.
  var isWriting: Bool { next != nil }

  /// The number of the answer's tokens so far.
  var written: Int { count }

  /// Seconds from submission to the first token; nil before it.
  var promptSeconds: Double? { firstToken.map { ($0 - ticket.submitted) / .seconds(1) } }

  /// Chooses the next token and sends it.
  ///
  /// - Parameters:
  ///   - length: The number of tokens in the sequence.
  ///   - contextLength: The largest number of tokens in the sequence.
  /// - Returns: The last event, if the answer ends with this token.
  mutating func choose(_ logits: Span<Float>, length: Int, contextLength: Int) -> AnswerEvent? {
    if firstToken == nil {
      firstToken = .now
      sampler.accept(prompt: prompt)
    }
    guard let token = sampler.sample(logits, within: constraint) else {
      // The logits may be finite while the vocabulary cannot write what the grammar allows, or biases forbid every token.
      guard constraint != nil || !ticket.request.sampling.logitBias.isEmpty, Sampler.likeliest(logits) != nil else {
        return .failed(.model(.noFiniteLogit))
      }
      return finish(.noToken)
    }
    next = token
    count += 1
    sampler.accept(token)
    var event = AnswerToken(id: token, text: "")
    if let wanted = ticket.request.likeliestCount {
      (event.probability, event.likeliest) = TokenProbability.predictions(logits, chosen: token, likeliest: wanted)
    }
    if !ticket.request.ignoresEnd, tokenizer.isEndOfGeneration(token) { return finish(.endOfText) }
    constraint?.accept(token)
    event.text = stops.append(stream.append(token))
    ticket.send(.token(event))
    if constraint?.mustEnd == true { return finish(.endOfText) }
    if stops.isStopped { return finish(.stopString) }
    if ticket.isCancelled { return finish(.interrupted) }
    if let maximum = ticket.request.maximumTokens, count >= maximum { return finish(.length) }
    if length >= contextLength { return finish(.context) }
    return nil
  }

  /// Sends the embedding of the prompt, which must have been read.
  ///
  /// - Returns: The last event.
  mutating func embed() -> AnswerEvent {
    guard let embedding = pool?.embedding else { return .failed(.model(.noFiniteLogit)) }
    ticket.send(.embedding(embedding))
    return finish(.endOfText)
  }

  /// Ends the answer early. A request for an embedding then gets none.
  mutating func interrupt() -> AnswerEvent { pool == nil ? finish(.interrupted) : .failed(.closing) }

  /// Ends the answer: sends the text that was held back, and returns the last event.
  mutating func finish(_ reason: StopReason) -> AnswerEvent {
    let rest = stops.append(stream.finish()) + stops.finish()
    if !rest.isEmpty { ticket.send(.token(AnswerToken(id: nil, text: rest))) }
    let first = firstToken ?? .now
    return .finished(
      AnswerSummary(
        reason: reason, promptTokens: prompt.count, cachedTokens: cached, answerTokens: count,
        isComplete: constraint?.isComplete ?? true, waitingSeconds: (begun - ticket.submitted) / .seconds(1),
        promptSeconds: (first - begun) / .seconds(1), answerSeconds: (.now - first) / .seconds(1)))
  }
}
