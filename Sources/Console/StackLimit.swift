// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The limit on the main thread's stack that `ulimit -s` sets.
enum StackLimit {
  /// The stack size in bytes: twice what the deepest accepted chat template needs. Beyond the limit, the kernel kills the program silently.
  private static let needed: rlim_t = 2 << 20

  /// Raises the limit if it is too low; throws if that is not permitted.
  static func ensure() throws(Failure) {
    let resource = __rlimit_resource_t(RLIMIT_STACK.rawValue)
    var limit = rlimit()
    guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
    let found = limit.rlim_cur
    limit = rlimit(rlim_cur: needed, rlim_max: max(limit.rlim_max, needed))
    // The kernel checks the limit when the stack grows, so the new one applies at once.
    guard unsafe setrlimit(resource, &limit) != 0 else { return }
    throw Failure(
      "too little memory: the limit on the stack (ulimit -s) is \(found / 1024) KiB, and at least \(needed / 1024) are needed",
      exitCode: .failed)
  }
}
