// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Dispatch
import Synchronization

/// The requests that wait for one model. Any thread puts them in; the model's own thread takes them out.
final class Inbox: Sendable {
  private struct State {
    var waiting: [Ticket] = []
    var isClosed = false
    /// Requests that were taken out, and come back once a file has been read for them.
    var absentCount = 0
  }

  private let state = Mutex(State())
  /// Requests that wait or are worked on.
  private let requests = Atomic<Int>(0)
  /// How many of them wait.
  private let waiting = Atomic<Int>(0)
  private let bell = DispatchSemaphore(value: 0)

  /// Requests that wait or are worked on.
  var load: Int { requests.load(ordering: .relaxed) }

  /// Requests that wait.
  var waitingCount: Int { waiting.load(ordering: .relaxed) }

  /// Takes a request; false if no more are taken.
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

  /// Notes that a request which was taken out will be put back.
  func expectBack() { state.withLock { $0.absentCount += 1 } }

  /// Puts a request back, in front of all others.
  func putBack(_ ticket: Ticket) {
    state.withLock { state in
      state.waiting.insert(ticket, at: 0)
      state.absentCount -= 1
      waiting.add(1, ordering: .relaxed)
    }
    bell.signal()
  }

  /// Takes no more requests. Those that wait stay.
  func close() {
    state.withLock { $0.isClosed = true }
    bell.signal()
  }

  /// The request that has waited longest; nil if none waits, which takes no lock.
  func take() -> Ticket? {
    guard waiting.load(ordering: .relaxed) > 0 else { return nil }
    return state.withLock { state in
      guard !state.waiting.isEmpty else { return nil }
      waiting.subtract(1, ordering: .relaxed)
      return state.waiting.removeFirst()
    }
  }

  /// Takes out the requests for whose answers nobody waits any more.
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

  /// Whether a request waits.
  var hasNews: Bool { state.withLock { !$0.waiting.isEmpty } }

  /// Waits until something may have been put in or the inbox has been closed; false if it is closed and empty, and stays so.
  func waitForNews() -> Bool {
    while true {
      let (isEmpty, isClosed) = state.withLock { ($0.waiting.isEmpty, $0.isClosed && $0.absentCount == 0) }
      if !isEmpty { return true }
      if isClosed { return false }
      bell.wait()
    }
  }
}
