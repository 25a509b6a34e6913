import Glibc
import PackFormat
import Synchronization

/// Notices that the user wants no more (Ctrl-C, or a termination signal), so that work ends in order and leaves nothing behind.
final class Interruption: Sendable {
  private let isWanted = Atomic(false)

  /// The program's own, which listens from when it is first asked for.
  static let shared = Interruption()

  private init() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // All that a handler may do is to store a value; `shared` exists before the first signal can come here.
      signal(number) { _ in Interruption.shared.isWanted.store(true, ordering: .relaxed) }
    }
  }

  /// Throws `PackError.interrupted` once the user wants no more.
  func check() throws(PackError) {
    if isWanted.load(ordering: .relaxed) { throw .interrupted }
  }
}
