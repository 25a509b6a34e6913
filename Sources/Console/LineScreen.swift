// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Draws a text over several rows of a terminal, repeatedly in the same place.
struct LineScreen {
  private var columns: Int
  private var rows: Int
  /// The row of the cursor, counted from the first row drawn.
  private var cursorRow = 0

  /// A screen of this size on which nothing has been drawn.
  init(columns: Int, rows: Int) {
    (self.columns, self.rows) = Self.usable(columns, rows)
  }

  private static func usable(_ columns: Int, _ rows: Int) -> (Int, Int) { (max(columns, 8), max(rows, 2)) }

  /// Returns the sequence that clears the screen; the next drawing begins at its top.
  mutating func clear() -> String {
    cursorRow = 0
    return "\u{1B}[H\u{1B}[2J"
  }

  /// Sets the terminal's size, which may have changed since the text was drawn.
  ///
  /// Most terminals rewrap the rows at the new width and keep the cursor at the same place in the text.
  mutating func resize(columns: Int, rows: Int, showing prompt: String, _ characters: [Character], _ cursor: Int) {
    let size = Self.usable(columns, rows)
    guard size != (self.columns, self.rows) else { return }
    (self.columns, self.rows) = size
    let layout = Layout(prompt, characters, cursor, columns: self.columns)
    cursorRow = layout.position.row - layout.shown(rows: self.rows).lowerBound
  }

  /// Returns the bytes that replace the text drawn before, and leave the cursor before character number `cursor`.
  mutating func draw(_ prompt: String, _ characters: [Character], _ cursor: Int) -> String {
    let layout = Layout(prompt, characters, cursor, columns: columns)
    let (position, shown) = (layout.position, layout.shown(rows: rows))
    var output = "\r" + Self.up(cursorRow) + "\u{1B}[J" + layout.lines[shown].joined(separator: "\r\n")
    cursorRow = position.row - shown.lowerBound
    if position.row != shown.upperBound - 1 || position.column != layout.column || shown.upperBound != layout.lines.count {
      output += Self.up(shown.upperBound - 1 - position.row) + "\r" + (position.column > 0 ? "\u{1B}[\(position.column)C" : "")
    }
    return output
  }

  private static func up(_ rows: Int) -> String { rows > 0 ? "\u{1B}[\(rows)A" : "" }
}

/// A text broken into rows.
private struct Layout {
  private let columns: Int
  private(set) var lines = [""]
  /// The column after the last character.
  private(set) var column = 0
  /// The row and column of the cursor.
  private(set) var position = (row: 0, column: 0)

  init(_ prompt: String, _ characters: [Character], _ cursor: Int, columns: Int) {
    self.columns = columns
    for character in prompt { put(character) }
    for (index, character) in characters.enumerated() {
      if character == "\n" {
        if index == cursor { position = (lines.count - 1, column) }
        wrap("  ")
      } else {
        put(character, isAtCursor: index == cursor)
      }
    }
    // In the last column, terminals differ in which row the cursor is.
    if column == columns { wrap() }
    if cursor == characters.count { position = (lines.count - 1, column) }
  }

  private mutating func put(_ character: Character, isAtCursor: Bool = false) {
    let width = character.unicodeScalars.reduce(0) { max($0, TypedLine.columns($1)) }
    if column + width > columns { wrap() }
    if isAtCursor { position = (lines.count - 1, column) }
    lines[lines.count - 1] += character == "\t" ? " " : String(character)
    column += width
  }

  private mutating func wrap(_ indent: String = "") {
    lines.append(indent)
    column = indent.count
  }

  /// Returns the rows to show: all of them, or those around the cursor if the text is higher than the screen.
  func shown(rows: Int) -> Range<Int> {
    let first = max(0, min(position.row - rows + 2, lines.count - rows + 1))
    return first..<min(lines.count, first + max(1, rows - 1))
  }
}
