// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// A byte count over all threads that is reported to one listener, one call at a time.
final class ProgressCount: Sendable {
  private let total: Int
  private let done = Atomic<Int>(0)
  private let report: Mutex<(@Sendable (Int, Int) -> Void)?>

  init(total: Int, report: (@Sendable (Int, Int) -> Void)?) {
    self.total = total
    self.report = Mutex(report)
  }

  func add(_ count: Int) {
    let now = done.add(count, ordering: .relaxed).newValue
    if now == total {
      report.withLock { $0?(now, total) }
    } else {
      // If another thread is reporting right now, this one does not wait.
      _ = report.withLockIfAvailable { $0?(now, total) }
    }
  }
}
