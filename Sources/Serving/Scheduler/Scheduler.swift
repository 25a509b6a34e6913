// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Inference
import Synchronization
import Tokenization

/// How requests are served.
public struct ServingOptions: Sendable {
  /// Requests that may wait while all slots are taken.
  public var queueLimit = 256
  /// The part of the time that reading prompts gets while answers are written, above 0 and below 1.
  public var promptShare = 0.5

  /// Bytes that prefixes of prompts may take in memory beside the slots, all models together; 0: none are kept.
  public var cacheByteCount = 0
  /// Where prefixes of prompts outlive the server; nil: nowhere.
  public var store: PrefixStore?
  /// Called with lines for the log.
  public var log: @Sendable (String) -> Void = { _ in }

  /// The usual ones.
  public init() {}
}

/// Answers requests of any number of callers with the models of a group.
///
/// Any thread may submit. The thread that calls `run` owns the models until it returns: sequences join and leave at every step, and
/// prompts are read in chunks between the steps. Where a group has a model for each node, a request goes to the one with the fewest
/// requests.
public final class Scheduler: Sendable {
  /// Tokens that a sequence may have.
  public let contextLength: Int
  /// Entries of the vocabulary.
  public let vocabularySize: Int
  /// What has been done so far.
  public let counters = ServingCounters()
  /// What each slot is doing.
  public let slots: [SlotStatus]
  /// The steps of each of the group's models.
  public let times: [StepTime]

  let options: ServingOptions
  private let tokenizer: Tokenizer
  private let vocabulary: AnswerConstraint.Vocabulary
  private let inboxes: [Inbox]
  private let isEnding = Atomic<Bool>(false)

  /// A scheduler for the models of `group`, which `run` is to be given.
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

  /// Requests that are worked on.
  public var runningCount: Int { slots.count { $0.phase != .idle } }

  /// Requests that wait.
  public var waitingCount: Int { inboxes.reduce(0) { $0 + $1.waitingCount } }

  /// Requests whose answers have not ended, whether they wait or not.
  public var unfinishedCount: Int { inboxes.reduce(0) { $0 + $1.load } }

  /// Puts a request in the queue.
  ///
  /// - Returns: What becomes known of the answer, until its last event. The request is given up once nobody can read them any more.
  /// - Throws: `ServingError` where there will be no answer.
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

  /// Answers requests on the calling thread, and on one of each model's node where there are several, until `close` or `end`.
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

  /// Takes no more requests. `run` returns once those that there are have been answered.
  public func close() {
    for inbox in inboxes { inbox.close() }
  }

  /// Takes no more requests, and gives up those that there are.
  public func end() {
    isEnding.store(true, ordering: .relaxed)
    close()
  }
}
