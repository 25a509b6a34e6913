// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc
import Synchronization

/// Ctrl-C: once stops the answer, twice the program.
enum Interrupt {
  private static let count = Atomic<Int>(0)

  /// Starts to count.
  ///
  /// - Parameter numbers: The signals; more than Ctrl-C where what is being done must not stay half done.
  static func watch(_ numbers: [CInt] = [SIGINT]) {
    // Without SA_RESTART: a question that waits for its answer is to notice.
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      if Interrupt.count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
    }
    // Whoever started us from a thread that blocks signals has handed that down.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers {
      sigaction(number, &action, nil)
      sigaddset(&signals, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  /// Forgets it, when whoever pressed it goes on.
  static func clear() { count.store(0, ordering: .relaxed) }
}
