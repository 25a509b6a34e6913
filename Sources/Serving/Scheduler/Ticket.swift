// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// A request on its way: what is asked for, and where its events go.
final class Ticket: Sendable {
  let request: AnswerRequest
  let submitted = ContinuousClock.now
  private let events: AsyncStream<AnswerEvent>.Continuation
  private let cancelled = Atomic<Bool>(false)

  init(_ request: AnswerRequest, _ events: AsyncStream<AnswerEvent>.Continuation) {
    self.request = request
    self.events = events
  }

  /// Whether nobody waits for the answer any more.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  func send(_ event: AnswerEvent) { events.yield(event) }

  /// Sends the last event.
  func end(_ event: AnswerEvent) {
    events.yield(event)
    events.finish()
  }
}
