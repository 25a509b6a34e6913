// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Dispatch
import Synchronization

/// The requests that wait for one model. Any thread may put them in; only the model's thread takes them out.
final class Inbox: Sendable {
  private struct State {
    var waiting: [Ticket] = []
    var isClosed = false
    /// The number of requests that were taken out and will return after a file has been read for them.
    var absentCount = 0
  }

  private let state = Mutex(State())
  /// The number of requests that are waiting or being answered.
  private let requests = Atomic<Int>(0)
  /// The number of requests that are waiting.
  private let waiting = Atomic<Int>(0)
  private let bell = DispatchSemaphore(value: 0)

  /// The number of requests that are waiting or being answered.
  var load: Int { requests.load(ordering: .relaxed) }

  /// The number of requests that are waiting.
  var waitingCount: Int { waiting.load(ordering: .relaxed) }

  /// Adds a request; returns false if the inbox is closed.
  func put(_ ticket: Ticket) -> Bool {
    let isTaken = state.withLock { state in
      guard !state.isClosed else { return false }
      state.waiting.append(ticket)
      requests.add(1, ordering: .relaxed)
      waiting.add(1, ordering: .relaxed)
      return true
    }
    if isTaken { bell.signal() }
    return isTaken
  }

  /// Notes that a request which was taken out will return.
  func expectBack() { state.withLock { $0.absentCount += 1 } }

  /// Puts a request back, before all others.
  func putBack(_ ticket: Ticket) {
    state.withLock { state in
      state.waiting.insert(ticket, at: 0)
      state.absentCount -= 1
      waiting.add(1, ordering: .relaxed)
    }
    bell.signal()
  }

  /// Closes the inbox to new requests. Waiting requests stay.
  func close() {
    state.withLock { $0.isClosed = true }
    bell.signal()
  }

  /// Takes the request that has waited longest; nil if none waits, which it finds without a lock.
  func take() -> Ticket? {
    guard waiting.load(ordering: .relaxed) > 0 else { return nil }
    return state.withLock { state in
      guard !state.waiting.isEmpty else { return nil }
      waiting.subtract(1, ordering: .relaxed)
      return state.waiting.removeFirst()
    }
  }

  /// Takes all requests that were cancelled.
  func takeCancelled() -> [Ticket] {
    guard waiting.load(ordering: .relaxed) > 0 else { return [] }
    return state.withLock { state in
      let cancelled = state.waiting.filter(\.isCancelled)
      guard !cancelled.isEmpty else { return [] }
      state.waiting.removeAll(where: \.isCancelled)
      waiting.subtract(cancelled.count, ordering: .relaxed)
      return cancelled
    }
  }

  /// Notes that a request which was taken out has ended.
  func noteEnd() { requests.subtract(1, ordering: .relaxed) }

  /// Whether a request is waiting.
  var hasNews: Bool { state.withLock { !$0.waiting.isEmpty } }

  /// Waits until a request is in the inbox; returns false if it is empty, closed, and no request will return.
  func waitForNews() -> Bool {
    while true {
      let (isEmpty, isClosed) = state.withLock { ($0.waiting.isEmpty, $0.isClosed && $0.absentCount == 0) }
      if !isEmpty { return true }
      if isClosed { return false }
      bell.wait()
    }
  }
}
