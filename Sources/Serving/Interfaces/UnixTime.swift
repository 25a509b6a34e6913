// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The clock for the times in documents.
public enum UnixTime {
  /// The current time, in seconds since 1970.
  public static var now: Int { time(nil) }
}
