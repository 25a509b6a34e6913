// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// A text that a person writes at a terminal: with a cursor, a history, and line ends where they are pasted.
///
/// It knows no terminal: it takes the bytes of keys, and gives the bytes that show the text. Those begin where the cursor was left
/// the last time, and use the sequences that every terminal of the last decades knows (cursor movement, erase to the end).
package struct LineEditor {
  /// What ends the writing.
  package enum End { case text, input }

  private var characters: [Character] = []
  /// Where the next character goes.
  private var cursor = 0
  private var decoder = TerminalKeyDecoder()
  /// Earlier texts, the oldest first.
  private var history: [String]
  /// Which of them is shown; `history.count` for the text that is being written.
  private var place = 0
  private var draft: [Character] = []
  private var deleted: [Character] = []
  private var prompt = ""
  private var screen = LineScreen(columns: 80, rows: 24)
  private var output = ""

  /// An editor that goes back to `history`.
  package init(history: [String] = []) { self.history = history }

  /// The text so far.
  package var text: String { String(characters) }

  /// Begins another text, and shows the prompt.
  package mutating func begin(prompt: String, columns: Int, rows: Int) {
    (characters, cursor, draft, place) = ([], 0, [], history.count)
    self.prompt = prompt
    screen = LineScreen(columns: columns, rows: rows)
    output = screen.draw(prompt, characters, cursor)
  }

  /// Adds a text to the history, unless it is the last one again.
  package mutating func remember(_ text: String) {
    if history.last != text { history.append(text) }
  }

  /// What the terminal is to show for the keys taken since the last call.
  package mutating func takeOutput() -> [UInt8] {
    defer { output = "" }
    return Array(output.utf8)
  }

  /// Takes keys from the front of `keys`, up to the one that ends the text or the input; nil if there is none among them.
  package mutating func take(_ keys: inout ArraySlice<UInt8>) -> End? {
    var typed = ""
    var end: End?
    while end == nil, let byte = keys.popFirst() {
      guard let key = decoder.take(byte) else { continue }
      if case .text(let text) = key {
        typed += text
        continue
      }
      insert(typed)
      typed = ""
      end = perform(key)
    }
    insert(typed)
    if end != nil { cursor = characters.count }
    output += screen.draw(prompt, characters, cursor)
    if end != nil { output += "\r\n" }
    return end
  }

  private mutating func perform(_ key: TerminalKey) -> End? {
    switch key {
    case .enter: return .text
    case .endOfInput:
      if characters.isEmpty { return .input }
      delete(to: cursor + 1)
    case .paste(let text): insert(text)
    case .newline: insert("\n")
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(characters.count, cursor + 1)
    case .home: cursor = lineStart
    case .end: cursor = lineEnd
    case .up: if lineStart > 0 { moveLine(-1) } else { recall(place - 1) }
    case .down: if lineEnd < characters.count { moveLine(1) } else { recall(place + 1) }
    case .wordLeft: cursor = wordStart
    case .wordRight: cursor = wordEnd
    case .deleteBackward: if cursor > 0 { delete(to: cursor - 1) }
    case .deleteForward: delete(to: cursor + 1)
    case .deleteWord: delete(to: wordStart, keeps: true)
    case .deleteWordForward: delete(to: wordEnd, keeps: true)
    case .deleteToStart: delete(to: lineStart, keeps: true)
    case .deleteToEnd: delete(to: lineEnd, keeps: true)
    case .insertDeleted: insert(String(deleted))
    case .clearScreen: output += screen.clear()
    case .text, .unknown: break
    }
    return nil
  }

  // MARK: Text

  /// Inserts text without the characters that drive a terminal; any line end becomes `\n`.
  private mutating func insert(_ text: String) {
    guard !text.isEmpty else { return }
    let lines = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    let scalars = lines.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control }
    // A mark joins the character before it.
    let before = Array(String(characters[..<cursor]) + String(String.UnicodeScalarView(scalars)))
    characters = before + characters[cursor...]
    cursor = before.count
  }

  /// Deletes what is between the cursor and another place.
  private mutating func delete(to place: Int, keeps: Bool = false) {
    let place = min(place, characters.count)
    let range = min(place, cursor)..<max(place, cursor)
    if keeps, !range.isEmpty { deleted = Array(characters[range]) }
    characters.removeSubrange(range)
    cursor = range.lowerBound
  }

  private var lineStart: Int { characters[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0 }
  private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }

  private var wordStart: Int {
    var index = cursor
    while index > 0, characters[index - 1].isWhitespace { index -= 1 }
    while index > 0, !characters[index - 1].isWhitespace { index -= 1 }
    return index
  }

  private var wordEnd: Int {
    var index = cursor
    while index < characters.count, characters[index].isWhitespace { index += 1 }
    while index < characters.count, !characters[index].isWhitespace { index += 1 }
    return index
  }

  /// Moves to the line before or after, in the same column as far as it has one.
  private mutating func moveLine(_ step: Int) {
    let column = cursor - lineStart
    cursor = step < 0 ? lineStart - 1 : lineEnd + 1
    cursor = min(lineStart + column, lineEnd)
  }

  private mutating func recall(_ other: Int) {
    guard (0...history.count).contains(other), other != place else { return }
    if place == history.count { draft = characters }
    place = other
    characters = place == history.count ? draft : Array(history[place])
    cursor = characters.count
  }
}

/// Draws a text over several rows of a terminal, again and again in the same place.
private struct LineScreen {
  let columns: Int
  let rows: Int
  /// The row, from the first one drawn, in which the cursor was left.
  private var cursorRow = 0

  init(columns: Int, rows: Int) {
    self.columns = max(columns, 8)
    self.rows = max(rows, 2)
  }

  /// Clears the screen; what is drawn next begins at its top.
  mutating func clear() -> String {
    cursorRow = 0
    return "\u{1B}[H\u{1B}[2J"
  }

  /// What shows the text in the place of the one before, and leaves the cursor in front of character number `cursor`.
  mutating func draw(_ prompt: String, _ characters: [Character], _ cursor: Int) -> String {
    var lines = [prompt]
    var column = prompt.reduce(0) { $0 + Self.columns($1) }
    var position = (row: 0, column: column)
    func wrap(_ indent: String = "") {
      lines.append(indent)
      column = indent.count
    }
    for (index, character) in characters.enumerated() {
      let width = character == "\n" ? 0 : Self.columns(character)
      if column + width > columns { wrap() }
      if index == cursor { position = (lines.count - 1, column) }
      if character == "\n" {
        wrap("  ")
      } else {
        lines[lines.count - 1] += character == "\t" ? " " : String(character)
        column += width
      }
    }
    // In the last column a terminal does not say in which row its cursor is.
    if column == columns { wrap() }
    if cursor == characters.count { position = (lines.count - 1, column) }
    // Of a text that is higher than the screen, the rows around the cursor.
    let first = max(0, min(position.row - rows + 2, lines.count - rows + 1))
    let last = min(lines.count, first + max(1, rows - 1))
    var output = "\r" + Self.up(cursorRow) + "\u{1B}[J" + lines[first..<last].joined(separator: "\r\n")
    cursorRow = position.row - first
    if position.row != last - 1 || position.column != column || last != lines.count {
      output += Self.up(last - 1 - position.row) + "\r" + (position.column > 0 ? "\u{1B}[\(position.column)C" : "")
    }
    return output
  }

  private static func up(_ rows: Int) -> String { rows > 0 ? "\u{1B}[\(rows)A" : "" }

  /// How many columns a character takes: those of the widest of its scalars.
  private static func columns(_ character: Character) -> Int {
    character.unicodeScalars.reduce(0) { max($0, TypedLine.columns($1)) }
  }
}
