// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Lines on standard output that are redrawn in the same place, or if the terminal cannot do that, appended.
package struct StatusScreen {
  private let canRedraw = StandardStream.output.isTerminal && Terminal.canMoveCursor
  private var drawnLines = 0

  /// A screen on which nothing is shown yet.
  package init() {}

  /// The width of lines in columns: the terminal's, or 120 if there is no terminal.
  package var columns: Int { StandardStream.output.columns ?? 120 }

  /// Shows lines in place of the previous ones.
  ///
  /// - Parameter isLast: Whether these are the last lines.
  package mutating func show(_ lines: [String], isLast: Bool) {
    let lines = lines.map(\.oneLine)
    guard canRedraw else {
      Output.write(lines.joined(separator: "\n") + (isLast ? "\n" : "\n\n"))
      return
    }
    // Move up to the first of the previous lines, and clear from there to the end of the screen.
    let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A\r" : ""
    Output.write("\(up)\u{1B}[J" + lines.joined(separator: "\n") + "\n")
    drawnLines = lines.count
  }
}

extension StandardStream {
  /// The width of the terminal in columns; nil if the stream is not a terminal or does not say.
  package var columns: Int? {
    var size = winsize()
    guard unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
