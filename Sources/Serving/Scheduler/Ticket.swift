// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// A request in progress: what is requested, and where its events go.
final class Ticket: Sendable {
  let request: AnswerRequest
  let submitted = ContinuousClock.now
  private let events: AsyncStream<AnswerEvent>.Continuation
  private let cancelled = Atomic<Bool>(false)
  /// What has been read from a file for the request.
  private let reading = Mutex(Reading())

  private struct Reading {
    var isOver = false
    var prefix: PrefixCache.Prefix?
  }

  init(_ request: AnswerRequest, _ events: AsyncStream<AnswerEvent>.Continuation) {
    self.request = request
    self.events = events
  }

  /// Whether the request was cancelled.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Whether a file was read for the request, or could not be read.
  var hasRead: Bool { reading.withLock { $0.isOver } }

  /// Notes the prefix that was in the file; nil if it cannot be used.
  func noteRead(_ prefix: PrefixCache.Prefix?) { reading.withLock { $0 = Reading(isOver: true, prefix: prefix) } }

  /// Takes the prefix that was in the file; nil the next time.
  func takeRead() -> PrefixCache.Prefix? { reading.withLock { $0.prefix.take() } }

  func send(_ event: AnswerEvent) { events.yield(event) }

  /// Sends the last event.
  func end(_ event: AnswerEvent) {
    events.yield(event)
    events.finish()
  }
}
