// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// Standard input as a terminal that delivers each key as it is typed.
///
/// A line that the terminal collects itself holds 4095 bytes; anything pasted beyond that is silently lost. Here everything arrives, and
/// `TypedLine` displays and edits it. Ctrl-C and Ctrl-Z remain signals. The terminal's own state is restored when this value ends, at
/// `exit`, and when a signal ends the program.
package struct UnbufferedTerminal: ~Copyable {
  /// The stream to which the echo is written; nil if all three are read-only.
  private let screen: StandardStream?

  /// Nil if standard input is not a terminal, or its state cannot be changed.
  package init?() {
    guard StandardStream.input.isTerminal, cl_unbuffer_terminal(StandardStream.input.rawValue) == 0 else { return nil }
    screen = StandardStream.allCases.first { $0.isTerminal && fcntl($0.rawValue, F_GETFL) & O_ACCMODE != O_RDONLY }
  }

  deinit { cl_restore_terminal() }

  /// Takes the terminal back from another program that may have used it in the meantime, such as the shell.
  package func resume() { _ = cl_unbuffer_terminal(StandardStream.input.rawValue) }

  /// Makes the terminal mark pasted text (see `TerminalKeyDecoder`), until its own state is restored.
  package func bracketPastes() {
    if let screen { cl_bracket_pastes(screen.rawValue, 1) }
  }

  /// Shows `bytes`.
  package func show(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, let screen else { return }
    _ = screen.write(bytes)
  }
}
