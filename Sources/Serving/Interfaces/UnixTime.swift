// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The clock that documents tell the time by.
public enum UnixTime {
  /// Seconds since 1970.
  public static var now: Int { time(nil) }
}
