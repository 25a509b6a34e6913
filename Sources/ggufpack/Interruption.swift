// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import PackFormat
import Synchronization

/// Notices that the user wants no more (Ctrl-C, or a termination signal), so that work ends in order and leaves nothing behind.
final class Interruption: Sendable {
  private let isWanted = Atomic(false)

  /// The program's own.
  static let shared = Interruption()

  /// From here on the signals no longer end the program at once.
  func listen() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // A handler may do little more than store a value; `shared` exists before the first signal can come here. Who asks a second
      // time does not want to wait for the end of what is being done; what that leaves, the next run removes.
      signal(number) { number in
        Interruption.shared.isWanted.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
      unsafe sigaddset(&signals, number)
    }
    // Whoever started us may have blocked them, as threads of libdispatch have.
    unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Throws `PackError.interrupted` once the user wants no more.
  func check() throws(PackError) {
    if isWanted.load(ordering: .relaxed) { throw .interrupted }
  }
}
