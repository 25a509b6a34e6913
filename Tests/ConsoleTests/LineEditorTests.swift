// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Foundation
import Testing

@testable import Console

/// A terminal that understands only the sequences that an editor uses.
private struct Screen {
  let columns: Int
  var lines: [[Character]] = [[]]
  var row = 0
  var column = 0

  mutating func show(_ bytes: [UInt8]) {
    var rest = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
    var written = ""
    func flush(_ screen: inout Screen) {
      for character in written { screen.put(character) }
      written = ""
    }
    while let scalar = rest.popFirst() {
      if scalar != "\r", scalar != "\n", scalar != "\u{1B}" {
        written.unicodeScalars.append(scalar)
        continue
      }
      flush(&self)
      switch scalar {
      case "\r": column = 0
      case "\n": down()
      default:
        _ = rest.popFirst()
        var number = ""
        while let next = rest.first, ("0"..."9").contains(next) { number.unicodeScalars.append(rest.removeFirst()) }
        let count = Int(number) ?? 1
        switch rest.popFirst() {
        case "A": row -= count
        case "C": column += count
        case "J":
          lines.removeLast(lines.count - row - 1)
          lines[row].removeLast(max(0, lines[row].count - column))
        default: Issue.record("a sequence that no one knows")
        }
      }
    }
    flush(&self)
  }

  private mutating func down() {
    row += 1
    while lines.count <= row { lines.append([]) }
  }

  private mutating func put(_ character: Character) {
    let width = character.unicodeScalars.contains { $0.value >= 0x1100 } ? 2 : 1
    if column + width > columns {
      down()
      column = 0
    }
    while lines[row].count < column { lines[row].append(" ") }
    lines[row].append(character)
    // The second column of a wide character.
    if width == 2 { lines[row].append("\u{0}") }
    column += width
  }

  var text: String { lines.map { String($0.filter { $0 != "\u{0}" }) }.joined(separator: "\n") }
}

struct LineEditorTests {
  /// Feeds keys to an editor in pieces of some length, and returns its text and what a terminal of some columns shows at the end.
  private func type(_ keys: String, columns: Int = 40, piece: Int = .max, history: [String] = []) -> (text: String, screen: Screen)
  {
    var editor = LineEditor(history: history)
    var screen = Screen(columns: columns)
    editor.begin(prompt: "> ", columns: columns, rows: 50)
    screen.show(editor.takeOutput())
    var rest = Array(keys.utf8)[...]
    while !rest.isEmpty {
      var part = Array(rest.prefix(piece))[...]
      rest = rest.dropFirst(piece)
      #expect(editor.take(&part) == nil)
      screen.show(editor.takeOutput())
    }
    return (editor.text, screen)
  }

  private static let (left, right, up, down) = ("\u{1B}[D", "\u{1B}[C", "\u{1B}[A", "\u{1B}[B")

  @Test(
    "Keys edit the text",
    arguments: [
      ("hello", "hello"), ("hellp\u{7F}o", "hello"), ("ac" + left + "b", "abc"), ("bc\u{1}a\u{5}d", "abcd"),
      ("bc\u{1B}[Ha\u{1B}[Fd", "abcd"), ("abx" + left + "\u{1B}[3~c", "abc"), ("one two\u{17}three", "one three"),
      ("one two\u{1B}bbig ", "one big two"), ("one two\u{1}\u{1B}f!", "one! two"), ("one two\u{1B}[1;5D\u{B}", "one "),
      ("abc\u{15}def\u{19}", "defabc"), ("é\u{7F}日本\u{7F}", "日"), ("e\u{301}\u{7F}x", "x"), ("👩‍👩‍👧" + left + "a", "a👩‍👩‍👧"),
      ("a\u{1B}\rb", "a\nb"), ("\u{1B}[200~one\r\ntwo\rthree\u{3}\u{1B}[201~!", "one\ntwo\nthree!"),
      ("\u{1B}[200~aa\nb\u{1B}[201~" + up + "x", "axa\nb"), ("\u{1B}[200~a\nbb\u{1B}[201~" + up + "\u{1}" + down + "x", "a\nxbb"),
      ("\u{1B}[5~\u{1B}Oq\u{7}a\tb", "a\tb"), ("ab\u{4}" + left + "\u{4}", "a"),
    ])
  func edits(keys: String, expected: String) {
    for piece in [Int.max, 1, 3] {
      let (text, screen) = type(keys, piece: piece)
      #expect(text.unicodeScalars.elementsEqual(expected.unicodeScalars), "\(text)")
      let shown = expected.replacing("\n", with: "\n  ").replacing("\t", with: " ")
      #expect(screen.text == "> " + shown)
    }
  }

  @Test("A long text takes several rows, whatever the width of its characters", arguments: [8, 11, 12, 13, 40])
  func wraps(columns: Int) {
    let text = "one two 日本語のテキスト three é four 🙂🙂🙂 five"
    for keys in [text, text + Self.left + Self.left + Self.left + "\u{7F}"] {
      let (written, screen) = type(keys, columns: columns, piece: 7)
      var whole = Screen(columns: columns)
      whole.show(Array(("> " + written).utf8))
      #expect(screen.lines.flatMap(\.self) == whole.lines.flatMap(\.self))
      #expect(screen.lines.allSatisfy { $0.count <= columns })
    }
  }

  @Test("The arrow keys go back to earlier texts, and forward to the text being written")
  func history() {
    let history = ["first", "second\nline"]
    #expect(type("new" + Self.up, history: history).text == "second\nline")
    // In a text of several lines, the arrow first goes to its first line.
    #expect(type("new" + Self.up + Self.up, history: history).text == "second\nline")
    #expect(type("new" + Self.up + Self.up + Self.up, history: history).text == "first")
    #expect(type("new" + Self.up + "\u{1}" + Self.up + Self.up, history: history).text == "first")
    #expect(type("new" + Self.up + Self.down, history: history).text == "new")
    #expect(type("\u{10}\u{10}\u{10}\u{E}\u{E}x", history: ["a", "b"]).text == "x")
  }

  private static let search = "\u{12}"

  @Test(
    "Ctrl-R searches earlier texts, latest first; other keys keep what was found, Ctrl-G restores what was there before",
    arguments: [
      ("new" + search + "fix", "write the fix", "search: fix > write the fix"),
      ("new" + search + "fix" + search, "fix\nthe bug", "search: fix > fix\n  the bug"),
      // The search ends at the oldest text, and does not find the same text twice.
      (search + "fix" + search + search, "fix\nthe bug", "not found: fix > fix\n  the bug"),
      (search + "zebra" + search, "", "not found: zebra > "), (search + "po" + left + "!", "a! poem", "> a! poem"),
      (search + "poe\u{5}s", "a poems", "> a poems"), ("new" + search + "fix\u{7}s", "news", "> news"),
      (search + "fox\u{7F}\u{7F}ix" + up + up, "a poem", "> a poem"), (search + "poem" + down, "write the fix", "> write the fix"),
      ("new" + search + "poem" + down + down + down, "new", "> new"), (search + "é日", "", "not found: é日 > "),
      (search + "poem\u{1B}[200~s\u{1B}[201~\u{5}?", "a spoem?", "> a spoem?"), ("\u{7}x", "x", "> x"),
    ])
  func searches(keys: String, text: String, shown: String) {
    for piece in [Int.max, 1] {
      let result = type(keys, piece: piece, history: ["fix\nthe bug", "a poem", "write the fix", "write the fix"])
      #expect(result.text == text)
      #expect(result.screen.text == shown)
    }
  }

  @Test("The search text may be longer than a row")
  func longSearch() {
    let long = String(repeating: "long ", count: 9)
    let (text, screen) = type(Self.search + long, columns: 12, history: [long])
    #expect(text == long)
    #expect(screen.lines.allSatisfy { $0.count <= 12 } && screen.lines.joined().count { $0 == "g" } == 18)
  }

  @Test("Enter ends the text, Ctrl-D ends the input if there is no text, and the keys after them remain")
  func ends() {
    var editor = LineEditor()
    editor.begin(prompt: "> ", columns: 80, rows: 24)
    var keys = Array("one\ntwo".utf8)[...]
    #expect(editor.take(&keys) == .text && editor.text == "one" && keys.count == 3)
    editor.begin(prompt: "> ", columns: 80, rows: 24)
    keys = [4, 5]
    #expect(editor.take(&keys) == .input && keys.count == 1)
  }

  @Test("A text that is higher than the screen shows the rows around the cursor")
  func high() {
    var editor = LineEditor()
    editor.begin(prompt: "> ", columns: 20, rows: 5)
    var keys = Array(("\u{1B}[200~" + (1...30).map(String.init).joined(separator: "\n") + "\u{1B}[201~").utf8)[...]
    _ = editor.take(&keys)
    let output = String(decoding: editor.takeOutput(), as: UTF8.self)
    #expect(output.contains("30") && output.contains("27") && !output.contains("25"))
  }

  @Test("The history is kept in a file that only its owner can read, including line ends and backslashes")
  func file() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "a/b/history").path
    let texts = ["one", "two\nlines", "a\\nb", "\\", "é 🙂"]
    let history = try #require(LineHistory(path))
    #expect(history.texts.isEmpty)
    for text in texts { history.append(text) }
    #expect(LineHistory(path)?.texts == texts)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    for number in 0...2 * LineHistory.limit { history.append("\(number)") }
    #expect(LineHistory(path)?.texts.count == LineHistory.limit)
    #expect(LineHistory(path)?.texts.last == "\(2 * LineHistory.limit)")
    // A link to another user's file does not cause that file to be touched.
    let link = folder.appending(path: "link").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    #expect(LineHistory(link) == nil)
  }
}
