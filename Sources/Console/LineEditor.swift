// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// An editor for a text that a person types at a terminal, with a cursor, a history, and line ends in pasted text.
///
/// It does not access a terminal: it takes the bytes of keys, and returns the bytes that display the text. These start from where the
/// cursor was left the last time, and use only sequences that practically every terminal supports (cursor movement, erase to the end).
package struct LineEditor {
  /// What was ended: the text, or the whole input.
  package enum End { case text, input }

  private var characters: [Character] = []
  /// The position of the next character.
  private var cursor = 0
  private var decoder = TerminalKeyDecoder()
  /// The earlier texts, oldest first.
  private var history: [String]
  /// The index of the text shown; `history.count` for the text being written.
  private var place = 0
  private var draft: [Character] = []
  private var deleted: [Character] = []
  /// The search begun by Ctrl-R; nil if there is none.
  private var search: HistorySearch?
  private var prompt = ""
  private var screen = LineScreen(columns: 80, rows: 24)
  private var output = ""

  /// An editor with the earlier texts `history`.
  package init(history: [String] = []) { self.history = history }

  /// The text so far.
  package var text: String { String(characters) }

  /// Begins a new text and shows the prompt.
  package mutating func begin(prompt: String, columns: Int, rows: Int) {
    (characters, cursor, draft, place, search) = ([], 0, [], history.count, nil)
    self.prompt = prompt
    screen = LineScreen(columns: columns, rows: rows)
    output = screen.draw(prompt, characters, cursor)
  }

  /// Sets the terminal's size, which may have changed since the last keys.
  package mutating func resize(columns: Int, rows: Int) {
    screen.resize(columns: columns, rows: rows, showing: shownPrompt, characters, cursor)
  }

  private var shownPrompt: String { search?.prompt ?? prompt }

  /// Adds a text to the history, unless it equals the last one.
  package mutating func remember(_ text: String) {
    if history.last != text { history.append(text) }
  }

  /// Returns what the terminal should show for the keys taken since the last call.
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
    output += screen.draw(shownPrompt, characters, cursor)
    if end != nil { output += "\r\n" }
    return end
  }

  private mutating func perform(_ key: TerminalKey) -> End? {
    if isOfSearch(key) { return nil }
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
    case .text, .search, .cancel, .unknown: break
    }
    return nil
  }

  // MARK: Search

  /// Handles a key that belongs to the search. Returns false for any other key, which ends the search and keeps what was found.
  private mutating func isOfSearch(_ key: TerminalKey) -> Bool {
    switch key {
    case .search where search == nil:
      search = HistorySearch(before: characters, cursor, place)
      return true
    case .search: search?.isAgain = true
    case .deleteBackward where search != nil: _ = search?.text.popLast()
    case .cancel:
      guard let search else { return true }
      (characters, cursor, place) = search.before
      self.search = nil
      return true
    default:
      search = nil
      return false
    }
    find()
    return true
  }

  /// Shows the latest text that contains the search text, starting from the one shown.
  private mutating func find() {
    guard let (found, position) = search?.find(in: history, showing: characters, place) else { return }
    if place == history.count { draft = characters }
    (place, characters, cursor) = (found, Array(history[found]), position)
  }

  // MARK: Text

  /// Inserts text without control characters; every line end becomes `\n`.
  private mutating func insert(_ text: String) {
    guard !text.isEmpty else { return }
    if search != nil {
      search?.text += Array(text)
      return find()
    }
    let lines = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    let scalars = lines.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control }
    // A combining mark joins the character before it.
    let before = Array(String(characters[..<cursor]) + String(String.UnicodeScalarView(scalars)))
    characters = before + characters[cursor...]
    cursor = before.count
  }

  /// Deletes the characters between the cursor and `place`.
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

  /// Moves to the previous or next line, to the same column or the end of the line.
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
