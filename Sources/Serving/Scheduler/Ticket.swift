// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// A request on its way: what is asked for, and where its events go.
final class Ticket: Sendable {
  let request: AnswerRequest
  let submitted = ContinuousClock.now
  private let events: AsyncStream<AnswerEvent>.Continuation
  private let cancelled = Atomic<Bool>(false)
  /// What has been read from a file for it.
  private let reading = Mutex(Reading())

  private struct Reading {
    var isOver = false
    var prefix: PrefixCache.Prefix?
  }

  init(_ request: AnswerRequest, _ events: AsyncStream<AnswerEvent>.Continuation) {
    self.request = request
    self.events = events
  }

  /// Whether nobody waits for the answer any more.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Whether a file was read for it, or could not be.
  var hasRead: Bool { reading.withLock { $0.isOver } }

  /// Notes what was in the file; nil if it cannot be used.
  func noteRead(_ prefix: PrefixCache.Prefix?) { reading.withLock { $0 = Reading(isOver: true, prefix: prefix) } }

  /// What was in the file, which is given once.
  func takeRead() -> PrefixCache.Prefix? { reading.withLock { $0.prefix.take() } }

  func send(_ event: AnswerEvent) { events.yield(event) }

  /// Sends the last event.
  func end(_ event: AnswerEvent) {
    events.yield(event)
    events.finish()
  }
}
