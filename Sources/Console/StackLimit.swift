// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// The limit on the main thread's stack that `ulimit -s` sets.
enum StackLimit {
  /// Twice what the deepest chat template takes that is not refused; beyond the limit, the kernel ends the program without a word.
  private static let needed: rlim_t = 2 << 20

  /// Raises the limit if it is too low; throws if it may not be raised.
  static func ensure() throws(Failure) {
    let resource = __rlimit_resource_t(RLIMIT_STACK.rawValue)
    var limit = rlimit()
    guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
    let found = limit.rlim_cur
    limit = rlimit(rlim_cur: needed, rlim_max: max(limit.rlim_max, needed))
    // The kernel asks for the limit when the stack grows, so it holds at once.
    guard unsafe setrlimit(resource, &limit) != 0 else { return }
    throw Failure(
      "too little memory: the limit on the stack (ulimit -s) is \(found / 1024) KiB, and at least \(needed / 1024) are needed",
      exitCode: .failed)
  }
}
