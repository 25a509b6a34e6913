import Glibc
import Synchronization

/// Ctrl-C: once stops the answer, twice the program.
enum Interrupt {
  private static let count = Atomic<Int>(0)

  /// Starts to count.
  static func watch() {
    signal(SIGINT) { _ in
      if Interrupt.count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
    }
  }

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  /// Forgets one Ctrl-C, after the answer that it stopped.
  static func clear() { count.store(0, ordering: .relaxed) }
}
