// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The monotonic clock.
package enum Clock {
  /// The nanoseconds since an arbitrary moment in the past.
  package static var nanoseconds: UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }

  /// Returns the seconds since `start`, a value of `nanoseconds`.
  package static func seconds(since start: UInt64) -> Double { Double(nanoseconds &- start) / 1e9 }
}
