// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// What standard error is, and how to write to it.
enum Terminal {
  /// Whether standard error is a terminal that can redraw a line.
  static var isInteractive: Bool {
    let kind = unsafe getenv("TERM").map { unsafe String(cString: $0) }
    return isatty(STDERR_FILENO) == 1 && kind != "dumb"
  }

  /// Columns of the terminal; 80 where it does not say.
  static var columns: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Writes text to standard error.
  static func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Writes one line that says what is wrong.
  static func complain(_ problem: String) {
    write("ggufpack: \(problem)\n")
  }
}
