import Glibc
import Synchronization

/// Ctrl-C: once stops the answer, twice the program.
enum Interrupt {
  private static let count = Atomic<Int>(0)

  /// Starts to count.
  static func watch() {
    // Without SA_RESTART: a question that waits for its answer is to notice.
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      if Interrupt.count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
    }
    sigaction(SIGINT, &action, nil)
    // Whoever started us from a thread that blocks signals has handed that down.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  /// Forgets it, when whoever pressed it goes on.
  static func clear() { count.store(0, ordering: .relaxed) }
}
