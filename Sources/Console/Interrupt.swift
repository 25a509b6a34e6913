// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc
import Synchronization

/// Signals by which a person or the system asks the program to end.
///
/// The first one is recorded, so that the work ends in order and leaves nothing half done. A second one ends the program at once.
package enum Interrupt {
  /// The first signal since the last `clear`; 0 if there was none.
  private static let signal = Atomic<CInt>(0)
  /// The last signal, whatever was cleared since.
  private static let last = Atomic<CInt>(SIGINT)

  /// Starts to watch signals.
  ///
  /// A signal that is ignored when the program starts stays ignored, as `nohup` and a shell's background jobs require.
  /// - Parameters:
  ///   - numbers: The signals.
  ///   - endsReads: Whether a signal makes a waiting read, such as for a person's answer, fail with EINTR.
  package static func watch(_ numbers: [CInt], endsReads: Bool = false) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers {
      var action = sigaction()
      guard unsafe sigaction(number, nil, &action) == 0, !isIgnored(action) else { continue }
      action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { number in
        // A signal handler may do little more than store a value.
        Interrupt.last.store(number, ordering: .relaxed)
        let (exchanged, _) = Interrupt.signal.compareExchange(expected: 0, desired: number, ordering: .relaxed)
        if !exchanged {
          cl_restore_terminal()
          _exit(128 + number)
        }
      }
      action.sa_flags = endsReads ? 0 : SA_RESTART
      _ = unsafe sigaction(number, &action, nil)
      unsafe sigaddset(&set, number)
    }
    // The parent may have blocked the signals, and a child inherits blocked signals.
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    // SIG_IGN is the address 1, which a Swift function type cannot hold.
    unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// Whether a signal has arrived.
  package static var isRequested: Bool { signal.load(ordering: .relaxed) != 0 }

  /// The exit code that tells a shell which signal ended the program.
  package static var exitCode: Int32 { 128 + last.load(ordering: .relaxed) }

  /// Forgets the signal, after the person who sent it has asked for something else.
  package static func clear() { signal.store(0, ordering: .relaxed) }
}
