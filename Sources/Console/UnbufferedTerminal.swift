// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CLinux
import Glibc

/// Standard input, where it is a terminal, giving each key as it is typed.
///
/// The line that a terminal collects itself holds 4095 bytes; what is pasted beyond them is lost in silence. Here all arrives, and
/// `TypedLine` shows what is typed and edits it. Ctrl-C and Ctrl-Z remain signals. The terminal gets its own state back when
/// this value goes, at `exit`, and when a signal ends the program.
package struct UnbufferedTerminal: ~Copyable {
  /// Where the terminal shows what is written, unless all three streams can only be read.
  private let screen: StandardStream?

  /// Nil if standard input is not a terminal, or does not let its state be changed.
  package init?() {
    guard StandardStream.input.isTerminal, cl_unbuffer_terminal(StandardStream.input.rawValue) == 0 else { return nil }
    screen = StandardStream.allCases.first { $0.isTerminal && fcntl($0.rawValue, F_GETFL) & O_ACCMODE != O_RDONLY }
  }

  deinit { cl_restore_terminal() }

  /// Takes the terminal again from a program that may have had it in the meantime, such as the shell.
  package func resume() { _ = cl_unbuffer_terminal(StandardStream.input.rawValue) }

  /// Lets what is pasted come between marks (see `TerminalKeyDecoder`), until the terminal gets its own state back.
  package func bracketPastes() {
    if let screen { cl_bracket_pastes(screen.rawValue, 1) }
  }

  /// Shows `bytes`.
  package func show(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, let screen else { return }
    _ = screen.write(bytes)
  }
}
