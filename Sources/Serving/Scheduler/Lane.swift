// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Inference
import PackFormat
import Synchronization
import Tokenization

/// One model at work: its sequences, their answers, and the order in which these proceed.
///
/// It belongs to the model's thread. Sequences may join and leave at every step. Prompts are read in chunks between the steps, each
/// of which continues all answers by one token.
final class Lane {
  /// A sequence of the model.
  struct Slot {
    var cache: CachedSequence
    /// Whether its content is already in a file.
    var isSaved = true
    /// A number that is larger the later the slot was last used.
    var lastUse = 0
    var answer: Answer?
  }

  let model: Model
  private let tokenizer: Tokenizer
  private let vocabulary: AnswerConstraint.Vocabulary
  let inbox: Inbox
  private let statuses: [SlotStatus]
  let counters: ServingCounters
  private let time: StepTime
  private let isEnding: () -> Bool
  /// The store in which prefixes outlive the server; nil: none.
  let store: PrefixStore?
  let log: @Sendable (String) -> Void
  /// The digest of the form of copies.
  let layout: Digest
  var slots: [Slot]
  /// Prefixes that are no longer in a slot.
  var memory: PrefixCache
  /// Whether a lack of memory for keeping a prefix has been logged.
  var hasLackedMemory = false
  private var share: PromptShare
  private var uses = 0
  /// The slot whose prompt was read last.
  private var lastRead = 0
  /// The sequences and tokens of a step; kept, so that no step allocates memory.
  private var stepTokens: [(sequence: Int, token: Int32)] = []

  init(
    _ model: Model, _ tokenizer: Tokenizer, _ vocabulary: AnswerConstraint.Vocabulary, _ inbox: Inbox, _ statuses: [SlotStatus],
    _ counters: ServingCounters, _ time: StepTime, _ options: ServingOptions, isEnding: @escaping () -> Bool
  ) {
    (self.model, self.tokenizer, self.vocabulary) = (model, tokenizer, vocabulary)
    (self.inbox, self.statuses, self.isEnding) = (inbox, statuses, isEnding)
    (self.counters, self.time) = (counters, time)
    slots = (0..<model.sequenceCount).map { Slot(cache: CachedSequence(sequence: $0)) }
    share = PromptShare(options.promptShare)
    (store, log, layout) = (options.store, options.log, model.stateLayout)
    memory = PrefixCache(limit: options.cacheByteCount)
    stepTokens.reserveCapacity(model.sequenceCount)
  }

  /// Answers requests until the inbox is closed and empty.
  func run() {
    while slots.contains(where: { $0.answer != nil }) || waitForNews() {
      dropCancelled()
      admit()
      let isWriting = slots.contains { $0.answer?.isWriting == true }
      if !isWriting || share.mayRead { readChunk(isShared: isWriting) }
      if isWriting { step() }
    }
    savePrefixes(waits: true)
  }

  /// Waits for requests. Before that, writes prefixes to the disk if nothing else is to do.
  private func waitForNews() -> Bool {
    if !inbox.hasNews { savePrefixes() }
    return inbox.waitForNews()
  }

  // MARK: Joining and leaving

  /// Ends answers that were cancelled, and all answers if the server is ending.
  private func dropCancelled() {
    let isEnding = isEnding()
    for index in slots.indices where slots[index].answer.map({ isEnding || $0.ticket.isCancelled }) ?? false {
      if let event = slots[index].answer?.interrupt() { end(index, event) }
    }
    for ticket in isEnding ? Array(sequence(state: (), next: { [inbox] _ in inbox.take() })) : inbox.takeCancelled() {
      inbox.noteEnd()
      ticket.end(.failed(.closing))
    }
  }

  /// Assigns slots to waiting requests as long as slots are free.
  private func admit() {
    while slots.contains(where: { $0.answer == nil }), let ticket = inbox.take() {
      if ticket.isCancelled {
        inbox.noteEnd()
        ticket.end(.failed(.closing))
        continue
      }
      let prompt = ticket.request.prompt
      // If a file must be read first, the request returns to the inbox afterwards.
      guard let index = slot(for: ticket) else { continue }
      uses += 1
      slots[index].lastUse = uses
      slots[index].isSaved = ticket.request.pooling != nil
      let kept = prompt.count - slots[index].cache.rest(of: prompt, in: model).count
      slots[index].answer = Answer(ticket, cached: kept, model: model, tokenizer, vocabulary)
      counters.noteBeginning(cached: kept)
      statuses[index].begin(prompt: prompt.count, cached: kept)
      ticket.send(.started(cached: kept))
    }
  }

  private func end(_ index: Int, _ event: AnswerEvent) {
    guard let answer = slots[index].answer else { return }
    counters.noteEnd(event, tokens: answer.written)
    slots[index].answer = nil
    // A sequence that was read for an embedding is not continued.
    if answer.pool != nil { slots[index].cache.clear(in: model) }
    statuses[index].set(.idle)
    inbox.noteEnd()
    answer.ticket.end(event)
  }

  // MARK: Computing

  /// Reads the next chunk of a prompt; prompts take turns.
  private func readChunk(isShared: Bool) {
    let order = slots.indices.map { (lastRead + 1 + $0) % slots.count }
    guard let index = order.first(where: { slots[$0].answer.map { !$0.isWriting } ?? false }), let answer = slots[index].answer
    else { return }
    lastRead = index
    let size = isShared ? share.chunk(batch: model.batchSize) : model.batchSize
    let chunk = Array(answer.prompt[answer.read..<min(answer.read + size, answer.prompt.count)])
    let isLast = answer.read + chunk.count == answer.prompt.count
    let start = ContinuousClock.now
    var last: AnswerEvent?
    do throws(ModelError) {
      if answer.pool != nil {
        try model.readHidden(chunk, into: index) { slots[index].answer?.pool?.add($1) }
        if isLast { last = slots[index].answer?.embed() }
      } else {
        // Logits are wanted only after the whole prompt.
        try model.read(chunk, into: index, logitsFrom: isLast ? nil : chunk.count) { position, logits in
          last = slots[index].answer?.choose(logits, length: position + 1, contextLength: model.contextLength)
        }
      }
    } catch {
      slots[index].cache.clear(in: model)
      return end(index, .failed(.model(error)))
    }
    let seconds = (.now - start) / .seconds(1)
    slots[index].cache.note(chunk, in: model)
    slots[index].answer?.read += chunk.count
    share.noteReading(chunk.count, seconds, isShared: isShared)
    counters.noteReading(chunk.count, seconds)
    time.note(seconds)
    statuses[index].note(read: answer.read + chunk.count, isWriting: isLast)
    answer.ticket.send(.read(answer.read + chunk.count))
    if let last { end(index, last) }
  }

  /// Continues all answers by one token.
  private func step() {
    stepTokens.removeAll(keepingCapacity: true)
    for index in slots.indices {
      guard let token = slots[index].answer?.next else { continue }
      stepTokens.append((index, token))
    }
    guard !stepTokens.isEmpty else { return }
    let start = ContinuousClock.now
    do throws(ModelError) {
      try model.advance(stepTokens) { place, logits in
        let (index, token) = stepTokens[place]
        slots[index].cache.note(token)
        let length = slots[index].cache.tokens.count
        let last = slots[index].answer?.choose(logits, length: length, contextLength: model.contextLength)
        statuses[index].note(written: slots[index].answer?.written ?? 0)
        if let last { end(index, last) }
      }
    } catch {
      for (index, _) in stepTokens where slots[index].answer != nil {
        slots[index].cache.clear(in: model)
        end(index, .failed(.model(error)))
      }
    }
    let seconds = (.now - start) / .seconds(1)
    counters.noteStep(sequences: stepTokens.count, seconds)
    time.note(seconds)
    if slots.contains(where: { $0.answer.map { !$0.isWriting } ?? false }) { share.noteWriting(seconds) }
  }
}

extension SlotStatus {
  fileprivate func begin(prompt: Int, cached: Int) {
    self.prompt.store(prompt, ordering: .relaxed)
    self.cached.store(cached, ordering: .relaxed)
    read.store(cached, ordering: .relaxed)
    written.store(0, ordering: .relaxed)
    set(.reading)
  }

  fileprivate func note(read: Int, isWriting: Bool) {
    self.read.store(read, ordering: .relaxed)
    if isWriting { set(.writing) }
  }

  fileprivate func note(written: Int) { self.written.store(written, ordering: .relaxed) }
}
