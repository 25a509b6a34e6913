// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Inference
import Synchronization
import Tokenization

/// The options of serving.
public struct ServingOptions: Sendable {
  /// The largest number of requests that wait while all slots are taken.
  public var queueLimit = 256
  /// The part of the time for reading prompts while answers are written, above 0 and below 1.
  public var promptShare = 0.5

  /// The largest number of bytes for prefixes of prompts in memory in addition to the slots, for all models together; 0: none are
  /// kept.
  public var cacheByteCount = 0
  /// The store in which prefixes of prompts outlive the server; nil: none.
  public var store: PrefixStore?
  /// Called with lines for the log.
  public var log: @Sendable (String) -> Void = { _ in }

  /// Makes options with the defaults.
  public init() {}
}

/// Answers requests of any number of callers with the models of a group.
///
/// Any thread may submit requests. The thread that calls `run` owns the models until `run` returns. Sequences join and leave at
/// every step, and prompts are read in chunks between the steps. If the group has a model for each node, a request goes to the
/// model with the fewest requests.
public final class Scheduler: Sendable {
  /// The largest number of tokens in a sequence.
  public let contextLength: Int
  /// The number of tokens in the vocabulary.
  public let vocabularySize: Int
  /// What has been done so far.
  public let counters = ServingCounters()
  /// What each slot is doing.
  public let slots: [SlotStatus]
  /// The number and duration of steps, for each of the group's models.
  public let times: [StepTime]

  let options: ServingOptions
  private let tokenizer: Tokenizer
  private let vocabulary: AnswerConstraint.Vocabulary
  private let inboxes: [Inbox]
  private let isEnding = Atomic<Bool>(false)

  /// Makes a scheduler for the models of `group`, which must also be passed to `run`.
  public init(_ group: ModelGroup, _ tokenizer: Tokenizer, options: ServingOptions = ServingOptions()) {
    contextLength = group.models[0].contextLength
    vocabularySize = group.models[0].vocabularySize
    self.options = options
    self.tokenizer = tokenizer
    vocabulary = AnswerConstraint.Vocabulary(tokenizer)
    inboxes = group.models.map { _ in Inbox() }
    slots = (0..<group.sequenceCount).map { _ in SlotStatus() }
    times = group.models.map { _ in StepTime() }
  }

  /// The number of requests that are being answered.
  public var runningCount: Int { slots.count { $0.phase != .idle } }

  /// The number of requests that are waiting.
  public var waitingCount: Int { inboxes.reduce(0) { $0 + $1.waitingCount } }

  /// The number of requests that have not ended, waiting or not.
  public var unfinishedCount: Int { inboxes.reduce(0) { $0 + $1.load } }

  /// Puts a request in the queue.
  ///
  /// - Returns: The events of the answer, up to the last one. If the stream is cancelled, so is the request.
  /// - Throws: `ServingError` if there will be no answer.
  public func submit(_ request: AnswerRequest) throws(ServingError) -> AsyncStream<AnswerEvent> {
    guard !request.prompt.isEmpty else { throw .emptyPrompt }
    guard request.prompt.count <= contextLength else {
      throw .contextFull(tokens: request.prompt.count, contextLength: contextLength)
    }
    if let token = request.prompt.first(where: { !(0..<Int32(clamping: vocabularySize)).contains($0) }) {
      throw .tokenOutOfRange(token: Int(token), vocabularySize: vocabularySize)
    }
    guard unfinishedCount < slots.count + options.queueLimit else { throw .queueFull(limit: options.queueLimit) }
    let (stream, events) = AsyncStream.makeStream(of: AnswerEvent.self)
    let ticket = Ticket(request, events)
    events.onTermination = { if case .cancelled = $0 { ticket.cancel() } }
    guard let inbox = inboxes.min(by: { $0.load < $1.load }), inbox.put(ticket) else { throw .closing }
    return stream
  }

  /// Answers requests until `close` or `end` is called: on the calling thread, or, if there are several models, on one thread of
  /// each model's node.
  public func run(_ group: ModelGroup) throws(ModelError) {
    var firstSlot = 0
    let firstSlots = group.models.map { model in
      defer { firstSlot += model.sequenceCount }
      return firstSlot
    }
    options.store?.scan(for: group.models[0])
    var options = options
    options.cacheByteCount /= group.models.count
    try group.forEachModel { model throws(ModelError) in
      guard let index = group.models.firstIndex(where: { $0 === model }) else { return }
      let own = Array(slots[firstSlots[index]..<firstSlots[index] + model.sequenceCount])
      Lane(model, tokenizer, vocabulary, inboxes[index], own, counters, times[index], options) { [self] in
        isEnding.load(ordering: .relaxed)
      }.run()
    }
    options.store?.finish()
  }

  /// Accepts no more requests. `run` returns after the accepted ones have been answered.
  public func close() {
    for inbox in inboxes { inbox.close() }
  }

  /// Accepts no more requests, and ends the accepted ones.
  public func end() {
    isEnding.store(true, ordering: .relaxed)
    close()
  }
}
