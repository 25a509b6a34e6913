// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Writing to standard output and standard error, byte by byte as they come.
enum Terminal {
  static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  /// Writes text to standard output at once.
  static func print(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }

  /// Writes one line to standard error.
  static func note(_ text: String) { write(Array("packrun: \(text)\n".utf8), to: STDERR_FILENO) }

  static func write(_ bytes: [UInt8], to descriptor: CInt) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
