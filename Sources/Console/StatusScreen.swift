// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Glibc

/// Lines on standard output that are drawn again in the same place; where that is not a terminal that can, below the last ones.
package struct StatusScreen {
  private let canRedraw = StandardStream.output.isTerminal && Terminal.canMoveCursor
  private var drawnLines = 0

  /// Nothing is shown yet.
  package init() {}

  /// How wide lines may be: a terminal's columns, or as wide as they like.
  package var columns: Int { StandardStream.output.columns ?? 120 }

  /// Shows lines in place of the last ones.
  ///
  /// - Parameter isLast: Whether nothing is shown after them.
  package mutating func show(_ lines: [String], isLast: Bool) {
    let lines = lines.map(\.oneLine)
    guard canRedraw else {
      Output.write(lines.joined(separator: "\n") + (isLast ? "\n" : "\n\n"))
      return
    }
    // Up to the first of the last lines, and clear from there to the end of the screen.
    let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A\r" : ""
    Output.write("\(up)\u{1B}[J" + lines.joined(separator: "\n") + "\n")
    drawnLines = lines.count
  }
}

extension StandardStream {
  /// Columns of the terminal that it is; nil if it is none, or does not say.
  package var columns: Int? {
    var size = winsize()
    guard unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
