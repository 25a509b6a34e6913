// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Synchronization

/// Counts bytes over all threads and passes the count on, to one listener at a time.
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
      // A thread that finds another one reporting continues to read.
      _ = report.withLockIfAvailable { $0?(now, total) }
    }
  }
}
