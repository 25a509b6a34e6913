// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Files
import Glibc
import Synchronization

/// Standard error: lines for the user, and the one line that shows progress.
package enum Terminal {
  /// Whether a progress line is on the screen, which must be cleared before the next line.
  private static let hasStatus = Mutex(false)

  private static let name = Mutex("")

  /// The program's name, which begins its lines.
  package static var program: String {
    get { name.withLock { $0 } }
    set { name.withLock { $0 = newValue } }
  }

  private static let form = Mutex<(@Sendable (String) -> String)?>(nil)

  /// The function that turns a note into a line, without a line end; nil puts the program's name before it.
  package static var lineForm: (@Sendable (String) -> String)? {
    get { form.withLock { $0 } }
    set { form.withLock { $0 = newValue } }
  }

  /// Whether standard error can redraw a line.
  package static var isInteractive: Bool { StandardStream.errors.isTerminal && environment("TERM") != "dumb" }

  /// The terminal's width in columns; 80 if unknown.
  package static var columns: Int {
    guard let size, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// The terminal's height in rows; 24 if unknown.
  package static var rows: Int {
    guard let size, size.ws_row > 0 else { return 24 }
    return Int(size.ws_row)
  }

  private static var size: winsize? {
    var size = winsize()
    return unsafe ioctl(StandardStream.errors.rawValue, UInt(TIOCGWINSZ), &size) == 0 ? size : nil
  }

  /// Whether text may be dimmed or coloured: not if NO_COLOR is set (no-color.org) or the terminal cannot do it.
  package static var allowsColor: Bool { (environment("NO_COLOR") ?? "").isEmpty && canMoveCursor }

  /// Whether the terminal supports sequences that move its cursor.
  package static var canMoveCursor: Bool {
    let name = environment("TERM") ?? ""
    return !name.isEmpty && name != "dumb"
  }

  /// Whether the locale uses UTF-8; otherwise only ASCII is written.
  package static var isUTF8: Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment($0) }.first { !$0.isEmpty } ?? ""
    return locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
  }

  /// Writes one line that says what is wrong, or what the user should know.
  ///
  /// Control characters are escaped: text from a file must neither control the terminal nor break the line.
  package static func note(_ text: String) {
    if let line = lineForm?(text.oneLine) { return write(line: line) }
    let line = "\(program): \(text.oneLine)"
    write(line: isInteractive ? line.breakingBetweenWords(columns: columns) : line)
  }

  private static func write(line: String) {
    hasStatus.withLock { hasStatus in
      clear(&hasStatus)
      _ = StandardStream.errors.write(Array((line + "\n").utf8))
    }
  }

  /// Shows a progress line in place of the previous one; it must fit one line of the terminal.
  static func show(status text: String) {
    hasStatus.withLock { hasStatus in
      hasStatus = true
      _ = StandardStream.errors.write(Array("\r\(text)\u{1B}[K".utf8))
    }
  }

  /// Removes the progress line, so that what follows begins on a clean one.
  static func clearStatus() { hasStatus.withLock { clear(&$0) } }

  private static func clear(_ hasStatus: inout Bool) {
    guard hasStatus else { return }
    hasStatus = false
    _ = StandardStream.errors.write(Array("\r\u{1B}[K".utf8))
  }

  private static func environment(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }
}
