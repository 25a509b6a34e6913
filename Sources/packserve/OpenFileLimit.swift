// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The limit on the files and connections that this process may have open.
enum OpenFileLimit {
  /// The open files other than connections: the pack's files, and the pipes of event loops.
  private static let others = 256

  /// Raises the limit as far as `connections` need it and the system allows.
  ///
  /// - Returns: The number of connections that fit, if that is less than `connections`; otherwise nil.
  static func raise(for connections: Int) -> Int? {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    let wanted = rlim_t(connections + others)
    if limit.rlim_cur < wanted {
      limit.rlim_cur = min(wanted, limit.rlim_max)
      _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    return limit.rlim_cur < wanted ? max(0, Int(clamping: limit.rlim_cur) - others) : nil
  }
}
